"""Feeds in other forms need no more memory than one entry and a temporary file, however long they are."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from espi_server.access import exporting
from espi_server.accounts import utilities
from espi_server.db import Database
from espi_server.energy import feed as feeds
from espi_server.energy.feed import Feed
from espi_server.energy.translated import Csv, Form, Json, Translated
from espi_server.espi.query import Query
from espi_server.espi.rows import ReadingRows
from tests import make
from tests.copies import Copies
from tests.energy.feeds import ZONE, Household

FORMS: dict[str, Callable[[], Form]] = {"json": Json, "csv": lambda: Csv(ReadingRows(ZONE))}


def feed_of(database: Database, access: make.Access, query: Query | None = None) -> Feed:
    """The feed of an authorization."""
    with database.reading() as session:
        north = utilities.find(session, "north")
        asked = exporting.asking(session, north, access.id, query or Query(), make.INSTALLATION)
    return Feed(database, asked)


def fill(url: str, folder: Path) -> None:
    """Two houses: a month of quarter hours, and five of them."""
    database = Database(url)
    make.utility(database)
    for id, days in (("101", 30), ("102", 150)):
        make.take(database, folder, Household(id, days=days, interval=900, cost=True).entries())
    database.close()


@pytest.fixture
def database(copies: Copies, tmp_path: Path) -> Iterator[Database]:
    with copies.of("sqlite", "two_houses", fill, tmp_path) as url:
        database = Database(url)
        yield database
        database.close()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_long_feed_is_never_whole_in_memory(
    database: Database, form: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "IN_MEMORY", 1 << 16)
    access = make.access(database, points=["102"])
    plain = Translated(feed_of(database, access), FORMS[form]()).length("identity")
    made = Translated(feed_of(database, access), FORMS[form]())

    tracemalloc.start()
    length, parts = made.body(encoding)
    assert sum(map(len, parts)) == length
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # What is held is a page of stored rows and one entry.
    assert peak < plain / 2


@pytest.mark.parametrize("form", FORMS)
def test_a_form_can_be_written_again_and_counts_anew(database: Database, form: str) -> None:
    access = make.access(database, points=["101"])
    made = Translated(feed_of(database, access), FORMS[form]())

    bodies = [b"".join(made.body("identity")[1]) for _ in range(2)]
    entries = made.entries

    assert bodies[0] == bodies[1] == gzip.decompress(b"".join(made.body("gzip")[1]))
    assert made.length("identity") == len(bodies[0])
    assert entries == (30 if form == "csv" else len(json.loads(bodies[0])["feed"]["entry"]))


def test_a_page_beyond_the_last_is_empty(database: Database) -> None:
    access = make.access(database, points=["101"])
    query = Query(max_results=5, start_index=10_000)

    in_json = b"".join(Translated(feed_of(database, access, query), Json()).body("identity")[1])
    table = Translated(feed_of(database, access, query), Csv(ReadingRows(ZONE)))

    assert json.loads(in_json)["feed"]["entry"] == []
    assert b"".join(table.body("identity")[1]).count(b"\r\n") == 1
    assert [link.rel for link in table.links] == ["previous"]
