"""Who has access to one customer's data, since when, to what, and each time something left.

Everything here begins at a utility and one of its customers; an id of anybody else's is as if it were not there.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import grants, pending, sharing, sharing_places, standing
from espi_server.access.models import (
    Application,
    Authorization,
    AuthorizationRequest,
    AuthorizationUsagePoint,
    ConsentRecord,
    Disclosure,
)
from espi_server.access.oauth import requests
from espi_server.access.oauth.clients import Wanted
from espi_server.access.opening import PRODUCTION
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Utility
from espi_server.errors import NotFound
from espi_server.espi import paths
from espi_server.espi.scope import Scope
from espi_server.espi.tables import DataClass

LIVE, WAITING, ENDED = "live", "waiting", "ended"
OWN: Final = "customer"
"""The kind of token under which a customer's own look at her data is written down."""

PAGE: Final = 50  # disclosures on a page
MOST: Final = 20_000  # of them in one table
_ORDER = (*sharing.ORDER, DataClass.RATE_CHANGE)
_BULK = ("Bulk", "BulkRetailCustomerInfo")


@dataclass(frozen=True)
class Held:
    """One authorization as its customer sees it. `last` is when data left for its company last, epoch seconds."""

    row: Authorization
    application: Application
    places: Sequence[Place]
    last: int | None

    @property
    def classes(self) -> list[DataClass]:
        """What it opens, in the order of the pages."""
        opened = Scope.parse(self.row.scope).classes
        return [each for each in _ORDER if each in opened]

    @property
    def state(self) -> str:
        """Does it live, wait for its company, or has it ended?"""
        now = clock.seconds()
        if self.row.ended_at is not None or self.row.ends_at <= now:
            return ENDED
        if self.row.waits_until is None:
            return LIVE
        return WAITING if grants.is_waiting(self.row) else ENDED

    @property
    def is_paused(self) -> bool:
        """Did the utility take the company out of service?"""
        return self.application.status != PRODUCTION

    @property
    def may_change_rates(self) -> bool:
        """May they ask to change her rate?"""
        return DataClass.RATE_CHANGE in self.classes


@dataclass(frozen=True)
class Question:
    """A company's question that waits for her answer; she got a message with the link to it."""

    company: str
    classes: Sequence[DataClass]
    until: int
    word: str


@dataclass(frozen=True)
class Left:
    """Data that left: when, to which company, what kind of resource, how many entries and bytes."""

    at: int
    company: str
    kind: str
    entries: int
    size: int
    with_others: bool  # in one batch with the data of others


def every(session: Session, utility: Utility, customer_id: uuid.UUID) -> list[Held]:
    """All her authorizations: those that live, those that wait, those that ended, each the newest first."""
    chosen = _hers(utility, customer_id).order_by(Authorization.created_at.desc(), Authorization.id)
    found = _held(session, utility, customer_id, session.execute(chosen).all())
    order = (LIVE, WAITING, ENDED)
    return sorted(found, key=lambda each: order.index(each.state))


def one(session: Session, utility: Utility, customer_id: uuid.UUID, authorization_id: str) -> Held:
    """One of them; `NotFound` for an id that is nobody's, somebody else's, or no id."""
    rows = session.execute(_hers(utility, customer_id).where(Authorization.id == _id(authorization_id))).all()
    if not rows:
        raise NotFound()
    return _held(session, utility, customer_id, rows)[0]


def stop(session: Session, held: Held, customer_id: uuid.UUID) -> bool:
    """End it as its customer wants it, at once; False where it had ended.

    What its company was to get besides, and did not yet, ends too. With what it has, so does a yes that waits for it;
    without, the company keeps what it has.
    """
    row = held.row
    if held.state == ENDED and row.ended_reason != grants.REPLACED:  # while she looked at the page, perhaps
        return False
    pending.stop(session, row.utility_id, customer_id, row.application_id)
    alone, all_of_theirs = Authorization.id == row.id, Authorization.application_id == row.application_id
    return _end(session, row.utility_id, customer_id, alone if held.state == WAITING else all_of_theirs) > 0


def stop_all(session: Session, utility: Utility, customer_id: uuid.UUID) -> int:
    """End everything that lives or waits, and whatever could still begin; how many that lived or waited."""
    pending.stop(session, utility.id, customer_id)
    return _end(session, utility.id, customer_id)


def _end(session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID, *which: Any) -> int:
    """End her authorizations, in one order, as they are after what was pending is void."""
    hers = (Authorization.utility_id == utility_id, Authorization.customer_id == customer_id)
    open = select(Authorization).where(*hers, Authorization.ended_at.is_(None), *which)
    by = f"customer:{customer_id}"
    rows = session.scalars(open.order_by(Authorization.id)).all()
    return sum(grants.end(session, row, standing.CANCELLED, by=by) for row in rows)


def questions(session: Session, utility: Utility, customer_id: uuid.UUID) -> list[Question]:
    """What companies ask her by message just now."""
    waiting = (
        select(AuthorizationRequest, Application.name)
        .join(Application, Application.id == AuthorizationRequest.application_id)
        .where(
            AuthorizationRequest.utility_id == utility.id,
            AuthorizationRequest.customer_id == customer_id,
            AuthorizationRequest.stage == requests.PENDING,
            AuthorizationRequest.used_at.is_(None),
            AuthorizationRequest.expires_at > clock.seconds(),
        )
        .order_by(AuthorizationRequest.created_at)
    )
    return [_question(row, name) for row, name in session.execute(waiting)]


