"""A yes from before the company asked: which one does she mean?"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response, request

from espi_server.access import companies as known
from espi_server.access import (
    consent,
    sharing_answers,
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
    begun,
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
    if form.get("act") == "decline":
        with house().database.writing() as session:
            server = oauth.server_at(session, code)
            location = consent.decline(server, arrived.row.digest, customer_id=visit.customer.customer_id)
        return portal.go(str(location))
    chosen = form.get("given", "")
    secret = request.args.get("request", "")
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
        location = sharing_answers.adopt(server, arrived, mine, visit.customer)
    return portal.go(str(location))


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
        given=shown, secret=secret, form_to=origin_of(arrived.asked.redirect_uri),
        wrong=_("Choose one of these.") if request.args.get("wrong") else "",
    )  # fmt: skip
