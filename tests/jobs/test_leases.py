"""Work that is leased: every row is done, by one worker at a time, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, true

from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.errors import Internal
from espi_server.jobs import later, leases
from espi_server.jobs.leases import LeaseLost, take
from espi_server.jobs.models import Job, JobPart
from espi_server.jobs.worker import Duty, GivesUp, Stopping, Task, Work, Worker
from espi_server.notify import outbox
from espi_server.notify.models import Outbox
from tests import make

NOW = 1_790_000_000


@pytest.fixture
def north(database: Database, freeze: Callable[[int], None]) -> Utility:
    freeze(NOW)
    return make.utility(database)


def jobs(database: Database, utility: Utility, number: int = 1, **more: Any) -> list[uuid.UUID]:
    with database.writing() as session:
        return [
            later.ask(session, utility.id, "count", {"place": place}, access="D", actor="a test", **more).id
            for place in range(number)
        ]


def row(database: Database, id: uuid.UUID) -> Job:
    with database.reading() as session:
        return session.get_one(Job, id)


def work(run: Callable[[Task], dict[str, Any]], **more: Any) -> Work:
    return Work("count", Job, run, Job.kind == "count", **more)


def test_a_due_row_is_done_once_and_keeps_its_result(database: Database, north: Utility) -> None:
    [id] = jobs(database, north)
    worker = Worker(
        database, [work(lambda task: {"result": {"place": task.lease.values["payload"]["place"]}})]
    )

    assert (worker.sweep(), worker.sweep()) == (1, 0)

    done = row(database, id)
    assert (done.state, done.result, done.attempts, done.lease_until) == ("done", {"place": 0}, 1, None)


def test_of_many_workers_one_has_each_row(database: Database, north: Utility) -> None:
    ids = jobs(database, north, 30)
    attempts: Counter[uuid.UUID] = Counter()
    inside: Counter[uuid.UUID] = Counter()
    twice = []
    lock = threading.Lock()

    def run(task: Task) -> dict[str, Any]:
        with lock:
            inside[task.lease.id] += 1
            attempts[task.lease.id] += 1
            if inside[task.lease.id] > 1:
                twice.append(task.lease.id)
        time.sleep(0.002)
        with lock:
            inside[task.lease.id] -= 1
        return {}

    workers = [Worker(database, [work(run)]) for _ in range(6)]
    threads = [threading.Thread(target=worker.sweep) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    workers[0].sweep()

    assert not twice
    assert attempts == Counter(ids)


def test_a_lease_that_ran_out_is_taken_and_the_first_holder_may_not_finish(
    database: Database, north: Utility, freeze: Callable[[int], None]
) -> None:
    [id] = jobs(database, north)
    first = take(database, Job, true(), 60)
    assert first is not None
    assert take(database, Job, true(), 60) is None

    freeze(NOW + 60)
    second = take(database, Job, true(), 60)

    assert second is not None
    for act in (first.finish, first.extend, first.give_back):
        with pytest.raises(LeaseLost):
            act()
    second.finish(result={"by": "second"})
    assert row(database, id).result == {"by": "second"}


def test_who_says_that_work_goes_on_keeps_the_lease(
    database: Database, north: Utility, freeze: Callable[[int], None]
) -> None:
    [id] = jobs(database, north)
    lease = take(database, Job, true(), 60)
    assert lease is not None
    task = Task(lease, threading.Event())

    freeze(NOW + 50)
    task.alive(progress={"done": 1})
    freeze(NOW + 100)

    assert take(database, Job, true(), 60) is None
    assert row(database, id).progress == {"done": 1}


def test_a_failure_is_tried_again_later_and_later_and_then_parked(
    database: Database, north: Utility, freeze: Callable[[int], None]
) -> None:
    [id] = jobs(database, north)

    def fail(task: Task) -> dict[str, Any]:
        raise Internal("The sea was rough.")

    worker = Worker(database, [work(fail, tries=3)])
    waits, now = [], NOW
    while row(database, id).state != "parked":
        freeze(now)
        assert worker.sweep() == 1
        assert worker.sweep() == 0
        waits.append(row(database, id).next_attempt_at - now)
        now = row(database, id).next_attempt_at

    assert row(database, id).last_error == "Internal: The sea was rough."
    assert len(waits) == 3
    assert 10 <= waits[0] < 20 <= waits[1] <= 25


def test_what_cannot_succeed_is_parked_at_once(database: Database, north: Utility) -> None:
    [id] = jobs(database, north)

    def give_up(task: Task) -> dict[str, Any]:
        raise GivesUp("No such street.")

    Worker(database, [work(give_up, parked=lambda _: {"finished_at": NOW})]).sweep()

    assert (row(database, id).state, row(database, id).finished_at) == ("parked", NOW)


def test_told_to_stop_it_gives_its_row_back_and_no_try_is_lost(database: Database, north: Utility) -> None:
    [id, _] = jobs(database, north, 2)
    seen = []

    def run(task: Task) -> dict[str, Any]:
        seen.append(task.lease.id)
        task.stop.set()
        task.alive()
        return {}

    with pytest.raises(Stopping):
        Task(None, _set()).alive()
    Worker(database, [work(run)]).sweep()

    assert len(seen) == 1
    assert (row(database, seen[0]).state, row(database, seen[0]).attempts) == ("due", 0)
    assert row(database, id).state == "due"


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


_DIES = """
import sys, time
from espi_server.db import Database
from espi_server.jobs.models import Job
from espi_server.jobs.worker import Work, Worker
def run(task):
    print("begun", flush=True)
    time.sleep(60)
