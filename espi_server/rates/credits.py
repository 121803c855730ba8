"""What becomes of exported energy: kWh credits by period, dollar credits at retail, or sale at a price of its own.

Credits pay for energy only. What is left is carried to the next bill, shown, and never paid out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from espi_server.rates.plan import Plan
from espi_server.rates.usage import Floats


class Banked(NamedTuple):
    """kWh credit at work: what is charged, what was taken from the bank, what stays in it."""

    billable: Floats  # (rows, periods, accounts)
    applied: Floats  # (rows, periods, accounts)
    carried: Floats  # (rows, periods, accounts)


def kwh_bank(plan: Plan, net: Floats) -> Banked:
    """Surplus kWh of a period pay for later kWh of that period.

    A credit whose period does not occur in a bill moves to the period that has most of its hours there.
    """
    billable, applied, carried = np.empty_like(net), np.empty_like(net), np.empty_like(net)
    bank = np.zeros(net.shape[1:])
    for row, moves in enumerate(plan.moves):
        for period, heir in moves.items():
            bank[heir] += bank[period]
            bank[period] = 0
        applied[row] = np.minimum(bank, np.maximum(net[row], 0))
        billable[row] = np.maximum(net[row], 0) - applied[row]
        bank = bank - applied[row] + np.maximum(-net[row], 0)
        carried[row] = bank
    return Banked(billable, applied, carried)


def dollar_bank(earned: Floats, energy: Floats) -> tuple[Floats, Floats]:
    """(cycles, accounts) dollars of credit used, and left after each bill; `energy` is what credit may pay."""
    used, left = np.empty_like(earned), np.empty_like(earned)
    bank = np.zeros(earned.shape[1:])
    for cycle in range(len(earned)):
        bank = bank + earned[cycle]
        used[cycle] = np.minimum(bank, np.maximum(energy[cycle], 0))
        bank = bank - used[cycle]
        left[cycle] = bank
    return used, left
