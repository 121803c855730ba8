"""A bill printed so that a person with a calculator arrives at the same cent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

from espi_server.rates.bill import Bill, CycleBill, Line
from espi_server.rates.calendar import Calendar
from espi_server.rates.pricing import COMPONENTS
from espi_server.rates.tariff import Ladder, Schedule, Tariff
from espi_server.rates.words import MONTHS, amount_of, cents, times_of

NAMES = {
    "energy": "Energy",
    "fixed": "Fixed",
    "demand_flat": "Demand",
    "demand_tou": "Demand by time of use",
    "minimum": "Minimum",
    "credit": "Credit",
    "discount": "Discount",
}


def explained(bill: Bill) -> Iterator[str]:
    """The whole working, line by line."""
    tariff = bill.tariff
    yield f"{tariff.name} ({tariff.utility or 'no utility named'}, record {tariff.label or 'without label'})"
    yield f"Prices in {tariff.sidecar.currency}, clock of {bill.calendar.zone.key}, exports: {bill.metering.value}"
    for note in bill.notes:
        yield f"Note: {note}"
    for number, cycle in enumerate(bill.cycles, 1):
        yield ""
        yield from _cycle(bill, number, cycle)
    yield ""
    yield f"All {len(bill.cycles)} bills"
    for component in COMPONENTS:
        if any(line.component == component for cycle in bill.cycles for line in cycle.lines):
            yield f"  {NAMES[component]:24} {cents(bill.sum(component)):>14}"
    yield f"  {'Total':24} {cents(bill.total):>14}   (unrounded {amount_of(bill.total)})"


def _cycle(bill: Bill, number: int, cycle: CycleBill) -> Iterator[str]:
    yield (
        f"Bill {number}: {edge(bill.calendar, cycle.start)} up to {edge(bill.calendar, cycle.end)}, "
        f"{cycle.days} days"
    )
    for line in cycle.lines:
        yield from _line(line)
    if cycle.carried_kwh:
        yield f"  Credit carried to the next bill: {amount_of(cycle.carried_kwh)} kWh"
    if cycle.carried_dollars:
        yield f"  Credit carried to the next bill: {amount_of(cycle.carried_dollars)} $"
    yield f"  {'Total':66} {amount_of(cycle.total):>14}   = {cents(cycle.total)}"


def _line(line: Line) -> Iterator[str]:
    made = ""
    if line.quantity is not None and line.price is not None:
        made = f"{amount_of(line.quantity)} {line.unit} × {line.price:f}"
    yield f"  {line.words}"
    if line.working:
        yield f"      {line.working}"
    yield f"      {made:62} {amount_of(line.amount):>14}"


def edge(calendar: Calendar, instant: int) -> str:
    """The local date where a cycle's edge is a local midnight, else the UTC instant."""
    local = calendar.local(instant)
    if local.time() == time(0):
        return local.date().isoformat()
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def described(tariff: Tariff) -> Iterator[str]:
    """A tariff in words: what it charges, and when."""
    for charge, words in ((tariff.fixed, "Fixed charge"), (tariff.minimum, "Minimum")):
        if charge is not None:
            yield f"  {words}: {charge.amount} {charge.per.value}"
    for period, ladder in enumerate(tariff.energy):
        yield f"  Energy, period {period}: {_ladder(ladder, '$/kWh')}"
        yield from _when(tariff.energy_schedule, period)
    for period, ladder in enumerate(tariff.flat_demand):
        months = [month for month, held in enumerate(tariff.flat_demand_months, 1) if held == period]
        yield f"  Demand, months {', '.join(map(str, months))}: {_ladder(ladder, '$/kW')}"
    for period, ladder in enumerate(tariff.demand):
        yield f"  Demand by time of use, period {period}: {_ladder(ladder, '$/kW')}"
        yield from _when(tariff.demand_schedule, period)


def _ladder(ladder: Ladder, unit: str) -> str:
    return ", then ".join(
        f"{tier.price:f} {unit}"
        + (f" up to {tier.limit} {tier.unit.value}" if tier.limit is not None else "")
        for tier in ladder
    )


def _when(schedule: Schedule, period: int) -> Iterator[str]:
    times = {
        month: times_of(schedule, period, [month])
        for month in range(1, 13)
        if period in schedule.periods(month)
    }
    for said in dict.fromkeys(times.values()):
        yield f"      {', '.join(MONTHS[month - 1][:3] for month in times if times[month] == said)}: {said}"
