"""A bill as JSON for machines and as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from espi_server.rates.bill import Bill, CycleBill
from espi_server.rates.explain import edge
from espi_server.rates.usage import Usage
from espi_server.rates.words import cents

SCHEMA_VERSION = 1
KEYS = ("energy", "fixed", "demand_flat", "demand_tou", "minimum", "credit")


def as_object(priced: Bill, usage: Usage, lines: bool = False) -> dict[str, Any]:
    """The bill for machines: dollars, unrounded."""
    used = [
        key
        for key in (*KEYS, "discount")
        if key in KEYS or any(line.component == key for cycle in priced.cycles for line in cycle.lines)
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "annual": {"total": priced.total, **{key: priced.sum(key) for key in used}},
        "cycles": [_cycle_object(priced, cycle, used, lines) for cycle in priced.cycles],
        "metering": priced.metering.value,
        "readings": {
            "count": len(usage),
            "missing": usage.missing,
            "estimated": 0 if usage.estimated is None else int(usage.estimated.sum()),
        },
        "notes": list(priced.notes),
    }


def _cycle_object(priced: Bill, cycle: CycleBill, used: Sequence[str], lines: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "start": edge(priced.calendar, cycle.start),
        "end": edge(priced.calendar, cycle.end),
        "days": cycle.days,
        "total": cycle.total,
        **{key: cycle.sum(key) for key in used},
        "carried_kwh": cycle.carried_kwh,
        "carried_dollars": cycle.carried_dollars,
    }
    if lines:
        found["lines"] = [
            {
                "component": line.component,
                "words": line.words,
                "working": line.working,
                "quantity": line.quantity,
                "unit": line.unit,
                "price": None if line.price is None else str(line.price),
                "amount": line.amount,
            }
            for line in cycle.lines
        ]
    return found


def table(priced: Bill) -> Iterator[str]:
    """The bill for people: a row per cycle, dollars to the cent."""
    used = [key for key in (*KEYS, "discount") if any(cycle.sum(key) for cycle in priced.cycles)]
    yield f"{priced.tariff.name}"
    yield f"{'from':12}{'up to':12}{'days':>5}" + "".join(f"{key:>13}" for key in (*used, "total"))
    for cycle in priced.cycles:
        yield (
            f"{edge(priced.calendar, cycle.start)[:10]:12}{edge(priced.calendar, cycle.end)[:10]:12}{cycle.days:>5}"
            + "".join(f"{cents(amount):>13}" for amount in (*(cycle.sum(key) for key in used), cycle.total))
        )
    yield f"{'all':24}{sum(cycle.days for cycle in priced.cycles):>5}" + "".join(
        f"{cents(amount):>13}" for amount in (*(priced.sum(key) for key in used), priced.total)
    )
