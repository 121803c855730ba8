"""One stored row of readings to the IntervalBlocks it serves: by local day or month, as far as they may be seen.

Day and month blocks are slices of the same stored bytes. What rights do not allow as stored (a cost, a finer
interval, the hours before the consented history) is rendered from the packed readings.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from espi_server.db import loaded
from espi_server.energy import identity
from espi_server.espi import readings as columns
from espi_server.espi.blocks import Body, Day
from espi_server.espi.query import Query
from espi_server.espi.readings import Readings, render, starts_around
from espi_server.espi.readings.columns import RANGES
from espi_server.espi.rights import Rights
from espi_server.espi.stream import Segment

RENDER = 1
"""Version of the stored XML: it goes into every ETag, and tells which rows were rendered by other code."""

LONGEST_MONTH = 31 * 86_400
"""Seconds; a promise beyond it makes sums of local years, and rows hold local months."""

END_OF_TIME = 2**62
_TWO_DAYS = 2 * 86_400
_STAMP = struct.Struct("<II")


@dataclass(frozen=True)
class Row:
    """A block row as the page statement reads it; without `body` where everything must be rendered."""

    meter_reading: uuid.UUID
    starts_at: int
    first_at: int
    ends_at: int
    coarse: bool
    is_delta: bool
    published: int
    updated: int
    stamps: bytes
    day_index: bytes
    body: bytes | None
    encoding: int | None
    packed: bytes | None
    extra: Any

    @cached_property
    def stored(self) -> Body:
        """The stored body with its index."""
        return Body(self.body or b"", self.day_index)

    @cached_property
    def readings(self) -> Readings:
        """The readings themselves."""
        return columns.unpack(self.encoding or 0, self.packed or b"", loaded(self.extra))

    @property
    def times(self) -> Iterator[tuple[int, ...]]:
        """Published and updated of each day."""
        return _STAMP.iter_unpack(self.stamps)


class Block(NamedTuple):
    """An IntervalBlock to serve: its id, its interval, its times, and its readings."""

    id: str
    start: int
    duration: int
    published: int
    updated: int
    segments: tuple[Segment, ...]


class _Part(NamedTuple):
    """A day of a row: where it lies, when it was published and changed; `readings` where it must be rendered."""

    day: Day
    number: int
    published: int
    updated: int
    readings: Readings | None = None

    @property
    def interval(self) -> tuple[int, int]:
        return (self.day.start, self.day.duration) if self.readings is None else self.readings.interval


@dataclass(frozen=True)
class Cutter:
    """Cuts rows for one reader: the rights and the history come from the grant, the query from the request.

    `rendering`: nothing is taken as stored.
    """

    rights: Rights
    query: Query
    zone: ZoneInfo
    rendering: bool = False

    def blocks(self, *rows: Row) -> Iterator[Block]:
        """The blocks of rows that go together (see `together`) as far as they are asked for and may be seen."""
        if self.rendering:
            for block, readings in self._rendered(rows):
                yield block._replace(segments=(Segment.of(render(readings)),))
            return
        cut = self._days if self.rights.cut == "day" else self._months
        for row in rows:
            yield from self._selected(cut(row))

    def count(self, *rows: Row) -> int:
        """How many blocks these rows serve; none is rendered to find out."""
        return sum(1 for _ in (self._rendered(rows) if self.rendering else self.blocks(*rows)))

    def together(self, rows: Iterable[Row]) -> Iterator[tuple[Row, ...]]:
        """The rows of one meter reading, as they are served: one by one, but a year's where years are summed."""
        if self.rights.interval is None or self.rights.interval <= LONGEST_MONTH:
            return ((row,) for row in rows)
        return (tuple(year) for _, year in groupby(rows, key=self._year))

    def _year(self, row: Row) -> tuple[uuid.UUID, int]:
        return row.meter_reading, datetime.fromtimestamp(row.starts_at, self.zone).year

    def _selected(self, blocks: Iterator[Block]) -> Iterator[Block]:
        return blocks if self.query.is_whole else filter(self._is_asked_for, blocks)

    def _is_asked_for(self, block: Block) -> bool:
        query = self.query
        if query.updated_min is not None and block.updated < query.updated_min:
            return False
        if query.updated_max is not None and block.updated > query.updated_max:
            return False
        return query.overlaps(block.start, block.start + block.duration)

    # --- from stored bytes ----------------------------------------------------------------------------

    def _days(self, row: Row) -> Iterator[Block]:
        if self.rights.history_from is None and self.query.is_whole:
            yield from self._every_day(row)
            return
        body, make = row.stored, identity.block_id
        for part in self._parts(row, self.query):
            day = part.day
            if part.readings is None:
                data = body.data[day.offset : day.offset + day.size]
                segment = Segment(data, day.length, day.crc, day.operator)
            else:
                segment = Segment.of(render(part.readings))
            start, duration = part.interval
            id = make(row.meter_reading, identity.DAY, day.day)
            yield Block(id, start, duration, part.published, part.updated, (segment,))

    def _every_day(self, row: Row) -> Iterator[Block]:
        """All days as they are stored: a year has four hundred, so nothing else is asked about them."""
        body = row.stored
        data, days = body.data, body.entries
        ids = identity.block_ids(row.meter_reading, identity.DAY, (day[0] for day in days))
        for id, times, day in zip(ids, row.times, days, strict=True):
            _, start, duration, _, offset, size, length, crc, operator = day
            segment = Segment(data[offset : offset + size], length, crc, operator)
            yield Block(id, start, duration, times[0], times[1], (segment,))

    def _months(self, row: Row) -> Iterator[Block]:
        since = self.rights.history_from
        if not row.coarse and (since is None or since <= row.first_at):
            yield self._whole_month(row)
            return
        parts = list(self._parts(row, Query()))
        for month, group in groupby(parts, key=lambda part: self._month(row, part.day.day)):
            days = list(group)
            id = identity.block_id(row.meter_reading, identity.MONTH, month)
            start = days[0].interval[0]
            end = max(sum(part.interval) for part in days)
            published, updated = min(part.published for part in days), max(part.updated for part in days)
            yield Block(id, start, end - start, published, updated, self._segments(row, days))

    def _whole_month(self, row: Row) -> Block:
        """A row that is one block; nobody has to look at its days."""
        id = identity.block_id(row.meter_reading, identity.MONTH, row.starts_at)
        duration = min(row.ends_at - row.first_at, RANGES["duration"][1])
        return Block(id, row.first_at, duration, row.published, row.updated, (row.stored.whole(),))

    def _segments(self, row: Row, days: Sequence[_Part]) -> tuple[Segment, ...]:
        """The days end to end; the first is rendered where the consented history begins inside it."""
        body = row.stored
        if days[0].readings is not None:
            rest = days[1:]
            return (Segment.of(render(days[0].readings)), *(self._segments(row, rest) if rest else ()))
        first, last = days[0].number, days[-1].number + 1
        return (body.whole() if last - first == len(body.days) else body.part(first, last),)

    def _month(self, row: Row, day: int) -> int:
        """Where the local month begins that holds this day."""
        if not row.coarse:
            return row.starts_at
        starts = starts_around(np.array([day]), self.zone, "month")
        return int(starts[starts.searchsorted(day, "right") - 1])

    def _parts(self, row: Row, query: Query) -> Iterator[_Part]:
        """The days asked for that may be seen; that in which the consented history begins, from there on."""
        since, after, before = self.rights.history_from, query.ends_after, query.starts_before
        for number, (day, times) in enumerate(zip(row.stored.days, row.times, strict=True)):
            if before is not None and day.start >= before:
                return
            if after is not None and not query.overlaps(day.start, day.start + day.duration):
                continue
            if since is None or day.day >= since:
                yield _Part(day, number, times[0], times[1])
            elif (late := self._late(row, number, since)) is not None:
                yield _Part(day, number, times[0], times[1], readings=late)

    def _late(self, row: Row, number: int, since: int) -> Readings | None:
        """The readings of a day from `since` on; None where there are none."""
        days = row.stored.days
        first = sum(day.readings for day in days[:number])
        whole = row.readings[first : first + days[number].readings]
        seen = whole[whole.start >= since]
        return seen if len(seen) else None

    # --- rendered for this reader ---------------------------------------------------------------------

    def _rendered(self, rows: Sequence[Row]) -> Iterator[tuple[Block, Readings]]:
        """The blocks that are asked for, without segments, and the readings to render for each."""
        if self._lie_beyond(rows):
            return
        seen = self._seen(rows)
        readings = self._coarsened(seen, rows[0].is_delta)
        by: columns.By = "day" if self.rights.cut == "day" else "month"
        cuts = columns.cut(readings, self.zone, by)
        bounds = [*(start for start, _ in cuts), END_OF_TIME]
        times = self._times(rows, seen)
        for (local_start, place), end in zip(cuts, bounds[1:], strict=True):
            part = readings[place]
            start, duration = part.interval
            id = identity.block_id(rows[0].meter_reading, by, local_start)
            inside = [each for day, each in times if local_start <= day < end]
            published, updated = min(each[0] for each in inside), max(each[1] for each in inside)
            block = Block(id, start, duration, published, updated, ())
            if self.query.is_whole or self._is_asked_for(block):
                yield block, part

    def _lie_beyond(self, rows: Sequence[Row]) -> bool:
        """Has none of these rows a block that is asked for? Rows come for whole years, in case years are summed."""
        interval = self.rights.interval or 0
        if interval > LONGEST_MONTH:
            return False
        # A sum begins before its first reading and ends after its last, by less than its own length.
        after, before, around = self.query.ends_after, self.query.starts_before, interval + _TWO_DAYS
        return all(
            (after is not None and row.ends_at + around <= after)
            or (before is not None and row.first_at - around >= before)
            for row in rows
        )

    def _times(self, rows: Sequence[Row], seen: Readings) -> list[tuple[int, tuple[int, ...]]]:
        """Published and updated of each local day of which something may be seen."""
        days = {day for day, _ in columns.cut(seen, self.zone, "day")}
        stamped = (pair for row in rows for pair in zip(row.stored.days, row.times, strict=True))
        return [(day.day, times) for day, times in stamped if day.day in days]

    def _seen(self, rows: Sequence[Row]) -> Readings:
        """The rows' readings from the consented history on, with their cost where it may be seen."""
        readings, since = columns.joined([row.readings for row in rows]), self.rights.history_from
        if since is not None:
            readings = readings[readings.start >= since]
        return readings if self.rights.reading_cost else readings.without_cost()

    def _coarsened(self, readings: Readings, is_delta: bool) -> Readings:
        """No finer than granted."""
        promise = self.rights.interval
        if promise is None:
            return readings
        # What is no delta cannot be added; the first of each step is what such a meter would have said.
        coarser = columns.summed if is_delta else columns.thinned
        return coarser(readings, promise, self.zone)
