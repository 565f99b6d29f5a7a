"""
The operation log: what moved which ref from where to where. It is the journal of commits too.

Each line is a CRC-32 and a JSON record. A record says what will be done and is durable before a
ref moves; a second one (`done`) follows when all have. Under the lock, whoever finds the last
operation without its `done` finishes it where a ref had moved already, else forgets it: neither
was acknowledged. `undo` and the revisions `branch@{n}` read the same lines, and `fsck` compares
refs with them, for a ref has no checksum of its own.

`done` is not fsynced: without it the operation is found unfinished and its refs moved, which gives
the same `done` again; and the next operation's line makes it durable.
"""

import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from dvcs.errors import BranchMoved, CorruptObject, Locked, RepositoryError
from dvcs.objects._durable import NEW_FILE_MODE, fsync_dir, fsync_file, write_all
from dvcs.repository.layout import Layout
from dvcs.repository.locks import exclusive
from dvcs.repository.refs import FORBIDDEN, HEADS, PACKED, Refs

HEAD = "HEAD"
SYMBOLIC = "ref: "
TAIL = 1 << 16


# What is decoded may have come from anywhere, and paths are made of these.
_Name = Annotated[str, msgspec.Meta(pattern=rf"\A(?:HEAD|(?!.*(?:{FORBIDDEN.pattern}))refs/.+)\Z")]
_Value = Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{40}|ref: refs/[^\n]+)\Z")]
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]+\Z")]


class Move(msgspec.Struct, frozen=True, array_like=True):
    """One ref, or HEAD, from `old` to `new`: hex ids; `ref: refs/...` for HEAD; None = no ref."""

    name: _Name
    old: _Value | None
    new: _Value | None


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One command that changed something.

    `copies` are working copies it rewrote: source → the tree they were written from, before and
    after. `undoes` is the operation that it took back.
    """

    id: _Id
    time: float
    command: str
    moves: tuple[Move, ...] = ()
    copies: dict[str, tuple[str | None, str | None]] = {}
    undoes: str | None = None


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    begin: Operation | None = None
    done: str | None = None
    forgotten: str | None = None


_DECODER = msgspec.json.Decoder(_Line)
_ENCODER = msgspec.json.Encoder(order="sorted")


def change(
    layout: Layout,
    command: str,
    moves: Sequence[Move],
    *,
    copies: Mapping[str, tuple[str | None, str | None]] | None = None,
    undoes: str | None = None,
) -> Operation:
    """
    Move refs and HEAD together, by compare-and-swap, and log it.

    Raises BranchMoved where one is not at its `old`; then nothing has moved.
    """
    with locked(layout) as log:
        return log.change(command, moves, copies=copies, undoes=undoes)


@contextmanager
def locked(layout: Layout) -> Iterator["Log"]:
    """Hold the repository's lock, with what a killed process left put right."""
    with exclusive(layout.lock):
        log = Log(layout)
        log.recover()
        yield log


