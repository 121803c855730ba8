"""`espi-server utility …`."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import click

from espi_server.accounts import utilities
from espi_server.accounts.matching_commands import matching_command
from espi_server.accounts.models import PROFILES, UTILITY_KINDS, Utility
from espi_server.accounts.portal import Portal, change
from espi_server.shell import opened

NEVER = "never"


def portal_options(command: Any) -> Any:
    """One option for each field of `Portal`; a yes-or-no field has two words."""
    for each in reversed(fields(Portal)):
        name = each.name.replace("_", "-")
        word = f"--{name}/--no-{name}" if isinstance(each.default, bool) else f"--{name}"
        command = click.option(
            word, each.name, type=type(each.default), default=None, help=each.metadata["help"]
        )(command)
    return command


@click.group()
def utility() -> None:
    """The utilities served here."""


@utility.command()
@click.argument("code")
@click.option("--name", required=True, help="What people call it.")
@click.option("--timezone", required=True, help="IANA name, such as America/Los_Angeles.")
@click.option("--kind", default="iou", show_default=True, type=click.Choice(UTILITY_KINDS))
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(["udc", "lse"]), help="Repeatable; default both."
)
@click.option("--state", "states", multiple=True, help="Repeatable.")
@click.option("--commodity", "commodities", multiple=True, help="Repeatable; default electricity.")
@click.option("--currency", default="USD", show_default=True)
@click.option("--base-url", help="Its own public address, if it has one.")
@click.option(
    "--profile",
    default="self",
    show_default=True,
    type=click.Choice(PROFILES),
    help="Which key of its files names a usage point.",
)
def add(
    code: str,
    name: str,
    timezone: str,
    kind: str,
    roles: tuple[str, ...],
    states: tuple[str, ...],
    commodities: tuple[str, ...],
    currency: str,
    base_url: str | None,
    profile: str,
) -> None:
    """Add a utility.

    \b
    Example:  espi-server utility add north --name "North Electric" --timezone America/Los_Angeles
    """
    with opened() as database, database.writing() as session:
        added = utilities.add(
            session,
            code,
            name=name,
            timezone=timezone,
            kind=kind,
            roles=roles or ("udc", "lse"),
            states=states,
            commodities=commodities or ("electricity",),
            currency=currency,
            base_url=base_url,
            profile=profile,
        )
    click.echo(f"Added {added.code}: {added.name}.")


def _count(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """A number of entries, or None for `never`."""
    if value is None or value == NEVER:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 12:
        raise click.BadParameter(f"a number of entries (0 for every batch) or {NEVER}")
    return int(value)


@utility.command()
@click.argument("code")
@click.option("--from", "least", callback=_count, default=NEVER, show_default=True, metavar="ENTRIES|never")
@click.option(
    "--bulk-from", "bulk", callback=_count, default=NEVER, show_default=True, metavar="ENTRIES|never"
)
def prepare(code: str, least: int | None, bulk: int | None) -> None:
    """Have batches of so many entries or more prepared: companies are answered 202, and fetch them later.

    \b
    Example:  espi-server utility prepare north --from 20000 --bulk-from 0
    """
    with opened() as database, database.writing() as session:
        found = utilities.find(session, code)
        found.prepare_from, found.prepare_bulk_from = least, bulk
    for name, entries in (("Batches", least), ("Bulk batches", bulk)):
        told = "are sent at once" if entries is None else f"are prepared from {entries} entries on"
        click.echo(f"{name} {told}.")


@utility.command()
@click.argument("code")
@portal_options
def portal(code: str, **chosen: Any) -> None:
    """Say how a utility's pages for its customers look and behave; without options: show it.

    \b
    Example:  espi-server utility portal north --phone 1-800-555-0100 --accent "#0b5394"
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    with opened() as database, database.writing() as session:
        now = change(utilities.find(session, code), **given)
    for each in fields(now):
        click.echo(f"{each.name:<18} {getattr(now, each.name)}")


utility.add_command(matching_command)


@utility.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(as_json: bool) -> None:
    """List the utilities."""
    with opened() as database, database.reading() as session:
        found = [_described(each) for each in utilities.every(session)]
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "utilities": found}, indent=2))
    for each in () if as_json else found:
        click.echo(f"{each['code']:<16} {each['name']}  ({each['kind']}, {each['timezone']})")


def _described(each: Utility) -> dict[str, object]:
    names = ("code", "name", "kind", "timezone", "currency", "commodities", "profile", "base_url")
    return {name: getattr(each, name) for name in names}
