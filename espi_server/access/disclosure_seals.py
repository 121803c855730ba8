"""Sealing disclosures: what left is digested every few seconds, many rows in one act of their utility's chain.

So the record of disclosures is as hard to rewrite as that of acts, and the requests that append to it touch no chain.
Which act sealed a row stands in a table of its own: rows of the record never change. Rows are looked for from a while
before the newest that is sealed, by their ids, which sort by time; one that took longer to arrive, or comes from a
server whose clock is slow, is found by the look further back that follows every hour.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Text, func, insert, select, type_coerce
from sqlalchemy.orm import Session

from espi_server.access import audit
from espi_server.access.models import Disclosure, DisclosureSeal
from espi_server.db import NIL, Database, id_before, ordered_id
from espi_server.jobs.worker import Duty

EVERY: Final = 5  # seconds between two looks
BACK: Final = 120  # seconds each of them looks back
FURTHER: Final = 86_400  # and those that follow every hour
AT_ONCE: Final = 1_000

_LOCK = 0x5345414C  # "SEAL": of two workers one seals
_COLUMNS = (
    "id", "utility_id", "authorization_id", "access_right_id", "application_id", "token_kind", "at", "path", "query",
    "entries", "size", "request_id",
)  # fmt: skip
LINE: Final = tuple(getattr(Disclosure, name) for name in _COLUMNS)
"""The columns of a disclosure, all of which are sealed."""


def duties() -> list[Duty]:
    """What workers do again and again."""
    return [
        Duty("seal disclosures", EVERY, partial(_seal_all, back=BACK)),
        Duty("seal late disclosures", 3600, partial(_seal_all, back=FURTHER)),
    ]


def _seal_all(database: Database, back: int) -> None:
    seal(database, back=back)


def seal(database: Database, *, back: int = BACK) -> int:
    """Seal what is not sealed yet, oldest first; how many disclosures that were."""
    total, more = 0, _is_waiting(database, back)
    while more:
        with database.writing() as session:
            sealed = _seal_some(session, back)
        total, more = total + sealed, sealed == AT_ONCE
    return total


def _is_waiting(database: Database, back: int) -> bool:
    """Is there anything? Asked without holding up those who write."""
    with database.reading() as session:
        return session.execute(unsealed(since(session, back)).limit(1)).first() is not None


def since(session: Session, back: int) -> uuid.UUID:
    """From which id on rows may still be waiting: so many seconds before the newest that was sealed."""
    ids = DisclosureSeal.disclosure_id
    newest = (
        select(ids)
        .where(ids <= ordered_id(), *_well_made(session, ids))  # a clock that ran ahead moves nothing
        .order_by(ids.desc())
        .limit(1)
    )
    found = session.scalar(newest)
    return NIL if found is None else id_before(found, back)


def _well_made(session: Session, id: Any) -> list[Any]:
    """An id is one: SQLite would keep anything else as well, which somebody put there to stop the sealing."""
    if session.get_bind().dialect.name != "sqlite":
        return []
    text = type_coerce(id, Text())
    return [func.typeof(text) == "text", func.length(text) == 32, text.op("NOT GLOB")("*[^0-9a-f]*")]


def unsealed(first: uuid.UUID) -> Any:
    """The disclosures from an id on that no act sealed, in the order of their ids."""
    sealed = select(DisclosureSeal.disclosure_id).where(DisclosureSeal.disclosure_id == Disclosure.id)
    return select(*LINE).where(Disclosure.id >= first, ~sealed.exists()).order_by(Disclosure.id)


def _seal_some(session: Session, back: int) -> int:
    # SQLite's writing door is a lock already.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    rows = session.execute(unsealed(since(session, back)).limit(AT_ONCE)).all()
    # Chains in one order, as wherever several are held.
    for utility_id, lines in groupby(sorted(rows, key=_place), lambda row: row.utility_id):
        _seal(session, utility_id, list(lines))
    return len(rows)


def _place(row: Any) -> tuple[uuid.UUID, uuid.UUID]:
    return row.utility_id, row.id


def _seal(session: Session, utility_id: uuid.UUID, lines: Sequence[Any]) -> None:
    detail = {"rows": len(lines), "first": lines[0].id, "last": lines[-1].id, "digest": digest(lines)}
    act = audit.made(audit.SEALED, audit.SERVER, "disclosures", detail)
    number = audit.append(session, utility_id, [act])
    session.execute(
        insert(DisclosureSeal),
        [{"disclosure_id": each.id, "utility_id": utility_id, "number": number} for each in lines],
    )


def digest(lines: Iterable[Any]) -> str:
    """SHA-256 over disclosures in the order of their ids, each as a line of canonical JSON; in hex."""
    summed = hashlib.sha256()
    for line in lines:
        summed.update(audit.canonical(plain(line)) + b"\n")
    return summed.hexdigest()


def plain(line: Any) -> dict[str, Any]:
    """A disclosure as JSON has it."""
    values = dict(zip(_COLUMNS, line, strict=True))
    return {name: str(value) if isinstance(value, uuid.UUID) else value for name, value in values.items()}
