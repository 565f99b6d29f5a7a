"""
Where formats read from and write to: trees of files with `/` paths, in a stable order.

    source.py    `Source`: what all sources can do; a folder, files in memory
    archive.py   zip and tar as sources, with limits that count real bytes
    sink.py      `Sink`: what all do, and files in memory; written whole or not at all
    folder_sink.py   a folder; what an update of one may replace
    zip_sink.py      a zip; not loaded before it is needed
    origins.py   where the bytes of one media file can be had
"""

from dvcs.files.folder_sink import FolderSink
from dvcs.files.origins import BytesOrigin, PathOrigin, Unturned, image_size, unturned_header
from dvcs.files.sink import MemorySink, Sink
from dvcs.files.source import FolderSource, MemorySource, Source, open_source

__all__ = [
    "BytesOrigin",
    "FolderSink",
    "FolderSource",
    "MemorySink",
    "MemorySource",
    "PathOrigin",
    "Sink",
    "Source",
    "Unturned",
    "image_size",
    "open_source",
    "unturned_header",
]
