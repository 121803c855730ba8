"""`espi-server demo`: nine households in a minute, served on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click

from espi_server.demo import demo as installation
from espi_server.demo.greeting import DEFAULT_FOLDER, DEFAULT_PORT, again, curl, greet
from espi_server.demo.households import every, named
from espi_server.demo.watching import watched
from espi_server.settings import PREFIX, Settings
from espi_server.terminal import tell

IGNORED = ("ESPI_DATABASE_URL", "ESPI_CONFIG", "ESPI_BASE_URL", "ESPI_MODE", "ESPI_SECRET_KEY")


@click.command()
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, envvar="ESPI_DEMO_PORT", show_envvar=True,
    type=click.IntRange(1, 65535), help="Where to listen.",
)  # fmt: skip
@click.option(
    "--folder", default=DEFAULT_FOLDER, show_default=True, envvar="ESPI_DEMO_FOLDER", show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path), help="Where the demo keeps its files and database.",
)  # fmt: skip
@click.option("--reset", is_flag=True, help="Remove the demo's folder; with --prepare, make it anew.")
@click.option("--prepare", is_flag=True, help="Prepare the data and print a fresh token, but do not serve.")
@click.option(
    "--household", default="single", show_default=True, type=click.Choice([each.name for each in every()]),
    help="Whose data the printed curl line asks for.",
)  # fmt: skip
@click.option(
    "--company/--no-company", "with_company", default=True, help="Run the example of a company beside it."
)
@click.option(
    "--json", "as_json", is_flag=True, help="With --prepare: the token answer as JSON, one a utility."
)
def demo(
    port: int, folder: Path, reset: bool, prepare: bool, household: str, with_company: bool, as_json: bool
) -> None:
    """Load nine households of three invented utilities, and serve them on this machine.

    The data are made up, the way in is not: real Green Button files run through the real importer. The first run
    takes a while, later ones start at once. Other settings of this server play no part.

    \b
    Example:  espi-server demo --port 8001
    """
    if reset:
        _forget(folder)
        if not prepare:
            return
    # gunicorn and Flask, which no other command needs to wait for.
    from espi_server.demo import company
    from espi_server.demo.serving import Server, check_port

    _tell_ignored(os.environ)
    if not prepare:
        check_port(port)
    now = _prepared(folder, port)
    tickets = installation.tickets(now, named(household))
    if prepare:
        for ticket in tickets:
            click.echo(json.dumps(ticket.answer) if as_json else curl(ticket))
        return
    with (
        installation.held(folder, shared=True),
        company.beside(now, folder, port + 1, wanted=with_company) as there,
    ):
        command = again(folder, port)
        hello = partial(greet, now, tickets[0], named(household), command, company=there)
        Server(now, port, command, hello, company=there).run()


def _forget(folder: Path) -> None:
    gone = installation.forget(folder)
    tell(f"Removed {folder}." if gone else f"There is no {folder} to remove.")


def _prepared(folder: Path, port: int) -> Settings:
    with watched() as watch:
        return installation.prepare(folder, port=port, watch=watch)


def _tell_ignored(environ: Mapping[str, str]) -> None:
    """The demo never opens another database than its own, whatever the environment says."""
    for name in IGNORED:
        if environ.get(name):
            tell(f"{name} is set; the demo ignores it and uses its own {name.removeprefix(PREFIX).lower()}.")
