"""What a format cannot hold of labels, beside the names that annotations have: told by field."""

from collections import Counter
from collections.abc import Mapping

from dvcs.formats._format import Format
from dvcs.model import Labels

FIELDS: Mapping[str, tuple[str, str]] = {
    "label.name": ("name", "names"),
    "label.parent": ("parent", "parents"),
    "label.display_name": ("display name", "display names"),
    "label.color": ("colour", "colours"),
    "label.keypoints": ("keypoint names", "keypoint names"),
    "label.joints": ("joints", "joints"),
    "label.attributes": ("declared attributes", "declared attributes"),
}
"""How the fields of labels are called that are counted: of one label, of several."""


def lost_of_labels(labels: Labels, format: Format) -> Counter[str]:
    """
    Return of how many labels a format does not hold a field, by field as in `FIELDS`.

    Of labels that have no place in it at all only the names are counted.
    """
    if format.lossless or not labels.names:
        return Counter()
    if "name" not in format.labels:
        return Counter({"label.name": len(labels.names)})
    lost: Counter[str] = Counter()
    for key in FIELDS:
        field = key.removeprefix("label.")
        if field not in format.labels:
            lost[key] = sum(bool(getattr(label, field)) for label in labels)
    if "attributes" not in format.labels and labels.attributes:
        lost["label.attributes"] = len(labels.names)  # they are declared for all of them
    return +lost


def line(key: str, count: int) -> str:
    """Return what happened to a field of labels as a sentence."""
    one, many = FIELDS[key]
    if count == 1 and one != many:
        return f"the {one} of 1 label is left out"
    return f"the {many} of {count:,} label{'s' * (count != 1)} are left out"
