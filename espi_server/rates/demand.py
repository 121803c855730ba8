"""Demand charges: the highest kW of a bill, or of a period's hours in it, on a ladder of $/kW."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from espi_server.rates.plan import Plan
from espi_server.rates.tariff import Ladder, Ratchet
from espi_server.rates.usage import Floats

YEAR = 12  # bills


def highest(plan: Plan, peaks: Floats) -> Floats:
    """(cycles, accounts) the highest kW of each bill, out of peaks (parts, accounts, cells of a part)."""
    found: Floats = np.maximum.reduceat(peaks.max(axis=2), _first_parts(plan), axis=0)
    return found


def highest_by_period(plan: Plan, peaks: Floats) -> Floats:
    """(cycles, accounts, periods) the highest kW within the hours of each demand period; NaN where it has none."""
    wanted = plan.demand_periods
    by_part = np.full((*peaks.shape[:2], len(plan.tariff.demand)), np.nan)
    for part, periods in enumerate(wanted):
        for period in np.unique(periods):
            by_part[part, :, period] = peaks[part][:, periods == period].max(axis=1)
    found: Floats = np.fmax.reduceat(by_part, _first_parts(plan), axis=0)
    return found


def _first_parts(plan: Plan) -> NDArray[np.intp]:
    cycles = [part.cycle for part in plan.calendar.parts]
    return np.flatnonzero(np.diff(cycles, prepend=-1))


def ratcheted(plan: Plan, kw: Floats) -> Floats:
    """The same demands, none below the ratchet's share of those it looks back to.

    Where earlier bills are not known the year is taken to repeat.
    """
    ratchet = plan.tariff.ratchet
    if ratchet is None:
        return kw
    floors = [_looked_back(plan, ratchet, kw, cycle) for cycle in range(len(kw))]
    return np.fmax(kw, np.where(np.isnan(kw), np.nan, np.array(floors) * float(ratchet.share)))


def _looked_back(plan: Plan, ratchet: Ratchet, kw: Floats, cycle: int) -> Floats:
    cycles = [
        n
        for n in looked_at(ratchet, len(kw), cycle)
        if not ratchet.months or plan.months[n] in ratchet.months
    ]
    found: Floats = np.fmax.reduce(kw[cycles], axis=0) if cycles else np.zeros(kw.shape[1:])
    return np.nan_to_num(found)


def looked_at(ratchet: Ratchet, cycles: int, cycle: int) -> list[int]:
    """The bills a ratchet looks back to from that one."""
    year = min(cycles, YEAR)
    back = min(ratchet.range or YEAR - 1, max(cycles - 1, 0))
    return sorted({n if n >= 0 else n + year for n in range(cycle - back, cycle)})


def on_ladder(kw: Floats, ladder: Ladder) -> Floats:
    """Dollars for those kilowatts; each tier prices only what lies in it."""
    amount, below = np.zeros_like(kw), 0.0
    for n, tier in enumerate(ladder):
        ends = tier.limit is not None and n < len(ladder) - 1
        above = float(tier.limit) if ends and tier.limit is not None else np.inf
        amount += np.clip(kw - below, 0, above - below) * float(tier.price)
        below = above
    return amount


def flat_shares(plan: Plan, cycle: int) -> dict[int, float]:
    """The flat-demand periods of a bill with their shares of its days: one, unless the price changes inside it."""
    shares: dict[int, float] = {}
    for part in plan.calendar.parts:
        if part.cycle == cycle:
            period = plan.tariff.flat_demand_months[part.month - 1]
            shares[period] = shares.get(period, 0.0) + part.days / plan.days[cycle]
    return shares


def flat_charge(plan: Plan, kw: Floats) -> Floats:
    """(cycles, accounts) dollars for the highest kW of the bill, at the price of its months."""
    return np.array(
        [
            sum(
                (
                    on_ladder(kw[cycle], plan.tariff.flat_demand[period]) * share
                    for period, share in flat_shares(plan, cycle).items()
                ),
                np.zeros(kw.shape[1]),
            )
            for cycle in range(len(kw))
        ]
    )


def period_charge(plan: Plan, kw: Floats) -> Floats:
    """(cycles, accounts) dollars for the highest kW of each demand period whose hours occur in the bill."""
    known = np.nan_to_num(kw)
    total: Floats = np.add.reduce(
        [on_ladder(known[..., period], ladder) for period, ladder in enumerate(plan.tariff.demand)]
    )
    return total
