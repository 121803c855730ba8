"""What of the statewide tool a utility has switched on: for the command, for companies and on the customer's pages."""

from __future__ import annotations

import json
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select

from espi_server.access import applications, features
from espi_server.access.applications import Registration
from espi_server.access.features import HALTED, NOT_OFFERED, ON, PLANNED
from espi_server.access.models import AuditEvent, FeatureState
from espi_server.accounts import utilities
from espi_server.cli import main
from espi_server.settings import DEVELOPMENT_SECRET
from tests import oauth
from tests.sharing import walking
from tests.sharing.walking import HOME, text, values

pytestmark = [
    pytest.mark.requirement("F-PHASE", "F-SEL"),
    pytest.mark.parametrize("shared_towns", ["sqlite"], indirect=True),
]

RIN = "FB=4_5;IntervalDuration=900;HistoryLength=31536000;AdditionalScope=Usage_RIN"
ONLY = "AdditionalScope=RIN;IntervalDuration=900;HistoryLength=0"
DAY = 1_798_704_000 + 8 * 3600  # 2026-12-31 in Pacific time


@pytest.fixture
def stands(shared_towns):
    """`stands(rin=ON)`: how north's features stand from now on; those not named are not offered."""

    def set(customer_class: str = features.EVERYBODY, **states: str) -> None:
        with shared_towns.writing() as session:
            north = utilities.find(session, "north")
            if customer_class == features.EVERYBODY:
                session.execute(delete(FeatureState).where(FeatureState.utility_id == north.id))
            for name, state in states.items():
                planned = DAY if state == PLANNED else None
                features.change(
                    session,
                    north,
                    name,
                    state,
                    customer_class=customer_class,
                    planned_for=planned,
                    by="a test",
                )

    return set


@pytest.fixture(scope="module")
def sun(shared_towns):
    return walking.company(
        shared_towns,
        f"Sun {uuid.uuid4().hex[:6]}",
        policy="strict",
        jwks=walking.KEYS,
        scope=walking.EVERYTHING,
    )


@pytest.fixture
def ada(shared_towns, sun):
    return walking.customer(shared_towns, sun.app)


def refused(walker, sun, scope: str = RIN) -> str:
    """What the company's browser is sent back with; empty where she is asked."""
    return oauth.in_address(walker.asks(sun, nonce="n", scope=scope).headers["Location"]).get(
        "error_description", ""
    )


def test_what_is_not_on_cannot_be_asked_for_and_the_company_hears_how_it_stands(sun, ada, stands):
    stands()
    never = refused(ada, sun)
    stands(rin=PLANNED)
    planned = refused(ada, sun)
    stands(rin=HALTED)
    halted = refused(ada, sun)
    stands(rin=ON)

    assert "Not on offer: AdditionalScope=RIN. Its state is not-offered" in never
    assert "planned for 2026-12-31" in planned
    assert "halted" in halted
    assert refused(ada, sun) == ""
    assert "BillComparison" in refused(ada, sun, RIN.replace("RIN", "BillComparison"))
    assert refused(ada, sun, RIN.replace("_RIN", "")) == ""


def test_the_pages_show_what_is_on_for_her_and_no_other_class(shared_towns, sun, ada, stands):
    stands(rin=ON)
    ahead = ada.follows(ada.get(f"{HOME}/share/with/{sun.id}", 303))
    listed = text(ada.get(f"{HOME}/companies"))
    stands()
    none = ada.get(f"{HOME}/companies")
    plain = walking.customer(shared_towns, sun.app, amr=("pwd",))
    without = plain.follows(plain.get(f"{HOME}/share/with/{sun.id}", 303))

    assert "RIN" in values(ahead, "classes")
    assert not {"BillComparison", "RateChange"} & {*values(ahead, "classes")}
    assert "rate" not in {each.get("name") for each in walking.main_form(ahead).iter("input")}
    assert "Release RIN data" in listed
    assert "Can ask to change rates" not in listed
    assert "Release RIN data" not in text(none)
    assert "RIN" not in values(without, "classes")  # so one factor is enough
    assert "Usage" in values(without, "classes")


def test_what_is_on_for_one_class_of_customers_is_nothing_to_another(shared_towns, sun, ada, stands):
    stands(rin=NOT_OFFERED)
    stands("business", rin=ON)
    only = refused(ada, sun, ONLY)
    page = ada.follows(ada.asks(sun, nonce="n", scope=ONLY), 403)
    home = ada.arrives(sun, nonce="n", scope=RIN)
    shop = str(walking.agreement(shared_towns, "S-1", customer_class="business"))
    both = ada.arrives(sun, nonce="n", scope=RIN)
    apart = ada.follows(ada.chooses(both, classes=["Usage", "RIN"], history="all"))
    together = ada.checks(
        ada.arrives(sun, nonce="n", scope=RIN), classes=["Usage", "RIN"], places=[shop], history="all"
    )

    assert only == ""  # some customers here can share it
    assert "is not there for your service now" in text(page)
    assert values(home, "classes") == ["Usage"]
    assert values(both, "classes") == ["Usage", "RIN"]
    assert "are not there for all the places you ticked" in text(apart)
    assert "Check before you share" in text(together)


def test_a_code_from_before_it_was_halted_opens_nothing(shared_towns, ada, stands):
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:6]}", app=ada.app)
    stands(rin=ON)
    code = moon.code(scope=RIN)
    stands(rin=HALTED)

    assert moon.redeem(code).json["error"] == "invalid_grant"


def test_who_registers_may_name_what_is_planned_and_nothing_that_is_not(shared_towns, stands):
    stands(rin=PLANNED)

    def register(scope: str) -> None:
        with shared_towns.writing() as session:
            stated = Registration(uuid.uuid4().hex, redirect_uris=[oauth.BACK], scope=scope)
            applications.register(session, utilities.find(session, "north"), stated, by="x", reachable=str)

    register(RIN)
    register("FB=4")
    with pytest.raises(features.NotOffered, match="BillComparison"):
        register("FB=4;AdditionalScope=RIN_BillComparison")


def test_the_command_switches_lists_and_writes_down(shared_towns, stands):
    stands()
    url = shared_towns.engine.url.render_as_string(hide_password=False)
    environment = {
        "ESPI_MODE": "development", "ESPI_DATABASE_URL": url, "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
    }  # fmt: skip

    def said(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(main, ["feature", *words], env=environment)
        return found.exit_code, found.output

    first = said("set", "--utility", "north", "--from", "2027-01-01", "rin", "planned")
    again = said("set", "--utility", "north", "rin", "planned")
    listed = said("list", "--utility", "north")
    document = json.loads(said("list", "--utility", "north", "--json")[1])

    assert first == (0, "rin is planned for all.\n")
    assert again[0] == 2
    assert "--from" in again[1]
    assert [" ".join(line.split()) for line in listed[1].splitlines()] == [
        "rin all planned for 2027-01-01", "comparison all not-offered", "rate-change all not-offered",
    ]  # fmt: skip
    assert document["features"][0]["planned_for"] == "2027-01-01T08:00:00Z"
    with shared_towns.reading() as session:
        acts = session.scalars(select(AuditEvent).where(AuditEvent.act == "feature.changed")).all()
    assert acts[-1].detail["state"] == "planned"
    with pytest.raises(features.BadFeature), shared_towns.writing() as session:
        features.change(session, utilities.find(session, "north"), "magic", ON, by="x")
