"""
What all commands share: how one is declared, its help, how it gets at the repository.

    @command("tag", examples=("dvcs tag v1.0", "dvcs tag -d v1.0"))
    @with_repo
    def tag(repo): ...

A command's docstring is its help: paragraphs are wrapped, indented ones stay as they are. What
follows a lone `--` on the command line is kept for commands that declare `rest`.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from dvcs import ui
from dvcs.commands._bars import progress
from dvcs.commands._types import FolderType

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.gate import Notice

P = ParamSpec("P")
R = TypeVar("R")
REST = "dvcs.rest"
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class State:
    """What the options before the command say."""

    def __init__(self) -> None:
        self.folder = Path()
        self.verify = True
        self.as_json = False


def state() -> State:
    """Return the state of the command that runs."""
    return click.get_current_context().ensure_object(State)


class Command(click.Command):
    """A command of dvcs: help with examples, options of the whole program anywhere."""

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), rest: bool = False, **options: Any
    ) -> None:
        options.setdefault("context_settings", SETTINGS)
        super().__init__(*args, **options)
        self.examples = tuple(examples)
        self.rest = rest
        taken = {flag for one in self.params for flag in (*one.opts, *one.secondary_opts)}
        self.params += [one for one in program_options() if not taken & set(one.opts)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what follows a lone `--` for the command."""
        if self.rest and "--" in args:
            at = args.index("--")
            ctx.meta[REST] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with bars for what takes long."""
        with progress():
            return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the parts of the usage line."""
        pieces = super().collect_usage_pieces(ctx)
        return [*pieces, "[-- ...]"] if self.rest else pieces

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the docstring: indented paragraphs as they stand, others wrapped."""
        del ctx
        write_text(formatter, self.help or "")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        del ctx
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")


def write_text(formatter: click.HelpFormatter, text: str) -> None:
    """Write paragraphs; those that begin with a space, as they are."""
    from inspect import cleandoc

    for paragraph in re.split(r"\n\n+", cleandoc(text)):
        formatter.write_paragraph()
        with formatter.indentation():
            if paragraph.startswith(" "):
                pad = " " * formatter.current_indent
                formatter.write("".join(f"{pad}{line}\n" for line in paragraph.split("\n")))
            else:
                formatter.write_text(" ".join(paragraph.split()))


def _set_folder(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    del param
    if value is not None:
        ctx.ensure_object(State).folder = value


def program_options() -> list[click.Parameter]:
    """Return the options that are understood after the command too; its help leaves them out."""
    return [
        click.Option(
            ["-C", "-p", "--project"],
            type=FolderType(),
            expose_value=False,
            hidden=True,
            callback=_set_folder,
        )
    ]


def command(
    name: str, *, examples: Sequence[str], rest: bool = False, **options: Any
) -> Callable[[Callable[..., int | None]], Command]:
    """Declare a command; the function returns its exit code (None is 0)."""

    def declare(function: Callable[..., int | None]) -> Command:
        return click.command(name, cls=Command, examples=examples, rest=rest, **options)(function)

    return declare


def rest() -> list[str]:
    """Return what followed a lone `--`."""
    found: list[str] = click.get_current_context().meta.get(REST, [])
    return found


def with_repo(function: "Callable[Concatenate[Repository, P], R]") -> Callable[P, R]:
    """Open the repository that `-C` names (default: here or above) and pass it first."""
    from functools import wraps

    @wraps(function)
    def opened(*args: P.args, **kwargs: P.kwargs) -> R:
        from dvcs.repository import Repository

        with Repository(state().folder) as repo:
            repo.gate.verify = state().verify
            repo.gate.output = ui.stderr_of_programs()
            repo.gate.tell = tell
            if not (kwargs.get("dry_run") or kwargs.get("check")):
                return function(repo, *args, **kwargs)
            from dvcs.repository.trying import trying

            with trying(repo):
                return function(repo, *args, **kwargs)

    return opened


def tell(notice: "Notice") -> None:
    """Tell what a repository has to say beside a result."""
    ui.warn(notice.message)
    if notice.hint:
        ui.hint(notice.hint)


def _set_no_verify(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value:
        ctx.ensure_object(State).verify = False


no_verify_option = click.option(
    "--no-verify",
    is_flag=True,
    expose_value=False,
    callback=_set_no_verify,
    help="Do not ask the hooks that could refuse.",
)


def _set_json(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    del param
    ctx.ensure_object(State).as_json = value  # so that an error is JSON too
    return value


json_option = click.option(
    "--json", "as_json", is_flag=True, callback=_set_json, help="Write JSON, for programs."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
)
