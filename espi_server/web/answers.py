"""Every error becomes a problem document (RFC 9457): JSON, or XML where `Accept` prefers XML. Never HTML."""

from __future__ import annotations

import logging
import re
import sqlite3
from typing import Any
from xml.sax.saxutils import escape

import psycopg
from flask import Flask, Response, json, request
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as NoSuchMethod
from werkzeug.exceptions import NotFound as NoSuchPath

from espi_server.access.oauth.errors import explained
from espi_server.errors import (
    BadValue,
    Internal,
    MethodNotAllowed,
    NotFound,
    Problem,
    Refused,
    Unauthorized,
    Unavailable,
)
from espi_server.espi.query import BadParameter
from espi_server.web.house import house
from espi_server.web.requests import request_id

# A broken connection is an InterfaceError once the driver has noticed.
AWAY = (
    OperationalError,
    InterfaceError,
    TimeoutError,
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
PAUSE = 5  # seconds a client is asked to wait while the database is away
_SHOWN = 200  # characters of a bad value that are told back
_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_log = logging.getLogger("espi_server.problems")


def answer_problems(app: Flask) -> None:
    """Let `app` answer every failure with a problem document."""
    app.register_error_handler(Problem, problem)
    app.register_error_handler(BadParameter, _bad_parameter)
    app.register_error_handler(HTTPException, _http)
    for away in AWAY:
        app.register_error_handler(away, _away)


def problem(error: Problem) -> Response:
    """The answer that tells a client what went wrong and what to do."""
    members: dict[str, Any] = {
        "type": f"urn:espi-server:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "instance": request_id(),
        "help": explained(house().settings.base_url, error.code),
        **error.more,
    }
    if isinstance(error, Internal):
        _log.error("request %s failed", request_id(), exc_info=error)
    response = _written(members)
    response.status_code = error.status
    response.headers.update(error.headers)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    if isinstance(error, Unauthorized):
        response.headers.setdefault("WWW-Authenticate", 'Bearer realm="espi"')
    if isinstance(error, Unavailable):
        response.headers.setdefault("Retry-After", str(PAUSE))
    return response


def _written(members: dict[str, Any]) -> Response:
    accepted = request.accept_mimetypes
    if prefers_xml(accepted):
        body = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in members.items())
        document = (
            f'<?xml version="1.0" encoding="UTF-8"?><problem xmlns="urn:ietf:rfc:7807">{body}</problem>'
        )
        return Response(document, content_type="application/problem+xml")
    return Response(json.dumps(members), content_type="application/problem+json")


def _text(value: object) -> str:
    """As XML text; what a client sent may hold characters that no XML document can."""
    return escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def prefers_xml(accepted: Any) -> bool:
    """Does `Accept` name XML before JSON and HTML, and not below anything at all?"""
    xml = max((q for kind, q in accepted if kind.endswith(("/xml", "+xml"))), default=0)
    named = max((q for kind, q in accepted if kind.endswith(("/json", "+json", "/html"))), default=0)
    anything = max((q for kind, q in accepted if kind == "*/*"), default=0)
    return bool(xml > named and xml >= anything)


def _bad_parameter(error: BadParameter) -> Response:
    return problem(
        BadValue(str(error), parameter=error.name, value=error.value[:_SHOWN], accepted=error.accepted)
    )


def _http(error: HTTPException) -> Response:
    if isinstance(error, NoSuchPath):
        return problem(NotFound())
    if isinstance(error, NoSuchMethod):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return problem(MethodNotAllowed(f"This resource takes {allowed}.", headers={"Allow": allowed}))
    original = getattr(error, "original_exception", None)
    if original is not None or (error.code or 500) >= 500:
        mistake = Internal()
        mistake.__cause__ = original or error
        return problem(mistake)
    return problem(Refused(said(error), status=error.code or 400))


def said(error: HTTPException) -> str | None:
    """What an HTTP error says; of a body that is too large, how much is taken."""
    if not isinstance(error, RequestEntityTooLarge):
        return error.description
    return (
        f"The body is too large: {request.max_content_length} bytes are taken, of a form "
        f"{request.max_form_memory_size} in up to {request.max_form_parts} parts."
    )


def _away(error: Exception) -> Response:
    _log.error("request %s: the database did not answer", request_id(), exc_info=error)
    return problem(Unavailable(headers={"Retry-After": str(PAUSE)}))
