"""
Validation: what is wrong, or looks wrong, in a dataset's annotations.

    rules.py        every rule: its name, how grave it is, what it is about
    findings.py     one finding, and the report of many
    shapes.py       rules about one shape
    items.py        rules about one item; all that is checked of an item stands there
    counts.py       rules about the whole dataset that need numbers of labels and attributes
    spread.py       rules about the whole dataset that need the distribution of sizes

Rules keep the names that Datumaro gave them where they say the same; the others are marked in
`rules.RULES`. Rules about one item need that item and the labels only, so that a commit can be
checked by what it changes.
"""

from collections.abc import Iterable, Iterator

from dvcs.model import Dataset, Item, Labels
from dvcs.validate.counts import Tally
from dvcs.validate.findings import Finding, Place, Report
from dvcs.validate.items import ItemRules
from dvcs.validate.rules import RULES, SEVERITIES, TASKS, Level, Options, Rule, Severity, Task
from dvcs.validate.spread import Spread

__all__ = [
    "RULES",
    "SEVERITIES",
    "TASKS",
    "Finding",
    "ItemRules",
    "Level",
    "Options",
    "Place",
    "Report",
    "Rule",
    "Severity",
    "Task",
    "validate",
    "validate_dataset",
    "validate_items",
]


def validate_items(
    items: Iterable[Item], labels: Labels, options: Options | None = None
) -> Iterator[Finding]:
    """Yield what is found in single items, in their order: the rules about one item only."""
    rules = ItemRules(labels, options or Options())
    for item in items:
        yield from rules.check(item)


def validate_dataset(dataset: Dataset, options: Options | None = None) -> Iterator[Finding]:
    """
    Yield what is found in a dataset: item by item, then of the dataset as a whole.

    Walks it twice where a rule about sizes is on. Memory grows with labels, attributes and their
    values, never with items.
    """
    chosen = options or Options()
    yield from _walk(dataset, chosen, Tally(dataset.labels, chosen), Spread(chosen))


def validate(dataset: Dataset, options: Options | None = None) -> Report:
    """Return everything that is found in a dataset, with its counts and statistics."""
    chosen = options or Options()
    tally, spread = Tally(dataset.labels, chosen), Spread(chosen)
    findings = tuple(_walk(dataset, chosen, tally, spread))
    statistics = tally.statistics()
    if chosen.wants_spread:
        statistics |= spread.statistics()
    return Report(findings=findings, statistics=statistics)


def _walk(dataset: Dataset, options: Options, tally: Tally, spread: Spread) -> Iterator[Finding]:
    rules = ItemRules(dataset.labels, options)
    twice = options.wants_spread
    for item in dataset:
        yield from rules.check(item)
        tally.add(item)
        if twice:
            spread.learn(item)
    yield from tally.findings()
    if twice and spread.settle():
        for item in dataset:
            yield from spread.check(item)
        yield from spread.findings()
