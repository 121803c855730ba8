"""What other custodians send, by layouts: good files, bad files, and descriptions that say nonsense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from espi_server.cli import main
from espi_server.db import Database
from espi_server.energy import layout
from espi_server.energy.layout import BadLayout
from espi_server.energy.models import IntervalBlock, Kind, UsagePoint
from espi_server.espi.readings import unpack
from tests.conftest import ROOT
from tests.energy import stored
from tests.energy.feeds import local

SAMPLES = ROOT / "samples" / "custodians"
PGE = (
    "Name,A B\nAccount Number,77\nService,Service 1\n\nTYPE,DATE,START TIME,END TIME,USAGE,UNITS,COST,NOTES\n"
)
MINE = {
    "title": "Ours",
    "columns": {"usage_point": ["Meter"], "date": ["Day"], "time": ["At"]},
    "channels": [{"value": "kWh", "unit": "kWh"}],
    "interval": 3600,
}


@pytest.fixture
def north(database: Database) -> Database:
    stored.utility(database)
    return database


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "a.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def readings(database: Database, flow: int = 1) -> list[tuple[int, int, int, int, int]]:
    """Start, duration, thousandths of the unit, cost and quality of the only usage point's readings of a flow."""
    kinds = {
        row["id"]: row["content"]["flowDirection"] for row in stored.resources(database, Kind.ReadingType)
    }
    mine = {
        row["id"]
        for row in stored.resources(database, Kind.MeterReading)
        if kinds[row["reference_id"]] == flow
    }
    rows = [row for row in stored.every(database, IntervalBlock) if row["meter_reading_id"] in mine]
    return sorted(
        row[:5]
        for block in rows
        for row in stored.cells(unpack(block["encoding"], block["packed"], block["extra"]))
    )


def remarks(found: object) -> list[str]:
    """The words of a collection of remarks."""
    return [each.message for each in found]


def test_pge_with_solar_on_the_day_the_clocks_go_back(north: Database) -> None:
    report = stored.take(north, SAMPLES / "pge-solar.csv")

    assert report.errors == []
    taken, given = readings(north), readings(north, flow=19)
    midnight = local("2025-11-02")
    assert [row[:2] for row in taken] == [(midnight + 900 * step, 900) for step in range(100)]
    assert [row[0] for row in given] == [row[0] for row in taken]
    assert [row[4] for row in taken if row[4] != stored.MISSING] == [8]  # the one that was estimated
    assert all(row[3] > 0 for row in taken if row[2])
    assert all(row[3] == stored.MISSING for row in given)
    assert stored.every(north, UsagePoint)[0]["source_id"] == "5500112233-Service 1"
    assert "a time in the doubled hour was resolved by the order of rows" in remarks(report.repairs)
    assert "the layout leaves the column 'TOTAL EXPORT CREDIT (=A+B)' alone" in remarks(report.refusals)


def test_pge_gas_by_the_day_is_one_series_although_a_day_has_25_hours(north: Database) -> None:
    report = stored.take(north, SAMPLES / "pge-gas.csv")

    assert report.errors == []
    assert [row[1] for row in readings(north)] == [86_400, 90_000, 86_400, 86_400, 86_400]
    [kind] = stored.resources(north, Kind.ReadingType)
    assert {name: kind["content"][name] for name in ("uom", "commodity", "intervalLength")} == {
        "uom": 169, "commodity": 7, "intervalLength": 86_400,
    }  # fmt: skip


def test_sce_with_solar_on_the_day_that_misses_an_hour(north: Database) -> None:
    report = stored.take(north, SAMPLES / "sce-solar.csv", usage_point="8000123")

    assert report.errors == []
    midnight = local("2026-03-08")
    assert [row[:2] for row in readings(north, flow=19)] == [
        (midnight + 3600 * step, 3600) for step in range(23)
    ]
    taken = readings(north)
    assert len(taken) == 22  # one was missing, by SCE's own word
    assert remarks(report.refusals) == ["there is no reading in the row"]
    assert [row[0] for row in taken if row[4] == 8] == [local("2026-03-08 05:00")]


def test_ameren_says_the_same_energy_twice_and_it_is_taken_once(north: Database) -> None:
    report = stored.take(north, SAMPLES / "ameren.csv")

    assert report.errors == []
    assert {row[1] for row in readings(north)} == {900}
    assert len(readings(north)) == 95
    assert "readings of 3600 s say again what those of 900 s say" in remarks(report.refusals)
    assert stored.every(north, UsagePoint)[0]["source_id"] == "70011223"


def test_sap_a_value_a_row_with_decimal_commas_and_totals(north: Database) -> None:
    report = stored.take(north, SAMPLES / "sap-rows.csv")

    assert report.errors == []
    found = readings(north)
    assert len(found) == 95
    assert all(1_000_000_000 <= row[2] < 1_600_000_000 for row in found)  # thousandths of Wh
    assert {row[4] for row in found} == {0, 8}
    assert "a line of totals; totals are no readings" in remarks(report.refusals)


