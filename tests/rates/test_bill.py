"""The bill against hand arithmetic (the working stands in each test) and against the slow second opinion."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from espi_server.rates import tariff
from espi_server.rates.bill import AS_RECORDED, Bill, HoursNeeded, Terms, bill, together
from espi_server.rates.calendar import Calendar
from espi_server.rates.errors import DoesNotFit
from espi_server.rates.pricing import ExportPriceMissing
from espi_server.rates.sidecar import Sidecar
from espi_server.rates.tariff import Metering
from espi_server.rates.usage import Usage
from tests.rates.oracle import slow_bill
from tests.rates.records import (
    calendar_months,
    hours,
    household,
    read_days,
    record,
    seasonal,
    time_of_use,
    usage,
    year_of,
)

TIERS = [[{"rate": 0.1, "max": 10, "unit": "kWh daily"}, {"rate": 0.3, "unit": "kWh daily"}]]


def billed(
    given: dict[str, object],
    used: Usage,
    calendar: Calendar | None = None,
    terms: Terms = AS_RECORDED,
    **sidecar: object,
) -> Bill:
    return bill(tariff.read(given, Sidecar.parse(sidecar)), used, calendar or calendar_months(used), terms)


def test_flat_rate_is_use_times_price() -> None:
    bills = billed(record(), year_of(0.5))

    assert bills.total == pytest.approx(8760 * 0.5 * 0.2)
    assert bills.cycles[1].sum("energy") == pytest.approx(28 * 24 * 0.5 * 0.2)


def test_adjustment_is_part_of_the_price() -> None:
    bills = billed(record(energyratestructure=[[{"rate": 0.2, "adj": -0.05}]]), year_of(1))

    assert bills.total == pytest.approx(8760 * 0.15)


def test_daily_tier_limits_count_the_local_days_of_the_bill() -> None:
    # January: 24 kWh a day for 31 days = 744 kWh; 310 at 10 cents, 434 at 30: 31.00 + 130.20
    bills = billed(record(energyratestructure=TIERS), year_of(1))

    assert bills.cycles[0].total == pytest.approx(161.2)
    # February, 28 days: 280 × 0.1 + 392 × 0.3
    assert bills.cycles[1].total == pytest.approx(145.6)


def test_tier_limits_in_kwh_hold_for_the_whole_bill() -> None:
    # 744 kWh: 300 × 0.1 + 444 × 0.3
    tiers = [[{"rate": 0.1, "max": 300, "unit": "kWh"}, {"rate": 0.3, "unit": "kWh"}]]

    bills = billed(record(energyratestructure=tiers), year_of(1))

    assert bills.cycles[0].total == pytest.approx(163.2)


def test_three_tiers_are_cumulative() -> None:
    # 744 kWh: 300 × 0.1, then 200 × 0.2 up to 500, then 244 × 0.4
    tiers = [[{"rate": 0.1, "max": 300}, {"rate": 0.2, "max": 500}, {"rate": 0.4}]]

    bills = billed(record(energyratestructure=tiers), year_of(1))

    assert bills.cycles[0].total == pytest.approx(30 + 40 + 97.6)


def test_tiers_are_shared_among_periods_in_proportion_to_their_use() -> None:
    # January 2025 has 23 weekdays. 1 kWh an hour: 744 kWh, of it 23 × 5 = 115 on peak, 629 off.
    # First tier: 9.7 × 31 = 300.7 kWh of 744, whichever period. Peak: 115/744 of 300.7 at 0.31, the rest of 115 at
    # 0.39; off-peak the same way at 0.28 and 0.36.
    first = 300.7 / 744
    expected = 115 * (first * 0.31 + (1 - first) * 0.39) + 629 * (first * 0.28 + (1 - first) * 0.36)

    bills = billed(time_of_use(), year_of(1))

    assert bills.cycles[0].total == pytest.approx(expected)


def test_bill_over_a_season_change_has_days_and_use_of_each_season() -> None:
    # 20 May to 19 June: 12 winter days and 18 summer days of 24 kWh, each with limits of its own days.
    calendar = read_days(date(2025, 5, 20), date(2025, 6, 19))
    limits = [[{"rate": 0.1, "max": 10, "unit": "kWh daily"}, {"rate": 0.2, "unit": "kWh daily"}],
              [{"rate": 0.5, "max": 5, "unit": "kWh daily"}, {"rate": 1.0, "unit": "kWh daily"}]]  # fmt: skip
    rows = seasonal([1] * 24, [0] * 24)
    winter = 120 * 0.1 + (288 - 120) * 0.2
    summer = 90 * 0.5 + (432 - 90) * 1.0

    bills = billed(
        record(energyratestructure=limits, energyweekdayschedule=rows, energyweekendschedule=rows),
        year_of(1),
        calendar,
    )

    assert bills.total == pytest.approx(winter + summer)


def test_limit_in_kwh_is_divided_by_days_at_a_season_change() -> None:
    # 300 kWh for 30 days: 120 for the 12 winter days, 180 for the 18 summer days.
    calendar = read_days(date(2025, 5, 20), date(2025, 6, 19))
    ladders = [[{"rate": 0.1, "max": 300}, {"rate": 0.2}], [{"rate": 0.5, "max": 300}, {"rate": 1.0}]]
    rows = seasonal([1] * 24, [0] * 24)

    bills = billed(
        record(energyratestructure=ladders, energyweekdayschedule=rows, energyweekendschedule=rows),
        year_of(1),
        calendar,
    )

    assert bills.total == pytest.approx(120 * 0.1 + 168 * 0.2 + 180 * 0.5 + 252 * 1.0)


def test_spring_day_has_23_hours_and_autumn_day_25() -> None:
    used = year_of(1)

    bills = billed(record(fixedchargefirstmeter=1, fixedchargeunits="$/day"), used)

    march, november = bills.cycles[2], bills.cycles[10]
    assert march.sum("energy") == pytest.approx((31 * 24 - 1) * 0.2)
    assert november.sum("energy") == pytest.approx((30 * 24 + 1) * 0.2)
    assert (march.sum("fixed"), november.sum("fixed")) == (31, 30)


def test_doubled_hour_of_autumn_counts_twice_in_its_hour() -> None:
    # 1 to 2 o'clock happens twice on 2 November 2025; that hour alone costs a dollar.
    rows = [[1 if hour == 1 else 0 for hour in range(24)]] * 12
    prices = [[{"rate": 0}], [{"rate": 1}]]
    given = record(energyratestructure=prices, energyweekdayschedule=rows, energyweekendschedule=rows)
    used = year_of(1)

    bills = billed(given, used)

    assert bills.cycles[10].total == pytest.approx(31)
    # 2 to 3 o'clock does not happen on 9 March 2025, 1 to 2 does.
    assert bills.cycles[2].total == pytest.approx(31)


def test_leap_year_has_29_days_in_february() -> None:
    used = year_of(1, first=date(2024, 1, 1), days=366)

    bills = billed(record(fixedchargefirstmeter=0.5, fixedchargeunits="$/day"), used)

    assert bills.cycles[1].days == 29
    assert bills.sum("fixed") == 183
    assert bills.sum("energy") == pytest.approx(8784 * 0.2)


@pytest.mark.parametrize(("unit", "january"), [("$/day", 62), ("$/month", 2), ("$/year", 2 / 12)])
def test_fixed_charge_is_due_by_its_unit(unit: str, january: float) -> None:
    bills = billed(record(fixedchargefirstmeter=2, fixedchargeunits=unit), year_of(0))

    assert bills.cycles[0].total == pytest.approx(january)


@pytest.mark.parametrize(("unit", "top_up"), [("$/day", 310 - 148.8), ("$/month", 0)])
def test_minimum_is_topped_up_after_energy_and_fixed(unit: str, top_up: float) -> None:
    bills = billed(record(mincharge=10, minchargeunits=unit), year_of(1))

    assert bills.cycles[0].sum("minimum") == pytest.approx(top_up)


def test_minimum_of_the_year_is_topped_up_on_the_last_bill() -> None:
    bills = billed(record(mincharge=2000, minchargeunits="$/year"), year_of(1))

    assert [cycle.sum("minimum") for cycle in bills.cycles[:-1]] == [0] * 11
    assert bills.cycles[-1].sum("minimum") == pytest.approx(2000 - 1752)


def test_minimum_of_the_year_waits_until_a_year_is_over() -> None:
    used = year_of(1, days=181)

    bills = billed(record(mincharge=2000, minchargeunits="$/year"), used)

    assert bills.sum("minimum") == 0
    assert "do not make up a year" in bills.notes[0]


def test_holiday_is_billed_like_a_weekend_day_where_the_tariff_names_it() -> None:
    # 4 July 2025 is a Friday: its five peak hours of 1 kWh cost 0.32 instead of 0.44 in the first tier.
    ladders = [[{"rate": rate}] for rate in (0.44, 0.32, 0.31, 0.28)]
    given = time_of_use() | {"energyratestructure": ladders}
    used = year_of(1)
    holiday = calendar_months(used, holidays=frozenset({date(2025, 7, 4)}))

    plain = billed(given, used)
    kept = billed(given, used, holiday, holidays=["2025-07-04"])
    unnamed = billed(given, used, holiday)

    assert plain.total - kept.total == pytest.approx(5 * 0.12)
    assert unnamed.total == pytest.approx(plain.total)


def test_demand_is_the_highest_kw_of_the_bill() -> None:
    # A quarter hour of 3 kWh is 12 kW.
    kwh = np.full(31 * 96, 0.25)
    kwh[1000] = 3.0
    given = record(flatdemandstructure=[[{"rate": 5.5}]], flatdemandmonths=[0] * 12, flatdemandunit="kW")

    bills = billed(given, usage(kwh, step=900))

    assert bills.sum("demand_flat") == pytest.approx(66)


def test_demand_tiers_are_cumulative() -> None:
    # 12 kW: the first 5 at 2 dollars, the other 7 at 4.
    kwh = np.full(31 * 24, 12.0)
    given = record(flatdemandstructure=[[{"rate": 2, "max": 5}, {"rate": 4}]])

    bills = billed(given, usage(kwh))

    assert bills.sum("demand_flat") == pytest.approx(38)


def test_demand_by_time_of_use_looks_at_the_hours_of_each_period() -> None:
    # Peak 16-21 on weekdays: 4 kW there, 9 kW at night.
    kwh = np.full(31 * 24, 1.0)
    kwh[24 * 1 + 17] = 4.0  # Thursday 2 January, 17 o'clock
    kwh[24 * 3 + 18] = 7.0  # Saturday: not on peak
    kwh[24 * 5 + 3] = 9.0
    given = record(
        demandratestructure=[[{"rate": 1}], [{"rate": 10}]],
        demandweekdayschedule=[hours(1, 0)] * 12,
        demandweekendschedule=[[0] * 24] * 12,
    )

    bills = billed(given, usage(kwh))

    assert bills.sum("demand_tou") == pytest.approx(9 * 1 + 4 * 10)


def ratchet_year() -> Usage:
    kwh = np.ones(8760)
    kwh[24 * 200] = 50.0  # 20 July
    return usage(kwh)


def test_ratchet_range_looks_back_that_many_months() -> None:
    given = record(flatdemandstructure=[[{"rate": 1}]], lookbackPercent=0.8, lookbackRange=3)

    bills = billed(given, ratchet_year())

    flat = [round(cycle.sum("demand_flat"), 6) for cycle in bills.cycles]
    assert flat == [1, 1, 1, 1, 1, 1, 50, 40, 40, 40, 1, 1]


def test_ratchet_takes_the_year_to_repeat_where_earlier_months_are_unknown() -> None:
    given = record(flatdemandstructure=[[{"rate": 1}]], lookbackpercent=0.5, lookbackrange=11)

    bills = billed(given, ratchet_year())

    assert [cycle.sum("demand_flat") for cycle in bills.cycles] == pytest.approx([25] * 6 + [50] + [25] * 5)


def test_ratchet_months_are_the_ones_looked_back_to() -> None:
    winter_only = [True, True] + [False] * 10
    summer = [False] * 5 + [True] * 4 + [False] * 3
    given = record(flatdemandstructure=[[{"rate": 1}]], lookbackpercent=0.5)

    without = billed(given | {"lookbackmonths": winter_only}, ratchet_year())
    with_summer = billed(given | {"lookbackmonths": summer}, ratchet_year())

    assert without.sum("demand_flat") == pytest.approx(61)
    assert with_summer.sum("demand_flat") == pytest.approx(11 * 25 + 50)


def test_limits_per_kw_are_multiplied_by_the_billing_demand() -> None:
    # January: 744 kWh at a highest of 2 kW. 100 kWh/kW are 200 kWh at 0.30, the rest at 0.10.
    kwh = np.ones(744)
    kwh[10], kwh[11] = 2.0, 0.0
    tiers = [[{"rate": 0.3, "max": 100, "unit": "kWh/kW"}, {"rate": 0.1, "unit": "kWh/kW"}]]

    bills = billed(record(energyratestructure=tiers), usage(kwh))

    assert bills.total == pytest.approx(200 * 0.3 + 544 * 0.1)


def test_limits_per_kw_and_day_are_multiplied_by_both() -> None:
    # 3 kWh/kW × 31 days × 2 kW = 186 kWh
    kwh = np.ones(744)
    kwh[10], kwh[11] = 2.0, 0.0
    tiers = [[{"rate": 0.3, "max": 3, "unit": "kWh/kW daily"}, {"rate": 0.1, "unit": "kWh/kW daily"}]]

    bills = billed(record(energyratestructure=tiers), usage(kwh))

    assert bills.total == pytest.approx(186 * 0.3 + 558 * 0.1)


def test_kwh_steps_stand_inside_a_kwh_per_kw_block() -> None:
    # Block of 200 kWh/kW × 2 kW = 400 kWh with steps at 250; then all the rest: 250 × .4 + 150 × .3 + 344 × .1
    kwh = np.ones(744)
    kwh[10], kwh[11] = 2.0, 0.0
    tiers = [[{"rate": 9, "max": 200, "unit": "kWh/kW"}, {"rate": 0.4, "max": 250, "unit": "kWh"},
              {"rate": 0.3, "max": 900, "unit": "kWh"}, {"rate": 0.1, "unit": "kWh/kW"}]]  # fmt: skip

    bills = billed(record(energyratestructure=tiers), usage(kwh))

    assert bills.total == pytest.approx(100 + 45 + 34.4)


# --- exports -----------------------------------------------------------------------------------------------------


def two_months(january: float, february: float) -> Usage:
    """January's and February's net kWh, evenly."""
    return usage(np.concatenate([np.full(744, january / 744), np.full(672, february / 672)]))


def test_kwh_credit_is_carried_to_the_next_bill() -> None:
    bills = billed(record(dgrules="Net Metering"), two_months(-100, 300))

    assert [cycle.total for cycle in bills.cycles] == pytest.approx([0, 200 * 0.2])
    assert [cycle.carried_kwh for cycle in bills.cycles] == pytest.approx([100, 0])


def test_fixed_charge_is_due_whatever_credit_there_is() -> None:
    given = record(dgrules="Net Metering", fixedchargefirstmeter=0.5, fixedchargeunits="$/day")

    bills = billed(given, two_months(-100, -50))

    assert [cycle.total for cycle in bills.cycles] == [15.5, 14]
    assert bills.cycles[-1].carried_kwh == pytest.approx(150)


def test_kwh_credit_stays_in_its_time_of_use_period() -> None:
    # January, weekdays 16-21: peak. 50 kWh too many on peak do not pay for 200 kWh off-peak.
    kwh = np.zeros(744)
    kwh[24 + 17], kwh[24 + 3] = -50, 200
    ladders = [[{"rate": rate}] for rate in (0.44, 0.32, 0.31, 0.28)]

    bills = billed(time_of_use() | {"energyratestructure": ladders, "dgrules": "Net Metering"}, usage(kwh))

    assert bills.total == pytest.approx(200 * 0.28)
    assert bills.cycles[0].carried_kwh == pytest.approx(50)


def test_kwh_credit_moves_with_its_hours_into_the_next_season() -> None:
    # 40 kWh of winter peak (period 2) in May pay for summer peak (period 0) in June.
    may, june = np.zeros(744), np.zeros(720)
    may[24 + 17] = -40  # Friday 2 May 2025
    june[24 + 17] = 100  # Monday 2 June
    ladders = [[{"rate": rate}] for rate in (0.44, 0.32, 0.31, 0.28)]
    given = time_of_use() | {"energyratestructure": ladders, "dgrules": "Net Metering"}

    bills = billed(given, usage(np.concatenate([may, june]), first=date(2025, 5, 1)))

    assert [cycle.total for cycle in bills.cycles] == pytest.approx([0, 60 * 0.44])


def test_dollar_credit_is_worth_the_retail_price_and_carried() -> None:
    # January earns 100 × 0.20 = 20 dollars; February owes 60 and pays 40.
    bills = billed(record(), two_months(-100, 300), terms=Terms(Metering.DOLLAR_CREDIT))

    assert [cycle.total for cycle in bills.cycles] == pytest.approx([0, 40])
    assert bills.cycles[0].carried_dollars == pytest.approx(20)
    assert bills.cycles[1].sum("credit") == pytest.approx(-20)


def test_dollar_credit_of_one_period_pays_for_another() -> None:
    kwh = np.zeros(744)
    kwh[24 + 17], kwh[24 + 3] = -50, 200
    ladders = [[{"rate": rate}] for rate in (0.44, 0.32, 0.31, 0.28)]

    bills = billed(
        time_of_use() | {"energyratestructure": ladders}, usage(kwh), terms=Terms(Metering.DOLLAR_CREDIT)
    )

    assert bills.total == pytest.approx(200 * 0.28 - 50 * 0.31)


def test_net_billing_sells_exports_at_the_export_price() -> None:
    # Half the hours +1, half −1: 372 kWh bought at 0.20, 372 sold at 0.05.
    kwh = np.tile([1.0, -1.0], 372)

    bills = billed(record(), usage(kwh), terms=Terms(Metering.NET_BILLING, Decimal("0.05")))

    cycle = bills.cycles[0]
    assert (cycle.sum("energy"), cycle.sum("credit")) == (pytest.approx(74.4), pytest.approx(-18.6))


def test_net_billing_uses_the_sell_price_of_the_record() -> None:
    kwh = np.tile([1.0, -1.0], 372)
    given = record(dgrules="Net Billing Instantaneous", energyratestructure=[[{"rate": 0.2, "sell": 0.03}]])

    bills = billed(given, usage(kwh))

    assert bills.total == pytest.approx(372 * 0.17)


def test_sale_of_exports_never_pays_more_than_energy_and_the_rest_is_carried() -> None:
    given = record(fixedchargefirstmeter=10, fixedchargeunits="$/month")

    bills = billed(given, two_months(-1000, 100), terms=Terms(export_price=Decimal("0.1")))

    assert [cycle.total for cycle in bills.cycles] == pytest.approx([10, 10])
    assert [cycle.carried_dollars for cycle in bills.cycles] == pytest.approx([100, 80])


def test_net_billing_hourly_nets_within_the_hour_first() -> None:
    # Four quarters of an hour: +1 +1 −1 −1. Instantaneous: 2 bought, 2 sold. Hourly: nothing.
    kwh = np.tile([1.0, 1.0, -1.0, -1.0], 744)
    given = record(energyratestructure=[[{"rate": 0.2, "sell": 0.1}]])

    now = billed(given | {"dgrules": "Net Billing Instantaneous"}, usage(kwh, step=900))
    hourly = billed(given | {"dgrules": "Net Billing Hourly"}, usage(kwh, step=900))

    assert now.total == pytest.approx(1488 * 0.1)
    assert hourly.total == 0


def test_buy_all_sell_all_nets_nothing() -> None:
    used = usage(np.full(744, 2.0), generated=np.full(744, 1.5))
    given = record(dgrules="Buy All Sell All", energyratestructure=[[{"rate": 0.2, "sell": 0.1}]])

    bills = billed(given, used)

    assert bills.total == pytest.approx(744 * (2 * 0.2 - 1.5 * 0.1))


def test_export_without_any_price_is_an_error_that_says_what_to_name() -> None:
    with pytest.raises(ExportPriceMissing, match="--export-rate"):
        billed(record(), usage(np.full(744, -1.0)), terms=Terms(Metering.NET_BILLING))


def test_generation_is_subtracted() -> None:
    used = usage(np.full(744, 2.0), generated=np.full(744, 0.5))

    assert billed(record(), used).total == pytest.approx(744 * 1.5 * 0.2)


def test_minimum_counts_what_is_due_after_credit() -> None:
    given = record(mincharge=12, minchargeunits="$/month")

    bills = billed(given, two_months(-100, 70), terms=Terms(Metering.DOLLAR_CREDIT))

    assert [cycle.total for cycle in bills.cycles] == pytest.approx([12, 12])


# --- the sidecar -------------------------------------------------------------------------------------------------


def test_baseline_credit_is_paid_up_to_the_allowance() -> None:
    # 744 kWh; allowance 10 × 31 = 310 kWh at −0.09
    baseline = {"allowances": [{"months": list(range(1, 13)), "kwh_per_day": 10}], "credit": -0.09}

    bills = billed(record(), usage(np.ones(744)), baseline=baseline)

    assert bills.total == pytest.approx(744 * 0.2 - 310 * 0.09)


def test_medical_allowance_lengthens_the_first_tier() -> None:
    # (10 + 5) × 31 = 465 kWh at 0.10, 279 at 0.30
    baseline = {"allowances": [{"months": list(range(1, 13)), "kwh_per_day": 10}], "medical_extra": 5}

    bills = billed(record(energyratestructure=TIERS), usage(np.ones(744)), baseline=baseline)

    assert bills.total == pytest.approx(46.5 + 83.7)


def test_discount_is_taken_after_everything_else() -> None:
    given = record(fixedchargefirstmeter=10, fixedchargeunits="$/month")

    bills = billed(given, usage(np.ones(744)), discounts=[{"name": "CARE", "percent": 35}])

    assert bills.total == pytest.approx(148.8 * 0.65 + 10)


def test_bill_credit_is_given_in_its_months() -> None:
    bills = billed(
        record(), year_of(1), credits=[{"name": "Climate credit", "amount": 40, "months": [4, 10]}]
    )

    assert [n + 1 for n, cycle in enumerate(bills.cycles) if cycle.sum("credit")] == [4, 10]
    assert bills.sum("credit") == -80


def test_charge_on_imports_is_not_paid_by_credit() -> None:
    kwh = np.tile([1.0, -1.0], 372)

    bills = billed(
        record(),
        usage(kwh),
        terms=Terms(Metering.DOLLAR_CREDIT),
        adders=[{"name": "Non-bypassable", "price": 0.03}],
    )

    assert bills.total == pytest.approx(372 * 0.03)


def test_minimum_for_delivery_looks_at_the_delivery_part_alone() -> None:
    # 31 × 0.40 = 12.40 must be reached by 50 kWh × 0.10
    least = {"amount": 0.4, "unit": "$/day", "delivery_price": 0.1}

    bills = billed(record(), usage(np.full(744, 50 / 744)), minimum_delivery=least)

    assert bills.sum("minimum") == pytest.approx(12.4 - 5)


def test_edge_off_the_hour_is_priced_in_quarter_hours() -> None:
    # Peak from 16:30 to 17:15: two quarters of hour 16 and one of hour 17, every day.
    given = record(energyratestructure=[[{"rate": 0}], [{"rate": 1}]])
    edges = [{"from": "16:30", "to": "17:15", "period": 1}]

    bills = billed(given, year_of(0.25, step=900, days=31), edges=edges)

    assert bills.total == pytest.approx(31 * 3 * 0.25)


def test_export_prices_may_differ_by_month_day_and_hour() -> None:
    table = {"weekday": [[0.1] * 24] * 12, "weekend": [[0.02] * 24] * 12}
    kwh = np.tile([10.0, -1.0], 372)

    bills = billed(record(dgrules="Net Billing Hourly"), usage(kwh), export_prices=table)

    # January 2025: 23 weekdays and 8 weekend days, 12 kWh sold on each.
    assert bills.sum("credit") == pytest.approx(-(23 * 12 * 0.1 + 8 * 12 * 0.02))


def test_delivery_and_generation_records_make_one_bill() -> None:
    used = year_of(1, days=31)
    delivery = billed(record(fixedchargefirstmeter=1, fixedchargeunits="$/day", servicetype="Delivery"), used)
    generation = billed(record(energyratestructure=[[{"rate": 0.11}]]), used)

    both = together(delivery, generation)

    assert both.total == pytest.approx(744 * 0.31 + 31)
    assert {line.words.split(":")[0] for line in both.cycles[0].lines} == {"Delivery", "Generation"}


# --- readings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [900, 1800, 3600])
def test_interval_length_does_not_change_energy(step: int) -> None:
    fine = household(step=900)
    coarse = Usage(fine.start, step, fine.kwh.reshape(-1, step // 900).sum(axis=1))

    assert billed(time_of_use(), coarse).total == pytest.approx(billed(time_of_use(), fine).total)


def test_daily_readings_are_local_days_and_price_tiers() -> None:
    used = usage(np.full(365, 24.0), step=86400)

    bills = billed(record(energyratestructure=TIERS, fixedchargefirstmeter=1, fixedchargeunits="$/day"), used)

    assert [cycle.days for cycle in bills.cycles][2] == 31
    assert bills.total == pytest.approx(365 * (1 + 14 * 0.3 + 1) + 0)


def test_daily_readings_cannot_be_priced_by_the_hour() -> None:
    used = usage(np.full(365, 24.0), step=86400)

    with pytest.raises(HoursNeeded, match="60 minutes"):
        billed(time_of_use(), used)
    with pytest.raises(HoursNeeded, match="highest kW"):
        billed(record(flatdemandstructure=[[{"rate": 1}]]), used)


def test_daily_readings_price_weekends_apart() -> None:
    given = record(
        energyratestructure=[[{"rate": 0.1}], [{"rate": 0.3}]], energyweekendschedule=[[1] * 24] * 12
    )
    used = usage(np.full(31, 10.0), step=86400)

    assert billed(given, used).total == pytest.approx(23 * 1 + 8 * 3)


def test_missing_reading_counts_as_the_mean_of_its_hour() -> None:
    kwh = np.ones(744)
    kwh[17] = 99.0
    kwh[24 * 7 + 17] = np.nan  # the same hour, a Wednesday too; the others of that hour are 99 and 21 times 1
    expected = 743 - 1 + 99 + (99 + 21) / 22

    bills = billed(record(), usage(kwh))

    assert bills.total == pytest.approx(expected * 0.2)


def test_month_without_readings_is_not_billed_from_nothing() -> None:
    kwh = np.ones(8760)
    kwh[:744] = np.nan

    with pytest.raises(DoesNotFit, match="no reading at all"):
        billed(record(), usage(kwh))


def test_readings_must_fill_every_cycle() -> None:
    used = year_of(1, days=31)
    calendar = read_days(date(2025, 1, 1), date(2025, 2, 3))

    with pytest.raises(DoesNotFit, match="cycle 1 is"):
        billed(record(), used, calendar)


# --- against the slow second opinion, and what must always hold ---------------------------------------------------


def spread_reads(first: date, cycles: int) -> list[date]:
    return [first + timedelta(days=30 * n + n % 3) for n in range(cycles + 1)]


@pytest.mark.parametrize("step", [900, 3600])
def test_bill_equals_the_slow_second_opinion_on_read_cycles(step: int) -> None:
    given = time_of_use(
        fixedchargefirstmeter=0.79, fixedchargeunits="$/day", mincharge=95, minchargeunits="$/month"
    )
    used = household(step=step)
    calendar = read_days(
        *spread_reads(date(2025, 1, 9), 11), holidays=frozenset({date(2025, 7, 4), date(2025, 5, 26)})
    )

    bills = billed(given, used, calendar, holidays=["2025-07-04", "2025-05-26"])

    for found, expected in zip(bills.cycles, slow_bill(given, used, calendar), strict=True):
        assert found.total == pytest.approx(expected["total"], abs=1e-9)
        assert found.sum("minimum") == pytest.approx(expected["minimum"], abs=1e-9)


def test_real_tariffs_equal_the_slow_second_opinion(tariff_reference: Path) -> None:
    used = household(step=3600)
    calendar = read_days(*spread_reads(date(2025, 1, 4), 11))
    for path in sorted((tariff_reference / "urdb").glob("*.json")):
        for given in json.loads(path.read_text())["items"]:
            bills = bill(tariff.read(given), used, calendar)

            slow = slow_bill({name.lower(): value for name, value in given.items()}, used, calendar)

            for found, expected in zip(bills.cycles, slow, strict=True):
                for part in ("energy", "fixed", "demand_flat", "demand_tou", "minimum"):
                    assert found.sum(part) == pytest.approx(expected[part], abs=1e-8), given["name"]


def test_tariff_and_readings_are_not_changed_by_use() -> None:
    given = time_of_use(dgrules="Net Metering")
    before = json.dumps(given)
    priced, used = tariff.read(given), household(solar=True)
    kept, untouched = replace(priced), used.kwh.copy()

    bill(priced, used, calendar_months(used))

    assert json.dumps(given) == before
    assert priced == kept
    assert np.array_equal(used.kwh, untouched)


@pytest.mark.parametrize(
    ("rule", "asked", "holds"),
    [
        ("Net Metering", Terms(), Metering.KWH_CREDIT),
        (None, Terms(), Metering.KWH_CREDIT),
        ("Buy All Sell All", Terms(Metering.NET_BILLING), Metering.NET_BILLING),
        ("Net Billing Hourly", Terms(Metering.NET_BILLING), Metering.NET_BILLING_HOURLY),
        ("Net Billing Hourly", Terms(Metering.DOLLAR_CREDIT), Metering.DOLLAR_CREDIT),
        ("Net Metering", Terms(export_price=Decimal("0.05")), Metering.NET_BILLING),
        ("Buy All Sell All", Terms(export_price=Decimal("0.05")), Metering.BUY_ALL_SELL_ALL),
    ],
)
def test_what_is_asked_goes_before_what_the_record_says(
    rule: str | None, asked: Terms, holds: Metering
) -> None:
    assert asked.of(tariff.read(record(dgrules=rule))) is holds
