"""What the `data.yaml` of an Ultralytics dataset says: labels, subsets, keypoints, and the rest."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dvcs.errors import FormatError
from dvcs.files import Source
from dvcs.formats._yolo.files import SUBSETS, Files, read_names, split
from dvcs.formats._yolo.yaml import Node, load

CONFIGS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
SETTINGS = frozenset(
    ("path", "names", "nc", "kpt_shape", "kpt_names", "flip_idx", "task", "download", "yaml_file")
)
"""Keys of `data.yaml` that are no subsets."""
TASKS = frozenset({"detect", "segment", "pose", "obb", "classify"})
LISTS = (".txt", ".list")


class Config(msgspec.Struct):
    """What `data.yaml` says. `subsets` are names or paths by key, with their line."""

    path: str
    root: str = ""
    """The key `path`: the folder from which the others are meant, on the machine of its writer."""
    names: dict[int, str] = {}
    subsets: dict[str, Node] = {}
    shape: tuple[int, int] | None = None
    keypoints: dict[int, tuple[str, ...]] = {}
    task: str = ""
    rest: dict[str, Any] = {}
    """All else, to be written again."""

    @property
    def base(self) -> str:
        """The folder of the file, from which its paths are meant."""
        return self.path.rpartition("/")[0]


def find_config(source: Source, wanted: str | None = None) -> Config | None:
    """Return the settings of a dataset: those wanted, those that the user named, or those found."""
    focus = source.focus if source.focus and source.focus.endswith((".yaml", ".yml")) else None
    if wanted or focus:
        return read_config(source, wanted or focus or "")
    found = [path for name in CONFIGS for path in source.find(f"**/{name}")]
    if not found:
        found = [path for end in ("yaml", "yml") for path in source.find(f"*.{end}")]
    for path in sorted(found, key=lambda path: path.count("/")):
        try:
            config = read_config(source, path)
        except FormatError:
            if path.rpartition("/")[2] in CONFIGS:
                raise
            continue
        if config is not None:
            return config
    return None


def read_config(source: Source, path: str) -> Config | None:
    """Return the settings in a file; None where they are not those of a YOLO dataset."""
    values = load(source, path)
    if not {"names", "nc"} & values.keys():
        return None
    config = Config(path)
    root = values.get("path")
    if root is not None and isinstance(root.value, str) and not root.empty:
        config.root = root.value
    config.names = _names(source, path, values)
    config.shape = _shape(source, path, values.get("kpt_shape"))
    config.keypoints = _keypoints(values.get("kpt_names"))
    task = values.get("task")
    if task is not None and isinstance(task.value, str) and task.value in TASKS:
        config.task = task.value
    folders = Files(source, config.base) if config.task == "classify" else None
    config.subsets = {key: node for key, node in values.items() if _is_subset(key, node, folders)}
    done = {"path", "names", "nc", "kpt_shape", "task", *config.subsets}
    if config.keypoints:
        done.add("kpt_names")
    config.rest = {key: node.plain() for key, node in values.items() if key not in done}
    return config


def _is_subset(key: str, node: Node, folders: Files | None) -> bool:
    """
    Tell whether a key is a subset: a path, or some, is said for it.

    Of classification, whose folders are called anything, it is also one of `folders` that is there.
    """
    if key in SETTINGS:
        return False
    if key in SUBSETS:
        return not isinstance(node.value, dict)
    if isinstance(node.value, list):
        return bool(node.value) and all(_is_path(one) for one in node.value)
    return _is_path(node) or (folders is not None and _is_folder(node, folders))


def _is_folder(node: Node, files: Files) -> bool:
    text = node.value
    return (
        isinstance(text, str)
        and node.tag == "str"
        and bool(split(text))
        and files.locate(text, files.source.folders.__contains__) is not None
    )


def _is_path(node: Node) -> bool:
    text = node.value
    return (
        isinstance(text, str)
        and node.tag == "str"
        and ("images" in split(text) or text.lower().endswith(LISTS))
    )


def _names(source: Source, path: str, values: Mapping[str, Node]) -> dict[int, str]:
    place = source.place(path)
    node, count = values.get("names"), values.get("nc")
    number = None
    if count is not None and not count.empty:
        number = count.plain()
        if not isinstance(number, int) or not 0 <= number <= 1_000_000:
            raise FormatError(f"'nc' is no count: '{count.value}'", place, count.line)
    if node is None or node.empty:
        return {index: f"class_{index}" for index in range(number or 0)}
    if isinstance(node.value, str):
        found = Files(source, path.rpartition("/")[0]).locate(node.value, source.__contains__)
        if found is None:
            raise FormatError(f"there is no file '{node.value}' with names", place, node.line)
        names = read_names(source, found)
    elif isinstance(node.value, list):
        names = {index: _text(source, path, one) for index, one in enumerate(node.value)}
    else:
        names = {
            _index(source, path, key, one): _text(source, path, one)
            for key, one in node.value.items()
        }
    if number is not None and number != len(names):
        source.report(
            FormatError(
                f"'nc' says {number}, but there are {len(names)} names",
                place,
                count.line if count else None,
                hint="mend one of the two: label indices may be wrong",
            )
        )
    return names


def _index(source: Source, path: str, key: str, node: Node) -> int:
    if not key.isdecimal() or len(key) > 7:
        raise FormatError(f"'{key}' is not the index of a label", source.place(path), node.line)
    return int(key)


def _text(source: Source, path: str, node: Node) -> str:
    if not isinstance(node.value, str) or not node.value.strip():
        raise FormatError("the name of a label is not a text", source.place(path), node.line)
    return node.value


def _shape(source: Source, path: str, node: Node | None) -> tuple[int, int] | None:
    if node is None or node.empty:
        return None
    match node.plain():
        case [int(count), int(dims)] if 0 <= count <= 10_000 and dims in (2, 3):
            return count, dims
    raise FormatError(
        "'kpt_shape' is not a number of keypoints and 2 or 3", source.place(path), node.line
    )


def _keypoints(node: Node | None) -> dict[int, tuple[str, ...]]:
    """Return the names of each label's keypoints, where they are said in Ultralytics' way."""
    if node is None or not isinstance(node.value, dict):
        return {}
    found = {
        int(key): tuple(point.value for point in one.value if isinstance(point.value, str))
        for key, one in node.value.items()
        if key.isdecimal() and isinstance(one.value, list)
    }
    complete = all(
        isinstance(one.value, list) and len(one.value) == len(found.get(int(key), ()))
        for key, one in node.value.items()
        if key.isdecimal()
    )
    return found if complete and len(found) == len(node.value) else {}
