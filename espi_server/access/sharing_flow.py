"""On the way from a company's question to a customer's answer: who may look, who may answer, and what comes of it.

Every step asks anew. A request is answered in the browser that brought it, or by the customer it was sent to; a draft
by the session that looked at it last; and only while the company may ask and what was chosen can still be shared.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import consent, features, grants, people, sharing, sharing_drafts, sharing_places
from espi_server.access.consent import NotWaiting, Waiting
from espi_server.access.contacts import MAIL, Contact
from espi_server.access.models import (
    Application,
    Authorization,
    AuthorizationRequest,
    AuthorizationUsagePoint,
)
from espi_server.access.oauth.clients import Client, Wanted
from espi_server.access.oauth.errors import Denied, sayable
from espi_server.access.oauth.server import Server
from espi_server.access.opening import PRODUCTION
from espi_server.access.sharing import Choices, More, Question
from espi_server.access.sharing_drafts import NotYours, SharingDraft
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Login, Utility
from espi_server.accounts.onboarding import AHEAD, ASKED
from espi_server.accounts.portal import Portal
from espi_server.accounts.sessions import SignedIn
from espi_server.errors import Forbidden, NotFound
from espi_server.espi.scope import Scope, ScopeError
from espi_server.espi.tables import DataClass

COMPANIES: Final = "/account/companies"
"""The list of companies, below a utility's public address."""


class OtherBrowser(Forbidden):
    """This question came to another browser. Go back to the company and begin again."""


class OtherCustomer(Forbidden):
    """This question was sent to somebody else. Only they can answer it."""


class CompanyMayNotAsk(Forbidden):
    """This company cannot ask for data now. Nothing was shared."""


class NotOnOffer(Forbidden):
    """What this company asks for cannot be shared at your service now. Nothing was shared."""


class NotFromHere(Forbidden):
    """Customers of this utility do not begin here. Go to the company and begin there."""


class ChooseFirst(Forbidden):
    """Customers of this utility choose a company in its list first."""


class NoSuchCompany(NotFound):
    """There is no such company here."""


@dataclass(frozen=True)
class Arrived:
    """A request that may be answered here: how lately, and how well, whoever answers has to have signed in."""

    row: AuthorizationRequest
    asked: Waiting
    fresh: int | None
    needs_second_factor: bool


@dataclass(frozen=True)
class Flow:
    """A draft on its way: what is asked, by whom, and what it is about."""

    draft: SharingDraft
    question: Question
    places: Sequence[Place]
    choices: Choices
    arrived: Arrived | None = None
    more: More | None = None

    @property
    def is_ahead(self) -> bool:
        """Did she come by herself, before any request of the company?"""
        return self.arrived is None and not self.question.is_change

    @property
    def mode(self) -> str:
        """asked, ahead, change, or more than she agreed to before."""
        if self.more is not None:
            return "more"
        return "change" if self.question.is_change else "ahead" if self.is_ahead else "asked"

    @property
    def redirect_uri(self) -> str:
        """Where her browser goes with the answer; empty where it stays."""
        if self.arrived is None or self.arrived.asked.by_message:
            return ""
        return self.arrived.asked.redirect_uri


# --- arriving -------------------------------------------------------------------------------------------


def browser(cookie: str) -> bytes:
    """What is kept of what a browser can show."""
    return hashlib.sha256(b"espi browser " + cookie.encode("utf-8", "replace")).digest()


def arrive(server: Server, secret: str | bytes, cookie: str) -> Arrived:
    """The request this browser may answer. `NotWaiting`, `OtherBrowser`, `CompanyMayNotAsk`."""
    row = consent.find(server, secret)
    asked = consent.told(server, row)
    if not asked.by_message and not (asked.browser and hmac.compare_digest(asked.browser, browser(cookie))):
        raise OtherBrowser()
    if asked.application.status != PRODUCTION or (asked.by_message and asked.customer_id is None):
        raise CompanyMayNotAsk()
    return Arrived(
        row=row,
        asked=asked,
        fresh=_fresh(asked),
        needs_second_factor=bool(asked.scope.classes & sharing.STATEWIDE),
    )


def _fresh(asked: Waiting) -> int | None:
    """How many seconds ago at most she may have signed in, as of now (OpenID Core 3.1.2.1)."""
    waited = clock.seconds() - asked.asked_at
    if {"login", "select_account"} & set(asked.prompt.split()):
        return waited
    return None if asked.max_age is None else waited + asked.max_age


def check_customer(arrived: Arrived, here: SignedIn) -> None:
    """Whoever was asked by message answers, and nobody else."""
    if arrived.asked.by_message and arrived.asked.customer_id != here.customer_id:
        raise OtherCustomer()


