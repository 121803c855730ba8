"""Where a reading falls: its billing cycle, the kind of its local day and its local clock.

Nothing here depends on an account. An index is computed once per (zone, holidays, cycles, first reading) and
shared by everybody read on that schedule.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
from numpy.typing import NDArray

from espi_server.rates.errors import DoesNotFit, UnknownZone

DAY = 86_400
EARLIEST, LATEST = (
    -2_208_988_800,
    7_258_118_400,
)  # the years 1900 to 2200; clocks and calendars hold well beyond
WEEKDAY, WEEKEND, HOLIDAY = 0, 1, 2
DAY_TYPES = 3
EPOCH = date(1970, 1, 1)

Ints = NDArray[np.int64]


class Cycle(NamedTuple):
    """One billing period, from `start` up to and without `end`, both UTC seconds."""

    start: int
    end: int


class Part(NamedTuple):
    """The days of one billing cycle that lie in one local month: the finest piece any URDB schedule asks for."""

    cycle: int
    year: int
    month: int
    days: int


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that tz database name. Raises UnknownZone with names that look alike."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as unknown:
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=3, cutoff=0.5)
        advice = f"Did you mean {' or '.join(near)}?" if near else "For example America/Los_Angeles."
        raise UnknownZone(f"{name!r} is not a time zone of the tz database. {advice}") from unknown


@dataclass(frozen=True)
class Calendar:
    """Billing cycles in a time zone, with the holidays that are billed like weekend days.

    `cycles` follow one another without gaps; `holidays` are local dates.
    """

    zone: ZoneInfo
    cycles: tuple[Cycle, ...]
    holidays: frozenset[date] = frozenset()

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The months of every cycle in order of time, each with its local days."""
        return tuple(part for number in range(len(self.cycles)) for part in self._parts_of(number))

    def _parts_of(self, number: int) -> Iterable[Part]:
        day, last = self.first_day(number), self.last_day(number)
        while day <= last:
            following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            until = min(following, last + timedelta(days=1))
            yield Part(number, day.year, day.month, (until - day).days)
            day = until

    def first_day(self, number: int) -> date:
        """The local date on which the cycle starts."""
        return self.local(self.cycles[number].start).date()

    def last_day(self, number: int) -> date:
        """The last local date that counts as a day of the cycle."""
        return self.local(self.cycles[number].end).date() - timedelta(days=1)

    def days(self, number: int) -> int:
        """Local days of the cycle: what `$/day` and `kWh daily` are multiplied by."""
        return (self.last_day(number) - self.first_day(number)).days + 1

    def month(self, number: int) -> int:
        """The calendar month most of the cycle's days lie in; the earlier one of two equal shares."""
        return max(self._parts_of(number), key=lambda part: part.days).month

    def local(self, instant: int) -> datetime:
        """That UTC second on the local clock."""
        return datetime.fromtimestamp(instant, UTC).astimezone(self.zone)

    def index(self, start: int, step: int, count: int, slots: int = 24) -> Index:
        """Where `count` readings of `step` seconds from `start` on fall; cached."""
        return _index(self, start, step, count, slots)


