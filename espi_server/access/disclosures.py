"""The record of data that left: appended before the first byte goes, in a transaction of its own."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import bindparam, insert

from espi_server import clock
from espi_server.access.guard import Grant
from espi_server.access.models import Disclosure
from espi_server.db import Compiled, Database, ordered_id

_COLUMNS = (
    "id", "utility_id", "authorization_id", "application_id", "token_kind", "at", "path", "query", "entries", "size",
    "request_id",
)  # fmt: skip


class Disclosures:
    """Appends to the record of one installation.

    Requests that come while a line is being written are written together by the one that comes next: a commit costs
    the same for one line as for twenty. None goes on before its own line is in the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._append = Compiled(
            insert(Disclosure).values({name: bindparam(name) for name in _COLUMNS}), database.engine
        )
        self._waiting: list[dict[str, Any]] = []
        self._queue = threading.Lock()
        self._pen = threading.Lock()

    def append(
        self, grant: Grant, *, path: str, query: str, entries: int, size: int, request_id: str
    ) -> None:
        """Write down who gets what: the path below the resource base, its query, entries and bytes."""
        line = {
            "id": ordered_id(),
            "utility_id": grant.utility_id,
            "authorization_id": grant.authorization_id,
            "application_id": grant.application_id,
            "token_kind": grant.kind,
            "at": clock.seconds(),
            "path": path,
            "query": query,
            "entries": entries,
            "size": size,
            "request_id": request_id,
        }
        with self._queue:
            self._waiting.append(line)
        with self._pen:
            # Written by another by now, unless it still waits.
            if any(each is line for each in self._waiting):
                self._write(line)

    def _write(self, own: dict[str, Any]) -> None:
        """Write all lines that wait; where that fails, the others are left to those who wait for them."""
        with self._queue:
            lines, self._waiting = self._waiting, []
        try:
            with self._database.driver() as driver:
                self._append.run_together(driver, lines)
        except BaseException:
            with self._queue:
                self._waiting = [each for each in lines if each is not own] + self._waiting
            raise
