"""The grants: Authlib's classes, with our rows, one success among many tries, and replays that have consequences."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import grants as theirs
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError
from authlib.oidc.core.grants import OpenIDHybridGrant

from espi_server import clock
from espi_server.access import grants, machines, standing, tokens
from espi_server.access.models import Authorization, AuthorizationCode
from espi_server.access.oauth import authentication, codes, refreshing
from espi_server.access.oauth.clients import CODE, HYBRID, OPENID, Client, Wanted
from espi_server.access.oauth.codes import Code
from espi_server.access.oauth.errors import Wrong, sayable
from espi_server.access.oauth.openid import Signs
from espi_server.access.oauth.policies import WAYS
from espi_server.access.oauth.refreshing import Kept
from espi_server.energy.models import UsagePoint
from espi_server.espi.scope import EVERYTHING, Scope, ScopeError

if TYPE_CHECKING:
    from espi_server.access.oauth.server import Server

_log = logging.getLogger("espi_server.oauth")


class Ours:
    """What they share: who asks, what their tokens are bound to, and what begins with a customer's yes."""

    server: Server
    request: Any
    TOKEN_ENDPOINT_AUTH_METHODS = list(WAYS)

    @property
    def client(self) -> Client:
        """Who asks."""
        found: Client = self.request.client
        return found

    @property
    def confirmation(self) -> bytes | None:
        """The certificate its tokens are bound to, if the client came with one that is registered (RFC 8705 3)."""
        certificate: bytes | None = self.request.sent.certificate
        return certificate if authentication.holds(self.client.application, certificate) else None

    @property
    def actor(self) -> str:
        """Who is written down as having been given the tokens."""
        return f"client:{self.client.get_client_id()}"

    def save_token(self, token: Any) -> None:
        """The rows are there already."""

    def check_company(self) -> None:
        """`InvalidGrantError` where it may not ask any more; if it may, it stays so until the commit."""
        if not standing.may_begin(self.server.session, self.client.application.id):
            raise InvalidGrantError(description="This client may not ask for data any more.")

    def begin(self, row: AuthorizationCode) -> Authorization:
        """The authorization of a yes that was claimed. What may have changed since then is looked at again."""
        session = self.server.session
        points = grants.shareable_of(
            session, row.utility_id, row.customer_id, [uuid.UUID(each) for each in row.usage_points]
        )
        if (
            not points
            or not self._may_have(row.scope)
            or row.until <= clock.seconds()
            or standing.is_locked(session, row.customer_id)
        ):
            raise InvalidGrantError(
                description="What the customer agreed to share cannot be shared any more."
            )
        authorization = self._adopted(row, points) if row.adopts_id else self._new(row, points)
        row.authorization_id = authorization.id
        return authorization

    def _new(self, row: AuthorizationCode, points: Sequence[UsagePoint]) -> Authorization:
        return grants.begin(
            self.server.session,
            self.client.application,
            row.customer_id,
            points,
            scope=row.scope,
            until=row.until,
            identified=row.identified,
            consent_record_id=row.consent_record_id,
            lasting=row.lasting,
            by=self.actor,
        )

    def _adopted(self, row: AuthorizationCode, points: Sequence[UsagePoint]) -> Authorization:
        """The one she gave before the company asked, as it is or with what she added to it meanwhile."""
        waiting = self.server.session.get_one(Authorization, row.adopts_id)
        is_the_same = row.consent_record_id == waiting.consent_record_id
        # The consent rests on how she was identified then; now she only came along.
        identified = {**row.identified, "agreed": waiting.identified} if is_the_same else row.identified
        # As long a history as she gave begins where it began then: nothing of it is lost by coming late.
        is_as_long = Scope.parse(row.scope).history_length == Scope.parse(waiting.scope).history_length
        terms = grants.Terms(
            points, row.scope, row.until, row.lasting, identified, row.consent_record_id, keeps_history=is_as_long
        )  # fmt: skip
        if not grants.adopt(self.server.session, waiting, terms, by=self.actor):
            raise InvalidGrantError(
                description="What the customer agreed to before has lapsed; ask her anew."
            )
        return waiting

    def _may_have(self, scope: str) -> bool:
        try:
            self.client.check_scope(Wanted.read(scope))
        except ScopeError:
            return False
        return True

    def answer(self, authorization: Authorization, openid: bool) -> dict[str, Any]:
        """The first tokens of an authorization."""
        return grants.token_answer(
            self.server.session,
            self.server.utility,
            authorization,
            installation=self.server.place.installation,
            lifetime=self.client.policy.access,
            openid=openid,
            confirmation=self.confirmation,
            by=self.actor,
        )