@dataclass(frozen=True, eq=False)
class Index:
    """For each reading the number of its cell: (part × day type + kind of day) × slots + slot."""

    cell: NDArray[np.intp]
    cells: int
    runs: NDArray[np.intp]  # where the cell changes along the readings, for maxima
    before: int  # readings before the first cycle
    after: int  # readings after the last cycle

    @cached_property
    def together(self) -> int:
        """How many neighbouring readings always share a cell: those of an hour, where readings keep to the hour."""
        for size in (12, 6, 4, 3, 2):
            if len(self.cell) and not len(self.cell) % size:
                groups = self.cell.reshape(-1, size)
                if (groups == groups[:, :1]).all():
                    return size
        return 1

    @cached_property
    def cell_of_group(self) -> NDArray[np.intp]:
        """The cell of each group of `together` readings."""
        return np.ascontiguousarray(self.cell[:: self.together])

    @cached_property
    def expected(self) -> Ints:
        """How many readings belong to each cell."""
        return np.bincount(self.cell, minlength=self.cells).astype(np.int64)

    @property
    def whole(self) -> bool:
        """Every reading lies in a cycle."""
        return not self.before and not self.after

    @cached_property
    def grouped_runs(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """The order that brings runs of one cell together, where each cell opens in it, and which cell that is."""
        owners = self.cell[self.runs]
        order = np.argsort(owners, kind="stable")
        opens = np.flatnonzero(np.diff(owners[order], prepend=-1))
        return order, opens, owners[order][opens]


@lru_cache(maxsize=64)
def _index(calendar: Calendar, start: int, step: int, count: int, slots: int) -> Index:
    times = reading_times(calendar.zone, start, step, count)
    first = int(np.searchsorted(times, calendar.cycles[0].start))
    last = int(np.searchsorted(times, calendar.cycles[-1].end))
    times = times[first:last]
    local = times + utc_offsets(calendar.zone, times)
    day = local // DAY
    part = _part_numbers(calendar, times, day)
    slot = (local % DAY) // (DAY // slots)
    cell = ((part * DAY_TYPES + _day_types(day, calendar.holidays)) * slots + slot).astype(np.intp)
    runs = np.flatnonzero(np.diff(cell, prepend=-1))
    return Index(
        cell=cell,
        cells=len(calendar.parts) * DAY_TYPES * slots,
        runs=runs.astype(np.intp),
        before=first,
        after=count - last,
    )


def reading_times(zone: ZoneInfo, start: int, step: int, count: int) -> Ints:
    """The UTC second at which each reading starts.

    Daily readings that begin at a local midnight are local days (23 or 25 hours long twice a year); everything else
    is start plus n × step.
    """
    begin = datetime.fromtimestamp(start, UTC).astimezone(zone)
    if step == DAY and begin.time() == time(0):
        return midnights(zone, begin.date(), count)
    return np.arange(count, dtype=np.int64) * step + start


def midnights(zone: ZoneInfo, first: date, count: int) -> Ints:
    """The UTC seconds of `count` successive local midnights."""
    days = (first + timedelta(days=n) for n in range(count))
    return np.fromiter((midnight(zone, day) for day in days), np.int64, count)


def midnight(zone: ZoneInfo, day: date) -> int:
    """The UTC second at which that local date begins."""
    return int(datetime.combine(day, time(0), zone).timestamp())


def midnights_between(zone: ZoneInfo, start: int, end: int) -> Ints:
    """The UTC seconds of the local midnights from `start`, itself one, up to and with `end`."""
    first, last = local_day(zone, start), local_day(zone, end)
    return midnights(zone, first, (last - first).days + 1)


def local_day(zone: ZoneInfo, moment: int) -> date:
    """The local date of a UTC second."""
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).date()


def utc_offsets(zone: ZoneInfo, times: Ints) -> Ints:
    """Seconds to add to each (ascending) UTC time to get the local clock."""
    if not len(times):
        return np.zeros(0, np.int64)
    changes = _changes(zone, int(times[0]), int(times[-1]))
    at = np.array([when for when, _ in changes], np.int64)
    offset = np.array([seconds for _, seconds in changes], np.int64)
    found: Ints = offset[np.searchsorted(at, times, side="right") - 1]
    return found


