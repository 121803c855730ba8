"""Local quarter hours as columns, and chance that depends on nothing but a seed and the moment.

A day looks the same in whichever stretch of time it is asked for, so a short demo is the end of a long one, and a
test may pin any day of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

QUARTER = 900
HOUR = 3600
DAY = 86_400
_DEEP_WINTER = date(2026, 1, 25).toordinal()

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Span:
    """The quarter hours from the start of one local day to the end of another."""

    first: date
    last: date
    zone: ZoneInfo

    @cached_property
    def midnights(self) -> Whole:
        """Epoch seconds at which each local day starts, and at which the last one ends."""
        days = (self.last - self.first).days + 2
        return np.array([midnight(self.first + timedelta(days=day), self.zone) for day in range(days)])

    @cached_property
    def start(self) -> Whole:
        """Epoch seconds at which each quarter hour starts."""
        return np.arange(self.midnights[0], self.midnights[-1], QUARTER)

    @cached_property
    def day(self) -> Whole:
        """The place of each quarter's local day, from 0."""
        return np.searchsorted(self.midnights, self.start, "right") - 1

    @cached_property
    def hour(self) -> Real:
        """The wall clock in hours, 0 to 23.75; on two days of the year it jumps."""
        hours = (self.start - self.midnights[self.day]) / HOUR
        switching = np.flatnonzero(np.diff(self.midnights) != DAY)
        for row in np.flatnonzero(np.isin(self.day, switching)):
            wall = datetime.fromtimestamp(int(self.start[row]), self.zone)
            hours[row] = wall.hour + wall.minute / 60
        return hours

    @cached_property
    def ordinal(self) -> Whole:
        """The date of each quarter as a number of days."""
        return self.day + self.first.toordinal()

    @cached_property
    def weekend(self) -> npt.NDArray[np.bool_]:
        """Is it Saturday or Sunday?"""
        return (self.ordinal + 6) % 7 >= 5

    @cached_property
    def month(self) -> Whole:
        """The month of each quarter, 1 to 12."""
        days = (self.last - self.first).days + 1
        return np.array([(self.first + timedelta(days=day)).month for day in range(days)])[self.day]

    @cached_property
    def season(self) -> Real:
        """-1 in the depth of winter, 1 at the height of summer (late January and late July)."""
        return -np.cos((self.ordinal - _DEEP_WINTER) / 365.25 * 2 * np.pi)

    def __len__(self) -> int:
        return len(self.start)


@lru_cache(maxsize=8)
def span(first: date, last: date, timezone: str) -> Span:
    """The quarter hours of these local days, both included."""
    return Span(first, last, ZoneInfo(timezone))


def midnight(day: date, zone: ZoneInfo) -> int:
    """Epoch seconds at which a local day starts."""
    return int(datetime.combine(day, time(), zone).timestamp())


def cycles(first: date, last: date, read_day: int) -> Iterator[tuple[date, date]]:
    """The billing periods that end within the days asked for: the day each starts, and the day after it."""
    end = first.replace(day=read_day)
    while end <= last + timedelta(days=1):
        if end > first:
            yield _month_before(end), end
        end = (end.replace(day=1) + timedelta(days=32)).replace(day=read_day)


def _month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=day.day)


def chance(seed: int, keys: Any) -> Real:
    """A number from 0 to 1 for each key, always the same for the same seed and key (splitmix64)."""
    mixed = np.asarray(keys).astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def normal(seed: int, keys: Any) -> Real:
    """A number around 0 with spread 1 for each key, always the same for the same seed and key."""
    radius = np.sqrt(-2 * np.log(1 - chance(seed, keys)))
    return np.asarray(radius * np.cos(2 * np.pi * chance(seed + 1, keys)))
