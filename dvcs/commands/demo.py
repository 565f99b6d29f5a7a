"""`dvcs demo`: a small repository to play with, made before your eyes."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._types import FolderType
from dvcs.errors import RepositoryError, UsageError

Record = dict[str, Any]


@declare(
    "demo", examples=("dvcs demo", "dvcs demo /tmp/street", "dvcs demo --only-data /tmp/scenes")
)
@click.argument("folder", type=FolderType(), required=False)
@click.option("--only-data", is_flag=True, help="Draw the dataset in FOLDER, and do no more.")
def command(*, folder: Path | None, only_data: bool) -> None:
    """
    Make a small example repository to play with.

    Draws twelve street scenes with boxes, outlines and attributes in FOLDER (default: dvcs-demo),
    and shows what can be done with them: every command it runs, and what came of it. Takes a few
    seconds; the repository stays.
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
    with contextlib.chdir(folder), _without_pager():
        _start(tour)
        _work_on_branches(tour)
        _look_and_export(tour)
    ui.out(f"The repository is in '{folder}': go there, and try")
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
    tour.say("On a branch, correct some annotations.")
    tour.run("checkout", "-b", "review")
    tour.edit("moves a car by 4 pixels and makes a person a cyclist", _review)
    tour.run("status")
    tour.run("diff")
    tour.run("commit", "-m", "First review")
    tour.say("Meanwhile, on main, somebody finds a person in the same image.")
    tour.run("checkout", "main")
    tour.edit("adds a person and corrects a traffic light", _more)
    tour.run("commit", "-m", "One more person")


def _look_and_export(tour: "_Tour") -> None:
    from dvcs import formats
    from dvcs.commands import SUMMARIES

    tour.say("Look at both lines of work, and at what the review changed.")
    tour.run("log", "--graph", "--oneline", "--all")
    tour.run("diff", "main...review")
    if "merge" in SUMMARIES:
        tour.say("They changed different annotations of the same image, so they merge.")
        tour.run("merge", "review")
        tour.run("log", "--graph", "--oneline")
    known = formats.names()
    format = next(name for name in ("yolo", "voc", "coco_instances") if name in known)
    tour.say("Any revision comes out in any format; what that cannot hold is counted.")
    tour.run("export", "v1", "-f", format, "-o", f"scenes-{format}")
    tour.say("What is in the dataset now?")
    tour.run("info")


def _review(data: Record) -> None:
    data["categories"].append({"id": 4, "name": "cyclist"})
    car = next(note for note in data["annotations"] if note["category_id"] == 1)
    car["bbox"][0] += 4
    outline = car["segmentation"][0]
    car["segmentation"] = [[c + 4 if n % 2 == 0 else c for n, c in enumerate(outline)]]
    person = next(note for note in data["annotations"] if note["category_id"] == 2)
    person["category_id"] = 4


def _more(data: Record) -> None:
    light = next(note for note in data["annotations"] if note["category_id"] == 3)
    states = {"red": "green", "green": "red"}
    light["attributes"]["state"] = states[light["attributes"]["state"]]
    data["annotations"].append(
        {
            "id": 1000,
            "image_id": light["image_id"],
            "category_id": 2,
            "bbox": [245, 108, 15, 44],
            "segmentation": [],
            "area": 660,
            "iscrowd": 0,
            "attributes": {"occluded": True},
        }
    )


class _Tour:
    """Runs commands as a person would, and shows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.color = "always" if ui.colors(sys.stdout) else "never"

    def say(self, text: str) -> None:
        """Say what comes next."""
        ui.out(ui.paint(f"# {text}", "hint"))

    def run(self, *arguments: str) -> None:
        """Show a command and run it. Raises RepositoryError where it fails."""
        from dvcs.commands import run

        shown = " ".join(f"'{one}'" if " " in one else one for one in arguments)
        ui.out(ui.paint(f"$ dvcs {shown}", "title"))
        code = run(["--quiet", "--color", self.color, *arguments])
        ui.configure(color="always" if self.color == "always" else "never")
        if code:
            raise RepositoryError(f"'dvcs {shown}' left with {code}")
        ui.out("")

    def edit(self, what: str, change: Callable[[Record], None]) -> None:
        """Change the working copy's annotations, as a script or an annotation tool does."""
        train, val = (
            Path(f"scenes/annotations/instances_{name}.json") for name in ("train", "val")
        )
        ui.out(ui.paint(f"# (a script {what}, in {train.as_posix()})", "hint"))
        data, other = (json.loads(path.read_text("utf-8")) for path in (train, val))
        change(data)
        other["categories"] = data["categories"]
        for path, record in ((train, data), (val, other)):
            path.write_text(json.dumps(record, indent=1), "utf-8")


@contextlib.contextmanager
def _without_pager() -> Iterator[None]:
    before = os.environ.get("DVCS_PAGER")
    os.environ["DVCS_PAGER"] = "cat"
    try:
        yield
    finally:
        if before is None:
            del os.environ["DVCS_PAGER"]
        else:
            os.environ["DVCS_PAGER"] = before
