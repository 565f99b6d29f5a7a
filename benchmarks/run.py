"""
Whole commands, measured: CPU seconds and peak memory of ours, of the floor, of peers that are here.

    python benchmarks/run.py                    all, at full scale (half an hour)
    python benchmarks/run.py --only help,diff   some of them
    python benchmarks/run.py --small            S instead of M: is everything still working?

The data come from a generator of COCO-like files (`--generator`, default: `make_coco.py` beside the
samples); they are kept in `--data`. Each number is of one run of a whole process and its children,
user and system time, as `wait4` tells. Results go to stdout as a Markdown table.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DVCS = [sys.executable, "-m", "dvcs"]
# Users' Python keeps what it has compiled; without that each start costs 0.15 s more.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
LOSSY = ("--allow-loss", "--no-save-images")


@dataclass
class Cost:
    """What a process cost."""

    cpu: float
    memory: float
    wall: float


@dataclass
class Row:
    """One line of the table."""

    work: str
    ours: Cost
    floor: Cost | None
    limit: str
    ratio: float | None = None
    peers: dict[str, Cost] = field(default_factory=dict)
    note: str = ""


def run(command: Sequence[str | Path], cwd: Path | None = None) -> Cost:
    """Run a command to its end. Fails loudly, with what it said."""
    start = time.monotonic()
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit(f"{command}\n{said.decode(errors='replace')}\nexit code {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, time.monotonic() - start)


def python(code: str, *arguments: str | Path) -> Cost:
    """Run a piece of Python."""
    return run([sys.executable, "-c", code, *map(str, arguments)])


class Bench:
    """The data, and one repository made of them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.data: Path = options.data
        self.generator: Path = options.generator
        self.images = 5_000 if options.small else 118_287
        self.small_files = 2_000 if options.small else 60_000
        self.jpegs = 200 if options.small else 5_000
        self.datum: str = shutil.which("datum") or ""
        self.peers: bool = options.peers and bool(self.datum)
        # After ext4 has deleted thousands of files, to make one costs 0.6 ms of system time for a
        # minute, and 0.03 ms else: what is left of a run is deleted when the next one is done.
        self.old = sorted(self.data.glob("work*"))
        self.work = self.data / f"work-{os.getpid()}"
        self.work.mkdir(parents=True)
        ENVIRONMENT["PYTHONPYCACHEPREFIX"] = str(self.data / "pycache")
        run([sys.executable, "-m", "compileall", "-q", ROOT / "dvcs"])

    def generated(self, name: str, *arguments: str | Path) -> Path:
        """Return a file or folder of data, made if it is not there."""
        path = self.data / name
        if not path.exists():
            print(f"making {path} ...", file=sys.stderr)
            run([sys.executable, self.generator, *arguments])
        return path

    def coco(self) -> Path:
        """The large annotation file."""
        return self.annotations(f"coco_{self.images}", self.images)

    def small_coco(self) -> Path:
        """The annotation file S, of 5,000 images."""
        return self.annotations("coco_5000", 5_000)

    def annotations(self, name: str, images: int) -> Path:
        """Return an annotation file in a folder of its own: images beside it would count as its."""
        target = self.data / name / "instances.json"
        target.parent.mkdir(exist_ok=True)
        return self.generated(f"{name}/instances.json", "json", target, "--images", str(images))

    def datumaro(self, source: Path, name: str) -> Cost:
        """Convert a COCO file with datumaro, if it is installed."""
        folder = self.work / "for_datumaro" / "annotations"
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder.parent / "images" / "train").mkdir(parents=True)
            shutil.copy(source, folder / "instances_train.json")
        target = self.work / f"datumaro_{name}"
        cost = run(
            [self.datum, "convert", "-i", folder.parent, "-if", "coco", "-f", name, "-o", target]
        )
        if not target.is_dir():
            sys.exit(f"'{self.datum}' wrote nothing")
        return cost

    def edited(self) -> Path:
        """The same with 1 % of the annotations changed."""
        name = f"coco_{self.images}_edited/instances.json"
        (self.data / name).parent.mkdir(exist_ok=True)
        return self.generated(name, "edit", self.coco(), self.data / name)

    def repository(self) -> Path:
        """A repository with the large file imported."""
        repo = self.work / "repo"
        if not repo.exists():
            run([*DVCS, "init", repo])
            run([*DVCS, "-C", repo, "import", self.coco(), "-f", "coco", "-n", "data"])
        return repo


