"""Databases with two towns in them, made once per run and copied: two utilities that hold the very same names.

`towns` is a fresh copy for tests that change something, `client` asks an application over it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from espi_server.db import Database
from tests import make, pg
from tests.make import Client

UTILITIES = ("north", "south")

__all__ = ["UTILITIES", "client", "towns", "towns_file", "towns_postgresql", "towns_url"]


def build(url: str, folder: Path) -> None:
    """Two utilities with the same customers, addresses and source ids in the migrated database at `url`."""
    database = Database(url)
    for code in UTILITIES:
        make.utility(database, code)
        make.town(database, folder, code)
    database.close()


@pytest.fixture(scope="session")
def towns_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with both towns, to be copied."""
    folder = tmp_path_factory.mktemp("towns")
    path = folder / "towns.sqlite"
    shutil.copy(migrated_file, path)
    build(f"sqlite:///{path}", folder)
    return path


@pytest.fixture(scope="session")
def towns_postgresql(postgresql: pg.Server, tmp_path_factory: pytest.TempPathFactory) -> pg.Server:
    """The PostgreSQL server, with a database `towns` to be copied."""
    postgresql.execute("CREATE DATABASE towns TEMPLATE migrated")
    build(postgresql.url("towns"), tmp_path_factory.mktemp("towns"))
    return postgresql


def copied(request: pytest.FixtureRequest, kind: str, folder: Path) -> Iterator[str]:
    """The address of a copy of both towns on one kind of database."""
    if kind == "sqlite":
        path = folder / f"{uuid.uuid4().hex}.sqlite"
        shutil.copy(request.getfixturevalue("towns_file"), path)
        yield f"sqlite:///{path}"
        return
    server: pg.Server = request.getfixturevalue("towns_postgresql")
    name = server.copy("towns")
    yield server.url(name)
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def towns_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh copy; each test that asks runs on both kinds."""
    yield from copied(request, request.param, tmp_path)


@pytest.fixture
def towns(towns_url: str) -> Iterator[Database]:
    """A fresh copy of both towns, for tests that change something."""
    database = Database(towns_url)
    yield database
    database.close()


@pytest.fixture
def client(towns: Database) -> Client:
    """A client of an application over the fresh copy."""
    return make.client(towns)
