"""Cells follow the data: after any import they are what the readings make them, and a comparison reads no interval."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import event, select

from espi_server.cli import main
from espi_server.db import Database
from espi_server.energy.importer import import_files
from espi_server.energy.models import IntervalBlock, UsagePoint
from espi_server.energy.report import Report
from espi_server.rates import arriving, cycles, findings, store
from espi_server.rates.arriving import arrived
from espi_server.rates.bill import bill, bill_of_cells
from espi_server.rates.calendar import Calendar, Cycle, midnight
from espi_server.rates.cells import Cells
from espi_server.rates.errors import DoesNotFit
from espi_server.rates.models import UsageCells
from espi_server.rates.store import Layout
from espi_server.rates.tariff import Metering, read
from espi_server.rates.usage import Usage
from tests.energy import feeds, stored
from tests.energy.feeds import ZONE, Household, entry
from tests.rates.records import hours, record, time_of_use

READINGS = ("time", "point", "type", "reading", "blocks")
YEAR = Household(
    first="2025-01-01", days=365, interval=3600, parts=READINGS
)  # both days of clock change in it
SPRING = Household(first="2025-02-01", days=89, interval=900, parts=READINGS)  # February, March, April
MARCH = Cycle(feeds.local("2025-03-01"), feeds.local("2025-04-01"))


def take(database: Database, folder: Path, *entries: Sequence[str], **more: Any) -> Report:
    """Import the entries of each list as a file of its own, one import after the other; nothing may be wrong."""
    for number, each in enumerate(entries):
        path = feeds.write(folder / f"{uuid.uuid4()}-{number}.xml", each)
        report = import_files(database, "north", [path], actor="a test", arrived=arrived, **more)
        assert report.errors == []
    return report


def point(database: Database) -> uuid.UUID:
    with database.reading() as session:
        return session.scalars(select(UsagePoint.id)).one()


def usage_of(household: Household, unit: float = 0.001) -> Usage:
    """The household's readings as this test knows them, in kWh."""
    starts = household.starts()
    kwh = np.array([household.value(start) for start in starts]) * unit
    return Usage(starts[0], household.interval, kwh)


def months_of(household: Household) -> Calendar:
    bounds = household.midnights()
    return Calendar(ZONE, cycles.of_months(ZONE, bounds[0], bounds[-1]))


def kept(database: Database, calendar: Calendar, layout: Layout = store.INTERVAL) -> Cells | None:
    with database.reading() as session:
        return store.cells(session, point(database), calendar, layout)


def same(found: Cells | None, usage: Usage, calendar: Calendar, slots: int = 24) -> None:
    """The cells are those of the readings, every array of them."""
    expected = Cells.of(usage, calendar, slots=slots)
    assert found is not None
    assert found.imports == pytest.approx(expected.imports)
    assert found.expected.tolist() == expected.expected.tolist()
    assert found.peaks == pytest.approx(expected.peaks)
    for one, two in ((found.exports, expected.exports), (found.missing, expected.missing)):
        assert np.allclose(0 if one is None else one, 0 if two is None else two)


def days_of(household: Household) -> list[list[str]]:
    """One delivery a day."""
    frame = household.but(parts=("time", "point", "type", "reading")).entries()
    return [[*frame, household.block_of_day(number)] for number in range(household.days)]


def billed(household: Household, *days: str) -> list[str]:
    """UsageSummary entries for the periods between those local dates."""
    edges = [datetime.fromisoformat(day) for day in days]
    return [
        household.but(first=f"{one:%Y-%m-%d}", days=(two - one).days).summary(f"z{one:%Y%m%d}")
        for one, two in itertools.pairwise(edges)
    ]


@pytest.fixture(autouse=True)
def north(database: Database) -> None:
    stored.utility(database)


@pytest.fixture
def statements(database: Database) -> list[str]:
    """Every statement from here on."""
    heard: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: heard.append(str(given[2])))
    return heard


def test_twelve_months_are_priced_without_reading_an_interval(
    database: Database, tmp_path: Path, statements: list[str]
) -> None:
    take(database, tmp_path, YEAR.entries())
    given = read(time_of_use(flatdemandstructure=[[{"rate": 3}]]))
    statements.clear()

    found = kept(database, months_of(YEAR))

    assert not any("interval_block" in each for each in statements)
    assert len([each for each in statements if "usage_cells" in each]) == 1
    same(found, usage_of(YEAR), months_of(YEAR))
    assert found is not None
    by_hand = bill(given, usage_of(YEAR), months_of(YEAR))
    assert bill_of_cells(given, found, months_of(YEAR)).total == pytest.approx(by_hand.total)


