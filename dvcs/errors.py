"""
Everything that can go wrong in a way the user can understand.

    DvcsError                   exit code 3
    ├── UsageError              2: the command line asks for something that cannot be
    │   └── UnknownName            no format, transform, command, ... of that name
    ├── UnsafeName              a name that must not reach a disk or a repository
    ├── InvalidShape            geometry that no algorithm can work with
    ├── InvalidMedia            bytes that are not the image they claim to be, or too large
    ├── NotADataset             nothing here that a known format can read, or several could
    ├── FormatError             a file does not say what its format promises: `file:line`
    ├── FormatErrors            several of them at once
    ├── LossError               an export would lose what it may not lose
    ├── RepositoryError         the repository is not in a state for this
    │   ├── NotARepository
    │   ├── RevisionNotFound
    │   ├── BranchMoved            someone else committed meanwhile
    │   ├── Locked                 another process is writing
    │   ├── DirtyWorkingCopy       changes that are in no commit would be lost
    │   ├── MissingObject
    │   └── CorruptObject          bytes are not those that the id was made from
    ├── InvalidPolicy           a 'dvcs.toml' that cannot be read: `dvcs.toml:line:column`
    ├── PolicyViolation         1: a change that 'dvcs.toml' does not allow
    ├── ConflictError           1: changes that need a person's decision
    ├── HookRefused             1: a hook of the user's own said no, or may not run
    └── NetworkError            4: a remote cannot be reached, or refuses

Anything else that reaches `main()` is a bug in dvcs.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import ClassVar

LISTED = 30
"""Names that a hint lists; LVIS has 1,203 labels."""


class DvcsError(Exception):
    """One sentence for the user, and optionally what to try next."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(DvcsError):
    """The request itself makes no sense: a wrong option, value or combination."""

    exit_code = 2


class UnknownName(UsageError):
    """A name was looked up in a table that does not have it."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches  # 1 ms, for those who misspell

        near = get_close_matches(name, known := sorted(known), n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {_listed(known) or 'none'}"
        super().__init__(f"no {kind} is called '{name}'", hint=hint)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f", and {more:,} more" if more > 0 else "")


class UnsafeName(DvcsError):
    """An id, path, subset or label that could leave its folder or that no disk can hold."""


class InvalidShape(DvcsError, ValueError):
    """Coordinates or masks that no algorithm can work with (NaN, wrong RLE total, ...)."""


class InvalidMedia(DvcsError, ValueError):
    """Bytes that are not an image of a known kind, are damaged, or exceed the pixel limit."""


class NotADataset(DvcsError):
    """No format recognises a folder, or more than one does."""


class FormatError(DvcsError):
    """
    A file is not what its format promises.

    `path` is as the user knows it (relative to the dataset's root, or as given); `line` counts
    from 1; `item` names the record where a file has no lines worth counting (one-line JSON).
    """

    def __init__(
        self,
        message: str,
        path: PurePath | str,
        line: int | None = None,
        *,
        item: str | None = None,
        hint: str | None = None,
    ) -> None:
        where = f"{path}:{line}" if line is not None else f"{path}"
        if item is not None:
            where = f"{where} ({item})"
        super().__init__(f"{where}: {message}", hint=hint)
        self.path = PurePath(path)
        self.line = line
        self.item = item


class FormatErrors(DvcsError):
    """Several bad places in one dataset; all are listed, the first 20 in the message."""

    SHOWN: ClassVar[int] = 20

    def __init__(self, errors: Sequence[DvcsError], *, hint: str | None = None) -> None:
        lines = [str(error) for error in errors[: self.SHOWN]]
        if len(errors) > self.SHOWN:
            lines.append(f"... and {len(errors) - self.SHOWN} more")
        head = f"{len(errors)} records cannot be read" if len(errors) > 1 else "cannot be read"
        super().__init__("\n  ".join([f"{head}:", *lines]), hint=hint)
        self.errors = tuple(errors)


class LossError(DvcsError):
    """A conversion would lose annotations or fields that it was told not to lose."""


class RepositoryError(DvcsError):
    """The repository is not in a state for this."""


class NotARepository(RepositoryError):
    """There is no repository at a path, nor in any folder above it."""


class RevisionNotFound(RepositoryError):
    """A revision expression names nothing."""


class BranchMoved(RepositoryError):
    """A branch is no longer where the operation found it."""


class Locked(RepositoryError):
    """Another process holds a lock that is needed."""


class DirtyWorkingCopy(RepositoryError):
    """A working copy has changes that are in no commit and would be lost."""


class MissingObject(RepositoryError):
    """An object or media file that a commit needs is not in the store."""


class CorruptObject(RepositoryError):
    """Stored bytes are not those that their id was made from."""


class InvalidPolicy(DvcsError):
    """
    A policy file does not say what it may say.

    `line` and `column` count from 1; `path` is as the user knows the file.
    """

    def __init__(
        self,
        message: str,
        path: PurePath | str,
        line: int,
        column: int,
        *,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{path}:{line}:{column}: {message}", hint=hint)
        self.path = PurePath(path)
        self.line = line
        self.column = column


class PolicyViolation(DvcsError):
    """
    The versioned policy does not allow a change; nothing was changed.

    `violations` are (place, reason), the first `SHOWN` of which are in the message; `count` says
    how many there are, if more were found than are kept.
    """

    exit_code = 1
    SHOWN: ClassVar[int] = 20

    def __init__(
        self,
        message: str,
        violations: Sequence[tuple[str, str]],
        *,
        count: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.violations = tuple(violations)
        self.count = len(self.violations) if count is None else count
        shown = self.violations[: self.SHOWN]
        lines = [f"{place}: {reason}" if place else reason for place, reason in shown]
        if self.count > len(shown):
            lines.append(f"... and {self.count - len(shown):,} more")
        super().__init__("\n  ".join([message, *lines]), hint=hint)


class ConflictError(DvcsError):
    """Two changes cannot both stand; a person must decide."""

    exit_code = 1


class HookRefused(DvcsError):
    """A hook refused what was to be done, is not trusted, or cannot be started."""

    exit_code = 1


class NetworkError(DvcsError):
    """A remote cannot be reached, refuses, or breaks off."""

    exit_code = 4
