"""The authorization server's addresses. They answer in the form of RFC 6749, their pages are in `oauth_pages`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, json, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from espi_server.access import consent, keys, sharing_flow, sharing_routes, throttle
from espi_server.access.models import Token, TokenFamily
from espi_server.access.oauth import authentication, metadata, requests
from espi_server.access.oauth.errors import Denied, explained
from espi_server.access.oauth.openid import subject
from espi_server.access.oauth.request import Sent
from espi_server.access.oauth.server import Answer as Answered
from espi_server.access.oauth.server import Place, Server
from espi_server.access.throttle import Tried
from espi_server.accounts import utilities
from espi_server.accounts.onboarding import AHEAD, ASKED
from espi_server.accounts.portal import Portal
from espi_server.errors import BadRequest, Forbidden, Problem, Unavailable
from espi_server.web import answers, asking_browser, certificates, oauth_pages, words
from espi_server.web.described import OBJECT, TEXT, Answer, Parameter, Schema, describes
from espi_server.web.house import house
from espi_server.web.limits import neighbourhood
from espi_server.web.portal import keep
from espi_server.web.requests import request_id
from espi_server.web.resources import admitted

blueprint = Blueprint("oauth", __name__)

_JSON = "application/json"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_FORM: Mapping[str, Schema] = dict.fromkeys(_FORMS, OBJECT)
_ERRORS = {
    401: "invalid_token",
    403: "insufficient_scope",
    429: "temporarily_unavailable",
    503: "temporarily_unavailable",
}
_log = logging.getLogger("espi_server.oauth")

ERROR: Schema = {
    "type": "object",
    "description": "RFC 6749 5.2.",
    "required": ["error"],
    "properties": {"error": TEXT, "error_description": TEXT, "error_uri": TEXT},
}


def outcomes(meaning: str, schema: Schema = OBJECT, status: int = 200) -> dict[int, Answer]:
    """A success, and what may go wrong at an address for machines."""
    said = {_JSON: ERROR}
    return {
        status: Answer(meaning, {_JSON: schema}),
        400: Answer("The request cannot be taken; `error` says why.", said),
        401: Answer("Nobody showed who asks.", said, {"WWW-Authenticate": "How to."}),
        403: Answer("This token does not open this.", said),
        404: Answer("There is no such utility.", said),
        413: Answer("The body is too large.", said),
        429: Answer("Too many attempts failed.", said, {"Retry-After": "Seconds to wait."}),
        503: Answer("Not just now.", said, {"Retry-After": "Seconds to wait."}),
    }


# --- browsers -----------------------------------------------------------------------------------------

_ASKED = tuple(
    Parameter(name, meaning)
    for name, meaning in {
        "client_id": "The application.",
        "redirect_uri": "Where the answer goes: as registered, letter by letter.",
        "response_type": "code, or with openid code id_token.",
        "scope": "One ESPI scope, with or without openid beside it.",
        "state": "Comes back as it is.",
        "code_challenge": "PKCE; needed unless the application is held to the legacy policy.",
        "code_challenge_method": "S256.",
        "nonce": "Comes back in the id_token.",
        "request_uri": "A request that was pushed before.",
    }.items()
)


def _browser(method: str) -> Callable[[Any], Any]:
    return describes(
        "Ask a customer for an authorization",
        method=method,
        tag="authorization",
        parameters=_ASKED if method == "GET" else (),
        body=_FORM if method == "POST" else {},
        answers={
            302: Answer("Back to the company with an error.", {}, {"Location": "Its address."}),
            303: Answer("On to where customers are asked, or back with an error.", {}, {"Location": "There."}),
        },
        problems=(400, 401, 404, 413, 503),
        has_pages=True,
        name="authorize",
    )  # fmt: skip


@blueprint.route("/<code>/oauth/authorize", methods=["GET", "POST"])
@_browser("GET")
@_browser("POST")
def authorize(code: str) -> Response:
    """Keep the request and send the browser on; consent is another address (OpenID Core 3.1.2.1)."""
    values = {
        name: [*request.args.getlist(name), *request.form.getlist(name)] for name in request.values if name
    }
    cookie = asking_browser.shown_or_new()
    with house().database.writing() as session:
        server = server_at(session, code)
        asked = server.ask(values, sharing_flow.browser(cookie))
        locales = ""
        if not isinstance(asked, Answered):
            locales = consent.find(server, asked).parameters.get("ui_locales", "")  # pushed, perhaps
            asked = _elsewhere(server, asked) or asked
    if isinstance(asked, Answered):
        # After a POST 303, so that no browser posts the parameters on.
        return written(asked, 303 if request.method == "POST" else 302)
    response = Response(status=303)
    response.headers["Location"] = server.issuer + house().consent.page(asked)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    asking_browser.give(response, cookie)
    _speak(response, locales)
    return response


def _speak(response: Response, locales: str) -> None:
    """The language the company asks for, where this browser was never told one (OpenID Core 3.1.2.1)."""
    chosen = next(filter(None, map(words.known, locales.split())), None)
    if chosen and words.COOKIE not in request.cookies:
        keep(response, words.COOKIE, chosen, None)


def _elsewhere(server: Server, secret: str) -> Answered | None:
    """Where a request goes that came to a utility without accounts of its own."""
    if not Portal.of(server.utility).without_accounts:
        return None
    row = consent.find(server, secret)
    there = sharing_routes.forwarded(
        server.session, server.utility, row.parameters, house().settings.base_url
    )
    if there is None:
        return None
    if isinstance(there, Denied):
        there = str(consent.decline(server, secret, denied=there, reason="no accounts here"))
    else:
        requests.take(server.session, row)
    headers = (("Location", there), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    return Answered(302, "", headers)


# --- machines -----------------------------------------------------------------------------------------


@blueprint.post("/<code>/oauth/token")
@describes(
    "Tokens for a code, a refresh token or the client itself",
    method="POST",
    tag="authorization",
    body=_FORM,
    answers=outcomes("RFC 6749 5.1, with ESPI's addresses."),
)
def token(code: str) -> Response:
    """The token endpoint."""
    return _machine(code, Server.token)


@blueprint.post("/<code>/oauth/revoke")
@describes("Give a token back", method="POST", tag="authorization", body=_FORM, answers=outcomes("RFC 7009."))
def revoke(code: str) -> Response:
    """A refresh token ends its authorization."""
    return _machine(code, Server.revoke)


@blueprint.post("/<code>/oauth/introspect")
@describes(
    "Ask about a token of one's own", method="POST", tag="authorization", body=_FORM, answers=outcomes("RFC 7662.")
)  # fmt: skip
def introspect(code: str) -> Response:
    """Is it live, and for what?"""
    return _machine(code, Server.introspect)


@blueprint.post("/<code>/oauth/par")
@describes(
    "Push an authorization request",
    method="POST",
    tag="authorization",
    body=_FORM,
    answers=outcomes("RFC 9126: `request_uri` is good once, for a minute.", status=201),
)
def par(code: str) -> Response:
    """Keep a request for the browser that will name it."""
    return _machine(code, Server.push)


@blueprint.post("/<code>/oauth/bc-authorize")
@describes(
    "Ask a customer by message, and poll the token endpoint for the answer",
    method="POST",
    tag="authorization",
    body=_FORM,
    answers=outcomes("CIBA 7.3: `auth_req_id`, `expires_in`, `interval`."),
)
def bc_authorize(code: str) -> Response:
    """Keep a request for a customer who stays with the company."""
    page = house().consent.page
    return _machine(code, lambda server, sent: server.ask_by_message(sent, page))


@blueprint.route("/<code>/oauth/userinfo", methods=["GET", "POST"])
@describes("Who the customer is", method="POST", tag="authorization", tokens="A", answers=outcomes("OpenID."))
@describes("Who the customer is", tag="authorization", tokens="A", answers=outcomes("OpenID."))
def userinfo(code: str) -> Response:
    """An opaque name, the same as in the id_token."""
    grant = admitted(code)
    with house().database.reading() as session:
        row = session.get_one(Token, grant.digest)
        family = session.get(TokenFamily, row.family_id) if row.family_id else None
        if family is None or not family.openid or not grant.application_id or not grant.customer_id:
            raise Forbidden(
                "This token was not granted with openid.",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="openid"'},
            )
    sub = subject(grant.namespace, grant.application_id, grant.customer_id)
    return written(Answered(200, {"sub": sub}, (("Cache-Control", "no-store"),)))


# --- what everybody may know --------------------------------------------------------------------------


@blueprint.get("/<code>/oauth/jwks")
@describes("The keys we sign with", tag="authorization", answers=outcomes("RFC 7517."))
def jwks(code: str) -> Response:
    """Those that sign, will sign, or signed lately."""
    with house().database.reading() as session:
        utility = utilities.find(session, code)
        published, is_ready = keys.published(session, utility.id), keys.is_ready(session, utility.id)
    if not is_ready:
        with house().database.writing() as session:
            keys.ensure(session, utility.id, house().settings.secret_key)
            published = keys.published(session, utility.id)
    return _public({"keys": published})


@blueprint.get("/.well-known/oauth-authorization-server/<code>")
@describes("What this authorization server can do", tag="authorization", answers=outcomes("RFC 8414."))
def oauth_metadata(code: str) -> Response:
    """RFC 8414 3: the issuer's path stands behind the well-known word."""
    return _metadata(code)


