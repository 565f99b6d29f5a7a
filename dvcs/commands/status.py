"""`dvcs status`: what was changed in the working copies, and what to do next."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dvcs import ui
from dvcs.commands import _policy
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import SourceType

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.working.worktree import CopyStatus, Status
    from dvcs.stats import Info

MOST = 10
WORDS = {
    "clean": "no changes",
    "changed": "changed",
    "added": "new, in no commit yet",
    "missing": "its folder is gone",
    "absent": "not in this revision",
    "unreadable": "cannot be read",
}


@declare("status", examples=("dvcs status", "dvcs status coco", "dvcs status --json"))
@click.argument("sources", type=SourceType(), nargs=-1, metavar="[SOURCE]...")
@json_option
@with_repo
def command(repo: "Repository", /, *, sources: tuple[str, ...], as_json: bool) -> None:
    """
    Show what was changed in the working copies.

    A working copy is compared with what it was last committed or written as, annotation by
    annotation. Where no file was touched, none is read.
    """
    from dvcs.repository.working import worktree

    found = worktree.status(repo, sources or None)
    found = msgspec.structs.replace(found, untracked=tuple(_untracked(repo, found)))
    new = {one.source: _contents(repo, one) for one in found.copies if one.state == "added"}
    if as_json:
        ui.emit_json("dvcs.status/1", {**_report(found, new), "merge": _under_way(repo)})
    else:
        ui.page(_lines(repo, found, new))
        _tell_what_next(found)


def _untracked(repo: "Repository", found: "Status") -> Iterator[str]:
    """Yield the folders that are not tracked and are no exports."""
    from dvcs.files.source import STAMP

    for name in found.untracked:
        if not (repo.root / name / STAMP).is_file():
            yield name


def _contents(repo: "Repository", one: "CopyStatus") -> "Info":
    from dvcs.errors import DvcsError
    from dvcs.repository.working import worktree
    from dvcs.stats import Info, summarise

    try:
        return summarise(worktree.dataset_of(repo, one.source))
    except DvcsError as error:
        ui.warn(f"'{one.source}' cannot be read: {error}")
        return Info()


def _report(found: "Status", new: "dict[str, Info]") -> dict[str, Any]:
    return {
        "branch": found.branch,
        "head": found.head,
        "clean": found.clean,
        "unfinished": found.unfinished or None,
        "untracked": list(found.untracked),
        "policy": _policy.state(found.policy),
        "sources": {one.source: _copy_report(one, new.get(one.source)) for one in found.copies},
    }


def _copy_report(one: "CopyStatus", new: "Info | None") -> dict[str, Any]:
    items, notes = msgspec.structs.asdict(one.summary.items), one.summary.annotations
    annotations = {name: getattr(notes, name) for name in ("added", "removed", "changed")}
    if new is not None:
        items["added"], annotations["added"] = new.items, new.annotations
    return {
        "state": one.state,
        "path": one.path,
        "format": one.format,
        "base": one.base,
        "behind": one.behind,
        "items": items,
        "annotations": annotations,
        "labels": msgspec.to_builtins(one.labels),
        "conflicts": [f"{one.source}/{each.subset}/{each.id}" for each in one.conflicts],
        "unread": list(one.unread),
        "error": one.error or None,
    }


def _lines(repo: "Repository", found: "Status", new: "dict[str, Info]") -> Iterator[str]:
    yield _where(repo, found)
    if doing := _under_way(repo):
        yield ui.paint(_doing(doing), "warning")
    for one in found.copies:
        if one.state == "clean" and not one.behind and not one.unread:
            continue
        role = "removed" if one.state in ("missing", "unreadable") else "changed"
        yield ""
        yield f"{ui.paint(one.source, 'title')}: {ui.paint(', '.join(_state(one)), role)}"
        if one.source in new:
            info = new[one.source]
            yield f"  {ui.plural(info.items, 'item')}, {ui.plural(info.annotations, 'annotation')}"
        yield from (f"  {line}" for line in _changes(one))
    yield from _policy.status_lines(found.policy)
    if found.untracked:
        yield ""
        yield f"not tracked: {ui.listed((f'{name}/' for name in found.untracked), MOST)}"
    if doing:
        name = doing["operation"]
        what = "dvcs conflicts" if doing["open"] else f"dvcs {name} --continue"
        yield f"go on with '{what}', or give the {name} up with 'dvcs {name} --abort'"
    elif found.copies and found.clean:
        yield "nothing to commit"


def _under_way(repo: "Repository") -> dict[str, Any] | None:
    """Return what is under way, and how many conflicts are open; None where nothing is."""
    from dvcs.errors import RepositoryError
    from dvcs.repository.merges import conflicts
    from dvcs.repository.message import parse

    kind = conflicts.under_way(repo)
    if kind is None:
        return None
    try:
        merging = conflicts.load(repo)
    except RepositoryError as error:
        ui.warn(f"{error}; give it up with 'dvcs {kind} --abort'")
        return None
    revision = merging.revision
    if revision == merging.theirs:  # a patch: nobody has typed that
        revision = parse(repo.store.commit(bytes.fromhex(revision)).message).subject
    return {
        "operation": merging.operation,
        "revision": revision,
        "into": merging.branch,
        "theirs": merging.theirs,
        "open": sum(len(place.conflicts) for place in merging.open()),
        "left": len(merging.todo),
    }


def _doing(doing: dict[str, Any]) -> str:
    """Return what is under way as a sentence."""
    verb = {
        "merge": "merging",
        "revert": "reverting",
        "cherry-pick": "picking",
        "stash pop": "taking up",
    }[doing["operation"]]
    left = ui.plural(doing["open"], "conflict") if doing["open"] else "no conflict"
    preposition = "into" if doing["operation"] == "merge" else "on"
    into = f" {preposition} '{doing['into']}'" if doing["into"] else ""
    more = f", {ui.plural(doing['left'], 'commit')} after it" if doing["left"] else ""
    return f"{verb} '{doing['revision']}'{into}: {left} left{more}"


def _state(one: "CopyStatus") -> list[str]:
    words = [] if one.behind and one.state == "clean" else [WORDS[one.state]]
    if one.behind:
        words.append(f"of another revision ({(one.base or '')[:10]})")
    return words


def _where(repo: "Repository", found: "Status") -> str:
    from dvcs.commands import _render

    place = f"on branch '{found.branch}'" if found.branch else "on no branch"
    if found.head is None:
        return f"{place}, no commit yet"
    oid = bytes.fromhex(found.head)
    return f"{place} at {_render.one_line(oid, repo.store.commit(oid))}"


def _changes(one: "CopyStatus") -> Iterator[str]:
    from dvcs.commands import _labels, _render

    if one.state == "changed":
        changed = [each for each in one.changes if each.is_change]
        if changed:
            yield from _render.summary_lines(one.summary)
        for each in changed[:MOST]:
            sign = _render.SIGNS.get(each.status, "~")
            role = _render.ROLES.get(each.status, each.status)
            yield f"  {ui.paint(f'{sign} {_render.item_name(each)}', role)}"
        if len(changed) > MOST:
            yield f"  ... and {len(changed) - MOST:,} more ('dvcs diff' lists all)"
        if one.labels:
            yield from _labels.lines({one.source: one.labels})
        if one.metadata_changed:
            yield "what the format says of the whole dataset changed"
    for conflict in one.conflicts[:MOST]:
        item = f"{one.source}/{conflict.subset}/{conflict.id}"
        yield ui.paint(f"cannot be brought back: {item}: {conflict.conflict.reason}", "warning")
    if one.error:
        yield one.error
    if one.unread:
        yield f"not part of the format, left alone: {ui.listed(one.unread, 3)}"


def _tell_what_next(found: "Status") -> None:
    states = {one.state for one in found.copies}
    if found.unfinished:
        ui.warn(found.unfinished)
    if any(one.conflicts for one in found.copies):
        ui.hint("decide with 'dvcs commit --on-conflict edited' or '--on-conflict kept'")
    elif states & {"changed", "added"} or found.policy.dirty:
        ui.hint("record it with 'dvcs commit -m MESSAGE'")
    if name := _first(found, "changed") or (_policy.NAME if found.policy.dirty else None):
        ui.hint(f"see it with 'dvcs diff', take it back with 'dvcs restore {name}'")
    if found.policy.behind and not found.policy.dirty:
        ui.hint(f"write that of this revision with 'dvcs restore {_policy.NAME}'")
    if name := _first(found, "missing"):
        ui.hint(f"bring it back with 'dvcs restore {name}', or remove it: 'dvcs remove {name}'")
    behind = [one.source for one in found.copies if one.behind and one.state == "clean"]
    if behind:
        ui.hint(f"bring it to this revision with 'dvcs checkout {behind[0]}'")
    if not found.copies:
        if found.untracked:
            ui.hint("track a folder with 'dvcs add FOLDER', or import it with 'dvcs import PATH'")
        elif found.head is not None:
            ui.hint("write a working copy with 'dvcs checkout SOURCE'")
        else:
            ui.hint("bring in a dataset with 'dvcs import PATH'")


def _first(found: "Status", state: str) -> str | None:
    return next((one.source for one in found.copies if one.state == state), None)
