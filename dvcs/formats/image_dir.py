"""
A folder of images without annotations.

    <root>/
    ├── one.jpg               the item `one`
    ├── street/
    │   ├── 1.png             `street/1`
    │   └── 1.jpg             ... then the second of two that differ in the extension only keeps
    └── ...                   its full name: `street/1.jpg` is read first, `street/1.png` so named

Folders are part of an item's id, never a subset: all items are of the subset `default`, or the one
given with --subset. Where one image is named, the dataset is that image. Written images keep their
names. Where a dataset has several subsets, each is written to a folder of its name, which then is a
part of the ids of what is read back.

Images lie in any format that OpenCV reads; files of other kinds are left alone.
"""

from collections.abc import Iterator

from dvcs.errors import NotADataset
from dvcs.files import Sink, Source
from dvcs.files.source import IMAGE_EXTENSIONS
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.model import Dataset, Item, Media, MediaFile
from dvcs.names import extension, id_of_file, item_id


def detect(source: Source) -> Confidence:
    """Any folder with an image would do; of one file, an image."""
    if not _images(source):
        named = f"'{source.focus}' is no" if source.focus is not None else "there is no"
        raise Rejected(f"{named} image file")
    return Confidence.LOW


def _images(source: Source) -> list[str]:
    paths = source.paths if source.focus is None else (source.focus,)
    return [path for path in paths if extension(path).lower() in IMAGE_EXTENSIONS]


def read(source: Source) -> Dataset:
    """
    Return an item for each image file; sizes are not looked up, as no file is opened.

    Raises NotADataset where there is none.
    """
    found = _images(source)
    if not found and not source.is_empty_export:
        place = source.name if source.focus is None else source.place(source.focus)
        raise NotADataset(
            f"there is no image at '{place}'", hint="image files are known by their extension"
        )
    others = len(source.paths) - len(found) if source.focus is None else 0
    if others:
        source.note("files that are not named like images were left alone", others)

    def walk() -> Iterator[Item]:
        taken: set[str] = set()
        subset = source.subset or "default"

        def parse(path: str) -> Item:
            name, ext = id_of_file(path, taken), extension(path)
            taken.add(name)
            file = MediaFile(ext=ext, name=None if path == name + ext else path)
            media = Media(files=(file,))
            return Item(name, subset, media, origins=(source.origin(path),))

        return source.items(found, parse)

    return Dataset((), walk)


def write(dataset: Dataset, sink: Sink) -> None:
    """Write the images under their names, below a folder for each subset if there are several."""
    several = len(dataset.subset_names or {item.subset for item in dataset}) > 1
    for item in dataset:
        if several or item.subset != "default":
            sink.lost_fields["item.id" if several else "item.subset"] += 1
        path = item_id(item.file_name)
        sink.media(item, f"{item.subset}/{path}" if several else path)


FORMATS = (
    Format(
        name="image_dir",
        title="Folder of images",
        url="https://docs.opencv.org/4.x/d4/da8/group__imgcodecs.html",
        kinds=frozenset(),
        labels=frozenset(),
        detect=detect,
        read=read,
        write=write,
        annotated="never",
        aliases=("images",),
    ),
)
