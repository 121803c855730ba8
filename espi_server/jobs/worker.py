"""The worker: takes what is due, one row after the other, until it is told to stop.

A kind of work is registered once, with the table its rows stand in and the function that does one. What raises is
tried again after a pause that grows, and after its last try the row is parked with the words of the error. A worker
that is killed leaves rows whose lease runs out; the next one takes them.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from espi_server import clock
from espi_server.db import Database
from espi_server.errors import Problem
from espi_server.espi.errors import EspiError
from espi_server.jobs.bell import BELL, Bell
from espi_server.jobs.leases import Also, Lease, LeaseLost, backoff, is_due, take

LEASE = 300  # seconds a row is held before another worker may take it; extended while work goes on
PAUSE = 1.0  # seconds between two looks where nothing is due
REST = 60.0  # seconds after which an idle worker of a crew looks for itself, whatever it heard
TRIES = 8
AWAY = (OperationalError, InterfaceError, TimeoutError)
"""The database does not answer."""
# Whatever is not among these ends the worker; the row's lease runs out, and it is tried again all the same.
FAILURES = (
    Problem, EspiError, OSError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RuntimeError,
    SQLAlchemyError,
)  # fmt: skip
_log = logging.getLogger("espi_server.jobs")


class Stopping(Exception):
    """The worker was told to stop; what it was doing is given back."""


class GivesUp(Exception):
    """This cannot succeed, however often it is tried."""


class Again(Exception):
    """This row is never done: it is due again after `wait` seconds, with `more` in its columns."""

    def __init__(self, words: str, wait: int, **more: Any) -> None:
        super().__init__(words)
        self.wait = wait
        self.more = more


@dataclass(frozen=True)
class Work:
    """One kind of work: where its rows stand, and what does one.

    `run` gets a `Task`; the columns it answers are written into the row as it is finished, with whatever `also`
    writes in the same transaction. `parked` answers those of a row that failed for good; `ended` tidies up after
    either.
    """

    name: str
    table: Any
    run: Callable[[Task], dict[str, Any]]
    where: Any = True
    also: Also | None = None
    parked: Callable[[Lease], dict[str, Any]] = field(default=lambda _: {})
    ended: Callable[[Lease], None] = field(default=lambda _: None)
    lease: int = LEASE
    tries: int = TRIES
    wait: Callable[[int], int] = backoff


@dataclass(frozen=True)
class Duty:
    """Something to be done every so many seconds, by whichever worker comes first; doing it twice does no harm."""

    name: str
    every: int
    run: Callable[[Database], None]


@dataclass
class Task:
    """One attempt while it runs."""

    lease: Lease
    stop: threading.Event
    held: int = 0

    def alive(self, **more: Any) -> None:
        """Say, from time to time, that work goes on. Raises Stopping or LeaseLost: let them through."""
        if self.stop.is_set():
            raise Stopping
        now = clock.seconds()
        if now - self.held >= max(1, self.lease.seconds // 10):
            self.lease.extend(**more)
            self.held = now


class Worker:
    """Does what is due. Several may run on one database, in threads, processes or on several machines."""

    def __init__(self, database: Database, works: Sequence[Work], duties: Sequence[Duty] = ()) -> None:
        self.database = database
        self.works = works
        self._duties = duties
        self._done: dict[str, int] = {}
        self.stop = threading.Event()

    def sweep(self) -> int:
        """Do everything that is due now; how many rows were attempted."""
        self._see_to_duties()
        attempted, more = 0, 1
        while more:
            # One of each kind in turn: many rows of one do not keep the others waiting.
            more = sum([self._attempt_one(work) for work in self.works])
            attempted += more
        return attempted

    def run(self, pause: float = PAUSE) -> None:
        """Sweep until `stop` is set, with a pause each time; an absent database is waited for."""
        while not self.stop.is_set():
            self._sweep_if_there()
            self.stop.wait(pause)

    def run_by(self, bell: Bell) -> None:
        """The same, whenever the bell rings or a duty is due."""
        while not self.stop.is_set():
            heard = bell.rings
            self._sweep_if_there()
            bell.wait(heard, self._until_next_duty())

    def _sweep_if_there(self) -> None:
        try:
            self.sweep()
        except AWAY:
            _log.exception("the database did not answer")

    def _until_next_duty(self) -> float:
        now = clock.seconds()
        waits = [self._done.get(duty.name, 0) + duty.every - now for duty in self._duties]
        return max(PAUSE, min([REST, *waits]))

    def until_told(self, pause: float = PAUSE) -> None:
        """The same, until SIGTERM or SIGINT: what runs then is given back, not lost."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self.stop.set())
        self.run(pause)

    def _see_to_duties(self) -> None:
        for duty in self._duties:
            if clock.seconds() - self._done.get(duty.name, 0) >= duty.every:
                duty.run(self.database)
                self._done[duty.name] = clock.seconds()

    def _attempt_one(self, work: Work) -> bool:
        if self.stop.is_set():
            return False
        lease = take(self.database, work.table, work.where, work.lease)
        if lease is None:
            return False
        try:
            self._attempt(work, lease)
        except LeaseLost:
            _log.warning("%s %s went to another worker", work.name, lease.id)
        return True

    def _attempt(self, work: Work, lease: Lease) -> None:
        if lease.attempt > work.tries:
            self._park(work, lease, "Its workers ended before they were done, each time.")
            return
        try:
            lease.finish(also=work.also, **work.run(Task(lease, self.stop, clock.seconds())))
            work.ended(lease)
        except Stopping:
            lease.give_back()
        except AWAY:
            raise  # nobody can say what became of it; its lease runs out
        except Again as error:
            lease.again(str(error), error.wait, **error.more)
        except GivesUp as error:
            self._park(work, lease, str(error))
        except FAILURES as error:
            self._failed(work, lease, error)

    def _failed(self, work: Work, lease: Lease, error: Exception) -> None:
        _log.exception("%s %s failed at attempt %d", work.name, lease.id, lease.attempt)
        words = f"{type(error).__name__}: {error}"
        if lease.attempt >= work.tries:
            self._park(work, lease, words)
        else:
            lease.again(words, work.wait(lease.attempt))

    def _park(self, work: Work, lease: Lease, words: str) -> None:
        lease.park(words, **work.parked(lease))
        work.ended(lease)


