"""What utilities send as tables: their agreements and premises, and a gas meter's days."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from espi_server.demo.households import Household
from espi_server.demo.metering import Metered
from espi_server.demo.tariffs import RATES

AGREEMENTS = (
    "customer", "account", "agreement", "class", "rate", "modifiers", "rins", "address", "town", "state", "zip",
    "circuit", "meter", "usage_point", "udc", "lse", "start", "end",
)  # fmt: skip
READINGS = (
    "usage_point",
    "start",
    "duration",
    "value",
    "unit",
    "flow",
    "commodity",
    "quality",
    "cost",
    "currency",
)


def agreements(served: Iterable[tuple[Household, Sequence[Metered]]]) -> bytes:
    """A line for each agreement of a company: who, where, on which rate, delivered and sold by whom."""
    return _table(
        AGREEMENTS, (_agreement(household, each) for household, metered in served for each in metered)
    )


def gas_days(metered: Sequence[Metered]) -> bytes:
    """A line for each day of each gas meter, in therms."""
    rows = (
        (each.service.usage_point, _moment(start), duration, f"{value / 1000:.3f}", "therm", "delivered", "gas",
         "validated", "", "USD")
        for each in metered
        for series in each.series
        for start, duration, value in zip(
            series.readings.start.tolist(), series.readings.duration.tolist(), series.readings.cells("value").tolist(),
            strict=True,
        )
    )  # fmt: skip
    return _table(READINGS, rows)


def _agreement(household: Household, each: Metered) -> tuple[object, ...]:
    service, place = each.service, each.service.place
    rins = RATES[service.rate].rins.get(service.modifiers, {})
    street = f"{place.number} {place.street}{f' Unit {place.unit}' if place.unit else ''}"
    return (
        service.customer, service.account, service.agreement,
        "small commercial" if household.is_business else "residential", service.rate, " ".join(service.modifiers),
        " ".join(f"{role}:{rins[role]}" for role in rins), street, place.town, "CA", place.zip, place.circuit,
        service.meter, service.usage_point, service.udc, service.lse, _day(each.signed), _day(each.ended),
    )  # fmt: skip


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _day(moment: int | None) -> str:
    return "" if moment is None else _moment(moment)
