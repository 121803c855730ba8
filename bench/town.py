"""A town of meters to grow: one is taken in by the real importer, the others are its rows under ids of their own.

Each home has a month of quarter-hours (2,976 readings), a customer of its own and an authorization for the same
company, and all of them stand in one bulk feed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert, select

from bench import meters
from espi_server import clock, migrate
from espi_server.access import grants, tokens
from espi_server.access.applications import find_or_create
from espi_server.access.models import Authorization, AuthorizationUsagePoint
from espi_server.accounts import utilities
from espi_server.accounts.models import Customer
from espi_server.db import NIL, Database
from espi_server.demo import households, usage_feed
from espi_server.demo.metering import read_out
from espi_server.energy.importer import import_files
from espi_server.energy.models import IntervalBlock, Resource, UsagePoint

UTILITY, COMPANY = "town", "Sun"
DAYS, LAST = 31, date(2026, 1, 31)
SCOPE = "FB=4_5_15;BlockDuration=monthly"
AT_ONCE = 500  # homes built by one transaction


@dataclass(frozen=True)
class Town:
    """A database with one home in it, from which the others are built."""

    database: Database
    rows: dict[Any, list[dict[str, Any]]]
    authorization: dict[str, Any]


def founded(url: str) -> Town:
    """A migrated database with the first home."""
    migrate.upgrade(url)
    database = Database(url)
    [service] = households.named("single").services
    with database.writing() as session:
        utilities.add(session, UTILITY, name="Town", timezone=households.TIMEZONE)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "first.xml"
        file.write_bytes(usage_feed.write(households.ALDER, [meters.plain(read_out(service, LAST, DAYS))]))
        report = import_files(database, UTILITY, [file], actor="the bench")
    if report.errors:
        raise SystemExit(f"The first home did not come in: {report.errors[:1]}")
    return Town(database, _rows(database), _authorization(database))


def _rows(database: Database) -> dict[Any, list[dict[str, Any]]]:
    with database.reading() as session:
        return {
            table: [dict(row) for row in session.execute(select(table.__table__)).mappings()
                    if row.get("usage_point_id") != NIL]
            for table in (UsagePoint, Resource, IntervalBlock)
        }  # fmt: skip


def _authorization(database: Database) -> dict[str, Any]:
    """What the first home's authorization looks like; it is ended at once, so that each bulk feed has just its own."""
    with database.writing() as session:
        utility = utilities.find(session, UTILITY)
        every = grants.of_utility(session, utility)
        first = grants.authorize(
            session, utility, every, application=COMPANY, scope=f"{SCOPE};BR=0", by="the bench"
        )
        session.flush()
        table = Authorization.__table__
        row = dict(session.execute(select(table).where(table.c.id == first.id)).mappings().one())
        grants.end(session, first, "the bench builds others")
    return row


def grow(town: Town, homes: int, bulk: str) -> str:
    """So many more homes, all in the bulk feed of this name; the token that may read it."""
    for first in range(0, homes, AT_ONCE):
        _build(town, min(AT_ONCE, homes - first), bulk)
    with town.database.writing() as session:
        utility = utilities.find(session, UTILITY)
        application = find_or_create(session, utility, COMPANY, by="the bench")
        return tokens.issue(session, "client", utility.id, application=application, issued_by="the bench")


def path(bulk: str) -> str:
    """The address of a bulk feed."""
    return f"/{UTILITY}/espi/1_1/resource/Batch/Bulk/{bulk}"


def _build(town: Town, homes: int, bulk: str) -> None:
    built: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (Customer, UsagePoint, Resource, IntervalBlock, Authorization, AuthorizationUsagePoint)
    }  # fmt: skip
    for _ in range(homes):
        for table, row in _home(town, bulk):
            built[table].append(row)
    with town.database.writing() as session:
        for table, rows in built.items():
            session.execute(insert(table.__table__), rows)


def _home(town: Town, bulk: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    customer, consent = uuid.uuid4(), uuid.uuid4()
    utility = town.authorization["utility_id"]
    yield Customer, {
        "id": customer, "utility_id": utility, "reference": customer.hex, "version": 0,
        "created_at": clock.seconds(),
    }  # fmt: skip
    [point] = town.rows[UsagePoint]
    renamed = {each["id"]: uuid.uuid4() for each in (point, *town.rows[Resource])}
    renamed |= {
        each["meter_reading_id"]: renamed[each["meter_reading_id"]] for each in town.rows[IntervalBlock]
    }
    for table, rows in town.rows.items():
        for row in rows:
            yield table, _renamed(row, renamed) | ({"source_id": customer.hex, "customer_id": customer}
                                                   if table is UsagePoint else {})  # fmt: skip
    scope = f"{SCOPE};BR={bulk}"
    yield Authorization, town.authorization | {
        "id": consent, "customer_id": customer, "scope": scope, "bulk_id": bulk, "ended_at": None,
        "ended_reason": None,
    }  # fmt: skip
    yield AuthorizationUsagePoint, {"authorization_id": consent, "usage_point_id": renamed[point["id"]]}


def _renamed(row: dict[str, Any], renamed: dict[uuid.UUID, uuid.UUID]) -> dict[str, Any]:
    """The row under its own ids, wherever they stand: utility-wide resources keep theirs."""
    found = {
        name: renamed.get(value, value) if isinstance(value, uuid.UUID) else value
        for name, value in row.items()
    }
    if "related" in found:
        text = json.dumps(found["related"])
        for old, new in renamed.items():
            text = text.replace(str(old), str(new))
        found["related"] = json.loads(text)
    # None for a JSON column would be JSON's null; left out, it is the database's.
    return {
        name: value for name, value in found.items() if value is not None or name not in ("extra", "aside")
    }
