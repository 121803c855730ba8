"""The chain of acts: every act once, in order, whoever writes at the same moment, and nobody rewrites it unseen."""

from __future__ import annotations

import hashlib
import hmac
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from espi_server.access import audit
from espi_server.access.models import AuditEvent
from espi_server.db import Database
from espi_server.errors import Internal
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.conftest import ROOT

pytestmark = pytest.mark.requirement("F-REC")

NOW = 1_790_000_000


@pytest.fixture
def utility(database: Database, freeze: Callable[[int], None]) -> uuid.UUID:
    freeze(NOW)
    return make.utility(database).id


def act(database: Database, utility: uuid.UUID, subject: str, reason: str = "replaced") -> None:
    with database.writing() as session:
        audit.record(
            session, utility, "authorization.ended", actor="operator:ada", subject=subject, reason=reason
        )


def events(database: Database, utility: uuid.UUID) -> list[AuditEvent]:
    with database.reading() as session:
        mine = select(AuditEvent).where(AuditEvent.utility_id == utility)
        return list(session.scalars(mine.order_by(AuditEvent.number)))


def test_an_act_is_chained_to_the_one_before_it_under_the_installations_key(
    database: Database, utility: uuid.UUID
) -> None:
    act(database, utility, "authorization:1")
    act(database, utility, "authorization:2", "Zoë says “enough”\n")

    first, second = events(database, utility)
    key = audit.key_of(DEVELOPMENT_SECRET, utility)
    said = (
        f'{{"act":"authorization.ended","actor":"operator:ada","at":{NOW},'
        f'"detail":{{"reason":"Zoë says “enough”\\n"}},"key":"{key.name}","number":2,'
        f'"previous":"{first.digest.hex()}","subject":"authorization:2","utility":"{utility}"}}'
    )
    assert (first.number, first.previous) == (1, bytes(32))
    assert (second.number, second.previous) == (2, first.digest)
    assert second.digest == hmac.new(key.key, said.encode(), hashlib.sha256).digest()


def test_what_is_undone_leaves_no_act_and_no_gap(database: Database, utility: uuid.UUID) -> None:
    act(database, utility, "authorization:1")

    with pytest.raises(ZeroDivisionError), database.writing() as session:
        audit.record(session, utility, "authorization.ended", actor="a", subject="b", reason="c")
        1 / 0  # noqa: B018 - an error in the middle of a unit of work
    act(database, utility, "authorization:2")

    assert [each.number for each in events(database, utility)] == [1, 2]


def test_each_utility_has_a_chain_and_a_key_of_its_own(database: Database, utility: uuid.UUID) -> None:
    other = make.utility(database, "south").id

    with database.writing() as session:
        for each in (utility, other, utility):
            audit.record(session, each, "authorization.changed", actor="a", subject="b", until=NOW)

    assert [each.number for each in events(database, utility)] == [1, 2]
    assert [each.number for each in events(database, other)] == [1]
    assert audit.key_of(DEVELOPMENT_SECRET, utility) != audit.key_of(DEVELOPMENT_SECRET, other)
    assert audit.key_of(DEVELOPMENT_SECRET, utility) != audit.key_of("another secret", utility)


def test_writers_side_by_side_leave_one_chain_without_gaps(database: Database, utility: uuid.UUID) -> None:
    other = make.utility(database, "south").id
    together = threading.Barrier(8)

    def write(place: int) -> None:
        together.wait()
        for number in range(10):
            with database.writing() as session:
                for each in (utility, other)[:: 1 if place % 2 else -1]:  # in either order
                    audit.record(session, each, "token.revoked", actor=f"{place}", subject=f"{number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(8))) == [None] * 8

    for each in (utility, other):
        found = events(database, each)
        assert [row.number for row in found] == list(range(1, 81))
        assert [row.previous for row in found[1:]] == [row.digest for row in found[:-1]]
        assert len({(row.actor, row.subject) for row in found}) == 80


def test_the_database_refuses_to_change_or_delete_an_act(database: Database, utility: uuid.UUID) -> None:
    act(database, utility, "authorization:1")

    tries = [update(AuditEvent).values(actor="nobody"), delete(AuditEvent)]
    if database.dialect == "postgresql":
        tries.append(text("TRUNCATE audit_event"))
    for each in tries:
        with pytest.raises(DBAPIError, match="never changed or deleted"), database.writing() as session:
            session.execute(each)

    assert len(events(database, utility)) == 1


def test_only_acts_that_are_listed_and_values_that_come_back_are_written_down() -> None:
    made = audit.made(
        "authorization.granted", "x" * 300, "s\0\udc80", {"customer": uuid.UUID(int=7), "until": None}
    )

    assert (len(made.actor), made.subject, made.detail) == (256, "s??", {"customer": str(uuid.UUID(int=7))})
    for act, detail in (("lunch", {}), ("token.issued", {"token": "x"}), ("key.made", {"purpose": 1.5})):
        with pytest.raises(Internal):
            audit.made(act, "a", "b", detail)


def test_canonical_json_is_that_of_rfc_8785() -> None:
    value = {"b": [True, None, 10, '\x1f\x7f"\\/€\u2028'], "a": {"é": ""}}

    assert audit.canonical(value) == '{"a":{"é":""},"b":[true,null,10,"\\u001f\x7f\\"\\\\/€\u2028"]}'.encode()


def test_the_document_lists_every_act() -> None:
    listed = [
        line.split("`")[1]
        for line in (ROOT / "docs/audit.md").read_text("utf-8").splitlines()
        if line.startswith("| `")
    ]

    assert listed == list(audit.ACTS)
