"""The commands that run an installation: migrate, serve, work, and a look at its settings."""

from __future__ import annotations

import os
import sys
from dataclasses import fields

import click

from espi_server import migrate, work
from espi_server.keyring import Keyring
from espi_server.settings import Settings, declared
from espi_server.shell import environment, opened, options
from espi_server.terminal import tell


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest form."""
    settings = Settings.load()
    revision = migrate.upgrade(settings.database_url, keys=Keyring.of(settings))
    click.echo(f"The database stands at migration {revision}.")


@click.command()
@click.option("--port", default=8000, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address.")
def serve(port: int, host: str) -> None:
    """Serve with gunicorn until told to stop.

    \b
    Example:  espi-server serve --port 8000
    """
    settings = Settings.load()
    arguments = ["gunicorn", "--bind", f"{host}:{port}", *options(settings), "espi_server.app:create_app()"]
    os.execve(sys.executable, [sys.executable, "-m", *arguments], environment())  # noqa: S606 - our own interpreter


@click.command("work")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
def work_command(once: bool) -> None:
    """Do what waits: larger deliveries, and whatever has to be repeated. Run as many as you like.

    \b
    Example:  espi-server work
    """
    settings = Settings.load()
    with opened(settings) as database:
        worker = work.worker(database, settings)
        if once:
            tell(f"{worker.sweep()} done or tried.")
        else:
            worker.until_told()


@click.command("settings")
def settings_command() -> None:
    """Every setting: its variable, its value now (secrets hidden), and what it means."""
    now = Settings.load()
    for (variable, _, help, secret), each in zip(declared(), fields(Settings), strict=True):
        value = getattr(now, each.name)
        click.echo(f"{variable}={'(hidden)' if secret and value else value}\n    {help}")
