"""The outbox is delivered: again and again, one at a time to each, and nobody waits for anybody else."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from espi_server.db import Database
from espi_server.jobs.worker import Crew, GivesUp, Worker
from espi_server.notify import outbox
from espi_server.notify.models import Endpoint, Outbox
from espi_server.notify.sending import GIVEN_UP, Failed, Message, Sender
from tests import make
from tests.notify import town

NOW = 1_790_000_000
DAY = 86_400
Freeze = Callable[[int], None]


@pytest.fixture(autouse=True)
def north(database: Database, freeze: Freeze) -> uuid.UUID:
    freeze(NOW)
    return make.utility(database).id


class Script:
    """A channel that does what it is told: an exception is raised, None succeeds."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome


def put(database: Database, utility: uuid.UUID, *recipients: str) -> None:
    with database.writing() as session:
        for recipient in recipients:
            outbox.put(session, utility, "note", recipient=recipient, payload={"to": recipient})


def worker(database: Database, channel: Script, **more: int) -> Worker:
    channels = {"application": channel, "people": Script()}  # people: a company's own, who hear of its server
    return Worker(database, Sender(database, channels, **more).works(slow=True))


def rows(database: Database) -> list[Outbox]:
    with database.reading() as session:
        return list(session.scalars(select(Outbox).where(Outbox.kind == "note").order_by(Outbox.id)))


def endpoint(database: Database) -> Endpoint:
    with database.reading() as session:
        return session.scalars(select(Endpoint).where(Endpoint.name == "application:1")).one()


def until_over(database: Database, channel: Script, freeze: Freeze) -> list[int]:
    """Work until nothing waits any more, with the clock moved on each time; the moments of the attempts."""
    moments, now, sweeping = [], NOW, worker(database, channel)
    while any(row.state == "due" for row in rows(database)):
        freeze(now)
        before = len(channel.sent)
        sweeping.sweep()
        moments += [now - NOW] * (len(channel.sent) - before)
        waiting = [row.next_attempt_at for row in rows(database) if row.state == "due"]
        if waiting:
            now = max(now + 1, min(waiting), endpoint(database).next_attempt_at)
    return moments


def test_a_message_leaves_and_is_done(database: Database, north: uuid.UUID) -> None:
    channel = Script()
    put(database, north, "application:1")

    worker(database, channel).sweep()

    [row] = rows(database)
    assert (row.state, row.attempts, row.finished_at, row.lease_until) == ("done", 1, NOW, None)
    assert [(each.id, each.payload) for each in channel.sent] == [(row.id, {"to": "application:1"})]


