"""A filled database of each kind: made once, copied for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from espi_server.db import Database
from tests.contract import stock
from tests.copies import KINDS, Copies


def fill(url: str, folder: Path) -> None:
    """Every household of the stock."""
    with stock.opened_database(url) as database:
        stock.fill(database, folder)


@pytest.fixture
def filled_sqlite(copies: Copies, tmp_path: Path) -> Iterator[str]:
    with copies.of("sqlite", "filled", fill, tmp_path) as url:
        yield url


@pytest.fixture
def filled_postgresql(copies: Copies, tmp_path: Path) -> Iterator[str]:
    with copies.of("postgresql", "filled", fill, tmp_path) as url:
        yield url


@pytest.fixture(params=KINDS)
def filled_url(request: pytest.FixtureRequest) -> str:
    """The address of a database with all households; each test that asks runs on both kinds."""
    return str(request.getfixturevalue(f"filled_{request.param}"))


@pytest.fixture
def filled(filled_url: str) -> Iterator[Database]:
    with stock.opened_database(filled_url) as database:
        yield database
