"""A small demo of the last forty days, prepared once for all tests that only look at it."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from espi_server.demo import demo

END = date(2026, 11, 20)
DAYS = 40


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that is ready to be served."""
    folder = tmp_path_factory.mktemp("prepared") / "demo"
    demo.prepare(folder, end_day=END, days=DAYS)
    return folder


@pytest.fixture
def own_demo(prepared: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    folder = tmp_path / "demo"
    shutil.copytree(prepared, folder)
    return folder
