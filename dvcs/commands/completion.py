"""`dvcs completion`: scripts that complete commands, branches, formats and sources in a shell."""

import click

from dvcs import ui
from dvcs.commands._base import command as declare

PLACES = {
    "bash": 'add to ~/.bashrc: eval "$(dvcs completion bash)"',
    "zsh": 'add to ~/.zshrc: eval "$(dvcs completion zsh)"',
    "fish": "run: dvcs completion fish > ~/.config/fish/completions/dvcs.fish",
}


@declare(
    "completion",
    examples=(
        'eval "$(dvcs completion bash)"',
        "dvcs completion fish > ~/.config/fish/completions/dvcs.fish",
    ),
)
@click.argument("shell", type=click.Choice(list(PLACES)))
def command(shell: str) -> None:
    """
    Write a script that completes commands in your shell.

    Commands, options, branches, tags, sources and formats are completed.
    """
    from click.shell_completion import get_completion_class

    from dvcs.commands import program

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the argument is one of click's shells
    script = found(program, {}, "dvcs", "_DVCS_COMPLETE")
    click.echo(script.source_template % script.source_vars())
    ui.hint(PLACES[shell])
