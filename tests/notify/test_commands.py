"""`espi-server outbox` and `espi-server asp notify`: what an operator sees and does."""

from __future__ import annotations

import json
import secrets
import uuid

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from espi_server.access.models import Application
from espi_server.cli import main
from espi_server.db import Database
from espi_server.jobs.worker import Worker
from espi_server.notify import signing
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.notify import town

HREF = "https://data.example.org/1"


@pytest.fixture
def gone(database: Database) -> uuid.UUID:
    """A company that wanted to hear no more, and the message that is parked because of it."""
    make.utility(database)
    with town.receiving([town.gone]) as (address, _):
        id = town.company(database, "Sun", f"{address}/0")
        town.put(database, id, HREF)
        Worker(database, town.sender(database).works(slow=True)).sweep()
    return id


def run(url: str, *words: str, mode: str = "development") -> Result:
    environment = {"ESPI_MODE": mode, "ESPI_DATABASE_URL": url, "ESPI_SECRET_KEY": DEVELOPMENT_SECRET}
    if mode == "production":
        environment["ESPI_SECRET_KEY"] = secrets.token_hex(32)
    return CliRunner().invoke(main, [*words], env=environment)


def test_the_list_tells_what_is_parked_and_why_and_shows_no_content(
    database_url: str, gone: uuid.UUID
) -> None:
    shown = run(database_url, "outbox", "list", "--utility", "north", "--state", "parked")
    machine = run(database_url, "outbox", "list", "--utility", "north", "--json")

    assert shown.exit_code == machine.exit_code == 0
    assert "410" in shown.stdout
    [told, letter] = sorted(json.loads(machine.stdout)["messages"], key=lambda each: each["kind"])
    assert (letter["kind"], letter["recipient"]) == ("endpoint.parked", f"company:{gone}")
    assert (told["state"], told["attempts"], told["recipient"]) == ("parked", 1, f"application:{gone}")
    assert HREF not in shown.stdout + machine.stdout


def test_parked_messages_leave_again_when_told_to(
    database: Database, database_url: str, gone: uuid.UUID
) -> None:
    first = run(database_url, "outbox", "resend", "--utility", "north", "--parked")
    with town.receiving([town.good]) as (address, [receiver]):
        make.change(database, Application, Application.id == gone, notify_uri=f"{address}/0")
        Worker(database, town.sender(database).works(slow=True)).sweep()

    assert first.stdout == "1 will leave again.\n"
    assert receiver.taken == {HREF: 1}


def test_resending_says_which_and_finds_only_its_own(
    database: Database, database_url: str, gone: uuid.UUID
) -> None:
    make.utility(database, "south")
    with database.reading() as session:
        id = str(session.scalars(select(Outbox.id).where(Outbox.state == "parked")).one())

    nothing = run(database_url, "outbox", "resend", "--utility", "north")
    foreign = run(database_url, "outbox", "resend", "--utility", "south", id)
    own = run(database_url, "outbox", "resend", "--utility", "north", id)

    assert (nothing.exit_code, foreign.exit_code, own.exit_code) == (2, 3, 0)


def test_an_application_gets_an_address_a_secret_and_a_test(database: Database, database_url: str) -> None:
    make.utility(database)
    town.company(database, "Sun", None)
    with town.receiving([town.good, town.good]) as (address, receivers):
        done = run(
            database_url, "asp", "notify", "Sun", "--utility", "north", "--uri", f"{address}/0", "--events",
            f"{address}/1", "--secret", "--test",
        )  # fmt: skip
        Worker(database, town.sender(database).works(slow=True)).sweep()

    assert done.exit_code == 0, done.output
    assert receivers[0].heads[0]["webhook-signature"].startswith("v1,")
    assert (
        Webhook(done.stdout.strip()).verify(receivers[1].bodies[0], receivers[1].heads[0])["type"]
        == "test.ping"
    )


def test_in_production_an_address_that_leads_nowhere_public_is_refused(
    database: Database, database_url: str
) -> None:
    make.utility(database)
    town.company(database, "Sun", None)

    done = run(
        database_url,
        "asp",
        "notify",
        "Sun",
        "--utility",
        "north",
        "--uri",
        "https://169.254.169.254/",
        mode="production",
    )

    assert done.exit_code == 1
    assert "DNS name" in done.stderr


def test_a_renewed_secret_leaves_the_old_one_its_time(database: Database, database_url: str) -> None:
    make.utility(database)
    id = town.company(database, "Sun", None)

    run(database_url, "asp", "notify", "Sun", "--utility", "north", "--secret")
    run(database_url, "asp", "notify", "Sun", "--utility", "north", "--secret", "--overlap", "1")

    with database.reading() as session:
        assert len(signing.live(session, id, DEVELOPMENT_SECRET)) == 2
