"""
The lists of Pascal VOC's `ImageSets`: items of a subset, and items by class or action.

    Main/train.txt             an id a line
    Main/cat_train.txt         id and -1 (absent), 0 (only difficult ones) or 1 (present)
    Action/jumping_train.txt   id, number of the object from 1, and -1 or 1
    Layout/train.txt           an id a line, or id and number of the object

Ids with spaces stand in double quotes; where they do not, whatever is an item's id is taken for
one. A line that begins with `#` is a comment.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dvcs.errors import FormatError, UnsafeName
from dvcs.files import Sink, Source
from dvcs.model import Item, Label
from dvcs.names import item_id, quote, strip_extension

FOLDERS = ("Main", "Segmentation", "Action", "Layout")
"""The folders of `ImageSets`; the first that lists an item decides its subset."""
MOST_ROWS = 5_000_000
"""With more rows in lists of classes, absent ones (-1) are left out."""
FLAGS = {"-1": -1, "0": 0, "1": 1, "+1": 1}
_LIST = re.compile(r"(?i:imagesets)/(Main|Layout|Action|Segmentation)/(.+)\.txt\Z", re.DOTALL)


class ClassList(NamedTuple):
    """A list of which items show a class or action; the name is as the file has it."""

    folder: str
    name: str
    subset: str
    rows: list[tuple[str, int, int]]
    """Id, number of the object (0 in `Main`) and flag."""


Lists = dict[str, dict[str, list[str]]]


def read_lists(
    source: Source, known: Container[str], paths: Sequence[str], prefix: str
) -> tuple[Lists, list[ClassList]]:
    """
    Return the ids by folder and subset, and the lists of classes and actions.

    `known` are ids of which there is a file. Raises FormatError for a bad line.
    """
    lists: Lists = {}
    flagged: list[tuple[str, str, list[tuple[int, str]], str]] = []
    for path in paths:
        match = _LIST.match(path[len(prefix) :])
        if match is None:
            continue
        folder, name = match[1], match[2]
        lines = [(n, line) for n, line in source.lines(path) if line[0] != "#"]
        if "_" in name and folder in {"Main", "Action"} and _has_flags(lines, known):
            flagged.append((folder, name, lines, path))
        elif lines or "_" not in name:
            ids = (_listed(source, path, line, known) for line in lines)
            lists.setdefault(folder, {})[name] = list(dict.fromkeys(ids))
    classes = []
    for folder, name, lines, path in flagged:
        subset = _subset(name, lists.get(folder, {}))
        rows = [_row(source, path, line, folder) for line in lines]
        classes.append(ClassList(folder, name[: -len(subset) - 1], subset, rows))
    return lists, classes


def _has_flags(lines: Sequence[tuple[int, str]], known: Container[str]) -> bool:
    return any(line.split()[-1] in FLAGS and line not in known for _, line in lines[:20])


def _subset(name: str, subsets: Container[str]) -> str:
    """Return what follows the class in `cat_train`: the longest part that is a subset's name."""
    places = [match.start() for match in re.finditer("_", name)]
    known = (name[at + 1 :] for at in places if name[at + 1 :] in subsets)
    return next(known, name.rpartition("_")[2])


def _split(line: str) -> tuple[str, list[str]] | None:
    """Return a quoted id and what follows; None where a line has no quotes."""
    if line[0] != '"' or (end := line.rfind('"')) == 0:
        return None
    return line[1:end], line[end + 1 :].split()


def _listed(source: Source, path: str, line: tuple[int, str], known: Container[str]) -> str:
    number, text = line
    if text in known and text[0] != '"':
        return _checked(source, path, number, text)
    split = _split(text)
    if split is not None:
        return _checked(source, path, number, split[0])
    words = text.split()
    for count in range(min(len(words), 3)):
        end = text if not count else text.rsplit(None, count)[0]
        for name in (end, strip_extension(end)):
            if name in known:
                return _checked(source, path, number, name)
    folded = len(words) == 2 and words[1].lstrip("+-").isdigit()
    return _checked(source, path, number, words[0] if folded else text)


def _row(source: Source, path: str, line: tuple[int, str], folder: str) -> tuple[str, int, int]:
    number, text = line
    numbers = 2 if folder == "Action" else 1
    split = _split(text)
    name, rest = split if split is not None else (text, [])
    if split is None:
        words = text.rsplit(None, numbers)
        name, rest = words[0], words[1:]
    if len(rest) != numbers or rest[-1] not in FLAGS or not rest[0].lstrip("+-").isdecimal():
        wanted = "an id, an object's number and" if folder == "Action" else "an id and"
        raise FormatError(f"expected {wanted} -1, 0 or 1", source.place(path), number)
    object_number = int(rest[0][:9]) if folder == "Action" else 0
    return _checked(source, path, number, name), object_number, FLAGS[rest[-1]]


