"""SHA-256 of files; of many through threads, as `hashlib` works without the interpreter lock."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from dvcs.errors import InvalidMedia

CHUNK: Final = 1 << 20
BATCH: Final = 32
"""Files a thread takes at a time: handing over one costs about as much as hashing 20 KB."""


def sha256_of(source: Path | str | BinaryIO) -> tuple[str, int]:
    """
    Return the SHA-256, as 64 hexadecimal digits, and the size in bytes of a file.

    A file that is already open is read from its current position to its end. Symbolic links are
    followed: where they must not be, the caller looks first.

    Raises:
        InvalidMedia: the file is absent, a folder, or cannot be read.

    """
    if not isinstance(source, (str, Path)):
        return _hash(source, CHUNK)
    try:
        with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - 3 µs faster than Path.open
            return _hash(file, min(CHUNK, os.fstat(file.fileno()).st_size + 1))
    except OSError as error:
        reason = error.strerror or error
        raise InvalidMedia(f"'{source}' cannot be read: {reason}") from error


def hash_files(
    paths: Iterable[Path | str], threads: int = 2
) -> Iterator[tuple[Path | str, str, int]]:
    """
    Yield (path, SHA-256, size) of each file, in the order of `paths`.

    Holds at most 2 x `threads` batches of results and one MiB of data for each thread.

    Raises:
        InvalidMedia: a file is absent, a folder, or cannot be read.

    """
    remaining = iter(paths)
    pending: deque[Future[list[tuple[Path | str, str, int]]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="hash") as pool:
        try:
            while True:
                while len(pending) < 2 * threads and (batch := list(islice(remaining, BATCH))):
                    pending.append(pool.submit(_hash_batch, batch))
                if not pending:
                    return
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _hash_batch(paths: list[Path | str]) -> list[tuple[Path | str, str, int]]:
    return [(path, *sha256_of(path)) for path in paths]


def _hash(file: BinaryIO, count: int) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    while chunk := file.read(count):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
