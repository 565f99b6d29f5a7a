"""
The whole course of a vote, for many items at once.

Which annotations are alike is computed for the items of a batch together, so that numpy works on
hundreds of pairs at a time; what follows is counted item by item. A batch is small enough for its
arrays (12,000 points of polygons) to stay in the cache, and below the size at which the C library
asks the system for fresh memory each time: of 100,000 polygons at once, comparing outlines takes
six times as long.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dvcs.merge import Counts, Judge
from dvcs.merge.decisions import ITEM_PRESENCE, Fresh
from dvcs.merge.media import is_replaced_twice, merge_media, plain_media
from dvcs.merge.values import merge_mappings
from dvcs.model import Annotation, Item, Media
from dvcs.model.annotations import names_of
from dvcs.vote.ballots import PRESENCE, Count, Electorate, Members, Rules
from dvcs.vote.groups import regrouped, wrong_groups
from dvcs.vote.options import Options, Voter
from dvcs.vote.records import Ballot, Finding, Outcome, Voted

BATCH = 2000
"""Annotations compared at once, as soon as there are as many."""


def vote_items(
    items: Sequence[Item | None],
    voters: Sequence[Voter],
    options: Options | None = None,
    judge: Judge | None = None,
) -> Voted:
    """Count the votes about one item; see `vote_batch`, which is faster for many."""
    ballot = Ballot(tuple(items), Judge() if judge is None else judge)
    return next(vote_batch([ballot], voters, options))


def vote_batch(
    ballots: Iterable[Ballot],
    voters: Sequence[Voter],
    options: Options | None = None,
    *,
    counts: Counts | None = None,
    fresh: Fresh | None = None,
) -> Iterator[Voted]:
    """
    Yield what becomes of each ballot, in order.

    `options` are those that `check_options` returned. `counts.renumbered` counts annotations whose
    id another one has; `fresh` gives new numbers, without it they are one above those of the item.
    Each ballot must hold an item of at least one voter; names and order of its result are those of
    the first voter who has it. Raises ValueError where a ballot has nothing, or not one place for
    each voter.
    """
    options = Options() if options is None else options
    electorate = Electorate(
        tuple(voter.name for voter in voters),
        tuple(options.weights.get(voter.name, 1.0) for voter in voters),
        frozenset(one.key for voter in voters for one in voter.labels),
    )
    rules = Rules(electorate, options, Counts() if counts is None else counts, fresh)
    batch: list[_Seated] = []
    size = 0
    for ballot in ballots:
        seated = _seat(ballot, electorate, options)
        batch.append(seated)
        size += sum(len(item.annotations) for item in seated.items if item is not None)
        if size >= BATCH:
            yield from _count(batch, rules)
            batch, size = [], 0
    if batch:
        yield from _count(batch, rules)


# -- who votes -----------------------------------------------------------------------------------


class _Seated(NamedTuple):
    """A ballot of those who vote about the same media; `items` of all others are None."""

    items: tuple[Item | None, ...]
    judge: Judge
    first: int
    assigned: tuple[bool, ...]
    findings: list[Finding]
    gone: Item | None = None
    """The item, where it is not to be: too few have kept it."""


def _seat(ballot: Ballot, electorate: Electorate, options: Options) -> _Seated:
    """Find out who votes about an item."""
    items = ballot.items
    if len(items) != len(electorate.names):
        raise ValueError("a ballot has one place for each voter")
    present = [voter for voter, item in enumerate(items) if item is not None]
    if not present:
        raise ValueError("a ballot holds at least one item")
    findings = []
    if len(present) + len(ballot.deleted) < len(items):
        others = {*present, *ballot.deleted}
        findings.append(_of_item(items, electorate, "missing-item", others))
    if ballot.deleted:
        stays, outcome = _stays(ballot, present, electorate, options)
        others = {voter for voter in range(len(items)) if voter not in ballot.deleted}
        findings.append(_of_item(items, electorate, "deleted-item", others, outcome))
        if not stays:
            nobody = (None,) * len(items), (False,) * len(items)
            item = items[present[0]]
            return _Seated(nobody[0], ballot.judge, present[0], nobody[1], findings, item)
    chosen, outcome = _same_media(items, present, ballot.judge, electorate, options)
    if len(chosen) < len(present):
        absent = {voter for voter in range(len(items)) if voter not in present}
        findings.append(_of_item(items, electorate, "media", {*chosen, *absent}, outcome))
        items = tuple(item if voter in chosen else None for voter, item in enumerate(items))
    assigned = tuple([item is not None and item.annotated is not False for item in items])
    return _Seated(items, ballot.judge, chosen[0], assigned, findings)


def _stays(
    ballot: Ballot, present: list[int], electorate: Electorate, options: Options
) -> tuple[bool, Outcome]:
    """
    Decide whether an item stands that some have removed, and say how that came about.

    Who removed it votes against it, who has it for it; a quorum counts both. While that is open,
    it is as the first of them has it.
    """
    if len(present) >= options.needed(len(present) + len(ballot.deleted)):
        return True, "kept"
    if options.removal != "conflict":
        keep = options.removal == "keep"
        return keep, "kept" if keep else "dropped"
    own = min(present) < min(ballot.deleted)
    decision = ballot.judge.ask(
        ITEM_PRESENCE,
        "vote",
        "presence",
        labels={note.label for at in present for note in _notes(ballot.items[at])},
        allowed=PRESENCE,
        have=tuple(electorate.names[voter] for voter in present),
        lack=tuple(electorate.names[voter] for voter in sorted(ballot.deleted)),
    )
    choice = "ours" if decision is None else decision.choice
    stays = {"union": True, "ours": own, "theirs": not own}.get(choice, False)
    if decision is None:
        return stays, "conflict"
    return stays, "kept" if stays else "dropped"


def _notes(item: Item | None) -> Sequence[Annotation]:
    return () if item is None else item.annotations


def _of_item(
    items: Sequence[Item | None],
    electorate: Electorate,
    kind: Any,
    others: set[int],
    outcome: Outcome = "kept",
) -> Finding:
    """Return a finding about the voters that are not among `others`."""
    item = next(one for one in items if one is not None)
    return Finding(
        kind=kind,
        source=item.source,
        subset=item.subset,
        id=item.id,
        voters=tuple(name for at, name in enumerate(electorate.names) if at not in others),
        outcome=outcome,
    )


def _same_media(
    items: Sequence[Item | None],
    present: list[int],
    judge: Judge,
    electorate: Electorate,
    options: Options,
) -> tuple[list[int], Outcome]:
    """Return the voters whose annotations are about the same media, and how that was decided."""
    media = [None if item is None else item.media for item in items]
    kinds: list[list[int]] = []
    for voter in present:
        for kind in kinds:
            if not is_replaced_twice(None, media[kind[0]], media[voter]):
                kind.append(voter)
                break
        else:
            kinds.append([voter])
    if len(kinds) == 1:
        return present, "kept"
    if options.failed != "conflict":
        weights = electorate.weights
        return max(kinds, key=lambda kind: sum(weights[voter] for voter in kind)), "dropped"
    decision = judge.ask(
        "media",
        "media",
        "media",
        ours=plain_media(media[kinds[0][0]]),
        theirs=plain_media(media[kinds[1][0]]),
        labels={note.label for item in items if item is not None for note in item.annotations},
        allowed=("ours", "theirs"),
    )
    if decision is None:
        return kinds[0], "conflict"
    return kinds[1 if decision.choice == "theirs" else 0], "dropped"


# -- counting ------------------------------------------------------------------------------------


def _count(batch: Sequence[_Seated], rules: Rules) -> Iterator[Voted]:
    """Count the ballots of a batch."""
    from dvcs.vote.table import Table

    groups = rules.options.groups
    table = Table([one.items for one in batch], rules.electorate.names, rules.options)
    counted = [
        _count_one(seated, clusters, rules)
        for seated, clusters in zip(batch, table.clusters(), strict=True)
    ]
    nearby = table.too_close([count.clusters for _, count in counted])
    for seated, (item, count), close in zip(batch, counted, nearby, strict=True):
        findings = [*seated.findings, *count.findings]
        if close:
            findings += _too_close(item, close)
        gone = seated.gone is not None
        if groups and not gone:
            findings += wrong_groups(item, groups)
        yield Voted(item, tuple(findings), tuple(count.clusters), seated.assigned, gone)


def _too_close(item: Item, pairs: Sequence[tuple[int, int, float]]) -> Iterator[Finding]:
    names = names_of(item.annotations)
    for a, b, value in pairs:
        yield Finding(
            kind="too-close",
            source=item.source,
            subset=item.subset,
            id=item.id,
            names=(names[a], names[b]),
            annotation=item.annotations[a],
            other=item.annotations[b],
            similarity=value,
        )


def _count_one(seated: _Seated, clusters: Sequence[Members], rules: Rules) -> tuple[Item, Count]:
    items = seated.items
    if seated.gone is not None:
        gone = Count(seated.gone, seated.first, seated.assigned, rules, seated.judge)
        return seated.gone, gone
    item = items[seated.first]
    assert item is not None  # noqa: S101 - the first is one who has it
    count = Count(item, seated.first, seated.assigned, rules, seated.judge)

    def named(voter: int) -> Sequence[str]:
        held = items[voter]
        return () if held is None else names_of(held.annotations)

    count.count(clusters, named)
    notes: Sequence[Annotation] = count.numbered()
    if any(note.group for one in items if one is not None for note in one.annotations):
        notes = regrouped(notes, count.clusters, items, rules.electorate.weights)
    return _with_fields(item, items, count).with_(annotations=notes), count


def _with_fields(item: Item, items: Sequence[Item | None], count: Count) -> Item:
    """Return the item with what the voters say of the item itself."""
    held = {voter: one for voter, one in enumerate(items) if one is not None}
    others = list(held.values())[1:]
    fields: dict[str, Any] = {}
    if any(one.attributes for one in held.values()):
        ballots = {voter: one.attributes for voter, one in held.items()}
        fields["attributes"] = count.mapping(ballots, count.needed, "item.attributes")
    if any(one.extra != item.extra for one in others):
        extra: Mapping[str, Any] = item.extra
        for one in others:
            extra = merge_mappings(
                None, extra, one.extra, lambda _path, _base, ours, _: ours, depth=1
            )
        fields["extra"] = extra
    if any(one.media is not item.media and one.media != item.media for one in others):
        media: Media | None = item.media
        for one in others:
            media, _ = merge_media(None, media, one.media, count.judge, known=False)
        fields["media"] = media
    if others and not (item.origins and all(item.origins)):
        files = None if item.media is None else len(item.media.files)
        for one in others:
            if one.origins and all(one.origins) and (not files or len(one.origins) == files):
                fields["origins"] = one.origins
                break
    if item.annotated is not True:
        said = {one.annotated for one in held.values()}
        fields["annotated"] = True if True in said else None if None in said else False
    return msgspec.structs.replace(item, **fields) if fields else item
