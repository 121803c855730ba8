import io
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from rich.console import Console
from sqlalchemy import func, select

from company.scope import ASKED
from espi_server import migrate
from espi_server.access.models import Application, AuditEvent, Authorization
from espi_server.accounts.models import Customer, Utility
from espi_server.cli import main
from espi_server.db import Database
from espi_server.demo import company, demo, watching
from espi_server.demo.greeting import again
from espi_server.demo.households import COMPANIES, COMPANY, every, named
from espi_server.demo.serving import PortTaken, check_port
from espi_server.energy.importer import Progress
from espi_server.energy.models import IntervalBlock, Resource, UsagePoint
from espi_server.espi import atom, safe
from tests.demo.prepared import DAYS, END, PATIENCE, free, served


@pytest.fixture
def run(monkeypatch):
    """The command in an empty environment; its result."""
    for name in [each for each in os.environ if each.startswith("ESPI_")]:
        monkeypatch.delenv(name)
    return lambda *arguments: CliRunner().invoke(main, ["demo", *map(str, arguments)])


def opened(folder):
    return Database(demo.settings(folder).database_url)


def count(database, table):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


# Preparing


def test_everybody_is_there_and_has_authorized_the_sandbox_company(prepared):
    database = opened(prepared)
    query = (
        select(Utility.code, Customer.reference)
        .select_from(Authorization)
        .join(Application, Application.id == Authorization.application_id)
        .join(Customer, Customer.id == Authorization.customer_id)
        .join(Utility, Utility.id == Authorization.utility_id)
        .where(Application.name == COMPANY, Authorization.ended_at.is_(None))
    )

    with database.reading() as session:
        authorized = {tuple(row) for row in session.execute(query)}

    assert authorized == {(code, each.reference(code)) for each in every() for code in each.companies}


def test_every_usage_point_belongs_to_its_customer_and_has_readings(prepared):
    database = opened(prepared)

    with database.reading() as session:
        points = session.scalars(select(UsagePoint)).all()
        read = set(session.scalars(select(IntervalBlock.usage_point_id)))

    assert len(points) == sum(len(each.services) for each in every())
    assert all(point.customer_id and point.agreement_id for point in points)
    assert {point.id for point in points} == read


def test_a_second_preparation_changes_nothing(own_demo):
    before = (own_demo / "espi.sqlite").read_bytes()

    demo.prepare(own_demo)

    assert (own_demo / "espi.sqlite").read_bytes() == before


def test_an_interrupted_preparation_is_finished_by_the_next(prepared, tmp_path):
    folder = tmp_path / "demo"

    def interrupt(step, progress):
        if progress and progress.phase == "storing" and progress.done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.prepare(folder, end_day=END, days=DAYS, watch=interrupt)
    partly = count(opened(folder), Resource)
    demo.prepare(folder)

    assert 0 < partly < count(opened(folder), Resource)
    for table in (Resource, IntervalBlock, UsagePoint, Authorization, Utility):
        assert count(opened(folder), table) == count(opened(prepared), table)


def test_one_that_was_stopped_before_it_wrote_anything_starts_over(tmp_path):
    (tmp_path / "demo.json.new").write_text("{")

    demo.prepare(tmp_path, end_day=END, days=1)

    assert json.loads((tmp_path / "demo.json").read_text())["ready"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path, run):
    (tmp_path / "thesis.txt").write_text("years of work")

    for arguments in (["--prepare"], ["--reset"]):
        result = run("--folder", tmp_path, *arguments)

        assert result.exit_code == 2
        assert "was not made by the demo" in result.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_of_another_version_says_how_to_start_over(own_demo, run):
    note = json.loads((own_demo / "demo.json").read_text())
    (own_demo / "demo.json").write_text(json.dumps({**note, "layout": 0}))

    refused = run("--folder", own_demo, "--prepare")
    removed = run("--folder", own_demo, "--reset")

    assert refused.exit_code == 2
    assert "--reset" in refused.stderr
    assert removed.exit_code == 0
    assert not own_demo.exists()


