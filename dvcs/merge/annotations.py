"""
One annotation that both sides have, merged field by field.

The shape with what a format derived from it is one field, so is each attribute. Shapes that were
interpolated between keyframes give way: they follow from others.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from dvcs.compare import key as content
from dvcs.compare import same, similarity
from dvcs.compare.similarity import FLAT
from dvcs.merge.decisions import (
    CHOICES,
    UNKNOWN,
    Choice,
    Conflict,
    Context,
    Decision,
    Options,
)
from dvcs.merge.values import MISSING, NO_BASE, equal, is_absent, merge_mappings, shown, three_way
from dvcs.model import KINDS, Annotation, Points
from dvcs.projection.shapes import with_shape
from dvcs.tracks import is_interpolated

MARK = "dvcs.unknown"
"""Where an annotation between merge bases says of which fields the base is not known."""
SHAPES = FLAT | {"cuboid_3d"}
"""Kinds of which nearly equal ones are the same."""
SCALARS = ("label", "score", "z_order", "track")
SINGLE: tuple[Choice, ...] = ("ours", "theirs", "base", "value")


class MergedNote(NamedTuple):
    """An annotation, and what else is kept beside it where a person wanted both versions."""

    note: Annotation
    double: Annotation | None = None


class Versions(NamedTuple):
    """One annotation before (None: not there) and on both sides, and what it is called."""

    base: Annotation | None
    ours: Annotation
    theirs: Annotation
    anchor: str


def unmarked(note: Annotation) -> tuple[Annotation, frozenset[str]]:
    """Return an annotation of a base without its mark, and the fields that are not known."""
    marks = note.unknown.get(MARK)
    if marks is None:
        return note, frozenset()
    rest = {name: value for name, value in note.unknown.items() if name != MARK}
    return note.with_(unknown=rest), frozenset(marks)


def is_changed(base: Annotation, now: Annotation) -> bool:
    """Tell whether somebody changed an annotation: other numbers and interpolation are nothing."""
    return not is_interpolated(now) and content(base) != content(now)


def plain_shape(note: Annotation) -> dict[str, Any]:
    """Return the shape of an annotation as plain values."""
    values = {name: getattr(note, name) for name in note.geometry_fields}
    if note.derived:
        values["derived"] = note.derived
    plain: dict[str, Any] = msgspec.to_builtins({"type": note.kind, **values})
    return plain


def nearly_equal(a: Annotation, b: Annotation, options: Options, size: Any) -> bool:
    """Tell whether two shapes are so alike that either may stand for both."""
    if a.kind != b.kind or a.kind not in SHAPES:
        return a.kind == b.kind and same(a.geometry, b.geometry)
    if isinstance(a, Points) and isinstance(b, Points) and a.visibility != b.visibility:
        return False
    return similarity(a, b, size) >= options.agree


def merge_annotation(
    versions: Versions,
    context: Context,
    *,
    size: tuple[int, int] | None = None,
    marks: frozenset[str] = frozenset(),
) -> MergedNote:
    """Merge one annotation. `marks` are the fields whose base is not known, `size` the image's."""
    return _Fields(versions, context, size, marks).merged()


