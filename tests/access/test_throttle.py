"""Waits that grow, counted in the database: whom they hold up, and whom never."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from espi_server.access import throttle
from espi_server.access.throttle import DAY, HOUR, KNOWN, OWN, PLACE, Attempts, Throttle, Tried, Waits
from espi_server.db import Database

HERE, THERE = "192.0.2.1", "198.51.100.7"
NOW = 1_790_000_000


def tried(name: str = "sun", place: str = HERE) -> Tried:
    return Tried("client", name, place)


def fail(database: Database, who: Tried, times: int = 1) -> None:
    for _ in range(times):
        with database.writing() as session:
            throttle.failed(session, who)


def succeed(database: Database, who: Tried) -> None:
    standing = Throttle(database).check(who)
    with database.writing() as session:
        throttle.succeeded(session, who, standing)


def wait(database: Database, who: Tried) -> int:
    """The seconds this one has to wait now."""
    try:
        Throttle(database).check(who)
    except Waits as waits:
        return int(waits.headers["Retry-After"])
    return 0


def test_the_fifth_failure_costs_a_second_and_each_further_one_twice_as_much() -> None:
    assert [OWN.wait(number) for number in (0, 1, 4, 5, 6, 7, 12, 13, 14, 100, 10**9)] == [
        0, 0, 0, 1, 2, 4, 128, 256, 300, 300, 300,
    ]  # fmt: skip


def test_waits_are_shared_and_pass(database: Database, freeze: Callable[[int], None]) -> None:
    freeze(NOW)
    fail(database, tried(), 6)

    assert wait(database, tried()) == 2  # a throttle of its own each time, as in another worker
    freeze(NOW + 1)
    assert wait(database, tried()) == 1
    freeze(NOW + 2)
    assert wait(database, tried()) == 0
    freeze(NOW - 1000)  # a clock that was set back makes nobody wait longer
    assert wait(database, tried()) == 2


def test_what_fails_elsewhere_or_in_another_name_holds_nobody_up(
    database: Database, freeze: Callable[[int], None]
) -> None:
    freeze(NOW)
    fail(database, tried(), 30)

    assert wait(database, tried()) == 300
    assert wait(database, tried(place=THERE)) == 0
    assert wait(database, tried("moon")) == 0
    assert wait(database, Tried("sign-in", "sun", HERE)) == 0


def test_a_place_waits_whatever_names_it_invents(database: Database, freeze: Callable[[int], None]) -> None:
    freeze(NOW)
    for number in range(PLACE.free + 1):
        fail(database, tried(f"name {number}"))

    assert wait(database, tried("never tried")) == 2
    assert wait(database, tried("never tried", THERE)) == 0
    freeze(NOW + HOUR)
    assert wait(database, tried("never tried")) == 0


def test_who_succeeded_at_a_place_lately_does_not_wait_for_others(
    database: Database, freeze: Callable[[int], None]
) -> None:
    freeze(NOW)
    succeed(database, tried("good neighbour"))
    freeze(NOW + KNOWN - 1)
    fail(database, tried("bad neighbour"), PLACE.free + 5)

    assert wait(database, tried("good neighbour")) == 0
    assert wait(database, tried("new neighbour")) == 32
    freeze(NOW + KNOWN)
    assert wait(database, tried("good neighbour")) == 31


def test_success_forgets_failures_and_so_does_a_day(
    database: Database, freeze: Callable[[int], None]
) -> None:
    freeze(NOW)
    fail(database, tried(), 4)
    succeed(database, tried())
    fail(database, tried(), 4)
    assert wait(database, tried()) == 0

    fail(database, tried(), 4)
    assert wait(database, tried()) == 8
    freeze(NOW + DAY)
    fail(database, tried())
    assert wait(database, tried()) == 0


def test_a_success_is_written_down_once_a_day(database: Database, freeze: Callable[[int], None]) -> None:
    def noted() -> int:
        with database.reading() as session:
            return session.scalars(select(Attempts.succeeded_at)).one()

    for moment, expected in ((NOW, NOW), (NOW + 60, NOW), (NOW + DAY, NOW + DAY)):
        freeze(moment)
        succeed(database, tried())
        assert noted() == expected


def test_failures_at_the_same_moment_are_all_counted(database: Database) -> None:
    def one(number: int) -> None:
        fail(database, tried(f"name {number % 3}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(48)))

    with database.reading() as session:
        assert sorted(session.scalars(select(Attempts.failures))) == [16, 16, 16, 48]


def test_old_counts_are_forgotten(database: Database, freeze: Callable[[int], None]) -> None:
    freeze(NOW)
    fail(database, tried("failed"))
    succeed(database, tried("succeeded"))
    freeze(NOW + DAY + 1)
    throttle.forget_old(database)

    def count() -> int:
        with database.reading() as session:
            return session.scalar(select(func.count()).select_from(Attempts)) or 0

    assert count() == 1
    freeze(NOW + KNOWN + 1)
    throttle.forget_old(database)
    assert count() == 0


@pytest.mark.parametrize("name", ["", "\ud800", "a\x00b", "x" * 100_000, "'; DROP TABLE attempts"])
def test_any_text_is_a_name(database: Database, name: str) -> None:
    fail(database, tried(name), 5)

    assert wait(database, tried(name)) == 1
