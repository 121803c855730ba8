"""Workers are killed now and then: no message is lost, and those that come twice come under one id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid

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

SENDERS = 4
_WORKER = f"""
import sys
from espi_server.db import Database
from espi_server.jobs.worker import Crew, Worker
from tests.notify import town
database = Database(sys.argv[1])
sending = town.sender(database, lease=3, slice=2.0)
Crew([Worker(database, sending.works(slow=True)) for _ in range({SENDERS})]).run(0.05)
"""


def started(url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, url], stderr=subprocess.DEVNULL, start_new_session=True, cwd=ROOT
    )


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
    database: Database, url: str, *, endpoints: int, messages: int, kills: int, every: float, patience: float
) -> None:
    with town.receiving([town.good] * endpoints) as (address, receivers):
        make.utility(database)
        ids = [town.company(database, f"C{place}", f"{address}/{place}") for place in range(endpoints)]
        expected = fill(database, ids, messages)
        worker, killed, until = started(url), 0, time.monotonic() + patience
        try:
            while waiting(database) and time.monotonic() < until:
                time.sleep(every)
                if killed < kills:
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
                    worker, killed = started(url), killed + 1
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

    taken = sum((receiver.taken for receiver in receivers), start=type(receivers[0].taken)())
    assert waiting(database) == 0
    assert set(taken) == expected
    assert sum(len(receiver.ids) for receiver in receivers) == messages + endpoints
    assert sum(taken.values()) - messages <= killed * SENDERS
    assert all(receiver.most_at_once <= 1 + killed for receiver in receivers)


def test_a_thousand_messages_arrive_although_workers_are_killed(
    database: Database, database_url: str
) -> None:
    deliver(database, database_url, endpoints=20, messages=1_000, kills=3, every=1.2, patience=120)


@pytest.mark.soak
def test_a_hundred_thousand_messages_arrive_although_workers_are_killed(
    database: Database, database_url: str
) -> None:
    deliver(database, database_url, endpoints=100, messages=100_000, kills=50, every=15, patience=7_200)


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