LOAD = "import json, sys; json.load(open(sys.argv[1]))"
DUMP = "import json, sys; d = json.load(open(sys.argv[1])); json.dump(d, open(sys.argv[2], 'w'))"
READ_SMALL = """
import hashlib, os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), 'rb') as file:
            hashlib.sha256(file.read()).digest()
"""
WRITE_SMALL = """
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    target = os.path.join(sys.argv[2], os.path.relpath(folder, sys.argv[1]))
    os.makedirs(target, exist_ok=True)
    for name in names:
        with open(os.path.join(folder, name), 'rb') as file: data = file.read()
        with open(os.path.join(target, name), 'wb') as file: file.write(data)
"""
PARSE_XML = """
import os, sys
from lxml import etree
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith('.xml'):
            with open(os.path.join(folder, name), 'rb') as file: data = file.read()
            root = etree.fromstring(data)
            for one in root.iter('object'):
                one.findtext('name'), [float(side.text) for side in one.find('bndbox')]
"""
PARSE_ROWS = """
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith('.txt'):
            with open(os.path.join(folder, name)) as file:
                for line in file.read().splitlines():
                    if line[0].isdigit(): label, *box = line.split(); list(map(float, box))
"""
COMMIT_ONE = """
import sys, dvcs
from dvcs.repository.editing import set_items
repo = dvcs.Repository(sys.argv[1])
snapshot = repo.snapshot(repo.resolve())
name = next(iter(snapshot.sources))
subset = next(iter(snapshot.sources[name].subsets))
item = repo.item('HEAD', name, subset, sys.argv[2])
notes = list(item.annotations) + [dvcs.Bbox(1.0, 2.0, 3.0, 4.0, label=repo_label, id=10**9)]
set_items(repo, name, [item.with_(annotations=notes)], message='one more box')
""".replace("repo_label", "snapshot.labels(name).names[0]")


def bench_import(bench: Bench) -> list[Row]:
    """Import a large COCO file into a new commit."""
    repo = bench.work / "import"
    run([*DVCS, "init", repo])
    floor = python(LOAD, bench.coco())
    ours = run([*DVCS, "-C", repo, "import", bench.coco(), "-f", "coco", "-n", "data"])
    return [Row("import", ours, floor, "1.2 x json.load, 1 GB")]


def bench_export(bench: Bench) -> list[Row]:
    """Export a large revision to COCO."""
    floor = python(DUMP, bench.coco(), bench.work / "dumped.json")
    ours = run(
        [*DVCS, "-C", bench.repository(), "export", "-f", "coco", "-o", bench.work / "exported"]
    )
    return [Row("export", ours, floor, "1.2 x (json.load + json.dump)")]


def bench_diff(bench: Bench) -> list[Row]:
    """A second version with 1 % changed; its diff; commands that look at one commit."""
    repo = bench.work / "diff"
    run([*DVCS, "init", repo])
    first = run([*DVCS, "-C", repo, "import", bench.coco(), "-f", "coco", "-n", "data"])
    before = size(repo)
    edited = bench.edited()
    second = run(
        [*DVCS, "-C", repo, "import", edited, "-f", "coco", "-n", "data", "--mode", "replace"]
    )
    grown = (size(repo) - before) / 1e6
    rows = [
        Row("import of the second version", second, first, "-", note=f"adds {grown:.1f} MB"),
        Row(
            "diff, 1 % changed",
            run([*DVCS, "-C", repo, "diff", "HEAD~1", "HEAD", "--stat"]),
            first,
            "10 % of the import",
        ),
    ]
    for command in (["log"], ["branch"], ["show", "HEAD~1"], ["show", "HEAD"]):
        ours = run([*DVCS, "-C", repo, *command])
        rows.append(Row(" ".join(command), ours, None, "0.3 s"))
    return rows


