"""The files in `samples/households` are what the demo writes, and come in as they lie there."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date
from pathlib import Path

from espi_server.accounts import utilities
from espi_server.demo import files
from espi_server.demo.households import COMPANIES, TIMEZONE
from espi_server.energy.importer import import_files
from tests.conftest import ROOT

FOLDER = ROOT / "samples" / "households"
LAST_DAY = date(2026, 11, 1)  # the clock goes back
DAYS = 2
LEFT_OUT = "business"


def write(folder: Path) -> list[Path]:
    """The samples as they should be, in a folder; their paths within it."""
    with tempfile.TemporaryDirectory() as whole:
        delivered = files.write(Path(whole), LAST_DAY, days=DAYS)
        kept = [path for paths in delivered.values() for path in paths if not path.name.startswith(LEFT_OUT)]
        for path in kept:
            target = folder / path.relative_to(whole)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        return [path.relative_to(whole) for path in kept]


def test_the_samples_are_what_the_demo_writes(tmp_path):
    fresh = write(tmp_path)

    there = {path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()} - {Path("README.md")}
    assert there == set(fresh)
    for path in fresh:
        assert (FOLDER / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_the_samples_come_in_without_a_remark(database):
    for company in COMPANIES:
        with database.writing() as session:
            utilities.add(
                session, company.code, name=company.name, timezone=TIMEZONE, kind=company.kind,
                commodities=(company.commodity,),
            )  # fmt: skip
        report = import_files(database, company.code, sorted((FOLDER / company.code).iterdir()), actor="test")

        assert not report.errors
        assert not report.repaired
        assert not report.unknown
        assert not report.ignored


if __name__ == "__main__":
    write(FOLDER)
