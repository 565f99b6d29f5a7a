"""
What changed between two states of a dataset: items, and inside them annotations, field by field.

    for change in diff_datasets(old, new):
        for one in change.annotations:
            print(change.id, describe(one))

`similarity` says how alike two annotations are, `pair_annotations` which of them are the same one,
`compare_items` what changed in an item, `compare_pairs` in a stream of items, `diff_datasets` in
whole datasets. `report` is all of it as plain values.
"""

from dvcs.compare.changes import (
    AnnotationChange,
    Details,
    ItemChange,
    Knowledge,
    Options,
    compare_items,
)
from dvcs.compare.datasets import (
    compare_pairs,
    diff_datasets,
    match_items,
    renamed_labels,
    trace_of,
)
from dvcs.compare.describe import describe
from dvcs.compare.equality import content_key, key, same
from dvcs.compare.evidence import IdTrust, Rounding, is_rounding, is_shortened
from dvcs.compare.pairing import THRESHOLD, Pair, pair_annotations
from dvcs.compare.similarity import bounds, box_iou, similarity, text_similarity
from dvcs.compare.summary import (
    AnnotationCounts,
    ItemCounts,
    SubsetCounts,
    Summary,
    Tally,
    item_report,
    plain_annotation,
    report,
    summarise,
    summary_report,
    table_report,
)

__all__ = [
    "THRESHOLD",
    "AnnotationChange",
    "AnnotationCounts",
    "Details",
    "IdTrust",
    "ItemChange",
    "ItemCounts",
    "Knowledge",
    "Options",
    "Pair",
    "Rounding",
    "SubsetCounts",
    "Summary",
    "Tally",
    "bounds",
    "box_iou",
    "compare_items",
    "compare_pairs",
    "content_key",
    "describe",
    "diff_datasets",
    "is_rounding",
    "is_shortened",
    "item_report",
    "key",
    "match_items",
    "pair_annotations",
    "plain_annotation",
    "renamed_labels",
    "report",
    "same",
    "similarity",
    "summarise",
    "summary_report",
    "table_report",
    "text_similarity",
    "trace_of",
]
