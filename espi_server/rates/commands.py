"""`espi-server rates …`: price a year of readings, explain it, check and keep tariff records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from espi_server import errors
from espi_server.rates import findings, tariff
from espi_server.rates import usage as usages
from espi_server.rates.bill import Bill, CycleBill, Terms, bill, together
from espi_server.rates.calendar import DAY, Calendar, months, readings_span, zone_named
from espi_server.rates.errors import RatesError, UnknownZone, Unreadable, UnusableTariff
from espi_server.rates.explain import edge, explained
from espi_server.rates.files import (
    TariffFile,
    names_of,
    read_cycles,
    read_sidecar,
    read_tariffs,
    utc_instant,
)
from espi_server.rates.tariff import Metering, Tariff
from espi_server.rates.usage import Usage
from espi_server.rates.words import cents
from espi_server.shell import tell

SCHEMA_VERSION = 1
KEYS = ("energy", "fixed", "demand_flat", "demand_tou", "minimum", "credit")
MANY_KW = 250  # a home above this was probably read in Wh
ANY = TypeVar("ANY", bound=Callable[..., Any])


class Rates(click.Group):
    """A group that turns what is wrong with tariffs and readings into the house's problems."""

    def invoke(self, context: click.Context) -> object:
        """Run the command; RatesError keeps its words and gets its exit code."""
        with problems():
            return super().invoke(context)


@contextmanager
def problems() -> Iterator[None]:
    """What cannot be read ends with 3, every other trouble of the subject with 1."""
    try:
        yield
    except Unreadable as wrong:
        raise errors.Unreadable(str(wrong)) from wrong
    except RatesError as wrong:
        raise errors.Problem(str(wrong)) from wrong


@click.group(cls=Rates)
def rates() -> None:
    """What electricity costs on a tariff.

    \b
    Example:  espi-server rates bill TARIFF.json USAGE.csv --timezone America/Los_Angeles
                --start 2025-01-01T08:00:00Z --interval 15 --json
    """


def _start(_context: click.Context, _parameter: click.Parameter, given: str) -> int:
    try:
        return utc_instant(given)
    except (ValueError, OverflowError) as wrong:
        raise click.BadParameter(f"{given!r} is not a UTC instant such as 2025-01-01T08:00:00Z.") from wrong


def _step(_context: click.Context, _parameter: click.Parameter, minutes: int) -> int:
    if minutes != DAY // 60 and (minutes < 1 or 60 % minutes):
        raise click.BadParameter(
            f"{minutes} minutes do not fit an hour. Use 15, 30, 60, another divisor of 60, or "
            "1440 for daily readings."
        )
    return minutes * 60


