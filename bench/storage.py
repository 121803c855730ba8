"""What readings take in the store, against one row per reading: `python -m bench.storage [--json FILE]`.

Twenty meters, 396 days of quarter-hours each, taken in by the importer. Ours is everything a block row holds and
its indexes: the readings packed, and their XML compressed beside them. The other table holds what a reading is here
(start, duration, value, and room for a cost and a quality, which are empty) under a number for the meter, with one
index over meter and start; on SQLite the rows stand in that very index. `bare` leaves all but start and value out.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import select

from bench import meters
from bench.report import Gate, Report
from bench.serving import databases
from espi_server.db import Database, loaded
from espi_server.energy.models import IntervalBlock
from espi_server.espi.readings import unpack

METERS = 20
GATES = {"SQLite": 0.45, "PostgreSQL": 0.15}
_KEY = "PRIMARY KEY (meter, start)"
_TABLES = {
    "a row per reading": "(meter integer, start bigint, duration integer, value integer, cost integer, "
    f"quality smallint, {_KEY})",
    "a bare row per reading": f"(meter integer, start bigint, value integer, {_KEY})",
}

Row = tuple[int | None, ...]


def rows(database: Database, bare: bool) -> Iterator[Row]:
    """Every reading as a row, in the order of the key."""
    numbers: dict[Any, int] = {}
    columns = (
        IntervalBlock.usage_point_id,
        IntervalBlock.encoding,
        IntervalBlock.packed,
        IntervalBlock.extra,
    )
    with database.reading() as session:
        for point, encoding, packed, extra in session.execute(
            select(*columns).order_by(IntervalBlock.usage_point_id, IntervalBlock.starts_at)
        ):
            readings = unpack(encoding, packed, loaded(extra))
            meter = numbers.setdefault(point, len(numbers) + 1)
            cells = (readings.cells(name).tolist() for name in ("start", "duration", "value"))
            for start, duration, value in zip(*cells, strict=True):
                yield (meter, start, value) if bare else (meter, start, duration, value, None, None)


def on_sqlite(url: str, database: Database) -> dict[str, int]:
    """Bytes of each table, in files without a free page."""
    path = Path(url.removeprefix("sqlite:///"))
    sizes = {name: _rows_on_sqlite(path.with_name("rows.sqlite"), name, database) for name in _TABLES}
    database.close()
    with sqlite3.connect(path, isolation_level=None) as connection:
        whole = _vacuumed(connection)
        connection.execute("DELETE FROM interval_block")
        return {"block rows": whole - _vacuumed(connection), **sizes}


def _rows_on_sqlite(path: Path, name: str, database: Database) -> int:
    path.unlink(missing_ok=True)
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute(f"CREATE TABLE reading {_TABLES[name]} WITHOUT ROWID")
        connection.execute("BEGIN")
        for row in rows(database, "bare" in name):
            connection.execute(f"INSERT INTO reading VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("COMMIT")
        return _vacuumed(connection)


def _vacuumed(connection: sqlite3.Connection) -> int:
    connection.execute("VACUUM")
    [[pages]], [[size]] = (
        connection.execute(f"PRAGMA {name}").fetchall() for name in ("page_count", "page_size")
    )
    return int(pages) * int(size)


def on_postgresql(url: str, database: Database) -> dict[str, int]:
    """Bytes of each table with its indexes and what lies beside it (TOAST)."""
    with psycopg.connect(url, autocommit=True) as connection:
        sizes = {name: _rows_on_postgresql(connection, name, database) for name in _TABLES}
        return {"block rows": _total(connection, "interval_block"), **sizes}


def _rows_on_postgresql(connection: psycopg.Connection[Any], name: str, database: Database) -> int:
    connection.execute("DROP TABLE IF EXISTS reading")
    connection.execute(f"CREATE TABLE reading {_TABLES[name]}")
    with connection.cursor().copy("COPY reading FROM STDIN") as copy:
        for row in rows(database, "bare" in name):
            copy.write_row(row)
    connection.execute("VACUUM")
    return _total(connection, "reading")


def _total(connection: psycopg.Connection[Any], table: str) -> int:
    found = connection.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchone()
    return int(found[0]) if found else 0


SIZES: dict[str, Callable[[str, Database], dict[str, int]]] = {
    "SQLite": on_sqlite,
    "PostgreSQL": on_postgresql,
}


def main() -> int:
    """Prints the table; exit code 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    chosen = parser.parse_args()
    report = Report("storage", unit="bytes a reading")
    with databases(list(SIZES)) as urls:
        for name, url in urls.items():
            database = meters.filled(url, METERS)
            sizes = SIZES[name](url, database)
            database.close()
            report.add(
                name,
                {table: size / (METERS * meters.READINGS) for table, size in sizes.items()},
                {f"block rows / {table}": sizes["block rows"] / sizes[table] for table in _TABLES},
                [Gate("block rows / a row per reading", GATES[name], is_ceiling=True)],
            )
    return report.finish(chosen.json)


if __name__ == "__main__":
    sys.exit(main())
