"""Signing what is sent, as Standard Webhooks 1.0 says: an id, a moment, and HMACs of both with the body.

The secret an application shares with us is made from a random salt and the installation's key and is kept nowhere:
who has the database alone can sign nothing. Two are live while one is being replaced, and both sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.notify.models import WebhookSecret

PREFIX = "whsec_"
OVERLAP = 7 * 86_400  # seconds a replaced secret still signs
_PURPOSE = b"espi_server webhook secret 1"


def headers(id: uuid.UUID, moment: int, body: bytes, shared: Sequence[bytes]) -> dict[str, str]:
    """The three headers; without a shared secret the id and the moment alone."""
    name = f"msg_{id.hex}"
    told = {"webhook-id": name, "webhook-timestamp": str(moment)}
    signed = f"{name}.{moment}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(each, signed, "sha256")).decode() for each in shared]
    return told | ({"webhook-signature": " ".join(f"v1,{each}" for each in signatures)} if signatures else {})


def live(session: Session, application_id: uuid.UUID, key: str) -> list[bytes]:
    """The secrets that sign for an application now, the newest first."""
    alive = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > clock.seconds())
    chosen = select(WebhookSecret).where(WebhookSecret.application_id == application_id, alive)
    newest = chosen.order_by(WebhookSecret.created_at.desc(), WebhookSecret.id)
    return [_made(key, each) for each in session.scalars(newest)]


def renew(session: Session, application_id: uuid.UUID, key: str, *, overlap: int = OVERLAP) -> str:
    """A new secret, in the form receivers take; the present one signs for `overlap` more seconds."""
    now = clock.seconds()
    older = (WebhookSecret.application_id == application_id, WebhookSecret.expires_at.is_(None))
    session.execute(update(WebhookSecret).where(*older).values(expires_at=now + overlap))
    fresh = WebhookSecret(
        id=uuid.uuid4(), application_id=application_id, salt=secrets.token_bytes(32), created_at=now
    )
    session.add(fresh)
    session.flush()
    return PREFIX + base64.b64encode(_made(key, fresh)).decode()


def _made(key: str, row: WebhookSecret) -> bytes:
    root = hmac.digest(key.encode(), _PURPOSE, "sha256")
    return hmac.new(root, row.application_id.bytes + row.salt, hashlib.sha256).digest()
