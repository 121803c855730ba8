"""What a client is told when it cannot have what it asks for: every row of the table of answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from espi_server.access.guard import Grant
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.web.house import EXTENSION, House
from tests import make, pg
from tests.copies import Copies
from tests.make import Client
from tests.towns import build
from tests.web.world import World, unknown

pytestmark = pytest.mark.requirement("FB_03", "FB_37", "CEC7")

PROBLEM = "{urn:ietf:rfc:7807}"
EVERY_PARAMETER = [
    *((name, value) for name in ("published-min", "published-max", "updated-min", "updated-max")
      for value in ("yesterday", "2026-02-30T00:00:00Z")),
    *((name, "many") for name in ("max-results", "start-index", "depth")),
]  # fmt: skip


def problem(answer: TestResponse) -> dict[str, Any]:
    """The problem document of an answer, from JSON or XML."""
    assert "html" not in answer.content_type
    if answer.content_type == "application/problem+xml":
        root = etree.fromstring(answer.data)
        return {each.tag.removeprefix(PROBLEM): each.text for each in root}
    assert answer.content_type == "application/problem+json"
    return dict(json.loads(answer.data))


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "json"), ("*/*", "json"), ("application/json, text/plain, */*", "json"), ("text/html", "json"),
        ("application/atom+xml", "xml"), ("application/xml", "xml"), ("text/xml;q=0.9", "xml"),
        ("application/atom+xml, application/xml, */*", "xml"), ("application/xml;q=0.5, */*", "json"),
        ("application/json, application/xml;q=0.9", "json"), ("application/xml;q=0", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
    ],
)  # fmt: skip
def test_a_problem_comes_as_xml_to_whoever_prefers_it(world: World, accept: str | None, kind: str) -> None:
    headers = {"Accept": accept} if accept else {}

    answer = world.get("Authorization", check=401, **headers)

    assert answer.content_type == f"application/problem+{kind}"
    told = problem(answer)
    assert str(told["status"]) == "401"
    assert told["code"] == "unauthorized"
    assert told["instance"] == answer.headers["X-Request-Id"]
    assert {"type", "title", "detail"} <= told.keys()
    assert "Accept" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_request_id_is_the_clients_if_it_is_well_formed(world: World) -> None:
    assert world.get("Authorization", X_Request_Id="trace-0001").headers["X-Request-Id"] == "trace-0001"
    for bad in ("short", "x" * 65, "with blank in it", "<script>alert</script>"):
        assert world.get("Authorization", X_Request_Id=bad).headers["X-Request-Id"] != bad


# --- 401, 403, 404 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic c2VjcmV0OnNlY3JldA==", "gba_token", "Token gba_x", "bearer"]
)
def test_without_a_bearer_token_nothing_opens(world: World, header: str) -> None:
    answer = world.get("Authorization", Authorization=header, check=401)

    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="espi"'


def test_a_token_counts_in_the_header_alone(world: World) -> None:
    token = world.sun["north"].token

    world.get(f"UsagePoint?access_token={token}", check=401)
    answer = world.client.app.test_client().post(
        world.sun["north"].resource.removeprefix(make.INSTALLATION), data={"access_token": token}
    )

    assert answer.status_code == 401


def test_a_class_that_was_not_granted_is_closed(world: World) -> None:
    meters = world.meters["north"]  # usage data, no customer data, no program dates
    here = f"Subscription/{meters.id}/UsagePoint/{make.point_id(world.database, '101')}"

    billed = world.feed(f"{here}/UsageSummary", meters)

    assert billed.entries[0].text("billLastPeriod") is None
    assert world.get(f"RetailCustomer/{unknown()}", meters).status_code == 403


def test_a_path_that_is_none_is_not_found(world: World) -> None:
    sun = world.sun["north"]
    for path in (
        "",
        "Nonsense",
        "UsagePoints",
        f"Subscription/{sun.id}",
        f"Subscription/{sun.id}/Meter",
        "Batch",
    ):
        assert problem(world.get(path, sun, check=404))["code"] == "not_found"


def test_a_child_that_does_not_exist_in_ones_own_subscription_is_not_found(world: World) -> None:
    sun, point = world.sun["north"], make.point_id(world.database, "101")
    here = f"Subscription/{sun.id}/UsagePoint"
    for path in (
        unknown(), f"{unknown()}/MeterReading", f"{point}/MeterReading/{unknown()}", f"{point}/UsageSummary/x",
        f"{point}/MeterReading/{unknown()}/IntervalBlock", str(point).upper(), f"{{{point}}}",
        point.hex,
    ):  # fmt: skip
        assert problem(world.get(f"{here}/{path}", sun, check=404))["status"] == 404


def test_only_one_spelling_of_an_id_is_an_address(world: World) -> None:
    sun = world.sun["north"]

    for other in (str(sun.id).upper(), f"urn:uuid:{sun.id}", sun.id.hex):
        world.get(f"Batch/Subscription/{other}", sun, check=403)
        world.get(f"Batch/Subscription/{other}", world.machines["north", "custodian"], check=404)


# --- 405 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize(
    "path", ["Authorization", "Batch/Subscription/{s}", "ReadingType/{s}", "ReadServiceStatus"]
)
def test_a_method_that_is_not_offered_says_which_are(world: World, method: str, path: str) -> None:
    sun = world.sun["north"]
    path = path.format(s=sun.id)

    answer = world.get(path, sun, method=method, check=405)

    assert answer.headers["Allow"] == "GET, HEAD"
    assert problem(answer)["code"] == "method_not_allowed"
    world.get(path, method=method, check=401)
    world.get(path, "gba_garbage", method=method, check=401)


# --- 400 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), EVERY_PARAMETER)
@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_a_bad_parameter_is_named_with_its_value_and_the_accepted_form(
    world: World, name: str, value: str, accept: str
) -> None:
    sun = world.sun["north"]

    answer = world.client.get(f"{sun.resource}?{name}={value}", sun, Accept=accept, check=400)

    told = problem(answer)
    assert (told["code"], told["parameter"], told["value"]) == ("bad_value", name, value)
    assert "RFC 3339" in told["accepted"] or "positive integer" in told["accepted"]
    assert name in told["detail"]
    assert value in told["detail"]


@pytest.mark.requirement("FB_32", "FB_33", "FB_35", "FB_50", "FB_67")
def test_every_resource_but_two_reads_the_parameters(world: World) -> None:
    sun, custodian = world.sun["north"], world.machines["north", "custodian"]
    customer = sun.customer
    for path in (
        "Authorization", f"Authorization/{sun.id}", "ApplicationInformation", f"Batch/Subscription/{sun.id}",
        "Batch/Bulk/7", "Batch/BulkRetailCustomerInfo/7", f"Batch/RetailCustomer/{customer}", "ReadingType",
        f"Batch/RetailCustomer/{customer}/UsagePoint", f"RetailCustomer/{customer}", "Customer", "UsagePoint",
        f"Subscription/{sun.id}/UsagePoint/{make.point_id(world.database, '101')}", "IntervalBlock", "Meter",
    ):  # fmt: skip
        told = problem(world.get(f"{path}?max-results=0", custodian, check=400))
        assert told["parameter"] == "max-results"
    world.get("ReadServiceStatus?max-results=0", custodian, check=200)
    world.get(f"ApplicationInformation/{sun.application}?max-results=0", custodian, check=200)


@pytest.mark.parametrize("twice", ["max-results=1&max-results=2", "published-min=a&published-min=b"])
def test_a_parameter_given_twice_is_refused(world: World, twice: str) -> None:
    sun = world.sun["north"]

    told = problem(world.client.get(f"{sun.resource}?{twice}", sun, check=400))

    assert told["accepted"] == "one value, not several"


def test_what_a_client_sent_stands_safely_in_an_xml_problem(world: World) -> None:
    sun = world.sun["north"]

    answer = world.client.get(
        f"{sun.resource}?depth=%00%01%3Cx%3E%26%FF", sun, Accept="application/xml", check=400
    )

    assert "<x>&" in str(problem(answer)["value"])


# --- 429 -----------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(towns: Database) -> Client:
    """A server that has room for two feeds at once, one of each application."""
    return make.client(towns, feeds=2, feeds_per_application=1, log_level="ERROR")


def house(client: Client) -> House:
    """What the application was built with."""
    found: House = client.app.extensions[EXTENSION]
    return found


def left_open(client: Client, href: str, token: str) -> TestResponse:
    """A feed whose bytes nobody has read yet."""
    answer = client.app.test_client().get(
        href.removeprefix(make.INSTALLATION), headers={"Authorization": f"Bearer {token}"}, buffered=False
    )
    assert answer.status_code == 200
    return answer


def test_too_many_feeds_at_once_wait_their_turn(narrow: Client, towns: Database) -> None:
    sun, moon, star = (
        make.access(towns, application=name, customer="C-1", scope="FB=4_5")
        for name in ("Sun", "Moon", "Star")
    )
    first = left_open(narrow, sun.resource, sun.token)

    again = narrow.get(sun.resource, sun, check=429)
    second = left_open(narrow, moon.resource, moon.token)
    third = narrow.get(star.resource, star, check=429)

    for refused in (again, third):
        assert int(refused.headers["Retry-After"]) > 0
        assert problem(refused)["code"] == "too_many_requests"
    narrow.get(
        sun.authorization.replace("/Authorization/", "/Batch/Subscription/"), sun, method="HEAD", check=429
    )
    narrow.get("/north/espi/1_1/resource/LocalTimeParameters", sun, check=200)  # small ones need no place
    first.close()
    second.close()
    narrow.get(sun.resource, sun, check=200)


@pytest.mark.parametrize("leave", ["read to the end", "closed unread", "closed after the first bytes"])
def test_a_place_is_given_back_however_a_client_leaves(narrow: Client, towns: Database, leave: str) -> None:
    sun = make.access(towns, customer="C-1")
    answer = left_open(narrow, sun.resource, sun.token)
    assert house(narrow).turnstile.inside == 1

    if leave == "read to the end":
        assert len(b"".join(answer.response)) == answer.content_length
    elif leave == "closed after the first bytes":
        next(iter(answer.response))
    answer.close()

    assert house(narrow).turnstile.inside == 0


class Unwilling:
    """A record of disclosures that cannot be written."""

    def append(self, grant: Grant, **_: object) -> None:
        """Fail as a bug would."""
        raise RuntimeError("no ink")


def test_a_place_is_given_back_and_nothing_sent_when_something_fails(narrow: Client, towns: Database) -> None:
    sun = make.access(towns, customer="C-1")
    narrow.app.extensions[EXTENSION] = replace(house(narrow), disclosures=Unwilling())

    answer = narrow.get(sun.resource, sun, check=500)

    told = problem(answer)
    assert told["code"] == "internal"
    assert "ink" not in answer.text
    assert house(narrow).turnstile.inside == 0
    for method in ("HEAD", "GET"):
        narrow.get(f"{sun.resource}?max-results=bad", sun, method=method, check=400)
    assert house(narrow).turnstile.inside == 0


# --- 503 -----------------------------------------------------------------------------------------------


def check_away(client: Client, token: make.Access, back: Callable[[], None]) -> None:
    """Everything that needs the database says when to come back; and works again when it is back."""
    for href in (
        token.resource,
        token.customer_resource,
        "/north/espi/1_1/resource/LocalTimeParameters",
        "/readyz",
    ):
        answer = client.get(href, token, check=503)
        assert int(answer.headers["Retry-After"]) > 0
        assert problem(answer)["code"] == "unavailable"
    client.get("/north/espi/1_1/resource/Authorization", token, method="POST", check=503)
    client.get("/healthz", check=200)
    assert house(client).turnstile.inside == 0

    back()

    client.get(token.resource, token, check=200)


def test_while_sqlite_is_away_clients_are_asked_to_come_back(copies: Copies, tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    shutil.copy(copies.file("towns", build), home / "espi.sqlite")
    database = Database(f"sqlite:///{home}/espi.sqlite")
    sun = make.access(database, customer="C-1")
    client = make.client(database, log_level="CRITICAL")
    client.get(sun.resource, sun, check=200)

    database.close()
    home.rename(elsewhere)

    check_away(client, sun, lambda: (elsewhere.rename(home), None)[1])
    database.close()


@pytest.fixture
def own_postgresql(tmp_path: Path) -> Iterator[pg.Server]:
    """A PostgreSQL server of this test's own, with both towns, that may be stopped."""
    from espi_server import migrate

    server = pg.Server()
    migrate.upgrade(server.url("postgres"))
    build(server.url("postgres"), tmp_path)
    yield server
    server.stop()


def test_while_postgresql_is_away_clients_are_asked_to_come_back(own_postgresql: pg.Server) -> None:
    database = Database(own_postgresql.url("postgres"))
    sun = make.access(database, customer="C-1")
    client = Client(create_app(make.settings(log_level="CRITICAL"), database))
    client.get(sun.resource, sun, check=200)

    own_postgresql.halt()

    check_away(client, sun, own_postgresql.resume)
    database.close()
