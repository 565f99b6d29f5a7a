"""
YOLO in all dialects: what `dvcs.formats.yolo`, `yolo_ultralytics` and `yolo_ndjson` are made of.

    files.py, layout.py          which image belongs to which labels; sizes, ids
    rows.py, numbers.py, corners.py
                                 a row as annotations, and back; its numbers; rotated boxes
    write.py                     label files written
    config.py, settings.py, yaml.py
                                 `data.yaml`: what it says; written; read strictly
    detect.py, classify.py       Ultralytics' tasks told apart; its classification
    ndjson_lines.py              the lines of NDJSON
"""
