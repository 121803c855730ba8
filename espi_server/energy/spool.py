"""The temporary file between the two passes: every entry in its stored form, with its links, in any order.

It is an SQLite database without a name: SQLite deletes the file as it opens it, so nothing is left behind, however
the process ends. It grows to about a quarter of the XML; `TMPDIR` says where it lies.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from espi_server.energy.models import Kind
from espi_server.energy.records import Record
from espi_server.espi.readings import Readings

_SCHEMA = """
CREATE TABLE file (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, file INTEGER, line INTEGER, kind INTEGER, source_self TEXT, self TEXT, up TEXT,
    related TEXT, atom_id TEXT, published INTEGER, content TEXT, aside TEXT, unit TEXT, id TEXT, reference TEXT
);
CREATE TABLE link (href TEXT, kind INTEGER, file INTEGER, entry INTEGER);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, file INTEGER, line INTEGER, up TEXT, self TEXT, before INTEGER,
    unit TEXT DEFAULT '', entry INTEGER
);
CREATE TABLE block (
    seq INTEGER PRIMARY KEY, series INTEGER, line INTEGER, published INTEGER, readings BLOB, extra TEXT, raw BLOB
);
CREATE INDEX series_up ON series (up, file);
CREATE TABLE row (seq INTEGER PRIMARY KEY, file INTEGER, line INTEGER, unit TEXT, cells TEXT);
"""
_INDEXES = """
CREATE INDEX link_href ON link (href, kind);
CREATE INDEX entry_self ON entry (self, kind);
CREATE INDEX entry_unit ON entry (unit, kind, seq);
CREATE INDEX entry_id ON entry (id);
CREATE INDEX entry_kind ON entry (kind, file, seq);
CREATE INDEX series_unit ON series (unit);
CREATE INDEX block_series ON block (series, seq);
CREATE INDEX row_unit ON row (unit, seq);
"""
_BATCH = 2_000  # rows gathered before they are written
_SERIES_REMEMBERED = 20_000
_COLUMNS = ("value", "cost", "quality", "tou", "tier", "cpp")


@dataclass(slots=True)
class Spooled(Record):
    """A record as it lies in the spool. `unit` is the usage point or customer it belongs to, `id` its own id."""

    seq: int = 0
    unit: str = ""
    id: str = ""
    reference: str = ""


class Series(NamedTuple):
    """Blocks of one meter reading in one file: those that share an `up` link."""

    id: int
    file: int
    line: int | None
    up: str
    self: str
    before: int | None
    unit: str
    entry: int | None


class Chunk(NamedTuple):
    """One IntervalBlock: its readings, or (where they need the ReadingType to be understood) its XML."""

    series: int
    line: int | None
    published: int | None
    readings: Readings | None
    raw: bytes | None


class Spool:
    """Filled by pass one, asked by pass two; closed, it is gone."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-16000", "locking_mode=EXCLUSIVE"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._seq = 0
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}
        self._series: dict[tuple[int, str, int | None], int] = {}
        self._db.execute("BEGIN")

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    # Pass one

    def add_file(self, name: str) -> int:
        """The number of a file from now on."""
        return int(self._db.execute("INSERT INTO file (name) VALUES (?)", (name,)).lastrowid or 0)

    def add(self, record: Record, *, unit: str = "", id: str = "", reference: str = "") -> int:
        """Keep a record; its sequence number."""
        self._seq += 1
        self._later(
            "entry", self._seq, record.file, record.line, int(record.kind), record.source_self, record.self,
            record.up, json.dumps(record.related), record.atom_id, record.published, json.dumps(record.content),
            None if record.aside is None else json.dumps(record.aside), unit, id, reference,
        )  # fmt: skip
        for href in record.related:
            self._later("link", href, int(record.kind), record.file, self._seq)
        return self._seq

    def add_block(
        self,
        record: Record,
        readings: Readings | None,
        raw: bytes | None = None,
        *,
        before: int | None = None,
    ) -> None:
        """Keep a block under its `up` link; `before` is the MeterReading that stands before it in its file."""
        self.add_chunk(self._series_of(record, before), record.line, record.published, readings, raw)

    def add_chunk(
        self,
        series: int,
        line: int | None,
        published: int | None,
        readings: Readings | None,
        raw: bytes | None = None,
    ) -> None:
        """Keep readings of a series."""
        self._seq += 1
        packed, extra = (None, None) if readings is None else _packed(readings)
        self._later("block", self._seq, series, line, published, packed, extra, raw)

    def add_series(self, file: int, line: int | None, unit: str, entry: int) -> int:
        """A series whose place is known already, as in a table."""
        values = (file, line, unit, entry)
        query = "INSERT INTO series (file, line, up, self, unit, entry) VALUES (?, ?, '', '', ?, ?)"
        return int(self._db.execute(query, values).lastrowid or 0)

    def add_row(self, file: int, line: int, unit: str, cells: dict[str, Any]) -> None:
        """Keep a row of a table."""
        self._seq += 1
        self._later("row", self._seq, file, line, unit, json.dumps(cells))

    def forget(self, file: int) -> None:
        """Drop all that came from a file; what is broken at its end cannot be trusted before it."""
        self._flush()
        self._db.execute("DELETE FROM block WHERE series IN (SELECT id FROM series WHERE file = ?)", (file,))
        for table in ("link", "entry", "series", "row"):
            self._db.execute(f"DELETE FROM {table} WHERE file = ?", (file,))
        self._series = {key: id for key, id in self._series.items() if key[0] != file}

    def finish(self) -> None:
        """Everything is in: write what waits and build the indexes."""
        self._flush()
        for statement in _INDEXES.strip().split(";\n"):
            self._db.execute(statement)

    def _series_of(self, record: Record, before: int | None) -> int:
        # Without a link the place in the file is all that joins a block to its meter reading.
        key = (record.file, record.up, None if record.up else before)
        if key not in self._series:
            if len(self._series) >= _SERIES_REMEMBERED:
                self._series.clear()
            self._series[key] = self._found_series(*key) or self._new_series(record, before)
        return self._series[key]

    def _found_series(self, file: int, up: str, before: int | None) -> int | None:
        query = (
            "SELECT id FROM series WHERE up = ? AND file = ? AND (up <> '' OR before IS ?) AND entry IS NULL"
        )
        found = self._db.execute(query, (up, file, before)).fetchone()
        return found and int(found[0])

    def _new_series(self, record: Record, before: int | None) -> int:
        query = "INSERT INTO series (file, line, up, self, before) VALUES (?, ?, ?, ?, ?)"
        values = (record.file, record.line, record.up, record.self, before)
        return int(self._db.execute(query, values).lastrowid or 0)

    def _later(self, table: str, *values: Any) -> None:
        waiting = self._waiting.setdefault(table, [])
        waiting.append(values)
        if len(waiting) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        for table, rows in self._waiting.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        self._waiting = {}

    # Between the passes

    def of_kind(self, *kinds: Kind) -> Iterator[Spooled]:
        """All entries of some kinds, in the order they came."""
        marks = ", ".join("?" * len(kinds))
        return self._entries(f"WHERE kind IN ({marks}) ORDER BY seq", *map(int, kinds))

    def entry(self, seq: int) -> Spooled:
        """One entry."""
        return next(self._entries("WHERE seq = ?", seq))

    def relating_to(self, hrefs: Iterable[str], kind: Kind, file: int) -> Spooled | None:
        """The entry of a kind with one of these among its related links; the same file first."""
        for href in hrefs:
            if not href:
                continue
            found = self._db.execute(
                "SELECT entry FROM link WHERE href = ? AND kind = ? ORDER BY file = ? DESC, entry LIMIT 1",
                (href, int(kind), file),
            ).fetchone()
            if found:
                return self.entry(found[0])
        return None

    def at(self, href: str, kind: Kind, file: int) -> list[Spooled]:
        """The entries of a kind whose self link this is: those of the same file, else those of the others."""
        if not href:
            return []
        found = list(self._entries("WHERE self = ? AND kind = ? ORDER BY seq", href, int(kind)))
        return [entry for entry in found if entry.file == file] or found

    def before(self, seq: int, kind: Kind, file: int) -> Spooled | None:
        """The last entry of a kind before this one in its file."""
        where = "WHERE kind = ? AND file = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
        return next(self._entries(where, int(kind), file, seq), None)

    def only(self, kind: Kind, file: int) -> Spooled | None:
        """The one entry of a kind in a file, where there is just one (or all are the same resource)."""
        found = list(self._entries("WHERE kind = ? AND file = ? GROUP BY id LIMIT 2", int(kind), file))
        return found[0] if len(found) == 1 else None

    def assign(self, seq: int, **known: str) -> None:
        """What is known of an entry by now: its `unit`, its `id`, the `reference` to another resource."""
        for column, value in known.items():
            self._db.execute(f"UPDATE entry SET {column} = ? WHERE seq = ?", (value, seq))

    def relaters(self, href: str, kind: Kind, file: int) -> list[Spooled]:
        """The entries of a kind in a file that relate to this link, each self link once, in order."""
        query = "SELECT entry FROM link WHERE href = ? AND kind = ? AND file = ? ORDER BY entry"
        found = [self.entry(seq) for (seq,) in self._db.execute(query, (href, int(kind), file)).fetchall()]
        return list({entry.self: entry for entry in reversed(found)}.values())[::-1]

    def has_unit(self, unit: str, kind: Kind) -> bool:
        """Is there an entry of this kind that belongs to the unit?"""
        query = "SELECT 1 FROM entry WHERE unit = ? AND kind = ? LIMIT 1"
        return self._db.execute(query, (unit, int(kind))).fetchone() is not None

    def key_of(self, unit: str) -> str:
        """What the source calls a usage point: its entry's key, else what the paths of its other entries say."""
        for entry in self.of_unit(unit):
            if entry.kind == Kind.UsagePoint:
                return entry.id
        for record in (*self.of_unit(unit), *map(_shell, self.series_of(unit))):
            if record.named("UsagePoint"):
                return record.named("UsagePoint")
        return unit.partition(":")[2]

    def with_id(self, id: str) -> Spooled | None:
        """Some entry with this id."""
        return next(self._entries("WHERE id = ? LIMIT 1", id), None)

    def file_name(self, file: int) -> str:
        """What a file is called."""
        return str(self._db.execute("SELECT name FROM file WHERE id = ?", (file,)).fetchone()[0])

    def series(self) -> list[Series]:
        """Every series, in the order they came."""
        columns = ", ".join(Series._fields)
        return [Series(*row) for row in self._db.execute(f"SELECT {columns} FROM series ORDER BY id")]

    def assign_series(self, id: int, *, unit: str, entry: int | None) -> None:
        """Whose blocks these are: the usage point, and the MeterReading entry where there is one."""
        self._db.execute("UPDATE series SET unit = ?, entry = ? WHERE id = ?", (unit, entry, id))

    def place(self, up: str) -> None:
        """Let everything without any link stand below this path."""
        for table in ("entry", "series"):
            self._db.execute(f"UPDATE {table} SET up = ? WHERE up = '' AND self = ''", (up,))

    def drop(self, kind: Kind) -> list[Spooled]:
        """Let go of all entries of a kind; those that were there."""
        gone = list(self.of_kind(kind))
        self._db.execute("DELETE FROM link WHERE kind = ?", (int(kind),))
        self._db.execute("DELETE FROM entry WHERE kind = ?", (int(kind),))
        return gone

    def drop_series(self, unit: str | None = None) -> list[Chunk]:
        """Let go of all blocks, or of those of a unit; those that were there, without their readings."""
        where, values = ("", ()) if unit is None else (" WHERE unit = ?", (unit,))
        those = f"series IN (SELECT id FROM series{where})"
        query = f"SELECT series, line FROM block WHERE {those} ORDER BY seq"
        gone = [Chunk(row[0], row[1], None, None, None) for row in self._db.execute(query, values)]
        self._db.execute(f"DELETE FROM block WHERE {those}", values)
        self._db.execute(f"DELETE FROM series{where}", values)
        return gone

    def drop_unit(self, unit: str) -> None:
        """Let go of the entries of a unit."""
        for table in ("entry", "row"):
            self._db.execute(f"DELETE FROM {table} WHERE unit = ?", (unit,))

    # Pass two

    def units(self) -> list[str]:
        """Every usage point and customer with something to store, in one fixed order."""
        query = (
            "SELECT DISTINCT unit FROM entry WHERE unit <> '' UNION SELECT DISTINCT unit FROM series "
            "WHERE unit <> '' UNION SELECT DISTINCT unit FROM row WHERE unit <> '' ORDER BY 1"
        )
        return [unit for (unit,) in self._db.execute(query)]

    def of_unit(self, unit: str) -> list[Spooled]:
        """The entries of a unit, in the order they came."""
        return list(self._entries("WHERE unit = ? ORDER BY seq", unit))

    def series_of(self, unit: str) -> list[Series]:
        """The series of a unit."""
        columns = ", ".join(Series._fields)
        query = f"SELECT {columns} FROM series WHERE unit = ? ORDER BY id"
        return [Series(*row) for row in self._db.execute(query, (unit,))]

    def chunks(self, series: Iterable[int]) -> Iterator[Chunk]:
        """The blocks of some series, in the order they came."""
        marks = ", ".join(str(int(each)) for each in series)
        query = (
            "SELECT series, line, published, readings, extra, raw FROM block "
            f"WHERE series IN ({marks}) ORDER BY seq"
        )
        for row in self._db.execute(query):
            readings = None if row[3] is None else _unpacked(row[3], row[4])
            yield Chunk(row[0], row[1], row[2], readings, row[5])

    def rows_of(self, unit: str) -> list[tuple[int, int, dict[str, Any]]]:
        """The table rows of a unit: file, line, cells."""
        query = "SELECT file, line, cells FROM row WHERE unit = ? ORDER BY seq"
        return [(row[0], row[1], json.loads(row[2])) for row in self._db.execute(query, (unit,))]

    def customer_of(self, unit: str) -> str:
        """The reference that the table rows of a customer give."""
        query = "SELECT cells FROM row WHERE unit = ? LIMIT 1"
        return str(json.loads(self._db.execute(query, (unit,)).fetchone()[0])["customer"])

    def _entries(self, where: str, *values: Any) -> Iterator[Spooled]:
        for row in self._db.execute(f"SELECT * FROM entry {where}", values):
            yield Spooled(
                file=row["file"], line=row["line"], kind=Kind(row["kind"]), source_self=row["source_self"],
                self=row["self"], up=row["up"], related=json.loads(row["related"]), atom_id=row["atom_id"],
                published=row["published"], content=json.loads(row["content"]),
                aside=None if row["aside"] is None else json.loads(row["aside"]),
                seq=row["seq"], unit=row["unit"], id=row["id"], reference=row["reference"],
            )  # fmt: skip


