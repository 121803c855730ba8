"""The lines of a bill and how each came about, read off the arrays the amounts were made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import fsum

from espi_server.rates import demand
from espi_server.rates.calendar import Calendar
from espi_server.rates.charges import Charge, Per
from espi_server.rates.plan import Plan, Row
from espi_server.rates.pricing import Amounts, Workings, discounted
from espi_server.rates.tariff import Ladder, Metering, Tariff, Tier
from espi_server.rates.words import amount_of, months_named, times_of


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: quantity × price = amount, or an amount whose making `working` tells."""

    component: str
    words: str
    amount: float
    quantity: float | None = None
    unit: str = ""
    price: Decimal | None = None
    working: str = ""


@dataclass(frozen=True)
class CycleBill:
    """The bill of one cycle: UTC seconds, local days, lines, and credit left for later."""

    start: int
    end: int
    days: int
    lines: tuple[Line, ...]
    carried_kwh: float = 0.0
    carried_dollars: float = 0.0

    def sum(self, component: str) -> float:
        """Dollars of one component."""
        return fsum(line.amount for line in self.lines if line.component == component)

    @property
    def total(self) -> float:
        """Dollars due."""
        return fsum(line.amount for line in self.lines)


@dataclass(frozen=True)
class Bill:
    """The bills of all cycles of a calendar on one tariff."""

    tariff: Tariff
    calendar: Calendar
    cycles: tuple[CycleBill, ...]
    metering: Metering
    notes: tuple[str, ...] = ()

    def sum(self, component: str) -> float:
        """Dollars of one component over all cycles."""
        return fsum(
            line.amount for cycle in self.cycles for line in cycle.lines if line.component == component
        )

    @property
    def total(self) -> float:
        """Dollars due over all cycles."""
        return fsum(line.amount for cycle in self.cycles for line in cycle.lines)


def lines_of(plan: Plan, amounts: Amounts) -> Bill:
    """The bill of the first account of the amounts."""
    return Bill(
        plan.tariff,
        plan.calendar,
        tuple(_cycle(plan, amounts, n) for n in range(len(plan.days))),
        amounts.workings.metering,
        tuple(_notes(plan, amounts)),
    )


def _cycle(plan: Plan, amounts: Amounts, cycle: int) -> CycleBill:
    rows = [n for n, row in enumerate(plan.rows) if row.cycle == cycle]
    workings = amounts.workings
    lines = (
        *(line for row in rows for line in _energy(plan, workings, row)),
        *_fixed(plan, cycle),
        *_flat_demand(plan, workings, cycle),
        *_demand(plan, workings, cycle),
        *_minimum(plan, amounts, cycle),
        *_credits(plan, workings, rows, cycle),
        *_discounts(plan, amounts, cycle),
    )
    start, end = plan.calendar.cycles[cycle]
    kwh = 0.0 if workings.kwh_carried is None else float(workings.kwh_carried[rows[-1], :, 0].sum())
    dollars = 0.0 if workings.dollars_left is None else float(workings.dollars_left[cycle, 0])
    return CycleBill(start, end, plan.days[cycle], lines, kwh, dollars)


def _energy(plan: Plan, workings: Workings, number: int) -> Iterator[Line]:
    row = plan.rows[number]
    total = float(workings.billable[number, :, 0].sum())
    for period in sorted(plan.tariff.season(row.months[0])):
        ladder = plan.tariff.energy[period]
        use = float(workings.billable[number, period, 0])
        for tier, step in enumerate(ladder):
            quantity = float(workings.quantities[tier, number, period, 0])
            if quantity or (tier == 0 and not use):
                ends = [float(end) for end in workings.limits[:, number, period, 0]]
                yield Line(
                    "energy",
                    _energy_words(plan, row, period, tier),
                    quantity * float(step.price),
                    quantity,
                    "kWh",
                    step.price,
                    _energy_working(plan, workings, number, period, tier, ends, use, total),
                )
    yield from _beside_energy(plan, workings, number, row, total)


def _energy_words(plan: Plan, row: Row, period: int, tier: int) -> str:
    words = f"Energy, {months_named(row.months)}, period {period}"
    if len(plan.tariff.energy) > 1:
        words += f" ({times_of(plan.tariff.energy_schedule, period, row.months)})"
    return words + (f", tier {tier + 1}" if len(plan.tariff.energy[period]) > 1 else "")


