"""
Datumaro's JSON: what `dvcs.formats.datumaro` is made of.

    find.py, records.py          which files there are; their records as types
    read.py, notes.py, labels.py, media.py
                                 items, annotations, labels and media of them
    write.py, fields.py, categories.py
                                 the reverse
    ours.py                      what dvcs itself keeps in such files
"""
