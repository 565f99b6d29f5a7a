"""Conflicts as data, decisions about them, and the judge whom every part of a merge asks."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, Self

import msgspec

from dvcs.compare import THRESHOLD, IdTrust

Choice = Literal["ours", "theirs", "base", "union", "value"]
CHOICES: tuple[Choice, ...] = ("ours", "theirs", "base", "union", "value")
Strategy = Literal["three-way", "union", "ours", "theirs"]
"""`three-way` leaves conflicts to a person; the others decide all that they can in one way."""

AGREE = 0.9
"""Similarity from which two results, or two additions, are the same shape."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """
    How to merge: `threshold` is the similarity from which two annotations may be the same one,
    `agree` that from which two results are one and our side's is taken.
    """

    threshold: float = THRESHOLD
    agree: float = AGREE
    strategy: Strategy = "three-way"


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was decided about a conflict. `value` counts for the choice `value` only."""

    choice: Choice | Literal["unknown"]
    value: Any = None


UNKNOWN = Decision("unknown")
"""Of a conflict between merge bases: what was there before is not known."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """
    One thing that both sides changed and that cannot be both.

    `key` names it within its item (`7.label`; annotations without an id are counted, `n3.label`),
    `kind` is one of `geometry`, `caption`, `label`, `attribute`, `score`, `track`, `z_order`,
    `extra`, `deleted`, `added-both`, `media`, `moved`, `label-deleted`, `label-name`,
    `label-changed` and `setting`. `base`, `ours` and `theirs` are plain values; UNSET: not there.
    `labels` are those concerned. `allowed` are the choices that make sense. Of a vote, `have` and
    `lack` are the voters who have what it is about, and those who voted and do not.
    """

    key: str
    kind: str
    field: str
    base: Any = msgspec.UNSET
    ours: Any = msgspec.UNSET
    theirs: Any = msgspec.UNSET
    labels: tuple[str, ...] = ()
    allowed: tuple[Choice, ...] = CHOICES
    decision: Decision | None = None
    have: tuple[str, ...] = ()
    lack: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it is about, in words."""
        if self.kind == "vote":
            if self.key == ITEM_PRESENCE:
                return "an item removed by some, kept by fewer than the quorum"
            return _FAILED_VOTES.get(self.field, f"no quorum for {self.field}")
        return _SUMMARIES.get(self.kind, f"{self.field} changed on both sides")


ITEM_PRESENCE = "presence"
"""
What the conflict is called about an item that some voters removed.

No annotation's conflict can be called so, whatever its id: there is a point behind the id.
"""
_SUMMARIES = {
    "deleted": "deleted on one side, changed on the other",
    "added-both": "added on both sides, nearly alike",
    "media": "other media on both sides",
    "moved": "moved to two places",
    "label-deleted": "a label deleted on one side, used or changed on the other",
    "label-name": "two labels of one name",
}
_FAILED_VOTES = {"presence": "drawn by fewer than the quorum", "label": "no quorum for one label"}
"""By field."""


class Counts(msgspec.Struct):
    """
    What a merge did besides taking the one side that had changed something.

    `settled`: both sides changed a shape to nearly the same, ours was taken; `united`: the same
    object added on both sides became one; `renumbered`: ids, tracks and numbers of theirs that
    collided with ours; `merged`: items that both sides had changed; `filled`: items whose media one
    side had learnt; `dropped`: annotations that went with a deleted label; `derived`: shapes
    between keyframes that were made anew.
    """

    merged: int = 0
    taken: int = 0
    settled: int = 0
    united: int = 0
    renumbered: int = 0
    filled: int = 0
    dropped: int = 0
    derived: int = 0

    def __iadd__(self, other: "Counts") -> Self:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


Test = Callable[[Any], bool]


class Judge:
    """
    Decides about the conflicts of one item (or list of labels), and keeps what was found.

    Decisions made are followed; else a strategy decides; else the conflict stays. With
    `between_bases` nobody decides: fields in conflict are to count as unknown.
    """

    def __init__(
        self,
        decisions: Mapping[str, Decision] | None = None,
        *,
        strategy: Strategy = "three-way",
        between_bases: bool = False,
    ) -> None:
        self._decisions = decisions or {}
        self._strategy = strategy
        self.between_bases = between_bases
        self.conflicts: list[Conflict] = []
        self._keys: set[str] = set()

    def ask(
        self,
        key: str,
        kind: str,
        field: str,
        *,
        base: Any = msgspec.UNSET,
        ours: Any = msgspec.UNSET,
        theirs: Any = msgspec.UNSET,
        labels: Collection[str | None] = (),
        allowed: tuple[Choice, ...] = CHOICES,
        fits: Test | None = None,
        have: tuple[str, ...] = (),
        lack: tuple[str, ...] = (),
    ) -> Decision | None:
        """
        Note a conflict; return what was decided about it, None while that is open.

        `fits` tells whether a value given by a person can be used; `have` and `lack` are voters.
        """
        if self.between_bases:
            return UNKNOWN
        number, name = 2, key
        while name in self._keys:
            name, number = f"{key}~{number}", number + 1
        self._keys.add(name)
        found = self.foresee(name, allowed, fits)
        self.conflicts.append(
            Conflict(
                key=name,
                kind=kind,
                field=field,
                base=base,
                ours=ours,
                theirs=theirs,
                labels=tuple(sorted({one for one in labels if one is not None})),
                allowed=allowed,
                decision=found,
                have=have,
                lack=lack,
            )
        )
        return found

    def foresee(
        self, key: str, allowed: tuple[Choice, ...] = CHOICES, fits: Test | None = None
    ) -> Decision | None:
        """Return what would be decided about a conflict, without noting one."""
        if self.between_bases:
            return UNKNOWN
        found = self._decisions.get(key)
        if found is None and self._strategy != "three-way" and self._strategy in allowed:
            found = Decision(self._strategy)
        if found is not None and (
            found.choice not in allowed
            or (found.choice == "value" and fits is not None and not fits(found.value))
        ):
            return None
        return found


Trust = tuple[IdTrust | None, IdTrust | None]
"""What the comparison of the base with ours, and with theirs, tells about ids."""
Fresh = Callable[[], int]
"""Gives a number that nothing in the source has."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts of a merge share: who decides, how, and what is counted."""

    judge: Judge = msgspec.field(default_factory=Judge)
    options: Options = msgspec.field(default_factory=Options)
    counts: Counts = msgspec.field(default_factory=Counts)
    trust: Trust = (None, None)
    fresh: Fresh | None = None
