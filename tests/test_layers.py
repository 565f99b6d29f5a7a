"""Who may import whom, read from the source; and what the command line may load.

A module imports its own row of `LAYERS` and the rows below. Each third-party library has one home.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "dvcs"

# Top to bottom. A name stands for the module or the whole package below `dvcs`.
LAYERS: list[tuple[str, ...]] = [
    ("__main__",),
    ("commands", "ui"),
    ("web",),
    ("repository",),
    ("dataset",),
    ("formats", "transforms", "inference"),
    ("files", "filters", "compare", "convert", "merge", "projection", "vote", "stats", "validate"),
    ("tracks",),
    ("model",),
    ("geometry", "media", "objects"),
    ("errors", "progress", "names", "streams"),
]
ROW = {name: row for row, names in enumerate(LAYERS) for name in names}

# Neighbours in a row that do not know each other.
STRANGERS = [
    {"formats", "transforms", "inference"},
    {"geometry", "media", "objects"},
]
# Rows that are below, yet out of bounds.
FORBIDDEN = {
    "formats": {"objects"},
    "transforms": {"objects"},
    "inference": {"objects"},
}
# The one upward import: items are turned into lines and back there.
ALLOWED = {("dvcs.objects.items", "model")}

# The API's front door names the public classes of any layer, but nothing that talks to a person.
FRONT_DOOR = {"dvcs": {"commands", "ui", "web"}}

# Only a command may use the terminal.
TERMINAL = {"ui": ("dvcs.commands", "dvcs.ui", "dvcs.__main__")}

# Where a library may be imported: a module, or a package with all it holds.
HOMES: dict[str, tuple[str, ...]] = {
    "click": ("dvcs.commands", "dvcs.ui"),
    "cv2": ("dvcs.media", "dvcs.transforms"),
    "dulwich": ("dvcs.objects", "dvcs.repository"),
    "isal": ("dvcs.objects", "dvcs.media.png"),
    "lxml": ("dvcs.formats._xml", "dvcs.filters"),
    "msgspec": ("dvcs",),
    "numpy": ("dvcs",),
    "obstore": ("dvcs.repository",),
    "openvino": ("dvcs.inference",),
    "pycocotools": ("dvcs.geometry.masks",),
    "rich": ("dvcs.ui", "dvcs.commands"),
    "scipy": ("dvcs.geometry",),
    "starlette": ("dvcs.web",),
    "tensorflow": ("dvcs.formats", "dvcs.inference"),
    "uvicorn": ("dvcs.web",),
    "yaml": ("dvcs.formats._yolo.yaml",),
    "zstandard": ("dvcs.objects",),
}
# Libraries that even their home uses in one module of each package only.
ONE_MODULE_EACH = ("tensorflow",)

HEAVY = frozenset(HOMES) - {"click", "isal", "msgspec", "zstandard"}
# Whoever imports these must get them at once: nothing heavy, not even through what they import.
LIGHT = [
    "dvcs.model",
    "dvcs.errors",
    "dvcs.names",
    "dvcs.progress",
    "dvcs.files",
    "dvcs.commands",
    "dvcs.formats",
    "dvcs.transforms",
]


@dataclass(frozen=True)
class Import:
    """One imported module: where, which, and whether importing the file imports it."""

    line: int
    target: str
    at_top: bool


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def is_type_checking(node: ast.AST) -> bool:
    """Tell whether a node is `if TYPE_CHECKING:`."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def walk(node: ast.AST, at_top: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Walk the import statements below `node`; in a function they do not run at import."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, at_top
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from walk(child, at_top=False)
        elif is_type_checking(child):
            assert isinstance(child, ast.If)
            for part in child.body:
                yield from walk(ast.Module([part], []), at_top=False)
            for part in child.orelse:
                yield from walk(ast.Module([part], []), at_top)
        else:
            yield from walk(child, at_top)


def read_imports(source: str, known: frozenset[str]) -> list[Import]:
    """List what a source imports; `from dvcs import x` is `dvcs.x` where that is a module."""
    found = []
    for node, at_top in walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        else:
            assert isinstance(node, ast.ImportFrom)
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names]
            targets = [name if name in known else base for name in names]
        found += [Import(node.lineno, target, at_top) for target in dict.fromkeys(targets)]
    return found


@cache
def imports() -> dict[str, list[Import]]:
    """Read every module's imports once."""
    paths = modules()
    known = frozenset(paths)
    return {name: read_imports(path.read_text("utf-8"), known) for name, path in paths.items()}


def unit(module: str) -> str:
    """Return the name under which a module stands in the table: `dvcs.formats.coco`: `formats`."""
    return module.split(".")[1] if "." in module else ""


def within(module: str, homes: tuple[str, ...]) -> bool:
    """Tell whether a module is one of `homes` or below one."""
    return any(module == home or module.startswith(home + ".") for home in homes)


def fault(module: str, target: str) -> str | None:
    """Say why a module may not import another one of the package, if so."""
    own, other = unit(module), unit(target)
    if module in FRONT_DOOR:
        return "the front door" if other in FRONT_DOOR[module] else None
    if not other:
        # The front door leads to all rows, so whoever comes through it must stand above them.
        return None if own in {"commands", "ui", "__main__"} else "the package as a whole"
    if own not in ROW or other not in ROW:
        return "not in the table of layers"
    if other in TERMINAL and not within(module, TERMINAL[other]):
        return "the terminal"
    if own == other or (module, other) in ALLOWED:
        return None
    if ROW[other] < ROW[own]:
        return "a row above"
    if other in FORBIDDEN.get(own, ()) or any({own, other} <= group for group in STRANGERS):
        return "out of bounds"
    return None


