"""
Draw docs/picture.svg: a terminal with a real `dvcs diff`, and beside it what it speaks of.

    python tools/make_picture.py            write it
    python tools/make_picture.py --check    say whether it is what dvcs prints, exit code 1 if not

The dataset is that of `dvcs demo`, the author and the date are fixed: the same code draws the same
bytes. The picture needs no network, no font of its own and no script.
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from unittest.mock import patch

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "picture.svg"
ENVIRONMENT = {
    "DVCS_AUTHOR_NAME": "Ada",
    "DVCS_AUTHOR_EMAIL": "ada@example.org",
    "DVCS_AUTHOR_DATE": "1700000000 +0000",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "TZ": "UTC",
}
ITEM = ("street", "train", "train_01")

# A terminal's look: sizes in pixels, colours by the parameters of its colour sequences.
COLUMN, ROW, EDGE, BAR = 7.8, 19, 18, 34
SCALE = 1.1
BACK, FRONT = "#10151c", "#d5dce4"
COLORS = {
    "1": "#ffffff",
    "2": "#8a94a0",
    "31": "#ff7b72",
    "32": "#5fd068",
    "33": "#e3b341",
    "36": "#6cc7d9",
    "1;32": "#5fd068",
}
SEQUENCE = re.compile(r"\x1b\[([\d;]*)m")


def session() -> tuple[list[str], dict[str, Any], list[dict[str, Any]]]:
    """Run the commands; return the lines of the terminal, the item's change, its annotations."""
    from dvcs.commands import _scenes

    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, ENVIRONMENT):
        os.environ.pop("DVCS_PAGER", None)
        with contextlib.chdir(folder):
            _scenes.write(Path("street"))
            for setup in (["init"], ["add", "street"], ["commit", "-m", "As delivered"]):
                _run("-q", *setup)
            shown = json.loads(_run("show", "--json", f"HEAD:{'/'.join(ITEM)}"))
            _edit(Path("street/annotations/instances_train.json"))
            lines = ["\x1b[1m$ dvcs diff\x1b[0m", *_run("--color", "always", "diff").split("\n")]
            change = json.loads(_run("diff", "--json"))["dvcs.diff/1"]["items"][0]
            lines += ["\x1b[1m$ dvcs commit -m 'First review'\x1b[0m"]
            lines += _run("-q", "--color", "always", "commit", "-m", "First review").split("\n")
    return lines[:-1], change, shown["dvcs.item/1"]["annotations"]


def _run(*arguments: str) -> str:
    from dvcs.commands import run

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(arguments)
    if code:
        sys.exit(f"dvcs {' '.join(arguments)} left with {code}:\n{out.getvalue()}")
    return out.getvalue()


def _edit(path: Path) -> None:
    """Do what a reviewer does in one image."""
    data = json.loads(path.read_text("utf-8"))
    notes = {one["id"]: one for one in data["annotations"]}
    data["categories"].append({"id": 4, "name": "cyclist"})
    car = notes[7]["segmentation"][0]
    notes[7]["segmentation"] = [[c + 4 if n % 2 else c - 9 for n, c in enumerate(car)]]
    notes[7]["bbox"] = [notes[7]["bbox"][0] - 9, notes[7]["bbox"][1] + 4, *notes[7]["bbox"][2:]]
    notes[4]["category_id"] = 4
    notes[1]["attributes"]["state"] = "red"
    added = {**notes[3], "id": 1000, "bbox": [245, 108, 15, 44], "area": 660}
    data["annotations"].append(added)
    path.write_text(json.dumps(data), "utf-8")


