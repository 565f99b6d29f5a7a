"""`dvcs restore`: working copies as they were, or a part of another revision."""

from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, no_verify_option, with_repo
from dvcs.commands._types import RevisionType, SourceType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.restores.restoring import Restored


@declare(
    "restore",
    examples=(
        "dvcs restore coco",
        "dvcs restore --dry-run",
        "dvcs restore --from delivery coco/val",
        "dvcs restore --from delivery 'coco/train/street_*' coco/train/000042#17",
        "dvcs restore --from delivery --label cat --label dog",
        "dvcs restore --from v1.0 -e \"/item/annotation[area < 20]\" -m 'Small boxes as before'",
    ),
)
@click.argument("names", type=SourceType(), nargs=-1, metavar="[SOURCE | ITEM[#KEY]]...")
@click.option("--from", "revision", type=RevisionType(), metavar="REV", help="Take a part of REV.")
@click.option("-e", "--filter", "expression", metavar="XPATH", help="Take what this finds.")
@click.option("--label", "labels", multiple=True, metavar="L", help="Take annotations of a label.")
@click.option("-m", "--message", help="What the commit says.")
@no_verify_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    names: tuple[str, ...],
    revision: str | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """
    Take back the changes of working copies, or a part of another revision.

    Without --from, working copies (default: all) are written as they were when they were last
    committed or written. What is given up goes to the trash for a while, and 'dvcs undo' does not
    bring it back.

    With --from, a commit is made here with chosen parts of what REV says. Items by name
    (SOURCE[/SUBSET[/ID]], also with *) become what they are in REV, and go where REV does not have
    them. ITEM#KEY is one annotation: by its id, or its number (#n3) as conflicts name it. With -e
    or --label, only what is found is taken: items, or annotations in place of those here that they
    are paired with or that are found too, which keep their ids. The other annotations stay as they
    are here. Labels that are needed are added.
    """
    if revision is None:
        _take_back(repo, names, options, dry_run=dry_run, as_json=as_json)
        return
    done = repo.restore_from(revision, *names, dry_run=dry_run, **options)
    if as_json:
        ui.emit_json("dvcs.restore/1", _report(done, dry_run=dry_run))
    else:
        _tell(repo, done, revision, dry_run=dry_run)


def _take_back(
    repo: "Repository",
    sources: tuple[str, ...],
    options: dict[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    from dvcs.commands._moved import report, tell
    from dvcs.repository.working import checkout

    if any(options.values()):
        raise UsageError("this is for a part of a revision", hint="say which one with --from REV")
    done = [checkout.restore(repo, sources, dry_run=dry_run)]
    if as_json:
        ui.emit_json("dvcs.restore/1", report(done, dry_run=dry_run))
    else:
        tell(repo, done, dry_run=dry_run)


def _report(done: "Restored", *, dry_run: bool) -> dict[str, Any]:
    from dvcs.compare import summary_report

    made = done.committed
    return {
        "commit": made.oid.hex() if made.changed and not dry_run else None,
        "changed": made.changed,
        "dry_run": dry_run,
        "summary": summary_report(done.summary),
        "labels_added": list(done.labels),
    }


def _tell(repo: "Repository", done: "Restored", revision: str, *, dry_run: bool) -> None:
    from dvcs.commands import _render

    if not done.committed.changed:
        ui.out(f"in what is asked for, nothing differs from '{revision}'; nothing to commit")
        return
    if not dry_run:
        branch = repo.refs.head_branch() or "no branch"
        commit = repo.store.commit(done.committed.oid)
        line = _render.one_line(done.committed.oid, commit)
        ui.out(f"[{ui.paint(branch, 'branch')} {line}]")
    for line in _render.summary_lines(done.summary):
        ui.out(f"  {line}")
    if done.labels:
        ui.out(f"  labels added: {ui.listed(done.labels, 10)}")
    if dry_run:
        ui.hint("nothing was changed; leave out --dry-run to do it")
