"""
Samples changed by script on two branches: every kind of change, and every kind of conflict.

A merge comes to exactly what the scripts say: the same trees, byte for byte.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import pytest

from dvcs.model import AttributeSpec, Bbox, Category, Points, Polygon
from dvcs.repository import Repository
from dvcs.repository.merges import conflicts, merging
from dvcs.repository.merges.conflicts import Wanted
from tests.repository.sample_scripts import SAMPLES, Data, Script, load, moved, tree_of, write
from tests.repository.scenes import git


class Held:
    """A sample in a repository, and branches of it: one for each version, made once."""

    def __init__(self, repo: Repository, data: Data) -> None:
        self.repo, self.data = repo, data
        write(repo, data, "main")
        self.root = repo.resolve("main")
        self.known = {tree_of(repo, data): self.root}
        self.count = 0

    def commit(self, data: Data) -> bytes:
        """Return a commit of a version, whose parent is the first."""
        tree = tree_of(self.repo, data)
        if tree not in self.known:
            self.known[tree] = self.repo.resolve(self.fresh(self.root, data))
        return self.known[tree]

    def fresh(self, start: bytes, data: Data | None = None) -> str:
        """Make a new branch, with a version if one is given."""
        self.count += 1
        self.repo.create_branch(f"b{self.count}", start)
        if data is not None:
            write(self.repo, data, f"b{self.count}")
        return f"b{self.count}"

    def merge(self, ours: Data, theirs: Data) -> tuple[str, merging.Merged]:
        """Merge two versions; return the branch that holds the merge."""
        sides = [self.commit(one) for one in (ours, theirs)]
        if conflicts.is_under_way(self.repo):
            merging.abort(self.repo)
        into = self.fresh(sides[0])
        request = merging.Request(revision=sides[1].hex(), into=into, fast_forward=False)
        return into, merging.merge(self.repo, request)

    def check(self, branch: str, expected: Data) -> None:
        """Fail, showing the lines that differ, where a branch does not hold just that."""
        if self.repo.tree_of(self.repo.resolve(branch)) != tree_of(self.repo, expected):
            wanted = self.fresh(self.root, expected)
            text = git(self.repo, "diff", branch, wanted)
            pytest.fail("merged (-) is not as expected (+):\n" + text)


@pytest.fixture(scope="module", params=SAMPLES)
def held(request, samples, tmp_path_factory):
    # A thousand merges would wait for the disk most of the time; safety is tested elsewhere.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        yield from opened(request, samples, tmp_path_factory)


def opened(request, samples, tmp_path_factory):
    with Repository.init(tmp_path_factory.mktemp(request.param) / "repo") as repo:
        yield Held(repo, load(samples, request.param))


# -- changes -------------------------------------------------------------------------------------


def note(mark: str, nick: str, **fields: Any) -> Script:
    return lambda data: data.with_note(mark, nick, **fields)


def shifted(mark: str, nick: str, part: float) -> Script:
    return lambda data: data.with_note(mark, nick, **moved(data.note(mark, nick), part))


def attribute(mark: str, nick: str, **values: Any) -> Script:
    def script(data: Data) -> Data:
        attributes = {**data.note(mark, nick).attributes, **values}
        kept = {name: value for name, value in attributes.items() if value is not None}
        return data.with_note(mark, nick, attributes=kept)

    return script


def another_label(data: Data, *not_these: str) -> str:
    used = {data.note(mark, nick).label for mark in "ABCD" for nick in ("one", "two", "three")}
    return next(
        (one.key for one in data.labels if one.key not in {*used, *not_these}),
        next(one.key for one in data.labels if one.key not in not_these),
    )


def relabelled(mark: str, nick: str, number: int = 0) -> Script:
    def script(data: Data) -> Data:
        known = data.note(mark, nick).label
        keys = [one.key for one in data.labels if one.key != known]
        return data.with_note(mark, nick, label=keys[number])

    return script


def new_box(data: Data, mark: str, nick: str = "new", x: float = 3000.0) -> Bbox:
    """Return a box away from all others, of a label that is there."""
    label = data.note(mark, "one").label
    return Bbox(
        x=x, y=10.0, w=40.0, h=20.0, label=label, id=data.next_id(), attributes={"nick": nick}
    )


def added(mark: str, nick: str = "new", x: float = 3000.0) -> Script:
    return lambda data: data.add_note(mark, new_box(data, mark, nick, x))


def new_item(data: Data, mark: str) -> Data:
    one = data.item("D")
    file = msgspec.structs.replace(one.media.files[0], sha256="f" * 64)
    extra = {name: {k: v for k, v in held.items() if k != "id"} for name, held in one.extra.items()}
    return data.put(
        one.with_(
            id=f"fresh/{mark}",
            media=msgspec.structs.replace(one.media, files=(file,)),
            annotations=[new_box(data, "D")],
            attributes={"mark": mark},
            extra=extra,
        )
    )


def replaced_media(mark: str, letter: str) -> Script:
    def script(data: Data) -> Data:
        media = data.item(mark).media
        file = msgspec.structs.replace(media.files[0], sha256=letter * 64, size=77)
        return data.with_item(mark, media=msgspec.structs.replace(media, files=(file,)))

    return script


def item_attribute(mark: str, **values: Any) -> Script:
    return lambda data: data.with_item(mark, attributes={**data.item(mark).attributes, **values})


def labels(change: Callable[[list[Category]], list[Category]]) -> Script:
    return lambda data: data.with_labels(*change(list(data.labels)))


def metadata(**values: Any) -> Script:
    return lambda data: data.with_info(metadata={**data.info.metadata, **values})


def grouped(mark: str, *nicks: str) -> Script:
    def script(data: Data) -> Data:
        number = 1 + max(one.group for one in data.item(mark).annotations)
        for nick in nicks:
            notes = [
                one.with_(group=number) if one.attributes.get("nick") == nick else one
                for one in data.item(mark).annotations
            ]
            at = data.at(mark)
            item = data.items[at].with_(annotations=notes)
            data = data._replace(items=(*data.items[:at], item, *data.items[at + 1 :]))
        return data.with_item(mark)

    return script


def reordered(data: Data) -> Data:
    notes = list(data.item("A").annotations)
    if notes[0].id:
        return data  # ids are the order
    return data.with_item("A", annotations=[*notes[1:], notes[0]])


def with_kind(data: Data) -> Data:
    old = data.note("A", "one")
    if isinstance(old, Bbox):
        x, y, w, h = old.geometry
        ring = [x, y, x + w, y, x + w, y + h, x, y + h]
        new = Polygon(parts=[[ring]], **shared(old))
    else:
        ring = old.parts[0][0]
        x, y = min(ring[::2]), min(ring[1::2])
        w, h = max(ring[::2]) - x, max(ring[1::2]) - y
        new = Bbox(x=x, y=y, w=w, h=h, **shared(old))
    notes = [new if one == old else one for one in data.item("A").annotations]
    return data.with_item("A", annotations=notes)


def shared(old) -> dict[str, Any]:
    names = ("label", "id", "group", "z_order", "score", "track", "attributes", "extra")
    return {name: getattr(old, name) for name in names}


def relabelled_all(data: Data) -> Data:
    """Relabel all of a label's annotations, then delete it."""
    other = data.note("A", "one").label
    items = tuple(
        item.with_(
            annotations=[n.with_(label=other) if n.label == "rare" else n for n in item.annotations]
        )
        for item in data.items
    )
    return data._replace(items=items).without_label("rare")


