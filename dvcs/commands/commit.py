"""`dvcs commit`: the changes of working copies become a commit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, no_verify_option, with_repo
from dvcs.commands._policy import NAME
from dvcs.commands._types import SourceType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.transaction import Committed

TEMPLATE = """

# Say what was changed, in one line; more lines may follow after an empty one.
# Lines that begin with '#' are left out. Without any text, nothing is committed.
"""


@declare(
    "commit",
    examples=(
        "dvcs commit -m 'Tighter boxes'",
        "dvcs commit -m 'Cats relabelled' coco",
        "dvcs commit -m 'One image' coco/train/000000391895",
        "dvcs commit --dry-run -m x",
    ),
)
@click.argument("what", type=SourceType(), nargs=-1, metavar="[SOURCE | SOURCE/SUBSET/ID]...")
@click.option("-m", "--message", help="What was changed (default: ask in an editor).")
@click.option(
    "--on-conflict",
    type=click.Choice(["refuse", "edited", "kept"]),
    default="refuse",
    show_default=True,
    help="Of edits that the full shape cannot follow: take the edited one, or keep the full.",
)
@no_verify_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    what: tuple[str, ...],
    message: str | None,
    on_conflict: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Record the changes of the working copies.

    All of them, and 'dvcs.toml', or those of some sources or items. There is nothing to stage.
    Where somebody else committed to the source meanwhile, both are merged item by item, or it
    refuses.
    """
    from dvcs.repository.working import copies, worktree

    known = copies.load(repo.layout)
    policy = NAME in what if what else None
    what, named = tuple(one for one in what if one != NAME), bool(what)
    by_source = all(one in known for one in what)
    if message is None and not dry_run:
        message = _asked(repo)
    done = worktree.commit(
        repo,
        message=message or "dry run",
        sources=list(what) if named and by_source else None,
        items=list(what) if what and not by_source else None,
        on_conflict=on_conflict,  # type: ignore[arg-type]
        dry_run=dry_run,
        policy=policy,
    )
    if dry_run:
        sources = [one.partition("/")[0] for one in what] if named else None
        _tell_dry(repo, sources, as_json=as_json, policy=policy is not False)
    else:
        _tell(repo, done, as_json=as_json)


def _asked(repo: "Repository") -> str:
    import sys

    if not sys.stdin.isatty():
        raise UsageError("there is no commit message", hint="give one with -m")
    del repo
    text = click.edit(TEMPLATE) or ""
    kept = [line for line in text.split("\n") if not line.startswith("#")]
    return "\n".join(kept).strip()


def _tell(repo: "Repository", done: "Committed", *, as_json: bool) -> None:
    from dvcs.commands import _labels, _policy, _render
    from dvcs.compare import summarise, summary_report
    from dvcs.repository import identity
    from dvcs.repository.diffing import diff

    if not done.changed:
        if as_json:
            ui.emit_json("dvcs.commit/1", {"commit": None, "changed": False})
        else:
            ui.out("nothing was changed, so there is nothing to commit")
        return
    commit = repo.store.commit(done.oid)
    before = commit.parents[0] if commit.parents else None
    changes = summarise(diff(repo, before, done.oid))
    labels = _labels.between(repo, before, done.oid)
    policy = _policy.word(*_policy.texts(repo, before, done.oid))
    if as_json:
        payload = {
            "commit": done.oid.hex(),
            "changed": True,
            "summary": summary_report(changes),
            "labels": _labels.report(labels),
            "policy": policy,
        }
        ui.emit_json("dvcs.commit/1", payload)
        return
    branch = repo.refs.head_branch() or "no branch"
    ui.out(f"[{ui.paint(branch, 'branch')} {_render.one_line(done.oid, commit)}]")
    if policy is not None:
        ui.out(f"  {NAME} {policy}")
    if policy is None or changes or labels:
        for line in _render.summary_lines(changes, labels):
            ui.out(f"  {line}")
    if identity.is_guessed(repo.layout):
        ui.hint("say who you are with 'dvcs config --global user.name NAME' (and user.email)")


def _tell_dry(
    repo: "Repository", sources: Sequence[str] | None, *, as_json: bool, policy: bool
) -> None:
    from dvcs.commands import _render
    from dvcs.compare import Summary, summary_report
    from dvcs.repository.working import worktree

    chosen = None if sources is None else list(dict.fromkeys(sources))
    found = worktree.status(repo, chosen)
    toml = found.policy.state if policy and found.policy.dirty else None
    total = sum((one.summary for one in found.copies), Summary())
    new = [one.source for one in found.copies if one.state == "added"]
    if as_json:
        payload = {
            "dry_run": True,
            "summary": summary_report(total),
            "new_sources": new,
            "policy": toml,
        }
        ui.emit_json("dvcs.commit/1", payload)
        return
    for name in new:
        ui.out(f"would commit the new source '{name}'")
    labels = {one.source: one.labels for one in found.copies if one.labels}
    if toml:
        ui.out(f"would commit {NAME} ({toml})")
    if total or labels or not (new or toml):
        ui.out(f"would commit {'; '.join(_render.summary_lines(total, labels))}")
    ui.hint("nothing was changed; leave out --dry-run to do it")
