"""Taking plain readings out of a file before it is parsed, because a tree of a million numbers is the slow part.

Most of a Green Button file is readings that all look alike. Runs of them are taken out of the bytes as columns of
numbers, at once where only their numbers differ, else one by one by a strict pattern; for each run an empty reading
stays, marked with the run's number. The rest, a skeleton of a few kilobytes, is parsed and judged as any file is.

What makes this safe: the pattern knows one prefix, no attributes, no references, nothing but digits. So a run lies
in one piece in its parent, and the marked reading proves its namespace and its place. A run whose mark never comes
out of the parser stood in a comment, a CDATA section or the like; then, and whenever a block is not wholly made of
runs, `NotPlain` is raised and the file is read again without this.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from espi_server.espi.content import ESPI
from espi_server.espi.errors import EspiError
from espi_server.espi.raw import Element
from espi_server.espi.readings import MISSING, Readings
from espi_server.espi.readings.alike import ORDER, Columns, alike, of_columns, pattern

_CHUNK = 1 << 19
_READING = f"{{{ESPI}}}IntervalReading"
_FIRST = re.compile(rb"<([A-Za-z_][A-Za-z0-9_.-]*:)?IntervalReading>")
_BLANK = b" \t\r\n"
_LONGEST_READING = 1 << 16

_STEP = len(ORDER) + 1


class NotPlain(Exception):
    """This file is not made of plain readings alone; read it as it is."""


class Skeleton:
    """A document without its plain readings, to be read like a file; `readings` gives them back block by block.

    `most` bounds the bytes taken out and not yet given back, so that an endless block is left to the reader's limits.
    """

    def __init__(self, document: BinaryIO, most: int) -> None:
        self._document = document
        self._most = most
        self._mark = f"run-{secrets.token_hex(8)}"  # a name no file can know
        self._held = b""
        self._prefix: bytes | None = None
        self._runs: dict[int, tuple[Columns, int]] = {}
        self._count = 0
        self._taken = 0
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the skeleton; empty only at its end."""
        while not self._ended:
            chunk = self._document.read(max(size, _CHUNK))
            self._ended = not chunk
            given = self._thinned(chunk)
            if given:
                return given
        return b""

    def readings(self, block: Element, notes: list[str]) -> Readings | None:
        """The readings taken out of a block; None where it had no plain ones, NotPlain where it had others too."""
        marks = [reading.get(self._mark) for reading in block.iterchildren(_READING)]
        if not any(marks):
            return None
        if not all(marks):
            raise NotPlain
        columns = _joined([self._claimed(int(mark or "")) for mark in marks])
        try:
            return of_columns(columns, notes)
        except EspiError:
            # Read as it is, the error gets its line, and milliseconds are put right.
            raise NotPlain from None

    def finish(self) -> None:
        """The document is at its end: every run must have come out of the parser."""
        if self._runs:
            raise NotPlain

    def _claimed(self, number: int) -> Columns:
        found = self._runs.pop(number, None)
        if found is None:
            raise NotPlain
        self._taken -= found[1]
        return found[0]

    def _thinned(self, chunk: bytes) -> bytes:
        data = self._held + chunk
        if self._prefix is None:
            found = _FIRST.search(data)
            if found is None:
                return self._hold(data, max(0, data.rfind(b"<")) if chunk else len(data))
            self._prefix = found[1] or b""
        return self._without_runs(self._hold(data, self._whole(data) if chunk else len(data)))

    def _hold(self, data: bytes, whole: int) -> bytes:
        """Keep what is not whole yet for the next chunk; what never becomes whole is let through."""
        whole = len(data) if len(data) - whole > _LONGEST_READING else whole
        self._held = data[whole:]
        return data[:whole]

    def _whole(self, data: bytes) -> int:
        """How far no reading, and no tag, is cut in two."""
        opening = data.rfind(b"<%bIntervalReading>" % (self._prefix or b""))
        closing = data.rfind(b"</%bIntervalReading>" % (self._prefix or b""))
        last = data.rfind(b"<")
        return opening if opening > closing else len(data) if last == closing else max(0, last)

    def _without_runs(self, data: bytes) -> bytes:
        """The data with each run of readings reduced to a mark, and to its line breaks: errors name true lines."""
        if self._taken > self._most:
            return data
        kept, at = [], 0
        for begin, end in self._stretches(data):
            kept.append(data[at:begin])
            stretch = data[begin:end]
            columns = alike(stretch, self._prefix or b"")
            kept.append(self._one_by_one(stretch) if columns is None else self._marked(columns, stretch))
            at = end
        return b"".join([*kept, data[at:]])

    def _stretches(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where readings begin, and where the last of them ends before their block does."""
        p = self._prefix or b""
        opening, closing = b"<%bIntervalReading>" % p, b"</%bIntervalReading>" % p
        begin = data.find(opening)
        while begin >= 0:
            behind = data.find(b"</%bIntervalBlock" % p, begin)
            behind = behind if behind >= 0 else len(data)
            end = data.rfind(closing, begin, behind) + len(closing)
            if end > begin:
                yield begin, end
            begin = data.find(opening, behind)

    def _one_by_one(self, data: bytes) -> bytes:
        """A stretch of readings that are not alike, some of which may not be plain."""
        parts = pattern(self._prefix or b"").split(data)
        last = len(parts) // _STEP
        kept, first, at = [parts[0]], 0, len(parts[0])
        for place in range(1, last + 1):
            gap = parts[place * _STEP]
            if place < last and not gap.strip(_BLANK):
                continue
            end = data.find(gap, at) if gap.strip(_BLANK) else len(data)
            cells = parts[first * _STEP + 1 : place * _STEP]
            kept.append(self._marked(_read(cells), data[at:end]))
            kept.append(gap if gap.strip(_BLANK) else b"")
            first, at = place, end + len(gap)
        return b"".join(kept)

    def _marked(self, columns: Columns, run: bytes) -> bytes:
        self._count += 1
        self._taken += len(run)
        self._runs[self._count] = (columns, len(run))
        mark = b'<%bIntervalReading %b="%d"/>' % (self._prefix or b"", self._mark.encode(), self._count)
        return mark + b"\n" * run.count(b"\n")


def _read(cells: Sequence[Any]) -> Columns:
    """The columns that the pattern found; a cell that a reading lacks is MISSING."""
    columns = {name: cells[place::_STEP] for place, name in enumerate(ORDER)}
    return {
        name: np.array([MISSING if cell is None else int(cell) for cell in found], np.int64)
        for name, found in columns.items()
        if any(found)
    }


def _joined(runs: Sequence[Columns]) -> Columns:
    """The columns of a block's runs as one."""
    if len(runs) == 1:
        return runs[0]
    names = dict.fromkeys(name for run in runs for name in run)
    return {
        name: np.concatenate(
            [run[name] if name in run else np.full(len(run["start"]), MISSING) for run in runs]
        )
        for name in names
    }
