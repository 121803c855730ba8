"""The pages of consent: which company, what to share, a last look, and the receipt.

A company's request comes to `arrive`, a customer who begins by herself to `companies`, one who changes something to
`change`. All lead to a draft (`choose`, then `check`), whose choices are kept by the server and whose every step asks
anew who may answer. What she says yes to is the text of the second page, word for word.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Response, render_template, request
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from espi_server import clock
from espi_server.access import companies as known
from espi_server.access import (
    consent,
    grants,
    sharing,
    sharing_drafts,
    sharing_flow,
    sharing_places,
    sharing_routes,
)
from espi_server.access.consent import CannotAgree, NotWaiting
from espi_server.access.models import Application, Authorization, ConsentRecord
from espi_server.access.oauth.server import UnknownApplication
from espi_server.access.sharing import Choices, Decision
from espi_server.access.sharing import Problem as Wrong
from espi_server.access.sharing_drafts import NotYours
from espi_server.access.sharing_flow import (
    Arrived,
    CompanyMayNotAsk,
    Flow,
    NoSuchCompany,
    OtherBrowser,
    OtherCustomer,
    Record,
)
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import Portal
from espi_server.errors import Conflict, Problem
from espi_server.espi.scope import Scope, ScopeError
from espi_server.espi.tables import DataClass
from espi_server.web import asking_browser, oauth, portal, said, words
from espi_server.web import sharing_words as say
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.words import _

rooms = portal.blueprint("sharing")

MANY: Final = 8  # places, from which on there is a filter
PATH: Final = "/account/share"


class OurPages:
    """How an installation asks its customers: on these pages."""

    def page(self, secret: str) -> str:
        """Where a browser goes with a request, below a utility's public address."""
        return f"{PATH}?request={secret}"


# --- the three ways in ----------------------------------------------------------------------------------


@rooms.get("/share")
def arrive(code: str) -> Response:
    """A company's request: sign in first, then choose; or nothing more, where she said yes to it before."""
    secret = request.args.get("request", "")
    cookie = asking_browser.shown()
    with house().database.reading() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, secret, cookie)
        _speak(arrived)
        visit = _customer(session, code, arrived)
        sharing_flow.check_customer(arrived, visit.customer)
        given = sharing_flow.given_ahead(server, arrived, visit.customer)
        wants_page = "consent" in arrived.asked.prompt.split()
        is_plain = len(given) == 1 and not wants_page and sharing_flow.asks_no_more(arrived, given[0])
    if is_plain:
        return _returned(code, visit, secret, given[0])
    if given:
        return portal.go(portal.href(visit.utility, "sharing.given", request=secret))
    return _begun(code, visit, secret, None)


def _begun(code: str, visit: Visit, secret: str, given: uuid.UUID | None) -> Response:
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, secret, asking_browser.shown())
        chosen = sharing_flow.mine(session, server.utility, given, visit.customer) if given else None
        draft = sharing_flow.begin_asked(server, arrived, visit.customer, chosen)
    return portal.go(portal.href(visit.utility, "sharing.choose", draft=draft.id))


def _returned(code: str, visit: Visit, secret: str, given: Authorization) -> Response:
    """Back to the company with what she said yes to before.

    Not by a redirect: the way here may have begun with the form she signed in with, and Chromium would hold all of it
    to that form's `form-action`.
    """
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, secret, asking_browser.shown())
        mine = sharing_flow.mine(session, server.utility, given.id, visit.customer)
        location = sharing_flow.adopt(server, arrived, mine, visit.customer)
        company = known.told(visit.utility, arrived.asked.application, words.language())
    day = words.day(datetime.fromtimestamp(given.created_at, ZoneInfo(visit.utility.timezone)))
    return portal.page("sharing/return.html", visit, company=company, location=location, day=day)


@rooms.get("/companies")
def companies(code: str) -> Response:
    """The companies she can share with, in the order of the alphabet."""
    wanted = request.args.get("q", "")[:80]
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        found = known.listed(session, visit.utility, wanted, words.language())
        shared = {
            id: _("You share with them now.")
            if row.waits_until is None
            else _("You said yes. They have not come yet.")
            for id, row in sharing_flow.live(session, visit.utility, visit.customer).items()
        }
    return portal.page(
        "sharing/companies.html", visit, companies=found, wanted=wanted, shared=shared,
        order=(*sharing.ORDER, DataClass.RATE_CHANGE), class_name=say.class_name,
    )  # fmt: skip


