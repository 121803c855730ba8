"""Workers side by side: idle ones ask for nothing, and still begin at once when there is something to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from espi_server import clock
from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.jobs import later
from espi_server.jobs.bell import BELL, Bell
from espi_server.jobs.models import Job
from espi_server.jobs.worker import Crew, Duty, Task, Work, Worker
from tests import make


@pytest.fixture
def north(database: Database) -> Utility:
    return make.utility(database)


def ask(database: Database, utility: Utility) -> None:
    with database.writing() as session:
        later.ask(session, utility.id, "count", {}, access="D", actor="a test")


@contextmanager
def working(crew: Crew, pause: float) -> Iterator[None]:
    """The crew at work in threads of its own."""
    thread = threading.Thread(target=crew.run, args=(pause,))
    thread.start()
    try:
        yield
    finally:
        crew.stop.set()
        thread.join(20)
    assert not thread.is_alive()


def within(seconds: float, is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.005)
    return is_so()


def crew_of(database: Database, done: list[Any], number: int = 8) -> Crew:
    def run(task: Task) -> dict[str, Any]:
        done.append(task.lease.id)
        return {}

    work = Work("count", Job, run, Job.kind == "count")
    return Crew([Worker(database, [work]) for _ in range(number)])


def test_what_this_process_leaves_is_begun_without_waiting_for_a_look(
    database: Database, north: Utility
) -> None:
    done: list[Any] = []
    with working(crew_of(database, done), pause=3_600):
        time.sleep(0.3)
        ask(database, north)

        assert within(10, lambda: len(done) == 1)


def test_what_another_process_leaves_is_found_by_one_look_for_all(database: Database, north: Utility) -> None:
    done: list[Any] = []
    with working(crew_of(database, done), pause=0.05):
        time.sleep(0.3)  # everybody has looked once and waits
        statements = counted(database, 1.0)
        now = clock.seconds()
        with database.writing() as session:
            session.add(Job(utility_id=north.id, kind="count", next_attempt_at=now, created_at=now))

        assert within(10, lambda: len(done) == 1)

    assert (
        1 <= statements <= 22
    )  # with one look every twentieth of a second; eight workers would ask 160 times


def counted(database: Database, seconds: float) -> int:
    """How many statements, but BEGIN, go to the database in this time."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    time.sleep(seconds)
    event.remove(database.engine, "before_cursor_execute", note)
    return sum(not each.startswith("BEGIN") for each in asked)


def test_duties_are_done_while_nobody_rings(database: Database) -> None:
    done: list[int] = []
    crew = Crew([Worker(database, [], [Duty("count", 1, lambda _: done.append(1))])])

    with working(crew, pause=3_600):
        assert within(10, lambda: len(done) >= 2)


def test_who_is_told_to_stop_stops_at_once_however_long_the_pause(database: Database) -> None:
    began = time.monotonic()
    with working(crew_of(database, []), pause=3_600):
        time.sleep(0.1)

    assert time.monotonic() - began < 10


def test_a_ring_between_two_waits_is_not_missed_and_undone_work_rings_nothing(
    database: Database, north: Utility
) -> None:
    bell = Bell()
    heard = bell.rings
    bell.ring()
    bell.wait(heard, 3_600)
    before = BELL.rings

    with pytest.raises(ZeroDivisionError), database.writing() as session:
        later.ask(session, north.id, "count", {}, access="D", actor="a test")
        raise ZeroDivisionError

    assert BELL.rings == before
