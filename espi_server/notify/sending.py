"""Delivering the outbox: one message at a time to each endpoint, again and again until it arrived or three days passed.

Workers lease endpoints, not messages: so one is in flight to each, and one that is slow or dead costs its own
messages time and nobody else's. Who holds an endpoint takes its due messages one after the other for a while, then
lets others have their turn. Messages are leased too. A worker killed after the POST and before the commit leaves a
message whose lease runs out; it is sent again under the same id.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, Protocol

from sqlalchemy import BigInteger, and_, bindparam, or_, select, update

from espi_server import clock
from espi_server.db import Database
from espi_server.jobs.leases import DUE, PARKED, RUNNING, Lease, take
from espi_server.jobs.worker import AWAY, FAILURES, Again, GivesUp, Task, Work
from espi_server.notify import warning
from espi_server.notify.models import Endpoint, Outbox
from espi_server.notify.outbox import URGENT

LEASE = 120  # seconds an endpoint and a message are held; longer than any attempt may take
SLICE = 10.0  # seconds an endpoint has its turn
SLOW = 1.0  # seconds; who needs longer is slow
GIVEN_UP = 3 * 86_400  # seconds of failing
SHORTEST = 5  # seconds of pause after a first failure
LONGEST = 6 * 3600
LONGEST_REST = 3600  # an endpoint that fails is spoken to every hour, whatever its messages wait for
URGENT_REST = 60  # what is of use for minutes is not worth an hour's wait
_DOWN = 3  # failures in a row after which it was the endpoint that failed, not a message
_FOREVER = 2**62
_log = logging.getLogger("espi_server.notify")


class Failed(Exception):
    """It did not arrive this time. `wait`: the seconds the receiver asked for, if it did."""

    def __init__(self, words: str, wait: int = 0) -> None:
        super().__init__(words)
        self.wait = wait


class Moot(Exception):
    """There is nothing to say any more: what the message would tell is over. It counts as done."""


@dataclass(frozen=True)
class Message:
    """One message on its way; the id stays the same however often it is sent."""

    id: uuid.UUID
    utility_id: uuid.UUID
    kind: str
    recipient: str
    payload: dict[str, Any]


class Channel(Protocol):
    """A way for messages to leave."""

    def send(self, message: Message) -> None:
        """Deliver it, or raise Failed (try again), GivesUp (never) or Moot (no need any more)."""
        ...


@dataclass(frozen=True)
class Sender:
    """Delivers, by the channel an endpoint's name begins with."""

    database: Database
    channels: Mapping[str, Channel]
    lease: int = LEASE
    slice: float = SLICE

    def works(self, *, slow: bool) -> list[Work]:
        """What a worker does: prompt endpoints, and with `slow` those others would have to wait for."""
        return [self._prompt, self._patient] if slow else [self._prompt]

    @cached_property
    def _prompt(self) -> Work:
        return self._work(Endpoint.slow.is_(False))

    @cached_property
    def _patient(self) -> Work:
        return self._work(Endpoint.slow.is_(True))

    def _work(self, whose: Any) -> Work:
        return Work(
            "endpoint", Endpoint, self._serve, and_(whose, _waiting()), lease=self.lease, tries=_FOREVER
        )

    def _serve(self, task: Task) -> dict[str, Any]:
        """One endpoint's turn. It ends by Again: an endpoint is never done."""
        turn, mine = _Turn(self.database, task.lease), Outbox.__table__.c.endpoint_id == task.lease.id
        channel = self.channels[task.lease.values["name"].partition(":")[0]]
        until = time.monotonic() + self.slice
        while lease := take(self.database, Outbox, mine, self.lease, among=1):
            turn.attempt(channel, lease)
            if turn.turned_slow or time.monotonic() >= until:
                break  # others have their turn; one that is slow has its next with those who have time for it
            task.alive()
        raise turn.over("", 0)