def bench_commit(bench: Bench) -> list[Row]:
    """Commit one changed item through the API."""
    repo = bench.repository()
    before = size(repo)
    first = json.loads(_first_image(bench.coco()))
    ours = python(COMMIT_ONE, repo, str(Path(first["file_name"]).with_suffix("")))
    grown = (size(repo) - before) / 1e3
    floor = python("import dvcs, numpy; dvcs.Repository")
    return [Row("commit one item (API)", ours, floor, "0.5 s, 20 KB", note=f"adds {grown:.1f} KB")]


def _first_image(path: Path) -> str:
    with path.open() as file:
        head = file.read(1 << 20)
    start = head.index("{", head.index('"images"'))
    return head[start : head.index("}", start) + 1]


def bench_status(bench: Bench) -> list[Row]:
    """Status of an unchanged working copy."""
    repo = bench.work / "status"
    copy = repo / "data" / "annotations"
    copy.mkdir(parents=True)
    shutil.copy(bench.coco(), copy / "instances_train2017.json")
    run([*DVCS, "init", repo])
    run([*DVCS, "add", "data", "-f", "coco"], repo)
    run([*DVCS, "commit", "-m", "first"], repo)
    ours = run([*DVCS, "status"], repo)
    return [Row("status, unchanged", ours, None, "0.5 s + the stats")]


def bench_small(bench: Bench) -> list[Row]:
    """Many small images in and out."""
    images = bench.generated(
        f"small_{bench.small_files}",
        "small",
        bench.data / f"small_{bench.small_files}",
        "--count",
        str(bench.small_files),
    )
    repo = bench.work / "small"
    run([*DVCS, "init", repo])
    read = python(READ_SMALL, images)
    write = python(WRITE_SMALL, images, bench.work / "small_copied")
    ours = run([*DVCS, "-C", repo, "import", images, "-f", "image_dir", "-n", "small"])
    files = sum(1 for path in (repo / ".dvcs").rglob("*") if path.is_file())
    out = run([*DVCS, "-C", repo, "export", "-f", "image_dir", "-o", bench.work / "small_exported"])
    return [
        Row(
            f"import {bench.small_files:,} small PNGs",
            ours,
            read,
            "4 x read and hash",
            note=f"{files} files in the store",
        ),
        Row(f"export {bench.small_files:,} small PNGs", out, write, "4 x write"),
    ]


def bench_jpegs(bench: Bench) -> list[Row]:
    """Photographs in."""
    source = bench.annotations(f"coco_{bench.jpegs}", bench.jpegs)
    images = bench.generated(
        f"jpegs_{bench.jpegs}", "images", source, bench.data / f"jpegs_{bench.jpegs}"
    )
    repo = bench.work / "jpegs"
    run([*DVCS, "init", repo])
    floor = run(["sh", "-c", f"find '{images}' -type f -print0 | xargs -0 sha256sum"])
    ours = run([*DVCS, "-C", repo, "import", images, "-f", "image_dir", "-n", "jpegs"])
    return [Row(f"import {bench.jpegs:,} JPEGs", ours, floor, "2 x sha256sum (reflinks), 3 x")]


def bench_media(bench: Bench) -> list[Row]:
    """S with its photographs: what they add to a conversion, an import and an export."""
    source = bench.annotations(f"coco_{bench.jpegs}", bench.jpegs)
    images = bench.generated(
        f"jpegs_{bench.jpegs}", "images", source, bench.data / f"jpegs_{bench.jpegs}"
    )
    folder = bench.work / "with_media"
    (folder / "annotations").mkdir(parents=True)
    shutil.copy(source, folder / "annotations" / "instances_train.json")
    shutil.copytree(images, folder / "images" / "train", copy_function=os.link)
    copied = run(["cp", "-r", images, bench.work / "media_copied"])
    repo = bench.work / "media_repo"
    run([*DVCS, "init", repo])
    into = [*DVCS, "-C", repo, "import", folder, "-f", "coco", "-n"]
    bare, full = run([*into, "bare", "--media", "none"]), run([*into, "full"])
    rows = [_more(f"import COCO, {bench.jpegs:,} JPEGs", full, bare, copied, "-")]
    for name, command in (
        ("convert", ["convert", "-i", folder, "-if", "coco"]),
        ("export", ["-C", repo, "export", "HEAD:full"]),
    ):
        out = [*DVCS, *command, "-f", "yolo", "--allow-loss", "-o"]
        bare = run([*out, bench.work / f"media_{name}_bare", "--no-save-images"])
        full = run([*out, bench.work / f"media_{name}"])
        work = f"{name} to yolo, {bench.jpegs:,} JPEGs"
        limit = "1 x cp -r" if name == "convert" else "-"  # an export verifies what it copies
        rows.append(_more(work, full, bare, copied, limit))
    return rows


def _more(work: str, full: Cost, bare: Cost, copied: Cost, limit: str) -> Row:
    """Return a row of what media add: the cost of all, less that of the same without them."""
    more = Cost(full.cpu - bare.cpu, full.memory, full.wall - bare.wall)
    return Row(work, more, copied, limit, note=f"{full.cpu:.2f} s, without media {bare.cpu:.2f} s")


def bench_help(_: Bench) -> list[Row]:
    """Start-up."""
    floor = min((python("import click") for _ in range(5)), key=lambda cost: cost.cpu)
    ours = min((run([*DVCS, "--help"]) for _ in range(5)), key=lambda cost: cost.cpu)
    more = (ours.cpu - floor.cpu) * 1000
    return [Row("dvcs --help", ours, floor, "100 ms more", note=f"{more:.0f} ms more")]


CONVERT = ["convert", "-if", "coco", "--allow-loss", "--no-save-images"]


def bench_convert(bench: Bench) -> list[Row]:
    """S in COCO to other formats, without images."""
    source = bench.small_coco()
    limits = {"voc": "3.3 s", "voc_detection": "3.3 s", "yolo": "0.63 s", "cvat": "1.1 s"}
    rows = []
    for name, limit in limits.items():
        target = bench.work / f"as_{name}"
        ours = run(
            [*DVCS, "convert", "-i", source, "-if", "coco", "-f", name, "-o", target, *LOSSY]
        )
        row = Row(f"S: COCO to {name}", ours, None, f"{limit}, or a quarter of datumaro's")
        if bench.peers and name != "voc":  # of polygons, datumaro writes none to VOC
            row.peers["datumaro"] = bench.datumaro(source, name.partition("_")[0])
        rows.append(row)
    return rows


def bench_reading(bench: Bench) -> list[Row]:
    """Import VOC and YOLO, against reading and parsing their files."""
    rows = []
    for name, code in (("voc_detection", PARSE_XML), ("yolo", PARSE_ROWS)):
        folder = bench.work / f"from_{name}"
        run(
            [
                *(*DVCS, "convert", "-i", bench.small_coco(), "-if", "coco", "-f", name),
                *("-o", folder, *LOSSY),
            ]
        )
        repo = bench.work / f"import_{name}"
        run([*DVCS, "init", repo])
        floor = python(code, folder)
        ours = run([*DVCS, "-C", repo, "import", folder, "-f", name, "-n", "data"])
        nothing = run([*DVCS, "-C", repo, "log"])
        note = f"{(ours.cpu - nothing.cpu):.2f} s more than 'dvcs log'"
        rows.append(Row(f"S: import {name}", ours, floor, "1.5 x read and parse", note=note))
    return rows


VOTERS = ("ann", "bob", "eve")


