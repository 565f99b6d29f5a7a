"""Comparing COCO documents: equal but for the order in their lists, and for files' layout."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from dvcs import formats
from dvcs.files import MemorySink, MemorySource, open_source
from dvcs.model import Dataset


def canonical(value: Any) -> str:
    """Return JSON in which only what JSON calls equal is equal (1 and 1.0, not 1 and true)."""

    def plain(one: Any) -> Any:
        if isinstance(one, dict):
            if "segments_info" in one:
                segments = sorted(one["segments_info"], key=lambda segment: str(segment["id"]))
                one = {**one, "segments_info": segments}
            return {key: plain(value) for key, value in one.items()}
        if isinstance(one, list):
            return [plain(value) for value in one]
        if isinstance(one, float) and one == int(one):
            return int(one)
        return one

    return json.dumps(plain(value), sort_keys=True)


def assert_same_document(new: Any, old: Any) -> None:
    """Fail, naming the first difference, unless two documents say the same."""
    if isinstance(old, list):
        assert_same_list(new, old, "results")
        return
    assert set(new) == set(old)
    for key, value in old.items():
        if isinstance(value, list) and key != "categories":
            assert_same_list(new[key], value, key)
        else:
            assert canonical(new[key]) == canonical(value), key


def assert_same_list(new: Any, old: Any, what: str) -> None:
    have, want = Counter(map(canonical, new)), Counter(map(canonical, old))
    missing, added = list((want - have).elements()), list((have - want).elements())
    now = added[0][:2000] if added else "nothing"
    assert not missing, f"{what}: {len(missing)} differ\n was {missing[0][:2000]}\n is {now}"
    assert not added, f"{what}: {len(added)} more, {added[0][:1000]}"


def read(path: Path, format: str = "coco", *, keep_going: bool = False, **options: Any) -> Dataset:
    return formats.read(open_source(path, keep_going=keep_going), formats.find(format), **options)


def read_files(
    files: dict[str, Any], format: str = "coco", *, keep_going: bool = False, **options: Any
) -> Dataset:
    """Read documents from memory."""
    held = {
        path: value if isinstance(value, bytes) else json.dumps(value).encode()
        for path, value in files.items()
    }
    source = MemorySource(held, keep_going=keep_going)
    return formats.read(source, formats.find(format), **options)


def written(dataset: Dataset, format: str = "coco", **options: Any) -> dict[str, Any]:
    """Write a dataset to memory; return its documents by path."""
    sink = MemorySink()
    formats.write(dataset, formats.find(format), sink, **options)
    return {
        path: json.loads(data) if path.endswith(".json") else data
        for path, data in sink.files.items()
    }
