"""The pages of consent: which company, what to share, a last look, and the receipt.

A company's request comes to `arrive`, a customer who begins by herself to `companies`, one who changes something to
`change`. All lead to a draft (`sharing_choosing`, then `sharing_checking`), whose choices are kept by the server and
whose every step asks anew who may answer. What she says yes to is the text of the second page, word for word.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response, request

from espi_server.access import companies as known
from espi_server.access import (
    features,
    sharing,
    sharing_answers,
    sharing_flow,
)
from espi_server.access.models import Authorization
from espi_server.db import NIL
from espi_server.espi.tables import DataClass
from espi_server.web import (
    asking_browser,
    oauth,
    portal,
    sharing_checking,
    sharing_choosing,
    sharing_elsewhere,
    sharing_given,
    sharing_receipts,
    words,
)
from espi_server.web import sharing_words as say
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.sharing_room import (
    PATH,
    begun,
    rooms,
    said_before,
)
from espi_server.web.words import _


class OurPages:
    """How an installation asks its customers: on these pages."""

    def page(self, secret: str) -> str:
        """Where a browser goes with a request, below a utility's public address."""
        return f"{PATH}?request={secret}"


@rooms.get("/share")
def arrive(code: str) -> Response:
    """A company's request: sign in first, then choose; or nothing more, where she said yes to it before."""
    secret = request.args.get("request", "")
    cookie = asking_browser.shown()
    with house().database.reading() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, secret, cookie)
        visit, given = said_before(server, code, arrived)
        is_one = len(given) == 1 and "consent" not in arrived.asked.prompt.split()
        asks_no_more = is_one and sharing_flow.asks_no_more(arrived, given[0])
    # Whoever asks by message may mean her and be somebody else: she compares the word first, whatever she said before.
    if asks_no_more and not arrived.asked.by_message:
        return _returned(code, visit, secret, given[0])
    if is_one and not asks_no_more:
        return begun(code, visit, secret, given[0].id)
    if given:
        return portal.go(portal.href(visit.utility, "sharing.given", request=secret))
    return begun(code, visit, secret, None)


def _returned(code: str, visit: Visit, secret: str, given: Authorization) -> Response:
    """Back to the company with what she said yes to before.

    Not by a redirect: the way here may have begun with the form she signed in with, and Chromium would hold all of it
    to that form's `form-action`.
    """
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, secret, asking_browser.shown())
        mine = sharing_flow.mine(session, server.utility, given.id, visit.customer)
        location = sharing_answers.adopt(server, arrived, mine, visit.customer)
        company = known.told(visit.utility, arrived.asked.application, words.language())
    day = words.day(datetime.fromtimestamp(given.created_at, ZoneInfo(visit.utility.timezone)))
    return portal.page("sharing/return.html", visit, company=company, location=location, day=day)


@rooms.get("/companies")
def companies(code: str) -> Response:
    """The companies she can share with, in the order of the alphabet: all, or those she looks for."""
    given = {name: request.args.get(name, "")[:80] for name in ("service", "language", "area")}
    wanted = known.Wanted(text=request.args.get("q", "")[:80], **given)
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        off = features.withheld_from(session, visit.utility.id, visit.customer.customer_id or NIL)
        found = known.listed(session, visit.utility, wanted, words.language(), withheld=off)
        shared = {
            id: _("You share with them now.")
            if row.waits_until is None
            else _("You said yes. They have not come yet.")
            for id, row in sharing_flow.live(session, visit.utility, visit.customer).items()
        }
    services, language_name = say.services(), words.language_name
    return portal.page(
        "sharing/companies.html", visit, directory=found,
        begins_here=sharing_flow.begins_here(visit.utility), wanted=vars(found.wanted), shared=shared,
        order=(*sharing.ORDER, DataClass.RATE_CHANGE), class_name=say.class_name, language_name=language_name,
        service_name=services.__getitem__, services=[(each, services[each]) for each in found.services],
        spoken=sorted(((each, language_name(each)) for each in found.languages), key=lambda each: each[1]),
        areas=[(each, each) for each in found.areas],
    )  # fmt: skip


@rooms.get("/share/with/<uuid:application>")
def ahead(code: str, application: uuid.UUID) -> Response:
    """A company she chose from the list."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        company = sharing_flow.company(session, visit.utility, application)
        off = features.withheld_from(session, visit.utility.id, visit.customer.customer_id or NIL)
        needs_two = bool(sharing.registered(company).classes - off & sharing.STATEWIDE)
        visit = portal.customer(session, code, statewide=needs_two)
    with house().database.writing() as session:
        draft = sharing_flow.begin_ahead(session, visit.utility, application, visit.customer)
    return portal.go(portal.href(visit.utility, "sharing.choose", draft=draft.id))


@rooms.get("/share/change/<uuid:authorization>")
def change(code: str, authorization: uuid.UUID) -> Response:
    """A consent she has given and wants to be another."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
    with house().database.writing() as session:
        draft = sharing_flow.begin_change(session, visit.utility, authorization, visit.customer)
    return portal.go(portal.href(visit.utility, "sharing.choose", draft=draft.id))


not_a_customer = sharing_elsewhere.not_a_customer
STEPS = (sharing_choosing, sharing_checking, sharing_receipts, sharing_given, sharing_elsewhere)
"""The other pages of the room; that they are named here is why their addresses are known."""
