"""Every fault real records were found to have is found: in small records of our own, and in the published ones."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from espi_server.rates import findings, tariff
from espi_server.rates.errors import UnusableTariff
from tests.rates.records import hours, record, seasonal, time_of_use

FAULTY = Path(__file__).parents[2] / "samples" / "tariffs" / "faulty.json"
GOOD = [FAULTY.with_name(name) for name in ("marsh-light-2025.json", "harbor-community-2025.json")]


def codes(given: dict[str, Any], *siblings: dict[str, Any]) -> set[str]:
    return {finding.code for finding in findings.check(given, siblings)}


def money(given: dict[str, Any], *siblings: dict[str, Any]) -> set[str]:
    return {finding.code for finding in findings.check(given, siblings) if finding.changes_money}


def by_name(path: Path) -> dict[str, list[findings.Finding]]:
    items = json.loads(path.read_text())["items"]
    return {given["name"]: found for given, found in zip(items, findings.check_all(items), strict=True)}


def test_clean_record_has_no_finding() -> None:
    assert findings.check(record()) == []
    assert findings.check(time_of_use()) == []


def test_schedule_wrong_everywhere_is_told_once() -> None:
    found = findings.check(record(energyweekdayschedule=[[None] * 24] * 12))

    assert [one.where for one in found] == ["energyweekdayschedule[0][0]"]


def test_limits_in_two_units_are_doubted() -> None:
    steps = [{"rate": 1, "max": 500, "unit": "kWh"}, {"rate": 2, "max": 20, "unit": "kWh daily"}, {"rate": 3}]

    assert "UNITS_MIXED" in money(record(energyratestructure=[steps]))


def test_finding_tells_code_words_and_place() -> None:
    (found,) = findings.check(record(energyratestructure=[[{"rate": 0.2, "unit": "therm"}]]))

    assert (found.code, found.where) == ("UNIT_UNKNOWN", "energyratestructure[0][0].unit")
    assert "accepted: kWh, kWh daily" in found.words
    assert found.to_json()["weight"] == "error"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"energyratestructure": None}, "ENERGY_MISSING"),
        ({"energyratestructure": []}, "STRUCTURE_SHAPE"),
        ({"energyratestructure": [[]]}, "PERIOD_EMPTY"),
        ({"energyratestructure": [[{"rate": "cheap"}]]}, "NOT_A_NUMBER"),
        ({"energyratestructure": [[{"rate": True}]]}, "NOT_A_NUMBER"),
        ({"energyratestructure": [[{"rate": float("nan")}]]}, "NOT_A_NUMBER"),
        ({"energyratestructure": [[{"rate": 1, "max": -3}, {"rate": 2}]]}, "LIMIT_NOT_POSITIVE"),
        ({"energyratestructure": [[{"rate": 1, "max": 9}, {"rate": 2, "max": 9}]]}, "TIERS_OVERLAP"),
        ({"energyratestructure": [[{"rate": 1}, {"rate": 2}]]}, "TIERS_OVERLAP"),
        ({"energyratestructure": [[{"rate": 0.2, "unit": "kW"}]]}, "UNIT_UNKNOWN"),
        ({"energyweekdayschedule": [[0] * 24] * 11}, "SCHEDULE_SHAPE"),
        ({"energyweekdayschedule": [[0] * 23] * 12}, "SCHEDULE_SHAPE"),
        ({"energyweekdayschedule": [[1] * 24] * 12}, "PERIOD_MISSING"),
        ({"energyweekdayschedule": [["peak"] * 24] * 12}, "NOT_A_NUMBER"),
        ({"energyweekendschedule": None}, "SCHEDULE_MISSING"),
        ({"flatdemandstructure": [[{"rate": 1}], [{"rate": 2}]]}, "SCHEDULE_MISSING"),
        ({"flatdemandstructure": [[{"rate": 1}]], "flatdemandmonths": [0] * 11 + [1]}, "PERIOD_MISSING"),
        ({"flatdemandstructure": [[{"rate": 1}]], "flatdemandunit": "kVA"}, "UNIT_UNKNOWN"),
        ({"fixedchargefirstmeter": 3, "fixedchargeunits": "$/week"}, "UNIT_UNKNOWN"),
        ({"mincharge": "two", "minchargeunits": "$/day"}, "NOT_A_NUMBER"),
        ({"lookbackmonths": [1, 0]}, "SCHEDULE_SHAPE"),
        ({"lookbackrange": 2.5}, "NOT_A_NUMBER"),
        ({"lookbackrange": -3}, "NOT_A_NUMBER"),
        ({"lookbackpercent": -0.5}, "NOT_A_NUMBER"),
        ({"energyratestructure": [[{"rate": 1e308}]]}, "NOT_A_NUMBER"),
        ({"fixedchargefirstmeter": 1e30, "fixedchargeunits": "$/day"}, "NOT_A_NUMBER"),
    ],
)
def test_record_that_cannot_be_priced_is_refused_with_the_place(fields: dict[str, Any], code: str) -> None:
    given = record(**fields)

    assert code in {finding.code for finding in findings.check(given) if finding.is_error}
    with pytest.raises(UnusableTariff, match=code):
        tariff.read(given)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"fixedchargefirstmeter": 0.79343, "fixedchargeunits": "$/month"}, "FIXED_UNIT_SUSPECT"),
        ({"fixedchargefirstmeter": 24.15, "fixedchargeunits": "$/day"}, "FIXED_UNIT_SUSPECT"),
        ({"fixedchargeunits": "$/month"}, "FIXED_VALUE_MISSING"),
        ({"minchargeunits": "$/day"}, "MINIMUM_VALUE_MISSING"),
        ({"fixedchargefirstmeter": 12}, "UNIT_MISSING"),
        ({"servicetype": "Delivery"}, "NOT_BUNDLED"),
        ({"energycomments": "Baseline Credit = -0.09591"}, "PRICE_IN_COMMENT"),
        ({"demandreactivepowercharge": 0.66}, "NOT_PRICED"),
        ({"fueladjustmentsmonthly": [0.01] * 12}, "NOT_PRICED"),
        ({"energyratestructure": [[{"rate": 185}]]}, "PRICE_OUTLIER"),
        ({"energyratestructure": [[{"unit": "kWh"}]]}, "RATE_MISSING"),
        ({"energyratestructure": [[{"rate": 0.52827, "max": 9}, {"rate": 0.52837}]]}, "TIER_PRICE_TYPO"),
        ({"energyratestructure": [[{"rate": 0.2, "max": 9}, {"rate": 0.3, "max": 20}]]}, "LAST_TIER_ENDS"),
        ({"energyratestructure": [[{"rate": 0.2, "max": 9}, {"rate": 0.3}]]}, "UNIT_MISSING"),
        ({"energyratestructure": [[{"rate": 0.2, "price": 3}]]}, "UNKNOWN_FIELD"),
        ({"dgrules": "Net Magic"}, "RULE_UNKNOWN"),
        ({"dgrules": "Net Billing Hourly"}, "SELL_PRICE_MISSING"),
        ({"lookbackpercent": 80}, "RATCHET_SHARE"),
        ({"enddate": 1}, "DATES_REVERSED"),
    ],
)
def test_doubt_that_changes_money_is_found(fields: dict[str, Any], code: str) -> None:
    assert code in money(record(**fields))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"colour": "blue"}, "UNKNOWN_FIELD"),
        ({"supercedes": "x", "flatDemandUnits": "kW"}, "OTHER_SPELLING"),
        ({"approved": False}, "NOT_APPROVED"),
        ({"energyratestructure": [[{"rate": 1, "max": 9, "unit": "kWh"}, {"rate": 1}]]}, "TIER_SAME_PRICE"),
        ({"energycomments": "Climate credit not reflected in rate"}, "LEFT_OUT"),
        ({"energyratestructure": [[{"rate": 1}], [{"rate": 2}]]}, "PERIOD_UNUSED"),
    ],
)
def test_note_is_told_and_holds_nothing_up(fields: dict[str, Any], code: str) -> None:
    given = record(**fields)

    assert code in codes(given)
    assert code not in money(given)


def test_schedule_that_points_to_another_season_is_found() -> None:
    given = time_of_use()
    given["energyweekdayschedule"] = [
        hours(1, 3) if month in (9, 10, 11) else row
        for month, row in enumerate(seasonal(hours(0, 1), hours(2, 3)))
    ]

    (found,) = (one for one in findings.check(given) if one.code == "SCHEDULE_SEASON")

    assert found.where == "energyweekdayschedule[9][16]"
    assert "Months 10, 11, 12 point to period 1" in found.words
    assert "have period 2 there" in found.words


def test_off_peak_period_of_the_whole_year_is_no_wrong_season() -> None:
    rows = seasonal(hours(1, 0), hours(2, 0))
    prices = [[{"rate": 0.1}], [{"rate": 0.5}], [{"rate": 0.3}]]

    given = record(
        energyratestructure=prices, energyweekdayschedule=rows, energyweekendschedule=[[0] * 24] * 12
    )

    assert findings.check(given) == []


def test_fixed_charge_in_another_unit_than_its_siblings_is_found() -> None:
    daily = record(fixedchargefirstmeter=2.5, fixedchargeunits="$/day")
    monthly = record(fixedchargefirstmeter=2.5, fixedchargeunits="$/month")

    assert "FIXED_UNIT_SUSPECT" in money(monthly, daily, daily)
    assert "FIXED_UNIT_SUSPECT" not in money(daily, daily, monthly)


def test_records_of_one_file_with_one_label_or_name_are_found() -> None:
    one, two = record(), record(name="Other")
    later = record(label="b", startdate=1800000000)
    ended = record(label="c", enddate=1800000000)

    (first, second) = findings.check_all([one, two])
    (third, fourth) = findings.check_all([ended, later])

    assert {found.code for found in first} & {found.code for found in second} == {"LABEL_TWICE"}
    assert (third, fourth) == ([], [])
    assert "NAME_TWICE" in {found.code for found in findings.check_all([record(), record(label="b")])[0]}


def test_bulk_download_reads_like_the_api() -> None:
    given = record(energyratestructure=None, startdate=None)
    given |= {
        "energyRateStrux": [{"energyRateTiers": [{"rate": 0.2, "unit": "kWh"}]}],
        "effectiveDate": {"$date": "2025-01-01T00:00:00Z"},
        "_id": {"$oid": "aaaaaaaaaaaaaaaaaaaaaaa1"},
        "dgRules": "Net Metering",
        "label": None,
    }

    read = tariff.read(given)

    assert read == tariff.read(record(dgrules="Net Metering"))


def test_charges_named_before_version_eight_are_read() -> None:
    old = record(fixedmonthlycharge=12, annualmincharge=90)
    new = record(fixedchargefirstmeter=12, fixedchargeunits="$/month", mincharge=90, minchargeunits="$/year")

    assert tariff.read(old) == tariff.read(new)
    assert findings.check(old) == []


def test_faulty_samples_have_the_faults_they_are_named_for() -> None:
    found = {name: {one.code for one in all_} for name, all_ in by_name(FAULTY).items()}

    assert "FIXED_UNIT_SUSPECT" in found["R-TOU with a monthly fixed charge"]
    assert "SCHEDULE_SEASON" in found["R-EV with autumn in the wrong season"]
    assert {"NOT_BUNDLED", "PRICE_IN_COMMENT"} <= found["R-TOU-D Residential Time of Use, Delivery Only"]
    assert "TIER_PRICE_TYPO" in found["R-TOU with a typing error in a tier"]
    assert {"FIXED_VALUE_MISSING", "MINIMUM_VALUE_MISSING"} <= found["R-EV with units but no values"]
    assert "TIER_SAME_PRICE" in found["R-1 with a third tier at the price of the second"]
    assert {"OTHER_SPELLING", "UNKNOWN_FIELD", "NOT_PRICED"} <= found["GS-D as in the bulk download"]
    assert "PRICE_OUTLIER" in found["R-EV in cents"]
    assert "NAME_TWICE" in found["R-1 Residential Tiered"]


def test_good_samples_have_nothing_but_what_their_kind_brings() -> None:
    for path in GOOD:
        for found in by_name(path).values():
            assert {one.code for one in found} <= {"NOT_BUNDLED", "PRICE_IN_COMMENT"}


def test_every_known_fault_of_the_published_records_is_found(tariff_reference: Path) -> None:
    found = {}
    for path in sorted((tariff_reference / "urdb").glob("*.json")):
        found |= {name: {one.code for one in all_} for name, all_ in by_name(path).items()}

    def of(name: str) -> set[str]:
        return next(all_ for full, all_ in found.items() if full.startswith(name))

    assert "FIXED_UNIT_SUSPECT" in of("TOU-DR-1")
    assert "SCHEDULE_SEASON" in of("E-ELEC")
    assert all("NOT_BUNDLED" in of(name) for name in ("TOU-D-4-9PM", "TOU-D-5-8PM", "TOU-D-PRIME"))
    assert all("PRICE_IN_COMMENT" in of(name) for name in ("TOU-D-4-9PM", "TOU-D-5-8PM"))
    assert "TIER_PRICE_TYPO" in of("TOU-DR Coastal")
    assert "MINIMUM_VALUE_MISSING" in of("TOU-DR-2")
    assert "FIXED_VALUE_MISSING" in of("EV-TOU")
    assert all("TIER_SAME_PRICE" in of(name) for name in ("E-1", "Domestic Service: D"))
    assert all("OTHER_SPELLING" in of(name) for name in ("AL-TOU", "CI-TOD3"))
    clean = [name for name, all_ in found.items() if not all_]
    assert len(clean) >= 5


def _places(node: Any) -> list[tuple[Any, Any]]:
    pairs = (
        list(node.items())
        if isinstance(node, dict)
        else list(enumerate(node))
        if isinstance(node, list)
        else []
    )
    return [(node, key) for key, _ in pairs] + [place for _, child in pairs for place in _places(child)]


def test_no_broken_record_breaks_the_check() -> None:
    """Two thousand records with one to three parts replaced by something else: findings, never a crash."""
    dice = random.Random(3)
    items = json.loads(FAULTY.read_text())["items"]
    junk = [None, "", "x", -1, 0, 7, 1e400, [], {}, [[]], [{}], {"$date": "soon"}, True, "0.1", [None] * 12]

    for _ in range(2000):
        given = json.loads(json.dumps(dice.choice(items)))
        for _ in range(dice.randint(1, 3)):
            node, key = dice.choice(_places(given))
            node[key] = copy.deepcopy(dice.choice(junk))
        errors = [found for found in findings.check(given) if found.is_error]
        if not errors:
            tariff.read(given)
