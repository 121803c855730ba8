"""The grant of a company that asked by message and polls for the answer (CIBA Core 1.0, 10.1 and 11)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidGrantError, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from espi_server import clock
from espi_server.access.models import Authorization, AuthorizationCode, AuthorizationRequest
from espi_server.access.oauth import backchannel, codes, requests
from espi_server.access.oauth.clients import Client
from espi_server.access.oauth.codes import Code
from espi_server.access.oauth.errors import Denied, Wrong
from espi_server.access.oauth.grants import Ours


class Pending(OAuth2Error):
    """Nobody has answered yet."""

    error = "authorization_pending"
    description = "The customer has not answered yet."


class SlowDown(OAuth2Error):
    """It polls too often."""

    error = "slow_down"
    description = f"Wait {backchannel.INTERVAL} seconds longer between two polls, from now on."


class Expired(OAuth2Error):
    """Nobody answered in time."""

    error = "expired_token"
    description = "Nobody answered in time. Ask anew."


class PollGrant(Ours, BaseGrant, TokenEndpointMixin):
    """What is polled with, and what comes of it. A poll too many costs nobody anything: it is how polling is."""

    GRANT_TYPE = backchannel.GRANT

    def validate_token_request(self) -> None:
        """Who polls, for what; or how far it is."""
        client: Client = self.authenticate_token_endpoint_client()
        if not client.policy.may_message:
            raise UnauthorizedClientError(
                description=f"Clients of the {client.policy.name} policy do not ask by message."
            )
        handle = self.request.form.get("auth_req_id")
        if not handle:
            raise Wrong("The parameter auth_req_id is missing.")
        self.request.client = client
        self.request.authorization_code = Code(self._decided(client, handle))

    def _decided(self, client: Client, handle: str) -> AuthorizationCode:
        """The customer's yes; every other state is an error (CIBA 11)."""
        session = self.server.session
        asked = requests.polled(session, self.server.utility.id, client.application.id, handle)
        if asked is None:
            raise InvalidGrantError(description="This auth_req_id is none of this client here.")
        code = session.get(AuthorizationCode, asked.code_digest) if asked.code_digest else None
        if code is not None and code.used_at is not None:
            raise InvalidGrantError(description="This auth_req_id was redeemed before.")
        if asked.expires_at <= clock.seconds():
            raise Expired()
        if asked.used_at is None:
            raise self._waiting(asked)
        if code is None:
            raise Denied()
        return code

    def _waiting(self, asked: AuthorizationRequest) -> OAuth2Error:
        return Pending() if requests.poll(self.server.session, asked, backchannel.INTERVAL) else SlowDown()

    def create_token_response(self) -> Any:
        """Tokens, if no other poll got them meanwhile."""
        row = self.request.authorization_code.row
        self.check_company()
        if not codes.claim(self.server.session, row):
            raise InvalidGrantError(description="This auth_req_id was redeemed before, or its time is over.")
        authorization: Authorization = self.begin(row)
        self.request.user = authorization
        response = 200, self.answer(authorization, row.openid), self.TOKEN_RESPONSE_HEADER
        self.execute_hook("after_create_token_response", response)  # the id_token
        return response