def test_sap_a_day_a_row_has_columns_for_the_hour_that_comes_twice(north: Database) -> None:
    report = stored.take(north, SAMPLES / "sap-days.csv")

    assert report.errors == []
    starts = [row[0] for row in readings(north, flow=19)]
    assert starts == [local("2025-11-01") + 900 * step for step in range(96 + 100 + 96)]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.csv")))
def test_again_is_unchanged(north: Database, name: str) -> None:
    given = {"usage_point": "8000123"} if name.startswith("sce") else {}
    stored.take(north, SAMPLES / name, **given)
    before = stored.state(north)

    report = stored.take(north, SAMPLES / name, **given)

    assert (report.created, report.changed) == (0, 0)
    assert stored.state(north) == before


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Electric usage,2026-01-15,25:00,25:14,0.3,kWh,$0.1,", "is no time this layout knows"),
        ("Electric usage,2026-01-15,00:00,00:14,0.3.1,kWh,$0.1,", "USAGE '0.3.1' is not a number"),
        ("Electric usage,2026-01-15,00:00,00:14,1,23.4,kWh,$0.1,,x", "the row has 10 cells, the header 8"),
        ("Electric usage,2026-01-15,00:00,00:14,1,kWh,$x,", "cost '$x' is not a number"),
        ("Electric usage,2026-01-15,00:00,00:14,1,quads,,", "unit 'quads' is not one of"),
        ("Steam usage,2026-01-15,00:00,00:14,1,kWh,,", "commodity 'steam usage' is neither"),
        ("Electric usage,2026-01-15,00:00,00:14,1,kWh,,who knows", "quality 'who knows' is neither"),
        ("Electric usage,2026-03-08,02:00,02:14,1,kWh,,", "never was: clocks were put forward"),
    ],
)
def test_a_row_that_is_not_understood_fails_alone_with_its_line(
    north: Database, write: Callable[..., Path], row: str, words: str
) -> None:
    good = 'Electric usage,2026-01-16,00:00,00:14,"1,234.5",kWh,($0.10),\n'

    report = stored.take(north, write(PGE + row + "\n" + good), layouts=["pge"])

    [error] = report.errors
    assert error.line == 6
    assert words in error.message
    assert readings(north) == [(local("2026-01-16"), 900, 1_234_500_000, -10_000, stored.MISSING)]


def test_rows_that_run_backwards_cannot_tell_the_doubled_hour(
    north: Database, write: Callable[..., Path]
) -> None:
    rows = "".join(
        f"Electric usage,2025-11-02,{clock},kWh,,\n"
        for clock in ("01:30,01:59,1", "01:00,01:29,2", "01:30,01:59,3", "01:00,01:29,4")
    )

    report = stored.take(north, write(PGE + rows), layouts=["pge"])

    assert [error.line for error in report.errors] == [9]
    assert "put the rows in order of time" in report.errors[0].message


def test_two_rows_of_one_time_are_told(north: Database, write: Callable[..., Path]) -> None:
    row = "Electric usage,2026-01-15,00:00,00:14,{},kWh,,\n"

    report = stored.take(north, write(PGE + row.format(1) + row.format(2)), layouts=["pge"])

    assert [row[2] for row in readings(north)] == [2_000_000]
    assert any("the later was taken (1 in all)" in words for words in remarks(report.repairs))


def test_a_line_nobody_placed_is_an_error_and_not_skipped(
    north: Database, write: Callable[..., Path]
) -> None:
    report = stored.take(north, write("Beware of the dog\n" + PGE), layouts=["pge"])

    assert [
        (error.line, "'Beware of the dog' stands before" in error.message) for error in report.errors
    ] == [(1, True)]


def test_a_column_nobody_placed_refuses_the_file(north: Database, write: Callable[..., Path]) -> None:
    report = stored.take(north, write(PGE.replace("NOTES", "MOON PHASE")))

    [error] = report.errors
    assert "does not know the column 'MOON PHASE'" in error.message
    assert stored.every(north, UsagePoint) == []


def test_a_table_that_does_not_name_its_meter_asks_for_it(north: Database) -> None:
    report = stored.take(north, SAMPLES / "sce-solar.csv")

    assert {error.message for error in report.errors} == {
        "nothing in the file names its usage point; give it with --usage-point."
    }


def test_two_layouts_that_fit_are_refused_with_advice(north: Database, write: Callable[..., Path]) -> None:
    mine = write(json.dumps(MINE), "mine.json")
    other = write(json.dumps({**MINE, "zone": "utc"}), "other.json")
    table = write("Meter,Day,At,kWh\n7,2026-01-15,00:00,1\n")

    report = stored.take(north, table, layouts=[str(mine), str(other)])
    alone = stored.take(north, table, layouts=[str(other), "sap"])

    assert (
        "The layouts mine and other fit this table both. Say which with --layout." in report.errors[0].message
    )
    assert alone.errors == []
    assert readings(north)[0][0] == local("2026-01-14 16:00")


