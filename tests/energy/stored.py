"""Looking at what an import left in the store, without the store's own code."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import delete, select

from espi_server.accounts import utilities
from espi_server.accounts.models import (
    Account,
    AgreementRate,
    AgreementRin,
    Customer,
    Premise,
    ServiceAgreement,
    ServiceLocation,
    Utility,
)
from espi_server.db import Database
from espi_server.energy import personal
from espi_server.energy.importer import import_files
from espi_server.energy.models import (
    Change,
    GridAsset,
    ImportRun,
    IntervalBlock,
    IntervalCorrection,
    Kind,
    Resource,
    UsagePoint,
    UsagePointLink,
)
from espi_server.energy.report import Report
from espi_server.espi import customer
from espi_server.espi.readings import MISSING, Readings, joined, unpack
from espi_server.espi.readings.columns import NAMES

_RESTLESS = {"id", "import_run_id", "run"}


def utility(database: Database, code: str = "north", **more: Any) -> Utility:
    """A utility in Pacific time, or as told."""
    given = {"name": code.title(), "timezone": "America/Los_Angeles", **more}
    namespace = given.pop("namespace", uuid.UUID("7d1f4a60-11aa-4b1c-9d6e-6f3c1b1d0e55"))
    with database.writing() as session:
        added = utilities.add(session, code, **given)
        added.namespace = namespace
    return added


def take(database: Database, *paths: Any, code: str = "north", **more: Any) -> Report:
    """Import files; whoever expects an error looks at the report."""
    return import_files(database, code, paths, actor="a test", **more)


def every(database: Database, table: Any) -> list[dict[str, Any]]:
    """All rows of a table as dicts, in order of their keys."""
    with database.reading() as session:
        keys = list(table.__table__.primary_key)
        rows = session.execute(select(table.__table__).order_by(*keys))
        return [_opened(database, dict(row._mapping)) for row in rows]


def _opened(database: Database, row: dict[str, Any]) -> dict[str, Any]:
    """A customer's resource with its content in clear; sealed twice it is never the same."""
    if row.get("sealed") is None:
        return row
    assert (row["content"], row["xml"]) == ({}, b"")
    content = personal.content(database.keyring, row)
    xml = getattr(customer, Kind(row["kind"]).name).from_json(content).write()
    return {**row, "sealed": None, "content": content, "xml": xml}


def resources(database: Database, kind: Kind | None = None) -> list[dict[str, Any]]:
    """The resources of a kind, or all."""
    return [row for row in every(database, Resource) if kind is None or row["kind"] == kind]


def readings(database: Database, meter_reading_id: uuid.UUID | None = None) -> Readings:
    """The stored readings of a meter reading (or of the only one)."""
    rows = every(database, IntervalBlock)
    ids = {row["meter_reading_id"] for row in rows}
    wanted = meter_reading_id or next(iter(ids))
    return joined(
        [
            unpack(row["encoding"], row["packed"], row["extra"])
            for row in rows
            if row["meter_reading_id"] == wanted
        ]
    )


def cells(found: Readings) -> list[tuple[int, ...]]:
    """Readings as rows of numbers: start, duration, value, cost …"""
    return list(zip(*(found.cells(name).tolist() for name in NAMES), strict=True))


def state(database: Database) -> dict[str, Any]:
    """Everything an import writes, but for random ids and the log of changes."""
    tables = (
        UsagePoint, Resource, IntervalBlock, Customer, Account, ServiceAgreement, ServiceLocation, UsagePointLink,
        AgreementRate, AgreementRin, Premise, GridAsset,
    )  # fmt: skip
    found: dict[str, Any] = {table.__tablename__: every(database, table) for table in tables}
    found["corrections"] = [
        {name: value for name, value in row.items() if name not in _RESTLESS}
        for row in every(database, IntervalCorrection)
    ]
    return found


def wipe(database: Database) -> None:
    """Forget all imports; the utilities stay."""
    doomed = (
        Change, ImportRun, IntervalCorrection, IntervalBlock, UsagePointLink, Resource, UsagePoint,
        AgreementRate, AgreementRin, ServiceAgreement, Account, ServiceLocation, Customer, Premise, GridAsset,
    )  # fmt: skip
    with database.writing() as session:
        for table in doomed:
            session.execute(delete(table))


__all__ = ["MISSING", "cells", "every", "readings", "resources", "state", "take", "utility", "uuid", "wipe"]
