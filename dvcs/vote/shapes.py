"""Annotations of many items as arrays: boxes around them, areas, kinds."""

from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np

from dvcs.compare import bounds
from dvcs.model import Annotation, Bbox, Polygon
from dvcs.vote.outlines import FARTHEST, Outlines, outlines

AREAS = ("bbox", "rotated_bbox", "ellipse", "polygon", "mask")
"""Kinds that cover an area of the image; a kind's code is its place here."""
BOX, POLYGON, NO_AREA = AREAS.index("bbox"), AREAS.index("polygon"), len(AREAS)
_CODES = {kind: code for code, kind in enumerate(AREAS)}


class Shapes:
    """
    Annotations as arrays, all by position in `notes`.

    `box` (N, 4) is x, y, w, h around an area, and `placed` tells whether there is one: not around
    captions, lines, points, nor around what is malformed. `outlined` are polygons that `outlines`
    can work with; `number` is theirs there, `area` what they cover.
    """

    def __init__(self, notes: Sequence[Annotation]) -> None:
        self.notes = notes
        count = len(notes)
        self.code = np.array([_CODES.get(note.kind, NO_AREA) for note in notes], dtype=np.int64)
        self.box, self.area = np.zeros((count, 4)), np.zeros(count)
        self.placed, self.outlined = (np.zeros(count, dtype=np.bool_) for _ in range(2))
        self.number = np.zeros(count, dtype=np.int64)
        self.outlines = self._draw_polygons()
        self._place_boxes()
        rest = (self.code < NO_AREA) & (self.code != BOX) & ~self.outlined
        for at in np.flatnonzero(rest).tolist():
            if (box := bounds(notes[at])) is not None:
                self.box[at], self.placed[at] = box, True

    def take(self, places: Sequence[int]) -> Self:
        """Return some of the annotations, by position."""
        some = copy(self)
        some.notes = [self.notes[at] for at in places]
        at = np.array(places, dtype=np.int64)
        for name in ("code", "box", "area", "placed", "outlined", "number"):
            setattr(some, name, getattr(self, name)[at])
        return some

    def _draw_polygons(self) -> Outlines:
        found = outlines([note for note in self.notes if isinstance(note, Polygon)])
        at = np.flatnonzero(self.code == POLYGON)
        self.number[at] = np.arange(len(at))
        self.area[at] = found.areas
        self.outlined[at] = self.placed[at] = found.usable
        self.box[at] = found.boxes
        self.box[at, 2:] -= found.boxes[:, :2]
        return found

    def _place_boxes(self) -> None:
        at = np.flatnonzero(self.code == BOX)
        sides = [(one.x, one.y, one.w, one.h) for one in self.notes if isinstance(one, Bbox)]
        try:
            box = np.array(sides, dtype=np.float64).reshape(-1, 4)
        except (TypeError, ValueError, OverflowError):
            found = [bounds(self.notes[n]) for n in at.tolist()]
            box = np.array([one or (np.nan,) * 4 for one in found], dtype=np.float64)
        box[:, :2] += np.minimum(box[:, 2:], 0.0)
        box[:, 2:] = np.abs(box[:, 2:])
        # A comparison with NaN is false, so this refuses it too.
        fine = np.abs(box).max(axis=1, initial=0.0) <= FARTHEST
        self.box[at[fine]] = box[fine]
        self.placed[at] = fine
