"""
A part of another revision, taken into the current branch: half of a delivery is accepted.

Items are paired as a comparison pairs them, so one that moved there moves here. Of an item taken
whole, the text is taken as it stands there. Of one taken in part, chosen annotations replace those
that they are paired with and keep the ids that they have here; what has no counterpart is added, or
goes. Labels that are used and not known here are added; one of the same name counts as the same.

What is added may have a number that something else got here meanwhile: then it gets a new one.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dvcs.compare import Summary, Tally, compare_items
from dvcs.errors import RepositoryError, RevisionNotFound
from dvcs.model import Category, Item, Labels
from dvcs.names import is_cut, quote
from dvcs.objects.items import decode_item, encode_item
from dvcs.repository.diffing import Held, Waiting, paired
from dvcs.repository.restores.choice import NOTHING, Choice, Chosen, sides_of
from dvcs.repository.restores.notes import Notes
from dvcs.repository.restores.numbers import Numbers
from dvcs.repository.snapshot import Snapshot
from dvcs.repository.transaction import Committed, Transaction
from dvcs.repository.working import checkout

if TYPE_CHECKING:
    from dvcs.repository import Repository

SUBJECT = 60
HELD = 4096
"""Items that are kept in memory between being chosen and being taken; others are read again."""
Both = tuple[Item | None, Item | None]


class Restored(NamedTuple):
    """What was committed, or would be, and the numbers of it."""

    committed: Committed
    summary: Summary
    labels: tuple[str, ...]
    """Labels that were added."""


def restore_from(
    repo: "Repository",
    revision: str,
    selectors: Sequence[str] = (),
    *,
    expression: str | None = None,
    labels: Sequence[str] = (),
    message: str | None = None,
    dry_run: bool = False,
) -> Restored:
    """
    Commit a part of what another revision says (`choice.py` tells which), on this branch.

    `expression` is XPath (`dvcs/filters/`), `labels` are names. Nothing to be changed: no commit
    is made, `changed` is False. Raises RevisionNotFound, also for selectors that name nothing;
    UsageError; UnknownName for a label; DirtyWorkingCopy.
    """
    oid, source = repo.parse(revision)
    head = repo.refs.head_commit()
    if head is None:
        raise RepositoryError("there is no commit here yet", hint="go to a branch that has some")
    there = repo.snapshot(oid)
    names = tuple(selectors) or ((source,) if source else ())
    choice = Choice(repo.snapshot(head), there, names, expression, labels)
    touched = [one for one in sorted({*choice.here.sources, *there.sources}) if choice.touches(one)]
    checkout.require_clean(repo, touched, doing="this")
    with repo.transaction(base=head) as change:
        tally, added = Tally(), list[str]()
        for name in touched:
            _refuse_gone(choice, name, revision)
            part = _SourcePart(change, choice, name, tally)
            part.take()
            added += part.added
        arguments = {
            "from": oid.hex(),
            "items": list(names) or None,
            "filter": expression,
            "labels": list(labels) or None,
        }
        if dry_run:
            differs = change.sources != change.before.sources
            return Restored(
                Committed(head, change.sources, changed=differs), tally.summary(), tuple(added)
            )
        text = message or _message(revision, names, expression, labels)
        done = change.commit(text, operation="restore", arguments=arguments)
    if done.changed:
        checkout.update_copies(repo)
    return Restored(done, tally.summary(), tuple(added))


def _refuse_gone(choice: Choice, name: str, revision: str) -> None:
    if name not in choice.there.sources and choice.names_source(name):
        raise RevisionNotFound(
            f"'{revision}' has no source '{name}'",
            hint=f"to remove it here too: dvcs remove {name}",
        )


def _message(
    revision: str, names: Sequence[str], expression: str | None, labels: Sequence[str]
) -> str:
    what = ", ".join([*names, *([expression] if expression else []), *labels])
    if len(what) > SUBJECT:
        what = f"{what[: SUBJECT - 3]}..."
    return f"Restore {what} from {revision}"


class _Labels:
    """The labels of a source here, growing by what is taken from there."""

    def __init__(self, here: Labels, there: Labels) -> None:
        self.labels = here
        self._keys = {one.key for one in here}
        self._there = {one.key: one for one in there}
        self.added: list[Category] = []

    def translated(self, item: Item) -> Item:
        """Return an item of there with the keys of here."""
        keys = {note.label: self._key(note.label) for note in item.annotations if note.label}
        if all(old == new for old, new in keys.items()):
            return item
        return item.with_(
            annotations=[
                note.with_(label=keys[note.label]) if note.label else note
                for note in item.annotations
            ]
        )

    def _key(self, key: str) -> str:
        one = self._there.get(key)
        if key in self._keys or one is None or one.name not in self.labels:
            return key
        return self.labels[one.name].key

    def need(self, item: Item) -> None:
        """Add the labels of there that an item uses and that are not here."""
        for note in item.annotations:
            one = self._there.get(note.label or "")
            if one is not None and one.key not in self._keys:
                self.added.append(one)
                self._keys.add(one.key)
                self.labels = self.labels.replaced((*self.labels, one))


class _SourcePart:
    """What of one source is taken."""

    def __init__(self, change: Transaction, choice: Choice, name: str, tally: Tally) -> None:
        self.change, self.choice, self.name, self.tally = change, choice, name, tally
        self.here, self.there = choice.here, choice.there
        self.sides = sides_of(self.here, self.there, name)
        self.labels = _Labels(self.sides[0][0], self.sides[1][0])
        self.numbers = Numbers(self.here, self.there, name)
        self.changes: dict[str, dict[bytes, bytes | None]] = {}

    @property
    def added(self) -> list[str]:
        """Names of the labels that were added."""
        return [one.name for one in self.labels.added]

    def take(self) -> None:
        """Stage the source as it is to be."""
        pairs = paired(self.here, self.there, self.name)
        for was, now, here, item, chosen in self._results(pairs):
            place = now if was is None or chosen.whole else was
            if item is None:
                self._put(was, None)
                continue
            assert place is not None  # noqa: S101 - an item has a name on one side
            if was is not None and (was.subset, was.id) != (place.subset, place.id):
                self._put(was, None)
            named = item.with_(id=place.id, subset=place.subset)
            self.labels.need(named)
            self._put(place, named)
            self._count(here, named)
        self._set()

    def _results(
        self, pairs: Sequence[Waiting]
    ) -> Iterator[tuple[Held | None, Held | None, Item | None, Item | None, Chosen]]:
        """Yield what becomes of pairs that are concerned: the item here before, and after."""
        found: list[tuple[Waiting, Chosen, Both | None]] = []
        for was, now in pairs:
            parts = self.choice.wants(was, now)
            here = there = None
            chosen = NOTHING
            if parts is not None:
                here, there = self._item(self.here, was), self._item(self.there, now)
                chosen = self.choice.chosen(parts, here, there, self.sides)
                if chosen:
                    found.append(((was, now), chosen, (here, there) if len(found) < HELD else None))
            if was is not None and not chosen.whole:
                self.numbers.learn(here or self._item(self.here, was))
        for (was, now), chosen, both in found:
            here, there = both or (self._item(self.here, was), self._item(self.there, now))
            after = self._after(here, there, chosen)
            if after is not here:
                yield was, now, here, after, chosen

    def _item(self, snapshot: Snapshot, held: Held | None) -> Item | None:
        """Return an item, its labels as keys."""
        if held is None:
            return None
        return decode_item(snapshot.blobs(held.blobs), held.id, held.subset)

    def _after(self, here: Item | None, there: Item | None, chosen: Chosen) -> Item | None:
        """Return what becomes of an item; `here` itself for nothing."""
        if there is None:
            if chosen.whole or here is None:
                return None
            left = [one for at, one in enumerate(here.annotations) if at not in chosen.here]
            return here.with_(annotations=left)
        there = self.labels.translated(there)
        if here is None and not chosen.whole:
            there = there.with_(annotations=[there.annotations[at] for at in sorted(chosen.there)])
        if here is None or chosen.whole:
            return self.numbers.whole(here, there)
        notes = Notes(here, there, chosen)
        place = here.subset, here.id
        result = self.numbers.added(notes.result(), notes.fresh, place)
        known = here.annotated is True or not notes.fresh
        annotated = here.annotated if known else there.annotated
        return here.with_(annotations=result, annotated=annotated)

    # -- staging ---------------------------------------------------------------------------------

    def _put(self, held: Held | None, item: Item | None) -> None:
        if held is None:
            return
        name = quote(held.id)
        subset = self.changes.setdefault(held.subset, {})
        if item is None:
            subset.setdefault(name.encode(), None)
            return
        parts = encode_item(item, keep_id=is_cut(name))
        subset[name.encode()] = b"".join(self.change.writer.blob(part) for part in parts)

    def _count(self, here: Item | None, item: Item) -> None:
        change = compare_items(here, item)
        if change is not None:
            self.tally.add(change)

    def _set(self) -> None:
        if not self.changes:
            return
        if self.name not in self.change.sources:
            held = self.there.sources[self.name]
            self.change.sources[self.name] = held._replace(subsets={})
            self.change.set_labels(self.name, self.sides[1][0])
        elif self.labels.added:
            self.change.set_labels(self.name, self.labels.labels)
        self.change.change_items(self.name, self.changes)
