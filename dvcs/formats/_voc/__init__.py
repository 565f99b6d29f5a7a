"""
Pascal VOC, all tasks: what `dvcs.formats.voc` is made of.

    detect.py, find.py, lists.py     which files there are, and what the lists say
    read.py, items.py, objects.py    labels first, then item by item
    layouts.py                       files whose outline is that of a file before, by pattern
    write.py, xml.py                 files written
    labels.py, masks.py              label maps and colours; masks as images
"""
