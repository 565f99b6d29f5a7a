"""
Checking a repository: every byte of every store, and that all that is needed is there.

1. HEAD, refs and the operation log against each other: refs have no checksum of their own
2. settings and dvcs's own small files, and what killed processes left
3. objects, packs, indexes and media against their hashes
4. everything that refs, working copies and recent operations lead to

For each damaged object it says which items and commits are affected.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from dvcs.errors import CorruptObject, DvcsError, Locked, RepositoryError
from dvcs.objects import verify as objects_verify
from dvcs.repository import absent, locks, oplog, upkeep
from dvcs.repository import layout as layouts
from dvcs.repository.config import checksum_file
from dvcs.repository.merges import underway
from dvcs.repository.oplog import HEAD, Log
from dvcs.repository.reachability import Places, Reachable, copy_roots, past_roots
from dvcs.repository.refs import HEADS, PACKED, REMOTES
from dvcs.repository.trying import is_writable

if TYPE_CHECKING:
    from dvcs.repository import Repository

Severity = Literal["error", "warning", "note"]
SHOWN_ITEMS = 1000
PACKED_HEAD = re.compile(rb"# pack-refs with:(?: (?:peeled|fully-peeled|sorted))+ ?\Z")
ATTEMPTS = 20
GITS_CACHES = (".rev", ".bitmap")


class Finding(NamedTuple):
    """One thing that is not as it should be. `items` are `source/subset/id`, `commits` hex ids."""

    severity: Severity
    where: str
    message: str
    items: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()


def fsck(repo: "Repository") -> Iterator[Finding]:
    """
    Yield what is wrong with a repository; nothing where it is sound.

    Changes nothing, but takes off the list of what was never here (`absent.py`) what came in since.
    Errors are damage; warnings are what a killed process left, what Git did, and what only old
    operations need; a note says what was never here. Other processes may write meanwhile.
    """
    with _undisturbed(repo):
        repo.store.refresh()
        repo.media.refresh()
        if not absent.is_settled(repo) and is_writable(repo):
            with suppress(RepositoryError):  # a full disk, say: it can be checked all the same
                absent.settle(repo)
        yield from _refs(repo)
        yield from _files(repo)
        yield from _stores(repo)


@contextmanager
def _undisturbed(repo: "Repository") -> Iterator[None]:
    """Keep files from being removed meanwhile, where the disk can be written."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.shared(repo.layout.writers))
            stack.enter_context(locks.shared(repo.layout.upkeep))
        except Locked:
            raise
        except RepositoryError:
            stack.close()
        yield


# -- refs and the operation log ------------------------------------------------------------------


def _refs(repo: "Repository") -> Iterator[Finding]:
    for problem in oplog.check(repo.layout.operations):
        yield Finding("error", "state/operations", problem)
    yield from _spelt(repo)
    log = Log(repo.layout)
    try:
        for _ in range(ATTEMPTS):  # what others do meanwhile is no damage
            size = log.size()
            refs, head = repo.refs.all(), repo.refs.head()
            if log.size() == size:
                break
        operations = log.operations()
    except DvcsError as error:
        yield Finding("error", "refs", str(error))
        return
    if repo.layout.operations.exists():
        yield from _compared(operations, refs, head)
    if not log.is_finished():
        yield Finding(
            "warning", "state/operations", "the last operation was not finished; the next one will"
        )


def _compared(
    operations: Iterable[oplog.Operation], refs: dict[str, bytes], head: str | bytes
) -> Iterator[Finding]:
    last: dict[str, str | None] = {HEAD: f"ref: {HEADS}{layouts.DEFAULT_BRANCH}"}
    for operation in operations:
        last.update({move.name: move.new for move in operation.moves})
    now: dict[str, str | None] = {name: oid.hex() for name, oid in refs.items()}
    now[HEAD] = f"ref: {head}" if isinstance(head, str) else head.hex()
    gits = (REMOTES, "refs/notes/", "refs/stash")  # what others may well have made
    for name in sorted(last.keys() | {name for name in now if not name.startswith(gits)}):
        if now.get(name) != last.get(name):
            yield Finding(
                "warning",
                name,
                f"is at {(now.get(name) or 'nothing').removeprefix('ref: ')}, but dvcs last put it"
                f" at {(last.get(name) or 'nothing').removeprefix('ref: ')}:"
                " moved by Git, or damaged",
            )
    if isinstance(head, str) and head not in refs and any(name.startswith(HEADS) for name in refs):
        yield Finding("warning", HEAD, f"is on '{head}', which has no commit")


