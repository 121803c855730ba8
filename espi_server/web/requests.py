"""A request id for every request: accepted from the client if well formed, in every answer and every log line.

The log names method, path, status and id. Query strings stay out of it: some carry authorization codes.
"""

from __future__ import annotations

import logging
import re
import uuid
from urllib.parse import quote

from flask import Flask, Response, g, request

HEADER = "X-Request-Id"

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_log = logging.getLogger("espi_server.requests")


def request_id() -> str:
    """The id of the request being served."""
    found: str = g.request_id
    return found


def number(app: Flask) -> None:
    """Give each request of `app` an id and a line in the log."""
    app.before_request(_take_or_make)
    app.after_request(_answer_and_log)


def _take_or_make() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def _answer_and_log(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    if _log.isEnabledFor(logging.INFO):
        # Quoted: a path may hold line breaks that would look like another entry.
        method, path = request.method.encode("unicode_escape").decode(), quote(request.path)
        _log.info("%s %s %d %s", method, path, response.status_code, g.request_id)
    return response
