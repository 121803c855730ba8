"""From the options of the command line to a bill, with everything doubtful told on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import numpy as np

from espi_server.rates import findings, tariff
from espi_server.rates import usage as usages
from espi_server.rates.bill import Bill, Terms, bill, together
from espi_server.rates.calendar import Calendar, months, readings_span, zone_named
from espi_server.rates.errors import Doubtful, UnknownZone
from espi_server.rates.explain import edge
from espi_server.rates.files import TariffFile, read_cycles, read_sidecar, read_tariffs
from espi_server.rates.tariff import Metering, Tariff
from espi_server.rates.usage import Usage
from espi_server.terminal import tell

MANY_KW = 250  # a home above this was probably read in Wh


@dataclass
class Asked:
    """The options of `rates bill` and `rates explain`, and the way from them to a bill."""

    tariff_path: Path
    usage_path: Path
    timezone: str | None
    start: int
    step: int
    column: str | None
    cycles: str
    holidays: frozenset[date] | None
    generation: Path | None
    generation_column: str | None
    metering: str | None
    export_rate: Decimal | None
    record: str | None
    sidecar: Path | None
    generation_tariff: Path | None
    strict: bool
    accept: Sequence[str]

    def bill(self) -> tuple[Bill, Usage]:
        """The bill and the readings it is for; what is doubtful about either is told on stderr."""
        if self.metering == Metering.KWH_CREDIT.value and self.export_rate is not None:
            raise click.UsageError(
                "--export-rate has no place with --metering kwh-credit: credit is kept in kWh. Use "
                "dollar-credit or net-billing."
            )
        priced, supplier = self._tariffs()
        usage = self._usage()
        calendar = self._calendar(priced, usage)
        terms = Terms(Metering(self.metering) if self.metering else None, self.export_rate)
        found = bill(self._observing(priced), usage, calendar, terms)
        if supplier is not None:
            found = together(found, bill(self._observing(supplier), usage, calendar, terms))
        for note in (*found.notes, *notes_on(usage, calendar, priced)):
            tell(f"Note: {note}")
        return found, usage

    def _tariffs(self) -> tuple[Tariff, Tariff | None]:
        """The tariff asked for, and the other supplier's where there is one: named, or by the sidecar in the file."""
        file = read_tariffs(self.tariff_path)
        priced = self._tariff(file, file.one(self.record), self.sidecar)
        if self.generation_tariff is not None:
            other = read_tariffs(self.generation_tariff)
            return priced, self._tariff(other, other.one(None), None)
        label = priced.sidecar.generation_record
        return priced, self._tariff(file, file.one(label), None) if label else None

    def _tariff(self, file: TariffFile, record: dict[str, Any], sidecar: Path | None) -> Tariff:
        found = findings.check_all(file.records)[_position(file, record)]
        doubts = [one for one in found if one.changes_money and not one.is_error]
        for doubt in doubts:
            tell(f"Doubt: {doubt}")
        waits_for = sorted({doubt.code for doubt in doubts} - set(self.accept))
        if self.strict and waits_for:
            raise Doubtful(
                f"This record has findings that change money: {', '.join(waits_for)}. Mend it, or say "
                "--accept CODE for each that is all right."
            )
        return tariff.read(record, read_sidecar(sidecar) if sidecar else file.sidecar_of(record))

    def _usage(self) -> Usage:
        with _column_is_asked("--column"):
            usage = usages.read(self.usage_path, start=self.start, step=self.step, column=self.column)
        if self.generation is None:
            return usage
        with _column_is_asked("--generation-column"):
            return usage.less(self._produced(self.generation))

    def _produced(self, path: Path) -> Usage:
        """The generation: its own column if one is named, else the one of that name in the usage, else the only one."""
        try:
            column = self.generation_column or self.column
            return usages.read(path, start=self.start, step=self.step, column=column)
        except usages.NoColumn:
            if self.generation_column is not None:
                raise
            return usages.read(path, start=self.start, step=self.step)

    def _calendar(self, priced: Tariff, usage: Usage) -> Calendar:
        name = self.timezone or priced.sidecar.time_zone
        if not name:
            raise click.UsageError("Missing option '--timezone'. For example --timezone America/Los_Angeles.")
        try:
            zone = zone_named(name)
        except UnknownZone as unknown:
            raise click.BadParameter(str(unknown), param_hint="'--timezone'") from unknown
        first, last = readings_span(zone, usage.start, usage.step, len(usage))
        cycles = (
            months(zone, first, last) if self.cycles == "calendar" else read_cycles(Path(self.cycles), zone)
        )
        years = range(datetime.fromtimestamp(first, UTC).year - 1, datetime.fromtimestamp(last, UTC).year + 2)
        holidays = priced.sidecar.holidays_in(years) if self.holidays is None else self.holidays
        return Calendar(zone, cycles, holidays)

    def _observing(self, priced: Tariff) -> Tariff:
        """A tariff priced with --holidays has a holiday calendar: these dates."""
        return replace(priced, observes_holidays=True) if self.holidays else priced


@contextmanager
def _column_is_asked(option: str) -> Iterator[None]:
    """A column that is not in the file is a wrong option, not a wrong file."""
    try:
        yield
    except usages.NoColumn as wrong:
        raise click.BadParameter(str(wrong), param_hint=f"'{option}'") from wrong


def _position(file: TariffFile, record: dict[str, Any]) -> int:
    return next(n for n, one in enumerate(file.records) if one is record)


def notes_on(usage: Usage, calendar: Calendar, priced: Tariff) -> Iterator[str]:
    """What is worth knowing about the readings of a bill."""
    if usage.missing:
        gaps = usage.gaps()
        shown = "; ".join(f"{edge(calendar, at)} ({count})" for at, count in gaps[:3])
        yield (
            f"{usage.missing} of {len(usage)} readings are missing and were taken as the mean of the same hour and "
            f"kind of day in their month of the cycle: {shown}{' …' if len(gaps) > 3 else ''}"
        )
    if usage.estimated is not None and usage.estimated.any():
        yield f"{int(usage.estimated.sum())} of {len(usage)} readings are marked as estimated; they count as they are."
    outside = calendar.index(usage.start, usage.step, len(usage))
    if not outside.whole:
        yield (
            f"{outside.before} readings before the first cycle and {outside.after} after the last are not in any "
            "bill."
        )
    kw = float(abs(usage.net[~np.isnan(usage.net)]).max(initial=0)) * 3600 / usage.step
    if priced.sector.lower() == "residential" and kw > MANY_KW:
        yield f"The highest reading is {kw:,.0f} kW, which no home draws. Is the column in Wh?"
