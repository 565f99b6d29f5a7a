"""
The media of an item, as Datumaro tells of them, and where their files are.

    image           {path, size}      images/<subset>/<path>, or images/<path>
    point_cloud     {path}            point_clouds/<subset>/<path>
    related_images  [{path, size}]    related_images/<subset>/<item>/<path>, or as images
    video_frame     {video_path, frame_index}    videos/<subset>/<video_path>
    video           {path, step, start_frame, end_frame}
    media           {path}            what is none of these; often a copy of the image's

A path may be empty (the item's id with `.jpg`), begin with the subset, or be one of another
machine. As it stood, if it is not `Item.file_name`, it is kept in `extra["datumaro"]`:

    path            the path, where nothing is to be found in the dataset
    subset_in_path  true, where it begins with the subset
    media, image, point_cloud, related_images, video, video_frame
                    what else is said there; `media` is true where it only repeats the path
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from dvcs.errors import DvcsError, UnsafeName
from dvcs.files import Source
from dvcs.files.source import IMAGE_EXTENSIONS
from dvcs.formats._datumaro.records import MEDIA_KEYS, NAME
from dvcs.model import Media, MediaFile, Origin
from dvcs.names import extension, item_id, strip_extension

IMAGE, CLOUD, RELATED, VIDEO = "image", "point_cloud", "related_image", "video"
FOLDERS = {
    IMAGE: "images",
    CLOUD: "point_clouds",
    RELATED: "related_images",
    VIDEO: "videos",
}
"""Folders by the role of a file."""
DEFAULT_EXT = ".jpg"
KNOWN = {
    "image": ("path", "size"),
    "point_cloud": ("path",),
    "video_frame": ("video_path", "frame_index"),
    "video": ("path",),
}


class BadMedia(DvcsError):
    """What an item says of its media cannot be; where it stands is added by the caller."""


class Finder:
    """Finds the media files of one annotation file: `root` is the folder that has `annotations`."""

    def __init__(self, source: Source, root: str, subset: str) -> None:
        self._source = source
        self._root = root
        self._subset = subset
        prefixes = tuple(f"{root}{folder}/" for folder in FOLDERS.values())
        known = source.focus is None or f"{root}images" in source.folders
        self._any = known and any(path.startswith(prefixes) for path in source.paths)

    def find(self, role: str, name: str, id: str) -> tuple[str, str] | None:
        """Return a file's path, and its name below the folder of its subset; None: not there."""
        if not self._any:
            return None
        folders = self._folders(role, id)
        for folder in folders:
            if f"{folder}/{name}" in self._source:
                return f"{folder}/{name}", self._without_subset(role, name, folder)
        if role != IMAGE:
            return None
        path = self._source.image(name, folders=folders)
        if path is None:
            return None
        folder = next(one for one in folders if path.startswith(f"{one}/"))
        return path, self._without_subset(role, path[len(folder) + 1 :], folder)

    def _folders(self, role: str, id: str) -> list[str]:
        base, subset = f"{self._root}{FOLDERS[role]}", self._subset
        folders = [f"{base}/{subset}", base]
        if role == RELATED:
            images = f"{self._root}{FOLDERS[IMAGE]}"
            folders = [f"{base}/{subset}/{id}", *folders, f"{images}/{subset}", images]
        return folders

    def _without_subset(self, role: str, name: str, folder: str) -> str:
        if role == RELATED or folder.endswith(f"/{self._subset}"):
            return name
        return name.removeprefix(f"{self._subset}/")

    def exactly(self, path: str) -> Origin | None:
        """Return where the bytes of a file are that is called so below the root, if it is there."""
        whole = f"{self._root}{path}"
        return self._source.origin(whole) if self._any and whole in self._source else None

    def origin(self, path: str) -> Origin:
        """Return where a file's bytes are."""
        return self._source.origin(path)


Found = tuple[Media | None, tuple[Origin | None, ...], dict[str, Any]]


def read_media(stated: Mapping[str, Any], id: str, subset: str, finder: Finder | None) -> Found:
    """
    Return the media of an item, the origins of their files, and what goes to its `extra`.

    `subset` is the name of the folders of its subset. Without a finder nothing is looked for.
    Raises BadMedia.
    """
    given = {}
    for key in MEDIA_KEYS:
        value = stated.get(key, UNSET)
        if value is UNSET or value is None or (isinstance(value, dict | list) and not value):
            continue
        if not isinstance(value, list if key == "related_images" else dict):
            raise BadMedia(f"'{key}' is not what it should be: {type(value).__name__}")
        given[key] = value
    kinds = [key for key in ("image", "point_cloud", "video_frame", "video") if key in given]
    if len(kinds) > 1:
        raise BadMedia(f"an item cannot have both '{kinds[0]}' and '{kinds[1]}'")
    reader = _Reader(given, id, subset, finder)
    if not kinds:
        return reader.element()
    if kinds[0] == "image":
        return reader.image()
    return reader.cloud() if kinds[0] == "point_cloud" else reader.frame()


