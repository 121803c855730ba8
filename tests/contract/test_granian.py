"""granian in place of gunicorn: the same bytes, the same limits, and no broken feed that looks whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from espi_server.db import Database
from tests.contract import stock
from tests.serving import serve, serve_by_granian


def fetch(url: str, opened: stock.Opened, encoding: str) -> bytes:
    headers = {**opened.headers, "Accept-Encoding": encoding}
    with httpx.stream("GET", url + opened.path, headers=headers, timeout=60) as answer:
        answer.raise_for_status()
        return b"".join(answer.iter_raw())


ENCODINGS = ("gzip", "identity")

# What a server makes of an answer does not hang on the database, so one kind is enough.
pytestmark = pytest.mark.parametrize("filled_url", ["sqlite"], indirect=True)


def test_a_feed_is_the_same_to_the_byte(filled: Database, filled_url: str) -> None:
    opened = stock.open_all(filled)
    base = "https://data.example.org"

    with serve(filled_url, base_url=base) as ours, serve_by_granian(filled_url, base_url=base) as other:
        for encoding in ENCODINGS:
            assert fetch(ours.url, opened, encoding) == fetch(other, opened, encoding)


def test_a_feed_that_breaks_off_is_an_error_for_the_client(filled: Database, filled_url: str) -> None:
    opened = stock.open_all(filled)
    stock.damage(filled, stock.in_feed_order(filled)[-1], "half missing")

    with serve_by_granian(filled_url) as url:
        for encoding in ENCODINGS:
            with pytest.raises(httpx.TransportError):
                fetch(url, opened, encoding)


def test_places_are_given_back_when_clients_go_away(filled: Database, filled_url: str) -> None:
    opened = stock.open_all(filled)

    def leave(url: str) -> int:
        with httpx.stream("GET", url + opened.path, headers=opened.headers, timeout=60) as answer:
            next(answer.iter_raw())
            return answer.status_code

    with serve_by_granian(filled_url, feeds=4, feeds_per_application=4) as url:
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(leave, [url] * 12)) <= {200, 429}
        seen = [
            httpx.head(url + opened.path, headers=opened.headers, timeout=60).status_code for _ in range(20)
        ]

    assert seen[-1] == 200
