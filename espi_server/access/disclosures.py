"""The record of data that left: appended before the first byte goes, in a transaction of its own."""

from __future__ import annotations

import uuid

from sqlalchemy import bindparam, insert

from espi_server import clock
from espi_server.access.guard import Grant
from espi_server.access.models import Disclosure
from espi_server.db import Compiled, Database

_COLUMNS = (
    "id", "utility_id", "authorization_id", "application_id", "token_kind", "at", "path", "query", "entries", "size",
    "request_id",
)  # fmt: skip


class Disclosures:
    """Appends to the record of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._append = Compiled(
            insert(Disclosure).values({name: bindparam(name) for name in _COLUMNS}), database.engine
        )

    def append(
        self, grant: Grant, *, path: str, query: str, entries: int, size: int, request_id: str
    ) -> None:
        """Write down who gets what: the path below the resource base, its query, entries and bytes."""
        with self._database.driver() as driver:
            self._append.run(
                driver,
                id=uuid.uuid4(),
                utility_id=grant.utility_id,
                authorization_id=grant.authorization_id,
                application_id=grant.application_id,
                token_kind=grant.kind,
                at=clock.seconds(),
                path=path,
                query=query,
                entries=entries,
                size=size,
                request_id=request_id,
            )
