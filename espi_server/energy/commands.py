"""`espi-server import …`."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from espi_server.accounts import utilities
from espi_server.accounts.models import PROFILES
from espi_server.energy import derived, importer, layout
from espi_server.shell import opened
from espi_server.terminal import tell

_LINE_EVERY = 10.0  # seconds, where there is no terminal to draw on
_PHASES = {"reading": "Reading", "storing": "Storing"}

Tell = Callable[[importer.Progress], None]


@click.command("import")
@click.option("--utility", required=True, help="Its code.")
@click.option("--customer", help="Whose data these are: the utility's own reference.")
@click.option(
    "--profile", type=click.Choice(PROFILES), help="Which key names a usage point; default: the utility's."
)
@click.option("--local", is_flag=True, help="Times in tables are local where they say no offset.")
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    help="How another custodian's table is laid out: pge, sce, ameren, sap, or a file of your own. Repeatable.",
)
@click.option("--usage-point", help="Whose readings a custodian's table holds, where it does not say.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document.")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.pass_obj  # the command line says who else wants to know what arrived, and which agreements changed
def import_command(
    told: tuple[importer.Arrived, importer.Agreed] | None,
    utility: str,
    customer: str | None,
    profile: str | None,
    local: bool,
    layouts: tuple[str, ...],
    usage_point: str | None,
    as_json: bool,
    files: tuple[str, ...],
) -> None:
    """Take in Green Button files (XML, plain or gzip) and tables (CSV), in any order, as often as you like.

    \b
    Example:  espi-server import --utility north usage.xml customers.xml meters.csv
    Exit codes: 0 all came in, 1 some entries failed, 3 no file could be read.
    """
    arrived, agreed = told or (None, None)
    with opened() as database, progress() as show:
        report = importer.import_files(
            database, utility, files, customer=customer, profile=profile, local=local, layouts=layouts,
            usage_point=usage_point, actor=_somebody(), progress=show, arrived=arrived, agreed=agreed,
        )  # fmt: skip
    click.echo(json.dumps(report.to_json(), indent=2) if as_json else str(report))
    sys.exit(report.exit_code)


@click.command("render")
@click.option("--utility", "codes", multiple=True, help="Its code; default: every utility. Repeatable.")
@click.option("--check", is_flag=True, help="Only tell what disagrees; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document per utility.")
def render_command(codes: tuple[str, ...], check: bool, as_json: bool) -> None:
    """Compare the stored XML with the readings and contents it was made of, and make anew what disagrees.

    Run it after an upgrade that says so, or when a feed breaks off over a damaged segment. Feeds are served meanwhile.

    \b
    Example:  espi-server render --check
    Exit codes: 0 all agrees or was made anew, 1 (with --check) something disagrees.
    """
    found = 0
    with opened() as database:
        with database.reading() as session:
            chosen = [utilities.find(session, code) for code in codes] or utilities.every(session)
        for utility in chosen:
            report = derived.render(database, utility, check=check, tell=_row_teller(utility.code))
            found += len(report.differences)
            click.echo(
                json.dumps({"utility": utility.code, **report.to_json()})
                if as_json
                else _told(utility.code, report)
            )
    sys.exit(1 if check and found else 0)


def _told(code: str, report: derived.Report) -> str:
    done = "made anew" if report.made else "not as they should be"
    lines = [f"{code}: {report.rows:,} rows, {len(report.differences):,} {done}"]
    return "\n".join([*lines, *(f"  {each}" for each in report.differences)])


def _row_teller(code: str) -> Callable[[int], None]:
    last = time.monotonic()

    def show(rows: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY:
            last = time.monotonic()
            tell(f"{code}: {rows:,} rows")

    return show


@click.group("layout")
def layout_command() -> None:
    """How other custodians' tables are laid out."""


@layout_command.command("list")
def list_layouts() -> None:
    """The layouts that come with this server."""
    for each in layout.builtin():
        click.echo(f"{each.name:<8} {each.title}")


@layout_command.command("show")
@click.argument("name")
def show_layout(name: str) -> None:
    """Print a layout, to begin one of your own from."""
    click.echo((layout.FOLDER / f"{layout.named(name).name}.toml").read_text("utf-8"), nl=False)


@layout_command.command("check")
@click.argument("file")
def check_layout(file: str) -> None:
    """Check a description of your own."""
    found = layout.named(file)
    click.echo(f"{file} describes the layout {found.name}: {found.title}")


@contextmanager
def progress() -> Iterator[Tell]:
    """A bar on a terminal, else a line every ten seconds; both on stderr."""
    if not sys.stderr.isatty():
        yield _line_teller()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {phase: bars.add_task(words, total=None) for phase, words in _PHASES.items()}
        yield lambda at: bars.update(tasks[at.phase], completed=at.done, total=at.total)


def _line_teller() -> Tell:
    last = time.monotonic()

    def show(at: importer.Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY:
            last = time.monotonic()
            tell(f"{_PHASES[at.phase]}: {at.done:,} of {at.total:,}")

    return show


def _somebody() -> str:
    """Who runs this command, for the record of the import."""
    try:
        return f"command line, {getpass.getuser()}"
    except OSError:
        return "command line"