def draw() -> str:
    """Return the picture."""
    lines, change, notes = session()
    columns = max(len(SEQUENCE.sub("", line)) for line in lines)
    left = 2 * EDGE + columns * COLUMN
    width, height = left + 320 * SCALE + EDGE, BAR + EDGE + max(len(lines) * ROW, 250 * SCALE)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img">'
        ),
        "<title>dvcs diff shows which box moved, which label changed, what was added</title>",
        f'<rect width="100%" height="100%" rx="9" fill="{BACK}"/>',
        *(
            f'<circle cx="{20 + 18 * n}" cy="17" r="5.5" fill="{color}"/>'
            for n, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        (
            "<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', "
            f'monospace" font-size="13" fill="{FRONT}" xml:space="preserve">'
        ),
        *(one for n, line in enumerate(lines) for one in _line(line, BAR + ROW * (n + 0.8))),
        "</g>",
        (
            f'<g transform="translate({left:.0f} {BAR + 4}) scale({SCALE})" fill="none" '
            'font-family="ui-sans-serif, system-ui, sans-serif" font-size="9">'
        ),
        *_scene(change, notes),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(line: str, y: float) -> Iterator[str]:
    """Yield a line of the terminal, a text for each colour, each as wide as its columns."""
    pieces = SEQUENCE.split(line)
    column, color = 0, "0"
    for n, piece in enumerate(pieces):
        if n % 2:
            color = piece
        elif piece:
            indent = len(piece) - len(piece.lstrip(" "))
            text = piece.strip(" ")
            if text:
                yield (
                    f'<text x="{EDGE + (column + indent) * COLUMN:.1f}" y="{y:.1f}" '
                    f'textLength="{len(text) * COLUMN:.1f}" lengthAdjust="spacingAndGlyphs"'
                    f"{_style(color)}>{escape(text, quote=False)}</text>"
                )
            column += len(piece)


def _style(color: str) -> str:
    fill = f' fill="{COLORS[color]}"' if color in COLORS else ""
    return f'{fill} font-weight="bold"' if color.startswith("1") else fill


def _scene(change: dict[str, Any], notes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the image of the changed item, as its annotations have it: before dashed, then now."""
    yield '<rect width="320" height="240" rx="4" fill="#2a3440"/>'
    yield '<rect y="150" width="320" height="90" fill="#1f2730"/>'
    touched = [one["before"]["id"] for one in change["annotations"] if one["before"]]
    for note in notes:
        if note["id"] not in touched:
            yield _shape(note, "#77838f", "1")
    for one in change["annotations"]:
        before, after = one["before"], one["after"]
        color = COLORS["32" if before is None else "31" if after is None else "33"]
        if before is not None and "geometry" in one["fields"]:
            yield _shape(before, color, "1", ' stroke-dasharray="3 2" opacity="0.8"')
        if after is not None:
            yield _shape(after, color, "1.8")
            xs, ys = zip(*_corners(after), strict=True)
            x = min(*xs, 320 - 4.6 * len(_caption(one)))
            y = max(ys) + 11 if "geometry" in one["fields"] else min(ys) - 4
            yield f'<text x="{x:g}" y="{y:g}" fill="{color}">{_caption(one)}</text>'


def _caption(change: dict[str, Any]) -> str:
    if change["status"] == "added":
        return f"+ {change['label']}"
    if "geometry" in change["fields"]:
        return f"{change['label']} moved"
    if "label" in change["fields"]:
        return f"now {change['label']}"
    return "now red"


def _shape(note: dict[str, Any], color: str, width: str, more: str = "") -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in _corners(note))
    return f'<polygon points="{points}" stroke="{color}" stroke-width="{width}"{more}/>'


def _corners(note: dict[str, Any]) -> list[tuple[float, float]]:
    if note["type"] == "polygon":
        ring = note["parts"][0][0]
        return list(zip(ring[0::2], ring[1::2], strict=True))
    x, y, w, h = (note[name] for name in "xywh")
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def main() -> None:
    """Write or check the picture."""
    text = draw()
    if "--check" in sys.argv:
        same = PICTURE.is_file() and PICTURE.read_text("utf-8") == text
        if not same:
            print("docs/picture.svg is not what dvcs prints: run 'make docs'")
        sys.exit(0 if same else 1)
    PICTURE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
