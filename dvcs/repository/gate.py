"""
What stands between a new commit and its branch: the versioned policy, then the user's hooks.

    admit       a commit that was made (`transaction.py`, `merges/`): may its branch move there?
    forward     a commit that is there already, for a fast-forward
    after_...   tell hooks that something was done
    before_push what a push is about to send
    postponing  a block that holds locks: hooks are told when it has ended

Whatever is refused has changed nothing: a commit that was written is on no branch, and `gc` removes
it. No lock for moving refs is held meanwhile, so a hook may run dvcs; what is read then is the new
commit, by its id.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from dvcs.errors import DvcsError, HookRefused
from dvcs.objects._durable import create_temp
from dvcs.repository import hooks, locks
from dvcs.repository.layout import NAME
from dvcs.repository.message import parse

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.layout import Layout
    from dvcs.repository.snapshot import Trees

NOTHING = "0" * 40
"""How Git writes that there is no commit."""
SKIP = "leave the hooks out with --no-verify"


class Proposal(NamedTuple):
    """
    A commit that is to be made: by which operation, on which branch (None: detached HEAD).

    `before` is where the branch is; but for a fast-forward that is the first parent.
    """

    operation: str
    branch: str | None
    before: bytes | None
    parents: tuple[bytes, ...]
    tree: bytes


class Notice(NamedTuple):
    """What is told of hooks beside a result: a sentence, what helps, and what the hook wrote."""

    message: str
    hint: str | None = None


class _Call(NamedTuple):
    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


Write = Callable[[str], bytes]
"""Makes the commit with a message, so that it can be read, and returns it."""


class Gate:
    """
    The gate of one repository.

    `verify` False leaves out the hooks that may refuse (never the policy). What hooks write goes to
    `output` where it is set (a stream with a descriptor), else into errors and notices. `tell` is
    called with what went wrong without stopping anything; by default that is kept in `notices`.
    """

    def __init__(self, repo: "Repository") -> None:
        self.verify = True
        self.output: IO[str] | None = None
        self.notices: list[Notice] = []
        self.tell: Callable[[Notice], object] = self.notices.append
        self._repo = repo
        self._later: list[_Call] = []
        self._depth = 0
        self._told: set[str] = set()

    # Before

    def is_guarded(self, *names: str) -> bool:
        """Tell whether one of these hooks would be asked."""
        return self.verify and hooks.present(self._repo.layout, *names)

    def admit(
        self,
        new: Proposal,
        message: str,
        write: Write,
        reader: "Trees",
        *,
        hook: str = "pre-commit",
        ask_message: bool = True,
    ) -> tuple[bytes, str]:
        """
        Return the commit that the branch may move to, and its message as hooks left it.

        `write` makes the commit with a message. Raises PolicyViolation, and HookRefused where
        `hook` or `commit-msg` says no, may not run or cannot be started.
        """
        from dvcs.repository.policies import policy

        policy.check(
            self._repo, branch=new.branch, parents=new.parents, tree=new.tree, reader=reader
        )
        oid = write(message)
        if not self.is_guarded(hook, "commit-msg"):
            return oid, message
        self._ask(hook, new, oid)
        if not ask_message:
            return oid, message
        wanted = self._asked_message(new, oid, message)
        return (oid if wanted == message else write(wanted)), wanted

    def forward(self, new: Proposal, oid: bytes, reader: "Trees") -> None:
        """Judge a fast-forward to a commit. Raises as `admit`."""
        from dvcs.repository.policies import policy

        policy.check_forward(
            self._repo, branch=new.branch, tip=new.before, tree=new.tree, reader=reader
        )
        self._ask("pre-merge", new, oid)

    def _ask(self, name: str, new: Proposal, oid: bytes, *arguments: str) -> None:
        """Run a hook that may refuse."""
        hook = self._usable(name) if self.verify else None
        if hook is None:
            return
        try:
            outcome = hooks.run(
                self._repo.layout, hook, arguments, _environment(new, oid), output=self.output
            )
        except HookRefused as error:
            raise HookRefused(str(error), hint=f"{error.hint}; or {SKIP}") from None
        self._require(hook, outcome, f"the {new.operation}")

    def _require(self, hook: hooks.Hook, outcome: hooks.Outcome, what: str) -> None:
        if outcome.code:
            raise HookRefused(
                f"the hook '{hook.name}' refused {what} ({outcome.how}){hooks.said(outcome)}",
                hint=f"nothing was changed; mend what it complains about, or {SKIP}",
            )

    def _asked_message(self, new: Proposal, oid: bytes, message: str) -> str:
        """Return a message as the hook `commit-msg` leaves it."""
        if self._usable("commit-msg") is None:
            return message
        with _message_file(self._repo.layout, message) as path:
            self._ask("commit-msg", new, oid, _relative(path))
            try:
                text = path.read_bytes().decode()
            except UnicodeDecodeError:
                raise HookRefused(
                    "the hook 'commit-msg' wrote a message that is not UTF-8",
                    hint=f"nothing was changed; mend the hook, or {SKIP}",
                ) from None
        if not text.strip():
            raise HookRefused(
                "the hook 'commit-msg' left no message", hint=f"mend the hook, or {SKIP}"
            )
        return message if text.strip() == message.strip() else text

    def before_push(
        self, remote: str, url: str, updates: Sequence[tuple[str, bytes | None, str, bytes | None]]
    ) -> None:
        """
        Ask the hook `pre-push` about what a push would move.

        Each update is the local ref and its commit (None: the remote's is deleted), the remote ref
        and where that is (None: nowhere yet). Raises HookRefused.
        """
        hook = self._usable("pre-push") if self.verify else None
        if hook is None:
            return
        lines = "".join(
            f"{ours} {_hex(new)} {theirs} {_hex(old)}\n" for ours, new, theirs, old in updates
        )
        outcome = hooks.run(
            self._repo.layout,
            hook,
            (remote, url),
            {"DVCS_OPERATION": "push"},
            lines=lines,
            output=self.output,
        )
        self._require(hook, outcome, "the push")

    def try_out(self, hook: hooks.Hook, oid: bytes) -> hooks.Outcome:
        """
        Run a hook as if a commit that is there already had just been proposed or made.

        What becomes of a message is thrown away. Raises HookRefused where it may not run.
        """
        commit = self._repo.store.commit(oid)
        before = commit.parents[0] if commit.parents else None
        branch = self._repo.refs.head_branch()
        ref = f"refs/heads/{branch}" if branch else "HEAD"
        new = Proposal("hooks run", branch, before, commit.parents, commit.tree)
        layout = self._repo.layout
        with (
            locks.shared(layout.writers),
            _message_file(layout, parse(commit.message).text) as path,
        ):
            arguments = {
                "commit-msg": (_relative(path),),
                "post-merge": ("0",),
                "pre-push": ("origin", ""),
                "post-checkout": (_hex(before), oid.hex(), "1"),
            }
            lines = f"{ref} {oid.hex()} {ref} {_hex(before)}\n" if hook.name == "pre-push" else ""
            return hooks.run(
                layout,
                hook,
                arguments.get(hook.name, ()),
                _environment(new, oid),
                lines=lines,
                output=self.output,
            )

    def _usable(self, name: str) -> hooks.Hook | None:
        """Return a hook that is to be run; of one that is passed over it is told once."""
        if hooks.is_inside(self._repo.layout, name):
            return None
        hook = hooks.find(self._repo.layout, name)
        ignored = hooks.why_ignored(hook) if hook is not None else None
        if ignored is None:
            return hook
        if name not in self._told:
            self._told.add(name)
            self.tell(Notice(*ignored))
        return None

    # After

    def after_commit(self, new: Proposal, oid: bytes) -> None:
        """Tell the hook `post-commit` of a commit."""
        self._after("post-commit", (), _environment(new, oid))

    def after_merge(self, new: Proposal, oid: bytes, *, squash: bool = False) -> None:
        """Tell the hook `post-merge` of a merge or fast-forward."""
        self._after("post-merge", (str(int(squash)),), _environment(new, oid))

    def after_checkout(self, old: bytes | None, new: bytes | None, *, moved: bool) -> None:
        """Tell the hook `post-checkout`; `moved`: HEAD's revision was checked out, not a source."""
        environment = {
            "DVCS_OPERATION": "checkout",
            "DVCS_BRANCH": self._repo.refs.head_branch() or "",
            "DVCS_BEFORE": old.hex() if old else "",
            "DVCS_COMMIT": new.hex() if new else "",
        }
        self._after("post-checkout", (_hex(old), _hex(new), str(int(moved))), environment)

    def _after(self, name: str, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        if not hooks.present(self._repo.layout, name):
            return
        self._later.append(_Call(name, arguments, environment))
        if not self._depth:
            self._catch_up()

    @contextmanager
    def postponing(self) -> Iterator[None]:
        """Tell hooks of what is done in the block only when it has ended, and locks are free."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._catch_up()

    def _catch_up(self) -> None:
        while self._later:
            call = self._later.pop(0)
            # It is done, and no hook can change that: what fails now is told, never raised.
            try:
                self._run_after(call)
            except DvcsError as error:
                self.tell(Notice(str(error), error.hint))
            except KeyboardInterrupt:
                self._later.clear()
                self.tell(
                    Notice(f"the hook '{call.name}' was interrupted; what it follows is done")
                )

    def _run_after(self, call: _Call) -> None:
        hook = self._usable(call.name)
        if hook is None:
            return
        outcome = hooks.run(
            self._repo.layout, hook, call.arguments, call.environment, output=self.output
        )
        if outcome.code:
            what = f"the hook '{call.name}' failed ({outcome.how}){hooks.said(outcome)}"
            self.tell(Notice(what, "what it follows is done all the same"))


@contextmanager
def _message_file(layout: "Layout", message: str) -> Iterator[Path]:
    """Give a file with a message; it goes afterwards."""
    fd, path = create_temp(layout.state)
    os.close(fd)
    try:
        path.write_bytes(f"{message.rstrip()}\n".encode(errors="replace"))
        yield path
    finally:
        path.unlink(missing_ok=True)


def _relative(path: Path) -> str:
    return f"{NAME}/state/{path.name}"


def _environment(new: Proposal, oid: bytes) -> dict[str, str]:
    return {
        "DVCS_OPERATION": new.operation,
        "DVCS_BRANCH": new.branch or "",
        "DVCS_BEFORE": new.before.hex() if new.before else "",
        "DVCS_COMMIT": oid.hex(),
        "DVCS_TREE": new.tree.hex(),
        "DVCS_PARENTS": " ".join(parent.hex() for parent in new.parents),
    }


def _hex(oid: bytes | None) -> str:
    return NOTHING if oid is None else oid.hex()
