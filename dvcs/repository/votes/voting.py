"""
Merging several annotators' revisions by vote: one commit, with all of them as its parents.

    vote        begin one; commit it, or keep its failed votes as conflicts

It goes on, and is given up, as any merge (`merges/`): failed votes are conflicts like others, and
the whole is computed anew from the voters and the decisions so far (`round.py`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from dvcs.errors import RepositoryError, RevisionNotFound, UsageError
from dvcs.merge import Counts
from dvcs.repository.history import is_ancestor, merge_bases
from dvcs.repository.merges.merging import Merged, check_selection, require_clean, run, tip_of
from dvcs.repository.merges.underway import Merging, refuse_second, settle
from dvcs.repository.votes.plan import MAJORITY, Seat, Voting, check_votes, plain
from dvcs.repository.working import copies
from dvcs.repository.working.carrying import finish_pending
from dvcs.vote import Options

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.revisions import Revision


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to merge by vote and how.

    `revisions` vote; HEAD does only if it is one of them. All may name one source (`REV:SOURCE`):
    then only that is merged. The rest is as for `merging.Request`.
    """

    revisions: tuple[str, ...]
    options: Options = Options(quorum=MAJORITY)
    into: str | None = None
    message: str | None = None
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    squash: bool = False
    commit: bool = True
    dry_run: bool = False
    allow_unrelated: bool = False


def vote(repo: "Repository", request: Request) -> Merged:
    """
    Merge what voters agree on into a branch; its tip is the first parent, whether it votes or not.

    Ties go to the first voter: our side if it votes, else the first named. Raises UsageError where
    fewer than two vote or options name nothing, and as `merging.merge`; nothing has changed then.
    """
    with copies.locked(repo):
        finish_pending(repo)
        settle(repo)
        refuse_second(repo)
        branch = request.into if request.into is not None else repo.refs.head_branch()
        ours = tip_of(repo, branch)
        if ours is None:
            raise RevisionNotFound(
                f"there is no branch '{branch}'"
                if request.into is not None
                else "the current branch has no commit yet",
                hint=f"begin it at a voter's: 'dvcs checkout -b NAME {request.revisions[0]}'"
                if request.revisions
                else None,
            )
        found = [repo.parse(one) for one in request.revisions]
        request, names = _named(request, found)
        check_votes(request.options, names)
        seats = tuple(
            Seat(name=name, commit=one.oid.hex()) for name, one in zip(names, found, strict=True)
        )
        for one in found:
            check_selection(repo, request.only, request.excluded, one.oid)
        fresh = [one.oid for one in found if not is_ancestor(repo.store, one.oid, ours)]
        if not fresh:
            return Merged("up to date", branch, ours, ours, found[0].oid, Counts())
        _check_related(repo, request, ours, found)
        merging = Merging(
            ours=ours.hex(),
            theirs=fresh[0].hex(),
            revision=_listed(names),
            branch=branch,
            message=request.message,
            only=request.only,
            excluded=request.excluded,
            squash=request.squash,
            heads=tuple(one.oid.hex() for one in found),
            voting=plain(Voting(seats=seats, options=request.options)),
        )
        require_clean(repo, merging)
        return run(repo, merging, commit=request.commit, dry_run=request.dry_run)


def _named(request: Request, found: Sequence["Revision"]) -> tuple[Request, list[str]]:
    """Return the request with the one source that all name, and what the voters are called."""
    sources = {one.source for one in found}
    if sources in (set(), {None}):
        return request, list(request.revisions)
    if len(sources) > 1:
        raise UsageError(
            "the voters name different sources",
            hint="name the same one everywhere; or write a dataset: add '-o FOLDER -f FORMAT'",
        )
    (source,) = sources
    suffix = f":{source}"
    names = [one.removesuffix(suffix) for one in request.revisions]
    only = (*request.only, *(one for one in sources if one is not None))
    return msgspec.structs.replace(request, only=only), names


def _check_related(
    repo: "Repository", request: Request, ours: bytes, found: Sequence["Revision"]
) -> None:
    if request.allow_unrelated:
        return
    for name, one in zip(request.revisions, found, strict=True):
        if not merge_bases(repo.store, ours, one.oid):
            raise RepositoryError(
                f"'{name}' has no common history with this branch",
                hint="merge it all the same with --allow-unrelated-histories",
            )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