class Log:
    """
    The operation log. Reading needs no lock; `locked` gives one that may write.

    `latest` is what this process did last: an interrupt that comes after it cannot prevent it.
    """

    latest: ClassVar[Operation | None] = None

    def __init__(self, layout: Layout) -> None:
        self._path = layout.operations
        self._refs = Refs(layout.git)

    # Reading

    def operations(self) -> list[Operation]:
        """Return the operations that took place, oldest first. Raises CorruptObject."""
        begun: dict[str, Operation] = {}
        last: _Line | None = None
        for number, text in enumerate(self._bytes().split(b"\n")[:-1], 1):
            # A torn last line, without its newline, was never acknowledged and does not count.
            last = _decode(text)
            if last is None:
                raise CorruptObject(
                    f"line {number} of the operation log is damaged", hint="run 'dvcs fsck'"
                )
            if last.begin is not None:
                begun[last.begin.id] = last.begin
            elif last.forgotten is not None:
                begun.pop(last.forgotten, None)
        if last is not None and last.begin is not None and not any(self._moved(last.begin)):
            del begun[last.begin.id]  # under way, or its process was killed
        return list(begun.values())

    def values(self, name: str) -> list[str | None]:
        """Return what a ref pointed at, newest first: `branch@{0}`, `@{1}`, ..."""
        found: list[str | None] = []
        for operation in reversed(self.operations()):
            for move in reversed(operation.moves):
                if move.name == name:
                    if not found or found[-1] != move.new:  # Git moved it in between
                        found.append(move.new)
                    found.append(move.old)
        return found

    def head_values(self) -> list[str | None]:
        """Return at which commits HEAD was, newest first, by its own moves and its branch's."""
        operations = self.operations()
        moves = [move for operation in operations for move in operation.moves]
        head = next((move.old for move in moves if move.name == HEAD), self._value(HEAD)) or ""
        at: dict[str, str | None] = {}
        for move in moves:
            at.setdefault(move.name, move.old)
        found: list[str | None] = []

        def note() -> None:
            symbolic = head.startswith(SYMBOLIC)
            name = head.removeprefix(SYMBOLIC)
            now = (at[name] if name in at else self._value(name)) if symbolic else head
            if not found or found[-1] != now:
                found.append(now)

        note()
        for operation in operations:
            for move in operation.moves:
                at[move.name] = move.new
            head = at.get(HEAD) or head
            note()
        return found[::-1]

    def is_finished(self) -> bool:
        """Tell whether the last line says of an operation that it is done."""
        size = self.size()
        last = _decode(self._last_line(size))
        return not size or (last is not None and last.begin is None)

    # Writing, under the lock

    def recover(self) -> None:
        """Finish or forget the last operation, if a process was killed in it."""
        self._settle(was_killed=True)

    def _settle(self, *, was_killed: bool = False) -> None:
        size = self.size()
        if not size:
            return
        if not self._ends_whole(size):
            # The process died while it appended; the line was never acknowledged.
            size = self._whole_size(size)
            os.truncate(self._path, size)
        last = _decode(self._last_line(size))
        if last is None or last.begin is None:
            return
        operation = last.begin
        if was_killed:
            self._clear_locks(operation)
        moved = self._moved(operation)
        if any(moved):
            for move, already in zip(operation.moves, moved, strict=True):
                if not already and self._value(move.name) == move.old:
                    self._set(move)
            self._append(_Line(done=operation.id))
        else:
            self._append(_Line(forgotten=operation.id))

    def _clear_locks(self, operation: Operation) -> None:
        for move in operation.moves:
            self._refs.clear_lock(move.name, [v for v in (move.old, move.new) if v is not None])
        if any(move.new is None for move in operation.moves):
            self._refs.clear_lock(PACKED)

    def change(
        self,
        command: str,
        moves: Sequence[Move],
        *,
        copies: Mapping[str, tuple[str | None, str | None]] | None = None,
        undoes: str | None = None,
    ) -> Operation:
        """As the function `change`, for who holds the lock."""
        for move in moves:
            now = self._value(move.name)
            if now != move.old:
                name = move.name.removeprefix(HEADS)
                raise BranchMoved(
                    f"'{name}' has moved to {(now or 'nothing')[:10]} meanwhile",
                    hint="look at what came in, and run the command again",
                )
        operation = Operation(
            id=os.urandom(6).hex(),
            time=round(time.time(), 3),
            command=command.encode(errors="replace").decode(),
            moves=tuple(moves),
            copies=dict(copies or {}),
            undoes=undoes,
        )
        touched: list[Move] = []
        try:
            self._append(_Line(begin=operation))
            for move in moves:
                touched.append(move)
                self._set(move)
        except BaseException as error:
            refused = isinstance(error, BranchMoved | Locked)
            self._take_back(touched[:-1] if refused else touched)
            raise
        if all(move.old == move.new for move in moves):
            self._append(_Line(done=operation.id))  # no ref would tell that it took place
        else:
            # It is done: where a full disk or an interrupt prevents it, `recover` says so.
            with suppress(OSError, KeyboardInterrupt):
                self._append(_Line(done=operation.id), durable=False)
        Log.latest = operation
        return operation

    def _take_back(self, moves: Sequence[Move]) -> None:
        """Undo what an operation has moved before an error, and note that it is forgotten."""
        with suppress(OSError, RepositoryError):
            for move in reversed(moves):
                if move.new != move.old and self._value(move.name) == move.new:
                    self._set(Move(move.name, move.new, move.old))
            self._settle()

    def _moved(self, operation: Operation) -> list[bool]:
        return [
            move.new != move.old and self._value(move.name) == move.new for move in operation.moves
        ]

    def _value(self, name: str) -> str | None:
        if name == HEAD:
            head = self._refs.head()
            return f"ref: {head}" if isinstance(head, str) else head.hex()
        oid = self._refs.read(name)
        return None if oid is None else oid.hex()

    def _set(self, move: Move) -> None:
        if move.name == HEAD:
            new = move.new or ""
            target = new.removeprefix(SYMBOLIC) if new.startswith(SYMBOLIC) else bytes.fromhex(new)
            self._refs.set_head(target)
        else:
            self._refs.move(move.name, _oid(move.old), _oid(move.new))

    def _bytes(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""

    def size(self) -> int:
        """Return how many bytes long the log is."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _ends_whole(self, size: int) -> bool:
        with self._path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"

    def _whole_size(self, size: int) -> int:
        """Return how long the log is without its torn last line."""
        return size - len(self._from_line(size))

    def _last_line(self, size: int) -> bytes:
        return self._from_line(size - 1) if size else b""

    def _from_line(self, size: int) -> bytes:
        """Return the end of the first `size` bytes of the log, from the last newline in them on."""
        length = TAIL
        with self._path.open("rb") as file:
            while True:
                start = max(0, size - length)
                file.seek(start)
                before = file.read(size - start)
                newline = before.rfind(b"\n")
                if newline >= 0 or not start:
                    return before[newline + 1 :]
                length *= 8

    def _append(self, line: _Line, *, durable: bool = True) -> None:
        data = encode_line(_ENCODER.encode(line))
        new = not self._path.exists()
        fd = os.open(
            self._path,
            os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0),
            NEW_FILE_MODE,
        )
        try:
            before = os.fstat(fd).st_size
            try:
                write_all(fd, data)
                if durable:
                    fsync_file(fd)
            except OSError:
                # A full disk: the part that was written must not stand before the next line.
                os.truncate(self._path, before)
                raise
        finally:
            os.close(fd)
        if new:
            fsync_dir(self._path.parent)


def _oid(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def encode_line(record: bytes) -> bytes:
    """Return a record with its CRC-32 before and a newline behind it."""
    return b"%08x %b\n" % (zlib.crc32(record), record)


def _decode(line: bytes) -> _Line | None:
    record = line[9:]
    if line[:8] != b"%08x" % zlib.crc32(record) or line[8:9] != b" ":
        return None
    try:
        return _DECODER.decode(record)
    except msgspec.MsgspecError:
        return None


def check(path: Path) -> Iterator[str]:
    """Yield what is damaged in an operation log, for `fsck`."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        if _decode(line) is None:
            yield f"line {number} is damaged"
