"""
What every format must do. A new format is tested by being in the table `dvcs.formats.ROWS`.

What a format's record says that it can hold must come back; `QUIRKS` has what a record cannot say:
how exact its coordinates are, and what of an item its layout has no place for.
"""

import inspect
import pkgutil
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

import dvcs.formats
from dvcs import formats
from dvcs.convert import convert
from dvcs.errors import DvcsError, FormatError, NotADataset
from dvcs.files import (
    BytesOrigin,
    FolderSink,
    MemorySink,
    MemorySource,
    Source,
    open_source,
)
from dvcs.files.zip_sink import ZipSink
from dvcs.formats import Format, options_of
from dvcs.formats._exporting import export
from dvcs.formats._fidelity import Fidelity
from dvcs.formats._fitting import fitted
from dvcs.formats._label_losses import lost_of_labels
from dvcs.model import (
    Annotation,
    Bbox,
    Cuboid3d,
    Dataset,
    Item,
    Label,
    Points,
    Polygon,
    RotatedBbox,
)
from dvcs.names import item_id
from dvcs.objects.items import encode_item
from tests.gallery import LABELS, bitmap, gallery, image_item, png


@dataclass(frozen=True)
class Quirks:
    """What a format's record does not say."""

    tolerance: float = 0.0
    """How far a coordinate may be from what was written, in pixels."""
    subsets: bool = True
    """Whether an item's subset comes back."""
    ids: bool = True
    """Whether an item's id comes back; else its subset is a part of it, or it is renumbered."""
    needs_media: bool = False
    """Whether items without a file at hand are not in the dataset that is read."""
    needs_size: bool = False
    """Whether items of which the image's size is not known are refused."""
    stable: bool = True
    """Whether what was read is written again to the same bytes."""
    labels: bool = True
    """Whether labels that are not used come back."""
    holes: bool = True
    """Whether polygons keep their holes; else those with holes come back as masks."""


QUIRKS: dict[str, Quirks] = {
    **{
        f"coco{task}": Quirks(holes=False)
        for task in ("", "_instances", "_captions", "_labels", "_image_info", "_panoptic", "_stuff")
    },
    "coco_person_keypoints": Quirks(holes=False, labels=False),
    **{
        name: Quirks(tolerance=1e-7, needs_size=True)
        for name in (
            *("yolo", "yolo_detect", "yolo_segment", "yolo_pose", "yolo_obb", "yolo_ndjson"),
        )
    },
    **{
        name: Quirks(tolerance=1e-9)
        for name in ("voc", "voc_action", "voc_detection", "voc_layout", "voc_segmentation")
    },
    "image_dir": Quirks(subsets=False, ids=False, needs_media=True, stable=False, labels=False),
}
NOT_TEXT = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".gz", ".npy", ".pcd", ".bin", ".tfrecord"}
ODD_LABELS = [
    *("a b", "é", "x/y", "../x", "..", "a\\b", "qu\"o'te", "<tag>&amp;", "a,b;c", "#1", "null"),
    *("123", "-", "true", "a: b", "[x]", "{x}", "%41", "con", "日本語", "x" * 300, " lead", "=1+1"),
]


ODD_SUBSETS = ["con", "aux.x", "a/b", "100%", "ü", "Annotations", "a%2Fb", "%63on", "x.", "b c"]


@pytest.fixture(params=formats.names())
def format(request: pytest.FixtureRequest) -> Format:
    return formats.find(request.param)


@pytest.fixture
def quirks(format: Format) -> Quirks:
    return QUIRKS.get(format.name, Quirks())


def writing(format: Format) -> Format:
    if format.write is None:
        pytest.skip(f"{format.name} cannot be written")
    return format


def both_ways(format: Format) -> Format:
    if format.read is None:
        pytest.skip(f"{format.name} cannot be read")
    return writing(format)


def suited(format: Format, quirks: Quirks) -> Dataset:
    """Return the gallery, without the items that the format needs to know more of."""
    data = gallery(format.media)
    if quirks.needs_size:
        data = data.select(lambda item: item.media is not None and item.media.size is not None)
    return data


def written(format: Format, data: Dataset) -> tuple[MemorySink, Fidelity]:
    sink = MemorySink()
    fidelity = formats.write(data, format, sink)
    sink.finish()
    return sink, fidelity


def source_of(sink: MemorySink, **changes: bytes) -> MemorySource:
    return MemorySource({**sink.files, **changes}, media=sink.origins)