def _spelt(repo: "Repository") -> Iterator[Finding]:
    """Compare small files of Git's with how Git and dvcs write them, to the byte."""
    git = repo.layout.git
    for path in [git / HEAD, *sorted(p for p in (git / "refs").rglob("*") if p.is_file())]:
        if path.name.endswith(".lock"):
            continue
        data = _bytes(path)
        if not re.fullmatch(rb"[0-9a-f]{40}\n|ref: refs/[^\s\x00-\x1f]+\n", data or b""):
            yield Finding("error", _short(repo, path), "is not what Git or dvcs writes")
    lines = (_bytes(git / PACKED) or b"").split(b"\n")
    for number, line in enumerate(lines, 1):
        is_known = (
            re.fullmatch(rb"[0-9a-f]{40} refs/[^\s\x00-\x1f]+|\^[0-9a-f]{40}", line)
            or (number == 1 and PACKED_HEAD.match(line))
            or (number == len(lines) and not line)
        )
        if not is_known:
            yield Finding("error", PACKED, f"line {number} is not what Git writes")
        if line.startswith(b"^"):
            yield from _peeled(repo, number, lines[number - 2][:40], line[1:])


def _peeled(repo: "Repository", number: int, tag: bytes, target: bytes) -> Iterator[Finding]:
    from dvcs.repository.revisions import peel

    try:
        right = peel(repo, bytes.fromhex(tag.decode())).hex().encode() == target
    except (DvcsError, ValueError):
        right = True  # a damaged tag is told elsewhere
    if not right:
        yield Finding("error", PACKED, f"line {number} does not say what the tag before it does")


# -- dvcs's own files ----------------------------------------------------------------------------


def _files(repo: "Repository") -> Iterator[Finding]:
    layout = repo.layout
    fixed = {".gitignore": b"*\n", "state/version": layouts.STATE_VERSION}
    for name, wanted in fixed.items():
        data = _bytes(layout.git / name)
        if data is None:
            yield Finding("warning", name, "is missing; was this repository cloned by Git?")
        elif data != wanted:
            yield Finding("error", name, "is not what dvcs wrote")
    checksum = _bytes(checksum_file(layout))
    config = _bytes(layout.config)
    digest = hashlib.sha256(layouts.CONFIG.encode()).hexdigest().encode() + b"\n"
    if config is None or hashlib.sha256(config).hexdigest().encode() + b"\n" != (
        checksum or digest
    ):
        yield Finding("warning", "config", "was edited by hand, or is damaged")
    for path in (*upkeep.leftovers(repo), *_git_locks(layout.git)):
        if path.suffix != ".pack":  # told with the others
            yield Finding("warning", _short(repo, path), "was left by a process that was killed")
    for name, commit in copy_roots(repo).items():
        if commit is None:
            yield Finding("error", name, "its record is damaged")
    with suppress(CorruptObject):  # a ref, which is told with the others
        for path, message in underway.check(repo):
            yield Finding("error", _short(repo, path), message)
    try:
        absent.check(layout)
    except CorruptObject as error:
        yield Finding("error", f"state/{absent.FILE}", str(error))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode() + b"\n"


def _git_locks(git: Path) -> Iterator[Path]:
    yield from (path for path in (git / f"{HEAD}.lock", git / f"{PACKED}.lock") if path.exists())
    yield from sorted((git / "refs").rglob("*.lock"))


# -- objects, media, and what needs them ---------------------------------------------------------


class _Damage(NamedTuple):
    severity: Severity
    where: str
    message: str
    objects: tuple[bytes, ...] = ()


def _stores(repo: "Repository") -> Iterator[Finding]:
    needed = _needed(repo)
    reachable = Reachable(repo, check=True)
    for root in needed.values():
        reachable.add(root)
    damages = [*_objects(repo), *_caches(repo), *_media(repo, reachable)]
    told = {oid for damage in damages for oid in damage.objects}
    for trouble in reachable.troubles:
        if trouble.oid not in told:
            refs = [name for name, oid in needed.items() if oid == trouble.oid]
            where = refs[0] if refs else f"object {trouble.oid.hex()[:10]}"
            severity: Severity = "error" if trouble.is_error else "warning"
            damages.append(_Damage(severity, where, trouble.message, (trouble.oid,)))
    told = {oid for damage in damages for oid in damage.objects}
    places = Places(repo, needed.values(), told) if told else None
    for damage in damages:
        yield _finding(damage, places)
    yield from _past(repo, reachable)


