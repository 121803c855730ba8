"""A household as its data show it: how many meters, readings and bills there are, and what a typical day looks like.

Read from the database the page is served from, so what is shown is what is there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from espi_server.access.models import Application, Authorization
from espi_server.accounts.models import Customer, Utility
from espi_server.demo.calendar import DAY, HOUR, Whole
from espi_server.demo.households import COMPANY, TIMEZONE, Household, every
from espi_server.demo.logins import PASSWORD
from espi_server.energy.models import IntervalBlock, Kind, Resource, UsagePoint
from espi_server.espi.codes import FlowDirectionKind
from espi_server.espi.readings import MISSING, Readings, joined, unpack

WINDOW = 28 * DAY
_HOURS = 24


class Share(NamedTuple):
    """What the sandbox company was granted at one utility: the subscription its feed stands under."""

    utility: str
    name: str
    customer: uuid.UUID
    subscription: uuid.UUID


@dataclass(frozen=True)
class Portrait:
    """A household on the start page. `day` is kilowatts by local hour at its first meter, below zero where it gives."""

    household: Household
    shares: tuple[Share, ...]
    usage_points: int
    readings: int
    bills: int
    day: tuple[float, ...]

    @property
    def password(self) -> str:
        """What they sign in with, beside their address."""
        return PASSWORD


def every_portrait(session: Session, utility: str | None = None) -> list[Portrait]:
    """The demo's households as far as this database has them, of one utility or of all; none where it is another's."""
    shares = _shares(session)
    counts = _counts(session)
    found = []
    for household in every():
        keys = [(code, household.reference(code)) for code in household.companies if utility in (None, code)]
        if keys and all(key in shares for key in keys):
            found.append(_portrait(session, household, tuple(shares[key] for key in keys), counts))
    return found


def _shares(session: Session) -> dict[tuple[str, str], Share]:
    """By utility and the utility's number of the customer."""
    query = (
        select(Utility.code, Utility.name, Customer.id, Authorization.id, Customer.reference)
        .join(Customer, Customer.utility_id == Utility.id)
        .join(Authorization, Authorization.customer_id == Customer.id)
        .join(Application, Application.id == Authorization.application_id)
        .where(Application.name == COMPANY, Authorization.ended_at.is_(None))
    )
    return {(row[0], row[4]): Share(*row[:4]) for row in session.execute(query)}


Counts = Mapping[uuid.UUID, int]


def _counts(session: Session) -> tuple[Counts, Counts, Counts]:
    """Usage points, readings and bills by customer."""
    of_customer = UsagePoint.customer_id
    points = select(of_customer, func.count()).group_by(of_customer)
    readings = select(of_customer, func.sum(IntervalBlock.count)).join(
        IntervalBlock, IntervalBlock.usage_point_id == UsagePoint.id
    )
    bills = select(of_customer, func.count()).join(Resource, Resource.usage_point_id == UsagePoint.id)
    bills = bills.where(Resource.kind == int(Kind.UsageSummary))
    queries: tuple[Any, ...] = (points, readings.group_by(of_customer), bills.group_by(of_customer))
    first, second, third = ({row[0]: int(row[1]) for row in session.execute(each)} for each in queries)
    return first, second, third


def _portrait(
    session: Session, household: Household, shares: tuple[Share, ...], counts: tuple[Counts, Counts, Counts]
) -> Portrait:
    points, readings, bills = (sum(each.get(share.customer, 0) for share in shares) for each in counts)
    service = household.at(shares[0].utility)[0]
    day = _typical_day(session, shares[0].customer, service.usage_point)
    return Portrait(household, shares, points, readings, bills, day)


def _typical_day(session: Session, customer: uuid.UUID, source_id: str) -> tuple[float, ...]:
    """Mean kilowatts by local hour over the last weeks of a meter; empty where it is read once a day."""
    series = _series(session, customer, source_id)
    if not series:
        return ()
    until = max(int(readings.end[-1]) for _, readings in series)
    energy, seconds = np.zeros(_HOURS), np.ones(_HOURS)
    for sign, readings in series:
        recent = readings[readings.start >= until - WINDOW]
        values, hours = recent.cells("value"), _local_hours(recent.start)
        energy += np.bincount(hours, np.where(values == MISSING, 0, values) * sign, _HOURS)
        seconds = np.maximum(seconds, np.bincount(hours, recent.duration, _HOURS))
    return tuple((energy / seconds * HOUR / 1000).round(3).tolist())


def _series(session: Session, customer: uuid.UUID, source_id: str) -> list[tuple[int, Readings]]:
    """The last two rows of readings of each of the meter's series, and whether they are taken (1) or given (-1)."""
    reading_type = aliased(Resource)
    query = (
        select(Resource.id, reading_type.content)
        .join(UsagePoint, UsagePoint.id == Resource.usage_point_id)
        .join(reading_type, reading_type.id == Resource.reference_id)
        .where(UsagePoint.customer_id == customer, UsagePoint.source_id == source_id)
        .where(Resource.kind == int(Kind.MeterReading), reading_type.kind == int(Kind.ReadingType))
    )
    signs = {
        id: -1 if content.get("flowDirection") == FlowDirectionKind.REVERSE else 1
        for id, content in session.execute(query)
        if content.get("intervalLength", DAY) < DAY
    }
    return [(sign, readings) for id, sign in signs.items() for readings in [_latest(session, id)]]


def _latest(session: Session, meter_reading: uuid.UUID) -> Readings:
    query = (
        select(IntervalBlock.encoding, IntervalBlock.packed, IntervalBlock.extra)
        .where(IntervalBlock.meter_reading_id == meter_reading)
        .order_by(IntervalBlock.starts_at.desc())
        .limit(2)
    )
    rows = [unpack(*row) for row in session.execute(query)]
    return joined(rows[::-1])


def _local_hours(starts: Whole) -> Whole:
    """The hour on the wall at each moment."""
    zone = ZoneInfo(TIMEZONE)
    hours, places = np.unique(starts // HOUR, return_inverse=True)
    return np.array([datetime.fromtimestamp(each * HOUR, zone).hour for each in hours.tolist()])[places]
