"""Rules on UsageSummary: periods, money, and whether the bill and the readings tell the same story."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

from .local_time import when
from .rule import Faults, Severity, rule
from .spool import Kept
from .subjects import Resource
from .whole import FORWARD, MILLISECONDS, NET, Point

ERROR, WARNING, ADVICE = Severity
_BILLS = "UsageSummary ElectricPowerUsageSummary"
_DAY = 86_400
_LONGEST = 400 * _DAY
_KILO = 1_000
_UNIT_OF_MONEY = 100_000
_MOST = 1_000  # bills of one usage point that are laid beside its readings
_TOLERANCE = 0.005  # meters and bills round
_MONEY = (
    "bill_last_period",
    "bill_to_date",
    "cost_additional_last_period",
    "cost_additional_detail_last_period",
)
_LIKELY = (0.0001, 100.0)  # currency units a kWh or therm: a hundredth of a cent to a hundred dollars


@rule(
    "SUM-01",
    ERROR,
    "Money has a currency",
    why="FB_16: an amount is 10⁻⁵ of a currency, and without one of nothing.",
    breaks="billLastPeriod without currency",
    kinds=_BILLS,
    lenient=WARNING,
)
def money_has_a_currency(resource: Resource) -> Faults:
    bill = resource.instance
    if bill.currency is None and any(getattr(bill, name) not in (None, []) for name in _MONEY):
        yield resource.fault("There are amounts of money, and no currency.")


@rule(
    "SUM-02",
    WARNING,
    "A summary has a billing period",
    why="FB_15 asks for it; without, nobody knows which days the consumption and the bill are for.",
    breaks="a UsageSummary without billingPeriod",
    kinds=_BILLS,
    lenient=ADVICE,
)
def summary_has_a_period(resource: Resource) -> Faults:
    bill = resource.instance
    if bill.billing_period is None and (
        bill.bill_last_period is not None or bill.overall_consumption_last_period
    ):
        yield resource.fault("The summary has a consumption or an amount, and no billingPeriod.")


@rule(
    "SUM-03",
    WARNING,
    "A billing period is of days, not of seconds or years",
    why="Bills run for a month, two or three, at most a year. Zero is a period nobody filled in.",
    breaks="<espi:billingPeriod><espi:duration>0</espi:duration>…",
    kinds=_BILLS,
    lenient=ADVICE,
)
def periods_are_of_days(resource: Resource) -> Faults:
    period = _period(resource.instance)
    if period and not _DAY <= period[1] - period[0] <= _LONGEST:
        yield resource.fault(f"The billing period lasts {period[1] - period[0]} s.", "billingPeriod/duration")


@rule(
    "SUM-04",
    WARNING,
    "A summary was made up after its period began",
    why="statusTimeStamp is when the summary was true; before the period starts it cannot be.",
    breaks="a period of June, and a statusTimeStamp of May",
    kinds=_BILLS,
    lenient=ADVICE,
)
def status_follows_the_period(resource: Resource) -> Faults:
    period, status = _period(resource.instance), resource.instance.status_time_stamp
    if period and isinstance(status, int) and status < period[0]:
        words = f"statusTimeStamp is {when(status)}, and the period starts {when(period[0])}."
        yield resource.fault(words, "statusTimeStamp")


@rule(
    "SUM-05",
    WARNING,
    "Money is 10⁻⁵ of the currency",
    why="83.25 dollars are 8325000. Dollars or cents in its place make a month's power cost nothing.",
    breaks="<espi:billLastPeriod>83</espi:billLastPeriod> for 412 kWh",
    kinds=_BILLS,
    lenient=ADVICE,
)
def money_has_its_scale(resource: Resource) -> Faults:
    bill = resource.instance
    amount, used = bill.bill_last_period, _amount(bill.overall_consumption_last_period)
    unit = getattr(bill.overall_consumption_last_period, "uom", None)
    if not isinstance(amount, int) or not amount or not used or unit not in (72, 169):
        return
    price = abs(amount / _UNIT_OF_MONEY / (used / _KILO if unit == 72 else used))
    if not _LIKELY[0] <= price <= _LIKELY[1]:
        each = "kWh" if unit == 72 else "therm"
        words = f"billLastPeriod {amount} is {amount / _UNIT_OF_MONEY:.5f}, that is {price:.2g} for a {each}."
        yield resource.fault(words, "billLastPeriod")


@rule(
    "SUM-06",
    ADVICE,
    "The lines of a bill add up to it",
    why="costAdditionalDetailLastPeriod are lines of the bill; most senders' add up to billLastPeriod, or to "
    "costAdditionalLastPeriod. Rounding to 10⁻⁵ may cost some units a line.",
    breaks="lines of 5.00 and 3.00, billLastPeriod 9.00, costAdditionalLastPeriod 4.00",
    kinds=_BILLS,
)
def lines_add_up(resource: Resource) -> Faults:
    bill = resource.instance
    lines = [line for line in bill.cost_additional_detail_last_period if isinstance(line.amount, int)]
    totals = [
        each for each in (bill.bill_last_period, bill.cost_additional_last_period) if isinstance(each, int)
    ]
    if not lines or not totals:
        return
    sums = {
        sum(line.amount + (line.rounding or 0) for line in _counted(lines, skip)) for skip in ((), (9, 10))
    }
    if not any(abs(total - each) <= len(lines) * _KILO for total in totals for each in sums):
        words = f"The lines add up to {min(sums)}; the bill says {' and '.join(map(str, totals))}."
        yield resource.fault(words, "costAdditionalDetailLastPeriod")


@rule(
    "SUM-07",
    ADVICE,
    "A line's period lies within the bill's",
    why="A line of another period is a correction, and better says so in its note.",
    breaks="a bill of June with a line of January",
    kinds=_BILLS,
)
def lines_are_of_the_period(resource: Resource) -> Faults:
    period = _period(resource.instance)
    for number, line in enumerate(resource.instance.cost_additional_detail_last_period, 1):
        part = _interval(line.item_period)
        if period and part and (part[1] <= period[0] or part[0] >= period[1]):
            path = f"costAdditionalDetailLastPeriod[{number}]/itemPeriod"
            yield resource.fault("The line's itemPeriod lies outside the billing period.", path)


@rule(
    "SUM-08",
    ADVICE,
    "A summary is a UsageSummary",
    why="ElectricPowerUsageSummary is the older name and form, without tariffProfile; the standard keeps it only for "
    "old files.",
    breaks="<espi:ElectricPowerUsageSummary>",
    kinds="ElectricPowerUsageSummary",
)
def summary_has_its_new_name(resource: Resource) -> Faults:
    yield resource.fault("ElectricPowerUsageSummary is deprecated; send UsageSummary.")


@rule(
    "SUM-09",
    ERROR,
    "A usage point has one summary of a billing period",
    why="Of two bills for one period, nobody knows which holds; a corrected bill replaces the first.",
    breaks="two UsageSummary entries with one billingPeriod",
    lenient=WARNING,
)
def periods_are_billed_once(point: Point) -> Faults:
    seen: set[tuple[int, int]] = set()
    for summary, period in _periods(point):
        if period in seen:
            yield point.fault(
                f"The period from {when(period[0])} was billed before.", summary.place, summary.kind
            )
        seen.add(period)


@rule(
    "SUM-10",
    WARNING,
    "Billing periods do not overlap",
    why="Consumption that two bills count was billed twice.",
    breaks="1 to 30 June, and 29 June to 29 July",
    lenient=ADVICE,
)
def periods_do_not_overlap(point: Point) -> Faults:
    ordered = sorted(_periods(point), key=lambda each: each[1])
    for (_, before), (summary, period) in pairwise(ordered):
        if before[0] < period[0] < before[1]:
            words = f"The period starts {when(period[0])}, and the one before it ends {when(before[1])}."
            yield point.fault(words, summary.place, f"{summary.kind}/billingPeriod")


@rule(
    "SUM-11",
    WARNING,
    "A summary's consumption is what the readings add up to",
    why="Both are of the same meter and days. Where readings cover the whole period, half a percent is rounding; more "
    "is a wrong power of ten, a missing meter or a wrong period.",
    breaks="readings of 412 kWh, overallConsumptionLastPeriod 41200 kWh",
    lenient=ADVICE,
)
def bill_and_readings_agree(point: Point) -> Faults:
    series = [
        each for each in point.series if each.is_energy and each.type.flow_direction in (FORWARD, NET, None)
    ]
    for summary, (start, end) in islice(_periods(point), _MOST) if len(series) == 1 else ():
        billed, only = summary.instance.overall_consumption_last_period, series[0]
        if billed is None or billed.uom != only.type.uom or not only.covers(start, end):
            continue
        said, used = _amount(billed), point.used(only, start, end)
        if said is None or used is None:
            continue
        read = used * 10.0 ** int(only.type.power_of_ten_multiplier or 0)
        if abs(said - read) > max(abs(said), abs(read)) * _TOLERANCE:
            words = f"overallConsumptionLastPeriod is {said:.0f}, and the readings of the period add up to {read:.0f}."
            yield point.fault(words, summary.place, f"{summary.kind}/overallConsumptionLastPeriod")


@rule(
    "SUM-12",
    WARNING,
    "Readings and bills of a usage point are in one currency",
    why="A meter stands in one country; two currencies are a wrong code in one of two places.",
    breaks="readings in 840, bills in 124",
    lenient=ADVICE,
)
def currencies_agree(point: Point) -> Faults:
    readings = {each.type.currency for each in point.series if each.type is not None and each.type.currency}
    for summary in point.summaries:
        currency = getattr(summary.instance, "currency", None)
        if currency and readings and currency not in readings:
            words = f"The bill is in {int(currency)}, the readings in {int(min(readings))}."
            yield point.fault(words, summary.place, f"{summary.kind}/currency")


@rule(
    "SUM-13",
    ERROR,
    "Demand is in a unit of power",
    why="FB_27: peakDemand and ratchetDemand are watts or volt-amperes; in Wh they are somebody's consumption.",
    breaks="peakDemand with uom 72 (Wh)",
    kinds=_BILLS,
    lenient=WARNING,
)
def demand_is_power(resource: Resource) -> Faults:
    for name, field in (("peakDemand", "peak_demand"), ("ratchetDemand", "ratchet_demand")):
        found = getattr(resource.instance, field)
        if found is not None and found.uom in (72, 71, 73, 31, 169, 132):
            yield resource.fault(f"{name} is in unit {int(found.uom)}, a unit of energy.", f"{name}/uom")


@rule(
    "SUM-14",
    ADVICE,
    "A line's measurement is not money",
    why="uom 80 in a line repeats the amount in another scale, and a reader that adds kWh stumbles over it.",
    breaks="a line item with <espi:uom>80</espi:uom>",
    kinds=_BILLS,
)
def lines_measure_something(resource: Resource) -> Faults:
    money = 80
    for number, line in enumerate(resource.instance.cost_additional_detail_last_period, 1):
        if line.measurement is not None and line.measurement.uom == money:
            path = f"costAdditionalDetailLastPeriod[{number}]/measurement/uom"
            yield resource.fault("The line's measurement is in money.", path)


def _interval(interval: Any) -> tuple[int, int] | None:
    if interval is None or not isinstance(interval.start, int) or not isinstance(interval.duration, int):
        return None
    in_seconds = abs(interval.start) < MILLISECONDS
    return (interval.start, interval.start + interval.duration) if in_seconds else None


def _period(bill: Any) -> tuple[int, int] | None:
    return _interval(getattr(bill, "billing_period", None))


def _periods(point: Point) -> Iterator[tuple[Kept, tuple[int, int]]]:
    for summary in point.summaries:
        period = _period(summary.instance)
        if period:
            yield summary, period


def _amount(measurement: Any) -> float | None:
    if measurement is None or not isinstance(measurement.value, int):
        return None
    return float(measurement.value * 10.0 ** int(measurement.power_of_ten_multiplier or 0))


def _counted(lines: list[Any], without: tuple[int, ...]) -> list[Any]:
    """The lines that count: payments and information may or may not."""
    return [line for line in lines if line.item_kind not in without]
