"""What the commands share: opening the database, starting the server."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

from espi_server import migrate
from espi_server.db import Database
from espi_server.errors import Unavailable
from espi_server.settings import Settings


def operator() -> str:
    """Who is at the terminal, as the records name them."""
    return f"operator:{getpass.getuser()}"


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Database]:
    """The installation's database, if it is there and stands at the newest migration."""
    settings = settings or Settings.load()
    database = Database(settings.database_url, secret=settings.secret_key, older=settings.older_secrets)
    try:
        if migrate.current(database.engine) != migrate.newest():
            raise Unavailable("The database is not at the newest migration. Run `espi-server migrate` first.")
        yield database
    finally:
        database.close()


def environment() -> dict[str, str]:
    """The environment a server is started in: the one there is, and how glibc is to share memory among threads.

    Left alone, it gives each of dozens of threads a pool of its own, and what slow readers hold grows by a quarter.
    """
    return {"MALLOC_ARENA_MAX": "2", **os.environ}


def options(settings: Settings) -> list[str]:
    """gunicorn's arguments for these settings; `gunicorn.conf.py` holds the same for those who start it bare."""
    return [
        "--worker-class",
        "gthread",
        "--workers",
        str(settings.workers),
        "--threads",
        str(settings.threads),
        "--timeout",
        "120",
        "--graceful-timeout",
        "30",
        "--keep-alive",
        "15",
    ]
