"""Months, hours and numbers in the words of an explained bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from espi_server.rates.tariff import Schedule

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def months_named(months: Sequence[int]) -> str:
    """`May` or `May to June`."""
    first, last = MONTHS[months[0] - 1], MONTHS[months[-1] - 1]
    return first if first == last else f"{first} to {last}"


def times_of(schedule: Schedule, period: int, months: Iterable[int]) -> str:
    """When a period holds in those months: `every day 16:00-21:00`, `weekdays 16:00-21:00, weekends never`."""
    month = next((month for month in months if period in schedule.periods(month)), None)
    if month is None:
        return "no hours here"
    weekday, weekend = (_hours(rows[month - 1], period) for rows in (schedule.weekday, schedule.weekend))
    if weekday == weekend:
        return f"every day {weekday}"
    return f"weekdays {weekday or 'never'}, weekends {weekend or 'never'}"


def _hours(row: Sequence[int], period: int) -> str:
    spans, width = [], 24 * 60 // len(row)
    opens = None
    for slot, here in enumerate([*row, None]):
        if here == period and opens is None:
            opens = slot
        elif here != period and opens is not None:
            spans.append(f"{_clock(opens * width)}-{_clock(slot * width)}")
            opens = None
    return "all day" if spans == ["00:00-24:00"] else ", ".join(spans)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def amount_of(value: float) -> str:
    """The number with up to six decimals, no needless zeros."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def cents(value: float) -> str:
    """Dollars to the cent, half to even: `1,234.50`."""
    rounded = Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    return f"{rounded if rounded else abs(rounded):,}"
