"""
Three-way merge of what datasets are made of: labels, items, annotations, settings.

    decisions.py    conflicts as data, decisions about them, and the judge who knows both
    values.py       single values, mappings key by key, the order of lists
    annotations.py  one annotation, field by field
    pairing.py      which annotations of three versions are the same one
    instances.py    deletions, additions and groups: what concerns whole instances
    media.py        what the annotations are about
    items.py        all of it together: one item
    labels.py       lists of labels, by key

Pure: nothing here knows of files or repositories. Labels stand for themselves; who calls has
translated them to keys, so that a rename on one side applies to what the other side did.

A merge is a function of three versions and the decisions made so far. What it cannot decide it
tells as a `Conflict`, and stays with our side for the time being; merged once more with a
`Decision` about it, it follows that. `docs/design/merge.md` has the rules and their reasons.
"""

from dvcs.merge.decisions import (
    CHOICES,
    Choice,
    Conflict,
    Context,
    Counts,
    Decision,
    Judge,
    Options,
    Strategy,
)
from dvcs.merge.items import merge_items
from dvcs.merge.labels import MergedLabels, merge_labels
from dvcs.merge.settings import merge_settings
from dvcs.merge.values import merge_order

__all__ = [
    "CHOICES",
    "Choice",
    "Conflict",
    "Context",
    "Counts",
    "Decision",
    "Judge",
    "MergedLabels",
    "Options",
    "Strategy",
    "merge_items",
    "merge_labels",
    "merge_order",
    "merge_settings",
]