class _Reader:
    """Reads the media of one item."""

    def __init__(self, given: dict[str, Any], id: str, subset: str, finder: Finder | None) -> None:
        self._given = given
        self._id = id
        self._subset = subset
        self._finder = finder
        self._extra: dict[str, Any] = {}
        self._origins: list[Origin | None] = []

    def _file(self, role: str, path: Any, number: int = 0) -> MediaFile | None:
        """Return the file of a path; None where the path is empty and nothing is found."""
        if not isinstance(path, str | None):
            raise BadMedia(f"a path is {path!r}")
        name = _safe(path)
        if name is None:
            ext = extension(path or "") or ("" if path else DEFAULT_EXT)
            name = f"image_{number - 1}{ext}" if number else self._id + ext
        elif not number and strip_extension(name) == f"{self._subset}/{self._id}":
            name = name.removeprefix(f"{self._subset}/")
        found = self._finder.find(role, name, self._id) if self._finder is not None else None
        if found is not None and self._finder is not None:
            self._origins.append(self._finder.origin(found[0]))
            name = found[1]
        elif not path:
            return None
        else:
            self._origins.append(None)
        if path and not number and path != name:
            if path == f"{self._subset}/{name}":
                self._extra["subset_in_path"] = True
            else:
                self._extra["path"] = path
        ext = extension(name)
        return MediaFile(role=role, ext=ext, name=None if name == self._id + ext else name)

    def _rest(self, key: str) -> None:
        rest = {k: v for k, v in self._given[key].items() if k not in KNOWN[key]}
        if rest:
            self._extra[key] = rest

    def _media(self, path: Any) -> None:
        """Keep what `media` says beside another medium."""
        media = self._given.get("media")
        if media is not None:
            self._extra["media"] = True if media == {"path": path} else media

    def image(self, key: str = "image") -> Found:
        stated = self._given[key]
        path = stated.get("path")
        file = self._file(IMAGE, path)
        height, width = _size(stated.get("size"))
        if key == "image":
            self._rest(key)
            self._media(path)
            self._related()
        files = () if file is None else (file,)
        return Media(files=files, height=height, width=width), tuple(self._origins), self._extra

    def _related(self) -> list[MediaFile]:
        """Keep images related to something that is no point cloud."""
        if "related_images" in self._given:
            self._extra["related_images"] = self._given["related_images"]
        return []

    def cloud(self) -> Found:
        stated = self._given["point_cloud"]
        first = self._file(CLOUD, stated.get("path"))
        self._rest("point_cloud")
        self._media(stated.get("path"))
        if first is None:
            self._related()
            return Media(kind="point_cloud"), (), self._extra
        files = [first]
        more = []
        for one in self._given.get("related_images", ()):
            if not isinstance(one, dict) or not isinstance(one.get("path"), str):
                raise BadMedia("'related_images' has an entry without a path")
            file = self._file(RELATED, one["path"], len(files))
            if file is None:
                raise BadMedia("'related_images' has an entry with an empty path")
            files.append(file)
            more.append({key: value for key, value in one.items() if key != "path"})
        if any(more):
            self._extra["related_images"] = more
        return Media(kind="point_cloud", files=tuple(files)), tuple(self._origins), self._extra

    def frame(self) -> Found:
        key = "video" if "video" in self._given else "video_frame"
        stated = self._given[key]
        path = stated.get("path" if key == "video" else "video_path")
        file = self._file(VIDEO, path)
        number = None
        if key == "video_frame":
            number = stated.get("frame_index")
            if type(number) is not int:
                raise BadMedia(f"'frame_index' is {number!r}, not a whole number")
        self._rest(key)
        self._media(path)
        self._related()
        media = Media(kind="video_frame", files=() if file is None else (file,), frame=number)
        return media, tuple(self._origins), self._extra

    def element(self) -> Found:
        """Return what `media` alone says: an image, if it is called like one."""
        media = self._given.get("media", {})
        path = media.get("path")
        self._related()
        if (
            media.keys() == {"path"}
            and isinstance(path, str)
            and extension(path).lower() in IMAGE_EXTENSIONS
        ):
            found = self.image("media")
            found[2]["media"] = "image"
            return found
        if media:
            self._extra["media"] = media
        return None, (), self._extra


