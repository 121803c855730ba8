"""Many readers at once, slow ones among them, and imports meanwhile."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import httpx
import pytest
from flask import Flask

from espi_server.db import Database
from tests.contract import stock
from tests.contract.downloads import application, start
from tests.contract.stock import Opened
from tests.serving import Server, serve

EACH, TOTAL = 3, 5  # feeds of one application, feeds in all
SLOW = 24  # as many as the settings allow by default
READING_TYPES = f"/{stock.UTILITY}/espi/1_1/resource/ReadingType"


@pytest.fixture
def app(filled: Database) -> Flask:
    return application(filled, feeds=TOTAL, feeds_per_application=EACH)


def test_one_feed_too_many_of_an_application_is_asked_to_wait(filled: Database, app: Flask) -> None:
    opened = stock.open_all(filled)
    for _ in range(EACH):
        start(app, opened).take(1)

    answer = app.test_client().get(opened.path, headers=opened.headers)

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(answer.data)["code"] == "too_many_requests"


def test_one_feed_too_many_in_all_is_asked_to_wait_whoever_asks(filled: Database, app: Flask) -> None:
    sun, wind, rain = (stock.open_all(filled, application=name) for name in ("Sun", "Wind", "Rain"))
    for opened in (sun, sun, sun, wind, wind):
        start(app, opened).take(1)

    assert start(app, rain).status == 429


def test_a_feed_leaves_its_place_however_it_ends(filled: Database, app: Flask) -> None:
    opened = stock.open_all(filled)
    for _ in range(EACH + 1):
        whole = start(app, opened)
        whole.finish()
        whole.close()
        dropped = start(app, opened)
        dropped.take(1)
        dropped.close()
        untouched = start(app, opened)
        untouched.close()

    assert start(app, opened).status == 200


def test_small_answers_take_no_place(filled: Database, app: Flask) -> None:
    opened = stock.open_all(filled)
    for _ in range(EACH):
        start(app, opened).take(1)

    answer = app.test_client().get(READING_TYPES, headers=opened.headers)

    assert answer.status_code == 200


# --- slow readers -----------------------------------------------------------------------------------------


def test_slow_readers_of_bulk_feeds_up_to_the_cap_leave_small_requests_answered(
    filled: Database, filled_url: str, tmp_path: Path
) -> None:
    stock.deliver(filled, tmp_path, stock.household(0, days=396))  # more than the system's buffers swallow
    opened = stock.open_all(filled)
    with (
        serve(filled_url, feeds=SLOW, feeds_per_application=SLOW) as server,
        silent_readers(server, opened),
        httpx.Client(base_url=server.url, headers=opened.headers, timeout=30) as client,
    ):
        small = [client.get("/healthz").status_code for _ in range(20)]
        small += [client.get(READING_TYPES).status_code for _ in range(20)]
        one_more = client.get(opened.path)

    assert small == [200] * 40
    assert one_more.status_code == 429


@contextmanager
def silent_readers(server: Server, opened: Opened) -> Iterator[None]:
    """Clients that ask for a feed and read nothing of it, so that each holds a thread of the server."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    question = f"GET {opened.path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {opened.token}\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(SLOW):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect((host, int(port)))
            reader.sendall(question.encode())
            assert reader.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        yield


# --- an import meanwhile ----------------------------------------------------------------------------------


def test_readers_see_each_usage_point_before_or_after_an_import_and_never_half_of_it(
    filled: Database, filled_url: str, tmp_path: Path
) -> None:
    opened = stock.open_all(filled, scope="FB=4_5")
    before = readings_by_household(fetch_quietly(filled_url, opened))
    some = [stock.household(number) for number in range(0, stock.HOUSEHOLDS, 8)]
    after = [each.but(changed=dict.fromkeys(each.starts(), 5)) for each in some]
    done = Event()
    with serve(filled_url, log_level="WARNING") as server, ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read_until, done, server, opened) for _ in range(2)]
        stock.deliver(filled, tmp_path, *after)
        done.set()
        bodies = [body for reader in readers for body in reader.result()]
        log = server.log.read_text()

    assert bodies
    for body in bodies:
        for household, seen in readings_by_household(body).items():
            assert seen in (before[household], ["5"] * 96)
    assert "locked" not in log
    final = readings_by_household(fetch_quietly(filled_url, opened)).values()
    assert sum(seen == ["5"] * 96 for seen in final) == len(after)


def read_until(done: Event, server: Server, opened: Opened) -> list[bytes]:
    """Fetch the feed again and again; every whole one. What was cut may only have been cut for the import."""
    bodies = []
    with httpx.Client(base_url=server.url, headers=opened.headers, timeout=60) as client:
        while not done.is_set() or not bodies:
            try:
                answer = client.get(opened.path)
            except httpx.RemoteProtocolError:
                continue
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                bodies.append(answer.content)
    return bodies


def fetch_quietly(url: str, opened: Opened) -> bytes:
    """The feed while nothing else goes on."""
    with stock.opened_database(url) as database:
        return start(application(database), opened).finish()


def readings_by_household(body: bytes) -> dict[str, list[str]]:
    """The values of each usage point's readings, as the feed tells them."""
    assert body.endswith(b"</feed>")
    found: dict[str, list[str]] = {}
    for entry in re.findall(rb"<entry>.*?</entry>", body, re.S):
        if b"<IntervalReading>" in entry:
            point = re.findall(rb'/UsagePoint/([^/"]+)/MeterReading/[^/"]+/IntervalBlock/', entry)[0]
            found[point.decode()] = [value.decode() for value in re.findall(rb"<value>(\d+)</value>", entry)]
    assert len(found) == stock.HOUSEHOLDS
    return found
