"""
One ballot, when its clusters are known: which annotations stand, with which label and attributes.

A cluster stands where as many voters have it as the quorum asks. The member most like the others
is kept as it is; its label and attributes are voted by weight, the highest `z_order` counts, and
the id is that of the first voter who drew it, so that what HEAD has keeps its ids where HEAD votes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dvcs.compare import plain_annotation
from dvcs.merge import Choice, Counts, Decision, Judge
from dvcs.merge.decisions import Fresh
from dvcs.merge.numbers import without_collisions
from dvcs.model import Annotation, Item
from dvcs.vote.options import AGREEMENT, Options
from dvcs.vote.records import Cluster, Finding, Outcome, Vote
from dvcs.vote.values import MISSING, Value, stored_alike, tally, winner

PRESENCE: tuple[Choice, ...] = ("ours", "theirs", "base", "union")
_DIGITS = 3
"""Of the agreement: more would only tell noise."""

_replace = msgspec.structs.replace


class Members(NamedTuple):
    """A cluster of one ballot: (voter, position), the annotations, and their mean similarities."""

    places: list[tuple[int, int]]
    notes: list[Annotation]
    scores: list[float]


class Electorate(NamedTuple):
    """Who votes: names, weights, and the keys of all labels; no labels where they are not known."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    labels: frozenset[str]


class Rules(NamedTuple):
    """What holds for all ballots: who votes and how, and where new numbers come from."""

    electorate: Electorate
    options: Options
    counts: Counts
    fresh: Fresh | None