def test_a_table_in_another_encoding_says_what_to_do(north: Database, write: Callable[..., Path]) -> None:
    text = (SAMPLES / "sap-rows.csv").read_text("utf-8")

    report = stored.take(north, write(text, encoding="iso-8859-1"))

    assert remarks(report.errors) == [
        "The table is not written in utf-8. Save it in UTF-8, or name its `encoding` in a layout of your own "
        "(`espi-server layout show`). Nothing of this file was taken in."
    ]


def test_a_layout_that_fits_nothing_says_so(north: Database, write: Callable[..., Path]) -> None:
    report = stored.take(north, write("a,b\n1,2\n"), layouts=["sce"])
    unknown = stored.take(north, write("a,b\n1,2\n"))

    assert "None of its lines is a header of the layout sce" in report.errors[-1].message
    assert "--layout with one of ameren, pge, sap, sce" in unknown.errors[0].message


def test_standard_time_all_year_has_no_doubled_hour(north: Database, write: Callable[..., Path]) -> None:
    mine = write(json.dumps({**MINE, "zone": "standard", "encoding": "windows-1252"}), "mine.json")
    rows = "".join(f"Zähler,2025-11-02,0{hour}:00,1\n" for hour in range(4))

    report = stored.take(north, write("Meter,Day,At,kWh\n" + rows, encoding="cp1252"), layouts=[str(mine)])

    assert report.errors == []
    assert [row[0] for row in readings(north)] == [
        local("2025-11-02") + 3600 * (1 + hour) for hour in range(4)
    ]
    assert stored.every(north, UsagePoint)[0]["source_id"] == "Zähler"


def test_day_columns_must_make_a_day(north: Database, write: Callable[..., Path]) -> None:
    header = "PoD;Date;Unit;00:00;00:15;00:45\n"

    report = stored.take(north, write(header + "7;15.01.2026;kWh;1;1;1\n"), layouts=["sap"])

    assert "are no whole day in equal steps" in report.errors[0].message


def test_day_columns_may_tell_the_end(north: Database, write: Callable[..., Path]) -> None:
    hours = ";".join(f"{hour:02d}:00" for hour in range(1, 25))
    values = ";".join(f"0,{hour}-" for hour in range(1, 25))

    report = stored.take(north, write(f"PoD;Date;Unit;{hours}\n7;15.01.2026;kWh;{values}\n"))

    assert report.errors == []
    assert [row[:3] for row in readings(north)][:2] == [
        (local("2026-01-15"), 3600, -100_000), (local("2026-01-15 01:00"), 3600, -200_000),
    ]  # fmt: skip
    assert len(readings(north)) == 24


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"titel": "x"}, "titel is not known; known are title"),
        ({"columns": {"date": "Day"}}, "columns.date must be a list of texts"),
        ({"columns": {"when": ["Day"]}}, "columns.when is not known"),
        ({"columns": {"usage_point": ["Meter"]}}, "names no time; give start, period or date"),
        ({"columns": {"period": ["P"]}}, "between is missing"),
        ({"channels": []}, "channels must be a list of at least one table"),
        ({"channels": [{"unit": "kWh"}]}, "channels[1].value is missing"),
        ({"channels": [{"value": "x"}]}, "'x' needs either unit or unit_column"),
        ({"dates": ["%Q"]}, "dates '%Q' is not made of %Y, %y"),
        ({"zone": "Mars"}, "zone 'Mars' is not one of 'local', 'standard', 'utc'"),
        ({"delimiter": "::"}, "delimiter '::' is not one of"),
        ({"interval": 0}, "interval must be a whole number of seconds"),
        ({"wide": "yes"}, "wide must be true or false"),
        ({"preamble": {"Name": "who"}}, "preamble.Name 'who' is not one of"),
        ({"words": {"colour": {}}}, "words.colour is not known"),
    ],
)
def test_a_description_that_is_wrong_is_told_where(change: dict[str, object], words: str) -> None:
    with pytest.raises(BadLayout) as wrong:
        layout.of("mine", {**MINE, **change})

    assert words in wrong.value.detail
    assert wrong.value.detail.startswith("Layout mine: ")


def test_the_commands_list_show_and_check_layouts(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = run(main, ["layout", "list"])
    mine = tmp_path / "mine.toml"
    mine.write_text(run(main, ["layout", "show", "sap"]).stdout, "utf-8")

    checked = run(main, ["layout", "check", str(mine)])
    unknown = run(main, ["layout", "check", "edison"])
    absent = run(main, ["layout", "check", str(tmp_path / "no.toml")])

    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["ameren", "pge", "sap", "sce"]
    assert (checked.exit_code, unknown.exit_code, absent.exit_code) == (0, 2, 2)
    assert "Give one of ameren, pge, sap, sce" in unknown.stderr
