"""
The difference of two commits as a patch: text that carries a change to where no history is shared.

`docs/design/patches.md` has the format. A patch is JSON Lines, and reads like a diff with all its
context, so that who applies it has both versions of each item:

    {"dvcs.patch/1":{"author":"Ada <ada@example.org>","from":"16eb...","to":"77f0...",...}}
    {"source":"pets","status":"changed","labels":"all"}
    {"label":{"=":{"key":"cat","name":"cat"}}}
    {"label":{"+":{"key":"dog","name":"dog"}}}
    {"item":{"subset":"train","id":"a"},"old":"e69d...","new":"4b82..."}
    {"=":{"annotated":true,"media":{"files":[{"ext":".jpg","sha256":"9f86..."}],...}}}
    {"-":{"h":20.5,"id":7,"label":"cat","type":"bbox","w":10.0,"x":1.0,"y":2.0}}
    {"+":{"h":20.5,"id":7,"label":"dog","type":"bbox","w":10.0,"x":1.0,"y":2.0}}
    {"end":{"items":1,"media":0}}
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dvcs.errors import CorruptObject
from dvcs.model import Labels
from dvcs.objects.canonical import canonical_json
from dvcs.objects.gitobjects import Kind, Signature, oid_of
from dvcs.objects.items import decode_header, decode_item
from dvcs.repository.diffing import Held, Waiting, paired
from dvcs.repository.history import walk
from dvcs.repository.message import parse
from dvcs.repository.snapshot import SIZE, Snapshot

if TYPE_CHECKING:
    from dvcs.repository import Repository

VERSION = "dvcs.patch/1"
MEDIA = "named by their SHA-256, not in here"
BATCH = 256
SUBJECTS = 50
"""Commits that the message of a patch of several lists."""


def patch_lines(
    repo: "Repository", old: bytes, new: bytes, *, sources: Collection[str] | None = None
) -> Iterator[bytes]:
    """
    Yield the lines of a patch from one commit to another (of some sources), each with its newline.

    Only what differs is read. What is none of dvcs's (a README put in with Git) is not told.
    """
    before, after = repo.snapshot(old), repo.snapshot(new)
    names = [
        name
        for name in sorted(before.sources.keys() | after.sources.keys())
        if before.sources.get(name) != after.sources.get(name)
        and (sources is None or name in sources)
    ]
    yield _line({VERSION: _header(repo, old, new, names)})
    if before.policy != after.policy and sources is None:
        texts = [None if one.policy is None else one.store.blob(one.policy).decode(errors="replace")
                 for one in (before, after)]  # fmt: skip
        yield _line({"policy": _signed(texts[0], texts[1])})
    counts = {"items": 0, "media": 0}
    for name in names:
        yield from _SourceLines(before, after, name, counts).lines()
    yield _line({"end": counts})


def _line(value: Any) -> bytes:
    """Return one line; keys of records stand in the order in which they are read."""
    return msgspec.json.encode(value) + b"\n"


def _signed(old: Any, new: Any) -> dict[str, Any]:
    """Return two values under their signs: one where they are equal; None is not there."""
    if old is not None and old == new:
        return {"=": old}
    return {sign: one for sign, one in (("-", old), ("+", new)) if one is not None}


# -- the header ----------------------------------------------------------------------------------


def _header(repo: "Repository", old: bytes, new: bytes, names: list[str]) -> dict[str, Any]:
    between = list(islice(walk(repo.store, [new], without=[old]), SUBJECTS + 1))
    tip = repo.store.commit(new)
    if len(between) == 1 and tip.parents[:1] == (old,):
        message = parse(tip.message).text
    else:
        subjects = [parse(one.commit.message).subject for one in between]
        listed = [f"* {one}" for one in subjects[:SUBJECTS]]
        more = ["* ..."] if len(subjects) > SUBJECTS else []
        title = f"Changes from {old.hex()[:10]} to {new.hex()[:10]}"
        message = "\n".join([title, *([""] if listed else []), *listed, *more])
    return {
        "from": old.hex(),
        "to": new.hex(),
        "author": f"{tip.author.name} <{tip.author.email}>",
        "date": _date(tip.author),
        "message": message,
        "sources": names,
        "media": MEDIA,
    }


def _date(signature: Signature) -> str:
    zone = timezone(timedelta(minutes=signature.zone))
    try:
        return datetime.fromtimestamp(signature.time, zone).isoformat()
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC).isoformat()


# -- one source ----------------------------------------------------------------------------------


class _Text(NamedTuple):
    """An item as lines, in so many blobs."""

    lines: list[bytes]
    parts: list[tuple[str, int]]
    """The id and the number of lines of each blob."""


class _SourceLines:
    """The lines of a patch about one source."""

    def __init__(
        self, before: Snapshot, after: Snapshot, name: str, counts: dict[str, int]
    ) -> None:
        self.before, self.after, self.name, self.counts = before, after, name, counts
        self.labels = [one.labels(name) if name in one.sources else None for one in (before, after)]

    def lines(self) -> Iterator[bytes]:
        """Yield the source, its settings and labels, and its items."""
        there = [self.name in one.sources for one in (self.before, self.after)]
        status = "changed" if all(there) else "removed" if there[0] else "added"
        whole = self.labels[0] != self.labels[1]
        pairs = paired(self.before, self.after, self.name)
        yield _line({"source": self.name, "status": status, "labels": "all" if whole else "used"})
        yield from self._settings(whole=whole)
        yield from self._labels(None if whole else self._used(pairs))
        for was, now, old, new in self._texts(pairs):
            self.counts["items"] += 1
            yield from _item_lines(was, now, old, new)
            self.counts["media"] += len(_media(new) - _media(old))

    def _settings(self, *, whole: bool) -> Iterator[bytes]:
        infos = [
            msgspec.Raw(_one_line(one.store.blob(one.sources[self.name].info)))
            if self.name in one.sources
            else None
            for one in (self.before, self.after)
        ]
        if infos[0] is None or infos[1] is None or bytes(infos[0]) != bytes(infos[1]):
            yield _line({"info": _signed(*infos)})
        for what in ("attributes", "extra"):
            values = [
                msgspec.to_builtins(getattr(one, what)) or None if one is not None else None
                for one in self.labels
            ]
            if whole and any(values):
                yield _line({what: _signed(*values)})

    def _labels(self, used: set[str] | None) -> Iterator[bytes]:
        old, new = (
            [canonical_json(msgspec.to_builtins(one)) for one in labels or ()]
            for labels in self.labels
        )
        if used is not None:
            known = self.labels[0] or Labels()
            old = new = [text for one, text in zip(known, old, strict=True) if one.key in used]
        for sign, text in aligned(old, new):
            yield b'{"label":{"%b":%b}}\n' % (sign, text)

    def _used(self, pairs: Sequence[Waiting]) -> set[str]:
        """Return the keys of the labels that the items use."""
        found: set[str] = set()
        for snapshot, side in ((self.before, 0), (self.after, 1)):
            for held in (pair[side] for pair in pairs):
                if held is not None:
                    item = decode_item(snapshot.blobs(held.blobs), held.id, held.subset)
                    found.update(note.label for note in item.annotations if note.label is not None)
        return found

    def _texts(
        self, pairs: Sequence[Waiting]
    ) -> Iterator[tuple[Held | None, Held | None, _Text, _Text]]:
        stream = iter(pairs)
        while batch := list(islice(stream, BATCH)):
            old = _read(self.before, [was for was, _ in batch if was is not None])
            new = _read(self.after, [now for _, now in batch if now is not None])
            for was, now in batch:
                yield (
                    was,
                    now,
                    _Text([], []) if was is None else next(old),
                    _Text([], []) if now is None else next(new),
                )


def _read(snapshot: Snapshot, held: Sequence[Held]) -> Iterator[_Text]:
    oids = [one.blobs[n : n + SIZE] for one in held for n in range(0, len(one.blobs), SIZE)]
    stream = snapshot.store.blobs(oids, threads=1)
    for one in held:
        lines: list[bytes] = []
        parts = []
        for _ in range(len(one.blobs) // SIZE):
            found = _lines_of(next(stream), one)
            data = b"".join(line + b"\n" for line in found)
            parts.append((oid_of(Kind.BLOB, data).hex(), len(found)))
            lines += found
        yield _Text(lines, parts)


def _lines_of(blob: bytes, held: Held) -> list[bytes]:
    """Return the lines of a blob as they stand, if each is JSON."""
    lines = [line.strip() for line in blob.split(b"\n") if line.strip()]
    try:
        for line in lines:
            msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptObject(
            f"item '{held.source}/{held.subset}/{held.id}' cannot be read: {error}"
        ) from None
    return lines


def _one_line(blob: bytes) -> bytes:
    """Return a JSON object as one line: as it stands where it is one."""
    text = blob.strip()
    return canonical_json(msgspec.json.decode(text)) if b"\n" in text else text


def _item_lines(was: Held | None, now: Held | None, old: _Text, new: _Text) -> Iterator[bytes]:
    held = now or was
    assert held is not None  # noqa: S101 - a pair has a side
    record: dict[str, Any] = {"item": {"subset": held.subset, "id": held.id}}
    if was is not None and now is not None and (was.subset, was.id) != (now.subset, now.id):
        record["was"] = {"subset": was.subset, "id": was.id}
    for name, text in (("old", old), ("new", new)):
        if text.parts:
            record[name] = text.parts[0][0] if len(text.parts) == 1 else text.parts
    yield _line(record)
    for sign, line in aligned(old.lines, new.lines):
        yield b'{"%b":%b}\n' % (sign, line)


def aligned(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """
    Yield two lists of lines as one, each with its sign: `=` in both, `-` in old, `+` in new.

    Lines that are in both are met where they come in the same order, in linear time.
    """
    left, right = Counter(old), Counter(new)
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] == new[j]:
            yield b"=", old[i]
            left[old[i]] -= 1
            right[new[j]] -= 1
            i, j = i + 1, j + 1
        elif i < len(old) and (j == len(new) or not right[old[i]] or left[new[j]]):
            yield b"-", old[i]
            left[old[i]] -= 1
            i += 1
        else:
            yield b"+", new[j]
            right[new[j]] -= 1
            j += 1


def _media(text: _Text) -> set[str]:
    media = decode_header(text.lines[0]).media if text.lines else None
    return {file.sha256 for file in media.files if file.sha256} if media is not None else set()
