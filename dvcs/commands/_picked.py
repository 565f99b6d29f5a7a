"""What `revert` and `cherry-pick` share: options, and how the new commit is told."""

from typing import TYPE_CHECKING, Any

import click

from dvcs import ui

if TYPE_CHECKING:
    from dvcs.repository import Committed, Repository

mainline_option = click.option(
    "-m", "--mainline", type=click.IntRange(min=1), help="Of a merge: compare it with this parent."
)
favour_option = click.option(
    "-X",
    "favour",
    type=click.Choice(["ours", "theirs"]),
    help="In conflicts take what is here (ours), or what comes (theirs).",
)


def report(repo: "Repository", done: "Committed", *, dry_run: bool) -> dict[str, Any]:
    """Return what was committed, for `--json`."""
    from dvcs.commands import _labels
    from dvcs.compare import summarise, summary_report
    from dvcs.repository.diffing import diff

    if not done.changed or dry_run:
        return {"commit": None, "changed": done.changed, "dry_run": dry_run}
    before = repo.store.commit(done.oid).parents[0]
    return {
        "commit": done.oid.hex(),
        "changed": True,
        "dry_run": False,
        "summary": summary_report(summarise(diff(repo, before, done.oid))),
        "labels": _labels.report(_labels.between(repo, before, done.oid)),
    }


def tell(repo: "Repository", done: "Committed", revision: str, *, dry_run: bool, verb: str) -> None:
    """Tell what was committed."""
    from dvcs.commands import _labels, _render
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    if not done.changed:
        ui.out(f"'{revision}' changes nothing here, so there is nothing to {verb}")
        return
    if dry_run:
        ui.out(f"'{revision}' can be {verb}ed without conflicts")
        ui.hint("nothing was changed; leave out --dry-run to do it")
        return
    commit = repo.store.commit(done.oid)
    branch = repo.refs.head_branch() or "no branch"
    ui.out(f"[{ui.paint(branch, 'branch')} {_render.one_line(done.oid, commit)}]")
    labels = _labels.between(repo, commit.parents[0], done.oid)
    for line in _render.summary_lines(summarise(diff(repo, commit.parents[0], done.oid)), labels):
        ui.out(f"  {line}")
