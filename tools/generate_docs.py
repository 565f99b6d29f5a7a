"""
Write the pages of docs/formats/ and docs/commands/ from the code.

    python tools/generate_docs.py            write them
    python tools/generate_docs.py --check    say which are not as the code has them, exit code 1
"""

import os
import sys
from inspect import cleandoc
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
NOTE = "<!-- written by tools/generate_docs.py; do not edit -->"


def format_pages() -> dict[str, str]:
    """Return the page of each format, and their index."""
    from dvcs import formats

    pages = {}
    rows = ["| name | format | annotations | |", "| --- | --- | --- | --- |"]
    for one in formats.all_formats():
        ways = [word for word, way in (("read", one.read), ("write", one.write)) if way]
        kinds = ", ".join(sorted(one.kinds)) or "images only"
        link = f"[`{one.name}`]({one.name}.md)"
        rows.append(f"| {link} | {one.title} | {kinds} | {', '.join(ways)} |")
        pages[f"formats/{one.name}.md"] = _format_page(one)
    pages["formats/README.md"] = "\n".join([NOTE, "", "# Formats", "", *rows, ""])
    return pages


def _format_page(one: "object") -> str:
    from dvcs.commands._manuals import held, spelt
    from dvcs.formats import Format, options_of

    assert isinstance(one, Format)  # noqa: S101 - for the type checker
    function = one.read or one.write
    manual = cleandoc(sys.modules[function.__module__].__doc__ or "") if function else ""
    lines = [NOTE, "", f"# {one.title} (`{one.name}`)", "", f"<{one.url}>", ""]
    lines += ["```text", *manual.split("\n"), "```", ""]
    lines += ["| can hold | |", "| --- | --- |"]
    lines += [f"| {of} | {which} |" for of, which in held(one)]
    if one.aliases:
        lines.append(f"| also called | {', '.join(f'`{name}`' for name in one.aliases)} |")
    for title, way in (("reading", one.read), ("writing", one.write)):
        options = options_of(way) if way else {}
        if options:
            lines += ["", f"## Options for {title}", "", "Given after a lone `--`.", ""]
            lines += ["| option | default | |", "| --- | --- | --- |"]
            for option in options.values():
                default = "" if option.default in (None, False, (), "") else f"`{option.default}`"
                default = "on" if option.default is True else default
                lines.append(f"| `{spelt(option)}` | {default} | {option.help} |")
    return "\n".join([*lines, ""])


def command_pages() -> dict[str, str]:
    """Return the page of each command, and their index."""
    import click

    from dvcs.commands import GROUPS, program
    from dvcs.commands.help import TOPICS

    pages = {}
    lines = [NOTE, "", "# Commands", ""]
    for group, commands in GROUPS.items():
        lines += [f"## {group}", "", "| | |", "| --- | --- |"]
        for name, summary in commands.items():
            lines.append(f"| [`{name}`]({name}.md) | {summary} |")
            command = program.get_command(click.Context(program), name)
            assert command is not None  # noqa: S101 - it stands in the table
            context = click.Context(
                command,
                info_name=f"dvcs {name}",
                help_option_names=["-h", "--help"],
                terminal_width=96,
                max_content_width=96,
            )
            text = "\n".join(line.rstrip() for line in command.get_help(context).split("\n"))
            pages[f"commands/{name}.md"] = "\n".join(
                [NOTE, "", f"# `dvcs {name}`", "", "```text", text.strip("\n"), "```", ""]
            )
        lines.append("")
    lines += [f"Topics that concern all commands: [`dvcs help`](help.md#{next(iter(TOPICS))}).", ""]
    for name, text in TOPICS.items():
        pages["commands/help.md"] += "\n".join(
            ["", f"## {name}", "", "```text", cleandoc(text), "```", ""]
        )
    pages["commands/README.md"] = "\n".join(lines)
    return pages


def pages() -> dict[str, str]:
    """Return all generated pages by path below docs/."""
    os.environ["NO_COLOR"] = "1"
    return format_pages() | command_pages()


def stale() -> list[str]:
    """Return the pages on disk that are missing, outdated, or should not be there."""
    wanted = pages()
    found = {
        path.relative_to(DOCS).as_posix()
        for folder in ("formats", "commands")
        for path in (DOCS / folder).glob("*.md")
    }
    wrong = {
        name
        for name, text in wanted.items()
        if name not in found or (DOCS / name).read_text(encoding="utf-8") != text
    }
    return sorted(wrong | (found - wanted.keys()))


def main() -> None:
    """Write or check the pages."""
    if "--check" in sys.argv:
        names = stale()
        for name in names:
            print(f"docs/{name} is not as the code has it: run 'make docs'")
        sys.exit(1 if names else 0)
    for name in stale():
        (DOCS / name).unlink(missing_ok=True)
    for name, text in pages().items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
