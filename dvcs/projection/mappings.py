"""Edits of what is not a shape: values, and mappings of them key by key."""

from collections.abc import Mapping
from typing import Any

from dvcs.compare import same

NUMBERS = frozenset({"id", "group_id", "task_id"})
"""What a file numbers, in a format's own record: a tool that writes it anew gives other numbers."""


def edited_value(full: Any, shown: Any, edited: Any) -> Any:
    """Return an edited value where somebody edited it, else the full one; None says nothing."""
    return full if edited is None or same(shown, edited) else edited


def edited_mapping(
    full: Mapping[str, Any], shown: Mapping[str, Any], edited: Mapping[str, Any], *, depth: int = 0
) -> Mapping[str, Any]:
    """Apply what changed between two mappings to a third, key by key; `depth` levels deeper too."""
    if shown == edited and same(shown, edited):
        return full
    result = dict(full)
    for name in dict.fromkeys((*shown, *edited)):
        if name not in edited:
            result.pop(name, None)
        elif name not in shown or not same(shown[name], edited[name]):
            values = [side.get(name) for side in (full, shown, edited)]
            if depth and all(isinstance(value, Mapping) for value in values):
                result[name] = edited_mapping(*values, depth=depth - 1)  # type: ignore[arg-type]
            else:
                result[name] = edited[name]
    return result


def unnumbered(extra: Mapping[str, Any], numbers: frozenset[str] = NUMBERS) -> Mapping[str, Any]:
    """Return an `extra` without the numbers in the records of formats."""
    if not any(isinstance(one, Mapping) and numbers & one.keys() for one in extra.values()):
        return extra
    return {
        name: {key: value for key, value in record.items() if key not in numbers}
        if isinstance(record, Mapping)
        else record
        for name, record in extra.items()
    }


def same_numbers(shown: Mapping[str, Any], edited: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an edited `extra` with the numbers that were shown where it has others."""
    result = dict(edited)
    for name, record in shown.items():
        other = edited.get(name)
        if isinstance(record, Mapping) and isinstance(other, Mapping):
            numbers = {key: record[key] for key in NUMBERS & record.keys() & other.keys()}
            result[name] = {**other, **numbers}
    return result
