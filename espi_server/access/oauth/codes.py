"""Codes: a customer's yes, bound to company, address and challenge, redeemed once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core.models import AuthorizationCodeMixin
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import alarms, audit, grants, tokens
from espi_server.access.models import Application, Authorization, AuthorizationCode

_KEPT = 7 * tokens.DAY  # a replay is noticed for so long


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """A code's row, as Authlib asks about it."""

    row: AuthorizationCode

    @property
    def challenge(self) -> str | None:
        """The PKCE challenge it is bound to."""
        return self.row.challenge

    def get_redirect_uri(self) -> str | None:
        """As the authorization request named it."""
        return self.row.redirect_uri

    def get_scope(self) -> str:
        """What the customer granted."""
        return self.row.scope

    def get_nonce(self) -> str | None:
        """The client's own."""
        return self.row.nonce

    def get_auth_time(self) -> int:
        """When the customer signed in, not when the code was made."""
        return int(self.row.identified["when"])

    def get_acr(self) -> str | None:
        """How strongly she was identified."""
        acr: str | None = self.row.identified.get("acr")
        return acr

    def get_amr(self) -> list[str]:
        """By what means."""
        return list(self.row.identified.get("amr", ()))


def put(session: Session, row: AuthorizationCode) -> str:
    """Keep a decision; its code, in clear."""
    session.execute(delete(AuthorizationCode).where(AuthorizationCode.expires_at < clock.seconds() - _KEPT))
    code = tokens.chance("code")
    row.digest = tokens.digest(code)
    session.add(row)
    audit.record(
        session,
        row.utility_id,
        "code.issued",
        actor=f"customer:{row.customer_id}",
        subject=f"code:{row.digest.hex()}",
        application=row.application_id,
        customer=row.customer_id,
        scope=row.scope,
        until=row.until,
    )
    return code


def find(session: Session, code: str, application_id: uuid.UUID) -> AuthorizationCode | None:
    """This application's code, whatever has become of it; another's is nobody's."""
    row = session.get(AuthorizationCode, tokens.digest(code))
    return row if row and row.application_id == application_id else None


def claim(session: Session, row: AuthorizationCode) -> bool:
    """Redeem it; of many who try at once one hears True."""
    now = clock.seconds()
    done: Any = session.execute(
        update(AuthorizationCode)
        .where(
            AuthorizationCode.digest == row.digest,
            AuthorizationCode.used_at.is_(None),
            AuthorizationCode.expires_at > now,
        )
        .values(used_at=now)
    )
    return bool(done.rowcount)


def replayed(session: Session, row: AuthorizationCode) -> None:
    """Its own company presents it again: somebody else may have it, so what came of it ends (RFC 6749 4.1.2)."""
    session.refresh(row)
    if row.authorization_id is not None:
        authorization = session.scalars(
            select(Authorization).where(Authorization.id == row.authorization_id)
        ).one()
        by = f"client:{session.get_one(Application, row.application_id).client_id}"
        if grants.end(session, authorization, "replayed", by=by):
            _record_replay(session, row, by)
            alarms.replayed(session, row.application_id, row.authorization_id)


def _record_replay(session: Session, row: AuthorizationCode, by: str) -> None:
    audit.record(
        session,
        row.utility_id,
        "code.replayed",
        actor=by,
        subject=f"code:{row.digest.hex()}",
        application=row.application_id,
        authorization=row.authorization_id,
    )


def exists(session: Session, application_id: uuid.UUID, nonce: str) -> bool:
    """Was a code issued to this application for the same nonce?"""
    chosen = select(AuthorizationCode.digest).where(
        AuthorizationCode.application_id == application_id, AuthorizationCode.nonce == nonce
    )
    return session.scalar(chosen.limit(1)) is not None
