"""Rules about a whole dataset that need numbers only: of labels, of attributes and their values."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from dvcs.model import Item, Labels
from dvcs.validate.findings import Finding
from dvcs.validate.rules import COUNTED, FREE_ATTRIBUTES, MOST_VALUES, UNLABELLED, Options


class Tally:
    """Counts the labels and attributes of items that pass by."""

    def __init__(self, labels: Labels, options: Options) -> None:
        self._labels = labels
        self._options = options
        self._counted = COUNTED[options.task]
        self._used: Counter[str] = Counter()
        self._values: dict[tuple[str, str], Counter[str] | None] = {}
        self._total = 0
        self._items = 0
        self._without = 0

    def add(self, item: Item) -> None:
        """Count an item."""
        counted = 0
        for note in item.annotations:
            if self._counted is not None and note.kind not in self._counted:
                continue
            counted += 1
            if note.label is None:
                continue
            if note.kind not in UNLABELLED:
                self._used[note.label] += 1
            for name, value in note.attributes.items():
                self._count_value((note.label, name), value)
        self._items += 1
        self._total += counted
        self._without += not counted

    def _count_value(self, key: tuple[str, str], value: Any) -> None:
        if key not in self._values:
            self._values[key] = Counter()
        held = self._values[key]
        if held is None:
            return
        held[str(value)] += 1
        if len(held) > MOST_VALUES:
            self._values[key] = None

    # Rules

    def findings(self) -> Iterator[Finding]:
        """Yield what the numbers say of the dataset."""
        if not len(self._labels):
            yield from self._found("MissingLabelCategories", "the dataset declares no labels")
        if not self._items:
            return
        yield from self._labels_found()
        yield from self._attributes_found()

    def _labels_found(self) -> Iterator[Finding]:
        few = self._options.few_samples
        counts = {name: self._used[name] for name in self._labels.names}
        for name, count in counts.items():
            if not count:
                said = f"the label '{name}' is declared and never used"
                yield from self._found("LabelDefinedButNotFound", said)
            elif count <= few:
                said = f"the label '{name}' has {_times(count, 'annotation')}"
                yield from self._found("FewSamplesInLabel", said)
        used = {name: count for name, count in counts.items() if count}
        if len(used) == 1:
            said = f"only the label '{next(iter(used))}' is used"
            yield from self._found("OnlyOneLabel", said)
        said = self._imbalance(used)
        if said:
            yield from self._found("ImbalancedLabels", f"of the labels, {said}")

    def _attributes_found(self) -> Iterator[Finding]:
        few = self._options.few_samples
        for label, name in self._declared():
            if (label, name) not in self._values and self._used[label]:
                said = f"the attribute '{name}' of '{label}' is declared and never used"
                yield from self._found("AttributeDefinedButNotFound", said)
        for (label, name), values in sorted(self._values.items()):
            if values is None or name in FREE_ATTRIBUTES:
                continue
            what = f"the attribute '{name}' of '{label}'"
            if len(values) == 1:
                said = f"{what} is always '{next(iter(values))}'"
                yield from self._found("OnlyOneAttributeValue", said)
            for value, count in values.items():
                if count <= few:
                    said = f"{what} is '{value}' {_times(count, 'time')} only"
                    yield from self._found("FewSamplesInAttribute", said)
            said = self._imbalance(values)
            if said:
                yield from self._found("ImbalancedAttribute", f"of the values of {what}, {said}")

    def _declared(self) -> Iterator[tuple[str, str]]:
        for one in self._labels:
            for spec in (*self._labels.attributes, *one.attributes):
                yield one.name, spec.name

    def _imbalance(self, counts: Mapping[str, int]) -> str:
        if len(counts) < 2:
            return ""
        most = max(counts, key=lambda name: counts[name])
        least = min(counts, key=lambda name: counts[name])
        if counts[most] < self._options.imbalance * counts[least]:
            return ""
        times = counts[most] / counts[least]
        return (
            f"'{most}' ({counts[most]:,}) is {times:,.0f} times as frequent as"
            f" '{least}' ({counts[least]:,})"
        )

    def _found(self, rule: str, description: str) -> Iterator[Finding]:
        level = self._options.severity(rule)
        if level is not None:
            yield Finding(anomaly_type=rule, description=description, severity=level)

    def statistics(self) -> dict[str, Any]:
        """Return the numbers, under Datumaro's names where it has them."""
        names = self._labels.names
        attributes: dict[str, dict[str, Any]] = {}
        for (label, name), values in sorted(self._values.items()):
            shown = None if values is None else dict(sorted(values.items()))
            attributes.setdefault(label, {})[name] = {"distribution": shown}
        return {
            "total_ann_count": self._total,
            "item_count": self._items,
            "items_missing_annotation_count": self._without,
            "label_distribution": {
                "defined_labels": {name: self._used[name] for name in names},
                "undefined_labels": {
                    name: {"count": count}
                    for name, count in sorted(self._used.items())
                    if name not in self._labels
                },
            },
            "attribute_distribution": attributes,
        }


def _times(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
