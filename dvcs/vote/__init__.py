"""
Voting merge: what several people said about the same items, as one dataset.

    voters = [Voter("ann", labels_a), Voter("bob", labels_b), Voter("eve", labels_c)]
    labels, keys, _ = unite_labels(voters)
    options = check_options(Options(quorum=2), voters, labels)
    agreement = Agreement(voters)
    for voted in vote_batch(ballots, voters, options):
        agreement.add(voted)

    options.py    quorum, thresholds, weights; how a person writes them
    records.py    ballots, findings, clusters
    labels.py     lists of labels, united by key
    outlines.py   how alike polygons are, many pairs at once
    pairs.py      which annotations of one item may be votes for the same one
    clusters.py   which of them are
    batch.py      many ballots at once: the whole course of a vote
    table.py      the annotations of many items side by side
    shapes.py     their boxes and areas as arrays
    ballots.py    one ballot: which annotations stand, with which label and attributes
    values.py     votes about one value
    groups.py     instances, and the groups of labels that they should be
    tracks.py     tracks across the items of a sequence
    agreement.py  how far voters agree: counts, mean similarity, Cohen's and Fleiss' kappa

Pure, as `dvcs.merge`: nothing here knows of files or repositories. Annotations carry keys of
labels; who calls has translated them with what `unite_labels` says. Sources are never changed.
`docs/design/vote.md` has the rules and their reasons.
"""

from dvcs.vote.agreement import (
    Agreement,
    AgreementReport,
    LabelAgreement,
    PairAgreement,
    plain_agreement,
)
from dvcs.vote.batch import vote_batch, vote_items
from dvcs.vote.labels import LabelDifference, UnitedLabels, unite_labels
from dvcs.vote.options import (
    AGREEMENT,
    CLOSE,
    Failed,
    Group,
    Options,
    Voter,
    check_options,
    parse_group,
    parse_quorum,
)
from dvcs.vote.records import (
    Ballot,
    Cluster,
    Finding,
    FindingKind,
    Outcome,
    Vote,
    Voted,
    plain_finding,
)
from dvcs.vote.tracks import Tracks

__all__ = [
    "AGREEMENT",
    "CLOSE",
    "Agreement",
    "AgreementReport",
    "Ballot",
    "Cluster",
    "Failed",
    "Finding",
    "FindingKind",
    "Group",
    "LabelAgreement",
    "LabelDifference",
    "Options",
    "Outcome",
    "PairAgreement",
    "Tracks",
    "UnitedLabels",
    "Vote",
    "Voted",
    "Voter",
    "check_options",
    "parse_group",
    "parse_quorum",
    "plain_agreement",
    "plain_finding",
    "unite_labels",
    "vote_batch",
    "vote_items",
]
