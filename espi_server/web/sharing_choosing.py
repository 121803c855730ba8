"""Step one: what to share. The form is read into the draft, and the page is shown from there."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import Response
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from espi_server.access import sharing, sharing_drafts, sharing_flow
from espi_server.access.consent import NotWaiting
from espi_server.access.sharing import Choices
from espi_server.access.sharing import Problem as Wrong
from espi_server.access.sharing_flow import Flow
from espi_server.access.sharing_places import Place
from espi_server.espi.tables import DataClass
from espi_server.web import asking_browser, oauth, portal
from espi_server.web import sharing_words as say
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.sharing_room import (
    adopted,
    company_of,
    declined,
    onward_of,
    opened,
    origin,
    problems,
    rooms,
    sellers_of,
    shares,
    told,
)

MANY: Final = 8  # places, from which on there is a filter


@rooms.get("/share/<uuid:draft>")
def choose(code: str, draft: uuid.UUID) -> Response:
    """What to share."""
    visit, flow = opened(code, draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer):
        with house().database.writing() as session:
            sharing_drafts.look_at(session, flow.draft, visit.customer)
    return _more_page(visit, flow) if flow.more is not None else _choose_page(visit, flow)


@rooms.post("/share/<uuid:draft>")
def choose_posted(code: str, draft: uuid.UUID) -> Response:
    """What she ticked, or her no."""
    form = portal.posted()
    visit, flow = opened(code, draft)
    here = portal.href(visit.utility, "sharing.choose", draft=draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer):
        return portal.go(here)
    act = form.get("act", "continue")
    if act == "decline":
        return declined(code, visit, draft)
    choices = _read(form, flow, act)
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        again = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        row = again.arrived.row if again.arrived else None
        sharing_drafts.save(session, again.draft, choices.row, row)
        flow = replace(again, choices=choices)
        if act == "continue" and _adds_nothing(flow):
            return _kept_as_it_was(server, visit, flow)
    if act != "continue" or problems(flow):
        return portal.go(here)
    return portal.go(portal.href(visit.utility, "sharing.check", draft=draft))


@rooms.get("/share/<uuid:draft>/anew")
def anew(code: str, draft: uuid.UUID) -> Response:
    """She said yes before, was asked for more, and wants to choose all of it again."""
    visit, flow = opened(code, draft)
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        flow = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        if flow.arrived is None:
            raise NotWaiting()
        fresh = sharing_flow.begin_asked(server, flow.arrived, visit.customer)
    return portal.go(portal.href(visit.utility, "sharing.choose", draft=fresh.id))


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
    return portal.go(adopted(server, visit, flow.draft, arrived, given))


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
    for number, site in enumerate(sites):
        if act == f"site-{number}":
            ticked += [each.key for each in site.places]
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


def _choose_page(visit: Visit, flow: Flow) -> Response:
    question, company = flow.question, company_of(visit, flow)
    errors = problems(flow) if flow.choices.tried else []
    in_sight, open_ = _in_sight(flow), [each for each in flow.places if not each.refusal]
    shown = say.classes()
    statewide = [cls for cls in question.classes if cls in sharing.STATEWIDE]
    with house().database.reading() as session:
        sellers = sellers_of(session, visit.utility, flow.places)
        onward = onward_of(session, visit.utility, question.application, flow.places)
        replaces = not question.is_change and shares(session, visit, question.application)
        present = _present(session, visit, flow) if question.is_change else []
    return portal.page(
        "sharing/choose.html", visit, flow=_Spoken(flow), company=company, errors=_sentences(errors),
        wrong={each.field for each in errors}, links=_links(flow, errors), form_to=origin(flow),
        open=open_, shown=in_sight, sites=_sites(in_sight),
        shut=[each for each in flow.places if each.refusal] if not flow.choices.filter else [],
        is_many=len(open_) > MANY, out_of_sight=len(set(flow.choices.places) - {each.key for each in in_sight}),
        said=say.place, refusal=lambda each: say.refusal(question, each), why_refused=say.why_refused,
        sellers=sellers, onward=onward,
        classes=[shown[cls] for cls in question.classes], first_statewide=statewide[0] if statewide else None,
        asked_for=_asked_for(flow), history=lambda choice: say.history(question, choice),
        replaces=replaces, present=present,
    )  # fmt: skip


def _more_page(visit: Visit, flow: Flow) -> Response:
    more, question = flow.more, flow.question
    if more is None:
        raise NotWaiting()
    errors = problems(flow) if flow.choices.tried else []
    shown = say.classes()
    with house().database.reading() as session:
        present = _present(session, visit, flow)
    return portal.page(
        "sharing/more.html", visit, flow=_Spoken(flow), company=company_of(visit, flow), errors=_sentences(errors),
        links=_links(flow, errors), form_to=origin(flow), present=present,
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
    """The classes the company asks for: those it cannot do without; all, where it did not say."""
    return sharing.essential(flow.question.application) or frozenset(flow.question.classes)


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
