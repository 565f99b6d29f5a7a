"""What goes into a vote and what comes out: ballots, clusters, findings."""

from typing import Any, Literal, NamedTuple

import msgspec

from dvcs.compare.equality import plain
from dvcs.merge import Judge
from dvcs.model import Annotation, Item

FindingKind = Literal[
    "missing-item",
    "deleted-item",
    "missing-annotation",
    "failed-annotation",
    "failed-label",
    "failed-attribute",
    "low-agreement",
    "too-close",
    "wrong-group",
    "media",
]
Outcome = Literal["kept", "dropped", "conflict"]


class Ballot(NamedTuple):
    """
    One item as each voter has it, in the order of the voters; None: not assigned to that voter.

    `judge` knows what was decided about the item, and keeps its conflicts. `deleted` are voters
    who have removed the item: that is a vote against it.
    """

    items: tuple[Item | None, ...]
    judge: Judge
    deleted: frozenset[int] = frozenset()


class Vote(msgspec.Struct, frozen=True, gc=False):
    """A value, and the names of the voters who gave it. UNSET: they gave none."""

    value: Any
    voters: tuple[str, ...]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """
    Something about an item that a person may want to look at.

    | kind                 | voters                            | and                              |
    | `missing-item`       | to whom it was not assigned       |                                  |
    | `deleted-item`       | who removed it                    |                                  |
    | `missing-annotation` | who do not have it                | `annotation`, which had a quorum |
    | `failed-annotation`  | who do not have it                | `annotation`, which had none     |
    | `failed-label`       | who drew it                       | `votes`                          |
    | `failed-attribute`   | who drew it                       | `field`, `votes`                 |
    | `low-agreement`      | who drew it                       | `similarity`: the agreement      |
    | `too-close`          |                                   | `annotation`, `other`            |
    | `wrong-group`        |                                   | `extra`, `missing`: labels       |
    | `media`              | who have other media than is kept |                                  |

    `annotation` is that of the voter whose shape is kept, or that of the result where results are
    compared; labels are keys. `names` are what the annotations concerned are called: as in
    conflicts (`7`, `n3`, `v2-7`) where votes are, by their place in the result where results are.
    `outcome` is what became of what is found; of a conflict, until it is decided. `similarity` is
    that of two annotations, or of a kept shape to the other votes for it.
    """

    kind: FindingKind
    source: str
    subset: str
    id: str
    voters: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    annotation: Annotation | None = None
    other: Annotation | None = None
    field: str | None = None
    votes: tuple[Vote, ...] = ()
    similarity: float | None = None
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    outcome: Outcome = "kept"


class Cluster(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    Annotations that are votes for the same one, one of each voter at most.

    `members` are (voter, position in that voter's list), in the order of the voters, and `labels`
    their labels. `scores` is the mean similarity of each to the others, 1.0 of one alone.
    `central` is the member whose shape is kept, `label` what they voted. `result` is the position
    in the annotations of the result; None: it is not there.
    """

    kind: str
    members: tuple[tuple[int, int], ...]
    labels: tuple[str | None, ...]
    scores: tuple[float, ...]
    central: int
    label: str | None
    result: int | None = None


class Voted(NamedTuple):
    """
    What became of one ballot.

    `item` is the result; its annotations say in attribute `agreement` how far the voters agreed.
    `assigned` tells of each voter whether it votes on what is absent: not where it does not have
    the item, has other media, or says that nobody annotated it. `clusters` hold each annotation
    of each voter exactly once (but of voters with other media than is kept, none). An item that is
    `gone` was removed by so many that it is not in the result; there are no clusters then.
    """

    item: Item
    findings: tuple[Finding, ...]
    clusters: tuple[Cluster, ...]
    assigned: tuple[bool, ...]
    gone: bool = False


def plain_finding(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values, for JSON; defaults are left out."""
    found: dict[str, Any] = msgspec.to_builtins(finding, enc_hook=plain)
    return found
