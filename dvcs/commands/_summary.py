"""What is in a dataset, as `dvcs info` tells it."""

from typing import TYPE_CHECKING, Any

from dvcs import ui
from dvcs.progress import track
from dvcs.stats import Info, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dvcs.model import Dataset, Item


class Contents:
    """The numbers of a dataset, or of all sources of a revision together."""

    def __init__(self) -> None:
        self.info = Info()
        self.sources: dict[str, dict[str, Any]] = {}
        self.not_at_hand = 0
        """Media files whose bytes cannot be had here."""

    def add(self, dataset: "Dataset", source: str) -> None:
        """Count a dataset, or one source of a revision."""

        def walk() -> "Iterator[Item]":
            doing = f"reading {source}" if source else "reading"
            for item in track(dataset, doing, dataset.count):
                if item.media is not None:
                    at_hand = sum(origin is not None for origin in item.origins)
                    self.not_at_hand += len(item.media.files) - at_hand
                yield item

        counted = summarise(dataset.derive(walk))
        self.info += counted
        if source:
            self.sources[source] = {"format": dataset.format, "items": counted.items}

    def report(self) -> dict[str, Any]:
        """Return the numbers as `dvcs info --json` has them."""
        report = {**self.info.report(), "sources": self.sources}
        report["media"]["not_at_hand"] = self.not_at_hand
        return report

    def lines(self, most: int | None) -> list[str]:
        """Return the numbers as lines for people, with at most so many labels."""
        info = self.info
        rows = [("items", ui.number(info.items), "")]
        rows += _indented(info.subsets)
        if len(self.sources) > 1:
            rows += [
                (f"  in {name}", ui.number(one["items"]), "") for name, one in self.sources.items()
            ]
        if info.empty and info.annotations:
            rows.append(("  without annotations", ui.number(info.empty), ""))
        rows.append(("annotations", ui.number(info.annotations), ""))
        rows += _indented(_by_count(info.annotation_types))
        used = {name: count for name, count in _by_count(info.labels).items() if count}
        unused = len(info.labels) - len(used)
        note = f"{unused:,} of them not used" if used and unused else ""
        rows.append(("labels", ui.number(len(info.labels)), note))
        rows += _indented(used)[:most]
        if most is not None and len(used) > most:
            rows.append((f"  and {len(used) - most:,} more (--all)", "", ""))
        if info.unlabelled and used:
            rows.append(("  (no label)", ui.number(info.unlabelled), ""))
        rows.append(("media files", ui.number(info.media.count), self._media_facts()))
        return ui.table(rows, right=(1,))

    def _media_facts(self) -> str:
        facts = [ui.size(self.info.media.bytes)] if self.info.media.bytes else []
        if self.not_at_hand:
            facts.append(f"{self.not_at_hand:,} not at hand")
        return ", ".join(facts)


def _by_count(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: -one[1]))


def _indented(counts: dict[str, int]) -> list[tuple[str, str, str]]:
    return [(f"  {name}", ui.number(count), "") for name, count in counts.items()]
