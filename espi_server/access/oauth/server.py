"""One utility's authorization server, for one request and in its transaction."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidScopeError, UnauthorizedClientError
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import tokens
from espi_server.access.addresses import public_base
from espi_server.access.models import AuthorizationRequest
from espi_server.access.oauth import authentication, backchannel, requests
from espi_server.access.oauth.clients import CODE, HYBRID, OPENID, Client
from espi_server.access.oauth.endpoints import Introspection, Revocation
from espi_server.access.oauth.errors import Wrong, explained, plainer, sayable
from espi_server.access.oauth.grants import ClientGrant, CodeGrant, HybridGrant, RefreshGrant, keep_decision
from espi_server.access.oauth.openid import IdToken
from espi_server.access.oauth.pkce import S256
from espi_server.access.oauth.polling import PollGrant
from espi_server.access.oauth.request import Request, Sent, Values, check_once, is_plain
from espi_server.accounts.models import Utility
from espi_server.accounts.onboarding import AHEAD, ASKED
from espi_server.accounts.portal import Portal
from espi_server.errors import BadRequest, Unauthorized

# Authlib writes whole tokens into its debug log.
logging.getLogger("authlib").setLevel(logging.WARNING)
_log = logging.getLogger("espi_server.oauth")

_MODES = {CODE: "query", HYBRID: "fragment"}
_LONGEST_NONCE = 256
_SECONDS = re.compile("[0-9]{1,9}")


class UnknownApplication(Unauthorized):
    """No application of this name may ask for data here."""


class UnknownAddress(BadRequest):
    """The application asks to send you on to an address it has not registered."""


@dataclass(frozen=True)
class Place:
    """What the installation lends: its public address, and the secret that opens keys."""

    installation: str
    secret: str


@dataclass(frozen=True)
class Answer:
    """What is answered: a status, headers, and a body as JSON or none."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()


class LoginRequired(OAuth2Error):
    """`prompt=none`, and nobody is signed in."""

    error = "login_required"
    description = "Nobody is signed in here, and the request allows no question."


