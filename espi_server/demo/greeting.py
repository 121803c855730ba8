"""What the demo says to the person who started it."""

from __future__ import annotations

import shlex

import click

from espi_server.demo.demo import Ticket
from espi_server.espi.atom import moment
from espi_server.settings import Settings


def curl(ticket: Ticket) -> str:
    """One line for a shell that fetches the last two days of the feed a ticket opens."""
    bearer = shlex.quote(f"Authorization: Bearer {ticket.answer['access_token']}")
    address = shlex.quote(f"{ticket.answer['resourceURI']}?published-min={moment(ticket.lately)}")
    return f"curl --compressed -H {bearer} {address}"


def greet(settings: Settings, ticket: Ticket) -> None:
    """Where to look and what to try, once the server listens."""
    click.echo(
        f"""
  The demo is up: nine households, three utilities, thirteen months of data.

  Look at       {settings.base_url}
  Get a feed    paste this into another terminal; its token is good for a day

{curl(ticket)}

  These are the last two days; without ?published-min=… it is all there is, some six megabytes.

  More          espi-server demo --prepare --household solar    prints such a line for another household
  Read on       docs/quickstart.md
  Stop          Ctrl-C; the next start is quick. espi-server demo --reset starts over
"""
    )
    click.get_text_stream("stdout").flush()
