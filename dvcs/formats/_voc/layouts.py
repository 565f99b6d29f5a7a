"""
Files of Pascal VOC read by pattern, not by parser: one whose outline is that of a file before.

The files of a dataset were written by one program, so their objects all have the same elements in
the same order. A file that lxml has parsed and that is plain (no XML attributes, no comments, each
object one box) gives a pattern for what precedes the objects and one for an object. A file is read
by patterns only where they match all of it, down to the last byte; any other goes to the parser,
which also has to say what is wrong with it. A pattern is of literal tags, blanks and texts without
`<`, `>`, `&` and all that is not printable ASCII: what it matches is XML without DTD, entities,
CDATA, comments and processing instructions, and means the same to the parser.

5,000 files of 36,405 boxes in memory: 0.08 s, with lxml and a call for each object 0.30 s.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

from dvcs.formats._voc.labels import NAME
from dvcs.formats._voc.objects import EXPECTED, FLAGS, derived_corners, flag_value, plain_value
from dvcs.formats._xml import Element
from dvcs.model import Annotation, Bbox

LARGEST: Final = 1 << 20
"""Bytes of a file that is read by pattern."""
MOST_LAYOUTS: Final = 8
MOST_LOOKS: Final = 32
"""How many parsed files are looked at for new patterns: if these gave none, the next will not."""
MOST_KEPT: Final = 4096
_TAG: Final = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)
_BLANK: Final = r"[ \t\n]*"
_TEXT: Final = r"([ \t\n!-%'-;=?-~]*)"
_DECLARATION: Final = (
    r"(?:<\?xml version=[\"']1\.0[\"'](?: encoding=[\"'](?i:utf-8|us-ascii|ascii|iso-8859-1)[\"'])?"
    r" ?\?>)?"
)
_END: Final = re.compile(rf"</annotation>{_BLANK}\Z")
_CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")
_SPECIAL: Final[dict[tuple[str, ...], str]] = {
    ("object", "name"): r"([ \t!-%'-;=?-~]+)",
    **{("object", "bndbox", corner): r"([ \t\n0-9.eE+-]+)" for corner in _CORNERS},
}
"""Texts that only the parser takes otherwise: names over several lines, what is no usual number."""
_ABOUT: Final = frozenset({"pose", *FLAGS})
_MARKS: Final[tuple[dict[str, str], ...]] = ({}, {"verified": "yes"}, {"verified": "no"})
"""The attributes of roots that patterns have: LabelImg's, which may differ from file to file."""
_NOTHING: Final[dict[str, Any]] = {}


class Quick(NamedTuple):
    """What a file says: the record of what is beside its objects, and these."""

    head: dict[str, Any]
    notes: list[Annotation]


class _Head(NamedTuple):
    """What precedes the objects; `plan` has each tag, with its group or those of its children."""

    match: Callable[[str], "re.Match[str] | None"]
    plan: tuple[tuple[str, int | tuple[tuple[str, int], ...]], ...]
    marks: Mapping[str, str]
    """The XML attributes of the root, as in a record."""


class _Object(NamedTuple):
    """One `<object>`: all of it, then its texts, which the others name by number."""

    pattern: "re.Pattern[str]"
    name: int
    corners: Callable[[tuple[str, ...]], tuple[str, ...]]
    others: Callable[[tuple[str, ...]], Any]
    """The texts that make the attributes, as one value."""
    flags: tuple[tuple[str, int], ...]
    attributes: tuple[tuple[int, int], ...]
    extra: dict[str, Any]
    known: dict[Any, dict[str, Any]]
    """Attributes by the texts that make them: most objects of a dataset share a few."""


