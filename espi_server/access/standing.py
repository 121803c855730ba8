"""What may have changed between a customer's yes and the tokens that come of it: asked again at the last moment."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access.models import Application
from espi_server.access.opening import PRODUCTION
from espi_server.accounts.models import Login

CANCELLED = "cancelled"  # the customer herself ended it


def is_locked(session: Session, customer_id: uuid.UUID) -> bool:
    """Has she ways in, and are all of them closed?"""
    states = session.scalars(select(Login.status).where(Login.customer_id == customer_id)).all()
    return bool(states) and "active" not in states


def may_begin(session: Session, application_id: uuid.UUID) -> bool:
    """Is the application in production? That it is stays so until the commit."""
    status = select(Application.status).where(Application.id == application_id)
    return session.scalar(status.with_for_update(read=True)) == PRODUCTION
