"""A town of receivers: real HTTP servers on this machine, each with its bad habits, which remember what they got."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lxml import etree

from espi_server.access import announcing, applications
from espi_server.access.models import Application
from espi_server.accounts import utilities
from espi_server.adapters.http import Client, Reach
from espi_server.db import Database
from espi_server.notify import outbox
from espi_server.notify.sending import Message, Sender
from espi_server.notify.webhooks import Webhooks
from espi_server.settings import DEVELOPMENT_SECRET

Habit = Callable[["Receiver", Any], None]
RESOURCES = "{http://naesb.org/espi}resources"


class Receiver:
    """One company's server: counts what it took (by its text), and in how many requests at once."""

    def __init__(self, habit: Habit) -> None:
        self.habit = habit
        self.is_down = False
        self.requests = 0
        self.taken: Counter[str] = Counter()
        self.ids: dict[str, str] = {}
        self.heads: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.most_at_once = 0
        self.last_at = 0.0
        self._now: set[Any] = set()
        self._lock = threading.Lock()

    def serve(self, handler: Any) -> None:
        """One POST."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self._lock:
            self.requests += 1
            self._now.add(handler)
            self.most_at_once = max(self.most_at_once, len(self._now))
        try:
            handler.body, handler.over = body, partial(self._over, handler)
            if self.is_down:
                answer(handler, 503)
            else:
                self.habit(self, handler)
        finally:
            self._over(handler)
            self.last_at = time.monotonic()

    def _over(self, handler: Any) -> None:
        """Its answer begins: whoever asked may be gone before we hear that it was written."""
        with self._lock:
            self._now.discard(handler)

    def take(self, handler: Any) -> None:
        """Remember what came, as one that answers 2xx does."""
        with self._lock:
            self.heads.append({name.lower(): value for name, value in handler.headers.items()})
            self.bodies.append(handler.body)
            if handler.headers["Content-Type"] == "application/xml":
                for each in etree.fromstring(handler.body).iter(RESOURCES):
                    self.taken[each.text or ""] += 1
            self.ids[handler.headers["webhook-id"]] = handler.body.decode()


def answer(handler: Any, status: int, **headers: str) -> None:
    """A short answer; header names are given with underscores."""
    handler.over()
    handler.send_response(status)
    for name, value in {"Content_Length": "0", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def good(receiver: Receiver, handler: Any) -> None:
    receiver.take(handler)
    answer(handler, 204)


def every_other_time(receiver: Receiver, handler: Any) -> None:
    if receiver.requests % 2:
        answer(handler, 500)
    else:
        good(receiver, handler)


def slow(receiver: Receiver, handler: Any) -> None:
    time.sleep(1.2)
    good(receiver, handler)


def redirecting(receiver: Receiver, handler: Any) -> None:
    answer(handler, 302, Location="http://127.0.0.1:9/")


def lying(receiver: Receiver, handler: Any) -> None:
    receiver.take(handler)
    answer(handler, 200, Content_Length="1000000000")
    handler.wfile.write(b"not as much as that")
    handler.close_connection = True


def gone(receiver: Receiver, handler: Any) -> None:
    answer(handler, 410)


@contextmanager
def receiving(habits: Sequence[Habit]) -> Iterator[tuple[str, list[Receiver]]]:
    """One server for all of them; receiver 3 is at `{address}/3`."""
    receivers = [Receiver(habit) for habit in habits]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receivers[int(self.path.strip("/"))].serve(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", receivers
    finally:
        server.shutdown()
        server.server_close()


def company(
    database: Database, name: str, notify_uri: str | None, code: str = "north", **information: Any
) -> uuid.UUID:
    """An application that is notified there."""
    with database.writing() as session:
        place = utilities.find(session, code)
        row = applications.find_or_create(session, place, name, by="a test")
        row.notify_uri, row.information = notify_uri, {**row.information, **information}
        return row.id


def put(database: Database, application: uuid.UUID, *texts: str) -> None:
    """A message for each of these."""
    with database.writing() as session:
        row = session.get_one(Application, application)
        for text in texts:
            outbox.put(
                session, row.utility_id, "batch_list", recipient=f"application:{application}",
                payload={"resources": [text]},
            )  # fmt: skip


def sender(database: Database, **more: Any) -> Sender:
    """Sends to receivers on this machine; `deadline` is what one attempt may take."""
    client = Client(Reach(anywhere=True), deadline=more.pop("deadline", 5.0))
    webhooks = Webhooks(database, client, announcing.destination, DEVELOPMENT_SECRET)
    return Sender(database, {"application": webhooks, "events": webhooks, "people": Nobody()}, **more)


class Nobody:
    """People who take whatever they are sent."""

    def send(self, message: Message) -> None:
        """Nothing can go wrong."""