@blueprint.get("/<code>/.well-known/oauth-authorization-server")
@describes(
    "The same, below a utility's own address", tag="authorization", answers=outcomes("RFC 8414.")
)  # fmt: skip
def own_oauth_metadata(code: str) -> Response:
    """Where a utility has a host of its own, its issuer has no path."""
    return _metadata(code)


@blueprint.get("/<code>/.well-known/openid-configuration")
@describes("What this OpenID provider can do", tag="authorization", answers=outcomes("OpenID Discovery."))
def openid_metadata(code: str) -> Response:
    """OpenID Discovery 4: the well-known word stands behind the issuer's path."""
    return _metadata(code)


def _metadata(code: str) -> Response:
    settings = house().settings
    with house().database.reading() as session:
        utility = utilities.find(session, code)
    return _public(
        metadata.document(
            utility,
            settings.base_url,
            takes_certificates=bool(settings.certificate_header),
            asks_by_message=bool(settings.ways)
            and house().identification.serves(utility)
            and any(Portal.of(utility).offers(mode, by_message=True) for mode in (AHEAD, ASKED)),
        )
    )


# --- both ways ----------------------------------------------------------------------------------------


def server_at(session: Session, code: str) -> Server:
    """The authorization server of a utility, in this transaction."""
    settings = house().settings
    place = Place(settings.base_url, settings.secret_key)
    return Server(session, utilities.find(session, code), place)


