"""What rules are shown once a document is complete: blocks with their type, usage points with their own, the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from espi_server.espi.readings import MISSING

from .columns import Column, Columns
from .local_time import LocalTime
from .rule import Fault, Place
from .spool import Kept, Row, Spool
from .subjects import Context, Head

MILLISECONDS = 100_000_000_000
"""From here a time is milliseconds: as seconds it is the year 5138, as milliseconds March 1973."""

DELTA = 4
ENERGY, DEMAND = 12, 8
FORWARD, NET, REVERSE = 1, 4, 19
WATT_HOUR = 72
_PAGES = ("next", "previous", "prev")
_PARTS = ("updated-", "max-results", "start-index", "depth")  # published-min and -max choose blocks and bills
_NO_DATA = frozenset({"Authorization", "ApplicationInformation", "ServiceStatus", "BatchList"})
REGISTERS = frozenset({1, 2, 3, 9})
"""accumulationBehaviour of a counter: bulk quantity, cumulative, summation."""


@dataclass(eq=False)
class Block:
    """One block of readings, with what its numbers mean and where the block before it ended."""

    place: Place
    start: int
    duration: int
    columns: Columns
    context: Context
    type: Any = None
    time: LocalTime | None = None
    before: int | None = None
    names: frozenset[tuple[str, int]] | None = None

    @property
    def end(self) -> int | None:
        """Where its own interval ends, None where it does not say, or not in seconds."""
        known = MISSING not in (self.start, self.duration) and abs(self.start) < MILLISECONDS
        return self.start + self.duration if known else None

    @cached_property
    def order(self) -> Column | None:
        """The rows in order of time; None where they do not all say when they are, in seconds."""
        starts = self.columns["start"]
        if not self.columns.has_times or int(np.abs(starts).max()) >= MILLISECONDS:
            return None
        rows: Column = np.argsort(starts, kind="stable")
        return rows

    @cached_property
    def steps(self) -> Column | None:
        """Seconds from the end of each reading to the start of the next in time: 0 where they follow each other."""
        if self.order is None:
            return None
        start, end = self.columns["start"][self.order], self.columns.end[self.order]
        between: Column = start[1:] - end[:-1]
        return between

    @property
    def is_even(self) -> bool:
        """Whether its readings follow each other from its own start on."""
        if self.order is None or self.steps is None:
            return False
        return int(self.columns["start"][self.order[0]]) == self.start and not self.steps.any()

    @property
    def length(self) -> int | None:
        """The reading type's intervalLength in seconds, where it is known."""
        return getattr(self.type, "interval_length", None)

    @property
    def is_delta(self) -> bool:
        """Whether its values are amounts of their interval."""
        return self.type is None or self.type.accumulation_behaviour in (None, DELTA)

    def fault(self, message: str, row: int = -1, path: str = "") -> Fault:
        """A breach of the block, or of one of its readings."""
        where = f"IntervalBlock{'' if row < 0 else f'/IntervalReading[{row + 1}]'}{path and '/'}{path}"
        return Fault(message, self.place._replace(reading=row, name=path.rpartition("/")[2]), where)


@dataclass(eq=False)
class Series:
    """One meter reading: its type, and what its blocks add up to."""

    row: Row
    context: Context
    type: Any = None
    blocks: int = 0
    readings: int = 0
    first: int | None = None
    last: int | None = None
    total: int = 0
    valued: int = 0
    nonzero: bool = False
    costs: int = 0
    gaps: bool = False

    def add(self, block: Block) -> None:
        """Count one block of it."""
        self.blocks += 1
        self.readings += len(block.columns)
        values = block.columns.known("value")
        self.valued += len(values)
        self.total += int(values.sum())
        self.nonzero = self.nonzero or bool(values.any())
        self.costs += len(block.columns.known("cost"))
        if block.columns.has_times:
            start, end = int(block.columns["start"].min()), int(block.columns.end.max())
            self.gaps = self.gaps or (self.last is not None and start > self.last)
            self.first = start if self.first is None else min(self.first, start)
            self.last = end if self.last is None else max(self.last, end)

    def covers(self, start: int, end: int) -> bool:
        """Whether its readings reach from before one moment to after the other."""
        return (
            start < end
            and self.first is not None
            and self.last is not None
            and self.first <= start <= end <= self.last
        )

    @property
    def is_energy(self) -> bool:
        """Whether it is amounts of the commodity, interval by interval."""
        return (
            self.type is not None
            and self.type.accumulation_behaviour == DELTA
            and self.type.kind in (None, ENERGY, 58)
        )

    def fault(self, message: str) -> Fault:
        """A breach of the meter reading."""
        return Fault(message, self.row.place, "MeterReading")


