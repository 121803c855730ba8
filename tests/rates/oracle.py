"""A second, slow bill: every interval looked at by itself with the local clock, no arrays, no shared code.

It knows energy, fixed, minimum and demand charges of a URDB record and nothing of exports.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from espi_server.rates.calendar import Calendar
from espi_server.rates.usage import Usage


def slow_bill(record: dict[str, Any], usage: Usage, calendar: Calendar) -> list[dict[str, float]]:
    """Dollars by component for each cycle."""
    highest = [_demands(record, usage, calendar, number) for number in range(len(calendar.cycles))]
    return [
        _cycle(record, usage, calendar, number, *highest[number]) for number in range(len(calendar.cycles))
    ]


def _intervals(usage: Usage, calendar: Calendar, number: int) -> list[tuple[datetime, float]]:
    start, end = calendar.cycles[number]
    return [
        (datetime.fromtimestamp(at, UTC).astimezone(calendar.zone), float(kwh))
        for n, kwh in enumerate(usage.kwh)
        if start <= (at := usage.start + n * usage.step) < end
    ]


def _period(record: dict[str, Any], what: str, local: datetime, holidays: frozenset[date]) -> int:
    weekend = local.weekday() >= 5 or local.date() in holidays
    rows = record[f"{what}weekendschedule" if weekend else f"{what}weekdayschedule"]
    return int(rows[local.month - 1][local.hour])


def _season(record: dict[str, Any], month: int) -> frozenset[int]:
    return frozenset(record["energyweekdayschedule"][month - 1] + record["energyweekendschedule"][month - 1])


def _cycle(
    record: dict[str, Any],
    usage: Usage,
    calendar: Calendar,
    number: int,
    flat: float,
    by_period: dict[int, float],
) -> dict[str, float]:
    start, end = (calendar.local(at).date() for at in calendar.cycles[number])
    days = (end - start).days
    season_days: dict[frozenset[int], int] = defaultdict(int)
    for n in range(days):
        season_days[_season(record, (start + timedelta(days=n)).month)] += 1
    use: dict[frozenset[int], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for local, kwh in _intervals(usage, calendar, number):
        period = _period(record, "energy", local, calendar.holidays)
        use[_season(record, local.month)][period] += kwh
    energy = 0.0
    for season, periods in use.items():
        total = sum(periods.values())
        for period, kwh in periods.items():
            cost = _ladder(record["energyratestructure"][period], total, season_days[season], days, flat)
            energy += cost * kwh / total if total else 0.0
    fixed = _charge(record, "fixedchargefirstmeter", "fixedchargeunits", days)
    demand_flat = demand_tou = 0.0
    if "flatdemandstructure" in record:
        periods_ = {record["flatdemandmonths"][(start + timedelta(days=n)).month - 1] for n in range(days)}
        (only,) = periods_
        demand_flat = _steps(record["flatdemandstructure"][only], flat)
    if "demandratestructure" in record:
        demand_tou = sum(_steps(record["demandratestructure"][p], kw) for p, kw in by_period.items())
    due = energy + fixed + demand_flat + demand_tou
    minimum = max(0.0, _charge(record, "mincharge", "minchargeunits", days) - due)
    return {
        "energy": energy,
        "fixed": fixed,
        "demand_flat": demand_flat,
        "demand_tou": demand_tou,
        "minimum": minimum,
        "total": due + minimum,
    }


def _ladder(ladder: list[dict[str, Any]], total: float, days: int, cycle_days: int, kw: float) -> float:
    """What the whole total would cost in this period."""
    cost, below = 0.0, 0.0
    for n, tier in enumerate(ladder):
        above = float("inf")
        if "max" in tier and n < len(ladder) - 1:
            unit = tier.get("unit", "kWh")
            above = tier["max"] * (days if "daily" in unit else days / cycle_days)
            above *= kw if "/kW" in unit else 1
        cost += max(0.0, min(total, above) - below) * (tier.get("rate", 0) + tier.get("adj", 0))
        below = above
    return cost


def _steps(ladder: list[dict[str, Any]], kw: float) -> float:
    cost, below = 0.0, 0.0
    for n, tier in enumerate(ladder):
        above = tier["max"] if "max" in tier and n < len(ladder) - 1 else float("inf")
        cost += max(0.0, min(kw, above) - below) * (tier.get("rate", 0) + tier.get("adj", 0))
        below = above
    return cost


def _charge(record: dict[str, Any], amount: str, unit: str, days: int) -> float:
    value = record.get(amount) or 0.0
    return value * {"$/day": days, "$/month": 1, "$/year": 1 / 12}[record.get(unit, "$/month")]


def _demands(
    record: dict[str, Any], usage: Usage, calendar: Calendar, number: int
) -> tuple[float, dict[int, float]]:
    flat, by_period = 0.0, {}
    for local, kwh in _intervals(usage, calendar, number):
        kw = kwh * 3600 / usage.step
        flat = max(flat, kw)
        if "demandratestructure" in record:
            period = _period(record, "demand", local, calendar.holidays)
            by_period[period] = max(by_period.get(period, 0.0), kw)
    return flat, by_period
