"""Files that items refer to: read only where somebody here imported them from."""

from pathlib import Path

import pytest

from dvcs.model import Media, MediaFile
from dvcs.repository import Repository
from tests.repository.scenes import coco, commit, findings, item, png


def referring(url: str):
    return item("x", media=Media(files=(MediaFile(ext=".png", url=url),)))


def test_what_was_imported_by_reference_is_read_where_it_is(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "elsewhere", 2), media="reference")
    with Repository(repo.root) as fresh:
        first, second = fresh.dataset()
        assert first.origins[0].read() == png(0)
        assert second.origins[0].read() == png(1)


def test_what_another_repository_names_is_not_read(repo: Repository, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("key")
    inside = repo.root / "link"
    inside.symlink_to(secret)
    for url in (str(secret), "../secret", "link", ".dvcs/config", "/etc/passwd"):
        commit(repo, [referring(url)])
        (one,) = repo.dataset()
        assert not any(one.origins), url


def test_what_is_in_the_working_folder_is_read(repo: Repository):
    (repo.root / "images").mkdir()
    (repo.root / "images" / "x.png").write_bytes(png(3))
    commit(repo, [referring("images/x.png")])
    (one,) = repo.dataset()
    assert one.origins[0].read() == png(3)


@pytest.mark.parametrize("data", [b"", b"\xff", b'{"folders":["/"]}\n', b'{"check":"00000001"}\n'])
def test_a_garbled_list_allows_nothing_and_is_found(repo: Repository, tmp_path: Path, data: bytes):
    (repo.layout.state / "references").write_bytes(data)
    (tmp_path / "x.png").write_bytes(png(1))
    commit(repo, [referring(str(tmp_path / "x.png"))])
    (one,) = repo.dataset()
    assert not any(one.origins)
    assert [found.where for found in findings(repo)] == ["state/references"]
    repo.import_dataset(coco(tmp_path / "elsewhere", 2), media="reference")
    assert findings(repo) == []
