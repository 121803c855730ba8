"""Batches that a utility has prepared instead of sent at once: 202 now, and the feed later at the same address."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from espi_server import clock
from espi_server.access import prepared
from espi_server.access.guard import closed
from espi_server.access.models import PreparedBatch
from espi_server.access.prepared import Prepared, Wanted
from espi_server.energy.feed import Feed
from espi_server.jobs.leases import FINISHED, PARKED
from espi_server.web import sending
from espi_server.web.asked import Asked
from espi_server.web.house import house
from espi_server.web.negotiation import Representation
from espi_server.web.states import written

FORMS = {Representation.ATOM: "xml", Representation.JSON: "json", Representation.CSV: "csv"}

COMPANIES = "AC"  # the letters of their tokens; a custodian's and a source's own are answered at once


def answer(asked: Asked, measure: Callable[[], Feed]) -> Response:
    """The feed that `measure` makes, at once or later, as the utility will have it."""
    least = _least(asked)
    if least is None:
        return sending.feed(asked)(measure())
    wanted, key = _wanted(asked), prepared.key_of(house().settings.secret_key)
    with house().database.reading() as session:
        row = prepared.find(session, wanted, key)
    if row is not None and row.state not in FINISHED:
        return _accepted(asked, row.asked_at)
    feed = measure()
    if (row is not None and row.state == PARKED) or feed.measured.entries < least:
        return sending.feed(asked)(feed)
    return _prepared(asked, feed, row, wanted, key)


def _least(asked: Asked) -> int | None:
    """How many entries a company's batch must have to be prepared; None where it is sent at once."""
    grant = asked.grant
    if grant.letter not in COMPANIES or asked.query.limit is not None:  # a page is small already
        return None
    return grant.prepare_bulk_from if asked.pattern.kind == "Bulk" else grant.prepare_from


def _wanted(asked: Asked) -> Wanted:
    is_bulk, grant = asked.pattern.kind == "Bulk", asked.grant
    if not is_bulk:
        asked.opening  # noqa: B018 - a path outside the grant is closed before anything is looked up
    application = asked.application
    if application is None:
        raise closed()
    return Wanted(
        utility_id=grant.utility_id,
        application_id=application,
        authorization_id=None if is_bulk else grant.authorization_id,
        bulk_id=asked.ids["Bulk"] if is_bulk else None,
        path=asked.path,
        query=str(asked.query),
        form=FORMS[asked.representation],
    )


def _prepared(asked: Asked, feed: Feed, row: PreparedBatch | None, wanted: Wanted, key: bytes) -> Response:
    made, media_type = sending.represented(asked, feed)
    if row is not None and prepared.is_right(row, feed, made.state, house().settings.notify_after):
        return sending.send(asked, Prepared(house().database, key, row, feed), media_type)
    if (unchanged := sending.unchanged(made)) is not None:
        return unchanged
    with house().database.writing() as session:
        prepared.ask(session, wanted, key, instead_of=row)
    return _accepted(asked, clock.seconds())


def _accepted(asked: Asked, since: int) -> Response:
    """The same address gives it later; who is notified hears when."""
    told = {"state": "waiting", "href": asked.href, "since": clock.written(since)}
    response = written(told, "state")
    response.status_code = 202
    response.headers.update({"Location": asked.href, "Retry-After": str(prepared.PAUSE)})
    return response
