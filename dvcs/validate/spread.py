"""
Rules about a whole dataset that need the distribution of sizes, by label and by attribute.

Two walks: the first learns mean, deviation and range of each size, the second fills a histogram and
tells which shapes are far from the mean. Sizes are taken in by blocks (means and squared deviations
of blocks are added up after Chan, Golub and LeVeque, 1979), so that memory grows with labels and
values only. Datumaro keeps all sizes and appends to arrays, which is quadratic. Of 826,000 boxes
both walks together take 7 s more than reading them twice.
"""

from collections.abc import Iterator
from math import sqrt
from operator import le
from typing import TYPE_CHECKING, Any

from dvcs.model import Annotation, Item
from dvcs.validate.findings import Finding, of_item, place
from dvcs.validate.rules import COUNTED, FREE_ATTRIBUTES, MOST_VALUES, Options
from dvcs.validate.shapes import extent, faults, is_sound_box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 10
BLOCK = 4096
"""Shapes whose sizes are taken in together."""
LARGEST = 1e9
"""Pixels from which on a side is that of no image, and its square of no number."""
LEAST = 3
"""Of fewer shapes than this nothing can be said."""
SIZES = ("width", "height", "area(wxh)", "ratio(w/h)", "short", "long")
"""What is compared of a shape's upright box, in pixels, under Datumaro's names."""

Family = tuple[str, str, str]
"""What shapes are compared within: a label, or a label, an attribute and its value."""
Box = tuple[float, float]


class _Numbers:
    """Counts, means, squared deviations, ranges and histograms of the sizes of one family."""

    def __init__(self) -> None:
        self.waiting: list[float] = []
        """Width and height in turns, to be taken in."""
        self.count = [0] * len(SIZES)
        self.mean = [0.0] * len(SIZES)
        self.squares = [0.0] * len(SIZES)
        self.low = [float("inf")] * len(SIZES)
        self.high = [float("-inf")] * len(SIZES)
        self.bins = [[0] * BINS for _ in SIZES]
        self.least: list[float] = []
        self.most: list[float] = []
        """Between which a size is not far from the mean."""

    def learn(self) -> None:
        """Take in what waits, in the first walk."""
        for n, values in enumerate(self._blocks()):
            count = len(values)
            if not count:
                continue
            mean = float(values.mean())
            squares = float(((values - mean) ** 2).sum())
            total, step = self.count[n] + count, mean - self.mean[n]
            self.squares[n] += squares + step * step * self.count[n] * count / total
            self.mean[n] += step * count / total
            self.count[n] = total
            self.low[n] = min(self.low[n], float(values.min()))
            self.high[n] = max(self.high[n], float(values.max()))

    def sort_in(self) -> None:
        """Take in what waits, in the second walk."""
        import numpy as np

        for n, values in enumerate(self._blocks()):
            span = self.high[n] - self.low[n]
            if not len(values) or not self.tells(n):
                continue
            at = np.clip(((values - self.low[n]) / span * BINS).astype(np.int64), 0, BINS - 1)
            for bin, more in enumerate(np.bincount(at, minlength=BINS).tolist()):
                self.bins[n][bin] += more

    def _blocks(self) -> "Iterator[Floats]":
        """Yield the waiting values of each size; those that are no number are left out."""
        import numpy as np

        boxes = np.array(self.waiting, dtype=np.float64).reshape(-1, 2)
        self.waiting.clear()
        width, height = boxes[:, 0], boxes[:, 1]
        flat = height <= 0
        yield width
        yield height
        yield width * height
        yield width[~flat] / height[~flat]
        yield np.minimum(width, height)
        yield np.maximum(width, height)

    def tells(self, n: int) -> bool:
        """Whether there are shapes enough to say something of a size, of more than one size."""
        return self.count[n] >= LEAST and self.squares[n] > 0 and self.high[n] > self.low[n]

    def deviation(self, n: int) -> float:
        return sqrt(self.squares[n] / self.count[n]) if self.count[n] else 0.0

    def settle(self, far: float) -> bool:
        """End the first walk; tell whether there is something to compare with."""
        self.learn()
        telling = [self.tells(n) for n in range(len(SIZES))]
        for n, mean in enumerate(self.mean):
            reach = far * self.deviation(n) if telling[n] else float("inf")
            self.least.append(mean - reach)
            self.most.append(mean + reach)
        return any(telling)

    def far(self, values: tuple[float, ...]) -> list[str]:
        """Say which sizes are far from the mean."""
        if all(map(le, self.least, values)) and all(map(le, values, self.most)):
            return []
        return [
            f"{name} is {value:.4g} (mean {self.mean[n]:.4g})"
            for n, (name, value) in enumerate(zip(SIZES, values, strict=True))
            if value < self.least[n] or value > self.most[n]
        ]

    def plain(self, n: int) -> dict[str, Any]:
        """Return the numbers of a size under Datumaro's names; a median would need all values."""
        step = (self.high[n] - self.low[n]) / BINS
        edges = [self.low[n] + at * step for at in range(BINS)]
        return {
            "mean": self.mean[n],
            "stdev": self.deviation(n),
            "min": self.low[n],
            "max": self.high[n],
            "histogram": {"bins": [*edges, self.high[n]], "counts": list(self.bins[n])},
        }


