"""The demo's files of the last forty days, written once, and a demo made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from espi_server.demo import files
from tests.demo.prepared import DAYS, END, own_demo, prepared

__all__ = ["own_demo", "prepared"]


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """What each company delivers, by its code."""
    return files.write(tmp_path_factory.mktemp("delivered"), END, days=DAYS)