def read_safely(source: Source, format: Format) -> list[Item]:
    """Return all items, none of which names a place outside."""
    items = list(formats.read(source, format))
    for item in items:
        assert item_id(item.id) == item.id
        assert item_id(item.subset) == item.subset
        assert item_id(item.file_name)
    return items


def failure(action: Callable[[], object]) -> DvcsError | None:
    """Return the error of an action; any other than ours is a failed test."""
    try:
        action()
    except DvcsError as error:
        return error
    return None


def kept(item: Item, note: Annotation, format: Format) -> dict[str, object]:
    """Return what of an annotation must come back beside its geometry."""
    found: dict[str, object] = {"item": item.id, "kind": note.kind, "label": note.label}
    for field in ("z_order", "score", "track"):
        if field in format.fields:
            found[field] = getattr(note, field)
    return found


def close(a: object, b: object, tolerance: float) -> bool:
    """Compare geometry: numbers within a tolerance, all else exactly."""
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= tolerance
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    return a == b


def assert_alike(wanted: Item, got: Item, format: Format, tolerance: float) -> None:
    """Assert that two items are alike in what the format's record says it holds."""
    left = list(got.annotations)
    pairs = []
    for note in wanted.annotations:
        match = next(
            (
                one
                for one in left
                if kept(wanted, one, format) == kept(wanted, note, format)
                and close(one.geometry, note.geometry, tolerance)
            ),
            None,
        )
        assert match is not None, (wanted.id, note, left)
        left.remove(match)
        pairs.append((note, match))
    assert left == [], wanted.id
    if "id" in format.fields:
        assert [new.id for old, new in pairs if old.id] == [old.id for old, _ in pairs if old.id]
    if "attributes" in format.fields:
        for old, new in pairs:
            assert old.attributes.items() <= new.attributes.items()
    if "group" in format.fields:
        assert partition([old for old, _ in pairs]) == partition([new for _, new in pairs])
    if "item.attributes" in format.fields:
        assert wanted.attributes.items() <= got.attributes.items()


def partition(notes: list[Annotation]) -> set[frozenset[int]]:
    """Return which annotations are in one group, by position."""
    groups: dict[int, set[int]] = {}
    for position, note in enumerate(notes):
        if note.group:
            groups.setdefault(note.group, set()).add(position)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def without_holes(item: Item) -> Item:
    """Return an item whose polygons with holes are masks."""
    notes: list[Annotation] = []
    for note in item.annotations:
        if isinstance(note, Polygon) and any(len(part) > 1 for part in note.parts):
            notes += convert(note, "mask", item.media.size if item.media else None) or ()
        else:
            notes.append(note)
    return item.with_(annotations=notes)


def expected(format: Format, quirks: Quirks, data: Dataset) -> list[Item]:
    items = fitted(data, format, Fidelity())
    if not quirks.holes:
        items = items.map(without_holes)
    return [item for item in items if not quirks.needs_media or item.origins]


# -- the record ----------------------------------------------------------------------------------


@pytest.mark.parametrize("subsets", [ODD_SUBSETS, *([one] for one in ODD_SUBSETS)], ids=str)
def test_subsets_and_their_images_come_back_whatever_files_they_need(format, quirks, subsets):
    if not quirks.subsets:
        pytest.skip(f"{format.name} has no subsets")
    notes = (Bbox(1.0, 2.0, 3.0, 4.0, label="cat"), Label(label="cat"), bitmap((3, 4, 20, 30)))
    labelled = [note.with_(label="cat") for note in notes]
    items = [image_item(f"i{n}", one, *labelled, seed=n) for n, one in enumerate(subsets)]
    sink, _ = written(both_ways(format), Dataset.from_items(items, labels=["cat"]))

    found = {item.id: item for item in formats.read(source_of(sink), format)}

    assert {id: item.subset for id, item in found.items()} == {one.id: one.subset for one in items}
    images = {id: [origin.read() for origin in item.origins] for id, item in found.items()}
    assert images == {f"i{n}": [png(n)] for n in range(len(items))}


