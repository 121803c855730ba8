"""Readings to XML: the only renderer of IntervalReading, by one big template instead of a tree."""

from functools import cached_property
from typing import Final

import numpy as np

from espi_server.espi.readings.columns import EXTENSIONS, MISSING, QUALITIES, Column, Mask, Rare, Readings

# In the order of the schema; the names are those of the columns.
_PIECES: Final = {
    "cost": "<cost>%d</cost>",
    "quality": "<ReadingQuality><quality>%d</quality></ReadingQuality>",
    "duration": "<timePeriod><duration>%d</duration>",
    "start": "<start>%d</start></timePeriod>",
    "value": "<value>%d</value>",
    "tier": "<consumptionTier>%d</consumptionTier>",
    "tou": "<tou>%d</tou>",
    "cpp": "<cpp>%d</cpp>",
}


def render(readings: Readings) -> bytes:
    """The `<IntervalReading>` elements one after the other: schema order, compact, no prefix, default namespace."""
    return Renderer(readings).xml(slice(0, len(readings)))


def _is_one(cells: Column) -> bool:
    """Whether several readings have the same number."""
    return len(cells) > 1 and bool(cells[0] != MISSING and (cells == cells[0]).all())


class Renderer:
    """Renders any rows of the same readings; what they share is prepared once."""

    def __init__(self, readings: Readings) -> None:
        there = {name: readings.cells(name) for name in _PIECES if getattr(readings, name) is not None}
        # What all readings share stands in the template; of qualities one reading may have several.
        self._shared = {
            name: _PIECES[name] % cells[0]
            for name, cells in there.items()
            if _is_one(cells) and (name != "quality" or not readings.extra)
        }
        self._names = [name for name in there if name not in self._shared]
        self._cells = np.stack([there[name] for name in self._names], axis=1)
        self._present = self._cells != MISSING
        self._rare = {
            int(np.searchsorted(readings.start, start)): rare for start, rare in readings.extra.items()
        }
        for row, rare in self._rare.items():
            if QUALITIES in rare:
                self._present[row, self._names.index("quality")] = False

    @cached_property
    def _full(self) -> str:
        """The template of a reading that has all there is."""
        return self._record(np.ones(len(self._names), np.bool_))

    def xml(self, rows: slice) -> bytes:
        """The elements of these rows as UTF-8."""
        cells, present = self._cells[rows], self._present[rows]
        if not len(cells):
            return b""
        if present.all() and not self._rare:
            return (self._full * len(cells) % tuple(cells.ravel().tolist())).encode()
        template = self._template(rows.start, present)
        return (template % tuple(cells[present].tolist())).encode()

    def _template(self, first: int, present: Mask) -> str:
        """One record after the other, each with the places its reading fills."""
        shapes = present @ (1 << np.arange(len(self._names)))
        kinds, samples = np.unique(shapes, return_index=True)
        by_shape = {
            kind: self._record(present[row]) for kind, row in zip(kinds.tolist(), samples, strict=True)
        }
        records = [by_shape[shape] for shape in shapes.tolist()]
        for row, rare in self._rare.items():
            if first <= row < first + len(records):
                records[row - first] = self._record(present[row - first], rare)
        return "".join(records)

    def _record(self, present: Mask, rare: Rare | None = None) -> str:
        """The template of a reading with these cells, and what is rare about it spelled out."""
        here = {name: _PIECES[name] for name, is_here in zip(self._names, present, strict=True) if is_here}
        pieces = here | self._shared
        before = ""
        if rare:
            before = "".join(rare.get(EXTENSIONS, ())).replace("%", "%%")
            if QUALITIES in rare:
                pieces["quality"] = "".join(_PIECES["quality"] % code for code in rare[QUALITIES])
        content = "".join(pieces[name] for name in _PIECES if name in pieces)
        return f"<IntervalReading>{before}{content}</IntervalReading>"
