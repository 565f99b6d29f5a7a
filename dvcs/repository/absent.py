"""
Media that items name and that were never here: a patch names media, and does not carry them.

    state/absent            {"check":"...","media":["9f86d081...",...]}

An item is stored as it came, with the hashes of its media, so that it is the same item on both
sides, and that importing the images later changes nothing but what is at hand. This list tells what
was never here from what was lost: of the one `fsck` has a note, of the other an error. What comes
in leaves the list: whoever publishes media, collects garbage or checks sees to it, and whoever adds
to the list, so that one who was killed before it costs nothing.
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
    _keep_lacking(repo, media)
    return []


def settle(repo: "Repository") -> None:
    """
    Take off the list what is in the store by now.

    Always under the lock: who is noting it meanwhile may have looked before it came in.
    """
    with locks.exclusive(repo.layout.lock):
        settled(repo)


def is_settled(repo: "Repository") -> bool:
    """Tell whether nothing on the list is in the store. Needs no lock."""
    return not any(one in repo.media for one in known(repo.layout))


def settled(repo: "Repository") -> None:
    """As `settle`, for who holds the lock."""
    _keep_lacking(repo, ())


def _keep_lacking(repo: "Repository", more: Iterable[str]) -> None:
    """Let the list be what it was, and more, without what is in the store."""
    held = known(repo.layout)
    lacking = frozenset(one for one in {*held, *more} if one not in repo.media)
    if lacking != held:
        _write(repo, lacking)


def _write(repo: "Repository", media: frozenset[str]) -> None:
    text = msgspec.json.encode(_Media(tuple(sorted(media))))
    write_atomic(repo.layout.state / FILE, sealed(text))
    repo.media_access.refresh()
