"""Coarser readings out of finer ones, for a scope whose IntervalDuration promises never to be finer."""

from datetime import tzinfo

import numpy as np

from espi_server.espi.readings.columns import MISSING, MIXED_QUALITY, RANGES, Column, Mask, Readings
from espi_server.espi.readings.cuts import By, starts_around

DAY = 86_400
QUESTIONABLE = 10


def summed(readings: Readings, seconds: int, zone: tzinfo) -> Readings:
    """Readings of at least `seconds` each: those already that long as they are, finer ones summed.

    Sums stand on local time. Up to a day the grid counts from local midnight in the next step that divides a day
    and that whole readings fill, and what a day of 23 or 25 hours leaves over belongs to its last step; up to a
    month it is the local month, beyond that the local year. A sum's interval is its whole step. Its quality is that
    of its readings, 13 (mixed) if they differ, 10 (questionable) if they do not fill the step or one has no value.
    Cost is summed where every reading has one; tou, tier and cpp stay where all agree. A sum that ESPI's Int48 does
    not hold is left out. Only delta data may be summed: the caller knows.
    """
    if _is_coarse(readings, seconds):
        return readings
    begin, end = _steps(readings, seconds, zone)
    firsts = np.flatnonzero(np.diff(begin, prepend=begin[0] - 1))
    start, end = begin[firsts], end[firsts]
    end = np.maximum(end, np.maximum.reduceat(readings.end, firsts))
    return Readings.of(
        start,
        end - start,
        value=_sums(readings.value, firsts),
        cost=_complete_sums(readings.cost, firsts),
        quality=_qualities(readings, firsts, end - start),
        tou=_where_agreed(readings.tou, firsts),
        tier=_where_agreed(readings.tier, firsts),
        cpp=_where_agreed(readings.cpp, firsts),
    )


def thinned(readings: Readings, seconds: int, zone: tzinfo) -> Readings:
    """The first reading of each step that `summed` would have made, for what cannot be added up."""
    if _is_coarse(readings, seconds):
        return readings
    begin, _ = _steps(readings, seconds, zone)
    return readings[np.flatnonzero(np.diff(begin, prepend=begin[0] - 1))]


def _is_coarse(readings: Readings, seconds: int) -> bool:
    return not len(readings) or bool((readings.duration >= _shortest(seconds)).all())


def _shortest(seconds: int) -> int:
    """What passes for a step of `seconds`: a local day may have 23 hours, a month 28 days, a year 365."""
    for shortest, longest in ((23 * 3600, DAY), (28 * DAY, 31 * DAY), (365 * DAY, 366 * DAY)):
        if shortest < seconds <= longest:
            return shortest
    return seconds


def _steps(readings: Readings, seconds: int, zone: tzinfo) -> tuple[Column, Column]:
    """Begin and end of the step each reading starts in."""
    by: By = "day" if seconds <= DAY else "month" if seconds <= 31 * DAY else "year"
    bounds = starts_around(readings.start, zone, by)
    index = np.searchsorted(bounds, readings.start, "right") - 1
    begin, end = bounds[index], bounds[index + 1]
    if by != "day":
        return begin, end
    step = _dividing_a_day(seconds, int(np.gcd.reduce(readings.duration)))
    last = np.maximum((end - begin) // step, 1) - 1
    number = np.minimum((readings.start - begin) // step, last)
    first = begin + number * step
    return first, np.where(number == last, end, first + step)


def _dividing_a_day(seconds: int, finest: int) -> int:
    """The next step that divides a day and that readings of `finest` seconds fill, so that none sticks out."""
    finest = finest or 1
    return next((step for step in range(max(seconds, 1), DAY) if not DAY % step and not step % finest), DAY)


def _sums(cells: Column | None, firsts: Column) -> Column | None:
    """Sums of what is there; MISSING where nothing is."""
    if cells is None:
        return None
    there = cells != MISSING
    return np.where(np.logical_or.reduceat(there, firsts), _added(cells, firsts), MISSING)


def _complete_sums(cells: Column | None, firsts: Column) -> Column | None:
    if cells is None:
        return None
    complete = np.logical_and.reduceat(cells != MISSING, firsts)
    return np.where(complete, _added(cells, firsts), MISSING)


def _added(cells: Column, firsts: Column) -> Column:
    """The sum of each step; MISSING where it is more than Int48 holds (an int64 might have run over by then)."""
    known = np.where(cells == MISSING, 0, cells)
    fits = np.abs(np.add.reduceat(known.astype(np.float64), firsts)) <= RANGES["value"][1]
    return np.where(fits, np.add.reduceat(known, firsts), MISSING)


def _where_agreed(cells: Column | None, firsts: Column) -> Column | None:
    return None if cells is None else _agreed(cells, firsts, MISSING)


def _agreed(cells: Column, firsts: Column, otherwise: int) -> Column:
    """The number all cells of a step share, else `otherwise`."""
    lowest, highest = np.minimum.reduceat(cells, firsts), np.maximum.reduceat(cells, firsts)
    return np.where(lowest == highest, lowest, otherwise)


def _qualities(readings: Readings, firsts: Column, length: Column) -> Column:
    agreed = _agreed(readings.cells("quality"), firsts, MIXED_QUALITY)
    return np.where(_filled(readings, firsts, length), agreed, QUESTIONABLE)


def _filled(readings: Readings, firsts: Column, length: Column) -> Mask:
    """Whether readings with a value cover their step."""
    known = np.where(readings.cells("value") == MISSING, 0, readings.duration)
    return np.add.reduceat(known, firsts) >= length
