"""`dvcs show`: a commit with what it changed, or an item as it is in a revision."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.commands._selectors import Place
    from dvcs.model import Item
    from dvcs.repository import Repository


SHOWN = 20
"""Items of a source whose changes are listed unless all are asked for."""


@declare(
    "show",
    examples=(
        "dvcs show",
        "dvcs show main~2",
        "dvcs show main:coco/train/000000391895",
        "dvcs show --json HEAD:coco/train/000000391895",
    ),
)
@click.argument("what", type=RevisionType(), default="HEAD", metavar="[REV | REV:SOURCE/SUBSET/ID]")
@click.option("--stat", is_flag=True, help="Count what the commit changed, instead of listing it.")
@click.option("--all", "everything", is_flag=True, help="List every change, however many.")
@json_option
@with_repo
def command(
    repo: "Repository", /, *, what: str, stat: bool, everything: bool, as_json: bool
) -> None:
    """
    Show a commit or an item.

    A commit is shown with what it changed in each annotation, compared with its first parent: the
    first 20 items of each source, and of a source that came or went only how many there are. Of an
    item, everything that is known of it is shown; of a source or subset, its items.
    """
    from dvcs.commands._selectors import locate

    revision, colon, path = what.partition(":")
    oid = repo.resolve(revision or "HEAD")
    if not colon:
        _commit(repo, oid, stat=stat, everything=everything, as_json=as_json)
        return
    place = locate(repo.snapshot(oid), path)
    if place.id is None:
        _items(repo, oid, place, as_json=as_json)
        return
    item = repo.item(oid.hex(), place.source, place.subset or "", place.id)
    if item is None:
        raise _no_item(repo, oid, place)
    if as_json:
        ui.emit_json("dvcs.item/1", item_report(item))
    else:
        ui.page(_item_lines(item))


def _commit(repo: "Repository", oid: bytes, *, stat: bool, everything: bool, as_json: bool) -> None:
    from dvcs.commands import _labels, _policy, _render
    from dvcs.compare import report, summarise
    from dvcs.repository.diffing import diff

    commit = repo.store.commit(oid)
    before = commit.parents[0] if commit.parents else None
    labels = _labels.between(repo, before, oid)
    policy = _policy.texts(repo, before, oid)
    if as_json:
        payload = {
            **_render.commit_report(oid, commit),
            **report(diff(repo, before, oid)),
            "labels": _labels.report(labels),
            "policy": _policy.word(*policy),
        }
        ui.emit_json("dvcs.show/1", payload)
        return

    def lines() -> Iterator[str]:
        yield from _render.commit_lines(oid, commit, _render.decorations(repo).get(oid, ()))
        yield ""
        if stat:
            found = summarise(diff(repo, before, oid))
            yield from _render.stat_lines(found, labels, _policy.word(*policy))
            return
        yield from _policy.diff_lines(*policy)
        yield from _labels.block(labels)
        if everything:
            for change in diff(repo, before, oid):
                if change.is_change:
                    yield from _render.change_lines(change)
        else:
            yield from _first_changes(repo, before, oid)

    ui.page(lines())


def _first_changes(repo: "Repository", before: bytes | None, oid: bytes) -> Iterator[str]:
    """Yield what a commit changed, as far as one wants to read it."""
    from dvcs.commands import _render
    from dvcs.repository.diffing import diff_snapshots

    old, new = repo.snapshot(before), repo.snapshot(oid)
    more = False
    for name in sorted(old.sources.keys() | new.sources.keys()):
        if name in old.sources and name in new.sources:
            changes = list(diff_snapshots(old, new, sources=[name], limit=SHOWN + 1))
            more = more or len(changes) > SHOWN
            for change in changes[:SHOWN]:
                if change.is_change:
                    yield from _render.change_lines(change)
            continue
        sign, role, held = ("+", "added", new) if name in new.sources else ("-", "removed", old)
        count = held.count(name)
        more = more or count > 0
        yield ui.paint(f"{sign} {name}: {ui.plural(count, 'item')} {role}", role)
    if more:
        yield ""
        yield "'--all' lists every item, '--stat' counts annotations"


def _items(repo: "Repository", oid: bytes, place: "Place", *, as_json: bool) -> None:
    from dvcs.names import unquote

    snapshot = repo.snapshot(oid)
    subsets = [place.subset] if place.subset else sorted(snapshot.sources[place.source].subsets)
    names = (
        f"{place.source}/{subset}/{unquote(name.decode())}"
        for subset in subsets
        for name in snapshot.names(place.source, subset)
    )
    if as_json:
        ui.emit_json("dvcs.items/1", list(names))
    else:
        ui.page(names)


def _no_item(repo: "Repository", oid: bytes, place: "Place") -> Exception:
    from difflib import get_close_matches
    from itertools import islice

    from dvcs.errors import RevisionNotFound
    from dvcs.names import unquote

    names = repo.snapshot(oid).names(place.source, place.subset or "")
    known = (unquote(name.decode()) for name in names)
    near = get_close_matches(place.id or "", islice(known, 20_000), n=1)
    folder = f"{place.source}/{place.subset}"
    return RevisionNotFound(
        f"'{folder}' has no item '{place.id}'",
        hint=f"did you mean '{near[0]}'?" if near else f"list them with 'dvcs show HEAD:{folder}'",
    )


def item_report(item: "Item") -> dict[str, Any]:
    """Return an item as plain values."""
    import msgspec

    from dvcs.compare import plain_annotation

    media = None if item.media is None else msgspec.to_builtins(item.media)
    return {
        "source": item.source,
        "subset": item.subset,
        "id": item.id,
        "media": media,
        "attributes": dict(item.attributes),
        "annotated": item.annotated,
        "extra": dict(item.extra),
        "annotations": [plain_annotation(note) for note in item.annotations],
    }


def _item_lines(item: "Item") -> Iterator[str]:
    from dvcs.compare import plain_annotation

    yield ui.paint("/".join(item.key), "title")
    media = item.media
    if media is not None:
        size = f", {media.width} x {media.height}" if media.size else ""
        yield f"{media.kind.replace('_', ' ')}{size}"
        for file, origin in zip(
            media.files, item.origins or [None] * len(media.files), strict=True
        ):
            facts = [ui.size(file.size)] if file.size is not None else []
            facts += [f"sha256 {file.sha256[:12]}"] if file.sha256 else []
            facts += [f"at {file.url}"] if file.url else []
            facts += [] if origin is not None else ["not at hand"]
            yield f"  {file.name or item.id + file.ext}  {', '.join(facts)}"
    if item.annotated is not None and not item.annotations:
        yield "nothing to annotate in it" if item.annotated else "not annotated yet"
    for name, value in item.attributes.items():
        yield f"{name}: {_value(value)}"
    for format, facts in _said(item.extra):
        yield ui.paint(f"{format} says: {_value(facts)}", "dim")
    if item.annotations:
        yield ""
        yield ui.plural(len(item.annotations), "annotation")
    for note in item.annotations:
        yield from _annotation_lines(plain_annotation(note) or {}, note.kind)


def _annotation_lines(fields: dict[str, Any], kind: str) -> Iterator[str]:
    head = [str(fields.pop(name)) for name in ("type", "label") if fields.get(name)] or [kind]
    attributes = fields.pop("attributes", {})
    told = _said(fields.pop("derived", {}), fields.pop("extra", {}))
    shown = [f"{name}={_shape(name, value)}" for name, value in fields.items()]
    yield f"  {ui.paint(' '.join(head), 'name')}  {'  '.join(shown)}"
    for name, value in attributes.items():
        yield f"      {name}: {_value(value)}"
    for format, facts in told:
        yield ui.paint(f"      {format} says: {_value(facts)}", "dim")


def _said(*extras: "Mapping[str, Any]") -> list[tuple[str, Any]]:
    """Return what formats say beyond the model; how they spelt it is of no interest to people."""
    told: dict[str, dict[str, Any]] = {}
    for extra in extras:
        for format, facts in extra.items():
            told.setdefault(format, {}).update(facts if isinstance(facts, dict) else {"": facts})
    for facts in told.values():
        facts.pop("dvcs", None)
    return [(format, facts) for format, facts in told.items() if facts]


def _shape(name: str, value: Any) -> str:
    """Return a field's value; of long lists of coordinates only how many points there are."""
    if name == "parts":
        points = sum(len(ring) // 2 for part in value for ring in part)
        return f"{ui.plural(len(value), 'part')} of {ui.plural(points, 'point')}"
    if name == "points" and len(value) > 12:
        return ui.plural(len(value) // 2, "point")
    return _value(value)


def _value(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 100 else f"{text[:97]}..."
