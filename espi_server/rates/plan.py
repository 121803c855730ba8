"""A tariff laid over a calendar: which cell belongs to which period, and every limit and charge in numbers.

A plan is made once per tariff and read schedule and serves every account on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from espi_server.rates.calendar import DAY_TYPES, HOLIDAY, WEEKEND, Calendar
from espi_server.rates.charges import Per
from espi_server.rates.tariff import Ladder, Schedule, Tariff, Tier, Unit
from espi_server.rates.usage import Floats

INFINITE = float("inf")
WHOLE_YEAR = 350  # days from which on a run of bills counts as a year


class Row(NamedTuple):
    """The days of one billing cycle that lie in one season: what tier limits are counted over."""

    cycle: int
    months: tuple[int, ...]
    days: int
    share: float  # of the cycle's days
    parts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """One tariff over one calendar, with `slots` columns a day."""

    tariff: Tariff
    calendar: Calendar
    slots: int

    @classmethod
    def of(cls, tariff: Tariff, calendar: Calendar, slots: int | None = None) -> Plan:
        """The plan; `slots` as fine as the tariff needs unless given."""
        return cls(tariff, calendar, slots or tariff.slots)

    @cached_property
    def days(self) -> tuple[int, ...]:
        """Local days of each cycle."""
        return tuple(self.calendar.days(n) for n in range(len(self.calendar.cycles)))

    @cached_property
    def months(self) -> tuple[int, ...]:
        """The month each cycle is counted to."""
        return tuple(self.calendar.month(n) for n in range(len(self.calendar.cycles)))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Cycles cut at season changes, in order of time."""
        return tuple(row for cycle in range(len(self.days)) for row in self._rows_of(cycle))

    def _rows_of(self, cycle: int) -> Iterator[Row]:
        parts = [(n, part) for n, part in enumerate(self.calendar.parts) if part.cycle == cycle]
        for _, run in groupby(parts, key=lambda pair: self.tariff.season(pair[1].month)):
            inside = list(run)
            days = sum(part.days for _, part in inside)
            yield Row(
                cycle,
                tuple(part.month for _, part in inside),
                days,
                days / self.days[cycle],
                tuple(n for n, _ in inside),
            )

    @cached_property
    def cycle_of_row(self) -> NDArray[np.intp]:
        """The cycle each row belongs to."""
        return np.array([row.cycle for row in self.rows], np.intp)

    @cached_property
    def first_rows(self) -> NDArray[np.intp]:
        """The first row of each cycle."""
        return np.flatnonzero(np.diff(self.cycle_of_row, prepend=-1))

    @cached_property
    def first_parts(self) -> NDArray[np.intp]:
        """The first part of each row."""
        return np.array([row.parts[0] for row in self.rows], np.intp)

    def by_cycle(self, amounts: Floats) -> Floats:
        """Sums of rows (the first axis) for each cycle."""
        if len(self.rows) == len(self.days):
            return amounts
        sums: Floats = np.add.reduceat(amounts, self.first_rows, axis=0)
        return sums

    def by_row(self, amounts: Floats) -> Floats:
        """Sums of parts (the first axis) for each row."""
        if len(self.rows) == len(self.calendar.parts):
            return amounts
        sums: Floats = np.add.reduceat(amounts, self.first_parts, axis=0)
        return sums

    def period_of_cell(self, schedule: Schedule) -> NDArray[np.intp]:
        """The period of each cell: (parts, day types × slots)."""
        fine = schedule.with_slots(self.slots)
        tables = np.array([fine.weekday, fine.weekend], np.intp)
        kinds = [0, 1, 1 if self.tariff.observes_holidays else 0]
        months = [part.month - 1 for part in self.calendar.parts]
        found: NDArray[np.intp] = tables[kinds][:, months].transpose(1, 0, 2).reshape(len(months), -1)
        return found

    @cached_property
    def energy_periods(self) -> NDArray[np.intp]:
        """The energy period of each cell."""
        return self.period_of_cell(self.tariff.energy_schedule)

    @cached_property
    def demand_periods(self) -> NDArray[np.intp]:
        """The demand period of each cell."""
        return self.period_of_cell(self.tariff.demand_schedule)

    @cached_property
    def selector(self) -> Floats:
        """(parts, periods, cells of a part): ones where a cell belongs to an energy period."""
        periods = np.arange(len(self.tariff.energy))
        ones: Floats = (self.energy_periods[:, None] == periods[:, None]).astype(np.float64)
        return ones

    @cached_property
    def prices(self) -> Floats:
        """(tiers, periods) dollars per kWh; zero beyond the last tier."""
        return self._table([[float(tier.price) for tier in ladder] for ladder in self.tariff.energy], 0.0)

    @cached_property
    def sells(self) -> Floats:
        """(tiers, periods) dollars per exported kWh."""
        return self._table([[float(tier.sell or 0) for tier in ladder] for ladder in self.tariff.energy], 0.0)

    def _table(self, lists: Sequence[Sequence[float]], rest: float) -> Floats:
        width = max(len(ladder) for ladder in self.tariff.energy)
        return np.array([[*given, *[rest] * (width - len(given))] for given in lists], np.float64).T.copy()

    @cached_property
    def per_kw(self) -> bool:
        """Some tier limit depends on the billing demand."""
        return any(tier.unit.per_kw for ladder in self.tariff.energy for tier in ladder)

    @cached_property
    def limits(self) -> Floats:
        """(tiers, rows, periods, 1) cumulative kWh at which each tier of each row ends."""
        return np.stack([self._limits_of(row, 0.0) for row in self.rows], axis=1)[..., None]

    def limits_at(self, kw: Floats) -> Floats:
        """(tiers, rows, periods, accounts) the same where limits depend on the billed `kw` (cycles, accounts)."""
        return np.stack(
            [
                np.stack([self._limits_of(row, float(demand)) for demand in kw[row.cycle]], axis=-1)
                for row in self.rows
            ],
            axis=1,
        )

    def _limits_of(self, row: Row, kw: float) -> Floats:
        return self._table([self.ladder_limits(ladder, row, kw) for ladder in self.tariff.energy], INFINITE)

    def ladder_limits(self, ladder: Ladder, row: Row, kw: float = 0.0) -> list[float]:
        """Where each tier of a ladder ends in that row, in kWh.

        A kWh/kW tier directly before kWh tiers is the frame of these steps: it has no energy of its own, and they
        end at its limit at the latest.
        """
        frame, last, ends = INFINITE, 0.0, []
        for n, tier in enumerate(ladder):
            end = self._tier_end(ladder, tier, row, kw)
            if n == len(ladder) - 1:
                end = INFINITE
            steps_follow = n + 1 < len(ladder) and not ladder[n + 1].unit.per_kw
            if tier.unit.per_kw:
                frame = end
                end = last if steps_follow else end
            last = max(last, min(end, frame))
            ends.append(last)
        return ends

    def _tier_end(self, ladder: Ladder, tier: Tier, row: Row, kw: float) -> float:
        if tier.limit is None:
            return INFINITE
        # A limit in kWh is for the whole billing period: a season's part has the share of its days.
        amount = float(tier.limit) * (row.days if tier.unit.per_day else row.share)
        if tier.unit is Unit.KWH_DAILY and ladder[0].limit is not None:
            amount *= self._baseline_ratio(ladder[0], row)
        return amount * kw if tier.unit.per_kw else amount

    def _baseline_ratio(self, first: Tier, row: Row) -> float:
        """How much larger this customer's allowance is than the record's first limit."""
        baseline = self.tariff.sidecar.baseline
        allowance = self.allowance(row)
        if baseline is None or baseline.credit is not None or allowance is None or first.limit is None:
            return 1.0
        return allowance / (float(first.limit) * row.days)

    def allowance(self, row: Row) -> float | None:
        """Baseline kWh of a row, None where the sidecar states none for its months."""
        baseline = self.tariff.sidecar.baseline
        if baseline is None:
            return None
        parts = [self.calendar.parts[n] for n in row.parts]
        rates = [baseline.per_day(part.month) for part in parts]
        return sum(float(rate or 0) * part.days for rate, part in zip(rates, parts, strict=True)) or None

    @cached_property
    def moves(self) -> tuple[dict[int, int], ...]:
        """For each row: periods that do not occur in it → the one that has most of their hours now."""
        return tuple(self._moves_to(row) for row in self.rows)

    def _moves_to(self, row: Row) -> dict[int, int]:
        month = row.months[-1]
        here = self.tariff.season(month)
        gone = set(range(len(self.tariff.energy))) - here
        return {period: heir for period in gone if (heir := self._heir(period, month)) is not None}

    def _heir(self, period: int, month: int) -> int | None:
        schedule = self.tariff.energy_schedule
        for back in range(1, 12):
            before = (month - 1 - back) % 12
            hours: Counter[int] = Counter()
            for rows, weight in ((schedule.weekday, 5), (schedule.weekend, 2)):
                for was, now in zip(rows[before], rows[month - 1], strict=True):
                    hours[now] += weight * (was == period)
            if sum(hours.values()):
                return max(sorted(hours), key=lambda now: hours[now])
        return None

    @cached_property
    def fixed(self) -> Floats:
        """(cycles) dollars of fixed charge."""
        charge = self.tariff.fixed
        return np.array([float(charge.due(days)) if charge else 0.0 for days in self.days])

    @cached_property
    def minimum(self) -> Floats | None:
        """(cycles) dollars a bill must reach; None where nothing is asked of a single bill."""
        charge = self.tariff.minimum
        if charge is None or charge.per is Per.YEAR:
            return None
        return np.array([float(charge.due(days)) for days in self.days])

    @cached_property
    def years(self) -> tuple[tuple[int, ...], ...]:
        """Runs of cycles that make up whole years from the first cycle on; a year that is not over is left out."""

        def year(cycle: int) -> int:
            first, opens = self.calendar.first_day(0), self.calendar.first_day(cycle)
            middle = date.fromordinal(opens.toordinal() + self.days[cycle] // 2)
            return middle.year - first.year - ((middle.month, middle.day) < (first.month, first.day))

        runs = (tuple(run) for _, run in groupby(range(len(self.days)), key=year))
        return tuple(run for run in runs if sum(self.days[cycle] for cycle in run) >= WHOLE_YEAR)

    @cached_property
    def export_table(self) -> Floats | None:
        """(parts, cells of a part) dollars per exported kWh, where the sidecar has prices by the hour."""
        tables = self.tariff.sidecar.export_prices
        if not tables:
            return None
        prices = np.repeat(np.array(tables, np.float64), self.slots // 24, axis=2)
        kinds = [0, WEEKEND, WEEKEND if self.tariff.observes_holidays else 0]
        months = [part.month - 1 for part in self.calendar.parts]
        found: Floats = prices[kinds][:, months].transpose(1, 0, 2).reshape(len(months), -1)
        return found

    def hours_needed(self) -> list[int]:
        """Parts in which one day holds more than one price: there daily readings do not tell what is due."""
        periods = self.energy_periods.reshape(-1, DAY_TYPES, self.slots)[:, :HOLIDAY]
        return [n for n, kinds in enumerate(periods) if any(len(set(kind.tolist())) > 1 for kind in kinds)]
