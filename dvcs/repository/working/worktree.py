"""
The working folder: what is tracked in it, what was changed there, and recording that.

There is no staging area: `commit` records what the working copies say, all of it or chosen sources
and items. A copy is compared with the version that it was written from, never with HEAD; where its
source moved on meanwhile, the changes are merged item by item, or refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from dvcs.compare import ItemChange, Summary, summarise
from dvcs.errors import DvcsError, Locked, RepositoryError, UsageError
from dvcs.files.folders import IGNORED_FOLDERS
from dvcs.model import Dataset, Labels
from dvcs.projection import Rule
from dvcs.repository.policies import policy_file
from dvcs.repository.transaction import Committed
from dvcs.repository.working import copies, ignore
from dvcs.repository.working.carrying import finish_pending, recover, rewrite_now
from dvcs.repository.working.copies import Copy, CopyChange
from dvcs.repository.working.difference import ItemConflict
from dvcs.repository.working.examining import Examined, State, examine
from dvcs.repository.working.reading import Reading
from dvcs.repository.working.recording import record
from dvcs.repository.working.tracking import add, track_imported, untrack

if TYPE_CHECKING:
    from dvcs.repository import Repository

__all__ = [
    "CopyStatus",
    "LabelChanges",
    "Status",
    "add",
    "commit",
    "dataset_of",
    "label_changes",
    "status",
    "track_imported",
    "untrack",
]


class LabelChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changed in a list of labels; `changed` are those of which more than the name did."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.renamed or self.changed)


class CopyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """
    One working copy.

    `state` is `clean`, `changed`, `added` (tracked, in no commit yet), `missing` (the folder is
    gone), `absent` (HEAD does not have the source) or `unreadable` (see `error`). `behind`: HEAD
    has another version of the source than the one that the copy was written from. `unread` are
    files that the format makes nothing of; they are left alone. Changes come as items' changes,
    and as numbers in `summary`.
    """

    source: str
    path: str
    format: str
    state: Literal["clean", "changed", "added", "missing", "absent", "unreadable"]
    base: str | None = None
    behind: bool = False
    changes: tuple[ItemChange, ...] = ()
    summary: Summary = Summary()
    labels: LabelChanges = LabelChanges()
    metadata_changed: bool = False
    conflicts: tuple[ItemConflict, ...] = ()
    unread: tuple[str, ...] = ()
    error: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """
    The state of the working folder.

    `branch` is None where HEAD is detached, `head` (hex) where there is no commit. `unfinished`
    says what keeps a rewrite of working copies from its end. `untracked` are folders beside the
    working copies, which could be added. `policy` is about `dvcs.toml`.
    """

    branch: str | None
    head: str | None
    copies: tuple[CopyStatus, ...]
    unfinished: str = ""
    untracked: tuple[str, ...] = ()
    policy: policy_file.Look = policy_file.Look("none", None, None)

    @property
    def clean(self) -> bool:
        """Whether nothing is left to commit, to write or to decide."""
        states = all(one.state in ("clean", "absent") for one in self.copies)
        return states and not self.unfinished and not self.policy.dirty


# -- status --------------------------------------------------------------------------------------


def status(repo: "Repository", sources: Iterable[str] | None = None) -> Status:
    """
    Return what was changed in the working copies (of these sources) since they were written.

    A rewrite that was killed is finished first. A folder in which no file was touched costs a stat
    a file; else it is read. Raises UsageError for a source without a working copy.
    """
    unfinished = ""
    try:
        recover(repo, patience=0)
    except Locked:
        unfinished = "another process is writing working copies"
    except (DvcsError, OSError) as error:
        what = copies.pending(repo.layout)
        unfinished = f"'{what.command if what else 'a checkout'}' is not finished: {error}"
    known = copies.load(repo.layout)
    chosen = known.values() if sources is None else [copies.get(repo, one) for one in sources]
    head = repo.refs.head_commit()
    here = repo.snapshot(head).sources
    return Status(
        branch=repo.refs.head_branch(),
        head=None if head is None else head.hex(),
        copies=tuple(_status(repo, copy, here) for copy in chosen),
        unfinished=unfinished,
        untracked=tuple(_untracked(repo, known.values())),
        policy=policy_file.look(repo),
    )


def _status(repo: "Repository", copy: Copy, here: Mapping[str, Any]) -> CopyStatus:
    common: dict[str, Any] = {
        "source": copy.source,
        "path": copy.path,
        "format": copy.format,
        "base": copy.commit,
    }
    if copy.commit is not None and not copy.absent:
        common["behind"] = here.get(copy.source) != copies.base_tree(repo, copy)
    try:
        found = examine(repo, copy)
    except DvcsError as error:
        return CopyStatus(**common, state="unreadable", error=str(error))
    state: State = found.state
    unread = tuple(found.reading.unread) if state in ("clean", "changed") else ()
    if found.difference is None:
        return CopyStatus(**common, state=state, unread=unread)
    changes = tuple(found.difference.changes())
    return CopyStatus(
        **common,
        state=state,
        changes=changes,
        summary=summarise(changes),
        labels=label_changes(found.difference.old_labels, found.difference.labels),
        metadata_changed=found.difference.metadata is not None,
        conflicts=found.difference.conflicts,
        unread=unread,
    )


def label_changes(old: Labels, new: Labels) -> LabelChanges:
    """Return what changed from one list of labels to another; labels are the same by key."""
    before = {one.key: one for one in old}
    after = {one.key: one for one in new}
    both = [(before[key], one) for key, one in after.items() if key in before]
    return LabelChanges(
        added=tuple(one.name for key, one in after.items() if key not in before),
        removed=tuple(one.name for key, one in before.items() if key not in after),
        renamed=tuple((a.name, b.name) for a, b in both if a.name != b.name),
        changed=tuple(b.name for a, b in both if msgspec.structs.replace(a, name=b.name) != b),
    )


def _untracked(repo: "Repository", known: Iterable[Copy]) -> list[str]:
    """Return the folders in the root that hold no working copy, and could be one."""
    rules = ignore.load(repo.root, repo.root)
    places = [copy.path for copy in known]
    found = []
    with suppress(OSError):
        for entry in sorted(repo.root.iterdir()):
            name = entry.name
            if name in IGNORED_FOLDERS or name.startswith(".") or entry.is_symlink():
                continue
            if not entry.is_dir() or rules.ignores(name, folder=True):
                continue
            if not any(one == name or one.startswith(f"{name}/") for one in places):
                found.append(name)
    return found


# -- committing ----------------------------------------------------------------------------------


def commit(
    repo: "Repository",
    *,
    message: str,
    sources: Sequence[str] | None = None,
    items: Sequence[str] | None = None,
    on_conflict: Rule = "refuse",
    dry_run: bool = False,
    policy: bool | None = None,
) -> Committed:
    """
    Record the changes of working copies (all, or of some sources or items) on the current branch.

    `policy` says whether `dvcs.toml` goes with them, if it was changed (default: where neither
    sources nor items are chosen). `items` are `source/subset/id`, or the beginning of that up to a
    `/`. Nothing changed: `changed` is False and there is no commit. Raises UsageError for a source
    without a working copy and for an item that was not changed; ConflictError for edits that cannot
    be brought back, unless `on_conflict` says what becomes of them; BranchMoved where the branch
    changed the same items meanwhile; PolicyViolation, InvalidPolicy, HookRefused; and what reading
    the folders raises. Nothing is recorded then.
    """
    whole = sources is None and items is None
    with copies.locked(repo):
        finish_pending(repo)
        found = _found(repo, sources, items, on_conflict)
        if items is not None:
            found = [_selected(one, items) for one in found]
            _refuse_unknown(found, items)
        changed = [one for one in found if one.state in ("changed", "added")]
        for one in changed:
            if one.difference is not None:
                one.difference.refuse_conflicts()
        head = repo.refs.head_commit()
        done = Committed(head or b"", dict(repo.snapshot(head).sources), changed=False)
        if dry_run:
            return done
        ruled = on_conflict != "refuse"
        toml = policy_file.look(repo) if policy or (policy is None and whole) else None
        if toml is not None and not toml.dirty:
            toml = None
        if changed or toml is not None:
            partial = items is not None
            done = record(repo, changed, message, partial=partial, settled=not ruled, policy=toml)
        if ruled and items is None:
            _follow_rule(repo, [one.copy.source for one in found])
        return done


def _follow_rule(repo: "Repository", sources: Sequence[str]) -> None:
    """Have files say what was decided about conflicts; the edits go to the trash."""
    known = copies.load(repo.layout)
    chosen = [known[source] for source in sources]
    written = [copy for copy in chosen if copy.written and not copy.absent]
    rewrite_now(repo, [CopyChange(copy, copy) for copy in written], force=True)


def _found(
    repo: "Repository",
    sources: Sequence[str] | None,
    items: Sequence[str] | None,
    rule: Rule,
) -> list[Examined]:
    known = copies.load(repo.layout)
    if items is not None:
        wanted = [one for one in known.values() if _is_asked(one.source, items)]
    elif sources is None:
        wanted = list(known.values())
    else:
        wanted = [copies.get(repo, one) for one in dict.fromkeys(sources)]
    found = [examine(repo, copy, rule=rule) for copy in wanted]
    for one in found:
        if one.state == "missing" and sources is not None:
            raise RepositoryError(
                f"the working copy of '{one.copy.source}' is missing: '{one.copy.path}'",
                hint=f"bring it back with 'dvcs restore {one.copy.source}', or remove the source"
                f" with 'dvcs remove {one.copy.source}'",
            )
    return found


def _is_asked(source: str, items: Sequence[str]) -> bool:
    return any(one == source or one.startswith(f"{source}/") for one in items)


def _selected(found: Examined, items: Sequence[str]) -> Examined:
    """Return only those changes of a copy that are asked for."""
    if found.difference is None:
        return found
    source = found.copy.source
    chosen = tuple(
        one
        for one in found.difference.items
        if any(_names(source, one.old, one.before, text) for text in items)
        or any(_names(source, one.new, one.after, text) for text in items)
    )
    names = {(one.before or one.after).id for one in chosen}  # type: ignore[union-attr]
    conflicts = tuple(one for one in found.difference.conflicts if one.id in names)
    return found._replace(
        difference=found.difference._replace(items=chosen, conflicts=conflicts),
        state="changed" if chosen else "clean",
    )


def _names(source: str, name: Any, item: Any, text: str) -> bool:
    if name is None or item is None:
        return False
    full = f"{source}/{name[0]}/{item.id}"
    return full == text or full.startswith(f"{text.rstrip('/')}/")


def _refuse_unknown(found: Sequence[Examined], items: Sequence[str]) -> None:
    for text in items:
        if not any(
            one.state == "added"
            or any(
                _names(one.copy.source, each.old, each.before, text)
                or _names(one.copy.source, each.new, each.after, text)
                for each in (one.difference.items if one.difference is not None else ())
            )
            for one in found
            if _is_asked(one.copy.source, [text])
        ):
            raise UsageError(
                f"nothing was changed in '{text}'",
                hint="items are SOURCE/SUBSET/ID; 'dvcs status' lists those that were changed",
            )


def dataset_of(repo: "Repository", source: str) -> Dataset:
    """
    Return the working copy of a source as a dataset, just as its files are now.

    Raises UsageError where there is none, and what reading raises.
    """
    recover(repo)
    reading = Reading(repo, copies.get(repo, source))
    return reading.dataset()
