"""
The rules of validation: names, severities, tasks, thresholds.

Names and severities of the first group are those of Datumaro's validators, whose users look for
them; `own` marks rules that it does not have.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import msgspec

from dvcs.errors import UnknownName, UsageError

Task = Literal["classification", "detection", "segmentation"]
Severity = Literal["error", "warning", "info"]
Level = Literal["error", "warning", "info", "off"]
Scope = Literal["item", "dataset", "spread"]

TASKS: tuple[str, ...] = get_args(Task)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the gravest on."""


class Rule(NamedTuple):
    """One rule. `tasks` empty: all of them, and none."""

    summary: str
    severity: Severity
    scope: Scope
    tasks: tuple[Task, ...] = ()
    own: bool = False


SIZED: tuple[Task, ...] = ("detection", "segmentation")

RULES: Mapping[str, Rule] = {
    "MissingLabelCategories": Rule("the dataset declares no labels", "error", "dataset"),
    "UndefinedLabel": Rule("a label is used that is not declared", "error", "item"),
    "UndefinedAttribute": Rule(
        "an attribute is used that is not declared, where attributes are declared", "error", "item"
    ),
    "MultiLabelAnnotations": Rule(
        "an item has several labels", "error", "item", ("classification",)
    ),
    "NegativeLength": Rule("a side of a shape is zero or negative", "error", "item"),
    "InvalidValue": Rule("a coordinate is infinite or no number", "error", "item"),
    "MissingAnnotation": Rule("an item has no annotation of the task's kinds", "warning", "item"),
    "MissingAttribute": Rule("a declared attribute is missing", "warning", "item"),
    "LabelDefinedButNotFound": Rule("a declared label is never used", "warning", "dataset"),
    "AttributeDefinedButNotFound": Rule("a declared attribute is never used", "warning", "dataset"),
    "OnlyOneLabel": Rule("only one label is used", "warning", "dataset"),
    "OnlyOneAttributeValue": Rule("an attribute has one value only", "warning", "dataset"),
    "FewSamplesInLabel": Rule("a label has very few annotations", "warning", "dataset"),
    "FewSamplesInAttribute": Rule("a value of an attribute is very rare", "warning", "dataset"),
    "ImbalancedLabels": Rule("some labels are far more frequent", "warning", "dataset"),
    "ImbalancedAttribute": Rule("some values are far more frequent", "warning", "dataset"),
    "ImbalancedDistInLabel": Rule(
        "most shapes of a label are of nearly one size", "warning", "spread", SIZED
    ),
    "FarFromLabelMean": Rule(
        "a shape is much larger or smaller than others of its label", "warning", "spread", SIZED
    ),
    "ImbalancedDistInAttribute": Rule(
        "most shapes with a value of an attribute are of nearly one size",
        "warning",
        "spread",
        SIZED,
    ),
    "FarFromAttrMean": Rule(
        "a shape is much larger or smaller than others with that value of an attribute",
        "warning",
        "spread",
        SIZED,
    ),
    "InvalidShape": Rule("a shape that no algorithm can work with", "error", "item", own=True),
    "MissingLabel": Rule("an annotation has no label", "warning", "item", own=True),
    "InvalidAttributeValue": Rule(
        "a value is not among those declared", "warning", "item", own=True
    ),
    "OutsideImage": Rule("a shape reaches beyond its image", "warning", "item", own=True),
    "UnturnedSize": Rule(
        "the declared size is that of the image before EXIF turns it", "warning", "item", own=True
    ),
    "DuplicateAnnotation": Rule(
        "two annotations of an item have the same label and shape", "warning", "item", own=True
    ),
}
"""Every rule by its name, in the order of reports."""


class Options(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What to look for, and from where on.

    `task` limits which annotations count, and which rules; None: all annotations. `levels` changes
    how grave a rule is, or switches it off. `few_samples`: a label with up to so many annotations
    has few; `imbalance`: how many times the most frequent may be the rarest; `far`: in standard
    deviations; `dominance`: the share of shapes that the fullest bins of a histogram may hold, and
    `bins` which share of its bins these are; `tolerance`: pixels by which a shape may leave its
    image.
    """

    task: Task | None = None
    levels: Mapping[str, Level] = {}
    few_samples: int = 1
    imbalance: float = 50.0
    far: float = 5.0
    dominance: float = 0.8
    bins: float = 0.1
    tolerance: float = 1.0

    def __post_init__(self) -> None:
        for name in self.levels:
            if name not in RULES:
                raise UnknownName("rule", name, RULES)
        for name, low in (("few_samples", 0), ("imbalance", 1), ("far", 0), ("tolerance", 0)):
            if not getattr(self, name) >= low:
                raise UsageError(f"'{name}' is {getattr(self, name)}, and cannot be below {low}")
        for name in ("dominance", "bins"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"'{name}' is {getattr(self, name)}, not between 0 and 1")

    def severity(self, rule: str) -> Severity | None:
        """Return how grave a rule is here, None where it is off or not of this task."""
        known = RULES[rule]
        if known.tasks and self.task not in known.tasks:
            return None
        level = self.levels.get(rule, known.severity)
        return None if level == "off" else level

    @property
    def wants_spread(self) -> bool:
        """Whether a rule about the distribution of sizes is on, which takes a second walk."""
        return any(rule.scope == "spread" and self.severity(name) for name, rule in RULES.items())


COUNTED: Mapping[Task | None, frozenset[str] | None] = {
    "classification": frozenset({"label"}),
    "detection": frozenset({"bbox", "rotated_bbox", "ellipse", "polygon", "mask"}),
    "segmentation": frozenset({"polygon", "mask", "ellipse"}),
    None: None,
}
"""
The kinds of annotation that count for a task; None: all.

A polygon counts for detection too: COCO's objects are polygons here, and their boxes follow.
"""
UNLABELLED = frozenset({"caption", "other", "raster"})
"""Kinds that need no label."""
MOST_VALUES = 100
"""
An attribute with more values than this is text or a measurement: its values are no longer told
apart then, so that memory stays bounded.
"""
FREE_ATTRIBUTES = frozenset(
    {"agreement", "difficult", "is_crowd", "keyframe", "occluded", "outside", "pose", "truncated"}
)
"""Attributes that formats have without declaring them."""
