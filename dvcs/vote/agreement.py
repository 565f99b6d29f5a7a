"""
How far voters agree, over all items: counts, mean similarity, Cohen's and Fleiss' kappa.

A unit is a cluster: something that at least one voter annotated. Each voter that was assigned the
item rates it: with the label that it gave, or as absent. So both kappas know what was overlooked,
and all voters rate the same units. Captions, rasters and opaque records are no units: they have no
label.

* Cohen's kappa of two voters: (p - e) / (1 - e), p the share of units rated alike, e the same by
  chance from how often each uses each rating. Cohen, "A coefficient of agreement for nominal
  scales", 1960.
* Fleiss' kappa of all: the same, p the mean share of pairs of raters that agree on a unit, e from
  how often all use each rating. Fleiss, "Measuring nominal scale agreement among many raters",
  1971; that of one rating: Fleiss, Levin, Paik, "Statistical methods for rates and proportions",
  18.3. Items may have different numbers of voters: a rating then counts with its unit's number.

Where only one rating was ever used, chance alone agrees fully and kappa is not defined: None.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from dvcs.vote.options import Voter
from dvcs.vote.records import Voted

UNRATED = frozenset({"caption", "raster", "other"})
"""Kinds of annotations whose label is not what is voted."""
ABSENT = 0
UNASSIGNED = 1
"""Ratings that are not a label: seen and not annotated; not assigned. Labels are text or None."""

Rating = str | int | None
Pattern = tuple[str | None, tuple[Rating, ...]]
"""What was voted, and the rating of each voter."""


class LabelAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """
    One voter and one label, over what the voters agreed to call so.

    `matched`: units that it and somebody else annotated; of those `relabelled`: it gave another
    label. `missing`: units that others annotated and it, being assigned, did not; `extra`: units
    that it alone annotated. `mean_similarity` is that of its matched shapes to the others' (IoU
    for boxes, polygons and masks); None where there is none.
    """

    voter: str
    label: str | None
    matched: int = 0
    relabelled: int = 0
    missing: int = 0
    extra: int = 0
    mean_similarity: float | None = None


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """
    Two voters: units that both, one, or the other annotated, and Cohen's kappa.

    `alike` of those that `both` annotated have the same label. `units` are all of the items that
    both were assigned, also those that only a third voter annotated.
    """

    first: str
    second: str
    units: int = 0
    both: int = 0
    alike: int = 0
    only_first: int = 0
    only_second: int = 0
    kappa: float | None = None


class AgreementReport(msgspec.Struct, frozen=True, kw_only=True):
    """
    The agreement of all voters.

    `fleiss` is Fleiss' kappa of all units, `label_kappas` that of each label against all others.
    `matrix[i][j]` is Cohen's kappa of voters i and j, 1.0 on the diagonal.
    """

    voters: tuple[str, ...]
    items: int
    units: int
    fleiss: float | None
    label_kappas: dict[str, float | None]
    matrix: tuple[tuple[float | None, ...], ...]
    pairs: tuple[PairAgreement, ...]
    labels: tuple[LabelAgreement, ...]


class Agreement:
    """Accumulates how far voters agree, item by item; bounded by how many ways there are to."""

    def __init__(self, voters: Sequence[Voter]) -> None:
        self._voters = tuple(voter.name for voter in voters)
        self._units: dict[Pattern, int] = {}
        self._similarities: dict[Pattern, list[float]] = {}
        self._items = 0

    def add(self, voted: Voted) -> None:
        """Count one item."""
        self._items += 1
        blank: list[Rating] = [ABSENT if one else UNASSIGNED for one in voted.assigned]
        units = self._units
        for cluster in voted.clusters:
            if cluster.kind in UNRATED:
                continue
            ratings = blank.copy()
            members = cluster.members
            for (voter, _), label in zip(members, cluster.labels, strict=True):
                ratings[voter] = label
            pattern = cluster.label, tuple(ratings)
            if pattern in units:
                units[pattern] += 1
            else:
                units[pattern] = 1
            if len(members) > 1:
                sums = self._similarities.get(pattern)
                if sums is None:
                    sums = self._similarities[pattern] = [0.0] * len(self._voters)
                for (voter, _), score in zip(members, cluster.scores, strict=True):
                    sums[voter] += score

    def report(self) -> AgreementReport:
        """Return the agreement so far; labels are keys, `""` of what has none."""
        count = len(self._voters)
        matrix: list[list[float | None]] = [
            [1.0 if i == j else None for j in range(count)] for i in range(count)
        ]
        pairs = []
        for i in range(count):
            for j in range(i + 1, count):
                pair = self._pair(i, j)
                matrix[i][j] = matrix[j][i] = pair.kappa
                pairs.append(pair)
        table = [(_counted(ratings), times) for (_, ratings), times in self._units.items()]
        used = {one for ratings, _ in table for one in ratings if not isinstance(one, int)}
        return AgreementReport(
            voters=self._voters,
            items=self._items,
            units=sum(self._units.values()),
            fleiss=fleiss_kappa(table),
            label_kappas={
                label or "": fleiss_kappa_of(table, label)
                for label in sorted(used, key=lambda one: one or "")
            },
            matrix=tuple(map(tuple, matrix)),
            pairs=tuple(pairs),
            labels=tuple(self._labels()),
        )

    def _pair(self, i: int, j: int) -> PairAgreement:
        rated: dict[tuple[Rating, Rating], int] = {}
        for (_, ratings), times in self._units.items():
            pair = ratings[i], ratings[j]
            # `in` would find 0 and 1 equal to False and True, never to a label.
            if UNASSIGNED not in pair:
                rated[pair] = rated.get(pair, 0) + times
        both = {pair: times for pair, times in rated.items() if ABSENT not in pair}
        return PairAgreement(
            first=self._voters[i],
            second=self._voters[j],
            units=sum(rated.values()),
            both=sum(both.values()),
            alike=sum(times for (a, b), times in both.items() if a == b),
            only_first=sum(t for (a, b), t in rated.items() if a != ABSENT and b == ABSENT),
            only_second=sum(t for (a, b), t in rated.items() if a == ABSENT and b != ABSENT),
            kappa=cohen_kappa(rated),
        )

    def _labels(self) -> Iterable[LabelAgreement]:
        counts: dict[tuple[str | None, int], dict[str, int]] = {}
        sums: dict[tuple[str | None, int], float] = {}
        for pattern, times in self._units.items():
            label, ratings = pattern
            drawn = sum(not isinstance(one, int) for one in ratings)
            for voter, rating in enumerate(ratings):
                if rating == UNASSIGNED:
                    continue
                found = counts.setdefault((label, voter), {})
                kind = "missing" if rating == ABSENT else "matched" if drawn > 1 else "extra"
                found[kind] = found.get(kind, 0) + times
                if kind == "matched":
                    found["relabelled"] = found.get("relabelled", 0) + times * (rating != label)
                    one = self._similarities[pattern][voter]
                    sums[label, voter] = sums.get((label, voter), 0.0) + one
        for (label, voter), found in sorted(
            counts.items(), key=lambda one: (one[0][0] or "", one[0][1])
        ):
            matched = found.get("matched", 0)
            yield LabelAgreement(
                voter=self._voters[voter],
                label=label,
                mean_similarity=sums[label, voter] / matched if matched else None,
                **found,
            )


def plain_agreement(report: AgreementReport) -> dict[str, Any]:
    """Return a report as plain values, for JSON."""
    found: dict[str, Any] = msgspec.to_builtins(report)
    return found


# -- kappas --------------------------------------------------------------------------------------


def cohen_kappa(rated: dict[tuple[Rating, Rating], int]) -> float | None:
    """Return Cohen's kappa of two raters; `rated` counts units by their two ratings."""
    total = sum(rated.values())
    if not total:
        return None
    rows: dict[Rating, int] = {}
    cols: dict[Rating, int] = {}
    for (a, b), times in rated.items():
        rows[a] = rows.get(a, 0) + times
        cols[b] = cols.get(b, 0) + times
    alike = sum(times for (a, b), times in rated.items() if a == b)
    chance = sum(times * cols.get(rating, 0) for rating, times in rows.items())
    # In whole numbers up to here, so that 1 - e is exactly 0 where it is.
    most = total * total
    return (alike * total - chance) / (most - chance) if most != chance else None


