"""
What a vote found, as data: `{"dvcs.vote/1": ...}` of `dvcs merge`.

    {"voters": [{"name": "ann", "commit": "...", "weight": 1.0}, ...],
     "quorum": 2, "iou": 0.5, "label_iou": {}, "min_agreement": 0.0, "failed": "conflict",
     "removed": "conflict",
     "findings": {"missing-annotation": 12, ...},
     "sources": [{"source": "pets", "voters": ["ann", ...], "absent": [], "items": 40,
                  "untouched": 2, "renumbered": 0, "labels": [...], "agreement": {...},
                  "findings": [{"kind": ..., "subset": ..., "id": ..., ...}, ...]}]}

`quorum` is a count, a share with a point, or `"majority"`; of datasets on disk there is one source
without a name, and voters without a commit. `items` are those voted, `untouched` those taken over
as all voters have them; `labels` are fields of labels that voters have differently; `agreement` and
findings are those of `dvcs.vote`, with labels by name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dvcs.repository.votes.plan import MAJORITY, Seat
from dvcs.vote import (
    Agreement,
    AgreementReport,
    Finding,
    LabelDifference,
    Options,
    Voted,
    Voter,
    plain_finding,
)


class SourceVotes(msgspec.Struct):
    """
    The vote of one source, while it grows and when it is done.

    `names` are those of labels by key, where any differ.
    """

    source: str
    voters: tuple[str, ...]
    absent: tuple[str, ...] = ()
    names: Mapping[str, str] = {}
    differences: tuple[LabelDifference, ...] = ()
    agreement: Agreement | None = None
    items: int = 0
    untouched: int = 0
    renumbered: int = 0
    findings: list[Finding] = []

    @classmethod
    def begun(
        cls,
        source: str,
        voters: Sequence[Voter],
        names: Mapping[str, str],
        differences: tuple[LabelDifference, ...],
    ) -> "SourceVotes":
        """Return the vote of a source, of which nothing is known yet."""
        told = tuple(one.name for one in voters)
        agreement = Agreement(voters)
        return cls(source, told, names=names, differences=differences, agreement=agreement)

    def add(self, voted: Voted) -> None:
        """Add what became of an item."""
        self.items += 1
        self.findings.extend(voted.findings)
        if self.agreement is not None:
            self.agreement.add(voted)

    def agreed(self) -> AgreementReport | None:
        """Return how far the voters agree; labels by name. None where nothing was voted."""
        if self.agreement is None:
            return None
        found = self.agreement.report()
        names = self.names
        if not names:
            return found
        return msgspec.structs.replace(
            found,
            label_kappas={names.get(k, k): value for k, value in found.label_kappas.items()},
            labels=tuple(
                msgspec.structs.replace(one, label=names.get(one.label or "", one.label))
                for one in found.labels
            ),
        )

    def report(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "source": self.source or None,
            "voters": list(self.voters),
            "absent": list(self.absent),
            "items": self.items,
            "untouched": self.untouched,
            "renumbered": self.renumbered,
            "labels": [_difference(one, self.names) for one in self.differences],
            "agreement": msgspec.to_builtins(self.agreed()),
            "findings": [plain(one, self.names) for one in self.findings],
        }


class Votes(msgspec.Struct, frozen=True, kw_only=True):
    """A whole vote: who voted, how, and what was found in each source."""

    seats: tuple[Seat, ...]
    options: Options
    sources: tuple[Any, ...]

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each kind."""
        return dict(Counter(one.kind for held in self.sources for one in held.findings))

    def report(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        options = self.options
        return {
            "voters": [
                {
                    "name": one.name,
                    "commit": one.commit or None,
                    "weight": options.weights.get(one.name, 1.0),
                }
                for one in self.seats
            ],
            "quorum": "majority" if options.quorum == MAJORITY else options.quorum,
            "iou": options.threshold,
            "label_iou": dict(options.label_thresholds),
            "min_agreement": options.min_agreement,
            "failed": options.failed,
            "removed": options.removal,
            "findings": self.counts(),
            "sources": [one.report() for one in self.sources],
        }


def plain(finding: Finding, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a finding as plain values, with labels by name."""
    found = plain_finding(finding)
    if not found.get("source"):
        found.pop("source", None)
    if not names:
        return found
    for side in ("annotation", "other"):
        note = found.get(side)
        if note and note.get("label") in names:
            note["label"] = names[note["label"]]
    for side in ("missing", "extra"):
        if side in found:
            found[side] = _named(found[side], names)
    if finding.kind == "failed-label":
        for vote in found.get("votes", ()):
            vote["value"] = names.get(vote.get("value"), vote.get("value"))
    return found


def _named(keys: Iterable[str], names: Mapping[str, str]) -> list[str]:
    return [names.get(one, one) for one in keys]


def _difference(one: LabelDifference, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "label": names.get(one.key, one.key),
        "field": one.field,
        "votes": msgspec.to_builtins(one.votes),
    }