def test_the_record_says_what_becomes_of_items_without_annotations(format):
    some = [item.with_(subset="train") for item in gallery() if item.annotations and item.media]
    looked, unseen = image_item("looked", "train"), image_item("unseen", "train")
    items = [*some, looked, unseen.with_(annotated=None)]
    data = Dataset.from_items([one for one in items if one.media.size], labels=LABELS)
    sink, fidelity = written(both_ways(format), data)

    told = {item.id.rpartition("/")[2]: item for item in formats.read(source_of(sink), format)}

    states = told["looked"].annotated is True, told["unseen"].annotated is True
    if not format.lossless:
        known = {"held": (True, False), "never": (False, False), "always": (True, True)}
        assert states == known[format.annotated]
    lost = {key: fidelity.lost_fields[f"item.{key}"] for key in ("annotated", "unannotated")}
    assert lost == {"annotated": not states[0], "unannotated": states[1]}
    assert fidelity.lossless <= (states == (True, False))


def test_every_file_is_in_the_table():
    files = {one.name for one in pkgutil.iter_modules(dvcs.formats.__path__) if one.name[0] != "_"}
    assert files == set(formats.ROWS.values())


def test_every_row_has_its_record():
    records = {
        (record.name, module)
        for module in set(formats.ROWS.values())
        for record in import_module(f"dvcs.formats.{module}").FORMATS
    }
    assert records == set(formats.ROWS.items())


def test_no_alias_means_two_formats():
    aliases = Counter(alias for one in formats.all_formats() for alias in {one.name, *one.aliases})
    assert {alias for alias, count in aliases.items() if count > 1} == set()


def test_has_a_manual(format: Format):
    function = format.read or format.write
    manual = inspect.getdoc(sys.modules[function.__module__]) if function else None
    module = import_module(f"dvcs.formats.{formats.ROWS[format.name]}")
    for text in filter(None, (manual, module.__doc__)):
        assert len(text.splitlines()) > 4
    assert "\n    " in (module.__doc__ or ""), "it draws no folder"


def test_names_only_kinds_and_fields_that_exist(format: Format):
    from dvcs.model import KINDS

    fields = {"id", "group", "z_order", "score", "track", "attributes", "item.attributes"}
    assert format.kinds <= set(KINDS)
    assert format.media <= {"image", "multi_image", "point_cloud", "video_frame"}
    assert {one for one in format.fields if not one.startswith("attributes.")} <= {
        *fields,
        "unlabelled",
    }
    for kind, targets in format.prefers.items():
        assert kind in KINDS
        assert set(targets) <= set(KINDS)


def test_options_have_help_and_a_default(format: Format):
    for function in filter(None, (format.read, format.write)):
        for option in options_of(function).values():
            assert option.help, option.name
            assert option.default is not inspect.Parameter.empty, option.name
            assert isinstance(option.type, tuple) or option.type in {
                *(str, int, float, bool, Path, tuple[str, ...])
            }, option


# -- round trips ---------------------------------------------------------------------------------


def test_reads_what_it_wrote(format: Format, quirks: Quirks):
    data = suited(both_ways(format), quirks)
    sink, _ = written(format, data)
    read = formats.read(source_of(sink), format)
    wanted, got = expected(format, quirks, data), list(read)
    assert len(got) == len(wanted)
    if quirks.ids:
        assert [item.id for item in got] != []
        key = (lambda item: (item.subset, item.id)) if quirks.subsets else (lambda item: item.id)
        wanted, got = sorted(wanted, key=key), sorted(got, key=key)
        assert [key(item) for item in got] == [key(item) for item in wanted]
        for old, new in zip(wanted, got, strict=True):
            assert_alike(old, new, format, quirks.tolerance)
    if quirks.labels and format.kinds - {"caption", "other"}:
        assert [one.name for one in read.labels if one.name in LABELS] == list(LABELS.names)


def test_says_that_values_are_decoded_only_where_they_are(format: Format, quirks: Quirks):
    sink, _ = written(format, suited(both_ways(format), quirks))
    read = formats.read(source_of(sink), format)
    for item in read:
        assert encode_item(item, decoded=read.decoded) == encode_item(item)


def test_keeps_the_media(format: Format, quirks: Quirks):
    data = suited(both_ways(format), quirks)
    sink, _ = written(format, data)
    wanted = Counter(
        origin.read()
        for item in expected(format, quirks, data)
        for origin in item.origins
        if origin
    )
    read = formats.read(source_of(sink), format)
    got = Counter(origin.read() for item in read for origin in item.origins if origin is not None)
    assert got == wanted


def test_says_which_media_it_could_not_write(format: Format, quirks: Quirks):
    data = suited(writing(format), quirks)
    without = data.map(lambda item: item.with_(origins=(None,) * len(item.origins)))
    _, fidelity = written(format, without)
    if "image" in format.media and not quirks.needs_size:
        assert fidelity.missing_media > 0
        assert not fidelity.lossless


