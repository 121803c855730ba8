"""Agreements that close, and agreements that get another seller: what becomes of the consents that hold them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from espi_server import clock
from espi_server.access import announcing, closing, grants
from espi_server.access.letters import composers
from espi_server.access.models import (
    Application,
    AuditEvent,
    Authorization,
    AuthorizationAgreement,
    AuthorizationUsagePoint,
)
from espi_server.accounts import utilities
from espi_server.accounts.models import AgreementRin, ServiceAgreement
from espi_server.cli import main
from espi_server.db import Database
from espi_server.energy import changes
from espi_server.energy.importer import import_files
from espi_server.energy.models import UsagePoint
from espi_server.notify.letters import written
from espi_server.notify.models import Outbox
from espi_server.notify.sending import Message
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.copies import KINDS, Copies
from tests.energy import feeds
from tests.energy.feeds import Household
from tests.together import at_once

HEAD = (
    "customer,account,agreement,class,rate,modifiers,rins,address,town,state,zip,circuit,meter,usage_point,"
    "udc,lse,start,end"
)
PLACES = {"G-1": "101", "G-2": "102"}
NOW = 1_790_000_000
DAY = 86_400

pytestmark = pytest.mark.requirement("F-OFF")


def row(
    agreement: str, *, end: str = "", lse: str = "north", rins: str = "", start: str = "2020-01-01"
) -> str:
    point = PLACES[agreement]
    return (
        f"C-1,A-1,{agreement},residential,R,,{rins},{point} Oak St,Town,CA,95901,,M{point},{point},north,{lse},"
        f"{start},{end}"
    )


def take(database: Database, folder: Path, *rows: str) -> None:
    file = folder / f"{uuid.uuid4().hex}.csv"
    file.write_text("\n".join((HEAD, *rows)), "utf-8")
    report = import_files(database, "north", [file], actor="a test", agreed=closing.agreed)
    assert not report.errors, report.errors


def build(url: str, folder: Path) -> None:
    database = Database(url, secret=DEVELOPMENT_SECRET)
    make.utility(database)
    households = [Household(id=each, days=3, first="2026-01-28") for each in PLACES.values()]
    feeds.write(folder / "usage.xml", [entry for each in households for entry in each.entries()])
    import_files(database, "north", [folder / "usage.xml"], customer="C-1", actor="a test")
    take(database, folder, row("G-1"), row("G-2"))
    database.close()


@pytest.fixture(params=KINDS)
def house(
    request: pytest.FixtureRequest, copies: Copies, tmp_path: Path, freeze: make.Freeze
) -> Iterator[Database]:
    """One customer with two agreements, each with a usage point."""
    freeze(NOW)
    with copies.opened(request.param, "two_agreements", build, tmp_path) as database:
        yield database


def points(client: make.Client, access: make.Access) -> list[str]:
    feed = client.feed(access.resource, access)
    return sorted(each.text("ServiceCategory/kind") or "" for each in feed.of("UsagePoint"))


def kept(database: Database, access: make.Access) -> Authorization:
    with database.reading() as session:
        return session.get_one(Authorization, access.id)


def letters(database: Database) -> list[tuple[str, dict[str, Any]]]:
    with database.reading() as session:
        people = select(Outbox).where(Outbox.recipient.startswith("customer:"))
        return [(each.kind, each.payload) for each in session.scalars(people.order_by(Outbox.id))]


def rows(database: Database, access: make.Access) -> tuple[int, int]:
    with database.reading() as session:
        tables = (AuthorizationAgreement, AuthorizationUsagePoint)
        counts = [
            len(session.scalars(select(each).where(each.authorization_id == access.id)).all())
            for each in tables
        ]
    return counts[0], counts[1]


def said(database: Database, kind: str, language: str = "en") -> str:
    """The text of the first letter of a kind."""
    with database.reading() as session:
        row = session.scalars(select(Outbox).where(Outbox.kind == kind).order_by(Outbox.id)).first()
        assert row is not None
        message = Message(row.id, row.utility_id, row.kind, row.recipient, row.payload)
        note = replace(composers()[kind](session, message), language=language)
    return written(row.id, row.utility_id, kind, note, "ada@example.org").text


def acts(database: Database, act: str) -> list[AuditEvent]:
    with database.reading() as session:
        return list(
            session.scalars(select(AuditEvent).where(AuditEvent.act == act).order_by(AuditEvent.number))
        )


def test_one_of_two_agreements_that_closes_leaves_every_authorization_at_once(
    house: Database, tmp_path: Path, freeze: make.Freeze
) -> None:
    sun = make.access(house, customer="C-1", application="Sun")
    moon = make.access(house, customer="C-1", application="Moon")
    everything = make.access(house, application="All")
    cabin = make.access(house, points=["102"], application="Cabin")
    client = make.client(house)
    before = kept(house, sun)
    freeze(NOW + 60)

    take(house, tmp_path, row("G-1", end="2026-06-01"), row("G-2"))

    assert [len(points(client, each)) for each in (sun, moon, everything, cabin)] == [1, 1, 1, 1]
    assert [rows(house, each) for each in (sun, moon, everything, cabin)] == [(1, 1)] * 4
    after = kept(house, sun)
    assert (after.ended_at, after.version, after.updated_at) == (None, before.version + 1, NOW + 60)
    assert kept(house, cabin).version == 0
    told = [payload for kind, payload in letters(house) if kind == closing.NARROWED]
    assert [each["authorization"] for each in told] == sorted([str(sun.id), str(moon.id)])
    [agreement] = {each["agreements"][0] for each in told}
    changed = acts(house, closing.NARROWED)
    assert {each.subject for each in changed} == {
        f"authorization:{each.id}" for each in (sun, moon, everything)
    }
    assert changed[0].detail["agreements"] == [agreement]

    # Nothing happens twice.
    take(house, tmp_path, row("G-1", end="2026-06-01"), row("G-2"))
    closing.sweep(house)
    assert len(acts(house, closing.NARROWED)) == 3
    assert kept(house, sun).version == after.version

    # The company hears of it, and the letter says which service it was.
    make.change(
        house, Application, Application.id == sun.application, notify_uri="https://sun.example/notify"
    )
    with house.writing() as session:
        changes.number(session)
    announcing.announce(house, make.INSTALLATION, 0)
    with house.reading() as session:
        batch = session.scalars(select(Outbox).where(Outbox.kind == "batch_list")).all()
    assert any(sun.authorization in each.payload["resources"] for each in batch)
    for language, words in (("en", "ending in G-1"), ("es", "termina en G-1")):
        assert words in said(house, closing.NARROWED, language)


def test_the_last_agreement_ends_the_authorization_and_its_reason_is_told(
    house: Database, tmp_path: Path
) -> None:
    sun = make.access(house, customer="C-1")
    cabin = make.access(house, points=["102"], application="Cabin")
    client = make.client(house)

    take(house, tmp_path, row("G-1", end="2026-06-01"), row("G-2", end="2026-06-01"))

    for access in (sun, cabin):
        assert client.get(access.resource, access).status_code == 401
        assert kept(house, access).ended_reason == closing.CLOSED
    assert rows(house, sun) == (2, 2)  # what was shared stays written down
    assert [kind for kind, _ in letters(house)].count("authorization.ended") == 2
    assert [each.detail["reason"] for each in acts(house, "authorization.ended")] == [closing.CLOSED] * 2


def test_an_end_that_only_time_brings_is_noticed_by_a_sweep_once(
    house: Database, tmp_path: Path, freeze: make.Freeze
) -> None:
    sun = make.access(house, customer="C-1", lifetime=30 * DAY)
    client = make.client(house)
    take(house, tmp_path, row("G-1", end="2026-10-01"), row("G-2"))
    assert len(points(client, sun)) == 2

    closing.sweep(house)
    assert len(points(client, sun)) == 2
    freeze(NOW + 20 * DAY)
    closing.sweep(house)

    assert len(points(client, sun)) == 1
    later = make.access(house, customer="C-1", application="Later")  # an operator knows that it is closed
    closing.sweep(house)
    take(house, tmp_path, row("G-1", end="2026-10-01"), row("G-2"))
    assert rows(house, later) == (2, 2)
    assert len(acts(house, closing.NARROWED)) == 1


def test_an_end_that_was_moved_before_anybody_noticed_it_is_one_all_the_same(
    house: Database, tmp_path: Path, freeze: make.Freeze
) -> None:
    sun = make.access(house, customer="C-1", lifetime=30 * DAY)
    take(house, tmp_path, row("G-1", end="2026-10-01"), row("G-2"))
    freeze(NOW + 20 * DAY)  # no worker has looked

    take(house, tmp_path, row("G-1", end="2026-05-01"), row("G-2"))
    closing.sweep(house)

    assert rows(house, sun) == (1, 1)


def test_an_operator_closes_an_agreement_and_opens_it_again(
    house: Database, tmp_path: Path, freeze: make.Freeze
) -> None:
    sun = make.access(house, customer="C-1")
    environment = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": house.engine.url.render_as_string(hide_password=False),
        "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
    }

    def said(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["agreement", *words], env=environment)
        return result.exit_code, result.output

    assert said("close", "--utility", "north", "G-1") == (0, "The agreement G-1 is closed now.\n")
    assert said("close", "--utility", "north", "G-1") == (0, "The agreement G-1 was closed before.\n")
    assert said("close", "--utility", "north", "G-9")[0] == 3
    assert rows(house, sun) == (1, 1)
    [act] = acts(house, "agreement.closed")
    assert act.actor.startswith("operator:")
    take(house, tmp_path, row("G-1"), row("G-2"))  # the customer system has not heard of it yet
    with house.reading() as session:
        g1 = session.scalars(select(ServiceAgreement).where(ServiceAgreement.reference == "G-1")).one()
    assert g1.status == closing.CLOSED

    assert said("reopen", "--utility", "north", "G-1") == (0, "The agreement G-1 is open again.\n")
    assert said("reopen", "--utility", "north", "G-1") == (0, "The agreement G-1 is open.\n")
    assert rows(house, sun) == (1, 1)  # she is asked anew


def test_a_closed_agreement_is_not_shared_anew_by_consent(house: Database, tmp_path: Path) -> None:
    take(house, tmp_path, row("G-1", end="2026-06-01"), row("G-2"))
    customer = make.customer_id(house, "C-1")
    every = [make.point_id(house, each) for each in PLACES.values()]

    with house.reading() as session:
        utility = utilities.find(session, "north")
        shareable = grants.shareable_of(session, utility.id, customer, every)

    assert [each.id for each in shareable] == [make.point_id(house, "102")]

    # It closed after she had chosen and before her yes came to be: the yes is for the rest.
    sun = make.access(house, points=["102"], application="Sun")
    with house.writing() as session:
        both = session.scalars(select(UsagePoint).where(UsagePoint.id.in_(every))).all()
        client = session.get_one(Application, sun.application)
        granted = grants.begin(
            session,
            client,
            customer,
            both,
            scope="FB=4_5",
            until=NOW + DAY,
            identified={"method": "page"},
            by="x",
        )
    with house.reading() as session:
        opened = select(AuthorizationUsagePoint.usage_point_id).where(
            AuthorizationUsagePoint.authorization_id == granted.id
        )
        assert session.scalars(opened).all() == [make.point_id(house, "102")]


@pytest.mark.requirement("F-ROUTE", "UC3.2")
def test_an_agreement_that_moves_to_another_seller_stays_shared_with_other_rins_and_everybody_is_told(
    house: Database, tmp_path: Path
) -> None:
    take(house, tmp_path, row("G-1", rins="bundled:USCA-NO-R-1"), row("G-2"))
    sun = make.access(house, customer="C-1")
    cabin = make.access(house, points=["102"], application="Cabin")
    moved = row("G-1", lse="east", rins="delivery:USCA-NO-D-1;generation:USCA-EA-G-1", start="2026-08-01")

    for _ in range(2):
        take(house, tmp_path, row("G-1", rins="bundled:USCA-NO-R-1"), moved, row("G-2"))

    client = make.client(house)
    assert len(points(client, sun)) == 2
    assert (kept(house, sun).version, kept(house, cabin).version) == (1, 0)
    with house.reading() as session:
        rins = {each.role: each.ends_at for each in session.scalars(select(AgreementRin))}
    assert rins == {"bundled": feeds.local("2026-08-01"), "delivery": None, "generation": None}
    [(kind, payload)] = [each for each in letters(house) if each[0] == closing.MOVED]
    assert (kind, payload["authorization"], payload["lse"]) == (closing.MOVED, str(sun.id), "east")
    [act] = acts(house, closing.MOVED)
    assert act.subject == f"authorization:{sun.id}"
    assert "east sells you your energy now" in said(house, closing.MOVED)
    with house.writing() as session:
        utilities.add(session, "east", name="East Power", timezone=make.ZONE)
    assert "East Power sells you your energy now" in said(house, closing.MOVED)
    assert "East Power le vende ahora su energía" in said(house, closing.MOVED, "es")


def test_a_row_that_is_corrected_in_place_puts_the_old_rin_aside(house: Database, tmp_path: Path) -> None:
    take(house, tmp_path, row("G-1", rins="bundled:USCA-NO-R-1"), row("G-2"))

    take(house, tmp_path, row("G-1", lse="east", rins="delivery:USCA-NO-D-1"), row("G-2"))

    with house.reading() as session:
        rins = {each.role: each.ends_at for each in session.scalars(select(AgreementRin))}
    assert rins == {"bundled": NOW, "delivery": None}


def test_an_import_a_sweep_and_an_operator_at_once_close_it_once(house: Database, tmp_path: Path) -> None:
    sun = make.access(house, customer="C-1")
    make.change(house, ServiceAgreement, ServiceAgreement.reference == "G-1", ends_at=clock.seconds())

    def by_operator() -> None:
        with house.writing() as session:
            closing.close(session, utilities.find(session, "north"), "G-1", by="operator:x")

    ways: list[Callable[[], None]] = [
        lambda: closing.sweep(house),
        lambda: closing.sweep(house),
        by_operator,
        lambda: take(house, tmp_path, row("G-1", end="2026-06-01"), row("G-2")),
    ]
    at_once(len(ways), lambda number: ways[number]())

    assert rows(house, sun) == (1, 1)
    assert kept(house, sun).version == 1
    assert len([kind for kind, _ in letters(house) if kind == closing.NARROWED]) == 1
