"""`espi-server rates import|list|show`: the tariffs of a utility in the database."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from espi_server import errors
from espi_server.accounts.models import Utility
from espi_server.accounts.utilities import find as utility_of
from espi_server.rates import findings, store, tariff
from espi_server.rates.calendar import midnight, zone_named
from espi_server.rates.explain import described
from espi_server.rates.files import label_of, names_of, read_json, read_tariffs
from espi_server.rates.models import TariffRecord
from espi_server.rates.output import SCHEMA_VERSION
from espi_server.rates.sidecar import NO_SIDECAR, Sidecar
from espi_server.shell import opened
from espi_server.terminal import tell


@click.command("import")
@click.argument("paths", metavar="TARIFF.json…", nargs=-1, required=True, type=Path)
@click.option("--utility", "code", required=True, help="Whose tariffs these are.")
@click.option("--sidecar", type=Path, help="JSON with a sidecar for each label: {label: {…}}.")
@click.option("--accept", multiple=True, metavar="CODE", help="A finding that is all right; repeatable.")
@click.option("--by", default=getpass.getuser, help="Who accepts it; the login name unless given.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be kept.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per record.")
def import_command(
    paths: Sequence[Path],
    code: str,
    sidecar: Path | None,
    accept: Sequence[str],
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Keep URDB records as tariffs of a utility; the exit code is 1 if one cannot be used yet.

    A record with findings that change money is kept and waits until each of them is accepted by its code.

    \b
    Example:  espi-server rates import residential.json --utility north --accept NOT_BUNDLED
    """
    more = read_json(sidecar) if sidecar else {}
    waiting = 0
    with opened() as database, database.writing() as session:
        utility = utility_of(session, code)
        for path in paths:
            file = read_tariffs(path)
            for record, found in zip(file.records, findings.check_all(file.records), strict=True):
                given = more.get(label_of(record)) or file.sidecars.get(label_of(record)) or {}
                status = _kept(session, utility, record, given, found, accept, by)
                waiting += status != store.USABLE
                _print_kept(record, found, status, as_json)
        if dry_run:
            session.rollback()
            tell("Nothing was kept: --dry-run.")
    if waiting:
        tell(
            f"{waiting} of the records cannot be used yet. Mend them, or accept a finding with --accept CODE."
        )
        raise SystemExit(1)


def _kept(
    session: Session,
    utility: Utility,
    record: dict[str, Any],
    sidecar: Mapping[str, Any],
    found: Sequence[findings.Finding],
    accepted: Sequence[str],
    by: str,
) -> str:
    """Keep one record; a record that cannot be priced is refused and does not stop the others."""
    if any(one.is_error for one in found):
        return "refused"
    return store.keep(session, utility.id, record, sidecar, found, accepted=accepted, by=by).status


def _print_kept(
    record: dict[str, Any], found: Sequence[findings.Finding], status: str, as_json: bool
) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "schema_version": SCHEMA_VERSION,
                    "record": names_of(record),
                    "status": status,
                    "findings": [one.to_json() for one in found],
                }
            )
        )
        return
    click.echo(f"{status}: {' · '.join(names_of(record))}")
    for one in found:
        click.echo(f"  {one.weight.value:6} {one}")


@click.command("list")
@click.option("--utility", "code", required=True, help="Whose tariffs.")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Only those valid on that date.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per record.")
def list_command(code: str, on: datetime | None, as_json: bool) -> None:
    """The kept tariffs of a utility, by name and start.

    \b
    Example:  espi-server rates list --utility north --on 2026-07-01
    """
    with opened() as database, database.reading() as session:
        utility = utility_of(session, code)
        moment = None if on is None else midnight(zone_named(utility.timezone), on.date())
        for row in store.tariffs(session, utility.id, moment):
            click.echo(json.dumps(_row_object(row)) if as_json else _row_words(row))


def _row_object(row: TariffRecord) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "label": row.label,
        "name": row.name,
        "start": row.starts_at,
        "end": row.ends_at,
        "supersedes": row.supersedes,
        "status": row.status,
        "waits_for": store.waits_for(row),
        "accepted": row.accepted,
    }


def _row_words(row: TariffRecord) -> str:
    waits = store.waits_for(row)
    return (
        f"{row.label:26} {_day(row.starts_at):10} {_day(row.ends_at):10} "
        f"{row.status:8} {row.name}{'  waits for ' + ', '.join(waits) if waits else ''}"
    )


def _day(moment: int | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).date().isoformat()


@click.command()
@click.argument("wanted", metavar="LABEL|NAME")
@click.option("--utility", "code", required=True, help="Whose tariff.")
@click.option(
    "--json", "as_json", is_flag=True, help="The record, its sidecar and its findings as one object."
)
def show(wanted: str, code: str, as_json: bool) -> None:
    """One kept tariff: prices, times, charges, and what was found in it.

    \b
    Example:  espi-server rates show "E-TOU-C" --utility north
    """
    with opened() as database, database.reading() as session:
        row = store.find(session, utility_of(session, code).id, wanted)
        if row is None:
            raise errors.NotFound(
                f"There is no tariff {wanted!r}. `espi-server rates list` shows those there are."
            )
        if as_json:
            stored = {"record": row.record, "sidecar": row.sidecar, "findings": row.findings}
            click.echo(json.dumps(_row_object(row) | stored, indent=1))
            return
        click.echo(_row_words(row))
        sidecar = Sidecar.parse(row.sidecar) if row.sidecar else NO_SIDECAR
        for line in described(tariff.read(row.record, sidecar)):
            click.echo(line)
        for finding in row.findings:
            said = row.accepted.get(finding["code"])
            click.echo(
                f"  {finding['weight']:6} {finding['code']} at {finding['where']}: {finding['words']}"
                + (f" Accepted by {said['by']} on {_day(said['at'])}." if said else "")
            )
