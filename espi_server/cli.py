"""The command line: translate, call one subject function, print. Data to stdout, talk to stderr.

Exit codes: 0 done, 1 problems found, 2 usage, 3 unreadable input, 4 not allowed, 5 remote failure, 6 busy,
70 internal, 130 interrupted.
"""

from __future__ import annotations

import sys
from pkgutil import resolve_name
from typing import Any

import click

from espi_server import __version__
from espi_server.errors import Problem, Usage
from espi_server.espi.errors import EspiError
from espi_server.terminal import tell

INTERRUPTED = 130
# Where each command lives. Its room is entered when it is asked for: a file is judged in half the time it takes to
# load what a database needs.
COMMANDS = {
    "agreement": "espi_server.access.closing_commands:agreement",
    "asp": "espi_server.access.asp_commands:asp",
    "audit": "espi_server.access.audit_commands:audit_command",
    "authorize": "espi_server.access.commands:authorize",
    "case": "espi_server.access.case_commands:case",
    "demo": "espi_server.demo.command:demo",
    "export": "espi_server.access.commands:export",
    "feature": "espi_server.access.feature_commands:feature",
    "import": "espi_server.energy.commands:import_command",
    "keys": "espi_server.access.asp_commands:keys_command",
    "layout": "espi_server.energy.commands:layout_command",
    "login": "espi_server.access.login_commands:login",
    "migrate": "espi_server.running:migrate_command",
    "outbox": "espi_server.notify.commands:outbox",
    "rates": "espi_server.rates.commands:rates",
    "render": "espi_server.energy.commands:render_command",
    "schema": "espi_server.tools.commands:schema",
    "serve": "espi_server.running:serve",
    "settings": "espi_server.running:settings_command",
    "token": "espi_server.access.commands:token",
    "utility": "espi_server.accounts.commands:utility",
    "validate": "espi_server.tools.commands:validate",
    "work": "espi_server.running:work_command",
}


class Commands(click.Group):
    """A group that ends every known problem with its message and its exit code."""

    def __init__(self, *given: Any, elsewhere: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(*given, **more)
        self._elsewhere = elsewhere or {}

    def list_commands(self, context: click.Context) -> list[str]:
        """The names of all commands, for the help."""
        return sorted({*super().list_commands(context), *self._elsewhere})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of this name, wherever it lives."""
        known = super().get_command(context, name)
        return known or (resolve_name(self._elsewhere[name]) if name in self._elsewhere else None)

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


def arrived(*told: Any) -> None:
    """What comes in is told to who counts it: the cells of the rates follow the data."""
    resolve_name("espi_server.rates.arriving:arrived")(*told)


def agreed(*told: Any) -> None:
    """Which agreements changed is told to who keeps consents: what closed is shared no more."""
    resolve_name("espi_server.access.closing:agreed")(*told)


@click.group(
    cls=Commands,
    elsewhere=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "obj": (arrived, agreed)},
)
@click.version_option(__version__)
def main() -> None:
    """A Green Button Connect My Data server.

    \b
    Try:  espi-server demo
    """
