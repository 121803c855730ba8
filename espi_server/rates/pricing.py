"""The arithmetic of a bill over many accounts at once: cells in, dollars by component out.

A single explained bill runs through the same arrays with one account in them, so the two cannot disagree. Nothing is
rounded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import numpy as np

from espi_server.rates import credits, demand, energy
from espi_server.rates.cells import Cells
from espi_server.rates.errors import DoesNotFit, RatesError
from espi_server.rates.plan import Plan
from espi_server.rates.tariff import Metering, Tariff
from espi_server.rates.usage import Floats

COMPONENTS = ("energy", "fixed", "demand_flat", "demand_tou", "minimum", "credit", "discount")


class ExportPriceMissing(RatesError):
    """Energy was exported, but neither the record nor the caller says what it is sold for."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How exports are treated, where that is not left to the record: an export price is dollars per kWh."""

    metering: Metering | None = None
    export_price: Decimal | None = None

    def of(self, tariff: Tariff) -> Metering:
        """The rule that holds: as asked (net billing by the hour where the record has it so); sale where only a price
        was named; the record's; else kWh credit."""
        if self.metering is Metering.NET_BILLING and tariff.metering is Metering.NET_BILLING_HOURLY:
            return Metering.NET_BILLING_HOURLY
        if self.metering is None and self.export_price is not None:
            return tariff.metering if tariff.metering and tariff.metering.sells else Metering.NET_BILLING
        return self.metering or tariff.metering or Metering.KWH_CREDIT


AS_RECORDED = Terms()


@dataclass(frozen=True, eq=False)
class Batch:
    """The cells of many accounts on one calendar, stacked: arrays of (parts, accounts, cells of a part)."""

    imports: Floats
    exports: Floats | None = None
    peaks: Floats | None = None

    @classmethod
    def of(cls, cells: Sequence[Cells]) -> Batch:
        """The accounts side by side, missing readings filled."""
        filled = [one.filled() for one in cells]
        nothing = np.zeros_like(filled[0].imports)
        return cls(
            imports=np.stack([one.imports for one in filled], axis=1),
            exports=None
            if all(one.exports is None for one in filled)
            else np.stack([nothing if one.exports is None else one.exports for one in filled], axis=1),
            peaks=None
            if any(one.peaks is None for one in filled)
            else np.stack([one.peaks for one in filled if one.peaks is not None], axis=1),
        )

    @cached_property
    def net(self) -> Floats:
        """Imports less exports."""
        return self.imports if self.exports is None else self.imports - self.exports


@dataclass(eq=False)
class Amounts:
    """Dollars of every cycle and account (cycles, accounts) by component, and the arrays they were made of."""

    energy: Floats
    fixed: Floats
    demand_flat: Floats
    demand_tou: Floats
    minimum: Floats
    credit: Floats
    discount: Floats
    workings: Workings

    @cached_property
    def total(self) -> Floats:
        """Everything due, per cycle and account."""
        return (
            self.energy
            + self.fixed
            + self.demand_flat
            + self.demand_tou
            + self.minimum
            + self.credit
            + self.discount
        )


@dataclass(eq=False)
class Workings:
    """What an explanation needs: the same arrays the amounts come from, first axis rows or cycles."""

    metering: Metering
    use: Floats  # (rows, periods, accounts) net kWh, or imports where exports are sold
    billable: Floats  # (rows, periods, accounts) kWh charged
    limits: Floats  # (tiers, rows, periods, 1 or accounts)
    quantities: Floats  # (tiers, rows, periods, accounts) kWh
    imported: Floats  # (rows, accounts) kWh
    kw: Floats | None = None  # (cycles, accounts) highest kW
    kw_billed: Floats | None = None  # the same after the ratchet
    kw_periods: Floats | None = None  # (cycles, accounts, periods)
    kw_periods_billed: Floats | None = None
    kwh_applied: Floats | None = None  # (rows, periods, accounts)
    kwh_carried: Floats | None = None  # (rows, periods, accounts)
    surplus: Floats | None = None  # (tiers, rows, periods, accounts) kWh valued in dollars
    sell_prices: Floats | None = None  # (tiers, periods)
    exported: Floats | None = None  # (rows, accounts) kWh sold
    earned: Floats | None = None  # (cycles, accounts) dollars
    dollars_used: Floats | None = None
    dollars_left: Floats | None = None
    flat_credits: Floats | None = None  # (cycles)
    year_minimum: dict[int, Floats] = field(default_factory=dict)


