"""What will run out is told ahead, once for each number of days, and never when it is not so any more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from espi_server.access import announcing, expiring, letters
from espi_server.access.models import Authorization
from espi_server.adapters.http import Client, Reach
from espi_server.db import Database
from espi_server.jobs.worker import Worker
from espi_server.notify.letters import People
from espi_server.notify.models import Outbox
from espi_server.notify.sending import Message, Moot, Sender
from espi_server.notify.webhooks import Webhooks
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.notify import town as receivers

NOW, DAY = make.NOW, 86_400
Freeze = Callable[[int], None]


@pytest.fixture
def receiver(towns: Database) -> Iterator[receivers.Receiver]:
    """The server of a company that wants BatchLists and events."""
    with receivers.receiving([receivers.good]) as (address, [receiver]):
        receivers.company(towns, "Sun", f"{address}/0", event_uri=f"{address}/0")
        yield receiver


@pytest.fixture
def sun(towns: Database, receiver: receivers.Receiver, freeze: Freeze) -> make.Access:
    """An authorization of a hundred days."""
    freeze(NOW)
    return make.access(towns, application="Sun", customer="C-1", scope=make.USAGE, until=NOW + 100 * DAY)


def reminded(database: Database, days: tuple[int, ...] = (7, 30)) -> list[Outbox]:
    """What a round puts into the outbox."""
    with database.reading() as session:
        before = set(session.scalars(select(Outbox.id)))
    expiring.remind(database, make.INSTALLATION, days)
    with database.reading() as session:
        rows = session.scalars(select(Outbox).order_by(Outbox.id)).all()
    return [row for row in rows if row.id not in before]


def on_days(database: Database, freeze: Freeze, *days: int) -> list[int]:
    """On which of these days after the grant something is put."""
    found = []
    for day in days:
        freeze(NOW + day * DAY)
        found += [day] * bool(reminded(database))
    return found


def test_customer_and_company_are_told_thirty_and_seven_days_ahead_and_once_each(
    towns: Database, sun: make.Access, freeze: Freeze
) -> None:
    days = on_days(towns, freeze, 0, 69, 70, 71, 92, 93, 94, 99)

    assert days == [70, 93]
    with towns.reading() as session:
        rows = session.scalars(select(Outbox).where(Outbox.created_at == NOW + 70 * DAY)).all()
    assert {row.recipient.partition(":")[0] for row in rows} == {"customer", "application", "events"}


def test_of_two_notices_that_are_late_the_nearer_is_given_and_a_short_consent_needs_none(
    towns: Database, sun: make.Access, freeze: Freeze
) -> None:
    make.access(towns, application="Brief", customer="C-2", scope=make.USAGE, until=NOW + 5 * DAY)
    short = reminded(towns)
    late = on_days(towns, freeze, 95, 96)

    assert short == []
    assert late == [95]


def test_an_end_that_was_moved_is_told_of_anew_and_the_old_one_is_not_sent(
    towns: Database, sun: make.Access, receiver: receivers.Receiver, freeze: Freeze
) -> None:
    freeze(NOW + 70 * DAY)
    stale = reminded(towns)
    make.change(towns, Authorization, Authorization.id == sun.id, ends_at=NOW + 200 * DAY)
    send(towns)
    again = on_days(towns, freeze, 71, 169, 170)

    assert len(stale) == 3
    assert is_over(towns, stale)
    assert receiver.bodies == []
    assert again == [170]


def test_nothing_is_sent_of_an_authorization_that_ended_first(
    towns: Database, sun: make.Access, receiver: receivers.Receiver, freeze: Freeze
) -> None:
    freeze(NOW + 70 * DAY)
    stale = reminded(towns)
    make.end(towns, sun.id)

    send(towns)

    assert is_over(towns, stale)
    assert receiver.bodies == []


def test_the_company_gets_the_address_and_an_event(
    towns: Database, sun: make.Access, receiver: receivers.Receiver, freeze: Freeze
) -> None:
    freeze(NOW + 70 * DAY)
    reminded(towns)

    send(towns)

    assert list(receiver.taken) == [sun.authorization]
    [event] = [json.loads(body) for body in receiver.bodies if body.startswith(b"{")]
    assert event["type"] == "authorization.expiring"
    assert event["data"] == {"authorization": str(sun.id), "links": [sun.authorization]}


def test_a_yes_that_waits_is_told_of_once_before_it_lapses_and_not_when_its_company_has_come(
    towns: Database, sun: make.Access, freeze: Freeze
) -> None:
    make.change(
        towns, Authorization, Authorization.id == sun.id, waits_until=NOW + 30 * DAY, ends_at=NOW + 400 * DAY
    )
    days = on_days(towns, freeze, 0, 1, 22, 24, 25)
    with towns.reading() as session:
        rows = session.scalars(select(Outbox).where(Outbox.created_at == NOW + 24 * DAY)).all()
        [hers] = [each for each in rows if each.recipient == f"customer:{sun.customer}"]
        assert hers.kind == expiring.LAPSING
        message = Message(hers.id, hers.utility_id, hers.kind, hers.recipient, hers.payload)
        note = letters.ahead(session, message)

    make.change(towns, Authorization, Authorization.id == sun.id, waits_until=None)

    assert days == [24]  # seven days ahead; it was never more than thirty
    assert {row.recipient.partition(":")[0] for row in rows} == {"customer", "application", "events"}
    assert note.values["waits"].timestamp() == NOW + 30 * DAY
    with towns.reading() as session, pytest.raises(Moot):
        letters.ahead(session, message)
    assert not any(expiring.stands(session, each.payload) for each in rows if "subject" in each.payload)


def test_a_yes_that_waits_and_ends_before_it_lapses_is_told_of_its_end(
    towns: Database, sun: make.Access, freeze: Freeze
) -> None:
    make.change(
        towns, Authorization, Authorization.id == sun.id, waits_until=NOW + 30 * DAY, ends_at=NOW + 20 * DAY
    )

    assert on_days(towns, freeze, 0, 12, 13, 14, 19) == [13]


def test_the_customer_reads_until_when(towns: Database, sun: make.Access, freeze: Freeze) -> None:
    freeze(NOW + 70 * DAY)
    [row] = [each for each in reminded(towns) if each.recipient == f"customer:{sun.customer}"]

    with towns.reading() as session:
        note = letters.ahead(session, Message(row.id, row.utility_id, row.kind, row.recipient, row.payload))

    assert note.values["company"] == "Sun"
    assert note.values["until"].timestamp() == NOW + 100 * DAY


def send(database: Database) -> None:
    """Let everything leave; no customer here can be reached."""
    client = Client(Reach(anywhere=True), deadline=5.0)
    webhooks = Webhooks(database, client, announcing.destination, DEVELOPMENT_SECRET, expiring.stands)
    people = People(database, letters.composers(), None, None)
    channels = {"application": webhooks, "events": webhooks, "people": people}
    Worker(database, Sender(database, channels).works(slow=True)).sweep()


def is_over(database: Database, stale: list[Outbox]) -> bool:
    """Are these messages done without having been sent, so that nobody need look at them?"""
    with database.reading() as session:
        rows = [session.get_one(Outbox, row.id) for row in stale]
    return bool(rows) and all((row.state, bool(row.last_error)) == ("done", True) for row in rows)
