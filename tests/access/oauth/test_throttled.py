"""Clients that fail to show who they are wait; the company whose name they use does not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, text
from werkzeug.test import TestResponse

from espi_server.db import Database
from tests import oauth
from tests.oauth import Company, basic

CLIENT = {"grant_type": "client_credentials"}
NOW = 1_790_000_000
ATTACKER, HOME, OFFICE = "203.0.113.9", "192.0.2.10", "2001:db8:1:2::3"

pytestmark = pytest.mark.requirement("FB_13", "CEC5")


@pytest.fixture
def sun(shared_towns: Database, freeze: Callable[[int], None], request: pytest.FixtureRequest) -> Company:
    freeze(NOW)
    with shared_towns.writing() as session:
        session.execute(text("DELETE FROM attempts"))
    return oauth.company(shared_towns, request.node.name[:200])


def asks(
    company: Company, secret: str | None = None, name: str | None = None, *, at: str = HOME, to: str = "token"
) -> TestResponse:
    """What a machine at this address hears."""
    return company.app.test_client().post(
        f"/north/oauth/{to}", data=CLIENT, environ_base={"REMOTE_ADDR": at},
        headers=basic(company.client_id if name is None else name, company.secret if secret is None else secret),
    )  # fmt: skip


def statuses(company: Company, times: int, *more: Any, **named: Any) -> list[int]:
    return [asks(company, *more, **named).status_code for _ in range(times)]


def test_a_client_that_goes_on_failing_waits_longer_and_longer(
    sun: Company, freeze: Callable[[int], None]
) -> None:
    assert statuses(sun, 6, "wrong", at=ATTACKER) == [401] * 5 + [429]
    answer = asks(sun, "wrong", at=ATTACKER)
    assert (answer.headers["Retry-After"], answer.json["error"]) == ("1", "temporarily_unavailable")
    assert answer.headers["Cache-Control"] == "no-store"

    freeze(NOW + 1)
    assert statuses(sun, 2, "wrong", at=ATTACKER) == [401, 429]
    assert asks(sun, "wrong", at=ATTACKER).headers["Retry-After"] == "2"


def test_while_it_waits_even_the_right_secret_is_not_looked_at(
    sun: Company, freeze: Callable[[int], None]
) -> None:
    statuses(sun, 5, "wrong", at=ATTACKER)
    event.listen(sun.database.engine, "before_cursor_execute", _nobody_looks)

    try:
        assert asks(sun, at=ATTACKER).status_code == 429
    finally:
        event.remove(sun.database.engine, "before_cursor_execute", _nobody_looks)
    freeze(NOW + 1)
    assert asks(sun, at=ATTACKER).status_code == 200


def _nobody_looks(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
    assert "application" not in statement


def test_whoever_fails_in_its_name_cannot_keep_a_company_out(sun: Company) -> None:
    for number in range(1, 40):  # one attacker with forty addresses, each until it waits
        statuses(sun, 6, "wrong", at=f"203.0.113.{number}")

    assert statuses(sun, 3, at=HOME) == [200] * 3
    assert statuses(sun, 3, at=OFFICE) == [200] * 3


def test_neighbours_behind_one_address_are_let_through_where_they_were_known(sun: Company) -> None:
    other = oauth.company(sun.database, f"Known to {sun.client_id}", app=sun.app)
    assert asks(other, at=ATTACKER).status_code == 200

    for number in range(60):
        asks(sun, "wrong", f"invented {number}", at=ATTACKER)

    assert asks(sun, "wrong", "invented", at=ATTACKER).status_code == 429
    assert asks(sun, at=ATTACKER).status_code == 429  # never seen there
    assert asks(other, at=ATTACKER).status_code == 200
    assert asks(sun, at=HOME).status_code == 200


def test_unknown_and_known_names_wait_alike(sun: Company) -> None:
    answers = []
    for name in (sun.client_id, "nobody"):
        heard = [asks(sun, "wrong", name, at=ATTACKER) for _ in range(7)]
        answers.append([(each.status_code, each.data, each.headers.get("Retry-After")) for each in heard])

    assert answers[0] == answers[1]


def test_an_unknown_client_costs_the_same_statements(sun: Company) -> None:
    counts = []
    for name in (sun.client_id, "nobody"):
        seen: list[str] = []

        def note(*arguments: Any, seen: list[str] = seen) -> None:
            seen.append(arguments[2])

        event.listen(sun.database.engine, "before_cursor_execute", note)
        asks(sun, "wrong", name, at=ATTACKER)
        event.remove(sun.database.engine, "before_cursor_execute", note)
        counts.append(seen)

    assert counts[0] == counts[1]


@pytest.mark.parametrize("endpoint", ["revoke", "introspect", "par"])
def test_every_endpoint_for_machines_shares_the_count(sun: Company, endpoint: str) -> None:
    statuses(sun, 5, "wrong", at=ATTACKER, to=endpoint)

    assert asks(sun, at=ATTACKER).status_code == 429


def test_a_name_is_counted_however_it_is_written(sun: Company) -> None:
    written = "".join(f"%{ord(each):02x}" for each in sun.client_id)

    assert statuses(sun, 5, "wrong", written, at=ATTACKER) == [401] * 5
    assert asks(sun, "wrong", at=ATTACKER).status_code == 429


def test_a_network_is_one_place(sun: Company) -> None:
    for number in range(5):
        asks(sun, "wrong", at=f"2001:db8:1:2::{number}")

    assert asks(sun, at=OFFICE).status_code == 429
    assert asks(sun, at="2001:db8:1:3::1").status_code == 200


def test_workers_share_the_count(sun: Company) -> None:
    other = oauth.app(sun.database)
    statuses(sun, 5, "wrong", at=ATTACKER)

    there = Company(sun.database, other, "north", sun.id, sun.client_id, sun.secret)

    assert asks(there, at=ATTACKER).status_code == 429


def test_of_many_wrong_tries_at_once_all_are_counted(sun: Company) -> None:
    with ThreadPoolExecutor(10) as pool:
        heard = list(pool.map(lambda _: asks(sun, "wrong", at=ATTACKER).status_code, range(30)))

    assert set(heard) <= {401, 429}
    assert heard.count(401) >= 5
    assert asks(sun, at=ATTACKER).status_code == 429


def test_requests_that_show_nothing_wrong_are_not_counted(sun: Company) -> None:
    for _ in range(10):
        assert sun.token(grant_type="refresh_token", refresh_token="gbr_x").status_code == 400
        assert sun.posts("token", {"grant_type": "x", "client_id": sun.client_id}).status_code == 400

    assert sun.token(**CLIENT).status_code == 200


def test_where_the_counts_cannot_be_kept_nobody_gets_in(towns: Database) -> None:
    sun = oauth.company(towns)
    with towns.writing() as session:
        session.execute(text("ALTER TABLE attempts RENAME TO elsewhere"))

    answer = sun.token(**CLIENT)

    assert answer.status_code in (500, 503)
    assert b"access_token" not in answer.data


def test_tries_to_register_wait_too(shared_towns: Database, sun: Company) -> None:
    client = sun.app.test_client()

    def tries(at: str) -> int:
        headers = {"Authorization": "Bearer gbi_x"}
        where = {"REMOTE_ADDR": at}
        return client.post("/north/oauth/register", json={}, headers=headers, environ_base=where).status_code

    assert [tries(ATTACKER) for _ in range(6)] == [401] * 5 + [429]
    assert tries(HOME) == 401


def test_behind_a_proxy_it_is_the_client_s_address_that_counts(shared_towns: Database, sun: Company) -> None:
    app = oauth.app(shared_towns, proxies=1)

    def asked(secret: str, address: str) -> int:
        headers = basic(sun.client_id, secret) | {"X-Forwarded-For": address}
        return app.test_client().post("/north/oauth/token", data=CLIENT, headers=headers).status_code

    assert [asked("wrong", ATTACKER) for _ in range(6)] == [401] * 5 + [429]
    assert asked(sun.secret, HOME) == 200
