"""
What is in `.dvcs` of a repository that somebody sent: it leads nowhere outside.

Each test prepares one such repository as its sender would, and runs what a user runs. Links are in
`test_links.py`, files that items refer to in `test_references.py`.
"""

import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dvcs.commands import run
from dvcs.errors import CorruptObject, DvcsError, MissingObject, RepositoryError
from dvcs.model import Media, MediaFile
from dvcs.repository import Repository
from dvcs.repository.oplog import Log, encode_line
from dvcs.repository.refs import HEADS
from dvcs.repository.sealing import sealed
from dvcs.repository.working import checkout, copies, worktree
from tests.repository import pets
from tests.repository.scenes import commit, files, item, items, put

OTHER = "b" * 40
RECORD = Path(".dvcs/state/copies/pets.json")
COMMANDS = (
    ("status",),
    ("log",),
    ("log", "-g"),
    ("reflog",),
    ("info",),
    ("show", "HEAD:pets"),
    ("diff",),
    ("fsck",),
    ("hooks",),
    ("trust",),
    ("config", "--list"),
    ("branch", "new"),
    ("commit", "-m", "x"),
    ("undo",),
    ("stash",),
    ("stash", "pop"),
    ("merge", "--continue"),
    ("merge", "--abort"),
    ("revert", "--abort"),
    ("bisect", "reset"),
    ("restore",),
    ("checkout", "HEAD~0"),
    ("diff", "HEAD~1", "HEAD"),
    ("export", "-f", "coco", "-o", "{out}", "--update"),
    ("gc",),
)


