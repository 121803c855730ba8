"""OpenID Connect: a note, signed with the utility's key, about who the customer is and when she signed in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from authlib.oidc.core.grants.code import OpenIDCode
from authlib.oidc.core.userinfo import UserInfo

from espi_server import clock
from espi_server.access import keys
from espi_server.access.oauth import codes
from espi_server.energy import identity
from espi_server.errors import Internal

if TYPE_CHECKING:
    from espi_server.access.oauth.server import Server

LIFETIME: Final = 600  # seconds; it is read at once


def subject(namespace: uuid.UUID, application_id: uuid.UUID, customer_id: uuid.UUID) -> str:
    """A customer's name towards one application: another application has another one (OpenID Core 8.1)."""
    return str(identity.made(namespace, "Subject", f"{application_id}:{customer_id}"))


class Signs:
    """How an id_token is made here: ES256 whatever a client's metadata say, and true about the sign-in."""

    server: Server

    def get_client_algorithm(self, client: Any) -> str:
        """Ours, never the client's choice, so never `none`."""
        return keys.ALGORITHM

    def get_encode_header(self, client: Any) -> dict[str, str]:
        """Algorithm and key."""
        return {"alg": keys.ALGORITHM, "kid": str(self._key.kid), "typ": "JWT"}

    def resolve_client_private_key(self, client: Any) -> Any:
        """The utility's active key."""
        return self._key

    @property
    def _key(self) -> Any:
        return keys.active(self.server.session, self.server.utility.id, self.server.place.secret)

    def get_client_claims(self, client: Any) -> dict[str, Any]:
        """By whom, for whom, from when to when."""
        now = clock.seconds()
        return {"iss": self.server.issuer, "aud": client.get_client_id(), "iat": now, "exp": now + LIFETIME}

    def generate_user_info(self, user: Any, scope: str) -> UserInfo:
        """Who, towards this application: an opaque name, and nothing that is personal."""
        client = self.server.client
        if client is None:
            raise Internal()
        return UserInfo(sub=subject(self.server.utility.namespace, client.application.id, user.customer_id))

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """Was a code issued for this nonce before?"""
        return codes.exists(self.server.session, request.client.application.id, nonce)


class IdToken(Signs, OpenIDCode):
    """Beside the tokens of a redeemed code, where the request named `openid`."""

    def __init__(self, server: Server) -> None:
        super().__init__(require_nonce=False)
        self.server = server

    def __call__(self, grant: Any) -> None:
        """Take part in a grant; the request itself is checked by `server`."""
        grant.register_hook("after_create_token_response", self.process_token)
