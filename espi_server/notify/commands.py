"""`espi-server outbox …`: what is waiting to leave, what could not, and sending it anew."""

from __future__ import annotations

import json
import uuid
from typing import Any

import click

from espi_server import clock
from espi_server.accounts import utilities
from espi_server.errors import NotFound, Usage
from espi_server.jobs.leases import DONE, DUE, PARKED, RUNNING
from espi_server.notify import outbox as messages
from espi_server.notify.models import Endpoint, Outbox
from espi_server.shell import opened


@click.group()
def outbox() -> None:
    """Messages to applications and customers."""


@outbox.command("list")
@click.option("--utility", "code", required=True)
@click.option("--state", type=click.Choice([DUE, RUNNING, DONE, PARKED]), help="Only those.")
@click.option("--recipient", help="Only to this one, such as application:… as the list shows it.")
@click.option("--most", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(code: str, state: str | None, recipient: str | None, most: int, as_json: bool) -> None:
    """List a utility's messages, the newest first. What they say is not shown.

    \b
    Example:  espi-server outbox list --utility north --state parked
    """
    with opened() as database, database.reading() as session:
        utility = utilities.find(session, code)
        found = messages.messages(session, utility.id, state=state, recipient=recipient, most=most)
        told = [_described(each) for each in found]
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "messages": told}, indent=2))
    for each in () if as_json else told:
        click.echo(
            f"{each['id']}  {each['created']}  {each['state']:<7}  {each['kind']:<22}  {each['recipient']}"
        )
        if each["last_error"]:
            click.echo(f"    after {each['attempts']} tries: {each['last_error']}")


@outbox.command()
@click.option("--utility", "code", required=True)
@click.option("--failing", is_flag=True, help="Only those that do not take what we send.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def endpoints(code: str, failing: bool, as_json: bool) -> None:
    """List where messages go: how many wait or are parked, since when it fails, and whether its people were told.

    \b
    Example:  espi-server outbox endpoints --utility north --failing
    """
    with opened() as database, database.reading() as session:
        utility = utilities.find(session, code)
        told = [_place(*each) for each in messages.endpoints(session, utility.id, failing=failing)]
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "endpoints": told}, indent=2))
    for each in () if as_json else told:
        click.echo(f"{each['name']}  {each['waiting']} waiting  {each['parked']} parked")
        if each["failing_since"]:
            warned = f"; its people were told {each['people_told']}" if each["people_told"] else ""
            click.echo(f"    failing since {each['failing_since']}{warned}: {each['last_error']}")


@outbox.command()
@click.option("--utility", "code", required=True)
@click.option("--parked", is_flag=True, help="All that are parked.")
@click.option("--recipient", help="Of these, only what goes to this one.")
@click.argument("ids", nargs=-1, type=click.UUID)
def resend(code: str, parked: bool, recipient: str | None, ids: tuple[uuid.UUID, ...]) -> None:
    """Let messages leave once more: the parked ones, or those with the IDs given, which may be delivered ones.

    \b
    Example:  espi-server outbox resend --utility north --parked
    """
    if parked == bool(ids):
        raise Usage("Say which messages: --parked, or the ids that `espi-server outbox list` shows.")
    with opened() as database, database.writing() as session:
        utility = utilities.find(session, code)
        resent = messages.resend(session, utility.id, ids=ids, recipient=recipient)
        if ids and resent != len(set(ids)):
            raise NotFound(
                f"Of these {len(set(ids))} messages {resent} are parked or delivered here; none is resent."
            )
    click.echo(f"{resent} will leave again.")


def _place(row: Endpoint, waiting: int, parked: int) -> dict[str, Any]:
    told = max(row.warned_at or 0, row.parked_told_at or 0)
    return {
        "name": row.name,
        "waiting": waiting,
        "parked": parked,
        "failures": row.failures,
        "failing_since": clock.written(row.failing_since) if row.failing_since else None,
        "people_told": clock.written(told) if told else None,
        "last_error": row.last_error if row.failing_since else None,
    }


def _described(row: Outbox) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "kind": row.kind,
        "recipient": row.recipient,
        "state": row.state,
        "attempts": row.attempts,
        "created": clock.written(row.created_at),
        "next_attempt": clock.written(row.next_attempt_at) if row.state == DUE else None,
        "last_error": row.last_error,
    }
