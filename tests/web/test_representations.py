"""JSON and tables of everything: the same data as the Atom feed, for the same reader, with HTTP's manners."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator
from lxml import etree
from sqlalchemy import select
from werkzeug.test import TestResponse

from espi_server.access.models import Disclosure
from espi_server.db import Database
from espi_server.energy import feed as feeds
from espi_server.energy.feed import FeedChanged
from espi_server.energy.importer import import_files
from espi_server.espi.mapping import from_json, json_schema
from tests import make
from tests.energy.feeds import Household, local
from tests.espi.trees import tree
from tests.make import Access
from tests.web.test_conditional import disclosures
from tests.web.world import World

pytestmark = pytest.mark.requirement("FB_03", "F-DATA", "UC2.1")

OURS = "application/vnd.espi+json"
TABLE = "text/csv; charset=utf-8; header=present"
VALIDATOR = Draft202012Validator(json_schema.schema())
USAGE = [
    "Batch/Subscription/{s}",
    "Batch/Subscription/{s}/UsagePoint/{u}",
    "ReadingType",
    "LocalTimeParameters",
] + [
    f"Subscription/{{s}}/UsagePoint{below}"
    for below in ("", "/{u}", "/{u}/MeterReading", "/{u}/UsageSummary", "/{u}/ElectricPowerQualitySummary")
]
CUSTOMER = ["Batch/RetailCustomer/{rc}", "RetailCustomer/{rc}/Customer", "RetailCustomer/{rc}/Customer/{c}"]
OF_READINGS = [*USAGE[:2], *USAGE[4:7]]


def address(world: World, path: str) -> str:
    """A path for C-1's authorization in the north."""
    sun = world.sun["north"]
    point = make.point_id(world.database, "101")
    customer = world.feed(f"RetailCustomer/{sun.customer}/Customer", sun).entries[0].self.rpartition("/")[2]
    return f"{make.base()}/" + path.format(s=sun.id, rc=sun.customer, u=point, c=customer)


def asked(href: str, **more: object) -> str:
    """An address with more parameters."""
    extra = "&".join(f"{name}={value}" for name, value in more.items())
    return href + ("&" if "?" in href else "?") + extra


def rows_of(answer: TestResponse) -> list[dict[str, str]]:
    """The rows of a table by column."""
    assert answer.content_type == TABLE
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline=""), strict=True))


def linked(answer: TestResponse) -> dict[str, str]:
    """Where the links in the headers lead, by relation."""
    return {
        part.rpartition('rel="')[2].rstrip('"'): part[1:].partition(">")[0]
        for part in answer.headers.getlist("Link")
    }


def epoch(text: str) -> int:
    """The second a time says."""
    return int(datetime.fromisoformat(text).timestamp())


# JSON


@pytest.mark.parametrize("path", [*USAGE, *CUSTOMER])
def test_json_is_the_same_document(world: World, path: str) -> None:
    href, sun = address(world, path), world.sun["north"]
    atom = world.client.get(href, sun, check=200)

    answer = world.client.get(href, sun, Accept=OURS, check=200)

    assert answer.content_type == OURS
    data = json.loads(answer.data)
    VALIDATOR.validate(data)
    assert tree(etree.fromstring(from_json(data))) == tree(etree.fromstring(atom.data))


def test_json_of_management_resources(world: World) -> None:
    for path, token in (
        ("Authorization", world.machines["north", "client of Sun"]),
        (f"Authorization/{world.sun['north'].id}", world.machines["north", "client of Sun"]),
        (
            f"ApplicationInformation/{world.sun['north'].application}",
            world.machines["north", "registration of Sun"],
        ),
        ("ApplicationInformation", world.machines["north", "custodian"]),
        ("ReadServiceStatus", world.machines["north", "custodian"]),
    ):
        atom = world.get(path, token, check=200)

        answer = world.get(path, token, Accept=OURS, check=200)

        assert answer.content_type == OURS
        assert answer.headers["Vary"].startswith("Accept,")
        assert tree(etree.fromstring(from_json(json.loads(answer.data)))) == tree(etree.fromstring(atom.data))
    assert json.loads(world.get("ReadServiceStatus?format=json", token, check=200).data) == {
        "ServiceStatus": {"currentStatus": 1}
    }


