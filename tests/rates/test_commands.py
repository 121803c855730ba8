"""`espi-server rates …` as a rate analyst types it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from espi_server import clock
from espi_server.accounts.models import Utility
from espi_server.cli import Commands
from espi_server.db import Database
from espi_server.rates.commands import rates
from tests.rates.records import household, record, time_of_use

SAMPLES = Path(__file__).parents[2] / "samples" / "tariffs"
YEAR = ["--timezone", "America/Los_Angeles", "--start", "2025-01-01T08:00:00Z", "--interval", "15"]


def run(*words: object, check: int = 0) -> Result:
    """The command's result, its exit code checked."""
    result = CliRunner().invoke(Commands(commands={"rates": rates}), ["rates", *map(str, words)])
    assert result.exit_code == check, result.output
    return result


def answer(*words: object) -> dict[str, Any]:
    """The JSON of a bill."""
    found: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return found


def csv(path: Path, kwh: Sequence[float] | np.ndarray, name: str = "kwh") -> Path:
    path.write_text(f"{name}\n" + "".join(f"{value!r}\n" for value in np.asarray(kwh).tolist()))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return csv(tmp_path / "home.csv", household().kwh)


@pytest.fixture
def rate(tmp_path: Path) -> Path:
    return written(tmp_path, time_of_use(fixedchargefirstmeter=0.79, fixedchargeunits="$/day"))


def written(folder: Path, content: Any, name: str = "tariff.json") -> Path:
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_bill_is_json_with_the_year_and_every_cycle(rate: Path, home: Path) -> None:
    found = answer("bill", rate, home, *YEAR)

    keys = {"total", "energy", "fixed", "demand_flat", "demand_tou", "minimum", "credit"}
    assert set(found["annual"]) == keys
    assert len(found["cycles"]) == 12
    assert keys | {"start", "end", "days"} <= set(found["cycles"][0])
    assert (found["cycles"][2]["start"], found["cycles"][2]["end"], found["cycles"][2]["days"]) == (
        "2025-03-01", "2025-04-01", 31)  # fmt: skip
    assert found["annual"]["fixed"] == pytest.approx(365 * 0.79)
    assert found["annual"]["total"] == pytest.approx(sum(cycle["total"] for cycle in found["cycles"]))
    assert sum(found["annual"][key] for key in keys - {"total"}) == pytest.approx(found["annual"]["total"])


def test_bill_for_people_is_a_table_to_the_cent(rate: Path, home: Path) -> None:
    table = run("bill", rate, home, *YEAR).stdout

    assert re.search(r"^2025-01-01 +2025-02-01 +31 +\d+\.\d\d +24\.49 +\d+\.\d\d$", table, re.MULTILINE)
    assert re.search(r"^all +365 ", table, re.MULTILINE)


def test_gzip_column_and_holidays_are_understood(rate: Path, tmp_path: Path) -> None:
    kwh = household().kwh.tolist()
    packed = tmp_path / "home.csv.gz"
    packed.write_bytes(gzip.compress(("when,net\n" + "".join(f"x,{value!r}\n" for value in kwh)).encode()))
    plain = answer("bill", rate, csv(tmp_path / "home.csv", kwh), *YEAR)

    same = answer("bill", rate, packed, *YEAR, "--column", "net")
    rested = answer("bill", rate, packed, *YEAR, "--column", "2", "--holidays", "2025-07-04, 2025-12-25")

    assert same["annual"] == plain["annual"]
    assert rested["annual"]["total"] < plain["annual"]["total"]


