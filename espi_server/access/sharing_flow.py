"""On the way from a company's question to a customer's answer: who may look, who may answer, and what comes of it.

Every step asks anew. A request is answered in the browser that brought it, or by the customer it was sent to; a draft
by the session that looked at it last; and only while the company may ask and what was chosen can still be shared.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import consent, grants, people, sharing, sharing_drafts, sharing_places
from espi_server.access.consent import Agreed, Identified, NotWaiting, Waiting
from espi_server.access.contacts import MAIL, Contact
from espi_server.access.models import (
    Application,
    Authorization,
    AuthorizationRequest,
    AuthorizationUsagePoint,
    ConsentRecord,
)
from espi_server.access.oauth.clients import Client, Wanted
from espi_server.access.oauth.server import Server
from espi_server.access.opening import PRODUCTION
from espi_server.access.sharing import Choices, Decision, More, Question
from espi_server.access.sharing_drafts import NotYours, SharingDraft
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Login, Utility
from espi_server.accounts.portal import Portal
from espi_server.accounts.sessions import SignedIn
from espi_server.errors import Forbidden, NotFound
from espi_server.espi.scope import Scope, ScopeError

ANY_TIME: Final = 100 * 365 * 86_400
METHOD: Final = "sign-in"


class OtherBrowser(Forbidden):
    """This question came to another browser. Go back to the company and begin again."""


class OtherCustomer(Forbidden):
    """This question was sent to somebody else. Only they can answer it."""


class CompanyMayNotAsk(Forbidden):
    """This company cannot ask for data now. Nothing was shared."""


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
class Record:
    """The text of the page she says yes on, its language, and which words of ours it was made of."""

    shown: str
    language: str
    version: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text."""
        return hashlib.sha256(self.shown.encode()).digest()


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


def given_ahead(server: Server, arrived: Arrived, here: SignedIn) -> list[Authorization]:
    """What she agreed to with this company before it asked, and what it may still come for; the newest first."""
    if arrived.asked.by_message:
        return []
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
    client = Client(arrived.asked.application)
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


def adopt(server: Server, arrived: Arrived, given: Authorization, here: SignedIn) -> str | None:
    """Let the company come for what she agreed to before, as it is: where her browser goes."""
    agreed = Agreed(
        customer_id=_customer(here),
        usage_points=shareable(server.session, given),
        scope=Scope.parse(given.scope),
        text=given.scope,
        until=_end_of(given),
        lasting=given.lasting,
        identified=_identified(here, []),
        consent_record_id=given.consent_record_id,
        adopts=given.id,
    )
    return consent.agree(server, arrived.row.digest, agreed)


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


def _end_of(given: Authorization) -> int:
    """One time begins when the company comes for it."""
    return clock.seconds() + grants.ONE_TIME if given.lasting == grants.ONCE else given.ends_at


# --- drafts ---------------------------------------------------------------------------------------------


def begin_asked(
    server: Server, arrived: Arrived, here: SignedIn, given: Authorization | None = None
) -> SharingDraft:
    """Her draft of an answer to a request, or to what it asks beyond a consent she gave before."""
    check_customer(arrived, here)
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
    return sharing_drafts.begin(session, here, company(session, utility, application_id).id)


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
    question, more = _question(utility, application, arrived, present)
    return Flow(
        draft=draft,
        question=question,
        places=sharing_places.of_customer(session, utility.id, _customer(here)),
        choices=Choices.of(draft.choices),
        arrived=arrived,
        more=more,
    )


def _question(
    utility: Utility, application: Application, arrived: Arrived | None, present: Authorization | None
) -> tuple[Question, More | None]:
    if arrived is None and present is None:
        return Question(utility, application, sharing.registered(application)), None
    if arrived is None and present is not None:
        if not is_open(present):
            raise NotYours()
        widest, now = sharing.registered(application), Scope.parse(present.scope)
        # What she gave stays within what the company is registered for, even if that got less since.
        base = now if now.within(widest) else widest
        return Question(utility, application, base, widest=widest, present=present, is_change=True), None
    assert arrived is not None  # noqa: S101 - the two cases above
    if present is None:
        return Question(utility, application, arrived.asked.scope), None
    if not grants.is_waiting(present):
        raise NotWaiting()
    more = sharing.beyond(arrived.asked.scope, Scope.parse(present.scope))
    return Question(utility, application, arrived.asked.scope, present=present), more


def needs(flow: Flow) -> tuple[int | None, bool]:
    """How lately and how well she has to have signed in for this: (seconds or None, two factors)."""
    fresh = flow.arrived.fresh if flow.arrived else None
    return fresh, flow.question.needs_second_factor


# --- answering ------------------------------------------------------------------------------------------


