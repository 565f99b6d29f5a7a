"""
What was changed in one working copy, compared with the version that it was written from.

Where no file was touched, the stat index tells that nothing was, and nothing is read. Else the
folder is read through its format, and what it says differently is brought back (`bringback.py`).
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

from dvcs.errors import DirtyWorkingCopy, DvcsError
from dvcs.projection import Rule
from dvcs.repository.working import copies
from dvcs.repository.working.bringback import difference
from dvcs.repository.working.copies import Copy
from dvcs.repository.working.difference import Difference, Edited
from dvcs.repository.working.reading import Reading
from dvcs.repository.working.rendering import Rendering
from dvcs.streams import collector_off

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dvcs.repository import Repository

State = Literal["clean", "changed", "added", "missing", "absent"]
SHOWN = 5


class Examined(NamedTuple):
    """
    A working copy as it was found.

    `clean`: nothing was changed; `changed`: see `difference`; `added`: tracked, and in no commit
    yet; `missing`: its folder is gone; `absent`: HEAD does not have the source.
    """

    copy: Copy
    state: State
    reading: Reading
    difference: Difference | None = None


def examine(repo: "Repository", copy: Copy, *, rule: Rule = "refuse") -> Examined:
    """
    Compare a working copy with its base, and bring its stat index up to date.

    Raises FormatError(s), NotADataset and the like where the folder cannot be read.
    """
    reading = Reading(repo, copy)
    tree = copies.base_tree(repo, copy)
    if copy.absent:
        return Examined(copy, "absent", reading)
    if not reading.exists:
        return Examined(copy, "missing", reading)
    if tree is None or copy.base is None:
        return Examined(copy, "added", reading)
    token = copies.token(copy, tree)
    if reading.is_verified(token):
        return Examined(copy, "clean", reading)
    with collector_off():
        dataset = reading.dataset()
        found = difference(
            repo,
            repo.snapshot(copy.base),
            copy.source,
            dataset=dataset,
            items=reading.items(dataset),
            rendering=rendering_of(reading),
            rule=rule,
        )
    reading.settle()
    # What a rule about conflicts has hidden is still there.
    reading.save(token if not found and rule == "refuse" else "")
    return Examined(copy, "changed" if found else "clean", reading, found)


def rendering_of(reading: Reading) -> Rendering:
    """Return how a working copy was written out."""
    copy = reading.copy
    save_media = copy.save_media and not copy.single
    return Rendering(reading.format, copy.options, copy.subset, save_media, exact=not copy.written)


def changed_names(found: Examined) -> "Iterator[str]":
    """Yield `source/subset/id` of what was changed; the source alone for other changes."""
    source = found.copy.source
    if found.state == "added":
        yield f"{source} (in no commit yet)"
    if found.difference is None:
        return
    for one in found.difference.items:
        yield name_of(source, one)
    if not found.difference.items:
        yield source


def name_of(source: str, one: Edited) -> str:
    """Return `source/subset/id` of an edited item, as it is called now."""
    item = one.after if one.after is not None else one.before
    return f"{source}/{item.subset}/{item.id}" if item is not None else source


def clean_copies(repo: "Repository", wanted: "Iterable[Copy]", *, doing: str) -> dict[str, bool]:
    """
    Return for each copy whether its files are a known version (False: its folder is missing).

    Raises DirtyWorkingCopy, naming items, where one has changes or cannot be read.
    """
    result: dict[str, bool] = {}
    dirty: list[str] = []
    count = 0
    for copy in wanted:
        try:
            found = examine(repo, copy)
        except DvcsError as error:
            dirty.append(f"{copy.source} (cannot be read: {error})")
            count += 1
            continue
        if found.state in ("changed", "added"):
            names = list(changed_names(found))
            count += len(names)
            dirty += names[:SHOWN]
        result[copy.source] = found.state == "clean"
    if dirty:
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        raise DirtyWorkingCopy(
            f"{doing} would lose changes that are in no commit: {', '.join(dirty[:SHOWN])}{more}",
            hint="record them with 'dvcs commit', or take them back with 'dvcs restore'",
        )
    return result