def consent_of(session: Session, held: Held) -> ConsentRecord | None:
    """What she was shown when she agreed, where it was on a page of ours."""
    id = held.row.consent_record_id
    return None if id is None else session.get(ConsentRecord, id)


def companies(session: Session, utility: Utility, customer_id: uuid.UUID) -> list[Application]:
    """The companies she ever shared with, or that are in service here: those she may report, by name."""
    hers = select(Authorization.application_id).where(
        Authorization.utility_id == utility.id, Authorization.customer_id == customer_id
    )
    known = or_(Application.status == PRODUCTION, Application.id.in_(hers))
    chosen = select(Application).where(Application.utility_id == utility.id, known)
    return list(session.scalars(chosen.order_by(func.lower(Application.name), Application.id)))


# --- each time data left --------------------------------------------------------------------------------


def history(
    session: Session, held: Sequence[Held], *, before: tuple[int, uuid.UUID] | None = None, most: int = PAGE
) -> tuple[list[Left], tuple[int, uuid.UUID] | None]:
    """When data of these authorizations left, the newest first, and where the next page begins, if there is one."""
    to = _left_for(held)
    if to is None:
        return [], None
    columns = (
        Disclosure.id, Disclosure.at, Disclosure.authorization_id, Disclosure.application_id, Disclosure.path,
        Disclosure.entries, Disclosure.size,
    )  # fmt: skip
    query = select(*columns).where(to).order_by(Disclosure.at.desc(), Disclosure.id.desc()).limit(most + 1)
    if before is not None:
        at, id = before
        query = query.where(or_(Disclosure.at < at, and_(Disclosure.at == at, Disclosure.id < id)))
    rows = session.execute(query).all()
    names = {each.row.id: each.application.name for each in held}
    names |= {each.application.id: each.application.name for each in held}
    shown = [
        Left(
            at=row.at,
            company=names.get(row.authorization_id) or names.get(row.application_id, ""),
            kind=kind_of(row.path),
            entries=row.entries,
            size=row.size,
            with_others=row.authorization_id is None,
        )
        for row in rows[:most]
    ]
    last = rows[most - 1] if len(rows) > most else None
    return shown, None if last is None else (last.at, last.id)


def kind_of(path: str) -> str:
    """The kind of resource a path below the resource base names; empty for none we know."""
    found = paths.parse(f"/{path}")
    return found.kind if found else ""


def _left_for(held: Collection[Held]) -> Any:
    """Which disclosures were to the companies of these authorizations, of these authorizations."""
    if not held:
        return None
    own = and_(Disclosure.authorization_id.in_([each.row.id for each in held]), Disclosure.token_kind != OWN)
    return or_(own, *(bulk for each in held if (bulk := _in_bulk(each)) is not None))


def _in_bulk(held: Held) -> Any:
    """Batches of many customers' data that held hers: those its company got by this bulk id while it lived."""
    row = held.row
    if not row.bulk_id or row.waits_until is not None:
        return None
    during = [Disclosure.at >= row.starts_at]
    end = min(row.ends_at, row.ended_at or row.ends_at)
    return and_(
        Disclosure.authorization_id.is_(None),
        Disclosure.application_id == row.application_id,
        Disclosure.path.in_([f"Batch/{kind}/{row.bulk_id}" for kind in _BULK]),
        *during,
        Disclosure.at < end,
    )


# --- together -------------------------------------------------------------------------------------------


def _hers(utility: Utility, customer_id: uuid.UUID) -> Any:
    return (
        select(Authorization, Application)
        .join(Application, Application.id == Authorization.application_id)
        .where(Authorization.utility_id == utility.id, Authorization.customer_id == customer_id)
    )


def _held(session: Session, utility: Utility, customer_id: uuid.UUID, rows: Sequence[Any]) -> list[Held]:
    places = sharing_places.of_customer(session, utility.id, customer_id)
    points = _points(session, [row.id for row, _ in rows])
    last = _last(session, rows)
    return [
        Held(row, application, sharing_places.of_points(places, points.get(row.id, ())), last.get(row.id))
        for row, application in rows
    ]


def _points(session: Session, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, list[uuid.UUID]]:
    found: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    opened = select(AuthorizationUsagePoint.authorization_id, AuthorizationUsagePoint.usage_point_id).where(
        AuthorizationUsagePoint.authorization_id.in_(ids)
    )
    for authorization_id, usage_point_id in session.execute(opened):
        found[authorization_id].append(usage_point_id)
    return found


def _last(session: Session, rows: Sequence[Any]) -> dict[uuid.UUID, int]:
    """When data left last, for each of these authorizations."""
    ids = [row.id for row, _ in rows]
    newest = (
        select(Disclosure.authorization_id, func.max(Disclosure.at))
        .where(Disclosure.authorization_id.in_(ids), Disclosure.token_kind != OWN)
        .group_by(Disclosure.authorization_id)
    )
    found = {id: at for id, at in session.execute(newest) if id is not None}
    for row, application in rows:
        bulk = _in_bulk(Held(row, application, (), None))
        if bulk is not None:
            at = session.scalar(select(func.max(Disclosure.at)).where(bulk))
            if at is not None:
                found[row.id] = max(at, found.get(row.id, at))
    return found


def _question(row: AuthorizationRequest, company: str) -> Question:
    opened = Wanted.read(row.parameters["scope"]).scope.classes
    classes = [each for each in _ORDER if each in opened]
    return Question(company, classes, row.expires_at, row.parameters.get("binding_message", ""))


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
