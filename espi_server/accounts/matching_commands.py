"""`espi-server utility matching …`: by which fields of a profile a utility finds its customers."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from espi_server.accounts import matching, utilities
from espi_server.accounts.matching import DEFAULT_TRIES, FIELDS, Matching
from espi_server.errors import Usage
from espi_server.shell import opened


@click.command("matching")
@click.argument("code")
@click.option("--require", "required", multiple=True, metavar="FIELD", help="Has to fit. Repeatable.")
@click.option("--field", "fields", multiple=True, metavar="FIELD", help="Is compared as well. Repeatable.")
@click.option("--threshold", type=int, help="How many fields have to fit; default: those required.")
@click.option(
    "--tries", type=int, default=DEFAULT_TRIES, show_default=True, help="Profiles a company may miss a day."
)
@click.option("--stop", is_flag=True, help="Compare no profiles: nobody is found.")
@click.option("--json", "as_json", is_flag=True, help="What holds now as one JSON document.")
def matching_command(
    code: str,
    required: tuple[str, ...],
    fields: tuple[str, ...],
    threshold: int | None,
    tries: int,
    stop: bool,
    as_json: bool,
) -> None:
    """Agree by which OpenID claims a company may name a customer whom it asks by message; without options, show it.

    \b
    Example:  espi-server utility matching north --require account_number --require name \\
                  --field address.postal_code --threshold 3
    """
    if stop and (required or fields):
        raise Usage("Say either --stop or what is compared.")
    if fields and not required:
        raise Usage("Say what has to fit: --require FIELD, repeatable.")
    with opened() as database, database.writing() as session:
        utility = utilities.find(session, code)
        if stop:
            matching.stop(utility)
        elif required:
            matching.check_numbers(
                session, utility, matching.agree(utility, fields, required, threshold, tries)
            )
        now = Matching.of(utility)
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "matching": asdict(now) if now else None}, indent=2))
        return
    if now is None:
        click.echo(f"{code} compares no profiles: nobody is found.")
        return
    for each in now.fields:
        click.echo(f"{'has to fit' if each in now.required else 'compared':<11} {each:<24} {FIELDS[each]}")
    click.echo(f"{now.threshold} of {len(now.fields)} have to fit; {now.tries} misses of a company a day.")
