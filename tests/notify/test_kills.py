"""Workers are killed now and then: no message is lost, and those that come twice come under one id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import func, insert, select

from espi_server import clock
from espi_server.accounts import utilities
from espi_server.db import Database, ordered_id
from espi_server.jobs.worker import Crew, Worker
from espi_server.notify import outbox
from espi_server.notify.models import Outbox
from tests import make, pg
from tests.conftest import ROOT
from tests.notify import town

SENDERS = 2
PROCESSES = 2
# One process that has imported everything forks the workers, and another one for each that dies; it tells their ids.
# Its stdin ends when the tests do, however they do; then the one forked first ends them all.
_WORKERS = f"""
import os, signal, sys
from espi_server.db import Database
from espi_server.jobs.worker import Crew, Worker
from tests.notify import town
def work():
    database = Database(sys.argv[1])
    sending = town.sender(database, lease=2, slice=1.0)
    Crew([Worker(database, sending.works(slow=True)) for _ in range({SENDERS})]).run(0.05)
if not os.fork():
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)
for number in range(10**6):
    if number >= {PROCESSES}:
        os.wait()
    child = os.fork()
    if not child:
        work()
        os._exit(1)
    print(child, flush=True)
"""


@contextmanager
def working(url: str) -> Iterator[Iterator[int]]:
    """Processes at work, and their ids, the oldest first: who kills one gets another."""
    command = [sys.executable, "-c", _WORKERS, url]
    group = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=ROOT,
        text=True,
    )
    assert group.stdout is not None
    try:
        yield map(int, group.stdout)
    finally:
        group.communicate()


def fill(database: Database, ids: list[uuid.UUID], number: int) -> set[str]:
    """Messages, in turn to each; what they say."""
    now = clock.seconds()
    with database.writing() as session:
        place = utilities.find(session, "north").id
        for id in ids:
            outbox.put(session, place, "batch_list", recipient=f"application:{id}", payload={"resources": []})
        session.flush()
        endpoints = {id: uuid.uuid5(place, f"application:{id}") for id in ids}
        rows = []
        for each in range(number):
            id = ids[each % len(ids)]
            rows.append(
                {
                    "id": ordered_id(), "utility_id": place, "endpoint_id": endpoints[id], "kind": "batch_list",
                    "recipient": f"application:{id}", "payload": {"resources": [f"https://data.example.org/{each}"]},
                    "next_attempt_at": now, "created_at": now, "queued_at": now,
                }
            )  # fmt: skip
        for first in range(0, number, 5_000):
            session.execute(insert(Outbox), rows[first : first + 5_000])
    return {f"https://data.example.org/{each}" for each in range(number)}


def waiting(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Outbox).where(Outbox.state != "done")) or 0


def deliver(
    database: Database, url: str, *, endpoints: int, messages: int, kills: int, patience: float
) -> None:
    """Workers deliver; as often as `kills` says, the one that has worked longest is killed."""
    with town.receiving([town.good] * endpoints) as (address, receivers), working(url) as workers:
        make.utility(database)
        ids = [town.company(database, f"C{place}", f"{address}/{place}") for place in range(endpoints)]
        expected = fill(database, ids, messages)
        killed, until = 0, time.monotonic() + patience
        while waiting(database) and time.monotonic() < until:
            time.sleep(0.1)
            arrived = sum(len(receiver.ids) for receiver in receivers)
            if killed < kills and arrived > messages * (killed + 1) // (kills + 2):
                os.kill(next(workers), signal.SIGKILL)
                killed += 1

    taken = sum((receiver.taken for receiver in receivers), start=type(receivers[0].taken)())
    assert killed == kills
    assert waiting(database) == 0
    assert set(taken) == expected
    assert sum(len(receiver.ids) for receiver in receivers) == messages + endpoints
    assert sum(taken.values()) - messages <= killed * SENDERS
    assert all(receiver.most_at_once <= 1 + killed for receiver in receivers)


def test_a_thousand_messages_arrive_although_a_worker_is_killed(
    database: Database, database_url: str
) -> None:
    deliver(database, database_url, endpoints=20, messages=1_000, kills=1, patience=120)


@pytest.mark.soak
def test_a_hundred_thousand_messages_arrive_although_workers_are_killed(
    database: Database, database_url: str
) -> None:
    deliver(database, database_url, endpoints=100, messages=100_000, kills=50, patience=7_200)


def test_a_database_that_is_away_is_waited_for(postgresql_url: str, postgresql: pg.Server) -> None:
    database = Database(postgresql_url)
    make.utility(database)
    with town.receiving([town.good]) as (address, [receiver]):
        town.put(database, town.company(database, "Sun", f"{address}/0"), "https://data.example.org/1")
        postgresql.halt()
        crew = Crew([Worker(database, town.sender(database).works(slow=True)) for _ in range(2)])
        thread = threading.Thread(target=crew.run, args=(0.05,))
        thread.start()
        time.sleep(0.5)
        alive = thread.is_alive()
        postgresql.resume()
        until = time.monotonic() + 60
        while not receiver.taken and time.monotonic() < until:
            time.sleep(0.05)
        crew.stop.set()
        thread.join()
    database.close()

    assert alive
    assert receiver.taken == {"https://data.example.org/1": 1}
