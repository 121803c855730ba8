"""Can this record be priced at all? Each check is one small generator over the normalised record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from espi_server.rates.finding import Finding, Plain, error, number, whole

ENERGY_UNITS = ("kWh", "kWh daily", "kWh/kW", "kWh/kW daily")
DEAREST = 10**6  # dollars: beyond it a number is no price of anything
CHARGE_UNITS = ("$/day", "$/month", "$/year")


def _has_energy(plain: Plain) -> Iterator[Finding]:
    if "energyratestructure" not in plain:
        yield error(
            "ENERGY_MISSING",
            "energyratestructure",
            "The record has no energy prices. A rate needs "
            "energyratestructure, a list of periods, each a list of tiers.",
        )


def _structures(plain: Plain) -> Iterator[Finding]:
    for name in ("energyratestructure", "demandratestructure", "flatdemandstructure"):
        if name not in plain:
            continue
        periods = plain[name]
        if not isinstance(periods, list) or not periods:
            yield error("STRUCTURE_SHAPE", name, "must be a list with at least one period.")
            continue
        for number_, period in enumerate(periods):
            yield from _ladder(name, f"{name}[{number_}]", period)


def _ladder(name: str, where: str, period: Any) -> Iterator[Finding]:
    if not isinstance(period, list) or not period or not all(isinstance(tier, dict) for tier in period):
        yield error(
            "PERIOD_EMPTY", where, "must be a list with at least one tier {rate, adj, max, unit, sell}."
        )
        return
    for number_, tier in enumerate(period):
        yield from _tier_numbers(f"{where}[{number_}]", tier)
        yield from _tier_unit(name, f"{where}[{number_}]", tier)
    yield from _tier_limits(where, period)


def _tier_numbers(where: str, tier: Plain) -> Iterator[Finding]:
    for key in ("rate", "adj", "max", "sell"):
        if tier.get(key) is not None and number(tier[key]) is None:
            yield error("NOT_A_NUMBER", f"{where}.{key}", f"{tier[key]!r} is not a number.")
        elif key != "max" and abs(number(tier.get(key)) or Decimal(0)) >= DEAREST:
            yield error("NOT_A_NUMBER", f"{where}.{key}", f"{tier[key]} is no price in dollars.")
    limit = number(tier.get("max"))
    if limit is not None and limit <= 0:
        yield error(
            "LIMIT_NOT_POSITIVE", f"{where}.max", f"A tier cannot end at {limit}; leave max out for no end."
        )


def _tier_unit(name: str, where: str, tier: Plain) -> Iterator[Finding]:
    unit = tier.get("unit")
    accepted = ENERGY_UNITS if name == "energyratestructure" else ("kW",)
    if unit is not None and str(unit).lower() not in {word.lower() for word in accepted}:
        yield error(
            "UNIT_UNKNOWN",
            f"{where}.unit",
            f"{unit!r} is not a unit of {name}; accepted: {', '.join(accepted)}.",
        )


def _tier_limits(where: str, period: Sequence[Plain]) -> Iterator[Finding]:
    limits = [number(tier.get("max")) for tier in period]
    units = [str(tier.get("unit", "kWh")).lower() for tier in period]
    for n in range(len(period) - 1):
        here, following = limits[n], limits[n + 1]
        if here is None:
            yield error(
                "TIERS_OVERLAP",
                f"{where}[{n}]",
                f"This tier has no max, so tier {n + 1} after it is never "
                "reached. Only the last tier may be without max.",
            )
        elif following is not None and following <= here and units[n] == units[n + 1]:
            yield error(
                "TIERS_OVERLAP",
                f"{where}[{n + 1}].max",
                f"max counts from zero and must rise from tier to tier: {following} follows {here}.",
            )


def _schedules(plain: Plain) -> Iterator[Finding]:
    for what in ("energy", "demand"):
        structure = plain.get(f"{what}ratestructure")
        names = [f"{what}weekdayschedule", f"{what}weekendschedule"]
        if not isinstance(structure, list):
            continue
        for name in names:
            if name in plain:
                yield from _schedule(name, plain[name], len(structure))
            elif len(structure) > 1 or any(other in plain for other in names):
                yield error(
                    "SCHEDULE_MISSING",
                    name,
                    f"{what}ratestructure has {len(structure)} periods; the "
                    "schedule must say when each holds (12 rows of 24 period numbers).",
                )


def _schedule(name: str, rows: Any, periods: int) -> Iterator[Finding]:
    if (
        not isinstance(rows, list)
        or len(rows) != 12
        or any(not isinstance(row, list) or len(row) != 24 for row in rows)
    ):
        yield error("SCHEDULE_SHAPE", name, "must be 12 rows (January first) of 24 hours.")
        return
    for month, row in enumerate(rows):
        for hour, period in enumerate(row):
            at = whole(period)
            if at is None:
                yield error("NOT_A_NUMBER", f"{name}[{month}][{hour}]", f"{period} is not a period number.")
                return
            if not 0 <= at < periods:
                yield error(
                    "PERIOD_MISSING",
                    f"{name}[{month}][{hour}]",
                    f"Period {period} is not in the structure, which has periods 0 to {periods - 1}.",
                )
                return


def _flat_months(plain: Plain) -> Iterator[Finding]:
    structure, months = plain.get("flatdemandstructure"), plain.get("flatdemandmonths")
    if not isinstance(structure, list):
        return
    if months is None:
        if len(structure) > 1:
            yield error(
                "SCHEDULE_MISSING",
                "flatdemandmonths",
                f"flatdemandstructure has {len(structure)} periods; "
                "flatdemandmonths must say which holds in each of the 12 months.",
            )
    elif not isinstance(months, list) or len(months) != 12:
        yield error("SCHEDULE_SHAPE", "flatdemandmonths", "must be 12 period numbers, January first.")
    else:
        for month, period in enumerate(months):
            at = whole(period)
            if at is None or not 0 <= at < len(structure):
                yield error(
                    "PERIOD_MISSING",
                    f"flatdemandmonths[{month}]",
                    f"Period {period} is not in "
                    f"flatdemandstructure, which has periods 0 to {len(structure) - 1}.",
                )
                return


def _demand_units(plain: Plain) -> Iterator[Finding]:
    for name in ("demandrateunit", "flatdemandunit"):
        unit = plain.get(name)
        if unit is not None and str(unit).lower() != "kw":
            yield error("UNIT_UNKNOWN", name, f"{unit!r} cannot be told from kWh readings; accepted: kW.")


def _charges(plain: Plain) -> Iterator[Finding]:
    for amount, unit in (("fixedchargefirstmeter", "fixedchargeunits"), ("mincharge", "minchargeunits")):
        if plain.get(amount) is not None and number(plain[amount]) is None:
            yield error("NOT_A_NUMBER", amount, f"{plain[amount]!r} is not a number.")
        elif abs(number(plain.get(amount)) or Decimal(0)) >= DEAREST:
            yield error("NOT_A_NUMBER", amount, f"{plain[amount]} is no amount in dollars.")
        if plain.get(unit) is not None and str(plain[unit]).lower() not in CHARGE_UNITS:
            yield error(
                "UNIT_UNKNOWN",
                unit,
                f"{plain[unit]!r} is not a unit of {amount}; accepted: {', '.join(CHARGE_UNITS)}.",
            )


def _ratchet(plain: Plain) -> Iterator[Finding]:
    for name in ("lookbackpercent", "lookbackrange", "startdate", "enddate", "eiaid"):
        if plain.get(name) not in (None, "") and number(plain[name]) is None:
            yield error("NOT_A_NUMBER", name, f"{plain[name]!r} is not a number.")
    if (number(plain.get("lookbackpercent")) or 0) < 0:
        yield error("NOT_A_NUMBER", "lookbackpercent", f"{plain['lookbackpercent']} is no share of a demand.")
    back = number(plain.get("lookbackrange"))
    if back is not None and (back < 0 or back != int(back)):
        yield error(
            "NOT_A_NUMBER", "lookbackrange", f"{plain['lookbackrange']} is not a whole number of months."
        )
    months = plain.get("lookbackmonths")
    if months and (not isinstance(months, list) or len(months) != 12):
        yield error("SCHEDULE_SHAPE", "lookbackmonths", "must be 12 true or false, January first.")


SHAPE = (_has_energy, _structures, _schedules, _flat_months, _demand_units, _charges, _ratchet)
