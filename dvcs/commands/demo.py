"""`dvcs demo`: a small repository to play with, made before your eyes."""

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._types import FolderType
from dvcs.errors import RepositoryError, UsageError

Record = dict[str, Any]
_SUBSETS = ("train", "val")


@declare("demo", examples=("dvcs demo", "dvcs demo street", "dvcs demo --only-data scenes"))
@click.argument("folder", type=FolderType(), required=False)
@click.option("--only-data", is_flag=True, help="Draw the dataset in FOLDER, and do no more.")
def command(*, folder: Path | None, only_data: bool) -> None:
    """
    Make a small example repository to play with.

    Draws twelve street scenes with boxes, outlines and attributes in FOLDER (default: dvcs-demo),
    and tells a story of them: two annotators and a conflict, a vote of three, who did what. Shows
    every command it runs, and what came of it. Takes a few seconds; the repository stays.
    """
    from dvcs.commands import _scenes

    folder = _free() if folder is None else folder
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"'{folder}' is there and not empty", hint="name another folder")
    counts = _scenes.write(folder if only_data else folder / "scenes")
    drawn = f"{counts['images']} street scenes with {counts['annotations']} annotations"
    if only_data:
        ui.out(f"drew {drawn} in '{folder}', in COCO's format")
        return
    tour = _Tour(folder)
    tour.say(f"{drawn} were drawn in '{folder / 'scenes'}', in COCO's format.")
    with contextlib.chdir(folder), _own_environment():
        _start(tour)
        _work_on_branches(tour)
        _merge(tour)
        _vote(tour)
        _look_and_export(tour)
    ui.out(f"The repository is in '{folder}': go there, and try")
    ui.out(f"    open {folder / 'changes.html'} in a browser")
    for example in ("dvcs log --stat", "dvcs show", "dvcs undo --list", "git --git-dir=.dvcs log"):
        ui.out(f"    {example}")


def _free() -> Path:
    """Return the first of dvcs-demo, dvcs-demo-2, ... that is not there."""
    names = (f"dvcs-demo{'' if n == 1 else f'-{n}'}" for n in count(1))
    return next(path for path in map(Path, names) if not path.exists())


def _start(tour: "_Tour") -> None:
    tour.say("Make a repository there, and track the folder as a source.")
    tour.run("init")
    tour.run("add", "scenes")
    tour.run("commit", "-m", "Street scenes as drawn")
    tour.run("tag", "v1")


def _work_on_branches(tour: "_Tour") -> None:
    tour.say("Two annotators correct the first image, each on a branch.")
    tour.be("Ada")
    tour.run("checkout", "-b", "ada")
    tour.edit("moves a car, makes a person a cyclist and the light yellow", _ada)
    tour.run("status")
    tour.run("diff")
    tour.run("commit", "-m", "Corrections by Ada")
    tour.be("Ben")
    tour.run("checkout", "-b", "ben", "v1")
    tour.edit("finds one more person, and the light out of order", _ben)
    tour.run("commit", "-m", "Corrections by Ben")


def _merge(tour: "_Tour") -> None:
    tour.say("Both come into main, annotation by annotation. One thing cannot be both.")
    tour.be("Eve")
    tour.run("checkout", "main")
    tour.run("merge", "ada")
    tour.run("merge", "ben", code=1)
    tour.say("The branch stays as it was until that is decided: Ben was right about the light.")
    tour.run("conflicts", code=1)
    tour.run("resolve", "--kind", "attribute", "--theirs")
    tour.run("merge", "--continue")
    tour.run("log", "--graph", "--oneline")
    tour.say("Who last changed which annotation?")
    tour.run("blame", "scenes/train/train_01")


def _vote(tour: "_Tour") -> None:
    tour.say("Three annotators do all of it again. (Scripts: each shakes, forgets and mistakes.)")
    names = ("kim", "lee", "max")
    for seed, name in enumerate(names):
        with tour.unseen():
            tour.be(name.title())
            tour.run("checkout", "-b", name, "main")
            tour.edit("", partial(_annotate, seed), subsets=_SUBSETS)
            tour.run("commit", "-m", f"As {name.title()} sees it")
    tour.be("Eve")
    tour.run("checkout", "main")
    tour.say("What two of three agree on is taken, and how far they agree is told.")
    tour.run("checkout", "-b", "gold")
    tour.run("merge", *names, "--quorum", "2", "--failed", "drop", "-o", "votes.json")


