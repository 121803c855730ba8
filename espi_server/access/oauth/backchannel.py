"""Asking a customer by message while she stays with the company (OpenID CIBA Core 1.0, poll mode).

The company says whom it means and gets something to poll with. Whether anybody is found, a worker sees later
(`access.asking`): so the answer, its time and its statements are the same for every customer and for none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidScopeError, UnauthorizedClientError
from sqlalchemy import func, select

from espi_server import clock
from espi_server.access import audit, sealing, tokens
from espi_server.access.identification import Profile
from espi_server.access.models import Application, AuthorizationRequest
from espi_server.access.oauth import assertions, authentication, requests
from espi_server.access.oauth.clients import Client, Wanted
from espi_server.access.oauth.errors import Refused, Wrong, sayable
from espi_server.access.oauth.request import Request, is_plain
from espi_server.accounts.onboarding import AHEAD, ASKED
from espi_server.accounts.portal import Portal
from espi_server.espi.scope import ScopeError
from espi_server.jobs import later

if TYPE_CHECKING:
    from espi_server.access.oauth.server import Server

JOB: Final = "consent.ask"
GRANT: Final = "urn:openid:params:grant-type:ciba"
PATH: Final = "/oauth/bc-authorize"
INTERVAL: Final = 5  # seconds between two polls
LIFETIME: Final = 600  # seconds a customer has to answer
SHORTEST: Final = 60
LONGEST: Final = 3600
AN_HOUR: Final = 600  # requests of one application
_HOUR: Final = 3600
_MOST_FIELDS = 20
_HINTS = ("login_hint_token", "login_hint", "id_token_hint")
_ASKED = frozenset({"scope", "binding_message", "requested_expiry", *_HINTS})
_SHOWN = frozenset({"client_id", "scope", "binding_message"})
_NOTE = frozenset({"iss", "aud", "exp", "iat", "nbf", "jti", "sub"})
# It is told to the customer in the utility's name, so nothing fits into it that could be an address or a request.
_BINDING = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,31}")
_WHOLE = re.compile("[0-9]{1,9}")


class BadBindingMessage(OAuth2Error):
    """CIBA 13."""

    error = "invalid_binding_message"
    description = "The binding_message is 1 to 32 letters, digits, blanks or hyphens."


class HintExpired(OAuth2Error):
    """CIBA 13."""

    error = "expired_login_hint_token"
    description = "The login_hint_token is over; make another."


class Enough(OAuth2Error):
    """One application asks too much."""

    error = "temporarily_unavailable"
    description = f"This client has asked {AN_HOUR} times within an hour. Wait, then ask again."

    def __init__(self, wait: int) -> None:
        super().__init__(status_code=429)
        self._wait = wait

    def get_headers(self) -> list[tuple[str, str]]:
        """Those of every error, and how long to wait."""
        return [*super().get_headers(), ("Retry-After", str(self._wait))]


@dataclass(frozen=True)
class Asked:
    """A request that can be taken: what is kept of it, whom it means, and how long it waits."""

    kept: Mapping[str, str]
    profile: Profile
    lifetime: int


def ask(server: Server, request: Request, page: Callable[[str], str]) -> dict[str, Any]:
    """Keep a request: what the company polls with. `page` is where its customer answers."""
    client = authentication.authenticate(server.session, server.utility.id, server.issuer, request)
    server.client = client
    if not client.policy.may_message:
        raise UnauthorizedClientError(
            description=f"Clients of the {client.policy.name} policy do not ask by message."
        )
    if not any(Portal.of(server.utility).offers(mode, by_message=True) for mode in (AHEAD, ASKED)):
        raise UnauthorizedClientError(description="This utility does not ask its customers by message.")
    asked = _read(server, client, _parameters(server, client, request))
    _check_flood(server, client.application)
    handle, link = tokens.chance("message"), tokens.chance(requests.PENDING)
    digest = tokens.digest(link)
    held = {"profile": dict(asked.profile), "link": page(link)}
    requests.keep(
        server.session,
        requests.PENDING,
        server.utility.id,
        client.application.id,
        dict(asked.kept),
        secret=link,
        lifetime=asked.lifetime,
        poll_digest=tokens.digest(handle),
        sealed=sealing.seal(server.session, AuthorizationRequest, {"digest": digest}, held),
        pause=INTERVAL,
    )
    actor = f"client:{client.get_client_id()}"
    audit.record(
        server.session, server.utility.id, "consent.asked", actor=actor, subject=f"request:{digest.hex()}",
        application=client.application.id, scope=asked.kept["scope"], until=clock.seconds() + asked.lifetime,
    )  # fmt: skip
    later.ask(
        server.session, server.utility.id, JOB, {"request": digest.hex()}, access="", actor=actor
    )  # fmt: skip
    return {"auth_req_id": handle, "expires_in": asked.lifetime, "interval": INTERVAL}


def _parameters(server: Server, client: Client, request: Request) -> dict[str, str]:
    """What is asked: from the form, or whole from the signed request in it (CIBA 7.1.1)."""
    form = {name: value for name, value in request.form.items() if name in _ASKED | {"request"}}
    if "request" not in form:
        return form
    if len(form) > 1:
        raise Wrong("With a signed request, all parameters but those of the client stand inside it.")
    try:
        claims = assertions.read(server.session, client.application, form["request"], [server.issuer])
    except Refused as error:
        raise Wrong(
            f"The request is no note that one of the client's keys signed for {server.issuer}, with iss, aud, exp (at"
            f" most {assertions.LONGEST} s ahead) and a jti of its own."
        ) from error
    if "sub" in claims:  # so that no such note can show who the client is, or the other way round
        raise Wrong("A signed request has no sub.")
    return {name: _text(name, value) for name, value in claims.items() if name in _ASKED} | {"request": ""}


def _text(name: str, value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not is_plain(text):
        raise Wrong(f"The parameter {name} in the signed request is a text.")
    return text


def _read(server: Server, client: Client, given: Mapping[str, str]) -> Asked:
    _check_scope(client, given.get("scope", ""))
    word = given.get("binding_message")
    if word is not None and not _BINDING.fullmatch(word):
        raise BadBindingMessage()
    lifetime = given.get("requested_expiry", str(LIFETIME))
    if not _WHOLE.fullmatch(lifetime) or not int(lifetime):
        raise Wrong("The requested_expiry is a number of seconds, at least 1.")
    kept = {name: value for name, value in given.items() if name in _SHOWN}
    return Asked(
        kept | {"client_id": client.get_client_id()},
        _profile(server, client, given),
        min(max(int(lifetime), SHORTEST), LONGEST),
    )


def _check_scope(client: Client, scope: str) -> None:
    if not scope:
        raise InvalidScopeError(description="The parameter scope is missing; it is one such as FB=4_5_15.")
    try:
        client.check_scope(Wanted.read(scope))
    except ScopeError as error:
        raise InvalidScopeError(description=sayable(str(error))) from error


def _profile(server: Server, client: Client, given: Mapping[str, str]) -> Profile:
    """Whom the request means: exactly one hint (CIBA 7.1), signed where the policy asks for it."""
    hints = [name for name in _HINTS if given.get(name)]
    if len(hints) != 1 or hints == ["id_token_hint"]:
        raise Wrong("Say whom you mean once: by a login_hint_token, or by a login_hint.")
    if hints == ["login_hint_token"]:
        return _signed_profile(server, client, given["login_hint_token"])
    if not client.policy.may_hint and "request" not in given:
        raise Wrong(f"A client of the {client.policy.name} policy signs: it sends a login_hint_token.")
    if len(given["login_hint"]) > 256:
        raise Wrong("The login_hint has at most 256 characters.")
    return {"login_hint": given["login_hint"]}


def _signed_profile(server: Server, client: Client, note: str) -> Profile:
    try:
        claims = assertions.read(server.session, client.application, note, [server.issuer])
    except assertions.Over as error:
        raise HintExpired() from error
    except Refused as error:
        raise Wrong(
            f"The login_hint_token is no note that one of the client's keys signed for {server.issuer}, with iss, aud,"
            f" exp (at most {assertions.LONGEST} s ahead) and a jti of its own."
        ) from error
    profile = {name: value for name, value in claims.items() if name not in _NOTE}
    if "sub" in claims or not profile or not _is_profile(profile):
        raise Wrong(
            f"The login_hint_token holds 1 to {_MOST_FIELDS} OpenID claims as texts (address: an object of texts), and"
            " no sub."
        )
    return profile


def _is_profile(profile: Mapping[str, Any]) -> bool:
    address = profile.get("address", {})
    plain = {name: value for name, value in profile.items() if name != "address"}
    if not isinstance(address, Mapping):
        return False
    values = [*plain.values(), *address.values()]
    return len(values) <= _MOST_FIELDS and all(
        isinstance(each, str) and len(each) <= 256 and is_plain(each) for each in values
    )


def _check_flood(server: Server, application: Application) -> None:
    """Counted in the database, one request of an application after the other."""
    mine = select(Application.id).where(Application.id == application.id)
    server.session.execute(mine.with_for_update(key_share=True))
    now = clock.seconds()
    asked = select(func.count(), func.min(AuthorizationRequest.created_at)).where(
        AuthorizationRequest.application_id == application.id,
        AuthorizationRequest.poll_digest.is_not(None),
        AuthorizationRequest.created_at > now - _HOUR,
    )
    count, first = server.session.execute(asked).one()
    if count >= AN_HOUR:
        raise Enough(max(1, first + _HOUR - now))
