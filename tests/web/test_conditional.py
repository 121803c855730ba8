"""Asking again costs little: entity tags, 304, HEAD, compression; and every length is exact."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from sqlalchemy import func, select

from espi_server import clock
from espi_server.access.models import Disclosure
from espi_server.db import Database
from tests import make
from tests.energy.feeds import local
from tests.make import HOUSEHOLDS, Access, Client, Freeze
from tests.web.world import World

pytestmark = pytest.mark.requirement("FB_03", "FB_37")

PATHS = [
    "Batch/Subscription/{s}", "Batch/Subscription/{s}?max-results=3", "Batch/RetailCustomer/{rc}", "ReadingType",
    "Batch/Subscription/{s}?published-min=2026-02-01T00:00:00Z", "Subscription/{s}/UsagePoint",
    "Subscription/{s}/UsagePoint/{u}", "Subscription/{s}/UsagePoint/{u}/UsageSummary",
    "Subscription/{s}/UsagePoint?published-min=2199-01-01T00:00:00Z", "RetailCustomer/{rc}/Customer",
]  # fmt: skip


def address(world: World, path: str) -> str:
    """One of `PATHS` for C-1's authorization in the north."""
    sun = world.sun["north"]
    return f"{make.base()}/" + path.format(s=sun.id, rc=sun.customer, u=make.point_id(world.database, "101"))


def disclosures(database: Database) -> int:
    """How often data left."""
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Disclosure)) or 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_every_answer_is_as_long_as_it_says_and_has_a_strong_tag(
    world: World, path: str, encoding: str
) -> None:
    answer = world.client.get(address(world, path), world.sun["north"], Accept_Encoding=encoding, check=200)

    assert answer.content_length == len(answer.data)
    assert "chunked" not in answer.headers.get("Transfer-Encoding", "")
    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert {each.strip() for each in answer.headers["Vary"].split(",")} == {
        "Accept",
        "Accept-Encoding",
        "Authorization",
    }
    assert answer.content_type == "application/atom+xml"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_head_tells_what_get_would_and_sends_nothing(world: World, path: str, encoding: str) -> None:
    sun, before = world.sun["north"], disclosures(world.database)

    head = world.client.get(address(world, path), sun, method="HEAD", Accept_Encoding=encoding, check=200)

    assert head.data == b""
    assert disclosures(world.database) == before
    get = world.client.get(address(world, path), sun, Accept_Encoding=encoding)
    assert dict(head.headers) | {"X-Request-Id": ""} == dict(get.headers) | {"X-Request-Id": ""}


@pytest.mark.parametrize("path", PATHS)
def test_what_the_client_has_is_not_sent_again(world: World, path: str) -> None:
    sun, href = world.sun["north"], address(world, path)
    full = world.client.get(href, sun, Accept_Encoding="gzip")
    before, tag = disclosures(world.database), full.headers["ETag"]

    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = world.client.get(href, sun, Accept_Encoding="gzip", If_None_Match=given, check=304)
        assert answer.data == b""
        assert answer.headers["ETag"] == tag
        assert "Vary" in answer.headers
        assert "Content-Encoding" not in answer.headers
    world.client.get(href, sun, method="HEAD", Accept_Encoding="gzip", If_None_Match=tag, check=304)

    assert disclosures(world.database) == before
    world.client.get(href, sun, Accept_Encoding="gzip", If_None_Match='"other"', check=200)
    world.client.get(href, "gba_garbage", If_None_Match=tag, check=401)


def test_a_tag_is_of_one_representation_one_reader_and_one_selection(world: World) -> None:
    sun, custodian = world.sun["north"], world.machines["north", "custodian"]
    tags = [
        world.client.get(sun.resource + query, token, Accept_Encoding=encoding).headers["ETag"]
        for query in ("", "?depth=5", "?updated-min=2000-01-01T00:00:00Z")
        for token in (sun, custodian)
        for encoding in ("gzip", "identity")
    ]

    # The custodian sees this very feed with every right, which here happens to be what C-1 shared.
    assert len(set(tags)) == len(tags)


def test_another_public_address_is_another_tag(world: World) -> None:
    sun = world.sun["north"]
    path = sun.resource.removeprefix(make.INSTALLATION)
    here = world.client.get(path, sun)

    moved = make.client(world.database, base_url="https://moved.example.org", log_level="ERROR").get(
        path, sun
    )

    assert moved.headers["ETag"] != here.headers["ETag"]
    assert b"https://moved.example.org/north/espi/1_1/resource/" in moved.data
    assert make.INSTALLATION.encode() not in moved.data


