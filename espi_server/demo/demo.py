"""An installation made of the demo's files: everything comes in through the door a utility's own files use.

The folder holds the files, the database and a note of how far the preparation has come, so that one that was
interrupted is finished by the next, and a finished one is opened at once.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from espi_server import clock, migrate
from espi_server.access import closing, features, grants, tokens
from espi_server.access.models import Application, Authorization
from espi_server.accounts import utilities
from espi_server.accounts.models import Customer, Utility
from espi_server.db import Database
from espi_server.demo import files, logins
from espi_server.demo.households import COMPANIES, COMPANY, TIMEZONE, Company, Household, every
from espi_server.energy.importer import Progress, import_files
from espi_server.energy.models import IntervalBlock, UsagePoint
from espi_server.errors import Internal, Problem, Usage
from espi_server.rates.arriving import arrived
from espi_server.settings import DEVELOPMENT_SECRET, Settings

ACTOR = "demo"
NOTE = "demo.json"
_FRESH = "demo.json.new"
LATELY = 2 * tokens.DAY
LAYOUT = 1  # counted up when an older folder can no longer be served

Watch = Callable[[str, Progress | None], None]
"""Is told what is being done, and how far it is where that takes a while."""


class Busy(Problem):
    """Another `espi-server demo` is at work in this folder. Stop it with Ctrl-C, or let it finish."""

    exit_code = 6


class NotOurs(Usage):
    """The folder was not made by the demo."""


@dataclass
class Note:
    """What a demo folder says about itself: the last day of its data, how many days, and whether all is in."""

    end_day: str
    days: int
    ready: bool = False
    layout: int = LAYOUT


def settings(folder: Path, *, port: int = 8000) -> Settings:
    """The settings a demo runs with; the environment's own play no part."""
    return Settings(
        mode="development",
        database_url=f"sqlite:///{folder.resolve() / 'espi.sqlite'}",
        secret_key=DEVELOPMENT_SECRET,
        base_url=f"http://localhost:{port}",
        contact_after=0,  # everybody's telephone is the sandbox's, and known for a minute
        notify_after=2,  # who tries a company out does not want to wait
    )


def prepare(
    folder: Path,
    *,
    port: int = 8000,
    end_day: date | None = None,
    days: int = files.DAYS,
    watch: Watch | None = None,
) -> Settings:
    """Make the folder ready to be served, or find it so; the settings to serve it with.

    `end_day` is the last day of the data, yesterday unless given. `Busy` or `NotOurs` where it cannot be done.
    """
    watch = watch or _silent
    now = settings(folder, port=port)
    note = _note(folder) or _begin(folder, end_day or _yesterday(), days)
    if not note.ready:
        with held(folder, shared=False):
            _fill(folder, note, now, watch)
    elif _is_stale(now):
        migrate.upgrade(now.database_url)
        _open_ways_in(now)
    return now


class Ticket(NamedTuple):
    """What opens a household's data at one company: a token answer, and a moment shortly before its last reading."""

    answer: dict[str, Any]
    lately: int


def tickets(now: Settings, household: Household) -> list[Ticket]:
    """Fresh tokens for the sandbox company, one for each company that serves the household; good for a day."""
    database = Database(now.database_url, secret=now.secret_key)
    try:
        with database.writing() as session:
            return [_ticket(session, now, household, code) for code in household.companies]
    finally:
        database.close()


def _ticket(session: Session, now: Settings, household: Household, code: str) -> Ticket:
    utility = utilities.find(session, code)
    authorization = _authorized(session, utility, household)
    answer = grants.token_answer(
        session, utility, authorization, installation=now.base_url, lifetime=tokens.DAY, by=ACTOR
    )
    last = (
        select(func.max(IntervalBlock.ends_at))
        .join(UsagePoint, UsagePoint.id == IntervalBlock.usage_point_id)
        .where(UsagePoint.customer_id == authorization.customer_id)
    )
    return Ticket(answer, (session.scalar(last) or clock.seconds()) - LATELY)


def forget(folder: Path) -> bool:
    """Remove a demo folder; whether there was one. `NotOurs` for a folder that is something else."""
    if not folder.exists():
        return False
    if not (folder / NOTE).is_file():
        raise _not_ours(folder)
    with held(folder, shared=False):
        shutil.rmtree(folder)
    return True


