"""Changes of the lists of labels, as `diff`, `show`, `log`, `commit` and `status` tell them."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dvcs import ui

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.working.worktree import LabelChanges

MOST = 10


def between(
    repo: "Repository", old: bytes | None, new: bytes | None, sources: Collection[str] | None = None
) -> "dict[str, LabelChanges]":
    """Return what changed in the labels of the sources that both commits have; only changes."""
    from dvcs.repository.working.worktree import label_changes

    before, after = repo.snapshot(old), repo.snapshot(new)
    found = {}
    for name in sorted(before.sources.keys() & after.sources.keys()):
        if sources is not None and name not in sources:
            continue
        if before.sources[name].labels == after.sources[name].labels:
            continue
        if changes := label_changes(before.labels(name), after.labels(name)):
            found[name] = changes
    return found


def lines(found: "Mapping[str, LabelChanges]") -> Iterator[str]:
    """Yield what changed, for people: `labels added: cyclist`."""
    for source, one in found.items():
        of = f" of {source}" if len(found) > 1 else ""
        for what in ("added", "removed", "changed"):
            if names := getattr(one, what):
                yield f"{'labels' if len(names) > 1 else 'label'}{of} {what}: {_listed(names)}"
        for old, new in one.renamed:
            yield f"label{of} renamed: {ui.one_line(old)} -> {ui.one_line(new)}"


def block(found: "Mapping[str, LabelChanges]") -> Iterator[str]:
    """Yield what changed as a part of a difference, before the items."""
    for source, one in found.items():
        yield ui.paint(f"~ {source or 'labels'}", "changed")
        for sign, role, names in (("+", "added", one.added), ("-", "removed", one.removed)):
            for name in names:
                yield f"    {ui.paint(sign, role)} label {ui.one_line(name)} {role}"
        for old, new in one.renamed:
            shown = f"label {ui.one_line(old)} renamed to {ui.one_line(new)}"
            yield f"    {ui.paint('~', 'changed')} {shown}"
        for name in one.changed:
            shown = f"label {ui.one_line(name)} changed, though not its name"
            yield f"    {ui.paint('~', 'changed')} {shown}"


def report(found: "Mapping[str, LabelChanges]") -> dict[str, Any]:
    """Return what changed, for programs: by source."""
    import msgspec

    return {source: msgspec.structs.asdict(one) for source, one in found.items()}


def _listed(names: Collection[str]) -> str:
    return ui.listed(map(ui.one_line, names), MOST)
