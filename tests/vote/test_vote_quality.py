"""Three careless annotators together know what is there."""

import random

import pytest

from dvcs.model import Bbox, Item, Polygon
from dvcs.vote import Options, Voter, vote_items

LABELS = [f"label{n}" for n in range(20)]
VOTERS = [Voter("ann"), Voter("bob"), Voter("eve")]


def jagged(rng, x, y, side):
    count = rng.randint(6, 30)
    ring = []
    for n in range(count):
        # Around the centre, so that the ring does not cross itself.
        turn = complex(0, 1) ** (4 * n / count) * side * rng.uniform(0.3, 0.5)
        ring += (x + turn.real, y + turn.imag)
    return ring


def shape(rng, shift=0.0):
    side = min(300.0, max(6.0, rng.lognormvariate(4, 0.9)))
    x, y = rng.uniform(0, 640), rng.uniform(0, 480)
    label = rng.choice(LABELS)
    if rng.random() < 0.3:
        return Bbox(x=x, y=y, w=side, h=side * rng.uniform(0.5, 1.0), label=label)
    parts = [[jagged(rng, x, y, side)] for _ in range(1 if rng.random() < 0.8 else 2)]
    return Polygon(parts=parts, label=label)


def drawn_by(rng, note):
    """An annotation as somebody draws it: moved by 3 % of its size."""
    if isinstance(note, Bbox):
        by = min(2.0, note.w * 0.03)
        return note.with_(x=note.x + rng.gauss(0, by), y=note.y + rng.gauss(0, by))
    ring = note.parts[0][0]
    by = min(2.0, (max(ring[::2]) - min(ring[::2])) * 0.03)
    move = rng.gauss(0, by), rng.gauss(0, by)
    return note.with_(
        parts=[
            [[value + move[n % 2] for n, value in enumerate(ring)] for ring in part]
            for part in note.parts
        ]
    )


def annotator(rng, item):
    """An item as somebody annotates it: 5 % overlooked, 2 % another label, 2 % not there."""
    notes = []
    for note in item.annotations:
        if rng.random() < 0.05:
            continue
        drawn = drawn_by(rng, note)
        notes.append(drawn.with_(label=rng.choice(LABELS)) if rng.random() < 0.02 else drawn)
        if rng.random() < 0.02:
            notes.append(shape(rng))
    rng.shuffle(notes)
    return item.with_(annotations=notes)


@pytest.mark.parametrize("failed", ["drop", "conflict"])
def test_what_two_of_three_saw_is_what_there_was(failed):
    rng = random.Random(1)
    total = back = results = strange = 0
    for n in range(150):
        count = min(30, 1 + int(rng.expovariate(1 / 7)))
        truth = Item(f"{n}", annotations=[shape(rng) for _ in range(count)], annotated=True)
        ballot = [annotator(rng, truth) for _ in VOTERS]
        voted = vote_items(ballot, VOTERS, Options(quorum=2, failed=failed)).item
        total += count
        results += len(voted.annotations)
        both = vote_items([truth, voted], [Voter("truth"), Voter("voted")])
        for one in both.clusters:
            if len(one.members) == 2:
                back += one.labels[0] == one.labels[1]
            else:
                strange += one.members[0][0] == 1
    assert total > 900
    assert back >= 0.97 * total
    # While conflicts are open, what the first annotator alone saw is still there.
    assert strange <= (0.01 if failed == "drop" else 0.03) * results
