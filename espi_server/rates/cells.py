"""Cells: what a bill needs to know of a million readings.

The sum of kWh per (billing cycle and month, kind of day, hour) is a sufficient statistic for every energy price of
URDB, and the highest kW of the same cells for every demand charge. Cells are additive: new readings are added once
and the old ones never read again. Imports and exports are separate, netted inside each interval before the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from espi_server.rates.calendar import DAY_TYPES, Calendar, Index, utc_offsets
from espi_server.rates.errors import DoesNotFit
from espi_server.rates.tariff import Metering
from espi_server.rates.usage import Floats, Usage, hourly

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells:
    """Sums of one meter over a calendar: arrays of (parts, day types × slots).

    `imports` and `exports` are kWh (exports None where nothing was ever sent out), `peaks` kW, `missing` readings that
    were not there (None: none), `expected` readings there should be. `step` is seconds per reading.
    """

    imports: Floats
    exports: Floats | None
    peaks: Floats | None
    missing: Counts | None
    expected: Counts
    step: int

    @classmethod
    def of(
        cls,
        usage: Usage,
        calendar: Calendar,
        *,
        slots: int = 24,
        peaks: bool = True,
        metering: Metering | None = None,
    ) -> Cells:
        """The cells of those readings. Readings outside the calendar's cycles are not counted.

        Under hourly net billing use and export are netted within the hour first; where all is bought and all is sold
        they are not netted at all.
        """
        index = calendar.index(usage.start, usage.step, len(usage), slots)
        shape = (len(calendar.parts), DAY_TYPES * slots)
        imports, exports, whole = _channels(usage, calendar, index, slots, metering)
        gaps = None if whole else np.isnan(usage.net)
        return cls(
            imports=imports.reshape(shape),
            exports=None if exports is None else exports.reshape(shape),
            peaks=_peaks(usage, index, metering).reshape(shape) if peaks else None,
            missing=None
            if gaps is None
            else np.bincount(index.cell[_inside(gaps, index)], minlength=index.cells).reshape(shape),
            expected=index.expected.reshape(shape),
            step=usage.step,
        )

    def __add__(self, later: Cells) -> Cells:
        """These cells with more readings of the same calendar in them."""
        if self.imports.shape != later.imports.shape or self.step != later.step:
            raise DoesNotFit("Cells are added to cells of the same calendar, slots and interval.")
        return Cells(
            imports=self.imports + later.imports,
            exports=_sum(self.exports, later.exports),
            peaks=None if self.peaks is None or later.peaks is None else np.maximum(self.peaks, later.peaks),
            missing=_sum(self.missing, later.missing),
            expected=self.expected + later.expected,
            step=self.step,
        )

    def part_of(self, parts: Sequence[int]) -> Cells:
        """The cells of some parts of the calendar, such as one cycle's."""
        chosen = list(parts)

        def of(array: Any) -> Any:
            return None if array is None else array[chosen]

        return Cells(
            of(self.imports), of(self.exports), of(self.peaks), of(self.missing), of(self.expected), self.step
        )

    @classmethod
    def joined(cls, pieces: Sequence[Cells]) -> Cells:
        """Successive cycles as the cells of one calendar; peaks only if every piece has them."""

        def of(arrays: Sequence[Any], needed: bool = False) -> Any:
            there = [array is not None for array in arrays]
            if not any(there) or (needed and not all(there)):
                return None
            return np.concatenate(
                [
                    np.zeros(piece.imports.shape) if array is None else array
                    for piece, array in zip(pieces, arrays, strict=True)
                ]
            )

        return cls(
            of([piece.imports for piece in pieces]),
            of([piece.exports for piece in pieces]),
            of([piece.peaks for piece in pieces], needed=True),
            of([piece.missing for piece in pieces]),
            of([piece.expected for piece in pieces]),
            max(piece.step for piece in pieces),
        )

    @property
    def slots(self) -> int:
        """Columns of a day."""
        return int(self.imports.shape[1]) // DAY_TYPES

    def with_slots(self, slots: int) -> Cells:
        """The same sums in fewer, wider columns."""
        if slots == self.slots:
            return self
        if slots > self.slots:
            raise DoesNotFit(
                f"These cells have {self.slots} columns a day; this tariff changes price between them and "
                f"needs {slots}. Build the cells with slots={slots}."
            )
        return replace(
            self,
            imports=_fold(self.imports, slots),
            expected=_fold(self.expected, slots),
            exports=None if self.exports is None else _fold(self.exports, slots),
            missing=None if self.missing is None else _fold(self.missing, slots),
            peaks=None
            if self.peaks is None
            else self.peaks.reshape(len(self.peaks), DAY_TYPES * slots, -1).max(axis=2),
        )

    @cached_property
    def net(self) -> Floats:
        """Imports less exports."""
        return self.imports if self.exports is None else self.imports - self.exports

    @cached_property
    def unread(self) -> list[int]:
        """The parts that should have readings and have none."""
        if self.missing is None:
            return []
        present = (self.expected - self.missing).sum(axis=1)
        return np.flatnonzero((self.expected.sum(axis=1) > 0) & (present == 0)).tolist()

    def filled(self) -> Cells:
        """The same cells with missing readings taken as the mean of the readings of their cell.

        A cell without any reading takes the mean of its hour on all days of that month of the cycle, then of all its
        hours. Raises DoesNotFit where a month of a cycle has no reading at all.
        """
        if self.missing is None or not self.missing.any():
            return self
        if self.unread:
            raise DoesNotFit(
                "These cells have a month without any reading; a bill cannot be estimated from nothing."
            )
        present = self.expected - self.missing
        return replace(
            self,
            missing=None,
            imports=_filled(self.imports, present, self.missing),
            exports=None if self.exports is None else _filled(self.exports, present, self.missing),
        )


