"""What the pages of consent have in common: who may look at a draft, what is wrong with it, where a no leads."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access import companies as known
from espi_server.access import (
    sellers,
    sharing,
    sharing_answers,
    sharing_drafts,
    sharing_flow,
    sharing_places,
)
from espi_server.access.consent import CannotAgree, NotWaiting
from espi_server.access.models import Application, Authorization
from espi_server.access.oauth.server import Server, UnknownApplication
from espi_server.access.sharing import Problem as Wrong
from espi_server.access.sharing_drafts import NotYours, SharingDraft
from espi_server.access.sharing_flow import (
    Arrived,
    ChooseFirst,
    CompanyMayNotAsk,
    Flow,
    NoSuchCompany,
    NotFromHere,
    NotOnOffer,
    OtherBrowser,
    OtherCustomer,
)
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Utility
from espi_server.errors import Conflict, Problem
from espi_server.espi.scope import Scope, ScopeError
from espi_server.espi.tables import DataClass
from espi_server.web import asking_browser, oauth, portal, words
from espi_server.web import sharing_words as say
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.words import _

rooms = portal.blueprint("sharing")

PATH: Final = "/account/share"


def begun(code: str, visit: Visit, secret: str, given: uuid.UUID | None) -> Response:
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, secret, asking_browser.shown())
        chosen = sharing_flow.mine(session, server.utility, given, visit.customer) if given else None
        if chosen is None and not sharing_flow.may_begin_here(server, arrived):
            location = sharing_flow.choose_first(server, arrived, visit.customer)
            return _not_ahead(visit, arrived, location)
        draft = sharing_flow.begin_asked(server, arrived, visit.customer, chosen)
    return portal.go(portal.href(visit.utility, "sharing.choose", draft=draft.id))


def _not_ahead(visit: Visit, arrived: Arrived, location: str | None) -> Response:
    """The utility wants her to choose the company in the list first; a page, as a redirect may not lead there."""
    company = known.told(visit.utility, arrived.asked.application, words.language())
    return portal.page("sharing/not_ahead.html", visit, company=company, location=location)


def customer(session: Session, code: str, arrived: Arrived) -> Visit:
    """Whoever answers a request, signed in as lately and as well as it needs."""
    return portal.customer(session, code, fresh=arrived.fresh, statewide=arrived.needs_second_factor)


def said_before(server: Server, code: str, arrived: Arrived) -> tuple[Visit, list[Authorization]]:
    """Whoever answers, and what she said yes to before; what needed two factors then does not begin with one."""
    visit = customer(server.session, code, arrived)
    sharing_flow.check_customer(arrived, visit.customer)
    rows = sharing_flow.given_ahead(server, arrived, visit.customer)
    if any(map(sharing.is_statewide, rows)):
        visit = portal.customer(server.session, code, fresh=arrived.fresh, statewide=True)
    return visit, rows


def opened(code: str, draft: uuid.UUID) -> tuple[Visit, Flow]:
    """A draft of whoever is signed in, and as lately and as well as its question needs."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        server = oauth.server_at(session, code)
        try:
            flow = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        except NotYours:
            raise NotWaiting() from None
        fresh, statewide = sharing_flow.needs(flow)
        visit = portal.customer(session, code, fresh=fresh, statewide=statewide)
    return visit, flow


def adopted(server: Server, visit: Visit, draft: SharingDraft, arrived: Arrived, given: Authorization) -> str:
    """Her yes of before, once more and once: where her browser goes with it."""
    if not sharing_drafts.take(server.session, draft, {"outcome": "agreed"}):
        raise NotWaiting()
    location = sharing_answers.adopt(server, arrived, given, visit.customer)
    return location or portal.href(visit.utility, "sharing.done", draft=draft.id)


def declined(code: str, visit: Visit, draft: uuid.UUID) -> Response:
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        flow = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        location = sharing_answers.refuse(server, flow, visit.customer)
    return portal.go(location or portal.href(visit.utility, "sharing.done", draft=draft))