def may_begin_here(server: Server, arrived: Arrived) -> bool:
    """May the company ask her first, or does the utility want her to choose it in the list before?"""
    chosen = Portal.of(server.utility)
    by_message = arrived.asked.by_message
    pkce = None if by_message else "code_challenge" in arrived.row.parameters
    return chosen.offers(ASKED, by_message=by_message, pkce=pkce)


def choose_first(server: Server, arrived: Arrived, here: SignedIn) -> str | None:
    """Back to the company, which is told where she chooses it: where her browser goes."""
    chosen = f"{server.issuer}{COMPANIES}"
    said = f"The customer has not chosen this company at {server.utility.name} yet. She can, at {chosen}"
    denied = Denied(description=sayable(said), uri=chosen)
    return consent.decline(
        server, arrived.row.digest, denied=denied, customer_id=here.customer_id, reason="not chosen ahead"
    )


def given_ahead(server: Server, arrived: Arrived, here: SignedIn) -> list[Authorization]:
    """What she agreed to with this company before it asked, and what it may still come for; the newest first."""
    rows = server.session.scalars(
        select(Authorization)
        .where(
            Authorization.utility_id == server.utility.id,
            Authorization.application_id == arrived.asked.application.id,
            Authorization.customer_id == here.customer_id,
            Authorization.ended_at.is_(None),
            Authorization.waits_until > clock.seconds(),
        )
        .order_by(Authorization.created_at.desc(), Authorization.id)
    )
    client = Client(server.session, arrived.asked.application)
    return [each for each in rows if grants.is_waiting(each) and _may_have(client, each.scope)]


def _may_have(client: Client, scope: str) -> bool:
    """Is what she agreed to then still within what the company may ask for?"""
    try:
        client.check_scope(Wanted.read(scope))
    except ScopeError:
        return False
    return True


def asks_no_more(arrived: Arrived, given: Authorization) -> bool:
    """Does the company ask for nothing beyond what she agreed to before?"""
    return arrived.asked.scope.within(Scope.parse(given.scope))


def shareable(session: Session, given: Authorization) -> list[uuid.UUID]:
    """The usage points of an authorization that are still hers to share."""
    opened = opened_by(session, given)
    if given.customer_id is None:
        return opened
    found = grants.shareable_of(session, given.utility_id, given.customer_id, opened)
    return [each.id for each in found]


def opened_by(session: Session, given: Authorization) -> list[uuid.UUID]:
    """The usage points an authorization was given for."""
    mine = AuthorizationUsagePoint.authorization_id == given.id
    return list(session.scalars(select(AuthorizationUsagePoint.usage_point_id).where(mine)))


# --- drafts ---------------------------------------------------------------------------------------------


def begin_asked(
    server: Server, arrived: Arrived, here: SignedIn, given: Authorization | None = None
) -> SharingDraft:
    """Her draft of an answer to a request, or to what it asks beyond a consent she gave before."""
    check_customer(arrived, here)
    if given is None and not may_begin_here(server, arrived):
        raise ChooseFirst()
    return sharing_drafts.begin(
        server.session,
        here,
        arrived.asked.application.id,
        request=arrived.row,
        authorization_id=given.id if given else None,
    )


def begin_ahead(
    session: Session, utility: Utility, application_id: uuid.UUID, here: SignedIn
) -> SharingDraft:
    """Her draft about a company she chose from the list."""
    if not begins_here(utility):
        raise NotFromHere()
    return sharing_drafts.begin(session, here, company(session, utility, application_id).id)


def begins_here(utility: Utility) -> bool:
    """Do customers begin by themselves too?"""
    chosen = Portal.of(utility)
    return any(chosen.offers(AHEAD, by_message=each) for each in (False, True))


def company(session: Session, utility: Utility, application_id: uuid.UUID) -> Application:
    """A company of this utility that may ask, or `NoSuchCompany`."""
    found = session.get(Application, application_id)
    if found is None or found.utility_id != utility.id or found.status != PRODUCTION:
        raise NoSuchCompany()
    return found


def begin_change(
    session: Session, utility: Utility, authorization_id: uuid.UUID, here: SignedIn
) -> SharingDraft:
    """Her draft about a consent she has given."""
    row = mine(session, utility, authorization_id, here)
    if not is_open(row):
        raise NotYours()
    company(session, utility, row.application_id)
    return sharing_drafts.begin(session, here, row.application_id, authorization_id=row.id)


def mine(session: Session, utility: Utility, id: uuid.UUID, here: SignedIn) -> Authorization:
    """Her authorization; `NotYours` for anybody else's."""
    row = session.get(Authorization, id)
    if row is None or row.utility_id != utility.id or row.customer_id != here.customer_id:
        raise NotYours()
    return row


