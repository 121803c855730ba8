"""Where local days, months and years begin, and the cuts of readings along them."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from espi_server.espi.readings.columns import Column, Readings

By: TypeAlias = Literal["day", "month", "year"]
Cut: TypeAlias = tuple[int, slice]

_ONE_DAY = timedelta(days=1)


def cut(readings: Readings, zone: tzinfo, by: By) -> list[Cut]:
    """(start of the local day, month or year as epoch seconds, rows) for each that has readings, in order.

    A cut holds the readings that start in it, so a day has 92, 96 or 100 quarter-hours.
    """
    if not len(readings):
        return []
    bounds = starts_between(int(readings.start[0]), int(readings.start[-1]), zone, by)
    index = np.searchsorted(bounds, readings.start, "right") - 1
    firsts = np.flatnonzero(np.diff(index, prepend=-1))
    lasts = np.append(firsts[1:], len(readings))
    return [
        (begin, slice(first, last))
        for begin, first, last in zip(
            bounds[index[firsts]].tolist(), firsts.tolist(), lasts.tolist(), strict=True
        )
    ]


def starts_between(first: int, last: int, zone: tzinfo, by: By) -> Column:
    """Starts of all local days, months or years (epoch seconds, ascending) around the instants `first` to `last`.

    At least one start lies at or before `first`, and one after `last`.
    """
    years = range(_utc_year(first) - 1, _utc_year(last) + 2)
    return np.concatenate([_starts(zone, year, by) for year in years])


def _utc_year(instant: int) -> int:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant)).year


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
    earlier, later = sorted(int(midnight.replace(fold=fold).timestamp()) for fold in (0, 1))
    if earlier == later or _date(zone, later - 1) >= day > _date(zone, earlier - 1):
        return earlier
    while later - earlier > 1:
        middle = (earlier + later) // 2
        earlier, later = (earlier, middle) if _date(zone, middle) >= day else (middle, later)
    return later


def _date(zone: tzinfo, instant: int) -> date:
    return datetime.fromtimestamp(instant, zone).date()