class _Turn:
    """What becomes of an endpoint while it is served."""

    def __init__(self, database: Database, endpoint: Lease) -> None:
        self._database = database
        self._endpoint = endpoint
        self._id = endpoint.id
        self._longest_rest = URGENT_REST if endpoint.values["name"] == URGENT else LONGEST_REST
        self._failures: int = endpoint.values["failures"]
        self._failing_since: int | None = endpoint.values["failing_since"]
        self._was_slow: bool = endpoint.values["slow"]
        self._slow = self._was_slow

    @property
    def turned_slow(self) -> bool:
        """Was it taken for a prompt one, and is none?"""
        return self._slow and not self._was_slow

    def over(self, words: str, wait: int) -> Again:
        """The turn ends; the next one is after `wait` seconds."""
        more = {"failures": self._failures, "failing_since": self._failing_since, "slow": self._slow}
        return Again(words, wait, **more)

    def attempt(self, channel: Channel, lease: Lease) -> None:
        """Send one message; raises Again where the endpoint needs a rest."""
        row, began = lease.values, time.monotonic()
        message = Message(lease.id, row["utility_id"], row["kind"], row["recipient"], row["payload"])
        try:
            channel.send(message)
        except Moot as error:
            lease.finish(str(error), finished_at=clock.seconds())
            return
        except GivesUp as error:
            lease.park(str(error), finished_at=clock.seconds())
            warning.parked(self._database, self._endpoint, self._failing_since)
            return
        except AWAY:
            raise  # the database; nobody can say what became of it
        except Failed as error:
            self._slow = time.monotonic() - began > SLOW
            self._failed(lease, str(error), error.wait)
        except FAILURES as error:
            _log.exception("message %s failed", lease.id)
            self._failed(lease, f"{type(error).__name__}: {error}", 0)
        self._slow = time.monotonic() - began > SLOW
        lease.finish(finished_at=clock.seconds())
        self._recovered()

    def _failed(self, lease: Lease, words: str, asked: int) -> NoReturn:
        now = clock.seconds()
        since = lease.values["failing_since"] or now
        if now - since >= GIVEN_UP:
            lease.park(f"Not delivered in three days. The last time: {words}", finished_at=now)
            warning.parked(self._database, self._endpoint, self._failing_since)
        else:
            pause = min(max(SHORTEST, 3 * lease.values["pause"]), LONGEST)
            wait = min(max(_jitter(pause), asked), max(since + GIVEN_UP - now, SHORTEST))
            lease.again(words, wait, failing_since=since, pause=pause)
        self._failures += 1
        self._failing_since = self._failing_since or now
        if now - self._failing_since >= GIVEN_UP:
            self._park_old(now, words)
        elif now - self._failing_since >= warning.DAY:
            warning.failing(self._database, self._endpoint, self._failing_since)
        rest = min(SHORTEST << 2 * min(self._failures - 1, 10), self._longest_rest)
        raise self.over(words, max(_jitter(rest), asked))

    def _park_old(self, now: int, words: str) -> None:
        """Nothing has arrived for three days: what waited as long behind it is given up with it."""
        old = (Outbox.endpoint_id == self._id, Outbox.state == DUE, Outbox.queued_at <= now - GIVEN_UP)
        reason = f"Nothing was delivered there for three days. The last time: {words}"[:2_000]
        with self._database.writing() as session:
            given_up: Any = session.execute(
                update(Outbox).where(*old).values(state=PARKED, last_error=reason, finished_at=now)
            )
        if given_up.rowcount:
            warning.parked(self._database, self._endpoint, self._failing_since)

    def _recovered(self) -> None:
        """It works again: what waits for it need not wait any longer."""
        if self._failures >= _DOWN:
            waiting = (Outbox.endpoint_id == self._id, Outbox.state == DUE)
            with self._database.writing() as session:
                session.execute(
                    update(Outbox).where(*waiting).values(next_attempt_at=clock.seconds(), pause=0)
                )
        self._failures, self._failing_since = 0, None


def _jitter(seconds: int) -> int:
    """Up to a quarter more, so that not all come back at once."""
    return seconds + random.randrange(seconds // 4 + 1)


def _waiting() -> Any:
    """Has the endpoint a message that is due, or one whose worker is gone?"""
    now = bindparam("moment", callable_=lambda: clock.seconds(), type_=BigInteger)
    due = and_(Outbox.state == DUE, Outbox.next_attempt_at <= now)
    abandoned = and_(Outbox.state == RUNNING, Outbox.lease_until <= now)
    return select(Outbox.id).where(Outbox.endpoint_id == Endpoint.id, or_(due, abandoned)).exists()
