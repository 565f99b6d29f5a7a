"""
Datumaro's own JSON, as its versions 0.1 to 1.x and CVAT write it.

    annotations/
        train.json                  a file for each subset
    images/
        train/street/1.jpg          or images/street/1.jpg
    point_clouds/
        train/0001.pcd
    related_images/
        train/0001/image_0.jpg      images that go with a point cloud
    videos/
        train/a.mp4

A file has `categories` (labels, their colours, their keypoints with joints from 1) and `items`,
each with `id`, `annotations`, `attr` and one medium. Read are all its kinds of annotations: an
element of a skeleton becomes a point named by its label; scores and tracks stand among the
attributes, as `score` and `track_id`. Records of types that nobody models are kept as they stand.
So are unknown keys, everywhere.

Written are the types that every version since 0.3 reads: an ellipse becomes a polygon, of which
Datumaro knows one ring; a shape of several parts becomes several polygons in one group. A type of
later versions is written where it was read. Nothing is lost with that: what Datumaro cannot say
stands under a key `dvcs`, which its readers pass over and ours takes back, as long as the shape
beside it is still the one that was written.

What is read and written again says the same, but for: the order of keys and layout; keys that only
say what is meant without them (`attributes` {}, `group` 0, `z_order` 0, `label_id` null, an empty
`path`, `label_groups` []); categories, which are those of all files together in each, and the
positions of labels that follow from that; colours and keypoints in the order of the labels; masks
with counts as a list; ids and numbers of labels and groups written as 3.0 instead of 3; the path of
an image that lies elsewhere than where it is written to.
"""

from typing import Annotated

from dvcs.errors import NotADataset
from dvcs.files import Sink, Source
from dvcs.formats._datumaro import read as reading
from dvcs.formats._datumaro import write as writing
from dvcs.formats._datumaro.find import ANNOTATIONS, is_datumaro, places
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.model import KINDS, Dataset

Ellipses = Annotated[bool, "write upright ellipses as such, which Datumaro reads since 1.0"]


def detect(source: Source) -> Confidence:
    """Say how sure it is that a place is Datumaro's; Rejected where no file looks like it."""
    try:
        found = places(source)
    except NotADataset as error:
        raise Rejected(str(error)) from None
    if source.focus is not None and not all(is_datumaro(source, path) for path in found):
        raise Rejected(f"'{source.focus}' has no 'categories' and 'items' as Datumaro has")
    named = any(f"/{path}".split("/")[-2] == ANNOTATIONS for path in found)
    return Confidence.HIGH if named or source.focus is not None else Confidence.MEDIUM


def read(source: Source) -> Dataset:
    """
    Return the dataset of a source.

    Raises NotADataset where it has no file of this format, or several datasets; FormatError where
    a file is not JSON of this outline. Bad items and annotations are reported when it is walked.
    """
    return reading.read(source)


def write(dataset: Dataset, sink: Sink, *, ellipses: Ellipses = False) -> None:
    """Write a dataset. Raises LossError for NaN, and UnsafeName for two items of one id."""
    writing.write(dataset, sink, ellipses=ellipses)


FORMATS = (
    Format(
        name="datumaro",
        title="Datumaro",
        url="https://github.com/openvinotoolkit/datumaro",
        kinds=frozenset(KINDS),
        media=frozenset({"image", "multi_image", "point_cloud", "video_frame"}),
        fields=frozenset(
            {
                *("id", "group", "z_order", "score", "track", "attributes"),
                *("item.attributes", "unlabelled"),
            }
        ),
        detect=detect,
        read=read,
        write=write,
        aliases=("datumaro_json",),
        lossless=True,
    ),
)
