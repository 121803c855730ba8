"""The command line: translate, call one subject function, print. Data to stdout, talk to stderr.

Exit codes: 0 done, 1 problems found, 2 usage, 3 unreadable input, 4 not allowed, 5 remote failure, 6 busy,
70 internal, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from dataclasses import fields

import click

from espi_server import __version__, migrate, work
from espi_server.access.asp_commands import asp, keys_command
from espi_server.access.commands import authorize, export, token
from espi_server.access.notify_commands import notify
from espi_server.accounts.commands import utility
from espi_server.demo.command import demo
from espi_server.energy.commands import import_command, layout_command, render_command
from espi_server.errors import Problem, Usage
from espi_server.espi.errors import EspiError
from espi_server.notify.commands import outbox
from espi_server.rates.arriving import arrived
from espi_server.rates.commands import rates
from espi_server.settings import Settings, declared
from espi_server.shell import environment, opened, options, tell
from espi_server.tools.commands import schema, validate

INTERRUPTED = 130


class Commands(click.Group):
    """A group that ends every known problem with its message and its exit code."""

    def invoke(self, context: click.Context) -> object:
        """Run the command; a `Problem` becomes one line on stderr."""
        try:
            return super().invoke(context)
        except Problem as problem:
            tell(problem.detail)
            sys.exit(problem.exit_code)
        except EspiError as error:  # what was given is not what the standard accepts
            tell(str(error))
            sys.exit(Usage.exit_code)
        except KeyboardInterrupt:
            tell("Interrupted. What was finished stays; run the command again to go on.")
            sys.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "obj": arrived})
@click.version_option(__version__)
def main() -> None:
    """A Green Button Connect My Data server.

    \b
    Try:  espi-server demo
    """


@main.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest form."""
    revision = migrate.upgrade(Settings.load().database_url)
    click.echo(f"The database stands at migration {revision}.")


@main.command()
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


@main.command("work")
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


@main.command("settings")
def settings_command() -> None:
    """Every setting: its variable, its value now (secrets hidden), and what it means."""
    now = Settings.load()
    for (variable, _, help, secret), each in zip(declared(), fields(Settings), strict=True):
        value = getattr(now, each.name)
        click.echo(f"{variable}={'(hidden)' if secret and value else value}\n    {help}")


asp.add_command(notify)
for command in (
    demo,
    utility,
    import_command,
    layout_command,
    render_command,
    export,
    asp,
    keys_command,
    authorize,
    token,
    outbox,
    rates,
    schema,
    validate,
):
    main.add_command(command)
