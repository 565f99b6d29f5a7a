"""
What a commit of one item costs in a repository of many: seconds, and bytes on the disk.

    python benchmarks/commit_one.py [--items 118000] [--commits 20] [--profile]
"""

import argparse
import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dvcs.model import Bbox, Dataset, Item
from dvcs.names import quote
from dvcs.objects.items import encode_item
from dvcs.repository import Repository

BOXES = 7


def items(count: int) -> Iterator[Item]:
    """Yield items with some boxes each."""
    for n in range(count):
        boxes = [
            Bbox(
                x=n % 640 + k + 0.5,
                y=k + 1.25,
                w=10.0,
                h=20.0 + k,
                label="cat",
                id=n * BOXES + k + 1,
            )
            for k in range(BOXES)
        ]
        yield Item(id=f"{n:012}", subset="train", annotations=boxes)


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def commit_one(repo: Repository, n: int) -> None:
    """Commit one changed item."""
    one = Item(id=f"{n:012}", subset="train", annotations=[Bbox(x=n, y=1.0, w=1.0, h=1.0)])
    with repo.transaction() as change:
        blob = change.writer.blob(encode_item(one)[0])
        change.change_items("data", {"train": {quote(one.id).encode(): blob}})
        change.commit(f"Change {n}", operation="edit")


def measure(count: int, commits: int, *, profile: bool) -> None:
    """Print what the first commit of all and then single ones cost."""
    with tempfile.TemporaryDirectory() as folder:
        with Repository.init(folder) as repo:
            started = time.perf_counter()
            repo.commit(Dataset(["cat"], lambda: items(count)), message="all", source="data")
            print(f"{count:,} items at once: {time.perf_counter() - started:.2f} s")
        seconds, sizes = [], []
        profiler = cProfile.Profile()
        for n in range(commits):
            before = size(repo.layout.git)
            started = time.perf_counter()
            if profile:
                profiler.enable()
            with Repository(folder) as fresh:  # as a command does
                commit_one(fresh, n * 31 % count)
            profiler.disable()
            seconds.append(time.perf_counter() - started)
            sizes.append(size(repo.layout.git) - before)
        print(
            f"one item: {statistics.median(seconds) * 1000:.1f} ms"
            f" (slowest {max(seconds) * 1000:.1f}), {statistics.median(sizes):,.0f} bytes"
        )
        if profile:
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=118_000)
    parser.add_argument("--commits", type=int, default=20)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    measure(arguments.items, arguments.commits, profile=arguments.profile)


if __name__ == "__main__":
    main()