class Layouts:
    """The patterns of one dataset's files."""

    def __init__(self) -> None:
        self._heads: dict[str, _Head] = {}
        self._objects: dict[str, _Object] = {}
        self._looks = MOST_LOOKS
        self.kept: dict[str, bytes | Quick] = {}
        """By path: what files say that were read for their labels, or their bytes."""

    @property
    def curious(self) -> bool:
        """Whether another parsed file may give a pattern."""
        return self._looks > 0

    def read(self, data: bytes) -> Quick | None:
        """Return what a file says; None where only a parser can tell."""
        if not self._heads or len(data) > LARGEST or not data.isascii():
            return None
        text = data.decode("ascii")
        for head in self._heads.values():
            match = head.match(text)
            if match is not None:
                notes = self._read_objects(text, match.end())
                return None if notes is None else Quick(_record(head, match.groups("")), notes)
        return None

    def _read_objects(self, text: str, at: int) -> list[Annotation] | None:
        """Return the objects from a place on; None where there is anything else."""
        notes: list[Annotation] = []
        for layout in islice(self._objects.values(), 1):
            # All at once, where they are all alike: what lies between two would be missing here.
            found = layout.pattern.findall(text, at)
            if _END.match(text, at + sum([len(texts[0]) for texts in found])):
                return notes if _add_boxes(layout, found, notes) else None
        while _END.match(text, at) is None:
            for layout in self._objects.values():
                match = layout.pattern.match(text, at)
                if match is not None:
                    break
            else:
                return None
            if not _add_boxes(layout, [match.groups("")], notes):
                return None
            at = match.end()
        return notes

    def learn(self, root: Element) -> None:
        """Take the patterns of a parsed file, where it is plain and they are new."""
        if not self._looks or root.tag != "annotation":
            return
        self._looks -= 1
        children = list(root)
        first = next((n for n, one in enumerate(children) if one.tag == "object"), len(children))
        if any(one.tag != "object" for one in children[first:]):
            return
        head = _learn_head(children[:first], dict(root.attrib))
        if head is not None and len(self._heads) < MOST_LAYOUTS:
            self._heads.setdefault(*head)
        for one in children[first:]:
            found = _learn_object(one)
            if found is not None and len(self._objects) < MOST_LAYOUTS:
                self._objects.setdefault(*found)


def _record(head: _Head, texts: tuple[str, ...]) -> dict[str, Any]:
    """Return what precedes the objects as plain values."""
    found: dict[str, Any] = {}
    for tag, where in head.plan:
        found[tag] = (
            texts[where] if isinstance(where, int) else {name: texts[n] for name, n in where}
        )
    found.update(head.marks)
    return found


def _add_boxes(layout: _Object, found: list[tuple[str, ...]], notes: list[Annotation]) -> bool:
    """Add objects; return False where something is odd about the numbers or attributes of one."""
    _, name, corners, others, _, _, extra, known = layout
    for texts in found:
        try:
            left, top, right, bottom = map(float, corners(texts))
        except ValueError:
            return False
        w, h = right - left, bottom - top
        size = w + h
        if size - size:  # infinite
            return False
        attributes = known.get(others(texts))
        if attributes is None:
            attributes = _learn_values(layout, texts)
            if attributes is None:
                return False
        exact = left + w == right and top + h == bottom
        derived = _NOTHING if exact else derived_corners(left, top, right, bottom)
        notes.append(
            Bbox(
                left,
                top,
                w,
                h,
                label=texts[name],
                attributes=attributes,
                extra=extra,
                derived=derived,
            )
        )
    return True


def _learn_values(layout: _Object, texts: tuple[str, ...]) -> dict[str, Any] | None:
    """Return and keep the attributes that texts make; None where two have one name."""
    if len(layout.known) >= MOST_KEPT:
        layout.known.clear()
    more = {texts[key]: plain_value(texts[value]) for key, value in layout.attributes}
    if not _ABOUT.isdisjoint(more):
        return None
    attributes = {**{key: flag_value(key, texts[n]) for key, n in layout.flags}, **more}
    layout.known[layout.others(texts)] = attributes
    return attributes


# -- patterns of elements ------------------------------------------------------------------------


