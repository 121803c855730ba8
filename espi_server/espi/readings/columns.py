"""The columns of a meter reading: one row per IntervalReading, ordered by start, every integer as ESPI has it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from espi_server.espi.errors import EspiError

Column: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Given: TypeAlias = Sequence[int | None] | npt.NDArray[Any]
Rare: TypeAlias = dict[str, list[Any]]

MISSING: Final = int(np.iinfo(np.int64).min)
"""Stands in a column where a single reading lacks what others have."""

MIXED_QUALITY: Final = 13
QUALITIES: Final = "quality"
EXTENSIONS: Final = "extension"

# TimeType is any xs:long; starts are held to 1900-2199, so that milliseconds are noticed and local time is known.
RANGES: Final[dict[str, tuple[int, int]]] = {
    "start": (-2_208_988_800, 7_258_118_399),
    "duration": (0, 2**32 - 1),
    "value": (-(2**47), 2**47),
    "cost": (-(2**47), 2**47),
    "quality": (0, 2**16 - 1),
    "tou": (-(2**15), 2**15 - 1),
    "tier": (-(2**15), 2**15 - 1),
    "cpp": (-(2**15), 2**15 - 1),
}
# An interval's duration is a UInt32: about 136 years are as far as it can say.
LONGEST: Final = RANGES["duration"][1]
NAMES: Final = tuple(RANGES)
OPTIONAL: Final = NAMES[2:]


class ReadingsError(EspiError):
    """A column of readings holds what ESPI does not allow; the message names the column, the row and the value."""


class Totals(NamedTuple):
    """What readings add up to: value in the ReadingType's unit, cost in 10⁻⁵ of its currency; None if none has one."""

    readings: int
    value: int | None
    cost: int | None


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings in columns, ordered by start; no two begin at the same second.

    Starts are epoch seconds, durations seconds, costs 10⁻⁵ of the currency. A column that no reading has is None,
    a cell that one reading lacks is MISSING. `extra` keeps, by start, what fits no column: "quality" is the list
    of several ReadingQuality codes (the column then says 13, mixed, unless they agree), "extension" a list of
    extension elements as XML. Build with `Readings.of`; the bare constructor trusts what it is given.
    """

    start: Column
    duration: Column
    value: Column | None = None
    cost: Column | None = None
    quality: Column | None = None
    tou: Column | None = None
    tier: Column | None = None
    cpp: Column | None = None
    extra: Mapping[int, Rare] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        start: Given,
        duration: Given | int,
        *,
        value: Given | None = None,
        cost: Given | None = None,
        quality: Given | None = None,
        tou: Given | None = None,
        tier: Given | None = None,
        cpp: Given | None = None,
        extra: Mapping[int, Rare] | None = None,
        notes: list[str] | None = None,
    ) -> "Readings":
        """Readings from lists (None where a cell is missing) or arrays, in any order; `extra` by row.

        Of several readings with one start the last wins, and a line about it joins `notes`.
        Raises ReadingsError for what ESPI's types do not hold.
        """
        seconds = [duration] * len(start) if isinstance(duration, int) else duration
        given = (start, seconds, value, cost, quality, tou, tier, cpp)
        columns = {
            name: _column(name, cells, len(start))
            for name, cells in zip(NAMES, given, strict=True)
            if cells is not None
        }
        rows = _latest_rows(columns["start"], notes)
        kept = set(np.arange(len(start))[rows].tolist()) if extra else ()
        by_start = {int(columns["start"][row]): rare for row, rare in (extra or {}).items() if row in kept}
        return _bare({name: cells[rows] for name, cells in columns.items()}, by_start)

    @classmethod
    def none(cls) -> "Readings":
        """No readings at all."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: slice | Mask | Column) -> "Readings":
        """The chosen rows; they must stay in order."""
        columns = {name: cells[rows] for name, cells in self.columns()}
        return _bare(columns, self._rare_among(columns["start"]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Readings):
            return NotImplemented
        same = all(np.array_equal(self.cells(name), other.cells(name)) for name in NAMES)
        return same and dict(self.extra) == dict(other.extra)

    def columns(self) -> Iterator[tuple[str, Column]]:
        """The columns that are there, by name, in one fixed order."""
        for name in NAMES:
            cells: Column | None = getattr(self, name)
            if cells is not None:
                yield name, cells

    def cells(self, name: str) -> Column:
        """A column in full: all MISSING if no reading has it."""
        cells: Column | None = getattr(self, name)
        return np.full(len(self), MISSING) if cells is None else cells

    @property
    def end(self) -> Column:
        """Where each reading ends, epoch seconds."""
        return self.start + self.duration

    @property
    def interval(self) -> tuple[int, int]:
        """Start and duration of the whole, as an IntervalBlock's `interval` says them; (0, 0) if there is nothing."""
        if not len(self):
            return 0, 0
        start = int(self.start[0])
        return start, min(int(self.end.max()) - start, LONGEST)

    def clip(self, start: int | None = None, end: int | None = None) -> "Readings":
        """The readings that lie wholly inside [start, end); None leaves that side open."""
        inside = np.ones(len(self), np.bool_)
        if start is not None:
            inside &= self.start >= start
        if end is not None:
            inside &= (self.end <= end) & (self.start < end)
        return self if inside.all() else self[inside]

    def without_cost(self) -> "Readings":
        """The same without cost, and without extensions, since nobody can say what stands in them."""
        extra = {
            start: {key: rare[key] for key in rare if key != EXTENSIONS} for start, rare in self.extra.items()
        }
        return replace(self, cost=None, extra={start: rare for start, rare in extra.items() if rare})

    def totals(self) -> Totals:
        """Count, and the exact sums of value and cost."""
        return Totals(len(self), _total(self.value), _total(self.cost))

    def _rare_among(self, starts: Column) -> dict[int, Rare]:
        if not self.extra:
            return {}
        kept = set(starts.tolist())
        return {start: rare for start, rare in self.extra.items() if start in kept}


def joined(parts: Sequence[Readings], notes: list[str] | None = None) -> Readings:
    """All parts of one delivery as one; for a start given twice the later part wins, and `notes` says so."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Readings.none()
    extra: dict[int, Rare] = {}
    for part in parts:
        given = set(part.start.tolist()) if extra else ()
        extra = {start: rare for start, rare in extra.items() if start not in given} | dict(part.extra)
    there = {name for part in parts for name, _ in part.columns()}
    columns = {name: np.concatenate([part.cells(name) for part in parts]) for name in NAMES if name in there}
    rows = _latest_rows(columns["start"], notes)
    return _bare({name: cells[rows] for name, cells in columns.items()}, extra)


def _bare(columns: Mapping[str, Column], extra: Mapping[int, Rare]) -> Readings:
    """Readings of trusted columns; one that is MISSING throughout is None."""
    present = {
        name: cells for name, cells in columns.items() if name not in OPTIONAL or (cells != MISSING).any()
    }
    return Readings(**present, extra=extra)


def _column(name: str, given: Given, count: int) -> Column:
    if len(given) != count:
        raise ReadingsError(
            f"{name} has {len(given)} cells for {count} readings; give one for each, or None."
        )
    cells = (
        given
        if isinstance(given, np.ndarray)
        else np.array([MISSING if cell is None else cell for cell in given])
    )
    if not count:
        return np.empty(0, np.int64)
    low, high = RANGES[name]
    if cells.dtype.kind not in "iu" or cells.ndim != 1:
        raise _refusal(name, given)
    wrong = (cells < low) | (cells > high)
    if name in OPTIONAL:
        wrong &= cells != MISSING
    if wrong.any():
        raise _refusal(name, given)
    return cells.astype(np.int64)


def _refusal(name: str, given: Given) -> ReadingsError:
    """The first cell that is no integer in the column's range, in words."""
    low, high = RANGES[name]
    accepted = f"a whole number from {low} to {high}"
    for row, cell in enumerate(given.tolist() if isinstance(given, np.ndarray) else given):
        if name in OPTIONAL and (cell is None or cell == MISSING):
            continue
        if type(cell) is not int and not isinstance(cell, np.integer):
            return ReadingsError(f"{name}[{row}] is {cell!r}; it must be {accepted}.")
        if not low <= cell <= high:
            hint = (
                " It looks like milliseconds; ESPI has whole seconds."
                if name == "start" and cell > high
                else ""
            )
            return ReadingsError(f"{name}[{row}] is {cell}; it must be {accepted}.{hint}")
    return ReadingsError(f"{name} must be one row of whole numbers, each {accepted}.")


def _latest_rows(start: Column, notes: list[str] | None) -> Column | slice:
    """Which rows in order of start; of rows that share one, the last given."""
    if (start[1:] > start[:-1]).all():
        return slice(None)
    order = np.argsort(start, kind="stable")
    ordered = start[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    dropped = int(np.count_nonzero(~last))
    if dropped and notes is not None:
        first = int(ordered[np.argmin(last)])
        notes.append(
            f"{dropped} readings share their start with a later one, which was kept (first at {first})."
        )
    latest: Column = order[last]
    return latest


def _total(cells: Column | None) -> int | None:
    # Below 2^15 rows of Int48 cannot overflow an int64, and above that halves are added as Python integers.
    if cells is None:
        return None
    known = cells[cells != MISSING]
    return sum(int(known[row : row + 2**14].sum()) for row in range(0, len(known), 2**14))
