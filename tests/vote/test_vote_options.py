"""How a quorum, groups and thresholds are written, checked and understood."""

import msgspec
import pytest

from dvcs.errors import UnknownName, UsageError
from dvcs.model import Category, Labels
from dvcs.vote import Group, Options, Voter, check_options, parse_group, parse_quorum

VOTERS = [Voter("ann"), Voter("bob"), Voter("eve")]
LABELS = Labels(["person", "head", Category(name="paw", key="hand")])


@pytest.mark.parametrize(
    ("text", "quorum"),
    [("2", 2), ("0", None), ("", None), ("0.5", 0.5), ("50%", 0.5), ("1.0", 1.0), ("100 %", 1.0)],
)
def test_a_quorum_is_a_count_or_a_share(text, quorum):
    found = parse_quorum(text)
    assert found == quorum
    assert type(found) is type(quorum)


@pytest.mark.parametrize("text", ["-1", "1.5", "150%", "most", "nan", "inf", "%", "0.5.5"])
def test_what_is_no_quorum_is_refused(text):
    with pytest.raises(UsageError, match="is not a quorum"):
        parse_quorum(text)


@pytest.mark.parametrize(
    ("quorum", "needed"),
    [
        (None, [1, 1, 1, 1]),
        (2, [1, 1, 2, 2]),
        (9, [1, 1, 2, 3]),
        (0.5, [1, 1, 1, 2]),
        (1.0, [1, 1, 2, 3]),
        (2 / 3, [1, 1, 2, 2]),
    ],
)
def test_the_quorum_is_capped_at_those_who_were_assigned(quorum, needed):
    assert [Options(quorum=quorum).needed(count) for count in range(4)] == needed


def test_a_share_that_binary_fractions_miss_is_not_one_more():
    assert 0.28 * 25 > 7
    assert Options(quorum=0.28).needed(25) == 7


def test_a_group_has_required_and_optional_labels():
    assert parse_group("person, hand?,head") == Group(("person", "head"), ("hand",))


@pytest.mark.parametrize("text", ["", "person,,head", "?", "person,person", "person,person?"])
def test_what_is_no_group_is_refused(text):
    with pytest.raises(UsageError, match="is not a group"):
        parse_group(text)


def test_checked_options_speak_of_labels_by_key():
    options = Options(groups=(parse_group("person,paw?"),), label_thresholds={"paw": 0.3})
    checked = check_options(options, VOTERS, LABELS)
    assert checked.groups == (Group(("person",), ("hand",)),)
    assert checked.label_thresholds == {"hand": 0.3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(groups=(parse_group("person,tail"),)), "no label is called 'tail'"),
        (Options(label_thresholds={"tail": 0.5}), "no label is called 'tail'"),
        (Options(weights={"zoe": 2.0}), "no voter is called 'zoe'"),
    ],
)
def test_unknown_names_are_refused(options, message):
    with pytest.raises(UnknownName, match=message):
        check_options(options, VOTERS, LABELS)


@pytest.mark.parametrize(
    "options",
    [
        Options(threshold=0.0),
        Options(threshold=1.1),
        Options(close=-0.1),
        Options(min_agreement=2.0),
        Options(weights={"ann": 0.0}),
        Options(weights={"ann": float("nan")}),
        Options(quorum=-1),
        Options(quorum=1.5),
        Options(label_thresholds={"person": 0.0}),
    ],
)
def test_values_out_of_range_are_refused(options):
    with pytest.raises(UsageError):
        check_options(options, VOTERS, LABELS)


def test_nobody_votes_twice_and_somebody_votes():
    with pytest.raises(UsageError, match="'ann' votes twice"):
        check_options(Options(), [Voter("ann"), Voter("ann")], LABELS)
    with pytest.raises(UsageError, match="nobody votes"):
        check_options(Options(), [], LABELS)


@pytest.mark.parametrize(
    ("options", "removal"),
    [
        (Options(), "conflict"),
        (Options(failed="drop"), "keep"),
        (Options(failed="keep"), "keep"),
        (Options(failed="drop", removed="drop"), "drop"),
        (Options(failed="drop", removed="conflict"), "conflict"),
        (Options(removed="keep"), "keep"),
    ],
)
def test_no_item_is_dropped_unless_that_is_said(options, removal):
    assert options.removal == removal


def test_options_survive_json():
    options = Options(quorum=0.5, groups=(parse_group("a,b?"),), ignored_attributes=frozenset("x"))
    assert msgspec.json.decode(msgspec.json.encode(options), type=Options) == options
    whole = Options(quorum=1.0)
    assert type(msgspec.json.decode(msgspec.json.encode(whole), type=Options).quorum) is float