def decision_with_more(session: Session, flow: Flow) -> Decision:
    """What she gave before with what she adds now."""
    given = flow.question.present
    if given is None:
        raise NotWaiting()
    scope = sharing.with_more(flow.question.scope, Scope.parse(given.scope), flow.choices)
    points = shareable(session, given)
    length = scope.history_length
    return Decision(
        places=tuple(sharing_places.of_points(flow.places, points)),
        usage_points=tuple(points),
        scope=scope,
        until=_end_of(given),
        lasting=given.lasting or grants.UNTIL,
        history_from=None if length is None else clock.seconds() - length,
        left_out=tuple(cls for cls in flow.question.classes if cls not in scope.classes),
    )


@dataclass(frozen=True)
class Outcome:
    """What came of a yes: where her browser goes, or the authorization that was recorded or changed."""

    location: str | None = None
    authorization: uuid.UUID | None = None


def share(server: Server, flow: Flow, decision: Decision, record: Record, here: SignedIn) -> Outcome:
    """Her yes to exactly what `record` shows, once."""
    session = server.session
    kept = _keep(session, server.utility, record)
    taken = sharing_drafts.take(session, flow.draft, {"outcome": "agreed"})
    if not taken:
        raise NotWaiting()
    identified = _identified(here, decision.places)
    if flow.arrived is not None:
        location = consent.agree(
            server, flow.arrived.row.digest, _agreed(flow, decision, kept, identified, here)
        )
        return Outcome(location=location)
    points = _checked_points(session, server.utility, here, decision)
    by = f"customer:{here.customer_id}"
    if flow.question.is_change and flow.question.present is not None:
        until = _until(flow.question.present, decision)
        terms = grants.Terms(
            points, str(decision.scope), until, decision.lasting, identified.row, kept.id,
            keeps_history=decision.keeps_history,
        )  # fmt: skip
        grants.change(session, flow.question.present, terms, by=by)
        return Outcome(authorization=flow.question.present.id)
    waits = clock.seconds() + Portal.of(server.utility).unused_days * sharing.DAY
    made = grants.begin(
        session,
        flow.question.application,
        _customer(here),
        points,
        scope=str(decision.scope),
        until=waits + grants.ONE_TIME if decision.lasting == grants.ONCE else decision.until,
        lasting=decision.lasting,
        waits_until=min(waits, decision.until) if decision.lasting != grants.ONCE else waits,
        identified=identified.row,
        consent_record_id=kept.id,
        by=by,
    )
    return Outcome(authorization=made.id)


def _until(present: Authorization, decision: Decision) -> int:
    """One time of a consent that waits begins when its company comes."""
    if decision.lasting == grants.ONCE and present.waits_until is not None:
        return present.waits_until + grants.ONE_TIME
    return decision.until


def _agreed(
    flow: Flow, decision: Decision, kept: ConsentRecord, identified: Identified, here: SignedIn
) -> Agreed:
    return Agreed(
        customer_id=_customer(here),
        usage_points=decision.usage_points,
        scope=decision.scope,
        until=decision.until,
        lasting=decision.lasting,
        identified=identified,
        consent_record_id=kept.id,
        adopts=flow.question.present.id if flow.more is not None and flow.question.present else None,
    )


def _checked_points(session: Session, utility: Utility, here: SignedIn, decision: Decision) -> list[Any]:
    """The usage points themselves, hers and shareable at this very moment."""
    points = grants.shareable_of(session, utility.id, _customer(here), list(decision.usage_points))
    if not points or {each.id for each in points} != set(decision.usage_points):
        raise consent.CannotAgree("What was chosen cannot be shared any more.")
    return points


def refuse(server: Server, flow: Flow, here: SignedIn) -> str | None:
    """Her no, once: where her browser goes."""
    if not sharing_drafts.take(server.session, flow.draft, {"outcome": "declined"}):
        raise NotWaiting()
    if flow.arrived is not None:
        return consent.decline(server, flow.arrived.row.digest, customer_id=here.customer_id)
    if not flow.question.is_change:
        application = flow.question.application
        consent.record_no(server.session, server.utility.id, application.id, here.customer_id, "declined")
    return None


def _keep(session: Session, utility: Utility, record: Record) -> ConsentRecord:
    kept = ConsentRecord(
        id=uuid.uuid4(),
        utility_id=utility.id,
        shown=record.shown,
        language=record.language,
        version=record.version,
        digest=record.digest,
        shown_at=clock.seconds(),
    )
    session.add(kept)
    session.flush()
    return kept


def _identified(here: SignedIn, places: Sequence[Place]) -> Identified:
    sellers = sorted({each.lse for each in places if each.is_unbundled and each.lse})
    return Identified(
        at=here.at, method=METHOD, amr=here.amr, acr=here.acr, lse=" ".join(sellers)[:256] or None
    )


def mail(session: Session, here: SignedIn) -> str:
    """Where her receipt goes, as much of it as tells her; empty where it cannot be mailed."""
    hers = (Login.customer_id == here.customer_id, Login.status == "active", Login.email.is_not(None))
    found = session.scalar(select(Login.email).where(*hers).order_by(Login.created_at).limit(1))
    found = found or people.record(session, _customer(here)).email
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


def _customer(here: SignedIn) -> uuid.UUID:
    if here.customer_id is None:
        raise NotYours()
    return here.customer_id
