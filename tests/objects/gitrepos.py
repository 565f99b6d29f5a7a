"""Repositories for the tests of objects/, and Git as the second opinion on them."""

import random
import subprocess
from pathlib import Path

from dvcs.objects.gitobjects import MODE_FILE, Commit, Oid, Signature, TreeEntry
from dvcs.objects.store import ObjectStore

ADA = Signature("Ada Lovelace", "ada@example.org", 1_700_000_000, 60)


def git(folder: Path, *arguments: str, data: bytes | None = None) -> bytes:
    """Run git in a repository; return what it prints, fail where it does."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, f"git {arguments}: {done.stderr.decode()}{done.stdout.decode()}"
    return done.stdout


def bare(path: Path) -> Path:
    """Make an empty bare repository; return its path."""
    path.mkdir()
    git(path, "init", "-q", "--bare", "-b", "main")
    return path


def lines(count: int, seed: int = 1) -> list[bytes]:
    """Return blobs as items have them: some lines of numbers, most alike in parts."""
    rnd = random.Random(seed)
    return [
        b"".join(
            b'{"id":%d,"bbox":[%d.5,%d.25,10.0,20.0]}\n' % (j, i * seed, rnd.randrange(10**9))
            for j in range(rnd.randrange(1, 40))
        )
        for i in range(count)
    ]


def commit_blobs(
    git_dir: Path, blobs: list[bytes], parents: tuple[Oid, ...] = (), **options: int
) -> tuple[Oid, list[Oid]]:
    """Commit blobs to `main` through a writer; return the ids of commit and blobs."""
    with ObjectStore(git_dir).writer(**options) as writer:
        oids = list(writer.blobs(blobs))
        tree = writer.tree(
            TreeEntry(b"%06d.jsonl" % i, MODE_FILE, oid) for i, oid in enumerate(oids)
        )
        commit = writer.commit(Commit(tree, parents, ADA, ADA, "all of it"))
        writer.publish()
    git(git_dir, "update-ref", "refs/heads/main", commit.hex())
    return commit, oids


def files(folder: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def history(repo: Path, work: Path, *, push_each: bool = False) -> None:
    """Make a history with Git itself and push it: versions of a few files, an annotated tag."""
    git(repo.parent, "clone", "-q", str(repo), str(work))
    git(work, "config", "user.name", "Ada")
    git(work, "config", "user.email", "ada@example.org")
    for version in range(12):
        for name in range(8):
            text = b"".join(
                b"line %d of file %d%s\n" % (n, name, b" changed" if n == version else b"")
                for n in range(60 + version)
            )
            (work / f"{name}.txt").write_bytes(text)
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", f"version {version}")
        if push_each:
            git(work, "push", "-q", "origin", "main")
    git(work, "tag", "-a", "v1", "-m", "the first")
    git(work, "push", "-q", "origin", "main", "v1")