def test_periods_of_the_bills_are_the_cycles(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, [*SPRING.entries(), *billed(SPRING, "2025-02-07", "2025-03-10", "2025-04-09")])
    edges = [midnight(ZONE, date.fromisoformat(day)) for day in ("2025-02-07", "2025-03-10", "2025-04-09")]
    calendar = Calendar(ZONE, tuple(Cycle(*pair) for pair in itertools.pairwise(edges)))

    with database.reading() as session:
        assert cycles.of_bills(session, point(database), ZONE) == calendar.cycles
    same(kept(database, calendar), usage_of(SPRING), calendar)


def test_bill_that_comes_after_its_readings_gets_its_cells(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, SPRING.entries())
    take(
        database,
        tmp_path,
        SPRING.but(parts=("point",)).entries() + billed(SPRING, "2025-02-07", "2025-03-10"),
    )
    calendar = Calendar(ZONE, (Cycle(feeds.local("2025-02-07"), feeds.local("2025-03-10")),))

    same(kept(database, calendar), usage_of(SPRING), calendar)
    assert len(stored.every(database, UsageCells)) == 1  # the months before are gone


@pytest.mark.parametrize("shuffled", [False, True])
def test_readings_may_come_day_by_day_in_any_order(
    database: Database, tmp_path: Path, shuffled: bool
) -> None:
    here = SPRING.but(first="2025-03-01", days=31, interval=3600)
    days = days_of(here)
    if shuffled:
        random.Random(3).shuffle(days)

    take(database, tmp_path, *days)

    same(kept(database, months_of(here)), usage_of(here), months_of(here))


def test_cycle_still_open_has_no_cells_yet(database: Database, tmp_path: Path) -> None:
    here = SPRING.but(first="2025-03-01", days=30, interval=3600)

    take(database, tmp_path, here.entries())

    assert kept(database, Calendar(ZONE, (MARCH,))) is None
    assert stored.every(database, UsageCells) == []


def test_correction_makes_its_cycle_anew_and_no_other(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, SPRING.entries())
    noon = feeds.local("2025-03-09 12:00")  # the day the clock goes forward
    changed = SPRING.but(changed={noon: 90_000})
    before = {row["starts_at"]: row for row in stored.every(database, UsageCells)}

    take(database, tmp_path, days_of(changed)[36])

    after = {row["starts_at"]: row for row in stored.every(database, UsageCells)}
    same(kept(database, months_of(SPRING)), usage_of(changed), months_of(SPRING))
    assert [start for start in before if before[start] != after[start]] == [MARCH.start]


def test_reading_that_was_missing_is_filled_in(database: Database, tmp_path: Path) -> None:
    days = days_of(SPRING)
    usage = usage_of(SPRING)
    holes = usage.kwh.copy()
    holes[40 * 96 - 4 : 41 * 96 - 4] = np.nan  # March 13, after an hour went missing on the 9th

    take(database, tmp_path, *days[:40], *days[41:])
    same(kept(database, months_of(SPRING)), Usage(usage.start, 900, holes), months_of(SPRING))
    take(database, tmp_path, days[40])

    same(kept(database, months_of(SPRING)), usage, months_of(SPRING))


def test_same_files_again_change_nothing(database: Database, tmp_path: Path, statements: list[str]) -> None:
    take(database, tmp_path, SPRING.entries())
    before = stored.every(database, UsageCells)
    statements.clear()

    take(database, tmp_path, SPRING.entries())

    assert stored.every(database, UsageCells) == before
    assert not any("usage_cells" in each and not each.startswith("SELECT") for each in statements)


def test_import_that_ends_in_the_middle_leaves_readings_and_cells_of_one_mind(
    database: Database, tmp_path: Path
) -> None:
    several = [SPRING.but(id=str(100 + number), interval=3600) for number in range(3)]
    path = feeds.write(tmp_path / "all.xml", [each for one in several for each in one.entries()])
    units = itertools.count()

    def break_off(*given: Any) -> None:
        arrived(*given)
        if next(units) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files(database, "north", [path], actor="a test", arrived=break_off)
    with_readings = {row["usage_point_id"] for row in stored.every(database, IntervalBlock)}
    with_cells = {row["usage_point_id"] for row in stored.every(database, UsageCells)}
    assert with_readings == with_cells
    assert len(with_cells) == 1

    import_files(database, "north", [path], actor="a test", arrived=arrived)

    assert len(stored.every(database, UsageCells)) == 9


def test_readings_taken_in_before_anybody_listened_get_their_cells_when_asked(
    database: Database, tmp_path: Path
) -> None:
    stored.take(database, SPRING.write(tmp_path / "a.xml"))
    (place,) = stored.every(database, UsagePoint)

    with database.writing() as session:
        arriving.keep_up(session, place["utility_id"], place["id"], ZONE)

    same(kept(database, months_of(SPRING)), usage_of(SPRING), months_of(SPRING))