CHANGES: dict[str, Script] = {
    "shape moved": shifted("A", "one", 0.1),
    "shape moved far": shifted("A", "one", 5.0),
    "kind": with_kind,
    "relabelled": relabelled("A", "one"),
    "label taken off": note("A", "one", label=None),
    "attribute changed": attribute("A", "one", seen=4),
    "attribute of another type": attribute("A", "one", seen="4"),
    "attribute added": attribute("A", "one", hidden=True),
    "attribute removed": attribute("A", "one", seen=None),
    "score": note("A", "one", score=0.75),
    "score removed": note("A", "one", score=None),
    "z_order": note("A", "one", z_order=7),
    "track": note("A", "one", track=5),
    "extra": note("A", "one", extra={"somewhere": {"said": [1, 2.5]}}),
    "caption edited": note("A", "caption", caption="a better photo"),
    "annotation added": added("A"),
    "annotation removed": lambda data: data.without_note("A", "one"),
    "all annotations removed": lambda data: data.with_item("A", annotations=[]),
    "grouped": grouped("A", "one", "two"),
    "order": reordered,
    "item added": lambda data: new_item(data, "new"),
    "item removed": lambda data: data.without("A"),
    "item renamed": lambda data: data.with_item("A", id="quite/another name"),
    "item to another subset": lambda data: data.with_item("A", subset="elsewhere"),
    "item renamed and moved": lambda data: data.with_item("A", id="new", subset="elsewhere"),
    "item attribute": item_attribute("A", light="night"),
    "item attribute added": item_attribute("A", wet=True),
    "item extra": lambda data: data.with_item("A", extra={**data.item("A").extra, "x": {"y": 1}}),
    "annotated": lambda data: data.with_item("A", annotated=False),
    "media replaced": replaced_media("A", "b"),
    "label added in front": labels(lambda held: [Category(name="gnu", color=(1, 2, 3)), *held]),
    "label added at the end": labels(lambda held: [*held, Category(name="gnu")]),
    "label renamed": lambda data: data.with_label("rare", name="renamed"),
    "label deleted": lambda data: data.without_label("rare"),
    "label deleted, and what it was is another": relabelled_all,
    "labels reordered": labels(lambda held: held[::-1]),
    "label coloured": lambda data: data.with_label("rare", color=(9, 8, 7)),
    "label with keypoints": lambda data: data.with_label(
        "rare", keypoints=("nose", "tail"), joints=((0, 1),)
    ),
    "attribute declared": lambda data: data._replace(
        labels=type(data.labels)(
            data.labels.categories,
            attributes=(*data.labels.attributes, AttributeSpec(name="seen", type="number")),
            extra=data.labels.extra,
        )
    ),
    "setting": lambda data: data.with_info(licence="MIT"),
    "metadata": metadata(info={"year": 2031}),
    "metadata added": metadata(more={"deep": {"deeper": [1]}}),
    "options": lambda data: data.with_info(options={"subset": "x"}),
}


