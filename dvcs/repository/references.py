"""
Which files items may refer to: those in the working folder, and in folders that the user allowed.

A repository that came from elsewhere may name any file of this disk (`/home/me/.ssh/id_rsa`); to
read it, and to export or show it as somebody's image, nobody here has asked for. So what lies
outside of the working folder is read only where this user has imported from there by reference, or
said `dvcs trust add` (`trust.py`). What is refused is not touched in any way: on Windows to look
for `//host/share/x.png` says to that host who asks.
"""

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from dvcs.errors import RepositoryError
from dvcs.files.folders import real_path
from dvcs.repository import trust
from dvcs.repository.gate import Notice
from dvcs.repository.layout import is_own

if TYPE_CHECKING:
    from dvcs.repository.layout import Layout

SHOWN = 3
LONGEST = 300
"""Characters of a folder's name that are shown."""
PLAIN = re.compile(r"[\w./:\\+,@=-]+")
"""Names that a shell takes as they are; others are never part of a command to be copied."""
PRIVATE = ".git"
"""What may hold passwords, and no dataset is in."""


class References:
    """
    What items of one repository may refer to.

    `refused` are the folders of files that were asked for and are not to be read.
    """

    def __init__(self, layout: "Layout") -> None:
        self._layout = layout
        self._root = str(layout.root)
        self._allowed: frozenset[Path] | None = None
        self._lent: frozenset[Path] = frozenset()
        self._trouble: RepositoryError | None = None
        self.refused: set[str] = set()

    def find(self, url: str) -> Path | None:
        """Return the file that a record refers to; None where it may not be read, or is none."""
        if "\0" in url:
            return None
        # `pathlib` cannot take `..` away without asking the disk.
        place = os.path.normpath(os.path.join(self._root, url))  # noqa: PTH118, TID251
        if not self._may_be(Path(place)):
            return None
        real = real_path(place)
        try:
            return real if self._may_be(real) and real.is_file() else None
        except OSError:  # a name that is too long, a folder that this user may not enter
            return None

    def _may_be(self, path: Path) -> bool:
        if path.is_relative_to(self._root):
            parts = path.relative_to(self._root).parts
            return not any(is_own(part) or part.casefold() == PRIVATE for part in parts)
        if trust.is_below(path.parent, self._folders()):
            return True
        self.refused.add(str(path.parent))
        return False

    def _folders(self) -> Collection[Path]:
        if self._allowed is None:
            try:
                self._allowed = self._lent.union(trust.folders(self._layout))
            except RepositoryError as error:
                self._allowed, self._trouble = self._lent, error
        return self._allowed

    def lend(self, folders: Collection[Path]) -> None:
        """Allow folders for as long as the repository is open."""
        self._lent |= frozenset(folders)
        self.forget()

    def forget(self) -> None:
        """Look anew at what is allowed: that has changed."""
        self._allowed = self._trouble = None
        self.refused.clear()

    def tell(self, tell: Callable[[Notice], object]) -> None:
        """Tell of files that were refused; once."""
        if self.refused:
            tell(_notice(sorted(self.refused), self._trouble))
        self.refused.clear()


def _notice(folders: list[str], trouble: RepositoryError | None) -> Notice:
    if trouble is not None:
        return Notice(f"media outside of the working folder were left out: {trouble}", trouble.hint)
    named = ", ".join(f"'{_short(one)}'" for one in folders[:SHOWN])
    more = len(folders) - SHOWN
    also = f" and {more:,} other folder{'s' if more > 1 else ''}" if more > 0 else ""
    is_plain = PLAIN.fullmatch(folders[0]) and folders[0] == _short(folders[0])
    command = f"dvcs trust add {folders[0] if is_plain else 'FOLDER'}"
    return Notice(
        f"media outside of the working folder were left out, for you have not allowed this"
        f" repository to read there: {named}{also}",
        f"if you know who made it: '{command}' allows a folder and all below",
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}..."


def note(layout: "Layout", folders: Collection[Path]) -> Notice | None:
    """
    Allow folders that the user has just imported from; return what to tell where that failed.

    The import itself holds: its media are absent later, until the user's file can be written.
    """
    try:
        trust.allow(layout, folders)
    except RepositoryError as error:
        return Notice(
            f"that this repository may read the media referred to cannot be noted: {error}",
            "the next commands leave them out, until you say 'dvcs trust add FOLDER'",
        )
    return None