def test_read_cycles_come_from_a_file_of_dates_or_instants(rate: Path, home: Path, tmp_path: Path) -> None:
    dates = written(tmp_path, [["2025-01-09", "2025-02-07"], ["2025-02-07", "2025-03-10"]], "dates.json")
    instants = written(
        tmp_path,
        [["2025-01-09T08:00:00Z", "2025-02-07T08:00:00Z"], ["2025-02-07T08:00:00Z", 1741590000]],
        "instants.json",
    )

    by_date = answer("bill", rate, home, *YEAR, "--cycles", dates)
    by_instant = answer("bill", rate, home, *YEAR, "--cycles", instants)

    assert [cycle["days"] for cycle in by_date["cycles"]] == [29, 31]
    assert by_date["cycles"] == by_instant["cycles"]
    assert "not in any bill" in run("bill", rate, home, *YEAR, "--cycles", dates).stderr


def test_generation_metering_and_export_rate(tmp_path: Path) -> None:
    flat = written(tmp_path, record(dgrules="Net Metering"))
    use, sun = (
        csv(tmp_path / "use.csv", [1.0] * 744),
        csv(tmp_path / "sun.csv", [3.0, 0.0] * 372, "kWh produced"),
    )
    month = ["--timezone", "America/Los_Angeles", "--start", "2025-01-01T08:00Z", "--interval", "60"]

    netted = answer("bill", flat, use, *month, "--generation", sun)
    sold = answer(
        "bill", flat, use, *month, "--generation", sun, "--metering", "net-billing", "--export-rate", "0.05"
    )
    only_priced = answer("bill", flat, use, *month, "--generation", sun, "--export-rate", "0.05")

    # 744 used, 1116 produced: 372 kWh of credit; or 372 bought at 0.20 and 744 sold at 0.05.
    assert (netted["annual"]["total"], netted["cycles"][0]["carried_kwh"]) == (0, pytest.approx(372))
    assert sold["annual"]["energy"] == pytest.approx(74.4)
    assert sold["annual"]["credit"] == pytest.approx(-37.2)
    assert only_priced["annual"] == sold["annual"]


def test_missing_and_estimated_readings_are_told(rate: Path, tmp_path: Path) -> None:
    kwh = household().kwh.tolist()
    rows = [f"{value},valid" for value in kwh]
    rows[100], rows[200] = ",missing", f"{kwh[200]},estimated"
    used = tmp_path / "gaps.csv"
    used.write_text("kwh,quality\n" + "\n".join(rows) + "\n")

    told = run("bill", rate, used, *YEAR)

    assert "1 of 35040 readings are missing" in told.stderr
    assert "1 of 35040 readings are marked as estimated" in told.stderr
    assert answer("bill", rate, used, *YEAR)["readings"] == {"count": 35040, "missing": 1, "estimated": 1}


def test_readings_in_watt_hours_are_wondered_at(rate: Path, tmp_path: Path) -> None:
    used = csv(tmp_path / "wh.csv", household().kwh * 1000)

    assert "Is the column in Wh?" in run("bill", rate, used, *YEAR).stderr


def test_doubts_are_told_and_with_strict_refused_until_accepted(home: Path, tmp_path: Path) -> None:
    odd = written(tmp_path, time_of_use(fixedchargefirstmeter=0.79, fixedchargeunits="$/month"))

    assert "Doubt: FIXED_UNIT_SUSPECT at fixedchargeunits" in run("bill", odd, home, *YEAR).stderr
    assert "FIXED_UNIT_SUSPECT" in run("bill", odd, home, *YEAR, "--strict", check=1).stderr
    run("bill", odd, home, *YEAR, "--strict", "--accept", "FIXED_UNIT_SUSPECT")


def test_record_is_chosen_where_a_file_has_several(home: Path) -> None:
    several = SAMPLES / "marsh-light-2025.json"

    asked = run("bill", several, home, *YEAR, check=1)

    assert "choose one with --record" in asked.stderr
    assert "R-EV Electric Vehicle" in asked.stderr
    run("bill", several, home, *YEAR, "--record", "R-EV Electric Vehicle")


def test_delivery_record_is_billed_with_the_generation_record_its_sidecar_names(home: Path) -> None:
    file = SAMPLES / "harbor-community-2025.json"

    together = run("explain", file, home, *YEAR[2:], "--record", "5a3b1e000000000000000007").stdout

    assert "Delivery: Baseline credit" in together
    assert "Generation: Energy, January" in together


