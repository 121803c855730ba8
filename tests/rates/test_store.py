"""Tariffs and cells in the database."""

from __future__ import annotations

import uuid
from datetime import date

import pytest

from espi_server import clock
from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.energy.models import UsagePoint
from espi_server.rates import findings, store
from espi_server.rates.bill import bill, bill_of_cells
from espi_server.rates.errors import DoesNotFit, Doubtful
from espi_server.rates.store import Layout
from espi_server.rates.tariff import read
from espi_server.rates.usage import Usage
from tests.rates.records import household, read_days, record, time_of_use

CALENDAR = read_days(date(2025, 1, 9), date(2025, 2, 7), date(2025, 3, 10), date(2025, 4, 8))


@pytest.fixture
def utility(database: Database) -> uuid.UUID:
    with database.writing() as session:
        added = Utility(code="north", name="North", timezone="UTC", created_at=clock.seconds())
        session.add(added)
    return added.id


@pytest.fixture
def meter(database: Database, utility: uuid.UUID) -> uuid.UUID:
    with database.writing() as session:
        point = UsagePoint(id=uuid.uuid4(), utility_id=utility, source_id="1", created_at=0)
        session.add(point)
    return point.id


def part(used: Usage, first: int, last: int) -> Usage:
    return Usage(used.start + first * used.step, used.step, used.kwh[first:last])


def test_kept_tariff_is_the_one_that_came(database: Database, utility: uuid.UUID) -> None:
    given = time_of_use(dgrules="Net Metering")
    with database.writing() as session:
        store.keep(session, utility, given, {"currency": "USD"}, findings.check(given))

    with database.reading() as session:
        (row,) = store.tariffs(session, utility)
        kept = store.usable(row)

    assert kept.energy == read(given).energy
    assert kept.metering == read(given).metering


def test_waiting_tariff_is_not_used(database: Database, utility: uuid.UUID) -> None:
    given = record(servicetype="Delivery")

    with database.writing() as session:
        row = store.keep(session, utility, given, {}, findings.check(given))

        with pytest.raises(Doubtful, match="NOT_BUNDLED"):
            store.usable(row)
        store.accept(row, ["NOT_BUNDLED"], "Ada")
        assert store.usable(row).service == "Delivery"


def test_changed_content_asks_again_for_acceptance(database: Database, utility: uuid.UUID) -> None:
    given = record(servicetype="Delivery")
    with database.writing() as session:
        store.keep(session, utility, given, {}, findings.check(given), accepted=["NOT_BUNDLED"], by="Ada")
        same = store.keep(session, utility, given, {}, findings.check(given)).status
        dearer = given | {"energyratestructure": [[{"rate": 0.9}]]}

        changed = store.keep(session, utility, dearer, {}, findings.check(dearer)).status

    assert (same, changed) == ("usable", "waiting")


def test_stored_cells_grow_with_readings_and_price_the_same(database: Database, meter: uuid.UUID) -> None:
    used = household(solar=True)
    cut = 40 * 96
    with database.writing() as session:
        store.add_readings(session, meter, part(used, 0, cut), CALENDAR)
        assert store.cells(session, meter, CALENDAR) is None

        store.add_readings(session, meter, part(used, cut, len(used)), CALENDAR)

    with database.reading() as session:
        stored = store.cells(session, meter, CALENDAR)
    priced = read(time_of_use(flatdemandstructure=[[{"rate": 3}]]))
    assert stored is not None
    assert bill_of_cells(priced, stored, CALENDAR).total == pytest.approx(bill(priced, used, CALENDAR).total)


def test_cells_refuse_what_does_not_follow(database: Database, meter: uuid.UUID) -> None:
    used = household()
    with database.writing() as session:
        store.add_readings(session, meter, part(used, 0, 2000), CALENDAR)

        with pytest.raises(DoesNotFit, match="Give what follows"):
            store.add_readings(session, meter, part(used, 1990, 4000), CALENDAR)
        assert store.forget(session, meter) == 1


def test_other_layouts_live_beside(database: Database, meter: uuid.UUID) -> None:
    used = household()
    with database.writing() as session:
        store.add_readings(session, meter, used, CALENDAR)
        store.add_readings(session, meter, used, CALENDAR, Layout(slots=96))

        fine, coarse = (
            store.cells(session, meter, CALENDAR, layout) for layout in (Layout(slots=96), Layout())
        )

    assert fine is not None
    assert coarse is not None
    assert fine.with_slots(24).imports == pytest.approx(coarse.imports)