def charge(plan: Plan, batch: Batch, terms: Terms = AS_RECORDED, use: Floats | None = None) -> Amounts:
    """The amounts of all accounts of a batch on one plan.

    `use` saves computing kWh by period again where `energy.by_period` has answered for many plans at once.
    """
    metering = terms.of(plan.tariff)
    sells = metering.sells or batch.exports is None
    if use is None:
        (use,) = energy.by_period([plan], batch.imports if sells else batch.net)
    kw = _kw(plan, batch)
    kw_billed = None if kw is None else demand.ratcheted(plan, kw)
    limits = plan.limits_at(kw_billed) if plan.per_kw and kw_billed is not None else plan.limits
    exported = batch.exports is not None
    banked = credits.kwh_bank(plan, use) if exported and metering is Metering.KWH_CREDIT else None
    billable = banked.billable if banked else np.maximum(use, 0) if exported else use
    quantities = energy.shared(billable, limits)
    workings = Workings(
        metering,
        use,
        billable,
        limits,
        quantities,
        _imported(plan, batch),
        kw,
        kw_billed,
        kwh_applied=banked.applied if banked else None,
        kwh_carried=banked.carried if banked else None,
    )
    due = plan.by_cycle(_baseline_credited(plan, billable, energy.priced(quantities, plan.prices)))
    nothing = np.zeros_like(due)
    credit = _dollar_credit(plan, batch, terms, workings, due)
    amounts = Amounts(
        energy=_with_adders(plan, workings.imported, due),
        fixed=np.broadcast_to(plan.fixed[:, None], due.shape),
        demand_flat=_flat(plan, kw_billed, nothing),
        demand_tou=_tou(plan, batch, workings, nothing),
        minimum=nothing,
        credit=credit,
        discount=nothing,
        workings=workings,
    )
    amounts.minimum = _minimum(plan, amounts)
    _flat_credits(plan, amounts)
    amounts.discount = _discount(plan, amounts)
    return amounts


def _imported(plan: Plan, batch: Batch) -> Floats:
    if not plan.tariff.sidecar.adders and plan.tariff.sidecar.minimum_delivery is None:
        return np.zeros((len(plan.rows), batch.imports.shape[1]))
    return plan.by_row(batch.imports.sum(axis=2))


def _kw(plan: Plan, batch: Batch) -> Floats | None:
    if not plan.tariff.has_demand:
        return None
    if batch.peaks is None:
        raise DoesNotFit("This tariff has demand charges, and these cells were built without the highest kW.")
    return demand.highest(plan, batch.peaks)


def _flat(plan: Plan, kw: Floats | None, nothing: Floats) -> Floats:
    if kw is None or not plan.tariff.flat_demand:
        return nothing
    return demand.flat_charge(plan, kw)


def _tou(plan: Plan, batch: Batch, workings: Workings, nothing: Floats) -> Floats:
    if batch.peaks is None or not plan.tariff.demand or not plan.tariff.has_demand:
        return nothing
    workings.kw_periods = demand.highest_by_period(plan, batch.peaks)
    workings.kw_periods_billed = demand.ratcheted(plan, workings.kw_periods)
    return demand.period_charge(plan, workings.kw_periods_billed)


def _baseline_credited(plan: Plan, billable: Floats, amounts: Floats) -> Floats:
    baseline = plan.tariff.sidecar.baseline
    if baseline is None or baseline.credit is None:
        return amounts
    allowances = np.array([plan.allowance(row) or 0.0 for row in plan.rows])
    within: Floats = np.minimum(billable.sum(axis=1), allowances[:, None]) * float(baseline.credit)
    return amounts + within


