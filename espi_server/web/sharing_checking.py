"""Step two: a last look. What this page says, word for word, is what she says yes to."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Response, render_template, request
from markupsafe import Markup
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import companies as known
from espi_server.access import grants, sharing, sharing_answers, sharing_drafts, sharing_flow, terms
from espi_server.access.models import Application
from espi_server.access.sharing import Decision
from espi_server.access.sharing_answers import Record
from espi_server.access.sharing_flow import Flow
from espi_server.accounts.models import Utility
from espi_server.web import asking_browser, oauth, portal, said, words
from espi_server.web import sharing_words as say
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.sharing_room import (
    company_of,
    declined,
    onward_of,
    opened,
    origin,
    problems,
    rooms,
    sellers_of,
    shares,
)
from espi_server.web.words import _


@rooms.get("/share/<uuid:draft>/check")
def check(code: str, draft: uuid.UUID) -> Response:
    """A last look at what she chose."""
    visit, flow = opened(code, draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer) or not flow.choices.tried or problems(flow):
        return portal.go(portal.href(visit.utility, "sharing.choose", draft=draft))
    with house().database.reading() as session:
        fragment, record = _consent(session, visit, flow, _decision(session, flow))
    return portal.page(
        "sharing/check.html", visit, flow=flow, consent=fragment, digest=record.digest.hex(),
        changed=bool(request.args.get("changed")), going=urlsplit(flow.redirect_uri).netloc.rpartition("@")[2],
        form_to=origin(flow),
    )  # fmt: skip


@rooms.post("/share/<uuid:draft>/check")
def check_posted(code: str, draft: uuid.UUID) -> Response:
    """Her yes to exactly what she was shown, or her no."""
    form = portal.posted()
    visit, flow = opened(code, draft)
    choose_ = portal.href(visit.utility, "sharing.choose", draft=draft)
    if not sharing_drafts.is_of(flow.draft, visit.customer) or not flow.choices.tried:
        return portal.go(choose_)
    if form.get("act") != "share":
        return declined(code, visit, draft)
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        flow = sharing_flow.open_draft(server, draft, visit.customer, asking_browser.shown())
        if problems(flow):
            return portal.go(choose_)
        decision = _decision(session, flow)
        _fragment, record = _consent(session, visit, flow, decision)
        if not hmac.compare_digest(
            form.get("shown", "").encode("utf-8", "replace"), record.digest.hex().encode()
        ):
            return portal.go(portal.href(visit.utility, "sharing.check", draft=draft, changed=1))
        outcome = sharing_answers.share(server, flow, decision, record, visit.customer)
    if outcome.authorization is not None:
        return portal.go(portal.href(visit.utility, "sharing.receipt", authorization=outcome.authorization))
    return portal.go(outcome.location or portal.href(visit.utility, "sharing.done", draft=draft))


def _decision(session: Session, flow: Flow) -> Decision:
    if flow.more is not None:
        return sharing_answers.decision_with_more(session, flow)
    return sharing.decide(flow.question, flow.choices, flow.places)


def _consent(session: Session, visit: Visit, flow: Flow, decision: Decision) -> tuple[Markup, Record]:
    """What she is asked to say yes to, as a piece of the page and as the text that is kept of it."""
    utility, question = visit.utility, flow.question
    lapses = clock.seconds() + visit.portal.unused_days * sharing.DAY
    facts = say.Facts(
        question=question,
        company=company_of(visit, flow),
        decision=decision,
        is_ahead=flow.is_ahead or (question.present is not None and grants.is_waiting(question.present)),
        waits_until=min(lapses, decision.until) if flow.is_ahead and decision.lasting != grants.ONCE else
        lapses if flow.is_ahead else None,
        mail=sharing_flow.mail(session, visit.customer),
        onward=onward_of(session, utility, question.application, decision.places),
    )  # fmt: skip
    page = render_template(
        "sharing/_consent.html",
        facts=facts,
        utility=utility,
        portal=visit.portal,
        terms=terms.of(utility, house().settings.base_url),
        sellers=sellers_of(session, utility, decision.places),
        replaces=shares(session, visit, question.application),
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
