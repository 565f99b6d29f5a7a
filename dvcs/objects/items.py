"""
Items and labels as canonical text, and back: the one module of `objects/` that knows the model.

An item is JSON Lines. The first line says what the item is (media, attributes, whether it was
annotated), each further line is one annotation:

    {"annotated":true,"media":{"files":[{"ext":".jpg","role":"image"}],"height":480,...}}
    {"h":20.5,"id":7,"label":"cat","type":"bbox","w":10.0,"x":1.0,"y":2.0}

The text is canonical (`docs/storage.md` has the grammar): equal values give equal bytes, whatever
Python types they were built from. Labels are keys here, names in the model.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Union, cast

import msgspec

from dvcs.errors import CorruptObject
from dvcs.model import (
    KINDS,
    Annotation,
    AttributeSpec,
    Category,
    Item,
    Labels,
    Media,
    Other,
    Points,
    Polygon,
)
from dvcs.objects._exact import is_exact, is_exact_header
from dvcs.objects.canonical import ENCODER, Uncanonical, canonical_json, number, plain

PART_LIMIT = 4 << 20
"""Bytes above which an item continues in a further blob."""
NEWER = "dvcs"
"""The name in an item's `extra` of what a newer dvcs wrote and this one does not know."""

_KNOWN = Union[tuple(KINDS.values())]  # type: ignore[valid-type]  # noqa: UP007
_ANNOTATIONS: msgspec.json.Decoder[Annotation] = msgspec.json.Decoder(
    cast("type[Annotation]", _KNOWN)
)
_BY_KIND = {cls.kind.encode(): msgspec.json.Decoder(cls) for cls in KINDS.values()}
_NEGATIVE_ZERO = re.compile(rb"-0\.0(?![0-9])")
_FLOAT_FIELDS = {
    kind: tuple(
        field.name
        for field in msgspec.structs.fields(cls)
        if field.type in (float, float | None) and field.name != "score"
    )
    for kind, cls in KINDS.items()
}


