"""
Items and annotations chosen by XPath 1.0: the expression language of `filter` and `restore -e`.

    found = compile_filter("/item/annotation[label='cat' and area > 99.5]")
    found.annotations(item, labels)        # positions in item.annotations
    found.items(item, labels)              # whether anything was found

An item is told as a small XML document (`item_xml`; `docs/design/filter.md` has all of it):

    <item>
      <id>street/1</id><subset>train</subset><source>coco</source>
      <image><width>640</width><height>480</height><has_data>1</has_data><path>...</path></image>
      <weather>rain</weather>
      <annotation n="1">
        <id>7</id><type>bbox</type><occluded>True</occluded><group>0</group><z_order>0</z_order>
        <label>cat</label><label_id>0</label_id><x>1.0</x><y>2.0</y><w>10.0</w><h>20.0</h>...
      </annotation>
    </item>

Elements and their order are those of Datumaro's filter, with its gaps closed: all kinds, attributes
of items, and every attribute also by its true name, `attribute[@name='a b/c']`. What costs time to
tell (points, areas, extents) is left out where an expression cannot see it.
"""

import re
from functools import cache
from typing import Any, Final, NamedTuple

from dvcs.errors import UsageError
from dvcs.filters._xml import EVERYTHING, Parts, item_xml
from dvcs.model import Item, Labels

__all__ = ["Filter", "Selected", "compile_filter", "item_xml"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREFIXES: Final = {"re": "http://exslt.org/regular-expressions"}
FUNCTIONS: Final = _words(
    "last position count id local-name namespace-uri name string concat starts-with "
    "contains substring-before substring-after substring string-length normalize-space "
    "translate boolean not true false lang number sum floor ceiling round re:test "
    "re:match re:replace node text comment processing-instruction"
)
TOKEN: Final = re.compile(
    r"""(?P<literal>"[^"]*"|'[^']*')|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<variable>\$[\w.:-]+)"""
    r"""|(?P<axis>[a-z-]+\s*::)|(?P<name>[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?)(?P<call>\s*\()?"""
    r"""|(?P<any>\*|\.)"""
)

INSIDE: Final = _words("x y w h area visible role ext name sha256 size url")
"""Elements inside of costly ones, which `//x` finds there too."""
DEEP: Final = re.compile(r"//|\b(?:descendant|descendant-or-self|following|preceding)\s*::")


class Selected(NamedTuple):
    """What an expression finds in an item: the item itself, and annotations by position."""

    item: bool
    annotations: list[int]


class Filter:
    """A compiled expression."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._find = _compiled(expression)
        self._parts = _visible_parts(expression)

    def __repr__(self) -> str:
        return f"Filter({self.expression!r})"

    def items(self, item: Item, labels: Labels) -> bool:
        """Tell whether an item is kept: whether the expression finds anything, or is true."""
        return _is_true(self._found(item, labels))

    def annotations(self, item: Item, labels: Labels) -> list[int]:
        """
        Return the positions of the annotations that the expression finds, ascending.

        Raises UsageError for an expression that is a number, a text or a yes or no.
        """
        found = self._found(item, labels)
        if not isinstance(found, list):
            raise UsageError(
                f"'{self.expression}' selects no annotations, its value is {_kind_of(found)}",
                hint="select them: /item/annotation[label='cat']",
            )
        return _positions(found)

    def selected(self, item: Item, labels: Labels) -> Selected:
        """Return what is found: the item (or anything in it but annotations), or annotations."""
        found = self._found(item, labels)
        if not isinstance(found, list):
            return Selected(_is_true(found), [])
        notes = _positions(found)
        return Selected(bool(found) and not notes, notes)

    def _found(self, item: Item, labels: Labels) -> Any:
        from lxml import etree

        root = etree.fromstring(item_xml(item, labels, self._parts), _parser())
        try:
            return self._find(root)
        except (etree.XPathError, re.error) as error:
            problem = str(error)
        except TypeError:  # `re:` functions are called with what is written
            problem = "a function has too few or too many arguments"
        raise UsageError(
            f"the filter '{self.expression}' cannot be evaluated: {problem}",
            hint="it is XPath 1.0, and re:test(TEXT, PATTERN)",
        )


def compile_filter(expression: str) -> Filter:
    """Return the filter of an XPath 1.0 expression. Raises UsageError, saying where it is wrong."""
    return Filter(expression)


# -- expressions ---------------------------------------------------------------------------------


@cache
def _parser() -> Any:
    from lxml import etree

    # The text is our own: it has no DTD, and is as large as the item.
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)


def _compiled(expression: str) -> Any:
    from lxml import etree

    if "\0" in expression or not expression.strip():
        raise UsageError("the filter is empty", hint="say for instance /item[subset='train']")
    try:
        find = etree.XPath(expression, namespaces=dict(PREFIXES))
    except etree.XPathSyntaxError as error:
        at = max((entry.column for entry in error.error_log), default=0)
        raise _wrong(expression, _characters(expression, at), str(error).lower()) from None
    except (ValueError, UnicodeError):
        raise UsageError("the filter has characters that XPath cannot have") from None
    for token in TOKEN.finditer(expression):
        if token["variable"]:
            raise _wrong(expression, token.start(), "there are no variables")
        name = token["name"]
        if name and token["call"] and name not in FUNCTIONS:
            raise _wrong(expression, token.start(), f"there is no function '{name}'")
        if name and ":" in name and name.partition(":")[0] not in PREFIXES:
            raise _wrong(expression, token.start(), "names have no prefix")
    return find


def _characters(expression: str, at: int) -> int:
    """Return the position in characters of one in bytes."""
    return len(expression.encode()[:at].decode(errors="ignore"))


def _wrong(expression: str, at: int, what: str) -> UsageError:
    return UsageError(
        f"the filter is wrong at character {at + 1}: {what}\n    {expression}\n    {' ' * at}^",
        hint="it is XPath 1.0, for instance /item/annotation[label='cat' and area > 99.5]",
    )


def _visible_parts(expression: str) -> Parts:
    """
    Return which costly elements an expression can see.

    By name; or all, where it takes what has any name. (Of 1,500 items with 3.2 polygons each, an
    item takes 16 us, with areas 36, with all their points 140.)
    """
    names = set()
    for token in TOKEN.finditer(expression):
        if token["any"] or (token["name"] in ("node", "text", "string") and token["call"]):
            return EVERYTHING
        if token["name"]:
            names.add(token["name"])
    if DEEP.search(expression) and names & INSIDE:
        return EVERYTHING
    return frozenset(names & EVERYTHING)


def _is_true(value: Any) -> bool:
    return bool(value) and value == value  # noqa: PLR0124 - NaN is not


def _positions(found: list[Any]) -> list[int]:
    """Return which annotations are among the nodes found."""
    return sorted(
        int(node.get("n")) - 1 for node in found if getattr(node, "tag", None) == "annotation"
    )


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "yes or no"
    return "a number" if isinstance(value, float) else "a text"
