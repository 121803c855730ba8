"""The line of anything in a document, also beyond line 65,535, where libxml2 stops counting.

Only what has a finding is looked up: its entry is read once more, by a parser that counts for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO
from xml.parsers import expat

from lxml import etree

from espi_server.espi.raw import Element

from .budget import Budget
from .rule import Place

_LAST_SURE = 65_534
_CHUNK = 1 << 16
_READING = "IntervalReading"


_BEFORE = etree.XPath("count(preceding::*) + count(ancestor::*)")


def place_of(element: Element, entry: Element, line: int, offset: int) -> Place:
    """Where an element of an entry stands; the entry begins at this line and byte."""
    own: Any = element.sourceline  # None only where a tree was made by hand
    if own and own <= _LAST_SURE:
        return Place(own)
    before: Any = _BEFORE(element)
    above: Any = _BEFORE(entry)
    return Place(line, offset, int(before - above))


def places_of(elements: Sequence[Element], entry: Element, line: int, offset: int) -> Iterator[Place]:
    """Where elements of an entry stand that follow each other, so that anything below them can be found later."""
    waiting = iter(elements)
    wanted = next(waiting, None)
    for before, element in enumerate(entry.iter()):
        if element is wanted:
            yield Place(line, offset, before)
            wanted = next(waiting, None)
            if wanted is None:
                return


class Lines:
    """Lines of one document. `document` is what `safe.open_document` gave; its position changes.

    Once the budget is spent, the line of a place is that of its entry.
    """

    def __init__(self, document: BinaryIO, budget: Budget) -> None:
        self._document, self._budget = document, budget
        self._offset = -1
        self._starts: list[tuple[int, str]] = []

    def of(self, place: Place) -> int:
        """The line of a place, counted from 1."""
        if place.offset < 0 or self._budget.is_spent:
            return place.line
        if place.offset != self._offset:
            self._starts, self._offset = _starts(self._document, place.offset), place.offset
        at = place.element
        for name in (_READING,) * (place.reading + 1) + (place.name,) * bool(place.name):
            at = next((n for n in range(at + 1, len(self._starts)) if self._starts[n][1] == name), at)
        return place.line + self._starts[at][0] - 1 if at < len(self._starts) else place.line


def quoted(document: BinaryIO, lines: Iterable[int], most: int) -> dict[int, str]:
    """The text of these lines as it stands, each up to `most` characters."""
    wanted = sorted(set(lines), reverse=True)
    found: dict[int, str] = {}
    document.seek(0)
    number, chunk = 1, document.readline(_CHUNK)
    while chunk and wanted:
        if number == wanted[-1]:
            text = chunk[: most * 4].decode("utf-8", "replace").rstrip("\r\n")
            found[wanted.pop()] = text if len(text) <= most else f"{text[:most]}…"
        while chunk and not chunk.endswith(b"\n"):
            chunk = document.readline(_CHUNK)
        number, chunk = number + 1, document.readline(_CHUNK)
    return found


def _starts(document: BinaryIO, offset: int) -> list[tuple[int, str]]:
    """Line (from 1) and name of every element of the one that begins at `offset`."""
    starts: list[tuple[int, str]] = []
    depth = 0

    def begin(name: str, _: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        starts.append((parser.CurrentLineNumber, name.rpartition(":")[2]))

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1
        if not depth:
            raise EOFError

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    document.seek(offset)
    try:
        while chunk := document.read(_CHUNK):
            parser.Parse(chunk)
    except (EOFError, expat.ExpatError):  # the end of our element, or what a broken document has after it
        pass
    return starts
