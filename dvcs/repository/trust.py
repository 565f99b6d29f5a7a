"""
What a user allows a repository: decisions kept with the user, never in a repository.

    ~/.config/dvcs/trust.json
    {"version": 2,
     "repositories": {"/data/pets": {"token": "0f3c...",
                                     "files": {"hooks/pre-commit": "5e88..."},
                                     "folders": ["/data/coco/images"]}}}

`files` may run: each is bound to its place in `.dvcs/state` and the SHA-256 of its bytes. `folders`
lie outside of the working folder, and items may refer to what is in them (`references.py`). All is
bound to the repository's folder and to a random token, made for each user who decides something
and noted in the repository too:

    .dvcs/state/tokens      a token a line

So a folder that somebody sends, with `.dvcs` in it, may do nothing: where another repository was
before, its token is not known; and elsewhere nothing was trusted. There is one exception: who had
the whole `.dvcs` of a repository had its token, and what comes back from there to the very same
place may do what the user allowed for it before. A trusted file that was changed is not trusted any
more. What a trusted file calls in turn is its own affair.
"""

import hashlib
import os
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dvcs.errors import RepositoryError, UsageError
from dvcs.objects._durable import (
    NEW_FILE_MODE,
    fsync_dir,
    fsync_file,
    make_dirs,
    write_all,
    write_atomic,
)
from dvcs.repository import config
from dvcs.repository.locks import exclusive, told

if TYPE_CHECKING:
    from dvcs.repository.layout import Layout

VERSION = 2
LARGEST = 64 << 20
"""Bytes of a file that is read to be compared; more than any script or small program has."""
TOKENS = "tokens"
TOKEN = re.compile(r"[0-9a-f]{32}")
MOST_TOKENS = 1 << 20
"""
Bytes of tokens that are read, from the end: the last 31,000.

A home that is new each time (a container's) makes a token each time, and whoever sent a repository
may have filled the file: what is noted now stands behind all that.
"""
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
APPEND |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class _Place(msgspec.Struct, frozen=True, omit_defaults=True):
    token: str
    files: dict[str, str] = {}
    folders: tuple[str, ...] = ()


class _Record(msgspec.Struct, frozen=True):
    version: int = VERSION
    repositories: dict[str, _Place] = {}


def user_file() -> Path:
    """Return where the user's decisions are. Raises RepositoryError for a user without a home."""
    return config.user_file().with_name("trust.json")