def test_if_modified_since_is_answered_by_the_last_change(
    towns: Database, client: Client, tmp_path: Path, freeze: Freeze
) -> None:
    sun = make.access(towns, customer="C-1")
    since = client.get(sun.resource, sun, check=200).headers["Last-Modified"]

    assert client.get(sun.resource, sun, If_Modified_Since=since, check=304).data == b""
    client.get(sun.resource, sun, If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT", check=200)
    client.get(sun.resource, sun, If_Modified_Since="yesterday", check=200)
    # A tag that differs wins over a date (RFC 9110 13.1.3).
    client.get(sun.resource, sun, If_Modified_Since=since, If_None_Match='"other"', check=200)

    freeze(clock.seconds() + 60)
    take_correction(towns, tmp_path)

    changed = client.get(sun.resource, sun, If_Modified_Since=since, check=200)
    assert changed.headers["Last-Modified"] != since


def take_correction(database: Database, folder: Path, value: int = 7) -> None:
    """One reading of 101 is delivered anew with another value."""
    start = local("2026-01-31 06:00")
    make.take(database, folder, HOUSEHOLDS[0].but(changed={start: value}).entries())


@pytest.mark.requirement("NFR8")
def test_a_correction_changes_the_tag_and_delivering_the_same_again_does_not(
    towns: Database, tmp_path: Path
) -> None:
    sun = make.access(towns, customer="C-1")
    client = make.client(towns)
    point = make.point_id(towns, "101")
    hrefs = [
        sun.resource, f"{make.base()}/Batch/Subscription/{sun.id}/UsagePoint/{point}",
        f"{make.base()}/Batch/Subscription/{sun.id}/UsagePoint/{make.point_id(towns, '102')}",
    ]  # fmt: skip

    def tags() -> list[str]:
        return [client.get(href, sun, check=200).headers["ETag"] for href in hrefs]

    first = tags()
    make.take(towns, tmp_path, HOUSEHOLDS[0].entries())
    again = tags()
    take_correction(towns, tmp_path)
    corrected = tags()

    assert again == first
    assert [old == new for old, new in zip(first, corrected, strict=True)] == [False, False, True]
    blocks = client.feed(sun.resource, sun).of("IntervalBlock")
    assert (local("2026-01-31 06:00"), 7) in [reading for block in blocks for reading in block.readings]


def test_the_other_utility_feels_nothing_of_it(towns: Database, tmp_path: Path) -> None:
    south = make.access(towns, "south", customer="C-1")
    client = make.client(towns)
    before = client.get(south.resource, south, check=200)

    take_correction(towns, tmp_path)

    client.get(south.resource, south, If_None_Match=before.headers["ETag"], check=304)


# --- compression ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("gzip", "gzip"), ("gzip, deflate, br", "gzip"), ("*", "gzip"), ("br, gzip;q=0.1", "gzip"), ("GZIP", "gzip"),
        ("", None), ("identity", None), ("gzip;q=0", None), ("gzip;q=0, *", None), ("*;q=0", None), ("br", None),
        ("gzip;q=0.5, identity", None), ("gzip, identity;q=0.5", "gzip"),
    ],
)  # fmt: skip
def test_whoever_takes_gzip_gets_it(world: World, accept: str, expected: str | None) -> None:
    sun = world.sun["north"]
    for href in (sun.resource, sun.customer_resource):
        plain = world.client.get(href, sun, Accept_Encoding="identity")

        answer = world.client.get(href, sun, Accept_Encoding=accept, check=200)

        assert answer.headers.get("Content-Encoding") == expected
        body = gzip.decompress(answer.data) if expected else answer.data
        assert body == plain.data


def test_a_small_document_is_sent_as_it_is(world: World) -> None:
    sun: Access = world.sun["north"]

    answer = world.get(
        "LocalTimeParameters?max-results=1&start-index=9", sun, Accept_Encoding="gzip", check=200
    )

    assert "Content-Encoding" not in answer.headers
    assert answer.data.startswith(b"<?xml")


def test_a_range_is_not_offered_and_the_whole_comes(world: World) -> None:
    sun = world.sun["north"]

    answer = world.client.get(sun.resource, sun, Range="bytes=0-10", check=200)

    assert len(answer.data) == answer.content_length > 11
