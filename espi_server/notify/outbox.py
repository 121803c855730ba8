"""Putting messages into the outbox, in the transaction of the fact they tell."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.notify.models import Outbox


def put(
    session: Session, utility_id: uuid.UUID, kind: str, *, recipient: str, payload: dict[str, Any]
) -> None:
    """A message of `kind` for `recipient`, due now; it leaves after the caller's commit."""
    now = clock.seconds()
    session.add(
        Outbox(
            utility_id=utility_id,
            kind=kind,
            recipient=recipient,
            payload=payload,
            next_attempt_at=now,
            created_at=now,
        )
    )
