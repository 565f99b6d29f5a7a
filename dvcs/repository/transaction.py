"""
A commit, from staging to success: the protocol that no crash and no other writer breaks.

    1. share the lock against gc for the whole operation
    2. media durable
    3. items, trees and the commit durable, in packs
    4. policy and hooks have nothing against it (`gate.py`)
    5. under the lock: journal, then the ref by compare-and-swap (`oplog.py`)
    6. success

A commit derives from the revision that it was made from. Where its branch moved meanwhile,
sources that it did not touch come from the new tip; in a source that both changed, items are
merged where only one side changed each; else BranchMoved is raised and nothing has changed. What
was made anew then is judged anew.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec

from dvcs.errors import BranchMoved
from dvcs.model import Labels
from dvcs.names import simple_name
from dvcs.objects import trees
from dvcs.objects.canonical import canonical_json
from dvcs.objects.gitobjects import Commit, Signature
from dvcs.objects.items import encode_labels
from dvcs.objects.media import MediaWriter
from dvcs.repository import absent, identity, locks, oplog
from dvcs.repository.gate import Proposal
from dvcs.repository.merges.rebasing import BothChanged, Rebase
from dvcs.repository.message import with_trailer
from dvcs.repository.refs import HEADS, check_name
from dvcs.repository.snapshot import (
    Snapshot,
    SourceInfo,
    SourceTree,
    Trees,
    dataset_json,
    write_root,
)

if TYPE_CHECKING:
    from dvcs.repository import Repository

ATTEMPTS = 20
"""How often a commit that policy or hooks judge is made anew because its branch moved meanwhile."""

Changes = Mapping[str, Mapping[bytes, bytes | None]]
"""Items to set (blobs) or remove (None): subset → quoted name → blobs."""


class Committed(NamedTuple):
    """What a transaction made: the commit, and the tree of each source in it."""

    oid: bytes
    sources: dict[str, SourceTree]
    changed: bool
    """Whether the commit differs from its parent; where it does not, none was made."""


class Transaction:
    """
    One change of a branch, in the making. A context manager: without `commit` nothing happened.

    `base` is the commit that the change derives from (None: the branch has none); `branch` the
    short name of the branch that will move, None for a detached HEAD. With `create`, a branch that
    is not there is made by the commit, and only by that.
    """

    def __init__(
        self, repo: "Repository", *, branch: str | None, base: bytes | None, create: bool = False
    ) -> None:
        self.repo = repo
        self.branch = None if branch is None else check_name(branch)
        self.base = base
        self.create = create
        self._media: MediaWriter | None = None
        self._done: tuple[Proposal, bytes] | None = None
        with ExitStack() as stack:
            stack.enter_context(locks.shared(repo.layout.writers))
            self.writer = stack.enter_context(repo.store.writer())
            self.trees = Trees(repo.store, self.writer)
            self.before = Snapshot(repo.store, repo.tree_of(base))
            self.sources: dict[str, SourceTree] = dict(self.before.sources)
            self.policy = self.before.policy
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if self._done is not None:  # without the lock: what follows would wait for it
            self.repo.after_commit()
            self.repo.gate.after_commit(*self._done)

    # Staging

    def media(self) -> MediaWriter:
        """Return the writer that takes in media; they are published before the commit."""
        if self._media is None:
            self._media = self._stack.enter_context(self.repo.media.writer())
        return self._media

    def set_source(
        self,
        name: str,
        info: SourceInfo,
        labels: Labels,
        items: Mapping[str, Mapping[bytes, bytes]],
    ) -> None:
        """Put a whole source in place. Raises UnsafeName."""
        name = simple_name(name, "source")
        subsets = {subset: trees.write(self.trees, held) for subset, held in items.items() if held}
        self.sources[name] = SourceTree(
            self.write_info(info), self.writer.blob(encode_labels(labels)), subsets
        )

    def write_info(self, info: SourceInfo) -> bytes:
        """Store a `source.json`; return its id."""
        return self.writer.blob(canonical_json(msgspec.to_builtins(info)) + b"\n")

    def change_items(self, name: str, changes: Changes) -> None:
        """Set and remove single items of a source that is there."""
        source = self.sources[name]
        self.sources[name] = source._replace(subsets=self._updated(source, changes))

    def set_labels(self, name: str, labels: Labels) -> None:
        """Replace the labels of a source that is there."""
        blob = self.writer.blob(encode_labels(labels))
        self.sources[name] = self.sources[name]._replace(labels=blob)

    def _updated(self, source: SourceTree, changes: Changes) -> dict[str, bytes]:
        subsets = dict(source.subsets)
        for subset, items in changes.items():
            tree = trees.update(self.trees, self.trees, subsets.pop(subset, None), items)
            if tree is not None:
                subsets[subset] = tree
        return subsets

    # Committing

    def commit(
        self,
        message: str,
        *,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        parents: tuple[bytes, ...] | None = None,
        command: str | None = None,
        copies: Mapping[str, tuple[str | None, str | None]] | None = None,
        allow_empty: bool = False,
        author: Signature | None = None,
        moves: Callable[[bytes], Sequence[oplog.Move]] | None = None,
    ) -> Committed:
        """
        Make the commit and move the branch, durably.

        `author` is who made the change, where that is not who commits it. `moves` returns, for the
        commit made, what other refs move together with the branch. Where the branch moved and has
        the change already, none is made. Raises BranchMoved where the branch moved and both sides
        changed the same items, PolicyViolation and HookRefused.
        """
        self._publish_media()
        root = self._root(self.before, self.sources, self.policy)
        may_be_empty = allow_empty or parents is not None
        if not may_be_empty and root == self.before.root:
            return Committed(self.base or b"", self.sources, changed=False)
        signature = identity.author(self.repo.layout)

        def write(text: str) -> bytes:
            whole = with_trailer(text, operation, arguments or {})
            return self._write(Commit(root, onto, author or signature, signature, whole))

        # Without the lock, so that nobody waits for the disk or for hooks.
        tip, sources = self.base, self.sources
        if parents is None and (now := self._tip()) != tip:
            tip, (sources, root) = now, self._rebased(now)
        for attempt in range(ATTEMPTS):
            if not may_be_empty and self._is_there(tip, root):
                return Committed(tip or b"", sources, changed=False)
            onto = parents if parents is not None else _only(tip)
            new = Proposal(operation, self.branch, tip, onto, root)
            oid, message = self.repo.gate.admit(
                new, message, write, self.trees, ask_message=not attempt
            )
            with oplog.locked(self.repo.layout) as log:
                now = self._tip()
                if now != tip:
                    if parents is not None:
                        raise self._moved(now)
                    tip, (sources, root) = now, self._rebased(now)
                    if self._is_judged(now) or self._is_there(now, root):
                        continue
                    onto = _only(now)
                    new = new._replace(before=now, parents=onto, tree=root)
                    oid = write(message)
                others = moves(oid) if moves is not None else ()
                log.change(command or operation, [*others, *self._moves(now, oid)], copies=copies)
            self._done = new, oid
            return Committed(oid, sources, changed=True)
        raise self._moved(tip)

    def _is_there(self, tip: bytes | None, root: bytes) -> bool:
        """Tell whether a commit has just this tree: somebody else made the same change."""
        return root == self.repo.tree_of(tip)

    def _is_judged(self, tip: bytes | None) -> bool:
        """Tell whether policy or hooks have a say in what is made on a commit."""
        policies = (self.policy, self.before.policy, self.repo.snapshot(tip).policy)
        return any(policies) or self.repo.gate.is_guarded("pre-commit", "commit-msg")

    def aside(
        self, message: str, *, operation: str, arguments: Mapping[str, Any] | None = None
    ) -> bytes:
        """Make the commit, durably, and move no branch; return it. A ref is to hold it."""
        self._publish_media()
        text = with_trailer(message, operation, arguments or {})
        root = self._root(self.before, self.sources, self.policy)
        signature = identity.author(self.repo.layout)
        return self._write(Commit(root, _only(self.base), signature, signature, text))

    def _write(self, commit: Commit) -> bytes:
        oid = self.writer.commit(commit)
        self.writer.publish()
        return oid

    def _publish_media(self) -> None:
        if self._media is not None:
            self._media.publish()
            absent.settle(self.repo)

    def _root(
        self, onto: Snapshot, sources: Mapping[str, SourceTree], policy: bytes | None
    ) -> bytes:
        layout = self.writer.blob(dataset_json())
        return write_root(self.trees, layout, sources, policy, onto.others)

    def _tip(self) -> bytes | None:
        refs = self.repo.refs
        if not self.branch:
            return refs.head_commit()
        tip = refs.read(HEADS + self.branch)
        return self.base if tip is None and self.create else tip

    def _moves(self, old: bytes | None, new: bytes) -> list[oplog.Move]:
        name = HEADS + self.branch if self.branch else oplog.HEAD
        if self.create and self.repo.refs.read(name) is None:
            old = None
        return [oplog.Move(name, old.hex() if old else None, new.hex())]

    # Onto a branch that moved

    def _rebased(self, tip: bytes | None) -> tuple[dict[str, SourceTree], bytes]:
        """Return the sources and the tree of this change as made from another commit."""
        if tip is None:
            raise self._moved(tip)
        onto = Snapshot(self.repo.store, self.repo.tree_of(tip))
        try:
            sources = Rebase(self.trees, self.writer, self.before).onto(onto, self.sources)
        except BothChanged as error:
            raise self._moved(tip, error.args[0]) from None
        if self.policy == self.before.policy:
            policy = onto.policy
        elif onto.policy in (self.before.policy, self.policy):
            policy = self.policy
        else:
            raise self._moved(tip, "dvcs.toml")
        return sources, self._root(onto, sources, policy)

    def _moved(self, tip: bytes | None, where: str = "") -> BranchMoved:
        name = self.branch or "HEAD"
        about = f", and both changed '{where}'" if where else ""
        return BranchMoved(
            f"'{name}' has moved to {tip.hex()[:10] if tip else 'nothing'} meanwhile{about}",
            hint="look at what came in ('dvcs log'), and run the command again",
        )


def _only(parent: bytes | None) -> tuple[bytes, ...]:
    return () if parent is None else (parent,)