def _machine(code: str, act: Callable[[Server, Sent], Answered]) -> Response:
    sent = _sent()
    tried = Tried("client", f"{code} {authentication.claimed(sent)}", sent.place)
    standing = house().throttle.check(tried)
    with house().database.writing() as session:
        server = server_at(session, code)
        # What is refused may have consequences, too (a replay ends a grant), so it is committed as an answer.
        answer = act(server, sent)
        if answer.status == 401:
            throttle.failed(session, tried)
        elif server.client is not None:
            throttle.succeeded(session, tried, standing)
    return written(answer)


def _sent() -> Sent:
    if request.mimetype not in _FORMS and request.content_length:
        raise BadRequest(f"The body is {_FORMS[0]}.")
    if request.content_length and not request.form:
        raise BadRequest("Nothing in the body can be read; it is name=value pairs joined by &, in UTF-8.")
    return Sent(
        query=request.args.to_dict(flat=False),
        # A part of a multipart body need not have a name; then it says nothing.
        form={name: given for name, given in request.form.to_dict(flat=False).items() if name},
        authorization=request.headers.get("Authorization"),
        certificate=certificates.presented(),
        place=neighbourhood(request.remote_addr or ""),
    )


def written(answer: Answered, status: int | None = None) -> Response:
    """An answer as it goes over the wire; an error says where it is explained."""
    said = answer.body
    if isinstance(said, dict) and "error" in said:
        said = {**said, "error_uri": explained(house().settings.base_url, said["error"])}
    body = "" if said == "" else json.dumps(said)
    response = Response(body, status=status or answer.status)
    if body:
        response.content_type = _JSON
    response.headers.extend(answer.headers)
    if body:
        response.headers["Content-Type"] = _JSON
    return response


def _public(document: Any) -> Response:
    """Anybody's page may read it; there is nothing in it that is anybody's own."""
    headers = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
    return Response(json.dumps(document), content_type=_JSON, headers=headers)


def _problem(problem: Problem) -> Response:
    if request.endpoint == "oauth.authorize":  # a person looks at this one
        return oauth_pages.refused(problem)
    said = {"error": _ERRORS.get(problem.status, "invalid_request"), "error_description": problem.detail}
    headers = {"Cache-Control": "no-store", **problem.headers}
    if problem.status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="espi"')
    return written(Answered(problem.status, said, tuple(headers.items())))


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        original = getattr(error, "original_exception", None)
        _log.error("request %s failed", request_id(), exc_info=original or error)
        return written(Answered(500, {"error": "server_error"}))
    return _problem(BadRequest(answers.said(error)) if status == 400 else _of_status(error, status))


def _of_status(error: HTTPException, status: int) -> Problem:
    problem = Problem(answers.said(error))
    problem.status = status
    return problem


def _away(error: Exception) -> Response:
    _log.error("request %s: the database did not answer", request_id(), exc_info=error)
    return _problem(Unavailable(headers={"Retry-After": str(answers.PAUSE)}))


def answers_errors(blueprint: Blueprint) -> None:
    """Let all that goes wrong at these addresses be said in the form of RFC 6749 5.2."""
    blueprint.register_error_handler(Problem, _problem)
    blueprint.register_error_handler(HTTPException, _http)
    for each in answers.AWAY:
        blueprint.register_error_handler(each, _away)


answers_errors(blueprint)
