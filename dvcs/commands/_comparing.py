"""What `diff` compares: two revisions, a revision and the working copies, datasets on disk."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dvcs import ui
from dvcs.commands._base import state, tell
from dvcs.commands._selectors import on_disk, parse, read_all, unread, unread_revision
from dvcs.compare import ItemChange, Options, diff_datasets, renamed_labels
from dvcs.errors import NotARepository, UsageError

if TYPE_CHECKING:
    from dvcs.model import Dataset, Item, Labels
    from dvcs.repository import Repository
    from dvcs.repository.revisions import Revision
    from dvcs.repository.snapshot import Snapshot
    from dvcs.repository.working.worktree import LabelChanges
    from dvcs.web.sides import Side


class Compared(NamedTuple):
    """
    What differs: in items, and in the labels of sources ('' for a dataset on disk).

    `sides` gives whole items of before and after, for who draws them. `policy` is what `dvcs.toml`
    says before and after, both None where that is not compared.
    """

    items: Iterator[ItemChange]
    labels: "dict[str, LabelChanges]"
    sides: "Callable[[], tuple[Side, Side]]"
    policy: tuple[str | None, str | None] = (None, None)


@contextmanager
def changes(sides: Sequence[str], sources: Sequence[str], options: Options) -> Iterator[Compared]:
    """
    Give what changed from the first side to the second; see `dvcs diff --help`.

    With a side on disk, own options of its reader stand in the place of sources.
    Raises UsageError, RevisionNotFound, and what reading a dataset raises.
    """
    from dvcs.repository import Repository
    from dvcs.repository.revisions import split_range
    from dvcs.repository.working import copies

    if len(sides) > 2:
        raise UsageError("at most two revisions are compared", hint="see 'dvcs diff --help'")
    with ExitStack() as stack:
        repo: Repository | None = None
        try:
            repo = stack.enter_context(Repository(state().folder))
            repo.gate.tell = tell
        except NotARepository:
            if len(sides) < 2 or not all(map(on_disk, sides)):
                raise
        if len(sides) == 1 and on_disk(sides[0]) is None and repo is not None:
            ends = split_range(sides[0])
            if ends is not None:
                old = base_of(repo, ends[0], ends[1]) if ends[2] else ends[0]
                sides = (old, ends[1])
        if len(sides) == 2:
            yield _two(stack, repo, (sides[0], sides[1]), sources, options)
        elif repo is not None and sides and not copies.load(repo.layout):
            ui.say("note: there is no working copy; HEAD is compared")
            yield _two(stack, repo, (sides[0], "HEAD"), sources, options)
        elif repo is not None:
            yield _working(repo, sides[0] if sides else None, sources, options)


def base_of(repo: "Repository", one: str, other: str) -> str:
    """Return what both revisions of `A...B` had in common. Raises UsageError where that is none."""
    from dvcs.repository.history import merge_bases

    found = merge_bases(repo.store, repo.resolve(one), repo.resolve(other))
    if not found:
        raise UsageError(f"'{one}' and '{other}' have no common ancestor", hint="use '..'")
    return found[0].hex()


def _two(
    stack: ExitStack,
    repo: "Repository | None",
    sides: tuple[str, str],
    sources: Sequence[str],
    options: Options,
) -> Compared:
    from dvcs.commands import _labels, _policy
    from dvcs.repository.diffing import diff
    from dvcs.repository.labels import with_known_keys
    from dvcs.repository.working.worktree import label_changes

    old, new = sides
    if repo is not None and on_disk(old) is None and on_disk(new) is None:
        before, after = parse(repo, old), parse(repo, new)
        if before.source == after.source:
            wanted = _wanted(repo, (before, after), sources)
            items = diff(repo, before.oid, after.oid, sources=wanted, options=options)
            between = _labels.between(repo, before.oid, after.oid, wanted)
            policy = (None, None) if wanted else _policy.texts(repo, before.oid, after.oid)
            return Compared(
                items, between, lambda: _commits(repo, before.oid, after.oid, sides), policy
            )
    if sources and not sources[0].startswith("-"):
        raise UsageError("sources cannot be chosen here", hint="name one as 'REV:SOURCE'")
    places = [(text, on_disk(text)) for text in sides]
    found = [unread(stack, at) if at else unread_revision(repo, text) for text, at in places]
    read, _ = read_all(found, sources)
    first, second = (_of_source(one, "") for one in read)
    fresh = second.labels
    if on_disk(old) is None and on_disk(new) is not None:
        fresh = with_known_keys(first.labels, fresh)  # as an import would take it
    options = msgspec.structs.replace(
        options,
        labels=renamed_labels(first.labels, fresh),
        partial_media=on_disk(new) is not None,
    )
    labels = label_changes(first.labels, fresh)
    items = diff_datasets(first, second, options=options)
    return Compared(
        items, {"": labels} if labels else {}, lambda: _datasets({"": first}, {"": second}, sides)
    )


def _wanted(
    repo: "Repository", sides: "Sequence[Revision]", sources: Sequence[str]
) -> list[str] | None:
    known = {name for side in sides for name in repo.snapshot(side.oid).sources}
    for name in sources:
        if name not in known:
            from dvcs.errors import UnknownName

            raise UnknownName("source", name, known)
    wanted = [*([sides[0].source] if sides[0].source else []), *sources]
    return wanted or None


def _of_source(dataset: "Dataset", source: str) -> "Dataset":
    """Return a dataset whose items are of one source ('' for none), so that two can be compared."""

    def named(item: "Item") -> "Item":
        return item if item.source == source else item.with_(source=source)

    return dataset.map(named)


def _working(
    repo: "Repository", revision: str | None, sources: Sequence[str], options: Options
) -> Compared:
    """Compare working copies with what they were written from, or with a revision."""
    from dvcs.commands import _policy
    from dvcs.repository.working import copies, worktree

    if revision is None:
        found = worktree.status(repo, list(sources) or None).copies
        labels = {one.source: one.labels for one in found if one.labels}
        items = chain.from_iterable(one.changes for one in found)
        policy = (None, None) if sources else _policy.edited(repo)
        return Compared(
            items, labels, lambda: _copies(repo, {one.source: one.base for one in found}), policy
        )
    oid, source = parse(repo, revision)
    snapshot = repo.snapshot(oid)
    wanted = [*([source] if source else []), *sources] or list(copies.load(repo.layout))
    read = [(name, worktree.dataset_of(repo, name)) for name in wanted]
    known = {name: _known(repo, name, dataset.labels) for name, dataset in read}
    differing = {
        name: one
        for name in wanted
        if name in snapshot.sources
        if (one := worktree.label_changes(snapshot.labels(name), known[name]))
    }
    changed = _from_revision(repo, snapshot, read, known, options)
    policy = (None, None) if source or sources else _policy.edited(repo, oid)
    return Compared(
        changed, differing, lambda: _with_copies(repo, oid, revision, dict(read)), policy
    )


def _known(repo: "Repository", source: str, labels: "Labels") -> "Labels":
    """Return the labels of a working copy with the keys that they have where it comes from."""
    from dvcs.repository.labels import with_known_keys
    from dvcs.repository.working import copies

    base = copies.get(repo, source).commit
    snapshot = repo.snapshot(bytes.fromhex(base) if base else None)
    if source not in snapshot.sources:
        return labels
    return with_known_keys(snapshot.labels(source), labels)


def _from_revision(
    repo: "Repository",
    snapshot: "Snapshot",
    read: "Sequence[tuple[str, Dataset]]",
    known: "dict[str, Labels]",
    options: Options,
) -> Iterator[ItemChange]:
    for name, dataset in read:
        new = _of_source(dataset, name)
        old = new.derive(tuple)
        if name in snapshot.sources:
            old = snapshot.dataset(name, repo.media_access)
        labels = renamed_labels(old.labels, known[name])
        partial = msgspec.structs.replace(options, labels=labels, partial_media=True)
        yield from diff_datasets(old, new, options=partial)


# -- sides, for who draws items ------------------------------------------------------------------

WORKING = "working copies"


def _commits(
    repo: "Repository", old: bytes, new: bytes, names: tuple[str, str]
) -> "tuple[Side, Side]":
    from dvcs.web.sides import CommitSide

    return CommitSide(repo, old, names[0]), CommitSide(repo, new, names[1])


def _datasets(
    old: "dict[str, Dataset]", new: "dict[str, Dataset]", names: tuple[str, str]
) -> "tuple[Side, Side]":
    from dvcs.web.sides import DatasetSide

    return DatasetSide(old, names[0]), DatasetSide(new, names[1])


def _copies(repo: "Repository", bases: dict[str, str | None]) -> "tuple[Side, Side]":
    """Return what working copies were written from, and what they are."""
    from dvcs.repository.working import worktree
    from dvcs.web.sides import CommitSide, DatasetSide, SidesBySource

    old = {
        source: CommitSide(repo, bytes.fromhex(base) if base else None, "")
        for source, base in bases.items()
    }
    new = {source: worktree.dataset_of(repo, source) for source in bases}
    return SidesBySource(old, "last commit"), DatasetSide(new, WORKING)


def _with_copies(
    repo: "Repository", oid: bytes, name: str, read: "dict[str, Dataset]"
) -> "tuple[Side, Side]":
    from dvcs.web.sides import CommitSide, DatasetSide

    return CommitSide(repo, oid, name), DatasetSide(read, WORKING)
