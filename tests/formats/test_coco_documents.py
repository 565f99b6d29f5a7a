"""Made-up COCO documents: whatever they say comes back, whatever is wrong is a clear error."""

import json
from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dvcs import formats
from dvcs.errors import DvcsError
from dvcs.files import MemorySource
from dvcs.geometry.rle import counts_from_list
from tests.formats.coco_documents import assert_same_document, read_files, written

numbers = st.one_of(
    st.integers(-50, 500),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2)),
    st.floats(-1e6, 1e6, allow_nan=False),
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=4,
)
ids = st.one_of(st.integers(0, 12), st.integers(-(2**40), 2**60), texts)
unknown = st.dictionaries(
    st.sampled_from(["ignore", "dvcs", "track_id", "id_", "x y", "image", "coco"]),
    values,
    max_size=2,
)
rings = st.lists(
    st.lists(st.tuples(numbers, numbers), max_size=5).map(lambda ps: [c for p in ps for c in p]),
    max_size=3,
)


@st.composite
def runs(draw: Any) -> dict[str, Any]:
    counts = draw(st.lists(st.integers(0, 30), min_size=1, max_size=6))
    height = draw(st.integers(1, 5))
    counts[-1] += -sum(counts) % height + height
    spelt = counts if draw(st.booleans()) else counts_from_list(counts)
    return {"size": [height, sum(counts) // height], "counts": spelt}


boxes = st.lists(numbers, min_size=4, max_size=4)
keypoints = st.lists(st.tuples(numbers, numbers, st.integers(0, 2) | st.just(0.5)), max_size=3).map(
    lambda ps: [c for p in ps for c in p]
)
OPTIONAL = {
    "id": ids | st.none(),
    "category_id": st.sampled_from([0, 1, "k", None]),
    "segmentation": rings | runs() | st.none() | st.just([]),
    "area": numbers | st.none(),
    "bbox": boxes | st.just([]) | st.none(),
    "iscrowd": st.sampled_from([0, 1, True, None, 2]),
    "keypoints": keypoints | st.none(),
    "num_keypoints": st.integers(0, 20) | st.none(),
    "score": numbers | st.none(),
    "caption": texts | st.none(),
    "attributes": st.dictionaries(texts | st.just("is_crowd"), values, max_size=3) | st.none(),
}


@st.composite
def documents(draw: Any, *, task: str = "instances") -> dict[str, Any]:
    image_ids = draw(
        st.lists(ids, min_size=1, max_size=4, unique_by=lambda x: (type(x).__name__, x))
    )
    names = draw(
        st.lists(st.from_regex(r"[a-c]{1,2}(/[ab])?(\.(jpg|png))?", fullmatch=True), min_size=4)
    )
    images = []
    for id, name in zip(image_ids, names, strict=False):
        image = {"id": id, "file_name": name, **draw(unknown)}
        if draw(st.booleans()):
            image |= {
                "height": draw(st.integers(0, 99)),
                "width": draw(st.none() | st.integers(0, 9)),
            }
        images.append(image)
    records = []
    for _ in range(draw(st.integers(0, 5))):
        record: dict[str, Any] = {"image_id": draw(st.sampled_from(image_ids)), **draw(unknown)}
        for key, strategy in OPTIONAL.items():
            if draw(st.booleans()):
                record[key] = draw(strategy)
        records.append(record)
    document: dict[str, Any] = {
        "images": images,
        "annotations": records,
        "categories": [
            {"id": id, "name": draw(st.sampled_from(["x", "y", "x#1", ""])), **draw(unknown)}
            for id in (0, 1, "k")
        ],
    }
    for key in ("info", "licenses", "more"):
        if draw(st.booleans()):
            document[key] = draw(values)
    return document


@given(documents())
@settings(max_examples=300)
def test_whatever_a_document_says_comes_back(document):
    files = {"annotations/instances_train.json": document}
    dataset = read_files(files)
    new = written(dataset)
    assert list(new) == list(files)
    assert_same_document(new["annotations/instances_train.json"], document)
    second = read_files(new)
    assert second.labels == dataset.labels
    for one, other in zip(
        sorted(second, key=lambda item: str(item.extra)),
        sorted(dataset, key=lambda item: str(item.extra)),
        strict=True,
    ):
        assert one.media == other.media
        assert len(one.annotations) == len(other.annotations)


@given(documents(), documents(), st.booleans())
@settings(max_examples=150)
def test_files_of_two_tasks_come_back_apart(first, second, keypoints):
    files = {
        "annotations/instances_train.json": first,
        f"annotations/{'person_keypoints' if keypoints else 'stuff'}_train.json": second,
    }
    new = written(read_files(files))
    assert set(new) == set(files)
    for path, document in files.items():
        assert_same_document(new[path], document)


BROKEN = st.sampled_from(
    [
        ("bbox", [1, None, 3, 4]),
        ("segmentation", [[1]]),
        ("segmentation", "x"),
        ("segmentation", {"size": [1], "counts": 3}),
        ("keypoints", [1]),
        ("category_id", 77),
        ("image_id", "nobody"),
        ("area", [1]),
        ("attributes", 3),
    ]
)


@given(documents(), st.lists(BROKEN, min_size=1, max_size=3), st.data())
@settings(max_examples=150)
def test_bad_records_come_back_verbatim(document, faults, data):
    bad = []
    for key, value in faults:
        record = data.draw(st.sampled_from(document["annotations"] or [{"image_id": "nobody"}]))
        bad.append({**record, "caption": None, key: value})
    document["annotations"] += bad
    path = "annotations/instances_train.json"
    new = written(read_files({path: document}, keep_going=True))
    assert_same_document(new[path], document)


@given(documents(), st.data())
@settings(max_examples=200)
def test_damage_is_a_clear_error_or_none(document, data):
    text = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(text) - 1))
        text[position] = data.draw(st.sampled_from(b'{}[],:"0-9e.ntx\\\x00\xff '))
    files = {"annotations/instances_train.json": bytes(text)}
    for keep_going in (False, True):
        with suppress(DvcsError):
            written(read_files(files, keep_going=keep_going))


def test_names_that_are_shared_or_missing_are_told_once():
    document = {
        "images": [
            {"id": 1, "file_name": "same.jpg", "height": 8, "width": 8},
            {"id": 2, "file_name": "same.png", "height": 8, "width": 8},
            {"id": 3, "height": 8, "width": 8},
            {"id": 4, "coco_url": "http://x/4.jpg", "height": 8, "width": 8},
            {"id": 5, "height": 8, "width": 8},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 4, "name": "cat"}],
        "annotations": [],
    }
    files = {"annotations/instances_train.json": msgspec.json.encode(document)}
    source = MemorySource(files, name="d")
    data = formats.read(source, formats.find("coco"))
    for _ in range(2):
        assert [item.id for item in data] == ["same", "same.png", "3", "4", "5"]
    path = "annotations/instances_train.json"
    assert source.notes == {
        "two categories share a name: 'cat', of which that with the id 4 is now 'cat#4'": 1,
        "two images share a name: 'same.jpg' and 'same.png', now item 'same.png'": 1,
        f"an image has no 'file_name', its id is its name: item '3' of '{path}'": 2,
    }