@rooms.get("/share/with/<uuid:application>")
def ahead(code: str, application: uuid.UUID) -> Response:
    """A company she chose from the list."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        company = sharing_flow.company(session, visit.utility, application)
        needs_two = bool(sharing.registered(company).classes & sharing.STATEWIDE)
        visit = portal.customer(session, code, second_factor=needs_two)
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


# --- step one -------------------------------------------------------------------------------------------


@rooms.get("/share/<uuid:draft>")
def choose(code: str, draft: uuid.UUID) -> Response:
    """What to share."""
    visit, flow = _opened(code, draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer):
        with house().database.writing() as session:
            sharing_drafts.look_at(session, flow.draft, visit.customer)
    return _more_page(visit, flow) if flow.more is not None else _choose_page(visit, flow)


@rooms.post("/share/<uuid:draft>")
def choose_posted(code: str, draft: uuid.UUID) -> Response:
    """What she ticked, or her no."""
    form = portal.posted()
    visit, flow = _opened(code, draft)
    here = portal.href(visit.utility, "sharing.choose", draft=draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer):
        return portal.go(here)
    act = form.get("act", "continue")
    if act == "decline":
        return _declined(code, visit, draft)
    choices = _read(form, flow, act)
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        again = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        row = again.arrived.row if again.arrived else None
        sharing_drafts.save(session, again.draft, choices.row, row)
        flow = replace(again, choices=choices)
        if act == "continue" and _adds_nothing(flow):
            return _kept_as_it_was(server, visit, flow)
    if act != "continue" or _problems(flow):
        return portal.go(here)
    return portal.go(portal.href(visit.utility, "sharing.check", draft=draft))


def _adds_nothing(flow: Flow) -> bool:
    """Was more asked for, and nothing of it ticked?"""
    chosen = flow.choices
    adds = (
        bool(chosen.classes)
        or chosen.rate == "yes"
        or chosen.history == sharing.ALL
        or chosen.detail == "yes"
    )
    return flow.more is not None and not adds


def _kept_as_it_was(server: Any, visit: Visit, flow: Flow) -> Response:
    given, arrived = flow.question.present, flow.arrived
    if given is None or arrived is None:
        raise NotWaiting()
    sharing_drafts.take(server.session, flow.draft, {"outcome": "agreed"})
    return portal.go(str(sharing_flow.adopt(server, arrived, given, visit.customer)))


def _read(form: MultiDict[str, str], flow: Flow, act: str) -> Choices:
    """What the form says, with what was ticked and is out of sight; `act` may tick or clear a whole list."""
    shown = {each.key for each in _in_sight(flow)}
    ticked = [each for each in flow.choices.places if each not in shown]
    ticked += [each for each in form.getlist("places") if each in shown]
    sites = _sites(_in_sight(flow))
    if act == "all":
        ticked += sorted(shown)
    elif act == "none":
        ticked = [each for each in ticked if each not in shown]
    elif act.startswith("site-") and act[5:].isdigit() and int(act[5:]) < len(sites):
        ticked += [each.key for each in sites[int(act[5:])].places]
    classes = form.getlist("classes")
    if act == "asked":
        classes = [cls.term for cls in _asked_for(flow)]
    elif act == "unasked":
        classes = []
    texts = {name: form.get(name, "").strip()[:40] for name in sharing.TEXTS}
    return Choices(
        places=tuple(dict.fromkeys(ticked))[:5000],
        classes=tuple(dict.fromkeys(classes))[:20],
        tried=act == "continue" or flow.choices.tried,
        **texts,
    )


def _problems(flow: Flow) -> list[Wrong]:
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
    held = Scope.parse(given.scope).classes if given else frozenset()
    needed = {DataClass.RIN, DataClass.BILL_COMPARISON}
    if flow.choices.rate == "yes" and not needed <= held | flow.choices.wanted:
        yield Wrong("rate", "rate_needs")


def _choose_page(visit: Visit, flow: Flow) -> Response:
    question, company = flow.question, _company(visit, flow)
    errors = _problems(flow) if flow.choices.tried else []
    in_sight, open_ = _in_sight(flow), [each for each in flow.places if not each.refusal]
    shown = say.classes()
    statewide = [cls for cls in question.classes if cls in sharing.STATEWIDE]
    with house().database.reading() as session:
        sellers = _sellers(session, flow.places)
        replaces = not question.is_change and _shares(session, visit, question.application)
        present = _present(session, visit, flow) if question.is_change else []
    return portal.page(
        "sharing/choose.html", visit, flow=_Spoken(flow), company=company, errors=_sentences(errors),
        wrong={each.field for each in errors}, links=_links(flow, errors), form_to=_origin(flow),
        open=open_, shown=in_sight, sites=_sites(in_sight),
        shut=[each for each in flow.places if each.refusal] if not flow.choices.filter else [],
        is_many=len(open_) > MANY, out_of_sight=len(set(flow.choices.places) - {each.key for each in in_sight}),
        said=say.place, refusal=lambda each: say.refusal(question, each), sellers=sellers,
        classes=[shown[cls] for cls in question.classes], first_statewide=statewide[0] if statewide else None,
        asked_for=_asked_for(flow), history=lambda choice: say.history(question, choice),
        replaces=replaces, present=present,
    )  # fmt: skip


def _more_page(visit: Visit, flow: Flow) -> Response:
    more, question = flow.more, flow.question
    if more is None:
        raise NotWaiting()
    errors = _problems(flow) if flow.choices.tried else []
    shown = say.classes()
    with house().database.reading() as session:
        present = _present(session, visit, flow)
    return portal.page(
        "sharing/more.html", visit, flow=_Spoken(flow), company=_company(visit, flow), errors=_sentences(errors),
        links=_links(flow, errors), form_to=_origin(flow), present=present,
        classes=[shown[cls] for cls in more.classes], detail=_detail(flow),
        history=lambda choice: say.history(question, choice),
    )  # fmt: skip


def _detail(flow: Flow) -> str:
    names = " · ".join(say.class_name(cls) for cls in (flow.more.detail if flow.more else ()))
    return " · ".join(filter(None, (names, say.steps(flow.question.scope))))


class _Spoken:
    """A flow as templates read it: its choices by name."""

    def __init__(self, flow: Flow) -> None:
        self._flow, self.choices = flow, _ByName(flow.choices)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flow, name)


class _ByName:
    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def __getattr__(self, name: str) -> Any:
        return getattr(self._choices, name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self._choices, name)


@dataclass(frozen=True)
class Site:
    """The places at one address."""

    address: str
    places: list[Place]


def _sites(places: Sequence[Place]) -> list[Site]:
    found: dict[str, list[Place]] = {}
    for each in places:
        found.setdefault(each.address, []).append(each)
    return [Site(address, group) for address, group in found.items()]


def _in_sight(flow: Flow) -> list[Place]:
    """The places that can be shared, as far as the filter shows them."""
    word = flow.choices.filter.casefold()
    open_ = [each for each in flow.places if not each.refusal]
    return [each for each in open_ if word in say.place(each).casefold()]


def _asked_for(flow: Flow) -> frozenset[DataClass]:
    """The classes the company asks for: all of its request, or what it cannot do without where it sent none."""
    if flow.arrived is not None:
        return frozenset(flow.question.classes)
    return sharing.essential(flow.question.application)


def _sentences(errors: Sequence[Wrong]) -> list[tuple[str, str]]:
    return [(each.field, say.wrong(each)) for each in errors]


def _links(flow: Flow, errors: Sequence[Wrong]) -> list[tuple[str, str]]:
    """Where each error leads: the first thing to press at its field."""
    places = [each.key for each in _in_sight(flow)]
    first = {
        "places": f"places-{places[0]}" if places else "places",
        "classes": f"classes-{flow.question.classes[0].term}" if flow.question.classes else "classes",
        "rate": "rate-no",
        "history": f"history-{flow.question.histories[0]}",
        "lasting": "lasting-once",
        "month": "month",
    }
    return [(first[each.field], say.wrong(each)) for each in errors]


def _present(session: Session, visit: Visit, flow: Flow) -> list[tuple[str, str]]:
    row = flow.question.present
    return told(session, visit.utility, row, flow.places) if row is not None else []


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


def _sellers(session: Session, places: Sequence[Place]) -> str:
    """Who sells the energy where another company delivers it, by name."""
    codes = sorted({each.lse for each in places if each.is_unbundled and each.lse and not each.refusal})
    names = {each.code: each.name for each in session.scalars(select(Utility).where(Utility.code.in_(codes)))}
    return ", ".join(names.get(each, each) for each in codes)


def _shares(session: Session, visit: Visit, application: Application) -> bool:
    row = sharing_flow.live(session, visit.utility, visit.customer).get(application.id)
    return row is not None and row.waits_until is None


# --- step two -------------------------------------------------------------------------------------------


@rooms.get("/share/<uuid:draft>/check")
def check(code: str, draft: uuid.UUID) -> Response:
    """A last look at what she chose."""
    visit, flow = _opened(code, draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer) or not flow.choices.tried or _problems(flow):
        return portal.go(portal.href(visit.utility, "sharing.choose", draft=draft))
    with house().database.reading() as session:
        fragment, record = _consent(session, visit, flow, _decision(session, flow))
    return portal.page(
        "sharing/check.html", visit, flow=flow, consent=fragment, digest=record.digest.hex(),
        changed=bool(request.args.get("changed")), going=urlsplit(flow.redirect_uri).hostname or "",
        form_to=_origin(flow),
    )  # fmt: skip


@rooms.post("/share/<uuid:draft>/check")
def check_posted(code: str, draft: uuid.UUID) -> Response:
    """Her yes to exactly what she was shown, or her no."""
    form = portal.posted()
    visit, flow = _opened(code, draft)
    choose_ = portal.href(visit.utility, "sharing.choose", draft=draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer) or not flow.choices.tried:
        return portal.go(choose_)
    if form.get("act") != "share":
        return _declined(code, visit, draft)
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        flow = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        if _problems(flow):
            return portal.go(choose_)
        decision = _decision(session, flow)
        _fragment, record = _consent(session, visit, flow, decision)
        if not hmac.compare_digest(
            form.get("shown", "").encode("utf-8", "replace"), record.digest.hex().encode()
        ):
            return portal.go(portal.href(visit.utility, "sharing.check", draft=draft, changed=1))
        outcome = sharing_flow.share(server, flow, decision, record, visit.customer)
    if outcome.authorization is not None:
        return portal.go(portal.href(visit.utility, "sharing.receipt", authorization=outcome.authorization))
    return portal.go(outcome.location or portal.href(visit.utility, "sharing.done", draft=draft))


def _decision(session: Session, flow: Flow) -> Decision:
    if flow.more is not None:
        return sharing_flow.decision_with_more(session, flow)
    return sharing.decide(flow.question, flow.choices, flow.places)


def _consent(session: Session, visit: Visit, flow: Flow, decision: Decision) -> tuple[Markup, Record]:
    """What she is asked to say yes to, as a piece of the page and as the text that is kept of it."""
    utility, question = visit.utility, flow.question
    lapses = clock.seconds() + visit.portal.unused_days * sharing.DAY
    facts = say.Facts(
        question=question,
        company=_company(visit, flow),
        decision=decision,
        is_ahead=flow.is_ahead,
        waits_until=min(lapses, decision.until) if flow.is_ahead and decision.lasting != grants.ONCE else
        lapses if flow.is_ahead else None,
        mail=sharing_flow.mail(session, visit.customer),
        both=visit.portal.unbundled == "both",
    )  # fmt: skip
    page = render_template(
        "sharing/_consent.html",
        facts=facts,
        utility=utility,
        portal=visit.portal,
        sellers=_sellers(session, decision.places),
        replaces=_shares(session, visit, question.application),
        change=_changer(utility, flow),
    )
    return Markup(page), Record(said.text(page), words.language(), say.version(words.language()))  # noqa: S704 - a template's


def _changer(utility: Utility, flow: Flow) -> Callable[[str], Markup]:
    """Links back to the questions; they are not part of what is said."""
    back = portal.href(utility, "sharing.choose", draft=flow.draft.id)
    asked = {"places", "classes", "rate", "history", "lasting"}
    if flow.more is not None:
        asked = {"classes"} if flow.more.classes or flow.more.detail else set()
    elif not flow.question.asks_rate_change:
        asked -= {"rate"}
    names = {
        "places": _("the places"), "classes": _("the data"), "rate": _("the answer about your rate"),
        "history": _("the history"), "lasting": _("the end"),
    }  # fmt: skip

    def link(field: str) -> Markup:
        if field not in asked:
            return Markup("")
        return Markup(' <a class="control" href="{}#{}">{}<span class="heard"> {}</span></a>').format(
            back, field, _("Change"), names[field]
        )

    return link


@rooms.get("/share/<uuid:draft>/done")
def done(code: str, draft: uuid.UUID) -> Response:
    """What became of an answer where the browser goes nowhere."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        row = sharing_drafts.find(session, visit.customer, draft)
        application = session.get_one(Application, row.application_id)
    if row.used_at is None:
        return portal.go(portal.href(visit.utility, "sharing.choose", draft=draft))
    company = known.told(visit.utility, application, words.language())
    is_change = row.authorization_id is not None and row.request_digest is None
    return portal.page(
        "sharing/done.html", visit, company=company, outcome=row.choices.get("outcome"), is_change=is_change
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
    zone = ZoneInfo(visit.utility.timezone)
    state, moment = _state(row)
    return portal.page(
        "sharing/receipt.html", visit, company=known.told(visit.utility, application, words.language()), record=record,
        state=state, day=words.day(datetime.fromtimestamp(moment, zone)),
        shown_at=datetime.fromtimestamp(record.shown_at, zone) if record else None, also=also,
    )  # fmt: skip


def _state(row: Authorization) -> tuple[str, int]:
    if grants.is_waiting(row):
        return "waits", min(row.waits_until or row.ends_at, row.ends_at)
    over = row.ended_at or (row.ends_at if row.ends_at <= clock.seconds() else None)
    over = over or (row.waits_until if row.waits_until is not None else None)
    return ("ended", over) if over else ("runs", row.ends_at)


def _also(session: Session, visit: Visit, row: Authorization) -> list[tuple[str, str]]:
    """The other utilities here that serve these places, where the customer can share as well."""
    places = sharing_places.of_customer(
        session, visit.utility.id, visit.customer.customer_id or uuid.UUID(int=0)
    )
    opened = sharing_places.of_points(places, sharing_flow.opened_by(session, row))
    codes = {code for each in opened for code in (each.udc, each.lse) if code} - {visit.utility.code}
    rows = session.scalars(select(Utility).where(Utility.code.in_(codes)).order_by(Utility.name))
    return [
        (portal.address(each, "sharing.companies"), each.name)
        for each in rows
        if not Portal.of(each).without_accounts
    ]


# --- a yes from before ----------------------------------------------------------------------------------


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
        return _begun(code, visit, secret, None)
    row = next((each for each in rows if str(each.id) == chosen), None)
    if row is None:
        return portal.go(portal.href(visit.utility, "sharing.given", request=secret, wrong=1))
    if not sharing_flow.asks_no_more(arrived, row):
        return _begun(code, visit, secret, row.id)
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        mine = sharing_flow.mine(session, server.utility, row.id, visit.customer)
        location = sharing_flow.adopt(server, arrived, mine, visit.customer)
    return portal.go(str(location))


def _given(code: str) -> tuple[Visit, Arrived, list[Authorization]]:
    with house().database.reading() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, request.args.get("request", ""), asking_browser.shown())
        visit = _customer(session, code, arrived)
        rows = sharing_flow.given_ahead(server, arrived, visit.customer)
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
        return _begun(code, visit, secret, None)
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
        given=shown, secret=secret, form_to=_origin_of(arrived.asked.redirect_uri),
        wrong=_("Choose one of these.") if request.args.get("wrong") else "",
    )  # fmt: skip