def _learn_head(children: list[Element], marks: Mapping[Any, Any]) -> tuple[str, _Head] | None:
    """Return the pattern of what precedes the objects; None where it is not plain."""
    if marks not in _MARKS:
        return None
    paths: list[tuple[str, ...]] = []
    patterns = [_pattern(child, paths, ()) for child in children]
    names = [str(child.tag) for child in children]
    if None in patterns or len(set(names)) != len(names) or "label" in names:
        return None
    if len(set(paths)) != len(paths) or any(len(path) > 2 for path in paths):
        return None
    groups = {path: n for n, path in enumerate(paths)}
    plan = tuple(
        (name, groups[name,])
        if (name,) in groups
        else (name, tuple((path[1], n) for path, n in groups.items() if path[0] == name))
        for name in names
    )
    root = "".join(["annotation", *(f' {name}="{value}"' for name, value in marks.items())])
    inner = _BLANK.join([f"<{root}>", *map(str, patterns)])
    pattern = rf"{_DECLARATION}{_BLANK}{inner}{_BLANK}"
    return pattern, _Head(
        re.compile(pattern).match, plan, {f"@{name}": str(value) for name, value in marks.items()}
    )


def _learn_object(element: Element) -> tuple[str, _Object] | None:
    """Return the pattern of an object; None where it is more than one box and its attributes."""
    paths: list[tuple[str, ...]] = []
    pattern = _pattern(element, paths, ())
    paths = [(), *(path[1:] for path in paths)]  # the first group is all of it
    tags = Counter(str(child.tag) for child in element)
    if pattern is None or max(tags.values(), default=2) > 1:
        return None
    groups = {path: n for n, path in enumerate(paths) if path[:1] not in {(), ("attributes",)}}
    corners = [("bndbox", name) for name in _CORNERS]
    wanted = {("name",), *corners, *((tag,) for tag in _ABOUT & tags.keys())}
    attributes = _learn_attributes(element, paths)
    if groups.keys() != wanted or attributes is None:
        return None
    flags = tuple((path[0], n) for path, n in groups.items() if path[0] in _ABOUT)
    others = [n for _, n in flags] + [n for pair in attributes for n in pair]
    missing = [one for one in EXPECTED if one not in tags]
    return pattern, _Object(
        pattern=re.compile(f"({pattern}{_BLANK})"),
        name=groups["name",],
        corners=itemgetter(*(groups[one] for one in corners)),
        others=itemgetter(*others) if others else lambda _: (),
        flags=flags,
        attributes=attributes,
        extra={NAME: {"#without": missing}} if missing else _NOTHING,
        known={},
    )


def _learn_attributes(
    element: Element, paths: list[tuple[str, ...]]
) -> tuple[tuple[int, int], ...] | None:
    """Return the groups of name and value of an object's attributes; None where they are odd."""
    found = [n for n, path in enumerate(paths) if path[:1] == ("attributes",)]
    pairs = []
    for one in element.iterfind("attributes/*"):
        tags = [str(child.tag) for child in one]
        if one.tag != "attribute" or sorted(tags) != ["name", "value"]:
            return None
        pair = dict(zip(tags, found, strict=False))
        if len(pair) != 2:
            return None
        del found[:2]
        pairs.append((pair["name"], pair["value"]))
    if found or any(len(path) > 3 for path in paths):
        return None
    return tuple(pairs)


def _pattern(element: Element, paths: list[tuple[str, ...]], above: tuple[str, ...]) -> str | None:
    """Return the pattern of an element, and add the paths of its texts, in order."""
    tag = str(element.tag)
    if not _TAG.match(tag) or element.attrib:
        return None
    path = (*above, tag)
    if not len(element):
        paths.append(path)
        text = f"<{tag}>{_SPECIAL.get(path, _TEXT)}</{tag}>"
        return text if element.text else f"(?:<{tag}/>|{text})"
    inner = [_pattern(child, paths, path) for child in element]
    if None in inner:
        return None
    return _BLANK.join([f"<{tag}>", *map(str, inner), f"</{tag}>"])
