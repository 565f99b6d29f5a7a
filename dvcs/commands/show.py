"""`dvcs show`: a commit with what it changed, or an item as it is in a revision."""

from collections.abc import Iterator
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
@json_option
@with_repo
def command(repo: "Repository", /, *, what: str, stat: bool, as_json: bool) -> None:
    """
    Show a commit or an item.

    A commit is shown with what it changed in each annotation, compared with its first parent. Of an
    item, everything that is known of it is shown; of a source or subset, its items.
    """
    from dvcs.commands._selectors import locate

    revision, colon, path = what.partition(":")
    oid = repo.resolve(revision or "HEAD")
    if not colon:
        _commit(repo, oid, stat=stat, as_json=as_json)
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


def _commit(repo: "Repository", oid: bytes, *, stat: bool, as_json: bool) -> None:
    from dvcs.commands import _render
    from dvcs.compare import report, summarise
    from dvcs.repository.diffing import diff

    commit = repo.store.commit(oid)
    changes = diff(repo, commit.parents[0] if commit.parents else None, oid)
    if as_json:
        ui.emit_json("dvcs.show/1", {**_render.commit_report(oid, commit), **report(changes)})
        return

    def lines() -> Iterator[str]:
        yield from _render.commit_lines(oid, commit, _render.decorations(repo).get(oid, ()))
        yield ""
        if stat:
            yield from _render.stat_lines(summarise(changes))
            return
        for change in changes:
            if change.is_change:
                yield from _render.change_lines(change)

    ui.page(lines())


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
    for name, value in item.extra.items():
        yield ui.paint(f"{name} says: {_value(value)}", "dim")
    if item.annotations:
        yield ""
        yield ui.plural(len(item.annotations), "annotation")
    for note in item.annotations:
        fields = plain_annotation(note) or {}
        head = [str(fields.pop("type", note.kind)), *([note.label] if note.label else [])]
        fields.pop("label", None)
        attributes = fields.pop("attributes", {})
        shown = [f"{name}={_value(value)}" for name, value in fields.items()]
        yield f"  {ui.paint(' '.join(head), 'name')}  {'  '.join(shown)}"
        for name, value in attributes.items():
            yield f"      {name}: {_value(value)}"


def _value(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 100 else f"{text[:97]}..."
