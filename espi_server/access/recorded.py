"""The audit as lines: what a utility keeps elsewhere, hands to a regulator, or searches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access import disclosure_seals, verifying
from espi_server.access.models import Disclosure, DisclosureSeal
from espi_server.accounts.models import Utility

PAGE = 1_000


def lines(
    session: Session, utility: Utility, start: int | None = None, end: int | None = None
) -> Iterator[dict[str, Any]]:
    """A utility's acts of [start, end) in the order of their chain, then its disclosures in the order they left."""
    for row in verifying.pages(session, utility.id, start, end):
        yield {
            "type": "act", "utility": utility.code, "number": row["number"], "at": verifying.when(row["at"]),
            "act": row["act"], "actor": row["actor"], "subject": row["subject"], "detail": row["detail"],
            "key": row["key"], "previous": verifying.hexed(row["previous"]),
            "digest": verifying.hexed(row["digest"]),
        }  # fmt: skip
    yield from _disclosures(session, utility, start, end)


def _disclosures(
    session: Session, utility: Utility, start: int | None, end: int | None
) -> Iterator[dict[str, Any]]:
    mine = [Disclosure.utility_id == utility.id]
    mine += [] if start is None else [Disclosure.at >= start]
    mine += [] if end is None else [Disclosure.at < end]
    names = (*disclosure_seals.LINE, DisclosureSeal.number)
    query = (
        select(*(verifying.as_written(session, each) for each in names))
        .outerjoin(DisclosureSeal, DisclosureSeal.disclosure_id == Disclosure.id)
        .where(*mine)
        .order_by(Disclosure.id)
        .execution_options(yield_per=PAGE)
    )
    for row in session.execute(query):
        *values, number = map(partial(verifying.said, session), names, row)
        line = disclosure_seals.plain(values)
        yield {"type": "disclosure"} | line | {"at": verifying.when(line["at"]), "sealed_by": number}
