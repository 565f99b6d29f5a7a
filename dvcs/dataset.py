"""
The dataset of the Python API: the model's, with everything that can be done with one.

    data = Dataset.import_from("VOC2012", "voc")
    data.transform("remap_labels", mapping={"cat": "animal"}).export("out", "yolo")

All of it works without a repository. Like the model's, it is a recipe: nothing is read until it is
walked, exported or counted.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvcs import model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dvcs.compare import ItemChange
    from dvcs.formats._exporting import Exported
    from dvcs.stats import Info
    from dvcs.validate import Report


class Dataset(model.Dataset):
    """Labels, metadata, and a way to walk the items; see `dvcs.model.Dataset`."""

    @classmethod
    def of(cls, dataset: model.Dataset) -> "Dataset":
        """Return any dataset as one with these verbs."""
        if isinstance(dataset, cls):
            return dataset
        return cls(
            dataset.labels,
            dataset.__iter__,
            metadata=dataset.metadata,
            format=dataset.format,
            count=dataset.count,
            subset_names=dataset.subset_names,
            decoded=dataset.decoded,
            boxed=dataset.boxed,
        )

    @classmethod
    def import_from(
        cls,
        path: str | Path,
        format: str | None = None,
        *,
        subset: str | None = None,
        keep_going: bool = False,
        **options: Any,
    ) -> "Dataset":
        """
        Return the dataset in a folder, archive or annotation file; its files are read when walked.

        `format` is found out where it is not given. Raises NotADataset, UnknownName, UsageError for
        an option that the format does not have, and FormatError(s) as it is walked.
        """
        from dvcs import formats
        from dvcs.files import open_source

        source = open_source(Path(path), subset=subset, keep_going=keep_going)
        found = formats.find(format) if format else formats.detect(source)
        return cls.of(formats.read(source, found, **options))

    def export(
        self,
        path: str | Path,
        format: str,
        *,
        save_media: bool = True,
        image_ext: str | None = None,
        update: bool = False,
        force: bool = False,
        strict: bool = False,
        allow_loss: bool = False,
        convert_shapes: bool = True,
        link: str = "reflink",
        **options: Any,
    ) -> "Exported":
        """
        Write the dataset to a folder (or a `.zip`); return what was converted and lost.

        Raises LossError with `strict` for any loss, and without `allow_loss` where all annotations
        of a kind would vanish; DirtyWorkingCopy where an `update` would overwrite what was changed
        by hand, without `force`. Then nothing was written.
        """
        from dvcs import formats
        from dvcs.formats._exporting import export

        return export(
            self,
            formats.find(format),
            Path(path),
            save_media=save_media,
            image_ext=image_ext,
            update=update,
            force=force,
            strict=strict,
            allow_loss=allow_loss,
            convert_shapes=convert_shapes,
            link=link,
            options=options,
        )

    def transform(self, name: str, **options: Any) -> "Dataset":
        """Return the dataset passed through a transform. Raises UnknownName."""
        from dvcs import transforms

        return Dataset.of(transforms.apply(self, name, **options))

    def stats(self) -> "Info":
        """Count items, annotations, labels, kinds and media, in one walk."""
        from dvcs.stats import summarise

        return summarise(self)

    def validate(self, **options: Any) -> "Report":
        """
        Look for faults in the annotations; `options` are those of `dvcs.validate.Options`.

            data.validate(task="detection").by_rule()       # {"NegativeLength": 2, ...}

        Walks the dataset once, and twice with a task that has sizes. Raises UnknownName and
        UsageError.
        """
        from dvcs.validate import Options, validate

        return validate(self, Options(**options))

    def diff(self, other: model.Dataset) -> "Iterator[ItemChange]":
        """Yield what changed from this dataset to another, item by item."""
        from dvcs.compare import diff_datasets

        return diff_datasets(self, other)
