"""Where a company registers its application, and looks at, changes or withdraws what it registered (RFC 7591, 7592)."""

from __future__ import annotations

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, request

from espi_server.access import managing, registration, throttle
from espi_server.access.admission import NotInvited
from espi_server.access.guard import Grant, bearer, closed
from espi_server.access.oauth import client_metadata
from espi_server.access.oauth.errors import BadMetadata
from espi_server.access.oauth.server import Answer as Answered
from espi_server.access.registration import Place
from espi_server.access.throttle import Tried
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.notify.webhooks import reach
from espi_server.web import oauth
from espi_server.web.described import OBJECT, Answer, Schema, describes
from espi_server.web.house import house
from espi_server.web.limits import neighbourhood
from espi_server.web.resources import admitted

blueprint = Blueprint("registering", __name__)
oauth.answers_errors(blueprint)

_JSON = "application/json"
_BODY: dict[str, Schema] = {_JSON: OBJECT}
_NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_ONE = "/<code>/oauth/register/<client_id>"


@blueprint.post("/<code>/oauth/register")
@describes(
    "Register an application",
    method="POST",
    tag="authorization",
    description="With an invitation of the utility as Bearer token, a software statement of the authority, or both.",
    body=_BODY,
    answers=oauth.outcomes("RFC 7591 3.2.1: with its secret and registration token, once.", status=201),
)
def register(code: str) -> Response:
    """A new application, in review."""
    tried = Tried("register", code, neighbourhood(request.remote_addr or ""))
    standing = house().throttle.check(tried)
    header = request.headers.get("Authorization")
    try:
        invitation = bearer(header) if header else None
        given = _given()
        with house().database.writing() as session:
            utility = utilities.find(session, code)
            said = registration.register(session, utility, given, invitation, _place())
            throttle.succeeded(session, tried, standing)
    except NotInvited:
        # Nothing was written with it, so this is a unit of work of its own.
        with house().database.writing() as session:
            throttle.failed(session, tried)
        raise
    return oauth.written(Answered(201, said, _NO_STORE))


@blueprint.get(_ONE)
@describes(
    "What is registered", tag="authorization", tokens="R", answers=oauth.outcomes("RFC 7592 2.1."), name="registered"
)  # fmt: skip
def registered(code: str, client_id: str) -> Response:
    """As it stands now. The token is told back, for who asks has it; the secret is not."""
    grant = _manages(code)
    with house().database.reading() as session:
        found = registration.find(session, grant.application_id, client_id)
        said = registration.document(found, session.get_one(Utility, found.utility_id), _place())
    said["registration_access_token"] = bearer(request.headers.get("Authorization"))
    return oauth.written(Answered(200, said, _NO_STORE))


@blueprint.put(_ONE)
@describes(
    "Register it anew",
    method="PUT",
    tag="authorization",
    tokens="R",
    body=_BODY,
    answers=oauth.outcomes("RFC 7592 2.2: with another registration token; the one it came with is over."),
    name="register_anew",
)
def register_anew(code: str, client_id: str) -> Response:
    """All that is said now, instead of what was said before."""
    grant = _manages(code)
    given = _given()
    with house().database.writing() as session:
        found = registration.find(session, grant.application_id, client_id)
        said = registration.restate(session, found, given, grant.digest, _place())
    return oauth.written(Answered(200, said, _NO_STORE))


@blueprint.delete(_ONE)
@describes(
    "Withdraw it for good",
    method="DELETE",
    tag="authorization",
    tokens="R",
    answers={**oauth.outcomes("", status=204), 204: Answer("RFC 7592 2.3: its authorizations end too.")},
    name="withdraw",
)
def withdraw(code: str, client_id: str) -> Response:
    """The application and all it was given are gone."""
    grant = _manages(code)
    with house().database.writing() as session:
        found = registration.find(session, grant.application_id, client_id)
        managing.withdraw(session, found, by=grant.kind)
    return oauth.written(Answered(204, "", _NO_STORE))


def _manages(code: str) -> Grant:
    grant = admitted(code)
    if grant.kind != "registration":
        raise closed()
    return grant


def _given() -> dict[str, object]:
    if request.mimetype != _JSON:
        raise BadMetadata(f"The body is {_JSON}.")
    return client_metadata.parsed(request.get_data())


def _place() -> Place:
    settings = house().settings
    return Place(settings.base_url, house().authority, reach(settings).check)


@blueprint.errorhandler(OAuth2Error)
def _refused(error: OAuth2Error) -> Response:
    status, body, headers = error()
    return oauth.written(Answered(status, body, tuple(headers)))
