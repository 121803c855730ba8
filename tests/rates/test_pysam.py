"""Against SAM's own bill calculator wherever it can follow.

SAM's year has 365 days, starts on a Monday and knows no daylight saving, holidays or read cycles, so both sides get
2018 in UTC. It spreads a charge per day as 365/12 a month; it fills tiers in time order under net billing, so sale is
compared on untiered prices; it floors no credit at year's end that we carry. Its ratchet is compared in test_bill by
hand: the wrapper's translation of lookback fields fills one shared row.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from espi_server.rates import tariff
from espi_server.rates.bill import AS_RECORDED, Bill, Terms, bill
from espi_server.rates.fields import normalised
from espi_server.rates.tariff import Metering
from espi_server.rates.usage import Usage
from tests.rates.records import calendar_months, record, usage

pysam = pytest.importorskip("PySAM.Utilityrate5", reason="NREL-PySAM is not installed (extra `sam`)")

UTC = ZoneInfo("UTC")
MONDAY = date(2018, 1, 1)
SAMPLES = Path(__file__).parents[2] / "samples" / "tariffs" / "marsh-light-2025.json"
DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def sam(given: dict[str, Any], used: Usage, **more: Any) -> dict[str, Any]:
    """SAM's outputs for the same readings."""
    from PySAM import UtilityRateTools

    # Text and back: the wrapper adds one to its input's schedules in place, twelve times where months share a list.
    plain = normalised(json.loads(json.dumps(given)))
    if plain.get("mincharge") is None:
        plain.pop("minchargeunits", None)
    for ratchet in ("lookbackpercent", "lookbackrange", "lookbackmonths"):
        plain.pop(ratchet, None)
    rates = UtilityRateTools.URDBv8_to_ElectricityRates(plain)
    model = pysam.new()
    kw = used.net * 3600 / used.step
    once = {"analysis_period": 1, "system_use_lifetime_output": 0, "inflation_rate": 0, "degradation": [0]}
    flows = {"load": np.maximum(kw, 0).tolist(), "gen": np.maximum(-kw, 0).tolist()}
    for name, value in {**rates, **once, **flows, **more}.items():
        model.value(name, value)
    model.execute(0)
    return dict(model.Outputs.export())


def year(seed: int, step: int, size: float = 1.0) -> Usage:
    count = 365 * 86400 // step
    hour = np.arange(count) * step / 3600 % 24
    kwh = np.random.default_rng(seed).gamma(2, 0.3, count) * (1 + (np.abs(hour - 19) < 3)) * step / 3600
    return usage(kwh * size, first=MONDAY, step=step, zone=UTC)


def sunny(step: int, size: float) -> Usage:
    used = year(5, step)
    hour = np.arange(len(used)) * step / 3600 % 24
    season = 1 - 0.6 * np.cos(np.arange(len(used)) * step / 86400 / 58)
    sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * season * size * step / 3600
    return usage(used.kwh - sun, first=MONDAY, step=step, zone=UTC)


def ours(given: dict[str, Any], used: Usage, terms: Terms = AS_RECORDED) -> Bill:
    unratcheted = {k: v for k, v in given.items() if not k.lower().startswith("lookback")}
    return bill(tariff.read(unratcheted), used, calendar_months(used, UTC), terms)


def same(found: Bill, component: str, expected: Any) -> None:
    assert [cycle.sum(component) for cycle in found.cycles] == pytest.approx(list(expected), abs=1e-4)


def compare(given: dict[str, Any], used: Usage) -> None:
    found, theirs = ours(given, used), sam(given, used)

    same(found, "energy", theirs["year1_monthly_ec_charge_with_system"])
    same(found, "demand_flat", theirs["year1_monthly_dc_fixed_with_system"])
    same(found, "demand_tou", theirs["year1_monthly_dc_tou_with_system"])
    same(
        found,
        "fixed",
        np.array(theirs["year1_monthly_fixed_with_system"]) * _day_share(given, "fixedchargeunits"),
    )


def _day_share(given: dict[str, Any], unit: str) -> np.ndarray:
    """SAM's month is 365/12 days long, ours has its own."""
    return DAYS * 12 / 365 if normalised(given).get(unit) == "$/day" else np.ones(12)


@pytest.mark.parametrize("step", [900, 3600])
@pytest.mark.parametrize("given", json.loads(SAMPLES.read_text())["items"], ids=lambda given: given["name"])
def test_our_samples_cost_what_sam_says(given: dict[str, Any], step: int) -> None:
    compare(given, year(1, step, 40 if given["sector"] != "Residential" else 1))


