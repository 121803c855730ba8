"""Closing anew, under the present secret, what an older one closed: a few rows at a time, while everything goes on.

What is closed under the present secret already is left alone, so a run that was interrupted is finished by the next.
A row that somebody changes meanwhile is left to that somebody, who closes it under the present secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    LargeBinary,
    Table,
    Text,
    literal,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from espi_server.access import keys as signing
from espi_server.at_rest import Personal, Sealed, place
from espi_server.db import Database
from espi_server.keyring import CannotOpen, Keyring
from espi_server.models import metadata

AT_ONCE = 200  # rows read, and at most written, in one transaction

Tell = Callable[[str, int], None]


@dataclass
class Report:
    """How many fields and keys were closed anew, and how many rows no known secret opens; those stay as they were."""

    closed: int = 0
    failed: int = 0


def reencrypt(database: Database, tell: Tell = lambda table, rows: None) -> Report:
    """Close everything anew that an older secret closed. `tell` hears each table and how many of its rows were read."""
    report = Report()
    for table in metadata.sorted_tables:
        if _closed_columns(table):
            _Round(database, table, report).run(tell)
    with database.writing() as session:
        report.closed += signing.rewrap(session)
    return report


def _closed_columns(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if isinstance(column.type, Personal | Sealed)]


class _Round:
    """One table, in the order of its primary key."""

    def __init__(self, database: Database, table: Table, report: Report) -> None:
        self._database = database
        self._keys = database.keyring
        self._report = report
        self._table = table
        self._columns = _closed_columns(table)
        self._primary = list(table.primary_key)

    def run(self, tell: Tell) -> None:
        """All of it."""
        after: Any = true()
        seen = 0
        while True:
            with self._database.writing() as session:
                rows = self._read(session, after)
                for row in rows:
                    self._renew(session, row)
            seen += len(rows)
            tell(self._table.name, seen)
            if len(rows) < AT_ONCE:
                return
            last = [literal(rows[-1][column.name], column.type) for column in self._primary]
            after = tuple_(*self._primary) > tuple_(*last)

    def _read(self, session: Session, after: Any) -> list[Any]:
        """The next rows, closed columns as they stand in the database."""
        closed = {column.name: _raw(column).label(column.name) for column in self._columns}
        chosen = select(*(closed.get(column.name, column) for column in self._named()))
        some = or_(*(column.is_not(None) for column in self._columns))
        query = chosen.where(some, after).order_by(*self._primary).limit(AT_ONCE)
        return list(session.execute(query).mappings())

    def _named(self) -> Iterator[Column[Any]]:
        """The columns needed: the key, those that tell a record's row, and the closed ones."""
        wanted = {name for column in self._columns for name in getattr(column.type, "row", ())}
        for column in self._table.columns:
            if column.primary_key or column.name in wanted or column in self._columns:
                yield column

    def _renew(self, session: Session, row: Any) -> None:
        old = {column: row[column.name] for column in self._columns if row[column.name] is not None}
        stale = {column: value for column, value in old.items() if not self._keys.is_current(value)}
        try:
            fresh = {column.name: _fresh(self._keys, column, row, value) for column, value in stale.items()}
        except CannotOpen:
            self._report.failed += 1
            return
        if fresh:
            same = [column == row[column.name] for column in self._primary]
            same += [_raw(column) == value for column, value in stale.items()]
            done: Any = session.execute(update(self._table).where(*same).values(fresh))
            self._report.closed += len(fresh) * done.rowcount


def _raw(column: Column[Any]) -> Any:
    """The column as what is written there."""
    return type_coerce(column, Text() if isinstance(column.type, Personal) else LargeBinary())


def _fresh(keys: Keyring, column: Column[Any], row: Any, value: Any) -> Any:
    if isinstance(column.type, Personal):
        clear = keys.uncover(value, column.type.place)
        return literal(keys.cover(clear, column.type.place), Text())
    where = place(column, row)
    return keys.seal(keys.open(value, where), where)