def test_writes_the_same_bytes_twice(format: Format, quirks: Quirks):
    data = suited(writing(format), quirks)
    assert written(format, data)[0].files == written(format, data)[0].files


def test_writes_what_it_read_to_the_same_bytes(format: Format, quirks: Quirks):
    both_ways(format)
    if not quirks.stable:
        pytest.skip(f"{format.name} has no place for something that its reader makes up")
    first, _ = written(format, suited(format, quirks))
    second, _ = written(format, formats.read(source_of(first), format))
    assert second.files.keys() == first.files.keys()
    assert second.files == first.files


def test_works_from_folder_zip_and_memory_alike(format: Format, quirks: Quirks, tmp_path: Path):
    data = suited(both_ways(format), quirks)
    memory, _ = written(format, data)
    for sink in (FolderSink(tmp_path / "folder"), ZipSink(tmp_path / "x.zip")):
        with sink:
            formats.write(data, format, sink)
    results = []
    for source in (
        source_of(memory),
        open_source(tmp_path / "folder"),
        open_source(tmp_path / "x.zip"),
    ):
        items = list(formats.read(source, format))
        media = [[one.read() for one in item.origins if one is not None] for item in items]
        results.append(([item.with_(origins=()) for item in items], media))
        source.close()
    assert results[1] == results[0]
    assert results[2] == results[0]


def test_walks_twice(format: Format, quirks: Quirks):
    sink, _ = written(both_ways(format), suited(format, quirks))
    read = formats.read(source_of(sink), format)
    first, second = ([item.with_(origins=()) for item in read] for _ in range(2))
    assert first == second
    assert len(first) > 0


def test_reads_no_image_before_it_is_walked(format: Format, quirks: Quirks):
    sink, _ = written(both_ways(format), suited(format, quirks))

    def touched() -> bytes:
        raise AssertionError("an image was read")

    origins = dict.fromkeys(sink.origins, BytesOrigin(touched))
    formats.read(MemorySource(sink.files, media=origins), format)


def test_knows_its_own_and_no_other(format: Format, quirks: Quirks):
    sink, _ = written(both_ways(format), suited(format, quirks))
    found = formats.detect(source_of(sink)).name
    assert format.name == found or format.name.startswith(f"{found}_")


def test_does_not_take_an_empty_folder_for_its_own(format: Format):
    if format.read is None:
        pytest.skip(f"{format.name} cannot be read")
    for files in ({}, {"README.md": b"# nothing\n", "notes.txt": b"", "x.json": b"{}"}):
        with pytest.raises((formats.Rejected, FormatError), match=r"\w"):
            format.detect(MemorySource(files))


def test_reads_no_dataset_where_there_is_nothing(format: Format):
    if format.read is None:
        pytest.skip(f"{format.name} cannot be read")
    for files in ({}, {"README.md": b"# nothing\n"}):
        with pytest.raises((NotADataset, FormatError), match=r"\w"):
            list(formats.read(MemorySource(files), format))


def assert_items(source: Source, format: Format) -> None:
    assert list(formats.read(source, format)), format.name


def test_reads_no_empty_dataset_out_of_other_formats(format: Format, quirks: Quirks):
    sink, _ = written(both_ways(format), suited(format, quirks))
    bare = {path: data for path, data in sink.files.items() if path not in sink.origins}
    for source in (source_of(sink), MemorySource(bare)):
        for other in formats.all_formats():
            if other.read is None or not source.paths:
                continue
            refused = failure(partial(assert_items, source, other))
            assert refused is None or str(refused)


@pytest.mark.parametrize("options", [{}, {"keep_empty": True}], ids=["usual", "keep_empty"])
def test_its_own_export_of_nothing_is_an_empty_dataset(
    format: Format, options: dict[str, bool], tmp_path: Path
):
    if both_ways(format).name.startswith("coco"):
        pytest.skip("COCO's files are of subsets: without one there is nothing to say")
    if not options.keys() <= options_of(format.write).keys():
        pytest.skip("has no such option")
    export(Dataset((), list), format, tmp_path / "out", options=options)
    assert list(formats.read(open_source(tmp_path / "out"), format)) == []


# -- losses --------------------------------------------------------------------------------------


