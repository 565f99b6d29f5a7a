"""What `status`, `commit`, `diff` and `show` tell of `dvcs.toml`, the versioned policy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dvcs import ui

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.policies.policy_file import Look

NAME = "dvcs.toml"
WORDS = {
    "added": "new, in no commit yet",
    "changed": "changed",
    "removed": "removed, in no commit yet",
}
CONTEXT = 3


def status_lines(found: "Look") -> Iterator[str]:
    """Yield what there is to say of the file in the working folder; nothing where it is clean."""
    from dvcs.errors import InvalidPolicy
    from dvcs.repository.policies.text import parse

    if found.dirty:
        yield ""
        yield f"{ui.paint(NAME, 'title')}: {ui.paint(WORDS[found.state], 'changed')}"
        if found.text is not None:
            try:
                parse(found.text)
            except InvalidPolicy as error:
                hint = f" ({error.hint})" if error.hint else ""
                yield f"  {ui.paint(f'{error}{hint}', 'warning')}"
    elif found.behind:
        yield ""
        text = "not written here" if found.state == "none" else "of another revision"
        yield f"{ui.paint(NAME, 'title')}: {ui.paint(text, 'changed')}"


def state(found: "Look") -> dict[str, Any]:
    """Return the same for `--json`."""
    return {"state": found.state, "behind": found.behind}


def texts(
    repo: "Repository", old: bytes | None, new: bytes | None
) -> tuple[str | None, str | None]:
    """Return what the files of two commits say; None where there is none."""
    return _text(repo, old), _text(repo, new)


def _text(repo: "Repository", oid: bytes | None) -> str | None:
    blob = repo.snapshot(oid).policy
    return None if blob is None else decoded(repo.store.blob(blob))


def edited(repo: "Repository", oid: bytes | None = None) -> tuple[str | None, str | None]:
    """Return the file's base (or that of a commit), and what it says now."""
    from dvcs.repository.policies import policy_file

    found = policy_file.look(repo)
    now = None if found.text is None else decoded(found.text)
    if oid is not None:
        return _text(repo, oid), now
    if found.base is None:
        return None, now
    return decoded(repo.store.blob(bytes.fromhex(found.base))), now


def decoded(data: bytes) -> str:
    """Return text that need not be UTF-8."""
    return data.decode(errors="backslashreplace")


def diff_lines(old: str | None, new: str | None) -> Iterator[str]:
    """Yield how the file differs, line by line; nothing where it does not."""
    import difflib

    if old == new:
        return
    status = "added" if old is None else "removed" if new is None else "changed"
    sign = {"added": "+", "removed": "-", "changed": "~"}[status]
    yield ui.paint(f"{sign} {NAME}", status)
    before, after = (old or "").splitlines(), (new or "").splitlines()
    for line in list(difflib.unified_diff(before, after, lineterm="", n=CONTEXT))[2:]:
        role = {"+": "added", "-": "removed", "@": "dim"}.get(line[:1])
        yield f"    {ui.paint(line, role) if role else line}"


def word(old: str | None, new: str | None) -> str | None:
    """Return a word for how the file differs: added, removed, changed; None: not at all."""
    if old == new:
        return None
    return "added" if old is None else "removed" if new is None else "changed"
