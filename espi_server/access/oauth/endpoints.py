"""Ending a token (RFC 7009) and asking about one (RFC 7662): each client for its own."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from espi_server import clock
from espi_server.access import audit, grants
from espi_server.access.oauth import refreshing
from espi_server.access.oauth.clients import OPENID, Client
from espi_server.access.oauth.errors import Wrong
from espi_server.access.oauth.openid import subject
from espi_server.access.oauth.policies import WAYS
from espi_server.access.oauth.refreshing import Kept

_THEIRS = {"access": "access_token", "refresh": "refresh_token"}


class _Own:
    """A token is looked for by what it is; the hint is only a hint."""

    CLIENT_AUTH_METHODS = list(WAYS)
    server: Any

    def check_params(self, request: Any, client: Client) -> None:
        """The one parameter there must be."""
        if not request.form.get("token"):
            raise Wrong("The parameter token is missing.")

    def query_token(self, token: str, hint: str | None) -> Kept | None:
        """The token of this utility, whatever the hint says."""
        found = refreshing.find(self.server.session, token)
        return found if found and found.row.utility_id == self.server.utility.id else None


class Revocation(_Own, RevocationEndpoint):
    """A refresh token ends the authorization, any other token itself."""

    def revoke_token(self, token: Kept, request: Any) -> None:
        """ESPI 10.3: with its refresh token a company gives the whole grant back."""
        if token.row.kind == "refresh" and token.authorization is not None:
            grants.end(self.server.session, token.authorization, "given back", by=self._actor)
        elif token.row.revoked_at is None:
            token.row.revoked_at, token.row.revoked_reason = clock.seconds(), "given back"
            self._record(token)

    @property
    def _actor(self) -> str:
        return f"client:{self.server.client.get_client_id()}"

    def _record(self, token: Kept) -> None:
        row = token.row
        audit.record(
            self.server.session,
            row.utility_id,
            "token.revoked",
            actor=self._actor,
            subject=f"token:{row.digest.hex()}",
            kind=row.kind,
            application=row.application_id,
            authorization=row.authorization_id,
        )


class Introspection(_Own, IntrospectionEndpoint):
    """What a client may know of its own tokens; another's are as unknown as any."""

    def check_permission(self, token: Kept, client: Client, request: Any) -> bool:
        """Only its own."""
        return token.check_client(client)

    def introspect_token(self, token: Kept) -> dict[str, Any]:
        """The members of RFC 7662 2.2 that are known."""
        row, authorization = token.row, token.authorization
        if not token.is_live or (row.kind == "refresh" and row.used_at is not None):
            return {"active": False}
        is_openid = token.family is not None and token.family.openid
        said: dict[str, Any] = {
            "active": True,
            "client_id": self.server.client.get_client_id(),
            "token_type": "Bearer" if row.kind != "refresh" else "refresh_token",
            "scope": f"{OPENID} {row.scope}" if is_openid else row.scope,
            "iss": self.server.issuer,
            "iat": row.issued_at,
            "exp": row.expires_at,
        }
        if is_openid and authorization is not None and authorization.customer_id is not None:
            said["sub"] = subject(
                self.server.utility.namespace, authorization.application_id, authorization.customer_id
            )
        if row.confirmation is not None:
            said["cnf"] = {"x5t#S256": _base64url(row.confirmation)}
        return said


def _base64url(value: bytes) -> str:
    import base64

    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
