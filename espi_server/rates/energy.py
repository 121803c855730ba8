"""Energy charges: use by period, shared among the tiers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espi_server.rates.plan import Plan
from espi_server.rates.usage import Floats


def by_period(plans: Sequence[Plan], cells: Floats) -> list[Floats]:
    """For each plan (rows, periods, accounts) kWh, out of cells (parts, accounts, cells of a part).

    All plans are answered by one matrix product per part, whatever their number.
    """
    selectors = np.concatenate([plan.selector for plan in plans], axis=1)
    edges = np.cumsum([plan.selector.shape[1] for plan in plans])[:-1]
    use = selectors @ cells.transpose(0, 2, 1)
    return [plan.by_row(own) for plan, own in zip(plans, np.split(use, edges, axis=1), strict=True)]


def shared(use: Floats, limits: Floats) -> Floats:
    """(tiers, rows, periods, accounts) kWh of each period in each tier.

    The total of all periods is laid into each period's ladder, and what falls into a tier is shared among the
    periods in proportion to their use. `use` has no negative values.
    """
    if len(limits) == 1:
        return use[None]
    total = use.sum(axis=1, keepdims=True)
    share = use / np.where(total > 0, total, 1.0)
    quantities: Floats = np.minimum(total, limits)
    for tier in range(len(limits) - 1, 0, -1):
        quantities[tier] -= quantities[tier - 1]
    quantities *= share
    return quantities


def priced(quantities: Floats, prices: Floats) -> Floats:
    """(rows, accounts) dollars; prices are (tiers, periods)."""
    amounts: Floats = prices[0] @ quantities[0]
    for tier in range(1, len(quantities)):
        amounts = amounts + prices[tier] @ quantities[tier]
    return amounts
