"""A feed that fails midway is an error for every client, on every way: never a short feed that looks whole.

Each test sends the same feed to every client, plain and compressed, directly and through the proxies, all at
once; lets something go wrong when all of them are in the middle; and asks who did not notice.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from espi_server.db import Database
from tests.contract import clients, proxies, stock
from tests.contract.clients import Noticed
from tests.contract.gate import APPLICATION, Gate
from tests.copies import KINDS
from tests.serving import Server, serve

ENCODINGS = ("gzip", "identity")
EVERY = [
    (client, encoding, way)
    for client in clients.EVERY
    for encoding in ENCODINGS
    for way in proxies.EVERY
]  # fmt: skip


class Download(NamedTuple):
    """One client's fetch in progress."""

    how: str
    body: Future[bytes]

    @property
    def noticed(self) -> bool:
        """Did the client report an error?"""
        return isinstance(self.body.exception(), Noticed)


class Downloads(NamedTuple):
    """All of them, and the server they come from."""

    server: Server
    gate: Gate
    every: list[Download]

    def finish(self) -> list[str]:
        """Let all go on to their end; who did not notice that something went wrong."""
        self.gate.open()
        return [each.how for each in self.every if not each.noticed]


@pytest.fixture(autouse=True, scope="module")
def everything_is_here() -> None:
    """These tests say nothing where a client or a proxy is missing."""
    absent = [name for name in proxies.EVERY if proxies.missing(name)]
    absent += [] if shutil.which("curl") else ["curl"]
    if absent:
        pytest.skip(f"not installed here: {', '.join(absent)}")
    clients.node_binary()


@contextmanager
def downloading(url: str, opened: stock.Opened, folder: Path, *, waiting: bool = True) -> Iterator[Downloads]:
    """Every client in the middle of the feed."""
    gate = Gate(folder / "gate")
    limits = {"threads": 40, "feeds": 32, "feeds_per_application": 32}
    with ExitStack() as stack:
        server = stack.enter_context(
            serve(url, application=APPLICATION, environment=gate.environment, **limits)
        )
        bases = {name: stack.enter_context(way(server.url, folder)) for name, way in proxies.EVERY.items()}
        pool = stack.enter_context(ThreadPoolExecutor(len(EVERY)))
        stack.callback(gate.open)
        every = [
            Download(
                f"{client} {encoding} {way}",
                pool.submit(clients.EVERY[client], bases[way] + opened.path, opened.token, encoding),
            )
            for client, encoding, way in EVERY
        ]
        if waiting:
            gate.wait_for(len(every))
        yield Downloads(server, gate, every)


# What happens to the feed is tried on both databases in process (test_revocation.py). What clients see of it is the
# same whatever it was: here each happens on one of them, on both in the long runs.
def on(kind: str) -> pytest.MarkDecorator:
    other = next(each for each in KINDS if each != kind)
    kinds = [kind, pytest.param(other, marks=pytest.mark.soak)]
    return pytest.mark.parametrize("filled_url", kinds, indirect=True)


@on("sqlite")
def test_a_feed_that_nothing_happens_to_arrives_whole_and_the_same_everywhere(
    filled: Database, filled_url: str, tmp_path: Path
) -> None:
    opened = stock.open_all(filled)

    with downloading(filled_url, opened, tmp_path) as downloads:
        downloads.gate.open()
        bodies = {each.body.result() for each in downloads.every}

    assert len(bodies) == 1
    assert bodies.pop().count(b"<IntervalReading>") == stock.HOUSEHOLDS * 96


@on("sqlite")
def test_a_revocation_in_mid_download_is_an_error_for_every_client(
    filled: Database, filled_url: str, tmp_path: Path
) -> None:
    opened = stock.open_all(filled)

    with downloading(filled_url, opened, tmp_path) as downloads:
        stock.end(filled, opened)
        unaware = downloads.finish()

    assert unaware == []


@on("postgresql")
def test_an_import_in_mid_download_is_an_error_for_every_client(
    filled: Database, filled_url: str, tmp_path: Path
) -> None:
    opened = stock.open_all(filled)
    last = stock.in_feed_order(filled)[-1]

    with downloading(filled_url, opened, tmp_path) as downloads:
        stock.deliver(filled, tmp_path, stock.changed(last))
        unaware = downloads.finish()

    assert unaware == []


def test_a_worker_killed_in_mid_download_is_an_error_for_every_client(
    filled_sqlite: str, tmp_path: Path
) -> None:
    with stock.opened_database(filled_sqlite) as database:
        opened = stock.open_all(database)

    with downloading(filled_sqlite, opened, tmp_path) as downloads:
        for worker in downloads.server.workers:
            os.kill(worker, signal.SIGKILL)
        unaware = downloads.finish()

    assert unaware == []


def test_a_database_lost_in_mid_download_is_an_error_for_every_client(
    filled_postgresql: str, tmp_path: Path
) -> None:
    with stock.opened_database(filled_postgresql) as database:
        opened = stock.open_all(database)

    with downloading(filled_postgresql, opened, tmp_path) as downloads:
        lose(filled_postgresql)
        unaware = downloads.finish()

    assert unaware == []


def lose(url: str) -> None:
    """Every connection is cut, and there is no such database any more."""
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    "damage",
    [
        "a flipped bit",  # which only the client can notice: the others are cut by the server (test_damaged.py)
        pytest.param("half missing", marks=pytest.mark.soak),
        pytest.param("a broken index", marks=pytest.mark.soak),
    ],
)
def test_damaged_stored_readings_are_an_error_for_every_client(
    filled_sqlite: str, tmp_path: Path, damage: str
) -> None:
    with stock.opened_database(filled_sqlite) as database:
        opened = stock.open_all(database)
        stock.damage(database, stock.in_feed_order(database)[-1], damage)

    with downloading(filled_sqlite, opened, tmp_path, waiting=False) as downloads:
        unaware = downloads.finish()

    assert unaware == []
