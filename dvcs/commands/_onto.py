"""What `dvcs import --onto` does and tells."""

from typing import TYPE_CHECKING, Any

from dvcs import ui
from dvcs.commands import _troubles

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.importing import Request


def run(
    repo: "Repository", request: "Request", onto: str, *, on_conflict: str, as_json: bool
) -> None:
    """Bring back a dataset onto a revision; tell what changed."""
    from dvcs.commands import _labels, _render
    from dvcs.compare import summarise, summary_report
    from dvcs.repository.working.onto import import_onto
    from dvcs.repository.working.worktree import label_changes

    done = import_onto(repo, request, onto, rule=on_conflict)  # type: ignore[arg-type]
    changes = summarise(tuple(done.difference.changes()))
    labels = label_changes(done.difference.old_labels, done.difference.labels)
    by_source = {done.name: labels} if labels else {}
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
        }
        ui.emit_json("dvcs.import/1", payload)
        return
    if not done.difference:
        ui.out(f"'{request.data}' says what '{onto}' says; nothing to record")
    else:
        verb = "would bring back" if request.dry_run else "brought back"
        at = ""
        if not request.dry_run:
            at = f" as {ui.paint(_render.short(done.committed.oid), 'commit')}"
        ui.out(f"{verb} '{done.name}' ({done.format}){at}")
        for line in _render.summary_lines(changes, by_source):
            ui.out(f"  {line}")
    _troubles.tell(done.notes, done.errors)
    if request.dry_run:
        ui.hint("nothing was changed; leave out --dry-run to do it")
