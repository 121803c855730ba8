"""Both towns to look at, for the tests of the data API; those that change something ask for `towns`."""

from collections.abc import Iterator

import pytest

from espi_server.db import Database
from tests.towns import copied
from tests.web import world as worlds
from tests.web.world import World


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both towns with tokens of every kind; tests leave it as they found it."""
    for url in copied(request, request.param, tmp_path_factory.mktemp("world")):
        database = Database(url)
        yield worlds.build(database)
        database.close()
