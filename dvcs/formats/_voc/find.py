"""
Where the files of a Pascal VOC dataset are: devkits, and loose folders of XML beside images.

A devkit is a folder with `Annotations/`, `ImageSets/` or `SegmentationClass/`. There may be several
in one place (`VOCdevkit/VOC2007` and `VOC2012`): then the folder's name begins the ids. Without
`ImageSets`, a folder called `train`, `val`, `test`, ... above an XML file is its subset.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from dvcs.files import FolderSource, Source
from dvcs.files.source import IMAGE_EXTENSIONS
from dvcs.formats._voc.lists import FOLDERS, ClassList, read_lists
from dvcs.names import extension, strip_extension

XML, IMAGES, CLASSES, OBJECTS, SETS = "xml", "images", "classes", "objects", "sets"
ROLES: Final = {
    **dict.fromkeys(("annotations", "annotation", "xml", "xmls"), XML),
    **dict.fromkeys(("jpegimages", "pngimages", "images", "image", "imgs", "img"), IMAGES),
    "segmentationclass": CLASSES,
    "segmentationobject": OBJECTS,
    "imagesets": SETS,
}
"""What a folder is for, by its name in lower case."""
MEANT: Final[dict[str, tuple[str, ...]]] = {".xml": (XML,), ".txt": (SETS,)}
"""The folders that a file is for, by its extension; images may be for two."""
SUBSETS: Final = frozenset(
    {"train", "training", "val", "valid", "validation", "test", "testing", "trainval", "dev"}
)
MOST_LISTS: Final = 50


class Entry(NamedTuple):
    """The files of one item. `sets` are the lists it is in, `*` for one called as its subset."""

    id: str
    subset: str
    xml: str | None
    image: str | None
    class_mask: str | None
    object_mask: str | None
    sets: dict[str, list[str]] | None
    root: "Root"


class Root(msgspec.Struct):
    """One devkit, or the one loose folder of a place; files by item id."""

    prefix: str
    loose: bool = False
    name: str = ""
    """What begins the ids of its items."""
    xmls: dict[str, str] = {}
    images: dict[str, str] = {}
    classes: dict[str, str] = {}
    objects: dict[str, str] = {}
    lists: dict[str, dict[str, list[str]]] = {}
    """Ids by folder of `ImageSets` and name of the list."""
    class_lists: list[ClassList] = []
    unions: dict[str, dict[str, list[str]]] = {}
    """Lists that only join others (`trainval`), by folder, and those others."""


def widened(source: Source) -> Source:
    """
    Return a source of the whole devkit where the user named one file inside of it.

    `VOC2012/ImageSets/Main/train.txt` means the items of that list, `Annotations/1.xml` that one.
    """
    if source.focus is None or not isinstance(source, FolderSource):
        return source
    folders = source.root.absolute().parts
    levels = 0
    if len(folders) > 2 and folders[-2].lower() == "imagesets" and folders[-1] in FOLDERS:
        levels = 2
    elif len(folders) > 1 and ROLES.get(folders[-1].lower()) == XML:
        levels = 1
    if not levels:
        return source
    wide = FolderSource(
        source.root.absolute().parents[levels - 1],
        focus="/".join((*folders[-levels:], source.focus)),
        keep_going=source.keep_going,
        subset=source.subset,
    )
    wide.errors, wide.notes = source.errors, source.notes
    return wide


def find_roots(source: Source) -> list[Root]:
    """Return the devkits of a place in order, the loose folder (if there is one) last."""
    if source.focus is not None and "/" not in source.focus:
        loose = Root("", loose=True)
        if extension(source.focus).lower() == ".xml":
            loose.xmls[strip_extension(source.focus)] = source.focus
            loose.images = {k: v for k, v in source.images.items() if k in loose.xmls}
        return [loose]
    roots: dict[str, Root] = {}
    loose = Root("", loose=True)
    listings: dict[str, list[str]] = {}
    places: dict[tuple[str, tuple[str, ...]], tuple[str, str, str] | None] = {}
    for path in source.paths:
        ending = extension(path).lower()
        wanted = MEANT.get(ending, ())
        if ending in IMAGE_EXTENSIONS:
            wanted = (CLASSES, OBJECTS)
        folder = path[: path.rfind("/") + 1]
        if (folder, wanted) not in places:  # the same for thousands of files
            places[folder, wanted] = _place(folder, wanted) if wanted else None
        place = places[folder, wanted]
        if place is not None:
            prefix, role, inner = place
            root = roots.get(prefix)
            if root is None:
                root = roots[prefix] = Root(prefix)
            id = inner + strip_extension(path[len(folder) :])
            if role == XML:
                root.xmls.setdefault(id, path)
            elif role == SETS:
                listings.setdefault(prefix, []).append(path)
            else:
                (root.classes if role == CLASSES else root.objects).setdefault(id, path)
        elif ending == ".xml" and not path.startswith("ImageSets/"):
            loose.xmls[strip_extension(path)] = path
    _add_images(source, roots, loose)
    for prefix, paths in listings.items():
        root = roots[prefix]
        root.lists, root.class_lists = read_lists(source, root_known(root), paths, prefix)
        root.unions = {folder: _unions(lists) for folder, lists in root.lists.items()}
    found = [root for root in roots.values() if root_known(root) or root.lists]
    _name(found)
    return [*found, loose] if loose.xmls else found


def root_known(root: Root) -> dict[str, str]:
    """Return the ids of which there is a file."""
    return {**root.images, **root.classes, **root.objects, **root.xmls}


def _place(folder: str, wanted: Sequence[str]) -> tuple[str, str, str] | None:
    """Return the prefix, role and inner folder of one in or below a folder of these roles."""
    parts = folder.split("/")  # the last is empty
    for n, part in enumerate(parts[:-1]):
        role = ROLES.get(part.lower(), "")
        if role in wanted:
            prefix = "/".join(parts[:n])
            return f"{prefix}/" if prefix else "", role, "/".join(parts[n + 1 :])
    return None


def _add_images(source: Source, roots: dict[str, Root], loose: Root) -> None:
    folders = {path.rpartition("/")[0] for path in loose.xmls.values()}
    for stem, path in source.images.items():
        parts = stem.split("/")
        for n, part in enumerate(parts[:-1]):
            if ROLES.get(part.lower()) != IMAGES:
                continue
            prefix = "/".join(parts[:n])
            root = roots.get(f"{prefix}/" if prefix else "")
            if root is not None:
                root.images.setdefault("/".join(parts[n + 1 :]), path)
                break
        else:
            if stem.rpartition("/")[0] in folders:
                loose.images[stem] = path


def _name(roots: list[Root]) -> None:
    """Give devkits their names where there are several: what differs in their paths."""
    if len(roots) < 2:
        return
    common = _common([root.prefix.split("/")[:-1] for root in roots])
    for root in roots:
        root.name = "/".join(root.prefix.split("/")[common:])


def _common(paths: Sequence[Sequence[str]]) -> int:
    """Return how many first parts all paths share."""
    count = 0
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        count += 1
    return count


def _unions(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    if not 3 <= len(lists) <= MOST_LISTS:
        return {}
    sets = {name: frozenset(ids) for name, ids in lists.items()}
    found = {}
    for name, ids in sets.items():
        inner = [one for one, others in sets.items() if others and others < ids]
        if len(inner) > 1 and frozenset().union(*(sets[one] for one in inner)) == ids:
            found[name] = sorted(inner)
    return {
        name: [one for one in inner if one not in found] or inner for name, inner in found.items()
    }


# -- items ---------------------------------------------------------------------------------------


def entries(source: Source, roots: Sequence[Root], folders: Sequence[str]) -> Iterator[Entry]:
    """
    Yield the items of all roots in order of subset, and within one in that of the lists.

    `folders` are the folders of `ImageSets` that count. Where only some of the four count, items
    that are in none of their lists are left out, unless there are no such lists at all.
    """
    found: list[Entry] = []
    for root in roots:
        if root.loose:
            found += _loose_entries(source, root)
        else:
            found += _devkit_entries(source, root, folders)
    yield from sorted(found, key=lambda one: one.subset)


def _devkit_entries(source: Source, root: Root, folders: Sequence[str]) -> Iterator[Entry]:
    lists = {name: root.lists[name] for name in folders if root.lists.get(name)}
    chosen = _chosen(source, root)
    if chosen is not None:
        lists = {chosen[0]: {chosen[1]: root.lists[chosen[0]].get(chosen[1], [])}}
    elif source.focus is not None:
        only = {id for id, path in root.xmls.items() if path == source.focus}
        yield from (_entry(source, root, id, {}, listed=False) for id in only)
        return
    members: dict[str, dict[str, list[str]]] = {}
    for folder, named in lists.items():
        unions = root.unions.get(folder, {}) if chosen is None else {}
        joined = {id for name, ids in named.items() if name not in unions for id in ids}
        for name, ids in sorted(named.items()):
            for id in ids:
                if name not in unions or id not in joined:
                    members.setdefault(id, {}).setdefault(folder, []).append(name)
    for id, sets in members.items():
        yield _entry(source, root, id, sets, listed=True)
    if lists and (chosen is not None or len(folders) < len(FOLDERS)):
        return
    for id in root_known(root):
        if id not in members:
            yield _entry(source, root, id, {}, listed=bool(lists))


def _chosen(source: Source, root: Root) -> tuple[str, str] | None:
    """Return the folder and name of the list that the user named."""
    match = re.fullmatch(r"ImageSets/(\w+)/(.*)\.txt", source.focus or "", re.IGNORECASE)
    if match is None or root.prefix or match[1] not in root.lists:
        return None
    return match[1], match[2]


def _entry(
    source: Source, root: Root, id: str, sets: dict[str, list[str]], *, listed: bool
) -> Entry:
    name = root.name + id
    main = sets.get(FOLDERS[0])
    subset: str | None
    if main is not None and len(main) == len(sets) == 1:  # as almost all are
        subset, starred = main[0], {FOLDERS[0]: ["*"]}
    else:
        subset, starred = _starred(sets)
    if subset is None:
        if not root.lists:
            subset, name = _split_subset(name)
            subset = subset or _split_subset(f"{root.prefix}x")[0]
        subset = subset or source.subset or "default"
    image = root.images.get(id) or source.images.get(root.prefix + id)
    if image is None and id in root.xmls:
        image = source.images.get(strip_extension(root.xmls[id]))
    found = (root.xmls.get(id), image, root.classes.get(id), root.objects.get(id))
    return Entry(name, subset, *found, starred if listed else None, root)


def _starred(sets: Mapping[str, list[str]]) -> tuple[str | None, dict[str, list[str]]]:
    """Return the subset that lists put an item in, and the lists with a star for its name."""
    subset = next((names[0] for folder in FOLDERS if (names := sets.get(folder))), None)
    return subset, {
        folder: ["*" if one == subset else one for one in names] for folder, names in sets.items()
    }


def _split_subset(id: str) -> tuple[str | None, str]:
    """Return the subset that a folder's name says, and the id without that folder."""
    *folders, last = id.split("/")
    at = next((n for n in reversed(range(len(folders))) if folders[n].lower() in SUBSETS), None)
    if at is None:
        return None, id
    return folders[at], "/".join((*folders[:at], *folders[at + 1 :], last))


def _loose_entries(source: Source, root: Root) -> Iterator[Entry]:
    split = {stem: _split_subset(stem) for stem in {**root.xmls, **root.images}}
    common = _common([id.split("/")[:-1] for _, id in split.values()])
    for stem, (subset, id) in split.items():
        name = "/".join(id.split("/")[common:])
        found = (root.xmls.get(stem), root.images.get(stem), None, None)
        yield Entry(name, subset or source.subset or "default", *found, None, root)