# -- files that may run --------------------------------------------------------------------------


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex. Raises as `read`."""
    return hashlib.sha256(read(path)).hexdigest()


def read(path: Path) -> bytes:
    """
    Return what a file holds.

    Raises RepositoryError for what is no file (a pipe or a device would never end), is larger than
    `LARGEST`, or cannot be read.
    """
    with told(path):
        if not path.is_file():
            raise RepositoryError(f"'{path}' is not a file", hint="put a script or program there")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise RepositoryError(f"'{path}' is too large to be checked", hint="call it from a script")
    return data


def known(layout: "Layout", name: str) -> str | None:
    """Return the SHA-256 that is trusted under a name (`hooks/pre-commit`), None where none is."""
    return _here(layout).files.get(name)


def trust(layout: "Layout", name: str, path: Path) -> str:
    """Trust a file of a repository as it is now; return its SHA-256."""
    return trust_bytes(layout, name, read(path))


def trust_bytes(layout: "Layout", name: str, data: bytes) -> str:
    """Trust a file of a repository if it holds just this; return its SHA-256."""
    found = hashlib.sha256(data).hexdigest()
    _change(layout, files={name: found})
    return found


def distrust(layout: "Layout", name: str) -> None:
    """Forget that a file was trusted."""
    if known(layout, name) is not None:
        _change(layout, files={name: None})


# -- folders that items may refer to -------------------------------------------------------------


def folders(layout: "Layout") -> tuple[Path, ...]:
    """Return the folders outside of the working folder whose files items may refer to, sorted."""
    return tuple(Path(one) for one in _here(layout).folders)


def allow(layout: "Layout", wanted: Collection[Path]) -> None:
    """
    Let items refer to files in folders (real paths) and below.

    Raises RepositoryError where that cannot be noted; a folder that is known costs no write.
    """
    held = frozenset(folders(layout))
    if any(not is_below(one, held) for one in wanted):
        _change(layout, add=wanted)


def disallow(layout: "Layout", unwanted: Sequence[Path]) -> None:
    """Take back what `allow` allowed. Raises UsageError for a folder that is none of those."""
    held = folders(layout)
    for one in unwanted:
        if one not in held:
            over = next((each for each in held if each in one.parents), None)
            raise UsageError(
                f"'{one}' is not trusted itself" + (f", but '{over}' is" if over else ""),
                hint="'dvcs trust' lists what is",
            )
    _change(layout, remove=unwanted)


def is_below(path: Path, held: Collection[Path]) -> bool:
    """Tell whether a path is one of these folders or lies in one."""
    return path in held or any(parent in held for parent in path.parents)


# -- the file ------------------------------------------------------------------------------------


def _here(layout: "Layout") -> _Place:
    """Return what this user has decided about a repository."""
    return _known(layout, _load()) or _Place("")


def _known(layout: "Layout", record: _Record) -> _Place | None:
    found = record.repositories.get(str(layout.root))
    if found is None or TOKEN.fullmatch(found.token) is None:
        return None
    with suppress(OSError), (layout.state / TOKENS).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - MOST_TOKENS))
        # Wherever it stands, so that a line that was torn does not matter.
        return found if found.token.encode() in file.read(MOST_TOKENS) else None
    return None


def _new_token(layout: "Layout") -> str:
    """Return a token that nobody else knows, after noting it in the repository, durably."""
    token = os.urandom(16).hex()
    path = layout.state / TOKENS
    with told(path):
        make_dirs(path.parent)
        fd = os.open(path, APPEND, NEW_FILE_MODE)
        try:
            write_all(fd, token.encode() + b"\n")
            fsync_file(fd)
        finally:
            os.close(fd)
        fsync_dir(path.parent)
    return token


def _change(
    layout: "Layout",
    *,
    files: dict[str, str | None] | None = None,
    add: Collection[Path] = (),
    remove: Collection[Path] = (),
) -> None:
    """
    Change what is decided about a repository; what was about another one there is forgotten.

    Where nothing is left the token stays: the next decision needs none of its own.
    """
    path = user_file()
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path.with_name("trust.lock")):
        record = _load()
        here = _known(layout, record) or _Place(_new_token(layout))
        named = {**here.files, **(files or {})}
        held = ({Path(one) for one in here.folders} | set(add)) - set(remove)
        kept = {one for one in held if not any(parent in held for parent in one.parents)}
        here = _Place(
            here.token,
            {name: value for name, value in sorted(named.items()) if value is not None},
            tuple(sorted(map(str, kept))),
        )
        places = {**record.repositories, str(layout.root): here}
        try:
            data = msgspec.json.format(msgspec.json.encode(_Record(repositories=places)))
        except UnicodeEncodeError:
            odd = next((one for one in held if not _is_text(one)), layout.root)
            raise RepositoryError(
                f"nothing about '{odd}' can be noted: that name is not UTF-8",
                hint="give the folder another name",
            ) from None
        write_atomic(path, data + b"\n", mode=0o600)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _load() -> _Record:
    path = user_file()
    try:
        record = msgspec.json.decode(path.read_bytes(), type=_Record)
    except (FileNotFoundError, NotADirectoryError):
        return _Record()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RepositoryError(
            f"'{path}', which says what you trust, cannot be read: {error}",
            hint="remove it: then nothing is trusted, and you can decide anew",
        ) from None
    if record.version > VERSION:
        raise RepositoryError(f"'{path}' was written by a newer dvcs", hint="install a newer dvcs")
    return record