@pytest.mark.parametrize("size", [1, 90])
def test_real_tariffs_cost_what_sam_says(tariff_reference: Path, size: float) -> None:
    for path in sorted((tariff_reference / "urdb").glob("*.json")):
        for given in json.loads(path.read_text())["items"]:
            compare(given, year(2, 3600, size))


def test_monthly_minimum_is_sams() -> None:
    given = record(
        mincharge=100, minchargeunits="$/month", fixedchargefirstmeter=12, fixedchargeunits="$/month"
    )
    used = year(3, 3600)

    theirs = sam(given, used)

    same(ours(given, used), "minimum", theirs["year1_monthly_minimum_with_system"])


def test_minimum_of_the_year_is_sams() -> None:
    given = record(mincharge=9000, minchargeunits="$/year")
    used = year(3, 3600)

    theirs = sam(given, used)

    same(ours(given, used), "minimum", theirs["year1_monthly_minimum_with_system"])


@pytest.mark.parametrize("size", [2.0, 6.0])
def test_kwh_credit_is_sams(size: float) -> None:
    tiers = json.loads(SAMPLES.read_text())["items"][0]
    used = sunny(3600, size)

    theirs = sam(tiers, used)

    found = ours(tiers, used)
    same(found, "energy", theirs["year1_monthly_ec_charge_with_system"])
    assert [cycle.carried_kwh for cycle in found.cycles] == pytest.approx(
        theirs["year1_monthly_cumulative_excess_generation"], abs=1e-3
    )


@pytest.mark.parametrize("size", [2.0, 4.0])
def test_kwh_credit_by_period_is_sams(size: float) -> None:
    times = json.loads(SAMPLES.read_text())["items"][1]
    used = sunny(3600, size)

    theirs = sam(times, used)

    same(ours(times, used), "energy", theirs["year1_monthly_ec_charge_with_system"])


@pytest.mark.parametrize("number", [0, 1])
def test_dollar_credit_is_sams(number: int) -> None:
    given = json.loads(SAMPLES.read_text())["items"][number]
    used = sunny(3600, 4.0)

    theirs = sam(given, used, ur_metering_option=1, ur_sell_eq_buy=1)

    found = ours(given, used, Terms(Metering.DOLLAR_CREDIT))
    energy = [cycle.sum("energy") + cycle.sum("credit") for cycle in found.cycles]
    assert energy == pytest.approx(list(theirs["year1_monthly_ec_charge_with_system"]), abs=1e-3)


def test_net_billing_with_credit_carried_is_sams() -> None:
    given = json.loads(SAMPLES.read_text())["items"][3]
    used = sunny(3600, 5.0)

    theirs = sam(given, used, ur_metering_option=3, ur_nb_apply_credit_current_month=1)

    found = ours(given, used, Terms(Metering.NET_BILLING))
    energy = [cycle.sum("energy") + cycle.sum("credit") for cycle in found.cycles]
    assert energy == pytest.approx(list(theirs["year1_monthly_ec_charge_with_system"]), abs=1e-3)


def test_minimum_after_dollar_credit_is_sams() -> None:
    least = {
        "mincharge": 60,
        "minchargeunits": "$/month",
        "fixedchargefirstmeter": 5,
        "fixedchargeunits": "$/month",
    }
    given = json.loads(SAMPLES.read_text())["items"][1] | least
    used = sunny(3600, 3.0)

    theirs = sam(given, used, ur_metering_option=1, ur_sell_eq_buy=1)

    same(
        ours(given, used, Terms(Metering.DOLLAR_CREDIT)),
        "minimum",
        theirs["year1_monthly_minimum_with_system"],
    )


def test_limits_by_hours_of_use_are_sams() -> None:
    steps = [[{"rate": 0.5, "max": 200, "unit": "kWh/kW"}, {"rate": 0.4, "max": 250, "unit": "kWh"},
              {"rate": 0.3, "max": 900, "unit": "kWh"}, {"rate": 0.1, "unit": "kWh/kW"}]]  # fmt: skip
    given = record(energyratestructure=steps)
    used = year(4, 3600)

    theirs = sam(given, used)

    same(ours(given, used), "energy", theirs["year1_monthly_ec_charge_with_system"])
    assert Decimal("0.1") == ours(given, used).tariff.energy[0][3].price
