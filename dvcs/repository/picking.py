"""
Revert and cherry-pick: what one commit changed, taken back or made again where HEAD is.

Both are a graft (`grafting.py`) of the difference between a commit and its parent. Working copies
of the sources concerned must be clean, and become what the new commit says.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dvcs.errors import ConflictError, RepositoryError, UsageError
from dvcs.merge import Strategy
from dvcs.objects.gitobjects import Commit, Signature
from dvcs.repository import checkout
from dvcs.repository.diffing import paired
from dvcs.repository.grafting import graft
from dvcs.repository.merge_plan import Selection
from dvcs.repository.message import parse
from dvcs.repository.snapshot import Snapshot
from dvcs.repository.transaction import Committed

if TYPE_CHECKING:
    from dvcs.repository import Repository


def revert(
    repo: "Repository",
    revision: str,
    *,
    message: str | None = None,
    mainline: int | None = None,
    strategy: Strategy = "three-way",
    dry_run: bool = False,
) -> Committed:
    """
    Commit the opposite of what a commit changed.

    `mainline` is the parent (from 1) with which a merge is compared. Nothing left to revert:
    `changed` is False. Raises RevisionNotFound; UsageError for a merge without `mainline`;
    DirtyWorkingCopy; ConflictError where what it changed was changed since, and `strategy` (`ours`:
    HEAD, `theirs`: the reverted state) does not decide.
    """
    oid = repo.resolve(revision)
    commit = repo.store.commit(oid)
    parent = _parent(oid, commit, mainline)
    subject = parse(commit.message).subject
    text = message or f'Revert "{subject}"\n\nThis reverts commit {oid.hex()}.'
    return _apply(
        repo,
        repo.snapshot(oid),
        repo.snapshot(parent),
        text,
        operation="revert",
        arguments={"commit": oid.hex(), "mainline": mainline},
        strategy=strategy,
        dry_run=dry_run,
    )


def cherry_pick(
    repo: "Repository",
    revision: str,
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    mainline: int | None = None,
    strategy: Strategy = "three-way",
    dry_run: bool = False,
) -> Committed:
    """
    Commit what another commit changed, with its message and author.

    `only` and `without` choose changes by `SOURCE`, `SOURCE/SUBSET`, `SOURCE/SUBSET/ID` or patterns
    with `*`; labels of a source that is chosen in part come along. Nothing new: `changed` is False.
    Raises as `revert`, and UsageError where nothing was changed in what is chosen.
    """
    oid = repo.resolve(revision)
    commit = repo.store.commit(oid)
    parent = _parent(oid, commit, mainline)
    base, theirs = repo.snapshot(parent), repo.snapshot(oid)
    _refuse_unknown(base, theirs, (*only, *without), oid)
    message = parse(commit.message)
    return _apply(
        repo,
        base,
        theirs,
        f"{message.text}\n\n(cherry picked from commit {oid.hex()})",
        operation="cherry-pick",
        arguments={
            "commit": oid.hex(),
            "mainline": mainline,
            "only": list(only) or None,
            "except": list(without) or None,
        },
        select=Selection(tuple(only), tuple(without)) if only or without else None,
        author=commit.author,
        strategy=strategy,
        dry_run=dry_run,
    )


def _parent(oid: bytes, commit: Commit, mainline: int | None) -> bytes | None:
    parents, short = commit.parents, oid.hex()[:10]
    if mainline is not None:
        if not 1 <= mainline <= len(parents):
            raise UsageError(f"{short} has no parent {mainline}", hint=f"it has {len(parents)}")
        return parents[mainline - 1]
    if len(parents) > 1:
        raise UsageError(
            f"{short} is a merge: what it changed depends on the parent",
            hint="say which counts with -m 1 (the branch that it was merged into) or -m 2",
        )
    return parents[0] if parents else None


def _refuse_unknown(base: Snapshot, theirs: Snapshot, selectors: Sequence[str], oid: bytes) -> None:
    if not selectors:
        return
    changed = [
        (source, one.subset, one.id)
        for source in sorted(base.sources.keys() | theirs.sources.keys())
        for pair in paired(base, theirs, source)
        for one in pair
        if one is not None
    ]
    for text in selectors:
        one = Selection(only=(text,))
        if not any(one.item(*name) for name in changed):
            raise UsageError(
                f"{oid.hex()[:10]} changed nothing in '{text}'",
                hint=f"items are SOURCE/SUBSET/ID; see 'dvcs show {oid.hex()[:10]}'",
            )


def _apply(
    repo: "Repository",
    base: Snapshot,
    theirs: Snapshot,
    message: str,
    *,
    operation: str,
    arguments: Mapping[str, Any],
    strategy: Strategy,
    dry_run: bool,
    select: Selection | None = None,
    author: Signature | None = None,
) -> Committed:
    if repo.refs.head_commit() is None:
        raise RepositoryError("there is no commit here yet", hint="go to a branch that has some")
    names = base.sources.keys() | theirs.sources.keys()
    touched = [one for one in names if base.sources.get(one) != theirs.sources.get(one)]
    doing = f"the {operation}"
    checkout.require_clean(repo, touched, doing=doing)
    try:
        with repo.transaction() as change:
            graft(change, base, theirs, select=select, strategy=strategy, doing=doing)
            if dry_run:
                differs = (change.sources, change.policy) != (
                    change.before.sources,
                    change.before.policy,
                )
                return Committed(change.base or b"", change.sources, changed=differs)
            command = f"{operation} {arguments['commit'][:10]}"
            done = change.commit(
                message, operation=operation, arguments=arguments, command=command, author=author
            )
    except ConflictError as error:
        raise ConflictError(
            str(error), hint="nothing was changed; decide with -X ours or -X theirs, or by hand"
        ) from None
    if done.changed:
        checkout.update_copies(repo)
    return done
