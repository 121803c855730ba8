"""A yes from before the company asked: which one does she mean?"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response, request

from espi_server.access import companies as known
from espi_server.access import (
    sharing_flow,
    sharing_places,
)
from espi_server.access.models import Authorization
from espi_server.access.sharing_flow import (
    Arrived,
)
from espi_server.web import asking_browser, oauth, portal, words
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.sharing_room import (
    adopted,
    begun,
    declined,
    origin_of,
    rooms,
    said_before,
    told,
)
from espi_server.web.words import _


@rooms.get("/share/given")
def given(code: str) -> Response:
    """She said yes to this company before it asked: which one does she mean?"""
    return _given_page(code)


@rooms.post("/share/given")
def given_posted(code: str) -> Response:
    """This one, or none of them."""
    form = portal.posted()
    visit, arrived, rows = _given(code)
    secret = request.args.get("request", "")
    if form.get("act") == "decline":
        return declined(code, visit, _draft(code, visit, secret, rows))
    chosen = form.get("given", "")
    if chosen == "none":
        return begun(code, visit, secret, None)
    row = next((each for each in rows if str(each.id) == chosen), None)
    if row is None:
        return portal.go(portal.href(visit.utility, "sharing.given", request=secret, wrong=1))
    if not sharing_flow.asks_no_more(arrived, row):
        return begun(code, visit, secret, row.id)
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        mine = sharing_flow.mine(session, server.utility, row.id, visit.customer)
        draft = sharing_flow.begin_asked(server, arrived, visit.customer, mine)
        return portal.go(adopted(server, visit, draft, arrived, mine))


def _draft(code: str, visit: Visit, secret: str, rows: Sequence[Authorization]) -> uuid.UUID:
    """A draft for an answer that needs no choice."""
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, secret, asking_browser.shown())
        return sharing_flow.begin_asked(server, arrived, visit.customer, rows[0] if rows else None).id


def _given(code: str) -> tuple[Visit, Arrived, list[Authorization]]:
    with house().database.reading() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, request.args.get("request", ""), asking_browser.shown())
        visit, rows = said_before(server, code, arrived)
    return visit, arrived, rows


@dataclass(frozen=True)
class _Yes:
    id: uuid.UUID
    day: str
    rows: list[tuple[str, str]]
    more: bool


def _given_page(code: str) -> Response:
    visit, arrived, rows = _given(code)
    secret = request.args.get("request", "")
    if not rows:
        return begun(code, visit, secret, None)
    zone = ZoneInfo(visit.utility.timezone)
    with house().database.reading() as session:
        may_begin = sharing_flow.may_begin_here(oauth.server_at(session, code), arrived)
        places = sharing_places.of_customer(
            session, visit.utility.id, rows[0].customer_id or uuid.UUID(int=0)
        )
        shown = [
            _Yes(
                each.id,
                words.day(datetime.fromtimestamp(each.created_at, zone)),
                told(session, visit.utility, each, places),
                not sharing_flow.asks_no_more(arrived, each),
            )
            for each in rows
        ]
    return portal.page(
        "sharing/given.html", visit, company=known.told(visit.utility, arrived.asked.application, words.language()),
        given=shown, secret=secret, may_begin=may_begin, word=arrived.asked.binding_message,
        form_to="" if arrived.asked.by_message else origin_of(arrived.asked.redirect_uri),
        wrong=_("Choose one of these.") if request.args.get("wrong") else "",
    )  # fmt: skip
