"""Refresh tokens: each works once and is replaced; one that comes again ends its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import TokenMixin
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import alarms, audit
from espi_server.access.models import Application, Authorization, Token, TokenFamily
from espi_server.access.oauth.clients import Client
from espi_server.access.oauth.policies import LONGEST_WINDOW
from espi_server.access.opening import PRODUCTION
from espi_server.access.tokens import digest


@dataclass(frozen=True)
class Kept(TokenMixin):
    """A token's row with what it hangs on, as Authlib asks about it."""

    row: Token
    application: Application | None
    authorization: Authorization | None
    family: TokenFamily | None

    def check_client(self, client: Client) -> bool:
        """Was it issued to this client?"""
        return self.row.application_id == client.application.id

    def get_scope(self) -> str:
        """What it was issued for."""
        return self.row.scope

    def is_expired(self) -> bool:
        """Is its time over, or that of what it hangs on?"""
        now = clock.seconds()
        consent = self.authorization
        return self.row.expires_at <= now or (
            consent is not None and not consent.starts_at <= now < consent.ends_at
        )

    def is_revoked(self) -> bool:
        """Has it, its family, its authorization or its application ended? The guard says the same."""
        return (
            self.row.revoked_at is not None
            or (self.family is not None and self.family.revoked_at is not None)
            or (self.authorization is not None and self.authorization.ended_at is not None)
            or (self.application is not None and self.application.status != PRODUCTION)
        )

    @property
    def is_live(self) -> bool:
        """May it still be used?"""
        return not (self.is_expired() or self.is_revoked())


def find(session: Session, token: str) -> Kept | None:
    """What is kept of a token, of whichever kind."""
    row = session.get(Token, digest(token))
    if row is None:
        return None
    return Kept(
        row,
        session.get(Application, row.application_id) if row.application_id else None,
        session.get(Authorization, row.authorization_id) if row.authorization_id else None,
        session.get(TokenFamily, row.family_id) if row.family_id else None,
    )


def claim(session: Session, kept: Kept, client: Client) -> bool:
    """Use a refresh token; of many who try at once one hears True, and a replay ends the family."""
    now = clock.seconds()
    _lock(session, kept)
    done: Any = session.execute(
        update(Token)
        .where(Token.digest == kept.row.digest, Token.used_at.is_(None), Token.revoked_at.is_(None))
        .values(used_at=now)
    )
    if done.rowcount:
        return True
    session.refresh(kept.row)
    if _may_repeat(kept.row, client, now) and _retire_successor(session, kept.row, now):
        return True
    if end_family(session, kept, "replayed"):
        _sound(session, kept, f"client:{client.get_client_id()}")
    return False


def _sound(session: Session, kept: Kept, by: str) -> None:
    """Somebody else may have had the token: write it down, and tell those who can look into it."""
    row = kept.row
    audit.record(
        session,
        row.utility_id,
        "token.replayed",
        actor=by,
        subject=f"token:{row.digest.hex()}",
        application=row.application_id,
        authorization=row.authorization_id,
        family=row.family_id,
    )
    if row.application_id is not None and row.authorization_id is not None:
        alarms.replayed(session, row.application_id, row.authorization_id)


def end_family(session: Session, kept: Kept, reason: str) -> bool:
    """All tokens of a family are dead at once; False where they were already."""
    now = clock.seconds()
    family = kept.row.family_id
    if family is None:
        return False
    _lock(session, kept)
    session.execute(
        update(Token)
        .where(Token.family_id == family, Token.revoked_at.is_(None))
        .values(revoked_at=now, revoked_reason=reason)
    )
    ended: Any = session.execute(
        update(TokenFamily)
        .where(TokenFamily.id == family, TokenFamily.revoked_at.is_(None))
        .values(revoked_at=now, revoked_reason=reason)
    )
    return bool(ended.rowcount)


def _lock(session: Session, kept: Kept) -> None:
    """One at a time in a family: they touch the same tokens, in whatever order PostgreSQL finds them."""
    family = select(TokenFamily.id).where(TokenFamily.id == kept.row.family_id)
    session.execute(family.with_for_update(key_share=True))


def _may_repeat(row: Token, client: Client, now: int) -> bool:
    """A legacy client may lose an answer and ask again, for as long as its row says."""
    window = min(client.application.retry_window, LONGEST_WINDOW) if client.policy.may_retry else 0
    return row.used_at is not None and row.revoked_at is None and now - row.used_at < window


def _retire_successor(session: Session, row: Token, now: int) -> bool:
    """Only the immediate predecessor of a token that nobody used may come again; that token is dead then."""
    successor = select(Token.digest).where(
        Token.family_id == row.family_id,
        Token.predecessor == row.digest,
        Token.kind == "refresh",
        Token.revoked_at.is_(None),
    )
    done: Any = session.execute(
        update(Token)
        .where(Token.digest.in_(successor), Token.used_at.is_(None))
        .values(revoked_at=now, revoked_reason="repeated")
    )
    return bool(done.rowcount)
