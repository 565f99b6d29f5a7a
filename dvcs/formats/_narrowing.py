"""What a format holds when it is written with options that leave something out."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from dvcs.formats._format import Format, options_of
from dvcs.model import Annotation, Item


def narrowed(format: Format, options: Mapping[str, Any], tasks: Mapping[str, Format]) -> Format:
    """
    Return a format as options of its writer make it; `tasks` are those that it is limited to.

    A field is held only where its option is on, or not where an option is not what it usually is.
    """
    if tasks:
        format = _limited(format, tasks)
    held = {field for option, field in format.optional.items() if options.get(option)}
    usual = options_of(format.write) if format.write is not None and format.loses else {}
    lost: dict[str, frozenset[str]] = {}
    for option, fields in format.loses.items():
        if options.get(option, usual[option].default) != usual[option].default:
            lost |= fields
    kept = held.union(*lost.values())
    return replace(format, fields=(format.fields - lost.keys()) | kept) if kept or lost else format


def _limited(format: Format, by_task: Mapping[str, Format]) -> Format:
    """Return a format that holds what one of these hold."""
    tasks = [
        replace(one, kinds=one.kinds | format.within.get(task, frozenset()))
        for task, one in by_task.items()
    ]

    def holds(note: Annotation, item: Item) -> bool:
        return any(
            note.kind in one.kinds and (one.holds is None or one.holds(note, item)) for one in tasks
        )

    states = {one.annotated for one in tasks}
    wholly = {kind for one in tasks if one.holds is None for kind in one.kinds}
    kinds = frozenset[str]().union(*(one.kinds for one in tasks))
    prefers: dict[str, tuple[str, ...]] = {}
    for one in (format, *tasks):
        for kind, wanted in one.prefers.items():
            prefers[kind] = (*prefers.get(kind, ()), *wanted)
    return replace(
        format,
        title=" and ".join(one.title for one in tasks),
        kinds=kinds,
        holds=None if wholly == kinds else holds,
        prefers=prefers,
        annotated="always" if "always" in states else min(states),
        fields=frozenset[str]().union(*(one.fields for one in tasks)),
        labels=frozenset[str]().union(*(one.labels for one in tasks)),
    )
