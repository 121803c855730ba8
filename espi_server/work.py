"""What workers do in this installation: wiring, and nothing else."""

from __future__ import annotations

from espi_server.db import Database
from espi_server.energy import changes, delivery
from espi_server.espi import safe
from espi_server.jobs import later
from espi_server.jobs.worker import Duty, Work, Worker
from espi_server.rates.arriving import arrived
from espi_server.settings import Settings


def works(settings: Settings) -> list[Work]:
    """Every kind of work."""
    return [delivery.work(arrived, safe.Limits(size=settings.upload_bytes))]


def duties() -> list[Duty]:
    """What has to be done again and again."""
    return [Duty("number changes", 5, _number_changes), Duty("forget old jobs", 3600, later.forget_old)]


def worker(database: Database, settings: Settings) -> Worker:
    """A worker that does all of it."""
    return Worker(database, works(settings), duties())


def _number_changes(database: Database) -> None:
    numbered = True
    while numbered:
        with database.writing() as session:
            numbered = changes.number(session) > 0
