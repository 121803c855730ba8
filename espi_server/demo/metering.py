"""What a household's meter has counted: readings at its step, and what each billing period comes to."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from espi_server.demo.bills import Bill, Measured, bill, by_price
from espi_server.demo.calendar import DAY, HOUR, QUARTER, Span, Whole, chance, cycles, midnight, span
from espi_server.demo.households import TIMEZONE, Service
from espi_server.demo.shapes import SHAPES
from espi_server.demo.tariffs import RATES, Rate
from espi_server.espi.codes import FlowDirectionKind, QualityOfReading
from espi_server.espi.readings import MISSING, Readings

ESTIMATED = int(QualityOfReading.ESTIMATED_USING_REFERENCE_DAY)
INTERPOLATED = int(QualityOfReading.ESTIMATED_USING_LINEAR_INTERPOLATION)


@dataclass(frozen=True)
class Series:
    """The readings of one meter reading: watt-hours (gas: thousandths of a therm) in one direction."""

    flow: FlowDirectionKind
    step: int
    readings: Readings


@dataclass(frozen=True)
class Period:
    """One billing period: its local days, what was measured in it, and the bill."""

    first: date
    end: date
    measured: Measured
    bill: Bill


@dataclass(frozen=True)
class Metered:
    """All that one service brings: its series, its bills, and the running period where the agreement is alive."""

    service: Service
    signed: int
    ended: int | None
    series: tuple[Series, ...]
    periods: tuple[Period, ...]
    running: Period | None = None
    last_day: int = 0  # what was measured on the last day
    midnights: Whole = field(default_factory=lambda: np.empty(0, np.int64))


def read_out(service: Service, end_day: date, days: int) -> Metered:
    """What the service's meter has counted in the `days` up to `end_day` (or until they moved out), always the same."""
    last = end_day if service.ended is None else end_day - timedelta(days=min(service.ended, days // 2))
    first = end_day - timedelta(days=days - 1)
    # The first bill covers days before the first reading.
    whole = span(first.replace(day=1) - timedelta(days=31), last, TIMEZONE)
    meter = _Meter(service, whole)
    periods = tuple(meter.period(*cycle) for cycle in cycles(first, last, service.read_day))
    alive = service.ended is None
    return Metered(
        service=service,
        signed=midnight(_signed(service), whole.zone),
        ended=None if alive else int(whole.midnights[-1]),
        series=tuple(meter.series(midnight(first, whole.zone))),
        periods=periods,
        running=meter.running(periods[-1].end, last) if alive and periods else None,
        last_day=int(meter.delivered[whole.day == whole.day[-1]].sum()),
        midnights=whole.midnights,
    )


class _Meter:
    """A service's quarter hours as whole numbers, both directions."""

    def __init__(self, service: Service, whole: Span) -> None:
        self.service, self.whole, self.rate = service, whole, RATES[service.rate]
        net = SHAPES[service.shape](whole, _seed(service))
        self.delivered = np.rint(np.clip(net, 0, None)).astype(np.int64)
        self.received = np.rint(np.clip(-net, 0, None)).astype(np.int64)
        self.code = self.rate.period(whole)

    def series(self, since: int) -> Iterator[Series]:
        """The readings from a moment on."""
        yield Series(FlowDirectionKind.FORWARD, self.service.step, self._delivered(since))
        if self.service.net_metered:
            yield Series(FlowDirectionKind.REVERSE, self.service.step, self._plain(self.received, since))

    def period(self, first: date, end: date) -> Period:
        """A billing period, billed."""
        rows = self._rows(first, end)
        amounts = self.delivered[rows]
        measured = Measured(
            start=midnight(first, self.whole.zone),
            end=midnight(end, self.whole.zone),
            amount=int(amounts.sum()),
            by_price={} if self.rate.tiers else by_price(self.whole.month[rows], self.code[rows], amounts),
            exported=int(self.received[rows].sum()),
            peak=int(amounts.reshape(-1, 4).sum(axis=1).max()) if len(amounts) else 0,
        )
        return Period(
            first, end, measured, bill(self.rate, measured, modifiers=self.service.modifiers, month=end.month)
        )

    def running(self, first: date, last: date) -> Period | None:
        """The period that has not ended yet, as far as it goes."""
        return self.period(first, last + timedelta(days=1)) if first <= last else None

    def _rows(self, first: date, end: date) -> slice:
        moments = [midnight(first, self.whole.zone), midnight(end, self.whole.zone)]
        return slice(*np.searchsorted(self.whole.start, moments).tolist())

    def _delivered(self, since: int) -> Readings:
        plain = self._plain(self.delivered, since)
        columns: dict[str, Any] = {}
        if self.service.step == QUARTER and self.rate.periods:
            rows = self.whole.start >= since
            columns["tou"] = self.code[rows]
            columns["cost"] = np.rint(self.delivered * self.rate.price(self.whole) / 1000)[rows].astype(
                np.int64
            )
        if self.service.step == QUARTER and self.rate.tiers:
            columns["tier"] = _tiers(self.rate, self.service, self.whole, self.delivered)[
                self.whole.start >= since
            ]
        readings = Readings.of(plain.start, plain.duration, value=plain.value, **columns)
        return _patchy(readings, self.whole, since) if self.service.patchy else readings

    def _plain(self, amounts: Whole, since: int) -> Readings:
        edges = self._edges()
        *places, end = np.searchsorted(self.whole.start, edges).tolist()
        values = np.add.reduceat(amounts[:end], places)
        kept = edges[:-1] >= since
        return Readings.of(edges[:-1][kept], np.diff(edges)[kept], value=values[kept])

    def _edges(self) -> Whole:
        """Where readings begin, and where the last one ends. The clock of a gas meter knows no summer time."""
        if self.service.is_gas:
            first = self.whole.midnights[0] - (self.whole.midnights[0] - 8 * HOUR) % -DAY
            return np.arange(first, self.whole.midnights[-1] + 1, DAY)
        if self.service.step == DAY:
            return self.whole.midnights
        return np.arange(self.whole.midnights[0], self.whole.midnights[-1] + 1, self.service.step)


def _tiers(rate: Rate, service: Service, whole: Span, amounts: Whole) -> Whole:
    """The tier each reading falls in: the second once its billing period has used up the allowance."""
    starts = [day.replace(day=service.read_day) for day in _months(whole.first, whole.last)]
    edges = [
        0,
        *np.searchsorted(whole.start, [midnight(day, whole.zone) for day in starts]).tolist(),
        len(whole),
    ]
    tiers = np.ones(len(whole), np.int64)
    for first, end in pairwise(edges):
        allowance = rate.allowance * round((end - first) * QUARTER / DAY)
        tiers[first:end] += np.cumsum(amounts[first:end]) > allowance
    return tiers


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def _patchy(readings: Readings, whole: Span, since: int) -> Readings:
    """Some hours and a few days missing, some estimated: a day from a day like it, an hour between its neighbours."""
    rows = whole.start >= since
    day, hour = whole.ordinal[rows], whole.start[rows] // HOUR
    by_day, by_hour = chance(91, day), chance(93, hour)
    quality = np.full(len(readings), MISSING)
    quality[by_hour < 0.02] = INTERPOLATED
    quality[by_day < 0.05] = ESTIMATED
    here = (by_day >= 0.012) & (by_hour >= 0.008)
    columns: dict[str, Any] = {
        name: cells for name, cells in readings.columns() if name not in ("start", "duration")
    }
    return Readings.of(readings.start, readings.duration, **columns, quality=quality)[here]


def _seed(service: Service) -> int:
    """The same meter, the same seed; the community provider sees the very meter of the company that delivers."""
    return zlib.crc32(f"{service.udc} {service.meter}".encode()) % 100_000


def _signed(service: Service) -> date:
    """When the agreement was signed: some years back, the same for the same agreement."""
    return date(2019, 1, 1) + timedelta(days=zlib.crc32(service.agreement.encode()) % 1500)
