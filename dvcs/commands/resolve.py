"""`dvcs resolve`: conflicts are decided."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import NamesType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvcs.repository import Repository


class ConflictType(NamesType):
    """An item with conflicts."""

    name = "conflict"

    def names(self, ctx: click.Context) -> "Iterable[str]":
        """Return the items, and the names of their conflicts."""
        from dvcs.commands._types import _repository
        from dvcs.repository.merges import conflicts

        with _repository(ctx) as repo:
            places = conflicts.load(repo).open()
        return [
            *(place.name for place in places),
            *(f"{place.name}#{one.key}" for place in places for one in place.conflicts),
        ]


@declare(
    "resolve",
    examples=(
        "dvcs resolve --all --theirs",
        "dvcs resolve coco/train/000000391895#7.geometry --ours",
        "dvcs resolve coco/val --kind label --base",
        "dvcs resolve pets/train/1#3.label --value '\"cat\"'",
        "dvcs resolve --from decisions.json",
    ),
)
@click.argument("names", type=ConflictType(), nargs=-1, metavar="[ITEM | ITEM#KEY]...")
@click.option("--ours", is_flag=True, help="As on our side.")
@click.option("--theirs", is_flag=True, help="As on their side.")
@click.option("--base", is_flag=True, help="As before both.")
@click.option("--union", is_flag=True, help="Keep both.")
@click.option("--value", metavar="JSON", help="Neither: this value.")
@click.option("--all", "all_of_them", is_flag=True, help="All conflicts.")
@click.option("--label", "labels", multiple=True, help="Those that concern a label.")
@click.option("--kind", "kinds", multiple=True, help="Those of a kind: geometry, label, ...")
@click.option(
    "--from",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Decide as a filled-in list of 'dvcs conflicts --json' says.",
)
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    names: tuple[str, ...],
    value: str | None,
    all_of_them: bool,
    labels: tuple[str, ...],
    kinds: tuple[str, ...],
    file: Path | None,
    as_json: bool,
    **sides: bool,
) -> None:
    """
    Decide conflicts of what is under way.

    That is a merge, revert, cherry-pick or stash pop. Which ones: by item (or the beginning of its
    name, or a pattern with '*'), by conflict, by label, by kind, or all. What they become: as on
    one side, as before, both, or a value. Nothing else happens before it goes on (--continue); a
    decision can be changed until then.
    """
    from dvcs.repository.merges import conflicts

    choices = [name for name, given in sides.items() if given]
    if file is not None:
        if names or choices or value is not None or labels or kinds or all_of_them:
            raise UsageError("--from says it all", hint="leave out the rest")
        done = conflicts.resolve_from(repo, _json(file.read_bytes(), f"'{file}'"))
    else:
        if not (names or labels or kinds or all_of_them):
            raise UsageError("which conflicts?", hint="name items, --label, --kind, or --all")
        choice, wanted = _choice(choices, value), conflicts.Wanted(names, labels, kinds)
        given = None if value is None else _json(value, "the value")
        done = conflicts.resolve(repo, wanted, choice, given)
    if as_json:
        ui.emit_json("dvcs.resolve/1", done._asdict())
        return
    ui.out(f"decided {ui.plural(done.decided, 'conflict')}; {done.left:,} left")
    for line in done.refused:
        ui.warn(f"not decided: {line}")
    if not done.left:
        ui.hint(f"go on with 'dvcs {conflicts.under_way(repo)} --continue'")


def _choice(choices: list[str], value: str | None) -> Any:
    given = [*choices, *([] if value is None else ["value"])]
    if len(given) != 1:
        raise UsageError(
            "decide one way" if given else "decided how?",
            hint="give one of --ours, --theirs, --base, --union, --value JSON",
        )
    return given[0]


def _json(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{what} is no JSON: {error}", hint="a text needs quotes: --value '\"cat\"'"
        ) from None
