"""Telling ahead that an authorization, or a yes that waits for its company, will run out: the customer by a letter,
the company as of any other news.

A notice is remembered with the end it told of, so each is given once; and an end that was moved has notices of its
own. What was put before an end moved, or the authorization ended, is not sent any more.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import announcing
from espi_server.access.addresses import resource_base
from espi_server.access.models import Application, Authorization, ExpiryNotice
from espi_server.accounts.models import Utility
from espi_server.db import Database, add_if_new
from espi_server.espi import paths
from espi_server.notify import outbox

KIND = "authorization.expiring"
LAPSING = "authorization.lapsing"  # a yes its company has not come for
GOES_ON = "authorization.goes-on"
DAY = 86_400
YEAR = 365 * DAY
_AHEAD = 90 * DAY  # what ends within that time is told of then
_AT_ONCE = 200


def remind(database: Database, installation: str, days: Sequence[int]) -> None:
    """Tell of every authorization that ends within so many days; of the fewest alone where several are due."""
    for each, of in product(sorted(days), (_begun, _waiting)):
        told = _AT_ONCE
        while told == _AT_ONCE:
            with database.writing() as session:
                covered = [more for more in days if more >= each]
                told = _remind_some(session, installation, each, covered, of(each))


def _remind_some(session: Session, installation: str, days: int, covered: Sequence[int], which: Any) -> int:
    """The next notices of this many days ahead, which stand for the `covered` earlier ones too."""
    due = session.scalars(which).all()
    for row in due:
        fresh = [_note(session, row, each) for each in covered]
        if fresh[covered.index(days)]:
            _tell(session, row, installation)
    return len(due)


def _begun(days: int) -> Any:
    """Live authorizations inside that time, not yet told, and not so short that they began inside it."""
    return _due(Authorization.ends_at, days).where(Authorization.waits_until.is_(None))


def _waiting(days: int) -> Any:
    """The same of what its company has not come for."""
    waits, ends = Authorization.waits_until, Authorization.ends_at
    return _due(case((waits < ends, waits), else_=ends), days).where(waits.is_not(None))


def _due(over: Any, days: int) -> Any:
    now = clock.seconds()
    told = select(ExpiryNotice.days).where(
        ExpiryNotice.authorization_id == Authorization.id,
        ExpiryNotice.ends_at == over,
        ExpiryNotice.days == days,
    )
    return (
        select(Authorization)
        .where(Authorization.ended_at.is_(None), over > now, over <= now + days * DAY)
        .where(Authorization.starts_at < over - days * DAY, ~told.exists())
        .order_by(over)
        .limit(_AT_ONCE)
    )


def _note(session: Session, row: Authorization, days: int) -> bool:
    values = {"authorization_id": row.id, "ends_at": over_at(row), "days": days}
    return add_if_new(session, ExpiryNotice, values)


def _tell(session: Session, row: Authorization, installation: str) -> None:
    subject = {"authorization": str(row.id), "ends_at": over_at(row)}
    kind = KIND if row.waits_until is None else LAPSING
    if row.customer_id is not None:
        recipient = f"customer:{row.customer_id}"
        outbox.put(session, row.utility_id, kind, recipient=recipient, payload=subject)
    utility = session.get_one(Utility, row.utility_id)
    base = resource_base(utility.base_url, utility.code, installation)
    application = session.get_one(Application, row.application_id)
    address = paths.authorization(base, str(row.id))
    data = {"authorization": str(row.id)}
    announcing.put(session, application, kind, [address], data, subject=subject)


def remind_yearly(database: Database) -> None:
    """Tell every customer once a year of a consent that goes on, until she stops it or for long."""
    told = _AT_ONCE
    while told == _AT_ONCE:
        with database.writing() as session:
            told = _remind_of_last_year(session)


def _remind_of_last_year(session: Session) -> int:
    now = clock.seconds()
    since = func.coalesce(Authorization.reminded_at, Authorization.starts_at)
    due = (
        select(Authorization)
        .where(Authorization.ended_at.is_(None), Authorization.waits_until.is_(None))
        .where(Authorization.ends_at > now + _AHEAD, since <= now - YEAR)
        .where(Authorization.customer_id.is_not(None))
        .limit(_AT_ONCE)
        .with_for_update()
    )
    rows = session.scalars(due).all()
    for row in rows:
        row.reminded_at = now
        payload = {"authorization": str(row.id)}
        outbox.put(session, row.utility_id, GOES_ON, recipient=f"customer:{row.customer_id}", payload=payload)
    return len(rows)


def stands(session: Session, payload: Mapping[str, Any]) -> bool:
    """Is the end that a message's payload tells of, if it does, still that of a live authorization?"""
    subject = payload.get("subject")
    if subject is None:
        return True
    row = session.get(Authorization, uuid.UUID(subject["authorization"]))
    return row is not None and is_ahead(row, subject["ends_at"])


def is_ahead(row: Authorization, ends_at: int) -> bool:
    """Will it run out then, unless somebody does something?"""
    return row.ended_at is None and over_at(row) == ends_at > clock.seconds()


def over_at(row: Authorization) -> int:
    """When it runs out by itself: the end of a yes that waits is when its company can come no more."""
    return row.ends_at if row.waits_until is None else min(row.waits_until, row.ends_at)