def test_counts_all_that_it_cannot_hold(format: Format, quirks: Quirks):
    data = suited(writing(format), quirks)
    sink, whole = written(format, data)
    fidelity = Fidelity(format.name)
    seen = Counter(note.kind for item in data for note in item.annotations)
    given = Counter(
        note.kind for item in fitted(data, format, fidelity) for note in item.annotations
    )
    assert whole.converted == fidelity.converted + sink.converted
    assert whole.merged == fidelity.merged + sink.merged
    for (_, new), count in fidelity.converted.items():
        given[new] -= count
    changed = Counter({"": 0})
    for (old, _), count in fidelity.converted.items():
        changed[old] += count
    lost = fidelity.dropped + fidelity.unlabelled + fidelity.merged + changed
    if not format.lossless:
        assert given + lost == seen
    assert format.holds is not None or set(fidelity.dropped) & format.kinds == set()
    assert fidelity.lossless == (fidelity.lines() == [])


def test_counts_once_however_often_it_walks(format: Format, quirks: Quirks):
    data = suited(writing(format), quirks)
    sink, fidelity = written(format, data)
    again = Fidelity(format.name)
    fit = fitted(data, format, again)
    for _ in range(2):
        for _ in fit:
            pass
    again.missing_media, again.notes = fidelity.missing_media, fidelity.notes
    again.converted += sink.converted
    again.merged += sink.merged
    again.lost_fields += sink.lost_fields + lost_of_labels(data.labels, format)
    assert again.report() == fidelity.report()


# -- hostile and damaged files -------------------------------------------------------------------


