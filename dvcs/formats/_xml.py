"""
XML in and out, safely: no DTD, no entities, no network, bounded depth; errors as `file:line`.

    parse        a small file whole
    iterate      a large file, one element at a time, in bounded memory
    text, number, integer, flag
                 what a child element (`name`) or an attribute (`@name`) says, checked
    record       an element nobody models as plain values, and `Writer.record` for the way back
    Writer       indented, escaped, deterministic XML as text

lxml is imported when the first file is parsed. Its serialiser is not used: for a file of ten
objects, building the tree and pretty-printing it takes four times as long as joining strings.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dvcs.errors import FormatError, UnsafeName
from dvcs.files import Source

if TYPE_CHECKING:
    from lxml.etree import _Element as Element
else:
    Element = Any

__all__ = [
    "Element",
    "Writer",
    "add_record",
    "escape",
    "fail",
    "flag",
    "integer",
    "iterate",
    "number",
    "parse",
    "quoted",
    "record",
    "text",
]

T = TypeVar("T")
MAX_DEPTH: Final = 64
CHUNK: Final = 1 << 16
_SAFE: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


class _Required:
    """The default of a getter whose element or attribute must be there."""


REQUIRED: Final = _Required()


# -- reading -------------------------------------------------------------------------------------


@cache
def _parser() -> Any:
    from lxml import etree

    return etree.XMLParser(collect_ids=False, **_SAFE)


@cache
def _too_deep() -> Any:
    """Return an XPath that is true of an element with more levels than allowed (4 us a file)."""
    from lxml import etree

    return etree.XPath(f"boolean({'/'.join('*' * MAX_DEPTH)})")


def parse(source: Source, path: str, data: bytes | None = None) -> Element:
    """
    Return the root element of a file; comments and processing instructions are left out.

    `data` are the file's bytes, where the caller has them already.
    Raises FormatError, with the line, for what is not XML, has a DOCTYPE or is nested too deeply.
    """
    from lxml import etree

    data = source.bytes(path) if data is None else data
    try:
        root: Element = etree.fromstring(data, _parser(), base_url=_prefix(source.name) + path)
    except etree.XMLSyntaxError as error:
        raise _syntax_error(error, source, path) from None
    _check_no_doctype(root)
    _check_depth(root)
    return root


@lru_cache(maxsize=8)
def _prefix(name: str) -> str:
    """Return what a source's `place` puts before a path (building a path a file takes 6 us)."""
    return str(PurePosixPath(name, "_"))[:-1]


def iterate(source: Source, path: str, tags: Iterable[str]) -> Iterator[Element]:
    """
    Yield the elements of these tags as they end; each is emptied when the next one is asked for.

    None of the tags may occur inside another of them. What precedes an element in its parent is
    removed, so that memory holds little more than one element. The first element yielded tells
    the root's attributes by `element.getparent()`. Raises FormatError as `parse` does.
    """
    from lxml import etree

    data = source.buffer(path)
    parser: Any = etree.XMLPullParser(
        ("end",), tag=tuple(tags), base_url=str(source.place(path)), collect_ids=False, **_SAFE
    )
    try:
        for start in range(0, len(data), CHUNK):
            parser.feed(bytes(data[start : start + CHUNK]))
            yield from _finished(parser)
        root: Element = parser.close()
    except etree.XMLSyntaxError as error:
        raise _syntax_error(error, source, path, parser.feed_error_log) from None
    _check_no_doctype(root)
    yield from _finished(parser)


def _finished(parser: Any) -> Iterator[Element]:
    for _, element in parser.read_events():
        _check_no_doctype(element)
        _check_depth(element)
        yield element
        element.clear()
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]


def _syntax_error(error: Any, source: Source, path: str, log: Sequence[Any] = ()) -> FormatError:
    message, line = error.msg or "no element", error.lineno
    if not line and len(log):  # the pull parser tells only its log what was wrong
        message, line = log[0].message, log[0].line
    reason = re.sub(r", line \d+, column \d+.*|\s+\Z", "", message, flags=re.DOTALL)
    reason = "it is nested too deeply" if reason.startswith("Excessive depth") else reason
    return FormatError(f"is not valid XML ({reason})", source.place(path), line or 1)