def test_what_fails_is_tried_for_three_days_with_growing_pauses_and_then_parked(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(*[Failed(f"No {number}") for number in range(99)])
    put(database, north, "application:1")

    moments = until_over(database, channel, freeze)

    [row] = rows(database)
    assert row.state == "parked"
    assert "three days" in (row.last_error or "")
    assert GIVEN_UP <= moments[-1] <= GIVEN_UP + 2 * 3600
    assert 15 < len(moments) < 40
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert 5 <= pauses[0] <= 7
    assert max(pauses) <= 7.5 * 3600


def test_an_endpoint_that_was_down_gets_everything_as_soon_as_it_is_back(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(*[Failed("down")] * 30)
    put(database, north, *["application:1"] * 20)
    sweeping, now = worker(database, channel), NOW
    while channel.outcomes:
        sweeping.sweep()
        now += 900
        freeze(now)

    freeze(now + 3700)  # the longest rest an endpoint gets
    sweeping.sweep()

    assert {row.state for row in rows(database)} == {"done"}
    assert len(channel.sent) == 50


def test_one_message_that_always_fails_does_not_hold_up_the_others(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    class Poisoned(Script):
        def send(self, message: Message) -> None:
            super().send(message)
            if message.id == poison:
                raise Failed("I choke on this")

    channel = Poisoned()
    put(database, north, *["application:1"] * 6)
    poison = rows(database)[0].id

    for second in range(0, 60, 5):
        freeze(NOW + second)
        worker(database, channel).sweep()

    assert [row.state for row in rows(database)].count("done") == 5


def test_a_backlog_delays_others_by_a_turn_and_the_one_served_longest_ago_comes_first(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    class TakesTime(Script):
        def send(self, message: Message) -> None:
            super().send(message)
            freeze(NOW + len(self.sent))

    channel = TakesTime()
    put(database, north, *["application:1"] * 5, "application:2", "application:2", "application:3")

    worker(database, channel, slice=0).sweep()  # one message a turn

    order = [message.recipient[-1] for message in channel.sent]
    assert sorted(order[:3]) == ["1", "2", "3"]
    assert sorted(order[3:5]) == ["1", "2"]
    assert order[5:] == ["1"] * 3


def test_what_can_never_succeed_is_parked_at_once(database: Database, north: uuid.UUID) -> None:
    channel = Script(GivesUp("410"), None)
    put(database, north, "application:1", "application:1")

    worker(database, channel).sweep()

    assert [row.state for row in rows(database)] == ["parked", "done"]


def test_a_mistake_of_ours_is_a_failure_like_others(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(KeyError("resources"))
    put(database, north, "application:1")
    worker(database, channel).sweep()

    freeze(NOW + 60)
    worker(database, channel).sweep()

    assert [row.state for row in rows(database)] == ["done"]


def test_a_wait_the_receiver_asks_for_is_honoured(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(Failed("busy", 1_000))
    put(database, north, "application:1", "application:1")
    worker(database, channel).sweep()

    freeze(NOW + 999)
    worker(database, channel).sweep()
    asked_early = len(channel.sent)
    freeze(NOW + 1_300)
    worker(database, channel).sweep()

    assert asked_early == 1
    assert {row.state for row in rows(database)} == {"done"}


def test_what_waited_behind_a_dead_endpoint_for_three_days_is_parked_with_it_and_fresh_news_are_not(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(*[Failed("dead")] * 500)
    put(database, north, *["application:1"] * 200)
    now, end = NOW, NOW + GIVEN_UP + 8 * 3600
    while now < end:
        freeze(now)
        worker(database, channel).sweep()
        now = max(now + 600, endpoint(database).next_attempt_at)
    put(database, north, "application:1")
    worker(database, channel).sweep()

    states = [row.state for row in rows(database)]
    assert states == ["parked"] * 200 + ["due"]
    assert len(channel.sent) < 120  # a rest of an hour, not a try for each message


def test_days_without_a_worker_do_not_park_anything(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(Failed("a hiccup"))
    put(database, north, *["application:1"] * 5)
    freeze(NOW + 5 * DAY)

    worker(database, channel).sweep()

    assert [row.state for row in rows(database)] == ["due"] * 5


def test_a_parked_message_can_be_sent_again_under_its_own_id(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(GivesUp("no"))
    put(database, north, "application:1")
    worker(database, channel).sweep()

    with database.writing() as session:
        assert outbox.resend(session, uuid.uuid4()) == 0
        assert outbox.resend(session, north) == 1
    worker(database, channel).sweep()

    assert channel.sent[0].id == channel.sent[1].id
    assert [row.state for row in rows(database)] == ["done"]


def test_delivered_messages_are_forgotten_after_a_month_and_parked_ones_stay(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    channel = Script(GivesUp("no"), None)
    put(database, north, "application:1", "application:1")
    worker(database, channel).sweep()

    freeze(NOW + outbox.KEPT)
    outbox.forget_old(database)

    assert [row.state for row in rows(database)] == ["parked"]


def test_a_worker_that_vanished_leaves_its_message_to_the_next(
    database: Database, north: uuid.UUID, freeze: Freeze
) -> None:
    class Vanishes(Script):
        def send(self, message: Message) -> None:
            super().send(message)
            raise SystemExit  # after the POST, before the commit

    put(database, north, "application:1")
    with pytest.raises(SystemExit):
        worker(database, first := Vanishes(), lease=60).sweep()
    worker(database, too_early := Script(), lease=60).sweep()

    freeze(NOW + 60)
    worker(database, after := Script(), lease=60).sweep()

    assert too_early.sent == []
    assert [each.id for each in after.sent] == [each.id for each in first.sent]
    assert [row.state for row in rows(database)] == ["done"]


# --- real receivers ------------------------------------------------------------------------------------


def test_slow_and_dead_endpoints_delay_nobody_and_get_one_message_at_a_time(
    database: Database, north: uuid.UUID
) -> None:
    habits = [town.slow] * 4 + [town.redirecting] * 4 + [town.good] * 6
    with town.receiving(habits) as (address, receivers):
        ids = [town.company(database, f"C{number}", f"{address}/{number}") for number in range(len(habits))]
        for place, id in enumerate(ids):
            many = 2 if place < 4 else 5
            town.put(database, id, *[f"https://data.example.org/{number}" for number in range(many)])
        sending = town.sender(database)
        senders = [Worker(database, sending.works(slow=place < 2)) for place in range(4)]
        crew = Crew([Worker(database, []), *senders])

        began = time.monotonic()
        crew.sweep()
        whole = time.monotonic() - began

    assert all(len(receiver.taken) == 5 for receiver in receivers[8:])
    assert all(receiver.most_at_once == 1 for receiver in receivers)
    assert all(receiver.requests == 1 for receiver in receivers[4:8])  # then they get a rest
    assert all(len(receiver.taken) == 2 for receiver in receivers[:4])
    assert max(receiver.last_at for receiver in receivers[8:]) - began < whole / 2
    with database.reading() as session:
        slow = session.scalars(select(Endpoint.name).where(Endpoint.slow.is_(True))).all()
        assert {name.partition(":")[2] for name in slow} == {str(id) for id in ids[:4]}
        waiting = session.scalar(select(func.count()).select_from(Outbox).where(Outbox.state == "due"))
        assert waiting == 20