class CodeGrant(Ours, theirs.AuthorizationCodeGrant):
    """A code, and what comes of it."""

    RESPONSE_TYPES = {CODE}

    def create_authorization_response(self, redirect_uri: str, grant_user: Any) -> tuple[int, str, Any]:
        """The customer said yes: back to the company with a code."""
        code = keep_decision(self.server, self.request, grant_user)
        return 303, "", [("Location", self.server.back(self.request, redirect_uri, {"code": code}))]

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        """This client's code; one that was used is a replay, and ends what came of it."""
        row = codes.find(self.server.session, code, client.application.id)
        if row is None or (row.used_at is None and row.expires_at <= clock.seconds()):
            return None
        if row.used_at is not None:
            self._replayed(row)
            return None
        given = self.request.payload.redirect_uri
        if row.redirect_uri is None and given is not None and not client.check_redirect_uri(given):
            return None
        return Code(row)

    def create_token_response(self) -> Any:
        """Tokens, if nobody redeemed the code meanwhile."""
        row = self.request.authorization_code.row
        self.check_company()
        if not codes.claim(self.server.session, row):
            self._replayed(row)
            raise InvalidGrantError(description="This code was redeemed before, or its time is over.")
        return super().create_token_response()

    def authenticate_user(self, authorization_code: Code) -> Authorization:
        """The authorization that begins now."""
        return self.begin(authorization_code.row)

    def generate_token(self, user: Any = None, **_more: Any) -> dict[str, Any]:
        """The answer, with the first tokens of the authorization."""
        return self.answer(user, self.request.authorization_code.row.openid)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It stays, used, so that a replay is seen."""

    def _replayed(self, row: AuthorizationCode) -> None:
        _log.warning("application %s presented a code again; its authorization ends", row.application_id)
        codes.replayed(self.server.session, row)


class HybridGrant(Signs, Ours, OpenIDHybridGrant):
    """A code and beside it, at once, a signed note about who signed in."""

    RESPONSE_TYPES = {HYBRID}

    def create_granted_params(self, grant_user: Any) -> list[tuple[str, str]]:
        """Code and note, nothing else."""
        self.request.user = grant_user
        code = keep_decision(self.server, self.request, grant_user)
        signed = self.process_implicit_token({"scope": self.request.scope}, code)
        return [("code", code), ("id_token", signed["id_token"])]

    def create_authorization_response(self, redirect_uri: str, grant_user: Any) -> tuple[int, str, Any]:
        """The customer said yes: back to the company, behind the `#`."""
        params = dict(self.create_granted_params(grant_user))
        return 303, "", [("Location", self.server.back(self.request, redirect_uri, params))]

    def get_client_claims(self, client: Any) -> dict[str, Any]:
        """With when and how the customer signed in."""
        told: dict[str, Any] = self.request.user.identified.claims
        return super().get_client_claims(client) | told


class RefreshGrant(Ours, theirs.RefreshTokenGrant):
    """The next tokens of an authorization."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Kept | None:
        """The token, while what it hangs on lives."""
        kept = refreshing.find(self.server.session, refresh_token)
        if kept is None or kept.row.kind != "refresh" or kept.row.utility_id != self.server.utility.id:
            return None
        bound = kept.row.confirmation
        if not kept.is_live or (bound is not None and bound != self.request.sent.certificate):
            return None
        return kept

    def _validate_token_scope(self, token: Kept) -> None:
        """The granted scope, or none at all: another one needs another consent."""
        text = self.request.payload.scope
        if not text:
            return
        try:
            wanted = Wanted.read(text)
        except ScopeError as error:
            raise InvalidScopeError(description=sayable(str(error))) from error
        may_sign_in = token.family is not None and token.family.openid
        if wanted.scope != Scope.parse(token.row.scope) or (wanted.openid and not may_sign_in):
            raise InvalidScopeError(
                description="A refresh gives the scope that was granted. Leave scope out, or send it as granted."
            )

    def create_token_response(self) -> Any:
        """Tokens, if this token was not used before."""
        if not refreshing.claim(self.server.session, self.request.refresh_token, self.client):
            _log.warning(
                "application %s presented a refresh token again; its family ends", self.client.application.id
            )
            raise InvalidGrantError(
                description="This refresh token was used before, so all tokens that followed it are dead."
            )
        return super().create_token_response()

    def authenticate_user(self, refresh_token: Kept) -> Authorization | None:
        """The authorization it belongs to."""
        return refresh_token.authorization

    def generate_token(self, user: Any = None, **_more: Any) -> dict[str, Any]:
        """The answer, with tokens of the same family."""
        kept: Kept = self.request.refresh_token
        family = kept.family
        if family is None:
            raise InvalidGrantError()
        return grants.next_answer(
            self.server.session,
            self.server.utility,
            user,
            family,
            installation=self.server.place.installation,
            lifetime=self.client.policy.access,
            confirmation=self.confirmation,
            predecessor=kept.row.digest,
            by=self.actor,
        )

    def revoke_old_credential(self, refresh_token: Kept) -> None:
        """It is used already."""


