"""
CVAT's XML: what `dvcs.formats.cvat` is made of.

    find.py, meta.py             which files there are, and what stands above the images
    read.py, shapes.py           images and tracks as items; their elements as annotations
    write.py, text.py, runs.py   files written: elements, and the keyframes of tracks
    subset.py                    what must be known before the first line can be written
    labels.py, masks.py, numbers.py
"""