def is_open(row: Authorization) -> bool:
    """Can she change it: it has begun or waits, and has not ended?"""
    return row.ended_at is None and (grants.is_waiting(row) or (row.waits_until is None and _runs(row)))


def _runs(row: Authorization) -> bool:
    return row.ends_at > clock.seconds()


def open_draft(server: Server, id: uuid.UUID, here: SignedIn, cookie: str) -> Flow:
    """A draft of hers with all that is asked; whatever is not so any more is an error that says so."""
    session, utility = server.session, server.utility
    draft = sharing_drafts.find(session, here, id)
    if draft.used_at is not None:
        raise NotWaiting()
    application = session.get_one(Application, draft.application_id)
    if application.status != PRODUCTION:
        raise CompanyMayNotAsk()
    arrived = arrive(server, draft.request_digest, cookie) if draft.request_digest else None
    if arrived is not None:
        check_customer(arrived, here)
    present = session.get(Authorization, draft.authorization_id) if draft.authorization_id else None
    places = sharing_places.of_customer(session, utility.id, customer_of(here))
    offered = features.of(session, utility.id)
    if arrived is not None and present is not None:  # what is added is for all the places she gave
        off = offered.withheld(
            _classes(sharing_places.of_points(places, opened_by(session, present))), from_some=True
        )
    else:
        off = offered.withheld(_classes(each for each in places if not each.refusal))
    question, more = _question(utility, application, arrived, present, off)
    return Flow(
        draft=draft,
        question=replace(question, offered=offered),
        places=places,
        choices=Choices.of(draft.choices),
        arrived=arrived,
        more=more,
    )


def _classes(places: Iterable[Place]) -> set[str]:
    return {each.customer_class for each in places}


def _without(scope: Scope, off: frozenset[DataClass]) -> Scope:
    """A scope without what is not on offer to her; `NotOnOffer` where nothing is left of it."""
    if not off & scope.classes:
        return scope
    left = scope.classes - off
    if not left:
        raise NotOnOffer()
    return scope.narrow(classes=off & scope.classes)


def _question(
    utility: Utility,
    application: Application,
    arrived: Arrived | None,
    present: Authorization | None,
    off: frozenset[DataClass],
) -> tuple[Question, More | None]:
    if arrived is not None:
        return _asked(utility, application, _without(arrived.asked.scope, off), present)
    widest = _without(sharing.registered(application), off)
    if present is None:
        return Question(utility, application, widest), None
    if not is_open(present):
        raise NotYours()
    now = _without(Scope.parse(present.scope), off) if Scope.parse(present.scope).classes - off else widest
    # What she gave stays within what the company is registered for, even if that got less since.
    base = now if now.within(widest) else widest
    return Question(utility, application, base, widest=widest, present=present, is_change=True), None


def _asked(
    utility: Utility, application: Application, scope: Scope, present: Authorization | None
) -> tuple[Question, More | None]:
    if present is None:
        return Question(utility, application, scope), None
    if not grants.is_waiting(present):
        raise NotWaiting()
    more = sharing.beyond(scope, Scope.parse(present.scope))
    return Question(utility, application, scope, present=present), more


def needs(flow: Flow) -> tuple[int | None, bool]:
    """How lately and how well she has to have signed in for this: (seconds or None, two factors)."""
    fresh = flow.arrived.fresh if flow.arrived else None
    return fresh, flow.question.needs_second_factor


# --- what a page tells her -----------------------------------------------------------------------------


def mail(session: Session, here: SignedIn) -> str:
    """Where her receipt goes, as much of it as tells her; empty where it cannot be mailed."""
    hers = (Login.customer_id == here.customer_id, Login.status == "active", Login.email.is_not(None))
    found = session.scalar(select(Login.email).where(*hers).order_by(Login.created_at).limit(1))
    found = found or people.record(session, customer_of(here)).email
    return Contact(MAIL, found, 0).masked if found else ""


def live(session: Session, utility: Utility, here: SignedIn) -> dict[uuid.UUID, Authorization]:
    """What she shares now, or has said yes to ahead, by the company's application; what has begun comes first."""
    rows = session.scalars(
        select(Authorization).where(
            Authorization.utility_id == utility.id,
            Authorization.customer_id == here.customer_id,
            Authorization.ended_at.is_(None),
        )
    )
    found: dict[uuid.UUID, Authorization] = {}
    for each in sorted(filter(is_open, rows), key=lambda row: row.waits_until is not None):
        found.setdefault(each.application_id, each)
    return found


def customer_of(here: SignedIn) -> uuid.UUID:
    """The customer who is signed in; somebody without records has nothing to share."""
    if here.customer_id is None:
        raise NotYours()
    return here.customer_id
