"""What we keep, in one SQLite file.

Tokens open a customer's data. They lie here in clear, in a file only we may read; with real customers close them under
a key that lies elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS ours (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS attempt (
    state TEXT PRIMARY KEY, visitor TEXT, utility TEXT, verifier TEXT, begun_at INTEGER);
CREATE TABLE IF NOT EXISTS home (
    id TEXT PRIMARY KEY, visitor TEXT, utility TEXT, scope TEXT, name TEXT DEFAULT '',
    access_token TEXT, refresh_token TEXT, expires_at INTEGER,
    resource_uri TEXT, authorization_uri TEXT, customer_uri TEXT, etag TEXT DEFAULT '',
    connected_at INTEGER, fetched_at INTEGER, told TEXT DEFAULT '', ended_at INTEGER, ended_why TEXT DEFAULT '');
CREATE TABLE IF NOT EXISTS block (
    home TEXT, href TEXT, start INTEGER, duration INTEGER, unit TEXT, taken REAL, given REAL, readings INTEGER,
    PRIMARY KEY (home, href));
CREATE TABLE IF NOT EXISTS bill (
    home TEXT, href TEXT, start INTEGER, duration INTEGER, dollars REAL, PRIMARY KEY (home, href));
CREATE TABLE IF NOT EXISTS notice (
    utility TEXT, id TEXT, body BLOB, received_at INTEGER, next_at INTEGER, done_at INTEGER, told TEXT DEFAULT '[]',
    PRIMARY KEY (utility, id));
"""


class Store:
    """The file. Of several transactions only one is under way; who only reads waits for nobody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch(mode=0o600)
        with self._connected() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in it happens, or nothing after an error."""
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def all(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a query."""
        with self._connected() as db:
            return db.execute(query, values).fetchall()

    def one(self, query: str, *values: object) -> sqlite3.Row | None:
        """The first of them, if there is one."""
        return next(iter(self.all(query, *values)), None)

    def do(self, statement: str, *values: object) -> int:
        """One change; how many rows it touched."""
        with self._connected() as db:
            return db.execute(statement, values).rowcount

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        db.row_factory = sqlite3.Row
        try:
            yield db
        finally:
            db.close()