def test_pages_of_json_lead_from_one_to_the_next(world: World) -> None:
    sun = world.sun["north"]
    whole = json.loads(world.client.get(sun.resource, sun, Accept=OURS).data)["feed"]["entry"]

    paged: list[Any] = []
    href = asked(sun.resource, **{"format": "json", "max-results": 4})
    while href:
        answer = world.client.get(href, sun, check=200)
        feed = json.loads(answer.data)["feed"]
        paged += feed["entry"]
        links = {link["rel"]: link["href"] for link in feed["link"]}
        assert linked(answer) == {rel: link for rel, link in links.items() if rel != "self"}
        assert parse_qs(urlsplit(links["self"]).query) == parse_qs(urlsplit(href).query)
        href = links.get("next", "")

    assert paged == whole


def test_an_empty_selection_is_an_empty_list(world: World) -> None:
    sun = world.sun["north"]
    href = asked(
        f"{make.base()}/Subscription/{sun.id}/UsagePoint", **{"published-min": "2199-01-01T00:00:00Z"}
    )

    feed = json.loads(world.client.get(href, sun, Accept=OURS, check=200).data)

    assert feed["feed"]["entry"] == []
    VALIDATOR.validate(feed)


# Tables


@pytest.mark.parametrize("path", OF_READINGS)
def test_a_table_holds_the_readings_of_the_feed(world: World, path: str) -> None:
    sun, href = world.sun["north"], address(world, path)
    feed = world.client.feed(sun.resource, sun)
    point = str(make.point_id(world.database, "101")) if "{u}" in path else ""
    expected = Counter(
        (start, value)
        for block in feed.of("IntervalBlock") if point in block.self
        for start, value in block.readings
    )  # fmt: skip

    found = rows_of(world.client.get(asked(href, format="csv"), sun, check=200))

    assert Counter((epoch(row["start"]), int(row["value"])) for row in found) == expected
    assert all(epoch(row["start"]) == epoch(row["local_start"]) for row in found)
    assert {row["unit"] for row in found} == {"Wh"}
    assert {row["subscription"] for row in found} == {str(sun.id)}


def test_a_series_and_a_block_have_tables_of_their_own(world: World) -> None:
    sun = world.sun["north"]
    reading = world.client.feed(address(world, "Subscription/{s}/UsagePoint/{u}/MeterReading"), sun).entries[
        0
    ]
    blocks = world.client.feed(f"{reading.self}/IntervalBlock", sun).entries

    series = rows_of(world.client.get(reading.self, sun, Accept="text/csv"))
    of_blocks = [rows_of(world.client.get(block.self, sun, Accept="text/csv")) for block in blocks]

    assert [len(each) for each in of_blocks] == [len(block.readings) for block in blocks]
    assert [row for each in of_blocks for row in each] == series
    assert rows_of(world.client.get(f"{reading.self}/IntervalBlock", sun, Accept="text/csv")) == series
    window = asked(blocks[0].self, format="csv", **{"published-min": "2199-01-01T00:00:00Z"})
    assert rows_of(world.client.get(window, sun)) == of_blocks[0]


def test_a_custodians_root_addresses_have_tables(world: World) -> None:
    custodian, point = world.machines["north", "custodian"], make.point_id(world.database, "103")
    reading = world.feed(f"UsagePoint/{point}/MeterReading", custodian).entries[0].id[9:]
    block = (
        world.feed(f"UsagePoint/{point}/MeterReading/{reading}/IntervalBlock", custodian).entries[0].id[9:]
    )

    whole = rows_of(world.get(f"UsagePoint/{point}?format=csv", custodian, check=200))

    assert {row["usage_point"] for row in whole} == {str(point)}
    assert rows_of(world.get(f"MeterReading/{reading}?format=csv", custodian, check=200)) == whole
    of_block = rows_of(world.get(f"IntervalBlock/{block}?format=csv", custodian, check=200))
    assert of_block
    assert all(row in whole for row in of_block)
    everything = rows_of(world.get("IntervalBlock?format=csv", custodian, check=200))
    assert {row["usage_point"] for row in everything} >= {
        str(point),
        str(make.point_id(world.database, "104")),
    }


