"""Tracks of several voters across the items of a sequence."""

from dvcs.merge import Judge
from dvcs.model import Bbox, Item
from dvcs.vote import Ballot, Tracks, Voter, vote_items

VOTERS = [Voter("ann"), Voter("bob"), Voter("eve")]


def frame(*objects):
    """An item with an object at each (place, track)."""
    return Item(
        "i", annotations=[Bbox(x=x, y=0.0, w=9.0, h=9.0, track=track) for x, track in objects]
    )


def renamed(*frames):
    ballots = [Ballot(tuple(one), Judge()) for one in frames]
    votes = [vote_items(one.items, VOTERS) for one in ballots]
    tracks = Tracks(VOTERS)
    for ballot, voted in zip(ballots, votes, strict=True):
        tracks.learn(ballot, voted)
    return [
        [note.track for note in tracks.renamed(ballot, voted).annotations]
        for ballot, voted in zip(ballots, votes, strict=True)
    ]


def test_a_track_keeps_its_name_where_the_first_voter_overlooked_it():
    both = frame((0.0, 1), (50.0, 2)), frame((0.0, 7), (50.0, 1)), frame((0.0, 2))
    less = frame((50.0, 2)), frame((0.0, 7), (50.0, 1)), frame((0.0, 2))
    assert renamed(both, less) == [[1, 2], [2, 1]]


def test_a_track_that_only_others_drew_gets_a_name_that_nobody_uses():
    frames = (frame((0.0, 1)), frame((0.0, 5), (50.0, 1)), frame((80.0, "a")))
    assert renamed(frames) == [[1, 6, "a"]]


def test_tracks_are_one_where_they_most_often_meet():
    right = frame((0.0, 1), (50.0, 2)), frame((0.0, 4), (50.0, 3)), None
    crossed = frame((0.0, 1), (50.0, 2)), frame((0.0, 3), (50.0, 4)), None
    lonely = frame(), frame((0.0, 4), (50.0, 3)), None
    assert renamed(right, right, crossed, lonely)[3] == [1, 2]


def test_without_tracks_there_is_nothing_to_rename():
    tracks = Tracks(VOTERS)
    ballot = Ballot((frame((0.0, None)), None, None), Judge())
    voted = vote_items(ballot.items, VOTERS)
    tracks.learn(ballot, voted)
    assert not tracks.known
    assert tracks.renamed(ballot, voted) is voted.item
