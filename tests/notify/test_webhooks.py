"""What arrives at a company's server: verified with the published client, as the standards say."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest
from lxml import etree
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from espi_server import clock
from espi_server.adapters.http import Client
from espi_server.db import Database
from espi_server.jobs.worker import Crew, GivesUp, Worker
from espi_server.notify import outbox, sending, signing
from espi_server.notify.models import Outbox
from espi_server.notify.sending import LONGEST, Failed, Message
from espi_server.notify.webhooks import Destination, Webhooks, _asked
from espi_server.settings import DEVELOPMENT_SECRET as KEY
from tests import make
from tests.notify import town

Freeze = Callable[[int], None]
HREF = "https://data.example.org/north/espi/1_1/resource/Authorization/1"


@pytest.fixture
def sun(database: Database) -> Iterator[tuple[uuid.UUID, town.Receiver]]:
    """A company that takes what it gets."""
    make.utility(database)
    with town.receiving([town.good]) as (address, [receiver]):
        yield town.company(database, "Sun", f"{address}/0", event_uri=f"{address}/0"), receiver


def secret(database: Database, id: uuid.UUID, **more: int) -> str:
    with database.writing() as session:
        return signing.renew(session, id, KEY, **more)


def sweep(database: Database) -> None:
    Worker(database, town.sender(database).works(slow=True)).sweep()


@pytest.mark.requirement("FB_39")
def test_a_notification_is_a_batch_list_the_standard_knows(
    database: Database, sun: tuple[uuid.UUID, town.Receiver]
) -> None:
    id, receiver = sun
    town.put(database, id, HREF + "?a=1&b=2")

    sweep(database)

    [body] = receiver.bodies
    root = etree.fromstring(body)
    assert root.tag == "{http://naesb.org/espi}BatchList"
    assert [each.text for each in root] == [HREF + "?a=1&b=2"]
    assert receiver.heads[0]["content-type"] == "application/xml"
    assert "authorization" not in receiver.heads[0]


def test_the_signature_is_verified_by_the_published_client(
    database: Database, sun: tuple[uuid.UUID, town.Receiver]
) -> None:
    id, receiver = sun
    shared = secret(database, id)
    with database.writing() as session:
        outbox.put(
            session, make.utilities.find(session, "north").id, "data.available", recipient=f"events:{id}",
            payload={"at": 1_790_000_000, "data": {"links": [HREF]}},
        )  # fmt: skip

    sweep(database)

    event = Webhook(shared).verify(receiver.bodies[0], receiver.heads[0])
    assert event == {"type": "data.available", "timestamp": "2026-09-21T14:13:20Z", "data": {"links": [HREF]}}
    assert receiver.heads[0]["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(shared).verify(receiver.bodies[0].replace(b"data", b"date"), receiver.heads[0])
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(receiver.bodies[0], receiver.heads[0])


def test_two_secrets_sign_while_one_is_replaced(
    database: Database, sun: tuple[uuid.UUID, town.Receiver], freeze: Freeze
) -> None:
    id, receiver = sun
    now = clock.seconds()
    older, newer = secret(database, id), secret(database, id, overlap=600)
    town.put(database, id, HREF)
    sweep(database)
    freeze(now + 700)
    town.put(database, id, HREF + "2")
    sweep(database)

    def verifies(shared: str, place: int) -> bool:
        headers = receiver.heads[place]
        signature = headers["webhook-signature"].split()
        hook = Webhook(shared)
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        return hook.sign(headers["webhook-id"], at, receiver.bodies[place].decode()) in signature

    assert [verifies(older, 0), verifies(newer, 0)] == [True, True]
    assert [verifies(older, 1), verifies(newer, 1)] == [False, True]


def test_the_database_alone_signs_nothing(database: Database, sun: tuple[uuid.UUID, town.Receiver]) -> None:
    id, _ = sun
    secret(database, id)

    with database.reading() as session:
        assert signing.live(session, id, KEY) != signing.live(session, id, "another key of the installation")


def test_a_repeated_message_keeps_its_id(database: Database, sun: tuple[uuid.UUID, town.Receiver]) -> None:
    id, receiver = sun
    town.put(database, id, HREF)
    sweep(database)
    with database.writing() as session:
        row = session.scalars(select(Outbox)).one()
        outbox.resend(session, row.utility_id, ids=[row.id])
    sweep(database)

    assert receiver.heads[0]["webhook-id"] == receiver.heads[1]["webhook-id"] == f"msg_{row.id.hex}"


# --- answers -------------------------------------------------------------------------------------------


def answered(database: Database, *, status: int, **headers: str) -> None:
    """Send a message to somebody who answers so."""
    make.utility(database)

    def habit(receiver: town.Receiver, handler: object) -> None:
        town.answer(handler, status, **headers)

    with town.receiving([habit]) as (address, _):
        id = town.company(database, "Sun", f"{address}/0")
        _send(database, id)


def _send(database: Database, id: uuid.UUID, client: Client | None = None) -> None:
    sending = town.sender(database).channels["application"]
    if client is not None:
        sending = Webhooks(
            database, client, lambda session, id: Destination("https://sun.example.org/", None), KEY
        )
    sending.send(
        Message(uuid.uuid4(), uuid.uuid4(), "batch_list", f"application:{id}", {"resources": [HREF]})
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(database: Database, status: int) -> None:
    answered(database, status=status)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
@pytest.mark.requirement("FB_39")
def test_anything_else_is_a_failure(database: Database, status: int) -> None:
    with pytest.raises(Failed, match=str(status)):
        answered(database, status=status)


def test_410_is_for_good(database: Database) -> None:
    with pytest.raises(GivesUp, match="410"):
        answered(database, status=410)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", 120), ("0", 0), ("99999999999999999999", LONGEST), ("soon", 0), ("-5", 0), ("1.5", 0), ("", 0),
        ("٣", 0),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60), ("Mon, 21 Sep 2020 13:34:20 GMT", 0),
        ("Mon, 21 Sep 2099 13:34:20 GMT", LONGEST),
    ],
)  # fmt: skip
def test_retry_after_is_read_within_bounds(text: str, wait: int, freeze: Freeze) -> None:
    freeze(1_790_000_000)

    assert _asked(text) == wait


def test_an_application_without_an_address_is_not_tried_for_days(database: Database) -> None:
    make.utility(database)
    id = town.company(database, "Sun", None)

    with pytest.raises(GivesUp, match="no address"):
        _send(database, id)


def test_a_name_that_leads_inside_is_tried_again_and_never_spoken_to(database: Database) -> None:
    with pytest.raises(Failed, match="not a public address"):
        _send(database, uuid.uuid4(), Client(resolve=lambda host, port: ["127.0.0.1"]))


# --- the town ------------------------------------------------------------------------------------------


def test_a_town_of_bad_habits_gets_everything_once_it_is_back(
    database: Database, freeze: Freeze, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, DAY = 1_790_000_000, 86_400
    freeze(now)
    make.utility(database)
    monkeypatch.setattr(sending, "SLOW", 0.1)

    def slow(receiver: town.Receiver, handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.12)
        town.good(receiver, handler)

    habits = [town.good, town.every_other_time, town.lying, town.good, town.redirecting, town.gone, slow]
    expected = {f"https://data.example.org/{number}" for number in range(20)}
    with town.receiving(habits) as (address, receivers):
        for place in range(len(habits)):
            town.put(database, town.company(database, f"C{place}", f"{address}/{place}"), *sorted(expected))
        receivers[3].is_down = receivers[4].is_down = True
        senders = [Worker(database, town.sender(database).works(slow=True)) for _ in range(2)]
        crew = Crew([Worker(database, []), *senders])
        crew.sweep()
        at_once = [set(each.taken) for each in receivers]
        for hour in range(24):
            freeze(now + hour * 3600)
            crew.sweep()
        crew.sweep()
        meanwhile = [set(each.taken) for each in receivers]
        receivers[3].is_down = receivers[4].is_down = False
        receivers[4].habit = town.good  # it was repaired
        for minute in range(0, 150, 10):
            freeze(now + DAY + minute * 60)
            crew.sweep()

    assert at_once[0] == at_once[2] == expected  # whatever the others do
    assert meanwhile[0] == meanwhile[2] == meanwhile[6] == expected
    assert meanwhile[3] == meanwhile[4] == set()
    for place in (0, 1, 2, 3, 4, 6):
        assert dict(receivers[place].taken) == dict.fromkeys(expected, 1), place
    assert receivers[5].requests == 20
    with database.reading() as session:
        told = select(Outbox.state, Outbox.recipient).where(Outbox.kind == "batch_list")
        states = session.execute(told).all()
    assert sorted({state for state, _ in states}) == ["done", "parked"]
    assert sum(state == "parked" for state, _ in states) == 20


def test_json_is_what_events_are(database: Database, sun: tuple[uuid.UUID, town.Receiver]) -> None:
    id, receiver = sun
    with database.writing() as session:
        outbox.put(
            session, make.utilities.find(session, "north").id, "test.ping", recipient=f"events:{id}",
            payload={"at": 0, "data": {}},
        )  # fmt: skip

    sweep(database)

    assert json.loads(receiver.bodies[0]) == {
        "type": "test.ping",
        "timestamp": "1970-01-01T00:00:00Z",
        "data": {},
    }
