"""
What a user has allowed to run: decisions kept with the user, never in a repository.

    ~/.config/dvcs/trust.json
    {"version": 1, "trusted": {"/data/pets": {"hooks/pre-commit": "5e88..."}}}

A decision is bound to the repository's folder, the file's place in `.dvcs/state` and the SHA-256 of
its bytes. So a folder that somebody sends, with `.dvcs` in it, runs nothing, even where it holds a
copy of a file that is trusted elsewhere; and a trusted file that was changed is not trusted any
more. What a trusted file calls in turn is its own affair.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dvcs.errors import RepositoryError
from dvcs.objects._durable import write_atomic
from dvcs.repository import config
from dvcs.repository.locks import exclusive, told

if TYPE_CHECKING:
    from dvcs.repository.layout import Layout

VERSION = 1
LARGEST = 64 << 20
"""Bytes of a file that is read to be compared; more than any script or small program has."""


class _Record(msgspec.Struct, frozen=True):
    version: int = VERSION
    trusted: dict[str, dict[str, str]] = {}


def user_file() -> Path:
    """Return where the user's decisions are."""
    return config.user_file().with_name("trust.json")


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
    return _load().trusted.get(str(layout.root), {}).get(name)


def trust(layout: "Layout", name: str, path: Path) -> str:
    """Trust a file of a repository as it is now; return its SHA-256."""
    return trust_bytes(layout, name, read(path))


def trust_bytes(layout: "Layout", name: str, data: bytes) -> str:
    """Trust a file of a repository if it holds just this; return its SHA-256."""
    found = hashlib.sha256(data).hexdigest()
    _put(layout, name, found)
    return found


def distrust(layout: "Layout", name: str) -> None:
    """Forget that a file was trusted."""
    if known(layout, name) is not None:
        _put(layout, name, None)


def _put(layout: "Layout", name: str, value: str | None) -> None:
    path = user_file()
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path.with_name("trust.lock")):
        record = _load()
        here = {**record.trusted.get(str(layout.root), {})}
        if value is None:
            here.pop(name, None)
        else:
            here[name] = value
        trusted = {**record.trusted, str(layout.root): dict(sorted(here.items()))}
        if not here:
            del trusted[str(layout.root)]
        try:
            data = msgspec.json.format(msgspec.json.encode(_Record(trusted=trusted)))
        except UnicodeEncodeError:
            raise RepositoryError(
                f"nothing in '{layout.root}' can be trusted: that name is not UTF-8",
                hint="give the folder another name",
            ) from None
        write_atomic(path, data + b"\n", mode=0o600)


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
    if record.version != VERSION:
        raise RepositoryError(f"'{path}' was written by a newer dvcs", hint="install a newer dvcs")
    return record
