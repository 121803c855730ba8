"""The keys a utility signs with: each pending, active or retired, and wrapped while it lies in the database.

A pending key is published before it signs, a retired one after it has, so nobody who keeps a copy of the key set for
a while meets a signature it cannot check.
"""

from __future__ import annotations

import json
import secrets
import uuid
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import ECKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import at_rest, clock
from espi_server.access import audit
from espi_server.access.models import SigningKey
from espi_server.accounts.models import Utility
from espi_server.errors import Internal, Unavailable

ID_TOKEN: Final = "id_token"  # noqa: S105 - the purpose of a key
AUDIT: Final = "audit"
PURPOSES: Final = (ID_TOKEN, AUDIT)
ALGORITHM: Final = "ES256"
PUBLISHED: Final = 30 * 86_400  # seconds a retired key stays in the key set

_PURPOSE = b"espi_server: wrapping of signing keys, 1"
_NONCE = 12


class NoSecret(Unavailable):
    """Keys are kept under the installation's secret; set ESPI_SECRET_KEY."""


def active(session: Session, utility_id: uuid.UUID, secret: str, purpose: str = ID_TOKEN) -> ECKey:
    """The key that signs now, with its private part; the first one is made when it is first needed."""
    row = _active(session, utility_id, purpose) or _first(session, utility_id, secret, purpose)
    return ECKey.import_key(_unwrapped(row, secret, *at_rest.keyring(session).secrets))


def kept(session: Session, utility_id: uuid.UUID, kid: str, *secrets: str) -> ECKey | None:
    """A utility's key of this name, whatever its state; None where there is none that one of these secrets opens."""
    row = session.get(SigningKey, kid)
    if row is None or row.utility_id != utility_id:
        return None
    try:
        return ECKey.import_key(_unwrapped(row, *secrets))
    except (Internal, NoSecret):
        return None


def published(session: Session, utility_id: uuid.UUID) -> list[dict[str, Any]]:
    """The public parts of the keys that sign, will sign, or signed lately."""
    rows = session.scalars(
        select(SigningKey)
        .where(SigningKey.utility_id == utility_id)
        .order_by(SigningKey.created_at, SigningKey.kid)
    )
    oldest = clock.seconds() - PUBLISHED
    return [row.public for row in rows if row.retired_at is None or row.retired_at > oldest]


def is_ready(session: Session, utility_id: uuid.UUID) -> bool:
    """Is there a key that signs id_tokens?"""
    return _active(session, utility_id, ID_TOKEN) is not None


def ensure(session: Session, utility_id: uuid.UUID, secret: str, purpose: str = ID_TOKEN) -> None:
    """See that there is a key to publish."""
    if _active(session, utility_id, purpose) is None:
        _first(session, utility_id, secret, purpose)


def rotate(
    session: Session,
    utility_id: uuid.UUID,
    secret: str,
    purpose: str = ID_TOKEN,
    *,
    by: str = audit.SERVER,
) -> SigningKey:
    """Retire the active key, let the pending one sign, and publish the next; the key that signs now."""
    _lock(session, utility_id)
    ensure(session, utility_id, secret, purpose)
    now = clock.seconds()
    for row in _in_state(session, utility_id, purpose, "active"):
        row.state, row.retired_at = "retired", now
    session.flush()
    pending = _in_state(session, utility_id, purpose, "pending")
    row = pending[0] if pending else _make(session, utility_id, secret, purpose)
    row.state, row.activated_at = "active", now
    _make(session, utility_id, secret, purpose)
    session.flush()
    audit.record(session, utility_id, "key.rotated", actor=by, subject=f"key:{row.kid}", purpose=purpose)
    return row


def every(session: Session, utility_id: uuid.UUID) -> list[SigningKey]:
    """All keys of a utility, the oldest first."""
    chosen = select(SigningKey).where(SigningKey.utility_id == utility_id)
    return list(session.scalars(chosen.order_by(SigningKey.created_at, SigningKey.kid)))


def rewrap(session: Session) -> int:
    """Wrap every key anew that an older secret of the installation wrapped; how many there were."""
    secret, *older = at_rest.keyring(session).secrets
    found = 0
    for row in session.scalars(select(SigningKey).with_for_update()):
        if _opened(row, secret) is None:
            row.private = _wrapped(_unwrapped(row, *older), row.kid, secret)
            found += 1
    return found


def _first(session: Session, utility_id: uuid.UUID, secret: str, purpose: str) -> SigningKey:
    _lock(session, utility_id)
    found = _active(session, utility_id, purpose)
    if found is not None:
        return found
    row = _make(session, utility_id, secret, purpose)
    row.state, row.activated_at = "active", clock.seconds()
    _make(session, utility_id, secret, purpose)
    session.flush()
    return row


def _lock(session: Session, utility_id: uuid.UUID) -> None:
    """Two processes that want a key at once wait for each other here."""
    session.execute(select(Utility.id).where(Utility.id == utility_id).with_for_update(key_share=True))


def _active(session: Session, utility_id: uuid.UUID, purpose: str) -> SigningKey | None:
    found = _in_state(session, utility_id, purpose, "active")
    return found[0] if found else None


def _in_state(session: Session, utility_id: uuid.UUID, purpose: str, state: str) -> list[SigningKey]:
    chosen = select(SigningKey).where(
        SigningKey.utility_id == utility_id, SigningKey.purpose == purpose, SigningKey.state == state
    )
    return list(session.scalars(chosen.order_by(SigningKey.created_at)))


def _make(session: Session, utility_id: uuid.UUID, secret: str, purpose: str) -> SigningKey:
    key = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": ALGORITHM})
    kid = key.thumbprint()  # RFC 7638
    row = SigningKey(
        kid=kid,
        utility_id=utility_id,
        purpose=purpose,
        algorithm=ALGORITHM,
        state="pending",
        public={**key.as_dict(private=False), "kid": kid},
        private=_wrapped({**key.as_dict(private=True), "kid": kid}, kid, secret),
        created_at=clock.seconds(),
    )
    session.add(row)
    session.flush()
    audit.record(session, utility_id, "key.made", actor=audit.SERVER, subject=f"key:{kid}", purpose=purpose)
    return row


def _wrapper(secret: str) -> AESGCM:
    if not secret:
        raise NoSecret()
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(secret.encode()))


def _wrapped(key: dict[str, Any], kid: str, secret: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _wrapper(secret).encrypt(nonce, json.dumps(key).encode(), kid.encode())


def _unwrapped(row: SigningKey, *secrets: str) -> dict[str, Any]:
    """The key, by the first of these secrets that opens it."""
    for secret in secrets:
        found = _opened(row, secret)
        if found is not None:
            return found
    raise Internal(
        f"The signing key {row.kid} cannot be opened with this ESPI_SECRET_KEY. Was the secret changed? The old one "
        "belongs into ESPI_SECRET_KEY_FALLBACKS."
    )


def _opened(row: SigningKey, secret: str) -> dict[str, Any] | None:
    nonce, body = row.private[:_NONCE], row.private[_NONCE:]
    try:
        found: dict[str, Any] = json.loads(_wrapper(secret).decrypt(nonce, body, row.kid.encode()))
    except InvalidTag:
        return None
    return found