class ClientGrant(Ours, theirs.ClientCredentialsGrant):
    """A token for the application itself: its authorizations, its bulk."""

    def validate_requested_scope(self) -> None:
        """Function blocks, or nothing."""
        text = self.request.payload.scope
        if not text:
            return
        try:
            scope = Scope.parse(text)
            scope.check(EVERYTHING)
        except ScopeError as error:
            raise InvalidScopeError(description=sayable(str(error))) from error

    def generate_token(self, scope: str | None = None, **_more: Any) -> dict[str, Any]:
        """The answer, with PG&E's name for the token beside the standard's."""
        server, lifetime = self.server, self.client.policy.client
        issued = tokens.issue(
            server.session,
            "client",
            server.utility.id,
            application=self.client.application,
            scope=scope or "",
            lifetime=lifetime,
            confirmation=self.confirmation,
            issued_by=self.actor,
        )
        return machines.answer(
            server.utility,
            "client",
            issued,
            scope or "",
            lifetime=lifetime,
            installation=server.place.installation,
        )


def keep_decision(server: Server, request: Any, agreed: Any, *, lifetime: int | None = None) -> str:
    """A code for what the customer agreed to, good for so many seconds or as the policy says."""
    client: Client = request.client
    wanted = Wanted.read(request.scope)
    now = clock.seconds()
    if agreed.adopts is None and not agreed.scope.within(wanted.scope):
        raise Wrong("The customer cannot grant more than was asked for.")
    row = AuthorizationCode(
        utility_id=server.utility.id,
        application_id=client.application.id,
        customer_id=agreed.customer_id,
        usage_points=[str(each) for each in agreed.usage_points],
        scope=agreed.text or wanted.granted(agreed.scope),
        openid=OPENID in request.scope.split(),
        until=agreed.until,
        lasting=agreed.lasting,
        adopts_id=agreed.adopts,
        identified=agreed.identified.row,
        consent_record_id=agreed.consent_record_id,
        redirect_uri=request.payload.redirect_uri,
        challenge=request.payload.data.get("code_challenge"),
        nonce=request.payload.data.get("nonce"),
        created_at=now,
        expires_at=now + (client.policy.code if lifetime is None else lifetime),
    )
    return codes.put(server.session, row)
