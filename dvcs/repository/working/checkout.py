"""
Going to another revision: HEAD and branches move, and clean working copies are rewritten.

Also: a working copy made, in any format; taken back to what it was written from; removed. How all
this survives a kill is told in `carrying.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dvcs import formats
from dvcs.errors import DirtyWorkingCopy, RepositoryError, RevisionNotFound, UsageError
from dvcs.repository.oplog import HEAD, Move
from dvcs.repository.policies import policy, policy_file
from dvcs.repository.policies.policy_file import NAME
from dvcs.repository.refs import HEADS, check_name
from dvcs.repository.snapshot import Snapshot
from dvcs.repository.transaction import Committed
from dvcs.repository.working import copies
from dvcs.repository.working.carrying import (
    CheckedOut,
    attach,
    carry_out,
    finish_pending,
    recover,
    removing,
    rewrite_now,
    towards,
)
from dvcs.repository.working.copies import Copy, CopyChange
from dvcs.repository.working.examining import clean_copies

__all__ = [
    "CheckedOut",
    "checkout",
    "checkout_source",
    "recover",
    "remove_source",
    "require_clean",
    "reset",
    "restore",
    "update_copies",
]

if TYPE_CHECKING:
    from dvcs.repository import Repository


def checkout(
    repo: "Repository",
    target: str,
    *,
    create: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> CheckedOut:
    """
    Go to a branch, or to a revision (HEAD is detached then), and rewrite working copies to it.

    `create` makes a new branch there and goes to it. Copies whose source is the same there keep
    their files and their changes. Raises RevisionNotFound; DirtyWorkingCopy, naming items, where
    changes would be lost and not `force` (then they go to the trash); nothing has changed then.
    """
    with copies.locked(repo):
        finish_pending(repo)
        oid, head = _destination(repo, target, create)
        moves = []
        if create is not None:
            moves.append(Move(HEADS + create, None, oid.hex() if oid else None))
        moves.append(Move(HEAD, _value(repo.refs.head()), _value(head)))
        changes = towards(repo, oid)
        command, before = f"checkout {create or target}", repo.refs.head_commit()
        done = carry_out(repo, command, moves, changes, force=force, dry_run=dry_run, doing=command)
        if not dry_run:
            repo.gate.after_checkout(before, done.commit, moved=True)
        return done


def _destination(
    repo: "Repository", target: str, create: str | None
) -> tuple[bytes | None, str | bytes]:
    """Return the commit to go to, and what HEAD becomes: a branch's full name or a commit."""
    if create is not None:
        check_name(create)
        if repo.refs.read(HEADS + create) is not None:
            raise RepositoryError(
                f"there is a branch '{create}' already", hint=f"go there: dvcs checkout {create}"
            )
        return repo.resolve(target), HEADS + create
    tip = repo.refs.read(HEADS + target)
    if tip is not None:
        return tip, HEADS + target
    if target == repo.refs.head_branch():
        return None, HEADS + target  # a branch without commits
    revision = repo.parse(target)
    if revision.source is not None:
        raise UsageError(
            f"'{target}' names one source",
            hint="say which revision to go to; for one source, 'dvcs checkout SOURCE'",
        )
    return revision.oid, revision.oid


def _value(head: str | bytes) -> str:
    return f"ref: {head}" if isinstance(head, str) else head.hex()


def reset(
    repo: "Repository", revision: str, *, hard: bool = False, dry_run: bool = False
) -> CheckedOut:
    """
    Move the current branch (or a detached HEAD) to a revision.

    Working copies keep their files and what they are compared with; with `hard` they are rewritten,
    and their changes go to the trash. Raises RevisionNotFound.
    """
    with copies.locked(repo):
        finish_pending(repo)
        oid = repo.resolve(revision)
        branch = repo.refs.head_branch()
        old = repo.refs.head_commit()
        if oid != old:
            policy.check_move(repo, branch, f"a reset to '{revision}'")
        name = HEADS + branch if branch else HEAD
        moves = [Move(name, old.hex() if old else None, oid.hex())]
        changes = towards(repo, oid, all_of_them=True) if hard else []
        command = f"reset {'--hard ' if hard else ''}{revision}"
        return carry_out(
            repo,
            command,
            moves,
            changes,
            force=hard,
            dry_run=dry_run,
            doing=command,
            policy="restore" if hard else "keep",
        )


