"""What ends in mid-download is seen at the next page: revocations of every kind, replacements, imports."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from espi_server.access import closing
from espi_server.accounts import utilities
from espi_server.db import Database
from espi_server.energy.feed import CHECK_EVERY, CHUNK, FeedChanged
from tests.contract import stock
from tests.contract.downloads import application, start
from tests.contract.stock import Opened

PAGE = 64 * 20_000  # more than 64 households take in any encoding
STRETCH = (CHECK_EVERY + 1) * CHUNK  # what is sent from a file between two looks
STORED, FROM_A_FILE = "", "?max-results=1000000"

ends = pytest.mark.parametrize("end", [stock.end, stock.revoke_token, stock.hold])
ways = pytest.mark.parametrize(
    ("query", "encoding", "most"),
    [
        (STORED, "gzip", PAGE),
        (STORED, "identity", PAGE),
        (FROM_A_FILE, "gzip", STRETCH),
        (FROM_A_FILE, "identity", STRETCH),
    ],
    ids=["stored gzip", "stored identity", "file gzip", "file identity"],
)


@pytest.fixture
def app(filled: Database) -> Flask:
    return application(filled)


@ends
@ways
def test_what_ends_in_mid_download_is_cut_at_the_next_page(
    filled: Database,
    app: Flask,
    end: Callable[[Database, Opened], None],
    query: str,
    encoding: str,
    most: int,
) -> None:
    opened = stock.open_all(filled)
    download = start(app, opened, opened.path + query, encoding=encoding)
    download.take(1)
    taken = download.size

    end(filled, opened)

    with pytest.raises(FeedChanged):
        download.finish()
    assert taken <= download.size < download.length
    assert download.size - taken <= most


@ends
def test_what_has_ended_answers_the_next_request_with_401(
    filled: Database, app: Flask, end: Callable[[Database, Opened], None]
) -> None:
    opened = stock.open_all(filled)
    start(app, opened).finish()

    end(filled, opened)

    assert start(app, opened).status == 401


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_an_import_that_changes_a_usage_point_still_to_be_sent_cuts_the_feed(
    filled: Database, app: Flask, tmp_path: Path, encoding: str
) -> None:
    opened = stock.open_all(filled)
    last = stock.in_feed_order(filled)[-1]
    download = start(app, opened, encoding=encoding)
    download.take(1)

    stock.deliver(filled, tmp_path, stock.changed(last))

    with pytest.raises(FeedChanged):
        download.finish()
    assert download.size < download.length


@pytest.mark.requirement("F-OFF")
def test_an_agreement_that_closes_cuts_the_feed_before_its_usage_point(filled: Database, app: Flask) -> None:
    opened = stock.open_all(filled)
    agreement = stock.agree(filled, opened, stock.in_feed_order(filled)[-1])
    download = start(app, opened)
    download.take(1)

    with filled.writing() as session:
        closing.close(session, utilities.find(session, stock.UTILITY), agreement, by="operator:x")

    with pytest.raises(FeedChanged):
        download.finish()
    assert download.size < download.length


def test_an_import_that_changes_what_has_been_sent_already_cuts_nothing(
    filled: Database, app: Flask, tmp_path: Path
) -> None:
    opened = stock.open_all(filled)
    before = start(app, opened).finish()
    first = stock.in_feed_order(filled)[0]
    download = start(app, opened)
    download.take(1)

    stock.deliver(filled, tmp_path, stock.changed(first))

    assert download.finish() == before


def test_an_import_that_changes_nothing_cuts_nothing(filled: Database, app: Flask, tmp_path: Path) -> None:
    opened = stock.open_all(filled)
    last = stock.in_feed_order(filled)[-1]
    download = start(app, opened)
    download.take(1)

    stock.deliver(filled, tmp_path, stock.household(last))

    assert len(download.finish()) == download.length


def test_a_feed_from_a_file_is_one_state_of_the_data_whatever_is_imported_meanwhile(
    filled: Database, app: Flask, tmp_path: Path
) -> None:
    opened = stock.open_all(filled)
    path = opened.path + FROM_A_FILE
    before = start(app, opened, path).finish()
    last = stock.in_feed_order(filled)[-1]
    download = start(app, opened, path)
    download.take(1)

    stock.deliver(filled, tmp_path, stock.changed(last))

    assert download.finish() == before


def test_a_feed_that_fails_at_once_is_a_problem_and_no_broken_connection(
    filled: Database, app: Flask
) -> None:
    opened = stock.open_all(filled)
    stock.damage(filled, stock.in_feed_order(filled)[0], "a broken index")

    answer = start(app, opened)

    assert answer.status == 500
    assert b'"code": "internal"' in answer.finish()


# --- a bulk feed of several authorizations --------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "encoding"), [(STORED, "gzip"), (FROM_A_FILE, "identity")], ids=["stored", "file"]
)
@pytest.mark.parametrize("what", ["ended", "replaced"])
def test_one_authorization_of_a_bulk_feed_that_ends_cuts_it(
    filled: Database, app: Flask, what: str, query: str, encoding: str
) -> None:
    opened = stock.open_bulk(filled, 10)
    bulk = stock.bulk_token(filled, opened[0])
    download = start(app, bulk, bulk.path + query, encoding=encoding)
    download.take(1)

    if what == "ended":
        stock.end(filled, stock.last_in_feed(opened))
    else:
        stock.replace(filled, stock.last_in_feed(opened))

    with pytest.raises(FeedChanged):
        download.finish()
    assert download.size < download.length


def test_the_next_bulk_feed_holds_the_authorizations_that_are_left(filled: Database, app: Flask) -> None:
    opened = stock.open_bulk(filled, 10)
    bulk = stock.bulk_token(filled, opened[0])

    stock.end(filled, opened[3])

    body = gzip.decompress(start(app, bulk, encoding="gzip").finish())
    assert body.count(b"<IntervalReading>") == 9 * stock.HOUSEHOLDS // 10 * 96
    assert str(opened[3].id).encode() not in body