class _Fields:
    """The fields of one annotation, while they are merged."""

    def __init__(
        self,
        versions: Versions,
        context: Context,
        size: tuple[int, int] | None,
        marks: frozenset[str],
    ) -> None:
        self.base, self.ours, self.theirs, self.anchor = versions
        self.judge, self.options, self.counts = context.judge, context.options, context.counts
        self.size, self.marks = size, marks
        self.unknown: list[str] = []
        self.both = False
        weak = is_interpolated(self.ours), is_interpolated(self.theirs)
        self.yields = {(True, False): "theirs", (False, True): "ours", (True, True): "ours"}.get(
            weak
        )
        """The side that is taken where both changed something that follows from keyframes."""
        self.keyframe = self._keyframe()

    def merged(self) -> MergedNote:
        ours, theirs = self.ours, self.theirs
        fields: dict[str, Any] = {name: self._scalar(name) for name in SCALARS}
        for name, depth in (("attributes", 0), ("extra", 1), ("unknown", 0)):
            fields[name] = self._mapping(name, depth)
        fields["id"] = self._id()
        if self.keyframe is not None:
            fields |= {name: dict(getattr(self.keyframe, name)) for name in ("attributes", "extra")}
        note = self._shaped().with_(**fields)
        if self.unknown:
            note = note.with_(unknown={**note.unknown, MARK: sorted(set(self.unknown))})
        if self.both:
            return MergedNote(note, theirs)
        # The very same object where nothing is new: whoever looks can see it at a glance.
        return MergedNote(ours if note == ours and same(note, ours) else note)

    # -- fields ----------------------------------------------------------------------------------

    def _scalar(self, name: str) -> Any:
        base = self._base_of(name)
        ours, theirs = getattr(self.ours, name), getattr(self.theirs, name)
        if name == "track" and self.base is None:
            return theirs if ours is None else ours  # numbers that both sides gave
        value, sure = three_way(base, ours, theirs)
        if sure:
            return value
        allowed = CHOICES if name == "label" else SINGLE
        return self._decided(name, name, (base, ours, theirs), allowed, _FITS[name])

    def _mapping(self, name: str, depth: int) -> dict[str, Any]:
        base = None if self.base is None else getattr(self.base, name)
        kind = "attribute" if name == "attributes" else "extra"

        def ask(path: str, b: Any, o: Any, t: Any) -> Any:
            if name == "extra" and path.count(".") == 1 and path.endswith(".id"):
                return o  # the number that a file gave it
            lists = isinstance(o, list) and isinstance(t, list)
            allowed = CHOICES if lists else SINGLE
            return self._decided(kind, f"{name}.{path}", (b, o, t), allowed)

        ours, theirs = getattr(self.ours, name), getattr(self.theirs, name)
        if equal(ours, theirs):
            return dict(ours)
        prefix = f"{name}."
        unknown = frozenset(one.removeprefix(prefix) for one in self.marks if prefix in one)
        return merge_mappings(base, ours, theirs, ask, depth=depth, unknown=unknown)

    def _keyframe(self) -> Annotation | None:
        """Return the keyframe that one side made or moved while there is none on the other."""
        base, strong = self.base, {"ours": self.ours, "theirs": self.theirs}.get(self.yields or "")
        if strong is None or is_interpolated(strong):
            return None
        kept = base is not None and not is_interpolated(base)
        # Where nobody moved a keyframe, that it is none any more is all that happened.
        return None if kept and base is not None and equal(_shape(strong), _shape(base)) else strong

    def _id(self) -> int | str:
        ours, theirs = self.ours.id, self.theirs.id
        if self.base is not None and ours == self.base.id:
            return theirs
        if self.base is not None and theirs not in (ours, self.base.id):
            self.counts.renumbered += 1
        return ours or theirs

    def _shaped(self) -> Annotation:
        """Return ours, with the merged shape."""
        ours, theirs = self.ours, self.theirs
        o, t = _shape(ours), _shape(theirs)
        known = self.base is not None and "geometry" not in self.marks
        b = _shape(self.base) if known and self.base is not None else NO_BASE
        if self.keyframe is not None:
            return with_shape(ours, self.keyframe)
        if equal(o, t) or equal(t, b):
            return ours
        if equal(o, b):
            return with_shape(ours, theirs)
        if self.yields is not None:
            return ours if self.yields == "ours" else with_shape(ours, theirs)
        if nearly_equal(ours, theirs, self.options, self.size):
            self.counts.settled += 1
            return ours
        kind = "caption" if ours.kind == theirs.kind == "caption" else "geometry"
        before = MISSING if b is NO_BASE or self.base is None else plain_shape(self.base)
        decision = self._asked(kind, "geometry", (before, plain_shape(ours), plain_shape(theirs)))
        return self._chosen_shape(decision)

    def _chosen_shape(self, decision: Decision | None) -> Annotation:
        choice = None if decision is None else decision.choice
        if choice == "theirs":
            return with_shape(self.ours, self.theirs)
        if choice == "base" and self.base is not None:
            return with_shape(self.ours, self.base)
        if choice == "value" and decision is not None:
            return with_shape(self.ours, as_shape(decision.value, self.ours))
        return self.ours

    # -- decisions -------------------------------------------------------------------------------

    def _base_of(self, name: str) -> Any:
        if self.base is None or name in self.marks:
            return NO_BASE
        return getattr(self.base, name)

    def _decided(
        self,
        kind: str,
        field: str,
        sides: tuple[Any, Any, Any],
        allowed: tuple[Choice, ...],
        fits: Any = None,
    ) -> Any:
        """Return the value of a field in conflict, as decided, else ours for the time being."""
        base, ours, theirs = sides
        if self.yields is not None:
            return ours if self.yields == "ours" else theirs
        told = shown(base), shown(ours), shown(theirs)
        decision = self._asked(kind, field, told, allowed=allowed, fits=fits)
        if decision is None or decision is UNKNOWN:
            return ours
        if decision.choice == "union" and isinstance(ours, list):
            return [*ours, *(one for one in theirs if one not in ours)]
        values = {"theirs": theirs, "base": base, "value": decision.value}
        return values.get(decision.choice, ours)

    def _asked(
        self,
        kind: str,
        field: str,
        sides: tuple[Any, Any, Any],
        *,
        allowed: tuple[Choice, ...] = CHOICES,
        fits: Any = None,
    ) -> Decision | None:
        base, ours, theirs = sides
        if base is MISSING and self._has_no_base(field):
            allowed = tuple(one for one in allowed if one != "base")
        decision = self.judge.ask(
            f"{self.anchor}.{field}",
            kind,
            field,
            base=base,
            ours=ours,
            theirs=theirs,
            labels=self._labels(),
            allowed=allowed,
            fits=fits or (self._fits_shape if field == "geometry" else None),
        )
        if decision is UNKNOWN:
            self.unknown.append(field)
        elif decision is not None and decision.choice == "union" and not isinstance(ours, list):
            self.both = True
        return decision

    def _has_no_base(self, field: str) -> bool:
        return self.base is None or field in self.marks

    def _fits_shape(self, value: Any) -> bool:
        try:
            as_shape(value, self.ours)
        except (msgspec.MsgspecError, TypeError, KeyError):
            return False
        return True

    def _labels(self) -> set[str | None]:
        return {one.label for one in (self.base, self.ours, self.theirs) if one is not None}