def _checked(source: Source, path: str, number: int, name: str) -> str:
    try:
        return item_id(name)
    except UnsafeName as error:
        raise UnsafeName(f"{source.place(path)}:{number}: {error}", hint=error.hint) from None


def id_line(id: str, *numbers: int) -> str:
    """Return a line of a list. Raises UnsafeName for an id that a line cannot hold."""
    if "\n" in id or "\r" in id:
        raise UnsafeName(f"item {id!r} has a line break in its id", hint="rename it")
    name = f'"{id}"' if re.search(r'\s|\A["#]', id) or len(id.split()) != 1 else id
    return " ".join((name, *(f"{one:2}" for one in numbers)))


def names_of_lists(labels: Iterable[str]) -> dict[str, str]:
    """Return labels by what their lists are called: as one name for a file, quoted."""
    return {quote(one): one for one in labels if one}


class ListWriter:
    """Collects the lists of `ImageSets`."""

    def __init__(self) -> None:
        self.subsets: dict[str, None] = {}
        self.ids: dict[tuple[str, str], list[str]] = {}
        """Ids by folder and name of the list."""
        self.labelled: dict[str, list[tuple[str, dict[str, int]]]] = {}
        """By subset: ids of which labels are known, and what is there: 1, or 0 for difficult."""
        self.labels: dict[str, None] = {}
        self.actions: dict[tuple[str, str], list[str]] = {}

    def add(self, subset: str, id: str, sets: Any, usual: set[str]) -> None:
        """Add an item to lists: those said, or the one of its subset in the usual folders."""
        self.subsets.setdefault(subset)
        for folder in FOLDERS:
            names = sets.get(folder, ()) if sets is not None else ["*"] * (folder in usual)
            for name in names:
                named = subset if name == "*" else name
                self.ids.setdefault((folder, named), []).append(id)

    def add_labels(self, id: str, item: Item, labels: Sequence[Label]) -> None:
        """Note the labels of an item, if somebody has looked at it."""
        if item.annotated or item.annotations:
            flags = {
                one.label: 0 if one.attributes.get("difficult") is True else 1
                for one in labels
                if one.label is not None
            }
            self.labels.update(dict.fromkeys(flags))
            self.labelled.setdefault(item.subset, []).append((id, flags))

    def add_action(self, action: str, subset: str, line: str) -> None:
        """Add a line to an action's list."""
        self.actions.setdefault((action, subset), []).append(line)

    def write(
        self, sink: Sink, folders: Sequence[str], unions: Mapping[str, Any], *, keep_empty: bool
    ) -> None:
        """Write all lists of these folders."""
        for folder in folders:
            joined = unions.get(folder)
            named = {name: ids for (at, name), ids in self.ids.items() if at == folder}
            if keep_empty:
                named = {**{name: [] for name in self.subsets}, **named}
            for name, inner in joined.items() if isinstance(joined, Mapping) else ():
                ids = [id for one in inner for id in named.get(one, ())]
                if ids:
                    named[name] = list(dict.fromkeys((*ids, *named.get(name, ()))))
            for name, ids in sorted(named.items()):
                sink.lines(f"ImageSets/{folder}/{name}.txt", map(id_line, ids))
            if folder == "Main":
                self._write_classes(sink)
            if folder == "Action":
                for (action, subset), lines in sorted(self.actions.items()):
                    sink.lines(f"ImageSets/Action/{quote(action)}_{subset}.txt", lines)

    def _write_classes(self, sink: Sink) -> None:
        rows = len(self.labels) * sum(len(ids) for ids in self.labelled.values())
        full = rows <= MOST_ROWS
        for label in sorted(self.labels):
            for subset, rows_of in sorted(self.labelled.items()):
                sink.lines(
                    f"ImageSets/Main/{quote(label)}_{subset}.txt",
                    _class_rows(label, rows_of, full=full),
                )


def _class_rows(
    label: str, rows: Sequence[tuple[str, Mapping[str, int]]], *, full: bool
) -> Iterator[str]:
    for id, flags in rows:
        flag = flags.get(label, -1)
        if full or flag >= 0:
            yield id_line(id, flag)
