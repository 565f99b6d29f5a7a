"""Drawing the history as a graph, a column for each line of development, as Git does."""

from collections.abc import Iterable, Iterator

from dvcs.repository.history import Entry


class Graph:
    r"""
    Draws commits that come children before parents.

        *   merge               each column waits for one commit
        |\
        | * theirs
        * | ours
        |/
        * base                  several columns that wait for it end in its first
    """

    def __init__(self) -> None:
        self._columns: list[bytes] = []

    def draw(self, entry: Entry, texts: Iterable[str]) -> Iterator[str]:
        """Yield the lines of one commit: `texts` with the graph before each."""
        columns = self._columns
        if entry.oid not in columns:
            columns.append(entry.oid)
        at = columns.index(entry.oid)
        yield from self._close(entry.oid, at)
        marks = " ".join("*" if n == at else "|" for n in range(len(columns)))
        lines = iter(texts)
        yield f"{marks} {next(lines, '')}".rstrip()
        parents = entry.commit.parents
        right = len(columns) - at - 1
        columns[at : at + 1] = parents
        for opened in range(1, len(parents)):
            yield f"{_bars(at + opened)}{' '.join(chr(92) * (right + 1))}"
        bars = _bars(len(columns))
        for line in lines:
            yield f"{bars} {line}".rstrip()

    def _close(self, oid: bytes, at: int) -> Iterator[str]:
        columns = self._columns
        while columns.count(oid) > 1:
            last = len(columns) - 1 - columns[::-1].index(oid)
            del columns[last]
            over = "_|" * (last - at - 1)
            tail = " /" * (len(columns) - last)
            yield f"{_bars(at + 1)}{over}/{tail}"


def _bars(count: int) -> str:
    return " ".join("|" * count)
