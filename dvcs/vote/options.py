"""How to vote: quorum, thresholds, weights, groups to check; how a person writes them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from dvcs.compare import THRESHOLD
from dvcs.errors import UnknownName, UsageError
from dvcs.model import Labels

CLOSE = 0.75
"""Similarity from which two annotations of the result may be one object drawn twice."""
AGREEMENT = "agreement"
"""The attribute that says how far the voters agreed on an annotation."""

Failed = Literal["conflict", "drop", "keep"]


class Voter(NamedTuple):
    """Who votes: a name that no other voter has, and the labels of that dataset."""

    name: str
    labels: Labels = Labels()


class Group(msgspec.Struct, frozen=True):
    """Labels that belong together in an instance: those that must be there, those that may be."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels of the group."""
        return self.required + self.optional


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """
    How to vote.

    `quorum` is how many voters it takes: an int is a count (capped at the number of voters that
    were assigned the item), a float the share of those, None or 0: one is enough. It counts
    heads; `weights` (1.0 where not given) only choose between values. `threshold` is the
    similarity from which two annotations are votes for the same one, `label_thresholds` that for
    a label. Two annotations of the result more alike than `close` are reported. What agrees less
    than `min_agreement` is dropped, and told. `groups` are checked in the result.
    `ignored_attributes` are not voted and not in the result. `failed` says what becomes of votes
    without a quorum: a conflict for a person, or the annotation (the attribute) is dropped, or it
    is kept as the leading votes have it. `removed` says the same of items that some have removed
    and fewer than a quorum has; None: a conflict where failed votes are, else they are kept. With
    "keep" removals do not count at all: of branches, also what all voters removed stays.
    """

    quorum: int | float | None = None
    threshold: float = THRESHOLD
    close: float = CLOSE
    min_agreement: float = 0.0
    groups: tuple[Group, ...] = ()
    weights: Mapping[str, float] = {}
    label_thresholds: Mapping[str, float] = {}
    ignored_attributes: frozenset[str] = frozenset()
    failed: Failed = "conflict"
    removed: Failed | None = None

    @property
    def removal(self) -> Failed:
        """What becomes of items that some have removed; to be dropped unasked takes saying so."""
        if self.removed is not None:
            return self.removed
        return "conflict" if self.failed == "conflict" else "keep"

    def needed(self, assigned: int) -> int:
        """Return how many of `assigned` voters must agree; 1 at least."""
        if not self.quorum:
            return 1
        if isinstance(self.quorum, float):
            # 0.7 * 10 is a little more than 7.
            return max(1, math.ceil(self.quorum * assigned - 1e-9))
        return max(1, min(self.quorum, assigned))


def parse_quorum(text: str) -> int | float | None:
    """
    Return the quorum that a person wrote: `2` is a count, `0.5`, `50%` and `1.0` are shares.

    `0` and an empty text are no quorum. Raises UsageError.
    """
    text = text.strip()
    if not text:
        return None
    try:
        if text.endswith("%"):
            share: float = float(text[:-1]) / 100
        elif text.lstrip("+-").isdecimal():
            count = int(text)
            _check_quorum(count, text, share=False)
            return count or None
        else:
            share = float(text)
    except ValueError:
        share = math.nan
    _check_quorum(share, text, share=True)
    return share or None


def parse_group(text: str) -> Group:
    """
    Return the group written as `person,hand?,head`: labels, `?` after those that may be absent.

    Raises UsageError.
    """
    names = [name.strip() for name in text.split(",")]
    bare = [name.removesuffix("?").strip() for name in names]
    if not all(bare) or len(set(bare)) != len(bare):
        raise UsageError(
            f"'{text}' is not a group of labels",
            hint="write labels with commas, each once, and '?' after optional ones: 'person,hand?'",
        )
    return Group(
        tuple(one for one, name in zip(bare, names, strict=True) if not name.endswith("?")),
        tuple(one for one, name in zip(bare, names, strict=True) if name.endswith("?")),
    )


def check_options(options: Options, voters: Sequence[Voter], labels: Labels) -> Options:
    """
    Return options that speak of labels by key, as annotations in a merge do.

    Raises UsageError (UnknownName) where they name no voter or no label, or a value is out of
    range.
    """
    names = [voter.name for voter in voters]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"'{twice}' votes twice", hint="name each voter once")
    if not names:
        raise UsageError("nobody votes", hint="name at least one revision or dataset that votes")
    if options.quorum is not None:
        _check_quorum(options.quorum, str(options.quorum), share=isinstance(options.quorum, float))
    for name, weight in options.weights.items():
        _check_known("voter", name, names)
        if not (weight > 0 and math.isfinite(weight)):
            raise UsageError(f"the weight of '{name}' is '{weight:g}', not above 0")
    _check_share("the threshold", options.threshold, above=True)
    _check_share("the similarity of what is too close", options.close)
    _check_share("the least agreement", options.min_agreement)
    for label, value in options.label_thresholds.items():
        _check_share(f"the threshold of '{label}'", value, above=True)
    return msgspec.structs.replace(
        options,
        groups=tuple(
            Group(_keys(one.required, labels), _keys(one.optional, labels))
            for one in options.groups
        ),
        label_thresholds=dict(
            zip(
                _keys(options.label_thresholds, labels),
                options.label_thresholds.values(),
                strict=True,
            )
        ),
    )


def _keys(names: Iterable[str], labels: Labels) -> tuple[str, ...]:
    found = []
    for name in names:
        _check_known("label", name, labels.names)
        found.append(labels[name].key)
    return tuple(found)


def _check_known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UnknownName(kind, name, known)


def _check_quorum(quorum: float, text: str, *, share: bool) -> None:
    if not 0 <= quorum <= (1 if share else math.inf):
        raise UsageError(
            f"'{text}' is not a quorum",
            hint="give a count of voters (2), or a share of them (0.5, 50%)",
        )


def _check_share(what: str, value: float, *, above: bool = False) -> None:
    if not 0 <= value <= 1 or (above and value == 0):
        raise UsageError(f"{what} is '{value:g}', not {'above 0' if above else 'from 0'} to 1")
