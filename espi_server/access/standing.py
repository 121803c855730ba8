"""What may have changed between a customer's yes and the tokens that come of it: asked again at the last moment."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access.models import Authorization
from espi_server.accounts.models import Login

CANCELLED = "cancelled"  # the customer herself ended it


def is_locked(session: Session, customer_id: uuid.UUID) -> bool:
    """Has she ways in, and are all of them closed?"""
    states = session.scalars(select(Login.status).where(Login.customer_id == customer_id)).all()
    return bool(states) and "active" not in states


def took_back(session: Session, application_id: uuid.UUID, customer_id: uuid.UUID, since: int) -> bool:
    """Has she ended what this application had since then?"""
    ended = select(Authorization.id).where(
        Authorization.application_id == application_id,
        Authorization.customer_id == customer_id,
        Authorization.ended_reason == CANCELLED,
        Authorization.ended_at > since,
    )
    return session.scalar(ended.limit(1)) is not None
