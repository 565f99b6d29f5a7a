"""
COCO, all tasks: what `dvcs.formats.coco` is made of.

    find.py, open.py, index.py   which files there are, which images, where annotations stand
    read.py, parse.py            a record as annotations; panoptic.py for pictures of segments
    write.py, output.py          files written; fields.py, images.py, painter.py for their records
    records.py                   the records as types
    labels.py, shapes.py         categories; what becomes of shapes before they are written
"""