def update_copies(repo: "Repository") -> tuple[str, ...]:
    """
    Bring clean working copies to what HEAD is now, after something moved the branch.

    Returns their sources. Undo takes this back together with what moved the branch. Those with
    changes stay as they are, with what they are compared with; `require_clean` before the branch
    moves keeps that from happening.
    """
    policies = policy_file.look(repo).state, repo.snapshot(repo.refs.head_commit()).policy
    if not copies.load(repo.layout) and policies == ("none", None):
        return ()  # no lock, no write: what has moved the branch cannot fail any more
    with copies.locked(repo):
        finish_pending(repo)
        head = repo.refs.head_commit()
        changes = []
        for change in towards(repo, head, keep_added=True):
            if change.old is not None and not change.old.absent:
                try:
                    clean_copies(repo, [change.old], doing="this")
                except DirtyWorkingCopy:
                    continue
            changes.append(change)
        toml = None
        with suppress(DirtyWorkingCopy):
            target = repo.snapshot(head).policy
            toml = policy_file.plan(repo, target, force=False, doing="this")
        if changes or toml is not None:
            rewrite_now(repo, changes, policy=toml)
            attach(repo, head, changes)
        return tuple(change.old.source for change in changes if change.old is not None)


def require_clean(
    repo: "Repository", sources: Iterable[str] | None = None, *, doing: str = "this"
) -> None:
    """Raise DirtyWorkingCopy where a working copy (of these sources) has changes."""
    recover(repo)
    known = copies.load(repo.layout).values()
    wanted = None if sources is None else set(sources)
    clean_copies(
        repo,
        [
            copy
            for copy in known
            if copy.commit is not None and (wanted is None or copy.source in wanted)
        ],
        doing=doing,
    )


# -- one source ----------------------------------------------------------------------------------


def checkout_source(
    repo: "Repository",
    source: str,
    *,
    into: Path | None = None,
    revision: str = "HEAD",
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    link: str | None = None,
    save_media: bool | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> CheckedOut:
    """
    Write a source's working copy: a new one into a folder, or that which is there anew.

    A new one goes `into` a folder that is empty or not there (default: the source's name), in the
    source's own format unless another is named. A known one takes the given format, options and
    revision, if it has no changes. Raises UsageError, RevisionNotFound, DirtyWorkingCopy.
    """
    with copies.locked(repo):
        finish_pending(repo)
        oid = repo.resolve(revision)
        snapshot = repo.snapshot(oid)
        if source not in snapshot.sources:
            raise RevisionNotFound(
                f"'{revision}' has no source '{source}'",
                hint=f"its sources: {', '.join(snapshot.sources) or 'none'}",
            )
        old = copies.load(repo.layout).get(source)
        if old is None:
            new = _new_copy(repo, snapshot, source, oid, into)
        else:
            if into is not None and copies.place_of(repo, into) != old.path:
                raise UsageError(
                    f"'{source}' has a working copy in '{old.path}' already",
                    hint="a source has one; export another with 'dvcs export'",
                )
            new = msgspec.structs.replace(old, commit=oid.hex(), absent=False, written=True)
        new = _with_wishes(new, format, options, link, save_media=save_media)
        change = CopyChange(old, new)
        command = f"checkout {source}"
        done = carry_out(repo, command, [], [change], force=force, dry_run=dry_run, doing=command)
        return _told(repo, done, dry_run=dry_run)


def _new_copy(
    repo: "Repository", snapshot: Snapshot, source: str, oid: bytes, into: Path | None
) -> Copy:
    info = snapshot.info(source)
    place = copies.check_place(repo, into or repo.root / source, source)
    folder = repo.root / place
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"'{place}' is there and not empty",
            hint="choose another folder with --into, or track that one with 'dvcs add'",
        )
    return Copy(
        source=source,
        path=place,
        format=info.format,
        options=info.options,
        commit=oid.hex(),
        written=True,
    )


