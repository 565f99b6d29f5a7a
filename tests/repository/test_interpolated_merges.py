"""Tracks after a merge: frames between keyframes are what CVAT makes of the merged keyframes."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvcs import formats
from dvcs.model import Bbox
from dvcs.repository import Repository
from dvcs.repository.diffing import diff
from dvcs.repository.editing import set_items
from dvcs.repository.merges import conflicts, merging
from dvcs.repository.merges import sources as merge_sources
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.merges.picking import cherry_pick, revert
from tests.formats.cvat_documents import CVAT, source, video
from tests.repository.scenes import check_sound

STOP = 30
Keyframes = dict[int, tuple[float, bool]]
"""x and whether it is outside, by frame."""


def box(frame, x, *, outside=False, keyframe=True, more=""):
    return (
        f'<box frame="{frame}" keyframe="{int(keyframe)}" outside="{int(outside)}" occluded="0"'
        f' xtl="{x:.2f}" ytl="2.00" xbr="{x + 40:.2f}" ybr="42.00" z_order="0"{more}></box>'
    )


def track(keyframes: Keyframes, *, id=0, label="car", listed=False):
    """Return a track; with `listed`, all frames with two decimals, as CVAT writes them."""
    shapes = [box(at, x, outside=outside) for at, (x, outside) in sorted(keyframes.items())]
    if listed:
        shapes = []
        for frame, (x, outside) in all_frames(keyframes).items():
            shapes.append(box(frame, x, outside=outside, keyframe=frame in keyframes))
    return f'<track id="{id}" label="{label}" source="manual">{"".join(shapes)}</track>'


def all_frames(keyframes: Keyframes) -> Keyframes:
    """Interpolate by hand."""
    found: Keyframes = {}
    for frame in range(min(keyframes), STOP + 1):
        before = max(one for one in keyframes if one <= frame)
        after = min((one for one in keyframes if one > frame), default=None)
        x, outside = keyframes[before]
        if frame in keyframes or not outside:
            if after is not None:
                x += (keyframes[after][0] - x) * (frame - before) / (after - before)
            found[frame] = x, outside
    return found


def dataset(*tracks):
    return formats.read(source(video("".join(tracks), stop=STOP)), CVAT)


class Clips:
    """A repository with a video, and two branches of it."""

    def __init__(self, folder: Path, base, ours, theirs):
        self.repo = Repository.init(folder)
        self.commit(base)
        self.repo.create_branch("topic", self.repo.resolve())
        self.commit(theirs, branch="topic")
        self.commit(ours)

    def commit(self, data, **how):
        return self.repo.commit(data, message="clip", source="clip", **how)

    def merge(self, **how):
        return merging.merge(self.repo, merging.Request(revision="topic", **how))

    def items(self, revision="HEAD"):
        return list(
            self.repo.snapshot(self.repo.resolve(revision)).dataset("clip", self.repo.media_access)
        )

    def at(self, track=0, revision="HEAD"):
        """Return what of a track stands at each frame: x, outside, keyframe."""
        return {
            item.media.frame: (
                note.x,
                note.attributes["outside"],
                note.attributes["keyframe"],
            )
            for item in self.items(revision)
            for note in item.annotations
            if note.track == track
        }


def expected(keyframes: Keyframes):
    return {
        frame: (pytest.approx(x, abs=0.006), outside, frame in keyframes)
        for frame, (x, outside) in all_frames(keyframes).items()
    }


BASE: Keyframes = {0: (0.0, False), 10: (10.0, False), 20: (30.0, False), 25: (30.0, True)}


def move(keyframes, **changes):
    """Return other keyframes: `k10=x`; None removes one, a pair says whether it is outside."""
    found = dict(keyframes)
    for name, value in changes.items():
        frame = int(name[1:])
        if value is None:
            del found[frame]
        else:
            found[frame] = value if isinstance(value, tuple) else (float(value), False)
    return found


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"k0": 5}, {"k20": 40}),
        ({"k10": 20}, {"k20": 50}),
        ({"k20": 50}, {"k10": 20}),
        ({"k13": 0}, {"k17": 60}),
        ({"k13": 0}, {"k10": 20}),
        ({"k10": None}, {"k20": 50}),
        ({"k20": 44}, {"k10": None}),
        ({"k22": 50}, {"k25": None}),
        ({"k25": None, "k28": (30.0, True)}, {"k20": 50}),
        ({"k5": (0.0, True)}, {"k10": 30}),
        ({"k5": (0.0, True)}, {"k20": 30, "k0": 9}),
        ({"k25": None}, {"k28": 60}),
        ({"k0": None}, {"k20": 60}),
    ],
)
def test_keyframes_of_both_sides_give_the_frames_between(tmp_path, ours, theirs, listed):
    made = [track(one, listed=listed) for one in (BASE, move(BASE, **ours), move(BASE, **theirs))]
    clips = Clips(tmp_path / "repo", *map(dataset, made))
    assert clips.merge().status == "merged"
    assert clips.at() == expected(move(move(BASE, **ours), **theirs))
    check_sound(clips.repo)


edits = st.dictionaries(
    st.integers(0, STOP),
    st.none() | st.tuples(st.integers(0, 20).map(float), st.sampled_from([False, False, True])),
    max_size=4,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    keyframes=st.dictionaries(
        st.integers(1, STOP), st.tuples(st.integers(0, 20).map(float), st.booleans()), max_size=4
    ),
    ours=edits,
    theirs=edits,
    listed=st.booleans(),
)
def test_whatever_keyframes_two_annotators_change(
    tmp_path_factory, keyframes, ours, theirs, listed
):
    base = {0: (7.0, False), **keyframes}
    theirs = {at: value for at, value in theirs.items() if at not in ours}

    def edited(keyframes, edit):
        found = {**keyframes, **edit}
        return {at: value for at, value in found.items() if value is not None or at == 0}

    ours, theirs = ({k: v for k, v in one.items() if k or v} for one in (ours, theirs))
    sides = [base, edited(base, ours), edited(base, theirs)]
    clips = Clips(
        tmp_path_factory.mktemp("clip"), *(dataset(track(one, listed=listed)) for one in sides)
    )
    done = clips.merge(fast_forward=False)
    if done.status != "merged":
        assert {one.kind for place in done.places for one in place.conflicts} <= {"deleted"}
        return
    assert clips.at() == expected(edited(edited(base, ours), theirs))


def test_two_values_for_one_keyframe_are_one_conflict_and_the_rest_follows_it(tmp_path):
    ours, theirs = move(BASE, k10=16), move(BASE, k10=4, k20=36)
    clips = Clips(tmp_path / "repo", *(dataset(track(one)) for one in (BASE, ours, theirs)))
    assert clips.merge().status == "conflicts"
    (place,) = conflicts.load(clips.repo).open()
    assert (place.id, [one.kind for one in place.conflicts]) == ("frame_000010", ["geometry"])
    for choice in ("theirs", "base", "ours"):
        conflicts.resolve(clips.repo, Wanted(("clip",)), choice)
        done = merging.go_on(clips.repo, dry_run=choice != "ours")
        assert done.status == "merged"
        assert done.counts.derived >= (9 if choice != "theirs" else 0)
    assert clips.at() == expected(move(BASE, k10=16, k20=36))


def test_a_relabelled_track_and_its_attributes_reach_the_frames_between(tmp_path):
    def with_speed(keyframes, speed, label="car"):
        shapes = track(keyframes, label=label)
        said = f'<attribute name="speed">{speed}</attribute></box>'
        return dataset(shapes.replace("</box>", said))

    ours, theirs = move(BASE, k10=20), move(BASE, k20=50)
    clips = Clips(
        tmp_path / "repo",
        with_speed(BASE, 1),
        with_speed(ours, 1, label="road &amp; sky"),
        with_speed(theirs, 7),
    )
    assert clips.merge().status == "merged"
    assert clips.at() == expected(move(ours, k20=50))
    notes = [note for item in clips.items() for note in item.annotations]
    assert {note.label for note in notes} == {"road & sky"}
    assert {note.attributes["speed"] for note in notes} == {7}


def test_shapes_between_keyframes_alone_are_no_change(tmp_path):
    base, noise = dataset(track(BASE, listed=True)), track(BASE, listed=True)
    for frame in range(11, 20):
        x = all_frames(BASE)[frame][0]
        noise = noise.replace(box(frame, x, keyframe=False), box(frame, x + 0.5, keyframe=False))
    ours = dataset(track(move(BASE, k0=3), listed=True))
    clips = Clips(tmp_path / "repo", base, ours, dataset(noise))
    changes = list(diff(clips.repo, clips.repo.resolve("HEAD~1"), clips.repo.resolve("topic")))
    assert not any(one.is_change for one in changes)
    assert sum(one.interpolated for one in changes) == 9
    assert clips.merge().status == "merged"
    assert clips.at() == expected(move(BASE, k0=3))


def test_new_tracks_of_both_sides_stay_two(tmp_path):
    ours, theirs = {3: (60.0, False), 8: (70.0, False)}, {3: (0.0, False), 9: (6.0, True)}
    base, both = track(BASE), [track(BASE) + track(one, id=1) for one in (ours, theirs)]
    clips = Clips(tmp_path / "repo", *map(dataset, (base, *both)))
    assert clips.merge().status == "merged"
    assert [clips.at(n) for n in (0, 1, 2)] == [expected(one) for one in (BASE, ours, theirs)]


def test_a_new_track_of_both_sides_that_is_one_object_becomes_one(tmp_path):
    ours = {3: (50.0, False), 9: (62.0, False), 20: (62.0, True)}
    theirs = {3: (50.0, False), 9: (62.0, False), 15: (64.0, False), 20: (62.0, True)}
    base, both = track(BASE), [track(BASE) + track(one, id=1) for one in (ours, theirs)]
    clips = Clips(tmp_path / "repo", *map(dataset, (base, *both)))
    assert clips.merge().status == "merged"
    assert clips.at(1) == expected(theirs)
    assert clips.at(2) == {}


def test_picks_and_reverts_make_them_anew_too(tmp_path):
    ours, theirs = move(BASE, k10=20), move(BASE, k20=50)
    clips = Clips(tmp_path / "repo", *(dataset(track(one)) for one in (BASE, ours, theirs)))
    cherry_pick(clips.repo, "topic")
    assert clips.at() == expected(move(ours, k20=50))
    revert(clips.repo, "HEAD~1")
    assert clips.at() == expected(theirs)


def test_only_frames_around_what_was_changed_are_opened(tmp_path, monkeypatch):
    global STOP  # noqa: PLW0603 - the length of the clip
    before, STOP = STOP, 3000
    try:
        base = {n: (float(n % 7), False) for n in range(0, STOP + 1, 10)}
        ours, theirs = move(base, k1000=20), move(base, k1010=30, k2000=9)
        clips = Clips(tmp_path / "repo", *(dataset(track(one)) for one in (base, ours, theirs)))
        opened = []
        original = merge_sources.decode_item
        monkeypatch.setattr(
            merge_sources, "decode_item", lambda *a, **k: opened.append(a) or original(*a, **k)
        )
        assert clips.merge().status == "merged"
        wanted = expected(move(ours, k1010=30, k2000=9))
    finally:
        STOP = before
    assert clips.at() == wanted
    assert len(opened) < 1600  # of 3000 frames; 1000 lie between the two places


def test_a_frame_that_a_person_emptied_stays_empty(tmp_path):
    clips = Clips(
        tmp_path / "repo", *(dataset(track(one)) for one in (BASE, move(BASE, k0=4), BASE))
    )
    held = {item.id: item for item in clips.items("topic")}
    emptied = [held[f"frame_{n:06d}"].with_(annotations=[]) for n in (14, 15)]
    set_items(clips.repo, "clip", emptied, message="Gone", branch="topic")
    clips.commit(dataset(track(move(BASE, k20=50, k10=2))), branch="main")
    assert clips.merge().status == "merged"
    wanted = expected(move(BASE, k20=50, k10=2))
    assert clips.at() == {at: one for at, one in wanted.items() if at not in (14, 15)}


def test_cvat_s_own_video(tmp_path, samples):
    path = samples / "datumaro" / "cvat_dataset" / "for_video" / "annotations.xml"
    text = path.read_text("utf-8")

    def edited(*pairs):
        changed = text
        for old, new in pairs:
            assert changed.count(old) == 1
            changed = changed.replace(old, new)
        return formats.read(source(changed), CVAT)

    first = ('frame="10" outside="0" occluded="1" keyframe="1" xtl="3.00"',) * 2
    first = (first[0], first[1].replace("3.00", "4.00"))
    third = ('frame="16" outside="1" occluded="0" keyframe="1" xtl="8.00"',) * 2
    third = (third[0].replace(" xtl", " xtl"), third[1].replace('outside="1"', 'outside="0"'))
    clips = Clips(tmp_path / "repo", edited(), edited(first), edited(third))
    assert clips.merge().status == "merged"
    merged = {item.id: item for item in clips.items()}
    wanted = {item.id: item for item in edited(first, third)}
    assert merged.keys() == wanted.keys()
    for id, item in wanted.items():
        assert list(merged[id].annotations) == list(item.annotations), id
    assert isinstance(merged["frame_000019"].annotations[0], Bbox)
