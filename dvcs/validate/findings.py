"""One finding of validation, and the report of many."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from dvcs.model import Annotation, Item
from dvcs.validate.rules import RULES, Severity


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    An annotation of an item.

    `index` counts from 0 in the item; `id` alone is no name: several annotations may have it, 0
    above all.
    """

    index: int
    kind: str
    id: int | str = 0
    label: str | None = None
    track: int | str | None = None

    @property
    def key(self) -> str:
        """How people name it within its item: by id, else by position (`n3` is the third)."""
        return str(self.id) if self.id else f"n{self.index + 1}"


def place(index: int, note: Annotation) -> Place:
    """Return the place of an annotation of an item."""
    return Place(index=index, kind=note.kind, id=note.id, label=note.label, track=note.track)


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What is wrong, and where. Without `item_id` it is about the dataset.

    `related` is the other annotation, where it is about two.
    """

    anomaly_type: str
    description: str
    severity: Severity
    source: str = ""
    subset: str | None = None
    item_id: str | None = None
    annotation: Place | None = None
    related: Place | None = None

    @property
    def where(self) -> str:
        """The item, as commands name it: `pets/train/1#12`; '' for the dataset."""
        if self.item_id is None:
            return self.source
        parts = [self.source] if self.source else []
        name = "/".join([*parts, self.subset or "", self.item_id])
        return name if self.annotation is None else f"{name}#{self.annotation.key}"


def of_item(
    rule: str,
    severity: Severity,
    description: str,
    item: Item,
    *,
    at: Place | None = None,
    related: Place | None = None,
) -> Finding:
    """Return a finding about an item."""
    return Finding(
        anomaly_type=rule,
        description=description,
        severity=severity,
        source=item.source,
        subset=item.subset,
        item_id=item.id,
        annotation=at,
        related=related,
    )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything that was found.

    `plain` is the form for JSON, which has the keys of Datumaro's reports and more.
    """

    findings: tuple[Finding, ...]
    statistics: Mapping[str, Any] = {}

    def count(self, severity: Severity) -> int:
        """Return how many findings are of a severity."""
        return sum(one.severity == severity for one in self.findings)

    def by_rule(self) -> dict[str, int]:
        """Return how many findings each rule has, in the order of the rules."""
        counts = Counter(one.anomaly_type for one in self.findings)
        return {name: counts[name] for name in RULES if counts[name]}

    def fails(self, at: Severity) -> bool:
        """Tell whether something was found that is at least so grave."""
        grave = {"error": ("error",), "warning": ("error", "warning")}.get(at)
        return any(grave is None or one.severity in grave for one in self.findings)

    def plain(self) -> dict[str, Any]:
        """Return the report as plain values: `statistics`, `validation_reports`, `summary`."""
        return {
            "statistics": dict(self.statistics),
            "validation_reports": [msgspec.to_builtins(one) for one in self.findings],
            "summary": {
                "errors": self.count("error"),
                "warnings": self.count("warning"),
                "infos": self.count("info"),
            },
        }
