"""
Draws a small dataset of street scenes, for `dvcs demo`: images and COCO annotations, by code.

    scenes/
    ├── annotations/instances_train.json, instances_val.json
    └── images/train/*.png, images/val/*.png

Cars have polygons and a colour, people have boxes, traffic lights have boxes and a state.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEIGHT, WIDTH = 240, 320
SUBSETS = {"train": 9, "val": 3}
CATEGORIES = ("car", "person", "traffic light")
CAR = ((0, 50), (14, 46), (30, 8), (70, 8), (86, 46), (100, 54), (100, 88), (0, 88))
"""The outline of a car in percent of its width and height."""
COLORS = {
    # blue, green, red, as images are stored
    "red": (60, 60, 200),
    "blue": (190, 110, 50),
    "white": (235, 235, 235),
    "green": (90, 150, 60),
}


def write(folder: Path) -> dict[str, int]:
    """Write the dataset to a new folder; return how many images and annotations it has."""
    import numpy as np

    random = np.random.default_rng(7)
    counts = {"images": 0, "annotations": 0}
    (folder / "annotations").mkdir(parents=True)
    for subset, number in SUBSETS.items():
        images, notes = [], []
        (folder / "images" / subset).mkdir(parents=True)
        for n in range(1, number + 1):
            scene = _Scene(random)
            name = f"{subset}_{n:02}.png"
            (folder / "images" / subset / name).write_bytes(scene.png())
            id = counts["images"] = counts["images"] + 1
            images.append({"id": id, "file_name": name, "width": WIDTH, "height": HEIGHT})
            for note in scene.notes:
                counts["annotations"] += 1
                notes.append({"id": counts["annotations"], "image_id": id, **note})
        categories = [{"id": n, "name": name} for n, name in enumerate(CATEGORIES, 1)]
        record = {"images": images, "categories": categories, "annotations": notes}
        path = folder / "annotations" / f"instances_{subset}.json"
        path.write_text(json.dumps(record, indent=1), "utf-8")
    return counts


def _area(outline: Sequence[float]) -> float:
    """Return the area of a polygon, by the shoelace formula."""
    xs, ys = outline[0::2], outline[1::2]
    ends = zip(xs, ys, [*xs[1:], xs[0]], [*ys[1:], ys[0]], strict=True)
    return abs(sum(x * v - u * y for x, y, u, v in ends)) / 2


class _Scene:
    """One image in the making, and the annotations of what was drawn."""

    def __init__(self, random: "np.random.Generator") -> None:
        import numpy as np

        self.random = random
        self.notes: list[dict[str, Any]] = []
        rows = np.linspace(0, 1, HEIGHT)[:, None, None]
        sky = np.array([235, 200, 150]) + rows * np.array([10, 30, 60])
        self.image: NDArray[np.uint8] = np.broadcast_to(sky, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        self._houses()
        self._fill([0, 150, 320, 150, 320, 240, 0, 240], (95, 95, 95))
        for x in range(10, 320, 60):
            self._fill([x, 193, x + 30, 193, x + 30, 197, x, 197], (220, 220, 220))
        for n in range(int(random.integers(1, 3))):
            self._light(int(random.integers(10, 140)) + 160 * n)
        for n in range(int(random.integers(1, 4))):
            self._person(int(random.integers(8, 90)) + 100 * n)
        for n in range(int(random.integers(1, 4))):
            self._car(int(random.integers(0, 30)) + 100 * n, int(random.integers(150, 180)))

    def png(self) -> bytes:
        """Return the image, with a little noise."""
        import numpy as np

        from dvcs.media.pixels import encode

        noise = self.random.integers(0, 12, (HEIGHT, WIDTH, 1))
        return encode((self.image.astype(int) + noise).clip(0, 255).astype(np.uint8), ".png")

    def _houses(self) -> None:
        x = 0
        while x < WIDTH:
            width, top = int(self.random.integers(40, 90)), int(self.random.integers(40, 100))
            shade = int(self.random.integers(110, 180))
            right = min(x + width, WIDTH)
            self._fill([x, top, right, top, right, 150, x, 150], (shade, shade - 10, shade))
            x += width

    def _car(self, x: int, y: int) -> None:
        width = int(self.random.integers(70, 95))
        name = str(self.random.choice(list(COLORS)))
        outline = [
            round(c * 2) / 2 for px, py in CAR for c in (x + px * width / 100, y + py * width / 200)
        ]
        self._fill(outline, COLORS[name])
        for wheel in (0.22, 0.78):
            self._ellipse(x + wheel * width, y + 0.44 * width, width * 0.09, width * 0.09)
        note = self._note("car", outline[0::2], outline[1::2], {"color": name, "parked": y > 165})
        note["segmentation"] = [outline]
        note["area"] = _area(outline)

    def _person(self, x: int) -> None:
        top, height = int(self.random.integers(95, 115)), int(self.random.integers(45, 60))
        color = tuple(int(c) for c in self.random.integers(40, 160, 3))
        self._fill(
            [x, top + 12, x + 16, top + 12, x + 13, top + height, x + 3, top + height], color
        )
        self._ellipse(x + 8, top + 6, 6, 7, (140, 170, 215))
        self._note("person", [x, x + 16], [top - 1, top + height], {"occluded": False})

    def _light(self, x: int) -> None:
        state, color = [("red", (50, 50, 230)), ("green", (80, 210, 80))][
            int(self.random.integers(0, 2))
        ]
        self._fill([x + 4, 70, x + 7, 70, x + 7, 155, x + 4, 155], (60, 60, 60))
        self._fill([x, 50, x + 11, 50, x + 11, 75, x, 75], (40, 40, 40))
        self._ellipse(x + 5.5, 56 if state == "red" else 69, 4, 4, color)
        self._note("traffic light", [x, x + 11], [50, 75], {"state": state})

    def _note(
        self, label: str, xs: Sequence[float], ys: Sequence[float], attributes: dict[str, Any]
    ) -> dict[str, Any]:
        left, top = max(min(xs), 0), max(min(ys), 0)
        width, height = min(max(xs), WIDTH) - left, min(max(ys), HEIGHT) - top
        note = {
            "category_id": CATEGORIES.index(label) + 1,
            "bbox": [left, top, width, height],
            "segmentation": [],
            "area": width * height,
            "iscrowd": 0,
            "attributes": attributes,
        }
        self.notes.append(note)
        return note

    def _fill(self, outline: Sequence[float], color: Sequence[int]) -> None:
        from dvcs.geometry import masks

        size = (HEIGHT, WIDTH)
        covered = masks.decode(*masks.from_polygon([[list(map(float, outline))]], size))
        self.image[covered] = color

    def _ellipse(
        self, cx: float, cy: float, rx: float, ry: float, color: Sequence[int] = (30, 30, 30)
    ) -> None:
        import numpy as np

        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        self.image[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1] = color
