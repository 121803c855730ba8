"""The numbers of one IntervalBlock just as they stand: in their order, twice where they stand twice.

The readings we store are sorted and each start stands once; a rule about order or doubles needs them before that.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from espi_server.espi.content import ESPI
from espi_server.espi.raw import Element

Column: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
MISSING: Final = int(np.iinfo(np.int64).min)
"""Stands where a reading lacks the element, or has no whole number of 48 bits in it."""

SAID: Final = "said"
"""A column of its own: 1 where a value stands, read or not."""

NAMES: Final = ("start", "duration", "value", "cost", "quality", "tou", "consumptionTier", "cpp", SAID)
_AT: Final = {f"{{{ESPI}}}{name}": place for place, name in enumerate(NAMES) if name != SAID}
_READING: Final = f"{{{ESPI}}}IntervalReading"
_INTERVAL: Final = f"{{{ESPI}}}interval"
_GREATEST: Final = 2**48
_VALUE: Final = NAMES.index("value")
_SAID: Final = NAMES.index(SAID)


@dataclass(eq=False)
class Columns:
    """One row per reading, one column per number; starts are epoch seconds, durations seconds."""

    cells: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.cells.shape[1])

    def __getitem__(self, name: str) -> Column:
        column: Column = self.cells[NAMES.index(name)]
        return column

    def known(self, name: str) -> Column:
        """The column without the rows that lack it."""
        column = self[name]
        known: Column = column[column != MISSING]
        return known

    def placed(self, block_start: int, length: int | None) -> Columns:
        """The same with every time said: a reading without one follows its predecessor by `length` seconds."""
        start, duration = self["start"].copy(), self["duration"].copy()
        if length:
            duration[duration == MISSING] = length
            for row in np.flatnonzero(start == MISSING).tolist():
                before = int(start[row - 1]) + length if row else block_start
                start[row] = before if before > MISSING + length else MISSING
        return Columns(np.vstack([start, duration, self.cells[2:]]))

    @property
    def end(self) -> Column:
        """Where each reading ends; only where `has_times`."""
        return self["start"] + self["duration"]

    @property
    def has_times(self) -> bool:
        """Whether every reading says when it starts and how long it lasts."""
        return bool(len(self)) and MISSING not in (int(self["start"].min()), int(self["duration"].min()))

    def dump(self) -> bytes:
        """As bytes, for `load`."""
        out = io.BytesIO()
        np.save(out, self.cells)
        return out.getvalue()

    @classmethod
    def load(cls, data: bytes) -> Columns:
        """The reverse of `dump`."""
        return cls(np.load(io.BytesIO(data), allow_pickle=False))


def read(block: Element) -> tuple[tuple[int, int], Columns]:
    """Start and duration of the block's own interval (MISSING where not said), and its readings."""
    rows: list[list[int]] = []
    interval = [MISSING] * len(NAMES)
    row = interval
    place_of: Any = _AT.get
    for element in block.iter():
        tag = element.tag
        place = place_of(tag)
        if place is not None:
            if place == _VALUE:
                row[_SAID] = 1
            if row[place] == MISSING:  # of several qualities the first
                row[place] = _number(element.text)
        elif tag == _READING:
            row = [MISSING] * len(NAMES)
            rows.append(row)
        elif tag == _INTERVAL:
            row = interval
    cells = np.array(rows, np.int64).T if rows else np.empty((len(NAMES), 0), np.int64)
    return (interval[0], interval[1]), Columns(np.ascontiguousarray(cells))


def _number(text: str | None) -> int:
    try:
        number = int(text or "")
    except ValueError:
        return MISSING
    return number if -_GREATEST <= number <= _GREATEST else MISSING
