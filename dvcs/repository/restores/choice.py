"""
What of another revision is wanted by `restore --from`: items, single annotations, or what is found.

    coco  coco/val  coco/val/000123  coco/*/street/*      items, by name
    coco/val/000123#17                                    the annotation with id 17
    coco/val/000123#n3                                    the third one, where ids do not tell

Items by name become what the other revision says, and are removed where it does not have them. An
XPath that finds items (`/item[...]`) does the same. One that finds annotations, a label, or a key
takes annotations only: a pair is chosen where either of its sides is.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import NamedTuple

from dvcs.errors import RevisionNotFound, UnknownName, UsageError
from dvcs.filters import Filter, compile_filter
from dvcs.model import Annotation, Item, Labels
from dvcs.model.annotations import names_of
from dvcs.names import is_cut, unquote
from dvcs.objects import trees
from dvcs.objects.items import decode_header, decode_item, key_maps
from dvcs.repository.diffing import Held
from dvcs.repository.merges.plan import is_named
from dvcs.repository.snapshot import SIZE, Snapshot
from dvcs.repository.working.difference import relabelled

PATTERN = frozenset("*?[")
SHOWN = 8
LOOKED_AT = 2000
"""Items among which one of nearly that name is looked for."""


class Part(NamedTuple):
    """One selector, taken apart: of items, or of one annotation by its key."""

    text: str
    path: str
    key: str | None = None


class Chosen(NamedTuple):
    """
    What is taken of a pair of items: all of it, or annotations by position on either side.

    `alone` are annotations here that go where they have no counterpart there.
    """

    whole: bool
    here: frozenset[int] = frozenset()
    there: frozenset[int] = frozenset()
    alone: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return self.whole or bool(self.here or self.there)


NOTHING = Chosen(whole=False)


class Choice:
    """What is wanted, checked against both revisions."""

    def __init__(
        self,
        here: Snapshot,
        there: Snapshot,
        selectors: Sequence[str],
        expression: str | None,
        labels: Sequence[str],
    ) -> None:
        self.here, self.there = here, there
        if not selectors and expression is None and not labels:
            raise UsageError(
                "nothing says what to take from there",
                hint="name items (SOURCE/SUBSET/ID), or use -e XPATH or --label; for all of a"
                " source, name it",
            )
        if expression is not None and labels:
            raise UsageError(
                "an expression and a label at once", hint="put the label into the expression"
            )
        self.filter: Filter | None = None if expression is None else compile_filter(expression)
        self.labels = frozenset(labels)
        self.parts = [self._part(text) for text in selectors]
        keyed = next((one for one in self.parts if one.key is not None), None)
        if keyed is not None and (self.filter is not None or labels):
            raise UsageError(
                f"'{keyed.text}' names one annotation, which leaves nothing to look for",
                hint="leave out -e and --label",
            )
        self._check_labels()

    # -- by name ---------------------------------------------------------------------------------

    def _part(self, text: str) -> Part:
        if self._is_known(text):
            return Part(text, text)
        path, hash_, key = text.rpartition("#")
        if hash_ and key and self._items(path):
            part = Part(text, path, key)
            self._check_key(part)
            return part
        if not PATTERN.isdisjoint(text) and self._matches(text):
            return Part(text, text)
        raise self._unknown(path if hash_ and self._is_known(path) else text)

    def _is_known(self, path: str) -> bool:
        return any(_exists(one, path) for one in (self.here, self.there))

    def _matches(self, pattern: str) -> bool:
        return any(
            is_named(f"{source}/{subset}/{id}", pattern)
            for one in (self.here, self.there)
            for source in one.sources
            for subset in one.sources[source].subsets
            for id in _ids(one, source, subset)
        )

    def _items(self, path: str) -> list[Item]:
        """Return the item of a path as it is here and there, where it is."""
        found = (_item_of(one, path) for one in (self.here, self.there))
        return [one for one in found if one is not None]

    def _check_key(self, part: Part) -> None:
        known = [name for one in self._items(part.path) for name in names_of(one.annotations)]
        if not any(_positions(one.annotations, part.key or "") for one in self._items(part.path)):
            listed = ", ".join(list(dict.fromkeys(known))[:SHOWN]) or "none"
            raise UsageError(
                f"'{part.path}' has no annotation '{part.key}', neither here nor there",
                hint=f"its annotations: {listed}{', ...' if len(set(known)) > SHOWN else ''}",
            )

    def _unknown(self, text: str) -> RevisionNotFound:
        sources = dict.fromkeys([*self.here.sources, *self.there.sources])
        subsets = [
            f"{source}/{subset}"
            for one in (self.here, self.there)
            for source in one.sources
            for subset in one.sources[source].subsets
        ]
        known = list(dict.fromkeys([*sources, *subsets]))
        inside = max((one for one in subsets if text.startswith(f"{one}/")), key=len, default=None)
        before = ""
        if inside is not None:
            before = f"{inside}/"
            known = list(islice(self._ids_of(inside), LOOKED_AT))
        near = get_close_matches(text.removeprefix(before).partition("#")[0], known, n=1)
        if near:
            hint = f"did you mean '{before}{near[0]}'?"
        elif inside is not None:
            hint = f"items are listed by 'dvcs show REV:{inside}'"
        else:
            hint = f"sources and subsets: {', '.join(known[:SHOWN]) or 'none'}"
        return RevisionNotFound(f"there is no '{text}', neither here nor there", hint=hint)

    def _ids_of(self, subset: str) -> Iterator[str]:
        for one in (self.here, self.there):
            for source, name, _ in _splits(one, subset):
                yield from _ids(one, source, name)

    def _check_labels(self) -> None:
        known = {
            name
            for one in (self.here, self.there)
            for source in one.sources
            if self.touches(source)
            for name in one.labels(source).names
        }
        for name in self.labels - known:
            raise UnknownName("label", name, known)

    # -- of pairs --------------------------------------------------------------------------------

    def touches(self, source: str) -> bool:
        """Tell whether anything of a source can be wanted."""
        return not self.parts or any(
            not PATTERN.isdisjoint(one.path)
            or one.path == source
            or one.path.startswith(f"{source}/")
            for one in self.parts
        )

    def names_source(self, source: str) -> bool:
        """Tell whether all of a source is wanted, by its name."""
        return any(one.path == source for one in self.parts) and not self.looks_inside

    @property
    def looks_inside(self) -> bool:
        """Whether items must be read to know whether they are wanted."""
        return self.filter is not None or bool(self.labels)

    def wants(self, was: Held | None, now: Held | None) -> list[Part] | None:
        """Return the selectors that mean a pair (none needed: all are), None where none does."""
        if not self.parts:
            return []
        paths = [f"{one.source}/{one.subset}/{one.id}" for one in (was, now) if one is not None]
        found = [one for one in self.parts if any(is_named(path, one.path) for path in paths)]
        return found or None

    def chosen(
        self, parts: Sequence[Part], here: Item | None, there: Item | None, labels: "Sides"
    ) -> Chosen:
        """Return what is taken of a pair that is meant; the labels of items are keys."""
        if not self.looks_inside:
            keys = [one.key for one in parts if one.key is not None]
            if len(keys) < len(parts):
                return Chosen(whole=True)
            return _by_key(keys, here, there)
        found = [
            self._found(None if one is None else relabelled(one, names), known)
            for one, (known, names) in zip((here, there), labels, strict=True)
        ]
        if any(one.whole for one in found):
            return Chosen(whole=True)
        if there is None:
            return NOTHING
        return Chosen(whole=False, here=found[0].here, there=found[1].here)

    def _found(self, item: Item | None, labels: Labels) -> Chosen:
        if item is None:
            return NOTHING
        if self.filter is not None:
            selected = self.filter.selected(item, labels)
            return Chosen(selected.item, frozenset(selected.annotations))
        notes = enumerate(item.annotations)
        return Chosen(
            whole=False, here=frozenset(n for n, one in notes if one.label in self.labels)
        )


Sides = tuple[tuple[Labels, dict[str, str]], tuple[Labels, dict[str, str]]]
"""Here and there: the labels of a source, and the names of its keys."""


def sides_of(here: Snapshot, there: Snapshot, source: str) -> Sides:
    """Return the labels of a source on both sides."""
    known = [one.labels(source) if source in one.sources else Labels() for one in (here, there)]
    return (known[0], key_maps(known[0])[1]), (known[1], key_maps(known[1])[1])


# -- annotations by key --------------------------------------------------------------------------


def _positions(notes: Sequence[Annotation], key: str) -> list[int]:
    found = [at for at, name in enumerate(names_of(notes)) if name == key]
    if not found and key[:1] == "n" and key[1:].isdecimal() and 0 < int(key[1:]) <= len(notes):
        return [int(key[1:]) - 1]
    return found


def _by_key(keys: Iterable[str], here: Item | None, there: Item | None) -> Chosen:
    """
    Return the annotations of some keys: of those there, else (they are to go) of those here.

    One that has the same id here and is nothing else there was that annotation.
    """
    mine: set[int] = set()
    theirs: set[int] = set()
    alone: set[int] = set()
    for key in keys:
        found = _positions(there.annotations, key) if there is not None else []
        known = _positions(here.annotations, key) if here is not None else []
        theirs.update(found)
        if not found:
            mine.update(known)
        elif here is not None:
            alone.update(at for at in known if here.annotations[at].id)
    return Chosen(
        whole=False, here=frozenset(mine), there=frozenset(theirs), alone=frozenset(alone)
    )


# -- names in a revision -------------------------------------------------------------------------


def _splits(snapshot: Snapshot, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield the ways to read a path as source, subset and id; the latter may be empty."""
    for source in snapshot.sources:
        if path == source:
            yield source, "", ""
        elif path.startswith(f"{source}/"):
            rest = path[len(source) + 1 :]
            for subset in snapshot.sources[source].subsets:
                if rest == subset:
                    yield source, subset, ""
                elif rest.startswith(f"{subset}/"):
                    yield source, subset, rest[len(subset) + 1 :]


def _exists(snapshot: Snapshot, path: str) -> bool:
    """Tell whether a path is a source, a subset, an item, or what the ids of items begin with."""
    for source, subset, id in _splits(snapshot, path.rstrip("/")):
        if not id or snapshot.find(source, subset, id) is not None:
            return True
        if any(one.startswith(f"{id}/") for one in _ids(snapshot, source, subset)):
            return True
    return False


def _ids(snapshot: Snapshot, source: str, subset: str) -> Iterator[str]:
    for name, blobs in trees.walk(snapshot.reader, snapshot.sources[source].subsets.get(subset)):
        quoted = name.decode(errors="replace")
        if is_cut(quoted):
            yield decode_header(snapshot.store.blob(blobs[:SIZE])).id or quoted
        else:
            yield unquote(quoted)


def _item_of(snapshot: Snapshot, path: str) -> Item | None:
    for source, subset, id in _splits(snapshot, path):
        held = snapshot.find(source, subset, id) if id else None
        if held is not None:
            return decode_item(snapshot.blobs(held), id, subset)
    return None
