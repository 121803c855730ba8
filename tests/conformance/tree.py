"""A feed as a client sees it: entries by kind, and children joined to parents by comparing hrefs as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

from tests.energy.reader import A, Answer, E, Served


@dataclass(frozen=True)
class Tree:
    """The entries of one feed and their joins."""

    answer: Answer

    @cached_property
    def entries(self) -> list[Served]:
        """All entries in their order."""
        return self.answer.entries

    def of(self, kind: str) -> list[Served]:
        """The entries of a kind."""
        return [each for each in self.entries if each.kind == kind]

    def below(self, parent: Served, kind: str) -> list[Served]:
        """The children of a kind: entries whose up, or whose self, is a related link of the parent."""
        return [child for href in parent.hrefs("related") for child in self._by_link[kind, href]]

    @cached_property
    def _by_link(self) -> dict[tuple[str, str], list[Served]]:
        """The entries of a kind that a related link to this address finds."""
        found: dict[tuple[str, str], list[Served]] = defaultdict(list)
        for each in self.entries:
            for href in {each.href, *each.hrefs("up")}:
                found[each.kind, href].append(each)
        return found

    @property
    def root(self) -> etree._Element:
        """The feed element."""
        return etree.fromstring(self.answer.data)

    def chains(self) -> Iterator[tuple[Served, Served, list[Served]]]:
        """Each meter reading with its one reading type and its blocks."""
        for reading in self.of("MeterReading"):
            (reading_type,) = self.below(reading, "ReadingType")
            yield reading, reading_type, self.below(reading, "IntervalBlock")


def number(element: etree._Element, path: str) -> int:
    """The number at a path of ESPI names; the element must be there."""
    found = element.findtext("/".join(E + part for part in path.split("/")))
    assert found is not None, path
    return int(found)


def has(element: etree._Element, *names: str) -> bool:
    """Are all these children there?"""
    return all(element.find(E + name) is not None for name in names)


def readings(block: Served) -> list[etree._Element]:
    """The readings of a block."""
    return block.content.findall(f"{E}IntervalReading")


def published(entry: Served) -> tuple[str, str]:
    """An entry's own times."""
    return str(entry.element.findtext(f"{A}published")), str(entry.element.findtext(f"{A}updated"))