def _check_no_doctype(element: Element) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise FormatError(
            "has a document type (DOCTYPE), which could name other files",
            element.getroottree().docinfo.URL or "",
            hint="if you trust the file, remove its <!DOCTYPE ...>",
        )


def _check_depth(element: Element) -> None:
    if _too_deep()(element):
        raise fail(element, f"elements are nested more than {MAX_DEPTH} deep")


def fail(element: Element, message: str, *, hint: str | None = None) -> FormatError:
    """Return an error about an element, with its file and line."""
    place = element.getroottree().docinfo.URL or ""
    line: Any = element.sourceline  # the stubs do not know what it is
    return FormatError(message, place, line, hint=hint)


def _found(element: Element, name: str) -> tuple[Element, str | None]:
    """Return what a child element or an attribute says, and the element to blame for it."""
    if name[0] == "@":
        return element, element.get(name[1:])
    for child in element.iterchildren(name):
        return child, child.text or ""
    return element, None


def _missing(element: Element, name: str) -> FormatError:
    what = f"attribute '{name[1:]}'" if name[0] == "@" else f"<{name}>"
    return fail(element, f"<{element.tag}> has no {what}")


def text(element: Element, name: str, default: T | _Required = REQUIRED) -> str | T:
    """Return the stripped text of a child element, or an attribute (`@name`) as it stands."""
    _, value = _found(element, name)
    if value is None:
        if isinstance(default, _Required):
            raise _missing(element, name)
        return default
    return value if name[0] == "@" else value.strip()


def number(element: Element, name: str, default: T | _Required = REQUIRED) -> float | T:
    """Return a child's text or an attribute (`@name`) as a finite float."""
    blame, value = _found(element, name)
    if value is None:
        if isinstance(default, _Required):
            raise _missing(element, name)
        return default
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or "_" in value:
        raise fail(blame, f"'{name.lstrip('@')}' should be a finite number, not '{value[:50]}'")
    return found


def integer(element: Element, name: str, default: T | _Required = REQUIRED) -> int | T:
    """Return a child's text or an attribute (`@name`) as an integer; `12.0` is one, too."""
    blame, value = _found(element, name)
    if value is None:
        if isinstance(default, _Required):
            raise _missing(element, name)
        return default
    try:
        return int(value)
    except ValueError:
        found = number(element, name)
    if not found.is_integer() or abs(found) >= 1 << 53:
        raise fail(blame, f"'{name.lstrip('@')}' should be an integer, not '{value[:50]}'")
    return int(found)


_FLAGS: Final = {
    **dict.fromkeys(("1", "true", "yes"), True),
    **dict.fromkeys(("0", "false", "no", ""), False),
}


def flag(element: Element, name: str, default: T | _Required = REQUIRED) -> bool | T:
    """Return a child's text or an attribute (`@name`) as a bool: 1, true, yes; 0, false, no."""
    blame, value = _found(element, name)
    if value is None:
        if isinstance(default, _Required):
            raise _missing(element, name)
        return default
    found = _FLAGS.get(value.strip().lower())
    if found is None:
        raise fail(blame, f"'{name.lstrip('@')}' should be 0 or 1, not '{value[:50]}'")
    return found


def record(element: Element) -> Any:
    """
    Return an element as plain values: its text, where it has neither children nor attributes.

    Else a dict: attributes under `@name`, text under `#text`, children under their tags, a list
    where several have one tag. The order of children of different tags is not kept, nor are
    namespaces.
    """
    if not len(element) and not element.attrib:
        return element.text or ""
    found: dict[str, Any] = {f"@{_local(key)}": str(value) for key, value in element.items()}
    if element.text and element.text.strip():
        found["#text"] = element.text
    for child in element:
        add_record(found, _local(child.tag), record(child))
    return found