def amount_in(line: str) -> Decimal:
    return Decimal(line.split()[-1].replace(",", ""))


@pytest.mark.parametrize(
    "name", ["R-1 Residential Tiered", "R-TOU Residential Time of Use, Tiered", "R-SOLAR Net Billing"]
)
def test_calculator_arrives_at_the_same_cent(name: str, tmp_path: Path) -> None:
    used = csv(tmp_path / "home.csv", household(solar=True).kwh)

    told = run("explain", SAMPLES / "marsh-light-2025.json", used, *YEAR, "--record", name).stdout

    products = 0
    for bill in told.split("\nBill ")[1:]:
        added = Decimal(0)
        for line in bill.splitlines():
            made = re.match(r" {6}(?:(-?[\d.]+) [\w ]+ × (-?[\d.]+))? +(-?[\d.]+)$", line)
            if made is None:
                continue
            amount = Decimal(made[3])
            added += amount
            if made[1]:
                products += 1
                assert abs(Decimal(made[1]) * Decimal(made[2]) - amount) < Decimal("0.00001")
        (total,) = re.findall(r"Total +(-?[\d.]+) +=", bill)
        (cents,) = re.findall(r"= ([\d,.]+)", bill)
        assert abs(added - Decimal(total)) < Decimal("0.0001")
        assert Decimal(total).quantize(Decimal("0.01"), ROUND_HALF_EVEN) == Decimal(cents.replace(",", ""))
    assert products >= 24


def test_explanation_shows_limits_and_how_they_were_shared(rate: Path, home: Path) -> None:
    told = run("explain", rate, home, *YEAR).stdout

    assert "0 to 300.7 kWh (9.7 kWh daily × 31 days)" in told
    assert re.search(r"this period has [\d.]+ / [\d.]+ of it", told)
    assert "weekdays 16:00-21:00, weekends never" in told


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        ({"energyratestructure": [[{"rate": 0.2, "unit": "therms"}]]}, "'therms' is not a unit", 1),
        ({"energyweekdayschedule": [[3] * 24] * 12}, "Period 3 is not in the structure", 1),
        (
            {"energyratestructure": [[{"rate": 1, "max": 9}, {"rate": 2, "max": 5}]]},
            "must rise from tier to tier",
            1,
        ),
    ],
)
def test_record_that_cannot_be_priced_ends_with_one(
    change: dict[str, Any], words: str, code: int, home: Path, tmp_path: Path
) -> None:
    assert words in run("bill", written(tmp_path, record(**change)), home, *YEAR, check=code).stderr


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--timezone", "America/Los_Angles", "Did you mean America/Los_Angeles"),
        ("--start", "yesterday", "not a UTC instant"),
        ("--interval", "17", "do not fit an hour"),
        ("--interval", "soon", "not a valid integer"),
        ("--holidays", "2025-13-01", "Write dates like"),
        ("--column", "kWh net", "has no column 'kWh net'"),
        ("--export-rate", "cheap", "not a price"),
        ("--export-rate", "1e400", "not a price"),
        ("--start", "99999999999999999", "not a UTC instant"),
        ("--start", "9999-12-31T08:00:00Z", "not a UTC instant"),
        ("--metering", "magic", "is not one of"),
    ],
)
def test_wrong_option_ends_with_two_and_says_what_is_right(
    option: str, value: str, words: str, rate: Path, home: Path
) -> None:
    assert words in run("bill", rate, home, *YEAR, option, value, check=2).stderr


def test_time_zone_must_come_from_somewhere(rate: Path, home: Path) -> None:
    assert "--timezone" in run("bill", rate, home, *YEAR[2:], check=2).stderr