Counted = tuple[dict[Rating, int], int]
"""How many raters gave a unit each rating, and how many units there are of that kind."""


def _counted(ratings: Sequence[Rating]) -> dict[Rating, int]:
    found: dict[Rating, int] = {}
    for one in ratings:
        if one != UNASSIGNED:
            found[one] = found.get(one, 0) + 1
    return found


def _rated_twice(table: Iterable[Counted]) -> list[tuple[dict[Rating, int], int, int]]:
    """Units with two raters or more: ratings, raters, how many such units."""
    sized = [(ratings, sum(ratings.values()), times) for ratings, times in table]
    return [one for one in sized if one[1] > 1 and one[2]]


def fleiss_kappa(table: Iterable[Counted]) -> float | None:
    """Return Fleiss' kappa; units with fewer than two raters do not count."""
    rows = _rated_twice(table)
    units = sum(times for _, _, times in rows)
    used: dict[Rating, int] = {}
    alike = 0.0
    for ratings, raters, times in rows:
        for rating, count in ratings.items():
            used[rating] = used.get(rating, 0) + count * times
            alike += times * count * (count - 1) / (raters * (raters - 1))
    if len(used) < 2:
        return None
    total = sum(used.values())
    chance = sum((count / total) ** 2 for count in used.values())
    return (alike / units - chance) / (1 - chance)


def fleiss_kappa_of(table: Iterable[Counted], rating: Rating) -> float | None:
    """Return Fleiss' kappa of one rating against all others."""
    rows = _rated_twice(table)
    total = given = 0
    apart = 0.0
    for ratings, raters, times in rows:
        count = ratings.get(rating, 0)
        total += raters * times
        given += count * times
        apart += times * count * (raters - count) / (raters - 1)
    if not given or given == total:
        return None
    share = given / total
    return 1 - apart / (total * share * (1 - share))
