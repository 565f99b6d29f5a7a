"""What people name: revisions and datasets on disk, sources and items in them."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvcs.errors import NotARepository, RevisionNotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dvcs.commands._takers import Taker
    from dvcs.model import Dataset
    from dvcs.repository import Repository
    from dvcs.repository.revisions import Revision
    from dvcs.repository.snapshot import Snapshot


class Place(NamedTuple):
    """A source, or one item of it."""

    source: str
    subset: str | None = None
    id: str | None = None


def locate(snapshot: "Snapshot", path: str) -> Place:
    """
    Return what a path in a revision names: SOURCE, SOURCE/SUBSET or SOURCE/SUBSET/ID.

    Names may have slashes themselves; the longest that fits is taken. Raises RevisionNotFound.
    """
    source = _longest(path, snapshot.sources)
    if source is None:
        known = ", ".join(snapshot.sources) or "none"
        raise RevisionNotFound(f"there is no source for '{path}'", hint=f"sources: {known}")
    rest = path[len(source) + 1 :]
    if not rest:
        return Place(source)
    subsets = snapshot.sources[source].subsets
    subset = _longest(rest, subsets)
    if subset is None:
        known = ", ".join(subsets) or "none"
        raise RevisionNotFound(
            f"'{source}' has no subset for '{rest}'", hint=f"its subsets: {known}"
        )
    id = rest[len(subset) + 1 :]
    return Place(source, subset, id or None)


def _longest(path: str, names: "Iterable[str]") -> str | None:
    fitting = [name for name in names if path == name or path.startswith(f"{name}/")]
    return max(fitting, key=len, default=None)


class OnDisk(NamedTuple):
    """A dataset on disk, where a revision may stand: `./path` or `/path`, with `:format`."""

    path: Path
    format: str | None


def on_disk(text: str) -> OnDisk | None:
    """Return the place on disk that a text names; None where it names a revision."""
    if not text.startswith(("./", "../", "/", "~/", ".\\", "..\\")) and text not in (".", ".."):
        drive = Path(text).drive
        if not drive or not text.startswith((f"{drive}\\", f"{drive}/")):
            return None
    whole = Path(text).expanduser()
    if whole.exists():
        return OnDisk(whole, None)
    path, colon, format = text.rpartition(":")
    if colon and Path(path).expanduser().exists():
        return OnDisk(Path(path).expanduser(), format)
    return OnDisk(whole, None)


class Unread(NamedTuple):
    """
    A dataset that is named and not read yet, since how it is read may depend on options.

    `taker` is who takes its reader's own options; a revision has none.
    """

    format: str | None
    taker: "Taker | None"
    read: "Callable[..., Dataset]"


def unread(stack: ExitStack, place: OnDisk) -> Unread:
    """Open a dataset on disk until the stack is left."""
    from functools import partial

    from dvcs import formats
    from dvcs.commands._options import reading
    from dvcs.files import open_source

    source = stack.enter_context(closing(open_source(place.path)))
    format = formats.find(place.format) if place.format else formats.detect(source)
    return Unread(format.name, reading(format), partial(formats.read, source, format))


def unread_revision(repo: "Repository | None", text: str) -> Unread:
    """Find a revision (`REV`, `REV:SOURCE`). Raises UsageError where there is no repository."""
    if repo is None:
        raise UsageError(f"'{text}' is no path", hint=f"for a folder, write './{text}'")
    parse(repo, text)
    dataset = repo.dataset(text)
    return Unread(dataset.format, None, lambda: dataset)


def read_all(
    found: "Sequence[Unread]", arguments: "Sequence[str]", *others: "Taker"
) -> "tuple[list[Dataset], list[dict[str, Any]]]":
    """
    Return datasets, read with those of the options given that their readers know, and the rest.

    The rest are the options of `others`. Raises UsageError for an option that nobody knows.
    """
    from dvcs.commands._takers import share

    takers = [one.taker for one in found if one.taker is not None]
    given = iter(share([*takers, *others], arguments))
    datasets = [one.read(**next(given)) if one.taker is not None else one.read() for one in found]
    return datasets, list(given)


def repository_for(text: str) -> "Repository":
    """Open the repository for a revision. Raises NotARepository, and says so of a folder."""
    from dvcs.commands._base import state, tell
    from dvcs.repository import Repository

    try:
        repo = Repository(state().folder)
    except NotARepository as error:
        if Path(text).exists():
            raise NotARepository(str(error), hint=_as_path(text)) from None
        raise
    repo.gate.tell = tell
    return repo


def _as_path(text: str) -> str:
    """Return the hint for a revision that is none, but a path."""
    return f"for the {'folder' if Path(text).is_dir() else 'file'}, write './{text}'"


def parse(repo: "Repository", text: str) -> "Revision":
    """Return the revision that a text names. Raises RevisionNotFound, and says so of a folder."""
    try:
        return repo.parse(text)
    except RevisionNotFound as error:
        if Path(text).exists():
            raise RevisionNotFound(str(error), hint=_as_path(text)) from None
        head = repo.refs.head_commit()
        if head is not None and text in repo.snapshot(head).sources:
            raise RevisionNotFound(
                str(error), hint=f"for the source, write 'HEAD:{text}'"
            ) from None
        raise
