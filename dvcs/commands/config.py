"""`dvcs config`: settings of the repository and of the user."""

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, state
from dvcs.errors import NotARepository, UsageError


@declare(
    "config",
    examples=(
        "dvcs config user.name 'Ada Lovelace'",
        "dvcs config --global user.email ada@example.org",
        "dvcs config --list --show-origin",
        "dvcs config --unset user.name",
    ),
)
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Remove the setting.")
@click.option("--global", "everywhere", is_flag=True, help="The user's, for all repositories.")
@click.option("--list", "-l", "list_all", is_flag=True, help="List all settings.")
@click.option("--show-origin", is_flag=True, help="Say where each stands.")
@json_option
def command(
    *,
    key: str | None,
    value: str | None,
    unset: bool,
    everywhere: bool,
    list_all: bool,
    show_origin: bool,
    as_json: bool,
) -> int:
    """
    Show or change settings.

    With a KEY, show it; with a VALUE, set it. What counts: the environment (DVCS_USER_NAME for
    user.name), then the repository, then the user's own file. 'user.name' and 'user.email' are
    also taken from Git's settings. The exit code is 1 where a setting is not set.
    """
    from dvcs.repository import config, layout

    try:
        found = layout.find(state().folder)
    except NotARepository:
        found = None
    if key is None:
        if unset or not (list_all or value is None):
            raise UsageError("which setting?", hint="like 'dvcs config user.name'")
        files = [config.user_file()] if everywhere else config.user_files()
        if found is not None and not everywhere:
            files.append(found.config)
        entries = [(k, v, str(one)) for one in files for k, v in config.entries(one)]
        _show_all(entries, show_origin=show_origin, as_json=as_json)
        return 0
    if unset or value is not None:
        if found is None and not everywhere:
            raise NotARepository(
                "there is no repository here to set it for",
                hint="set it for all repositories with --global",
            )
        new = None if unset else value
        if everywhere or found is None:
            config.put(config.user_file(), key, new)
        else:
            config.put_own(found, key, new)
        return 0
    answer = next(config.origins(found, key), None)
    if answer is None:
        ui.say(f"'{key}' is not set")
        return 1
    if as_json:
        ui.emit_json("dvcs.config/1", {key: {"value": answer[0], "origin": answer[1]}})
    else:
        ui.out("\t".join(reversed(answer)) if show_origin else answer[0])
    return 0


def _show_all(entries: list[tuple[str, str, str]], *, show_origin: bool, as_json: bool) -> None:
    if as_json:
        settings = {key: {"value": value, "origin": file} for key, value, file in entries}
        ui.emit_json("dvcs.config/1", settings)
        return
    for key, value, file in entries:
        ui.out(f"{file}\t{key}={value}" if show_origin else f"{key}={value}")