def damaged(data: bytes, chance: random.Random) -> list[bytes]:
    """Return a file's contents damaged in many ways."""
    cuts = [data[: len(data) * n // 20] for n in range(20)]
    flips = []
    for _ in range(30):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        flips.append(bytes(changed))
    lines = data.split(b"\n")
    shuffled = b"\n".join(chance.sample(lines, len(lines)))
    at = chance.randrange(len(data))
    swaps = [
        data.replace(old, new)
        for old, new in (
            *((b"1", b"-1"), (b"1", b"1e999"), (b"1", b"NaN"), (b"2", b"99999999999999999999")),
            *((b'"', b""), (b"[", b"{"), (b"0", b"null"), (b"1", b'"x"'), (b".", b",")),
            *((b" ", b"  "), (b"\n", b"\r\n"), (b"1", b"true"), (b":", b"")),
        )
        if old in data
    ]
    return [
        *cuts,
        *flips,
        *swaps,
        shuffled,
        data[:at] + b"\0" + data[at:],
        b"\0" * len(data),
        data.decode(errors="replace").encode("utf-16"),
        data.decode(errors="replace").encode("utf-16-le"),
        data + data,
        b"\xff\xfe\xfa" + data,
        b"\xef\xbb\xbf" + data,
        *(b"{}", b"[]", b"null", b"1", b'"x"', b"[[]]", b'{"a":', b"<a/>", b"x\n", b"1 2\n", b","),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"<a>" * 50_000,
        chance.randbytes(1000),
    ]


def test_damage_gives_an_error_never_a_traceback(format: Format, quirks: Quirks):
    sink, _ = written(both_ways(format), suited(format, quirks))
    chance = random.Random(7)
    for path in sorted(sink.files):
        if Path(path).suffix.lower() in NOT_TEXT or not sink.files[path]:
            continue
        for data in damaged(sink.files[path], chance):
            start = time.perf_counter()
            error = failure(partial(read_safely, source_of(sink, **{path: data}), format))
            assert time.perf_counter() - start < 5
            assert not isinstance(error, FormatError) or "memory" in str(error)


def test_cut_json_and_xml_are_refused_by_name(format: Format, quirks: Quirks):
    sink, _ = written(both_ways(format), suited(format, quirks))
    for path in sorted(sink.files):
        if Path(path).suffix.lower() in {".json", ".xml"}:
            data = sink.files[path]
            with pytest.raises(DvcsError, match=Path(path).name):
                list(formats.read(source_of(sink, **{path: data[: len(data) // 2]}), format))


@pytest.mark.parametrize("id", ["../x", "a/../../x", "/abs", "..\\x", "C:\\x", "", "a//b", "x\0"])
def test_writes_no_item_out_of_its_folder(format: Format, id: str, tmp_path: Path):
    item = image_item("x", "default", Bbox(1.0, 2.0, 3.0, 4.0, label="cat")).with_(id=id)
    data = Dataset.from_items([item], LABELS)
    with pytest.raises(DvcsError), FolderSink(tmp_path / "in" / "side") as sink:
        formats.write(data, writing(format), sink)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_reads_no_item_out_of_its_folder(format: Format, quirks: Quirks, tmp_path: Path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    sink, _ = written(both_ways(format), suited(format, quirks))
    for evil in (b"../secret", b"..\\\\secret", str(tmp_path / "secret").encode()):
        root = tmp_path / f"root-{len(evil)}"
        with FolderSink(root) as target:
            formats.write(suited(format, quirks), format, target)
        for path, data in sink.files.items():
            (root / path).write_bytes(data.replace(b"street/1", evil))
        items: list[Item] = []
        failure(lambda items=items, root=root: items.extend(read_safely(open_source(root), format)))
        assert b"secret" not in {
            one.read() for item in items for one in item.origins if one is not None
        }


def test_follows_no_link_out_of_its_folder(format: Format, quirks: Quirks, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    data = suited(both_ways(format), quirks)
    names = sorted(written(format, data)[0].written)
    for number, name in enumerate(names):
        root = tmp_path / str(number)
        with FolderSink(root) as target:
            formats.write(data, format, target)
        (root / name).unlink()
        (root / name).symlink_to(secret)
        with pytest.raises(DvcsError):
            read_safely(open_source(root), format)


@pytest.mark.parametrize("name", ODD_LABELS)
def test_labels_with_odd_names_come_back_or_are_refused(format: Format, quirks: Quirks, name: str):
    both_ways(format)
    notes: dict[str, Annotation] = {
        "bbox": Bbox(1.0, 2.0, 30.0, 40.0, label=name),
        "polygon": Polygon([[[1.0, 2.0, 30.0, 2.0, 30.0, 40.0]]], label=name),
        "label": Label(label=name),
        "mask": bitmap((1, 1, 9, 9)).with_(label=name),
        "points": Points([1.0, 2.0], [2], label=name),
        "rotated_bbox": RotatedBbox(30.0, 20.0, 20.0, 10.0, 30.0, label=name),
        "cuboid_3d": Cuboid3d([1.0, 2.0, 3.0], label=name),
    }
    item = image_item("x", "default")
    held = (
        note
        for kind, note in notes.items()
        if kind in format.kinds and (format.holds is None or format.holds(note, item))
    )
    note = next(held, None)
    if note is None:
        assert format.kinds <= {"caption"}
        pytest.skip(f"{format.name} has no labels")
    data = Dataset.from_items([item.with_(annotations=[note])], ["first", name])
    refused = failure(lambda: written(format, data))
    if refused is not None:
        assert refused.hint
        return
    read = formats.read(source_of(written(format, data)[0]), format)
    assert [note.label for item in read for note in item.annotations] == [name]


def test_writes_an_empty_dataset(format: Format):
    sink, fidelity = written(writing(format), Dataset(LABELS, list))
    assert all(field.startswith("label.") for field in fidelity.lost_fields)
    fidelity.lost_fields.clear()
    assert fidelity.lossless
    if format.read is not None and sink.files:
        assert list(formats.read(source_of(sink), format)) == []


class Quiet(MemorySource):
    """A source that notes what was asked for."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.asked: list[str] = []

    def _read(self, path: str) -> bytes:
        self.asked.append(path)
        return super()._read(path)


def test_asks_a_source_for_nothing_that_is_not_there(format: Format, quirks: Quirks):
    sink, _ = written(both_ways(format), suited(format, quirks))
    source: Source = Quiet(sink.files, media=sink.origins)
    for _ in formats.read(source, format):
        pass
    assert isinstance(source, Quiet)
    assert set(source.asked) <= set(source.paths)


@pytest.mark.parametrize("name", ["coco", "coco_panoptic", "cvat", "yolo", "yolo_detect"])
def test_images_of_one_name_in_several_subsets_are_told_apart(name):
    notes = (Bbox(1.0, 2.0, 3.0, 4.0, label="cat"), bitmap((3, 4, 20, 30)).with_(label="cat"))
    items = [image_item("1", one, *notes, seed=n) for n, one in enumerate(ODD_SUBSETS)]
    sink, _ = written(formats.find(name), Dataset.from_items(items, labels=["cat"]))

    found = {item.subset: item for item in formats.read(source_of(sink), formats.find(name))}

    images = {subset: [origin.read() for origin in item.origins] for subset, item in found.items()}
    assert images == {one: [png(n)] for n, one in enumerate(ODD_SUBSETS)}
