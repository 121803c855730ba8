"""Answering with feeds and entries: conditional, compressed, with an exact length, and on the record."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain

from flask import Response, request

from espi_server.energy.feed import Feed
from espi_server.web.asked import Asked
from espi_server.web.house import house
from espi_server.web.requests import request_id

ATOM = "application/atom+xml"
XML = "application/xml"
_VARY = "Accept, Accept-Encoding, Authorization"
_SMALL = 1024  # bytes below which compressing is not worth it


def feed(asked: Asked) -> Callable[[Feed], Response]:
    """How a measured feed is sent."""

    def send(made: Feed) -> Response:
        encoding = _encoding()
        tag = _tag(made.state, encoding)
        if (answer := _unchanged(tag, made.updated)) is not None:
            return answer
        turnstile, application = house().turnstile, asked.grant.application_id
        if request.method == "HEAD":
            with turnstile.inside_for(application):
                length = made.length(encoding)
            return _headed(Response(content_type=ATOM), tag, made.updated, encoding, length)
        turnstile.enter(application)
        try:
            length, parts = made.body(encoding)
            # What fails at once is answered with a problem, not with a broken connection.
            first = next(parts)
            _record(asked, made.entries, length)
        except BaseException:
            turnstile.leave(application)
            raise
        answer = Response(chain((first,), parts), content_type=ATOM)
        answer.call_on_close(parts.close)
        answer.call_on_close(lambda: turnstile.leave(application))
        return _headed(answer, tag, made.updated, encoding, length)

    return send


def document(asked: Asked, body: bytes, updated: int, *, entries: int = 1, mimetype: str = ATOM) -> Response:
    """A small document, whole in memory."""
    state = hashlib.sha256(body).hexdigest()
    encoding = _encoding() if len(body) >= _SMALL else "identity"
    tag = _tag(state, encoding)
    if (answer := _unchanged(tag, updated)) is not None:
        return answer
    sent = zlib.compress(body, wbits=31) if encoding == "gzip" else body
    if request.method != "HEAD":
        _record(asked, entries, len(sent))
    return _headed(Response(sent, content_type=mimetype), tag, updated, encoding, len(sent))


def _encoding() -> str:
    """`gzip` for whoever takes it, unless they would rather have the plain bytes."""
    accepted = request.accept_encodings
    plain = max((quality for name, quality in accepted if name == "identity"), default=0)
    return "gzip" if 0 < accepted.quality("gzip") >= plain else "identity"


def _tag(state: str, encoding: str) -> str:
    """A strong tag: it differs for every representation, as its bytes do."""
    return f"{state[:32]}-{encoding}"


def _unchanged(tag: str, updated: int) -> Response | None:
    """304 where the client has this already."""
    if request.if_none_match:
        # RFC 9110 13.1.2: compared weakly, for a proxy that compresses weakens the tag on its way.
        same = request.if_none_match.contains_weak(tag)
    else:
        since = request.if_modified_since
        same = bool(since and updated and updated <= since.timestamp())
    if not same:
        return None
    answer = Response(status=304)
    _describe(answer, tag, updated)
    return answer


def _headed(answer: Response, tag: str, updated: int, encoding: str, length: int) -> Response:
    _describe(answer, tag, updated)
    answer.content_length = length
    if encoding != "identity":
        answer.content_encoding = encoding
    return answer


def _describe(answer: Response, tag: str, updated: int) -> None:
    answer.set_etag(tag)
    if updated:
        answer.last_modified = datetime.fromtimestamp(updated, UTC)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = _VARY


def _record(asked: Asked, entries: int, size: int) -> None:
    house().disclosures.append(
        asked.grant,
        path=asked.path,
        query=str(asked.query),
        entries=entries,
        size=size,
        request_id=request_id(),
    )
