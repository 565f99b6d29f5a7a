"""
Settings: `section.name`, in Git's syntax, of the repository (`.dvcs/config`) and of the user.

A setting on the command line stands above the environment (`DVCS_*`), that above the repository,
that above the user's file. Of Git's own files only `user.name` and `user.email` are read.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dvcs.errors import RepositoryError, UsageError
from dvcs.objects._durable import write_atomic
from dvcs.repository.layout import Layout
from dvcs.repository.locks import exclusive, told

if TYPE_CHECKING:
    from dulwich.config import ConfigFile

KEY = re.compile(r"([a-z][a-z0-9-]*)\.(?:(.+)\.)?([a-z][a-z0-9-]*)\Z", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
FROM_GIT = frozenset({"user.name", "user.email"})
OWN = frozenset({"core", "gc", "receive", "extensions"})
"""Sections that keep plain Git from harming the repository; they are not for users to set."""


def user_file() -> Path:
    """Return dvcs's own configuration file of the user. Raises RepositoryError without a home."""
    folder = _user_folder()
    if folder is None:
        raise RepositoryError(
            "this user has no home folder, so nothing can be set or trusted for good",
            hint="name a folder with the variable HOME or XDG_CONFIG_HOME",
        )
    return folder / "dvcs" / "config"


def user_files() -> list[Path]:
    """Return the user's file, none where there cannot be one: for who only reads."""
    return [] if _user_folder() is None else [user_file()]


def _user_folder() -> Path | None:
    """Return where the user's settings are; a relative XDG_CONFIG_HOME counts as none."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    home = _home()
    return base if base.is_absolute() else None if home is None else home / ".config"


def _home() -> Path | None:
    """Return the user's folder; None where this user has none, as some in containers."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() else None


def _git_files() -> Iterator[Path]:
    """Yield the user's own files of Git, the one that counts first."""
    given = os.environ.get("GIT_CONFIG_GLOBAL")
    if given is not None:
        yield Path(given)
        return
    home, folder = _home(), _user_folder()
    if home is not None:
        yield home / ".gitconfig"
    if folder is not None:
        yield folder / "git" / "config"


def get(layout: Layout, key: str) -> str | None:
    """Return a setting, None where nobody set it. Raises UsageError for a key that is none."""
    return next((value for value, _ in origins(layout, key)), None)


def origins(layout: Layout | None, key: str) -> Iterator[tuple[str, str]]:
    """Yield the values of a setting and where each stands, the one that counts first."""
    section, name = split(key)
    variable = "DVCS_" + re.sub(r"[^A-Z0-9]", "_", key.upper())
    if variable in os.environ:
        yield os.environ[variable], f"${variable}"
    for file in [*([layout.config] if layout else []), *user_files()]:
        value = _value(_parse(file), section, name)
        if value is not None:
            yield value, str(file)
    if key.lower() in FROM_GIT:
        for file in _git_files():
            with suppress(RepositoryError):  # Git's files are not ours to complain about
                value = _value(_parse(file, includes=True), section, name)
                if value is not None:
                    yield value, str(file)


def entries(file: Path) -> Iterator[tuple[str, str]]:
    """Yield all settings of one file."""
    parsed = _parse(file)
    for section in parsed.sections():
        for name, value in parsed.items(section):
            key = ".".join(part.decode(errors="replace") for part in (*section, name))
            yield key, value.decode(errors="replace")


def put(file: Path, key: str, value: str | None) -> None:
    """
    Write a setting to a file, or remove it (None).

    Raises UsageError for a key that is none or is dvcs's own, and for values with control
    characters.
    """
    section, name = split(key)
    if value is not None and CONTROL.search(value):
        raise UsageError(f"the value of '{key}' has control characters")
    if section[0].decode() in OWN:
        raise UsageError(f"'{key}' is not to be set", hint="see 'dvcs config --help'")
    parsed = _parse(file)
    if value is None:
        try:
            parsed.remove(section, name)
        except KeyError:
            raise UsageError(f"'{key}' is not set in '{file}'") from None
    else:
        parsed.set(section, name, value.encode())
    with told(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, _written(parsed))


def _written(parsed: "ConfigFile") -> bytes:
    """Return a file of settings, each value quoted: what `;` and `#` mean is then beyond doubt."""
    lines: list[bytes] = []
    for section in parsed.sections():
        head, *rest = section
        subsection = b"" if not rest else b' "%b"' % _escaped(rest[0])
        lines.append(b"[%b%b]\n" % (head, subsection))
        lines += [
            b'\t%b = "%b"\n' % (name, _escaped(value)) for name, value in parsed.items(section)
        ]
    return b"".join(lines)


def _escaped(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def put_own(layout: Layout, key: str, value: str | None) -> None:
    """Write or remove (None) a setting of the repository; its checksum goes along, for `fsck`."""
    with exclusive(layout.lock):
        put(layout.config, key, value)
        digest = hashlib.sha256(layout.config.read_bytes()).hexdigest()
        write_atomic(checksum_file(layout), digest.encode() + b"\n")


def checksum_file(layout: Layout) -> Path:
    """Return where the SHA-256 of the repository's settings is, once any was made."""
    return layout.state / "config.sha256"


def split(key: str) -> tuple[tuple[bytes, ...], bytes]:
    """Return the section and name of a key like `user.name` or `remote.origin.url`."""
    match = KEY.match(key)
    if match is None:
        raise UsageError(f"'{key}' is not a setting", hint="settings look like 'user.name'")
    section = (match[1].lower().encode(),)
    return (*section, match[2].encode()) if match[2] else section, match[3].lower().encode()


def _value(parsed: "ConfigFile", section: tuple[bytes, ...], name: bytes) -> str | None:
    try:
        return parsed.get(section, name).decode(errors="replace")
    except KeyError:
        return None


def _parse(file: Path, *, includes: bool = False) -> "ConfigFile":
    from dulwich.config import ConfigFile

    try:
        # What a repository's file includes could be any file of this disk: only the user's own may.
        return ConfigFile.from_path(file, expand_includes=includes)
    except (FileNotFoundError, NotADirectoryError):
        return ConfigFile()
    except (OSError, ValueError) as error:
        raise RepositoryError(f"'{file}' cannot be read: {error}", hint="mend it") from None