def _shape(note: Annotation) -> tuple[Any, ...]:
    return note.kind, *map(_listed, note.geometry), note.derived


def _listed(value: Any) -> Any:
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value


def as_shape(value: Any, like: Annotation) -> Annotation:
    """
    Return plain values as an annotation that has just that shape; the kind is that of `like`,
    unless `type` says another.

    Raises TypeError, KeyError or msgspec's errors where they are no shape.
    """
    return _shape_of(value, like.kind)


def _shape_of(value: Any, kind: str) -> Annotation:
    if not isinstance(value, Mapping):
        raise TypeError
    fields = dict(value)
    cls = KINDS[fields.pop("type", kind)]
    known = {*cls.geometry_fields, "derived"}
    if not known >= fields.keys():
        raise TypeError
    return msgspec.convert(fields, cls)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS = {
    "label": lambda value: value is None or isinstance(value, str),
    "score": lambda value: value is None or _number(value),
    "z_order": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "track": lambda value: is_absent(value) or isinstance(value, int | str),
}


def fits_value(conflict: Conflict, value: Any) -> bool:
    """Tell whether a value can be what a conflict becomes."""
    if conflict.field == "geometry":
        plain = conflict.ours if isinstance(conflict.ours, Mapping) else conflict.theirs
        try:
            _shape_of(value, plain["type"])
        except (msgspec.MsgspecError, TypeError, KeyError):
            return False
        return True
    test = _FITS.get(conflict.kind)
    return test is None or bool(test(value))
