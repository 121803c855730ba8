"""Judges, and the demo's households to be judged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from espi_server.db import Database
from tests.conformance import judges
from tests.conformance.judges import Judge
from tests.conformance.town import Town
from tests.demo.prepared import prepared

__all__ = ["prepared"]


@pytest.fixture(scope="session")
def town(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The households of the demo, forty days of them, with the day daylight time ends."""
    path = tmp_path_factory.mktemp("town") / "town.sqlite"
    shutil.copy(prepared / "espi.sqlite", path)
    database = Database(f"sqlite:///{path}")
    yield Town(database)
    database.close()


@pytest.fixture(scope="session")
def ours() -> Judge:
    return judges.ours()


@pytest.fixture(scope="session")
def published(espi_reference: Path) -> Judge:
    return judges.published(espi_reference)


@pytest.fixture(params=["ours", "published"])
def judge(request: pytest.FixtureRequest) -> Judge:
    """Our schemas, then the published ones where they are here."""
    found: Judge = request.getfixturevalue(request.param)
    return found