def everything(folder: Path) -> dict[str, Any]:
    """Return all below a folder: what is in files, where links lead, and that folders are there."""
    return {
        path.relative_to(folder).as_posix(): (
            str(path.readlink())
            if path.is_symlink()
            else path.read_bytes()
            if path.is_file()
            else None
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Path]:
    """A folder of the user's beside the repository; nothing of it may have changed in the end."""
    folder = tmp_path / "mine"
    pets.make(folder / "photos", 2)
    (folder / "empty").mkdir()
    for name in ("diary", "0123456789ab"):
        (folder / name).write_text("mine alone")
    for name in ("package.lock", "HEAD.lock"):
        (folder / name).touch()  # as many programs leave theirs
    (folder / "cut").write_text("no newline")
    before = everything(folder)
    yield folder
    assert everything(folder) == before


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A repository with a changed working copy, and something to stash, undo and go to."""
    repo, folder = pets.tracked(tmp_path / "sent", count=2)
    repo.create_branch("other", repo.resolve())
    repo.close()
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    return tmp_path / "sent"


def use(sent: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Run commands in a repository; return all they said. None may be taken for a bug in dvcs."""
    said = []
    for command in COMMANDS:
        code = run(["-C", str(sent), *(one.format(out=sent.with_name("out")) for one in command)])
        said += capfd.readouterr()
        assert code in (0, 1, 2, 3), (command, code, said[-2:])
    return "".join(said)


def record_of(sent: Path) -> dict[str, Any]:
    """Return the record of the working copy."""
    held: dict[str, Any] = json.loads((sent / RECORD).read_bytes())
    del held["check"]
    return held


def seal(path: Path, record: object) -> None:
    """Write a record as dvcs does, and as a sender can."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(sealed(msgspec.json.encode(record)))


# -- the operation log ---------------------------------------------------------------------------

NAMES = (
    "../../mine/package",
    "refs/../../../mine/package",
    "refs/heads/../../../../mine/package",
    "refs/heads/x/../../../../../mine/package",
    "{mine}/package",
    "refs/heads/a\n/../../../../../mine/package",
    "../../mine/HEAD",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unfinished", [True, False])
def test_the_operation_log_names_nothing_outside(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str], name: str, unfinished: bool
):
    name = name.replace("{mine}", str(mine))
    tip = Repository(sent).resolve().hex()
    begin = {"id": "0123456789ab", "time": 1.0, "command": "commit"}
    gone = ["refs/heads/gone", tip, None]  # it was removed, so the rest is to be finished
    new = name.replace("package", "new")
    for moves in ([[name, None, tip]], [[name, tip, None]], [gone, [new, None, tip]]):
        with (sent / ".dvcs" / "state" / "operations").open("ab") as log:
            log.write(encode_line(json.dumps({"begin": {**begin, "moves": moves}}).encode()))
            if not unfinished:
                log.write(encode_line(b'{"done":"0123456789ab"}'))
        use(sent, capfd)


@pytest.mark.parametrize(
    "value", ["zz", "ref: ../../mine/diary", "ref: refs/heads/../../../../mine/diary", "a" * 41]
)
def test_the_operation_log_has_no_values_but_commits(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str], value: str
):
    moves = [["HEAD", "ref: refs/heads/main", value], ["refs/heads/other", None, value]]
    begin = {"id": "0123456789ab", "time": 1.0, "command": "commit", "moves": moves}
    with (sent / ".dvcs" / "state" / "operations").open("ab") as log:
        log.write(encode_line(json.dumps({"begin": begin}).encode()))
    use(sent, capfd)
    head = (sent / ".dvcs" / "HEAD").read_text()
    assert "mine" not in head


def test_what_is_remembered_of_an_operation_lies_with_us(tmp_path: Path, mine: Path):
    repo, _ = pets.tracked(tmp_path / "sent", count=2)
    id = "../../../../../mine/0123456789ab"
    line = Log(repo.layout).operations()[-1]
    begin = {**msgspec.to_builtins(line), "id": id}
    log = repo.layout.operations
    log.write_bytes(encode_line(json.dumps({"begin": begin}).encode()))
    with pytest.raises(CorruptObject, match="line 1 of the operation log is damaged"):
        Log(repo.layout).operations()
    copies.remember(repo.layout, id, copies.Remembered())
    assert copies.recall(repo.layout, id) is None
    with pytest.raises(RepositoryError):
        repo.undo()


def test_refs_are_not_written_by_names_that_are_none(sent: Path, mine: Path):
    refs = Repository(sent).refs
    for name in ("../../mine/package", "config", "refs/../config", "state/lock", "HEAD/x"):
        with pytest.raises(CorruptObject, match="is not the name of a ref"):
            refs.move(name, None, bytes(20))
        with pytest.raises(CorruptObject, match="is not the name of a ref"):
            refs.clear_lock(name)


# -- working copies ------------------------------------------------------------------------------


def test_no_working_copy_is_reached_through_a_link(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    shutil.rmtree(sent / "pets")
    (sent / "pets").symlink_to(mine / "photos")
    said = use(sent, capfd)
    assert "a link leads from 'pets', the working copy of 'pets', out of the working folder" in said
    with Repository(sent) as repo:
        (one,) = worktree.status(repo).copies
        assert one.state == "unreadable"
        with pytest.raises(RepositoryError, match="out of the working folder"):
            worktree.commit(repo, message="theirs")
        with pytest.raises(RepositoryError, match="out of the working folder"):
            checkout.restore(repo)


@pytest.mark.parametrize(
    "place", ["{mine}/photos", "../mine/photos", "pets/../../mine/photos", ".dvcs/state", "link/x"]
)
def test_the_record_of_a_working_copy_names_nothing_outside(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str], place: str
):
    (sent / "link").symlink_to(mine)
    seal(sent / RECORD, {**record_of(sent), "path": place.replace("{mine}", str(mine))})
    use(sent, capfd)


@pytest.mark.parametrize("name", [".DVCS/state", ".dvcs./x", "DVCS~1/hooks", "x\0y", ".dvcs"])
def test_no_working_copy_lies_where_a_disk_may_see_our_folder(sent: Path, name: str):
    seal(sent / RECORD, {**record_of(sent), "path": name})
    with pytest.raises(RepositoryError, match="cannot be read"):
        copies.load(Repository(sent).layout)


def test_a_working_copy_of_one_file_is_not_that_of_a_link(
    tmp_path: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    repo = Repository.init(tmp_path / "sent")
    file = repo.root / "one.json"
    file.write_text(json.dumps(pets.coco(2)))
    worktree.add(repo, file)
    worktree.commit(repo, message="first")
    file.unlink()
    file.symlink_to(mine / "photos" / pets.JSON)
    use(repo.root, capfd)
    with pytest.raises(DvcsError, match="out of the working"):
        worktree.commit(repo, message="theirs")


def test_links_in_a_working_copy_are_not_followed_out_of_it(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    image = sent / "pets" / "images" / "train" / "1.png"
    image.unlink()
    image.symlink_to(mine / "photos" / "images" / "train" / "1.png")
    said = use(sent, capfd)
    assert "leads out of the working copy" in said


def test_a_link_in_a_circle_is_an_error_like_any_other(
    sent: Path, capfd: pytest.CaptureFixture[str]
):
    (sent / "pets" / "one").symlink_to("two")
    (sent / "pets" / "two").symlink_to("one")
    use(sent, capfd)
    shutil.rmtree(sent / "pets")
    (sent / "pets").symlink_to("pets")
    use(sent, capfd)


def test_the_index_of_a_working_copy_names_nothing_that_is_read(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    path = sent / ".dvcs" / "state" / "copies" / "pets.index"
    index = msgspec.msgpack.decode(path.read_bytes()[4:])
    away = "../../mine/photos/images/train/1.png"
    index[2].append(away)
    index[3][away] = [1, 1, 1, 1, 1]
    index[4][away] = [b"\0" * 32, 2, 0, 0, 0]
    data = msgspec.msgpack.encode(index)
    path.write_bytes(zlib.crc32(data).to_bytes(4, "big") + data)
    use(sent, capfd)


def test_a_rewrite_under_way_writes_and_removes_nothing_outside(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    (sent / "out").symlink_to(mine / "photos")
    record = record_of(sent)
    tip = Repository(sent).resolve().hex()
    for path in ("out", "../mine/photos"):
        for change in ([record, {**record, "path": path}], [{**record, "path": path}, None]):
            pending = {
                "command": "checkout",
                "time": 1.0,
                "moves": [["refs/heads/../../../mine/diary", None, tip]],
                "changes": [change],
                "agreed": {"pets": {"images/train/1.png": [0, 0, 0, 0, 0]}},
                "removed": "pets",
            }
            for moves in (pending["moves"], []):
                seal(sent / RECORD.with_name("pending"), {**pending, "moves": moves})
                use(sent, capfd)


def test_what_is_ignored_is_not_read_from_elsewhere(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    (sent / ".dvcsignore").symlink_to(mine / "diary")
    assert ".dvcsignore' is a link that leads out of the working folder" in use(sent, capfd)
    (sent / ".dvcsignore").unlink()
    (sent / "shared").write_text("*.png\n")
    (sent / ".dvcsignore").symlink_to("shared")
    with Repository(sent) as repo:
        assert len(worktree.status(repo).copies) == 1


# -- what is under way ---------------------------------------------------------------------------


def test_the_record_of_what_is_under_way_names_nothing_outside(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    away = "../../../../mine/diary"
    with Repository(sent) as repo:
        tip = repo.resolve().hex()
        for kind in ("merge", "revert", "cherry-pick", "stash-pop"):
            for ref in ("ours", "theirs"):
                path = repo.layout.git / "refs" / "dvcs" / kind / ref
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{tip}\n")
            name = tip if kind == "merge" else f"{kind}-{tip}"
            record = {
                "ours": tip,
                "theirs": tip,
                "revision": "x",
                "branch": f"../../../{away}",
                "operation": kind.replace("-p", " p") if kind == "stash-pop" else kind,
                "todo": [away, f"../{away}"],
                "heads": [away],
                "began": OTHER,
                "last": OTHER,
                "stash": f"refs/{away}",
            }
            seal(repo.layout.state / "merge" / name, record)
            for action in ("--continue", "--skip", "--abort"):
                run(["-C", str(sent), *kind.split("-"), action])
                assert "bug" not in capfd.readouterr().err
            shutil.rmtree(repo.layout.git / "refs" / "dvcs" / kind, ignore_errors=True)
    use(sent, capfd)


def test_a_search_under_way_names_nothing_outside(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    for start in ("../../mine/diary", str(mine / "diary"), "--help", "refs/heads/../../config"):
        seal(sent / ".dvcs/state/bisect", {"start": start, "bad": OTHER, "good": [OTHER]})
        use(sent, capfd)


# -- objects, media, settings --------------------------------------------------------------------


def test_objects_of_other_repositories_are_not_read(tmp_path: Path):
    theirs = Repository.init(tmp_path / "theirs")
    oid = commit(theirs, items(1))
    sent = Repository.init(tmp_path / "sent")
    objects = str(theirs.layout.git / "objects")
    (sent.layout.git / "objects" / "info" / "alternates").write_text(objects + "\n")
    (sent.layout.git / "objects" / "info" / "http-alternates").write_text(objects + "\n")
    (sent.layout.git / "commondir").write_text(str(theirs.layout.git))
    (sent.layout.git / "refs" / "heads" / "main").write_text(oid.hex() + "\n")
    fresh = Repository(sent.root)
    assert oid not in fresh.store
    with pytest.raises(MissingObject):
        list(fresh.dataset())


@pytest.mark.parametrize("sha256", ["../../../mine/diary", "zz/../../../../mine/diary", "x", ""])
def test_the_name_of_media_is_a_hash_and_no_path(
    tmp_path: Path, mine: Path, capfd: pytest.CaptureFixture[str], sha256: str
):
    repo = Repository.init(tmp_path / "sent")
    commit(repo, items(1))
    with repo.transaction() as change:
        put(change, "a", item("x", media=Media(files=(MediaFile(ext=".png", sha256=sha256),))))
        change.commit("x", operation="edit")
    said = use(repo.root, capfd)
    assert "is missing" in said
    assert b"mine alone" not in b"".join(files(repo.root).values())


def test_settings_of_git_lead_nowhere(sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]):
    with (sent / ".dvcs" / "config").open("a") as config:
        config.write(
            f"[core]\n\tworktree = {mine}\n\tattributesFile = {mine}/diary\n"
            f"\texcludesFile = {mine}/diary\n[include]\n\tpath = {mine}/diary\n"
            f'[includeIf "gitdir:/"]\n\tpath = {mine}/diary\n[lfs]\n\tstorage = {mine}\n'
        )
    (sent / ".dvcs" / "gitdir").write_text(f"{mine}\n")
    assert "mine alone" not in use(sent, capfd)


def test_head_names_a_ref_and_no_file(sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]):
    for target in ("../../mine/diary", "refs/../../../mine/diary", "refs/heads/../../../x"):
        (sent / ".dvcs" / "HEAD").write_text(f"ref: {target}\n")
        with pytest.raises(CorruptObject, match="'HEAD' names"):
            Repository(sent).refs.head()
        (sent / ".dvcs" / "refs" / "heads" / "other").write_text(f"ref: {target}\n")
        assert Repository(sent).refs.read(f"{HEADS}other") is None
        assert "mine alone" not in use(sent, capfd)


def test_packed_refs_name_nothing_outside(
    sent: Path, mine: Path, capfd: pytest.CaptureFixture[str]
):
    tip = Repository(sent).resolve().hex()
    lines = f"{tip} refs/../../../mine/diary\n{tip} refs/heads/../../../../mine/package\n"
    (sent / ".dvcs" / "packed-refs").write_text(lines)
    use(sent, capfd)
    run(["-C", str(sent), "branch", "-d", "../../../../mine/package"])
    run(["-C", str(sent), "tag", "-d", "../../../../mine/package"])
