"""Agreements that close, or change who sells the energy: what becomes of the consents that hold them.

Consent is given for service agreements. One that closes leaves every authorization at once, with its usage points; the
last one ends it (F-OFF). An agreement that goes from a bundled service to another seller stays, since this utility
still delivers and measures: what it shares is the utility's part, its RINs have other roles, and everybody is told.

An import says so in the transaction of the customer (`agreed`), an operator by a command (`close`), and what only time
brings is seen by a worker (`sweep`). `closed_at` is when that was noticed, so all of it happens once.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, grants, prepared
from espi_server.access.models import Authorization, AuthorizationAgreement, AuthorizationUsagePoint
from espi_server.accounts.models import Customer, ServiceAgreement, Utility
from espi_server.db import Database
from espi_server.energy import changes
from espi_server.energy.agreements import Changed, Terms
from espi_server.energy.models import UsagePoint, UsagePointLink
from espi_server.errors import NotFound
from espi_server.notify import outbox

CLOSED: Final = "closed"
"""The status of an agreement that an operator closed, and why an authorization ended with its last agreement."""

NARROWED: Final = "authorization.narrowed"
MOVED: Final = "authorization.moved"
SWEEP_AT_ONCE: Final = 200


def agreed(session: Session, utility_id: uuid.UUID, changed: Sequence[Changed]) -> None:
    """What an import says of one customer's agreements, in its transaction."""
    over = [each for each in changed if _is_over(each.after)]
    again = [each.id for each in changed if not _is_over(each.after) and _was_over(each)]
    if over:
        known = {each.id: each.before.ends_at for each in over if each.before and _was_over(each)}
        _leave(
            session, utility_id, {id: known.get(id) for id in _notice(session, [each.id for each in over])}
        )
    if again:
        _reopen(session, again)
    for each in changed:
        if not _is_over(each.after) and _has_other_seller(each):
            _tell_of_seller(session, utility_id, each.id, str(each.after.lse))


def close(session: Session, utility: Utility, reference: str, *, by: str) -> bool:
    """An operator closes an agreement now; False where it was closed. `NotFound` for one this utility has not."""
    row = _hold(session, find(session, utility, reference))
    now = clock.seconds()
    if row.status == CLOSED:
        return False
    row.status, row.ends_at = CLOSED, now if row.ends_at is None else min(now, row.ends_at)
    session.flush()
    audit.record(session, utility.id, "agreement.closed", actor=by, subject=f"agreement:{row.id}")
    _leave(session, utility.id, dict.fromkeys(_notice(session, [row.id])), by=by)
    return True


def reopen(session: Session, utility: Utility, reference: str, *, by: str) -> bool:
    """It was closed by mistake; False where it is open. Who shared it before is asked anew."""
    row = _hold(session, find(session, utility, reference))
    if row.status != CLOSED:
        return False
    row.status, row.ends_at = "active", None
    session.flush()
    _reopen(session, [row.id])
    audit.record(session, utility.id, "agreement.reopened", actor=by, subject=f"agreement:{row.id}")
    return True


def find(session: Session, utility: Utility, reference: str) -> ServiceAgreement:
    """The agreement the utility calls so."""
    found = session.scalar(
        select(ServiceAgreement).where(
            ServiceAgreement.utility_id == utility.id, ServiceAgreement.reference == reference
        )
    )
    if found is None:
        raise NotFound(
            f"{utility.name} has no service agreement {reference!r}. Give the agreement's own reference,"
            " as its import named it."
        )
    return found


def sweep(database: Database) -> None:
    """Let go of every agreement whose end has passed."""
    while due := _due(database):
        for utility_id, customer_id, ids in due:
            with database.writing() as session:
                _lock_customer(session, customer_id)
                _leave(session, utility_id, _notice(session, ids))


# --- closing --------------------------------------------------------------------------------------------


def _is_over(terms: Terms) -> bool:
    return terms.status == CLOSED or (terms.ends_at is not None and terms.ends_at <= clock.seconds())


def _was_over(change: Changed) -> bool:
    return change.before is not None and _is_over(change.before)


def _due(database: Database) -> list[tuple[uuid.UUID, uuid.UUID, list[uuid.UUID]]]:
    """Agreements that are over and were not noticed, by utility and customer."""
    over = (ServiceAgreement.closed_at.is_(None), ServiceAgreement.ends_at <= clock.seconds())
    chosen = select(ServiceAgreement.utility_id, ServiceAgreement.customer_id, ServiceAgreement.id)
    found: dict[tuple[uuid.UUID, uuid.UUID], list[uuid.UUID]] = defaultdict(list)
    with database.reading() as session:
        query = chosen.where(*over).order_by(ServiceAgreement.ends_at).limit(SWEEP_AT_ONCE)
        for utility_id, customer_id, id in session.execute(query):
            found[utility_id, customer_id].append(id)
    return [(*whose, ids) for whose, ids in sorted(found.items())]


def _lock_customer(session: Session, customer_id: uuid.UUID) -> None:
    """As an import and a new consent do: of two that come at once, one sees what the other did."""
    session.execute(select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True))


def _hold(session: Session, row: ServiceAgreement) -> ServiceAgreement:
    """The agreement as it is once its customer's other business is done."""
    _lock_customer(session, row.customer_id)
    session.refresh(row, with_for_update={"key_share": True})
    return row


def _notice(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int | None]:
    """Those of them that nobody had noticed and that are over still, with their ends."""
    now = clock.seconds()
    over = or_(ServiceAgreement.status == CLOSED, ServiceAgreement.ends_at <= now)
    fresh = (ServiceAgreement.id.in_(ids), ServiceAgreement.closed_at.is_(None), over)
    noticed = (
        update(ServiceAgreement)
        .where(*fresh)
        .values(closed_at=now)
        .returning(ServiceAgreement.id, ServiceAgreement.ends_at)
        .execution_options(synchronize_session=False)
    )
    return {row.id: row.ends_at for row in session.execute(noticed)}


