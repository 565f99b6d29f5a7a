"""What `diff --format patch` does: two revisions as a patch, to a file or the standard output."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvcs import ui
from dvcs.commands._base import state
from dvcs.commands._selectors import on_disk, parse
from dvcs.errors import RepositoryError, UnknownName, UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.revisions import Revision


def write(
    sides: Sequence[str], sources: Sequence[str], output: Path | None, *, force: bool
) -> bool:
    """
    Write the patch; tell whether it has anything.

    Raises UsageError for what is not two revisions, and where `output` is there.
    """
    from dvcs.repository import Repository
    from dvcs.repository.patches.applying import patch_lines

    with Repository(state().folder) as repo:
        before, after = _ends(repo, sides)
        wanted = _wanted(repo, (before, after), sources)
        lines = patch_lines(repo, before.oid, after.oid, sources=wanted)
        if output is None or str(output) == "-":
            return _print(lines)
        return _save(lines, output, force=force)


def _ends(repo: "Repository", sides: Sequence[str]) -> "tuple[Revision, Revision]":
    from dvcs.commands._comparing import base_of
    from dvcs.repository.revisions import split_range

    named = list(sides)
    if len(named) == 1 and on_disk(named[0]) is None and (ends := split_range(named[0])):
        named = [base_of(repo, ends[0], ends[1]) if ends[2] else ends[0], ends[1]]
    if len(named) != 2 or any(map(on_disk, named)):
        raise UsageError(
            "a patch is made of two revisions",
            hint="name them: 'dvcs diff A B --format patch'; changes of working copies are"
            " committed first",
        )
    return parse(repo, named[0]), parse(repo, named[1])


def _wanted(
    repo: "Repository", ends: "tuple[Revision, Revision]", sources: Sequence[str]
) -> list[str] | None:
    if ends[0].source != ends[1].source:
        raise UsageError(
            "a patch has the same sources on both sides", hint="name them after a lone '--'"
        )
    known = {name for one in ends for name in repo.snapshot(one.oid).sources}
    for name in sources:
        if name not in known:
            raise UnknownName("source", name, known)
    return [*([ends[0].source] if ends[0].source else []), *sources] or None


def _print(lines: Iterator[bytes]) -> bool:
    if ui.is_terminal(sys.stdout):
        count = 0

        def shown() -> Iterator[str]:
            nonlocal count
            for line in lines:
                count += 1
                yield line.decode().rstrip("\n")

        ui.page(shown())
        return count > 2
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - how many there were
        sys.stdout.write(line.decode())
    return count > 2


def _save(lines: Iterator[bytes], output: Path, *, force: bool) -> bool:
    """Write a file, whole or not at all."""
    if output.exists() and not force:
        raise UsageError(f"'{output}' is there already", hint="replace it with --force")
    temporary = output.with_name(f".{output.name}.tmp")
    count = size = 0
    try:
        with temporary.open("wb") as file:
            for line in lines:
                count += 1
                size += file.write(line)
        temporary.replace(output)
    except OSError as error:
        raise RepositoryError(f"'{output}' cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
    ui.say(f"wrote '{output}' ({ui.size(size)})")
    return count > 2
