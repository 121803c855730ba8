"""Tables in: readings and agreements, by the same rules as any file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from espi_server.accounts.models import (
    Account,
    AgreementRate,
    AgreementRin,
    Customer,
    Premise,
    ServiceAgreement,
    ServiceLocation,
)
from espi_server.db import Database
from espi_server.energy.models import GridAsset, Kind, UsagePoint, UsagePointLink
from tests.energy import stored
from tests.energy.feeds import Household, local

METERS = "usage_point,start,duration,value,unit,flow,commodity,quality,cost,currency\n"
AGREEMENTS = (
    "customer,account,agreement,class,rate,modifiers,rins,address,town,state,zip,circuit,meter,usage point,"
    "udc,lse,start,end\n"
)
OAK = (
    "C1,A1,G1,residential,E-TOU-C,CARE,USCA-XXNE-TOUC-0000,12 Oak Street Apt 4,Oakland,CA,94607-1234,"
    "F12,M9,101,north,north"
)
NOW = 1_790_000_000


@pytest.fixture
def north(database: Database, freeze: Callable[[int], None]) -> Database:
    stored.utility(database)
    freeze(NOW)
    return database


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: str, header: str = METERS, name: str = "a.csv") -> Path:
        path = tmp_path / name
        path.write_text(header + "".join(f"{row}\n" for row in rows))
        return path

    return write


def test_a_table_of_readings_becomes_a_usage_point_with_readings(
    north: Database, table: Callable[..., Path]
) -> None:
    path = table(
        "101,2026-01-31T08:00:00Z,900,0.345,kWh,delivered,electricity,validated,0.12,USD",
        "101,2026-01-31T00:15:00-08:00,900,0.5,kWh,delivered,electricity,estimated,,USD",
        "101,1769848200,900,1,kWh,delivered,electricity,17,0,USD",
    )

    report = stored.take(north, path)

    assert report.errors == []
    assert [row[:5] for row in stored.cells(stored.readings(north))] == [
        (1_769_846_400, 900, 345_000, 12_000, 17),
        (1_769_847_300, 900, 500_000, stored.MISSING, 8),
        (1_769_848_200, 900, 1_000_000, 0, 17),
    ]
    [kind] = stored.resources(north, Kind.ReadingType)
    assert {name: kind["content"][name] for name in ("uom", "powerOfTenMultiplier", "intervalLength", "currency")} == {
        "uom": 72, "powerOfTenMultiplier": -3, "intervalLength": 900, "currency": 840,
    }  # fmt: skip
    [point] = stored.every(north, UsagePoint)
    assert point["source_id"] == "101"
    assert report.readings == report.entries == 3


def test_the_same_usage_point_comes_by_table_and_by_feed(
    north: Database, table: Callable[..., Path], tmp_path: Path
) -> None:
    stored.take(north, Household(id="101").write(tmp_path / "a.xml"))

    stored.take(north, table("101,2026-02-01T08:00:00Z,86400,12.5,therm,,,,,"))

    [point] = stored.every(north, UsagePoint)
    assert point["version"] == 2
    assert len(stored.resources(north, Kind.MeterReading)) == 2


def test_a_table_again_changes_no_byte_even_as_gzip(
    north: Database, table: Callable[..., Path], tmp_path: Path
) -> None:
    path = table(
        *(f"{100 + place % 3},{1_769_846_400 + 900 * place},900,{place}.25,kWh,,,,," for place in range(300))
    )
    stored.take(north, path)
    before = stored.state(north)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(path.read_bytes()))

    report = stored.take(north, tmp_path / "a.csv.gz")

    assert (report.created, report.changed, report.readings) == (0, 0, 300)
    assert stored.state(north) == before


def test_local_times_need_to_be_asked_for(north: Database, table: Callable[..., Path]) -> None:
    path = table("101,2026-01-31 00:00,3600,1,kWh,,,,,")

    refused = stored.take(north, path)
    taken = stored.take(north, path, local=True)

    assert "--local" in refused.errors[0].message
    assert refused.errors[0].line == 2
    assert taken.errors == []
    assert stored.readings(north).start.tolist() == [local("2026-01-31")]


def test_the_doubled_hour_is_resolved_by_order_and_reported(
    north: Database, table: Callable[..., Path]
) -> None:
    hours = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]

    report = stored.take(
        north, table(*(f"101,2026-11-01 {hour},1800,1,kWh,,,,," for hour in hours)), local=True
    )

    start = local("2026-11-01 00:30")
    assert stored.readings(north).start.tolist() == [start + 1800 * place for place in range(6)]
    assert sum(remark.count for remark in report.repairs) == 4


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",1769846400,900,1,kWh,,,,,", "usage_point is empty"),
        ("101,yesterday,900,1,kWh,,,,,", "is no time"),
        ("101,1769846400000,900,1,kWh,,,,,", "milliseconds"),
        ("101,2026-03-08 02:30,900,1,kWh,,,,,", "has no offset"),
        ("101,1769846400,0,1,kWh,,,,,", "duration '0'"),
        ("101,1769846400,900,1.2.3,kWh,,,,,", "value '1.2.3' is not a number"),
        ("101,1769846400,900,NaN,kWh,,,,,", "beyond what ESPI can say"),
        ("101,1769846400,900,1e30,kWh,,,,,", "beyond what ESPI can say"),
        ("101,1769846400,900,1,furlong,,,,,", "unit 'furlong' is not one of"),
        ("101,1769846400,900,1,kWh,sideways,,,,", "flow 'sideways'"),
        ("101,1769846400,900,1,kWh,,cheese,,,", "commodity 'cheese'"),
        ("101,1769846400,900,1,kWh,,,splendid,,", "quality 'splendid'"),
        ("101,1769846400,900,1,kWh,,,,,XXX", "currency 'XXX'"),
        (f"{'9' * 300},1769846400,900,1,kWh,,,,,", "longer than 256"),
        ("1\x0001,1769846400,900,1,kWh,,,,,", "NUL"),
        ("101,1769846400,900,1", "the row has 4 cells, the header 10"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line_and_the_others_come_in(
    north: Database, table: Callable[..., Path], row: str, words: str
) -> None:
    report = stored.take(north, table("101,1769846400,900,1,kWh,,,,,", row, "101,1769847300,900,1,kWh,,,,,"))

    [error] = report.errors
    assert words in error.message
    assert error.line == 3
    assert report.readings == 2
    assert report.exit_code == 1


def test_a_utilitys_own_quality_words_are_understood(database: Database, table: Callable[..., Path]) -> None:
    north = stored.utility(database)
    with database.writing() as session:
        session.merge(north).qualities = {"EST-2": 9}

    stored.take(database, table("101,1769846400,900,1,kWh,,,est-2,,"))

    assert stored.cells(stored.readings(database))[0][4] == 9


def test_a_table_of_agreements_fills_people_places_and_rates(
    north: Database, table: Callable[..., Path]
) -> None:
    path = table(f"{OAK},2025-01-01,", header=AGREEMENTS)

    report = stored.take(north, path)

    assert report.errors == []
    [customer] = stored.every(north, Customer)
    [account] = stored.every(north, Account)
    [agreement] = stored.every(north, ServiceAgreement)
    [rate] = stored.every(north, AgreementRate)
    [rin] = stored.every(north, AgreementRin)
    [place] = stored.every(north, ServiceLocation)
    [premise] = stored.every(north, Premise)
    [point] = stored.every(north, UsagePoint)
    assert (customer["reference"], account["reference"], agreement["reference"]) == ("C1", "A1", "G1")
    assert (agreement["customer_class"], agreement["udc"], agreement["lse"]) == (
        "residential",
        "north",
        "north",
    )
    assert (rate["rate_code"], rate["modifiers"], rate["starts_at"], rate["ends_at"]) == (
        "E-TOU-C", ["CARE"], local("2025-01-01"), None,
    )  # fmt: skip
    assert (rin["rin"], rin["role"]) == ("USCA-XXNE-TOUC-0000", "bundled")
    assert (place["premise_id"], place["match_method"]) == (premise["id"], "address")
    assert (premise["address"], premise["zip"]) == ("12|OAK ST|4", "94607")
    assert (point["customer_id"], point["agreement_id"]) == (customer["id"], agreement["id"])
    assert {row["kind"] for row in stored.every(north, UsagePointLink)} == {
        "location",
        "agreement",
        "meter",
        "circuit",
    }
    assert [row["reference"] for row in stored.every(north, GridAsset)] == ["F12"]
    kinds = [Kind(row["kind"]).name for row in stored.resources(north)]
    assert sorted(kinds) == [
        "Customer", "CustomerAccount", "CustomerAgreement", "Meter", "ServiceLocation", "ServiceSupplier",
    ]  # fmt: skip


def test_the_customer_tree_is_linked_both_ways(north: Database, table: Callable[..., Path]) -> None:
    stored.take(north, table(f"{OAK},2025-01-01,", header=AGREEMENTS))

    rows = {Kind(row["kind"]): row for row in stored.resources(north)}
    shapes = {kind.name: row["shape"] for kind, row in rows.items()}
    assert shapes == {
        "Customer": "210*", "CustomerAccount": "200 220*", "CustomerAgreement": "210 230* 240* 250",
        "ServiceLocation": "220 250*", "ServiceSupplier": "220", "Meter": "230",
    }  # fmt: skip
    [point] = stored.every(north, UsagePoint)
    assert rows[Kind.ServiceLocation]["content"]["UsagePoints"] == [
        {"UsagePoint": [f"urn:uuid:{point['id']}"]}
    ]
    assert rows[Kind.Meter]["up_id"] == rows[Kind.ServiceLocation]["id"]


def test_a_table_of_agreements_again_changes_no_byte(
    north: Database, table: Callable[..., Path], freeze: Callable[[int], None]
) -> None:
    path = table(
        f"{OAK},2025-01-01,", f"{OAK.replace('E-TOU-C', 'E-ELEC')},2025-06-01,",
        OAK.replace("G1", "G2").replace(",101,", ",102,") + ",2024-01-01,2025-03-01", header=AGREEMENTS,
    )  # fmt: skip
    stored.take(north, path)
    before = stored.state(north)
    freeze(NOW + 1000)

    report = stored.take(north, path)

    assert (report.created, report.changed) == (0, 0)
    assert stored.state(north) == before


def test_a_rate_without_an_end_ended_when_the_next_began(north: Database, table: Callable[..., Path]) -> None:
    stored.take(north, table(f"{OAK},2025-01-01,", header=AGREEMENTS))

    stored.take(
        north, table(f"{OAK.replace('E-TOU-C', 'E-ELEC')},2025-06-01,", header=AGREEMENTS, name="b.csv")
    )

    rates = sorted(stored.every(north, AgreementRate), key=lambda row: row["starts_at"])
    assert [(row["rate_code"], row["starts_at"], row["ends_at"]) for row in rates] == [
        ("E-TOU-C", local("2025-01-01"), local("2025-06-01")),
        ("E-ELEC", local("2025-06-01"), None),
    ]
    [agreement] = stored.every(north, ServiceAgreement)
    assert agreement["starts_at"] == local("2025-01-01")


def test_whoever_moved_out_does_not_keep_the_usage_point(north: Database, table: Callable[..., Path]) -> None:
    gone = OAK + ",2020-01-01,2026-02-01"
    here = OAK.replace("C1", "C2").replace("A1", "A2").replace("G1", "G2") + ",2026-02-01,"
    path = table(here, gone, header=AGREEMENTS)

    stored.take(north, path)
    stored.take(north, path)

    customers = {row["id"]: row["reference"] for row in stored.every(north, Customer)}
    [point] = stored.every(north, UsagePoint)
    assert customers[point["customer_id"]] == "C2"


def test_two_utilities_that_serve_one_place_meet_in_its_premise(
    north: Database, table: Callable[..., Path]
) -> None:
    stored.utility(north, "gas", namespace=stored.uuid.uuid4())
    stored.take(north, table(f"{OAK},2025-01-01,", header=AGREEMENTS))
    other = OAK.replace("12 Oak Street Apt 4", "12 OAK ST. #4").replace("94607-1234", "94607")

    stored.take(north, table(f"{other},2025-01-01,", header=AGREEMENTS), code="gas")

    assert len(stored.every(north, Premise)) == 1
    assert len(stored.every(north, ServiceLocation)) == 2
    assert len(stored.every(north, Customer)) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"C1": ""}, "must not be empty"),
        ({"residential": "royal"}, "class 'royal' is not one of"),
        ({"2025-01-01": "sometime"}, "start 'sometime'"),
        ({"2025-01-01,": "2025-01-01,2024-01-01"}, "lies before start"),
        ({"USCA-XXNE-TOUC-0000": "x" * 40}, "rins"),
    ],
)
def test_a_bad_agreement_is_an_error_with_its_line(
    north: Database, table: Callable[..., Path], change: dict[str, str], words: str
) -> None:
    row = f"{OAK},2025-01-01,"
    for old, new in change.items():
        row = row.replace(old, new)

    report = stored.take(north, table(row, header=AGREEMENTS))

    assert words in report.errors[0].message
    assert report.errors[0].line == 2


def test_a_table_with_an_unknown_header_is_refused_with_the_headers_known(
    north: Database, table: Callable[..., Path]
) -> None:
    report = stored.take(north, table("1,2", header="a,b\n"))

    assert "usage_point, start, duration, value, unit" in report.errors[0].message
    assert report.exit_code == 3
