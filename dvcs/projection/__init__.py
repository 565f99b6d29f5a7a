"""
Bringing edits home: what somebody changed in a poorer rendering of an item, applied to all of it.

A format often shows less of an item than there is: boxes for polygons, no attributes, other ids.
What comes back from it is compared with what it *showed* (the projection), and only the differences
are applied to the full item, so whatever was not shown stays. Labels stand for themselves here:
whoever calls has translated them to one language (the repository uses keys) on all sides.

A moved box whose full shape is a polygon cannot be followed: that is a conflict, and `rule` says
what becomes of it.
"""

from dvcs.projection.edits import Applied, Conflict, Rule, apply_edits, learn_rounding
from dvcs.projection.labels import edited_labels
from dvcs.projection.mappings import edited_mapping, same_numbers
from dvcs.projection.shapes import followed, shown_as
from dvcs.projection.tracks import Tracks

__all__ = [
    "Applied",
    "Conflict",
    "Rule",
    "Tracks",
    "apply_edits",
    "edited_labels",
    "edited_mapping",
    "followed",
    "learn_rounding",
    "same_numbers",
    "shown_as",
]