def test_export_rate_has_no_place_beside_kwh_credit(rate: Path, home: Path) -> None:
    wrong = run("bill", rate, home, *YEAR, "--metering", "kwh-credit", "--export-rate", "0.1", check=2)

    assert "has no place" in wrong.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("kwh\n1\nabc\n", "line 3: 'abc' is not a number of kWh"),
        ("kwh\n", "has no readings"),
    ],
)
def test_usage_that_cannot_be_read_ends_with_three(
    content: str, words: str, rate: Path, tmp_path: Path
) -> None:
    used = tmp_path / "used.csv"
    used.write_text(content)

    assert words in run("bill", rate, used, *YEAR, check=3).stderr


def test_files_that_are_not_there_or_not_json_end_with_three(rate: Path, home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"name": "x",\n "rate": }')

    assert "does not exist" in run("bill", tmp_path / "no.json", home, *YEAR, check=3).stderr
    assert "does not exist" in run("bill", rate, tmp_path / "no.csv", *YEAR, check=3).stderr
    assert "line 2, column 10" in run("bill", broken, home, *YEAR, check=3).stderr
    assert "no URDB record" in run("bill", written(tmp_path, [1]), home, *YEAR, check=3).stderr


@pytest.mark.parametrize(
    ("cycles", "words", "code"),
    [
        ([["2025-01-09", "2025-02-07"], ["2025-02-01", "2025-03-10"]], "overlaps", 1),
        ([["2025-01-09", "2026-02-07"]], "The readings do not fit the cycles", 1),
        ([["2025-01-09T08:05:00Z", "2025-02-07"]], "cuts a reading", 1),
        ([], "holds no cycles", 3),
        ([["2025-01-09"]], "not a pair", 3),
        ([["soon", "later"]], "Each edge is a local date", 3),
        ([["0001-01-01", "9999-12-31"]], "only the years 1900 to 2200", 3),
        ([[1, 10**30]], "only the years 1900 to 2200", 3),
    ],
)
def test_cycles_that_do_not_fit_say_what_to_mend(
    cycles: list[Any], words: str, code: int, rate: Path, home: Path, tmp_path: Path
) -> None:
    file = written(tmp_path, cycles, "cycles.json")

    assert words in run("bill", rate, home, *YEAR, "--cycles", file, check=code).stderr


def test_readings_that_are_no_whole_months_say_so(rate: Path, tmp_path: Path) -> None:
    short = csv(tmp_path / "short.csv", household().kwh[:5000])

    assert "Calendar cycles need whole local months" in run("bill", rate, short, *YEAR, check=1).stderr


def test_start_without_offset_is_told_to_be_utc(rate: Path, home: Path) -> None:
    told = run("bill", rate, home, *YEAR, "--start", "2025-01-01T08:00:00").stderr

    assert "it is taken as UTC" in told


def test_readings_beyond_our_times_say_so(rate: Path, tmp_path: Path) -> None:
    endless = csv(tmp_path / "endless.csv", np.ones(100_000))

    told = run("bill", rate, endless, *YEAR, "--interval", "1440", check=1).stderr

    assert "beyond the year 2200" in told


def test_month_without_any_reading_is_named(rate: Path, tmp_path: Path) -> None:
    used = household().kwh.copy()
    used[59 * 96 - 4 : 91 * 96 - 4] = np.nan

    told = run("bill", rate, csv(tmp_path / "gap.csv", used), *YEAR, check=1).stderr

    assert "no reading at all in March 2025," in told