def add_record(found: dict[str, Any], tag: str, value: Any) -> None:
    """Add a child's record to its parent's: a list where there are several of one tag."""
    if tag not in found:
        found[tag] = value
    elif isinstance(found[tag], list):
        found[tag].append(value)
    else:
        found[tag] = [found[tag], value]


def _local(name: Any) -> str:
    return str(name).rpartition("}")[2]


# -- writing -------------------------------------------------------------------------------------

_NOT_XML: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_SPECIAL: Final = re.compile(f"[&<>\r{_NOT_XML}]")
_SPECIAL_QUOTED: Final = re.compile(f'[&<>"\t\n\r{_NOT_XML}]')
_ENTITIES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_NAME: Final = re.compile(r"[^\W\d][\w.-]*\Z")


def _entity(match: re.Match[str]) -> str:
    entity = _ENTITIES.get(match[0])
    if entity is None:
        raise UnsafeName(
            f"{match.string[:80]!r} has a character that XML cannot hold",
            hint="rename it, or choose a format that is not XML",
        )
    return entity


def escape(value: str) -> str:
    """Return text as it stands in an element. Raises UnsafeName for what XML cannot hold."""
    return _SPECIAL.sub(_entity, value) if _SPECIAL.search(value) else value


def quoted(value: str) -> str:
    """Return text as the value of an attribute, in quotes. Raises UnsafeName as `escape` does."""
    return f'"{_SPECIAL_QUOTED.sub(_entity, value) if _SPECIAL_QUOTED.search(value) else value}"'


class Writer:
    """
    XML as text: an element a line, two spaces a level, in the order of the calls.

    `lines` may be extended with lines made elsewhere; `take` gives what was written since the
    last `take`, for files that are written in pieces.
    """

    def __init__(self, *, declaration: bool = False) -> None:
        self.lines: list[str] = ['<?xml version="1.0" encoding="utf-8"?>'] if declaration else []
        self._open: list[str] = []

    @property
    def depth(self) -> int:
        """How many elements are open."""
        return len(self._open)

    def start(self, tag: str, attributes: Mapping[str, object] | None = None) -> None:
        """Begin an element that has children."""
        self.lines.append(f"{'  ' * len(self._open)}<{_name(tag)}{_attributes(attributes)}>")
        self._open.append(tag)

    def end(self) -> None:
        """End the innermost element that was begun."""
        tag = self._open.pop()
        self.lines.append(f"{'  ' * len(self._open)}</{tag}>")

    def leaf(
        self, tag: str, value: object = "", attributes: Mapping[str, object] | None = None
    ) -> None:
        """Write an element with text or nothing in it."""
        start = f"{'  ' * len(self._open)}<{_name(tag)}{_attributes(attributes)}"
        content = escape(str(value))
        self.lines.append(f"{start}>{content}</{tag}>" if content else f"{start}/>")

    def record(self, tag: str, value: Any) -> None:
        """Write what `record` returned; a list is an element each."""
        if isinstance(value, list):
            for one in value:
                self.record(tag, one)
        elif isinstance(value, dict):
            self._element(tag, value)
        else:
            self.leaf(tag, "" if value is None else value)

    def _element(self, tag: str, value: dict[str, Any]) -> None:
        attributes = {key[1:]: text for key, text in value.items() if key.startswith("@")}
        content = value.get("#text", "")
        children = [key for key in value if not key.startswith(("@", "#"))]
        if not children:
            self.leaf(tag, content, attributes)
            return
        self.start(tag, attributes)
        if content:
            self.lines.append(escape(str(content).strip()))
        for key in children:
            self.record(key, value[key])
        self.end()

    def take(self) -> str:
        """Return what was written, ended by a newline, and forget it."""
        lines, self.lines = self.lines, []
        return "\n".join([*lines, ""])


def _name(tag: str) -> str:
    if not _NAME.match(tag):
        raise UnsafeName(f"{tag!r} cannot be the name of an XML element", hint="rename it")
    return tag


def _attributes(attributes: Mapping[str, object] | None) -> str:
    if not attributes:
        return ""
    return "".join(f" {_name(key)}={quoted(str(value))}" for key, value in attributes.items())