def elsewhere(data: Data) -> Data:
    """Change something of everything that the scripts above leave alone."""
    for script in (
        shifted("B", "one", 0.2),
        attribute("B", "two", seen=9),
        item_attribute("C", light="dusk"),
        lambda data: data.with_item("C", subset="apart"),
        lambda data: data.without_note("D", "two"),
        lambda data: data.with_info(origin="somewhere"),
        lambda data: data.with_label("calm", display_name="Last"),
    ):
        data = script(data)
    return data


def beside(data: Data) -> Data:
    """Change other annotations of the same item, and other fields of the same annotation."""
    if not any(item.attributes.get("mark") == "A" for item in data.items):
        return data
    data = item_attribute("A", where="here")(data)
    nicks = {one.attributes.get("nick") for one in data.item("A").annotations}
    if "one" in nicks:
        data = attribute("A", "one", own="yes")(data)
    return attribute("A", "three", seen=8)(data) if "three" in nicks else data


ALONE = {"item removed", "annotation removed", "all annotations removed"}
"""Changes that leave nothing for somebody else to change."""


def combinations() -> Iterator[Any]:
    """Yield a change, what the other side does, and whether it is ours that does that."""
    for change in CHANGES:
        for other in ("nothing", "same", "elsewhere", "beside"):
            if change in ALONE and other == "beside":
                continue
            for swapped in (False, True) if other in ("nothing", "beside") else (False,):
                yield pytest.param(change, other, swapped, id=f"{change}-{other}-{swapped}")


@pytest.mark.parametrize(("change", "other", "swapped"), list(combinations()))
def test_a_change_comes_to_what_the_script_says(held, change, other, swapped):
    if change == "shape moved far" and other == "beside" and not held.data.next_id():
        pytest.skip("without ids, that is another shape")
    script = CHANGES[change]
    another: Script = {
        "nothing": lambda data: data,
        "same": script,
        "elsewhere": elsewhere,
        "beside": beside,
    }[other]
    sides = [script(held.data), another(held.data)]
    branch, done = held.merge(*(sides[::-1] if swapped else sides))
    assert done.places == ()
    held.check(branch, sides[0] if other == "same" else another(script(held.data)))


# -- conflicts -----------------------------------------------------------------------------------