def test_column_of_the_generation_is_asked_for_by_its_own_option(rate: Path, home: Path) -> None:
    told = run("bill", rate, home, *YEAR, "--generation", home, "--generation-column", "sun", check=2).stderr

    assert "--generation-column" in told


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"discounts": [{"name": "CARE"}]}, "discounts is not understood: 'percent' is missing. Accepted: "),
        ({"discounts": [{"name": "CARE", "percent": "NaN"}]}, "'NaN' is not a number"),
        ({"adders": [{"name": "PCIA", "price": "dear"}]}, "'dear' is not a number"),
        ({"baseline": 3}, "3 has another form. Accepted: "),
        ({"time_zone": "America/Los_Angles"}, "Did you mean America/Los_Angeles"),
        ({"open": "no"}, "neither true nor false"),
        ({"minimum_delivery": {"amount": 1, "unit": "$/week", "delivery_price": 0}}, "'$/week' is not one of"),
        ({"edges": [{"from": "16:30", "to": "17:00", "period": 9}]}, "name period 9; energyratestructure has"),
        ({"colour": "blue"}, "unknown parts: colour"),
    ],
)  # fmt: skip
def test_sidecar_that_is_not_understood_names_the_part(
    part: dict[str, Any], words: str, rate: Path, home: Path, tmp_path: Path
) -> None:
    wrong = written(tmp_path, part, "sidecar.json")

    assert words in run("bill", rate, home, *YEAR, "--sidecar", wrong, check=1).stderr


def test_check_names_every_finding_and_ends_with_one(tmp_path: Path) -> None:
    told = run("check", SAMPLES / "faulty.json", check=1).stdout

    assert "SCHEDULE_SEASON at energyweekdayschedule[9][16]" in told
    assert run("check", written(tmp_path, record())).stdout.endswith("nothing found\n")


# --- keeping -----------------------------------------------------------------------------------------------------


@pytest.fixture
def north(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ESPI_MODE", "development")
    monkeypatch.setenv("ESPI_DATABASE_URL", sqlite_url)
    database = Database(sqlite_url)
    with database.writing() as session:
        session.add(
            Utility(code="north", name="North", timezone="America/Los_Angeles", created_at=clock.seconds())
        )
    database.close()
    return "north"


def test_record_with_doubts_waits_until_someone_accepts(north: str, tmp_path: Path) -> None:
    odd = written(tmp_path, record(servicetype="Delivery"))

    held = run("import", odd, "--utility", north, check=1)
    listed = run("list", "--utility", north).stdout
    run("import", odd, "--utility", north, "--accept", "NOT_BUNDLED", "--by", "Ada")

    assert held.stdout.startswith("waiting: ")
    assert "waits for NOT_BUNDLED" in listed
    assert "Accepted by Ada on " in run("show", "Plain", "--utility", north).stdout
    (row,) = (json.loads(line) for line in run("list", "--utility", north, "--json").stdout.splitlines())
    assert (row["status"], row["waits_for"]) == ("usable", [])


def test_versions_follow_one_another_by_date(north: str, tmp_path: Path) -> None:
    old = record(label="old", startdate=1704067200)
    new = record(label="new", startdate=1735689600, supersedes="old")
    run("import", written(tmp_path, {"items": [old]}), "--utility", north)
    run("import", written(tmp_path, {"items": [new]}), "--utility", north)

    then = run("list", "--utility", north, "--on", "2024-07-01").stdout
    now = run("list", "--utility", north, "--on", "2025-07-01").stdout

    assert then.startswith("old ")
    assert now.startswith("new ")
    assert "old" not in now


def test_record_that_cannot_be_priced_is_refused_and_the_others_kept(north: str, tmp_path: Path) -> None:
    both = [record(label="good"), record(label="bad", energyratestructure=None)]

    told = run("import", written(tmp_path, both), "--utility", north, check=1).stdout

    assert "refused: bad" in told
    assert run("list", "--utility", north).stdout.startswith("good ")


def test_dry_run_keeps_nothing(north: str, tmp_path: Path) -> None:
    run("import", written(tmp_path, record()), "--utility", north, "--dry-run")

    assert run("list", "--utility", north).stdout == ""


def test_show_tells_prices_and_times(north: str) -> None:
    run("import", SAMPLES / "marsh-light-2025.json", "--utility", north)

    told = run("show", "GS-D General Service with Demand", "--utility", north).stdout

    assert "Demand, months 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12: 11.4 $/kW up to 50" in told
    assert "Jun, Jul, Aug, Sep: weekdays 16:00-21:00, weekends never" in told
    assert "no tariff 'X'" in run("show", "X", "--utility", north, check=3).stderr