def _energy_working(
    plan: Plan,
    workings: Workings,
    number: int,
    period: int,
    tier: int,
    ends: list[float],
    use: float,
    total: float,
) -> str:
    net = float(workings.use[number, period, 0])
    said = []
    if workings.kwh_applied is not None and workings.kwh_carried is not None:
        said.append(
            f"net {amount_of(net)} kWh, {amount_of(float(workings.kwh_applied[number, period, 0]))} kWh paid "
            f"from earlier credit, {amount_of(float(workings.kwh_carried[number, period, 0]))} kWh kept as "
            "credit"
        )
    elif net < 0:
        said.append(f"net {amount_of(net)} kWh: nothing to pay, valued below")
    ladder = plan.tariff.energy[period]
    if len(ladder) > 1 and total:
        below = ends[tier - 1] if tier else 0.0
        held = min(total, ends[tier]) - min(total, below)
        said.append(_limit_words(plan, plan.rows[number], ladder, tier, below, ends[tier]))
        said.append(f"holds {amount_of(held)} of all {amount_of(total)} kWh")
        if use != total:
            said.append(f"this period has {amount_of(use)} / {amount_of(total)} of it")
    return "; ".join(said)


def _limit_words(plan: Plan, row: Row, ladder: Ladder, tier: int, below: float, end: float) -> str:
    reach = (
        f"above {amount_of(below)} kWh"
        if end == float("inf")
        else f"{amount_of(below)} to {amount_of(end)} kWh"
    )
    return f"{reach}{_limit_source(plan, row, ladder[tier], end)}"


def _limit_source(plan: Plan, row: Row, tier: Tier, end: float) -> str:
    if tier.limit is None or end == float("inf"):
        return ""
    if plan.tariff.sidecar.baseline is not None and plan.allowance(row) is not None:
        return f" (baseline allowance {amount_of(plan.allowance(row) or 0.0)} kWh for {row.days} days)"
    times = (
        f" × {row.days} days"
        if tier.unit.per_day
        else (f" × {row.days}/{plan.days[row.cycle]} days" if row.share < 1 else "")
    )
    times += " × billing demand" if tier.unit.per_kw else ""
    return f" ({tier.limit} {tier.unit.value}{times})" if times else ""


def _beside_energy(plan: Plan, workings: Workings, number: int, row: Row, total: float) -> Iterator[Line]:
    baseline, allowance = plan.tariff.sidecar.baseline, plan.allowance(row)
    if baseline is not None and baseline.credit is not None and allowance is not None:
        within = min(total, allowance)
        yield Line(
            "energy",
            "Baseline credit",
            within * float(baseline.credit),
            within,
            "kWh",
            baseline.credit,
            f"use up to the allowance of {amount_of(allowance)} kWh for {row.days} days",
        )
    imported = float(workings.imported[number, 0])
    for adder in plan.tariff.sidecar.adders:
        yield Line(
            "energy",
            adder.name,
            imported * float(adder.price),
            imported,
            "kWh",
            adder.price,
            "on all imported energy; export credit does not pay it",
        )


def _fixed(plan: Plan, cycle: int) -> Iterator[Line]:
    charge = plan.tariff.fixed
    if charge is not None:
        yield Line("fixed", "Fixed charge", float(plan.fixed[cycle]), *_due(charge, plan.days[cycle]))


def _due(charge: Charge, days: int) -> tuple[float, str, Decimal, str]:
    if charge.per is Per.DAY:
        return float(days), "days", charge.amount, ""
    if charge.per is Per.MONTH:
        return 1.0, "billing period", charge.amount, ""
    return 1 / 12, "year", charge.amount, "a twelfth of the year's charge"


def _flat_demand(plan: Plan, workings: Workings, cycle: int) -> Iterator[Line]:
    if workings.kw is None or workings.kw_billed is None or not plan.tariff.flat_demand:
        return
    kw, billed = float(workings.kw[cycle, 0]), float(workings.kw_billed[cycle, 0])
    for period, share in demand.flat_shares(plan, cycle).items():
        for line in _on_ladder("demand_flat", "Demand", plan.tariff.flat_demand[period], billed, share):
            yield _with_working(line, kw, billed, plan, cycle)


def _demand(plan: Plan, workings: Workings, cycle: int) -> Iterator[Line]:
    if workings.kw_periods is None or workings.kw_periods_billed is None:
        return
    months = [part.month for part in plan.calendar.parts if part.cycle == cycle]
    for period, ladder in enumerate(plan.tariff.demand):
        kw, billed = (
            float(found[cycle, 0, period]) for found in (workings.kw_periods, workings.kw_periods_billed)
        )
        if kw == kw:  # the period's hours occur in this bill
            words = f"Demand, period {period} ({times_of(plan.tariff.demand_schedule, period, months)})"
            for line in _on_ladder("demand_tou", words, ladder, billed, 1.0):
                yield _with_working(line, kw, billed, plan, cycle)


