"""Cells follow the data: what an import brings is in the cells of the billing cycles it completes.

The importer calls `arrived` inside the transaction of a usage point, so readings and cells are in or out together.
A cycle's readings are added once, when they reach its end; a correction, or what comes late, makes its cycle anew; the
other cycles are not touched. A daily delivery inside a cycle thus costs a look at what is kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from espi_server.energy.house import House
from espi_server.rates import cycles, store
from espi_server.rates.calendar import DAY, LATEST, Calendar, Cycle, zone_named
from espi_server.rates.metered import Meter
from espi_server.rates.models import TariffRecord
from espi_server.rates.store import Layout
from espi_server.rates.tariff import DGRULES, Metering

Holidays = str | tuple[str, ...]
Windows = Sequence[tuple[int, int]]
MONTH = 31 * DAY
_TABLE = TariffRecord.__table__.c
# Two spellings: that of the web API and that of the bulk download.
_RULES = (_TABLE.record["dgrules"].as_string(), _TABLE.record["dgRules"].as_string())
_NEEDS = select(_TABLE.sidecar, *_RULES).where(_TABLE.utility_id == bindparam("utility"))


class Cut(NamedTuple):
    """How the cells of a utility's usage points are cut: the holidays some of its tariffs name, and the columns."""

    holidays: Holidays
    layout: Layout


def arrived(session: Session, house: House, usage_point_id: uuid.UUID, windows: Windows) -> None:
    """Bring the cells of a usage point up to date; `windows` are the spans in which its readings are other ones."""
    zone, kept = zone_named(house.timezone), store.kept(session, usage_point_id)
    ends = {start: end for (_, start), end in kept.items()}
    newest = max([*ends.values(), *(until for _, until in windows)]) if windows else LATEST
    for start, end in ends.items():
        if any(since < end and until > start for since, until in windows):
            store.forget(session, usage_point_id, start, end)
            kept = {key: ends_at for key, ends_at in kept.items() if key[1] != start}
    spans = cycles.of_bills(session, usage_point_id, zone)
    if not spans and windows:
        spans = cycles.of_months(zone, min(since for since, _ in windows) - MONTH, newest)
    there = {(start, end) for (_, start), end in kept.items()}
    if any(cycle.end <= newest and cycle not in there for cycle in _concerned(spans, windows)):
        keep_up(session, house.utility_id, usage_point_id, zone)


def _concerned(spans: Sequence[Cycle], windows: Windows) -> Iterator[Cycle]:
    """The cycles that may be complete now: those a window lies in, and the one before it; without windows all."""
    if not windows:
        yield from spans
    for since, until in windows:
        yield from (one for one in spans if one.start < until and since < one.end)
        yield from [one for one in spans if one.end <= since][-1:]


def keep_up(session: Session, utility_id: uuid.UUID, usage_point_id: uuid.UUID, zone: ZoneInfo) -> None:
    """Make the cells of every cycle that its readings fill and that has none, in every cut the tariffs need.

    Cells of what is no billing cycle any more are dropped: months before the first bill came, a period billed anew.
    """
    meter = Meter.of(session, usage_point_id)
    if meter is None:
        return
    spans = cycles.of_bills(session, usage_point_id, zone) or cycles.of_months(zone, meter.first, meter.last)
    kept = store.kept(session, usage_point_id)
    for start, end in {(start, end) for (_, start), end in kept.items()} - set(spans):
        store.forget(session, usage_point_id, start, end)
        kept = {key: ends_at for key, ends_at in kept.items() if (key[1], ends_at) != (start, end)}
    for cut in cuts(session, utility_id):
        calendars = [cycles.calendar(zone, (one,), cut.holidays) for one in spans]
        lacking = [one for one in calendars if (cut.layout.key(one, 0), one.cycles[0].start) not in kept]
        _fill(session, meter, lacking, cut.layout)


def _fill(session: Session, meter: Meter, calendars: Sequence[Calendar], layout: Layout) -> None:
    wanted = [one for one in calendars if one.cycles[0].end <= meter.last and meter.first < one.cycles[0].end]
    if not wanted:
        return
    readings = meter.readings(session, wanted[0].cycles[0].start, wanted[-1].cycles[0].end)
    for calendar in wanted:
        usage = meter.usage(readings, *calendar.cycles[0], calendar.zone)
        if usage is not None:
            store.add_readings(session, meter.usage_point_id, usage, calendar, layout)


def cuts(session: Session, utility_id: uuid.UUID) -> list[Cut]:
    """The cuts the utility's tariffs need: one for each holiday calendar they name, one without if none does.

    A tariff without holidays can be priced from any of them, since it takes a holiday for the weekday it is. Where
    one nets exports hour by hour, each calendar is there once more with hours netted before they are summed.
    """
    needs = session.execute(_NEEDS, {"utility": utility_id}).all()
    named = {_hashable(sidecar["holidays"]) for sidecar, *_ in needs if sidecar.get("holidays")}
    slots = 96 if any(sidecar.get("edges") for sidecar, *_ in needs) else 24
    layouts = [Layout(slots)]
    if any(_nets_hourly(rule) for _, *rules in needs for rule in rules):
        layouts.append(Layout(slots, Metering.NET_BILLING_HOURLY))
    return [Cut(holidays, layout) for holidays in sorted(named, key=str) or [()] for layout in layouts]


def _nets_hourly(rule: str | None) -> bool:
    return DGRULES.get((rule or "").strip().lower()) is Metering.NET_BILLING_HOURLY


def _hashable(holidays: str | list[str]) -> Holidays:
    return holidays if isinstance(holidays, str) else tuple(holidays)
