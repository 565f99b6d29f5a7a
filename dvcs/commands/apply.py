"""`dvcs apply`: a patch of another repository, made a commit here."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, no_verify_option, with_repo
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.patches.applying import Applied

SHOWN = 10
STDIN = "-"


@declare(
    "apply",
    examples=(
        "dvcs apply relabel.patch",
        "dvcs apply --check relabel.patch",
        "dvcs apply --reverse relabel.patch",
        "dvcs apply --source pets=animals relabel.patch",
        "dvcs apply --exact -m 'Relabelled by Bea' relabel.patch",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE")
@click.option("--check", is_flag=True, help="Say whether it can be applied, and do nothing.")
@click.option(
    "--source",
    "renamed",
    multiple=True,
    metavar="OLD=NEW",
    help="The patch's source OLD is called NEW here.",
)
@click.option("-R", "--reverse", is_flag=True, help="Take back what the patch changes.")
@click.option(
    "--3way/--exact",
    "merging",
    default=True,
    help="Merge items that are not here as they were there (default), or refuse.",
)
@click.option(
    "-X",
    "favour",
    type=click.Choice(["ours", "theirs"]),
    help="In conflicts take what is here (ours), or what comes (theirs).",
)
@click.option("-m", "--message", help="What the commit says (default: what the patch says).")
@no_verify_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    file: Path,
    check: bool,
    renamed: tuple[str, ...],
    reverse: bool,
    merging: bool,
    favour: Any,
    message: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """
    Commit what a patch changes.

    FILE is what 'dvcs diff A B --format patch' wrote, here or in a repository that has no commit in
    common with this one; '-' is the standard input, so that a pipe carries it:

     dvcs diff main relabel --format patch | dvcs -C ../other apply -

    The commit has the patch's message and author.

    Items that are here as they were there become what the patch says. Others are merged, annotation
    by annotation; conflicts are listed by 'dvcs conflicts', decided by 'dvcs resolve', and 'dvcs
    cherry-pick --continue' commits. Labels are known by key, else by name. Images do not travel in
    a patch: new items whose images are not here get along without.
    """
    from dvcs.repository.patches.applying import told_lines

    done = repo.apply(
        told_lines(sys.stdin.buffer, "stdin") if str(file) == STDIN else file,
        sources=_names(renamed),
        reverse=reverse,
        exact=not merging,
        strategy=favour or "three-way",
        message=message,
        dry_run=check or dry_run,
    )
    if as_json:
        ui.emit_json("dvcs.apply/1", _report(done, dry_run=check or dry_run))
    else:
        _tell(repo, done, dry_run=check or dry_run)
    return int(done.picks is not None and bool(done.picks.places))


def _names(texts: tuple[str, ...]) -> dict[str, str]:
    """Return what sources of the patch are called here. Raises UsageError."""
    names: dict[str, str] = {}
    for text in texts:
        old, _, new = text.partition("=")
        if not (old and new):
            raise UsageError(f"'{text}' names no two sources", hint="write OLD=NEW, like 'a=b'")
        if names.setdefault(old, new) != new:
            raise UsageError(f"'{old}' would be two sources here", hint="name it once")
    return names


def _report(done: "Applied", *, dry_run: bool) -> dict[str, Any]:
    from dvcs.repository.merges.conflicts import report

    made, header = done.committed, done.patch.header
    return {
        "commit": made.oid.hex() if made.changed and not dry_run else None,
        "changed": made.changed,
        "dry_run": dry_run,
        "from": header.from_,
        "to": header.to,
        "items": {"exact": done.exact, "there": done.done, "merged": list(done.merged)},
        "absent_media": list(done.absent),
        "conflicts": report(done.picks.places) if done.picks is not None else [],
    }


def _tell(repo: "Repository", done: "Applied", *, dry_run: bool) -> None:
    from dvcs.commands import _conflicts, _labels, _render
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    subject = ui.one_line(done.patch.header.message.partition("\n")[0])
    made = done.committed
    if done.picks is not None and done.picks.places:
        ui.out(f"cannot apply '{subject}' without decisions")
        _conflicts.tell(done.picks.places, most=20)
        _conflicts.tell_what_to_do(done.picks.operation)
        return
    if not made.changed:
        ui.out(f"'{subject}' changes nothing here, so there is nothing to commit")
        return
    if dry_run:
        ui.out(f"'{subject}' can be applied without conflicts")
    else:
        commit = repo.store.commit(made.oid)
        branch = repo.refs.head_branch() or "no branch"
        ui.out(f"[{ui.paint(branch, 'branch')} {_render.one_line(made.oid, commit)}]")
        before = commit.parents[0] if commit.parents else None
        labels = _labels.between(repo, before, made.oid) if before else {}
        for line in _render.summary_lines(summarise(diff(repo, before, made.oid)), labels):
            ui.out(f"  {line}")
    _tell_items(done)
    if dry_run:
        ui.hint("nothing was changed; leave out --check or --dry-run to do it")


def _tell_items(done: "Applied") -> None:
    if done.merged:
        count = ui.plural(len(done.merged), "item")
        ui.out(f"  merged with what is here: {count} ({ui.listed(done.merged, SHOWN)})")
    if done.absent:
        ui.warn(
            f"{ui.plural(len(done.absent), 'media file')} of the patch"
            f" {'are' if len(done.absent) > 1 else 'is'} not here; a patch names media by their"
            " SHA-256 only"
        )
        ui.hint("import the images here, and the items have them")
