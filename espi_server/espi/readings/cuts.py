"""Where local days, months and years begin, and the cuts of readings along them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from espi_server.espi.readings.columns import LONGEST, Column, Readings

By: TypeAlias = Literal["day", "month", "year"]
Cut: TypeAlias = tuple[int, slice]

_ONE_DAY = timedelta(days=1)


def cut(readings: Readings, zone: tzinfo, by: By) -> list[Cut]:
    """(start of the local day, month or year as epoch seconds, rows) for each that has readings, in order.

    A cut holds the readings that start in it, so a day has 92, 96 or 100 quarter-hours.
    """
    if not len(readings):
        return []
    bounds = starts_around(readings.start, zone, by)
    index = np.searchsorted(bounds, readings.start, "right") - 1
    firsts = np.flatnonzero(np.diff(index, prepend=-1))
    lasts = np.append(firsts[1:], len(readings))
    return [
        (begin, slice(first, last))
        for begin, first, last in zip(
            bounds[index[firsts]].tolist(), firsts.tolist(), lasts.tolist(), strict=True
        )
    ]


def intervals(readings: Readings, cuts: Sequence[Cut]) -> list[tuple[int, int]]:
    """Start and duration of each cut's readings, as `Readings.interval` says them; the cuts follow each other."""
    if not cuts:
        return []
    firsts = np.array([rows.start for _, rows in cuts])
    start = readings.start[firsts]
    duration = np.maximum.reduceat(readings.end[: cuts[-1][1].stop], firsts) - start
    return list(zip(start.tolist(), np.minimum(duration, LONGEST).tolist(), strict=True))


def starts_around(instants: Column, zone: tzinfo, by: By) -> Column:
    """Starts of the local days, months or years (epoch seconds, ascending) in which the instants lie.

    The start before each instant is there and the one after it; years without an instant may be left out.
    """
    years = instants.astype("M8[s]").astype("M8[Y]").astype(np.int64) + 1970
    there = years[np.append(True, years[1:] != years[:-1])].tolist()
    wanted = sorted({year + near for year in there for near in (-1, 0, 1)})
    return np.concatenate([_starts(zone, year, by) for year in wanted])


@lru_cache(maxsize=4096)
def _starts(zone: tzinfo, year: int, by: By) -> Column:
    """One year's starts. A year of days takes a millisecond to find and 3 kB to keep."""
    if by == "day":
        count = (date(year + 1, 1, 1) - date(year, 1, 1)).days
        days = [date(year, 1, 1) + number * _ONE_DAY for number in range(count)]
    else:
        days = [date(year, month, 1) for month in range(1, 13 if by == "month" else 2)]
    starts = np.array([_first_instant(zone, day) for day in days], np.int64)
    starts.flags.writeable = False
    return starts


def _first_instant(zone: tzinfo, day: date) -> int:
    """The instant from which on the local date is `day` or later: midnight, where the zone has one.

    Clocks that spring forward over midnight (Havana, Beirut) begin the day at 01:00; clocks put back just after
    midnight into the old day (St. John's until 2011) begin it at the second midnight.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    earlier, later = int(midnight.timestamp()), int(midnight.replace(fold=1).timestamp())
    if earlier == later:
        return earlier
    earlier, later = min(earlier, later), max(earlier, later)
    if _date(zone, later - 1) >= day > _date(zone, earlier - 1):
        return earlier
    while later - earlier > 1:
        middle = (earlier + later) // 2
        earlier, later = (earlier, middle) if _date(zone, middle) >= day else (middle, later)
    return later


def _date(zone: tzinfo, instant: int) -> date:
    return datetime.fromtimestamp(instant, zone).date()