class Clash(NamedTuple):
    """
    Two scripts that cannot both stand.

    `key` names the conflict (`{one}` is what A's annotation `one` is called), `at` the mark of its
    item ("" for the source). `results` has a script for each choice that the conflict allows;
    `value` is what is given for `value`.
    """

    ours: Script
    theirs: Script
    key: str
    kind: str
    results: Mapping[str, Script]
    value: Any = None
    at: str = "A"

    @property
    def mirrored(self) -> "Clash":
        """The same with the sides swapped."""
        swap = {"ours": "theirs", "theirs": "ours"}
        results = {swap.get(name, name): script for name, script in self.results.items()}
        return self._replace(ours=self.theirs, theirs=self.ours, results=results)


def nothing(data: Data) -> Data:
    return data


def both(*scripts: Script) -> Script:
    def script(data: Data) -> Data:
        for one in scripts:
            data = one(data)
        return data

    return script


def doubled(nick: str, ours: Script, theirs: Script) -> Script:
    """Keep both versions of an annotation, theirs behind ours, with a number of its own."""

    def script(data: Data) -> Data:
        other = theirs(data).note("A", nick)
        return ours(data).add_note("A", other.with_(id=data.next_id()), after=nick)

    return script


def sides(ours: Script, theirs: Script, **more: Script) -> dict[str, Script]:
    return {"ours": ours, "theirs": theirs, "base": nothing, **more}


def field_clash(
    key: str, kind: str, ours: Script, theirs: Script, value: tuple[Any, Script], **more: Script
) -> Clash:
    """Two values of one field: as on either side, as before, or another."""
    results = sides(ours, theirs, value=value[1], **more)
    return Clash(ours, theirs, key, kind, results, value[0])


def near(mark: str, part: float) -> Script:
    """Add a box beside which another one may lie."""

    def script(data: Data) -> Data:
        box = new_box(data, mark)
        return data.add_note(mark, box.with_(x=box.x + part * box.w))

    return script


def two_new(data: Data) -> Data:
    """Add what `near` adds on both sides, theirs with another number."""
    data = near("A", 0.0)(data)
    box = new_box(data, "A")
    return data.add_note("A", box.with_(x=box.x + 0.2 * box.w))


def shape(data: Data) -> dict[str, Any]:
    """Return a third shape for A's `one`, as a person would give it."""
    note = data.note("A", "one")
    said = {name: getattr(note, name) for name in note.geometry_fields}
    return {"type": note.kind, **said, **moved(note, 0.3)}


def third_shape(data: Data) -> Data:
    return data.with_note("A", "one", derived={}, **moved(data.note("A", "one"), 0.3))


def to_another(data: Data) -> Data:
    """Give A's `one` another label."""
    not_these = (data.note("A", "one").label, "rare", "spare", "calm")
    other = next(one.key for one in data.labels if one.key not in not_these)
    return data.with_note("A", "one", label=other)


def moving(part: float) -> Script:
    return shifted("A", "one", part)


def renamed(key: str, name: str) -> Script:
    return lambda data: data.with_label(key, name=name)


def spare(mark: str, nick: str) -> Script:
    return note(mark, nick, label="spare")


def without_spare(data: Data) -> Data:
    return data.without_label("spare", notes=False)


def spare_last(data: Data) -> Data:
    """A label that stays declared because it is used stands behind the others."""
    (one,) = [one for one in data.labels if one.key == "spare"]
    return data.with_labels(*(each for each in data.labels if each.key != "spare"), one)


def licence(text: str) -> Script:
    return lambda data: data.with_info(licence=text)


def item_extra(value: int) -> Script:
    return lambda data: data.with_item("A", extra={**data.item("A").extra, "x": {"y": value}})


def note_extra(value: int) -> Script:
    return lambda data: data.with_note("A", "one", extra={"x": {"y": value}})


def item_to(subset: str) -> Script:
    return lambda data: data.with_item("A", subset=subset)


def removed(data: Data) -> Data:
    return data.without_note("A", "one")


def item_removed(data: Data) -> Data:
    return data.without("A")


def caption(text: str) -> Script:
    return note("A", "caption", caption=text)


def coloured(*color: int) -> Script:
    return lambda data: data.with_label("rare", color=color)


