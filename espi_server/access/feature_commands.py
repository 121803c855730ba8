"""`espi-server feature …`: what of the statewide tool a utility offers, and to whom."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from espi_server import clock
from espi_server.access import features
from espi_server.accounts import utilities
from espi_server.shell import opened, operator


@click.group()
def feature() -> None:
    """RIN data, Bill Comparison and Rate Change: whether a utility offers them."""


@feature.command("set")
@click.option("--utility", "code", required=True, help="Which utility.")
@click.option(
    "--class", "customer_class", default=features.EVERYBODY, show_default=True, help="Of its customers."
)
@click.option(
    "--from", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day a planned feature is planned for."
)
@click.argument("name", type=click.Choice([*features.FEATURES.values()]))
@click.argument("state", type=click.Choice(features.STATES))
def set_command(code: str, customer_class: str, day: datetime | None, name: str, state: str) -> None:
    """Switch a feature on, halt it, or say when it is planned for.

    \b
    Example:  espi-server feature set --utility north rin on
    """
    with opened() as database, database.writing() as session:
        utility = utilities.find(session, code)
        planned = None if day is None else int(day.replace(tzinfo=ZoneInfo(utility.timezone)).timestamp())
        is_new = features.change(
            session, utility, name, state, customer_class=customer_class, planned_for=planned, by=operator()
        )
    click.echo(f"{name} {'is' if is_new else 'was'} {state} for {customer_class}.")


@feature.command("list")
@click.option("--utility", "code", required=True, help="Which utility.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(code: str, as_json: bool) -> None:
    """List how each feature stands, by class of customers.

    \b
    Example:  espi-server feature list --utility north
    """
    with opened() as database, database.reading() as session:
        offered = features.of(session, utilities.find(session, code).id)
    rows = [(name, customer_class, state) for (name, customer_class), state in sorted(offered.states.items())]
    said = {name for name, _, _ in rows}
    rows += [
        (name, features.EVERYBODY, features.State())
        for name in features.FEATURES.values()
        if name not in said
    ]
    if as_json:
        found = [
            {
                "feature": name,
                "class": customer_class,
                "state": each.state,
                "planned_for": None if each.planned_for is None else clock.written(each.planned_for),
            }
            for name, customer_class, each in rows
        ]
        click.echo(json.dumps({"schema_version": 1, "features": found}, indent=2))
    for name, customer_class, each in () if as_json else rows:
        click.echo(f"{name:<12} {customer_class:<16} {each.words}")
