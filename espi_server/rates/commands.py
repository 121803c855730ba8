"""`espi-server rates …`: price a year of readings, explain it, check and keep tariff records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from espi_server import errors
from espi_server.rates import findings, keeping
from espi_server.rates.asked import Asked
from espi_server.rates.errors import RatesError, Unreadable
from espi_server.rates.explain import explained
from espi_server.rates.files import names_of, read_tariffs
from espi_server.rates.options import with_options
from espi_server.rates.output import as_object, table
from espi_server.terminal import tell


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


@rates.command("bill")
@with_options
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
@with_options
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
        for record, found in zip(file.records, findings.check_all(file.records), strict=True):
            file.sidecar_of(record)
            waiting += any(one.changes_money for one in found)
            _print_findings(record, found, as_json)
    if waiting:
        tell(f"Findings that change money: in {waiting} of the records.")
        raise SystemExit(1)


def _print_findings(record: dict[str, Any], found: Sequence[findings.Finding], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"record": names_of(record), "findings": [one.to_json() for one in found]}))
        return
    click.echo(
        f"{' · '.join(names_of(record)) or 'a record without name'}: "
        f"{f'found {len(found)}' if found else 'nothing found'}"
    )
    for one in found:
        click.echo(f"  {one.weight.value:6} {one}")


for command in (keeping.import_command, keeping.list_command, keeping.show):
    rates.add_command(command)
