"""`espi-server agreement …`: an operator closes a service agreement, or opens it again."""

from __future__ import annotations

import click

from espi_server.access import closing
from espi_server.accounts import utilities
from espi_server.shell import opened, operator


@click.group()
def agreement() -> None:
    """Service agreements of customers."""


@agreement.command()
@click.option("--utility", "code", required=True, help="Whose agreement it is.")
@click.argument("reference")
def close(code: str, reference: str) -> None:
    """Close an agreement now: nobody it was shared with sees it any more, and they are told.

    \b
    Example:  espi-server agreement close --utility north G-1001
    """
    with opened() as database, database.writing() as session:
        utility = utilities.find(session, code)
        was_open = closing.close(session, utility, reference, by=operator())
    click.echo(f"The agreement {reference} {'is closed now' if was_open else 'was closed before'}.")


@agreement.command()
@click.option("--utility", "code", required=True, help="Whose agreement it is.")
@click.argument("reference")
def reopen(code: str, reference: str) -> None:
    """Open an agreement that was closed by mistake. Its customer has to share it anew.

    \b
    Example:  espi-server agreement reopen --utility north G-1001
    """
    with opened() as database, database.writing() as session:
        utility = utilities.find(session, code)
        was_closed = closing.reopen(session, utility, reference, by=operator())
    click.echo(f"The agreement {reference} {'is open again' if was_closed else 'is open'}.")
