"""
Lists of labels, merged by key.

A key never changes, so a new label at position 0 is an addition and a rename one changed field. A
label that one side deleted stays deleted unless the other side changed or uses it; that it is used
is known only when the items are merged (`still_used`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dvcs.merge.decisions import CHOICES, UNKNOWN, Choice, Counts, Judge, Test
from dvcs.merge.values import MISSING, NO_BASE, merge_mappings, merge_order, shown, three_way
from dvcs.model import AttributeSpec, Category, Labels

FIELDS = ("name", "id", "parent", "display_name", "color", "keypoints", "joints", "attributes")
SHOWN = 5
OWN_KEY = "\0"
"""Before a parent that is a label's key, while parents are compared."""


class MergedLabels(NamedTuple):
    """
    Merged labels.

    `deleted` are keys that are no longer declared, with the category as it was; `replaced` are keys
    of theirs that stand for one of ours now.
    """

    labels: Labels
    deleted: Mapping[str, Category]
    replaced: Mapping[str, str]


def merge_labels(
    base: Labels, ours: Labels, theirs: Labels, judge: Judge, counts: Counts | None = None
) -> MergedLabels:
    """Merge two changes of a list of labels; `judge` is asked about what both changed."""
    if ours in (base, theirs):
        return _result(base, theirs, theirs, {})
    if base == theirs:
        return _result(base, ours, ours, {})
    merging = _Labels(base, ours, theirs, judge, Counts() if counts is None else counts)
    merged, replaced = merging.merged()
    return _result(base, merged, theirs, replaced)


def _result(
    base: Labels, merged: Labels, theirs: Labels, replaced: Mapping[str, str]
) -> MergedLabels:
    kept = {one.key for one in merged} | replaced.keys()
    gone = {one.key: one for side in (base, theirs) for one in side if one.key not in kept}
    return MergedLabels(merged, gone, replaced)


class _Labels:
    """Two changes of a list of labels, while they are merged."""

    def __init__(
        self, base: Labels, ours: Labels, theirs: Labels, judge: Judge, counts: Counts
    ) -> None:
        self.sides = base, ours, theirs
        self.base, self.ours, self.theirs = map(_by_key, self.sides)
        self.judge, self.counts = judge, counts

    def merged(self) -> tuple[Labels, dict[str, str]]:
        order = merge_order(list(self.base), list(self.ours), list(self.theirs))
        found = {key: one for key in order if (one := self._label(key)) is not None}
        self._renumber(found)
        replaced = self._names(found)
        names = {key: one.name for key, one in found.items()}
        found = {
            key: msgspec.structs.replace(one, parent=_named_parent(one.parent, names))
            for key, one in found.items()
        }
        base, ours, theirs = self.sides
        labels = Labels(
            found.values(),
            attributes=self._specs(base.attributes, ours.attributes, theirs.attributes),
            extra=merge_mappings(
                base.extra, ours.extra, theirs.extra, self._asker("labels.extra"), depth=1
            ),
        )
        return labels, replaced

    # -- one label -------------------------------------------------------------------------------

    def _label(self, key: str) -> Category | None:
        b, o, t = self.base.get(key), self.ours.get(key), self.theirs.get(key)
        if o is None or t is None:
            return self._one_sided(key, b, o, t)
        if o == t:
            return o
        fields = {name: self._field(key, name, b, o, t) for name in FIELDS}
        if _STAY in fields.values():
            return None  # between bases: not known
        extra = merge_mappings(
            None if b is None else b.extra, o.extra, t.extra, self._asker(f"label:{key}.extra")
        )
        return msgspec.structs.replace(o, **fields, extra=extra)

    def _one_sided(
        self, key: str, b: Category | None, o: Category | None, t: Category | None
    ) -> Category | None:
        left = o if o is not None else t
        if b is None or left is None:
            return left
        if left == b:
            return None
        decision = ask_deleted(self.judge, key, b, o, t)
        if decision is None:
            return o
        return {"ours": o, "theirs": t, "base": b, "union": left}.get(decision)

    def _field(self, key: str, name: str, b: Category | None, o: Category, t: Category) -> Any:
        base = NO_BASE if b is None else getattr(b, name)
        ours, theirs = getattr(o, name), getattr(t, name)
        value, sure = three_way(base, ours, theirs)
        if sure or (name == "id" and b is None):
            return value
        decision = self.judge.ask(
            f"label:{key}.{name}",
            "label-changed",
            name,
            base=shown(_plain(base)),
            ours=_plain(ours),
            theirs=_plain(theirs),
            labels=(key,),
            allowed=("ours", "theirs") if b is None else ("ours", "theirs", "base"),
        )
        if decision is UNKNOWN:
            return _STAY
        choice = "ours" if decision is None else decision.choice
        return {"theirs": theirs, "base": base}.get(choice, ours)

    # -- all labels ------------------------------------------------------------------------------

    def _renumber(self, found: dict[str, Category]) -> None:
        """Give labels that theirs added another number where ours have theirs."""
        ours = {one.id for key, one in found.items() if key in self.ours and one.id is not None}
        top = max((one.id for one in found.values() if isinstance(one.id, int)), default=0)
        for key, one in found.items():
            if key in self.ours or key in self.base or one.id not in ours:
                continue
            top += 1
            found[key] = msgspec.structs.replace(one, id=top)
            self.counts.renumbered += 1

    def _names(self, found: dict[str, Category]) -> dict[str, str]:
        """Ask about labels that would have one name; return keys that stand for another now."""
        replaced: dict[str, str] = {}
        seen: dict[str, str] = {}
        for key in sorted(found, key=lambda one: one not in self.ours):
            one = found[key]
            first = seen.setdefault(one.name, key)
            if first == key:
                continue
            decision = self.judge.ask(
                f"label:{key}.name-taken",
                "label-name",
                "name",
                base=shown(_name_of(self.base.get(key))),
                ours={"key": first, "name": one.name},
                theirs={"key": key, "name": one.name},
                labels=(first, key),
                allowed=("ours", "theirs", "union", "value"),
                fits=lambda value: isinstance(value, str) and bool(value) and value not in seen,
            )
            choice = "ours" if decision is None else decision.choice
            if choice == "union":
                replaced[key] = first
                del found[key]
                continue
            loser = first if choice == "theirs" else key
            taken = {each.name for each in found.values()}
            new = decision.value if decision is not None and choice == "value" else None
            name = new or _free_name(one.name, taken)
            found[loser] = msgspec.structs.replace(found[loser], name=name)
            seen[one.name], seen[name] = (key, first) if loser == first else (first, key)
        return replaced

    def _specs(
        self,
        base: Sequence[AttributeSpec],
        ours: Sequence[AttributeSpec],
        theirs: Sequence[AttributeSpec],
    ) -> list[AttributeSpec]:
        sides = [{one.name: one for one in side} for side in (base, ours, theirs)]
        merged = merge_mappings(sides[0], sides[1], sides[2], self._asker("labels.attributes"))
        return list(merged.values())

    def _asker(self, place: str) -> Any:
        def ask(path: str, b: Any, o: Any, t: Any) -> Any:
            field = f"{place}.{path}"
            decision = self.judge.ask(
                field,
                "label-changed",
                field,
                base=shown(_plain(b)),
                ours=_plain(o),
                theirs=_plain(t),
                allowed=("ours", "theirs") if b is NO_BASE else ("ours", "theirs", "base"),
            )
            choice = "ours" if decision is None else decision.choice
            return {"theirs": t, "base": b}.get(choice, o)

        return ask


