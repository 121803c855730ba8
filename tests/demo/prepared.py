"""A small demo of the last forty days, prepared once for all tests that only look at it."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from espi_server.demo import demo
from tests.copies import once

END = date(2026, 11, 20)
DAYS = 40
PATIENCE = 60  # seconds the demo may take to stop
MAIN = "from espi_server.cli import main; main()"


class Served(NamedTuple):
    """A real `espi-server demo`: its process, its port, and the curl line it printed."""

    process: subprocess.Popen[str]
    port: int
    curl: str


@contextmanager
def served(folder: Path, *, company: bool = False) -> Iterator[Served]:
    """The demo in this folder, served on a free port by the command itself, and the company on the next one."""
    port = free()
    beside = "--company" if company else "--no-company"
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "demo", "--folder", str(folder), "--port", str(port), beside],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=empty(),
    )
    try:
        yield Served(process, port, _curl(process))
    finally:
        process.kill()
        process.communicate()


def free() -> int:
    """A port that is free, as the next one is: the company beside the demo listens there.

    Below those that outgoing connections are given, or a neighbour's browser would take it in between.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            for each in (port, port + 1):
                socket.create_server(("127.0.0.1", each)).close()
        except OSError:
            continue
        return port


def empty() -> dict[str, str]:
    """The environment without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ESPI_")}


def _curl(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("curl"):
            return line.strip()
    raise AssertionError(f"The demo ended without a curl line: {process.communicate()[1]}")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that is ready to be served."""

    def make(folder: Path) -> None:
        demo.prepare(folder / "demo", end_day=END, days=DAYS)

    folder = tmp_path_factory.mktemp("prepared") / "demo"
    shutil.copytree(once(tmp_path_factory, "prepared", make) / "demo", folder)
    return folder


@pytest.fixture
def own_demo(prepared: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    folder = tmp_path / "demo"
    shutil.copytree(prepared, folder)
    return folder
