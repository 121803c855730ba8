"""The guard at every door: is this token live, and what does it open?

One statement on the driver's own connection. Whatever is wrong with a token, the answer is the same 401.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from espi_server import clock
from espi_server.access.applications import REVIEW
from espi_server.access.models import Application, Authorization, Token, TokenFamily
from espi_server.access.opening import PRODUCTION
from espi_server.access.tokens import LETTERS, digest
from espi_server.accounts.models import Utility
from espi_server.db import Compiled, Database
from espi_server.errors import Forbidden, Unauthorized

_INVALID = 'Bearer error="invalid_token", error_description="The token is unknown, expired or revoked."'
_TOO_LITTLE = 'Bearer error="insufficient_scope", error_description="This token does not open this path."'


@dataclass(frozen=True, slots=True)
class Grant:
    """Who asks, at which utility, and with what right; made by the guard alone."""

    digest: bytes
    kind: str
    scope: str
    utility_id: uuid.UUID
    utility: str
    namespace: uuid.UUID
    timezone: str
    base_url: str | None
    application_id: uuid.UUID | None
    authorization_id: uuid.UUID | None
    customer_id: uuid.UUID | None
    prepare_from: int | None = None
    prepare_bulk_from: int | None = None

    @property
    def letter(self) -> str:
        """The standard's letter for this kind of token: A, C, D, R or U."""
        return LETTERS[self.kind]


class Guard:
    """Admits requests of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look_up = Compiled(_statement(), database.engine)

    def admit(
        self, driver: Any, authorization: str | None, utility: str, certificate: bytes | None = None
    ) -> Grant:
        """The grant behind an `Authorization` header at a utility; `Unauthorized` where there is none.

        A token that is bound to a TLS certificate is none without it (RFC 8705 3): `certificate` is its SHA-256.
        """
        token = bearer(authorization)
        fingerprint = digest(token)
        rows = self._look_up.rows(driver, digest=fingerprint)
        if not rows or rows[0][3] != utility or not _is_live(rows[0], clock.seconds()):
            raise _invalid()
        if rows[0][17] is not None and bytes(rows[0][17]) != certificate:
            raise _invalid()
        return _grant(fingerprint, rows[0])


def bearer(authorization: str | None) -> str:
    """The token in an `Authorization` header (RFC 6750 2.1); the only place where one may stand."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized()
    return token.strip()


def closed() -> Forbidden:
    """The one answer to every path outside a grant, whether it exists or not."""
    return Forbidden(headers={"WWW-Authenticate": _TOO_LITTLE})


def _invalid() -> Unauthorized:
    return Unauthorized("The token is unknown, expired or revoked.", headers={"WWW-Authenticate": _INVALID})


def _statement() -> Any:
    return (
        select(
            Token.kind,
            Token.scope,
            Utility.id,
            Utility.code,
            Utility.namespace,
            Utility.timezone,
            Utility.base_url,
            Token.application_id,
            Token.authorization_id,
            Authorization.customer_id,
            Token.expires_at,
            Token.revoked_at,
            TokenFamily.revoked_at,
            Application.status,
            Authorization.starts_at,
            Authorization.ends_at,
            Authorization.ended_at,
            Token.confirmation,
            Utility.prepare_from,
            Utility.prepare_bulk_from,
        )
        .join(Utility, Utility.id == Token.utility_id)
        .outerjoin(Application, Application.id == Token.application_id)
        .outerjoin(Authorization, Authorization.id == Token.authorization_id)
        .outerjoin(TokenFamily, TokenFamily.id == Token.family_id)
        .where(Token.digest == bindparam("digest"))
    )


def _is_live(row: tuple[Any, ...], now: int) -> bool:
    expires_at, revoked_at, family_revoked_at, status, starts_at, ends_at, ended_at = row[10:17]
    if row[0] == "refresh" or expires_at <= now or revoked_at is not None or family_revoked_at is not None:
        return False
    if status is not None and status != PRODUCTION and not (row[0] == "registration" and status == REVIEW):
        return False  # in review a company still sees, and corrects, what it has registered
    return row[8] is None or (ended_at is None and starts_at <= now < ends_at)


def _grant(fingerprint: bytes, row: tuple[Any, ...]) -> Grant:
    kind, scope, utility_id, code, namespace, timezone, base_url, application, authorization, customer = row[
        :10
    ]
    return Grant(
        digest=fingerprint,
        kind=kind,
        scope=scope,
        utility_id=_uuid(utility_id),
        utility=code,
        namespace=_uuid(namespace),
        timezone=timezone,
        base_url=base_url,
        application_id=_maybe(application),
        authorization_id=_maybe(authorization),
        customer_id=_maybe(customer),
        prepare_from=row[18],
        prepare_bulk_from=row[19],
    )


def _uuid(value: Any) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def _maybe(value: Any) -> uuid.UUID | None:
    return None if value is None else _uuid(value)
