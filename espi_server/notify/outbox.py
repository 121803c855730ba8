"""The outbox: putting messages in, in the transaction of the fact they tell; looking at them, and sending them anew."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.db import Database, add_if_new, ordered_id
from espi_server.jobs.bell import BELL
from espi_server.jobs.leases import DONE, DUE, PARKED
from espi_server.notify.models import Endpoint, Outbox

PEOPLE = "people"
APPLICATION = "application"
EVENTS = "events"
COMPANY = "company"
URGENT = "urgent"
KEPT = 30 * 86_400  # seconds a delivered message can be looked at


def put(
    session: Session,
    utility_id: uuid.UUID,
    kind: str,
    *,
    recipient: str,
    payload: dict[str, Any],
    urgent: bool = False,
) -> None:
    """A message of `kind` for `recipient`, due now; it leaves after the caller's commit.

    `application:{id}` is an application's own address, `events:{id}` the one where it wants events; whoever else is
    a person: a customer, or (`company:{id}`) the people behind an application.
    What is `urgent` to people, because it is of use for minutes only, does not wait behind other letters.
    """
    now = clock.seconds()
    BELL.after(session)
    session.add(
        Outbox(
            id=ordered_id(), utility_id=utility_id, endpoint_id=_endpoint(session, utility_id, recipient, urgent),
            kind=kind, recipient=recipient, payload=payload, next_attempt_at=now, created_at=now, queued_at=now,
        )
    )  # fmt: skip


def endpoint_id(utility_id: uuid.UUID, name: str) -> uuid.UUID:
    """The id of the endpoint with this name."""
    return uuid.uuid5(utility_id, name)


def _endpoint(session: Session, utility_id: uuid.UUID, recipient: str, urgent: bool) -> uuid.UUID:
    """Where it goes; the id follows from the name, so that two transactions at once mean the same."""
    people = URGENT if urgent else PEOPLE
    name = recipient if recipient.partition(":")[0] in (APPLICATION, EVENTS) else people
    id = endpoint_id(utility_id, name)
    if session.get(Endpoint, id) is None:
        values = {
            "id": id, "utility_id": utility_id, "name": name, "state": DUE, "attempts": 0, "next_attempt_at": 0,
            "failures": 0, "slow": False,
        }  # fmt: skip
        add_if_new(session, Endpoint, values)
    return id


def messages(
    session: Session,
    utility_id: uuid.UUID,
    *,
    state: str | None = None,
    recipient: str | None = None,
    most: int = 50,
) -> list[Outbox]:
    """A utility's messages, the newest first."""
    chosen = select(Outbox).where(Outbox.utility_id == utility_id)
    if state is not None:
        chosen = chosen.where(Outbox.state == state)
    if recipient is not None:
        chosen = chosen.where(Outbox.recipient == recipient)
    return list(session.scalars(chosen.order_by(Outbox.created_at.desc(), Outbox.id.desc()).limit(most)))


def endpoints(
    session: Session, utility_id: uuid.UUID, *, failing: bool = False
) -> list[tuple[Endpoint, int, int]]:
    """Where a utility's messages go, each with how many wait and how many are parked, by name."""
    chosen = select(Endpoint).where(Endpoint.utility_id == utility_id).order_by(Endpoint.name)
    if failing:
        chosen = chosen.where(Endpoint.failing_since.is_not(None))
    counted = (
        select(Outbox.endpoint_id, Outbox.state, func.count())
        .where(Outbox.utility_id == utility_id, Outbox.state != DONE)
        .group_by(Outbox.endpoint_id, Outbox.state)
    )
    found: Counter[uuid.UUID] = Counter()
    parked: Counter[uuid.UUID] = Counter()
    for id, state, number in session.execute(counted):
        (parked if state == PARKED else found)[id] += number
    return [(each, found[each.id], parked[each.id]) for each in session.scalars(chosen)]


def resend(
    session: Session, utility_id: uuid.UUID, *, ids: Sequence[uuid.UUID] = (), recipient: str | None = None
) -> int:
    """Let parked or delivered messages leave once more, now: those with these ids, else all that are parked.

    The same message keeps its id, so a receiver that had it knows it again. How many there are.
    """
    chosen = [Outbox.utility_id == utility_id]
    chosen += [Outbox.id.in_(ids), Outbox.state.in_((DONE, PARKED))] if ids else [Outbox.state == PARKED]
    if recipient is not None:
        chosen.append(Outbox.recipient == recipient)
    now = clock.seconds()
    fresh = {"state": DUE, "next_attempt_at": now, "queued_at": now, "failing_since": None, "pause": 0}
    endpoints = select(Outbox.endpoint_id).where(*chosen)
    session.execute(
        update(Endpoint)
        .where(Endpoint.id.in_(endpoints), Endpoint.state == DUE)
        .values(next_attempt_at=now, failures=0, failing_since=None)
        .execution_options(synchronize_session=False)
    )
    resent: Any = session.execute(
        update(Outbox).where(*chosen).values(**fresh).execution_options(synchronize_session=False)
    )
    return int(resent.rowcount)


def forget_old(database: Database) -> None:
    """Drop messages that were delivered long ago. Parked ones stay."""
    with database.writing() as session:
        session.execute(
            delete(Outbox).where(Outbox.state == DONE, Outbox.finished_at <= clock.seconds() - KEPT)
        )
