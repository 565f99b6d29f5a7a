"""
Damaged files by the thousand: reading them ends in a dataset or in a DvcsError, soon, in little
memory.

Each format runs in a process of its own, which may have 1.5 GiB and 5 s for a file. Cases follow
from their numbers alone; `DVCS_FUZZ` is how many there are of each format:

    DVCS_FUZZ=100000 python -m pytest tests/formats/test_fuzz.py -k voc
    python tests/formats/test_fuzz.py voc_detection 0 2000      what the test runs
    python tests/formats/test_fuzz.py voc_detection 1234        one case, with its traceback
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dvcs import formats
from dvcs.errors import DvcsError
from dvcs.files import BytesOrigin, MemorySink, MemorySource
from dvcs.formats import Format
from dvcs.model import Dataset
from dvcs.names import item_id
from dvcs.objects.items import encode_item
from tests.conftest import SAMPLES
from tests.gallery import gallery

CASES = int(os.environ.get("DVCS_FUZZ") or 2000)
SECONDS = 5.0
MEMORY = 3 << 29
READABLE = [one.name for one in formats.all_formats() if one.read is not None]
SAMPLE_FOLDERS: dict[str, tuple[str, ...]] = {
    "coco": ("coco_dataset/coco", "coco_dataset/coco_roboflow", "coco_dataset/mmdet_coco"),
    "coco_person_keypoints": ("coco_dataset/coco_person_keypoints",),
    "coco_panoptic": ("coco_dataset/coco_panoptic",),
    "cvat": ("cvat_dataset/for_images", "cvat_dataset/for_video"),
    "datumaro": ("datumaro_dataset", "datumaro_dataset/legacy"),
    "voc": ("voc_dataset/voc_dataset1", "voc_dataset/voc_dataset2", "roboflow_dataset/voc"),
    "yolo": ("yolo_dataset/strict",),
    "yolo_detect": ("roboflow_dataset/yolo", "yolo_dataset/labels"),
    "yolo_obb": ("roboflow_dataset/yolo_obb",),
}
"""Small samples of other tools' files, below `datumaro/` of the samples."""
LARGE = 40_000
NUMBERS = (
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1", b"-0", b"0", b"1e308", b"1e-320"),
    *(b"99999999999999999999", b"4294967296", b"-2147483649", b"1000000", b"0.5", b"1.", b"01"),
    *(b"null", b"true", b'""', b"[]", b"{}", b"0x10", b"1_0", b"+1", b"\xd9\xa1", b""),
)
STRINGS = (
    *(b"../x", b"/etc/passwd", b"..\\\\x", b"a\\u0000b", b"a\0b", b"\\ud800", b"\xed\xa0\x80", b""),
    *(
        b"a/../b",
        b".",
        b"..",
        b"C:\\\\x",
        b"x" * 5000,
        b"%00",
        b"\\n",
        b"\n",
        b"<",
        b"&amp;",
        b"&x;",
    ),
    *(b"1e5", b"NaN", b"-", b"\xff", b"#", b"\\", b"null", b"\xe2\x80\xae", b"a//b", b"*", b"= ="),
)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**30, 2**31, 1e308, 5e-324, -0.5, "", "../x", "\0", "\ud800", "NaN"),
    *(
        [],
        {},
        [[]],
        [None],
        [[[[1]]]],
        {"": 0},
        "x" * 5000,
        100_000_000,
        [1] * 7,
        ["a"],
        [1e300] * 8,
    ),
    *({"size": [100000, 100000], "counts": "0"}, {"size": [4, 4], "counts": [20]}, "/x", 3.5),
    *({"size": [2, 2], "counts": "PPPPPPPPPPPP"}, "a\\b", [True], [[0, 0]], [-1, -1, -1, -1]),
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
STRING = re.compile(rb'"(?:[^"\\\n]|\\.)*"|(?<=>)[^<>\n]+(?=<)|[\w./-]+')
SPAN = re.compile(rb"<(\w+)[^<>]*>[^<>]*</\1>|<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|[^\n]*\n")


# -- what is damaged -----------------------------------------------------------------------------


Files = dict[str, bytes]


def seeds(format: Format) -> list[tuple[Files, Files]]:
    """Return good datasets of a format: the files, and those of them that are images."""
    made = [(dict(sink.files), _bytes(sink)) for sink in _written(format)]
    for name in SAMPLE_FOLDERS.get(format.name, ()):
        folder = SAMPLES / "datumaro" / name
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        if files and sum(map(len, files.values())) < 4 * LARGE:
            made.append((files, {}))
    return made