class Crew:
    """Workers that work side by side: the first in the thread that asks, each other in one of its own.

    Idle ones wait for a bell. It rings when somebody in this process leaves work, and when one look a second, for
    all of them, finds what another process left or what has become due.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self.stop = threading.Event()
        for each in workers:
            each.stop = self.stop

    def sweep(self) -> int:
        """Do everything that is due now; how many rows were attempted."""
        first, *others = self._workers
        attempted = [first.sweep()]  # what the others are to carry out is made here
        self._beside([partial(_note, attempted, each) for each in others], None)
        return sum(attempted)

    def run(self, pause: float = PAUSE) -> None:
        """Sweep until `stop` is set. An error that ends one worker ends all, and is raised."""
        first, *others = self._workers
        beside = [partial(each.run_by, BELL) for each in others]
        self._beside([partial(self._look, pause), *beside], partial(first.run_by, BELL))

    def until_told(self, pause: float = PAUSE) -> None:
        """The same, until SIGTERM or SIGINT: what runs then is given back, not lost."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self.stop.set())
        self.run(pause)

    def _look(self, pause: float) -> None:
        while not self.stop.wait(pause):
            try:
                if self._is_anything_due():
                    BELL.ring()
            except AWAY:
                _log.exception("the database did not answer")
        BELL.ring()  # whoever waits hears that it is time to stop

    def _is_anything_due(self) -> bool:
        """One question for all kinds of work."""
        works = {id(work): work for worker in self._workers for work in worker.works}
        due = [
            select(each.table.id).where(is_due(each.table), each.where).exists() for each in works.values()
        ]
        with self._workers[0].database.reading() as session:
            return bool(due) and bool(session.scalar(select(or_(*due))))

    def _beside(self, others: Sequence[Callable[[], None]], here: Callable[[], None] | None) -> None:
        failed: list[BaseException] = []
        threads = [
            threading.Thread(target=self._guarded, args=(each, failed), daemon=True) for each in others
        ]
        for thread in threads:
            thread.start()
        if here is not None:
            self._guarded(here, failed)
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def _guarded(self, act: Callable[[], None], failed: list[BaseException]) -> None:
        try:
            act()
        except BaseException as error:  # raised again where the crew was asked
            failed.append(error)
            self.stop.set()


def _note(attempted: list[int], worker: Worker) -> None:
    attempted.append(worker.sweep())