def _packed(readings: Readings) -> tuple[bytes, str | None]:
    """Columns as they are: the spool is read once, so compressing it would cost more than it saves."""
    present = [name for name in _COLUMNS if getattr(readings, name) is not None]
    mask = sum(1 << _COLUMNS.index(name) for name in present)
    columns = [readings.start, readings.duration, *(getattr(readings, name) for name in present)]
    extra = (
        json.dumps({str(start): rare for start, rare in readings.extra.items()}) if readings.extra else None
    )
    return bytes([mask]) + np.concatenate(columns).astype("<i8").tobytes(), extra


def _unpacked(packed: bytes, extra: str | None) -> Readings:
    present = [name for place, name in enumerate(_COLUMNS) if packed[0] >> place & 1]
    cells = np.frombuffer(packed, "<i8", offset=1).reshape(2 + len(present), -1)
    rare = {int(start): each for start, each in json.loads(extra).items()} if extra else {}
    columns = {name: cells[2 + place] for place, name in enumerate(present)}
    return Readings(cells[0], cells[1], **columns, extra=rare)


def _shell(series: Series) -> Record:
    return Record(series.file, series.line, Kind.IntervalBlock, self=series.self, up=series.up)


def unit_of(kind: str, id: uuid.UUID) -> str:
    """`usage:…` or `customer:…`: the name of a unit, the first of which sort before the second."""
    return f"{kind}:{id}"
