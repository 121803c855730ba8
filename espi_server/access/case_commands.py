"""`espi-server case …`: what customers report about companies, for the utility's people."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

import click
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import cases, forwarding
from espi_server.access.cases import Case
from espi_server.access.models import Application
from espi_server.accounts import utilities
from espi_server.accounts.models import Customer
from espi_server.settings import Settings
from espi_server.shell import opened, operator


@click.group()
def case() -> None:
    """Problems that customers report about companies."""


@case.command("list")
@click.option("--utility", "code", required=True, help="Whose customers reported them.")
@click.option("--state", type=click.Choice(list(cases.STEPS)), help="Only those that stand so.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(code: str, state: str | None, as_json: bool) -> None:
    """List the cases, the oldest first, with how many days each is old.

    \b
    Example:  espi-server case list --utility north --state open
    """
    with opened() as database, database.reading() as session:
        found = cases.of_utility(session, utilities.find(session, code), state)
        rows = [_described(session, each) for each in found]
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "cases": rows}, indent=2))
    for each in () if as_json else rows:
        click.echo(
            f"{each['number']}  {each['state']:<8}  {each['days']:>4} d  {each['topic']:<8}  {each['company']}"
        )


@case.command()
@click.option("--utility", "code", required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.argument("number")
def show(code: str, as_json: bool, number: str) -> None:
    """Show one case, with everything that was said.

    \b
    Example:  espi-server case show --utility north C-7F3K-9QXM
    """
    with opened() as database, database.reading() as session:
        row = cases.find(session, utilities.find(session, code), number)
        told = {
            **_described(session, row),
            "said": [{**each, "at": clock.written(each["at"])} for each in row.said],
            "forwarded": [
                {"at": clock.written(each.sent_at), "by": each.sent_by, "report": each.report}
                for each in forwarding.of_case(session, row)
            ],
        }
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    click.echo(
        f"{told['number']}  {told['state']}  {told['topic']}  about {told['company']}, of {told['customer']}"
    )
    for each in told["said"]:
        did = f"  {each['step']}" if "step" in each else ""
        click.echo(f"\n{each['at']}  {each['by']}{did}")
        if each["text"]:
            click.echo(_visible(each["text"]))
    for each in told["forwarded"]:
        click.echo(f"\nSent to the central authority on {each['at']} by {each['by']}:")
        click.echo(_visible(json.dumps(each["report"], indent=2, ensure_ascii=False)))


@case.command()
@click.option("--utility", "code", required=True)
@click.argument("number")
@click.argument("text")
def answer(code: str, number: str, text: str) -> None:
    """Answer a case; - reads the answer from stdin. The customer is told that there is one.

    \b
    Example:  espi-server case answer --utility north C-7F3K-9QXM "We asked them to stop."
    """
    _act(code, number, _read(text), cases.answer)
    click.echo(f"{number} is answered.")


@case.command()
@click.option("--utility", "code", required=True)
@click.option("--outcome", required=True, type=click.Choice(cases.OUTCOMES), help="What came of it.")
@click.argument("number")
@click.argument("text", default="")
def close(code: str, outcome: str, number: str, text: str) -> None:
    """Close a case with what came of it, with a last word or without.

    Other customers are told how many cases of a company were closed, and in how many it had done wrong; nothing else.

    \b
    Example:  espi-server case close --utility north --outcome upheld C-7F3K-9QXM "They deleted your data."
    """
    _act(code, number, _read(text), partial(cases.close, outcome=outcome))
    click.echo(f"{number} is closed.")


@case.command()
@click.option("--utility", "code", required=True)
@click.argument("number")
@click.argument("summary")
def forward(code: str, number: str, summary: str) -> None:
    """Send the central authority a report of a case; - reads the summary from stdin. The customer is told.

    The report holds company, topic, dates, state and the summary; neither the customer's name nor her words. Write
    none of them into the summary. The same report leaves once, however often this runs.

    \b
    Example:  espi-server case forward --utility north C-7F3K-9QXM "It sold the data it was given."
    """
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        row = cases.find(session, utility, number)
        is_new = forwarding.forward(
            session, utility, row, _read(summary), authority=settings.authority_mail, by=operator()
        )
    click.echo(
        f"{number} {'goes to the central authority' if is_new else 'went there before, word for word'}."
    )


@case.command()
@click.option("--utility", "code", required=True)
@click.argument("number")
@click.argument("summary")
def export(code: str, number: str, summary: str) -> None:
    """Print the report of a case as JSON, to hand it on by other means. Nothing is sent or written down.

    \b
    Example:  espi-server case export --utility north C-7F3K-9QXM "It sold the data it was given." > report.json
    """
    with opened() as database, database.reading() as session:
        utility = utilities.find(session, code)
        told = forwarding.report(session, utility, cases.find(session, utility, number), _read(summary))
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _act(code: str, number: str, text: str, act: Any) -> None:
    with opened() as database, database.writing() as session:
        row = cases.find(session, utilities.find(session, code), number)
        act(session, row, text, by=operator())


def _read(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _described(session: Session, row: Case) -> dict[str, Any]:
    return {
        "number": row.number,
        "state": row.state,
        "topic": row.topic,
        "company": session.get_one(Application, row.application_id).name,
        "customer": session.get_one(Customer, row.customer_id).reference,
        "language": row.language,
        "opened": clock.written(row.opened_at),
        "days": (clock.seconds() - row.opened_at) // 86_400,
        "outcome": row.outcome,
    }


def _visible(text: str) -> str:
    """Without what a terminal would take for an order."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )
