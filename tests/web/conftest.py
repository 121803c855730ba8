"""Both towns to look at, for the tests of the data API; those that change something ask for `towns`."""

from collections.abc import Iterator

import pytest

from espi_server.db import Database
from tests.copies import KINDS, Copies
from tests.towns import build
from tests.web import world as worlds
from tests.web.world import World


@pytest.fixture(scope="session", params=KINDS)
def world(
    request: pytest.FixtureRequest, copies: Copies, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Both towns with tokens of every kind; tests leave it as they found it."""
    with copies.of(request.param, "towns", build, tmp_path_factory.mktemp("world")) as url:
        database = Database(url)
        yield worlds.build(database)
        database.close()