def test_a_table_of_bills_says_what_the_summaries_do(world: World) -> None:
    sun, href = world.sun["north"], address(world, "Subscription/{s}/UsagePoint/{u}/UsageSummary")
    summaries = world.client.feed(href, sun).entries

    found = rows_of(world.client.get(href, sun, Accept="text/csv", check=200))

    assert [row["usage_summary"] for row in found] == [each.id[9:] for each in summaries]
    assert [Decimal(row["bill_last_period"]) for row in found] == [
        Decimal(each.text("billLastPeriod") or "").scaleb(-5) for each in summaries
    ]
    assert {row["currency"] for row in found} == {"USD"}
    assert rows_of(world.client.get(summaries[0].self, sun, Accept="text/csv")) == found[:1]


def test_pages_of_a_table_count_blocks_and_lead_on_by_header(world: World) -> None:
    sun = world.sun["north"]
    whole = rows_of(world.client.get(sun.resource, sun, Accept="text/csv"))

    paged: list[dict[str, str]] = []
    href = asked(sun.resource, format="csv", **{"max-results": 2})
    pages = 0
    while href:
        answer = world.client.get(href, sun, check=200)
        paged += rows_of(answer)
        pages += 1
        links = linked(answer)
        href = links.get("next", "")
        assert not href or parse_qs(urlsplit(href).query)["format"] == ["csv"]

    assert paged == whole
    assert pages == -(-len(world.client.feed(sun.resource, sun).of("IntervalBlock")) // 2)


def test_a_bulk_table_tells_subscriptions_apart(world: World) -> None:
    found = rows_of(world.get("Batch/Bulk/7?format=csv", world.machines["north", "client of Sun"], check=200))

    assert {row["subscription"] for row in found} == {str(world.sun["north"].id)}


def test_without_intervals_there_is_no_table_of_readings(towns: Database) -> None:
    client, bills = (
        make.client(towns),
        make.access(towns, customer="C-1", application="Bills", scope="FB=15_16"),
    )
    point = f"{make.base()}/Subscription/{bills.id}/UsagePoint"

    for href in (bills.resource, point):
        client.get(href, bills, check=200)
        assert json.loads(client.get(href, bills, Accept="text/csv", check=403).data)["code"] == "forbidden"
    assert rows_of(
        client.get(f"{point}/{make.point_id(towns, '101')}/UsageSummary", bills, Accept="text/csv")
    )


def test_a_table_can_be_delivered_again(towns: Database, tmp_path: Path) -> None:
    client, sun = make.client(towns), make.access(towns, customer="C-1", application="Sun")
    table = client.get(sun.resource, sun, Accept="text/csv", check=200)
    make.utility(towns, "third")
    (tmp_path / "table.csv").write_bytes(table.data)

    report = import_files(towns, "third", [tmp_path / "table.csv"], actor="a test")

    assert not report.errors
    other = make.access(towns, "third", application="Sun")
    again = rows_of(client.get(other.resource, other, Accept="text/csv", check=200))
    assert sorted(map(plainly, again)) == sorted(map(plainly, rows_of(table)))


def plainly(row: dict[str, str]) -> tuple[Any, ...]:
    """A row without our ids."""
    cost = Decimal(row["cost"]) if row["cost"] else None
    return (
        row["start"],
        row["duration"],
        Decimal(row["value"]),
        row["unit"],
        row["flow"],
        row["quality"],
        str(cost),
    )


def test_totals_are_the_same_in_every_form_also_on_the_longest_and_shortest_day(
    database: Database, tmp_path: Path
) -> None:
    client, all_of_it = _house_through_both_changes(database, tmp_path)
    feed = client.feed(all_of_it.resource, all_of_it)

    in_json = json.loads(client.get(all_of_it.resource, all_of_it, Accept=OURS, check=200).data)
    in_table = rows_of(client.get(all_of_it.resource, all_of_it, Accept="text/csv", check=200))

    in_atom = sum(value for block in feed.of("IntervalBlock") for _, value in block.readings)
    assert in_atom == sum(Decimal(row["value"]) for row in in_table)
    assert in_atom == sum(
        reading["value"]
        for entry in in_json["feed"]["entry"]
        for reading in entry["content"].get("IntervalBlock", {}).get("IntervalReading", [])
    )
    days = Counter(row["local_start"][:10] for row in in_table)
    assert (days["2026-03-08"], days["2026-11-01"], days["2026-11-02"]) == (23, 25, 24)
    assert len({row["local_start"] for row in in_table if row["flow"] == "delivered"}) == len(in_table)
    assert {row["quality"] for row in in_table} == {"estimated using reference day"}


def _house_through_both_changes(database: Database, folder: Path) -> tuple[make.Client, Access]:
    """Three days around each change of the clocks, all estimated."""
    make.utility(database)
    for first in ("2026-03-07", "2026-10-31"):
        house = Household("201", days=3, first=first, quality=8)
        make.take(database, folder, house.entries())
    return make.client(database), make.access(database, points=["201"])


# HTTP's manners


@pytest.mark.parametrize("format", ["json", "csv"])
@pytest.mark.parametrize("query", ["", "&max-results=3", "&published-min=2026-02-01T00:00:00Z"])
def test_every_form_has_an_exact_length_a_tag_a_head_and_compression(
    world: World, format: str, query: str
) -> None:
    sun, href = world.sun["north"], f"{world.sun['north'].resource}?format={format}{query}"
    plain = world.client.get(href, sun, Accept_Encoding="identity", check=200)

    packed = world.client.get(href, sun, Accept_Encoding="gzip", check=200)

    assert plain.content_length == len(plain.data)
    assert packed.content_length == len(packed.data) < len(plain.data)
    assert gzip.decompress(packed.data) == plain.data
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert plain.headers["Vary"] == "Accept, Accept-Encoding, Authorization"
    for encoding, get in (("identity", plain), ("gzip", packed)):
        head = world.client.get(href, sun, method="HEAD", Accept_Encoding=encoding, check=200)
        assert head.data == b""
        assert dict(head.headers) | {"X-Request-Id": ""} == dict(get.headers) | {"X-Request-Id": ""}


def test_no_two_forms_share_a_tag(world: World) -> None:
    sun = world.sun["north"]
    for path in [*USAGE[:2], "Subscription/{s}/UsagePoint/{u}/UsageSummary"]:
        href = address(world, path)
        tags = [
            world.client.get(href, sun, Accept=accept, Accept_Encoding=encoding).headers["ETag"]
            for accept in ("application/atom+xml", OURS, "text/csv")
            for encoding in ("gzip", "identity")
        ]

        assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("accept", [OURS, "text/csv"])
def test_what_the_client_has_in_its_form_is_not_sent_again(world: World, accept: str) -> None:
    sun, before = world.sun["north"], disclosures(world.database)
    tag = world.client.get(sun.resource, sun, Accept=accept).headers["ETag"]
    sent = disclosures(world.database)

    answer = world.client.get(sun.resource, sun, Accept=accept, If_None_Match=tag, check=304)
    world.client.get(sun.resource, sun, method="HEAD", Accept=accept, If_None_Match=tag, check=304)

    assert answer.data == b""
    assert (answer.headers["ETag"], sent - before, disclosures(world.database)) == (tag, 1, sent)
    world.client.get(sun.resource, sun, If_None_Match=tag, check=200)


def test_a_correction_changes_the_tag_of_every_form(towns: Database, tmp_path: Path) -> None:
    client, sun = make.client(towns), make.access(towns, customer="C-1", application="Sun")
    tags = {each: client.get(sun.resource, sun, Accept=each).headers["ETag"] for each in (OURS, "text/csv")}
    house = Household("101", days=4, interval=900, cost=True, quality=17)
    start = local("2026-01-30 06:00")

    make.take(towns, tmp_path, Household(**{**vars(house), "changed": {start: 9_999}}).entries())

    for accept, tag in tags.items():
        answer = client.get(sun.resource, sun, Accept=accept, If_None_Match=tag, check=200)
        assert answer.headers["ETag"] != tag
        assert b"9999" in answer.data


@pytest.mark.parametrize("path", ["Batch/Subscription/{s}", "Batch/RetailCustomer/{rc}", "ReadingType"])
@pytest.mark.parametrize("format", ["pdf", "XML", "", "json&format=csv", "application/json"])
def test_a_format_nobody_knows_is_named(world: World, path: str, format: str) -> None:
    answer = world.client.get(f"{address(world, path)}?format={format}", world.sun["north"], check=400)

    told = json.loads(answer.data)
    assert (told["code"], told["parameter"]) == ("bad_value", "format")
    assert "json" in told["accepted"] or "one value" in told["accepted"]


@pytest.mark.parametrize(
    "path", [*CUSTOMER, "ReadingType", "Subscription/{s}/UsagePoint/{u}/ElectricPowerQualitySummary"]
)
def test_where_there_is_no_table_asking_for_one_is_told_or_forgiven(world: World, path: str) -> None:
    href, sun = address(world, path), world.sun["north"]

    told = json.loads(world.client.get(asked(href, format="csv"), sun, check=400).data)

    assert told["accepted"].startswith("xml, atom or json here")
    assert world.client.get(href, sun, Accept="text/csv", check=200).content_type == "application/atom+xml"


def test_problems_of_every_form_are_problem_documents(world: World) -> None:
    sun = world.sun["north"]
    for format in ("json", "csv"):
        cases = [
            (f"{sun.resource}?format={format}", "gba_garbage", 401),
            (f"{world.sun['south'].resource}?format={format}".replace("/south/", "/north/"), sun, 403),
            (f"{sun.resource}?format={format}&max-results=none", sun, 400),
            (f"{sun.resource}/UsagePoint/nobody?format={format}", sun, 404),
        ]
        for href, token, status in cases:
            answer = world.client.get(href, token, check=status)
            assert answer.content_type == "application/problem+json"
            assert json.loads(answer.data)["status"] == status


def test_a_form_from_a_file_breaks_off_where_the_authorization_ends(
    towns: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, sun = make.client(towns), make.access(towns, customer="C-1", application="Sun")
    monkeypatch.setattr(feeds, "CHUNK", 512)
    for accept in (OURS, "text/csv"):
        access = make.access(towns, customer="C-1", application=accept)
        answer = client.app.test_client().get(
            urlsplit(access.resource).path,
            headers={
                "Authorization": f"Bearer {access.token}",
                "Accept": accept,
                "Accept-Encoding": "identity",
            },
        )
        parts = iter(answer.response)
        next(parts)

        make.end(towns, access.id)

        with pytest.raises(FeedChanged):
            for _ in parts:
                pass
        answer.close()
    assert client.get(sun.resource, sun, check=200)


def test_what_left_in_another_form_is_on_record(world: World) -> None:
    sun = world.sun["north"]
    answer = world.client.get(f"{sun.resource}?format=csv", sun, Accept_Encoding="identity", check=200)

    with world.database.reading() as session:
        row = session.scalars(
            select(Disclosure).where(Disclosure.request_id == answer.headers["X-Request-Id"])
        ).one()
        assert (row.query, row.size) == ("format=csv", len(answer.data))
        assert row.entries == len(world.client.feed(sun.resource, sun).of("IntervalBlock"))
