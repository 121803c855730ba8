"""How often a feed asks the database: four times if it fits one page, else at most five, and twice for each page.

One that was thought to fit a page, and does not, has asked twice in vain. The count is the driver's own. A page is
64 block rows or as many usage points.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from espi_server.db import Database
from espi_server.energy.find import PAGE
from tests.contract import stock
from tests.contract.downloads import application, start

FRAME = ("BEGIN", "COMMIT", "ROLLBACK")


@pytest.fixture
def said(filled: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement the database is asked from now on, in order."""
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: Any, query: Any, *arguments: Any, **more: Any) -> Any:
        statements.append(str(query))
        return execute(cursor, query, *arguments, **more)

    def listen(connection: Any, *_: Any) -> None:
        if filled.dialect == "sqlite":
            connection.set_trace_callback(statements.append)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    filled.close()
    event.listen(filled.engine, "connect", listen)
    return statements


def fetched(database: Database, said: list[str], opened: stock.Opened, query: str = "") -> list[str]:
    """What one fetch of a feed asks, once all statements are compiled and all connections stand."""
    app = application(database)
    start(app, opened, opened.path + query).finish()
    said.clear()
    assert start(app, opened, opened.path + query).finish()
    return [each for each in said if not each.startswith(FRAME)]


@pytest.fixture
def year(filled: Database, tmp_path: Path) -> stock.Opened:
    """One meter with a year of quarter-hours."""
    stock.deliver(filled, tmp_path, stock.household(0, days=365))
    return stock.open_of(filled, [stock.household(0).id])


@pytest.fixture
def business(filled: Database) -> stock.Opened:
    """A business with sixty agreements, a meter each."""
    return stock.open_of(filled, [stock.household(number).id for number in range(60)])


@pytest.fixture
def bulk(filled: Database) -> stock.Opened:
    """Fifty authorizations in one feed."""
    return stock.bulk_token(filled, stock.open_bulk(filled, 50)[0])


@pytest.mark.parametrize(
    ("who", "pages"), [("year", 1), ("business", 1), ("bulk", -(-stock.HOUSEHOLDS // PAGE))]
)
def test_a_feed_asks_at_most_five_times_and_twice_for_each_page(
    filled: Database, said: list[str], who: str, pages: int, request: pytest.FixtureRequest
) -> None:
    opened = request.getfixturevalue(who)

    asked = fetched(filled, said, opened)

    assert len(asked) <= 5 + 2 * pages, "\n".join(each[:70] for each in asked)


def test_a_feed_that_fits_one_page_asks_four_times(
    filled: Database, said: list[str], year: stock.Opened
) -> None:
    asked = fetched(filled, said, year)

    assert len(asked) == 4, "\n".join(each[:70] for each in asked)


def test_a_feed_that_turns_out_longer_than_a_page_has_asked_twice_in_vain(
    filled: Database, said: list[str], tmp_path: Path
) -> None:
    stock.deliver(filled, tmp_path, stock.household(0, days=365 * 6))
    opened = stock.open_of(filled, [stock.household(0).id])

    asked = fetched(filled, said, opened)

    assert len(asked) <= 7 + 2 * 2, "\n".join(each[:70] for each in asked)


def test_a_reader_who_may_not_see_every_element_asks_no_more(filled: Database, said: list[str]) -> None:
    opened = stock.open_of(filled, [stock.household(0).id], scope="FB=4_5_15;BlockDuration=daily")

    asked = fetched(filled, said, opened)

    assert len(asked) <= 5 + 2, "\n".join(each[:70] for each in asked)
