"""
Version control for computer-vision datasets.

    import dvcs

    repo = dvcs.Repository.init("pets")
    repo.import_dataset("VOC2012", format="voc", name="voc")
    cats = repo.dataset("main").select(lambda item: any(a.label == "cat" for a in item.annotations))
    repo.commit(cats, message="cats only", branch="cats")

What `__all__` names is public and loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvcs.dataset import Dataset
    from dvcs.errors import DvcsError
    from dvcs.model import (
        Annotation,
        AttributeSpec,
        Bbox,
        Caption,
        Category,
        Cuboid3d,
        Ellipse,
        Item,
        Label,
        Labels,
        Mask,
        Media,
        MediaFile,
        Other,
        Points,
        Polygon,
        PolyLine,
        Raster,
        RotatedBbox,
    )
    from dvcs.repository import Repository

__version__ = "0.1.0.dev0"

__all__ = [
    "Annotation",
    "AttributeSpec",
    "Bbox",
    "Caption",
    "Category",
    "Cuboid3d",
    "Dataset",
    "DvcsError",
    "Ellipse",
    "Item",
    "Label",
    "Labels",
    "Mask",
    "Media",
    "MediaFile",
    "Other",
    "Points",
    "PolyLine",
    "Polygon",
    "Raster",
    "Repository",
    "RotatedBbox",
]

_HOMES = {
    "Dataset": "dvcs.dataset",
    "DvcsError": "dvcs.errors",
    "Repository": "dvcs.repository",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dvcs' has no attribute '{name}'")
    return getattr(import_module(_HOMES.get(name, "dvcs.model")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