@dataclass(eq=False)
class Point:
    """One usage point with all that belongs to it."""

    row: Row
    instance: Any
    context: Context
    spool: Spool
    series: list[Series] = field(default_factory=list)
    summaries: list[Kept] = field(default_factory=list)
    time: LocalTime | None = None

    def fault(self, message: str, place: Place | None = None, path: str = "UsagePoint") -> Fault:
        """A breach of the usage point, or of something that belongs to it."""
        return Fault(message, (place or self.row.place)._replace(name=path.partition("/")[2]), path)

    def used(self, series: Series, start: int, end: int) -> int | None:
        """What the readings of a series say was used in a stretch of time; None unless they cover all of it."""
        used = covered = 0
        for block in self.spool.blocks(series.row.n, start, end):
            columns = block.columns.placed(block.start, getattr(series.type, "interval_length", None))
            if not columns.has_times:
                return None
            inside = (columns["start"] >= start) & (columns.end <= end) & (columns["value"] != MISSING)
            used += int(columns["value"][inside].sum())
            covered += int(columns["duration"][inside].sum())
        return used if covered == end - start else None


@dataclass
class Evidence:
    """What was seen that function blocks speak of."""

    kinds: Counter[str] = field(default_factory=Counter)
    series: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    costs: int = 0
    both_ways: int = 0
    summaries: int = 0
    lacking: Counter[str] = field(default_factory=Counter)

    @property
    def has_data(self) -> bool:
        """Whether there is anything function blocks of data could speak of."""
        return any(count for kind, count in self.kinds.items() if kind not in _NO_DATA)

    def note(self, series: Series) -> None:
        """Remember what sort of series there is, once per sort."""
        kind = series.type
        sort = (None,) * 5 if kind is None else (
            kind.accumulation_behaviour, kind.kind, kind.uom, kind.flow_direction, kind.commodity
        )  # fmt: skip
        self.series[(*sort, series.readings > 0)] += 1
        self.costs += series.costs

    def any_series(self, *, behaviour: Any = None, kind: Any = None, uom: Any = None, flow: Any = None,
                   commodity: Any = None) -> bool:  # fmt: skip
        """Whether a series with readings has one of these codes in each place that is asked about."""
        wanted = (behaviour, kind, uom, flow, commodity)
        return any(
            sort[5] and all(want is None or code in want for want, code in zip(wanted, sort[:5], strict=True))
            for sort in self.series
        )


@dataclass(eq=False)
class Document:
    """The whole document: its head, every entry and link, and what it shows of function blocks."""

    head: Head
    spool: Spool
    context: Context
    evidence: Evidence = field(default_factory=Evidence)

    def fault(self, message: str, place: Place | None = None, path: str = "") -> Fault:
        """A breach at a place, or of the document as such."""
        return Fault(message, place or self.head.place, path or "feed")

    @property
    def is_whole(self) -> bool:
        """Whether it should hold the tree of what it is about: no single entry, no page, no list of changes."""
        return self.head.is_feed and not any(
            part.rel in _PAGES or (part.rel == "self" and any(word in part.href for word in _PARTS))
            for part in self.head.named("link")
        )

    def pairs(self, question: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows a question in SQL gives; a column called place is a Place."""
        return self.spool.ask(question, *values)


@dataclass(eq=False)
class Claim:
    """That a document shows a function block; `kind` is its number."""

    kind: str
    document: Document
