"""Reporting a problem with a company, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy.orm import Session

from espi_server.access import cases, overview
from espi_server.access.cases import Case, IsClosed, TooMany, TooMuch
from espi_server.access.models import Application
from espi_server.db import NIL
from espi_server.errors import NotFound, Problem
from espi_server.web import portal, words
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.words import _

rooms = portal.blueprint("cases")


@rooms.get("/cases")
def index(code: str) -> Response:
    """Her cases."""
    with house().database.reading() as session:
        visit = portal.customer(session, code)
        hers = cases.of_customer(session, visit.utility.id, _whose(visit))
        about = {each.id: session.get_one(Application, each.application_id).name for each in hers}
    return _page("access/cases.html", visit, cases=hers, about=about)


@rooms.get("/cases/new")
def new(code: str) -> Response:
    """Which company, what about, and what happened."""
    with house().database.reading() as session:
        visit, known = _companies(session, code)
    return _form(visit, known, {"company": request.args.get("company", "")}, [])


@rooms.post("/cases/new")
def report(code: str) -> Response:
    """Take it in, or say what is missing. Where it cannot be taken, her words are on the page that says so."""
    form = portal.posted()
    given = {name: form.get(name, "") for name in ("company", "topic", "text")}
    with house().database.writing() as session:
        visit, known = _companies(session, code)
        wrong = _wrong(given, known)
        if wrong:
            return _form(visit, known, given, wrong, status=400)
        try:
            case = cases.report(
                session,
                visit.utility.id,
                _whose(visit),
                uuid.UUID(given["company"]),
                topic=given["topic"],
                text=given["text"],
                language=words.language(),
            )
        except TooMany as problem:
            return _form(visit, known, given, [("text", _refusals()[TooMany])], status=problem.status)
    return portal.go(portal.href(visit.utility, "cases.one", number=case.number))


@rooms.get("/cases/<number>")
def one(code: str, number: str) -> Response:
    """One case: its number, how it stands, and all that was said and done, in its order."""
    with house().database.reading() as session:
        visit, case, company = _mine(session, code, number)
    return _case_page(visit, case, company)


@rooms.post("/cases/<number>")
def add(code: str, number: str) -> Response:
    """She adds something. Where it cannot be taken, her words are on the page that says so."""
    text = portal.posted().get("text", "")
    with house().database.writing() as session:
        visit, case, company = _mine(session, code, number)
        wrong, status = _wrong_words(text), 400
        if not wrong:
            try:
                cases.add(session, case, text)
            except (IsClosed, TooMuch) as problem:
                wrong, status = [("text", _refusals()[type(problem)])], problem.status
    if wrong:
        return _case_page(visit, case, company, given=text, wrong=wrong, status=status)
    return portal.go(portal.href(visit.utility, "cases.one", number=case.number, added=1))


def _mine(session: Session, code: str, number: str) -> tuple[Visit, Case, Application]:
    visit = portal.customer(session, code)
    try:
        case = cases.find(session, visit.utility, number, _whose(visit))
    except NotFound:
        raise portal.NoSuchPage() from None
    return visit, case, session.get_one(Application, case.application_id)


def _case_page(
    visit: Visit,
    case: Case,
    company: Application,
    *,
    given: str = "",
    wrong: Sequence[tuple[str, str]] = (),
    status: int = 200,
) -> Response:
    return _page(
        "access/case.html", visit, status=status, case=case, company=company, given=given, wrong=list(wrong),
        did=_steps(), outcomes=_outcomes(), added=bool(request.args.get("added")) and not wrong,
    )  # fmt: skip


def _companies(session: Session, code: str) -> tuple[Visit, list[Application]]:
    visit = portal.customer(session, code)
    return visit, overview.companies(session, visit.utility, _whose(visit))


def _wrong(given: dict[str, str], known: list[Application]) -> list[tuple[str, str]]:
    """What is missing, by the field."""
    wrong = []
    if given["company"] not in {str(each.id) for each in known}:
        wrong.append(("company", _("Choose the company.")))
    if given["topic"] not in cases.TOPICS:
        wrong.append((f"topic-{cases.TOPICS[0]}", _("Choose what it is about.")))
    return [*wrong, *_wrong_words(given["text"])]


def _wrong_words(text: str) -> list[tuple[str, str]]:
    length = len(text.replace("\0", "").replace("\r\n", "\n").strip())
    if not length:
        return [("text", _("Tell us what happened."))]
    return [("text", _("Make it shorter: 4,000 letters at most."))] if length > cases.LONGEST else []


def _form(
    visit: Visit,
    known: list[Application],
    given: dict[str, str],
    wrong: list[tuple[str, str]],
    status: int = 200,
) -> Response:
    return _page("access/report.html", visit, status=status, companies=known, given=given, wrong=wrong)


def _page(template: str, visit: Visit, status: int = 200, **values: Any) -> Response:
    zone = ZoneInfo(visit.utility.timezone)

    def at(moment: int) -> datetime:
        return datetime.fromtimestamp(moment, zone)

    return portal.page(template, visit, status=status, at=at, topics=_topics(), state=_state, **values)


def _whose(visit: Visit) -> uuid.UUID:
    return visit.customer.customer_id or NIL


def _topics() -> dict[str, str]:
    return {
        "stranger": _("I do not know this company"),
        "more": _("They use my data for more than they said"),
        "still": _("They go on after I stopped sharing"),
        "untrue": _("They told me something that is not true"),
        "other": _("Something else"),
    }


def _state(case: Case) -> str:
    said = {
        cases.OPEN: _("We have it. We have not answered yet."),
        cases.ANSWERED: _("We have answered. It is still open."),
        cases.CLOSED: _("Closed"),
    }
    return said[case.state]


def _steps() -> dict[str, str]:
    """What we did with a case, beside what was said."""
    return {
        cases.FORWARDED: _(
            "We told the state office that checks companies. Your name and your words were not in it."
        ),
        cases.CLOSED: _("We closed the case."),
    }


def _outcomes() -> dict[str, str]:
    return {
        cases.UPHELD: _("You were right. The company did wrong."),
        cases.NOT_UPHELD: _("We found nothing wrong."),
        cases.UNCLEAR: _("We could not find out who is right."),
        cases.WITHDRAWN: _("You took it back."),
    }


def _refusals() -> dict[type[Problem], str]:
    return {
        IsClosed: _(
            "We closed this case in the meantime. Your words below were not added. Tell us in a new report."
        ),
        TooMany: _("You reported ten problems today. Report more tomorrow, or call us."),
        TooMuch: _("You added to this case ten times today. Add more tomorrow, or call us."),
    }
