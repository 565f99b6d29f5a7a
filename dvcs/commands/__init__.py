"""
The command line: a file for each command, a row for each here.

A command is imported when it is called, so that help and completion stay fast. `main` is the one
place where errors become messages and exit codes:

    0 done    1 differences, findings or conflicts    2 usage    3 repository or data error
    4 network    70 a bug in dvcs    130 interrupted    141 nobody reads the output any more
"""

import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

from dvcs import __version__, ui
from dvcs.commands._base import SETTINGS, State, write_text
from dvcs.commands._types import FolderType

GROUPS: dict[str, dict[str, str]] = {
    # title: command → the first line of its help
    "Start": {
        "init": "Make a repository",
        "demo": "Make a small example repository to play with",
    },
    "Data in": {
        "add": "Track a folder of this working folder as a source",
        "import": "Import a dataset as a source of the repository",
        "remove": "Remove a source",
        "status": "Show what was changed in the working copies",
        "commit": "Record the changes of the working copies",
        "detect-format": "Tell which format a dataset is in",
        "formats": "List the formats, or explain one",
    },
    "Data out": {
        "checkout": "Go to a branch or revision, and write working copies",
        "restore": "Take back the changes of working copies, or a part of another revision",
        "export": "Write a revision as a dataset of any format",
        "convert": "Convert a dataset from one format to another",
        "identify": "Tell which revision a folder was exported from",
        "show": "Show a commit or an item",
    },
    "Look": {
        "log": "Show the history",
        "diff": "Show what differs between revisions or working copies",
        "blame": "Show who last changed each annotation of an item",
        "describe": "Name a revision by the nearest tag before it",
        "reflog": "Show where a branch has been",
        "info": "Summarise a revision or a dataset",
        "validate": "Look for faults in the annotations of a revision or a dataset",
    },
    "Branch and merge": {
        "branch": "List, make, rename or delete branches",
        "tag": "List, make or delete tags",
        "merge": "Merge another revision into a branch, or several by vote",
        "conflicts": "Show the conflicts of what is under way",
        "resolve": "Decide conflicts of what is under way",
        "revert": "Commit the opposite of what commits changed",
        "cherry-pick": "Commit here what other commits changed",
        "apply": "Commit what a patch changes",
        "stash": "Put changes of working copies aside, and take them up again",
        "bisect": "Find the commit that brought a fault in",
        "reset": "Move the current branch to another revision",
        "undo": "Take back the last operation",
    },
    "Keep": {
        "config": "Show or change settings",
        "hooks": "List, install and try programs that run with commits",
        "trust": "Say which folders outside of this one may be read",
        "gc": "Remove what no revision needs",
        "fsck": "Check that everything in the repository is sound",
        "doctor": "Show versions and the state of this installation",
        "completion": "Write a script that completes commands in your shell",
        "help": "Explain a command or a topic",
    },
}
"""The commands in the order of the help, with what each does."""

ALIASES = {"create": "init", "switch": "checkout"}
MODULES = {"import": "import_"}
"""Commands whose name cannot be that of a module."""
SUMMARIES = {name: text for group in GROUPS.values() for name, text in group.items()}

PROLOGUE = """
Version control for computer-vision datasets: what Git is for source code, for images and their
annotations.
"""
EPILOGUE = """
Run 'dvcs COMMAND --help' for the options and examples of a command, 'dvcs demo' for a tour.
"""


class Program(click.Group):
    """The command `dvcs`: loads commands when they are called, groups them in its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None where there is none of that name."""
        del ctx
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in SUMMARIES:
            return None
        module = import_module(f"dvcs.commands.{MODULES.get(name, name.replace('-', '_'))}")
        found: click.Command = module.command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line; a misspelt one is answered with the nearest."""
        name = args[0]
        if not name.startswith("-") and name not in SUMMARIES and name not in ALIASES:
            from dvcs.errors import UnknownName

            if not ctx.resilient_parsing:
                error = UnknownName("command", name, [*SUMMARIES, *ALIASES])
                if not (error.hint or "").startswith("did you"):
                    error.hint = "'dvcs --help' lists them"
                raise error
        return super().resolve_command(ctx, args)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say what dvcs is."""
        del ctx
        write_text(formatter, PROLOGUE)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by group, then the options."""
        width = max(map(len, SUMMARIES))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])
        click.Command.format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where more is to be found."""
        del ctx
        formatter.write(EPILOGUE)


@click.command(
    "dvcs",
    cls=Program,
    context_settings=SETTINGS,
)
@click.option(
    "-C",
    "-p",
    "--project",
    "folder",
    type=FolderType(),
    metavar="DIR",
    help="Use the repository in DIR (default: the one here or above).",
)
@click.option("-q", "--quiet", is_flag=True, help="Write results and errors only.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Whether to use colours; NO_COLOR and FORCE_COLOR are honoured.",
)
@click.version_option(__version__, message="dvcs %(version)s")
@click.pass_context
def program(ctx: click.Context, folder: Path | None, quiet: bool, color: ui.ColorMode) -> None:
    ui.configure(quiet=quiet, color=color)
    state = ctx.ensure_object(State)
    if folder is not None:
        state.folder = folder


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run dvcs, and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        from dvcs.commands._failures import silence

        code = silence()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run dvcs with arguments; return its exit code. Errors are told, never raised."""
    ui.configure()
    began, state = time.time(), State()
    if "_DVCS_COMPLETE" in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, "dvcs", "_DVCS_COMPLETE", os.environ["_DVCS_COMPLETE"])
    try:
        with program.make_context("dvcs", list(arguments), obj=state) as ctx:
            return program.invoke(ctx) or 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except BaseException as failure:  # noqa: BLE001 - this is where all errors become messages
        from dvcs.commands._failures import told, wants_json

        as_json = state.as_json or wants_json(failure, arguments)
        return told(failure, since=began, as_json=as_json)
