"""`kill -9`, refused calls and interrupts in a search: whoever it hits anywhere can go back."""

from pathlib import Path

import pytest

from dvcs.errors import RepositoryError
from dvcs.repository import Repository, bisect
from dvcs.repository.refs import BISECT
from dvcs.repository.working import worktree
from tests.repository import pets
from tests.repository.scenes import findings
from tests.safety.harness import (
    DONE,
    ERROR,
    INTERRUPTED,
    Action,
    calls_of,
    copied,
    events_of,
    interrupted,
    killed,
    refused,
    scaled,
    spread,
)

pytestmark = pytest.mark.slow

POINTS = scaled(30)
OTHERS = scaled(8)


def do_start(repo: Repository) -> None:
    assert bisect.start(repo, "main", ["main~4"]).status == "testing"


def do_judge(repo: Repository) -> None:
    assert bisect.judge(repo, "good").status == "testing"


def do_reset(repo: Repository) -> None:
    bisect.reset(repo)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with a working copy of five versions; in all but the first a search is under way."""
    folders = {}
    for action in (do_start, do_judge, do_reset):
        root = tmp_path_factory.mktemp("bisect") / "root"
        repo, folder = pets.tracked(root, count=2)
        for n in range(1, 5):
            pets.edit(folder, lambda data, n=n: pets.note(data, 12).update(bbox=[n, 1, 2, 2]))
            worktree.commit(repo, message=f"{n}")
        if action is not do_start:
            do_start(repo)
        repo.close()
        folders[action.__name__] = root
    return folders


def check_way_back(root: Path, tip: bytes) -> None:
    """Go on where a search is under way, and end it: all is as it was before it began."""
    with Repository(root) as repo:
        try:
            bisect.judge(repo, "skip", [])
            bisect.reset(repo)
        except RepositoryError as error:
            assert "no search is under way" in str(error)  # noqa: PT017 - it need not be
        assert repo.refs.head_branch() == "main"
        assert repo.resolve() == tip
        assert not [name for name in repo.refs.all() if name.startswith(BISECT)]
        assert pets.only(repo).state == "clean"
        assert findings(repo) == []
        do_start(repo)


@pytest.mark.parametrize("action", [do_start, do_judge, do_reset], ids=lambda one: one.__name__)
def test_who_is_killed_in_a_search_can_go_back(begun: dict[str, Path], action: Action):
    prepared = begun[action.__name__]
    with Repository(prepared) as repo:
        tip = repo.branches()["main"]
    with copied(prepared) as root:
        most = events_of(root, action)
    for at in spread(most, POINTS):
        with copied(prepared) as root:
            assert killed(root, action, at).code == -9
            check_way_back(root, tip)


@pytest.mark.parametrize("action", [do_start, do_judge, do_reset], ids=lambda one: one.__name__)
def test_who_is_refused_or_interrupted_in_a_search_can_go_back(
    begun: dict[str, Path], action: Action
):
    prepared = begun[action.__name__]
    with Repository(prepared) as repo:
        tip = repo.branches()["main"]
    with copied(prepared) as root:
        calls = calls_of(root, action)
    with copied(prepared) as root:
        most = events_of(root, action)
    for at in spread(calls, OTHERS):
        with copied(prepared) as root:
            assert refused(root, action, at).code in (DONE, ERROR)
            check_way_back(root, tip)
    for at in spread(most, OTHERS):
        with copied(prepared) as root:
            assert interrupted(root, action, at).code in (DONE, INTERRUPTED)
            check_way_back(root, tip)