def _on_ladder(component: str, words: str, ladder: Ladder, kw: float, share: float) -> Iterator[Line]:
    below = 0.0
    for n, tier in enumerate(ladder):
        above = float(tier.limit) if tier.limit is not None and n < len(ladder) - 1 else float("inf")
        held = min(max(kw - below, 0.0), above - below)
        if held or n == 0:
            tiered = f", tier {n + 1} ({amount_of(below)} kW and up)" if len(ladder) > 1 else ""
            part = f" for {share:.6f} of the days" if share < 1 else ""
            yield Line(
                component,
                words + tiered + part,
                held * float(tier.price) * share,
                held * share,
                "kW",
                tier.price,
            )
        below = above


def _with_working(line: Line, kw: float, billed: float, plan: Plan, cycle: int) -> Line:
    working = f"highest {amount_of(kw)} kW"
    if billed > kw and plan.tariff.ratchet is not None:
        cycles = demand.looked_at(plan.tariff.ratchet, len(plan.days), cycle)
        working += (
            f"; billed {amount_of(billed)} kW, {plan.tariff.ratchet.share} of the highest of the "
            f"{len(cycles)} bills before (a year taken to repeat)"
        )
    return Line(line.component, line.words, line.amount, line.quantity, line.unit, line.price, working)


def _minimum(plan: Plan, amounts: Amounts, cycle: int) -> Iterator[Line]:
    top_up = float(amounts.minimum[cycle, 0])
    if top_up <= 0:
        return
    charge = plan.tariff.minimum
    if cycle in amounts.workings.year_minimum and charge is not None:
        reached = float(amounts.workings.year_minimum[cycle][0])
        working = f"minimum of the year {charge.amount} less {amount_of(reached)} reached in it"
    elif charge is not None and plan.minimum is not None:
        working = (
            f"minimum {amount_of(float(plan.minimum[cycle]))} ({charge.amount} {charge.per.value}) less what "
            "stands above"
        )
    else:
        working = "minimum for delivery"
    yield Line("minimum", "Up to the minimum charge", top_up, working=working)


def _credits(plan: Plan, workings: Workings, rows: list[int], cycle: int) -> Iterator[Line]:
    if (
        workings.dollars_used is not None
        and workings.earned is not None
        and workings.dollars_left is not None
    ):
        used, earned, left = (
            float(found[cycle, 0])
            for found in (workings.dollars_used, workings.earned, workings.dollars_left)
        )
        if used or earned or left:
            yield Line(
                "credit",
                "Credit for exported energy",
                -used,
                working=(
                    f"{_earned_words(plan, workings, rows)}earned {amount_of(earned)}, used {amount_of(used)} (it pays "
                    f"for energy only), {amount_of(left)} left for later bills"
                ),
            )
    if workings.flat_credits is not None:
        for one in plan.tariff.sidecar.credits:
            if plan.months[cycle] in one.months:
                yield Line("credit", one.name, -abs(float(one.amount)))


def _earned_words(plan: Plan, workings: Workings, rows: list[int]) -> str:
    if workings.surplus is None or workings.sell_prices is None:
        sold = 0.0 if workings.exported is None else float(workings.exported[rows, 0].sum())
        return f"{amount_of(sold)} kWh at the price of each hour, "
    said = ""
    for row in rows:
        for period in range(len(plan.tariff.energy)):
            for kwh, price in zip(
                workings.surplus[:, row, period, 0], workings.sell_prices[:, period], strict=True
            ):
                if kwh:
                    said += f"{amount_of(float(kwh))} kWh × {amount_of(float(price))}, "
    return said


def _discounts(plan: Plan, amounts: Amounts, cycle: int) -> Iterator[Line]:
    for one in plan.tariff.sidecar.discounts:
        base = float(discounted(amounts, one.on)[cycle, 0])
        yield Line(
            "discount",
            one.name,
            -base * float(one.percent) / 100,
            working=f"{one.percent} % of {amount_of(base)} ({', '.join(one.on)})",
        )


def _notes(plan: Plan, amounts: Amounts) -> Iterator[str]:
    tariff, workings = plan.tariff, amounts.workings
    exported = workings.earned is not None or workings.kwh_carried is not None
    if exported and tariff.metering is None and workings.metering is Metering.KWH_CREDIT:
        yield "The record does not say what becomes of exports (dgrules); here they are kWh credits."
    if tariff.minimum is not None and tariff.minimum.per is Per.YEAR and not plan.years:
        yield "The cycles do not make up a year, so the minimum of the year was not asked for."
