"""What one billing period comes to: measured amounts in, the lines of a bill out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from espi_server.demo.calendar import DAY, Whole
from espi_server.demo.tariffs import PERIODS, SUMMER, Rate
from espi_server.espi.codes import ItemKind

CENT = 1_000  # in 10⁻⁵ dollars


class Measured(NamedTuple):
    """What a meter counted in one billing period: watt-hours (thousandths of a therm), and the highest watts.

    `by_price` maps (month is in summer, time-of-use code) to an amount.
    """

    start: int
    end: int
    amount: int
    by_price: dict[tuple[bool, int], int]
    exported: int = 0
    peak: int = 0


@dataclass(frozen=True)
class Line:
    """One line of a bill; money in 10⁻⁵ dollars, whole cents. `quantity` is in the meter's small unit."""

    note: str
    kind: ItemKind
    amount: int
    quantity: int | None = None
    price: int | None = None


@dataclass(frozen=True)
class Bill:
    """The lines of a billing period and their sum."""

    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """What is to be paid."""
        return sum(line.amount for line in self.lines)

    @property
    def beside_energy(self) -> int:
        """What is to be paid beside the energy itself."""
        return sum(line.amount for line in self.lines if line.kind is not ItemKind.USAGE_FEE)


def bill(rate: Rate, measured: Measured, *, modifiers: tuple[str, ...] = (), month: int = 0) -> Bill:
    """The bill of a period under a rate; `month` is the one the period ends in."""
    lines = [*_energy(rate, measured), *_fixed(rate, measured)]
    for modifier in modifiers:
        charged = sum(line.amount for line in lines)
        lines.append(
            Line(
                f"{modifier} discount",
                ItemKind.ADMINISTRATIVE_CREDIT,
                _cents(-rate.discounts[modifier] * charged),
            )
        )
    if rate.export and measured.exported:
        amount = _cents(measured.exported * rate.export / 1000)
        lines.append(
            Line(
                "Energy sent to the grid", ItemKind.GENERATION_CREDIT, amount, measured.exported, rate.export
            )
        )
    if rate.tax:
        taxed = max(0, sum(line.amount for line in lines))
        lines.append(Line("Utility users' tax", ItemKind.TAX, _cents(rate.tax * taxed)))
    if rate.credit and month in (4, 10):
        lines.append(Line("California climate credit", ItemKind.ADMINISTRATIVE_CREDIT, rate.credit))
    return Bill(tuple(lines))


def by_price(span_month: Whole, period: Whole, amounts: Whole) -> dict[tuple[bool, int], int]:
    """Amounts summed by season and time-of-use code."""
    summer = np.isin(span_month, SUMMER)
    cells = {
        (season, code): (summer == season) & (period == code) for season in (False, True) for code in PERIODS
    }
    return {key: int(amounts[rows].sum()) for key, rows in cells.items() if rows.any()}


def _energy(rate: Rate, measured: Measured) -> Iterator[Line]:
    if rate.tiers:
        allowance = rate.allowance * round((measured.end - measured.start) / DAY)
        within = min(measured.amount, allowance)
        parts = [
            ("Tier 1 usage", within, rate.tiers[0]),
            ("Tier 2 usage", measured.amount - within, rate.tiers[1]),
        ]
    else:
        parts = [
            (f"{PERIODS[code]} usage, {'summer' if summer else 'winter'}", amount, rate.periods[summer, code])
            for (summer, code), amount in measured.by_price.items()
        ]
    for note, amount, price in parts:
        if amount:
            yield Line(note, ItemKind.USAGE_FEE, _cents(amount * price / 1000), amount, price)


def _fixed(rate: Rate, measured: Measured) -> Iterator[Line]:
    days = round((measured.end - measured.start) / DAY)
    if rate.demand:
        yield Line(
            "Maximum demand",
            ItemKind.DELIVERY_FEE,
            _cents(measured.peak * rate.demand / 1000),
            measured.peak,
            rate.demand,
        )
    if rate.daily:
        yield Line(
            f"Base services charge, {days} days", ItemKind.ADMINISTRATIVE_FEE, _cents(days * rate.daily)
        )


def _cents(amount: float) -> int:
    return round(amount / CENT) * CENT
