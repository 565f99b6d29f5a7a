"""Conflicts as lines for people."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from dvcs import ui

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvcs.merge import Conflict
    from dvcs.repository.merges.conflicts import Place

LONGEST = 80


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


def tell_what_to_do(operation: str, *, dry_run: bool = False, skip: bool = False) -> None:
    """Tell how an operation with conflicts goes on."""
    if dry_run:
        ui.hint("nothing was changed; leave out --dry-run to do it")
        return
    ui.hint("see them with 'dvcs conflicts'")
    ui.hint("decide: 'dvcs resolve ITEM[#KEY] --ours' (or --theirs, --base, --union, --value)")
    way_out = f"'dvcs {operation} --skip' leaves this one out, " if skip else "or give it up with "
    ui.hint(
        f"then 'dvcs {operation} --continue'; {way_out}'dvcs {operation} --abort'"
        + (" gives up all" if skip else "")
    )


def lines(places: "Iterable[Place]") -> Iterator[str]:
    """Yield a line for each conflict: its name, what it is, both sides."""
    for place in places:
        for one in place.conflicts:
            way = "; only --value decides it" if tuple(one.allowed) == ("value",) else ""
            yield f"  {ui.paint(f'{place.name}#{one.key}', 'name')}  {one.summary}{way}"
            yield from _values(one)


def _values(conflict: "Conflict") -> Iterator[str]:
    for name, voters in (("have", conflict.have), ("lack", conflict.lack)):
        if voters:
            yield f"      {name:<6}  {ui.one_line(', '.join(voters))}"
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
        if (known := _described(value)) is not None:
            return ui.one_line(_cut(known))
        kind = value.get("type")
        rest = {name: one for name, one in value.items() if name not in ("type", "label")}
        if "label" in value:
            rest = {"label": value["label"], **rest}  # what tells most comes first
        text = json.dumps(rest, ensure_ascii=False)
        return ui.one_line(_cut(f"{kind} {text}" if kind else text))
    return ui.one_line(_cut(json.dumps(value, ensure_ascii=False)))


def _described(value: Mapping[str, Any]) -> str | None:
    """Return an annotation as differences tell it, with its attributes; None: it is none."""
    from dvcs.compare.describe import describe_annotation
    from dvcs.model import KINDS

    kind = KINDS.get(value.get("type", ""))
    if kind is None:
        return None
    try:
        note = msgspec.convert(dict(value), kind)
    except msgspec.ValidationError:
        return None
    if not note.attributes:
        return describe_annotation(note)
    attributes = json.dumps(note.attributes, ensure_ascii=False)
    return f"{describe_annotation(note)} {attributes}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
