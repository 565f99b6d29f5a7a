"""Which files of a place are Datumaro's: told by what is in them, not by their names."""

import codecs
import re

from dvcs.errors import FormatError, NotADataset
from dvcs.files import Source

PEEK = 1 << 16
MANY = 500
ANNOTATIONS = "annotations"
CATEGORIES = frozenset({"label", "mask", "points", "bbox", "polygon", "tabular"})
TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|[{}\[\]:,]', re.DOTALL)


def looks_like_datumaro(head: bytes) -> bool:
    """Tell by the first 64 KiB of a file whether it has categories and items as Datumaro has."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text[:1] != b"{":
        return False
    keys = _outline(text)
    categories, items = keys.get(("categories",)), keys.get(("items",))
    if categories == b"{" and items == b"[":
        return True
    if len(head) < PEEK:
        return False
    if categories == b"{":
        return any(path[0] == "categories" and path[-1] in CATEGORIES for path in keys)
    return items == b"[" and {("items", "", "id"), ("items", "", "annotations")} <= keys.keys()


def _outline(text: bytes) -> dict[tuple[str, ...], bytes]:
    """Return what begins (`{`, `[` or else) under each key of the upper three levels."""
    found: dict[tuple[str, ...], bytes] = {}
    path: list[str] = []
    last, key = b"", ""
    for match in TOKEN.finditer(text):
        token = match[0]
        if last == b":" and len(path) <= 3:
            found.setdefault((*path[1:], key), token[:1])
        if token in b"{[":
            path.append(key)
            key = ""
        elif token in b"}]":
            if not path:
                break
            path.pop()
        elif token[:1] == b'"' and len(path) <= 3:
            key = match[1].decode(errors="replace")
        last = token
        if found.get(("categories",)) and found.get(("items",)):
            break
    return found


def candidates(source: Source) -> list[str]:
    """Return the JSON files that may be Datumaro's, of many only those in `annotations`."""
    if source.focus is not None:
        return [source.focus] if source.focus.lower().endswith(".json") else []
    found = [path for path in source.paths if path.lower().endswith(".json")]
    if len(found) > MANY:
        found = [path for path in found if f"/{path}".split("/")[-2] == ANNOTATIONS]
    return found


def is_datumaro(source: Source, path: str) -> bool:
    """Tell whether a file looks like Datumaro's."""
    try:
        return looks_like_datumaro(bytes(source.buffer(path)[:PEEK]))
    except FormatError:
        return False


def root_of(path: str) -> str:
    """Return the folder of a dataset by one of its annotation files, with its `/`."""
    folder = path.rpartition("/")[0]
    above, _, name = folder.rpartition("/")
    root = above if name == ANNOTATIONS else folder
    return f"{root}/" if root else ""


def places(source: Source) -> list[str]:
    """Return the annotation files of a source. Raises NotADataset where there are none."""
    found = [path for path in candidates(source) if is_datumaro(source, path)]
    if source.focus is not None:
        found = [source.focus]
    if not found:
        raise NotADataset(
            f"there is no Datumaro file at '{source.name}'",
            hint="its files are annotations/<subset>.json, with 'categories' and 'items'",
        )
    roots = sorted({root_of(path) for path in found})
    if len(roots) > 1:
        raise NotADataset(
            f"'{source.name}' has several Datumaro datasets: {', '.join(r or '.' for r in roots)}",
            hint="name one of these folders",
        )
    return found