def _finding(damage: _Damage, places: Places | None) -> Finding:
    items: dict[str, None] = {}
    commits: dict[str, None] = {}
    for oid in damage.objects if places else ():
        assert places is not None  # noqa: S101 - for mypy
        items.update(places.items.get(oid, {}))
        commits.update(places.commits.get(oid, {}))
    shown = tuple(items)[:SHOWN_ITEMS]
    return Finding(damage.severity, damage.where, damage.message, shown, tuple(commits))


def _needed(repo: "Repository") -> dict[str, bytes]:
    """Return the roots, as far as they can be read: the rest is told elsewhere."""
    found: dict[str, bytes] = {}
    try:
        found.update(repo.refs.all())
    except CorruptObject:
        found.update(_one_by_one(repo))
    try:
        head = repo.refs.head()
    except CorruptObject:
        head = ""
    if isinstance(head, bytes):
        found[HEAD] = head
    found.update({name: oid for name, oid in copy_roots(repo).items() if oid is not None})
    return found


def _one_by_one(repo: "Repository") -> Iterator[tuple[str, bytes]]:
    for path in sorted((repo.layout.git / "refs").rglob("*")):
        name = path.relative_to(repo.layout.git).as_posix()
        try:
            oid = repo.refs.read(name)
        except CorruptObject:
            continue
        if oid is not None:
            yield name, oid


def _objects(repo: "Repository") -> Iterator[_Damage]:
    for problem in objects_verify.verify(repo.store):
        name = f" (object {problem.oid.hex()})" if problem.oid else ""
        # A pack without index is what a process leaves that is killed between two renames.
        half = problem.path.suffix == ".pack" and not problem.path.with_suffix(".idx").exists()
        yield _Damage(
            "warning" if half else "error",
            _short(repo, problem.path),
            f"{problem.message}{name}",
            (problem.oid,) if problem.oid else (),
        )


def _caches(repo: "Repository") -> Iterator[_Damage]:
    """Check what Git keeps beside packs: dvcs does not read it, but Git would believe it."""
    for path in sorted(repo.store.pack_folder.glob("*")):
        if path.suffix in GITS_CACHES or path.name == "multi-pack-index":
            data = _bytes(path) or b""
            if hashlib.sha1(data[:-20], usedforsecurity=False).digest() != data[-20:]:
                message = "is damaged: a cache of Git's, which can be removed"
                yield _Damage("error", _short(repo, path), message)


def _media(repo: "Repository", reachable: Reachable) -> Iterator[_Damage]:
    told = set()
    for sha256, path, problem in repo.media.verify():
        name = f" (media {sha256})" if sha256 else ""
        half = path.suffix == ".pack" and not path.with_suffix(".idx").exists()
        told.add(sha256)
        yield _Damage(
            "warning" if half else "error",
            _short(repo, path),
            f"{problem}{name}",
            reachable.media.get(sha256, ()) if sha256 else (),
        )
    never = absent.known(repo.layout)
    missing = {
        sha256: users
        for sha256, users in sorted(reachable.media.items())
        if sha256 not in told and sha256 not in repo.media
    }
    for sha256, users in missing.items():
        if sha256 not in never:
            yield _Damage("error", f"media {sha256}", "is missing", users)
    users = tuple(oid for sha256 in missing if sha256 in never for oid in missing[sha256])
    if users:
        count = len(missing.keys() & never)
        files = "1 file was" if count == 1 else f"{count:,} files were"
        yield _Damage("note", "media", f"{files} never here: items name them by hash", users)


def _past(repo: "Repository", reachable: Reachable) -> Iterator[Finding]:
    """Look at what only operations of the past lead to; what gc has removed is no damage."""
    known = len(reachable.troubles)
    try:
        for oid in past_roots(repo):
            if oid in repo.store:
                reachable.add(oid)
    except DvcsError:
        return  # told with the operation log
    for trouble in reachable.troubles[known:]:
        if trouble.is_error:
            where = f"object {trouble.oid.hex()[:10]}"
            yield Finding("warning", where, f"only an old operation needs it: {trouble.message}")


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _short(repo: "Repository", path: Path) -> str:
    return path.relative_to(repo.layout.git).as_posix()
