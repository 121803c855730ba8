"""Databases that are filled once in a run, and copied for each test that wants one."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from espi_server import migrate
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET
from tests import pg

KINDS = ("sqlite", "postgresql")
Fill = Callable[[str, Path], None]


def migrated(url: str, folder: Path) -> None:
    """An empty database at the newest migration."""
    migrate.upgrade(url)


def once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that is made once in a run, by whichever worker comes first, and changed by nobody after that."""
    base = folders.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, making = base / f"once-{name}", base / f"making-{name}"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder


class Copies:
    """Fresh copies of databases of either kind; `fill(url, folder)` makes what is copied, once for each name."""

    def __init__(self, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> None:
        self._request = request
        self._folders = folders
        self._files: dict[str, Path] = {}
        self._databases: set[str] = set()

    @contextmanager
    def of(self, kind: str, name: str, fill: Fill, folder: Path) -> Iterator[str]:
        """The address of a copy; a file lies in `folder`, a database is gone afterwards."""
        if kind == "sqlite":
            path = folder / f"{uuid.uuid4().hex}.sqlite"
            shutil.copy(self.file(name, fill), path)
            yield f"sqlite:///{path}"
            return
        server: pg.Server = self._request.getfixturevalue("postgresql")
        copy = server.copy(self._database(server, name, fill))
        yield server.url(copy)
        server.drop(copy)

    @contextmanager
    def opened(self, kind: str, name: str, fill: Fill, folder: Path) -> Iterator[Database]:
        """The same copy, opened with the secret that tests close things with."""
        with self.of(kind, name, fill, folder) as url:
            database = Database(url, secret=DEVELOPMENT_SECRET)
            yield database
            database.close()

    def file(self, name: str, fill: Fill) -> Path:
        """The SQLite file itself, to be copied and never to be changed."""

        def make(folder: Path) -> None:
            path = folder / f"{name}.sqlite"
            if fill is not migrated:
                shutil.copy(self.file("migrated", migrated), path)
            fill(f"sqlite:///{path}", folder)

        if name not in self._files:
            self._files[name] = once(self._folders, name, make) / f"{name}.sqlite"
        return self._files[name]

    def _database(self, server: pg.Server, name: str, fill: Fill) -> str:
        if name not in self._databases:
            template = "" if fill is migrated else f"TEMPLATE {self._database(server, 'migrated', migrated)}"
            server.execute(f"CREATE DATABASE {name} {template}")
            fill(server.url(name), self._folders.mktemp(name))
            self._databases.add(name)
        return name
