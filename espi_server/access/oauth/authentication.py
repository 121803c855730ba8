"""Who asks? One way of showing it per request, one answer to everything that is wrong, on one path of time."""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access.models import Application, ApplicationSecret
from espi_server.access.oauth import assertions, refusals
from espi_server.access.oauth.clients import Client
from espi_server.access.oauth.errors import Refused, Wrong
from espi_server.access.oauth.policies import BASIC, CERTIFICATE, POST, SIGNED
from espi_server.access.oauth.request import Request, Sent, is_plain
from espi_server.access.opening import PRODUCTION
from espi_server.access.tokens import digest
from espi_server.db import NIL

_NOBODY = digest("the secret of a client that is not there")


def authenticate(
    session: Session, utility_id: uuid.UUID, issuer: str, request: Request, *, named: bool = False
) -> Client:
    """The client behind a request; `Refused` where there is none, `Wrong` where two ways are tried at once.

    `named` where the body has to name the client anyway, as a pushed request does (RFC 9126 2.1).
    """
    try:
        return _authenticated(session, utility_id, issuer, request, named)
    except Refused:
        refusals.count(session, utility_id, claimed(request.sent))
        raise


def _authenticated(
    session: Session, utility_id: uuid.UUID, issuer: str, request: Request, named: bool
) -> Client:
    request.way = _way(request, named)
    found = {BASIC: _by_basic, POST: _by_post, SIGNED: _by_signature, CERTIFICATE: _by_certificate}
    known = found[request.way](session, utility_id, issuer, request)
    if known is None:
        raise Refused()
    client = Client(session, known)
    if request.way not in client.policy.ways:
        raise Refused()
    if request.form.get("client_id", known.client_id) != known.client_id:
        raise Refused()
    return client


def claimed(sent: Sent) -> str:
    """The client_id a request names in whichever way, before anything is believed; empty where it names none."""
    try:
        if sent.authorization is not None:
            return unquote_plus(basic(sent.authorization)[0])
        if "client_assertion" in sent.form:
            return assertions.issuer_of(sent.form["client_assertion"][0])
    except Refused:
        return ""
    return sent.form.get("client_id", ("",))[0]


def application(session: Session, utility_id: uuid.UUID, client_id: str) -> Application | None:
    """The application of this client_id at a utility, if it is in production."""
    if not is_plain(client_id):
        return None
    return session.scalar(
        select(Application).where(
            Application.utility_id == utility_id,
            Application.client_id == client_id,
            Application.status == PRODUCTION,
        )
    )


def _way(request: Request, may_name: bool) -> str:
    """Which way the client chose. Two at once are refused (RFC 6749 2.3), a name in the body beside Basic too."""
    form = request.form
    header, named = request.sent.authorization is not None, "client_id" in form
    chosen = [header, "client_assertion" in form, "client_secret" in form]
    if sum(chosen) > 1 or (header and named and not may_name):
        raise Wrong(
            "The client shows who it is in two ways at once. Send HTTP Basic and neither client_id nor client_secret"
            " in the body."
        )
    if header:
        return BASIC
    if "client_assertion" in form:
        return SIGNED
    if "client_secret" in form:
        return POST
    if named and request.sent.certificate is not None:
        return CERTIFICATE
    raise Refused()


def _by_basic(session: Session, utility_id: uuid.UUID, issuer: str, request: Request) -> Application | None:
    client_id, secret = basic(request.sent.authorization or "")
    # RFC 6749 2.3.1 has them form-encoded inside Basic, the field sends them raw; what we hand out is the same so.
    return _by_secret(session, utility_id, unquote_plus(client_id), {secret, unquote_plus(secret)})


def basic(header: str) -> tuple[str, str]:
    """Name and secret of a Basic header; `Refused` for anything else, whatever bytes it holds."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        raise Refused()
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise Refused() from error
    if not colon:
        raise Refused()
    return name, secret


def _by_post(session: Session, utility_id: uuid.UUID, issuer: str, request: Request) -> Application | None:
    return _by_secret(session, utility_id, request.form.get("client_id", ""), {request.form["client_secret"]})


def _by_secret(
    session: Session, utility_id: uuid.UUID, client_id: str, secrets: Iterable[str]
) -> Application | None:
    """The same statements and comparisons whether there is such a client or not."""
    found = application(session, utility_id, client_id)
    kept = [*_digests(session, found.id if found else NIL), _NOBODY]
    matches = [hmac.compare_digest(digest(given), each) for given in secrets for each in kept]
    return found if any(matches) and found else None


def _digests(session: Session, application_id: uuid.UUID) -> Iterator[bytes]:
    now = clock.seconds()
    for row in session.scalars(
        select(ApplicationSecret).where(
            ApplicationSecret.application_id == application_id, ApplicationSecret.revoked_at.is_(None)
        )
    ):
        if row.expires_at is None or row.expires_at > now:
            yield row.digest


def _by_signature(
    session: Session, utility_id: uuid.UUID, issuer: str, request: Request
) -> Application | None:
    form = request.form
    if form.get("client_assertion_type") != assertions.TYPE:
        raise Refused()
    named = assertions.issuer_of(form["client_assertion"])
    if form.get("client_id", named) != named:
        raise Refused()
    found = application(session, utility_id, named)
    if found is None:
        return None
    assertions.check(session, found, form["client_assertion"], issuer)
    return found


def _by_certificate(
    session: Session, utility_id: uuid.UUID, issuer: str, request: Request
) -> Application | None:
    found = application(session, utility_id, request.form["client_id"])
    return found if found and holds(found, request.sent.certificate) else None


def holds(application: Application, certificate: bytes | None) -> bool:
    """Is this certificate (its SHA-256) one the application has registered?"""
    return certificate is not None and certificate.hex() in application.certificates