CLASHES: dict[str, Clash] = {
    "geometry": field_clash(
        "{one}.geometry",
        "geometry",
        moving(0.15),
        moving(-0.15),
        (shape, third_shape),
        union=doubled("one", moving(0.15), moving(-0.15)),
    ),
    "label": field_clash(
        "{one}.label",
        "label",
        to_another,
        note("A", "one", label="rare"),
        (lambda data: "spare", spare("A", "one")),
        union=doubled("one", to_another, note("A", "one", label="rare")),
    ),
    "attribute": field_clash(
        "{one}.attributes.seen",
        "attribute",
        attribute("A", "one", seen=1),
        attribute("A", "one", seen=2),
        (lambda data: "many", attribute("A", "one", seen="many")),
    ),
    "attribute removed": field_clash(
        "{one}.attributes.seen",
        "attribute",
        attribute("A", "one", seen=None),
        attribute("A", "one", seen=2),
        (lambda data: 9, attribute("A", "one", seen=9)),
    ),
    "list": field_clash(
        "{one}.attributes.tags",
        "attribute",
        attribute("A", "one", tags=["a", "b"]),
        attribute("A", "one", tags=["a", "c"]),
        (lambda data: [], attribute("A", "one", tags=[])),
        union=attribute("A", "one", tags=["a", "b", "c"]),
    ),
    "attribute added": Clash(
        attribute("A", "one", fresh=1),
        attribute("A", "one", fresh=2),
        "{one}.attributes.fresh",
        "attribute",
        {
            **sides(attribute("A", "one", fresh=1), attribute("A", "one", fresh=2)),
            "value": attribute("A", "one", fresh=3),
        },
        lambda data: 3,
    ),
    "score": field_clash(
        "{one}.score",
        "score",
        note("A", "one", score=0.25),
        note("A", "one", score=None),
        (lambda data: 0.75, note("A", "one", score=0.75)),
    ),
    "z_order": field_clash(
        "{one}.z_order",
        "z_order",
        note("A", "one", z_order=5),
        note("A", "one", z_order=6),
        (lambda data: -1, note("A", "one", z_order=-1)),
    ),
    "extra": Clash(
        note_extra(1),
        note_extra(2),
        "{one}.extra.x.y",
        "extra",
        {**sides(note_extra(1), note_extra(2)), "value": note_extra(3)},
        lambda data: 3,
    ),
    "caption": field_clash(
        "{caption}.geometry",
        "caption",
        caption("a photo, ours"),
        caption("a photo, theirs"),
        (lambda data: {"caption": "neither"}, caption("neither")),
        union=doubled("caption", caption("a photo, ours"), caption("a photo, theirs")),
    ),
    "deleted": Clash(
        removed,
        moving(0.15),
        "{one}.deleted",
        "deleted",
        sides(removed, moving(0.15), union=moving(0.15)),
    ),
    "deleted, and relabelled": Clash(
        removed,
        note("A", "one", label="rare"),
        "{one}.deleted",
        "deleted",
        sides(removed, note("A", "one", label="rare"), union=note("A", "one", label="rare")),
    ),
    "item deleted": Clash(
        item_removed,
        moving(0.15),
        "item.deleted",
        "deleted",
        sides(item_removed, moving(0.15), union=moving(0.15)),
    ),
    "item deleted, and its attribute changed": Clash(
        item_removed,
        item_attribute("A", light="night"),
        "item.deleted",
        "deleted",
        sides(
            item_removed,
            item_attribute("A", light="night"),
            union=item_attribute("A", light="night"),
        ),
    ),
    "added on both": Clash(
        near("A", 0.0),
        near("A", 0.2),
        "{new}.added",
        "added-both",
        sides(near("A", 0.0), near("A", 0.2), union=two_new),
    ),
    "media": Clash(
        replaced_media("A", "b"),
        replaced_media("A", "c"),
        "media",
        "media",
        sides(replaced_media("A", "b"), replaced_media("A", "c")),
    ),
    "moved": Clash(
        item_to("here"),
        item_to("there"),
        "item.moved",
        "moved",
        sides(item_to("here"), item_to("there")),
    ),
    "item attribute": field_clash(
        "item.attributes.light",
        "attribute",
        item_attribute("A", light="night"),
        item_attribute("A", light="dawn"),
        (lambda data: "dusk", item_attribute("A", light="dusk")),
    ),
    "item extra": Clash(
        item_extra(1),
        item_extra(2),
        "item.extra.x.y",
        "extra",
        {**sides(item_extra(1), item_extra(2)), "value": item_extra(3)},
        lambda data: 3,
    ),
    "label used": Clash(
        without_spare,
        both(spare("A", "one"), spare("B", "one")),
        "label:spare.used",
        "label-deleted",
        {
            "ours": both(removed, lambda data: data.without_note("B", "one"), without_spare),
            "value": both(
                note("A", "one", label="rare"), note("B", "one", label="rare"), without_spare
            ),
            **dict.fromkeys(
                ("theirs", "base", "union"), both(spare("A", "one"), spare("B", "one"), spare_last)
            ),
        },
        lambda data: "rare",
        at="",
    ),
    "label deleted": Clash(
        without_spare,
        lambda data: data.with_label("spare", color=(1, 2, 3)),
        "label:spare.deleted",
        "label-deleted",
        sides(
            without_spare,
            lambda data: data.with_label("spare", color=(1, 2, 3)),
            union=lambda data: data.with_label("spare", color=(1, 2, 3)),
        ),
        at="",
    ),
    "label renamed": Clash(
        renamed("rare", "odd"),
        renamed("rare", "even"),
        "label:rare.name",
        "label-changed",
        sides(renamed("rare", "odd"), renamed("rare", "even")),
        at="",
    ),
    "label coloured": Clash(
        coloured(1, 1, 1),
        coloured(2, 2, 2),
        "label:rare.color",
        "label-changed",
        sides(coloured(1, 1, 1), coloured(2, 2, 2)),
        at="",
    ),
    "label name": Clash(
        renamed("rare", "odd"),
        renamed("spare", "odd"),
        "label:spare.name-taken",
        "label-name",
        {
            "ours": both(renamed("rare", "odd"), renamed("spare", "odd_2")),
            "theirs": both(renamed("spare", "odd"), renamed("rare", "odd_2")),
            "union": both(renamed("rare", "odd"), without_spare),
            "value": both(renamed("rare", "odd"), renamed("spare", "even")),
        },
        lambda data: "even",
        at="",
    ),
    "setting": field_clash(
        "source.json:licence",
        "setting",
        licence("MIT"),
        licence("BSD"),
        (lambda data: "ISC", licence("ISC")),
    )._replace(at=""),
    "metadata": Clash(
        metadata(own={"year": 1}),
        metadata(own={"year": 2}),
        "source.json:metadata.own.year",
        "setting",
        {
            **sides(metadata(own={"year": 1}), metadata(own={"year": 2})),
            "value": metadata(own={"year": 3}),
        },
        lambda data: 3,
        at="",
    ),
}
UNEQUAL = {"geometry", "label", "caption", "added on both", "label name", "label used", "list"}
"""Clashes of which some choice depends on which side is which."""


