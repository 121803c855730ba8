"""`espi-server work`: it works until it is told to stop, and says so by going."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import select

from espi_server.accounts.models import Utility
from espi_server.cli import main
from espi_server.db import Database
from espi_server.energy import changes
from espi_server.energy.models import Change
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make


def environment(url: str) -> dict[str, str]:
    return {"ESPI_MODE": "development", "ESPI_DATABASE_URL": url, "ESPI_SECRET_KEY": DEVELOPMENT_SECRET}


def noted(database: Database) -> Utility:
    utility = make.utility(database)
    with database.writing() as session:
        changes.note(session, utility.id, "UsagePoint", utility.id, "created")
    return utility


def test_once_does_what_is_due_and_numbers_the_changes(database: Database, database_url: str) -> None:
    noted(database)

    result = CliRunner().invoke(main, ["work", "--once"], env=environment(database_url))

    assert (result.exit_code, result.stderr) == (0, "0 done or tried.\n")
    with database.reading() as session:
        assert session.scalars(select(Change.sequence)).all() == [1]


def test_it_works_until_it_is_told_to_stop(database: Database, database_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from espi_server.cli import main; main()", "work"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | environment(database_url), stderr=log)
    noted(database)
    until = time.monotonic() + 60
    numbered = False
    while not numbered and time.monotonic() < until:
        time.sleep(0.1)
        with database.reading() as session:
            numbered = session.scalars(select(Change.sequence)).all() == [1]

    process.send_signal(signal.SIGTERM)

    assert numbered, (tmp_path / "log").read_text()
    assert process.wait(timeout=30) == 0