def _safe(path: str | None) -> str | None:
    """Return a path as a name within the dataset, None where it cannot be one."""
    if not path:
        return None
    try:
        return item_id(path)
    except UnsafeName:
        return None


def _size(size: Any) -> tuple[int | None, int | None]:
    if size is None:
        return None, None
    try:
        height, width = msgspec.convert(size, tuple[float, float])
    except msgspec.ValidationError:
        raise BadMedia(f"'size' is {size!r}, not height and width") from None
    if not (height.is_integer() and width.is_integer() and height >= 0 and width >= 0):
        raise BadMedia(f"'size' is {size!r}, not whole numbers of pixels")
    return int(height), int(width)


# -- writing -------------------------------------------------------------------------------------


def name_of(media: Media, index: int, id: str) -> str:
    """Return the name of one of an item's files below the folder of its kind and subset."""
    file = media.files[index]
    if file.name is not None:
        return file.name
    return f"{id}/{index}{file.ext}" if index else id + file.ext


def folder_of(media: Media, index: int, subset: str, id: str) -> str:
    """Return the folder of one of an item's files."""
    role = media.files[index].role
    if media.kind == "point_cloud":
        role = RELATED if index else CLOUD
    elif role != VIDEO:
        role = IMAGE
    folder = f"{FOLDERS[role]}/{subset}"
    return f"{folder}/{id}" if role == RELATED else folder


def media_record(
    media: Media | None,
    extra: Mapping[str, Any],
    subset: str,
    names: Sequence[str],
    *,
    written: bool,
) -> dict[str, Any]:
    """
    Return what an item's record says of its media, the plain part.

    `names` are those under which the files are (or would be), `written` whether they are.
    """
    if media is None:
        more = extra.get("media")
        return {"media": more} if isinstance(more, dict) else _kept_related(extra)
    path = _path(extra, subset, names, written=written)
    with_path = {} if path is UNSET else {"path": path}
    kept = extra.get("media")
    record: dict[str, Any] = {}
    if kept is True and names:
        record["media"] = dict(with_path)
    elif isinstance(kept, dict):
        record["media"] = kept
    role = media.files[0].role if media.files else ""
    if media.kind == "point_cloud":
        record["point_cloud"] = {**with_path, **_more(extra, "point_cloud")}
        if len(names) > 1:
            record["related_images"] = _related_records(extra, names[1:])
        return {**(_kept_related(extra) if not names else {}), **record}
    if media.kind == "video_frame" and role == VIDEO and media.frame is None:
        return {**record, "video": {**with_path, **_more(extra, "video")}}
    if media.kind == "video_frame" and role == VIDEO:
        path = with_path.get("path", "")
        frame = {"video_path": path, "frame_index": media.frame, **_more(extra, "video_frame")}
        return {**record, "video_frame": frame}
    size = {"size": list(media.size)} if media.size is not None else {}
    if kept == "image" and not size:
        return {**record, "media": with_path}
    image = {"path": "", **with_path, **size, **_more(extra, "image")}
    return {**record, **_kept_related(extra), "image": image}


def _path(extra: Mapping[str, Any], subset: str, names: Sequence[str], *, written: bool) -> Any:
    """Return the path of the first file as the record is to have it, UNSET for none at all."""
    stated = extra.get("path", UNSET)
    if not names:
        return stated if isinstance(stated, str) else UNSET
    if extra.get("subset_in_path") is True:
        return f"{subset}/{names[0]}"
    return stated if isinstance(stated, str) and not written else names[0]


def _more(extra: Mapping[str, Any], key: str) -> dict[str, Any]:
    more = extra.get(key)
    known = KNOWN[key]
    return {k: v for k, v in more.items() if k not in known} if isinstance(more, dict) else {}


def _kept_related(extra: Mapping[str, Any]) -> dict[str, Any]:
    related = extra.get("related_images")
    return {"related_images": related} if isinstance(related, list) else {}


def _related_records(extra: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    stated = extra.get("related_images")
    if not isinstance(stated, list) or len(stated) != len(names):
        stated = [{}] * len(names)
    return [
        {**{k: v for k, v in more.items() if k != "path"}, "path": name}
        if isinstance(more, dict)
        else {"path": name}
        for name, more in zip(names, stated, strict=True)
    ]


def without_ext(media: Media, ext: str) -> Media:
    """Return media whose first file has another extension, as a re-encoded image has."""
    first = media.files[0]
    name = strip_extension(first.name) + ext if first.name is not None else None
    changed = msgspec.structs.replace(first, ext=ext, name=name, sha256=None, size=None)
    return msgspec.structs.replace(media, files=(changed, *media.files[1:]))


def own_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an item's `extra` has of Datumaro."""
    own = extra.get(NAME)
    return own if isinstance(own, dict) else {}
