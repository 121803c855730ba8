"""How energy is used: quarter by quarter, out of the hour, the season, the weather and a little chance.

Every shape answers with watt-hours per quarter hour (the gas shape: thousandths of a therm). Below zero the sun
gives more than the house takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from espi_server.demo.calendar import HOUR, Real, Span, chance, normal

WEATHER = 20_000  # the seed all houses of the valley share
LATITUDE = np.radians(38.6)
SOLAR_NOON = 20.1  # hours UTC, at 121 degrees west

Shape = Callable[[Span, int], Real]


def temperature(span: Span) -> Real:
    """Degrees Celsius outdoors: season, time of day, and spells of weather that last some days."""
    spell = sum(
        normal(WEATHER, span.ordinal + back) * weight for back, weight in enumerate((0.5, 0.35, 0.25, 0.15))
    )
    daily = 6.5 * np.cos((span.hour - 15.5) / 24 * 2 * np.pi)
    return np.asarray(16 + 8.5 * span.season + daily * (1 + 0.2 * span.season) + 3.2 * spell)


def sunshine(span: Span) -> Real:
    """The sun's strength, 0 to 1: its height above the horizon, less clouds."""
    declination = np.radians(23.4) * span.season
    turned = ((span.start % 86_400) / HOUR - SOLAR_NOON) / 24 * 2 * np.pi
    height = np.sin(LATITUDE) * np.sin(declination) + np.cos(LATITUDE) * np.cos(declination) * np.cos(turned)
    cloudy = chance(WEATHER + 5, span.ordinal) < 0.22 - 0.15 * span.season
    passing = 1 - 0.35 * chance(WEATHER + 7, span.start // 1800) * (chance(WEATHER + 9, span.ordinal) < 0.4)
    return np.asarray(np.clip(height, 0, None) ** 1.15 * np.where(cloudy, 0.22, 1.0) * passing)


def home(people: float = 2, *, cooling: float = 1.0, electric_heat: float = 0.0) -> Shape:
    """A household: it sleeps, leaves in the morning, cooks in the evening, stays in at the weekend."""

    def shape(span: Span, seed: int) -> Real:
        morning = _bump(span.hour, 7.2, 1.1) * 190
        evening = _bump(span.hour, 19.2, 2.2) * 520
        noon = _bump(span.hour, 12.8, 2.6) * np.where(span.weekend, 210, 70)
        watts = 95 + 60 * people + (morning + evening + noon) * (0.45 + 0.3 * people)
        watts += 140 * np.clip(temperature(span) - 23.5, 0, None) * cooling * (span.hour > 10)
        watts += 120 * np.clip(15 - temperature(span), 0, None) * electric_heat
        kettle = (chance(seed, span.start) < 0.06) * (watts > 300) * 900
        lively = np.exp(0.22 * normal(seed + 2, span.start) + 0.15 * normal(seed + 4, span.ordinal))
        return (watts * lively + kettle) / 4

    return shape


def with_car(shape: Shape) -> Shape:
    """A car charges at home, some nights from half past eleven on, until it is full."""

    def charging(span: Span, seed: int) -> Real:
        night = (span.start - int(11.5 * HOUR)) // 86_400  # one number from noon to noon, near enough
        hours = (span.hour - 23.5) % 24
        wanted = 1 + 3.5 * chance(seed + 11, night)
        plugged = chance(seed + 13, night) < 0.55
        return shape(span, seed) + np.where(plugged & (hours < wanted), 7_200 / 4, 0)

    return charging


def with_sun(shape: Shape, kilowatts: float) -> Shape:
    """Panels on the roof; what the house does not take flows out."""
    return lambda span, seed: shape(span, seed) - sunshine(span) * kilowatts * 1000 / 4


def cabin(span: Span, seed: int) -> Real:
    """A fridge all year, and people on some weekends and in August."""
    visited = (span.weekend & (chance(seed + 21, span.ordinal // 7) < 0.4)) | (span.month == 8)
    lived_in = home(3, cooling=0.3, electric_heat=1.2)(span, seed)
    return np.where(visited, lived_in, 22 + 8 * chance(seed + 23, span.start))


def bakery(span: Span, seed: int) -> Real:
    """Ovens from four in the morning, the shop until six, closed on Sundays, cooling all summer; some are larger."""
    sunday = (span.ordinal + 6) % 7 == 6
    ovens = _bump(span.hour, 5.8, 1.6) * 14_000
    shop = 3_800 * ((span.hour > 6.5) & (span.hour < 18))
    cold = 1_500 + 130 * np.clip(temperature(span) - 16, 0, None)
    watts = np.where(sunday, cold, cold + ovens + shop) * (0.6 + 0.9 * chance(seed, [0]))
    return np.asarray(watts * np.exp(0.1 * normal(seed, span.start // HOUR)) / 4)


def gas_heating(span: Span, seed: int) -> Real:
    """Thousandths of a therm: heating when it is cold, hot water and the stove every day."""
    heating = np.clip(15.5 - temperature(span), 0, None) * 2.3
    stove = _bump(span.hour, 18.5, 1.5) * 6 + _bump(span.hour, 7, 1) * 10
    return (heating + stove) * np.exp(0.15 * normal(seed, span.start // HOUR))


def _bump(hour: Real, middle: float, width: float) -> Real:
    """A hill of height 1 around an hour of the day."""
    away = np.abs((hour - middle + 12) % 24 - 12)
    return np.asarray(np.exp(-0.5 * (away / width) ** 2))


SHAPES: Mapping[str, Shape] = {
    "flat": home(1, cooling=0.5),
    "home": home(3),
    "home with a car": with_car(home(2)),
    "home with sun": with_sun(home(3, cooling=1.2), 4.2),
    "cabin": cabin,
    "large home": home(4, cooling=1.1),
    "bakery": bakery,
    "gas heating": gas_heating,
}
