"""
The versioned policy: whether `dvcs.toml` allows what a new commit changes.

    check           for a commit that was made: everything that it changed from its first parent
    check_forward   for a branch that is to move to a commit that is there already
    check_move      for a branch that is to go back, or away
    audit           all that a commit holds, whoever changed it
    policy_of       what the `dvcs.toml` of a commit says

Both policies must be kept, that of the parent and that of the commit itself: a commit cannot
loosen the rules that it breaks. One that changes `dvcs.toml` and nothing else is always allowed, so
a policy can be changed, and what it changed is one line of history.

Nothing from the repository is executed. Only items that the commit changes are opened; without a
`dvcs.toml` two trees are looked at, nothing else.
"""

from typing import TYPE_CHECKING

from dvcs.errors import InvalidPolicy, PolicyViolation, UsageError
from dvcs.repository.policies.policy_file import NAME
from dvcs.repository.policies.view import View
from dvcs.repository.refs import HEADS
from dvcs.repository.snapshot import Trees

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.policies.text import Policy


def policy_of(repo: "Repository", oid: bytes | None) -> "Policy | None":
    """Return what the policy of a commit says, None where it has none. Raises InvalidPolicy."""
    blob = repo.snapshot(oid).policy
    return None if blob is None else _parsed(repo.store.blob(blob))


def _parsed(data: bytes) -> "Policy":
    from dvcs.repository.policies.text import (
        parse,  # with all rules: most repositories have no policy
    )

    return parse(data)


def check(
    repo: "Repository",
    *,
    branch: str | None,
    parents: tuple[bytes, ...],
    tree: bytes,
    reader: Trees,
) -> None:
    """
    Judge a commit before its branch moves to it; nothing is changed.

    `tree` is the commit's, read through `reader`, which knows what is not published yet; `branch`
    None is a detached HEAD. Raises PolicyViolation naming items and reasons, and InvalidPolicy.
    """
    root = repo.tree_of(parents[0]) if parents else None
    before, after = View(repo.store, reader, root), View(repo.store, reader, tree)
    _judge(repo, before, after, branch=branch, merged=len(parents) != 1)


def check_forward(
    repo: "Repository", *, branch: str | None, tip: bytes | None, tree: bytes, reader: Trees
) -> None:
    """As `check`, for a branch that a merge moves from its tip to a commit, by fast-forward."""
    before = View(repo.store, reader, repo.tree_of(tip))
    _judge(repo, before, View(repo.store, reader, tree), branch=branch, merged=True)


def audit(repo: "Repository", oid: bytes) -> tuple[list[tuple[str, str]], int]:
    """
    Judge all that a commit holds by its own policy, as if it were new.

    Returns places and reasons, the first thousand, and how many there are. Raises InvalidPolicy,
    and UsageError where it has no policy.
    """
    policy = policy_of(repo, oid)
    if policy is None:
        raise UsageError(
            f"{oid.hex()[:10]} has no policy", hint=f"write one into '{NAME}' and commit it"
        )
    from dvcs.repository.policies.judge import applied

    reader = Trees(repo.store)
    before = View(repo.store, reader, None)
    found = applied(repo, before, View(repo.store, reader, repo.tree_of(oid)), [policy])
    return found.kept, found.count


def check_move(repo: "Repository", branch: str | None, doing: str) -> None:
    """Refuse to take a protected branch back, or away. Raises PolicyViolation."""
    tip = repo.refs.read(HEADS + branch) if branch is not None else None
    try:
        policy = policy_of(repo, tip)
    except InvalidPolicy:
        return
    if policy is not None and policy.protects(branch):
        raise PolicyViolation(
            f"'{NAME}' does not allow {doing}: the branch '{branch}' is protected",
            (),
            hint="'dvcs revert' takes a change back by a commit, which a merge brings in;"
            f" to lift the protection, change '{NAME}' on another branch and merge that",
        )


def _judge(
    repo: "Repository", before: View, after: View, *, branch: str | None, merged: bool
) -> None:
    if before.policy is None and after.policy is None:
        return
    alone = before.others == after.others
    old = _old(before, alone=alone)
    new = old
    if before.policy != after.policy:
        new = None if after.policy is None else _parsed(after.reader.blob(after.policy))
    if old is not None and not merged and old.protects(branch):
        raise PolicyViolation(
            f"'{NAME}' does not allow this commit: the branch '{branch}' is protected, and moves by"
            " merges only",
            (),
            hint="commit on another branch ('dvcs checkout -b NAME'), and merge that",
        )
    if not alone:
        from dvcs.repository.policies.judge import applied

        policies = [old] if old is new else [old, new]
        applied(repo, before, after, [one for one in policies if one is not None]).refuse()


def _old(before: View, *, alone: bool) -> "Policy | None":
    if before.policy is None:
        return None
    try:
        return _parsed(before.reader.blob(before.policy))
    except InvalidPolicy as error:
        if alone:
            return None
        raise InvalidPolicy(
            f"{str(error).split(': ', 1)[-1]} (so it stands in the last commit)",
            error.path,
            error.line,
            error.column,
            hint=f"mend '{NAME}', and commit that alone",
        ) from None
