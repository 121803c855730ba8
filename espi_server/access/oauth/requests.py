"""Authorization requests on their way: pushed by a company, or waiting for the customer's answer.

A waiting one is bound to a secret that only its browser has, or only the customer it was sent to; it is good for ten
minutes, then for half an hour from step to step, an hour in all, or as long as its company asked, and answered once.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import delete, or_, select, update
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
    session: Session,
    stage: str,
    utility_id: uuid.UUID,
    application_id: uuid.UUID,
    parameters: dict[str, str],
    browser: bytes | None = None,
) -> str:
    """Keep a request; the secret it is found by, in clear. `browser` is the digest of what brought it can show."""
    secret = tokens.chance(stage)
    lifetime = LIFETIMES[stage]
    keep(
        session, stage, utility_id, application_id, parameters, secret=secret, lifetime=lifetime, browser=browser
    )  # fmt: skip
    return secret


def keep(
    session: Session,
    stage: str,
    utility_id: uuid.UUID,
    application_id: uuid.UUID,
    parameters: dict[str, str],
    *,
    secret: str,
    lifetime: int,
    **more: Any,
) -> None:
    """Keep a request under this secret, for so many seconds; `more` are the columns of one that is polled for, or of
    the browser that brought it."""
    now = clock.seconds()
    session.execute(delete(AuthorizationRequest).where(AuthorizationRequest.expires_at < now - _KEPT))
    session.add(
        AuthorizationRequest(
            digest=tokens.digest(secret),
            stage=stage,
            utility_id=utility_id,
            application_id=application_id,
            parameters=parameters,
            created_at=now,
            expires_at=now + lifetime,
            **more,
        )
    )


def find(
    session: Session, stage: str, utility_id: uuid.UUID, secret: str | bytes
) -> AuthorizationRequest | None:
    """The request behind a secret (or its digest, for who found it before), if it is still to be answered here."""
    row = session.get(AuthorizationRequest, tokens.digest(secret) if isinstance(secret, str) else secret)
    if row is None or row.stage != stage or row.utility_id != utility_id:
        return None
    return row if row.used_at is None and row.expires_at > clock.seconds() else None


def polled(
    session: Session, utility_id: uuid.UUID, application_id: uuid.UUID, handle: str
) -> AuthorizationRequest | None:
    """The request this application polls for, whatever has become of it; another's is nobody's."""
    chosen = select(AuthorizationRequest).where(
        AuthorizationRequest.poll_digest == tokens.digest(handle),
        AuthorizationRequest.utility_id == utility_id,
        AuthorizationRequest.application_id == application_id,
    )
    return session.scalar(chosen)


def poll(session: Session, row: AuthorizationRequest, longer: int) -> bool:
    """Note a poll; False if it came too soon, and then the next one has to wait `longer` than that."""
    now, mine = clock.seconds(), AuthorizationRequest.digest == row.digest
    last = AuthorizationRequest.polled_at
    in_time = or_(last.is_(None), last + AuthorizationRequest.pause <= now)
    done: Any = session.execute(update(AuthorizationRequest).where(mine, in_time).values(polled_at=now))
    if not done.rowcount:
        slower = {"polled_at": now, "pause": AuthorizationRequest.pause + longer}
        session.execute(update(AuthorizationRequest).where(mine).values(slower))
    return bool(done.rowcount)


def take(session: Session, row: AuthorizationRequest) -> bool:
    """Answer it; False if somebody did so meanwhile."""
    done: Any = session.execute(
        update(AuthorizationRequest)
        .where(AuthorizationRequest.digest == row.digest, AuthorizationRequest.used_at.is_(None))
        .values(used_at=clock.seconds())
    )
    return bool(done.rowcount)