class Spread:
    """Learns the sizes of shapes in one walk, and judges them in a second."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._counted = COUNTED[options.task]
        self._known: dict[Family, _Numbers] = {}
        self._values: dict[tuple[str, str], set[str]] = {}
        self._far = [options.severity(one) for one in ("FarFromLabelMean", "FarFromAttrMean")]
        uneven = "ImbalancedDistInLabel", "ImbalancedDistInAttribute"
        self._uneven = [options.severity(one) for one in uneven]

    def learn(self, item: Item) -> None:
        """Take in the sizes of an item's shapes, in the first walk."""
        for _, note, box in self._boxes(item):
            for family in self._families(note):
                held = self._known.get(family)
                if held is None:
                    held = self._known[family] = _Numbers()
                held.waiting += box
                if len(held.waiting) > BLOCK:
                    held.learn()

    def settle(self) -> bool:
        """End the first walk; tell whether a second has anything to find."""
        crowded = {key for key, held in self._values.items() if len(held) > MOST_VALUES}
        self._known = {
            family: held
            for family, held in self._known.items()
            if family[:2] not in crowded and held.settle(self._options.far)
        }
        return bool(self._known)

    def check(self, item: Item) -> Iterator[Finding]:
        """Yield the shapes of an item that are far from the mean, in the second walk."""
        for n, note, box in self._boxes(item):
            values = _sizes(*box)
            for family in self._families(note):
                held = self._known.get(family)
                if held is None:
                    continue
                held.waiting += box
                if len(held.waiting) > BLOCK:
                    held.sort_in()
                far = held.far(values)
                level = self._far[bool(family[1])]
                if far and level is not None:
                    rule = "FarFromAttrMean" if family[1] else "FarFromLabelMean"
                    said = f"of {_named(family)}, {', '.join(far)}"
                    yield of_item(rule, level, said, item, at=place(n, note))

    def findings(self) -> Iterator[Finding]:
        """Yield where nearly all shapes are of one size, after the second walk."""
        top = max(1, round(BINS * self._options.bins))
        for family, held in sorted(self._known.items(), key=lambda pair: pair[0]):
            held.sort_in()
            level = self._uneven[bool(family[1])]
            for n, name in enumerate(SIZES):
                if level is None or not held.tells(n):
                    continue
                share = sum(sorted(held.bins[n], reverse=True)[:top]) / held.count[n]
                if share >= self._options.dominance:
                    rule = "ImbalancedDistInAttribute" if family[1] else "ImbalancedDistInLabel"
                    said = f"of {_named(family)}, {share:.0%} have nearly the same {name}"
                    yield Finding(anomaly_type=rule, description=said, severity=level)

    def statistics(self) -> dict[str, Any]:
        """Return mean, deviation, range and histogram of each size, under Datumaro's names."""
        what = "mask" if self._options.task == "segmentation" else "bbox"
        by_label: dict[str, Any] = {}
        by_value: dict[str, Any] = {}
        for (label, name, value), held in sorted(self._known.items(), key=lambda pair: pair[0]):
            numbers = {size: held.plain(n) for n, size in enumerate(SIZES) if held.tells(n)}
            if name:
                by_value.setdefault(label, {}).setdefault(name, {})[value] = numbers
            else:
                by_label[label] = numbers
        return {
            f"{what}_distribution_in_label": by_label,
            f"{what}_distribution_in_attribute": by_value,
        }

    def _boxes(self, item: Item) -> Iterator[tuple[int, Annotation, Box]]:
        for n, note in enumerate(item.annotations):
            counts = self._counted is None or note.kind in self._counted
            if counts and note.label is not None and (box := _box(note)) is not None:
                yield n, note, box

    def _families(self, note: Annotation) -> Iterator[Family]:
        label = note.label or ""
        yield label, "", ""
        for name, value in note.attributes.items():
            if name in FREE_ATTRIBUTES or not name:
                continue
            known = self._values.setdefault((label, name), set())
            text = str(value)
            if text not in known:
                if len(known) > MOST_VALUES:
                    continue
                known.add(text)
            yield label, name, text


def _named(family: Family) -> str:
    label, name, value = family
    return f"'{label}' with {name} '{value}'" if name else f"'{label}'"


def _box(note: Annotation) -> Box | None:
    """Return width and height of a shape; None for one with faults, or without any."""
    if is_sound_box(note):
        box: Box = note.w, note.h  # type: ignore[attr-defined]
    elif next(faults(note), None) is not None or (around := extent(note)) is None:
        return None
    else:
        box = around[2] - around[0], around[3] - around[1]
    return box if max(box) < LARGEST else None


def _sizes(width: float, height: float) -> tuple[float, ...]:
    ratio = width / height if height > 0 else float("nan")
    short, long = (width, height) if width < height else (height, width)
    return width, height, width * height, ratio, short, long
