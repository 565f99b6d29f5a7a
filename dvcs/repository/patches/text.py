"""
A patch as it is read: every line checked before anything is done with it.

The format is told in `making.py` and `docs/design/patches.md`. Names are checked as those of
an import are; the lines of an item must give the blob whose id the patch names, so that neither a
mail program nor a hand leaves half a change. A patch that was cut off has no end record.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from dvcs.errors import CorruptObject, FormatError, UnknownName, UnsafeName, UsageError
from dvcs.model import AttributeSpec, Category, Labels
from dvcs.names import is_cut, item_id, quote, simple_name
from dvcs.objects.gitobjects import Kind, Signature, oid_of
from dvcs.objects.items import decode_header, decode_item
from dvcs.repository.patches.making import VERSION
from dvcs.repository.snapshot import SourceInfo

T = TypeVar("T")
Record = dict[str, msgspec.Raw]
HEX = re.compile(r"[0-9a-f]{40}\Z")
SHA256 = re.compile(r"[0-9a-f]{64}\Z")
AUTHOR = re.compile(r"([^<>\x00-\x1f\x7f]*[^<>\x00-\x20\x7f]) <([^<>\x00-\x20\x7f]+)>\Z")
STATUSES = ("added", "removed", "changed")
PARTS: Any = str | list[tuple[str, int]]
"""What stands for a version of an item: its blob, or its blobs and how many lines each has."""
_DECODER = msgspec.json.Decoder(Record)


class Header(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """The first record: which change this is."""

    from_: str
    to: str
    author: str
    date: str
    message: str
    sources: tuple[str, ...] = ()
    media: str = ""


class Side(NamedTuple):
    """An item before or after: where it is, and its blobs."""

    subset: str
    id: str
    blobs: tuple[bytes, ...]


class PatchItem(NamedTuple):
    """One item that changes; without an old side it is new, without a new one it goes."""

    old: Side | None
    new: Side | None
    line: int


class SourceSide(NamedTuple):
    """A source before or after: its `source.json` (None where it stays) and its labels."""

    info: bytes | None
    labels: Labels


class PatchSource(NamedTuple):
    """
    What changes in one source; a side is None where the source is not there.

    `whole`: the labels are all that the source has; else those that the items use, and they stay.
    """

    name: str
    old: SourceSide | None
    new: SourceSide | None
    whole: bool
    items: list[PatchItem]
    used: frozenset[str]
    """Keys of the labels that either version of an item uses."""
    line: int


class Patch(NamedTuple):
    """A whole patch. `policy` is None where that stays, else the text of `dvcs.toml` or None."""

    header: Header
    author: Signature
    policy: tuple[str | None, str | None] | None
    sources: list[PatchSource]

    def reversed(self) -> "Patch":
        """Return the patch that takes this one back."""
        sources = [
            one._replace(
                old=one.new,
                new=one.old,
                items=[PatchItem(item.new, item.old, item.line) for item in one.items],
            )
            for one in self.sources
        ]
        policy = None if self.policy is None else (self.policy[1], self.policy[0])
        return self._replace(policy=policy, sources=sources)

    def renamed(self, names: Mapping[str, str]) -> "Patch":
        """Return the patch with sources under other names. Raises UsageError for those it lacks."""
        there = [one.name for one in self.sources]
        for name in names:
            if name not in there:
                raise UnknownName("source of the patch", name, there)
        wanted = [simple_name(names.get(name, name), "source") for name in there]
        twice = next((name for name in wanted if wanted.count(name) > 1), None)
        if twice is not None:
            raise UsageError(
                f"two sources of the patch would be '{twice}'", hint="give each a name of its own"
            )
        pairs = zip(self.sources, wanted, strict=True)
        return self._replace(sources=[one._replace(name=name) for one, name in pairs])


def read_patch(lines: Iterable[bytes], name: str) -> Patch:
    """Return a patch of its lines; `name` is what errors call it. Raises FormatError."""
    return _Reader(lines, name).patch()


class _Reader:
    """Reads line by line; `fail` says where it is."""

    def __init__(self, lines: Iterable[bytes], name: str) -> None:
        self.name = name
        self.at = 1
        """The line of the record that was taken last."""
        self._number = 0
        self._used: set[str] = set()
        self._lines = self._numbered(lines)
        self._next: Record | None = None

    def _numbered(self, lines: Iterable[bytes]) -> Iterator[Record]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            self._number = number
            try:
                record = _DECODER.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                if number == 1:
                    raise self._no_patch() from None
                message = f"this is no record of a patch: {error}"
                raise self.fail(message, line=number) from None
            if not record:
                raise self.fail("this record is empty", line=number)
            yield record

    def fail(
        self, message: str, *, hint: str | None = None, line: int | None = None
    ) -> FormatError:
        """Return the error about the current line, or another one."""
        return FormatError(message, self.name, line or self.at, hint=hint)

    def _no_patch(self) -> FormatError:
        return self.fail(
            "this is not a patch of dvcs", hint="make one with 'dvcs diff A B --format patch'"
        )

    def peek(self) -> Record | None:
        """Return the next record and leave it there, None at the end."""
        if self._next is None:
            self._next = next(self._lines, None)
        return self._next

    def take(self, *names: str) -> Record | None:
        """Return the next record if its first key is one of these."""
        record = self.peek()
        if record is None or next(iter(record)) not in names:
            return None
        self._next = None
        self.at = self._number
        return record

    def value(self, raw: msgspec.Raw, type: type[T]) -> T:
        """Return a value of a record."""
        try:
            return msgspec.json.decode(raw, type=type)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self.fail(f"this record cannot be read: {error}") from None

    # -- the whole -------------------------------------------------------------------------------

    def patch(self) -> Patch:
        """Return the patch."""
        header = self._header()
        author = self._author(header)
        record = self.take("policy")
        policy = None if record is None else self._sides(record["policy"], str)
        sources: list[PatchSource] = []
        while (record := self.take("source")) is not None:
            source = self._source(record)
            if any(source.name == one.name for one in sources):
                raise self.fail(f"'{source.name}' is here twice", line=source.line)
            sources.append(source)
        end = self.take("end")
        if end is None:
            if self.peek() is not None:
                what = next(iter(self.peek() or ()))
                raise self.fail(f"a record '{what}' cannot stand here", line=self._number)
            raise self.fail("the patch ends in the middle", hint="was it cut off on its way?")
        count = self.value(end["end"], dict[str, int]).get("items")
        if count != sum(len(one.items) for one in sources):
            raise self.fail(f"the patch is of {count} items, and there are not as many in it")
        if self.peek() is not None:
            raise self.fail("there is something behind the end", line=self._number)
        return Patch(header, author, policy, sources)

    def _header(self) -> Header:
        record = self.peek()
        if record is None:
            raise self._no_patch()
        first = next(iter(record))
        if first != VERSION:
            if first.startswith("dvcs.patch/"):
                raise self.fail(f"'{first}' was written by a newer dvcs", hint="install it")
            raise self._no_patch()
        self._next = None
        header = self.value(record[VERSION], Header)
        if not (HEX.match(header.from_) and HEX.match(header.to)):
            raise self.fail("'from' and 'to' are not ids of commits")
        if "\0" in header.message:
            raise self.fail("the message has a NUL character")
        return header

    def _author(self, header: Header) -> Signature:
        match = AUTHOR.match(header.author)
        try:
            at = datetime.fromisoformat(header.date)
            zone = at.utcoffset()
            seconds = int(at.timestamp())
        except (ValueError, OverflowError, OSError):
            zone = None
        if match is None or zone is None or seconds < 0:  # Git has no time before 1970
            raise self.fail(
                "the author or the date cannot be read",
                hint="they are 'NAME <EMAIL>' and '2026-11-23T14:05:00+01:00'",
            )
        return Signature(match[1], match[2], seconds, int(zone.total_seconds()) // 60)

    def _sides(self, raw: msgspec.Raw, type: type[T]) -> tuple[T | None, T | None]:
        """Return the two values of `{"-":old,"+":new}` or `{"=":both}`."""
        signs = self.value(raw, Record)
        if not signs or not signs.keys() <= {"=", "-", "+"} or ("=" in signs and len(signs) > 1):
            raise self.fail("values stand under '=', or '-' and '+'")
        held = [signs.get("=", signs.get(sign)) for sign in "-+"]
        old, new = (None if one is None else self.value(one, type) for one in held)
        return old, new

    # -- a source --------------------------------------------------------------------------------

    def _source(self, record: Record) -> PatchSource:
        line = self.at
        name = self._name(self.value(record["source"], str), "source")
        status = self.value(record.get("status", msgspec.Raw(b'""')), str)
        known = self.value(record.get("labels", msgspec.Raw(b'""')), str)
        if status not in STATUSES or known not in ("all", "used"):
            raise self.fail("'status' or 'labels' of the source cannot be read")
        found = self.take("info")
        info = (None, None) if found is None else self._sides(found["info"], msgspec.Raw)
        for raw in info:
            if raw is not None:
                self.value(raw, SourceInfo)
        labels = self._labels()
        there = status != "added", status != "removed"
        sides = [
            SourceSide(None if raw is None else bytes(raw) + b"\n", held) if is_there else None
            for raw, held, is_there in zip(info, labels, there, strict=True)
        ]
        if any(one is not None and one.info is None for one in sides) and status != "changed":
            raise self.fail(f"the settings of '{name}' are missing", line=line)
        self._used = set()
        items = list(self._items(there))
        self.at = line
        for held in ([one.old for one in items], [one.new for one in items]):
            places = [(one.subset, one.id) for one in held if one is not None]
            if len(set(places)) != len(places):
                raise self.fail(f"'{name}' has an item twice", line=line)
        return PatchSource(
            name, sides[0], sides[1], known == "all", items, frozenset(self._used), line
        )

    def _name(self, text: str, what: str) -> str:
        try:
            name = item_id(text) if what == "item" else simple_name(text, what)
        except UnsafeName as error:
            raise self.fail(str(error)) from None
        if name != text:
            raise self.fail(f"the {what} '{text}' is not spelt as dvcs spells names")
        return name

    def _labels(self) -> tuple[Labels, Labels]:
        found: list[Any] = []
        for what, type in (("attributes", tuple[AttributeSpec, ...]), ("extra", dict[str, Any])):
            record = self.take(what)
            found.append((None, None) if record is None else self._sides(record[what], type))
        sides: tuple[list[Category], list[Category]] = [], []
        while (record := self.take("label")) is not None:
            old, new = self._sides(record["label"], Category)
            for one, held in ((old, sides[0]), (new, sides[1])):
                if one is not None:
                    held.append(one)
        return self._table(sides[0], found, 0), self._table(sides[1], found, 1)

    def _table(self, held: list[Category], found: list[Any], side: int) -> Labels:
        if len({one.key for one in held}) != len(held):
            raise self.fail("two labels have the same key")
        try:
            return Labels(held, attributes=found[0][side] or (), extra=found[1][side])
        except ValueError as error:
            raise self.fail(str(error)) from None

    # -- items -----------------------------------------------------------------------------------

    def _items(self, there: tuple[bool, bool]) -> Iterator[PatchItem]:
        while (record := self.take("item")) is not None:
            line = self.at
            place = self.value(record["item"], dict[str, str])
            was = self.value(record["was"], dict[str, str]) if "was" in record else place
            texts: tuple[list[bytes], list[bytes]] = [], []
            while (one := self.take("=", "-", "+")) is not None:
                for sign, raw in one.items():
                    for text, signs in zip(texts, ("=-", "=+"), strict=True):
                        if sign in signs:
                            text.append(bytes(raw) + b"\n")
            self.at = line
            old = self._side(was, record.get("old"), texts[0])
            new = self._side(place, record.get("new"), texts[1])
            if (old is None and new is None) or (old and not there[0]) or (new and not there[1]):
                raise self.fail("the item has no version, or one too many")
            yield PatchItem(old, new, line)

    def _side(
        self, place: dict[str, str], raw: msgspec.Raw | None, lines: list[bytes]
    ) -> Side | None:
        if raw is None:
            if lines:
                raise self.fail("the item has lines of a version that it does not name")
            return None
        if place.keys() != {"subset", "id"}:
            raise self.fail("an item is named by 'subset' and 'id'")
        subset, id = self._name(place["subset"], "subset"), self._name(place["id"], "item")
        held: Any = self.value(raw, PARTS)
        parts = [(held, len(lines))] if isinstance(held, str) else held
        blobs = tuple(self._blobs(parts, lines))
        self._check(blobs, subset, id)
        return Side(subset, id, blobs)

    def _blobs(self, parts: list[tuple[str, int]], lines: list[bytes]) -> Iterator[bytes]:
        start = 0
        for oid, count in parts:
            data = b"".join(lines[start : start + max(count, 0)])
            start += max(count, 0)
            if oid_of(Kind.BLOB, data).hex() != oid:
                raise self.fail(
                    f"the lines of this item do not give the version '{oid[:10]}' that it names",
                    hint="the patch was changed on its way",
                )
            yield data
        if start != len(lines):
            raise self.fail("the item has more lines than it says")

    def _check(self, blobs: tuple[bytes, ...], subset: str, id: str) -> None:
        """Check that an item can be read, and is the one that its record names."""
        try:
            header = decode_header(blobs[0])
            item = decode_item(blobs, id, subset)
        except (CorruptObject, IndexError) as error:
            raise self.fail(f"the item cannot be read: {error}") from None
        self._used.update(note.label for note in item.annotations if note.label is not None)
        if header.id != id and (header.id is not None or is_cut(quote(id))):
            raise self.fail(f"the item says that it is '{header.id}'")
        files = header.media.files if header.media is not None else ()
        if any(one.sha256 is not None and not SHA256.match(one.sha256) for one in files):
            raise self.fail("the SHA-256 of a media file is none")
