"""Of which revision an export that comes back is an edit: its stamp says it."""

from pathlib import Path
from typing import TYPE_CHECKING

from dvcs.errors import RepositoryError, UsageError
from dvcs.formats._stamps import read_stamp
from dvcs.model import Dataset
from dvcs.repository.importing import Request, is_copy

if TYPE_CHECKING:
    from dvcs.repository import Repository


def stamped(repo: "Repository", request: Request) -> str | None:
    """
    Return what a dataset is an edit of (`REV:SOURCE`), by its stamp; None where it is none.

    So where the stamp names a revision that is here, and a source of it that the branch still has
    and that the dataset would be a new version of. A dataset to import under another name, or as a
    new one (`mode`), is a source of its own. Raises UsageError where a new version of one source
    comes from an export of several, and where it lies in a working copy of another format: what
    was changed there cannot be told.
    """
    stamp = (
        None if isinstance(request.data, Dataset) else read_stamp(Path(request.data), packed=True)
    )
    if stamp is None or not stamp.revision or request.mode == "new":
        return None
    try:
        snapshot = repo.snapshot(bytes.fromhex(stamp.revision))
    except (RepositoryError, ValueError):  # it is not here, or not that of a commit
        return None
    names = [stamp.source] if stamp.source else list(snapshot.sources)
    now = repo.snapshot(repo.refs.head_commit()).sources
    name = request.name or (names[0] if len(names) == 1 else "")
    if name not in names or name not in snapshot.sources or name not in now:
        return None
    if len(names) > 1:
        raise UsageError(
            f"'{request.data}' is an export of {len(names)} sources, '{name}' is one of them",
            hint="export that one alone, or take it as it is with --ignore-stamp",
        )
    if stamp.filter and request.mode != "update":
        raise UsageError(
            f"'{request.data}' is an export of a part: '{stamp.filter}'",
            hint="--mode update says that the other items stay",
        )
    if is_copy(repo, name, request.data):
        if stamp.format == snapshot.info(name).format:
            return None
        raise UsageError(
            f"'{request.data}' is the working copy of '{name}'",
            hint="'dvcs commit' records what was changed in it",
        )
    return f"{stamp.revision}:{name}"
