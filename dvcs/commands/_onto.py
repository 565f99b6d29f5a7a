"""What `dvcs import` does and tells where what it gets is an edit of a revision."""

from typing import TYPE_CHECKING, Any

from dvcs import ui
from dvcs.commands import _troubles

if TYPE_CHECKING:
    from dvcs.compare import Summary
    from dvcs.repository import Repository
    from dvcs.repository.importing import Request
    from dvcs.repository.working.onto import BroughtBack
    from dvcs.repository.working.worktree import LabelChanges


def by_stamp(repo: "Repository", request: "Request") -> str | None:
    """Return what the stamp of an export says that it is an edit of; say so."""
    from dvcs.repository.working.stamps import stamped

    onto = stamped(repo, request)
    if onto is not None:
        ui.say(
            f"note: '{request.data}' was exported from '{_short(onto)}': only edits are recorded"
        )
    return onto


def _short(onto: str) -> str:
    from dvcs.commands import _render

    revision, _, name = onto.partition(":")
    return f"{_render.short(bytes.fromhex(revision))}:{name}"


def run(
    repo: "Repository",
    request: "Request",
    onto: str,
    *,
    by_stamp: bool,
    on_conflict: str,
    as_json: bool,
) -> None:
    """Bring back a dataset onto a revision; tell what changed."""
    from dvcs.commands import _labels, _render
    from dvcs.compare import summary_report
    from dvcs.repository.working import copies
    from dvcs.repository.working.onto import import_onto

    before = repo.refs.head_commit()
    done = import_onto(repo, request, onto, rule=on_conflict)  # type: ignore[arg-type]
    changes, by_source = _changes(repo, done, None if request.dry_run else before)
    if as_json:
        payload: dict[str, Any] = {
            "commit": done.committed.oid.hex() if done.committed.changed else None,
            "changed": done.committed.changed,
            "dry_run": request.dry_run,
            "source": done.name,
            "format": done.format,
            "onto": onto,
            "summary": summary_report(changes),
            "labels": _labels.report(by_source),
            "notes": dict(done.notes),
            "errors": list(done.errors),
            "renewed": list(done.renewed),
        }
        ui.emit_json("dvcs.import/1", payload)
        return
    shown = _short(onto) if by_stamp else onto
    if not done.difference:
        ui.out(f"'{request.data}' says what '{shown}' says; nothing to record")
        if by_stamp:
            ui.hint("a source of its own needs a name (-n); --ignore-stamp takes it as it is")
    elif not (done.committed.changed or request.dry_run):
        ui.out(f"what was changed in '{request.data}' is there already; nothing to record")
    else:
        verb = "would bring back" if request.dry_run else "brought back"
        at = ""
        if not request.dry_run:
            at = f" as {ui.paint(_render.short(done.committed.oid), 'commit')}"
        ui.out(f"{verb} '{done.name}' ({done.format}){at}")
        for line in _render.summary_lines(changes, by_source):
            ui.out(f"  {line}")
        for source in done.renewed:
            ui.out(f"  {copies.load(repo.layout)[source].path}: brought up to date")
    _troubles.tell(done.notes, done.errors)
    if request.dry_run and done.difference:
        ui.hint("nothing was changed; leave out --dry-run to do it")


def _changes(
    repo: "Repository", done: "BroughtBack", before: bytes | None
) -> tuple["Summary", dict[str, "LabelChanges"]]:
    """Return what an import changed since `before`; without, what it would change in its base."""
    from dvcs.commands import _labels
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff
    from dvcs.repository.working.worktree import label_changes

    if before is not None:
        oid, names = done.committed.oid, [done.name]
        return summarise(diff(repo, before, oid, sources=names)), _labels.between(
            repo, before, oid, names
        )
    labels = label_changes(done.difference.old_labels, done.difference.labels)
    return summarise(tuple(done.difference.changes())), {done.name: labels} if labels else {}
