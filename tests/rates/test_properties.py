"""What holds for any tariff and any readings."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espi_server.rates import tariff
from espi_server.rates.bill import Bill, Terms, bill
from espi_server.rates.cells import Cells
from espi_server.rates.plan import Plan
from espi_server.rates.pricing import COMPONENTS, Batch, charge
from espi_server.rates.tariff import Metering
from espi_server.rates.usage import Usage
from tests.rates.records import hours, read_days, record, seasonal, usage

CALENDAR = read_days(
    date(2025, 3, 3), date(2025, 4, 2), date(2025, 5, 20), date(2025, 6, 18), date(2025, 7, 19)
)
COUNT = (CALENDAR.cycles[-1].end - CALENDAR.cycles[0].start) // 3600
PRICES = st.integers(0, 90).map(lambda cents: cents / 100)


@st.composite
def ladders(draw: Any) -> list[dict[str, Any]]:
    unit = draw(st.sampled_from(["kWh", "kWh daily", "kWh/kW", "kWh/kW daily"]))
    limits = sorted(draw(st.sets(st.integers(1, 60), max_size=3)))
    tiers = [{"rate": draw(PRICES), "max": limit, "unit": unit} for limit in limits]
    return [*tiers, {"rate": draw(PRICES), "unit": unit, "sell": draw(PRICES)}]


@st.composite
def records(draw: Any) -> dict[str, Any]:
    weekday = seasonal(hours(0, 1), hours(2, 3))
    weekend = draw(st.sampled_from([seasonal([1] * 24, [3] * 24), weekday]))
    return record(
        energyratestructure=[draw(ladders()) for _ in range(4)],
        energyweekdayschedule=weekday,
        energyweekendschedule=weekend,
        flatdemandstructure=draw(st.sampled_from([None, [[{"rate": 4, "max": 1}, {"rate": 7}]]])),
        lookbackpercent=draw(st.sampled_from([None, 0.5])),
        fixedchargefirstmeter=draw(st.sampled_from([None, 0.5])),
        fixedchargeunits=draw(st.sampled_from(["$/day", "$/month"])),
        mincharge=draw(st.sampled_from([None, 40])),
        minchargeunits="$/month",
    )


@st.composite
def readings(draw: Any, lowest: float = 0.0) -> Usage:
    dice = np.random.default_rng(draw(st.integers(0, 10**6)))
    kwh = dice.uniform(lowest, draw(st.floats(0.01, 4)), COUNT) * (dice.random(COUNT) < draw(st.floats(0, 1)))
    return usage(kwh, first=date(2025, 3, 3))


TERMS = st.sampled_from(
    [Terms(None), *(Terms(kind) for kind in Metering if kind is not Metering.NET_BILLING_HOURLY)]
)


def priced(given_record: dict[str, Any], used: Usage, terms: Terms = Terms()) -> Bill:  # noqa: B008 - frozen
    return bill(tariff.read(given_record), used, CALENDAR, terms)


@settings(max_examples=60, deadline=None)
@given(records(), readings(lowest=-2.0), TERMS)
def test_lines_add_up_to_totals(given_record: dict[str, Any], used: Usage, terms: Terms) -> None:
    found = priced(given_record, used, terms)
    plan = Plan.of(found.tariff, CALENDAR)

    amounts = charge(plan, Batch.of([Cells.of(used, CALENDAR, metering=terms.of(found.tariff))]), terms)

    for n, cycle in enumerate(found.cycles):
        assert cycle.total == pytest.approx(sum(cycle.sum(part) for part in COMPONENTS))
        for part in COMPONENTS:
            assert cycle.sum(part) == pytest.approx(float(getattr(amounts, part)[n, 0]), abs=1e-9)
        for line in cycle.lines:
            if line.quantity is not None and line.price is not None:
                assert line.amount == pytest.approx(line.quantity * float(line.price), abs=1e-9)
    assert found.total == pytest.approx(float(amounts.total.sum()))


@settings(max_examples=40, deadline=None)
@given(records(), readings(), st.integers(1, COUNT - 1))
def test_splitting_the_readings_changes_nothing(given_record: dict[str, Any], used: Usage, cut: int) -> None:
    plan = Plan.of(tariff.read(given_record), CALENDAR)
    early = Usage(used.start, 3600, used.kwh[:cut])
    late = Usage(used.start + 3600 * cut, 3600, used.kwh[cut:])

    in_two = charge(plan, Batch.of([Cells.of(early, CALENDAR) + Cells.of(late, CALENDAR)]))
    at_once = charge(plan, Batch.of([Cells.of(used, CALENDAR)]))

    assert in_two.total == pytest.approx(at_once.total)


@settings(max_examples=60, deadline=None)
@given(records(), readings(), st.integers(0, COUNT - 1), st.floats(0.001, 50))
def test_adding_use_never_lowers_an_energy_charge(
    given_record: dict[str, Any], used: Usage, at: int, more: float
) -> None:
    # Ladders that rise: where one falls, a cheap kWh off peak moves peak kWh into a cheaper tier, as sharing wants.
    for ladder in given_record["energyratestructure"]:
        for tier, rate in zip(ladder, sorted(tier["rate"] for tier in ladder), strict=True):
            tier["rate"], tier["unit"] = rate, "kWh daily"

    before, after = priced(given_record, used), priced(given_record, with_more(used, at, more))

    assert after.sum("energy") >= before.sum("energy") - 1e-9


@settings(max_examples=40, deadline=None)
@given(ladders(), readings(), st.integers(0, COUNT - 1), st.floats(0.001, 50))
def test_adding_use_never_lowers_the_charge_of_any_one_ladder(
    ladder: list[dict[str, Any]], used: Usage, at: int, more: float
) -> None:
    # Limits per kW move with the demand, so these are asked without.
    for tier in ladder:
        tier["unit"] = "kWh"
    given_record = record(energyratestructure=[ladder])

    before, after = priced(given_record, used), priced(given_record, with_more(used, at, more))

    assert after.sum("energy") >= before.sum("energy") - 1e-9


def with_more(used: Usage, at: int, kwh: float) -> Usage:
    raised = used.kwh.copy()
    raised[at] += kwh
    return Usage(used.start, used.step, raised)


@settings(max_examples=30, deadline=None)
@given(records(), readings(lowest=-2.0), TERMS)
def test_accounts_side_by_side_cost_what_each_costs_alone(
    given_record: dict[str, Any], used: Usage, terms: Terms
) -> None:
    read = tariff.read(given_record)
    plan = Plan.of(read, CALENDAR)
    other = Usage(used.start, 3600, np.abs(used.kwh[::-1]))
    metering = terms.of(read)

    together = charge(
        plan, Batch.of([Cells.of(one, CALENDAR, metering=metering) for one in (other, used)]), terms
    )

    assert together.total[:, 1].sum() == pytest.approx(bill(read, used, CALENDAR, terms).total)
    assert together.total[:, 0].sum() == pytest.approx(bill(read, other, CALENDAR, terms).total)
