"""`dvcs merge`: another revision's changes come into a branch."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands import _voting
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, no_verify_option, rest, with_repo
from dvcs.commands._types import BranchType, RevisionType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.merges.merging import Merged


@declare(
    "merge",
    rest=True,
    examples=(
        "dvcs merge relabel",
        "dvcs merge relabel --dry-run",
        "dvcs merge relabel --strategy theirs -m 'Take the new labels'",
        "dvcs merge relabel --only coco/val",
        "dvcs merge --continue",
        "dvcs merge ann bob eve --quorum 2 -iou 0.6 -g 'person,hand?,head'",
        "dvcs merge ann bob eve --failed drop -o report.json",
        "dvcs merge ./ann ./bob:voc eve.zip -f coco -o merged",
    ),
)
@click.argument("revisions", type=RevisionType(), nargs=-1, metavar="[REV | REV:SOURCE | PATH]...")
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
    type=click.Choice(["three-way", "union", "ours", "theirs", "vote"]),
    help="How to decide conflicts (default three-way: do not; of several: vote).",
)
@click.option("--only", multiple=True, metavar="SELECTOR", help="Merge only SOURCE[/SUBSET[/ID]].")
@click.option("--except", "excluded", multiple=True, metavar="SELECTOR", help="Leave that out.")
@click.option("--ff/--no-ff", "fast_forward", default=True, help="Fast-forward where possible.")
@click.option("--squash", is_flag=True, help="Make a commit with one parent.")
@click.option("--no-commit", is_flag=True, help="Stop before the commit.")
@click.option("--allow-unrelated-histories", "allow_unrelated", is_flag=True, hidden=True)
@no_verify_option
@_voting.vote_options
@dry_run_option
@json_option
def command(
    *,
    revisions: tuple[str, ...],
    output: Path | None,
    format: str | None,
    dry_run: bool,
    as_json: bool,
    **how: Any,
) -> int:
    """
    Merge another revision into a branch, or several by vote.

    Items that one side changed are taken; in items that both changed, annotations are merged one by
    one, and field by field. What both changed differently is a conflict: 'dvcs conflicts' lists
    them, 'dvcs resolve' decides, 'dvcs merge --continue' commits. Until then the branch and the
    working copies are as they were.

    A merge --only of a part (or --except another) has one parent, so that a later merge brings the
    rest.

    Several revisions are merged by vote into one commit, whose first parent is the branch; it votes
    only if it is named ('HEAD'). Annotations that are alike (-iou; 'merge.iou' in dvcs.toml for a
    label) are votes for the same one: it stands if a quorum of those has it who were assigned the
    item, as the most central of its shapes, with the label and attributes that most gave it, and an
    attribute 'agreement'. Votes that fail are conflicts; or, --failed, dropped, or kept as most
    have it. Who removed an item votes against it, and --failed drops none: where images were shared
    out by removing them from branches, --removed keep takes all; --removed drop is how an item goes
    unasked. What was found, and how far the voters agree, is told; -o writes all of it as JSON.

    Datasets on disk ('./path', '/path', a zip; ':FORMAT' says which format) are merged by vote into
    a new one, -o, without a repository; so are revisions where -f is given. Then -o FOLDER also has
    the report, merge_report.json, and the exit code is 1 where anything was found. The own options
    of readers and the writer stand after a lone '--'; each goes to who knows it.
    """
    if how["go_on"] or how["abort"]:
        _voting.refuse("end")
    else:
        mode = _voting.mode_of(revisions, how["strategy"], format)
        if mode == "disk":
            return _voting.merge_on_disk(
                revisions, output=output, format=format, dry_run=dry_run, as_json=as_json, how=how
            )
    if arguments := rest():
        from dvcs.commands import _takers

        _takers.share([], arguments)
    return _in_repository(revisions, output, dry_run=dry_run, as_json=as_json, how=how)


@with_repo
def _in_repository(
    repo: "Repository",
    /,
    revisions: tuple[str, ...],
    output: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    how: dict[str, Any],
) -> int:
    from dvcs.repository.merges import merging

    if how.pop("abort"):
        _alone(revisions, "--abort")
        _abort(repo, dry_run=dry_run, as_json=as_json, how=how)
        return 0
    again = how.pop("go_on")
    if again:
        _alone(revisions, "--continue")
        done = merging.go_on(repo, message=how["message"], dry_run=dry_run)
    elif len(revisions) > 1:
        from dvcs.repository.votes.voting import vote

        if output is not None:
            _voting.check_report(output)
        done = vote(repo, _voting.request_of(revisions, dry_run=dry_run, how=how))
    else:
        done = merging.merge(repo, _request(revisions, dry_run=dry_run, how=how))
    if output is not None and done.votes is not None:
        hint = None if dry_run else "the merge itself was done: see 'dvcs status'"
        _voting.write_report(output, done.votes, hint=hint)
    if as_json:
        ui.emit_json("dvcs.merge/1", _report(repo, done, dry_run=dry_run))
    else:
        _tell(repo, done, dry_run=dry_run, again=again)
    return int(done.status == "conflicts")


def _abort(repo: "Repository", *, dry_run: bool, as_json: bool, how: dict[str, Any]) -> None:
    from dvcs.repository.merges import merging

    if how["go_on"]:
        raise UsageError("--continue and --abort exclude each other", hint="give one of them")
    if dry_run or how["message"] is not None:
        flag = "--dry-run" if dry_run else "--message"
        raise UsageError(f"--abort takes no {flag}", hint=f"leave out {flag}")
    merging.abort(repo)
    ui.say("the merge is given up; everything is as it was")
    if as_json:
        ui.emit_json("dvcs.merge/1", {"status": "aborted"})


def _alone(revisions: tuple[str, ...], option: str) -> None:
    if revisions:
        raise UsageError(f"{option} takes no revision", hint=f"leave out '{revisions[0]}'")


def _request(revisions: tuple[str, ...], *, dry_run: bool, how: dict[str, Any]) -> Any:
    from dvcs.merge import Options
    from dvcs.repository.merges.merging import Request

    if not revisions:
        hint = "see 'dvcs branch', or end a merge with --continue or --abort"
        raise UsageError("which revision?", hint=hint)
    options = {name: how[name] for name in ("threshold", "agree", "strategy")}
    given = {name: value for name, value in options.items() if value is not None}
    names = ("into", "message", "only", "excluded", "fast_forward", "squash", "allow_unrelated")
    return Request(
        revision=revisions[0],
        options=Options(**given),
        commit=not how["no_commit"],
        dry_run=dry_run,
        **{name: how[name] for name in names},
    )


# -- telling -------------------------------------------------------------------------------------


def _report(repo: "Repository", done: "Merged", *, dry_run: bool) -> dict[str, Any]:
    import msgspec

    from dvcs.compare import summary_report
    from dvcs.repository.merges import conflicts

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
        "vote": None if done.votes is None else done.votes.report(),
    }


def _summary(repo: "Repository", done: "Merged") -> Any:
    """
    Return what the merge changed in the branch; None where it changed nothing (yet).

    Of a vote neither: nearly all of it has changed, and what was found says more.
    """
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    if done.ours is None or done.commit == done.ours or done.votes is not None:
        return None
    return summarise(diff(repo, done.ours, done.commit))


def _tell(repo: "Repository", done: "Merged", *, dry_run: bool, again: bool) -> None:
    from dvcs.commands import _conflicts, _labels, _render, _votes
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
    if done.votes is not None and not again:
        _votes.tell(done.votes)
    for text in _counts(done) if done.votes is None else ():
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
        _tell_what_to_do(done, dry_run=dry_run)
    sys.stdout.flush()


def _tell_what_to_do(done: "Merged", *, dry_run: bool) -> None:
    from dvcs.merge.decisions import ITEM_PRESENCE

    if any(one.key == ITEM_PRESENCE for place in done.places for one in place.conflicts):
        ui.hint("where images were shared out by removing the rest, merge with '--removed keep'")
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
        (counts.derived, "between keyframes made anew", "shape"),
    ]
    return [
        f"{ui.plural(count, noun, 'annotations or images' if ' ' in noun else None)} {what}"
        for count, what, noun in lines
        if count
    ]
