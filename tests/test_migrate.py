"""Migrations on both databases, empty and filled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from sqlalchemy import column, delete, func, insert, inspect, select, table, text
from sqlalchemy.orm import Session

from espi_server import clock, migrate
from espi_server.access import cases
from espi_server.access.models import FeatureState
from espi_server.accounts.models import Customer, Login, Premise, Utility
from espi_server.cli import main
from espi_server.db import NIL, Database
from espi_server.jobs import later
from espi_server.jobs.models import Job
from espi_server.keyring import CannotOpen, Keyring
from espi_server.models import metadata
from tests import make
from tests.energy import stored


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, metadata) == []


def test_migrating_again_keeps_every_row(database: Database, database_url: str) -> None:
    with database.writing() as session:
        utility = Utility(code="north", name="North", timezone="UTC", created_at=clock.seconds())
        session.add(utility)
        session.flush()
        session.add(Customer(id=NIL, utility_id=utility.id, reference="C-1", created_at=clock.seconds()))

    assert migrate.upgrade(database_url) == migrate.newest()

    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 1


def _a_utility_as_it_was_then(session: Session) -> None:
    """Add a row with the columns the table has now; a row of today's has some that come later."""
    there = {each["name"] for each in inspect(session.connection()).get_columns("utility")}
    columns = [each for each in Utility.__table__.columns if each.name in there]
    values = {
        "id": NIL, "namespace": NIL, "code": "north", "name": "North", "kind": "iou", "is_udc": True, "is_lse": True,
        "states": [], "commodities": [], "timezone": "UTC", "currency": "USD", "profile": "self", "qualities": {},
        "created_at": 0,
    }  # fmt: skip
    session.execute(
        insert(table("utility", *(column(each.name, each.type) for each in columns))).values(values)
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_filled_database_goes_through_every_migration_one_by_one(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite"
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql")
        server.execute("CREATE DATABASE old")
        url = server.url("old")
    numbers = sorted(path.name[:4] for path in migrate.SCRIPTS.glob("versions/0*.py"))
    migrate.upgrade(url, numbers[0])
    database = Database(url)
    with database.writing() as session:
        _a_utility_as_it_was_then(session)

    for number in numbers[1:]:
        assert migrate.upgrade(url, number) == number
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Utility)) == 1

    assert numbers[-1] == migrate.newest()
    database.close()


def test_what_is_personal_is_opened_on_the_way_back_and_closed_again_on_the_way_here(
    towns: Database, towns_url: str
) -> None:
    with towns.writing() as session:
        utility = session.scalars(select(Utility).where(Utility.code == "north")).one()
        session.add(Premise(address="12|OAK ST|4", zip="94601", position="37.5 -122.25"))
        job = later.ask(session, utility.id, "delivery", {"a": "ü"}, access="U", actor="x", parts=[b"<Ada/>"])
        session.add(Login(kind="customer", name="ada", email="ada@example.org", created_at=1))
    before = stored.state(towns)
    below = ScriptDirectory(str(migrate.SCRIPTS)).get_revision("0009").down_revision

    migrate.downgrade(towns_url, below)

    with towns.reading() as session:
        clear = {
            question: session.scalars(text(question)).all()
            for question in (
                "SELECT reference FROM customer", "SELECT CAST(content AS TEXT) FROM resource WHERE kind = 200",
                "SELECT number || street || unit FROM premise", "SELECT latitude - longitude FROM premise",
                "SELECT email FROM login", "SELECT body FROM job_part", "SELECT CAST(payload AS TEXT) FROM job",
            )
        }  # fmt: skip
    references, contents, addresses, positions, mails, parts, payloads = clear.values()
    assert set(references) == {"C-1", "C-2"}
    assert [("Ada Nowak" in each) for each in contents] == [True] * 4
    assert (addresses, positions, mails) == (["12OAK ST4"], [159.75], ["ada@example.org"])
    assert ([bytes(each) for each in parts], [json.loads(each) for each in payloads]) == (
        [b"<Ada/>"],
        [{"a": "ü"}],
    )
    with pytest.raises(CannotOpen):
        migrate.upgrade(towns_url, keys=Keyring("x" * 40)) and stored.state(towns)
    migrate.downgrade(towns_url, below, Keyring("x" * 40))

    migrate.upgrade(towns_url)

    assert stored.state(towns) == before
    with towns.reading() as session:
        assert session.scalar(select(Job.payload).where(Job.id == job.id)) == {"a": "ü"}
        assert session.scalar(select(Login.name).where(Login.email == "ada@example.org")) == "ada"
    assert list(later.parts(towns, job.id)) == [b"<Ada/>"]


def test_foreign_keys_hold_after_a_migration(sqlite_url: str) -> None:
    migrate.upgrade(sqlite_url)
    database = Database(sqlite_url)

    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_a_command_on_an_unmigrated_database_says_what_to_run(tmp_path: Path) -> None:
    environment = {"ESPI_MODE": "development", "ESPI_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite"}

    result = CliRunner().invoke(main, ["utility", "list"], env=environment)

    assert result.exit_code == 6
    assert "espi-server migrate" in result.stderr


def test_cases_stay_and_what_is_shared_stays_on_offer(towns: Database, towns_url: str) -> None:
    sun = make.access(towns, scope="FB=4_5;AdditionalScope=Usage_RIN")
    with towns.writing() as session:
        north = session.scalars(select(Utility).where(Utility.code == "north")).one().id
        who, about = (
            make.customer_id(towns, "C-1"),
            {"topic": "more", "text": "They sell it.", "language": "en"},
        )
        case = cases.report(session, north, who, sun.application, **about)
        session.execute(delete(FeatureState))

    migrate.downgrade(towns_url, "0018")
    migrate.upgrade(towns_url)

    with towns.reading() as session:
        kept = session.get_one(cases.Case, case.id)
        on_offer = session.execute(
            select(
                FeatureState.utility_id, FeatureState.customer_class, FeatureState.feature, FeatureState.state
            )
        ).all()
    assert (kept.said[0]["text"], kept.outcome) == ("They sell it.", None)
    assert [tuple(each) for each in on_offer] == [(north, "all", "rin", "on")]
