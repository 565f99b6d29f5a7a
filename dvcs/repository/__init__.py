"""
A repository of datasets: the handle, and a module for each thing that can be done with one.

    layout.py       where things are; made, found
    locks.py, refs.py, oplog.py, transaction.py
                    how a change is made so that nothing is lost
    gate.py, policies/, hooks.py, trust.py
                    what may refuse a commit; what the user lets run
    links.py, references.py
                    what a repository from elsewhere must not lead to
    snapshot.py     what one commit holds
    revisions.py, history.py, message.py, describe.py, reflog.py, blame.py, bisect.py
                    which commit, how they follow each other, what they say, who changed what
    diffing.py      what differs between two commits
    branches.py, undo.py, stash.py, restores/, patches/
                    branches and tags; taking back; changes put aside, and from elsewhere
    ingest.py, importing.py, exporting.py, editing.py, labels.py
                    datasets in and out; single items; labels across versions
    working/        working copies: what was changed in them; recorded; written
    merges/, votes/ three-way merges and their conflicts; several versions by vote
    fsck.py, gc.py, upkeep.py, reachability.py, absent.py
                    keeping it sound and small
    identity.py, config.py, trying.py
                    who commits; settings; dry runs on a disk that cannot be written

`Repository` only opens things and passes on; what a verb does stands in the verb's module.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from dvcs import model
from dvcs.dataset import Dataset
from dvcs.model import Item
from dvcs.objects.store import ObjectStore
from dvcs.repository import layout as layouts
from dvcs.repository import revisions
from dvcs.repository.gate import Gate
from dvcs.repository.media_access import StoredMediaAccess
from dvcs.repository.oplog import HEAD, Move, change
from dvcs.repository.refs import HEADS, Refs
from dvcs.repository.revisions import Revision
from dvcs.repository.snapshot import Snapshot, join
from dvcs.repository.transaction import Committed, Transaction

if TYPE_CHECKING:
    from dvcs.compare import ItemChange
    from dvcs.merge import Options, Strategy
    from dvcs.objects.media import MediaStore
    from dvcs.repository.blame import Blamed
    from dvcs.repository.layout import Layout
    from dvcs.repository.merges.merging import Merged
    from dvcs.repository.merges.picking import Picks
    from dvcs.repository.oplog import Operation
    from dvcs.repository.patches.applying import Applied
    from dvcs.repository.restores.restoring import Restored
    from dvcs.repository.stash import Popped, Stash
    from dvcs.repository.working.carrying import CheckedOut
    from dvcs.repository.working.worktree import Status

__all__ = ["Committed", "Repository"]


class Repository:
    """
    A repository, found in a folder or above it.

    Raises NotARepository where there is none. A context manager; `close` lets go of open files.
    """

    def __init__(self, path: str | Path = ".") -> None:
        self.layout: Layout = layouts.find(Path(path))
        self.refs = Refs(self.layout.git)
        self.gate = Gate(self)
        self.scratch: Path | None = None
        """Where a dry run writes on a disk that cannot be written (`trying.py`)."""

    @classmethod
    def init(cls, path: str | Path = ".") -> "Repository":
        """Make a repository in a folder (made too) and open it."""
        return cls(layouts.create(Path(path)).root)

    @property
    def root(self) -> Path:
        """The working folder."""
        return self.layout.root

    @cached_property
    def store(self) -> ObjectStore:
        """Commits, trees and items."""
        return ObjectStore(self.layout.git)

    @cached_property
    def media(self) -> "MediaStore":
        """Media by SHA-256."""
        from dvcs.objects.media import MediaStore

        return MediaStore(self.layout.media)

    @cached_property
    def media_access(self) -> StoredMediaAccess:
        """Finds the bytes of items' media."""
        return StoredMediaAccess(self)

    def allow_media(self, folders: Collection[Path]) -> None:
        """
        Let items refer to files in folders outside of the working folder, and below.

        Where that cannot be noted for good, a notice says so (`gate.tell`), and it holds until the
        repository is closed.
        """
        from dvcs.repository.references import note

        if folders:
            notice = note(self.layout, folders)
            self.media_access.references.lend(folders)
            if notice is not None:
                self.gate.tell(notice)

    def close(self) -> None:
        """Let go of open files, and tell of media that items refer to and that were not read."""
        if "media_access" in self.__dict__:
            self.media_access.references.tell(self.gate.tell)
        if "store" in self.__dict__:
            self.store.close()
        if "media" in self.__dict__:
            self.media.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Repository({str(self.root)!r})"

    # Reading

    def resolve(self, revision: str = "HEAD") -> bytes:
        """Return the commit that a revision names. Raises RevisionNotFound."""
        return self.parse(revision).oid

    def parse(self, revision: str) -> Revision:
        """Return the commit and the source that a revision names. Raises RevisionNotFound."""
        return revisions.parse(self, revision)

    def tree_of(self, oid: bytes | None) -> bytes | None:
        """Return the tree of a commit."""
        return None if oid is None else self.store.commit(oid).tree

    def snapshot(self, oid: bytes | None) -> Snapshot:
        """Return what a commit holds."""
        return Snapshot(self.store, self.tree_of(oid))

    def dataset(self, revision: str = "HEAD") -> Dataset:
        """
        Return a revision as a dataset, read as it is walked: one source, or all of them joined.

        Raises RevisionNotFound, and RepositoryError where sources cannot be joined.
        """
        oid, source = self.parse(revision)
        snapshot = self.snapshot(oid)
        names = [source] if source else list(snapshot.sources)
        if not names:
            return Dataset((), list, count=0)
        return Dataset.of(join(snapshot.dataset(name, self.media_access) for name in names))

    def item(self, revision: str, source: str, subset: str, id: str) -> Item | None:
        """Return one item of a revision, None where it is not there."""
        snapshot = self.snapshot(self.resolve(revision))
        if source not in snapshot.sources:
            return None
        return snapshot.item(source, subset, id, self.media_access)

    def diff(self, old: str, new: str = "HEAD") -> "Iterator[ItemChange]":
        """
        Yield what changed between two revisions, item by item; only what differs is read.

        With a source (`main:coco`) on either side, only that one. Raises RevisionNotFound.
        """
        from dvcs.repository.diffing import diff

        before, after = self.parse(old), self.parse(new)
        sources = {one for one in (before.source, after.source) if one}
        return diff(self, before.oid, after.oid, sources=sources or None)

    def patch(
        self, old: str, new: str = "HEAD", *, sources: Collection[str] | None = None
    ) -> Iterator[bytes]:
        """
        Yield what changed between two revisions as the lines of a patch, for `apply` elsewhere.

        With a source (`main:coco`) on either side, only that one. Raises RevisionNotFound.
        """
        from dvcs.repository.patches.applying import patch_lines

        before, after = self.parse(old), self.parse(new)
        named = {one for one in (before.source, after.source, *(sources or ())) if one}
        return patch_lines(self, before.oid, after.oid, sources=named or None)

    def blame(self, source: str, subset: str, id: str, revision: str = "HEAD") -> "list[Blamed]":
        """Return for each annotation of an item the commit that last changed it."""
        from dvcs.repository.blame import blame

        return blame(self, self.resolve(revision), source, subset, id)

    def branches(self) -> dict[str, bytes]:
        """Return the branches by name."""
        return {name[len(HEADS) :]: oid for name, oid in self.refs.all(HEADS).items()}

    # Changing

    def transaction(
        self, *, branch: str | None = None, base: bytes | None = None, create: bool = False
    ) -> Transaction:
        """
        Begin a change of a branch (default: the current one), from `base` (default: its tip).

        Use as a context manager; nothing happens without its `commit`. With `create` that makes
        the branch, if it is not there.
        """
        name = branch if branch is not None else self.refs.head_branch()
        if base is None:
            base = self.refs.read(HEADS + name) if name else self.refs.head_commit()
        return Transaction(self, branch=name, base=base, create=create)

    def import_dataset(
        self,
        data: "str | Path | model.Dataset",
        *,
        format: str | None = None,
        name: str | None = None,
        message: str | None = None,
        mode: Literal["new", "update", "replace"] | None = None,
        media: Literal["store", "reference", "none"] = "store",
        subset: str | None = None,
        keep_going: bool = False,
        take_ids: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> Committed:
        """
        Import a dataset on disk, or in memory, as a source, as it is; see `importing.run`.

        `working.onto.import_onto` takes just the edits of an export.
        """
        from dvcs.repository import importing

        request = importing.Request(
            data=Path(data) if isinstance(data, str) else data,
            format=format,
            name=name,
            message=message,
            mode=mode,
            media=media,
            subset=subset,
            keep_going=keep_going,
            take_ids=take_ids,
            options=dict(options or {}),
        )
        return importing.run(self, request).committed

    def commit(
        self,
        dataset: model.Dataset,
        *,
        message: str,
        source: str | None = None,
        branch: str | None = None,
        operation: str = "commit",
    ) -> Committed:
        """
        Record a dataset as the new contents of a source, on a branch made if need be.

        `source` may be left out where the branch has one source only (or none: then `data`).
        """
        from dvcs.repository import importing

        return importing.replace_source(
            self, dataset, message=message, source=source, branch=branch, operation=operation
        )

    def status(self) -> "Status":
        """Return what was changed in the working copies; see `worktree.status`."""
        from dvcs.repository.working import worktree

        return worktree.status(self)

    def checkout(
        self, target: str, *, create: str | None = None, force: bool = False
    ) -> "CheckedOut":
        """Go to a branch or revision, and rewrite working copies; see `checkout.checkout`."""
        from dvcs.repository.working import checkout

        return checkout.checkout(self, target, create=create, force=force)

    def merge(
        self,
        revision: str,
        *,
        into: str | None = None,
        message: str | None = None,
        options: "Options | None" = None,
        fast_forward: bool = True,
        squash: bool = False,
        dry_run: bool = False,
    ) -> "Merged":
        """Merge a revision into a branch (default: the current one); see `merging.merge`."""
        from dvcs.merge import Options as Defaults
        from dvcs.repository.merges import merging
        from dvcs.repository.trying import trying

        request = merging.Request(
            revision=revision,
            into=into,
            message=message,
            options=options or Defaults(),
            fast_forward=fast_forward,
            squash=squash,
            dry_run=dry_run,
        )
        with trying(self, dry_run=dry_run):
            return merging.merge(self, request)

    def revert(self, *revisions: str, message: str | None = None) -> "Picks":
        """Commit the opposite of what commits changed; see `picking.revert`."""
        from dvcs.repository.merges import picking

        return picking.revert(self, revisions, message=message)

    def cherry_pick(self, *revisions: str) -> "Picks":
        """Commit what other commits changed; see `picking.cherry_pick`."""
        from dvcs.repository.merges import picking

        return picking.cherry_pick(self, revisions)

    def apply(
        self,
        patch: "str | Path | Iterable[bytes]",
        *,
        sources: Mapping[str, str] | None = None,
        reverse: bool = False,
        exact: bool = False,
        strategy: "Strategy" = "three-way",
        message: str | None = None,
        dry_run: bool = False,
    ) -> "Applied":
        """Commit what a patch changes, a file or its lines; see `patches.applying.apply_patch`."""
        from dvcs.repository.patches import applying
        from dvcs.repository.trying import trying

        how: dict[str, Any] = {
            "sources": sources,
            "reverse": reverse,
            "exact": exact,
            "strategy": strategy,
            "message": message,
            "dry_run": dry_run,
        }
        with trying(self, dry_run=dry_run):
            if isinstance(patch, str | Path):
                return applying.apply_file(self, Path(patch), **how)
            return applying.apply_patch(self, patch, **how)

    def restore_from(
        self,
        revision: str,
        *selectors: str,
        expression: str | None = None,
        labels: Sequence[str] = (),
        message: str | None = None,
        dry_run: bool = False,
    ) -> "Restored":
        """
        Commit a part of another revision, or all of it; see `restoring.restore_from`.

        Selectors are SOURCE, SOURCE/SUBSET/ID or ITEM#ANNOTATION, `expression` is XPath.
        """
        from dvcs.repository.restores import restoring
        from dvcs.repository.trying import trying

        with trying(self, dry_run=dry_run):
            return restoring.restore_from(
                self,
                revision,
                selectors,
                expression=expression,
                labels=labels,
                message=message,
                dry_run=dry_run,
            )

    def stash(self, *sources: str, message: str | None = None) -> "Stash | None":
        """Put the changes of working copies (default: all) aside; see `stash.push`."""
        from dvcs.repository import stash

        return stash.push(self, sources or None, message=message)

    def stash_pop(self, number: int = 0) -> "Popped":
        """Take up what was put aside, the newest first; see `stash.pop`."""
        from dvcs.repository import stash

        return stash.pop(self, number)

    def undo(self) -> "Operation":
        """Take back the last operation; see `undo.undo`."""
        from dvcs.repository import undo

        return undo.undo(self)

    def create_branch(self, name: str, at: bytes) -> None:
        """Make a branch. Raises UsageError, and RepositoryError where the name is taken."""
        from dvcs.repository.branches import create_branch

        create_branch(self, name, at)

    def move_head(self, target: str | bytes, command: str) -> None:
        """Put HEAD on a branch (its full ref name) or detach it at a commit."""
        head = self.refs.head()
        old = f"ref: {head}" if isinstance(head, str) else head.hex()
        new = f"ref: {target}" if isinstance(target, str) else target.hex()
        if old != new:
            change(self.layout, command, [Move(HEAD, old, new)])

    def after_commit(self) -> None:
        """Keep the store in good order; called when a commit has succeeded."""
        from dvcs.repository.upkeep import tidy

        tidy(self)

    def operations(self) -> "Iterator[Any]":
        """Return what was done to this repository, newest first."""
        from dvcs.repository.oplog import Log

        return reversed(Log(self.layout).operations())
