"""What the demo says to the person who started it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from espi_server.demo.demo import Ticket
from espi_server.demo.households import Household
from espi_server.demo.logins import PASSWORD
from espi_server.espi.atom import moment
from espi_server.settings import Settings

NAME = "espi-server"
DEFAULT_FOLDER = Path(".demo")
DEFAULT_PORT = 8000


def curl(ticket: Ticket) -> str:
    """One line for a shell that fetches the last two days of the feed a ticket opens."""
    bearer = shlex.quote(f"Authorization: Bearer {ticket.answer['access_token']}")
    address = shlex.quote(f"{ticket.answer['resourceURI']}?published-min={moment(ticket.lately)}")
    return f"curl --compressed -H {bearer} {address}"


def again(folder: Path, port: int) -> str:
    """The command that prints a fresh token, as it is to be typed here."""
    words = [_program(), "demo", "--prepare"]
    words += [] if folder == DEFAULT_FOLDER else ["--folder", str(folder)]
    words += [] if port == DEFAULT_PORT else ["--port", str(port)]
    return shlex.join(words)


def _program() -> str:
    """`espi-server` where the shell finds it, else the path it was started by: `.venv/bin/espi-server`."""
    started = Path(sys.argv[0]).absolute()
    if started.name != NAME or shutil.which(NAME) == str(started):
        return NAME
    return min(str(started), os.path.relpath(started), key=len)


def greet(
    settings: Settings, ticket: Ticket, household: Household, command: str, *, company: str = ""
) -> None:
    """Where to look and what to try, once the server listens."""
    click.echo(
        f"""
  The demo is up: nine households, three utilities, thirteen months of data.

  Look at       {settings.base_url}
  Sign in       {settings.base_url}/{household.companies[0]}/account/
                as {household.email} with the password: {PASSWORD}
  Get a feed    paste this into another terminal; its token is good for a day

{curl(ticket)}

  These are the last two days; without ?published-min=… it is all there is, some six megabytes.

{_beside(company)}  More          {command} --household solar
                prints such a line for another household
  Read on       docs/quickstart.md
  Stop          Ctrl-C; the next start is quick. {command.partition(" --prepare")[0]} --reset starts over
"""
    )
    click.get_text_stream("stdout").flush()


def _beside(company: str) -> str:
    """Where the company is that customers can share with, if it runs."""
    return f"  A company     {company} is one that customers can share with\n\n" if company else ""
