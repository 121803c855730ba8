"""Meters to measure with: 396 days of quarter-hours in houses that sleep, cook and charge, taken in by the importer.

Each reading has its time and its value, as most utilities send them; thirteen bills come with every meter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select

from espi_server import migrate
from espi_server.access import grants
from espi_server.accounts import utilities
from espi_server.db import Database
from espi_server.demo import households, usage_feed
from espi_server.demo.metering import Metered, Series, read_out
from espi_server.energy.importer import import_files
from espi_server.energy.models import UsagePoint
from espi_server.espi.readings import Readings

DAYS, LAST = 396, date(2026, 1, 31)
READINGS = 38_016  # of one meter
UTILITY = "bench"
LIVES = ("home", "home with a car", "flat", "large home", "cabin", "home with sun", "bakery")
USAGE = "FB=4_5"


@dataclass(frozen=True)
class Opened:
    """A token, and the path of what its authorization opens."""

    token: str
    path: str


def meters(count: int) -> Iterator[Metered]:
    """What so many meters have counted, each in a house of its own; always the same."""
    [service] = households.named("single").services
    for number, shape in enumerate(islice(cycle(LIVES), count)):
        here = replace(service, usage_point=f"{number:04}", meter=f"M{number:04}", shape=shape)
        yield plain(read_out(here, LAST, DAYS))


def plain(metered: Metered) -> Metered:
    """The same with nothing but times and values in its readings."""
    return replace(metered, series=tuple(map(_plain, metered.series)))


def _plain(series: Series) -> Series:
    readings = series.readings
    return replace(series, readings=Readings.of(readings.start, readings.duration, value=readings.value))


def filled(url: str, count: int) -> Database:
    """A migrated database that has taken in the files of so many meters."""
    migrate.upgrade(url)
    database = Database(url)
    with database.writing() as session:
        utilities.add(session, UTILITY, name="Bench", timezone=households.TIMEZONE)
    with TemporaryDirectory() as folder:
        report = import_files(database, UTILITY, _files(Path(folder), count), actor="the bench")
    if report.errors or report.readings != count * READINGS:
        raise SystemExit(f"The import took {report.readings} readings: {report.errors[:1]}")
    return database


def _files(folder: Path, count: int) -> list[Path]:
    for metered in meters(count):
        path = folder / f"{metered.service.usage_point}.xml"
        path.write_bytes(usage_feed.write(households.ALDER, [metered]))
    return sorted(folder.glob("*.xml"))


def authorize(database: Database, cut: str, *, scope: str = USAGE, count: int = 1) -> Opened:
    """An application that may read the first meters in `daily` or `monthly` blocks."""
    installation = "http://localhost"
    with database.writing() as session:
        utility = utilities.find(session, UTILITY)
        ids = session.scalars(select(UsagePoint.id).order_by(UsagePoint.source_id).limit(count)).all()
        granted = grants.authorize(
            session,
            utility,
            grants.of_usage_points(session, utility, ids),
            application=f"{cut} {scope} {count}",
            scope=f"{scope};BlockDuration={cut}",
            by="the bench",
        )
        answer = grants.token_answer(session, utility, granted, installation=installation, by="the bench")
    return Opened(answer["access_token"], answer["resourceURI"].removeprefix(installation))
