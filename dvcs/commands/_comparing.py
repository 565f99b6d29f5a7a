"""What `diff` compares: two revisions, a revision and the working copies, datasets on disk."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dvcs.commands._base import state
from dvcs.commands._selectors import dataset_of, on_disk, parse
from dvcs.compare import ItemChange, Options, diff_datasets, renamed_labels
from dvcs.errors import NotARepository, UsageError

if TYPE_CHECKING:
    from dvcs.model import Dataset, Item, Labels
    from dvcs.repository import Repository
    from dvcs.repository.revisions import Revision
    from dvcs.repository.snapshot import Snapshot
    from dvcs.repository.worktree import LabelChanges


class Compared(NamedTuple):
    """What differs: in items, and in the labels of sources ('' for a dataset on disk)."""

    items: Iterator[ItemChange]
    labels: "dict[str, LabelChanges]"


@contextmanager
def changes(sides: Sequence[str], sources: Sequence[str], options: Options) -> Iterator[Compared]:
    """
    Give what changed from the first side to the second; see `dvcs diff --help`.

    Raises UsageError, RevisionNotFound, and what reading a dataset raises.
    """
    from dvcs.repository import Repository
    from dvcs.repository.revisions import split_range

    if len(sides) > 2:
        raise UsageError("at most two revisions are compared", hint="see 'dvcs diff --help'")
    with ExitStack() as stack:
        repo: Repository | None = None
        try:
            repo = stack.enter_context(Repository(state().folder))
        except NotARepository:
            if len(sides) < 2 or not all(map(on_disk, sides)):
                raise
        if len(sides) == 1 and on_disk(sides[0]) is None and repo is not None:
            ends = split_range(sides[0])
            if ends is not None:
                old = _base(repo, ends[0], ends[1]) if ends[2] else ends[0]
                sides = (old, ends[1])
        if len(sides) == 2:
            yield _two(stack, repo, (sides[0], sides[1]), sources, options)
        elif repo is not None:
            yield _working(repo, sides[0] if sides else None, sources, options)


def _base(repo: "Repository", one: str, other: str) -> str:
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
    from dvcs.commands import _labels
    from dvcs.repository.diffing import diff
    from dvcs.repository.labels import with_known_keys
    from dvcs.repository.worktree import label_changes

    old, new = sides
    if repo is not None and on_disk(old) is None and on_disk(new) is None:
        before, after = parse(repo, old), parse(repo, new)
        if before.source == after.source:
            wanted = _wanted(repo, (before, after), sources)
            items = diff(repo, before.oid, after.oid, sources=wanted, options=options)
            return Compared(items, _labels.between(repo, before.oid, after.oid, wanted))
    if sources:
        raise UsageError("sources cannot be chosen here", hint="name one as 'REV:SOURCE'")
    first = _of_source(stack.enter_context(dataset_of(repo, old)), "")
    second = _of_source(stack.enter_context(dataset_of(repo, new)), "")
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
    return Compared(items, {"": labels} if labels else {})


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
    from dvcs.repository import copies, worktree

    if revision is None:
        found = worktree.status(repo, list(sources) or None).copies
        labels = {one.source: one.labels for one in found if one.labels}
        return Compared((change for one in found for change in one.changes), labels)
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
    return Compared(_from_revision(repo, snapshot, read, known, options), differing)


def _known(repo: "Repository", source: str, labels: "Labels") -> "Labels":
    """Return the labels of a working copy with the keys that they have where it comes from."""
    from dvcs.repository import copies
    from dvcs.repository.labels import with_known_keys

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
