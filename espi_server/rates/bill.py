"""The bill: what readings cost on a tariff.

`bill(tariff, usage, calendar)` answers one account with every line and its working. Nothing is rounded, and tariff
and readings are left as they are.
"""

from __future__ import annotations

from espi_server.rates.calendar import DAY, Calendar, check_fit
from espi_server.rates.cells import Cells
from espi_server.rates.errors import DoesNotFit
from espi_server.rates.lines import Bill, CycleBill, Line, lines_of
from espi_server.rates.plan import Plan
from espi_server.rates.pricing import AS_RECORDED, Batch, Terms, charge
from espi_server.rates.tariff import Tariff
from espi_server.rates.usage import Usage, is_daily
from espi_server.rates.words import MONTHS

__all__ = [
    "AS_RECORDED",
    "Bill",
    "CycleBill",
    "HoursNeeded",
    "Line",
    "Terms",
    "bill",
    "bill_of_cells",
    "together",
]


class HoursNeeded(DoesNotFit):
    """Daily readings cannot tell what this tariff asks for."""


def bill(tariff: Tariff, usage: Usage, calendar: Calendar, terms: Terms = AS_RECORDED) -> Bill:
    """The bill of every cycle with its lines. Raises DoesNotFit where readings, cycles and tariff do not match."""
    check_fit(calendar, usage.start, usage.step, len(usage))
    slots = 24 if is_daily(usage) else Plan.of(tariff, calendar).slots
    cells = Cells.of(usage, calendar, slots=slots, peaks=tariff.has_demand, metering=terms.of(tariff))
    return bill_of_cells(tariff, cells, calendar, terms)


def bill_of_cells(tariff: Tariff, cells: Cells, calendar: Calendar, terms: Terms = AS_RECORDED) -> Bill:
    """The same bill from stored cells, no reading touched."""
    check_read(cells, calendar)
    plan = Plan.of(tariff, calendar, min(cells.slots, max(tariff.slots, 24)))
    if cells.step >= DAY:
        check_daily(plan)
    amounts = charge(plan, Batch.of([cells.with_slots(plan.slots)]), terms)
    return lines_of(plan, amounts)


def check_read(cells: Cells, calendar: Calendar) -> None:
    """Raises DoesNotFit naming the months of the cycles that have no reading at all."""
    if cells.unread:
        bare = [calendar.parts[n] for n in cells.unread]
        raise DoesNotFit(
            f"There is no reading at all in {', '.join(f'{MONTHS[one.month - 1]} {one.year}' for one in bare)}, and a "
            "bill cannot be estimated from nothing. Add the readings or leave the cycle out."
        )


def check_daily(plan: Plan) -> None:
    """Raises HoursNeeded where one reading a day cannot tell what a day costs."""
    if plan.tariff.has_demand:
        raise HoursNeeded(
            f"{plan.tariff.name!r} has demand charges; daily readings do not tell the highest kW. Use "
            "readings of 60 minutes or less."
        )
    if plan.hours_needed():
        raise HoursNeeded(
            f"{plan.tariff.name!r} changes its price within the day; daily readings do not tell the "
            "hour. Use readings of 60 minutes or less, or a tariff without time of use."
        )


def together(delivery: Bill, generation: Bill) -> Bill:
    """One bill of two suppliers: the delivery record's lines and the generation record's, each with its own rules."""
    cycles = tuple(
        CycleBill(
            one.start,
            one.end,
            one.days,
            (*_named("Delivery", one), *_named("Generation", two)),
            max(one.carried_kwh, two.carried_kwh),
            one.carried_dollars + two.carried_dollars,
        )
        for one, two in zip(delivery.cycles, generation.cycles, strict=True)
    )
    return Bill(
        delivery.tariff,
        delivery.calendar,
        cycles,
        delivery.metering,
        tuple(dict.fromkeys(delivery.notes + generation.notes)),
    )


def _named(supplier: str, one: CycleBill) -> tuple[Line, ...]:
    return tuple(
        Line(
            line.component,
            f"{supplier}: {line.words}",
            line.amount,
            line.quantity,
            line.unit,
            line.price,
            line.working,
        )
        for line in one.lines
    )