def both_ways(used: Household, sent: Household) -> list[str]:
    """Entries of one usage point with a series for each way."""
    back = "".join(sent.but(parts=("type", "reading", "blocks")).entries()).replace(
        "MeterReading/m1", "MeterReading/m2"
    )
    return [*used.entries(), back]


def test_energy_sent_back_is_netted_in_each_interval(database: Database, tmp_path: Path) -> None:
    sun = SPRING.but(flow=19, changed=dict.fromkeys(SPRING.starts()[40::96], 900))
    net = usage_of(SPRING).kwh - usage_of(sun).kwh

    take(database, tmp_path, both_ways(SPRING, sun))

    found = kept(database, months_of(SPRING))
    same(found, Usage(SPRING.midnights()[0], 900, net), months_of(SPRING))
    assert found is not None
    assert found.exports is not None


def test_finest_of_several_series_counts(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, both_ways(SPRING, SPRING.but(interval=3600)))

    same(kept(database, months_of(SPRING)), usage_of(SPRING), months_of(SPRING))


def test_thousands_of_watt_hours_are_kilowatt_hours(database: Database, tmp_path: Path) -> None:
    thousands = [
        each.replace("<e:powerOfTenMultiplier>0<", "<e:powerOfTenMultiplier>3<") for each in SPRING.entries()
    ]

    take(database, tmp_path, thousands)

    same(kept(database, months_of(SPRING)), usage_of(SPRING, 1.0), months_of(SPRING))


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("<e:uom>72<", "<e:uom>119<"),  # cubic feet
        ("<e:accumulationBehaviour>4<", "<e:accumulationBehaviour>1<"),  # a register that counts up
        ("<e:dataQualifier>12<", "<e:dataQualifier>8<"),  # maxima
        ("<e:kind>12<", "<e:kind>8<"),  # demand
        ("<e:flowDirection>1<", "<e:flowDirection>20<"),  # both ways together
    ],
)
def test_series_of_other_things_make_no_cells(
    database: Database, tmp_path: Path, there: str, instead: str
) -> None:
    take(database, tmp_path, [each.replace(there, instead) for each in SPRING.entries()])

    assert stored.every(database, UsageCells) == []


def test_estimated_readings_count_as_they_are(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, SPRING.but(quality=8).entries())

    same(kept(database, months_of(SPRING)), usage_of(SPRING), months_of(SPRING))


def test_daily_readings_price_a_flat_rate_and_no_other(database: Database, tmp_path: Path) -> None:
    bounds = SPRING.midnights()
    inside = "".join(
        f"<e:IntervalReading><e:timePeriod><e:duration>{end - start}</e:duration><e:start>{start}</e:start>"
        "</e:timePeriod><e:value>10000</e:value></e:IntervalReading>"
        for start, end in itertools.pairwise(bounds)
    )
    span = f"<e:interval><e:duration>{bounds[-1] - bounds[0]}</e:duration><e:start>{bounds[0]}</e:start></e:interval>"
    daily = SPRING.but(interval=86400, parts=READINGS[:4])
    take(
        database,
        tmp_path,
        [*daily.entries(), entry("IntervalBlock", f"{SPRING.here}/MeterReading/m1", "1", span + inside)],
    )

    found = kept(database, months_of(SPRING))

    assert found is not None
    assert bill_of_cells(read(record()), found, months_of(SPRING)).total == pytest.approx(89 * 10 * 0.2)
    with pytest.raises(DoesNotFit, match="changes its price within the day"):
        bill_of_cells(read(time_of_use()), found, months_of(SPRING))


def test_cells_are_cut_as_the_tariffs_of_the_utility_need(database: Database, tmp_path: Path) -> None:
    edges = [{"from": "16:30", "to": "21:00", "period": 0}]
    given = time_of_use()
    sidecar = {"holidays": ["2025-02-17"], "edges": edges}
    with database.writing() as session:
        owner = stored.utilities.find(session, "north")
        store.keep(session, owner.id, given, sidecar, findings.check(given))

    take(database, tmp_path, SPRING.entries())

    calendar = cycles.calendar(ZONE, months_of(SPRING).cycles, ("2025-02-17",))
    same(kept(database, calendar, Layout(slots=96)), usage_of(SPRING), calendar, 96)