def _look_and_export(tour: "_Tour") -> None:
    tour.say("All of it on one page, drawn over the images, for any browser.")
    tour.run("diff", "v1", "gold", "--html", "changes.html")
    tour.run("log", "--graph", "--oneline", "--all")
    tour.say("Any revision comes out in any format; what that cannot hold is counted.")
    tour.run("export", "v1", "-f", "yolo", "-o", "scenes-yolo")
    tour.say("What is in the dataset now?")
    tour.run("info")


# -- what the annotators do ----------------------------------------------------------------------


def _ada(data: Record) -> None:
    data["categories"].append({"id": 4, "name": "cyclist"})
    car = _first(data, 1)
    _move(car, 4, 0)
    _first(data, 2)["category_id"] = 4
    _first(data, 3)["attributes"]["state"] = "yellow"


def _ben(data: Record) -> None:
    light = _first(data, 3)
    light["attributes"]["state"] = "off"
    person = {"category_id": 2, "bbox": [245, 108, 15, 44], "segmentation": [], "area": 660}
    rest = {"id": 1000, "image_id": light["image_id"], "iscrowd": 0}
    data["annotations"].append({**rest, **person, "attributes": {"occluded": True}})


def _annotate(seed: int, data: Record) -> None:
    """Annotate as a person does: not quite the same boxes, some forgotten, some mistaken."""
    random = Random(f"{seed} {len(data['annotations'])}")  # noqa: S311 - data, not secrets
    kept = [note for note in data["annotations"] if random.random() > 0.05]
    for note in kept:
        _move(note, random.uniform(-1, 1), random.uniform(-1, 1))
        if random.random() < 0.05:
            note["category_id"] = random.choice([1, 2, 3])
    data["annotations"] = kept


def _first(data: Record, category: int) -> Record:
    return next(note for note in data["annotations"] if note["category_id"] == category)


def _move(note: Record, x: float, y: float) -> None:
    """Move a box and its outline by some pixels."""
    x, y = round(x, 1), round(y, 1)
    left, top, width, height = note["bbox"]
    note["bbox"] = [left + x, top + y, width, height]
    note["segmentation"] = [
        [c + (y if n % 2 else x) for n, c in enumerate(ring)] for ring in note["segmentation"]
    ]


class _Tour:
    """Runs commands as a person would, and shows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.color = "always" if ui.colors(sys.stdout) else "never"

    def say(self, text: str) -> None:
        """Say what comes next."""
        ui.out(ui.paint(f"# {text}", "hint"))

    def run(self, *arguments: str, code: int = 0) -> None:
        """Show a command and run it. Raises RepositoryError where it leaves with another code."""
        from dvcs.commands import run

        shown = " ".join(f"'{one}'" if " " in one else one for one in arguments)
        ui.out(ui.paint(f"$ dvcs {shown}", "title"))
        left = run(["--quiet", "--color", self.color, *arguments])
        ui.configure(color="always" if self.color == "always" else "never")
        if left != code:
            raise RepositoryError(f"'dvcs {shown}' left with {left}")
        ui.out("")

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """Show nothing of what is run meanwhile."""
        with contextlib.redirect_stdout(io.StringIO()):
            yield

    def be(self, name: str) -> None:
        """Commit as somebody from now on."""
        os.environ["DVCS_AUTHOR_NAME"] = name
        os.environ["DVCS_AUTHOR_EMAIL"] = f"{name.lower()}@example.org"

    def edit(
        self, what: str, change: Callable[[Record], None], *, subsets: Sequence[str] = ("train",)
    ) -> None:
        """Change the working copy's annotations, as a script or an annotation tool does."""
        files = {name: Path(f"scenes/annotations/instances_{name}.json") for name in _SUBSETS}
        if what:
            told = f"# (a script {what}, in {files[subsets[0]].as_posix()})"
            ui.out(ui.paint(told, "hint"))
        records = {name: json.loads(path.read_text("utf-8")) for name, path in files.items()}
        for name in subsets:
            change(records[name])
        for name, path in files.items():
            records[name]["categories"] = records[subsets[0]]["categories"]
            path.write_text(json.dumps(records[name], indent=1), "utf-8")


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """Have no pager, and names that others commit under, for a while."""
    names = ("DVCS_PAGER", "DVCS_AUTHOR_NAME", "DVCS_AUTHOR_EMAIL")
    before = {name: os.environ.get(name) for name in names}
    os.environ["DVCS_PAGER"] = "cat"
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
