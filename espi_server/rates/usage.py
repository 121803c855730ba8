"""Readings of one meter as a column of kWh, and how to read them from a CSV file.

A missing reading is NaN, never zero. Negative is export. The column is positional: reading n starts at
start + n × step, so a row may be empty but never left out.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from espi_server.rates.calendar import DAY
from espi_server.rates.errors import DoesNotFit, Unreadable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST = 1e12  # kWh in one reading; more is a slip of the pen, and sums of it would leave the floats
NOTHING = ("", "nan", "na", "n/a", "null", "none")
ESTIMATED = (
    "e",
    "est",
    "estimated",
    "8",
    "9",
    "12",
)  # 8, 9, 12: ESPI qualities estimated (two ways) and projected


class NoColumn(Unreadable):
    """The file has no such column, or several and nobody said which."""


@dataclass(frozen=True, eq=False)
class Usage:
    """kWh per interval of `step` seconds from `start` (UTC seconds) on.

    `generated` is production metered apart: it is subtracted, or sold whole where all is bought and all is sold.
    `estimated` marks readings the source says it estimated. `one_way` says that the meter counts what is taken and
    nothing else (a forward flow), so that nobody need look for exports.
    """

    start: int
    step: int
    kwh: Floats
    generated: Floats | None = None
    estimated: Bools | None = None
    one_way: bool = False

    def __len__(self) -> int:
        return len(self.kwh)

    @property
    def end(self) -> int:
        """UTC second at which the last reading ends."""
        return self.start + self.step * len(self)

    @cached_property
    def net(self) -> Floats:
        """Use less production, per interval."""
        return self.kwh if self.generated is None else self.kwh - self.generated

    @cached_property
    def missing(self) -> int:
        """Readings that are not there."""
        return int(np.count_nonzero(np.isnan(self.net)))

    @cached_property
    def exports(self) -> bool:
        """Some interval sends energy out."""
        if self.one_way:
            return False
        least = float(self.net.min(initial=0.0))
        return least < 0 if least == least else bool((self.net < 0).any())

    def less(self, generated: Usage) -> Usage:
        """The same use with that production beside it. Raises DoesNotFit where lengths differ."""
        if len(generated) != len(self):
            raise DoesNotFit(
                f"The usage has {len(self)} readings and the generation {len(generated)}. Both files need "
                "one row per interval, from the same start."
            )
        return replace(self, generated=generated.kwh, one_way=False)

    def gaps(self) -> list[tuple[int, int]]:
        """Runs of missing readings as (UTC second of the first, how many)."""
        holes = np.flatnonzero(np.isnan(self.net))
        if not len(holes):
            return []
        opens = np.flatnonzero(np.diff(holes, prepend=-2) > 1)
        lengths = np.diff(np.append(opens, len(holes)))
        return [
            (self.start + self.step * int(holes[at]), int(n)) for at, n in zip(opens, lengths, strict=True)
        ]


def read(path: Path, *, start: int, step: int, column: str | None = None) -> Usage:
    """The usage a CSV file (plain or gzip) holds.

    `column` is a name of the header or a number from 1; without it the only column, or the one named kWh, is read. A
    column named `quality` marks estimates. Raises Unreadable naming file, line and what to mend.
    """
    text = _text(path)
    header, delimiter, body = _split_header(path, text)
    number = _column(path, header, column)
    values = _numbers(path, body, number, delimiter, header)
    if not len(values):
        raise Unreadable(f"{path} has no readings. It needs one row per interval, a number of kWh in each.")
    return Usage(start=start, step=step, kwh=values, estimated=_estimates(header, body, delimiter))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError as missing:
        raise Unreadable(f"{path} does not exist. Check the name.") from missing
    except (gzip.BadGzipFile, EOFError, zlib.error) as broken:
        raise Unreadable(
            f"{path} is gzip that ends early or is damaged: {broken}. Fetch it again."
        ) from broken
    except UnicodeDecodeError as wrong:
        raise Unreadable(
            f"{path} is not UTF-8 text (byte {wrong.start}). Save it as CSV in UTF-8."
        ) from wrong
    except OSError as wrong:
        raise Unreadable(f"{path} cannot be read: {wrong.strerror or wrong}.") from wrong


def _split_header(path: Path, text: str) -> tuple[list[str], str, str]:
    """The cells of the first row, the delimiter, and the rows that hold readings."""
    if not text.strip():
        raise Unreadable(f"{path} is empty. It needs one row per interval, a number of kWh in each.")
    first, _, rest = text.partition("\n")
    delimiter = next((mark for mark in (",", ";", "\t") if mark in first), ",")
    _, row = next(_rows(path, first, delimiter), (0, []))
    cells = [cell.strip() for cell in row]
    return cells, delimiter, rest if _is_header(cells) else text


def _is_header(cells: list[str]) -> bool:
    """A first row without numbers names the columns; only the first name may be missing, as a saved index has none."""
    names = cells[1:] if len(cells) > 1 and not cells[0] else cells
    return bool(names) and not any(_is_number(cell) or cell.lower() in NOTHING for cell in names)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(path: Path, header: list[str], wanted: str | None) -> int:
    names = [name.lower() for name in header] if _is_header(header) else []
    if wanted is not None:
        if wanted.lower() in names:
            return _only(path, names, wanted.lower())
        if wanted.isdecimal() and 1 <= int(wanted) <= len(header):
            return int(wanted) - 1
        raise NoColumn(f"{path} has no column {wanted!r}. {_columns_there(header)}")
    if len(header) == 1:
        return 0
    if "kwh" in names:
        return _only(path, names, "kwh")
    raise NoColumn(
        f"{path} has {len(header)} columns; say which holds the kWh with --column. {_columns_there(header)}"
    )


def _only(path: Path, names: list[str], name: str) -> int:
    if names.count(name) > 1:
        at = " and ".join(str(n) for n, one in enumerate(names, 1) if one == name)
        raise NoColumn(f"{path} has {names.count(name)} columns {name!r}: name one by its number, {at}.")
    return names.index(name)


def _columns_there(header: list[str]) -> str:
    if _is_header(header):
        return f"Its columns: {', '.join(header)}."
    return f"It has no header; its columns are called by numbers from 1 to {len(header)}."


def _numbers(path: Path, body: str, column: int, delimiter: str, header: list[str]) -> Floats:
    """The column as floats: quickly if every cell is a number, else cell by cell to find the line."""
    lines = body.split("\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if body.count(delimiter) == (len(header) - 1) * len(lines):
        try:
            cells = lines if len(header) == 1 else [line.split(delimiter)[column] for line in lines]
            values: Floats = np.array(cells, dtype=object).astype(np.float64)
        except (ValueError, IndexError):
            return _slowly(path, body, column, delimiter, header)
        if (np.abs(values) < MOST).all():
            return values
    return _slowly(path, body, column, delimiter, header)


def _slowly(path: Path, body: str, column: int, delimiter: str, header: list[str]) -> Floats:
    values = []
    for number, row in _rows(path, body, delimiter):
        line = number + int(_is_header(header))
        if row and (len(row) > len(header) or column >= len(row)):
            raise Unreadable(
                f"{path}, line {line}: the row has {len(row)} columns and the first row {len(header)}. Write numbers "
                "with a point, and one row per interval."
            )
        values.append(_cell(path, line, row[column].strip() if row else ""))
    return np.array(values, np.float64)


def _rows(path: Path, body: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(body), delimiter=delimiter)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as wrong:
        raise Unreadable(f"{path} is no CSV of readings near line {rows.line_num + 1}: {wrong}.") from wrong


def _cell(path: Path, line: int, cell: str) -> float:
    if cell.lower() in NOTHING:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("inf")
    if not abs(value) < MOST:
        raise Unreadable(
            f"{path}, line {line}: {cell!r} is not a number of kWh. Write it like 0.125, with a point and "
            "without separators; leave the cell empty if the reading is missing."
        )
    return value


def _estimates(header: list[str], body: str, delimiter: str) -> Bools | None:
    names = [name.lower() for name in header] if _is_header(header) else []
    if "quality" not in names:
        return None
    at = names.index("quality")
    rows = csv.reader(io.StringIO(body), delimiter=delimiter)
    return np.array([len(row) > at and row[at].strip().lower() in ESTIMATED for row in rows], np.bool_)


def hourly(usage: Usage, offset: int = 0) -> Usage:
    """The same net energy by the hour, for tariffs that net exports against use within each hour.

    `offset` is the local clock's distance from UTC in seconds, so that hours are local ones in half-hour zones.
    """
    if usage.step >= 3600:
        return usage
    if (usage.start + offset) % 3600:
        raise DoesNotFit("Net Billing Hourly needs readings that begin with a full hour.")
    per_hour = 3600 // usage.step
    if len(usage) % per_hour:
        raise DoesNotFit("Net Billing Hourly needs whole hours; the last one is not complete.")
    return Usage(start=usage.start, step=3600, kwh=np.nansum(usage.net.reshape(-1, per_hour), axis=1))


def is_daily(usage: Usage) -> bool:
    """One reading a day: no hour, no demand."""
    return usage.step >= DAY
