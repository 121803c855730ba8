"""Authorization requests on their way: pushed by a company, or waiting for the customer's answer.

A waiting one is bound to a secret that only its browser has, is good for ten minutes, and is answered once.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import tokens
from espi_server.access.models import AuthorizationRequest

PENDING: Final = "pending"
PUSHED: Final = "pushed"
LIFETIMES: Final = {PENDING: 600, PUSHED: 60}
URN: Final = "urn:ietf:params:oauth:request_uri:"

_KEPT = tokens.DAY  # how long rows that are over are kept


def put(
    session: Session, stage: str, utility_id: uuid.UUID, application_id: uuid.UUID, parameters: dict[str, str]
) -> str:
    """Keep a request; the secret it is found by, in clear."""
    now = clock.seconds()
    session.execute(delete(AuthorizationRequest).where(AuthorizationRequest.expires_at < now - _KEPT))
    secret = tokens.chance(stage)
    session.add(
        AuthorizationRequest(
            digest=tokens.digest(secret),
            stage=stage,
            utility_id=utility_id,
            application_id=application_id,
            parameters=parameters,
            created_at=now,
            expires_at=now + LIFETIMES[stage],
        )
    )
    return secret


def find(session: Session, stage: str, utility_id: uuid.UUID, secret: str) -> AuthorizationRequest | None:
    """The request behind a secret, if it is still to be answered at this utility."""
    row = session.get(AuthorizationRequest, tokens.digest(secret))
    if row is None or row.stage != stage or row.utility_id != utility_id:
        return None
    return row if row.used_at is None and row.expires_at > clock.seconds() else None


def take(session: Session, row: AuthorizationRequest) -> bool:
    """Answer it; False if somebody did so meanwhile."""
    done: Any = session.execute(
        update(AuthorizationRequest)
        .where(AuthorizationRequest.digest == row.digest, AuthorizationRequest.used_at.is_(None))
        .values(used_at=clock.seconds())
    )
    return bool(done.rowcount)
