"""What she agreed to, to read again."""

from __future__ import annotations

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import companies as known
from espi_server.access import (
    grants,
    sharing_flow,
    sharing_places,
)
from espi_server.access.models import Application, Authorization, ConsentRecord
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import Portal
from espi_server.web import portal, sharing_words, words
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.sharing_room import (
    onward_links,
    rooms,
)


@rooms.get("/share/receipt/<uuid:authorization>")
def receipt(code: str, authorization: uuid.UUID) -> Response:
    """What she agreed to, word for word."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        row = sharing_flow.mine(session, visit.utility, authorization, visit.customer)
        record = session.get(ConsentRecord, row.consent_record_id) if row.consent_record_id else None
        application = session.get_one(Application, row.application_id)
        also = _also(session, visit, row)
        onward = onward_links(session, visit.utility, application, _places(session, visit, row))
    zone = ZoneInfo(visit.utility.timezone)
    state, moment = _state(row)
    return portal.page(
        "sharing/receipt.html", visit, company=known.told(visit.utility, application, words.language()), record=record,
        state=state, day=words.day(datetime.fromtimestamp(moment, zone)),
        shown_at=datetime.fromtimestamp(record.shown_at, zone) if record else None,
        also=[each for each in also if each[1] not in dict(onward)], onward=onward if state != "ended" else [],
        headings=sharing_words.headings,
    )  # fmt: skip


def _state(row: Authorization) -> tuple[str, int]:
    if grants.is_waiting(row):
        return "waits", min(row.waits_until or row.ends_at, row.ends_at)
    over = row.ended_at or (row.ends_at if row.ends_at <= clock.seconds() else None)
    over = over or (row.waits_until if row.waits_until is not None else None)
    return ("ended", over) if over else ("runs", row.ends_at)


def _places(session: Session, visit: Visit, row: Authorization) -> list[Place]:
    """The places it opens."""
    places = sharing_places.of_customer(session, visit.utility.id, sharing_flow.customer_of(visit.customer))
    return sharing_places.of_points(places, sharing_flow.opened_by(session, row))


def _also(session: Session, visit: Visit, row: Authorization) -> list[tuple[str, str]]:
    """The other utilities here that serve these places, where the customer can share as well."""
    places = _places(session, visit, row)
    codes = {code for each in places for code in (each.udc, each.lse) if code} - {visit.utility.code}
    rows = session.scalars(select(Utility).where(Utility.code.in_(codes)).order_by(Utility.name))
    return [
        (portal.address(each, "sharing.companies"), each.name)
        for each in rows
        if not Portal.of(each).without_accounts
    ]
