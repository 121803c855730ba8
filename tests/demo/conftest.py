"""The demo's files of the last forty days, written once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from espi_server.demo import files

END = date(2026, 11, 20)
DAYS = 40


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """What each company delivers, by its code."""
    return files.write(tmp_path_factory.mktemp("delivered"), END, days=DAYS)