class Server(AuthorizationServer):
    """Authlib's server with our grants, bound to a session and a utility."""

    def __init__(self, session: Session, utility: Utility, place: Place) -> None:
        super().__init__()
        self.session, self.utility, self.place = session, utility, place
        self.issuer = public_base(utility.base_url, utility.code, place.installation)
        self.client: Client | None = None
        self.register_grant(CodeGrant, [S256(), IdToken(self)])
        self.register_grant(HybridGrant, [S256()])
        self.register_grant(RefreshGrant)
        self.register_grant(ClientGrant)
        self.register_grant(PollGrant, [IdToken(self)])
        self.register_endpoint(Revocation)
        self.register_endpoint(Introspection)

    # --- machines -----------------------------------------------------------------------------------

    def token(self, sent: Sent) -> Answer:
        """The token endpoint (RFC 6749 3.2)."""
        return self._answered(sent, self._token)

    def revoke(self, sent: Sent) -> Answer:
        """RFC 7009."""
        return self._answered(sent, lambda request: self.create_endpoint_response("revocation", request))

    def introspect(self, sent: Sent) -> Answer:
        """RFC 7662."""
        return self._answered(sent, lambda request: self.create_endpoint_response("introspection", request))

    def push(self, sent: Sent) -> Answer:
        """RFC 9126: the request of a browser, from the company itself and before the browser comes."""
        return self._answered(sent, self._push)

    def ask_by_message(self, sent: Sent, page: Callable[[str], str]) -> Answer:
        """CIBA 7: a request to a customer who stays with the company; she answers at `page`."""
        return self._answered(
            sent, lambda request: Answer(200, backchannel.ask(self, request, page), _NO_STORE)
        )

    def _answered(self, sent: Sent, act: Any) -> Answer:
        try:
            sent.check_machine()
            answer: Answer = act(Request(self.issuer, "POST", sent.form, sent))
        except OAuth2Error as error:
            error.redirect_uri = None
            return self.handle_response(*plainer(error)())
        return answer

    def _token(self, request: Request) -> Answer:
        if not request.payload.grant_type:
            raise Wrong("The parameter grant_type is missing.")
        answer: Answer = self.create_token_response(request)
        return answer

    def _push(self, request: Request) -> Answer:
        client = authentication.authenticate(self.session, self.utility.id, self.issuer, request, named=True)
        self.client = client
        if "request_uri" in request.form:
            raise Wrong("A pushed request holds the parameters themselves, not a request_uri.")
        values = _asked(request.form) | {"client_id": client.get_client_id()}
        self._check_address(client, values)
        self._check(client, values)
        handle = requests.put(self.session, requests.PUSHED, self.utility.id, client.application.id, values)
        body = {"request_uri": requests.URN + handle, "expires_in": requests.LIFETIMES[requests.PUSHED]}
        return Answer(201, body, _NO_STORE)

    # --- browsers -----------------------------------------------------------------------------------

    def ask(self, values: Values, browser: bytes | None = None) -> str | Answer:
        """Keep an authorization request for the customer: the secret it is found by, or the way back with an error.

        It is answered in the browser that brought it alone: `browser` is the digest of what that one can show.

        `UnknownApplication` and `UnknownAddress` are for the person in front of the browser: it goes nowhere then.
        """
        client = self._known(_only(values, "client_id"))
        given = {name: each[0] for name, each in values.items() if each}
        if given.get("request_uri", "").startswith(requests.URN):
            pushed = self._take_pushed(client, given["request_uri"])
            values, given = {name: [each] for name, each in pushed.items()}, pushed
        redirect_uri = self._check_address(client, given, values)
        try:
            check_once(values)
            self._check(client, given)
        except OAuth2Error as error:
            return self._back_with(error, given, redirect_uri)
        return requests.put(
            self.session, requests.PENDING, self.utility.id, client.application.id, _asked(given), browser
        )

    def answer(self, parameters: Mapping[str, str], agreed: Any) -> str:
        """Where the browser goes with the customer's yes (`Agreed`), or with an error such as her no (`Denied`)."""
        client = self._known(parameters.get("client_id", ""))
        redirect_uri = self._check_address(client, parameters)
        try:
            if isinstance(agreed, OAuth2Error):
                raise agreed
            grant = self._check(client, parameters)
            _, _, headers = grant.create_authorization_response(redirect_uri, agreed)
        except OAuth2Error as error:
            return dict(self._back_with(error, parameters, redirect_uri).headers)["Location"]
        return str(dict(headers)["Location"])

    def answer_poll(self, row: AuthorizationRequest, agreed: Any) -> None:
        """Keep the customer's yes for the poll that will ask; an error stands for her no."""
        client = self._known(row.parameters["client_id"])
        if isinstance(agreed, OAuth2Error):
            return
        request = Request(self.issuer, "POST", {name: [value] for name, value in row.parameters.items()})
        request.client = client
        code = keep_decision(self, request, agreed, lifetime=row.expires_at - clock.seconds())
        self.session.flush()
        row.code_digest = tokens.digest(code)

    def back(self, request: Request, redirect_uri: str, params: Mapping[str, str]) -> str:
        """The address of the company with our answer, its own state, and who we are (RFC 9207)."""
        return _with(
            redirect_uri,
            {**params, "state": request.payload.state, "iss": self.issuer},
            is_fragment=request.payload.response_type == HYBRID,
        )

    def _known(self, client_id: str) -> Client:
        found = authentication.application(self.session, self.utility.id, client_id)
        if found is None:
            raise UnknownApplication()
        self.client = Client(self.session, found)
        return self.client

    def _take_pushed(self, client: Client, request_uri: str) -> dict[str, str]:
        """What the company pushed; its handle works once."""
        handle = request_uri.removeprefix(requests.URN)
        row = requests.find(self.session, requests.PUSHED, self.utility.id, handle)
        if row is None or row.application_id != client.application.id or not requests.take(self.session, row):
            raise BadRequest(
                "This request was pushed by nobody, was used before, or is older than a minute. Begin again there."
            )
        return dict(row.parameters)

    def _check_address(self, client: Client, given: Mapping[str, str], values: Values | None = None) -> str:
        """Where the answer goes: the registered address, character by character; never a guess among several."""
        if values is not None:
            _only(values, "redirect_uri")
        asked = given.get("redirect_uri")
        if asked is None and OPENID not in given.get("scope", "").split():
            asked = client.get_default_redirect_uri()
        if asked is None or not client.check_redirect_uri(asked):
            raise UnknownAddress()
        return asked

    def _check(self, client: Client, given: Mapping[str, str]) -> Any:
        """The grant of a request that can be taken; `OAuth2Error` for everything the company can mend."""
        request = Request(self.issuer, "GET", {name: [value] for name, value in given.items()})
        _check_shape(client, given, str(request.payload.response_type or ""))
        self._check_way("code_challenge" in given)
        request.client = client
        return self.get_consent_grant(request)

    def _check_way(self, pkce: bool) -> None:
        """Does the utility let companies come so, with or without PKCE?"""
        chosen = Portal.of(self.utility)
        if any(chosen.offers(mode, by_message=False, pkce=pkce) for mode in (AHEAD, ASKED)):
            return
        if any(chosen.offers(mode, by_message=False) for mode in (AHEAD, ASKED)):
            raise Wrong(f"This utility takes requests {'without' if pkce else 'with'} a code_challenge only.")
        raise UnauthorizedClientError(description="This utility asks its customers by message only.")

    def _back_with(self, error: OAuth2Error, given: Mapping[str, str], redirect_uri: str) -> Answer:
        """Every error that goes back says whose it is, and carries the state."""
        said = {"error": error.error, "error_description": sayable(error.get_error_description() or "")}
        said["error_uri"] = error.uri or explained(self.place.installation, error.error)
        kind = " ".join(sorted(given.get("response_type", "").split()))
        location = _with(
            redirect_uri,
            {**said, "state": given.get("state"), "iss": self.issuer},
            is_fragment=kind == HYBRID,
        )
        return Answer(302, "", (("Location", location), *_NO_STORE))

    # --- what Authlib asks for ------------------------------------------------------------------------

    def query_client(self, client_id: str) -> Client | None:
        """The client of this name, if it may ask now."""
        found = authentication.application(self.session, self.utility.id, client_id)
        return Client(self.session, found) if found else None

    def authenticate_client(self, request: Request, methods: Any, endpoint: str = "token") -> Client:
        """Who asks, by our rules whatever the endpoint."""
        self.client = authentication.authenticate(self.session, self.utility.id, self.issuer, request)
        return self.client

    def create_oauth2_request(self, request: Request) -> Request:
        """It is one already."""
        return request

    def handle_error_response(self, request: Request, error: OAuth2Error) -> Answer:
        """What is wrong, in words that say what would be right."""
        return self.handle_response(*plainer(error)())

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        """As our views take it."""
        if isinstance(body, list):
            body = dict(body)
        return Answer(status, body, tuple(headers))

    def send_signal(self, name: str, *_more: Any, **_named: Any) -> None:
        """Nobody listens."""


_NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_KNOWN = frozenset(
    {
        "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge",
        "code_challenge_method", "prompt", "max_age", "login_hint", "ui_locales",
    }
)  # fmt: skip


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    """The parameters that mean something here; nothing else is kept."""
    return {name: value for name, value in given.items() if name in _KNOWN}


def _only(values: Values, name: str) -> str:
    """The one value of a parameter on which it hangs where the browser goes."""
    given = values.get(name, ())
    if len(given) > 1 or not all(map(is_plain, given)):
        raise UnknownAddress() if name == "redirect_uri" else UnknownApplication()
    return given[0] if given else ""


def _check_shape(client: Client, given: Mapping[str, str], response_type: str) -> None:
    """What Authlib leaves open, or says in characters its own errors may not have."""
    if not response_type:
        raise Wrong("The parameter response_type is missing; it is code.")
    if response_type not in _MODES:
        raise OAuth2Error(
            error="unsupported_response_type",
            description="The response_type is code, or for OpenID code id_token. No token comes by the browser.",
        )
    for name in ("request", "request_uri"):
        if name in given:
            raise OAuth2Error(
                error=f"{name}_not_supported",
                description="Send the parameters themselves, or push them first (RFC 9126).",
            )
    if given.get("response_mode", _MODES[response_type]) != _MODES[response_type]:
        raise Wrong(f"The response_mode of this response_type is {_MODES[response_type]}.")
    if not given.get("scope"):
        raise InvalidScopeError(description="The parameter scope is missing; it is one such as FB=4_5_15.")
    _check_openid(client, given, response_type)


def _check_openid(client: Client, given: Mapping[str, str], response_type: str) -> None:
    is_openid = OPENID in given["scope"].split()
    nonce = given.get("nonce")
    if response_type == HYBRID and not is_openid:
        raise InvalidScopeError(description="The response_type code id_token needs openid in the scope.")
    if nonce is not None and len(nonce) > _LONGEST_NONCE:
        raise Wrong(f"The nonce has at most {_LONGEST_NONCE} characters.")
    if is_openid and not nonce and (client.policy.needs_nonce or response_type == HYBRID):
        raise Wrong("This client sends a nonce with every OpenID request.")
    if "none" in given.get("prompt", "").split():
        raise LoginRequired()
    if not _SECONDS.fullmatch(given.get("max_age", "0")):
        raise Wrong("The max_age is a number of seconds.")
    if not given.get("state") and "code_challenge" not in given:
        _log.warning("application %s sends neither state nor code_challenge", client.application.id)


def _with(address: str, params: Mapping[str, str | None], *, is_fragment: bool) -> str:
    """The address with parameters behind it; what is registered stays as it is, letter by letter."""
    said = urlencode({name: value for name, value in params.items() if value})
    if is_fragment:
        return f"{address}#{said}"
    return f"{address}{'&' if '?' in address else '?'}{said}"
