"""What a vote found, as tables and lines for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dvcs import ui

if TYPE_CHECKING:
    from dvcs.repository.votes.report import SourceVotes, Votes
    from dvcs.vote import AgreementReport, Finding

MOST = 20
"""Findings that are told; a report has all."""
LABELS = 12
"""Labels whose agreement is told; a report has all."""
WORDS = {
    "missing-item": ("item", "not given to a voter"),
    "deleted-item": ("item", "that a voter removed"),
    "missing-annotation": ("annotation", "that a voter does not have"),
    "failed-annotation": ("annotation", "without a quorum"),
    "failed-label": ("label", "without a quorum"),
    "failed-attribute": ("attribute", "without a quorum"),
    "low-agreement": ("annotation", "on which the voters agree too little"),
    "too-close": ("pair of annotations", "that may be one"),
    "wrong-group": ("group", "that lacks labels, or has too many"),
    "media": ("item", "with other media at a voter"),
}


def tell(votes: "Votes") -> None:
    """Tell who voted, what was found, how far the voters agree."""
    for line in lines(votes):
        ui.out(line)


def lines(votes: "Votes") -> Iterator[str]:
    """Yield what `tell` tells."""
    yield f"{ui.plural(len(votes.seats), 'voter')}: {', '.join(_voters(votes))}; {_quorum(votes)}"
    for one in votes.sources:
        yield from _source(one)
    found = [(one, finding) for one in votes.sources for finding in one.findings]
    if not found:
        return
    yield ui.paint("findings", "title")
    for kind, count in votes.counts().items():
        noun, what = WORDS[kind]
        many = noun.replace(" ", "s ", 1) if " " in noun else None
        yield f"  {kind:<18}  {ui.plural(count, noun, many)} {what}"
    for one, finding in found[:MOST]:
        yield f"  {_finding(one, finding)}"
    if len(found) > MOST:
        yield f"  ... and {len(found) - MOST:,} more (a report has all: --json, -o FILE)"


def _voters(votes: "Votes") -> Iterator[str]:
    for one in votes.seats:
        weight = votes.options.weights.get(one.name)
        yield one.name if weight is None else f"{one.name} (weight {weight:g})"


def _quorum(votes: "Votes") -> str:
    from dvcs.repository.votes.plan import MAJORITY

    quorum = votes.options.quorum
    if not quorum:
        return "no quorum"
    if quorum == MAJORITY:
        return "quorum more than half"
    return f"quorum {quorum:.0%}" if isinstance(quorum, float) else f"quorum {quorum}"


def _source(one: "SourceVotes") -> Iterator[str]:
    name = f"{ui.paint(one.source, 'name')}: " if one.source else ""
    agreed = one.agreed()
    if agreed is None:
        yield f"{name}all voters have the same"
    else:
        same = f"; {ui.plural(one.untouched, 'item')} that none changed" if one.untouched else ""
        yield f"{name}{ui.plural(one.items, 'item')} voted{same}"
    if one.absent:
        yield f"  not in {ui.listed(one.absent)}"
    if one.renumbered:
        yield f"  {ui.plural(one.renumbered, 'annotation')} given another id"
    for each in one.differences:
        values = "; ".join(f"{', '.join(vote.voters)}: {vote.value}" for vote in each.votes)
        label = one.names.get(each.key, each.key)
        yield ui.one_line(f"  label '{label}', {each.field}: {values} (the first counts)")
    if agreed is not None:
        yield from _agreement(agreed)


# -- agreement -----------------------------------------------------------------------------------


def _agreement(agreed: "AgreementReport") -> Iterator[str]:
    rows = []
    for name in agreed.voters:
        own = [one for one in agreed.labels if one.voter == name]
        matched = sum(one.matched for one in own)
        alike = sum((one.mean_similarity or 0) * one.matched for one in own)
        rows.append(
            [
                f"  {name}",
                ui.number(matched),
                ui.number(sum(one.relabelled for one in own)),
                ui.number(sum(one.missing for one in own)),
                ui.number(sum(one.extra for one in own)),
                _share(alike / matched if matched else None),
            ]
        )
    header = ["  voter", "matched", "relabelled", "missing", "alone", "mean similarity"]
    yield from ui.table(rows, header=header, right=range(1, 6))
    yield from _kappas(agreed)


def _kappas(agreed: "AgreementReport") -> Iterator[str]:
    rows = [
        [f"  {name}", *(_share(value) if i != j else "" for j, value in enumerate(row))]
        for i, (name, row) in enumerate(zip(agreed.voters, agreed.matrix, strict=True))
    ]
    header = ["  Cohen's kappa", *agreed.voters]
    yield from ui.table(rows, header=header, right=range(1, len(header)))
    yield f"  Fleiss' kappa {_share(agreed.fleiss)} over {ui.plural(agreed.units, 'unit')}"
    units: dict[str, int] = {}
    for one in agreed.labels:
        units[one.label or ""] = units.get(one.label or "", 0) + one.matched + one.extra
    most = sorted(agreed.label_kappas, key=lambda label: (-units.get(label, 0), label))
    shown = [
        [f"  {label or '(no label)'}", _share(agreed.label_kappas[label])]
        for label in most[:LABELS]
    ]
    if len(most) > 1:
        yield from ui.table(shown, header=["  label", "Fleiss' kappa"], right=[1])
    if len(most) > LABELS:
        yield f"  ... and {len(most) - LABELS:,} more labels"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


# -- findings ------------------------------------------------------------------------------------


def _finding(one: "SourceVotes", finding: "Finding") -> str:
    place = "/".join(part for part in (finding.source, finding.subset, finding.id) if part)
    name = f"{place}#{','.join(finding.names)}" if finding.names else place
    said = [text for text in _said(one, finding) if text]
    if finding.outcome == "dropped":
        said.append("dropped")
    return f"{ui.paint(name, 'name')}  {finding.kind}: {ui.one_line('; '.join(said))}"


def _said(one: "SourceVotes", finding: "Finding") -> Iterator[str]:
    from dvcs.compare.describe import describe_annotation

    for note in (finding.annotation, finding.other):
        if note is not None:
            label = one.names.get(note.label or "", note.label)
            yield describe_annotation(note.with_(label=label))
    if finding.field is not None and finding.kind != "failed-label":
        yield f"'{finding.field}'"
    for vote in finding.votes:
        value = one.names.get(vote.value, vote.value) if isinstance(vote.value, str) else vote.value
        yield f"{', '.join(vote.voters)}: {value}"
    for what, keys in (("lacks", finding.missing), ("too many", finding.extra)):
        if keys:
            yield f"{what} {', '.join(one.names.get(key, key) for key in keys)}"
    if finding.similarity is not None and finding.kind in ("too-close", "low-agreement"):
        yield f"{finding.similarity:.2f}"
    if finding.voters and not finding.votes:
        words = {
            "missing-item": "not given to",
            "deleted-item": "removed by",
            "media": "other media at",
        }
        if finding.kind in ("missing-annotation", "failed-annotation"):
            yield f"not at {', '.join(finding.voters)}"
        elif finding.kind in words:
            yield f"{words[finding.kind]} {', '.join(finding.voters)}"