def test_what_is_being_served_is_not_removed(own_demo, run):
    with demo.held(own_demo, shared=True):
        result = run("--folder", own_demo, "--reset")

    assert result.exit_code == 6
    assert own_demo.exists()


def test_an_old_database_is_brought_to_the_newest_form(own_demo, monkeypatch):
    upgraded = []
    monkeypatch.setattr(migrate, "newest", lambda: "9999")
    monkeypatch.setattr(migrate, "upgrade", upgraded.append)

    now = demo.prepare(own_demo)

    assert upgraded == [now.database_url]


# The command


def test_prepare_prints_one_curl_line_with_a_token_and_the_port_asked_for(prepared, run):
    result = run("--folder", prepared, "--prepare", "--port", 8123)

    curl, _, _, bearer, address = shlex.split(result.stdout)
    assert result.exit_code == 0
    assert curl == "curl"
    assert bearer.startswith("Authorization: Bearer gba_")
    assert address.startswith("http://localhost:8123/alder/espi/1_1/resource/Batch/Subscription/")


def test_port_and_folder_may_come_from_the_environment(prepared, run, monkeypatch):
    monkeypatch.setenv("ESPI_DEMO_FOLDER", str(prepared))
    monkeypatch.setenv("ESPI_DEMO_PORT", "8124")

    assert "http://localhost:8124/" in run("--prepare").stdout


def test_each_run_prints_another_token_for_the_same_subscription(prepared, run):
    first, second = (json.loads(run("--folder", prepared, "--prepare", "--json").stdout) for _ in range(2))

    assert first["access_token"] != second["access_token"]
    assert first["resourceURI"] == second["resourceURI"]
    assert first["expires_in"] == 86_400


def test_a_household_of_two_companies_gets_a_line_for_each(prepared, run):
    result = run("--folder", prepared, "--prepare", "--household", "unbundled", "--json")

    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["resourceURI"].split("/")[3] for answer in answers] == ["alder", "brook"]
    assert all(answer["customerResourceURI"] for answer in answers)


def test_the_environment_s_database_is_not_touched_and_that_is_said(prepared, run, tmp_path, monkeypatch):
    monkeypatch.setenv("ESPI_DATABASE_URL", f"sqlite:///{tmp_path / 'production.sqlite'}")
    monkeypatch.setenv("ESPI_BASE_URL", "https://data.example.org")

    result = run("--folder", prepared, "--prepare")

    assert "ESPI_DATABASE_URL is set; the demo ignores it" in result.stderr
    assert "http://localhost:8000/" in result.stdout
    assert not (tmp_path / "production.sqlite").exists()


def test_a_taken_port_says_what_to_do(prepared, run):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        result = run("--folder", prepared, "--port", port)

    assert result.exit_code == 6
    assert f"Port {port} is taken by another program" in result.stderr
    assert "make demo PORT=" in result.stderr


def test_a_port_taken_on_the_other_loopback_address_counts_too():
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    with listening, pytest.raises(PortTaken):
        check_port(listening.getsockname()[1])