def problems(flow: Flow) -> list[Wrong]:
    """What is wrong with what she chose."""
    if flow.more is not None:
        return list(_more_problems(flow))
    found = sharing.problems(flow.question, flow.choices, flow.places)
    if not found:
        try:
            sharing.decide(flow.question, flow.choices, flow.places)
        except ScopeError:
            return [Wrong("classes", "too_long")]
    return found


def _more_problems(flow: Flow) -> Iterator[Wrong]:
    given = flow.question.present
    held = Scope.parse(given.scope) if given else Scope()
    needed = {DataClass.RIN, DataClass.BILL_COMPARISON}
    if flow.choices.rate == "yes" and not needed <= held.classes | flow.choices.wanted:
        yield Wrong("rate", "rate_needs")
    try:
        left = sharing.with_more(flow.question.scope, held, flow.choices)
    except ScopeError:
        left = Scope()
    if not left.classes:
        yield Wrong("classes", "too_long")


def told(
    session: Session, utility: Utility, row: Authorization, places: Sequence[Place]
) -> list[tuple[str, str]]:
    """What an authorization opens, in words: a title and a line for each thing."""
    question = sharing.Question(
        utility, session.get_one(Application, row.application_id), Scope.parse(row.scope)
    )
    opened = sharing_places.of_points(places, sharing_flow.opened_by(session, row))
    may_change = DataClass.RATE_CHANGE in question.scope.classes
    lines = [
        (_("Places"), "; ".join(map(say.place, opened)) or _("None")),
        (_("Data they see"), " · ".join(say.class_name(cls) for cls in question.classes)),
        (_("Readings"), say.steps(question.scope)),
        (
            _("Your rate"),
            _("They may ask to change it") if may_change else _("They cannot ask to change your rate"),
        ),
        (_("History"), say.began(question, row.history_from)),
        (_("Ends"), say.end(question, row.ends_at, row.lasting)),
    ]
    return [(what, value) for what, value in lines if value]


def sellers_of(session: Session, utility: Utility, places: Sequence[Place]) -> str:
    """Who sells the energy where another company delivers it, by name."""
    codes = sellers.codes(utility, places)
    names = {each.code: each.name for each in session.scalars(select(Utility).where(Utility.code.in_(codes)))}
    return ", ".join(names.get(each, each) for each in codes)


def onward_of(session: Session, utility: Utility, application: Application, places: Sequence[Place]) -> str:
    """The sellers on whose own pages she can say yes to this company too, by name."""
    found = sellers.reachable(session, utility, application, places)
    return ", ".join(each.utility.name for each in found)


def onward_links(
    session: Session, utility: Utility, application: Application, places: Sequence[Place]
) -> list[tuple[str, str]]:
    """The same, each with its page where she chooses."""
    return [
        (
            each.utility.name,
            portal.address(each.utility, "sharing.ahead", application=each.application_id)
            if each.application_id
            else portal.address(each.utility, "sharing.companies"),
        )
        for each in sellers.reachable(session, utility, application, places)
    ]


def shares(session: Session, visit: Visit, application: Application) -> bool:
    row = sharing_flow.live(session, visit.utility, visit.customer).get(application.id)
    return row is not None and row.waits_until is None


def company_of(visit: Visit, flow: Flow) -> known.Company:
    return known.told(visit.utility, flow.question.application, words.language())


def origin(flow: Flow) -> str:
    return origin_of(flow.redirect_uri)


def origin_of(address: str) -> str:
    """The origin of a registered address, which a page may send the browser on to."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _over(problem: Problem) -> Response:
    """A question that cannot be answered, or not here."""
    code = (request.view_args or {}).get("code", "")
    with house().database.reading() as session:
        visit = portal.visit(session, code)
    return portal.page("sharing/over.html", visit, status=problem.status, problem=problem)


for _each in (
    NotWaiting, NotYours, OtherBrowser, OtherCustomer, CompanyMayNotAsk, NoSuchCompany, NotOnOffer, UnknownApplication,
    CannotAgree, Conflict, ChooseFirst, NotFromHere,
):  # fmt: skip
    rooms.register_error_handler(_each, _over)
