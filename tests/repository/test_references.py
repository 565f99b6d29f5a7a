"""Files that items refer to: read in the working folder, and where this user has allowed it."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from dvcs.model import Media, MediaFile
from dvcs.repository import Repository, importing, references, trust
from dvcs.repository.exporting import export_revision
from dvcs.repository.working.onto import import_onto
from tests.repository.scenes import coco, commit, findings, item, png


def referring(*urls: str):
    return item("x", media=Media(files=tuple(MediaFile(ext=".png", url=url) for url in urls)))


def refer(repo: Repository, *urls: str) -> None:
    commit(repo, [referring(*urls)])


def at_hand(repo: Repository) -> list[bool]:
    """Return of each media file of each item whether its bytes can be had, looking anew."""
    with Repository(repo.root) as fresh:
        found = []
        for one in fresh.dataset():
            origins = one.origins or (None,) * len(one.media.files)
            found += [origin is not None and bool(origin.read()) for origin in origins]
        return found


def told(repo: Repository) -> list[str]:
    """Return what is told when a repository is closed after its items were walked."""
    fresh = Repository(repo.root)
    for _ in fresh.dataset():
        pass
    fresh.close()
    return [f"{one.message} | {one.hint}" for one in fresh.gate.notices]


# -- what is read --------------------------------------------------------------------------------


def test_what_was_imported_by_reference_is_read_where_it_is(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "elsewhere", 2), media="reference")
    with Repository(repo.root) as fresh:
        first, second = fresh.dataset()
        assert first.origins[0].read() == png(0)
        assert second.origins[0].read() == png(1)
    assert told(repo) == []
    assert not (repo.layout.state / "references").exists()


def test_it_is_read_at_once_by_who_has_looked_before(repo: Repository, tmp_path: Path):
    refer(repo, str(tmp_path / "elsewhere" / "images" / "train" / "0000.png"))
    assert not any(one.origins for one in repo.dataset())
    repo.import_dataset(coco(tmp_path / "elsewhere", 2), name="b", media="reference")
    assert all(one.origins for one in repo.dataset())
    repo.close()
    assert repo.gate.notices == []


def test_what_another_repository_names_is_not_read(repo: Repository, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("key")
    inside = repo.root / "link"
    inside.symlink_to(secret)
    (repo.root / "folder").symlink_to(tmp_path)
    for url in (
        str(secret),
        "../secret",
        "link",
        "folder/secret",
        "x/../../secret",
        ".dvcs/config",
        ".DVCS/config",
        ".git/config",
        "deep/.git/config",
        "/etc/passwd",
        "//etc/passwd",
        "\\\\host\\share\\x.png",
        "x\0y",
        "",
        ".",
        "/dev/zero",
    ):
        refer(repo, url)
        (one,) = repo.dataset()
        assert not any(one.origins), url


def test_what_is_refused_is_not_even_looked_for(repo: Repository, tmp_path: Path):
    seen: list[str] = []
    watching = False

    def profile(_: object, event: str, function: object) -> None:
        if watching and event == "c_call" and getattr(function, "__module__", "") == "posix":
            seen.append(getattr(function, "__name__", ""))

    held = references.References(repo.layout)
    assert held.find("x.png") is None  # what is trusted has been read
    assert held.find(str(tmp_path / "x.png")) is None
    sys.setprofile(profile)
    try:
        watching = True
        for url in ("/net/host/x.png", "//host/share/x.png", "../../x.png"):
            assert held.find(url) is None
        watching = False
    finally:
        sys.setprofile(None)
    assert not {"stat", "lstat", "open", "readlink"} & set(seen), seen


def test_names_that_are_too_long_are_of_no_file(repo: Repository, tmp_path: Path):
    long = "x" * 5_000
    repo.import_dataset(coco(tmp_path / "elsewhere", 2), name="b", media="reference")
    allowed = str(tmp_path / "elsewhere" / "images" / "train")
    names = (long, f"{long}/y.png", f"../{long}/y.png", f"{allowed}/{long}", "a/" * 2_500)
    for n, url in enumerate(names):
        refer(repo, url)
        assert sorted(at_hand(repo)) == [False, True, True], url[:20]
        done = export_revision(repo, "HEAD", tmp_path / f"out-{n}", format="coco")
        assert done.fidelity.missing_media == 1
        assert all(len(one) < 1_000 for one in told(repo))


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can be another")
def test_folders_that_cannot_be_entered_hold_no_file(repo: Repository):
    closed = repo.root / "closed"
    closed.mkdir(mode=0o700)
    (closed / "x.png").write_bytes(png(1))
    held = references.References(repo.layout)
    assert held.find("closed/x.png") == closed / "x.png"
    os.setegid(64_100)
    os.seteuid(64_101)
    try:
        assert held.find("closed/x.png") is None
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_what_is_in_the_working_folder_is_read(repo: Repository):
    (repo.root / "images").mkdir()
    (repo.root / "images" / "x.png").write_bytes(png(3))
    (repo.root / "same.png").symlink_to(repo.root / "images" / "x.png")
    refer(repo, "images/x.png", "same.png", str(repo.root / "images" / "x.png"), "x/../same.png")
    assert at_hand(repo) == [True] * 4
    assert told(repo) == []


def test_a_link_is_followed_where_it_leads_is_allowed(repo: Repository, tmp_path: Path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "x.png").write_bytes(png(1))
    (repo.root / "link.png").symlink_to(tmp_path / "far" / "x.png")
    refer(repo, "link.png")
    (notice,) = told(repo)
    assert f"'{tmp_path / 'far'}'" in notice
    trust.allow(repo.layout, [tmp_path / "far"])
    assert at_hand(repo) == [True]


# -- what is told --------------------------------------------------------------------------------


def test_one_message_says_what_was_left_out_and_what_allows_it(repo: Repository, tmp_path: Path):
    refer(repo, *(str(tmp_path / f"{n}" / "x.png") for n in (1, 2, 3, 4, 5, 1, 2)))
    folders = ", ".join(f"'{tmp_path / str(n)}'" for n in (1, 2, 3))
    (notice,) = told(repo)
    assert notice == (
        "media outside of the working folder were left out, for you have not allowed this"
        f" repository to read there: {folders} and 2 other folders"
        f" | if you know who made it: 'dvcs trust add {tmp_path}/1' allows a folder and all below"
    )


@pytest.mark.parametrize("name", ["$(touch x)", "a b", "x'; rm -rf ~; '", "\x1b[2J", "~x", "a&b"])
def test_what_a_shell_would_run_is_in_no_command(repo: Repository, name: str):
    refer(repo, f"/away/{name}/x.png")
    (notice,) = told(repo)
    assert notice.endswith("'dvcs trust add FOLDER' allows a folder and all below")


def test_the_hint_of_the_message_is_the_cure(repo: Repository, tmp_path: Path, capfd):
    from dvcs.commands import run

    repo.import_dataset(coco(tmp_path / "elsewhere", 2), media="reference")
    moved = tmp_path / "moved"
    shutil.move(repo.root, moved)
    out = tmp_path / "out"
    assert run(["-C", str(moved), "export", "-f", "coco", "-o", str(out)]) == 0
    said = capfd.readouterr().err
    assert said.count("were left out") == 1
    assert not list(out.rglob("*.png"))
    command = said.partition("'dvcs ")[2].partition("'")[0].split()
    assert run(["-C", str(moved), *command]) == 0
    assert run(["-C", str(moved), "export", "-f", "coco", "-o", str(out), "--update"]) == 0
    assert len(list(out.rglob("*.png"))) == 2
    assert "left out" not in capfd.readouterr().err


def test_what_an_older_dvcs_noted_in_the_repository_allows_nothing(
    repo: Repository, tmp_path: Path
):
    (repo.layout.state / "references").write_text('{"folders":["/"]}')
    (tmp_path / "x.png").write_bytes(png(1))
    refer(repo, str(tmp_path / "x.png"))
    assert at_hand(repo) == [False]
    assert f"dvcs trust add {tmp_path}'" in told(repo)[0]
    assert findings(repo) == []


def test_a_damaged_file_of_the_user_allows_nothing_and_is_told(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "elsewhere", 1), media="reference")
    trust.user_file().write_bytes(b"{")
    assert at_hand(repo) == [False]
    (notice,) = told(repo)
    assert "which says what you trust, cannot be read" in notice
    assert "remove it" in notice


# -- importing -----------------------------------------------------------------------------------


def test_a_dry_run_allows_nothing(repo: Repository, tmp_path: Path):
    request = importing.Request(
        data=coco(tmp_path / "elsewhere", 1), media="reference", dry_run=True
    )
    importing.run(repo, request)
    assert trust.folders(repo.layout) == ()


def test_what_is_brought_back_by_reference_is_read(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "one", 1), name="pets")
    changed = coco(tmp_path / "two", 2, x=5.0)
    request = importing.Request(data=changed, name="pets", media="reference", mode="update")
    import_onto(repo, request, "HEAD")
    assert at_hand(repo) == [True, True]


@pytest.mark.skipif(os.name == "nt", reason="no such rights")
def test_without_a_file_of_trust_an_import_holds_and_says_so(
    repo: Repository, tmp_path: Path, home: Path
):
    (home / ".config" / "dvcs").write_text("in the way: nothing can be made here")
    repo.import_dataset(coco(tmp_path / "elsewhere", 2), media="reference")
    (notice,) = repo.gate.notices
    assert notice.message.startswith("that this repository may read the media referred to cannot")
    assert "dvcs trust add FOLDER" in (notice.hint or "")
    assert [bool(one.origins) for one in repo.dataset()] == [True, True]  # who has just asked
    assert at_hand(repo) == [False, False]
    assert findings(repo) == []


def test_media_in_the_store_need_no_permission(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "elsewhere", 2))
    shutil.copytree(repo.root, tmp_path / "sent")
    assert at_hand(Repository(tmp_path / "sent")) == [True, True]
    assert trust.folders(repo.layout) == ()