# --- the wrong utility ----------------------------------------------------------------------------------


@rooms.get("/share/elsewhere")
def elsewhere(code: str) -> Response:
    """She is no customer here."""
    with house().database.reading() as session:
        server = oauth.server_at(session, code)
        secret = request.args.get("request", "")
        arrived = sharing_flow.arrive(server, secret, asking_browser.shown())
        visit = portal.visit(session, code)
        others = [(each.code, each.name) for each in sharing_routes.others(session, visit.utility)]
    if arrived.asked.by_message:
        raise OtherCustomer()
    return portal.page(
        "sharing/elsewhere.html", visit, company=known.told(visit.utility, arrived.asked.application, words.language()),
        utilities=others, secret=secret, form_to=_origin_of(arrived.asked.redirect_uri),
    )  # fmt: skip


@rooms.post("/share/elsewhere")
def elsewhere_posted(code: str) -> Response:
    """Back to the company, which is told who serves her if she knows."""
    form = portal.posted()
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, request.args.get("request", ""), asking_browser.shown())
        if arrived.asked.by_message:
            raise OtherCustomer()
        post = sharing_routes.signpost(
            session, server.utility, form.get("serves", ""), house().settings.base_url
        )
        location = consent.decline(server, arrived.row.digest, denied=post.denied, reason="not a customer")
    return portal.go(str(location))


