"""
Git's own objects as bytes: ids, trees and commits, written canonically and read strictly.

Formats: the Git documentation, `gitformat-pack` and "Git Internals - Git Objects"; what
`git fsck --strict` objects to is refused on writing.
"""

import hashlib
import re
from collections.abc import Iterable
from enum import IntEnum
from functools import cache
from typing import NamedTuple, TypeAlias

import msgspec

from dvcs.errors import CorruptObject, UnsafeName, UsageError

Oid: TypeAlias = bytes
"""The raw 20 bytes of a SHA-1; `.hex()` is for people only."""

OID_SIZE = 20
MODE_FILE = 0o100644
MODE_EXECUTABLE = 0o100755
MODE_LINK = 0o120000
MODE_TREE = 0o040000
MODE_COMMIT = 0o160000
_MODES = frozenset({MODE_FILE, MODE_EXECUTABLE, MODE_LINK, MODE_TREE, MODE_COMMIT})

_SIGNATURE = re.compile(rb"([^<>]*?) ?<([^<>]*)> (-?[0-9]{1,18}) ([+-])([0-9]{2,4})([0-9]{2})\Z")
_HEX = re.compile(rb"[0-9a-f]{40}\Z")
_ENTRY = re.compile(rb"([0-7]{5,6}) ([^/\0]*)\0(.{20})", re.DOTALL)
_FORBIDDEN_NAMES = frozenset({b"", b".", b"..", b".git", b"git~1"})
_LONGEST_FORBIDDEN = 6


class Kind(IntEnum):
    """What an object is; the values are those of a pack entry's header."""

    COMMIT = 1
    TREE = 2
    BLOB = 3
    TAG = 4


KINDS = (None, Kind.COMMIT, Kind.TREE, Kind.BLOB, Kind.TAG)
KIND_NAMES = (b"", b"commit", b"tree", b"blob", b"tag")


class TreeEntry(NamedTuple):
    """One name in a folder. `mode` is one of the MODE_ constants, `oid` what stands there."""

    name: bytes
    mode: int
    oid: Oid


class Signature(msgspec.Struct, frozen=True):
    """Who did something when: `time` in seconds since 1970, `zone` in minutes east of UTC."""

    name: str
    email: str
    time: int
    zone: int = 0


class Commit(msgspec.Struct, frozen=True):
    """A commit. `extra` keeps further headers (`gpgsig`, `encoding`, `mergetag`) in their order."""

    tree: Oid
    parents: tuple[Oid, ...]
    author: Signature
    committer: Signature
    message: str
    extra: tuple[tuple[str, bytes], ...] = ()


def oid_of(kind: int, data: bytes) -> Oid:
    """Return the id of an object. Lets other threads run while it hashes more than 2 KiB."""
    # One call on the joined bytes costs the same as two updates without the join (2.5 µs for 4 kB).
    head = b"%s %d\0" % (KIND_NAMES[kind], len(data))
    return hashlib.sha1(head + data, usedforsecurity=False).digest()


def _sort_key(entry: tuple[bytes, int, Oid]) -> bytes:
    name, mode, _ = entry
    return name + b"/" if mode == MODE_TREE else name


def encode_tree(entries: Iterable[tuple[bytes, int, Oid]]) -> bytes:
    """
    Return the bytes of a tree, its entries in Git's order (a folder sorts as if it ended in `/`).

    Raises:
        UnsafeName: a name that Git refuses, or the same name twice.
        UsageError: a mode or an id that is none.
    """
    ordered = sorted(entries, key=_sort_key)
    names = set()
    for name, mode, oid in ordered:
        if name.lower() in _FORBIDDEN_NAMES or b"/" in name or b"\0" in name:
            raise UnsafeName(f"a tree cannot hold the name '{_text(name)}'")
        if mode not in _MODES or len(oid) != OID_SIZE or not any(oid):
            raise UsageError(f"tree entry '{_text(name)}' has mode {mode:o} and id '{oid.hex()}'")
        names.add(name)
    if len(names) != len(ordered):
        raise UnsafeName("a tree cannot hold the same name twice")
    return b"".join([b"%o %s\0%s" % (mode, name, oid) for name, mode, oid in ordered])


