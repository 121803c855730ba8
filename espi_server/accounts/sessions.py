"""Signed-in browsers: a row each, found by the digest of what the browser's cookie holds.

Every sign-in and every further factor begins a new one, so that a cookie somebody planted is worth nothing. A session
belongs to one utility and is nothing at another.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.accounts.models import Login, LoginSession

ACTIVE: Final = "active"
ELSEWHERE: Final = "fed"  # at the utility's own provider (not in RFC 8176); what it said of it stands before
_NOTED = 60  # seconds between two notes of when a session was seen last
# Kinds of proof (RFC 8176): two of different kinds are two factors.
_KINDS: Final = {
    "pwd": "knows", "pin": "knows", "kba": "knows", "otp": "has", "sms": "has", "tel": "has", "hwk": "has",
    "swk": "has", "sc": "has", "pop": "has", "fpt": "is", "face": "is", "iris": "is", "vbm": "is",
}  # fmt: skip


@dataclass(frozen=True)
class SignedIn:
    """Who sits in front of a browser: since when (epoch seconds), shown by which means (RFC 8176)."""

    digest: bytes
    login_id: uuid.UUID
    customer_id: uuid.UUID | None
    utility_id: uuid.UUID
    name: str
    at: int
    amr: tuple[str, ...]
    acr: str | None
    language: str | None
    seen_at: int
    ends_at: int

    @property
    def has_second_factor(self) -> bool:
        """Were two factors of different kinds shown at this sign-in?"""
        return are_two(self.amr)

    @property
    def has_strong_factor(self) -> bool:
        """The same without a code by mail."""
        return are_strong(self.amr)


def are_two(amr: Sequence[str]) -> bool:
    """Are these two factors of different kinds? One shown here after a sign-in elsewhere makes two."""
    # A provider that asks for a password is one factor, not two: what it says of its own is counted by itself.
    at = list(amr).index(ELSEWHERE) if ELSEWHERE in amr else len(amr)
    kinds = {_KINDS[each] for each in amr[:at] if each in _KINDS}
    return "mfa" in amr or len(kinds) > 1 or any(each in _KINDS for each in amr[at + 1 :])


def are_strong(amr: Sequence[str]) -> bool:
    """The same, where a code of ours that went by mail is none: of ours `otp` stands beside `mfa` or `sms` else."""
    at = list(amr).index(ELSEWHERE) if ELSEWHERE in amr else 0
    return "mfa" in amr or "sms" in amr[at:] or (are_two(amr[:at]) if at else False)


def begin(
    session: Session,
    login: Login,
    *,
    amr: Sequence[str],
    lifetime: int,
    acr: str | None = None,
    at: int | None = None,
) -> str:
    """A new session of this login: what its cookie holds. `at` is when she showed who she is, now unless told."""
    secret, now = secrets.token_urlsafe(32), clock.seconds()
    session.add(
        LoginSession(
            digest=digest(secret),
            login_id=login.id,
            utility_id=login.utility_id,
            authenticated_at=now if at is None else at,
            amr=list(amr),
            acr=acr,
            seen_at=now,
            ends_at=now + lifetime,
        )
    )
    session.flush()
    return secret


def find(session: Session, utility_id: uuid.UUID, secret: str, *, idle: int) -> SignedIn | None:
    """Who that cookie belongs to, if she is signed in at this utility and did something within `idle` seconds."""
    now = clock.seconds()
    row = session.execute(
        select(LoginSession, Login)
        .join(Login, Login.id == LoginSession.login_id)
        .where(
            LoginSession.digest == digest(secret),
            LoginSession.utility_id == utility_id,
            LoginSession.revoked_at.is_(None),
            LoginSession.ends_at > now,
            LoginSession.seen_at > now - idle,
            Login.utility_id == utility_id,
            Login.status == ACTIVE,
        )
    ).one_or_none()
    if row is None:
        return None
    kept, login = row
    return SignedIn(
        digest=kept.digest, login_id=login.id, customer_id=login.customer_id, utility_id=utility_id,
        name=login.name, at=kept.authenticated_at, amr=tuple(kept.amr), acr=kept.acr, language=login.language,
        seen_at=kept.seen_at, ends_at=kept.ends_at,
    )  # fmt: skip


def owner(session: Session, utility_id: uuid.UUID, secret: str) -> uuid.UUID | None:
    """Whose session that cookie was at this utility, over or not; it opens nothing."""
    mine = (LoginSession.digest == digest(secret), LoginSession.utility_id == utility_id)
    return session.scalar(select(LoginSession.login_id).where(*mine)) if secret else None


def is_due(found: SignedIn) -> bool:
    """Is it time to note that this session was seen?"""
    return clock.seconds() - found.seen_at >= _NOTED


def seen(session: Session, found: SignedIn) -> None:
    """Note it; one that ended meanwhile stays ended."""
    mine = (LoginSession.digest == found.digest, LoginSession.revoked_at.is_(None))
    session.execute(update(LoginSession).where(*mine).values(seen_at=clock.seconds()))


def end(session: Session, digest: bytes) -> None:
    """Sign this browser out."""
    _revoke(session, LoginSession.digest == digest)


def name_of(row: LoginSession) -> str:
    """What a page calls a session: nothing a cookie could be found by."""
    return digest(row.digest.hex()).hex()[:24]


def end_one(session: Session, login_id: uuid.UUID, name: str) -> bool:
    """End the one of a login's sessions that is called so; whether there was one."""
    live = select(LoginSession).where(LoginSession.login_id == login_id, LoginSession.revoked_at.is_(None))
    found = [each.digest for each in session.scalars(live) if name_of(each) == name]
    for each in found:
        end(session, each)
    return bool(found)


def end_all(session: Session, login_id: uuid.UUID, but: bytes | None = None) -> None:
    """Sign every browser of a login out, or all others than this one."""
    others = [LoginSession.digest != but] if but is not None else []
    _revoke(session, LoginSession.login_id == login_id, *others)


def _revoke(session: Session, *which: ColumnElement[bool]) -> None:
    live = update(LoginSession).where(*which, LoginSession.revoked_at.is_(None))
    session.execute(live.values(revoked_at=clock.seconds()))


def digest(secret: str) -> bytes:
    """What is kept of a secret that a browser or a letter holds; a fast hash is right for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