def bench_vote(bench: Bench) -> list[Row]:
    """Three annotators' versions of S, imported on a branch each, merged by vote."""
    base = bench.small_coco()
    repo, root = bench.work / "vote", bench.work / "root.json"
    root.write_text('{"images": [], "annotations": [], "categories": []}')
    run([*DVCS, "init", repo])
    run([*DVCS, "-C", repo, "import", root, "-f", "coco_instances", "-n", "root"])
    floor = Cost(0, 0, 0)
    for seed, voter in enumerate(VOTERS, 1):
        file = bench.data / f"voter_{seed}" / "instances.json"
        file.parent.mkdir(exist_ok=True)
        name = file.relative_to(bench.data).as_posix()
        bench.generated(name, "annotator", base, file, "--seed", str(seed))
        run([*DVCS, "-C", repo, "checkout", "-b", voter, "main"])
        cost = run([*DVCS, "-C", repo, "import", file, "-f", "coco", "-n", "data"])
        floor = Cost(floor.cpu + cost.cpu, max(floor.memory, cost.memory), floor.wall + cost.wall)
    run([*DVCS, "-C", repo, "checkout", "main"])
    merge = ["merge", *VOTERS, "--quorum", "2", "--failed", "drop"]
    ours = run([*DVCS, "-C", repo, *merge])
    out = bench.work / "voted"
    run([*DVCS, "-C", repo, "export", "HEAD:data", "-f", "coco", "-o", out, *LOSSY])
    (merged,) = (out / "annotations").glob("instances_*.json")
    quality = [sys.executable, ROOT / "benchmarks" / "vote_quality.py", base, merged]
    told = subprocess.run(quality, capture_output=True, text=True, check=True).stdout.strip()
    limit = "1.5 x the imports; 97 % back, 1 % new"
    return [Row("S: three annotators merged by vote", ours, floor, limit, note=told)]


def size(folder: Path) -> int:
    """Return how many bytes a folder holds."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


BENCHES: dict[str, Callable[[Bench], list[Row]]] = {
    "help": bench_help,
    "convert": bench_convert,
    "reading": bench_reading,
    "import": bench_import,
    "export": bench_export,
    "diff": bench_diff,
    "vote": bench_vote,
    "commit": bench_commit,
    "status": bench_status,
    "small": bench_small,
    "jpegs": bench_jpegs,
    "media": bench_media,
}


def table(rows: list[Row]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| work | CPU s | peak MB | wall s | floor CPU s | ratio | at most | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        said = [row.note] if row.note else []
        said += [f"{name}: {cost.cpu:.2f} s" for name, cost in row.peers.items()]
        floor = f"{row.floor.cpu:.2f}" if row.floor else "-"
        ratio = f"{row.ours.cpu / row.floor.cpu:.2f}" if row.floor else "-"
        lines.append(
            f"| {row.work} | {row.ours.cpu:.2f} | {row.ours.memory:.0f} | {row.ours.wall:.2f} |"
            f" {floor} | {ratio} | {row.limit} | {'; '.join(said)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmarks that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(BENCHES), help="names, with commas")
    parser.add_argument("--small", action="store_true", help="small data: a few seconds each")
    parser.add_argument("--peers", action="store_true", help="also run datumaro ('datum' on PATH)")
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    parser.add_argument(
        "--generator", type=Path, default=ROOT.parent / "shared" / "bench" / "make_coco.py"
    )
    options = parser.parse_args()
    if not options.generator.is_file():
        sys.exit(f"the generator of the data is not at '{options.generator}': see --generator")
    bench = Bench(options)
    rows = []
    for name in options.only.split(","):
        print(f"{name}: {BENCHES[name].__doc__}", file=sys.stderr)
        rows += BENCHES[name](bench)
        print(table(rows[-1:]).splitlines()[-1], file=sys.stderr)
    for old in bench.old:
        shutil.rmtree(old, ignore_errors=True)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}\n"
    )
    print(table(rows))


if __name__ == "__main__":
    main()
