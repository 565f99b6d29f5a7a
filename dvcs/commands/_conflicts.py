"""Conflicts as lines for people."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from dvcs import ui

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvcs.merge import Conflict
    from dvcs.repository.conflicts import Place

LONGEST = 60
WORDS = {
    "deleted": "deleted on one side, changed on the other",
    "added-both": "added on both sides, nearly alike",
    "media": "other media on both sides",
    "moved": "moved to two places",
    "label-deleted": "a label deleted on one side, used or changed on the other",
    "label-name": "two labels of one name",
}


def tell(places: "Sequence[Place]", *, most: int | None = None) -> None:
    """Tell conflicts, each with its name, and how many there are."""
    count = sum(len(place.conflicts) for place in places)
    ui.out(
        f"{ui.paint(ui.plural(count, 'conflict'), 'warning')} in {ui.plural(len(places), 'place')}"
    )
    shown = list(lines(places))
    for line in shown[:most]:
        ui.out(line)
    if most is not None and len(shown) > most:
        ui.out("  ... and more ('dvcs conflicts' lists all)")


def lines(places: "Iterable[Place]") -> Iterator[str]:
    """Yield a line for each conflict: its name, what it is, both sides."""
    for place in places:
        for one in place.conflicts:
            what = WORDS.get(one.kind, f"{one.field} changed on both sides")
            yield f"  {ui.paint(f'{place.name}#{one.key}', 'name')}  {what}"
            yield from _values(one)


def _values(conflict: "Conflict") -> Iterator[str]:
    for name in ("base", "ours", "theirs"):
        value = getattr(conflict, name)
        if value is not msgspec.UNSET:
            yield f"      {name:<6}  {_brief(value)}"
        elif conflict.kind == "deleted" and name != "base":
            yield f"      {name:<6}  (deleted)"


def _brief(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "; ".join(map(_brief, value))
    if isinstance(value, Mapping):
        kind = value.get("type")
        rest = {name: one for name, one in value.items() if name not in ("type", "label")}
        if "label" in value:
            rest = {"label": value["label"], **rest}  # what tells most comes first
        text = json.dumps(rest, ensure_ascii=False)
        return ui.one_line(_cut(f"{kind} {text}" if kind else text))
    return ui.one_line(_cut(json.dumps(value, ensure_ascii=False)))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