def _bytes(sink: MemorySink) -> Files:
    return {path: origin.read() for path, origin in sink.origins.items()}


def _written(format: Format) -> Iterator[MemorySink]:
    if format.write is None:
        return
    held = [
        item
        for item in gallery(format.media)
        if item.media is not None and item.media.size is not None
    ]
    for chosen in (held[:3], held[3:]):
        sink = MemorySink()
        data = Dataset.from_items(chosen or held, gallery().labels)
        formats.write(data, format, sink)
        if sink.files or sink.origins:
            yield sink


# -- how -----------------------------------------------------------------------------------------


def _spot(data: bytes, chance: random.Random, most: int = 40) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.randrange(1, most))


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    start, end = _spot(data, chance)
    return chance.choice((data[:start], data[start:], data[:start] + data[end:]))


def repeated(data: bytes, chance: random.Random) -> bytes:
    start, end = _spot(data, chance, 400)
    return data[:end] + data[start:end] * chance.choice((1, 1, 2, 50)) + data[end:]


def _one_replaced(
    pattern: re.Pattern[bytes], values: Sequence[bytes]
) -> Callable[[bytes, random.Random], bytes]:
    def replaced(data: bytes, chance: random.Random) -> bytes:
        found = list(pattern.finditer(data))
        for _ in range(chance.choice((1, 1, 1, 3))):
            if found:
                match = found.pop(chance.randrange(len(found)))
                new = chance.choice(values)
                if match[0][:1] == b'"' and chance.random() < 0.9:
                    new = b'"' + new + b'"'
                data = data[: match.start()] + new + data[match.end() :]
                found = [one for one in found if one.end() <= match.start()]
        return data

    return replaced


def spans_changed(data: bytes, chance: random.Random) -> bytes:
    """Remove, double or move an element, record or line."""
    found = list(SPAN.finditer(data))
    if not found:
        return data
    match, other = chance.choice(found), chance.choice(found)
    new = chance.choice((b"", match[0] * 2, match[0] * 200, other[0]))
    return data[: match.start()] + new + data[match.end() :]


