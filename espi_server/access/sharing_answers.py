"""What comes of a customer's answer: a code for the company, a consent that waits for it, or a changed one; or a no.

Her yes is to the text she saw. It is kept in the transaction of what comes of it, once, and what was chosen is looked
at again at that very moment.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import consent, grants, sharing, sharing_drafts, sharing_places
from espi_server.access.consent import Agreed, Identified, NotWaiting
from espi_server.access.models import (
    Authorization,
    ConsentRecord,
)
from espi_server.access.oauth.server import Server
from espi_server.access.sharing import Decision
from espi_server.access.sharing_flow import Arrived, Flow, customer_of, shareable
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import Portal
from espi_server.accounts.sessions import SignedIn
from espi_server.espi.scope import Scope

METHOD: Final = "sign-in"
PROFILE: Final = "profile"  # what a company said of her fits one customer alone (by message)


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
class Outcome:
    """What came of a yes: where her browser goes, or the authorization that was recorded or changed."""

    location: str | None = None
    authorization: uuid.UUID | None = None


def decision_with_more(session: Session, flow: Flow) -> Decision:
    """What she gave before with what she adds now."""
    given = flow.question.present
    if given is None:
        raise NotWaiting()
    held = Scope.parse(given.scope)
    scope = sharing.with_more(flow.question.scope, held, flow.choices)
    points = shareable(session, given)
    length = scope.history_length
    keeps = length == held.history_length
    return Decision(
        places=tuple(sharing_places.of_points(flow.places, points)),
        usage_points=tuple(points),
        scope=scope,
        until=_end_of(given),
        lasting=given.lasting or grants.UNTIL,
        history_from=given.history_from if keeps else None if length is None else clock.seconds() - length,
        keeps_history=keeps,
        left_out=tuple(cls for cls in flow.question.classes if cls not in scope.classes),
    )


def adopt(server: Server, arrived: Arrived, given: Authorization, here: SignedIn) -> str | None:
    """Let the company come for what she agreed to before, as it is: where her browser goes."""
    agreed = Agreed(
        customer_id=customer_of(here),
        usage_points=shareable(server.session, given),
        scope=Scope.parse(given.scope),
        text=given.scope,
        until=_end_of(given),
        lasting=given.lasting,
        identified=_identified(here, [], found=PROFILE if arrived.asked.by_message else None),
        consent_record_id=given.consent_record_id,
        adopts=given.id,
    )
    return consent.agree(server, arrived.row.digest, agreed)


def share(server: Server, flow: Flow, decision: Decision, record: Record, here: SignedIn) -> Outcome:
    """Her yes to exactly what `record` shows, once."""
    session = server.session
    kept = _keep(session, server.utility, record)
    taken = sharing_drafts.take(session, flow.draft, {"outcome": "agreed"})
    if not taken:
        raise NotWaiting()
    by_message = flow.arrived is not None and flow.arrived.asked.by_message
    identified = _identified(here, decision.places, found=PROFILE if by_message else None)
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
        customer_of(here),
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
        customer_id=customer_of(here),
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
    points = grants.shareable_of(session, utility.id, customer_of(here), list(decision.usage_points))
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


def _identified(here: SignedIn, places: Sequence[Place], *, found: str | None = None) -> Identified:
    sellers = sorted({each.lse for each in places if each.is_unbundled and each.lse})
    return Identified(
        at=here.at,
        method=METHOD,
        amr=here.amr,
        acr=here.acr,
        lse=" ".join(sellers)[:256] or None,
        found=found,
    )


def _end_of(given: Authorization) -> int:
    """One time begins when the company comes for it."""
    return clock.seconds() + grants.ONE_TIME if given.lasting == grants.ONCE else given.ends_at
