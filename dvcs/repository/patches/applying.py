"""
Patches, applied: a change comes in from a repository with which this one shares no history.

An item that is here as it was there becomes what the patch says, byte for byte; others are merged
by three versions (`sides.py`), annotation by annotation. What is in conflict then can be
decided as that of a cherry-pick: the sides become commits, held by refs, and it is under way.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from dvcs.errors import ConflictError, UsageError
from dvcs.merge import Options, Strategy
from dvcs.objects.gitobjects import Commit, Signature
from dvcs.repository import absent, identity
from dvcs.repository.merges.bases import Scratch, Version
from dvcs.repository.merges.grafting import refuse_open
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.sources import Store as MergeStore
from dvcs.repository.merges.trees import merge_versions
from dvcs.repository.patches.making import patch_lines
from dvcs.repository.patches.sides import Fit, Sides, Store, sides_of
from dvcs.repository.patches.text import Patch, read_patch
from dvcs.repository.reachability import Reachable, media_of, media_of_lines, roots
from dvcs.repository.snapshot import dataset_json, write_root
from dvcs.repository.transaction import Committed, Transaction
from dvcs.repository.working import checkout

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.merges.picking import Picks

__all__ = ["Applied", "apply_file", "apply_patch", "patch_lines", "told_lines"]

SHOWN = 10


class Applied(NamedTuple):
    """
    What became of a patch.

    `exact` items were (or would be) taken as they stand, `done` were so before, `merged` have other
    changes here too. `absent` are media that new versions name and that are not here. `picks` is
    what is under way, where there are conflicts to be decided.
    """

    committed: Committed
    patch: Patch
    exact: int
    done: int
    merged: tuple[str, ...]
    absent: tuple[str, ...]
    picks: "Picks | None" = None


def apply_patch(
    repo: "Repository",
    lines: Iterable[bytes] | IO[bytes],
    *,
    name: str = "patch",
    sources: Mapping[str, str] | None = None,
    reverse: bool = False,
    exact: bool = False,
    strategy: Strategy = "three-way",
    message: str | None = None,
    dry_run: bool = False,
) -> Applied:
    """
    Commit what a patch changes, with its message and author, where HEAD is.

    `name` is what errors call the patch; `sources` says what sources of the patch are called here,
    where that differs; `reverse` takes it back; `exact` refuses where an item would have to be
    merged. Nothing new: `changed` is False. With conflicts that `strategy` (`ours`
    or `theirs`) does not decide, `picks` has them, and a cherry-pick is under way (in a dry run,
    ConflictError). Raises FormatError, with the line, for what is no patch; RevisionNotFound for a
    source that is not here; UsageError; DirtyWorkingCopy; ConflictError.
    """
    hashed = _Hashed(lines)
    patch = read_patch(hashed, name).renamed(sources or {})
    if reverse:
        patch = patch.reversed()
    if not dry_run:
        checkout.require_clean(repo, [one.name for one in patch.sources], doing="applying a patch")
    text = message or _message(patch, reverse=reverse)
    author = None if reverse else patch.author
    with repo.transaction() as change:
        ours = Version(change.sources, change.policy)
        sides, merged, plan = _merged(patch, change, ours, strategy, name, exact=exact)
        if plan.is_open:
            if dry_run or change.base is None:
                _refuse(plan)
            absent.note(repo, _never_here(repo, patch))
            theirs = _aside(change, sides, text, author)
        else:
            theirs = None
            change.sources, change.policy = dict(merged.sources), merged.policy
            if dry_run:
                differs = (change.sources, change.policy) != (ours.sources, ours.policy)
                done = Committed(change.base or b"", change.sources, changed=differs)
            else:
                made = {
                    "reverse": reverse or None,
                    "sources": dict(sources) if sources else None,
                    "sha256": hashed.hexdigest(),
                }
                done = _commit(change, patch, text, author, made)
    picks = None
    if theirs is not None:
        from dvcs.repository.merges.picking import cherry_pick

        picks = cherry_pick(repo, theirs.hex(), strategy=strategy)
        done = Committed(picks.oid, dict(ours.sources), changed=False)
    elif done.changed and not dry_run:
        checkout.update_copies(repo)
    return _applied(repo, done, patch, sides.fits, picks)


def apply_file(repo: "Repository", path: Path, **how: Any) -> Applied:
    """As `apply_patch`, of a file. Raises UsageError where it cannot be read."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}") from None
    with file:
        return apply_patch(repo, told_lines(file, str(path)), name=str(path), **how)