def test_a_tariff_that_nets_hour_by_hour_gets_cells_netted_so(database: Database, tmp_path: Path) -> None:
    given = time_of_use() | {"dgrules": "Net Billing Hourly"}
    with database.writing() as session:
        owner = stored.utilities.find(session, "north")
        store.keep(session, owner.id, given, {}, findings.check(given))
    noon = dict.fromkeys(SPRING.starts(), 0) | dict.fromkeys(SPRING.starts()[40::96], 900)
    sun = SPRING.but(flow=19, changed=noon)
    net = Usage(SPRING.midnights()[0], 900, usage_of(SPRING).kwh - usage_of(sun).kwh)

    take(database, tmp_path, both_ways(SPRING, sun))

    hourly = Metering.NET_BILLING_HOURLY
    found = kept(database, months_of(SPRING), Layout(metering=hourly))
    expected = Cells.of(net, months_of(SPRING), metering=hourly)
    assert found is not None
    assert found.imports == pytest.approx(expected.imports)
    assert found.imports.sum() < Cells.of(net, months_of(SPRING)).imports.sum()


def test_meter_that_begins_inside_a_cycle_lacks_its_first_days(database: Database, tmp_path: Path) -> None:
    here = SPRING.but(first="2025-03-20", days=12)
    usage = usage_of(here)
    before = np.full((usage.start - MARCH.start) // 900, np.nan)

    take(database, tmp_path, here.entries())

    whole = Usage(MARCH.start, 900, np.concatenate([before, usage.kwh]))
    same(kept(database, Calendar(ZONE, (MARCH,))), whole, Calendar(ZONE, (MARCH,)))


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ([("2025-01-09 00:00", "2025-02-07 00:00")], ["2025-01-09", "2025-02-07"]),
        ([("2025-01-08 16:00", "2025-02-06 16:00")], ["2025-01-09", "2025-02-07"]),  # UTC's midnights
        ([("2025-01-09 00:00", "2025-02-06 23:59")], ["2025-01-09", "2025-02-07"]),
        ([("2025-01-09 00:00", "2025-02-07 00:00"), ("2025-02-07 00:00", "2025-03-10 00:00")],
         ["2025-01-09", "2025-02-07", "2025-03-10"]),
        ([("2025-01-09 00:00", "2025-02-06 00:00"), ("2025-02-07 00:00", "2025-03-10 00:00")],  # its last day
         ["2025-01-09", "2025-02-07", "2025-03-10"]),
        ([("2025-01-09 00:00", "2025-02-08 00:00"), ("2025-02-07 00:00", "2025-03-10 00:00")],
         ["2025-01-09", "2025-02-07", "2025-03-10"]),
        ([("2025-01-09 00:00", "2025-02-07 00:00"), ("2025-01-20 00:00", "2025-02-20 00:00")],
         ["2025-01-09", "2025-02-07"]),
    ],
)  # fmt: skip
def test_periods_of_bills_become_whole_local_days(
    periods: list[tuple[str, str]], expected: list[str]
) -> None:
    found = cycles.joined([(feeds.local(one), feeds.local(two)) for one, two in periods], ZONE)

    assert [found[0].start, *(cycle.end for cycle in found)] == [feeds.local(day) for day in expected]


def test_latest_cycles_are_those_without_a_gap() -> None:
    edges = [feeds.local(f"2025-{month:02}-01") for month in range(1, 9)]
    several = [Cycle(*pair) for pair in itertools.pairwise(edges)]

    assert cycles.latest(several, 3) == tuple(several[-3:])
    assert cycles.latest([*several[:2], *several[3:]]) == tuple(several[3:])
    assert cycles.latest([]) == ()


def test_hours_of_a_holiday_stay_apart(database: Database, tmp_path: Path) -> None:
    given = record(energyratestructure=[[{"rate": 1}], [{"rate": 0.1}]],
                   energyweekdayschedule=[hours(0, 0)] * 12, energyweekendschedule=[[1] * 24] * 12)  # fmt: skip
    with database.writing() as session:
        owner = stored.utilities.find(session, "north")
        store.keep(session, owner.id, given, {"holidays": "us-eight"}, findings.check(given))
    take(database, tmp_path, SPRING.entries())
    calendar = cycles.calendar(ZONE, months_of(SPRING).cycles, "us-eight")

    found = kept(database, calendar)

    assert found is not None
    assert found.imports[0, 48:].sum() == pytest.approx(usage_of(SPRING).kwh[16 * 96 : 17 * 96].sum())


def test_import_command_of_the_house_makes_cells(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESPI_MODE", "development")
    monkeypatch.setenv("ESPI_DATABASE_URL", database_url)
    path = SPRING.write(tmp_path / "a.xml")

    result = CliRunner().invoke(main, ["import", "--utility", "north", str(path)])

    assert result.exit_code == 0, result.output
    same(kept(database, months_of(SPRING)), usage_of(SPRING), months_of(SPRING))
