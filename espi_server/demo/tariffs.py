"""What the demo's utilities charge. Prices are integers: 10⁻⁵ dollars per kilowatt-hour, therm, kilowatt or day.

Invented, and about what Californians pay. Pricing of real tariffs is another room's work (`rates`); these few lines
exist so that the sample bills add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from espi_server.demo.calendar import Real, Span, Whole

OFF_PEAK, PEAK = 1, 2
PERIODS: Mapping[int, str] = {OFF_PEAK: "Off-peak", PEAK: "Peak"}
SUMMER = (6, 7, 8, 9)


@dataclass(frozen=True)
class Rate:
    """One rate: prices by season and period, or by tier; a daily charge; what else stands on its bills.

    `tiers` are (price up to the allowance, price beyond); `allowance` is watt-hours or thousandths of a therm a day.
    `rins` are by modifiers: role to Rate Identification Number. A rate that does not depend on the time has none.
    """

    code: str
    name: str
    daily: int
    periods: Mapping[tuple[bool, int], int] = field(default_factory=dict)  # (summer, period) → price
    tiers: tuple[int, int] | None = None
    allowance: int = 0
    demand: int = 0
    export: int = 0
    tax: float = 0.0
    discounts: Mapping[str, float] = field(default_factory=dict)
    credit: int = 0  # a fixed credit on bills that end in April and October
    rins: Mapping[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)

    def period(self, span: Span) -> Whole:
        """The time-of-use code of each quarter hour: four to nine in the evening is peak, every day."""
        return np.where((span.hour >= 16) & (span.hour < 21), PEAK, OFF_PEAK)

    def price(self, span: Span) -> Real:
        """The price of each quarter hour's energy, for a rate that depends on the time."""
        summer = np.isin(span.month, SUMMER)
        table = np.array([[self.periods[season, period] for period in PERIODS] for season in (False, True)])
        return np.asarray(table[summer.astype(int), self.period(span) - 1], dtype=float)


def _tou(winter: tuple[int, int], summer: tuple[int, int]) -> dict[tuple[bool, int], int]:
    """Off-peak and peak prices of both seasons."""
    seasons = {False: winter, True: summer}
    return {
        (season, period): price
        for season in seasons
        for period, price in zip(PERIODS, seasons[season], strict=True)
    }


def _bundled(number: str) -> dict[str, str]:
    return {"bundled": f"USCA-AVAV-{number}-0000"}


_UNBUNDLED = {"delivery": "USCA-AVXX-0100-0000", "generation": "USCA-XXBC-GRN1-0000"}

RATES: Mapping[str, Rate] = {
    rate.code: rate
    for rate in (
        Rate(
            "R-TOU", "Residential time of use", daily=49_000, tax=0.055, credit=-5_800_000,
            periods=_tou((36_400, 39_300), (38_900, 51_700)), discounts={"CARE": 0.35},
            rins={(): _bundled("0100"), ("CARE",): _bundled("0102")},
        ),
        Rate(
            "R-TIER", "Residential tiered", daily=38_000, tiers=(36_100, 45_200), allowance=11_300, tax=0.055,
            credit=-5_800_000,
        ),
        Rate(
            "R-SUN", "Residential solar", daily=79_000, tax=0.055, export=-6_400, credit=-5_800_000,
            periods=_tou((31_200, 34_800), (33_500, 57_900)), rins={(): _bundled("0504")},
        ),
        Rate(
            "R-TOU-D", "Residential time of use, delivery only", daily=49_000, tax=0.055, credit=-5_800_000,
            periods=_tou((21_900, 23_400), (22_600, 27_800)), rins={(): _UNBUNDLED},
        ),
        Rate(
            "GREEN-1", "Half renewable generation", daily=0, periods=_tou((13_100, 14_600), (14_900, 22_400)),
            rins={(): {"generation": _UNBUNDLED["generation"]}},
        ),
        Rate(
            "B-TOU", "Small business time of use", daily=135_000, tax=0.0575, demand=1_450_000,
            periods=_tou((20_700, 23_100), (21_800, 29_600)), rins={(): _bundled("B100")},
        ),
        Rate("G-1", "Residential gas", daily=13_100, tiers=(213_000, 261_000), allowance=1_250, tax=0.041),
    )
}  # fmt: skip
