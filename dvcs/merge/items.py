"""One item: its media, its attributes, and the annotations."""

from collections.abc import Mapping  # noqa: TC003 - beside what is needed at run time
from typing import Any

from dvcs.compare import compare_items, same
from dvcs.merge.annotations import MARK, SINGLE
from dvcs.merge.decisions import UNKNOWN, Context, Judge
from dvcs.merge.instances import WHOLE, Notes
from dvcs.merge.media import is_replaced_twice, merge_media, plain_media
from dvcs.merge.pairing import Sides
from dvcs.merge.values import MISSING, NO_BASE, merge_mappings, shown
from dvcs.model import Item


def merge_items(
    base: Item | None,
    ours: Item | None,
    theirs: Item | None,
    context: Context,
) -> Item | None:
    """
    Return the item of three versions (None: not there); None where it is to be gone.

    The result has our name. The judge is asked about what both sides changed; what it leaves open
    is as it is on our side.
    """
    judge = context.judge
    clean, unknown = _unmarked(base)
    if base is not None and clean is base:
        quick = _one_sided(base, ours, theirs)
        if quick is not None:
            return quick[0]
    if ours is None or theirs is None:
        return _deleted(clean, ours, theirs, judge)
    if _alike(ours, theirs):
        return ours
    context.counts.merged += 1
    if is_replaced_twice(
        clean.media if clean is not None and "media" not in unknown else None,
        ours.media,
        theirs.media,
    ):
        return _replaced(clean, ours, theirs, judge)
    return _merged(clean, ours, theirs, context, unknown)


def _merged(
    base: Item | None,
    ours: Item,
    theirs: Item,
    context: Context,
    unknown: frozenset[str],
) -> Item:
    judge = context.judge
    fields = _Fields(base, ours, theirs, judge, unknown)
    known = base is not None and "media" not in unknown
    before = None if base is None else base.media
    media, learnt = merge_media(before, ours.media, theirs.media, judge, known=known)
    context.counts.filled += learnt
    sides = Sides([] if base is None else base.annotations, ours.annotations, theirs.annotations)
    notes = Notes(sides, context, size=None if media is None else media.size).merged()
    attributes, extra = fields.mapping("attributes", 0), fields.mapping("extra", 1)
    if fields.unknown:
        extra[MARK] = sorted(set(fields.unknown))
    return ours.with_(
        media=media,
        annotations=notes,
        attributes=attributes,
        extra=extra,
        annotated=_annotated(base, ours, theirs),
    )


def _unmarked(base: Item | None) -> tuple[Item | None, frozenset[str]]:
    if base is None or MARK not in base.extra:
        return base, frozenset()
    extra = {name: value for name, value in base.extra.items() if name != MARK}
    return base.with_(extra=extra), frozenset(base.extra[MARK])


def _one_sided(base: Item, ours: Item | None, theirs: Item | None) -> tuple[Item | None] | None:
    """Return the side that changed, where not both did."""
    if _alike(base, ours) and not any(MARK in note.unknown for note in base.annotations):
        return (theirs,)
    if _alike(base, theirs) and not any(MARK in note.unknown for note in base.annotations):
        return (ours,)
    return None


def _alike(a: Item | None, b: Item | None) -> bool:
    if a is None or b is None:
        return a is b
    return a is b or (
        same(a.media, b.media)
        and a.annotated == b.annotated
        and same(dict(a.attributes), dict(b.attributes))
        and same(dict(a.extra), dict(b.extra))
        and same(list(a.annotations), list(b.annotations))
    )


# -- whole items ---------------------------------------------------------------------------------


def _deleted(
    base: Item | None, ours: Item | None, theirs: Item | None, judge: Judge
) -> Item | None:
    """One side (or both) does not have the item."""
    left = ours if ours is not None else theirs
    if left is None or base is None:
        return left
    change = compare_items(base, left)
    if change is None or not (change.annotations or change.fields):
        return None
    sides: dict[str, Any] = {"ours" if ours is not None else "theirs": plain_item(left)}
    decision = judge.ask(
        "item.deleted",
        "deleted",
        "deleted",
        base=plain_item(base),
        labels={note.label for note in left.annotations},
        allowed=WHOLE,
        **sides,
    )
    choice = "ours" if decision is None else decision.choice
    kept = {"ours": ours, "theirs": theirs, "base": base, "union": left}
    return kept.get(choice)


def _replaced(base: Item | None, ours: Item, theirs: Item, judge: Judge) -> Item | None:
    """Both sides have other media: one conflict of all that the item is."""
    decision = judge.ask(
        "media",
        "media",
        "media",
        base=MISSING if base is None else plain_media(base.media),
        ours=plain_media(ours.media),
        theirs=plain_media(theirs.media),
        labels={note.label for one in (ours, theirs) for note in one.annotations},
        allowed=("ours", "theirs") if base is None else ("ours", "theirs", "base"),
    )
    if decision is UNKNOWN:
        return None
    choice = "ours" if decision is None else decision.choice
    return {"theirs": theirs, "base": base}.get(choice, ours)


def plain_item(item: Item) -> dict[str, Any]:
    """Return in short what an item is, for a conflict."""
    report: dict[str, Any] = {"annotations": len(item.annotations)}
    if item.media is not None:
        report["media"] = plain_media(item.media)
    if item.attributes:
        report["attributes"] = dict(item.attributes)
    return report


# -- fields --------------------------------------------------------------------------------------


def _annotated(base: Item | None, ours: Item, theirs: Item) -> bool | None:
    """Who looked at an image has looked at it: true stands above false, that above unknown."""
    if ours.annotated == theirs.annotated:
        return ours.annotated
    if base is not None and base.annotated in (ours.annotated, theirs.annotated):
        return theirs.annotated if base.annotated == ours.annotated else ours.annotated
    return bool(ours.annotated or theirs.annotated)


class _Fields:
    """The mappings of an item."""

    def __init__(
        self, base: Item | None, ours: Item, theirs: Item, judge: Judge, marks: frozenset[str]
    ) -> None:
        self.base, self.ours, self.theirs = base, ours, theirs
        self.judge, self.marks = judge, marks
        self.unknown: list[str] = []

    def mapping(self, name: str, depth: int) -> dict[str, Any]:
        """Return `attributes` or `extra`, merged key by key."""

        def ask(path: str, b: Any, o: Any, t: Any) -> Any:
            if name == "extra" and path.count(".") == 1 and path.endswith(".id"):
                return o  # the number that a file gave it
            return self._decided(f"{name}.{path}", name, b, o, t)

        base: Mapping[str, Any] | None = None if self.base is None else getattr(self.base, name)
        ours, theirs = getattr(self.ours, name), getattr(self.theirs, name)
        prefix = f"{name}."
        unknown = frozenset(one.removeprefix(prefix) for one in self.marks if prefix in one)
        return merge_mappings(base, ours, theirs, ask, depth=depth, unknown=unknown)

    def _decided(self, field: str, name: str, b: Any, o: Any, t: Any) -> Any:
        decision = self.judge.ask(
            f"item.{field}",
            "attribute" if name == "attributes" else "extra",
            field,
            base=shown(b),
            ours=shown(o),
            theirs=shown(t),
            allowed=("ours", "theirs", "value") if b is NO_BASE else SINGLE,
        )
        if decision is UNKNOWN:
            self.unknown.append(field)
        if decision is None or decision is UNKNOWN:
            return o
        return {"theirs": t, "base": b, "value": decision.value}.get(decision.choice, o)
