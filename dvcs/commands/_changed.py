"""
Which datasets hold some files: for the hook of the pre-commit framework.

Most formats are recognised from folders above too, and some from a part of a dataset alone. So of
the folders above a file, that one counts where a format is surest, of several the nearest; from
parts of a dataset (`INNER`) it goes up; and a folder in which other datasets lie is none.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dvcs.commands._selectors import OnDisk

POLICY = "dvcs.toml"
INNER = frozenset(
    {"annotations", "images", "imagesets", "jpegimages", "labels", "main", "obj_train_data"}
    | {"segmentationclass", "segmentationobject", "train", "training", "val", "valid", "test"}
)
"""Folders that are a part of a dataset, though what is in them may look like one."""
DEEPEST, MOST_LOOKS = 4, 200
"""How far and how often folders are looked into for datasets."""


class _Kind(NamedTuple):
    """How sure which format is of a folder."""

    confidence: int
    format: str


def datasets_of(files: Iterable[str]) -> "list[OnDisk]":
    """
    Return the datasets below the current folder that hold these files; each once.

    For a `dvcs.toml`, those below its folder. Files of no dataset are passed over.
    """
    from dvcs.commands._selectors import OnDisk

    top = Path.cwd().resolve()
    known = _Known(top)
    found: set[Path] = set()
    for name in files:
        path = Path(name).resolve()
        if top not in path.parents:
            continue
        if path.name == POLICY:
            found |= known.datasets_in(path.parent) or known.itself(path.parent)
        else:
            found |= known.dataset_with(path)
    return [OnDisk(one.relative_to(top), known.format(one)) for one in sorted(found)]


class _Known:
    """What is known of the folders below one; each is looked at once."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._kinds: dict[Path, _Kind | None] = {}

    def format(self, folder: Path) -> str | None:
        """Return the format of a folder."""
        kind = self._kind(folder)
        return None if kind is None else kind.format

    def itself(self, folder: Path) -> set[Path]:
        """Return a folder, if it is a dataset."""
        return set() if self._kind(folder) is None else {folder}

    def dataset_with(self, path: Path) -> set[Path]:
        """Return the one dataset that holds a file, or none."""
        above = [one for one in path.parents if one == self._top or self._top in one.parents]
        kinds = [(one, kind) for one in above if (kind := self._kind(one)) is not None]
        if not kinds:
            return set()
        surest = max(kind.confidence for _, kind in kinds)
        folder = next(one for one, kind in kinds if kind.confidence == surest)
        while folder.name.lower() in INNER and folder != self._top:
            outer = self._kind(folder.parent)
            if outer is None or outer.confidence < surest:
                break
            folder = folder.parent
        return set() if self.datasets_in(folder) else {folder}

    def datasets_in(self, folder: Path, depth: int = 0) -> set[Path]:
        """Return the datasets in the folders of a folder, the innermost ones."""
        from dvcs.formats import Confidence

        found: set[Path] = set()
        for one in sorted(folder.iterdir()) if folder.is_dir() else ():
            skip = one.name.startswith(".") or one.name.lower() in INNER or one.is_symlink()
            if skip or not one.is_dir() or len(self._kinds) > MOST_LOOKS:
                continue
            inside = self.datasets_in(one, depth + 1) if depth < DEEPEST else set()
            if not inside and (kind := self._kind(one)) and kind.confidence == Confidence.HIGH:
                inside = {one}
            found |= inside
        return found

    def _kind(self, folder: Path) -> _Kind | None:
        if folder not in self._kinds:
            self._kinds[folder] = _judged(folder)
        return self._kinds[folder]


def _judged(folder: Path) -> _Kind | None:
    """Return the format of a folder; None where there is none, or no single one that is sure."""
    from dvcs import formats
    from dvcs.errors import DvcsError
    from dvcs.files import open_source

    if not folder.is_dir():
        return None
    try:
        with closing(open_source(folder)) as source:
            matches, _ = formats.judge(source)
    except DvcsError:
        return None
    best = formats.best(matches)
    if len(best) != 1 or matches[best[0]] == formats.Confidence.LOW:
        return None  # any folder with an image would be one
    return _Kind(matches[best[0]], best[0])