def _with_adders(plan: Plan, imported: Floats, due: Floats) -> Floats:
    adders = plan.tariff.sidecar.adders
    if not adders:
        return due
    charged: Floats = due + plan.by_cycle(imported) * float(sum(one.price for one in adders))
    return charged


def _dollar_credit(plan: Plan, batch: Batch, terms: Terms, workings: Workings, due: Floats) -> Floats:
    """(cycles, accounts) dollars of credit used, negative; earned and left go to the workings."""
    if batch.exports is None or workings.metering is Metering.KWH_CREDIT:
        return np.zeros_like(due)
    if workings.metering.sells and plan.export_table is not None and terms.export_price is None:
        earned = plan.by_row(np.einsum("pac,pc->pa", batch.exports, plan.export_table))
        workings.exported = plan.by_row(batch.exports.sum(axis=2))
    else:
        surplus = (
            np.maximum(-workings.use, 0)
            if not workings.metering.sells
            else energy.by_period([plan], batch.exports)[0]
        )
        workings.surplus = energy.shared(surplus, workings.limits)
        workings.sell_prices = _sell_prices(plan, terms, workings)
        earned = energy.priced(workings.surplus, workings.sell_prices)
    workings.earned = plan.by_cycle(earned)
    workings.dollars_used, workings.dollars_left = credits.dollar_bank(workings.earned, due)
    return -workings.dollars_used


def _sell_prices(plan: Plan, terms: Terms, workings: Workings) -> Floats:
    if terms.export_price is not None:
        return np.full(plan.prices.shape, float(terms.export_price))
    if not workings.metering.sells:
        return plan.prices
    if all(tier.sell is None for ladder in plan.tariff.energy for tier in ladder):
        raise ExportPriceMissing(
            f"Energy was exported under {workings.metering.value}, but {plan.tariff.name!r} has "
            "no sell price. Name one with --export-rate in $/kWh."
        )
    return plan.sells


def _minimum(plan: Plan, amounts: Amounts) -> Floats:
    """Top-ups to the minimum of each bill, to that of the year on its last bill, and to that of the delivery part."""
    least = plan.tariff.sidecar.minimum_delivery
    if plan.tariff.minimum is None and least is None:
        return amounts.minimum
    reached = amounts.energy + amounts.fixed + amounts.demand_flat + amounts.demand_tou + amounts.credit
    top_up = np.zeros_like(reached)
    if plan.minimum is not None:
        top_up = np.maximum(plan.minimum[:, None] - reached, 0)
    elif plan.tariff.minimum is not None:
        for year in plan.years:
            in_year = reached[list(year)].sum(axis=0)
            top_up[year[-1]] += np.maximum(float(plan.tariff.minimum.amount) - in_year, 0)
            amounts.workings.year_minimum[year[-1]] = in_year
    if least is not None:
        delivered = plan.by_cycle(amounts.workings.imported) * float(least.price)
        due = np.array([float(least.charge.due(days)) for days in plan.days])
        top_up = top_up + np.maximum(due[:, None] - delivered, 0)
    return top_up


def _flat_credits(plan: Plan, amounts: Amounts) -> None:
    given = plan.tariff.sidecar.credits
    if given:
        flat = np.array(
            [
                float(sum((one.amount for one in given if month in one.months), Decimal(0)))
                for month in plan.months
            ]
        )
        amounts.workings.flat_credits = flat
        amounts.credit = amounts.credit - np.abs(flat)[:, None]


def _discount(plan: Plan, amounts: Amounts) -> Floats:
    total = amounts.discount
    for one in plan.tariff.sidecar.discounts:
        total = total - discounted(amounts, one.on) * float(one.percent) / 100
    return total


def discounted(amounts: Amounts, on: Sequence[str]) -> Floats:
    """What a percentage is taken of; energy counts after the credit for exports."""
    base: Floats = np.add.reduce([getattr(amounts, name) for name in on])
    if "energy" in on and amounts.workings.dollars_used is not None:
        base = base - amounts.workings.dollars_used
    return base
