"""What we serve, judged as a certification laboratory would judge it: not an error, not a warning."""

from __future__ import annotations

import io
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from espi_server.app import create_app
from espi_server.demo import demo
from espi_server.demo.households import every, named
from espi_server.espi.check import check
from espi_server.espi.scope import Scope
from tests import make
from tests.demo.prepared import prepared

__all__ = ["prepared"]

KNOWN = {"gaps": ["READ-10", "READ-12"]}  # its holes are what this household is for
NO_SCOPE = ["AUTH-01"]  # the towns' applications were added without one


@pytest.fixture(scope="module")
def served(prepared):
    settings = replace(demo.settings(prepared), base_url="https://data.example.org")
    return settings, create_app(settings).test_client()


def fetched(client, address, token):
    parts = urlsplit(address)
    with client.get(f"{parts.path}?{parts.query}", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status_code == 200, (address, answer.data[:300])
        return answer.data


def judged(data, profile="certification", claims=(), known=()):
    verdict = check(io.BytesIO(data), profile, claims=claims)
    said = [
        (each.rule, each.path, each.message)
        for each in verdict.findings
        if each.severity != "advice" and each.rule not in known
    ]
    assert said == []
    return verdict


def tickets(served, name):
    settings, client = served
    return [(client, ticket.answer) for ticket in demo.tickets(settings, named(name))]


@pytest.mark.requirement("FB_01", "FB_04", "FB_15", "FB_37")
@pytest.mark.parametrize("profile", ["certification", "sst"])
@pytest.mark.parametrize("name", [each.name for each in every()])
def test_nothing_is_said_of_a_household_s_usage(served, name, profile):
    for client, answer in tickets(served, name):
        data = fetched(client, answer["resourceURI"], answer["access_token"])

        # Who moved out has no running period, nor who is billed on the last of these forty days.
        asked = [] if name in ("moved-out", "gaps") else claims(answer)
        verdict = judged(data, profile, asked, [*KNOWN.get(name, ()), *outside(answer, profile)])

        assert verdict.summary.readings > 0


def outside(answer, profile):
    """Who asked for rate identification numbers gets them, and they are not in the published schema."""
    return ["SST-01"] if "rin" in answer["scope"].lower() and profile != "sst" else []


def claims(answer):
    """The blocks of data our own scope names: usage only, as the customer's side is another feed."""
    return [number for number in Scope.parse(answer["scope"]).blocks if number in (4, 15)]


@pytest.mark.parametrize("name", [each.name for each in every()])
def test_nothing_is_said_of_a_household_s_customer_feed(served, name):
    for client, answer in tickets(served, name):
        judged(fetched(client, answer["customerResourceURI"], answer["access_token"]))


@pytest.mark.requirement("FB_03")
@pytest.mark.parametrize("token", ["client of Sun", "custodian"])
def test_nothing_is_said_of_authorizations_and_applications(world, token):
    kinds = ("Authorization", "ApplicationInformation") if token == "custodian" else ("Authorization",)
    for kind in kinds:
        answer = world.client.get(f"{make.base('north')}/{kind}", world.machines["north", token])

        judged(answer.data, known=NO_SCOPE)


@pytest.mark.parametrize("name", ["single", "solar", "business"])
def test_nothing_is_said_of_parts_of_a_feed(served, name):
    """A window of time, one kind, one entry, a page of five: what is left out is no fault of what is there."""
    for client, answer in tickets(served, name):
        token, batch = answer["access_token"], answer["resourceURI"]
        below = batch.replace("Batch/", "")
        kinds = ("LocalTimeParameters", "ReadingType")
        addresses = [
            f"{batch}?published-min=2026-11-01T00:00:00Z&published-max=2026-11-08T00:00:00Z",
            f"{batch}?max-results=5",
            f"{batch}?start-index=4&max-results=3",
            f"{below}/UsagePoint",
            *(f"{below.partition('/Subscription')[0]}/{kind}" for kind in kinds),
        ]
        for address in addresses:
            judged(fetched(client, address, token))
