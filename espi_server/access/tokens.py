"""Opaque tokens: 256 random bits behind a prefix that names their kind; only the digest is kept.

A fast hash is right for 256-bit randoms: nobody guesses them, and a slow one on every call would be a
self-made denial of service.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Final

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit
from espi_server.access.models import Application, Authorization, Token

PREFIXES: Final = {
    "access": "gba_",
    "refresh": "gbr_",
    "client": "gbc_",
    "registration": "gbg_",
    "upload": "gbu_",
    "custodian": "gbd_",
    # Not tokens, but as random and as secret: what stands for a request or a decision for a moment.
    "code": "gbx_",
    "pending": "gbq_",
    "pushed": "gbp_",
    "message": "gbm_",
    "secret": "gbs_",
    "invitation": "gbi_",
}
LETTERS: Final = {
    "access": "A",
    "client": "C",
    "upload": "U",
    "custodian": "D",
    "registration": "R",
    "refresh": "",
}

HOUR: Final = 3600
DAY: Final = 24 * HOUR
LIFETIMES: Final = {
    "access": HOUR,
    "refresh": 400 * DAY,
    "client": HOUR,
    "registration": 365 * DAY,
    "upload": 365 * DAY,
    "custodian": 90 * DAY,
}


def digest(token: str) -> bytes:
    """What is kept of a token: its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def chance(kind: str) -> str:
    """A new random of this kind, in clear."""
    return PREFIXES[kind] + secrets.token_urlsafe(32)


def issue(
    session: Session,
    kind: str,
    utility_id: uuid.UUID,
    *,
    application: Application | None = None,
    authorization: Authorization | None = None,
    scope: str = "",
    family_id: uuid.UUID | None = None,
    lifetime: int | None = None,
    confirmation: bytes | None = None,
    predecessor: bytes | None = None,
    issued_by: str,
) -> str:
    """A new token of `kind`; its clear text, which is returned once and kept nowhere."""
    token = chance(kind)
    now = clock.seconds()
    expires_at = now + (LIFETIMES[kind] if lifetime is None else lifetime)
    session.add(
        Token(
            digest=digest(token),
            kind=kind,
            utility_id=utility_id,
            application_id=application.id if application else None,
            authorization_id=authorization.id if authorization else None,
            family_id=family_id,
            scope=scope,
            confirmation=confirmation,
            predecessor=predecessor,
            issued_by=issued_by,
            issued_at=now,
            expires_at=expires_at,
        )
    )
    audit.record(
        session,
        utility_id,
        "token.issued",
        actor=issued_by,
        subject=f"token:{digest(token).hex()}",
        kind=kind,
        application=application.id if application else None,
        authorization=authorization.id if authorization else None,
        family=family_id,
        scope=scope,
        until=expires_at,
    )
    return token