def clashes() -> Iterator[Any]:
    """Yield a clash, whether its sides are swapped, and whether more changes come with it."""
    for name in CLASHES:
        yield pytest.param(name, False, False, id=name)
        yield pytest.param(name, False, True, id=f"{name}, among changes")
        if name not in UNEQUAL:
            yield pytest.param(name, True, False, id=f"{name}, mirrored")


@pytest.mark.parametrize(("name", "mirrored", "more"), list(clashes()))
def test_a_conflict_becomes_what_was_chosen(held, name, mirrored, more):
    clash = CLASHES[name].mirrored if mirrored else CLASHES[name]
    data = held.data
    beneath: Script = both(elsewhere, attribute("A", "three", seen=8)) if more else nothing
    if more and ("item deleted" in name or name == "media"):
        beneath = elsewhere  # all or nothing of the item's own
    ours, theirs = clash.ours(data), beneath(clash.theirs(data))
    names = {nick: data.name_of("A", nick) for nick in ("one", "caption")}
    names["new"] = f"new-{ours.name_of('A', 'new')}" if name == "added on both" else ""
    for choice, result in clash.results.items():
        branch, done = held.merge(ours, theirs)
        (place,) = done.places
        (found,) = place.conflicts
        assert (found.key, found.kind) == (clash.key.format(**names), clash.kind)
        assert set(found.allowed) == set(clash.results)
        here = clash.ours(data) if clash.kind == "moved" else data
        assert place.name == (here.where("A") if clash.at else "s")
        value = clash.value(data) if choice == "value" else None
        conflicts.resolve(held.repo, Wanted(kinds=(clash.kind,)), choice, value)
        assert merging.go_on(held.repo).status == "merged"
        held.check(branch, result(beneath(data)))