class Header(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """
    The first line of an item.

    `id` stands here only where the tree name was too long to hold it, `continues` (how many blobs
    follow) only above 4 MiB. `unknown` keeps what a newer dvcs wrote.
    """

    annotated: bool | None = None
    attributes: Mapping[str, Any] = {}
    continues: int = 0
    extra: Mapping[str, Any] = {}
    id: str | None = None
    media: Media | None = None
    unknown: dict[str, Any] = {}


_HEADERS = msgspec.json.Decoder(Header)


# -- writing -------------------------------------------------------------------------------------


def encode_item(
    item: Item,
    keys: Mapping[str, str] | None = None,
    *,
    keep_id: bool = False,
    decoded: bool = False,
) -> list[bytes]:
    """
    Return the blobs of an item: one, or several where it is larger than 4 MiB.

    `keys` maps label names to keys where any differ. `keep_id` writes the id into the first line.
    With `decoded`, annotations are known to have the types that they declare (`Dataset.decoded`),
    which takes a seventh of an import to find out.

    Raises Uncanonical, naming the item and annotation, for values that JSON cannot hold.
    """
    notes = ordered(item.annotations)
    if keys:
        notes = [_relabelled(note, keys) for note in notes]
    extra, unknown = _without_newer(item.extra)
    header = Header(
        annotated=item.annotated,
        attributes=item.attributes,
        extra=extra,
        media=item.media,
        id=item.id if keep_id else None,
        unknown=unknown,
    )
    try:
        lines = (decoded and notes and _encoded_lines(notes)) or encode_annotations(notes)
        first = _encode_header(header)
    except Uncanonical as error:
        raise Uncanonical(f"item '{item.id}': {error}", hint=error.hint) from None
    except RecursionError:
        raise Uncanonical(f"item '{item.id}': a value is nested too deeply") from None
    if len(lines) <= PART_LIMIT:
        return [b"%b\n%b" % (first, lines)]
    parts = _cut(lines)
    first = _encode_header(msgspec.structs.replace(header, continues=len(parts) - 1))
    return [b"%b\n%b" % (first, parts[0]), *parts[1:]]


def encode_annotations(notes: Sequence[Annotation]) -> bytes:
    """Return annotations as canonical lines, each with its newline. Raises Uncanonical."""
    if not notes:
        return b""
    lines = _written_as_they_stand(notes)
    if lines is not None:
        return lines
    return b"".join(encode_annotation(note) + b"\n" for note in notes)


def encode_annotation(note: Annotation) -> bytes:
    """Return one annotation as a canonical line without its newline, whatever it was built from."""
    if isinstance(note, Other) and note.format == "dvcs":
        return canonical_json(note.record)
    line = _written_as_they_stand([note])
    if line is not None:
        return line[:-1]
    try:
        return _rebuilt(note)
    except (TypeError, ValueError) as error:  # of which msgspec's are some
        raise Uncanonical(f"annotation {note.id!r} ({note.kind}): {error}") from None


def _rebuilt(note: Annotation) -> bytes:
    fields = {name: getattr(note, name) for name in note.__struct_fields__}
    for name in _FLOAT_FIELDS[note.kind]:
        fields[name] = number(fields[name], f"'{name}'")
    if fields["score"] is not None:
        fields["score"] = number(fields["score"], "'score'")
    for name in ("points", "position", "rotation", "scale"):
        if name in fields:
            fields[name] = _numbers(fields[name], f"'{name}'")
    if isinstance(note, Polygon):
        fields["parts"] = [[_numbers(ring, "'parts'") for ring in part] for part in note.parts]
    if isinstance(note, Points):
        fields["visibility"] = [int(value) for value in note.visibility]
    unknown = fields.pop("unknown")
    clean = {name: plain(value, f"'{name}'") for name, value in fields.items()}
    line = ENCODER.encode(msgspec.convert(clean, type(note)))
    if not unknown:
        return line
    return canonical_json({**unknown, **msgspec.json.decode(line)})


def _numbers(values: Iterable[Any], where: str) -> list[float]:
    return [number(value, where) for value in values]


def _written_as_they_stand(notes: Sequence[Annotation]) -> bytes | None:
    try:
        exact = all(map(is_exact, notes))
    except TypeError:  # a shape that is no list
        exact = False
    return _encoded_lines(notes) if exact else None


def _encoded_lines(notes: Sequence[msgspec.Struct]) -> bytes | None:
    """Return lines as the encoder writes them, None where that is not canonical."""
    try:
        lines = ENCODER.encode_lines(notes)
    except (TypeError, OverflowError, ValueError):
        return None
    # One character is found ten times as fast as four, and coordinates are seldom negative.
    if b"-" in lines and b"-0.0" in lines and _NEGATIVE_ZERO.search(lines):
        return None
    return lines


def _encode_header(header: Header) -> bytes:
    if is_exact_header(header):
        line = _encoded_lines([header])
        if line is not None:
            return line[:-1]
    fields = {name: getattr(header, name) for name in header.__struct_fields__}
    unknown = fields.pop("unknown")
    if not header.continues:
        del fields["continues"]
    clean = {
        name: plain(value, f"'{name}'")
        for name, value in fields.items()
        if value is not None and value != {}
    }
    return ENCODER.encode({**plain(unknown, "'unknown'"), **clean})


def _without_newer(extra: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Split what a newer dvcs wrote into the first line (`decode_item` keeps it) from `extra`."""
    newer = extra.get(NEWER)
    if not isinstance(newer, dict):
        return extra, {}
    return {name: value for name, value in extra.items() if name != NEWER}, newer


def _relabelled(note: Annotation, keys: Mapping[str, str]) -> Annotation:
    if note.label is None or keys.get(note.label, note.label) == note.label:
        return note
    return note.with_(label=keys[note.label])


def _cut(lines: bytes) -> list[bytes]:
    parts = []
    start = 0
    while len(lines) - start > PART_LIMIT:
        end = lines.rfind(b"\n", start, start + PART_LIMIT) + 1
        if end <= start:  # one line above the limit stays whole
            end = lines.index(b"\n", start) + 1
        parts.append(lines[start:end])
        start = end
    if start < len(lines):
        parts.append(lines[start:])
    return parts


def ordered(notes: Sequence[Annotation]) -> Sequence[Annotation]:
    """
    Return annotations in canonical order with canonical groups.

    By id where all are non-zero and unique (numbers before texts), else as they stand. Groups are
    numbered by first appearance from 1; a group of one is none.
    """
    if len(notes) > 1:
        ids = [note.id for note in notes]
        if 0 not in ids and len(set(ids)) == len(ids):
            numbers = all(isinstance(one, int) for one in ids)
            if not (numbers and all(a < b for a, b in pairwise(ids))):  # type: ignore[operator]
                notes = sorted(notes, key=lambda note: (isinstance(note.id, str), note.id))
    if any(note.group for note in notes):
        notes = regrouped(notes)
    return notes


def regrouped(notes: Sequence[Annotation]) -> list[Annotation]:
    """Number groups by first appearance from 1; a group of one becomes 0."""
    sizes: dict[int, int] = {}
    for note in notes:
        if note.group:
            sizes[note.group] = sizes.get(note.group, 0) + 1
    numbers: dict[int, int] = {}
    result = []
    for note in notes:
        group = note.group
        if group:
            new = numbers.setdefault(group, len(numbers) + 1) if sizes[group] > 1 else 0
            if new != group:
                note = note.with_(group=new)  # noqa: PLW2901
        result.append(note)
    return result


# -- reading -------------------------------------------------------------------------------------


def decode_header(blob: bytes) -> Header:
    """Return the first line of an item's first blob. Raises CorruptObject."""
    line = blob.partition(b"\n")[0]
    try:
        header = _HEADERS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _newer_header(line, error)
    return _newer_header(line, None) if header.unknown else header


def _newer_header(line: bytes, error: Exception | None) -> Header:
    fields = _mapping(line, error)
    known = {
        name: fields.pop(name)
        for name in Header.__struct_fields__
        if name in fields and name != "unknown"
    }
    try:
        header = msgspec.convert(known, Header)
    except msgspec.ValidationError as second:
        raise CorruptObject(f"the first line of an item cannot be read: {second}") from None
    return msgspec.structs.replace(header, unknown=fields)


def decode_annotations(lines: bytes) -> list[Annotation]:
    """Return the annotations of canonical (or merely valid) lines. Raises CorruptObject."""
    if not lines:
        return []
    try:
        notes = _decoded_alike(lines)
        if notes is None:
            notes = _ANNOTATIONS.decode_lines(lines)
        if not any([note.unknown for note in notes]):  # noqa: C419 -- half the time
            return notes
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return [decode_annotation(line) for line in lines.split(b"\n") if line.strip()]


def _decoded_alike(lines: bytes) -> list[Annotation] | None:
    """
    Return the annotations where all are of one kind, None where they are not.

    A decoder of many kinds looks for the key `type` first and then reads the line again, which
    for polygons, whose `type` stands at the end, takes a third longer.
    """
    start = lines.rfind(b'"type":"')
    key = lines[start : lines.find(b'"', start + 8) + 1]
    decoder = _BY_KIND.get(key[8:-1])
    if decoder is None or key not in lines[: lines.find(b"\n")]:
        return None
    try:
        notes: list[Annotation] = decoder.decode_lines(lines)
    except msgspec.ValidationError:
        return None
    # It takes a line without a type for one of its own.
    return notes if lines.count(key) == len(notes) else None


def decode_annotation(line: bytes) -> Annotation:
    """Return one annotation; keys and kinds that this dvcs does not know are carried along."""
    try:
        note = _ANNOTATIONS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _newer_annotation(line, error)
    return _newer_annotation(line, None) if note.unknown else note


def _newer_annotation(line: bytes, error: Exception | None) -> Annotation:
    fields = _mapping(line, error)
    kind = fields.get("type")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        return Other("dvcs", fields)
    names = {*cls.__struct_fields__, "type"} - {"unknown"}
    unknown = {name: fields.pop(name) for name in list(fields) if name not in names}
    try:
        note = msgspec.convert(fields, cls)
    except msgspec.ValidationError as second:
        raise CorruptObject(f"an annotation cannot be read: {second}") from None
    return note.with_(unknown=unknown)


def _mapping(line: bytes, error: Exception | None) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as second:
        fields, error = None, error or second
    if not isinstance(fields, dict):
        raise CorruptObject(f"a line of an item cannot be read: {error}") from None
    return fields


def decode_item(
    blobs: Sequence[bytes], id: str, subset: str, names: Mapping[str, str] | None = None
) -> Item:
    """
    Return the item of its blobs. `names` maps label keys to names where any differ.

    `id` is what the tree says; an id in the first line stands above it. Raises CorruptObject, also
    where not all blobs are there that the first announces.
    """
    first, _, rest = blobs[0].partition(b"\n")
    header = decode_header(first)
    if header.continues != len(blobs) - 1:
        raise CorruptObject(
            f"item '{id}' goes on in {header.continues} further files, found {len(blobs) - 1}"
        )
    if len(blobs) > 1:
        rest += b"".join(blobs[1:])
    notes = decode_annotations(rest)
    if names:
        notes = [_relabelled(note, names) for note in notes]
    return Item(
        id=header.id or id,
        subset=subset,
        media=header.media,
        annotations=notes,
        attributes=header.attributes,
        annotated=header.annotated,
        extra={**header.extra, NEWER: header.unknown} if header.unknown else header.extra,
    )


def is_canonical(blobs: Sequence[bytes]) -> bool:
    """Tell whether blobs are spelt exactly as `encode_item` would spell them."""
    header = decode_header(blobs[0])
    item = decode_item(blobs, header.id or "", "")
    return encode_item(item, keep_id=header.id is not None) == list(blobs)


# -- labels --------------------------------------------------------------------------------------


class _Table(msgspec.Struct, frozen=True, omit_defaults=True):
    attributes: tuple[AttributeSpec, ...] = ()
    extra: dict[str, Any] = {}
    labels: tuple[Category, ...] = ()


_TABLES = msgspec.json.Decoder(_Table)


def encode_labels(labels: Labels) -> bytes:
    """Return `categories.json`: one label a line."""
    head = {
        "attributes": [msgspec.to_builtins(one) for one in labels.attributes],
        "extra": labels.extra,
    }
    fields = [
        f'"{name}":'.encode() + canonical_json(value) + b","
        for name, value in head.items()
        if value
    ]
    lines = b",\n".join(canonical_json(msgspec.to_builtins(one)) for one in labels)
    return b'{%b"labels":[\n%b%b]}\n' % (b"".join(fields), lines, b"\n" if lines else b"")


def decode_labels(blob: bytes) -> Labels:
    """Return the labels of `categories.json`. Raises CorruptObject."""
    try:
        table = _TABLES.decode(blob)
        return Labels(table.labels, attributes=table.attributes, extra=table.extra)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CorruptObject(f"'categories.json' cannot be read: {error}") from None


def key_maps(labels: Labels) -> tuple[dict[str, str], dict[str, str]]:
    """Return name → key and key → name of the labels for which they differ."""
    differing = [one for one in labels if one.key != one.name]
    return {one.name: one.key for one in differing}, {one.key: one.name for one in differing}
