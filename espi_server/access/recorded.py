"""The audit as lines: what a utility keeps elsewhere, hands to a regulator, or searches."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import disclosure_seals, verifying
from espi_server.access.models import Disclosure, DisclosureSeal
from espi_server.accounts.models import Utility
from espi_server.db import NIL

PAGE = 1_000


def lines(
    session: Session, utility: Utility, start: int | None = None, end: int | None = None
) -> Iterator[dict[str, Any]]:
    """A utility's acts of [start, end) in the order of their chain, then its disclosures in the order they left."""
    for row in verifying.pages(session, utility.id, start, end):
        yield {
            "type": "act", "utility": utility.code, "number": row["number"], "at": clock.written(row["at"]),
            "act": row["act"], "actor": row["actor"], "subject": row["subject"], "detail": row["detail"],
            "key": row["key"], "previous": row["previous"].hex(), "digest": row["digest"].hex(),
        }  # fmt: skip
    yield from _disclosures(session, utility, start, end)


def _disclosures(
    session: Session, utility: Utility, start: int | None, end: int | None
) -> Iterator[dict[str, Any]]:
    mine = [Disclosure.utility_id == utility.id]
    mine += [] if start is None else [Disclosure.at >= start]
    mine += [] if end is None else [Disclosure.at < end]
    query = (
        select(*disclosure_seals.LINE, DisclosureSeal.number)
        .outerjoin(DisclosureSeal, DisclosureSeal.disclosure_id == Disclosure.id)
        .where(*mine)
        .order_by(Disclosure.id)
    )
    last: uuid.UUID = NIL
    more = True
    while more:
        page = session.execute(query.where(Disclosure.id > last).limit(PAGE)).all()
        for *values, number in page:
            line = disclosure_seals.plain(values)
            yield {"type": "disclosure"} | line | {"at": clock.written(line["at"]), "sealed_by": number}
            last = values[0]
        more = len(page) == PAGE
