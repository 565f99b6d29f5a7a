"""`dvcs merge`: another revision's changes come into a branch."""

import sys
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, with_repo
from dvcs.commands._types import BranchType, RevisionType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.merging import Merged


@declare(
    "merge",
    examples=(
        "dvcs merge relabel",
        "dvcs merge relabel --dry-run",
        "dvcs merge relabel --strategy theirs -m 'Take the new labels'",
        "dvcs merge relabel --only coco/val",
        "dvcs merge --continue",
    ),
)
@click.argument("revisions", type=RevisionType(), nargs=-1, metavar="[REV | REV:SOURCE]")
@click.option("--continue", "go_on", is_flag=True, help="Commit the merge under way.")
@click.option("--abort", is_flag=True, help="Give up the merge under way.")
@click.option("--into", type=BranchType(), help="Merge into this branch (default: the current).")
@click.option("-m", "--message", help="The message of the commit.")
@click.option(
    "-iou",
    "--iou-thresh",
    "threshold",
    metavar="T",
    type=click.FloatRange(0, 1),
    help="How alike two annotations must be to be the same one (default: 0.5).",
)
@click.option(
    "--agree-thresh",
    "agree",
    metavar="T",
    type=click.FloatRange(0, 1),
    help="How alike two results must be to be one (default: 0.9).",
)
@click.option(
    "--strategy",
    "-s",
    type=click.Choice(["three-way", "union", "ours", "theirs"]),
    help="How to decide conflicts (default three-way: do not).",
)
@click.option("--only", multiple=True, metavar="SELECTOR", help="Merge only SOURCE[/SUBSET[/ID]].")
@click.option("--except", "excluded", multiple=True, metavar="SELECTOR", help="Leave that out.")
@click.option("--ff/--no-ff", "fast_forward", default=True, help="Fast-forward where possible.")
@click.option("--squash", is_flag=True, help="Make a commit with one parent.")
@click.option("--no-commit", is_flag=True, help="Stop before the commit.")
@click.option("--allow-unrelated-histories", "allow_unrelated", is_flag=True, hidden=True)
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    revisions: tuple[str, ...],
    go_on: bool,
    abort: bool,
    message: str | None,
    as_json: bool,
    dry_run: bool,
    **how: Any,
) -> int:
    """
    Bring the changes of another revision into a branch.

    Items that one side changed are taken; in items that both changed, annotations are merged one by
    one, and field by field. What both changed differently is a conflict: 'dvcs conflicts' lists
    them, 'dvcs resolve' decides, 'dvcs merge --continue' commits. Until then the branch and the
    working copies are as they were.

    A merge --only of a part (or --except another) has one parent, so that a later merge brings the
    rest.
    """
    from dvcs.repository import merging

    if abort:
        _alone(revisions, "--abort")
        merging.abort(repo)
        ui.say("the merge is given up; everything is as it was")
        return 0
    if go_on:
        _alone(revisions, "--continue")
        done = merging.go_on(repo, message=message, dry_run=dry_run)
    else:
        done = merging.merge(repo, _request(revisions, message, dry_run=dry_run, how=how))
    if as_json:
        ui.emit_json("dvcs.merge/1", _report(repo, done, dry_run=dry_run))
    else:
        _tell(repo, done, dry_run=dry_run)
    return int(done.status == "conflicts")


def _alone(revisions: tuple[str, ...], option: str) -> None:
    if revisions:
        raise UsageError(f"{option} takes no revision", hint=f"leave out '{revisions[0]}'")


def _request(
    revisions: tuple[str, ...], message: str | None, *, dry_run: bool, how: dict[str, Any]
) -> Any:
    from dvcs.merge import Options
    from dvcs.repository.merging import Request

    if len(revisions) != 1:
        many = "merge one revision at a time" if revisions else "which revision?"
        raise UsageError(many, hint="see 'dvcs branch', or end a merge with --continue or --abort")
    names = ("threshold", "agree", "strategy")
    options = {name: how.pop(name) for name in names}
    given = {name: value for name, value in options.items() if value is not None}
    commit = not how.pop("no_commit")
    return Request(
        revision=revisions[0],
        message=message,
        options=Options(**given),
        commit=commit,
        dry_run=dry_run,
        **how,
    )


