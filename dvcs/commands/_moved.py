"""What `checkout`, `restore`, `reset` and `undo` did: where one is now, and what files became."""

from typing import TYPE_CHECKING, Any

from dvcs import ui

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvcs.repository import Repository
    from dvcs.repository.working.carrying import CheckedOut, Rewritten

MOST = 10


def report(done: "Sequence[CheckedOut]", *, dry_run: bool) -> dict[str, Any]:
    """Return where HEAD is and what became of working copies, for `--json`."""
    last = done[-1]
    return {
        "branch": last.branch,
        "commit": last.commit.hex() if last.commit else None,
        "dry_run": dry_run,
        "copies": [one._asdict() for step in done for one in step.copies],
        "policy": next((step.policy for step in reversed(done) if step.policy), None),
    }


def tell(repo: "Repository", done: "Sequence[CheckedOut]", *, dry_run: bool) -> None:
    """Tell where HEAD is and what became of working copies."""
    from dvcs.commands import _render

    last = done[-1]
    if last.moved:
        at = ""
        if last.commit is not None:
            at = f" at {_render.one_line(last.commit, repo.store.commit(last.commit))}"
        verb = "would be" if dry_run else "now"
        if last.branch is not None:
            ui.out(f"{verb} on branch '{last.branch}'{at}")
        else:
            ui.out(f"{verb} on no branch,{at}")
            ui.hint("to keep commits made here, make a branch: dvcs checkout -b NAME")
    elif not any(step.copies or step.policy for step in done):
        ui.out("everything is as it should be")
    for step in done:
        for one in step.copies:
            _tell_copy(one, dry_run=dry_run)
        if step.policy == "kept":
            ui.warn("'dvcs.toml' changed meanwhile and was left")
        elif step.policy:
            ui.out(f"  dvcs.toml: {'would be ' if dry_run else ''}{step.policy}")
    if dry_run:
        ui.hint("nothing was changed; leave out --dry-run to do it")


def _tell_copy(one: "Rewritten", *, dry_run: bool) -> None:
    from dvcs.files.source import STAMP

    parts = []
    written = [path for path in one.written if path != STAMP]
    if written:
        parts.append(f"{ui.plural(len(written), 'file')} written")
    if one.removed:
        parts.append(f"{len(one.removed):,} removed" if parts else f"{_files(one)} removed")
    verb = "would have " if dry_run and parts else ""
    ui.out(f"  {one.path}: {verb}{', '.join(parts) or 'no file changed'}")
    if one.kept:
        ui.warn(
            f"{ui.plural(len(one.kept), 'file')} in '{one.path}' changed meanwhile and were left:"
            f" {ui.listed(one.kept, MOST)}"
        )
    for line in one.losses:
        ui.out(f"    {ui.paint('!', 'warning')} {line}")


def _files(one: "Rewritten") -> str:
    return ui.plural(len(one.removed), "file")
