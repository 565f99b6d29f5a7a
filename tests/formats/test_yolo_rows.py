"""Rows of YOLO's label files, read and written."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.formats._yolo.corners import corner_numbers, corners, rotated_box
from dvcs.formats._yolo.limits import is_left_out
from dvcs.formats._yolo.numbers import ring_numbers
from dvcs.formats._yolo.rows import Reader, box_numbers, row
from dvcs.model import ABSENT, HIDDEN, VISIBLE, Bbox, Points, Polygon, RotatedBbox

HEIGHT, WIDTH = 100, 200


def read(text, task="detect", **options):
    failures = []
    reader = Reader(task, {0: "cat", 1: "dog", 5: "cow"}, **options)
    notes = reader.read(text, HEIGHT, WIDTH, lambda why, line: failures.append((line, why)))
    return notes, failures


def only(text, task="detect", **options):
    notes, failures = read(text, task, **options)
    assert failures == []
    return notes


def test_a_box_is_centre_and_size_in_parts_of_the_image():
    assert only("1 0.5 0.4 0.25 0.1") == [Bbox(75.0, 35.0, 50.0, 10.0, label="dog")]


@pytest.mark.parametrize(
    "text",
    [
        "0 0.5 0.5 0.5 0.5\n",
        "  0\t0.5 0.5   0.5 0.5  ",
        "\n\n0 0.5 0.5 0.5 0.5\n\n",
        "0 5e-1 0.5 +.5 5.0E-1",
        "0.0 0.5 0.5 0.5 0.5",
    ],
)
def test_ways_to_write_the_same_row(text):
    assert only(text) == [Bbox(50.0, 25.0, 100.0, 50.0, label="cat")]


def test_what_lies_outside_is_read_as_it_is():
    assert only("0 1.5 -0.5 1 1") == [Bbox(200.0, -100.0, 200.0, 100.0, label="cat")]


@pytest.mark.parametrize(
    ("task", "text", "number"),
    [
        ("detect", "0 .5 .5 .1 .1\n0 50 60 20 30", "60"),
        ("detect", "0 .5 .5 .1 .1\n0 5 60 2 3 0.5", "60"),
        ("segment", "0 .5 .5 .1 .1\n0 10 12 40 12 40 50", "50"),
        ("obb", "0 .5 .5 .1 .1\n0 10 12 40 12 40 50 10 50", "50"),
        ("pose", "0 .5 .5 .1 .1\n0 .5 .5 .1 .1 150 40 2", "150"),
    ],
)
def test_pixels_are_no_parts_of_an_image(task, text, number):
    notes, [(line, why)] = read(text, task, shape=(1, 3))
    assert len(notes) == 1
    assert line == 2
    assert f"the number {number} is no part of an image: are these pixels?" in why


def test_a_shape_far_outside_is_no_pixel_yet():
    assert len(only("0 31 -40 32 1\n0 -90 0 31 1 2 2")) == 2
    assert len(only("0 .5 .5 .1 .1 90", "detect")) == 1, "a score in percent"


@pytest.mark.parametrize(
    ("task", "numbers", "refused"),
    [
        ("detect", (1.009, 0.5, 1.009, 0.2), False),
        ("detect", (1.05, 1.0625, 0.3, 0.375), True),
        ("detect", (0.5, 0.5, 1.02, 0.2), True),
        ("detect", (-0.009, 0.5, 0.2, 0.2), False),
        ("detect", (-0.02, 0.5, 0.2, 0.2), True),
        ("segment", (0.9, 0.9, 1.1, 0.9, 1.1, 1.1), False),
        ("segment", (1.0, 0.9, 1.1, 0.9, 1.1, 1.1), True),
        ("obb", (-0.2, 0.0, 0.1, 0.0, 0.1, 0.2, -0.2, 0.2), True),
        ("obb", (-0.1, 0.0, 0.1, 0.0, 0.1, 0.2, -0.1, 0.2, 0.5), False),
        ("pose", (1.2, 0.5, 1.3, 0.2, 0.9, 0.9, 2), False),
        ("pose", (0.5, 0.5, 0.2, 0.2, 0.9, 1.02, 2), True),
        ("pose", (0.5, 0.5, 0.2, 0.2, 0.9, -0.02, 2), True),
    ],
)
def test_what_ultralytics_leaves_out(task, numbers, refused):
    assert is_left_out(task, numbers) is refused


def test_nothing_is_no_annotation():
    assert only("") == only("\n \n") == []


def test_a_last_column_is_a_score():
    assert [note.score for note in only("0 .5 .5 .5 .5 0.875\n1 .5 .5 .5 .5")] == [0.875, None]
    assert only("0 0 0 1 0 1 1 0.25")[0].score == 0.25
    assert only("0 0 0 1 0 1 1 0 1 0.25", "obb")[0].score == 0.25
    notes = only("0 .5 .5 1 1 .4 .4 2 .6 .6 2 0.25", "pose", shape=(2, 3))
    assert [note.score for note in notes] == [0.25, 0.25]


@pytest.mark.parametrize("task", ["detect", "segment"])
def test_boxes_and_polygons_may_stand_in_one_file(task):
    notes = only("0 0.5 0.5 0.5 0.5\n1 0 0 1 0 1 1\n5 0 0 1 0 1 1 0 1", task)
    assert [type(note) for note in notes] == [Bbox, Polygon, Polygon]
    assert notes[1].parts == [[[0.0, 0.0, 200.0, 0.0, 200.0, 100.0]]]
    assert [note.label for note in notes] == ["cat", "dog", "cow"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2 .5 .5 .5 .5", "there is no label 2: 3 labels are named"),
        ("-1 .5 .5 .5 .5", "there is no label -1"),
        ("0.5 .5 .5 .5 .5", "is not a whole number"),
        ("cat .5 .5 .5 .5", "'cat' is not a number"),
        ("0 .5 .5 .5", "not 3"),
        ("0", "not 0"),
        ("0 .5 x .5 .5", "'x' is not a number"),
        ("0 .5 0,5 .5 .5", "'0,5' is not a number"),
        ("0 .5 1_0 .5 .5", "'1_0' is not a number"),
        ("0 .5 nan .5 .5", "'nan' is not a finite number"),
        ("0 .5 inf .5 .5", "'inf' is not a finite number"),
        ("nan .5 .5 .5 .5", "'nan' is not a finite number"),
        ("0 .5 1e999 .5 .5", "'1e999' is not a finite number"),
        ("0 1e308 .5 1e308 .5", "a number is too large"),
        ("0 .5 .5 .5 .5 nan", "'nan' is not a finite number"),
        ("0 1e308 0 1 0 1 1", "a number is too large"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(text, why):
    notes, failures = read(f"1 .5 .5 .5 .5\n\n{text}\n0 .5 .5 .5 .5\n")
    assert [note.label for note in notes] == ["dog", "cat"]
    assert len(failures) == 1
    assert failures[0][0] == 3
    assert why in failures[0][1]


# -- keypoints -----------------------------------------------------------------------------------


def test_a_box_and_its_keypoints_are_one_instance():
    text = "0 .5 .5 .5 .5 .4 .4 2 0 0 0 .6 .6 1\n1 .5 .5 .5 .5 .4 .4 2 0 0 0 .6 .5 1"
    notes = only(text, "pose", shape=(3, 3))
    assert [type(note) for note in notes] == [Bbox, Points, Bbox, Points]
    assert [note.group for note in notes] == [1, 1, 2, 2]
    assert notes[1].points == [80.0, 40.0, 0.0, 0.0, 120.0, 60.0]
    assert notes[1].visibility == [VISIBLE, ABSENT, HIDDEN]


def test_keypoints_without_visibility():
    notes = only("0 .5 .5 .5 .5 .4 .4 .6 .6", "pose", shape=(2, 2))
    assert notes[1].points == [80.0, 40.0, 120.0, 60.0]
    assert notes[1].visibility == []


def test_an_object_whose_keypoints_are_all_absent_is_a_box():
    assert only("0 .5 .5 .5 .5 0 0 0 0 0 0", "pose", shape=(2, 3)) == [
        Bbox(50.0, 25.0, 100.0, 50.0, label="cat")
    ]


def test_a_box_that_is_the_extent_of_its_keypoints_is_no_annotation():
    notes = only("0 .5 .5 .5 .5 .25 .25 2 .75 .75 1 0 0 0", "pose", shape=(3, 3))
    assert [type(note) for note in notes] == [Points]
    assert notes[0].group == 0


def test_keypoints_of_a_label_that_has_fewer():
    text = "0 .5 .5 .5 .5 .1 .2 2 .3 .4 2 0 0 0"
    assert len(only(text, "pose", shape=(3, 3))[1].visibility) == 3
    assert only(text, "pose", shape=(3, 3), keypoints={"cat": 2})[1].visibility == [2, 2]
    assert len(only(text, "pose", shape=(3, 3), keypoints={"cat": 1})[1].visibility) == 3


def test_what_a_model_says_of_keypoints_is_kept():
    points = only("0 .5 .5 .5 .5 .1 .2 0.75 .3 .4 0", "pose", shape=(2, 3))[1]
    assert points.visibility == [VISIBLE, ABSENT]
    assert points.extra == {"yolo": {"keypoint_scores": [0.75, 0.0]}}


def test_the_number_of_keypoints_must_be_that_of_the_settings():
    notes, failures = read("0 .5 .5 .5 .5 .1 .2 2", "pose", shape=(2, 3))
    assert notes == []
    assert "2 keypoints of 3 numbers each are 10 numbers, not 7" in failures[0][1]


def test_without_settings_the_numbers_tell_the_keypoints():
    assert only("0 .5 .5 .5 .5 .1 .2 2 .3 .4 1", "pose")[1].visibility == [2, 1]
    assert only("0 .5 .5 .5 .5 .1 .2 .3 .4", "pose")[1].visibility == []


# -- rotated boxes -------------------------------------------------------------------------------


def test_four_corners_are_a_rotated_box():
    box = only("0 0.4 0.3 0.6 0.3 0.6 0.7 0.4 0.7", "obb")[0]
    assert isinstance(box, RotatedBbox)
    assert box.geometry == pytest.approx((100, 50, 40, 40, 0))
    assert box.derived == {}


def test_corners_that_are_no_rectangle_are_kept():
    text = "0 0.1 0.1 0.6 0.15 0.6 0.7 0.4 0.7"
    box = only(text, "obb")[0]
    assert box.derived == {"yolo": {"corners": [0.1, 0.1, 0.6, 0.15, 0.6, 0.7, 0.4, 0.7]}}
    assert row(0, corner_numbers(box, HEIGHT, WIDTH)) == text


def test_other_rows_of_a_file_of_rotated_boxes():
    notes = only("0 .5 .5 .5 .5\n1 0 0 1 0 1 1", "obb")
    assert [type(note) for note in notes] == [Bbox, Polygon]


def test_rows_of_dota():
    text = "imagesource:GoogleEarth\ngsd:0.14\n10 10 30 10 30 20 10 20 dog 1\n0 0 2 0 2 2 0 2 cat"
    notes = only(text, "obb")
    assert notes[0].geometry == (20.0, 15.0, 20.0, 10.0, 0.0)
    assert (notes[0].label, notes[0].attributes) == ("dog", {"difficult": True})
    assert (notes[1].label, notes[1].attributes) == ("cat", {})
    _, failures = read("10 10 30 10 30 20 10 20 ship 1", "obb")
    assert failures == [(1, "there is no label 'ship'")]


sides = st.floats(0.5, 500)
places = st.floats(-1000, 1000)


@given(places, places, sides, sides, st.floats(0, 359.9))
def test_a_rotated_box_comes_back_from_its_corners(cx, cy, w, h, angle):
    box = RotatedBbox(cx, cy, w, h, angle, label="cat")
    back = rotated_box(corners(box), "cat", 1e-9)
    assert back.geometry[:4] == pytest.approx(box.geometry[:4], rel=1e-9, abs=1e-9)
    turned = (back.angle - angle + 180) % 360 - 180
    assert abs(turned) < 1e-6
    assert 0 <= back.angle < 360


@given(places, places, sides, sides, st.floats(0, 359.9))
def test_corners_written_with_six_digits_are_still_a_rectangle(cx, cy, w, h, angle):
    box = RotatedBbox(cx, cy, w, h, angle, label="cat")
    rounded = [round(value, 4) for value in corners(box)]
    back = corners(rotated_box(rounded, "cat", 1e-4))
    assert back == pytest.approx(rounded, abs=5e-4)


part = st.floats(-0.2, 1.2)
sizes = st.integers(1, 10_000)
large = st.integers(500, 10_000)


@given(st.tuples(places, places, sides, sides, st.floats(0, 359.9)), large, large)
def test_a_rotated_box_is_written_the_same_again(box, height, width):
    text = row(0, corner_numbers(RotatedBbox(*box), height, width))
    back = Reader("obb", {0: "cat"}).read(text, height, width, pytest.fail)[0]
    assert row(0, corner_numbers(back, height, width)) == text


@given(st.lists(part, min_size=8, max_size=8), sizes, sizes, st.integers(3, 17))
def test_any_four_corners_are_written_the_same_again(numbers, height, width, digits):
    numbers = [float(f"{value:.{digits}g}") for value in numbers]
    texts = [row(0, numbers)]
    for _ in range(3):
        back = Reader("obb", {0: "cat"}).read(texts[-1], height, width, pytest.fail)[0]
        texts.append(row(0, corner_numbers(back, height, width)))
    assert texts[1] == texts[2] == texts[3]
    assert [float(one) for one in texts[1].split()[1:]] == pytest.approx(numbers, abs=1e-9)


def test_what_is_written_of_a_rotated_box_is_a_rectangle_again():
    chance = random.Random(5)
    boxes = [
        RotatedBbox(
            *(chance.uniform(0, 640), chance.uniform(0, 480), chance.uniform(1, 300)),
            *(chance.uniform(1, 200), chance.uniform(0, 360)),
        )
        for _ in range(500)
    ]
    text = "\n".join(row(0, corner_numbers(box, 480, 640)) for box in boxes)
    back = Reader("obb", {0: "cat"}).read(text, 480, 640, pytest.fail)
    assert sum(note.derived != {} for note in back) < 5
    for old, new in zip(boxes, back, strict=True):
        assert new.geometry[:4] == pytest.approx(old.geometry[:4], abs=1e-6)


@pytest.mark.parametrize("far", [1e5, 1e12, 1e300])
def test_rotated_boxes_far_away_are_written(far):
    box = RotatedBbox(far, -far, far / 3, 7.0, 33.0)
    assert "e" not in row(0, corner_numbers(box, 10, 10))


def test_corners_against_the_clock_are_the_same_rectangle():
    box = rotated_box([0, 0, 0, 2, 4, 2, 4, 0], "cat", 1e-9)
    assert (box.cx, box.cy, box.w, box.h) == (2, 1, 2, 4)
    assert sorted(zip(*[iter(corners(box))] * 2, strict=True)) == [(0, 0), (0, 2), (4, 0), (4, 2)]


@pytest.mark.parametrize("points", [[1.0] * 8, [0, 0, 4, 0, 4, 0, 0, 0], [0, 0, 0, 0, 0, 4, 0, 4]])
def test_corners_without_area(points):
    box = rotated_box([float(value) for value in points], "cat", 1e-9)
    assert corners(box) == pytest.approx(points)


# -- writing -------------------------------------------------------------------------------------


def test_numbers_have_ten_digits_and_no_exponent():
    assert row(3, [1 / 3, 0.5, 1e-7, 0.0]) == "3 0.3333333333 0.5 0.0000001 0"
    assert row(0, [-1e-9, 12345.678901234, 1e12, 2.0], 0.25) == (
        "0 -0.000000001 12345.6789 1000000000000 2 0.25"
    )


def test_what_turning_a_box_leaves_in_place_of_zero_is_zero():
    assert row(0, [2.368475786e-18, -2.4e-17, 4e-11, -4e-11]) == "0 0 0 0 0"
    assert row(0, [1.23456789e-5, 6e-11, -0.0, 1.0]) == "0 0.0000123457 0.0000000001 0 1"
    box = RotatedBbox(32.0, 32.0, 2048**0.5, 2048**0.5, 45.0)
    assert row(0, corner_numbers(box, 64, 64)) == "0 0.5 0 1 0.5 0.5 1 0 0.5"


corner = st.tuples(st.floats(-100, 9000), st.floats(-100, 9000))
extent = st.tuples(st.floats(0, 9000), st.floats(0, 9000))


@given(corner, extent, large, large)
def test_a_box_comes_back_to_a_millionth_of_its_place(place, size, height, width):
    (x, y), (w, h) = place, size
    text = row(0, box_numbers(Bbox(x, y, w, h), height, width))
    back = Reader("detect", {0: "cat"}).read(text, height, width, pytest.fail)[0]
    assert back.geometry == pytest.approx((x, y, w, h), rel=1e-6, abs=2e-5)
    # A centre near 0 of a large box keeps as many digits as its corner has.
    again = row(0, box_numbers(back, height, width))
    numbers = [float(part) for part in text.split()]
    assert [float(part) for part in again.split()] == pytest.approx(numbers, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(-10, 5000), min_size=6, max_size=40).filter(lambda one: not len(one) % 2))
def test_a_ring_comes_back(points):
    text = row(1, ring_numbers(points, 480, 640))
    back = Reader("segment", {1: "cat"}).read(text, 480, 640, pytest.fail)[0]
    assert back.parts[0][0] == pytest.approx(points, rel=1e-9, abs=1e-6)
    assert all(map(math.isfinite, back.parts[0][0]))
