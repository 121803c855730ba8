"""The two doors of the database."""

import threading

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from espi_server import clock
from espi_server.accounts.models import Customer, Utility
from espi_server.db import NIL, Compiled, Database


def _utility(database: Database) -> Utility:
    with database.writing() as session:
        utility = Utility(code="north", name="North", timezone="UTC", created_at=clock.seconds())
        session.add(utility)
    return utility


def test_writing_commits_once_and_a_raise_undoes_all(database: Database) -> None:
    _utility(database)

    with pytest.raises(RuntimeError), database.writing() as session:
        session.add(Utility(code="south", name="South", timezone="UTC", created_at=0))
        raise RuntimeError("halfway")

    with database.reading() as session:
        assert session.scalars(select(Utility.code)).all() == ["north"]


def test_nothing_written_through_the_reading_door_stays(database: Database) -> None:
    utility = _utility(database)

    try:
        with database.reading() as session:
            session.execute(text("UPDATE utility SET name = 'Changed'"))
    except DBAPIError as error:  # PostgreSQL refuses outright, SQLite forgets
        assert "read-only" in str(error)

    with database.reading() as session:
        assert session.get_one(Utility, utility.id).name == "North"


def test_no_update_is_lost_when_many_threads_count_together(database: Database) -> None:
    utility = _utility(database)
    with database.writing() as session:
        session.add(Customer(id=NIL, utility_id=utility.id, reference="c", created_at=0))

    def count() -> None:
        for _ in range(25):
            with database.writing() as session:
                customer = session.get_one(Customer, NIL, with_for_update=True)
                customer.version += 1

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.reading() as session:
        assert session.scalar(select(func.max(Customer.version))) == 200


def test_a_compiled_statement_takes_uuids_on_both_drivers(database: Database) -> None:
    utility = _utility(database)
    from sqlalchemy import bindparam

    statement = Compiled(select(Utility.code).where(Utility.id == bindparam("utility")), database.engine)

    with database.driver() as driver:
        rows = statement.rows(driver, utility=utility.id)

    assert [tuple(row) for row in rows] == [("north",)]
