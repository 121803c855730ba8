"""Small tariffs and readings of an invented utility, for tests to bend."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from espi_server.rates.calendar import Calendar, Cycle, midnight, months
from espi_server.rates.usage import Usage

PACIFIC = ZoneInfo("America/Los_Angeles")
ALL_DAY = [0] * 24


def record(**fields: Any) -> dict[str, Any]:
    """A flat rate of 20 cents with nothing else; `fields` replace or add."""
    plain: dict[str, Any] = {
        "label": "aaaaaaaaaaaaaaaaaaaaaaa1",
        "name": "Plain",
        "utility": "Marsh Light & Power",
        "eiaid": 99999,
        "sector": "Residential",
        "servicetype": "Bundled",
        "approved": True,
        "startdate": 1735689600,
        "energyratestructure": [[{"rate": 0.2, "unit": "kWh"}]],
        "energyweekdayschedule": [ALL_DAY] * 12,
        "energyweekendschedule": [ALL_DAY] * 12,
    }
    return {name: value for name, value in {**plain, **fields}.items() if value is not None}


def hours(peak: int, off: int, first: int = 16, last: int = 21) -> list[int]:
    """A day with `peak` from `first` up to `last` o'clock and `off` around it."""
    return [peak if first <= hour < last else off for hour in range(24)]


def seasonal(summer: list[int], winter: list[int], months: tuple[int, ...] = (6, 7, 8, 9)) -> list[list[int]]:
    """Twelve rows, `summer` in those months."""
    return [summer if month in months else winter for month in range(1, 13)]


def time_of_use(**fields: Any) -> dict[str, Any]:
    """Summer peak 0, summer off-peak 1, winter peak 2, winter off-peak 3; baseline tiers in each."""
    ladders = [
        [{"rate": low, "max": limit, "unit": "kWh daily"}, {"rate": low + 0.08, "unit": "kWh daily"}]
        for low, limit in ((0.44, 9.8), (0.32, 9.8), (0.31, 9.7), (0.28, 9.7))
    ]
    rows = seasonal(hours(0, 1), hours(2, 3))
    weekends = seasonal([1] * 24, [3] * 24)
    return record(
        name="Peaks and tiers",
        energyratestructure=ladders,
        energyweekdayschedule=rows,
        energyweekendschedule=weekends,
        **fields,
    )


def usage(
    kwh: Any, *, first: date = date(2025, 1, 1), step: int = 3600, zone: ZoneInfo = PACIFIC, **more: Any
) -> Usage:
    """Readings from the local midnight of `first` on."""
    return Usage(midnight(zone, first), step, np.asarray(kwh, np.float64), **more)


def year_of(
    kwh: float, *, step: int = 3600, first: date = date(2025, 1, 1), days: int = 365, zone: ZoneInfo = PACIFIC
) -> Usage:
    """The same kWh in every interval of a year."""
    begin, end = (midnight(zone, day) for day in (first, first + timedelta(days=days)))
    return usage(np.full((end - begin) // step, kwh), first=first, step=step, zone=zone)


def household(seed: int = 7, *, step: int = 900, days: int = 365, solar: bool = False) -> Usage:
    """A lively year: evenings higher, some noise, and with `solar` export around noon."""
    count = days * 86400 // step
    day = np.arange(count) * step / 86400
    shape = 0.4 + 0.5 * np.exp(-(((day % 1) * 24 - 19) ** 2) / 8) + 0.2 * np.cos(day / 58)
    kwh = shape * np.random.default_rng(seed).gamma(4, 0.25, count) * step / 3600
    if solar:
        kwh -= (
            np.maximum(0, np.sin(((day % 1) * 24 - 6) / 12 * np.pi))
            * 2.6
            * step
            / 3600
            * ((day % 1 > 0.25) & (day % 1 < 0.75))
        )
    return usage(kwh, step=step)


def calendar_months(
    used: Usage, zone: ZoneInfo = PACIFIC, holidays: frozenset[date] = frozenset()
) -> Calendar:
    """The calendar months the readings cover."""
    return Calendar(zone, months(zone, used.start, used.end), holidays)


def read_days(*days: date, zone: ZoneInfo = PACIFIC, holidays: frozenset[date] = frozenset()) -> Calendar:
    """Cycles from each date to the next."""
    edges = [midnight(zone, day) for day in days]
    return Calendar(zone, tuple(Cycle(*pair) for pair in itertools.pairwise(edges)), holidays)


def utc(text: str) -> int:
    """UTC seconds of an ISO instant."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