class Count:
    """The count of one ballot; `first` is the voter whose version is ours: the first who has it."""

    def __init__(
        self, item: Item, first: int, assigned: Sequence[bool], rules: Rules, judge: Judge
    ) -> None:
        self.item, self.first, self.assigned = item, first, assigned
        self.rules, self.judge = rules, judge
        self.electorate, self.options = rules.electorate, rules.options
        self.voting = [voter for voter, one in enumerate(assigned) if one]
        self.needed = self.options.needed(len(self.voting))
        self.findings: list[Finding] = []
        self.notes: list[Annotation] = []
        self.clusters: list[Cluster] = []
        self._all = len(self.voting) == len(assigned)
        self._total = sum(self.electorate.weights[voter] for voter in self.voting)
        self._own: list[int | str | None] = []
        self._givers: list[int] = []
        self._named: Callable[[int], Sequence[str]] = lambda _voter: ()
        self._names: dict[int, Sequence[str]] = {}

    # -- annotations -----------------------------------------------------------------------------

    def count(self, clusters: Iterable[Members], named: Callable[[int], Sequence[str]]) -> None:
        """Count the votes of all clusters; `named` gives the names of a voter's annotations."""
        self._named = named
        for members in clusters:
            note, label, central = self._counted(members)
            result = None
            if note is not None:
                result = len(self.notes)
                self.notes.append(note)
            self.clusters.append(
                Cluster(
                    kind=members.notes[0].kind,
                    members=tuple(members.places),
                    labels=tuple([one.label for one in members.notes]),
                    scores=tuple(members.scores),
                    central=central,
                    label=label,
                    result=result,
                )
            )

    def _counted(self, members: Members) -> tuple[Annotation | None, str | None, int]:
        """Return what a cluster becomes (None: nothing), its label, and the member that is kept."""
        places, notes, scores = members
        central = self._central(places, scores)
        kept = notes[central]
        names: tuple[str, ...] = ()
        needed, asked = self.needed, len(self.judge.conflicts)
        if not self._all or len(places) < len(self.voting):
            voters = {voter for voter, _ in places}
            names = self._called([one for one in self.voting if one not in voters])
        outcome: Outcome = "kept"
        stands, failed = True, len(places) < needed
        if failed:
            # Who decides that it stands decides against the quorum.
            needed = 1
            stands, outcome = self._presence(members, kept)
        if names:
            self._find(
                "failed-annotation" if failed else "missing-annotation",
                names,
                names=(self._anchor(members),),
                annotation=kept,
                similarity=scores[central] if len(places) > 1 else None,
                outcome=outcome,
            )
        if not stands:
            return None, kept.label, central
        label, weight, stands = self._label(members, needed)
        if not stands:
            return None, label, central
        agreement = self._agreement(places, weight, scores[central])
        # What a person is asked about is not dropped unasked.
        if agreement < self.options.min_agreement and len(self.judge.conflicts) == asked:
            self._find(
                "low-agreement",
                self._called([voter for voter, _ in places]),
                names=(self._anchor(members),),
                annotation=kept,
                similarity=agreement,
                outcome="dropped",
            )
            return None, label, central
        attributes = self._attributes(members, kept, needed)
        attributes[AGREEMENT] = agreement
        giver = next((at for at, one in enumerate(notes) if one.id), 0)
        number = notes[giver].id
        self._givers.append(places[giver][0])
        self._own.append(number if places[0][0] == self.first and notes[0].id else None)
        return (
            _replace(
                kept,
                label=label,
                id=number,
                track=next((track for one in notes if (track := one.track) is not None), None),
                z_order=max([one.z_order for one in notes]),
                attributes=attributes,
            ),
            label,
            central,
        )

    def _central(self, places: list[tuple[int, int]], scores: list[float]) -> int:
        """Return the member most like the others; of several the heaviest, then the first voter."""
        best = max(scores)
        if scores[0] == best and not self.options.weights:
            return 0
        weights = self.electorate.weights
        return max(
            range(len(places)), key=lambda n: (scores[n], weights[places[n][0]], -places[n][0])
        )

    def _agreement(self, places: list[tuple[int, int]], weight: float, score: float) -> float:
        """Return the weight behind the label, as a share of all that could be, times the score."""
        total = self._total
        for voter, _ in places:
            if not self.assigned[voter]:
                total += self.electorate.weights[voter]
        return round(weight / total * score, _DIGITS)

    # -- is there such an annotation? ------------------------------------------------------------

    def _presence(self, members: Members, kept: Annotation) -> tuple[bool, Outcome]:
        """
        Decide whether a cluster without a quorum stands, and say how that came about.

        While that is open, it is as the first voter has it.
        """
        if self.options.failed != "conflict":
            keep = self.options.failed == "keep"
            return keep, "kept" if keep else "dropped"
        own = [n for n, (voter, _) in enumerate(members.places) if voter == self.first]
        others = len(members.places) > len(own)
        told = plain_annotation(kept)
        have, lack = self._sides([voter for voter, _ in members.places])
        decision = self.judge.ask(
            f"{self._anchor(members)}.presence",
            "vote",
            "presence",
            ours=plain_annotation(members.notes[own[0]]) if own else MISSING,
            theirs=told if others else MISSING,
            labels={note.label for note in members.notes},
            allowed=PRESENCE,
            have=have,
            lack=lack,
        )
        choice = "ours" if decision is None else decision.choice
        stands = {"union": True, "ours": bool(own), "theirs": others}.get(choice, False)
        if decision is None:
            return stands, "conflict"
        return stands, "kept" if stands else "dropped"

    # -- label and attributes --------------------------------------------------------------------

    def _label(self, members: Members, needed: int) -> tuple[str | None, float, bool]:
        """Return the label, the weight behind it, and whether the annotation stands."""
        notes = members.notes
        first = notes[0].label
        weights = self.electorate.weights
        if all(one.label == first for one in notes):
            return first, sum([weights[voter] for voter, _ in members.places]), True
        ballots = [
            (voter, one.label) for (voter, _), one in zip(members.places, notes, strict=True)
        ]
        values = tally(ballots, self.electorate.weights)
        won = winner(values, needed)
        if won is not None:
            return won.value, won.weight, True
        chosen, outcome = values[0], self.options.failed
        label = chosen.value
        told: Outcome = "kept"
        if outcome == "conflict":
            known = self.electorate.labels
            label, told = self._asked(
                f"{self._anchor(members)}.label",
                "label",
                values,
                voters=[voter for voter, _ in members.places],
                fits=lambda value: (
                    value is None or (isinstance(value, str) and (not known or value in known))
                ),
                labels={one.label for one in notes},
            )
        elif outcome == "drop":
            told = "dropped"
        self._find(
            "failed-label",
            self._called([voter for voter, _ in members.places]),
            names=(self._anchor(members),),
            annotation=notes[0],
            field="label",
            votes=self._told(values),
            outcome=told,
        )
        weight = sum(one.weight for one in values if one.value == label)
        return label, weight, told != "dropped"

    def _attributes(self, members: Members, kept: Annotation, needed: int) -> dict[str, Any]:
        """Return the voted attributes."""
        lists = [one.attributes for one in members.notes]
        first = lists[0]
        ignored = self.options.ignored_attributes
        if not any(lists):
            return {}
        if len(lists) == 1 or (all(one == first for one in lists) and stored_alike(lists)):
            return {
                name: value
                for name, value in first.items()
                if name != AGREEMENT and name not in ignored
            }
        ballots = {voter: one for (voter, _), one in zip(members.places, lists, strict=True)}
        return self.mapping(ballots, needed, f"{self._anchor(members)}.attributes", annotation=kept)

    def mapping(
        self,
        ballots: Mapping[int, Mapping[str, Any]],
        needed: int,
        anchor: str,
        *,
        annotation: Annotation | None = None,
    ) -> dict[str, Any]:
        """
        Return attributes, each as most voters (by weight) have it.

        Where there is a quorum, who does not give an attribute votes for its absence.
        """
        ignored = {AGREEMENT, *(self.options.ignored_attributes if annotation is not None else ())}
        names = dict.fromkeys(name for one in ballots.values() for name in one)
        result = {}
        for name in names:
            if name in ignored:
                continue
            votes = [
                (voter, one.get(name, MISSING))
                for voter, one in ballots.items()
                if needed > 1 or name in one
            ]
            values = tally(votes, self.electorate.weights)
            won = winner(values, needed)
            value: Any = MISSING
            if won is not None:
                value = won.value
            else:
                value = self._failed(name, values, anchor, annotation, ballots.keys())
            if value is not MISSING:
                result[name] = value
        return result

    def _failed(
        self,
        name: str,
        values: Sequence[Value],
        anchor: str,
        annotation: Annotation | None,
        voters: Collection[int],
    ) -> Any:
        """Return what becomes of an attribute without a quorum; `voters` have what it is of."""
        value: Any = values[0].value
        told: Outcome = "kept"
        if self.options.failed == "conflict":
            value, told = self._asked(
                f"{anchor}.{name}",
                f"attributes.{name}",
                values,
                voters=voters,
                labels=() if annotation is None else (annotation.label,),
            )
        elif self.options.failed == "drop":
            value, told = MISSING, "dropped"
        self._find(
            "failed-attribute",
            self._called(sorted(voters)),
            names=() if annotation is None else (anchor.removesuffix(".attributes"),),
            annotation=annotation,
            field=name,
            votes=self._told(values),
            outcome=told,
        )
        return value

    def _asked(
        self,
        key: str,
        field: str,
        values: Sequence[Value],
        *,
        voters: Collection[int],
        fits: Callable[[Any], bool] | None = None,
        labels: Collection[str | None] = (),
    ) -> tuple[Any, Outcome]:
        """
        Ask which value it is to be; while that is open, it is the first voter's, else the leading.

        Ours are the first voter's vote, theirs those of the others, with the names of the voters.
        `voters` have what the value is of, also those who give none.
        """
        own = next((one for one in values if self.first in one.voters), None)
        other = [one for one in values if one is not own]
        sides = {
            self.electorate.names[voter]: one.value
            for one in values
            for voter in one.voters
            if one.value is not MISSING
        }
        mine = self.electorate.names[self.first]
        ours = {name: value for name, value in sides.items() if name == mine}
        theirs = {name: value for name, value in sides.items() if name != mine}
        allowed: tuple[Choice, ...] = (
            *(("ours",) if own is not None else ()),
            *(("theirs",) if len(other) == 1 else ()),
            "value",
        )
        have, lack = self._sides(voters)
        decision: Decision | None = self.judge.ask(
            key,
            "vote",
            field,
            ours=ours or MISSING,
            theirs=theirs or MISSING,
            labels=labels,
            allowed=allowed,
            fits=fits,
            have=have,
            lack=lack,
        )
        if decision is None:
            return (values[0] if own is None else own).value, "conflict"
        if decision.choice == "value":
            return decision.value, "kept"
        chosen = other[0] if decision.choice == "theirs" else own or values[0]
        return chosen.value, "kept"

    # -- words -----------------------------------------------------------------------------------

    def _anchor(self, members: Members) -> str:
        """Return what a cluster is called in conflicts: the id that its first voter gave it."""
        voter, place = members.places[0]
        if voter not in self._names:
            self._names[voter] = self._named(voter)
        name = self._names[voter][place]
        return name if voter == self.first else f"v{voter + 1}-{name}"

    def _told(self, values: Sequence[Value]) -> tuple[Vote, ...]:
        return tuple(Vote(one.value, self._called(one.voters)) for one in values)

    def _sides(self, voters: Collection[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return who has something, and who of those who were assigned the item has not."""
        lack = [voter for voter in self.voting if voter not in voters]
        return self._called(sorted(voters)), self._called(lack)

    def _called(self, voters: Sequence[int]) -> tuple[str, ...]:
        return tuple([self.electorate.names[voter] for voter in voters])

    def _find(self, kind: Any, voters: tuple[str, ...], **fields: Any) -> None:
        item = self.item
        self.findings.append(
            Finding(
                kind=kind,
                source=item.source,
                subset=item.subset,
                id=item.id,
                voters=voters,
                **fields,
            )
        )

    def numbered(self) -> list[Annotation]:
        """Return the annotations with ids of which none is there twice."""
        rules = self.rules
        return without_collisions(self.notes, self._own, rules.counts, rules.fresh, self._givers)
