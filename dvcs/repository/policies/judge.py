"""
What a policy has against changes: one judge for each policy, what they find collected once.

Which policies judge what stands in `policy.py`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dvcs.errors import PolicyViolation
from dvcs.model.annotations import names_of
from dvcs.objects import trees
from dvcs.objects.canonical import canonical_json
from dvcs.objects.items import decode_header
from dvcs.repository.policies.leaks import Fresh, Leaks, Place, digests
from dvcs.repository.policies.policy_file import NAME
from dvcs.repository.policies.text import Policy
from dvcs.repository.policies.view import BATCH, Changed, View, changes, id_of
from dvcs.repository.snapshot import SIZE
from dvcs.validate import ItemRules, Report
from dvcs.validate.rules import UNLABELLED

if TYPE_CHECKING:
    from dvcs.model import Annotation, Item
    from dvcs.repository import Repository
    from dvcs.validate import Finding

KEPT = 1000
"""Violations whose text is kept; the rest is counted."""


def applied(repo: "Repository", before: View, after: View, policies: Sequence[Policy]) -> "Found":
    """Return what of the changes from one view to another policies do not allow."""
    found = Found()
    changed = changes(before, after)
    judges = [_Judge(one, before, after, found) for one in policies]
    for judge in judges:
        judge.sources()
        judge.frozen(changed)
    if any(judge.reads_items for judge in judges):
        for one, item in after.items(changed):
            for judge in judges:
                judge.item(one, item)
    if any(judge.policy.validation is not None for judge in judges):
        _labels_taken_away(before, after, changed, found)
    leaking = [judge for judge in judges if judge.policy.no_leaks]
    if leaking:
        _leaks(repo, before, after, leaking[0].fresh, found)
    return found


class Found:
    """Collects violations: each once, in order."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], None] = {}
        self._more = 0

    def add(self, place: str, reason: str) -> None:
        if len(self._kept) < KEPT:
            self._kept[place, reason] = None
        elif (place, reason) not in self._kept:
            self._more += 1

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Places and reasons, as far as they are kept."""
        return list(self._kept)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._kept) + self._more

    def refuse(self) -> None:
        """Raise PolicyViolation where there is one."""
        count = self.count
        if not count:
            return
        raise PolicyViolation(
            f"'{NAME}' does not allow this commit, for {count:,} reason{'s' * (count != 1)}:",
            tuple(self._kept),
            count=count,
            hint=f"nothing was changed; mend these, or change '{NAME}' in a commit of its own",
        )


class _Judge:
    """One policy, applied to what a commit changes."""

    def __init__(self, policy: Policy, before: View, after: View, found: Found) -> None:
        self.policy = policy
        self.fresh: list[_Shown] = []
        self._before = before
        self._after = after
        self._found = found
        self._rules: dict[str, ItemRules] = {}

    @property
    def reads_items(self) -> bool:
        """Whether it wants to see the items that changed."""
        one = self.policy
        asks = one.allowed_labels is not None or one.required_attributes or one.no_leaks
        return one.validation is not None or bool(asks)

    # Without opening items

    def sources(self) -> None:
        """Judge what sources say of themselves, of those that changed."""
        for name, tree in self._after.sources.items():
            old = self._before.sources.get(name)
            if old == tree:
                continue
            self._licence(name)
            allowed = self.policy.allowed_labels
            if allowed is not None and (old is None or old.labels != tree.labels):
                known = set(self._before.labels(name).names)
                for label in self._after.labels(name).names:
                    if label not in allowed and label not in known:
                        self._found.add(name, f"the label '{label}' is not allowed")

    def _licence(self, source: str) -> None:
        allowed = self.policy.licences
        if allowed is None:
            return
        named = _licences(self._after.info(source))
        if not named:
            command = f"dvcs import PATH -n {source} --licence NAME"
            reason = f"the source does not say its licence; '{command}' does"
            self._found.add(source, reason)
        for one in named if allowed else ():
            if one not in allowed:
                listed = ", ".join(f"'{name}'" for name in allowed)
                self._found.add(source, f"the licence '{one}' is not among {listed}")

    def frozen(self, changed: Sequence[Changed]) -> None:
        """Judge changes of frozen subsets; one that was not there before may be filled."""
        for one in changed:
            if not self.policy.freezes(one.source, one.subset):
                continue
            if one.subset not in self._before.subsets(one.source):
                continue
            what = "added" if one.old is None else "removed" if one.new is None else "changed"
            if what == "changed" and self._is_fill(one):
                continue
            place = f"{one.source}/{one.subset}/{id_of(one.name)}"
            self._found.add(place, f"it is {what}, and the subset '{one.subset}' is frozen")

    def _is_fill(self, one: Changed) -> bool:
        """Tell whether all that changed is that something was learnt of the media."""
        from dvcs.compare.media import media_changes
        from dvcs.objects.items import decode_item

        old, new = one.old or b"", one.new or b""
        if len(old) != SIZE or len(new) != SIZE:
            return False
        texts = self._after.blobs([old, new])
        if texts[0].partition(b"\n")[2] != texts[1].partition(b"\n")[2]:
            return False
        was, now = (decode_item([text], id_of(one.name), one.subset) for text in texts)
        same = (was.attributes, was.extra) == (now.attributes, now.extra)
        return same and was.annotated == now.annotated and not media_changes(was, now)[0]

    # With items

    def item(self, one: Changed, item: "Item") -> None:
        """Judge an item as it is after the commit."""
        policy = self.policy
        if policy.validation is not None:
            if one.source not in self._rules:
                labels = self._after.labels(one.source)
                self._rules[one.source] = ItemRules(labels, policy.validation)
            for finding in self._rules[one.source].check(item):
                if Report(findings=(finding,)).fails(policy.fail_on):
                    self._found.add(finding.where, _told(finding))
        if policy.allowed_labels is not None or policy.required_attributes:
            for n, note in enumerate(item.annotations):
                self._annotation(item, n, note)
        if policy.no_leaks and one.new is not None:
            tree = self._after.subsets(one.source)[one.subset]
            place = Place(one.source, one.subset, tree)
            if known := digests(item.media):
                self.fresh.append(_Shown(Fresh(place, item.id, known), one.old))

    def _annotation(self, item: "Item", n: int, note: "Annotation") -> None:
        policy, label = self.policy, note.label
        reasons = []
        if policy.allowed_labels is not None and label not in (None, *policy.allowed_labels):
            reasons.append(f"the label '{label}' is not allowed")
        if policy.required_attributes and note.kind not in UNLABELLED:
            missing = [name for name in policy.required(label) if name not in note.attributes]
            reasons += [f"the attribute '{name}' is required" for name in missing]
        for reason in reasons:
            key = names_of(item.annotations)[n]
            self._found.add(f"{item.source}/{item.subset}/{item.id}#{key}", reason)


class _Shown(NamedTuple):
    """An item with its media, and its blobs before."""

    fresh: Fresh
    old: bytes | None


def _told(finding: "Finding") -> str:
    what = ""
    if finding.annotation is not None:
        label = f" '{finding.annotation.label}'" if finding.annotation.label is not None else ""
        what = f"{finding.annotation.kind}{label}: "
    return f"{what}{finding.description} ({finding.anomaly_type})"


def _licences(info: Any) -> list[str]:
    """Return the licences that a source names: its own, else those of its format (COCO)."""
    if info.licence:
        return [info.licence]
    said = info.metadata.get("coco")
    listed = said.get("licenses") if isinstance(said, dict) else None
    names = [one.get("name") for one in listed or () if isinstance(one, dict)]
    return [str(name) for name in names if name]


def _labels_taken_away(before: View, after: View, changed: Sequence[Changed], found: Found) -> None:
    """
    Find items that the commit leaves alone, and that use a label that it does not declare any more.

    Only where a label was taken away; then the source is searched as text.
    """
    touched = {(one.source, one.subset, one.name) for one in changed}
    for source, tree in after.sources.items():
        old = before.sources.get(source)
        if old is None or old.labels == tree.labels:
            continue
        left = {one.key for one in after.labels(source)}
        gone = {one.key: one.name for one in before.labels(source) if one.key not in left}
        if not gone:
            continue
        marks = {b'"label":' + canonical_json(key): name for key, name in gone.items()}
        for subset, name, blobs in _items(after, source):
            if (source, subset, name) in touched:
                continue
            text = b"\n".join(blobs)
            for mark, label in marks.items():
                if mark in text:
                    place = f"{source}/{subset}/{id_of(name)}"
                    found.add(place, f"the label '{label}' is used, and not declared any more")


def _items(view: View, source: str) -> Iterator[tuple[str, bytes, list[bytes]]]:
    for subset, tree in sorted(view.subsets(source).items()):
        held = list(trees.walk(view.reader, tree))
        for n in range(0, len(held), BATCH):
            batch = held[n : n + BATCH]
            parts = [oids[at : at + SIZE] for _, oids in batch for at in range(0, len(oids), SIZE)]
            blobs = iter(view.blobs(parts))
            for name, oids in batch:
                yield subset, name, [next(blobs) for _ in range(len(oids) // SIZE)]


def _leaks(
    repo: "Repository", before: View, after: View, fresh: Sequence[_Shown], found: Found
) -> None:
    """Find media of changed items that another subset has too."""
    leaks = Leaks(after, repo.layout.state / "leaks")
    places = []
    for source in after.sources:
        was = before.subsets(source)
        for subset, tree in sorted(after.subsets(source).items()):
            places.append(Place(source, subset, tree))
            leaks.follow(was.get(subset), tree)
    olds = {id(one.fresh): one.old for one in fresh}
    for leak in leaks.find(places, [one.fresh for one in fresh]):
        old = olds[id(leak.fresh)]
        if old is not None:
            known = digests(decode_header(after.blobs([old[:SIZE]])[0]).media)
            if leak.digest in known:
                continue
        place = leak.fresh.place
        found.add(
            f"{place.source}/{place.subset}/{leak.fresh.id}",
            f"it has the same media as '{leak.other}', in another subset",
        )
