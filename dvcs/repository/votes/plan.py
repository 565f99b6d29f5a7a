"""What is voted, by whom and how: kept with a merge under way, completed by the policy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from dvcs.errors import RepositoryError, UnknownName, UsageError
from dvcs.model import Labels
from dvcs.vote import Group, Options, Voter, check_options

if TYPE_CHECKING:
    from dvcs.repository.merges.underway import Merging

MAJORITY = 0.500001
"""The quorum where none is given: more than half of those who were assigned an item."""


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Who votes: what it is called, and its commit (hex)."""

    name: str
    commit: str


class Voting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A vote: who votes, as they were named, and how; labels by name."""

    seats: tuple[Seat, ...]
    options: Options = Options(quorum=MAJORITY)


def with_thresholds(options: Options, policy: Mapping[str, float]) -> Options:
    """Return options that also have the thresholds of the policy; those given stand above it."""
    both = {**policy, **options.label_thresholds}
    return msgspec.structs.replace(options, label_thresholds=both)


def options_of(options: Options, voters: list[Voter], labels: Labels) -> Options:
    """
    Return the options for one source, whose labels are known; labels by key.

    Thresholds of labels and groups that only other sources have are left out. Raises UsageError as
    `check_options` does.
    """
    known = set(labels.names)
    names = {voter.name for voter in voters}
    own = msgspec.structs.replace(
        options,
        groups=tuple(one for one in options.groups if known.intersection(one.labels)),
        label_thresholds={
            name: value for name, value in options.label_thresholds.items() if name in known
        },
        weights={name: value for name, value in options.weights.items() if name in names},
    )
    return check_options(own, voters, labels)


def check_votes(options: Options, names: Sequence[str]) -> None:
    """
    Raise UsageError where fewer than two vote, one votes twice, or a weight is that of nobody.

    What options say of labels is left to `options_of`, source by source.
    """
    if len(names) < 2:
        raise UsageError(
            "a vote needs two revisions or more",
            hint="name all that vote, also HEAD if it does: 'dvcs merge HEAD ann'",
        )
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise UsageError(f"'{twice}' votes twice", hint="name each voter once")
    bare = msgspec.structs.replace(options, groups=(), label_thresholds={})
    check_options(bare, [Voter(name) for name in names], Labels())


def check_groups(groups: Iterable[Group], labels: Iterable[str]) -> None:
    """Raise UnknownName for a group of labels that are in no source."""
    known = list(labels)
    for group in groups:
        if not set(known).intersection(group.labels):
            raise UnknownName("label", group.labels[0], known)


def plain(voting: Voting) -> dict[str, Any]:
    """Return a vote as plain values, which a record of a merge keeps."""
    found: dict[str, Any] = msgspec.to_builtins(voting)
    options, defaults = msgspec.to_builtins(voting.options), msgspec.to_builtins(Options())
    found["options"] = {
        name: sorted(value) if name == "ignored_attributes" else value
        for name, value in options.items()
        if value != defaults[name]
    }
    return found


def voting_of(merging: "Merging") -> Voting:
    """Return the vote that a merge is. Raises RepositoryError where its record is damaged."""
    try:
        return msgspec.convert(merging.voting, Voting)
    except msgspec.ValidationError as error:
        raise RepositoryError(
            f"the record of the merge under way cannot be read: {error}",
            hint="give it up with 'dvcs merge --abort', and begin again",
        ) from None


def described(merging: "Merging") -> dict[str, Any]:
    """Return what a commit says of the vote that it was made by: what is not by default."""
    voting = voting_of(merging)
    options = plain(voting)["options"]
    if options.get("quorum") == MAJORITY:
        del options["quorum"]
    voters = {one.name: one.commit for one in voting.seats}
    return {"strategy": "vote", "voters": voters, **options}
