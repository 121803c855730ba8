"""The billing cycles of a usage point: the periods of its bills, or local months where it has none."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from espi_server.energy.models import Kind, Resource
from espi_server.rates.calendar import DAY, Calendar, Cycle, local_day, midnight
from espi_server.rates.sidecar import Sidecar

LONGEST = 100 * DAY  # a quarter and some days; what is longer sums up bills, such as a year's true-up

_SUMMARY = Resource.__table__.c
_BILLS = (
    select(_SUMMARY.starts_at, _SUMMARY.duration)
    .where(_SUMMARY.usage_point_id == bindparam("usage_point"), _SUMMARY.kind == int(Kind.UsageSummary))
    .where(_SUMMARY.duration.between(DAY, LONGEST))
    .order_by(_SUMMARY.starts_at, _SUMMARY.duration)
)


def of_bills(session: Session, usage_point_id: uuid.UUID, zone: ZoneInfo) -> tuple[Cycle, ...]:
    """The periods its usage summaries were billed for, in order of time; empty where it has none."""
    found = session.execute(_BILLS, {"usage_point": usage_point_id})
    return joined([(start, start + duration) for start, duration in found], zone)


def joined(periods: Iterable[tuple[int, int]], zone: ZoneInfo) -> tuple[Cycle, ...]:
    """Periods in order of their starts as cycles of whole local days.

    An edge is the nearest local midnight: some utilities name the last second, or UTC's midnight. Where two periods
    lie a day or less apart, or overlap by no more, the second's start is the edge of both: others name the last day.
    A period that overlaps the one before it by more is another account of the same days and left out.
    """
    found: list[Cycle] = []
    for start, end in periods:
        cycle = Cycle(_nearest_midnight(zone, start), _nearest_midnight(zone, end))
        if found and abs(cycle.start - found[-1].end) <= DAY + DAY // 8 and cycle.start > found[-1].start:
            found[-1] = Cycle(found[-1].start, cycle.start)
        elif found and cycle.start < found[-1].end:
            continue
        if cycle.end > cycle.start:
            found.append(cycle)
    return tuple(found)


def _nearest_midnight(zone: ZoneInfo, moment: int) -> int:
    return midnight(zone, local_day(zone, moment + DAY // 2))


@lru_cache(maxsize=256)
def of_months(zone: ZoneInfo, start: int, end: int) -> tuple[Cycle, ...]:
    """The local calendar months in which readings between two UTC seconds lie."""
    edges = [local_day(zone, start).replace(day=1)]
    while midnight(zone, edges[-1]) < end:
        edges.append((edges[-1] + timedelta(days=32)).replace(day=1))
    return tuple(Cycle(*pair) for pair in pairwise(midnight(zone, edge) for edge in edges))


@lru_cache(maxsize=1024)
def calendar(zone: ZoneInfo, cycles: tuple[Cycle, ...], holidays: str | tuple[str, ...] = ()) -> Calendar:
    """The calendar of those cycles with the holidays a sidecar names, in its own form; shared by everybody."""
    years = range(local_day(zone, cycles[0].start).year, local_day(zone, cycles[-1].end).year + 1)
    inside = Sidecar.parse({"holidays": holidays}).holidays_in(years) if holidays else frozenset()
    first, last = local_day(zone, cycles[0].start), local_day(zone, cycles[-1].end)
    return Calendar(zone, cycles, frozenset(day for day in inside if first <= day < last))


def latest(cycles: Sequence[Cycle], count: int = 12) -> tuple[Cycle, ...]:
    """The last cycles that follow one another without a gap, at most `count`."""
    found = list(cycles[-1:])
    for one in reversed(cycles[:-1]):
        if len(found) == count or one.end != found[0].start:
            break
        found.insert(0, one)
    return tuple(found)
