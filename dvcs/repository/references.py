"""
Which files outside of the working folder items may refer to: those in folders imported here.

    state/references        {"check":"...","folders":["/data/coco/images"]}

A repository that came from elsewhere may name any file of this disk (`/home/me/.ssh/id_rsa`); to
read it, and to export or show it as somebody's image, nobody here has asked for. So
`import --media reference` notes its folders, and nothing else outside is read.
"""

from collections.abc import Collection
from pathlib import Path

import msgspec

from dvcs.errors import CorruptObject
from dvcs.objects._durable import write_atomic
from dvcs.repository import locks
from dvcs.repository.layout import Layout
from dvcs.repository.sealing import sealed, unsealed

FILE = "references"


class _Folders(msgspec.Struct, frozen=True):
    folders: tuple[str, ...] = ()


def allowed(layout: Layout) -> frozenset[Path]:
    """Return the folders whose files may be read: none where the list is damaged."""
    try:
        held = _read(layout)
    except CorruptObject:
        return frozenset()
    return frozenset(Path(one) for one in held.folders if Path(one).is_absolute())


def check(layout: Layout) -> None:
    """Raise CorruptObject where the list is damaged."""
    _read(layout)


def _read(layout: Layout) -> _Folders:
    try:
        data = unsealed((layout.state / FILE).read_bytes())
        return msgspec.json.decode(data or b"", type=_Folders)
    except FileNotFoundError:
        return _Folders()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptObject(
            f"'{layout.state / FILE}' is damaged", hint="import with --media reference again"
        ) from None


def allow(layout: Layout, folders: Collection[Path]) -> None:
    """Add folders; files directly in them and below may be read from now on."""
    with locks.exclusive(layout.lock):
        known = allowed(layout)
        new = {one for one in folders if not is_allowed(one / "x", known)}
        if new:
            held = _Folders(tuple(sorted(path.as_posix() for path in known | new)))
            write_atomic(layout.state / FILE, sealed(msgspec.json.encode(held)))


def is_allowed(path: Path, folders: Collection[Path]) -> bool:
    """Tell whether a resolved path is in one of the folders or below."""
    return any(parent in folders for parent in path.parents)