def _with_wishes(
    copy: Copy,
    format: str | None,
    options: Mapping[str, Any] | None,
    link: str | None,
    *,
    save_media: bool | None,
) -> Copy:
    fields: dict[str, Any] = {}
    if format is not None:
        fields["format"] = formats.find(format).name
        if fields["format"] != copy.format:
            fields |= {"options": {}, "subset": None}
    if options is not None:
        fields["options"] = dict(options)
    if link is not None:
        fields["link"] = link
    if save_media is not None:
        fields["save_media"] = save_media
    wished = msgspec.structs.replace(copy, **fields)
    if not wished.format:
        raise UsageError(f"'{copy.source}' has no format of its own", hint="name one with --format")
    chosen = formats.find(wished.format)
    if chosen.write is None or chosen.read is None:
        raise UsageError(
            f"dvcs cannot both read and write {chosen.title}",
            hint="choose another format for the working copy with --format",
        )
    return wished


def restore(
    repo: "Repository", sources: Sequence[str] = (), *, dry_run: bool = False
) -> CheckedOut:
    """
    Write working copies (default: all) as their base has them; changes go to the trash.

    `dvcs.toml`, which is one of them, becomes that of HEAD. Raises UsageError for a source without
    a working copy, and for one that is in no commit.
    """
    named = [name for name in sources if name != NAME]
    toml = not sources or len(named) < len(sources)
    with copies.locked(repo):
        finish_pending(repo)
        known = copies.load(repo.layout)
        chosen = [copies.get(repo, name) for name in named]
        if not sources:
            chosen = list(known.values())
        for copy in chosen:
            if sources and copy.commit is None:
                raise UsageError(f"'{copy.source}' is in no commit yet")
        changes = [
            CopyChange(copy, msgspec.structs.replace(copy, written=True))
            for copy in chosen
            if copy.commit is not None and not copy.absent
        ]
        done = carry_out(
            repo,
            "restore",
            [],
            changes,
            force=True,
            dry_run=dry_run,
            doing="restore",
            policy="restore" if toml else "keep",
        )
        return _told(repo, done, dry_run=dry_run)


def _told(repo: "Repository", done: CheckedOut, *, dry_run: bool) -> CheckedOut:
    """Tell hooks of working copies that were written anew while HEAD stayed."""
    if not dry_run:
        repo.gate.after_checkout(done.commit, done.commit, moved=False)
    return done


def remove_source(
    repo: "Repository", name: str, *, message: str | None = None, force: bool = False
) -> Committed:
    """
    Commit without a source; its working copy goes too.

    A copy that is in no commit yet is only forgotten, its files stay. Raises UsageError for an
    unknown source, DirtyWorkingCopy where its copy has changes and not `force`.
    """
    with copies.locked(repo):
        finish_pending(repo)
        copy = copies.load(repo.layout).get(name)
        sources = repo.snapshot(repo.refs.head_commit()).sources
        if name not in sources:
            if copy is None:
                known = ", ".join(sources) or "none"
                raise UsageError(f"there is no source '{name}'", hint=f"sources: {known}")
            copies.forget(repo.layout, name)
            return Committed(repo.refs.head_commit() or b"", dict(sources), changed=False)
        has_files = copy is not None and copy.commit is not None and not copy.absent
        guard = removing(repo, copy, force=force) if copy and has_files else nullcontext()
        with guard, repo.transaction() as change:
            del change.sources[name]
            return change.commit(
                message or f"Remove {name}", operation="remove", arguments={"name": name}
            )
