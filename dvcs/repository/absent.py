"""
Media that items name and that were never here: a patch names media, and does not carry them.

    state/absent            {"check":"...","media":["9f86d081...",...]}

An item is stored as it came, with the hashes of its media, so that it is the same item on both
sides, and that importing the images later changes nothing but what is at hand. This list tells what
was never here from what was lost: of the one `fsck` has a note, of the other an error. What comes
in leaves the list.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from dvcs.errors import CorruptObject
from dvcs.objects._durable import write_atomic
from dvcs.repository import locks
from dvcs.repository.layout import Layout
from dvcs.repository.oplog import Move
from dvcs.repository.sealing import sealed, unsealed

if TYPE_CHECKING:
    from dvcs.repository import Repository

FILE = "absent"


class _Media(msgspec.Struct, frozen=True):
    media: tuple[str, ...] = ()


def known(layout: Layout) -> frozenset[str]:
    """Return the SHA-256 of media that were never here: none where the list is damaged."""
    try:
        return _read(layout)
    except CorruptObject:
        return frozenset()


def check(layout: Layout) -> None:
    """Raise CorruptObject where the list is damaged."""
    _read(layout)


def _read(layout: Layout) -> frozenset[str]:
    try:
        data = unsealed((layout.state / FILE).read_bytes())
        return frozenset(msgspec.json.decode(data or b"", type=_Media).media)
    except FileNotFoundError:
        return frozenset()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptObject(
            f"'{layout.state / FILE}' is damaged",
            hint="remove it, and import the images that 'dvcs fsck' misses then",
        ) from None


def note(repo: "Repository", media: Iterable[str]) -> None:
    """Note media that are named here from now on, as far as they are not in the store."""
    with locks.exclusive(repo.layout.lock):
        noted(repo, media)


def noted(repo: "Repository", media: Iterable[str]) -> list[Move]:
    """As `note`, for who holds the lock and moves refs next; returns none of its own."""
    repo.media.refresh()
    new = {one for one in media if one not in repo.media}
    if new:
        _write(repo, known(repo.layout) | new)
    return []


def settle(repo: "Repository") -> None:
    """Take off the list what is in the store by now."""
    if any(one in repo.media for one in known(repo.layout)):
        with locks.exclusive(repo.layout.lock):
            held = known(repo.layout)
            _write(repo, frozenset(one for one in held if one not in repo.media))


def _write(repo: "Repository", media: frozenset[str]) -> None:
    text = msgspec.json.encode(_Media(tuple(sorted(media))))
    write_atomic(repo.layout.state / FILE, sealed(text))
    repo.media_access.refresh()
