"""
Labels of Pascal VOC: the original classes, `labelmap.txt`, and the colours of masks.

    # label:color_rgb:parts:actions
    background:0,0,0::
    person:192,128,128:head,hand,foot:jumping,reading
    cat:64,0,0::

A label's line is its number in masks, from 0. Parts and actions stand in `Category.extra["voc"]`;
a part that is no label by itself becomes one, with the whole as its parent. A character that would
end a field, a comment or the line is percent-quoted (`%3A` for a colon).

Colours: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html, appendix.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from dvcs.errors import FormatError
from dvcs.model import Category, Labels

NAME: Final = "voc"
"""Under this name VOC's own things stand in `extra`, `derived` and the metadata."""
LABEL_MAPS: Final = ("labelmap.txt", "label_map.txt")
BACKGROUND: Final = "background"
IGNORED: Final = "ignored"
IGNORED_COLOR: Final = (224, 224, 192)
CLASSES: Final = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
PARTS: Final = ("head", "hand", "foot")
ACTIONS: Final = (
    *("other", "jumping", "phoning", "playinginstrument", "reading", "ridingbike"),
    *("ridinghorse", "running", "takingphoto", "usingcomputer", "walking"),
)
CLASSIFICATION, DETECTION, SEGMENTATION = "classification", "detection", "segmentation"
ACTION, LAYOUT = "action", "layout"
TASKS: Final = {
    CLASSIFICATION: "Main",
    DETECTION: "Main",
    SEGMENTATION: "Segmentation",
    ACTION: "Action",
    LAYOUT: "Layout",
}
"""The tasks, and the folder of `ImageSets` that lists the items of each."""
WITH_XML: Final = frozenset({DETECTION, ACTION, LAYOUT})
Color = tuple[int, int, int]

_QUOTED: Final = re.compile(r"[%:#,\x00-\x1f\x7f\x85\u2028\u2029]|\A\s|\s\Z")
_ESCAPE: Final = re.compile(r"%u([0-9A-F]{4})|%([0-9A-F]{2})")
_COMMENT: Final = re.compile(r"(?:\A|\s)#.*\Z")


def color_of(index: int) -> Color:
    """Return the colour of a number in VOC's palette: its bits spread over red, green and blue."""
    red = green = blue = 0
    for shift in range(7, -1, -1):
        red |= (index & 1) << shift
        green |= (index >> 1 & 1) << shift
        blue |= (index >> 2 & 1) << shift
        index >>= 3
    return red, green, blue


def parts_of(category: Category | None) -> Sequence[str]:
    """Return the names of a label's parts."""
    return _listed(category, "parts")


def actions_of(category: Category | None) -> Sequence[str]:
    """Return the names of a label's actions."""
    return _listed(category, "actions")


def _listed(category: Category | None, key: str) -> Sequence[str]:
    own = category.extra.get(NAME, {}) if category is not None else {}
    names = own.get(key, ()) if isinstance(own, Mapping) else ()
    return names if isinstance(names, Sequence) and not isinstance(names, str) else ()


def original(*, segmentation: bool) -> list[Category]:
    """Return the 20 classes; for segmentation 22, with `background` and `ignored`."""
    colored = [
        Category(name=name, color=color_of(number)) for number, name in enumerate(CLASSES, 1)
    ]
    if not segmentation:
        return colored
    background = Category(name=BACKGROUND, color=(0, 0, 0))
    return [background, *colored, Category(name=IGNORED, color=IGNORED_COLOR)]


def with_details(
    categories: Iterable[Category],
    parts: Mapping[str, Iterable[str]],
    actions: Mapping[str, Iterable[str]],
) -> list[Category]:
    """Return labels that know these parts and actions too; new part labels follow at the end."""
    found = []
    names: dict[str, str] = {}
    for one in categories:
        details = {
            key: list(dict.fromkeys((*known, *sorted(new))))
            for key, known, new in (
                ("parts", parts_of(one), parts.get(one.name, ())),
                ("actions", actions_of(one), actions.get(one.name, ())),
            )
        }
        for part in details["parts"]:
            names.setdefault(part, one.name)
        kept = {key: value for key, value in details.items() if value}
        extra = {**one.extra, NAME: kept} if kept else one.extra
        found.append(_changed(one, extra=extra))
    known = {one.name for one in found}
    return [
        *found,
        *(Category(name=part, parent=whole) for part, whole in names.items() if part not in known),
    ]


