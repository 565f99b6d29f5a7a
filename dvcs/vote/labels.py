"""
Lists of labels, united by key.

The order is that of the first voter, then what the next one adds. A label that has another key and
the same name is the same label: two people made it, each in an own import. Where voters say other
things about a label the first one counts; that is told. Keypoints must be the same: a point is
known by its place in the list only.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from dvcs.errors import ConflictError
from dvcs.merge.numbers import other_text
from dvcs.merge.values import is_absent, merge_mappings
from dvcs.model import AttributeSpec, Category, Labels
from dvcs.vote.options import Voter
from dvcs.vote.records import Vote

_FIELDS = ("name", "parent", "display_name", "color", "keypoints", "joints", "attributes")


class LabelDifference(msgspec.Struct, frozen=True):
    """A field of a label of which voters say different things; the first of `votes` counts."""

    key: str
    field: str
    votes: tuple[Vote, ...]


class UnitedLabels(NamedTuple):
    """
    The labels of all voters.

    `keys` says for each voter which of its keys is another one in `labels`; all others stay.
    """

    labels: Labels
    keys: tuple[dict[str, str], ...]
    differences: tuple[LabelDifference, ...]


def unite_labels(voters: Sequence[Voter]) -> UnitedLabels:
    """
    Return the labels of all voters as one list.

    Raises ConflictError where two voters have other keypoints for one label.
    """
    uniting = _Uniting()
    keys = tuple(uniting.add(voter) for voter in voters)
    labels = Labels(
        uniting.categories(), attributes=uniting.specs.values(), extra=_mapping(uniting.extras)
    )
    return UnitedLabels(labels, keys, tuple(uniting.differences()))


class _Uniting:
    """A list of labels that grows."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[str, Category]]] = {}
        """What the voters (by name) say of each label, by key."""
        self.key_of: dict[str, str] = {}
        self.specs: dict[str, AttributeSpec] = {}
        self.extras: list[dict[str, Any]] = []

    def add(self, voter: Voter) -> dict[str, str]:
        """Add a voter's labels; return which of its keys stand for another one."""
        other: dict[str, str] = {}
        own = {one.key for one in voter.labels}
        for one in voter.labels:
            key, new = one.key, one
            if key not in self.found:
                same = self.key_of.get(one.name)
                if same is not None and same not in own:
                    other[key] = key = same
                elif same is not None:
                    # The voter calls another label so, and that is known by its own key.
                    name = other_text(one.name, {*self.key_of, *voter.labels.names})
                    new = msgspec.structs.replace(one, name=name)
            if key not in self.found:
                self.key_of[new.name] = key
            self.found.setdefault(key, []).append((voter.name, new))
        for spec in voter.labels.attributes:
            self.specs.setdefault(spec.name, spec)
        self.extras.append(voter.labels.extra)
        return other

    def categories(self) -> list[Category]:
        """Return the labels: each field as the first voter has it who says something."""
        categories = [self._united(key, said) for key, said in self.found.items()]
        numbers: set[int | str] = set()
        top = max((one.id for one in categories if isinstance(one.id, int)), default=0)
        for at, one in enumerate(categories):
            if one.id is None:
                continue
            if one.id in numbers:
                top += 1
                categories[at] = msgspec.structs.replace(one, id=top)
            numbers.add(categories[at].id or 0)
        return categories

    def differences(self) -> Iterable[LabelDifference]:
        """Yield what voters say differently of a label."""
        for key, said in self.found.items():
            for field in _FIELDS:
                votes: dict[Any, list[str]] = {}
                for voter, one in said:
                    value = getattr(one, field)
                    if not is_absent(value):
                        votes.setdefault(value, []).append(voter)
                if len(votes) > 1:
                    told = tuple(
                        Vote(msgspec.to_builtins(value), tuple(names))
                        for value, names in votes.items()
                    )
                    yield LabelDifference(key, field, told)

    def _united(self, key: str, said: Sequence[tuple[str, Category]]) -> Category:
        first_voter, first = said[0]
        if len(said) == 1:
            return first
        fields: dict[str, Any] = {}
        for field in (*_FIELDS, "id"):
            values = [value for _, one in said if not is_absent(value := getattr(one, field))]
            if values:
                fields[field] = values[0]
        for voter, one in said:
            points = fields.get("keypoints", ())
            if one.keypoints and one.keypoints != points:
                raise ConflictError(
                    f"label '{first.name}' has other keypoints at '{voter}' than at "
                    f"'{first_voter}'",
                    hint="give the label the same keypoints in the same order everywhere, or "
                    "rename one of the two",
                )
        extra = _mapping([one.extra for _, one in said])
        return msgspec.structs.replace(first, key=key, extra=extra, **fields)


def _mapping(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mappings as one, two levels deep; of two values the first."""
    result: dict[str, Any] = {}
    for one in found:
        result = merge_mappings(None, result, one, lambda _path, _base, ours, _: ours, depth=1)
    return result