def nested(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    depth = chance.choice((3, 100, 3000, 30_000))
    opening, closing = chance.choice(
        ((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"- ", b""))
    )
    end = closing * depth if chance.random() < 0.5 else b""
    return data[:at] + opening * depth + b"1" + end + data[at:]


def encoded(data: bytes, chance: random.Random) -> bytes:
    text = data.decode(errors="replace")
    return chance.choice(
        (
            text.encode("utf-16"),
            text.encode("utf-16-le"),
            text.encode("utf-32"),
            b"\xef\xbb\xbf" + data,
            data.replace(b"\n", b"\r"),
            b"",
            b"\0" * len(data),
            chance.randbytes(len(data)),
        )
    )


def json_changed(data: bytes, chance: random.Random) -> bytes:
    """Change one value in a JSON file (or in one line of it), so that it still parses."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        try:
            value = json.loads(lines[at])
        except (ValueError, RecursionError):
            return data
    else:
        lines, at = [data], 0
    for _ in range(chance.choice((1, 1, 2, 5))):
        value = _value_changed(value, chance)
    lines[at] = json.dumps(value).encode()
    return b"\n".join(lines)


def _value_changed(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, dict | list):
        return deepcopy(chance.choice(VALUES))
    here: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        one = todo.pop()
        pairs = one.items() if isinstance(one, dict) else enumerate(one)
        for key, inner in pairs:
            here.append((one, key))
            if isinstance(inner, dict | list):
                todo.append(inner)
    if not here:
        return deepcopy(chance.choice(VALUES))
    where, key = chance.choice(here)
    what = chance.random()
    if what < 0.6:
        where[key] = deepcopy(chance.choice(VALUES))
    elif what < 0.7:
        del where[key]
    elif what < 0.85:
        source, other = chance.choice(here)
        where[key] = deepcopy(source[other])
    elif isinstance(where, list):
        where.insert(key, deepcopy(where[key]))
    else:
        where[chance.choice(("", "id", "../x", "\0", "x" * 300, "type"))] = where[key]
    return value


MUTATIONS: tuple[tuple[int, Callable[[bytes, random.Random], bytes]], ...] = (
    (2, flipped),
    (2, cut),
    (1, repeated),
    (4, _one_replaced(NUMBER, NUMBERS)),
    (4, _one_replaced(STRING, STRINGS)),
    (1, _one_replaced(STRING, NUMBERS)),
    (3, spans_changed),
    (1, nested),
    (1, encoded),
)
IN_JSON = (*MUTATIONS, (12, json_changed))


def damaged(seed: tuple[Files, Files], chance: random.Random) -> MemorySource:
    """Return a dataset of which one file, or more, is not as it was."""
    files, media = dict(seed[0]), dict(seed[1])
    for _ in range(chance.choice((1, 1, 1, 2))):
        pool = media if media and (not files or chance.random() < 0.03) else files
        path = chance.choice(sorted(pool))
        if len(pool[path]) > LARGE:
            continue
        if chance.random() < 0.01:
            del pool[path]
            break
        usual = IN_JSON if path.endswith(("json", ".jsonl")) else MUTATIONS
        (mutate,) = chance.choices([one for _, one in usual], [weight for weight, _ in usual])
        pool[path] = mutate(pool[path], chance)
    origins = {path: BytesOrigin(lambda data=data: data) for path, data in media.items()}
    return MemorySource(files, media=origins, keep_going=chance.random() < 0.5)


# -- the child process ---------------------------------------------------------------------------


class Slow(BaseException):
    """A case took too long."""


def attempt(format: Format, made: list[tuple[Files, Files]], number: int) -> bool:
    """Read one damaged dataset; tell whether it could be read. Anything but DvcsError is a bug."""
    chance = random.Random(f"{format.name} {number}")
    source = damaged(chance.choice(made), chance)
    again = chance.random() < 0.2
    with suppress(DvcsError, formats.Rejected):
        format.detect(source)
    try:
        dataset = formats.read(source, format)
        items = list(dataset)
        for item in items:
            item_id(item.id)
            item_id(item.subset)
            item_id(item.file_name)
            stored = encode_item(item)
            assert not dataset.decoded or encode_item(item, decoded=True) == stored
        if again and format.write is not None:
            formats.write(dataset, format, MemorySink())
    except DvcsError:
        return False
    return True


def run(name: str, first: int, end: int, progress: Path) -> int:
    """Try cases; print those that failed as JSON, a line each."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    format = formats.find(name)
    made = seeds(format)

    def stop(*_: object) -> None:
        raise Slow

    signal.signal(signal.SIGALRM, stop)
    good = 0
    with progress.open("wb", buffering=0) as now:
        for number in range(first, end):
            os.pwrite(now.fileno(), b"%9d" % number, 0)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                good += attempt(format, made, number)
            except (Exception, Slow) as error:  # noqa: BLE001 -- whatever it is, it is a finding
                signal.setitimer(signal.ITIMER_REAL, 0)
                where = traceback.extract_tb(error.__traceback__)
                ours = [f"{Path(one.filename).name}:{one.lineno}" for one in where][-4:]
                said = f"case {number}: {error!r:.200} at {' '.join(ours)}"
                print(said, flush=True)  # noqa: T201 -- its parent reads it
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    print(f"{good} of {end - first} could be read", file=sys.stderr)  # noqa: T201
    return good


# -- the tests -----------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs alarms and limits")
@pytest.mark.timeout(60 + CASES // 10)
@pytest.mark.parametrize("name", READABLE)
def test_damaged_files_give_a_dataset_or_an_error(name: str, tmp_path: Path):
    root = Path(__file__).resolve().parents[2]
    progress = tmp_path / "case"
    done = subprocess.run(
        [sys.executable, __file__, name, "0", str(CASES), str(progress)],
        capture_output=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"},
    )
    last = progress.read_text().strip() if progress.exists() else "none"
    assert done.returncode == 0, f"case {last}: {done.stderr.decode()[-3000:]}"
    assert done.stdout.decode() == ""
    good = int(done.stderr.splitlines()[-1].split()[0])  # libpng may have said something before
    assert good > 0, "no case was read: the cases show nothing"


def test_cases_follow_from_their_numbers():
    format = formats.find("coco")
    made = seeds(format)

    def files(number: int) -> Files:
        chance = random.Random(f"coco {number}")
        return dict(damaged(chance.choice(made), chance)._files)

    assert [files(n) for n in range(20)] == [files(n) for n in range(20)]
    assert files(1) != files(2)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        wanted = formats.find(sys.argv[1])
        print(attempt(wanted, seeds(wanted), int(sys.argv[2])))  # noqa: T201
    else:
        run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
