"""What the tests of repositories share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dvcs.repository import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repository]:
    """An empty repository."""
    with Repository.init(tmp_path / "repo") as made:
        yield made
