"""The commit-ordered log of what changed: noted inside the transaction, numbered after it.

A database hands out sequence numbers before the commit, so a reader who remembers "seen up to 41" can miss a 40
that commits later. Here rows carry no number until a sweeper, alone under a lock, numbers what is committed.
"""

from __future__ import annotations

import uuid

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.db import NIL
from espi_server.energy.models import Change

_LOCK = 0x45535049  # "ESPI": the advisory lock of the sweeper


def note(
    session: Session,
    utility_id: uuid.UUID,
    entity: str,
    entity_id: uuid.UUID,
    verb: str,
    *,
    usage_point_id: uuid.UUID = NIL,
    window: tuple[int, int] | None = None,
) -> None:
    """Write down, in the caller's transaction, that `entity` was created, changed or ended.

    `window` is the [start, end) of the readings touched, in epoch seconds.
    """
    start, end = window or (None, None)
    session.add(
        Change(
            utility_id=utility_id,
            usage_point_id=usage_point_id,
            entity=entity,
            entity_id=entity_id,
            verb=verb,
            at=clock.seconds(),
            starts_at=start,
            ends_at=end,
        )
    )


def are_waiting(session: Session) -> bool:
    """Is any committed change without its number? Asking takes no lock."""
    return session.scalar(select(Change.id).where(Change.sequence.is_(None)).limit(1)) is not None


def number(session: Session, *, most: int = 10_000) -> int:
    """Number up to `most` committed changes, oldest first; how many were numbered."""
    _alone(session)
    last = session.scalar(select(func.max(Change.sequence))) or 0
    waiting = select(Change.id).where(Change.sequence.is_(None)).order_by(Change.at, Change.id).limit(most)
    ids = session.scalars(waiting).all()
    for sequence, id in enumerate(ids, last + 1):
        session.execute(update(Change).where(Change.id == id).values(sequence=sequence))
    return len(ids)


def since(session: Session, utility_id: uuid.UUID, sequence: int, *, most: int = 1_000) -> list[Change]:
    """The numbered changes of a utility after `sequence`, in order."""
    later = select(Change).where(Change.utility_id == utility_id, Change.sequence > sequence)
    return list(session.scalars(later.order_by(Change.sequence).limit(most)))


def _alone(session: Session) -> None:
    # SQLite's writing door is a lock already.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