Worker(Database(sys.argv[1]), [Work("count", Job, run, Job.kind == "count", lease=1)]).run()
"""


def test_a_worker_that_is_killed_leaves_its_row_to_the_next(database: Database, database_url: str) -> None:
    [id] = jobs(database, make.utility(database))
    process = subprocess.Popen([sys.executable, "-c", _DIES, database_url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"

    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    worker = Worker(database, [work(lambda _: {"result": {"by": "the next"}})])
    while row(database, id).state != "done":
        worker.sweep()
        time.sleep(0.05)

    assert row(database, id).result == {"by": "the next"}
    assert row(database, id).attempts == 2


def test_the_outbox_is_leased_by_the_same_means(database: Database, north: Utility) -> None:
    with database.writing() as session:
        outbox.put(session, north.id, "mail", recipient="ada@example.org", payload={"text": "hello"})
    sent = []

    def send(task: Task) -> dict[str, Any]:
        sent.append(task.lease.values["payload"]["text"])
        return {}

    Worker(database, [Work("mail", Outbox, send, Outbox.kind == "mail")]).sweep()

    assert sent == ["hello"]
    with database.reading() as session:
        assert session.scalars(select(Outbox.state)).all() == ["done"]


def test_duties_are_done_at_their_times(database: Database, freeze: Callable[[int], None]) -> None:
    done = []
    worker = Worker(database, [], [Duty("sweep", 30, lambda _: done.append(1))])

    for moment in (NOW, NOW + 29, NOW + 30, NOW + 31):
        freeze(moment)
        worker.sweep()

    assert len(done) == 2


def test_the_same_request_again_is_the_same_job_until_it_is_done(database: Database, north: Utility) -> None:
    [first] = jobs(database, north, fingerprint="f")
    [again] = jobs(database, north, fingerprint="f")
    Worker(database, [work(lambda _: {"finished_at": NOW})]).sweep()
    [after] = jobs(database, north, fingerprint="f")

    assert first == again != after


def test_bytes_are_kept_in_parts_and_dropped_when_the_job_is_done(
    database: Database, north: Utility, freeze: Callable[[int], None]
) -> None:
    body = [b"a" * 70_000, b"b" * 3]
    [id] = jobs(database, north, parts=iter(body))

    assert list(later.parts(database, id)) == body
    Worker(database, [work(lambda _: {"finished_at": NOW})]).sweep()
    later.forget_old(database)
    freeze(NOW + later.KEPT)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(JobPart)) == 0
        assert later.waiting(session) == 0
    later.forget_old(database)
    with database.reading() as session:
        assert session.get(Job, id) is None


def test_a_job_is_found_by_its_own_utility_and_kind_of_token_alone(
    database: Database, north: Utility
) -> None:
    south = make.utility(database, "south")
    [id] = jobs(database, north)

    with database.reading() as session:
        assert later.find(session, north.id, "D", id) is not None
        assert later.find(session, north.id, "U", id) is None
        assert later.find(session, south.id, "D", id) is None


def test_backoff_doubles_up_to_a_limit_and_is_never_the_same_for_all() -> None:
    waits = {leases.backoff(40) for _ in range(50)}

    assert all(6 * 3600 <= wait <= 7.5 * 3600 for wait in waits)
    assert len(waits) > 1