class _Stay:
    """Stands for a field that is not known between merge bases."""


_STAY: Any = _Stay()
DELETED: tuple[Choice, ...] = ("ours", "theirs", "base", "union")


def ask_deleted(
    judge: Judge, key: str, base: Category | None, ours: Category | None, theirs: Category | None
) -> str | None:
    """Ask about a label that one side deleted and the other changed; return the choice."""
    sides = {
        name: _plain(one)
        for name, one in (("base", base), ("ours", ours), ("theirs", theirs))
        if one is not None
    }
    decision = judge.ask(
        f"label:{key}.deleted",
        "label-deleted",
        "deleted",
        labels=(key,),
        allowed=DELETED,
        **sides,
    )
    return None if decision is None else decision.choice


def fates(merged: MergedLabels, ours: Labels, judge: Judge) -> dict[str, str | None]:
    """
    Return what annotations of deleted labels become, as far as that is decided.

    None: they go with their label; else the key of another label.
    """
    own = {one.key for one in ours}
    found: dict[str, str | None] = {}
    for key in merged.deleted:
        decision = judge.foresee(_used(key), CHOICES, _fits(merged.labels))
        if decision is None:
            continue
        if decision.choice == ("theirs" if key in own else "ours"):
            found[key] = None
        elif decision.choice == "value":
            found[key] = merged.labels[decision.value].key
    return found


def still_used(
    merged: MergedLabels, used: Mapping[str, Sequence[str]], ours: Labels, judge: Judge
) -> Labels:
    """
    Ask about labels that are not declared and used by items of the merge (`used`: key → items).

    Returns the labels, with those that stay declared again: unless somebody decided otherwise.
    """
    own = {one.key for one in ours}
    gone = fates(merged, ours, judge)
    again: list[Category] = []
    for key, items in used.items():
        category = merged.deleted.get(key) or Category(name=key, key=key)
        told = {"used": len(items), "items": list(items[:SHOWN])}
        judge.ask(
            _used(key),
            "label-deleted",
            "deleted",
            base=_plain(category),
            ours=told if key in own else MISSING,
            theirs=MISSING if key in own else told,
            labels=(key,),
            fits=_fits(merged.labels),
        )
        if key not in gone:
            again.append(category)
    taken = set(merged.labels.names)
    for at, one in enumerate(again):
        if one.name in taken:
            again[at] = msgspec.structs.replace(one, name=_free_name(one.name, taken))
        taken.add(again[at].name)
    return merged.labels.replaced((*merged.labels, *again)) if again else merged.labels


def _used(key: str) -> str:
    return f"label:{key}.used"


def _fits(labels: Labels) -> Test:
    return lambda value: isinstance(value, str) and value in labels


def _by_key(labels: Labels) -> dict[str, Category]:
    """Return categories by key; a parent that is a label is its key: renames do not count."""
    keys = {one.name: one.key for one in labels}
    return {
        one.key: one
        if one.parent is None or one.parent not in keys
        else msgspec.structs.replace(one, parent=OWN_KEY + keys[one.parent])
        for one in labels
    }


def _named_parent(parent: str | None, names: Mapping[str, str]) -> str | None:
    if parent is None or not parent.startswith(OWN_KEY):
        return parent
    key = parent.removeprefix(OWN_KEY)
    return names.get(key, key)


def _free_name(name: str, taken: Iterable[str]) -> str:
    number, held = 2, set(taken)
    while f"{name}_{number}" in held:
        number += 1
    return f"{name}_{number}"


def _name_of(one: Category | None) -> Any:
    return MISSING if one is None else one.name


def _plain(value: Any) -> Any:
    if value is NO_BASE or value is MISSING:
        return MISSING
    plain = msgspec.to_builtins(value)
    return plain.removeprefix(OWN_KEY) if isinstance(plain, str) else plain
