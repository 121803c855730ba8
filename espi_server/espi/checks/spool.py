"""What is remembered of a document's entries until all have been seen, in a file of its own that SQLite keeps.

Links lead anywhere, and entries come in any order; what is judged between them waits here. The memory this takes is
SQLite's page cache, whatever the size of the document.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from espi_server.espi import usage
from espi_server.espi.content import Content
from espi_server.espi.safe import parse

from .columns import Columns
from .rule import Place
from .subjects import Shell, key

_TABLES = """
CREATE TABLE entry (n INTEGER PRIMARY KEY, kind TEXT, place TEXT, id TEXT, self TEXT, self_key TEXT, up TEXT,
                    up_key TEXT, above TEXT);
CREATE TABLE link (n INTEGER, kind TEXT, href TEXT, key TEXT, place TEXT);
CREATE TABLE content (n INTEGER, kind TEXT, place TEXT, xml BLOB);
CREATE TABLE block (n INTEGER, place TEXT, start INTEGER, duration INTEGER, rows INTEGER, columns BLOB);
"""
_INDEXES = """
CREATE INDEX entry_id ON entry (id);
CREATE INDEX entry_self ON entry (self_key);
CREATE INDEX entry_up ON entry (kind, up_key);
CREATE INDEX entry_above ON entry (kind, above);
CREATE INDEX link_key ON link (key, kind);
CREATE INDEX link_href ON link (key, href);
CREATE INDEX link_n ON link (n);
CREATE INDEX content_n ON content (n);
CREATE INDEX block_n ON block (n, start);
"""
_OWNERS = """
CREATE TABLE {table} AS SELECT e.n AS n, coalesce(
    (SELECT l.n FROM link l WHERE l.key = e.up_key AND l.kind = '{kind}' LIMIT 1),
    (SELECT l.n FROM link l WHERE l.key = e.self_key AND l.kind = '{kind}' LIMIT 1),
    (SELECT p.n FROM entry p WHERE p.kind = '{kind}' AND p.self_key = e.above AND e.above != '' LIMIT 1)
) AS parent FROM entry e WHERE {children};
CREATE INDEX {table}_parent ON {table} (parent);
"""
_STEPS = 20_000  # of SQLite's machine between two looks at the clock
REMEMBERED = frozenset({
    "UsagePoint", "ReadingType", "LocalTimeParameters", "ProgramIdMappings", "UsageSummary",
    "ElectricPowerUsageSummary", "ElectricPowerQualitySummary", "Customer", "CustomerAccount", "CustomerAgreement",
})  # fmt: skip
"""Kinds whose content rules look at once more when everything is known."""


class Row(NamedTuple):
    """One entry as it is remembered."""

    n: int
    kind: str
    place: Place
    id: str
    self: str
    self_key: str
    up: str
    up_key: str


class Kept(NamedTuple):
    """One content as it is remembered."""

    n: int
    kind: str
    place: Place
    instance: Any


class KeptBlock(NamedTuple):
    """One block of readings as it is remembered."""

    place: Place
    start: int
    duration: int
    columns: Columns


class Spool:
    """Entries, links, contents and blocks of one document."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("")  # a file without a name, gone when closed
        self._base.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES}")

    def stop_when(self, is_enough: Callable[[], bool]) -> None:
        """Break off a question when it is enough: it raises sqlite3.OperationalError."""
        self._base.set_progress_handler(is_enough, _STEPS)

    def close(self) -> None:
        """Forget everything."""
        self._base.close()

    # Remembering

    def add(self, shell: Shell) -> int:
        """Remember an entry and where its related links lead; its number."""
        own, up = shell.self.href if shell.self else "", shell.up.href if shell.up else ""
        up_key = key(up)
        row = (
            shell.kind, str(shell.at()), shell.text("id").lower(), own, key(own), up, up_key, up_key.rpartition("/")[0]
        )  # fmt: skip
        n = int(self._base.execute(f"INSERT INTO entry VALUES (NULL{', ?' * len(row)})", row).lastrowid or 0)
        self._base.executemany(
            "INSERT INTO link VALUES (?, ?, ?, ?, ?)",
            [
                (n, shell.kind, link.href, key(link.href), str(shell.at(link.element)))
                for link in shell.linked("related")
            ],
        )
        return n

    def add_content(self, n: int, kind: str, place: Place, instance: Content) -> None:
        """Remember one content of the entry."""
        self._base.execute("INSERT INTO content VALUES (?, ?, ?, ?)", (n, kind, str(place), instance.write()))

    def add_block(self, n: int, place: Place, interval: tuple[int, int], columns: Columns) -> None:
        """Remember the readings of one block of the entry."""
        row = (n, str(place), *interval, len(columns), columns.dump())
        self._base.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", row)

    def complete(self) -> None:
        """Everything is in; now it can be asked."""
        self._base.executescript(_INDEXES)

    # Asking

    def ask(self, question: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows a question in SQL gives."""
        return iter(self._base.execute(question, values))

    def has(self, kind: str) -> bool:
        """Whether any entry holds this kind."""
        return any(True for _ in self.ask("SELECT 1 FROM entry WHERE kind = ? LIMIT 1", kind))

    def entries(self, where: str, *values: object) -> Iterator[Row]:
        """The entries a condition fits, in the order of the document."""
        question = (
            f"SELECT n, kind, place, id, self, self_key, up, up_key FROM entry e WHERE {where} ORDER BY n"
        )
        for n, kind, place, *words in self.ask(question, *values):
            yield Row(n, kind, Place.parse(place), *words)

    def contents(self, where: str, *values: object) -> Iterator[Kept]:
        """The contents a condition on `c` (content) and `e` (entry) fits, in the order of the document."""
        question = (
            "SELECT c.n, c.kind, c.place, c.xml FROM content c JOIN entry e ON e.n = c.n"
            f" WHERE {where} ORDER BY c.n"
        )
        for n, kind, place, xml in self.ask(question, *values):
            yield Kept(n, kind, Place.parse(place), _instance(xml))

    def blocks(self, meter_reading: int, since: int | None = None, until: int = 0) -> Iterator[KeptBlock]:
        """The blocks of a meter reading in order of time, or those of some time."""
        if since is None:
            return self._blocks("o.parent = ?", meter_reading)
        return self._blocks(
            "o.parent = ? AND b.start < ? AND b.start + b.duration > ?", meter_reading, until, since
        )

    def collections(self) -> list[str]:
        """Where the blocks of no meter reading say they hang; empty for those that do not say."""
        question = "SELECT DISTINCT e.up_key FROM owner o JOIN entry e ON e.n = o.n WHERE o.parent IS NULL"
        return [up for (up,) in self.ask(question)]

    def blocks_in(self, collection: str) -> Iterator[KeptBlock]:
        """The blocks of no meter reading that hang there, in order of time."""
        return self._blocks("o.parent IS NULL AND e.up_key = ?", collection)

    def _blocks(self, where: str, *values: object) -> Iterator[KeptBlock]:
        question = (
            "SELECT b.place, b.start, b.duration, b.columns FROM owner o JOIN block b ON b.n = o.n"
            f" JOIN entry e ON e.n = o.n WHERE {where} ORDER BY b.start, b.rowid"
        )
        for place, start, duration, columns in self.ask(question, *values):
            yield KeptBlock(Place.parse(place), start, duration, Columns.load(columns))

    def find_owners(self) -> None:
        """Say of every block which meter reading's it is, and of all else which usage point's it is.

        The first parent with a related link to it, else the one its own path names.
        """
        for table, kind, children in (
            ("owner", "MeterReading", "e.n IN (SELECT n FROM block)"),
            (
                "owned",
                "UsagePoint",
                "e.kind IN ('MeterReading', 'UsageSummary', 'ElectricPowerUsageSummary')",
            ),
        ):
            self._base.executescript(_OWNERS.format(table=table, kind=kind, children=children))


def _instance(xml: bytes) -> Content:
    element = parse(xml)
    kinds = {
        kind.name: kind
        for kind in vars(usage).values()
        if isinstance(kind, type) and issubclass(kind, Content)
    }
    return kinds[str(element.tag).rpartition("}")[2]].read(element)