@contextmanager
def held(folder: Path, *, shared: bool) -> Iterator[IO[str]]:
    """Hold the folder while it is served (`shared`), or alone while it changes; `Busy` where that cannot be."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy from error
        yield lock


# Filling


def _fill(folder: Path, note: Note, now: Settings, watch: Watch) -> None:
    """Every step may be repeated: what is there already stays as it is."""
    watch("Preparing the database", None)
    migrate.upgrade(now.database_url)
    watch("Writing what three utilities would deliver", None)
    delivered = files.write(folder / "files", date.fromisoformat(note.end_day), days=note.days)
    database = Database(now.database_url, secret=now.secret_key)
    try:
        for company in COMPANIES:
            _utility(database, company)
            _import(database, company, delivered[company.code], watch)
        with database.writing() as session:
            _authorize(session)
    finally:
        database.close()
    _open_ways_in(now)
    note.ready = True
    _write(folder, note)


def _open_ways_in(now: Settings) -> None:
    database = Database(now.database_url, secret=now.secret_key)
    try:
        logins.open_all(database)
    finally:
        database.close()


def _is_stale(now: Settings) -> bool:
    """Was the folder made before the newest migration?"""
    database = Database(now.database_url, secret=now.secret_key)
    try:
        return migrate.current(database.engine) != migrate.newest()
    finally:
        database.close()


def _utility(database: Database, company: Company) -> None:
    with database.writing() as session:
        if company.code not in {each.code for each in utilities.every(session)}:
            added = utilities.add(
                session, company.code, name=company.name, timezone=TIMEZONE, kind=company.kind, roles=company.roles,
                states=("CA",), commodities=(company.commodity,),
            )  # fmt: skip
            # The first phase of the statewide tool: RINs are in its feeds.
            features.change(session, added, "rin", features.ON, by=ACTOR)


def _import(database: Database, company: Company, paths: list[Path], watch: Watch) -> None:
    step = f"Importing the files of {company.name}"
    watch(step, None)
    report = import_files(
        database, company.code, paths, actor=ACTOR, progress=lambda done: watch(step, done), arrived=arrived,
        agreed=closing.agreed,
    )  # fmt: skip
    if report.errors:
        raise Internal(f"The demo's own files did not all come in: {report.errors[0]}")


def _authorize(session: Session) -> None:
    for household in every():
        for code in household.companies:
            _authorized(session, utilities.find(session, code), household)


def _authorized(session: Session, utility: Utility, household: Household) -> Authorization:
    """The sandbox company's live authorization for a household, granted anew where there is none."""
    query = (
        select(Authorization)
        .join(Application, Application.id == Authorization.application_id)
        .join(Customer, Customer.id == Authorization.customer_id)
        .where(
            Authorization.utility_id == utility.id,
            Application.name == COMPANY,
            Customer.reference == household.reference(utility.code),
            Authorization.ended_at.is_(None),
            Authorization.ends_at > clock.seconds() + tokens.DAY,
        )
    )
    found = session.scalar(query)
    if found is not None:
        return found
    chosen = grants.of_customer(session, utility, household.reference(utility.code))
    return grants.authorize(session, utility, chosen, application=COMPANY, scope=household.scope, by=ACTOR)


# The folder's note


def _note(folder: Path) -> Note | None:
    """What the folder says of itself; None where it says nothing."""
    path = folder / NOTE
    if not path.exists():
        return None
    try:
        note = Note(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise _not_ours(folder) from error
    if note.layout != LAYOUT:
        raise NotOurs(f"{folder} was made by another version. Run `espi-server demo --reset` and start over.")
    return note


def _begin(folder: Path, end_day: date, days: int) -> Note:
    if folder.exists() and (not folder.is_dir() or {each.name for each in folder.iterdir()} - {_FRESH}):
        raise _not_ours(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note = Note(end_day.isoformat(), days)
    _write(folder, note)
    return note


def _write(folder: Path, note: Note) -> None:
    """In one step, so that an interruption leaves the old note or the new one."""
    fresh = folder / _FRESH
    fresh.write_text(json.dumps(asdict(note)), "utf-8")
    fresh.replace(folder / NOTE)


def _not_ours(folder: Path) -> NotOurs:
    return NotOurs(
        f"{folder} was not made by the demo. Name another folder with --folder or ESPI_DEMO_FOLDER."
    )


def _yesterday() -> date:
    return clock.now().astimezone(ZoneInfo(TIMEZONE)).date() - timedelta(days=1)


def _silent(step: str, progress: Progress | None) -> None:
    """Nobody watches."""
