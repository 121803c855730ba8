"""Answering with feeds and entries, as they were asked for: conditional, compressed, of exact length, on the record."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Protocol
from zoneinfo import ZoneInfo

from flask import Response, request

from espi_server.energy import translated
from espi_server.energy.feed import Feed
from espi_server.energy.translated import Csv, Json, Translated
from espi_server.espi import mapping
from espi_server.espi.atom import Link
from espi_server.espi.rows import BillRows, ReadingRows, Table
from espi_server.web.asked import Asked
from espi_server.web.house import house
from espi_server.web.negotiation import Representation
from espi_server.web.requests import request_id

ATOM = "application/atom+xml"
XML = "application/xml"
VARY = "Accept, Accept-Encoding, Authorization"
_SMALL = 1024  # bytes below which compressing is not worth it


class Made(Protocol):
    """A feed ready to be sent: as it was measured, in another form, or prepared."""

    @property
    def state(self) -> str:
        """A digest that differs wherever a byte could."""
        ...

    @property
    def updated(self) -> int:
        """When anything in it last changed, epoch seconds."""
        ...

    @property
    def entries(self) -> int:
        """How many go out, once `body` was asked for."""
        ...

    @property
    def links(self) -> Sequence[Link]:
        """To the pages around this one."""
        ...

    def body(self, encoding: str) -> tuple[int, Generator[bytes, None, None]]:
        """The exact length in bytes, and the bytes, as `gzip` or `identity`."""
        ...

    def length(self, encoding: str) -> int:
        """The exact length alone."""
        ...


def feed(asked: Asked, *, only: str | None = None) -> Callable[[Feed], Response]:
    """How a measured feed is sent; `only` is the address of the one entry a table is wanted of."""
    return lambda measured: send(asked, *represented(asked, measured, only))


def send(asked: Asked, made: Made, media_type: str) -> Response:
    """The answer to a request for it, with a place for as long as it lasts and a line on the record."""
    if (answer := unchanged(made)) is not None:
        return answer
    encoding = _encoding()
    tag = _tag(made.state, encoding)
    turnstile, application = house().turnstile, asked.grant.application_id
    if request.method == "HEAD":
        with turnstile.inside_for(application):
            length = made.length(encoding)
        answer = _headed(Response(content_type=media_type), tag, made.updated, encoding, length)
        return _linked(answer, asked, made)
    turnstile.enter(application)
    try:
        length, parts = made.body(encoding)
        # What fails at once is answered with a problem, not with a broken connection.
        first = next(parts)
        _record(asked, made.entries, length)
    except BaseException:
        turnstile.leave(application)
        raise
    answer = Response(chain((first,), parts), content_type=media_type)
    answer.call_on_close(parts.close)
    answer.call_on_close(lambda: turnstile.leave(application))
    return _linked(_headed(answer, tag, made.updated, encoding, length), asked, made)


def unchanged(made: Made) -> Response | None:
    """304 where the client has it already."""
    return _unchanged(_tag(made.state, _encoding()), made.updated)


def document(
    asked: Asked, body: bytes, updated: int, *, entries: int = 1, links: Sequence[Link] = ()
) -> Response:
    """A small document, whole in memory, with the links of its page."""
    body, media_type = said(asked, body, ATOM)
    state = hashlib.sha256(body).hexdigest()
    encoding = _encoding() if len(body) >= _SMALL else "identity"
    tag = _tag(state, encoding)
    if (answer := _unchanged(tag, updated)) is not None:
        return answer
    sent = zlib.compress(body, wbits=31) if encoding == "gzip" else body
    if request.method != "HEAD":
        _record(asked, entries, len(sent))
    answer = Response(sent, content_type=media_type)
    return _with_links(_headed(answer, tag, updated, encoding, len(sent)), links)


def said(asked: Asked, body: bytes, media_type: str) -> tuple[bytes, str]:
    """A document of this type as it was asked for, and its type then."""
    if asked.representation is Representation.JSON:
        return translated.document(body), mapping.MEDIA_TYPE
    return body, media_type


def represented(asked: Asked, measured: Feed, only: str | None = None) -> tuple[Feed | Translated, str]:
    """A feed as it was asked for, and its media type."""
    if asked.representation is Representation.ATOM:
        return measured, ATOM
    form = Json() if asked.representation is Representation.JSON else Csv(_table(asked), only)
    return Translated(measured, form), form.media_type


def _table(asked: Asked) -> Table:
    zone = ZoneInfo(asked.grant.timezone)
    return BillRows(zone) if asked.pattern.kind == "UsageSummary" else ReadingRows(zone)


def _linked(answer: Response, asked: Asked, made: Made) -> Response:
    """The answer with the links of its page, which are known once it is written."""
    return answer if asked.query.limit is None else _with_links(answer, made.links)


def _with_links(answer: Response, links: Sequence[Link]) -> Response:
    # RFC 8288: for whoever reads headers only, or a table, which holds no links.
    for link in links:
        answer.headers.add("Link", f'<{link.href}>; rel="{link.rel}"')
    return answer


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
    answer.headers["Vary"] = VARY


def _record(asked: Asked, entries: int, size: int) -> None:
    house().disclosures.append(
        asked.grant,
        path=asked.path,
        query=str(asked.query),
        entries=entries,
        size=size,
        request_id=request_id(),
    )
