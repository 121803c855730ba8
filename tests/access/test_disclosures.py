"""The record of disclosures under many requests at once: every line is written, by whoever comes next."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from espi_server.access.disclosures import Disclosures
from espi_server.access.guard import Grant
from espi_server.access.models import Disclosure
from espi_server.db import Database, ordered_id

pytestmark = pytest.mark.requirement("F-REC")

GRANT = Grant(
    digest=b"", kind="access", scope="", utility_id=uuid.uuid4(), utility="north", namespace=uuid.uuid4(),
    timezone="UTC", base_url=None, application_id=None, authorization_id=None, customer_id=None,
)  # fmt: skip


def append(disclosures: Disclosures, number: int) -> int:
    disclosures.append(GRANT, path="ReadingType", query="", entries=1, size=number, request_id=f"r{number}")
    return number


def written(database: Database) -> list[int]:
    with database.reading() as session:
        return sorted(session.scalars(select(Disclosure.size)))


class Slow(Database):
    """A database whose first statement waits until so many others stand behind it; and may fail then."""

    def __init__(self, url: str, *, fails: bool) -> None:
        super().__init__(url)
        self.started, self.go_on, self._first, self._fails = threading.Event(), threading.Event(), True, fails

    @contextmanager
    def driver(self) -> Iterator[Any]:
        first, self._first = self._first, False
        if first:
            self.started.set()
            assert self.go_on.wait(20)
            if self._fails:
                raise OperationalError("INSERT", {}, Exception("the disk is full"))
        with super().driver() as driver:
            yield driver


def test_what_many_requests_append_at_once_is_there_once_when_they_go_on(database: Database) -> None:
    disclosures = Disclosures(database)

    with ThreadPoolExecutor(24) as pool:
        seen = [pool.submit(lambda n: append(disclosures, n) in written(database), n) for n in range(200)]

    assert all(each.result() for each in seen)
    assert written(database) == list(range(200))


@pytest.mark.parametrize("fails", [False, True])
def test_a_line_that_fails_takes_none_of_the_others_with_it(database_url: str, fails: bool) -> None:
    database = Slow(database_url, fails=fails)
    disclosures = Disclosures(database)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(append, disclosures, 0)
        assert database.started.wait(20)
        others = [pool.submit(append, disclosures, number) for number in range(1, 8)]
        database.go_on.set()

    assert [each.result() for each in others] == list(range(1, 8))
    assert isinstance(first.exception(), OperationalError) == fails
    assert written(database) == list(range(1 if fails else 0, 8))
    database.close()


def test_lines_that_failed_together_are_still_written_by_those_who_wait_for_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    disclosures = Disclosures(database)
    together, tried = disclosures._append.run_together, list[int]()

    def fail_once(driver: Any, rows: list[dict[str, Any]]) -> None:
        tried.append(len(rows))
        if len(tried) == 1:
            raise OperationalError("INSERT", {}, Exception("the disk is full"))
        together(driver, rows)

    monkeypatch.setattr(disclosures._append, "run_together", fail_once)
    with ThreadPoolExecutor(8) as pool, disclosures._pen:
        results = [pool.submit(append, disclosures, number) for number in range(8)]
        while len(disclosures._waiting) < 8:
            time.sleep(0.001)

    failed = [number for number, each in enumerate(results) if each.exception()]
    assert (tried, len(failed)) == ([8, 7], 1)
    assert written(database) == [number for number in range(8) if number not in failed]


def test_new_ids_sort_by_time_and_are_version_7() -> None:
    ids = [ordered_id() for _ in range(100)]

    assert {each.version for each in ids} == {7}
    assert {each.variant for each in ids} == {uuid.RFC_4122}
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)
    assert len(set(ids)) == 100