# -- telling -------------------------------------------------------------------------------------


def _report(repo: "Repository", done: "Merged", *, dry_run: bool) -> dict[str, Any]:
    import msgspec

    from dvcs.compare import summary_report
    from dvcs.repository import conflicts

    found = _summary(repo, done)
    return {
        "status": done.status,
        "branch": done.branch,
        "commit": done.commit.hex(),
        "theirs": done.theirs.hex(),
        "dry_run": dry_run,
        "counts": msgspec.to_builtins(done.counts),
        "summary": None if found is None else summary_report(found),
        "conflicts": conflicts.report(done.places),
    }


def _summary(repo: "Repository", done: "Merged") -> Any:
    """Return what the merge changed in the branch; None where it changed nothing (yet)."""
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    if done.ours is None or done.commit == done.ours:
        return None
    return summarise(diff(repo, done.ours, done.commit))


def _tell(repo: "Repository", done: "Merged", *, dry_run: bool) -> None:
    from dvcs.commands import _conflicts, _labels, _render
    from dvcs.files.source import STAMP

    if done.status == "up to date":
        ui.out("already up to date")
        return
    would = "would be " if dry_run else ""
    if done.status in ("fast-forward", "merged") and not dry_run:
        line = _render.one_line(done.commit, repo.store.commit(done.commit))
        ahead = "fast-forward to " if done.status == "fast-forward" else ""
        ui.out(f"[{ui.paint(done.branch or 'no branch', 'branch')} {ahead}{line}]")
        found = _summary(repo, done)
        if found is not None:
            labels = _labels.between(repo, done.ours, done.commit)
            for text in _render.summary_lines(found, labels):
                ui.out(f"  {text}")
    elif done.status == "fast-forward":
        ui.out(f"{would}a fast-forward to {_render.short(done.theirs)}")
    elif done.status == "merged":
        ui.out(f"{would}merged without conflicts")
    for text in _counts(done):
        ui.out(f"  {text}")
    for copy in done.copies:
        written = [path for path in copy.written if path != STAMP]
        count = ui.plural(len(written) + len(copy.removed), "file")
        ui.out(f"  {copy.path}: {count} brought up to date")
    if done.status == "ready":
        ui.out("merged without conflicts, and not committed")
        ui.hint("commit it with 'dvcs merge --continue', give it up with 'dvcs merge --abort'")
    if done.status == "conflicts":
        _conflicts.tell(done.places, most=20)
        _tell_what_to_do(dry_run=dry_run)
    sys.stdout.flush()


def _tell_what_to_do(*, dry_run: bool) -> None:
    if dry_run:
        ui.hint("nothing was changed; leave out --dry-run to do it")
        return
    ui.hint("see them with 'dvcs conflicts'")
    ui.hint("decide: 'dvcs resolve ITEM[#KEY] --ours' (or --theirs, --base, --union, --value)")
    ui.hint("then 'dvcs merge --continue'; or give it up with 'dvcs merge --abort'")


def _counts(done: "Merged") -> list[str]:
    counts = done.counts
    lines = [
        (counts.taken, "taken from theirs", "item"),
        (counts.merged, "that both sides changed merged", "item"),
        (counts.settled, "that both sides moved alike settled, as ours", "shape"),
        (counts.united, "that both sides added united", "object"),
        (counts.renumbered, "of theirs given another number", "annotation or image"),
        (counts.filled, "whose media facts were learnt", "item"),
        (counts.dropped, "dropped with their deleted label", "annotation"),
    ]
    return [
        f"{ui.plural(count, noun, 'annotations or images' if ' ' in noun else None)} {what}"
        for count, what, noun in lines
        if count
    ]