@lru_cache(maxsize=256)
def _changes(zone: ZoneInfo, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """(UTC second, offset from then on), beginning with `first`. One look a day finds every change."""
    changes = [(first, _offset(zone, first))]
    for when in range(first + DAY, last + 2 * DAY, DAY):
        if _offset(zone, when) != changes[-1][1]:
            low, high = when - DAY, when
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == changes[-1][1] else (low, middle)
            changes.append((high, _offset(zone, high)))
    return tuple(changes)


def _offset(zone: ZoneInfo, instant: int) -> int:
    found = datetime.fromtimestamp(instant, UTC).astimezone(zone).utcoffset()
    return int(found.total_seconds()) if found is not None else 0


def _part_numbers(calendar: Calendar, times: Ints, day: Ints) -> Ints:
    starts = np.array([cycle.start for cycle in calendar.cycles], np.int64)
    cycle = np.searchsorted(starts, times, side="right") - 1
    # A cycle cut at an odd hour keeps its last hours with its last counted day.
    last = np.array([(calendar.last_day(n) - EPOCH).days for n in range(len(starts))], np.int64)
    opens = np.array([(_first_of(calendar, part) - EPOCH).days for part in calendar.parts], np.int64)
    found: Ints = np.searchsorted(opens, np.minimum(day, last[cycle]), side="right") - 1
    return found


def _first_of(calendar: Calendar, part: Part) -> date:
    return max(calendar.first_day(part.cycle), date(part.year, part.month, 1))


def _day_types(day: Ints, holidays: frozenset[date]) -> Ints:
    weekend = (day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    kind = np.where(weekend, WEEKEND, WEEKDAY)
    if holidays:
        numbers = np.array(sorted((holiday - EPOCH).days for holiday in holidays), np.int64)
        kind[np.isin(day, numbers) & ~weekend] = HOLIDAY
    return kind


def months(zone: ZoneInfo, start: int, end: int) -> tuple[Cycle, ...]:
    """The local calendar months that [start, end) consists of. Raises DoesNotFit if it begins or ends inside one."""
    first, last = (datetime.fromtimestamp(at, UTC).astimezone(zone) for at in (start, end))
    for what, at in (("begin", first), ("end", last)):
        if at.replace(tzinfo=None) != datetime(at.year, at.month, 1):  # noqa: DTZ001 - the local clock, on purpose
            raise DoesNotFit(_partial_month(zone, what, at))
    edges = [first.date()]
    while edges[-1] < last.date():
        edges.append((edges[-1] + timedelta(days=32)).replace(day=1))
    instants = [midnight(zone, edge) for edge in edges]
    return tuple(Cycle(*pair) for pair in itertools.pairwise(instants))


def _partial_month(zone: ZoneInfo, what: str, at: datetime) -> str:
    opens = midnight(zone, at.date().replace(day=1))
    instant = datetime.fromtimestamp(opens, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"The readings {what} on {at:%Y-%m-%d at %H:%M} local time ({zone.key}), inside a calendar month "
        f"(this month began at {instant}). Calendar cycles need whole local months: mend --start, --interval or "
        "the file, or name the billing cycles with --cycles FILE.json."
    )


def check_cycles(cycles: Sequence[Cycle]) -> tuple[Cycle, ...]:
    """The same cycles, known to be in order and without gap or overlap. Raises DoesNotFit."""
    if not cycles:
        raise DoesNotFit("There is no billing cycle. Give at least one [start, end) pair.")
    for number, cycle in enumerate(cycles, 1):
        if cycle.end - cycle.start < DAY:
            raise DoesNotFit(
                f"Cycle {number} ends less than a day after it starts. Each cycle is [start, end), "
                "start before end."
            )
    for number, (one, two) in enumerate(itertools.pairwise(cycles), 1):
        if one.end != two.start:
            trouble = "overlaps" if one.end > two.start else "leaves a gap before"
            raise DoesNotFit(
                f"Cycle {number} {trouble} cycle {number + 1}: it ends at {_utc(one.end)}, the next starts "
                f"at {_utc(two.start)}. The end of a cycle is the start of the next."
            )
    return tuple(cycles)


def check_fit(calendar: Calendar, start: int, step: int, count: int) -> None:
    """Raises DoesNotFit unless whole readings fill every cycle."""
    begin, end = readings_span(calendar.zone, start, step, count)
    first, last = calendar.cycles[0].start, calendar.cycles[-1].end
    for number, cycle in enumerate(calendar.cycles, 1):
        if not begin <= cycle.start < cycle.end <= end:
            raise DoesNotFit(
                f"The readings do not fit the cycles: cycle {number} is [{_utc(cycle.start)}, "
                f"{_utc(cycle.end)}) but the readings run from {_utc(begin)} to {_utc(end)}. "
                "Add the missing readings or leave the cycle out."
            )
    edges = {cycle.start for cycle in calendar.cycles} | {last}
    times = set(reading_times(calendar.zone, start, step, count + 1).tolist()) if step == DAY else None
    for edge in sorted(edges):
        inside = edge not in times if times is not None else (edge - start) % step != 0
        if inside and first <= edge <= last:
            raise DoesNotFit(
                f"The cycle edge {_utc(edge)} cuts a reading of {step // 60} minutes in two "
                f"(readings start at {_utc(start)}). Mend --start or the cycle's times."
            )


def readings_span(zone: ZoneInfo, start: int, step: int, count: int) -> tuple[int, int]:
    """UTC seconds at which the first reading starts and the last one ends. Raises DoesNotFit beyond the year 2200."""
    if start + step * count > LATEST:
        raise DoesNotFit(
            f"{count:,} readings of {step // 60} minutes reach beyond the year 2200. Mend --start, --interval or the "
            "file."
        )
    if step == DAY:
        return start, int(reading_times(zone, start, step, count + 1)[-1])
    return start, start + step * count


def _utc(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%MZ")
