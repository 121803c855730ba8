"""The options that `rates bill` and `rates explain` share, and how their text is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from espi_server.rates.calendar import DAY
from espi_server.rates.files import utc_instant
from espi_server.rates.shape import DEAREST
from espi_server.terminal import tell

ANY = TypeVar("ANY", bound=Callable[..., Any])


def _start(_context: click.Context, _parameter: click.Parameter, given: str) -> int:
    try:
        start = utc_instant(given)
    except (ValueError, OverflowError) as wrong:
        raise click.BadParameter(f"{given!r} is not a UTC instant such as 2025-01-01T08:00:00Z.") from wrong
    if not _names_its_offset(given):
        tell(f"Note: --start {given} names no offset from UTC; it is taken as UTC.")
    return start


def _names_its_offset(given: str) -> bool:
    text = given.strip()
    return text.lstrip("-").isdecimal() or datetime.fromisoformat(text).tzinfo is not None


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
    if not (price.is_finite() and abs(price) < DEAREST):
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


def with_options(command: ANY) -> ANY:
    for option in reversed(OPTIONS):
        command = option(command)
    return command
