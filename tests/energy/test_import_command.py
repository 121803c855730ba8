"""`espi-server import`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from espi_server.db import Database
from espi_server.energy import importer
from espi_server.energy.commands import _line_teller, import_command
from espi_server.energy.importer import UnknownProfile
from espi_server.errors import Problem
from tests.energy import stored
from tests.energy.feeds import Household, feed


@pytest.fixture
def north(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ESPI_MODE", "development")
    monkeypatch.setenv("ESPI_DATABASE_URL", sqlite_url)
    database = Database(sqlite_url)
    stored.utility(database)
    database.close()
    return sqlite_url


def run(*arguments: object) -> Result:
    return CliRunner().invoke(import_command, [str(each) for each in arguments])


def test_the_report_is_json_with_stable_keys(north: str, tmp_path: Path) -> None:
    path = Household(days=1).write(tmp_path / "a.xml")

    result = run("--utility", "north", "--json", path)

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["schema_version"] == 1
    assert {name: report[name] for name in ("files", "entries", "readings", "created", "errors")} == {
        "files": 1, "entries": 6, "readings": 24, "created": 6, "errors": [],
    }  # fmt: skip


def test_the_report_for_people_names_file_and_line(north: str, tmp_path: Path) -> None:
    text = (
        feed(Household(days=1).entries(), indent=True)
        .decode()
        .replace("<e:uom>72</e:uom>", "<e:uom>volts</e:uom>")
    )
    (tmp_path / "a.xml").write_text(text)

    result = run("--utility", "north", tmp_path / "a.xml")

    assert result.exit_code == 1
    assert "a.xml:" in result.stdout
    assert "ReadingType/uom must be a whole number" in result.stdout


def test_a_broken_file_among_good_ones_stops_nothing_else(north: str, tmp_path: Path) -> None:
    good = Household(days=1).write(tmp_path / "good.xml")
    (tmp_path / "broken.xml").write_bytes(feed(Household(id="102").entries())[:-500])

    result = run("--utility", "north", "--json", tmp_path / "broken.xml", good)

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["files"], report["readings"]) == (1, 24)
    assert report["errors"][0]["file"].endswith("broken.xml")
    assert "Nothing of this file was taken in" in report["errors"][0]["message"]


def test_no_readable_file_ends_with_3(north: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")

    result = run("--utility", "north", tmp_path / "a.txt", tmp_path / "missing.xml", tmp_path)

    assert result.exit_code == 3
    assert result.stdout.count("\n  /") == 3


def test_an_unknown_utility_is_named(north: str, tmp_path: Path) -> None:
    result = run("--utility", "nowhere", Household().write(tmp_path / "a.xml"))

    assert isinstance(result.exception, Problem)
    assert "nowhere" in result.exception.detail
    assert result.exception.exit_code == 3


def test_an_unknown_profile_is_refused(north: str, tmp_path: Path) -> None:
    assert run("--utility", "north", "--profile", "zip", tmp_path / "a.xml").exit_code == 2
    database = Database(north)
    with pytest.raises(UnknownProfile, match="self, atom-id, meter"):
        importer.import_files(database, "north", [], profile="zip", actor="a test")
    database.close()


def test_without_a_terminal_a_line_comes_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = iter([0.0, 5.0, 10.0, 10.0, 12.0])
    monkeypatch.setattr("time.monotonic", lambda: next(moments))
    show = _line_teller()

    for done in (10, 2_000, 3_000):
        show(importer.Progress("reading", done, 4_000))

    assert capsys.readouterr().err == "Reading: 2,000 of 4,000\n"


def test_the_run_is_on_record(north: str, tmp_path: Path) -> None:
    run("--utility", "north", Household().write(tmp_path / "a.xml"))

    database = Database(north)
    [row] = stored.every(database, importer.ImportRun)
    database.close()
    assert row["finished_at"] is not None
    assert row["actor"].startswith("command line")
    assert row["report"]["readings"] == 48