def _reopen(session: Session, ids: Collection[uuid.UUID]) -> None:
    session.execute(
        update(ServiceAgreement)
        .where(ServiceAgreement.id.in_(ids))
        .values(closed_at=None)
        .execution_options(synchronize_session=False)
    )


def _leave(
    session: Session, utility_id: uuid.UUID, closed: Mapping[uuid.UUID, int | None], *, by: str = audit.SERVER
) -> None:
    """Take these agreements out of every live authorization.

    With each stands the end that was known before it came, if one was: who was given it later was given it knowingly.
    """
    held = (
        select(
            AuthorizationAgreement.authorization_id,
            AuthorizationAgreement.agreement_id,
            Authorization.created_at,
        )
        .join(Authorization, Authorization.id == AuthorizationAgreement.authorization_id)
        .where(AuthorizationAgreement.agreement_id.in_(closed), Authorization.utility_id == utility_id)
        .where(Authorization.ended_at.is_(None))
    )
    found: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for authorization_id, agreement_id, created_at in session.execute(held) if closed else ():
        end = closed[agreement_id]
        if end is None or created_at <= end:
            found[authorization_id].append(agreement_id)
    # In one order, so that two that close things at once never wait for each other.
    for authorization_id in sorted(found):
        _narrow(session, authorization_id, found[authorization_id], by)


def _narrow(session: Session, authorization_id: uuid.UUID, ids: Sequence[uuid.UUID], by: str) -> None:
    """One authorization without these agreements, or ended where nothing would be left."""
    row = _locked(session, authorization_id)
    if row is None:
        return
    gone = _points(session, authorization_id, ids)
    mine = AuthorizationUsagePoint.authorization_id == authorization_id
    every = session.scalar(select(func.count()).select_from(AuthorizationUsagePoint).where(mine)) or 0
    if len(gone) == every:
        # What was shared stays written down, as with any other end.
        grants.end(session, row, CLOSED, by=by)
        return
    session.execute(
        delete(AuthorizationUsagePoint).where(mine, AuthorizationUsagePoint.usage_point_id.in_(gone))
    )
    session.execute(
        delete(AuthorizationAgreement).where(
            AuthorizationAgreement.authorization_id == authorization_id,
            AuthorizationAgreement.agreement_id.in_(ids),
        )
    )
    prepared.forget(session, row)
    _changed(session, row, NARROWED, ids, by)


def _locked(session: Session, authorization_id: uuid.UUID) -> Authorization | None:
    """The authorization, held until the commit, if it still lives."""
    row = session.get_one(Authorization, authorization_id)
    session.refresh(row, with_for_update={"key_share": True})
    return row if row.ended_at is None else None


def _points(session: Session, authorization_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """The usage points that an authorization holds through these agreements and through no other one it has."""
    held = AuthorizationAgreement.authorization_id == authorization_id
    others = select(AuthorizationAgreement.agreement_id).where(
        held, AuthorizationAgreement.agreement_id.not_in(ids)
    )
    linked = select(UsagePointLink.usage_point_id).where(
        UsagePointLink.kind == "agreement", UsagePointLink.target_id.in_(ids)
    )
    through = or_(UsagePoint.agreement_id.in_(ids), UsagePoint.id.in_(linked))
    still = and_(UsagePoint.agreement_id.is_not(None), UsagePoint.agreement_id.in_(others))
    chosen = (
        select(AuthorizationUsagePoint.usage_point_id)
        .join(UsagePoint, UsagePoint.id == AuthorizationUsagePoint.usage_point_id)
        .where(AuthorizationUsagePoint.authorization_id == authorization_id, through, ~still)
    )
    return list(session.scalars(chosen))


# --- another seller -------------------------------------------------------------------------------------


def _has_other_seller(change: Changed) -> bool:
    """Does somebody else sell the energy now? That it was not known before is no news."""
    before, after = change.before, change.after
    return before is not None and before.lse is not None and after.lse not in (None, before.lse)


def _tell_of_seller(session: Session, utility_id: uuid.UUID, agreement_id: uuid.UUID, lse: str) -> None:
    holds = (
        select(AuthorizationAgreement.authorization_id)
        .join(Authorization, Authorization.id == AuthorizationAgreement.authorization_id)
        .where(AuthorizationAgreement.agreement_id == agreement_id, Authorization.utility_id == utility_id)
        .where(Authorization.ended_at.is_(None))
        .order_by(AuthorizationAgreement.authorization_id)
    )
    for authorization_id in session.scalars(holds).all():
        row = _locked(session, authorization_id)
        if row is not None:
            _changed(session, row, MOVED, [agreement_id], audit.SERVER, lse=lse)


# --- telling --------------------------------------------------------------------------------------------


def _changed(
    session: Session, row: Authorization, kind: str, ids: Sequence[uuid.UUID], by: str, **more: str
) -> None:
    """Another version of an authorization: it is written down, and its company and its customer are told."""
    row.version += 1
    row.updated_at = clock.seconds()
    subject = f"authorization:{row.id}"
    audit.record(
        session,
        row.utility_id,
        kind,
        actor=by,
        subject=subject,
        application=row.application_id,
        agreements=list(ids),
    )
    changes.note(session, row.utility_id, "Authorization", row.id, "changed")
    if row.customer_id is not None:
        payload = {"authorization": str(row.id), "agreements": [str(each) for each in ids], **more}
        outbox.put(session, row.utility_id, kind, recipient=f"customer:{row.customer_id}", payload=payload)