def _holidays(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> frozenset[date] | None:
    if given is None:
        return None
    try:
        return frozenset(date.fromisoformat(day.strip()) for day in given.split(",") if day.strip())
    except ValueError as wrong:
        raise click.BadParameter(f"{wrong}. Write dates like 2025-07-04,2025-12-25.") from wrong


def _price(_context: click.Context, _parameter: click.Parameter, given: str | None) -> Decimal | None:
    if given is None:
        return None
    try:
        price = Decimal(given)
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite():
        raise click.BadParameter(f"{given!r} is not a price in $/kWh such as 0.05.")
    return price


OPTIONS = (
    click.argument("tariff_path", metavar="TARIFF.json", type=Path),
    click.argument("usage_path", metavar="USAGE.csv", type=Path),
    click.option(
        "--timezone", help="Local clock of the meter, as in the tz database; or the sidecar names it."
    ),
    click.option("--start", required=True, callback=_start, help="UTC instant of the first row."),
    click.option(
        "--interval", "step", required=True, type=int, callback=_step, help="Minutes a row stands for."
    ),
    click.option(
        "--column", help="Column with kWh per interval (negative is export): a name, or a number from 1."
    ),
    click.option(
        "--cycles",
        default="calendar",
        show_default=True,
        help="`calendar`, or a JSON file with a list of [start, end) local dates or UTC instants.",
    ),
    click.option(
        "--holidays", callback=_holidays, help="Local dates billed like weekend days, comma-separated."
    ),
    click.option("--generation", type=Path, help="CSV of kWh produced, subtracted from the use."),
    click.option("--generation-column", help="Column of the generation file; the same choice as --column."),
    click.option(
        "--metering",
        type=click.Choice(["kwh-credit", "dollar-credit", "net-billing"]),
        help="What becomes of exports, whatever the record's dgrules say.",
    ),
    click.option("--export-rate", callback=_price, help="Dollars per exported kWh."),
    click.option("--record", help="Label or name of the record, where the file has several."),
    click.option("--sidecar", type=Path, help="JSON with what URDB has no field for."),
    click.option(
        "--generation-tariff",
        type=Path,
        help="The generation record that belongs to a delivery record (CCA customers).",
    ),
    click.option("--strict", is_flag=True, help="Refuse a record with findings that change money."),
    click.option(
        "--accept", multiple=True, metavar="CODE", help="With --strict: a finding that is all right."
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON object, unrounded."),
)


def _with_options(command: ANY) -> ANY:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@rates.command("bill")
@_with_options
def bill_command(as_json: bool, **given: Any) -> None:
    """What the readings of USAGE.csv (or .csv.gz) cost on TARIFF.json, one URDB record.

    \b
    Example:  espi-server rates bill e-tou-c.json home.csv --timezone America/Los_Angeles
                --start 2025-01-01T08:00:00Z --interval 15 --column kwh --json
    """
    asked = Asked(**given)
    priced, usage = asked.bill()
    if as_json:
        click.echo(json.dumps(as_object(priced, usage), indent=1))
    else:
        for line in table(priced):
            click.echo(line)


@rates.command("explain")
@_with_options
def explain_command(as_json: bool, **given: Any) -> None:
    """Print the working of every line, so that a calculator arrives at the same cent.

    \b
    Example:  espi-server rates explain e-tou-c.json home.csv --timezone America/Los_Angeles
                --start 2025-01-01T08:00:00Z --interval 15
    """
    asked = Asked(**given)
    priced, usage = asked.bill()
    if as_json:
        click.echo(json.dumps(as_object(priced, usage, lines=True), indent=1))
    else:
        click.echo("\n".join(explained(priced)))


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
        priced = self._tariff(self.tariff_path, self.record, self.sidecar)
        usage = self._usage()
        calendar = self._calendar(priced, usage)
        terms = Terms(Metering(self.metering) if self.metering else None, self.export_rate)
        found = bill(self._observing(priced), usage, calendar, terms)
        if self.generation_tariff is not None:
            supplier = self._tariff(self.generation_tariff, None, None)
            found = together(found, bill(self._observing(supplier), usage, calendar, terms))
        for note in (*found.notes, *notes_on(usage, calendar, priced)):
            tell(f"Note: {note}")
        return found, usage

    def _tariff(self, path: Path, wanted: str | None, sidecar: Path | None) -> Tariff:
        file = read_tariffs(path)
        record = file.one(wanted)
        doubts = [
            one for one in _findings(file)[_position(file, record)] if one.changes_money and not one.is_error
        ]
        for doubt in doubts:
            tell(f"Doubt: {doubt}")
        if self.strict and any(doubt.code not in self.accept for doubt in doubts):
            raise UnusableTariff(
                " · ".join(names_of(record)), [one for one in doubts if one.code not in self.accept]
            )
        return tariff.read(record, read_sidecar(sidecar) if sidecar else file.sidecar_of(record))

    def _usage(self) -> Usage:
        with _column_is_usage():
            usage = usages.read(self.usage_path, start=self.start, step=self.step, column=self.column)
            if self.generation is None:
                return usage
            column = self.generation_column
            try:
                produced = usages.read(
                    self.generation, start=self.start, step=self.step, column=column or self.column
                )
            except usages.NoColumn:
                if column is not None:
                    raise
                produced = usages.read(self.generation, start=self.start, step=self.step)
        return usage.less(produced)

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
def _column_is_usage() -> Iterator[None]:
    """A column that is not in the file is a wrong option, not a wrong file."""
    try:
        yield
    except usages.NoColumn as wrong:
        raise click.BadParameter(str(wrong), param_hint="'--column'") from wrong


def _findings(file: TariffFile) -> list[list[findings.Finding]]:
    return findings.check_all(file.records)


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
    kw = float(abs(usage.net[~_nan(usage)]).max(initial=0)) * 3600 / usage.step
    if priced.sector.lower() == "residential" and kw > MANY_KW:
        yield f"The highest reading is {kw:,.0f} kW, which no home draws. Is the column in Wh?"


def _nan(usage: Usage) -> Any:
    return usage.net != usage.net


def as_object(priced: Bill, usage: Usage, lines: bool = False) -> dict[str, Any]:
    """The bill for machines: dollars, unrounded."""
    used = [
        key
        for key in (*KEYS, "discount")
        if key in KEYS or any(line.component == key for cycle in priced.cycles for line in cycle.lines)
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "annual": {"total": priced.total, **{key: priced.sum(key) for key in used}},
        "cycles": [_cycle_object(priced, cycle, used, lines) for cycle in priced.cycles],
        "metering": priced.metering.value,
        "readings": {
            "count": len(usage),
            "missing": usage.missing,
            "estimated": 0 if usage.estimated is None else int(usage.estimated.sum()),
        },
        "notes": list(priced.notes),
    }


def _cycle_object(priced: Bill, cycle: CycleBill, used: Sequence[str], lines: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "start": edge(priced.calendar, cycle.start),
        "end": edge(priced.calendar, cycle.end),
        "days": cycle.days,
        "total": cycle.total,
        **{key: cycle.sum(key) for key in used},
        "carried_kwh": cycle.carried_kwh,
        "carried_dollars": cycle.carried_dollars,
    }
    if lines:
        found["lines"] = [
            {
                "component": line.component,
                "words": line.words,
                "working": line.working,
                "quantity": line.quantity,
                "unit": line.unit,
                "price": None if line.price is None else str(line.price),
                "amount": line.amount,
            }
            for line in cycle.lines
        ]
    return found


def table(priced: Bill) -> Iterator[str]:
    """The bill for people: a row per cycle, dollars to the cent."""
    used = [key for key in (*KEYS, "discount") if any(cycle.sum(key) for cycle in priced.cycles)]
    yield f"{priced.tariff.name}"
    yield f"{'from':12}{'up to':12}{'days':>5}" + "".join(f"{key:>13}" for key in (*used, "total"))
    for cycle in priced.cycles:
        yield (
            f"{edge(priced.calendar, cycle.start)[:10]:12}{edge(priced.calendar, cycle.end)[:10]:12}{cycle.days:>5}"
            + "".join(f"{cents(amount):>13}" for amount in (*(cycle.sum(key) for key in used), cycle.total))
        )
    yield f"{'all':24}{sum(cycle.days for cycle in priced.cycles):>5}" + "".join(
        f"{cents(amount):>13}" for amount in (*(priced.sum(key) for key in used), priced.total)
    )


@rates.command()
@click.argument("paths", metavar="TARIFF.json…", nargs=-1, required=True, type=Path)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per record.")
def check(paths: Sequence[Path], as_json: bool) -> None:
    """Look for faults in tariff records; the exit code is 1 if any finding changes money.

    \b
    Example:  espi-server rates check residential.json
    """
    waiting = 0
    for path in paths:
        file = read_tariffs(path)
        for record, found in zip(file.records, _findings(file), strict=True):
            file.sidecar_of(record)
            waiting += any(one.changes_money for one in found)
            _print_findings(record, found, as_json)
    if waiting:
        tell(f"{waiting} records have findings that change money.")
        raise SystemExit(1)


def _print_findings(record: dict[str, Any], found: Sequence[findings.Finding], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"record": names_of(record), "findings": [one.to_json() for one in found]}))
        return
    click.echo(
        f"{' · '.join(names_of(record)) or 'a record without name'}: "
        f"{f'{len(found)} findings' if found else 'nothing found'}"
    )
    for one in found:
        click.echo(f"  {one.weight.value:6} {one}")