# -- instances -----------------------------------------------------------------------------------


@pytest.fixture
def people(samples, tmp_path):
    """COCO's people: polygons with keypoints; the parts of one are called `body` and `joints`."""
    with Repository.init(tmp_path / "repo") as repo:
        data = load(samples, "coco")
        at, group = next(
            (n, note.group)
            for n, item in enumerate(data.items)
            for note in item.annotations
            if note.group and note.kind == "points" and "mark" not in item.attributes
        )
        item = data.items[at]
        notes = [
            note.with_(attributes={**note.attributes, "nick": NICKS[note.kind]})
            if note.group == group
            else note
            for note in item.annotations
        ]
        person = item.with_(attributes={"mark": "P"}, annotations=notes)
        yield Held(repo, data.put(person, at))


NICKS = {"polygon": "body", "points": "joints", "mask": "body"}


def hidden(data: Data) -> Data:
    """Say that no keypoint of the person can be seen."""
    visibility = [min(one, 1) for one in data.note("P", "joints").visibility]
    return data.with_note("P", "joints", visibility=visibility)


def gone(data: Data) -> Data:
    return data.without_note("P", "body").without_note("P", "joints")


def test_parts_of_an_instance_are_merged_each(people):
    ours = both(hidden, attribute("P", "body", sure=True))
    theirs = both(shifted("P", "body", 0.1), attribute("P", "joints", sure=False))
    branch, done = people.merge(ours(people.data), theirs(people.data))
    assert done.places == ()
    people.check(branch, theirs(ours(people.data)))


def test_keypoints_that_both_judged_otherwise_are_a_conflict(people):
    def seen(data: Data) -> Data:
        known = data.note("P", "joints").visibility
        return data.with_note("P", "joints", visibility=[2 for _ in known])

    branch, done = people.merge(hidden(people.data), seen(people.data))
    (found,) = done.places[0].conflicts
    assert (found.kind, found.key) == (
        "geometry",
        f"{people.data.name_of('P', 'joints')}.geometry",
    )
    conflicts.resolve(people.repo, Wanted(), "theirs")
    merging.go_on(people.repo)
    people.check(branch, seen(people.data))


@pytest.mark.parametrize(("choice", "expected"), [("ours", gone), ("theirs", hidden)])
def test_an_instance_that_was_deleted_whole_is_one_conflict(people, choice, expected):
    branch, done = people.merge(gone(people.data), hidden(people.data))
    (place,) = done.places
    (found,) = place.conflicts
    assert (place.name, found.kind, len(found.base)) == (people.data.where("P"), "deleted", 2)
    conflicts.resolve(people.repo, Wanted(), choice)
    merging.go_on(people.repo)
    people.check(branch, expected(people.data))


def test_numbers_that_both_gave_to_what_they_added_are_told_apart(people):
    data = people.data
    branch, done = people.merge(added("A")(data), added("B", "other")(data))
    theirs = added("B", "other")(added("A")(data))
    assert (done.counts.renumbered, done.places) == (1, ())
    people.check(branch, theirs)


@pytest.mark.parametrize("mark", ["P", "A"])
def test_new_instances_of_one_number_keep_their_parts_together(people, mark):
    def instance(where: str, nick: str, x: float) -> Script:
        def script(data: Data) -> Data:
            box = new_box(data, "A", nick, x)
            group = 1 + max(note.group for note in data.item(where).annotations)
            points = Points(points=[x, 10.0, x + 9, 20.0], **shared(box))
            notes = [*data.item(where).annotations, box.with_(group=group)]
            notes.append(points.with_(group=group))
            return data.with_item(where, annotations=notes)

        return script

    data = people.data
    ours, theirs = instance("P", "mine", 3000.0), instance(mark, "yours", 4000.0)
    branch, done = people.merge(ours(data), theirs(data))
    assert (done.counts.renumbered, done.places) == (2, ())
    people.check(branch, theirs(ours(data)))
