"""What `diff --html` and `conflicts --html` share: their options, and what they tell."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dvcs import ui

if TYPE_CHECKING:
    from dvcs.web.diff_page import Written

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option(
        "--html",
        "page",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Write a page for a browser, with pictures; it needs no network.",
    ),
    click.option("--force", is_flag=True, help="Replace what is there under that name."),
    click.option(
        "--embed/--no-embed",
        default=None,
        help="Keep a page's pictures inside it, or in a folder beside it"
        " (default: up to 16 MB inside).",
    ),
)


def page_options(function: F) -> F:
    """Give a command the options of a page."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def tell_written(done: "Written", what: str) -> None:
    """Tell where a page is, and what is not on it."""
    ui.out(f"wrote '{done.path}' ({ui.size(done.size)}): {ui.plural(done.items, what)}")
    if done.folder is not None:
        ui.say(f"its pictures are in '{done.folder}': keep both together")
    if done.left_out:
        ui.warn(
            f"{ui.plural(done.left_out, what)} more are counted, but not shown"
            " (all are with --max-items 0)"
        )
    if done.failed:
        ui.warn(f"{ui.plural(done.failed, 'picture')} could not be read; the page says why")
