"""A stored stretch of readings in XML: day after day compressed by itself, and an index that finds each day.

Month blocks and day blocks are slices of the same bytes. Compressing each day for itself makes the bytes about a
quarter longer than one stream over the month would be; in return either cut is served without compressing again.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from espi_server.espi import crc
from espi_server.espi.deflate import BEST, Deflate
from espi_server.espi.errors import EspiError
from espi_server.espi.readings import Cut, Readings, Renderer, intervals
from espi_server.espi.stream import Segment

_VERSION: Final = 1
# Version, number of days, then length, crc and operator of the whole body.
_HEAD: Final = struct.Struct("<BHIII")
_DAY: Final = struct.Struct("<qqIIIIIII")


class DamagedIndex(EspiError):
    """The index of a stored body is not as written; it can be made anew from the packed readings."""


class Day(NamedTuple):
    """Where a day's readings stand in a body, and what a feed says about them. Instants are epoch seconds."""

    day: int
    """Start of the local day."""
    start: int
    """Start of the first reading."""
    duration: int
    """Seconds from there to the end of the last."""
    readings: int
    offset: int
    size: int
    length: int
    crc: int
    operator: int


class Body:
    """`<IntervalReading>` elements of some days, compressed, with the index that goes in a column beside them."""

    def __init__(self, data: bytes, index: bytes) -> None:
        """A body as stored; the index is looked at when it is needed."""
        self.data = data
        self.index = index

    @classmethod
    def of(cls, readings: Readings, cuts: Sequence[Cut], by: Deflate = BEST) -> "Body":
        """Renders and compresses the readings, one segment for each cut (usually `cut(readings, zone, "day")`)."""
        renderer = Renderer(readings)
        segments = [Segment.of(renderer.xml(rows), by) for _, rows in cuts]
        days: list[Day] = []
        offset = 0
        for (day, rows), segment, interval in zip(cuts, segments, intervals(readings, cuts), strict=True):
            size = len(segment.data)
            days.append(Day(day, *interval, rows.stop - rows.start, offset, size, *segment[1:]))
            offset += size
        head = _HEAD.pack(_VERSION, len(days), *_joined(days, by))
        return cls(
            b"".join(segment.data for segment in segments), head + b"".join(_DAY.pack(*day) for day in days)
        )

    @cached_property
    def days(self) -> list[Day]:
        """The index, day by day in order."""
        return list(map(Day._make, self.entries))

    @cached_property
    def entries(self) -> list[tuple[int, ...]]:
        """The same without names, for whoever passes over hundreds of them."""
        count = self._head[1]
        if len(self.index) != _HEAD.size + count * _DAY.size:
            raise DamagedIndex(f"The index of a stored body has {len(self.index)} bytes for {count} days.")
        return list(_DAY.iter_unpack(self.index[_HEAD.size :]))

    @cached_property
    def _head(self) -> tuple[int, ...]:
        if len(self.index) < _HEAD.size:
            raise DamagedIndex(f"The index of a stored body is cut off after {len(self.index)} bytes.")
        head = _HEAD.unpack_from(self.index)
        if head[0] != _VERSION:
            raise DamagedIndex(
                f"The index of a stored body has version {head[0]}; this server reads {_VERSION}."
            )
        return head

    def whole(self) -> Segment:
        """All days as one segment."""
        return Segment(self.data, *self._head[2:])

    def part(self, first: int, last: int | None = None) -> Segment:
        """The days numbered `first` up to, not including, `last` as one segment; without `last` just that day."""
        days = self.days[first : first + 1 if last is None else last]
        if not days:
            return Segment(b"", 0, 0, crc.ONE)
        data = self.data[days[0].offset : days[-1].offset + days[-1].size]
        return Segment(
            data, *((days[0].length, days[0].crc, days[0].operator) if len(days) == 1 else _joined(days))
        )

    def between(self, start: int, end: int) -> range:
        """Numbers of the days whose readings overlap the window [start, end)."""
        chosen = [
            number
            for number, day in enumerate(self.days)
            if day.start < end and day.start + day.duration > start
        ]
        return range(chosen[0], chosen[-1] + 1) if chosen else range(0)


def _joined(days: Iterable[Day], by: Deflate = BEST) -> tuple[int, int, int]:
    """Length, crc and operator of days end to end."""
    length, total = 0, 0
    for day in days:
        length += day.length
        total = by.join(total, day.crc, day.length, day.operator)
    return length, total, crc.operator(length, by.crc32)
