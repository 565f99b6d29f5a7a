"""What messages, help and documents tell to type is there: commands, subcommands and options."""

import re
from pathlib import Path

import click

from dvcs.commands import program
from tests.conftest import ROOT

COMMAND = re.compile(r"\bdvcs ((?:-C \S+ )?)([a-z][a-z-]+)((?: [^'\"`)\n;|&]*)?)")
PLACES = sorted(
    path
    for place in ("dvcs", "docs", "README.md")
    for path in ([ROOT / place] if place.endswith(".md") else (ROOT / place).rglob("*"))
    if path.suffix in {".py", ".md", ".js"} and "design" not in path.parts
)


def told(path: Path) -> list[tuple[str, list[str]]]:
    """Return the commands that stand in quotes, or at a prompt, with their words."""
    return [
        (match[2], match[3].split())
        for line in path.read_text("utf-8").splitlines()
        for match in COMMAND.finditer(line)
        if line[: match.start()].endswith(("'", "`", "$ "))
    ]


def options(*commands: click.Command) -> set[str]:
    parameters = [one for command in commands for one in command.params]
    names = [name for one in parameters for name in (*one.opts, *one.secondary_opts)]
    return {"--help", "-h", *names}


def test_commands_and_options_that_are_told_exist():
    wrong = []
    for path in PLACES:
        for name, words in told(path):
            place = f"{path.relative_to(ROOT)}: dvcs {name} {' '.join(words)}"
            command = program.get_command(click.Context(program), name)
            if command is None:
                wrong.append(place)
                continue
            known = options(program, command)
            for word in words:
                option = word.rstrip(".,:").split("=")[0]
                if option == "--":
                    break
                if re.fullmatch(r"--[a-z][a-z-]*|-[a-zA-Z]", option) and option not in known:
                    wrong.append(f"{place}: {option}")
    assert len(PLACES) > 300
    assert wrong == []