def _sum(one: Any, two: Any) -> Any:
    if one is None or two is None:
        return two if one is None else one
    return one + two


def _fold(columns: Any, slots: int) -> Any:
    return columns.reshape(len(columns), DAY_TYPES * slots, -1).sum(axis=2)


def _inside(values: Any, index: Index) -> Any:
    """Without the readings before the first and after the last cycle."""
    return values if index.whole else values[index.before : len(values) - index.after]


def _channels(
    usage: Usage, calendar: Calendar, index: Index, slots: int, metering: Metering | None
) -> tuple[Floats, Floats | None, bool]:
    """Imports, exports if there are any, and whether no reading is missing."""
    if usage.generated is not None and metering is Metering.BUY_ALL_SELL_ALL:
        imports, whole = _added(np.maximum(usage.kwh, 0), index)
        exports, all_there = _added(usage.generated + np.maximum(-usage.kwh, 0), index)
        return imports, exports, whole and all_there
    net, whole = _added(usage.net, index)
    if not usage.exports:
        return net, None, whole
    if metering is Metering.NET_BILLING_HOURLY and usage.step < 3600:
        usage = hourly(usage, int(utc_offsets(calendar.zone, np.array([usage.start]))[0]))
        index = calendar.index(usage.start, usage.step, len(usage), slots)
    imports, _ = _added(np.maximum(usage.net, 0), index)
    exports, _ = _added(np.maximum(-usage.net, 0), index)
    return imports, exports, whole


def _added(kwh: Floats, index: Index) -> tuple[Floats, bool]:
    """The sum of each cell, and whether every reading was there; missing ones count nothing."""
    inside = _inside(kwh, index)
    sums = np.bincount(index.cell_of_group, weights=_grouped(inside, index.together), minlength=index.cells)
    whole = not isnan(np.dot(sums, sums))  # one missing reading shows in the product
    if not whole:
        sums = np.bincount(index.cell, weights=np.nan_to_num(inside), minlength=index.cells)
    return sums.astype(np.float64, copy=False), whole


def _grouped(kwh: Floats, size: int) -> Floats:
    """The sums of neighbours, `size` at a time. A small matrix product is the fastest way numpy has to say so."""
    wide = 1 if len(kwh) % (4 * size) else 4
    sums: Floats = (kwh.reshape(-1, wide * size) @ _neighbours(size, wide)).reshape(-1)
    return sums


@lru_cache(maxsize=32)
def _neighbours(size: int, wide: int) -> Floats:
    return np.kron(np.eye(wide), np.ones((size, 1))).astype(np.float64)


def _peaks(usage: Usage, index: Index, metering: Metering | None) -> Floats:
    """The highest kW of each cell: first of each run of neighbours, then of the runs."""
    drawn = usage.kwh if metering is Metering.BUY_ALL_SELL_ALL else usage.net
    kw = np.nan_to_num(_inside(drawn, index)) * (3600 / usage.step)
    highest = np.zeros(index.cells)
    if len(kw):
        order, opens, cells = index.grouped_runs
        runs = np.maximum.reduceat(kw, index.runs)
        highest[cells] = np.maximum(np.maximum.reduceat(runs[order], opens), 0)
    return highest


def _filled(sums: Floats, present: Counts, missing: Counts) -> Floats:
    """Sums as if the missing readings had been like the others of their cell."""
    days, slots = DAY_TYPES, sums.shape[1] // DAY_TYPES
    by_hour = _mean(sums.reshape(-1, days, slots).sum(1), present.reshape(-1, days, slots).sum(1))
    whole = _mean(sums.sum(1), present.sum(1))
    by_hour = np.where(np.isnan(by_hour), whole[:, None], by_hour)
    mean = _mean(sums, present)
    mean = np.where(np.isnan(mean), np.tile(by_hour, (1, days)), mean)
    filled: Floats = sums + np.where(missing > 0, mean * missing, 0.0)
    return filled


def _mean(sums: Floats, counts: Counts) -> Floats:
    mean: Floats = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return mean
