"""
Where everything of a repository is, how one is made, and how it is found.

    .dvcs/                  a bare Git repository, and beside Git's own files
    ├── .gitignore          `*`: a Git repository around it leaves it alone
    ├── media/              media by SHA-256 (`objects/media.py`)
    └── state/              never shared with anybody
        ├── lock            held for the moment in which refs move (`locks.py`)
        ├── writers         held shared by who writes, alone by who collects garbage
        ├── upkeep          held by who joins small packs (`upkeep.py`)
        ├── operations      the operation log, which is also the journal (`oplog.py`)
        ├── tokens          by which the users' own files of trust know this place (`trust.py`)
        ├── absent          media that were never here (`absent.py`)
        ├── bisect          a search under way (`bisect.py`)
        ├── copies/         the working copies: what they were written from, their index
        ├── hooks/          executables, local
        └── trash/          what gc removed, for a while
"""

import re
import shutil
import unicodedata
from pathlib import Path

import msgspec

from dvcs.errors import NotARepository, RepositoryError, UsageError
from dvcs.objects._durable import fsync_dir, temp_name, write_atomic
from dvcs.repository import links
from dvcs.repository.locks import told

NAME = ".dvcs"
SHORT = re.compile(r"dvcs~[0-9]+")
"""What Windows calls it in eight characters."""
DEFAULT_BRANCH = "main"
CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = false
\tbare = true
\tlogAllRefUpdates = true
[gc]
\tauto = 0
[receive]
\tautogc = false
"""
STATE_VERSION = b"1\n"
FOLDERS = (
    "objects/pack",
    "objects/info",
    "refs/heads",
    "refs/tags",
    "media",
    "state/copies",
    "state/hooks",
)
FILES = {
    "HEAD": f"ref: refs/heads/{DEFAULT_BRANCH}\n".encode(),
    "config": CONFIG.encode(),
    ".gitignore": b"*\n",
    "state/version": STATE_VERSION,
    "state/lock": b"",
    "state/writers": b"",
    "state/operations": b"",
}
"""What is in a new repository."""


class Layout(msgspec.Struct, frozen=True):
    """The paths of a repository. `root` is the working folder, `git` the `.dvcs` in it."""

    root: Path
    git: Path

    @property
    def state(self) -> Path:
        """What is local to this place."""
        return self.git / "state"

    @property
    def media(self) -> Path:
        """The media store."""
        return self.git / "media"

    @property
    def lock(self) -> Path:
        """The lock for moving refs."""
        return self.state / "lock"

    @property
    def writers(self) -> Path:
        """The lock between writers and gc."""
        return self.state / "writers"

    @property
    def upkeep(self) -> Path:
        """The lock of who joins small packs."""
        return self.state / "upkeep"

    @property
    def operations(self) -> Path:
        """The operation log."""
        return self.state / "operations"

    @property
    def copies(self) -> Path:
        """The records of working copies."""
        return self.state / "copies"

    @property
    def trash(self) -> Path:
        """What gc removed."""
        return self.state / "trash"

    @property
    def config(self) -> Path:
        """Git's configuration file of the repository."""
        return self.git / "config"


def is_own(name: str) -> bool:
    """Tell whether any disk takes a name of a folder for `.dvcs`: case, ends, streams, marks."""
    plain = name.partition(":")[0].rstrip(". ").casefold()
    if not plain.isascii():
        plain = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    return plain == NAME or SHORT.fullmatch(plain) is not None


def create(root: Path) -> Layout:
    """
    Make a repository in a folder, which is made too.

    It is made beside its place and moved there whole. Raises UsageError where there is one.
    """
    layout = Layout(root, root / NAME)
    stage = root / f"{NAME}.{temp_name()}"
    with told(root):
        _check_free(layout)
        root.mkdir(parents=True, exist_ok=True)
        try:
            _fill(stage)
            stage.rename(layout.git)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            _check_free(layout)  # another process was faster
            raise
        fsync_dir(root)
        for left in root.glob(f"{NAME}.tmp-*"):  # by a `create` that was killed
            shutil.rmtree(left, ignore_errors=True)
    return layout


def _check_free(layout: Layout) -> None:
    if layout.git.exists() or layout.git.is_symlink():
        raise UsageError(f"there is a repository in '{layout.root}' already")


def _fill(stage: Path) -> None:
    for folder in FOLDERS:
        (stage / folder).mkdir(parents=True)
    for path, data in FILES.items():
        write_atomic(stage / path, data)
    for made in stage.rglob("*"):
        if made.is_dir():
            fsync_dir(made)
    fsync_dir(stage)


def find(start: Path) -> Layout:
    """
    Return the repository in a folder or in the nearest one above it.

    Raises NotARepository where there is none, RepositoryError where a newer dvcs made it and where
    it has links that lead elsewhere (`links.py`).
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        git = folder / NAME
        # HEAD may be lost: that is damage, and not another repository further up.
        if (git / "objects").is_dir() and ((git / "HEAD").is_file() or (git / "refs").is_dir()):
            links.refuse(git)
            _check_version(git)
            return Layout(folder, git)
    raise NotARepository(
        f"there is no dvcs repository in '{start}' or above it", hint="make one with 'dvcs init'"
    )


def _check_version(git: Path) -> None:
    try:
        version = (git / "state" / "version").read_bytes()
    except FileNotFoundError:
        return  # a plain clone by Git: state is made when it is needed
    except OSError as error:
        raise RepositoryError(
            f"'{git / 'state' / 'version'}' cannot be read: {error.strerror}"
        ) from error
    if version != STATE_VERSION:
        raise RepositoryError(
            f"'{git / 'state' / 'version'}' says {version[:20]!r}, which this dvcs does not know",
            hint="install a newer dvcs",
        )
