"""Keeping a judgement for an hour, behind an id nobody guesses. The file is not among what is kept."""

from __future__ import annotations

import uuid

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from espi_server import at_rest, clock
from espi_server.errors import NotFound
from espi_server.tools.judging import Judgement
from espi_server.tools.models import KeptVerdict

LASTS = 3_600  # seconds
MOST = 5_000
"""Judgements kept at once; beyond that the oldest go before their hour is over."""

_BODY = KeptVerdict.__table__.c.body


class NotKept(NotFound):
    """There is no such result. Results are kept for an hour; check the file again."""


def keep(session: Session, judgement: Judgement) -> KeptVerdict:
    """Keep a judgement; whoever comes by sweeps out what is too old."""
    now = clock.seconds()
    sweep(session, now)
    id = uuid.uuid4()
    body = at_rest.seal(at_rest.keyring(session), _BODY, {"id": id}, judgement.packed())
    kept = KeptVerdict(id=id, body=body, created_at=now, expires_at=now + LASTS)
    session.add(kept)
    session.flush()
    return kept


def find(session: Session, id: str) -> tuple[KeptVerdict, Judgement]:
    """A judgement whose hour is not over; `NotKept` for any other id."""
    try:
        kept = session.get(KeptVerdict, uuid.UUID(id))
    except ValueError:
        kept = None
    if kept is None or kept.expires_at <= clock.seconds():
        raise NotKept()
    body = at_rest.opened(at_rest.keyring(session), _BODY, {"id": kept.id}, kept.body)
    return kept, Judgement.unpacked(body)


def sweep(session: Session, now: int) -> None:
    """Delete what nobody may read any more, and the oldest of too many."""
    session.execute(delete(KeptVerdict).where(KeptVerdict.expires_at <= now))
    newest = select(KeptVerdict.expires_at).order_by(KeptVerdict.expires_at.desc())
    last = session.scalar(newest.offset(MOST - 1).limit(1))
    if last is not None:
        session.execute(delete(KeptVerdict).where(KeptVerdict.expires_at <= last))
