"""Databases with two towns in them, made once per run and copied: two utilities that hold the very same names.

`shared_towns` is one copy for a module, `towns` a fresh one for tests that change something, and `client` asks an
application over it. `on_one` is for what is refused before a database could make a difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.copies import KINDS, Copies
from tests.make import Client

UTILITIES = ("north", "south")

__all__ = ["UTILITIES", "client", "shared_towns", "towns", "towns_url"]

on_one = pytest.mark.parametrize("towns_url", ["sqlite"], indirect=True)


def build(url: str, folder: Path) -> None:
    """Two utilities with the same customers, addresses and source ids in the migrated database at `url`."""
    database = Database(url, secret=DEVELOPMENT_SECRET)
    for code in UTILITIES:
        make.utility(database, code)
        make.town(database, folder, code)
    database.close()


@pytest.fixture(params=KINDS)
def towns_url(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh copy; each test that asks runs on both kinds."""
    with copies.of(request.param, "towns", build, tmp_path) as url:
        yield url


@pytest.fixture(scope="module", params=KINDS)
def shared_towns(
    request: pytest.FixtureRequest, copies: Copies, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A copy of both towns for all tests of a module, which leave each other what they need."""
    with copies.opened(request.param, "towns", build, tmp_path_factory.mktemp("shared")) as database:
        yield database


@pytest.fixture
def towns(towns_url: str) -> Iterator[Database]:
    """A fresh copy of both towns, for tests that change something."""
    database = Database(towns_url, secret=DEVELOPMENT_SECRET)
    yield database
    database.close()


@pytest.fixture
def client(towns: Database) -> Client:
    """A client of an application over the fresh copy."""
    return make.client(towns)