def test_the_first_run_says_what_it_is_doing(tmp_path, run, monkeypatch):
    monkeypatch.setattr(demo, "prepare", partial(demo.prepare, days=1))

    result = run("--folder", tmp_path / "demo", "--prepare")

    for each in COMPANIES:
        assert f"Importing the files of {each.name}" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_on_a_terminal_a_bar_moves(monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(watching, "Console", lambda **_: terminal)

    with watching.watched() as watch:
        watch("Reading", Progress("reading", 50, 100))
        watch("Storing", Progress("storing", 3, 3))

    assert "Storing" in terminal.file.getvalue()


def test_reset_with_prepare_starts_over(own_demo, run, monkeypatch):
    before = json.loads(run("--folder", own_demo, "--prepare", "--json").stdout)["resourceURI"]
    monkeypatch.setattr(demo, "prepare", partial(demo.prepare, days=1))

    after = json.loads(run("--folder", own_demo, "--reset", "--prepare", "--json").stdout)["resourceURI"]

    assert before != after


# As a stranger meets it


def test_the_command_to_go_on_with_is_the_one_that_was_started(monkeypatch, tmp_path):
    program = tmp_path / ".venv" / "bin" / "espi-server"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/espi-server", "demo"])

    assert again(Path(".demo"), 8000) == ".venv/bin/espi-server demo --prepare"
    assert again(Path("my demo"), 81) == ".venv/bin/espi-server demo --prepare --folder 'my demo' --port 81"
    monkeypatch.setenv("PATH", str(program.parent))
    assert again(Path(".demo"), 8000) == "espi-server demo --prepare"


def test_a_stranger_pastes_the_curl_line_and_gets_a_feed_then_stops_it_with_ctrl_c(prepared):
    with served(prepared) as demo_of_nine:
        line = f"{demo_of_nine.curl} --silent --fail"
        body = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
        demo_of_nine.process.send_signal(signal.SIGINT)
        demo_of_nine.process.communicate(timeout=PATIENCE)

    feed = atom.read_feed(safe.parse(body))
    kinds = {entry.title for entry in feed.entries}
    assert {"UsagePoint", "MeterReading", "ReadingType", "IntervalBlock", "LocalTimeParameters"} <= kinds
    assert f"http://localhost:{demo_of_nine.port}/" in feed.links[0].href
    assert demo_of_nine.process.returncode == 0


def test_named_households_are_known_and_others_are_not():
    assert named("solar").person == "Mei-Ling Park"
    with pytest.raises(KeyError):
        named("castle")


# The company beside it


def test_the_company_is_in_production_at_every_utility_and_its_secrets_are_for_its_owner_alone(own_demo):
    now = demo.settings(own_demo, port=8100)

    file = company.entered(now, own_demo, 8101)

    said = json.loads(file.read_text())
    assert {*said} == {each.code for each in COMPANIES}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with opened(own_demo).reading() as session:
        rows = session.scalars(select(Application).where(Application.name == company.NAME)).all()
    assert {(each.client_id, each.status, each.policy) for each in rows} == {
        (each["client_id"], 2, "standard") for each in said.values()
    }
    for row in rows:
        assert row.redirect_uris == ["http://localhost:8101/callback"]
        assert row.notify_uri.startswith("http://localhost:8101/notices/")
        assert row.scope == company.SCOPE == ASKED


def test_at_another_port_the_company_keeps_its_secrets_and_moves_its_addresses(own_demo):
    first = company.entered(demo.settings(own_demo), own_demo, 8001).read_text()
    written = count(opened(own_demo), AuditEvent)

    again = company.entered(demo.settings(own_demo), own_demo, 8001).read_text()
    assert count(opened(own_demo), AuditEvent) == written
    moved = company.entered(demo.settings(own_demo, port=8100), own_demo, 8101).read_text()

    assert again == first
    assert moved == first.replace("localhost:8000", "localhost:8100")
    with opened(own_demo).reading() as session:
        found = session.scalars(select(Application).where(Application.name == company.NAME)).all()
    assert {each.redirect_uris[0] for each in found} == {"http://localhost:8101/callback"}


def test_without_its_port_or_its_packages_the_demo_runs_without_the_company(own_demo, monkeypatch, capsys):
    now = demo.settings(own_demo)
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, company.beside(now, own_demo, taken.getsockname()[1]) as there:
        assert there == ""
    with company.beside(now, own_demo, 65_536) as there:
        assert there == ""
    monkeypatch.setattr(company, "NEEDS", ("flask", "nothing_of_this_name"))
    with company.beside(now, own_demo, 8101) as there:
        assert there == ""
    with company.beside(now, own_demo, 8101, wanted=False) as there:
        assert there == ""

    told = capsys.readouterr().err
    assert told.count("is not started") == 3
    assert "pip install -r company/requirements.txt" in told


def test_the_company_is_told_of_only_once_it_listens(own_demo, monkeypatch, capsys):
    now = demo.settings(own_demo)
    port = free()

    with company.beside(now, own_demo, port) as there:
        assert there == company.address(port)
        assert requests.get(there, timeout=10).ok
    monkeypatch.setattr(company, "_RUN", "raise SystemExit(3)")
    with company.beside(now, own_demo, port) as there:
        assert there == ""

    assert "did not start" in capsys.readouterr().err
