"""A filled database of each kind: made once, copied for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from espi_server.db import Database
from tests import pg
from tests.contract import stock


@pytest.fixture(scope="session")
def filled_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stock")
    path = folder / "filled.sqlite"
    shutil.copy(migrated_file, path)
    with stock.opened_database(f"sqlite:///{path}") as database:
        stock.fill(database, folder)
    return path


@pytest.fixture(scope="session")
def filled_template(postgresql: pg.Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    postgresql.execute("CREATE DATABASE filled TEMPLATE migrated")
    with stock.opened_database(postgresql.url("filled")) as database:
        stock.fill(database, tmp_path_factory.mktemp("stock"))
    return "filled"


@pytest.fixture
def filled_sqlite(filled_file: Path, tmp_path: Path) -> str:
    path = tmp_path / "espi.sqlite"
    shutil.copy(filled_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def filled_postgresql(postgresql: pg.Server, filled_template: str) -> Iterator[str]:
    name = postgresql.copy(filled_template)
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def filled_url(request: pytest.FixtureRequest) -> str:
    """The address of a database with all households; each test that asks runs on both kinds."""
    return str(request.getfixturevalue(f"filled_{request.param}"))


@pytest.fixture
def filled(filled_url: str) -> Iterator[Database]:
    with stock.opened_database(filled_url) as database:
        yield database
