"""Which files of a folder are COCO's, of which task and subset, and where their images are."""

import re
from collections import defaultdict
from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from dvcs.errors import FormatError, NotADataset
from dvcs.files import Source
from dvcs.formats._coco.records import TASKS, standard_name
from dvcs.names import quote, simple_name

PEEK = 1 << 16
MANY = 500
ROBOFLOW = "_annotations.coco.json"
IMAGES = re.compile(rb'"images"\s*:\s*\[\s*(?:\]|\{[^{}]*"(?:file_name|coco_url|id)"\s*:)')
RECORDS = re.compile(rb'"annotations"\s*:\s*\[\s*(?:\]|\{)')
CATEGORIES = re.compile(rb'"categories"\s*:\s*\[\s*(?:\]|\{[^{}\[\]]*"(?:name|id)"\s*:)')
ABOUT_IMAGE = re.compile(rb'"image_id"\s*:')
ONE_IMAGE = re.compile(rb'\s*\{\s*"image"\s*:\s*\{')
VIDEOS = re.compile(rb'"(?:videos|video_id)"\s*:')
DETECTION = re.compile(
    rb'\s*\[\s*\{(?=[^{}]*"image_id"\s*:)[^{}]*"(?:category_id|caption|bbox|keypoints)"\s*:'
)


class Place(msgspec.Struct, frozen=True):
    """One COCO file: its path, the task that its name says (None: none), its subset."""

    path: str
    task: str | None
    subset: str
    named: bool
    """Whether task and subset are as the name says."""


def looks_like_coco(head: bytes) -> bool:
    """Tell by the first 64 KiB of a file whether it is COCO: its outline, or a list of results."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    if DETECTION.match(text):
        return True
    if text.lstrip()[:1] != b"{" or ONE_IMAGE.match(text):
        return False
    images, records = IMAGES.search(text), RECORDS.search(text)
    categories = CATEGORIES.search(text)
    if images is not None:
        file_names = b'"file_name"' in text or b'"coco_url"' in text
        others = records is not None or categories is not None
        return file_names or (others and b'"filename"' not in text)
    if VIDEOS.search(text):
        return False
    if records is not None:
        return ABOUT_IMAGE.search(text) is not None or categories is not None
    return categories is not None and len(head) == PEEK


def is_coco(source: Source, path: str) -> bool:
    """Tell whether a file looks like COCO."""
    try:
        return looks_like_coco(bytes(source.buffer(path)[:PEEK]))
    except FormatError:
        return False


def candidates(source: Source) -> list[str]:
    """Return the JSON files that may be COCO's, of many only those with a name of COCO's kind."""
    if source.focus is not None:
        return [source.focus] if source.focus.lower().endswith(".json") else []
    found = [path for path in source.paths if path.lower().endswith(".json")]
    if len(found) > MANY:
        found = [path for path in found if _named_like_coco(path)]
    return found


def _named_like_coco(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return (
        standard_name(path) is not None
        or name == ROBOFLOW
        or folder.rpartition("/")[2].lower() == "annotations"
        or not folder
    )


def places(source: Source, tasks: Collection[str] = ()) -> list[Place]:
    """
    Return the COCO files of a source, each with its task and subset.

    With `tasks`, files whose names say another task are left out, and files whose names say none
    are of the one task. Raises NotADataset where there is no file.
    """
    found = []
    for path in candidates(source):
        if path != source.focus and not is_coco(source, path):
            continue
        named = standard_name(path)
        folder, _, name = path.rpartition("/")
        task = named[0] if named else None
        if task is not None and tasks and task not in tasks and path != source.focus:
            continue
        if tasks and (task is None or task not in tasks) and len(tasks) == 1:
            task = next(iter(tasks))
        if named is not None and named[1] is not None:
            subset = named[1]
        elif name == ROBOFLOW and folder:
            subset = folder.rpartition("/")[2]
        else:
            subset = source.subset or "default"
        found.append(Place(path, task, simple_name(subset, "subset"), named is not None))
    if not found:
        what = f"COCO file of the task {', '.join(tasks)}" if tasks else "COCO file"
        raise NotADataset(
            f"there is no {what} at '{source.name}'",
            hint=f"its files are called <task>_<subset>.json; tasks: {', '.join(TASKS)}",
        )
    return found


def told_apart(found: list[Place]) -> list[Place]:
    """Give files of the same task and subset subsets of their own: by their names, or paths."""
    for naming in (_by_stem, _by_path):
        groups: dict[tuple[str | None, str], list[Place]] = defaultdict(list)
        for place in found:
            groups[place.task, place.subset].append(place)
        renamed = {
            place.path: naming(place)
            for group in groups.values()
            if len(group) > 1
            for place in group
            if naming is _by_path or not place.named
        }
        found = [
            replace(place, subset=renamed[place.path]) if place.path in renamed else place
            for place in found
        ]
    return found


def _by_stem(place: Place) -> str:
    return simple_name(place.path.rpartition("/")[2][: -len(".json")], "subset")


def _by_path(place: Place) -> str:
    return simple_name(place.path[: -len(".json")].replace("/", "_"), "subset")


class ImageFinder:
    """Finds the images that one file names."""

    def __init__(self, source: Source, place: Place) -> None:
        self._source = source
        self._subset = place.subset
        source.tolerant = True
        self._any = bool(source.images or source.refused)
        self._folders = _folders(source, place) if self._any else []
        self._by_name: dict[str, list[str]] | None = None

    def find(self, name: str) -> str | None:
        """Return the path of an image by the name that the file gives it, None where it is not."""
        if not self._any:
            return None
        for folder in self._folders:
            path = f"{folder}/{name}" if folder else name
            if path in self._source:
                return path
        found = self._source.image(name, folders=self._folders) or self._elsewhere(name)
        if found is None and self._source.refused:
            first = min(self._source.refused)
            self._source.note(f"images were not found, and '{first}' beside them cannot be read")
        return found

    def _elsewhere(self, name: str) -> str | None:
        """Return the only image anywhere that is called so; of several the one of the subset."""
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for path in self._source.images.values():
                self._by_name[path.rpartition("/")[2]].append(path)
        found = [
            path
            for path in self._by_name.get(name.rpartition("/")[2], ())
            if path == name or path.endswith(f"/{name}")
        ]
        if len(found) > 1:
            found = [path for path in found if self._subset in path.split("/")[:-1]]
        return found[0] if len(found) == 1 else None


def _folders(source: Source, place: Place) -> list[str]:
    """Return the folders in which images usually are, the likeliest first."""
    beside = place.path.rpartition("/")[0]
    above = beside.rpartition("/")[0]
    subset = place.subset
    wanted = []
    for base in dict.fromkeys((above, beside, "")):
        root = f"{base}/" if base else ""
        wanted += [
            f"{root}images/{quote(subset)}",
            f"{root}images/{subset}",
            f"{root}{subset}/images",
            f"{root}{subset}",
            f"{root}images",
        ]
    wanted += [beside, above, "", f"data/{subset}", "data"]
    existing = {folder.lower(): folder for folder in sorted(source.folders, reverse=True)}
    existing[""] = ""
    return list(dict.fromkeys(existing[one.lower()] for one in wanted if one.lower() in existing))