def told_lines(stream: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the lines of a patch. Raises UsageError where they cannot be read."""
    try:
        yield from stream
    except OSError as error:
        raise UsageError(f"'{name}' cannot be read: {error.strerror}") from None


def _commit(
    change: Transaction, patch: Patch, text: str, author: Signature | None, made: dict[str, Any]
) -> Committed:
    repo = change.repo
    media = _never_here(repo, patch)  # may read all of the history: not under the lock
    return change.commit(
        text,
        operation="apply",
        arguments={"from": patch.header.from_, "to": patch.header.to, **made},
        author=author,
        moves=lambda _: absent.noted(repo, media),
    )


def _merged(
    patch: Patch,
    change: Transaction,
    ours: Version,
    strategy: Strategy,
    name: str,
    *,
    exact: bool,
) -> tuple[Sides, Version, Plan]:
    """Merge a patch into what is here; what stays open is in the plan."""
    scratch = Scratch(change.repo.store, change.trees)
    sides = sides_of(patch, ours, Store(scratch, change.trees, change.writer.blob), name)
    if exact:
        _refuse_inexact(sides.fits)
    plan = Plan(Options(strategy=strategy))
    store = MergeStore(scratch, change.trees, change.writer.blob)
    return sides, merge_versions(sides.base, ours, sides.theirs, plan, store), plan


class _Hashed:
    """Lines, hashed as they are read."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self._digest.update(line)
            yield line

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was read."""
        return self._digest.hexdigest()


def _message(patch: Patch, *, reverse: bool) -> str:
    text = patch.header.message.strip() or "Apply a patch"
    if not reverse:
        return text
    subject = text.partition("\n")[0]
    return f'Revert "{subject}"\n\nThis takes back a patch of {patch.header.to}.'


def _refuse_inexact(fits: list[Fit]) -> None:
    other = [one.place for one in fits if one.state == "changed"]
    if other:
        more = [f"... and {len(other) - SHOWN} more"] if len(other) > SHOWN else []
        count = f"{len(other)} item{'s are' if len(other) > 1 else ' is'}"
        raise ConflictError(
            "\n  ".join([f"{count} not here as the patch knows them:", *other[:SHOWN], *more]),
            hint="nothing was changed; without --exact they are merged",
        )


def _refuse(plan: Plan) -> None:
    """Raise ConflictError for what a merge left open."""
    try:
        refuse_open(plan, "the patch")
    except ConflictError as error:
        raise ConflictError(
            str(error), hint="nothing was changed; decide with -X ours or -X theirs"
        ) from None


def _aside(change: Transaction, sides: Sides, text: str, author: Signature | None) -> bytes:
    """Make commits of the sides of a merge, on no branch; return that of theirs."""
    signature = identity.author(change.repo.layout)
    parents: tuple[bytes, ...] = ()
    for version, message in ((sides.base, "What a patch knows"), (sides.theirs, text)):
        root = write_root(
            change.trees,
            change.writer.blob(dataset_json()),
            version.sources,
            version.policy,
            change.before.others,
        )
        made = Commit(root, parents, author or signature, signature, message.rstrip() + "\n")
        parents = (change.writer.commit(made),)
    change.writer.publish()
    return parents[0]


def _applied(
    repo: "Repository", done: Committed, patch: Patch, fits: list[Fit], picks: "Picks | None"
) -> Applied:
    states = [one.state for one in fits]
    return Applied(
        done,
        patch,
        states.count("exact"),
        states.count("done"),
        tuple(one.place for one in fits if one.state == "changed"),
        tuple(_not_here(repo, patch)),
        picks,
    )


def _never_here(repo: "Repository", patch: Patch) -> list[str]:
    """Return those of the media that are not here which nothing here named before: none is lost."""
    noted = absent.known(repo.layout)
    media = [one for one in _not_here(repo, patch) if one not in noted]
    if not media:
        return []
    reachable = Reachable(repo)
    for root in roots(repo).values():
        reachable.add(root)
    return [one for one in media if one not in reachable.named_media]


def _not_here(repo: "Repository", patch: Patch) -> list[str]:
    """Return the media that the patch brings into items, and whose bytes are not here."""
    wanted: dict[str, None] = {}
    for source in patch.sources:
        for item in source.items:
            if item.new is not None:
                first, *rest = item.new.blobs
                wanted.update(dict.fromkeys(media_of(first)))
                wanted.update(dict.fromkeys(one for part in rest for one in media_of_lines(part)))
    return [one for one in wanted if one not in repo.media]
