"""
`data.yaml` of YOLO datasets, read strictly: a tree of texts with line numbers, and nothing else.

No object is ever constructed from a tag. Aliases are followed to single values only, nesting and
size are limited, a key given twice is an error. Texts stay as they are written: a label called
`no`, `012` or `1.0` is that, not a number or a truth value.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from dvcs.errors import FormatError
from dvcs.files import Source

LARGEST = 4 << 20
DEEPEST = 16
PLAIN = "tag:yaml.org,2002:"


class Node(NamedTuple):
    """A value, the line on which it stands (from 1), and its tag where it is a single value."""

    value: "str | list[Node] | dict[str, Node]"
    line: int
    tag: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is said: `test:`, `test: null`."""
        return self.tag == "null"

    def plain(self) -> Any:
        """Return it as plain values: numbers and truth values where YAML says so."""
        if isinstance(self.value, list):
            return [one.plain() for one in self.value]
        if isinstance(self.value, dict):
            return {key: one.plain() for key, one in self.value.items()}
        return _scalar(self.value, self.tag)


def _scalar(text: str, tag: str) -> Any:
    if tag == "null":
        return None
    if tag == "bool" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if tag in {"int", "float"}:
        kind = int if tag == "int" else float
        try:
            number = kind(text)
        except ValueError:  # octal, sexagesimal, .inf: kept as text
            return text
        exact = number - number == 0 and (tag == "float" or str(number) == text)
        return number if exact else text
    return text


def load(source: Source, path: str) -> dict[str, Node]:
    """Return the mapping that a YAML file is. Raises FormatError with the line."""
    from yaml import YAMLError

    text = source.text(path)
    place = source.place(path)
    if len(text) > LARGEST:
        raise FormatError(f"is larger than {LARGEST >> 20} MiB", place)
    try:
        _check(text, source, path)
        node = _compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        line = mark.line + 1 if mark is not None else None
        raise FormatError(f"is not valid YAML ({problem})", place, line) from None
    root = None if node is None else _node(node, source, path)
    if root is None or not isinstance(root.value, dict):
        raise FormatError("is not a YAML mapping of keys to values", place)
    return root.value


@contextmanager
def _loader(text: str) -> Iterator[Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        yield loader
    finally:
        loader.dispose()


def _compose(text: str) -> Any:
    with _loader(text) as loader:
        return loader.get_single_node()


def _check(text: str, source: Source, path: str) -> None:
    """Raise FormatError for what could grow without bounds, before any of it is built."""
    from yaml import events

    depth = 0
    single: set[str] = set()
    with _loader(text) as loader:
        while loader.check_event():
            event = loader.get_event()
            line = event.start_mark.line + 1
            if isinstance(event, events.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    raise FormatError("is nested too deeply", source.place(path), line)
            elif isinstance(event, events.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, events.ScalarEvent) and event.anchor:
                single.add(event.anchor)
            elif isinstance(event, events.AliasEvent) and event.anchor not in single:
                raise FormatError(
                    f"the alias '*{event.anchor}' stands for more than a single value",
                    source.place(path),
                    line,
                    hint="write out what it stands for",
                )


def _node(node: Any, source: Source, path: str) -> Node:
    line = node.start_mark.line + 1
    if node.id == "scalar":
        return Node(node.value, line, node.tag.removeprefix(PLAIN))
    if node.id == "sequence":
        return Node([_node(one, source, path) for one in node.value], line)
    found: dict[str, Node] = {}
    for key, value in node.value:
        at = key.start_mark.line + 1
        if key.id != "scalar":
            raise FormatError("a key is not a single value", source.place(path), at)
        if key.value in found:
            raise FormatError(f"has the key '{key.value}' twice", source.place(path), at)
        # A key's line is better to point at than that of what follows it.
        found[key.value] = _node(value, source, path)._replace(line=at)
    return Node(found, line)


def dump(values: Mapping[str, Any]) -> str:
    """Return plain values as YAML, keys in their order."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(
        dict(values), Dumper=dumper, allow_unicode=True, sort_keys=False, width=1 << 20
    )
    return text
