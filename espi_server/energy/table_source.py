"""Pass one for tables (CSV): what a table is about follows from its header."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from itertools import islice
from typing import BinaryIO, Protocol, TextIO

from espi_server.energy import agreement_table, meter_table
from espi_server.energy.agreement_table import AgreementTable
from espi_server.energy.heading import BadTable, recognised
from espi_server.energy.house import House
from espi_server.energy.layout import Layout, builtin
from espi_server.energy.layout_table import LayoutTable
from espi_server.energy.meter_table import BadRow, MeterTable
from espi_server.energy.report import Report
from espi_server.energy.spool import Spool
from espi_server.espi import safe
from espi_server.espi.errors import EspiError

_TELL_EVERY = 1_000  # rows
_HEAD = 64 * 1024  # bytes in which a header is looked for
_LINES = 200


class Table(Protocol):
    """What takes the rows of one sort of table."""

    def row(self, line: int, cells: dict[str, str]) -> None:
        """Take a row, or raise BadRow."""

    def finish(self) -> None:
        """There are no more rows."""


class TableSource:
    """Reads one CSV file into the spool.

    `layouts` are those a table may have that is none of ours; `usage_point` names the usage point of all readings
    in such a table.
    """

    def __init__(
        self,
        spool: Spool,
        house: House,
        *,
        local: bool,
        customer: str | None,
        layouts: Sequence[Layout] = (),
        usage_point: str | None = None,
        limits: safe.Limits | None = None,
    ) -> None:
        self._spool = spool
        self._house = house
        self._local = local
        self._customer = customer
        self._layouts = layouts
        self._usage_point = usage_point
        self._limits = limits or safe.Limits()

    def read(self, path: str | os.PathLike[str], name: str, progress: Callable[[int], None]) -> Report:
        """Spool a file and report on it. Raises EspiError or OSError where it cannot be taken as a whole."""
        file, report = self._spool.add_file(name), Report(files=1)
        try:
            with safe.open_document(path, self._limits) as document:
                layout = self._layout_of(document)
                encoding = layout.encoding if layout else "utf-8-sig"
                with io.TextIOWrapper(document, encoding, newline="") as text:

                    def behind() -> None:
                        progress(document.tell())

                    if layout:
                        self._foreign_rows(text, file, name, report, behind, layout)
                    else:
                        self._rows(text, file, name, report, behind)
        except UnicodeDecodeError as error:
            self._spool.forget(file)
            raise BadTable(
                f"The table is not written in {error.encoding}. Save it in UTF-8, or name its `encoding` in a layout "
                "of your own (`espi-server layout show`)."
            ) from None
        except csv.Error as error:
            self._spool.forget(file)
            raise BadTable(f"The table cannot be read: {error}.") from None
        except EspiError:
            self._spool.forget(file)
            raise
        return report

    # A custodian's own table

    def _layout_of(self, document: BinaryIO) -> Layout | None:
        """The layout of a table that is none of ours: the one that was asked for, or the only one that fits."""
        head = document.read(_HEAD)
        document.seek(0)
        if _is_ours(head):
            return None
        if len(self._layouts) == 1:
            return self._layouts[0]
        fitting = [each for each in self._layouts or builtin() if _has_heading(each, head)]
        if len(fitting) > 1:
            names = " and ".join(each.name for each in fitting)
            raise BadTable(f"The layouts {names} fit this table both. Say which with --layout.")
        return fitting[0] if fitting else None

    def _foreign_rows(
        self, text: TextIO, file: int, name: str, report: Report, progress: Callable[[], None], layout: Layout
    ) -> None:
        if layout not in self._layouts:
            report.supply(name, None, f"the layout {layout.name} was recognised by the header")
        meters = MeterTable(self._spool, self._house, report, file, name, local=True)
        table = LayoutTable(layout, meters, report, name, self._house.zone, self._usage_point)
        rows = csv.reader(text, strict=True, delimiter=layout.delimiter)
        for cells in rows:
            if any(cell.strip() for cell in cells):
                table.row(rows.line_num, cells)
            if not rows.line_num % _TELL_EVERY:
                progress()
        table.finish()

    # Our tables

    def _rows(self, text: TextIO, file: int, name: str, report: Report, progress: Callable[[], None]) -> None:
        rows = csv.reader(text, strict=True)
        header = [_plain(cell) for cell in next(rows, [])]
        table, columns = self._table(header, file, name, report)
        for cells in rows:
            if not any(cells):
                continue
            report.entries += 1
            try:
                table.row(rows.line_num, _named(header, columns, cells))
            except (BadRow, EspiError) as error:
                report.error(name, rows.line_num, f"{error}.".replace("..", "."))
            if not report.entries % _TELL_EVERY:
                progress()
        table.finish()

    def _table(
        self, header: list[str], file: int, name: str, report: Report
    ) -> tuple[Table, tuple[str, ...]]:
        if set(meter_table.REQUIRED) <= set(header):
            meters = MeterTable(self._spool, self._house, report, file, name, local=self._local)
            return meters, (*meter_table.REQUIRED, *meter_table.OPTIONAL)
        if set(agreement_table.REQUIRED) <= set(header):
            agreements = AgreementTable(self._spool, self._house, file, customer=self._customer)
            return agreements, agreement_table.COLUMNS
        raise BadTable(
            "This is neither Green Button XML nor a table known here. A table of readings begins with the columns "
            f"{', '.join(meter_table.REQUIRED)}; one of agreements with {', '.join(agreement_table.REQUIRED)}. "
            f"Other custodians' tables: --layout with one of {', '.join(each.name for each in builtin())}, or with "
            "a description of your own."
        )


def _is_ours(head: bytes) -> bool:
    """Does it begin with a header of our own tables?"""
    first = next(csv.reader(io.StringIO(head.decode("utf-8-sig", "replace"))), [])
    header = {_plain(cell) for cell in first}
    return set(meter_table.REQUIRED) <= header or set(agreement_table.REQUIRED) <= header


def _has_heading(layout: Layout, head: bytes) -> bool:
    """Does a header of this layout stand near the beginning?"""
    text = io.StringIO(head.decode(layout.encoding, "replace"))
    try:
        return any(
            recognised(layout, cells)
            for cells in islice(csv.reader(text, delimiter=layout.delimiter), _LINES)
        )
    except BadTable:  # a header, but for a column it does not know
        return True


def is_table(path: str | os.PathLike[str], limits: safe.Limits | None = None) -> bool:
    """Is this file anything but XML? Raises EspiError or OSError as reading it would."""
    with safe.open_document(path, limits or safe.Limits()) as document:
        head = document.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    return not head.startswith(b"<")


def _plain(cell: str) -> str:
    return "_".join(cell.strip().lower().split())


def _named(header: list[str], columns: tuple[str, ...], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise BadRow(f"the row has {len(cells)} cells, the header {len(header)}")
    if any("\0" in cell for cell in cells):
        raise BadRow("the row holds a NUL character")
    given = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    return {name: given.get(name, "") for name in columns}