def test_every_module_stands_in_the_table_of_layers():
    unknown = {name for name in modules() if unit(name) not in ROW and name != "dvcs"}
    assert not unknown, "give it a row in LAYERS"


def test_a_module_imports_its_own_row_and_rows_below_only():
    faults = [
        f"{module}:{found.line} imports {found.target}: {reason}"
        for module, listed in imports().items()
        for found in listed
        if found.target.split(".")[0] == "dvcs"
        if (reason := fault(module, found.target))
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("module", "target", "allowed"),
    [
        ("dvcs.formats.coco", "dvcs.model", True),
        ("dvcs.formats.coco", "dvcs.geometry.masks", True),
        ("dvcs.formats.coco", "dvcs.formats.voc", True),
        ("dvcs.formats.coco", "dvcs.objects.items", False),
        ("dvcs.formats.coco", "dvcs.transforms", False),
        ("dvcs.formats.coco", "dvcs.repository", False),
        ("dvcs.geometry.masks", "dvcs.media.images", False),
        ("dvcs.objects.items", "dvcs.model", True),
        ("dvcs.objects.trees", "dvcs.model", False),
        ("dvcs.model", "dvcs.geometry.boxes", True),
        ("dvcs.model", "dvcs.files", False),
        ("dvcs.model", "dvcs", False),
        ("dvcs.repository.diff", "dvcs.ui", False),
        ("dvcs.repository.diff", "dvcs.formats", True),
        ("dvcs.web.app", "dvcs.ui", False),
        ("dvcs.commands.log", "dvcs.ui", True),
        ("dvcs.commands.log", "dvcs", True),
        ("dvcs", "dvcs.repository", True),
        ("dvcs", "dvcs.commands", False),
    ],
)
def test_the_rule_itself(module, target, allowed):
    assert (fault(module, target) is None) == allowed


def test_imports_are_found_at_the_top_in_functions_and_for_types():
    source = (
        "import os, cv2\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    import numpy as np\n"
        "else:\n"
        "    import rich.table\n"
        "class A:\n"
        "    from dvcs import names, Thing\n"
        "    def f(self):\n"
        "        from scipy.optimize import linear_sum_assignment\n"
    )
    assert read_imports(source, frozenset({"dvcs", "dvcs.names"})) == [
        Import(1, "os", at_top=True),
        Import(1, "cv2", at_top=True),
        Import(2, "typing", at_top=True),
        Import(4, "numpy", at_top=False),
        Import(6, "rich.table", at_top=True),
        Import(8, "dvcs.names", at_top=True),
        Import(8, "dvcs", at_top=True),
        Import(10, "scipy.optimize", at_top=False),
    ]


def test_each_library_is_imported_at_home_only():
    faults = []
    for module, listed in imports().items():
        for found in listed:
            library = found.target.split(".")[0]
            if library == "dvcs" or library in sys.stdlib_module_names:
                continue
            if not within(module, HOMES.get(library, ())):
                faults.append(f"{module}:{found.line} imports {found.target}")
    assert faults == []


@pytest.mark.parametrize("library", ONE_MODULE_EACH)
def test_the_slowest_libraries_are_imported_in_one_module_of_each_package(library):
    users: dict[str, set[str]] = {}
    for module, listed in imports().items():
        if any(found.target.split(".")[0] == library for found in listed):
            users.setdefault(unit(module), set()).add(module)
    assert all(len(names) == 1 for names in users.values()), users


def chain_to_heavy(start: str) -> list[str] | None:
    """Find how importing `start` loads a heavy library: the modules on the way, then that."""
    known = imports()
    seen = {start}
    queue = [[start]]
    while queue:
        chain = queue.pop(0)
        for found in known[chain[-1]]:
            if not found.at_top:
                continue
            if found.target.split(".")[0] in HEAVY:
                return [*chain, found.target]
            # Importing a module imports the packages around it first.
            parts = found.target.split(".")
            for name in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
                if name in known and name not in seen:
                    seen.add(name)
                    queue.append([*chain, name])
    return None


@pytest.mark.parametrize("module", ["dvcs", *LIGHT])
def test_light_modules_load_nothing_heavy(module):
    if module not in imports():
        pytest.fail(f"there is no module {module}")
    assert chain_to_heavy(module) is None


def loaded(folder: Path, *arguments: str) -> set[str]:
    """Run dvcs and return the top-level names of what it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dvcs", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    lines = done.stderr.splitlines()
    timed = [line for line in lines if line.startswith("import time:")]
    said = [line for line in lines if not line.startswith("import time:")]
    assert done.returncode == 0, "\n".join(said)
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in timed}


def test_help_loads_no_heavy_library(tmp_path):
    names = loaded(tmp_path, "--help")
    assert "click" in names
    assert names & HEAVY == set()


def test_log_loads_no_numpy(tmp_path):
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [0, 0, 2, 2],
                "area": 4,
                "iscrowd": 0,
            }
        ],
    }
    (tmp_path / "pets" / "annotations").mkdir(parents=True)
    file = tmp_path / "pets" / "annotations" / "instances_train.json"
    file.write_text(json.dumps(coco), "utf-8")
    loaded(tmp_path, "init")
    loaded(tmp_path, "import", "pets", "-f", "coco", "-n", "pets")
    names = loaded(tmp_path, "log")
    assert "msgspec" in names
    assert names & {"numpy", "cv2", "scipy", "pycocotools"} == set()
