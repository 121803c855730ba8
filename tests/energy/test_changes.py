"""The change log is in the order of commits, whatever order things began in."""

from __future__ import annotations

import uuid

from espi_server import clock
from espi_server.accounts import utilities
from espi_server.db import Database
from espi_server.energy import changes


def _utility(database: Database) -> uuid.UUID:
    with database.writing() as session:
        return utilities.add(session, "north", name="North", timezone="UTC").id


def test_changes_are_numbered_once_in_the_order_they_were_noted(database: Database, freeze) -> None:
    utility = _utility(database)
    ids = [uuid.uuid4() for _ in range(3)]
    for second, id in enumerate(ids):
        freeze(clock.seconds() + second)
        with database.writing() as session:
            changes.note(session, utility, "UsagePoint", id, "created")

    with database.writing() as session:
        assert changes.number(session) == 3
    with database.writing() as session:
        assert changes.number(session) == 0

    with database.reading() as session:
        assert [each.entity_id for each in changes.since(session, utility, 0)] == ids
        assert [each.entity_id for each in changes.since(session, utility, 1)] == ids[1:]


def test_a_transaction_that_commits_late_is_not_lost_to_a_reader_who_is_ahead(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    utility, early, late = _utility(database), uuid.uuid4(), uuid.uuid4()

    with database.writing() as slow:
        changes.note(slow, utility, "UsagePoint", late, "changed")
        slow.flush()
        with database.writing() as quick:
            changes.note(quick, utility, "UsagePoint", early, "changed")
        with database.writing() as sweeper:
            changes.number(sweeper)
        with database.reading() as session:
            seen = changes.since(session, utility, 0)
    with database.writing() as sweeper:
        changes.number(sweeper)

    with database.reading() as session:
        after = changes.since(session, utility, seen[-1].sequence or 0)
    assert [each.entity_id for each in seen] == [early]
    assert [each.entity_id for each in after] == [late]
    database.close()