def _changed(category: Category, **changes: Any) -> Category:
    from msgspec.structs import replace

    return replace(category, **changes)


# -- labelmap.txt --------------------------------------------------------------------------------


def read_label_map(lines: Iterable[tuple[int, str]], place: PurePath) -> list[Category]:
    """Return the labels of a label map. Raises FormatError for bad colours and repeated names."""
    found: dict[str, Category] = {}
    for number, line in lines:
        text = _COMMENT.sub("", line).strip()
        if not text:
            continue
        fields = text.rsplit(":", 3) if text.count(":") >= 3 else [*text.split(":"), "", "", ""]
        name = _unquoted(fields[0].strip())
        if name in found:
            raise FormatError(f"label '{name}' is there twice", place, number)
        if not name:
            raise FormatError("a label has no name", place, number)
        details = {
            key: [_unquoted(one.strip()) for one in field.split(",") if one.strip()]
            for key, field in (("parts", fields[2]), ("actions", fields[3]))
        }
        kept = {key: value for key, value in details.items() if value}
        color = _color(fields[1], place, number)
        found[name] = Category(name=name, color=color, extra={NAME: kept} if kept else {})
    return list(found.values())


def _color(text: str, place: PurePath, line: int) -> Color | None:
    if not text.strip():
        return None
    numbers = text.split(",")
    if len(numbers) != 3 or not all(re.fullmatch(r"\s*\d{1,3}\s*", one) for one in numbers):
        raise FormatError(f"'{text}' is no colour: it should be red,green,blue", place, line)
    red, green, blue = (int(one.strip()) for one in numbers)
    if max(red, green, blue) > 255:
        raise FormatError(f"'{text}' is no colour: its parts go up to 255", place, line)
    return red, green, blue


def label_map_lines(categories: Sequence[Category], colors: Sequence[Color] | None) -> list[str]:
    """Return the lines of a label map; without `colors`, labels have those they know."""
    lines = ["# label:color_rgb:parts:actions"]
    for number, one in enumerate(categories):
        color = colors[number] if colors is not None else one.color
        parts = ",".join(map(_quoted, parts_of(one)))
        actions = ",".join(map(_quoted, actions_of(one)))
        rgb = ",".join(map(str, color)) if color is not None else ""
        lines.append(f"{_quoted(one.name)}:{rgb}:{parts}:{actions}")
    return lines


def _quoted(name: str) -> str:
    def escape(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"%{code:02X}" if code < 256 else f"%u{code:04X}"

    return _QUOTED.sub(escape, name)


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), text)


# -- numbers and colours in masks ----------------------------------------------------------------


def listed(labels: Labels) -> list[Category]:
    """Return the labels that have a line in a label map: all but parts that others list."""
    parts = {part for one in labels for part in parts_of(one)}
    return [one for one in labels if one.parent is None or one.name not in parts]


def with_background(categories: Sequence[Category]) -> list[Category]:
    """Return labels with the background first, whether it was there or not."""
    background = next(
        (one for one in categories if one.name == BACKGROUND), Category(name=BACKGROUND)
    )
    return [background, *(one for one in categories if one.name != BACKGROUND)]


def colors_of(categories: Sequence[Category]) -> list[Color]:
    """
    Return a colour for each label, all different.

    Its own, unless an earlier label has that; black for the background; else VOC's of its number,
    or the next that is free.
    """
    found: list[Color | None] = []
    taken: set[Color] = set()
    for one in categories:
        color = one.color
        if one.name == BACKGROUND:
            color = (0, 0, 0)
        elif one.name == IGNORED and color is None:
            color = IGNORED_COLOR
        elif color == (0, 0, 0) and any(other.name == BACKGROUND for other in categories):
            color = None
        color = None if color in taken else color
        if color is not None:
            taken.add(color)
        found.append(color)
    number = 0
    for position, color in enumerate(found):
        if color is not None:
            continue
        fresh = color_of(position) if position < 256 else IGNORED_COLOR
        while fresh in taken or fresh in {(0, 0, 0), IGNORED_COLOR}:
            number += 1
            fresh = color_of(number % 256) if number < 256 else _far(number)
        taken.add(fresh)
        found[position] = fresh
    return [color for color in found if color is not None]


def _far(number: int) -> Color:
    """Return a colour for numbers that VOC's palette of 256 does not reach."""
    return number & 255, number >> 8 & 255, number >> 16 & 255
