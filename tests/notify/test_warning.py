"""A company's people are told of their own server: once in a time of failing, not for every message."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from espi_server.access import letters
from espi_server.accounts.models import Login
from espi_server.adapters.post import Letter
from espi_server.cli import main
from espi_server.db import Database
from espi_server.jobs.worker import GivesUp, Worker
from espi_server.notify.letters import People
from espi_server.notify.models import Outbox
from espi_server.notify.sending import Failed, Message, Sender
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.notify import town

NOW, HOUR, DAY = 1_790_000_000, 3_600, 86_400
Freeze = Callable[[int], None]


class Server:
    """A company's server, that answers as told; and the letters its people get."""

    def __init__(self) -> None:
        self.answer: Exception | None = None
        self.letters: list[Letter] = []

    def send(self, message: Message) -> None:
        if self.answer is not None:
            raise self.answer

    def mail(self, letter: Letter) -> None:
        self.letters.append(letter)


@pytest.fixture
def sun(database: Database, freeze: Freeze) -> uuid.UUID:
    """A company with two people who read mail, and one contact that is none."""
    freeze(NOW)
    make.utility(database)
    contacts = ["ops@sun.example.org", "+1 530 555 0142", "lead@sun.example.org"]
    return town.company(database, "Sun", "https://hook.sun.example.org/espi?key=secret", contacts=contacts)


def live(
    database: Database,
    server: Server,
    freeze: Freeze,
    first: int,
    hours: int,
    application: uuid.UUID | None,
    step: int = 1,
) -> None:
    """Hours from `first` on, each `step` with a new message for the application, if one is given."""
    people = People(database, letters.composers(), server, None)
    worker = Worker(database, Sender(database, {"application": server, "people": people}).works(slow=True))
    for hour in range(first, first + hours, step):
        freeze(NOW + hour * HOUR)
        if application is not None:
            town.put(database, application, f"https://data.example.org/{hour}")
        worker.sweep()


def subjects(server: Server) -> list[tuple[str, str]]:
    return [(each.to.partition("@")[0], each.subject.partition(": ")[2]) for each in server.letters]


def test_after_a_day_and_when_messages_are_set_aside_they_get_one_letter_each(
    database: Database, sun: uuid.UUID, freeze: Freeze
) -> None:
    server = Server()
    server.answer = Failed("It answered 503.")

    live(database, server, freeze, 0, 23, sun)
    too_early = list(server.letters)
    live(database, server, freeze, 23, 77, sun)
    told = subjects(server)
    failing = shown(database, "--failing")
    server.answer = None
    live(database, server, freeze, 100, 2, sun)
    server.answer = Failed("It answered 503.")
    live(database, server, freeze, 102, 27, sun)

    assert too_early == []
    assert told == [
        ("ops", "your server has not answered for a day"), ("lead", "your server has not answered for a day"),
        ("ops", "we have set news for you aside"), ("lead", "we have set news for you aside"),
    ]  # fmt: skip
    assert subjects(server)[4:] == told[:2]  # the next time of failing
    [letter, *_] = server.letters
    assert "hook.sun.example.org" in letter.text
    assert "It answered 503." in letter.text
    assert "secret" not in letter.text
    assert failing[0]["people_told"]
    assert failing[0]["parked"] > 0


def test_who_answers_again_before_the_letter_leaves_gets_none(
    database: Database, sun: uuid.UUID, freeze: Freeze
) -> None:
    server, relay = Server(), Server()
    relay.answer = Failed("the relay is away")
    machines = {"application": server, "people": relay}
    worker = Worker(database, Sender(database, machines).works(slow=True))
    town.put(database, sun, "https://data.example.org/1")
    for hour in range(48):
        server.answer = Failed("down") if hour < 34 else None
        freeze(NOW + hour * HOUR)
        worker.sweep()

    live(database, server, freeze, 48, 8, None)

    assert server.letters == []
    with database.reading() as session:
        row = session.scalars(select(Outbox).where(Outbox.kind == "endpoint.failing")).one()
    assert (row.state, row.last_error) == ("done", "It answers again.")


def test_a_server_that_wants_no_more_is_told_of_once_a_week(
    database: Database, sun: uuid.UUID, freeze: Freeze
) -> None:
    server = Server()
    server.answer = GivesUp("It answered 410: it does not want to be told any more.")

    live(database, server, freeze, 0, 24 * 8, sun, step=12)

    assert [to for to, _ in subjects(server)] == ["ops", "lead"] * 2


def test_logins_of_the_company_are_written_to_and_a_customer_never(
    database: Database, sun: uuid.UUID, freeze: Freeze
) -> None:
    ada = make.customer(database, "C-1")
    with database.writing() as session:
        session.add(
            Login(kind="customer", customer_id=ada, name="ada", email="ada@example.org", created_at=NOW)
        )
    server = Server()
    server.answer = GivesUp("no")
    nobody = town.company(database, "Moon", "https://moon.example.org/")

    live(database, server, freeze, 0, 1, nobody)
    live(database, server, freeze, 1, 1, None)

    assert server.letters == []
    with database.reading() as session:
        row = session.scalars(select(Outbox).where(Outbox.recipient == f"company:{nobody}")).one()
    assert (row.state, "other means" in (row.last_error or "")) == ("parked", True)


def shown(database: Database, *words: str) -> list[dict[str, Any]]:
    """What the operator sees of the endpoints."""
    environment = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
        "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
    }
    command = ["outbox", "endpoints", "--utility", "north", "--json", *words]
    done = CliRunner().invoke(main, command, env=environment)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["endpoints"]
    return found