def decode_tree(data: bytes) -> list[TreeEntry]:
    """
    Return the entries of a tree in their order.

    Raises:
        CorruptObject: the bytes are no tree, or hold a name that must not reach a disk (`..`).
    """
    found = _ENTRY.findall(data)
    # What the pattern does not match is skipped, so the lengths tell whether it matched all.
    if sum([len(mode) + len(name) for mode, name, _ in found]) + 22 * len(found) != len(data):
        raise CorruptObject("a tree is cut off or malformed")
    entries = [TreeEntry(name, _mode(mode), oid) for mode, name, oid in found]
    for name, _, _ in entries:
        if len(name) < _LONGEST_FORBIDDEN and name.lower() in _FORBIDDEN_NAMES:
            raise CorruptObject(f"a tree holds the forbidden name '{_text(name)}'")
    return entries


@cache
def _mode(text: bytes) -> int:
    return int(text, 8)


def encode_commit(commit: Commit) -> bytes:
    """
    Return the bytes of a commit; a message that does not end in a newline gets one.

    Raises:
        UsageError: a message with a NUL, a name or e-mail that is empty once the characters that
            Git forbids there (`<`, `>`, newline, NUL) are gone, an id that is none.
    """
    if "\0" in commit.message:
        raise UsageError("a commit message cannot contain a NUL character")
    if any(len(oid) != OID_SIZE for oid in (commit.tree, *commit.parents)):
        raise UsageError("a commit's tree and parents are ids of 20 bytes")
    lines = [b"tree " + commit.tree.hex().encode()]
    lines += [b"parent " + parent.hex().encode() for parent in commit.parents]
    lines.append(b"author " + _encode_signature(commit.author))
    lines.append(b"committer " + _encode_signature(commit.committer))
    lines += [b"%s %s" % (key.encode(), v.replace(b"\n", b"\n ")) for key, v in commit.extra]
    message = commit.message
    if message and not message.endswith("\n"):
        message += "\n"
    body = message.encode(_encoding(commit.extra), "surrogateescape")
    return b"\n".join(lines) + b"\n\n" + body


def decode_commit(data: bytes) -> Commit:
    """
    Return a commit.

    Raises:
        CorruptObject: headers are missing, in another order, or malformed.
    """
    head, _, body = data.partition(b"\n\n")
    headers: list[tuple[bytes, bytes]] = []
    for line in head.removesuffix(b"\n").split(b"\n"):
        if line.startswith(b" ") and headers:
            key, value = headers[-1]
            headers[-1] = (key, value + b"\n" + line[1:])
        else:
            key, _, value = line.partition(b" ")
            headers.append((key, value))
    headers.reverse()

    def take(key: bytes) -> bytes:
        if not headers or headers[-1][0] != key:
            raise CorruptObject(f"a commit lacks its '{key.decode()}' line")
        return headers.pop()[1]

    tree = _from_hex(take(b"tree"))
    parents = []
    while headers and headers[-1][0] == b"parent":
        parents.append(_from_hex(take(b"parent")))
    author = _decode_signature(take(b"author"))
    committer = _decode_signature(take(b"committer"))
    extra = tuple((_text(key), value) for key, value in reversed(headers))
    try:
        message = body.decode(_encoding(extra), "surrogateescape")
    except ValueError:
        message = body.decode("utf-8", "surrogateescape")
    return Commit(tree, tuple(parents), author, committer, message, extra)


def _encode_signature(signature: Signature) -> bytes:
    name, email = (
        re.sub(r"[<>\n\r\0]", "", text).strip() for text in (signature.name, signature.email)
    )
    if not name or not email:
        raise UsageError(
            "a commit needs the name and the e-mail of its author",
            hint="set them with 'dvcs config user.name' and 'dvcs config user.email'",
        )
    hours, minutes = divmod(abs(signature.zone), 60)
    zone = f"{'-' if signature.zone < 0 else '+'}{hours:02}{minutes:02}"
    text = f"{name} <{email}> {signature.time} {zone}"
    return text.encode("utf-8", "surrogateescape")


def _decode_signature(value: bytes) -> Signature:
    match = _SIGNATURE.match(value)
    if not match:
        raise CorruptObject(f"a commit has the malformed signature '{_text(value)}'")
    name, email, time, sign, hours, minutes = match.groups()
    zone = int(hours) * 60 + int(minutes)
    return Signature(_text(name), _text(email), int(time), -zone if sign == b"-" else zone)


def _encoding(extra: Iterable[tuple[str, bytes]]) -> str:
    """Return the encoding that a commit declares for its message, if Python has it as text."""
    name = dict(extra).get("encoding", b"utf-8").decode("ascii", "replace")
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return "utf-8"
    return name


def _from_hex(value: bytes) -> Oid:
    if not _HEX.match(value):
        raise CorruptObject(f"a commit names the malformed id '{_text(value)}'")
    return bytes.fromhex(value.decode())


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