@rooms.get("/share/utilities")
def utilities(code: str) -> Response:
    """Which utilities are here, for whoever was sent to the wrong one."""
    with house().database.reading() as session:
        visit = portal.visit(session, code)
        every = [visit.utility, *sharing_routes.others(session, visit.utility)]
    shown = [(each.name, portal.address(each, "sharing.companies")) for each in every]
    return portal.page("sharing/utilities.html", visit, utilities=sorted(shown))


@rooms.app_template_global("not_a_customer")
def not_a_customer(utility: Utility, path: str) -> str:
    """Where somebody goes who came with a company's request and is no customer here; empty without such a request."""
    parts = urlsplit(path or "")
    secret = dict(pair.partition("=")[::2] for pair in parts.query.split("&")).get("request", "")
    if not parts.path.endswith(PATH) or not secret:
        return ""
    return portal.href(utility, "sharing.elsewhere", request=secret)


# --- what all of them do --------------------------------------------------------------------------------


def _customer(session: Session, code: str, arrived: Arrived) -> Visit:
    """Whoever answers a request, signed in as lately and as well as it needs."""
    return portal.customer(session, code, fresh=arrived.fresh, second_factor=arrived.needs_second_factor)


def _speak(arrived: Arrived) -> None:
    """In the language the company asks for, where the reader chose none."""
    locales = arrived.row.parameters.get("ui_locales", "")
    if locales:
        words.speak(None, locales)


def _opened(code: str, draft: uuid.UUID) -> tuple[Visit, Flow]:
    """A draft of whoever is signed in, and as lately and as well as its question needs."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        server = oauth.server_at(session, code)
        try:
            flow = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        except NotYours:
            raise NotWaiting() from None
        fresh, second_factor = sharing_flow.needs(flow)
        visit = portal.customer(session, code, fresh=fresh, second_factor=second_factor)
    return visit, flow


def _declined(code: str, visit: Visit, draft: uuid.UUID) -> Response:
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        flow = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        location = sharing_flow.refuse(server, flow, visit.customer)
    return portal.go(location or portal.href(visit.utility, "sharing.done", draft=draft))


def _company(visit: Visit, flow: Flow) -> known.Company:
    return known.told(visit.utility, flow.question.application, words.language())


def _origin(flow: Flow) -> str:
    return _origin_of(flow.redirect_uri)


def _origin_of(address: str) -> str:
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
    NotWaiting, NotYours, OtherBrowser, OtherCustomer, CompanyMayNotAsk, NoSuchCompany, UnknownApplication, CannotAgree,
    Conflict,
):  # fmt: skip
    rooms.register_error_handler(_each, _over)
