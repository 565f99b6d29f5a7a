"""`dvcs doctor`: versions, the disk, the repository: what a report of a fault needs."""

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from dvcs import __version__, ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, state

if TYPE_CHECKING:
    from dvcs.repository import Repository

LIBRARIES = (
    "click",
    "rich",
    "dulwich",
    "msgspec",
    "isal",
    "zstandard",
    "numpy",
    "opencv-python-headless",
    "pycocotools",
    "lxml",
    "scipy",
)

Facts = dict[str, dict[str, str]]


@declare("doctor", examples=("dvcs doctor", "dvcs doctor --json > report.json"))
@json_option
def command(*, as_json: bool) -> None:
    """
    Show versions and the state of this installation.

    Attach it to a report of a fault. It names no data; where folders are is in it.
    """
    from dvcs.errors import NotARepository
    from dvcs.repository import Repository

    facts: Facts = {"program": dict(_program())}
    try:
        with Repository(state().folder) as repo:
            facts["repository"] = dict(_repository(repo))
    except NotARepository:
        facts["repository"] = {"folder": "none here"}
    if as_json:
        ui.emit_json("dvcs.doctor/1", facts)
        return
    for title, rows in facts.items():
        ui.out(ui.paint(title, "title"))
        for line in ui.table([(f"  {name}", value) for name, value in rows.items()]):
            ui.out(line)


def _program() -> Iterator[tuple[str, str]]:
    yield "dvcs", __version__
    yield "Python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    for name in LIBRARIES:
        yield name, _version(name) or "MISSING"
    yield "git", shutil.which("git") or "not installed (not needed)"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _repository(repo: "Repository") -> Iterator[tuple[str, str]]:
    from dvcs.repository import identity

    author = identity.author(repo.layout)
    guessed = " (guessed: set user.name)" if identity.is_guessed(repo.layout) else ""
    yield "folder", str(repo.root)
    yield "identity", f"{author.name} <{author.email}>{guessed}"
    yield "branch", repo.refs.head_branch() or "none (detached)"
    packs = repo.store.packs()
    size = sum(one.stat().st_size for one in repo.store.pack_folder.glob("*.pack"))
    yield "objects", f"{ui.plural(len(packs), 'pack')}, {ui.size(size)}"
    yield "media", f"{ui.size(_size(repo.layout.media))} in '{repo.layout.media}'"
    yield "free space", ui.size(shutil.disk_usage(repo.layout.git).free)
    yield "reflinks", "yes" if _clones(repo.layout.state) else "no: media are copied"
    yield "letter case", "folded" if _folds_case(repo.layout.git) else "kept"
    yield "lock", _lock(repo)


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def _clones(folder: Path) -> bool:
    """Try to make a file from another one by reference, in the repository's own folder."""
    from tempfile import TemporaryFile

    from dvcs.objects._media_files import Cloner

    try:
        with TemporaryFile(dir=folder) as old, TemporaryFile(dir=folder) as new:
            old.write(bytes(4096))
            old.flush()
            return Cloner().clone(old.fileno(), new.fileno())
    except OSError:
        return False


def _folds_case(git: Path) -> bool:
    return (git / "head").exists()


def _lock(repo: "Repository") -> str:
    from dvcs.errors import DvcsError
    from dvcs.repository import locks

    try:
        with locks.exclusive(repo.layout.lock, patience=0):
            return "free"
    except DvcsError as error:
        return str(error)
