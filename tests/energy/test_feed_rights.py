"""Whatever a grant is, a reader gets all of it and not a byte more, however they ask.

Every element of every resource holds a value of its own, so a leak shows in the bytes wherever it stands.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import delete

from espi_server import clock
from espi_server.access import announcing, grants, tokens
from espi_server.access.applications import find_or_create
from espi_server.accounts import utilities
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.energy import changes, measure, onepage, translated
from espi_server.energy.models import Kind
from espi_server.energy.models import UsagePoint as PointRow
from espi_server.espi.atom import moment
from espi_server.espi.mapping import from_json
from espi_server.notify.models import Cursor, Outbox
from espi_server.settings import DEVELOPMENT_SECRET, Settings
from espi_server.web import sending
from tests.copies import KINDS, Copies, migrated
from tests.energy import stored
from tests.energy.oracle import CLASSES, CUSTOMER_SIDE, USAGE_SIDE, Expected, Grant
from tests.energy.reader import Answer, Reader, Served, canonical, cut, shelved, sown
from tests.energy.worlds import DAY, HOUR, POINTS, PUBLISHED, ZONE, Planted, World
from tests.espi.trees import tree
from tests.examples import examples

COMPANY = "Reader"
BASE = "http://localhost"
DATA_BLOCKS = sorted(set().union(*CLASSES.values()))
EVERYBODY = tuple(point for points in POINTS.values() for point in points)


class Laid:
    """A world in a database: how its usage points and series are called there."""

    def __init__(self, code: str, world: World, points: dict[str, str], series: dict[str, int]) -> None:
        self.code, self.world, self.points, self.series = code, world, points, series

    def __repr__(self) -> str:
        return self.code


class House:
    """An installation with some worlds, each a utility of its own; all use the same source ids."""

    def __init__(self, database: Database, worlds: list[Laid]) -> None:
        self.database, self.worlds = database, worlds
        now = Settings(mode="development", secret_key=DEVELOPMENT_SECRET, base_url=BASE)
        self.app = create_app(now, database)


def _lay(database: Database, seed: int, folder: Path) -> Laid:
    world, code = World.of(seed), f"world{seed}"
    with database.writing() as session:
        utilities.add(session, code, name=code, timezone=ZONE.key)
    report = stored.take(database, *world.write(folder), code=code)
    assert (report.failed, report.repaired, report.unknown) == (0, 0, 0)
    with database.reading() as session:
        mine = utilities.find(session, code).id
    points = {
        row["source_id"]: str(row["id"])
        for row in stored.every(database, PointRow)
        if row["utility_id"] == mine
    }
    rows = [row for row in stored.resources(database) if row["utility_id"] == mine]
    types = {row["id"]: row["content"].get("tou") for row in rows if row["kind"] == Kind.ReadingType}
    series = {str(row["id"]): types[row["reference_id"]] for row in rows if row["kind"] == Kind.MeterReading}
    return Laid(code, world, points, series)


@pytest.fixture(scope="module", params=KINDS)
def house(
    request: pytest.FixtureRequest, copies: Copies, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """Worlds in both databases, not the same ones."""
    folder = tmp_path_factory.mktemp("worlds")
    seeds = range(5) if request.param == "sqlite" else range(6, 8)
    with copies.of(request.param, "migrated", migrated, folder) as url:
        yield from _house(url, seeds, folder)


def _house(url: str, seeds: range, folder: Path) -> Iterator[House]:
    database = Database(url)
    yield House(database, [_lay(database, seed, folder) for seed in seeds])
    database.close()


# What is drawn

terms = st.frozensets(st.sampled_from([*CLASSES]), max_size=3)
blocks = st.frozensets(st.sampled_from(DATA_BLOCKS), max_size=6) | st.just(frozenset(DATA_BLOCKS))
spans = st.sampled_from(
    [900, 1800, HOUR, 2 * HOUR, 5 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY, 31 * DAY, 90 * DAY]
)


@st.composite
def grant_of(draw: st.DrawFn, world: World, *, readings: bool = False) -> Grant:
    """Any grant that opens something."""
    named, chosen = draw(terms), draw(blocks)
    if readings:
        chosen, named = chosen | {4}, named | {"Usage"} if named else named
    if draw(st.booleans()):
        named |= {"RIN"}
    if not named and not chosen:
        chosen = frozenset({5})
    return Grant(
        chosen,
        named,
        interval=draw(st.none() | spans),
        cut=draw(st.sampled_from(["day", "month"])),
        since=draw(st.none() | st.sampled_from(world.moments)),
    )


def scope_of(grant: Grant, now: int, bulk: str | None = None) -> str:
    """The grant in ESPI's words."""
    said = {
        "FB": "_".join(map(str, sorted(grant.blocks))),
        "IntervalDuration": "" if grant.interval is None else f"{grant.interval}",
        "BlockDuration": "monthly" if grant.cut == "month" else "daily",
        "HistoryLength": "" if grant.since is None else f"{now - grant.since}",
        "BR": bulk or "",
        "AdditionalScope": "_".join(sorted(grant.terms)),
    }
    return ";".join(f"{name}={value}" for name, value in said.items() if value)


@dataclass
class Opened:
    """A grant that was given: where to read, and whose usage points it opens under which addresses."""

    reader: Reader
    expected: Expected
    usage: str
    people: str
    hrefs: dict[str, str]


def open_up(house: House, laid: Laid, whose: str | None, grant: Grant, bulk: str | None = None) -> Opened:
    """Authorize the company; `whose` is a customer, None the whole utility."""
    with house.database.writing() as session:
        utility = utilities.find(session, laid.code)
        chosen = (
            grants.of_utility(session, utility)
            if whose is None
            else grants.of_customer(session, utility, whose)
        )
        scope = scope_of(grant, clock.seconds(), bulk)
        given = grants.authorize(session, utility, chosen, application=COMPANY, scope=scope, by="a test")
        if grant.since is not None:
            given.history_from = grant.since
        answer = grants.token_answer(session, utility, given, installation=BASE, by="a test")
    points = EVERYBODY if whose is None else POINTS[whose]
    stand = answer["resourceURI"].replace("/Batch", "")
    return Opened(
        Reader(house.app, answer["access_token"]),
        Expected(laid.world, grant, points, ZONE),
        answer["resourceURI"],
        answer["customerResourceURI"],
        {point: f"{stand}/UsagePoint/{laid.points[point]}" for point in points},
    )


def wanted(pairs: Iterator[tuple[Planted, etree._Element]]) -> Counter[tuple[str, bytes]]:
    """What is expected, as `shelved` tells what was served."""
    return Counter((planted.kind, canonical(element)) for planted, element in pairs)


def allowed(contents: Counter[tuple[str, bytes]], blocks: Counter[Any]) -> set[bytes]:
    """All that was planted in what may be seen."""
    readings = "".join(reading.xml for block in blocks for reading in block.readings).encode()
    return set().union(sown(readings), *(sown(content) for _, content in contents))


def served_once(entries: list[Served]) -> bool:
    """No id and no address stands twice."""
    return (
        max(Counter(each.id for each in entries).values(), default=1) == 1
        and max(Counter(each.href for each in entries).values(), default=1) == 1
    )


def check_tree(answer: Answer, opened: Opened, laid: Laid) -> None:
    """A whole usage feed holds all that is granted, once, and nothing else anywhere in its bytes."""
    entries = answer.entries
    contents, blocks = wanted(opened.expected.resources()), Counter(opened.expected.blocks())
    assert served_once(entries)
    assert shelved(entries) == contents
    assert cut(entries, laid.series) == blocks
    assert sown(answer.data) <= allowed(contents, blocks)


def proves(test: Any) -> Any:
    """A property of every feed: for any world, on both databases."""
    quick = settings(max_examples=examples(5), deadline=None, suppress_health_check=list(HealthCheck))
    return pytest.mark.requirement("FB_04", "F-DATA")(quick(given(data=st.data())(test)))


def drawn_grant(house: House, data: st.DataObject, **more: Any) -> tuple[Laid, str | None, Grant]:
    """A world, whose data of it, and a grant."""
    laid = data.draw(st.sampled_from(house.worlds))
    whose = data.draw(st.sampled_from(["alice", "bob", None]))
    return laid, whose, data.draw(grant_of(laid.world, **more))


# The properties


@proves
def test_a_feed_holds_all_that_is_granted_and_not_a_byte_more(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data)

    opened = open_up(house, laid, whose, grant)

    if not set(grant.letters) & set(USAGE_SIDE):
        assert sown(opened.reader.get(opened.usage, check=403).data) == set()
    else:
        check_tree(opened.reader.feed(opened.usage), opened, laid)


@proves
def test_json_is_the_feed_and_not_a_byte_more(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data)
    opened = open_up(house, laid, whose, grant)
    for href in filter(None, (opened.usage, opened.people)):
        if opened.reader.any(href).status_code == 403:
            assert sown(opened.reader.get(f"{href}?format=json", check=403).data) == set()
            continue
        atom = opened.reader.feed(href)

        answer = opened.reader.feed(f"{href}?format=json")

        assert tree(etree.fromstring(from_json(atomless(answer)))) == tree(etree.fromstring(atom.data))
        assert sown(answer.data) == sown(atom.data)
        assert answer.headers["ETag"] != atom.headers["ETag"]


def atomless(answer: Answer) -> Any:
    """The JSON of a feed as it were if nobody had asked for a format."""
    data = json.loads(answer.data)
    for link in data["feed"]["link"]:
        link["href"] = link["href"].removesuffix("?format=json")
    return data


@proves
def test_a_table_is_the_granted_readings_and_not_one_more(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data)
    opened = open_up(house, laid, whose, grant)

    if not grant.shows_readings:
        assert sown(opened.reader.get(f"{opened.usage}?format=csv", check=403).data) == set()
        return
    answer = opened.reader.feed(f"{opened.usage}?format=csv")

    assert rows(answer, laid.series) == Counter(
        (block.series, each.start, each.duration, each.value, each.cost, each.tou)
        for block in opened.expected.blocks()
        for each in block.readings
    )
    assert not any(mark in answer.data for mark in (b"<", b"S0"))


def rows(answer: Answer, numbers: dict[str, int]) -> Counter[Any]:
    """The readings of a table, as the worlds tell them."""

    def number(text: str) -> int | None:
        return int(text) if text else None

    return Counter(
        (
            numbers[row["meter_reading"]],
            int(datetime.fromisoformat(row["local_start"]).timestamp()),
            int(row["duration"]),
            int(row["value"]),
            int(Decimal(row["cost"]).scaleb(5)) if row["cost"] else None,
            number(row["tou"]),
        )
        for row in csv.DictReader(answer.data.decode().splitlines())
    )


@proves
def test_a_table_of_bills_shows_the_granted_elements_and_no_other(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data)
    opened = open_up(house, laid, whose, grant)
    point = data.draw(st.sampled_from(sorted(opened.hrefs)))
    href = f"{opened.hrefs[point]}/UsageSummary"

    if not grant.shows("UsageSummary"):
        assert sown(opened.reader.get(f"{href}?format=csv", check=403).data) == set()
        return
    summaries = opened.reader.get(href).entries
    table = list(csv.DictReader(opened.reader.feed(f"{href}?format=csv").data.decode().splitlines()))

    assert [row["usage_summary"] for row in table] == [
        each.id.removeprefix("urn:uuid:") for each in summaries
    ]
    for row, each in zip(table, summaries, strict=True):
        present = {etree.QName(child).localname for child in each.content}
        told = {name for name, cell in row.items() if cell} - {"usage_point", "usage_summary", "subscription"}
        assert {told_by(name) for name in told} <= present


def told_by(column: str) -> str:
    """The element a column of the table of bills stands for."""
    if column in ("start", "local_start", "duration"):
        return "billingPeriod"
    first, *rest = re.sub(r"_(unit|start|local_start|duration)$", "", column).split("_")
    name = first + "".join(part.title() for part in rest)
    return {"overallConsumptionLastPeriodUnit": "overallConsumptionLastPeriod"}.get(name, name)


@proves
def test_a_window_selects_whole_blocks_and_the_summaries_published_in_it(
    house: House, data: st.DataObject
) -> None:
    laid, whose, grant = drawn_grant(house, data, readings=True)
    after, before = data.draw(windows(laid.world))
    opened = open_up(house, laid, whose, grant)

    answer = opened.reader.feed(opened.usage + asking(after, before))

    blocks = opened.expected.blocks(after, before)
    is_published = (after is None or after <= PUBLISHED) and (before is None or before >= PUBLISHED)
    chosen = {laid.world.series[each.series - 1].point for each in blocks}
    framed = (
        (planted, element)
        for planted, element in opened.expected.resources()
        if is_published or (planted.starts_at is None and framing(planted, chosen))
    )
    assert shelved(answer.entries) == wanted(framed)
    assert cut(answer.entries, laid.series) == Counter(blocks)


@proves
def test_collections_and_single_entries_are_those_of_the_whole_feed(
    house: House, data: st.DataObject
) -> None:
    laid, whose, grant = drawn_grant(house, data, readings=True)
    opened = open_up(house, laid, whose, grant)
    tree = {each.href: each for each in opened.reader.feed(opened.usage).entries}

    below = data.draw(st.sampled_from(sorted({each.hrefs("up")[0] for each in tree.values()})))
    collection = opened.reader.feed(below).entries
    alone = data.draw(st.sampled_from(sorted(tree)))
    (entry,) = opened.reader.feed(alone).entries

    assert {each.href: canonical(each.element) for each in collection} == {
        href: canonical(each.element) for href, each in tree.items() if each.hrefs("up")[0] == below
    }
    assert canonical(entry.element) == canonical(tree[alone].element)


@proves
def test_what_is_not_granted_cannot_be_had_one_by_one(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data)
    everything = open_up(house, laid, whose, Grant(frozenset(DATA_BLOCKS), frozenset({"RIN", *CLASSES})))
    all_of_it = {each.href: each for each in everything.reader.get(everything.usage).entries}
    opened = open_up(house, laid, whose, grant)
    theirs = everything.usage.rpartition("/")[2], opened.usage.rpartition("/")[2]
    chosen = data.draw(st.lists(st.sampled_from(sorted(all_of_it)), min_size=3, max_size=3, unique=True))

    form = data.draw(st.sampled_from(["", "?format=json", "?format=csv"]))
    for href in chosen:
        reachable = href.replace(*theirs) + form
        response = opened.reader.any(reachable)

        contents, blocks = wanted(opened.expected.resources()), Counter(opened.expected.blocks())
        assert sown(response.data) <= allowed(contents, blocks), reachable
        if (
            not grant.shows(all_of_it[href].kind)
            if all_of_it[href].kind != "IntervalBlock"
            else not grant.shows_readings
        ):
            # Not everything comes as a table, and that is told first, to everybody.
            assert response.status_code in ({400, 403} if form == "?format=csv" else {403})


@proves
def test_what_tags_are_made_of_holds_nothing_that_is_not_granted(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data)
    opened = open_up(house, laid, whose, grant)
    form = data.draw(st.sampled_from(["", "?format=json", "?format=csv"]))

    with heard() as digested:
        answers = [opened.reader.any(f"{href}{form}") for href in (opened.usage, opened.people) if href]

    if any(answer.status_code == 200 for answer in answers):
        assert digested
    contents, blocks = wanted(opened.expected.resources()), Counter(opened.expected.blocks())
    if whose is not None:
        contents |= wanted(opened.expected.people(whose, opened.hrefs))
    assert sown(b" ".join(digested)) <= allowed(contents, blocks)


@contextmanager
def heard() -> Iterator[list[bytes]]:
    """Everything the rooms that make tags digest meanwhile."""
    digested: list[bytes] = []

    class Sha256:
        def __init__(self, data: bytes = b"") -> None:
            self._hash = hashlib.sha256()
            self.update(data)

        def update(self, data: bytes) -> None:
            digested.append(bytes(data))
            self._hash.update(data)

        def hexdigest(self) -> str:
            return self._hash.hexdigest()

    def crc32(data: bytes, start: int = 0) -> int:
        digested.append(bytes(data))
        return zlib.crc32(data, start)

    with pytest.MonkeyPatch.context() as patch:
        for module in (measure, translated, sending):
            patch.setattr(module, "hashlib", SimpleNamespace(sha256=Sha256))
        patch.setattr(measure, "zlib", SimpleNamespace(crc32=crc32))
        yield digested


@proves
def test_what_a_company_is_told_of_new_data_holds_none_of_it(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data)
    opened = open_up(house, laid, whose, grant)
    application = str(tell_of_everything(house, laid))

    announcing.announce(house.database, BASE, 0)

    told = [each for each in stored.every(house.database, Outbox) if application in each["recipient"]]
    feeds = tuple(
        href
        for href, side in ((opened.usage, USAGE_SIDE), (opened.people, CUSTOMER_SIDE))
        if set(grant.letters) & set(side)
    )
    for each in told:
        assert sown(json.dumps(each["payload"]).encode()) == set()
        for href in each["payload"]["resources"]:
            if opened.usage.rpartition("/")[2] in href:
                assert href.startswith((*feeds, f"{BASE}/{laid.code}/espi/1_1/resource/Authorization/"))


def tell_of_everything(house: House, laid: Laid) -> uuid.UUID:
    """Begin telling the company anew, of every change there ever was; its id."""
    with house.database.writing() as session:
        utility = utilities.find(session, laid.code)
        application = find_or_create(session, utility, COMPANY, by="a test")
        application.notify_uri = "https://reader.example/notify"
        session.execute(delete(Cursor).where(Cursor.utility_id == utility.id))
        session.execute(delete(Outbox).where(Outbox.utility_id == utility.id))
        changes.number(session, most=1_000_000)
        return application.id


@proves
def test_a_feed_read_at_once_is_to_the_byte_the_one_that_is_measured_and_streamed(
    house: House, data: st.DataObject
) -> None:
    laid, whose, grant = drawn_grant(house, data, readings=True)
    opened = open_up(house, laid, whose, grant)
    ups = {each.hrefs("up")[0] for each in opened.reader.feed(opened.usage).entries}
    href = data.draw(st.sampled_from([opened.usage, *sorted(ups)])) + asking(*data.draw(windows(laid.world)))
    size = data.draw(st.none() | st.integers(1, 30))
    href += "" if size is None else f"&max-results={size}&start-index={size // 2 + 1}"

    at_once = [opened.reader.any(href, **{"Accept-Encoding": each}) for each in ("gzip", "identity")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onepage, "POINTS", 0)
        streamed = [opened.reader.any(href, **{"Accept-Encoding": each}) for each in ("gzip", "identity")]

    assert [each.data for each in at_once] == [each.data for each in streamed]
    for name in ("ETag", "Content-Length", "Last-Modified", "Content-Encoding"):
        assert [each.headers.get(name) for each in at_once] == [each.headers.get(name) for each in streamed]


@proves
def test_pages_end_to_end_are_the_whole_feed(house: House, data: st.DataObject) -> None:
    laid, whose, grant = drawn_grant(house, data, readings=True)
    opened = open_up(house, laid, whose, grant)
    whole = [canonical(each.element) for each in opened.reader.feed(opened.usage).entries]
    size = data.draw(st.integers(max(1, len(whole) // 3), max(1, len(whole))))

    paged: list[bytes] = []
    href = f"{opened.usage}?max-results={size}"
    while href:
        answer = opened.reader.feed(href)
        paged += [canonical(each.element) for each in answer.entries]
        href = str(next(iter(answer.links("next")), ""))

    assert paged == whole


@pytest.mark.requirement(
    "FB_54", "FB_55", "FB_56", "FB_57", "FB_58", "FB_59", "FB_60", "FB_61", "FB_62", "FB_71"
)
@proves
def test_a_customers_feed_holds_all_that_is_granted_and_not_a_byte_more(
    house: House, data: st.DataObject
) -> None:
    laid, _, grant = drawn_grant(house, data)
    whose = data.draw(st.sampled_from(["alice", "bob"]))

    opened = open_up(house, laid, whose, grant)

    if not set(grant.letters) & set(CUSTOMER_SIDE):
        assert opened.people == ""
        return
    answer = opened.reader.feed(opened.people)
    contents = wanted(opened.expected.people(whose, opened.hrefs))
    assert served_once(answer.entries)
    assert shelved(answer.entries) == contents
    assert sown(answer.data) <= allowed(contents, Counter())


@proves
def test_a_bulk_feed_gives_each_subscription_what_its_own_grant_allows(
    house: House, data: st.DataObject
) -> None:
    laid = data.draw(st.sampled_from(house.worlds))
    drawn = {whose: data.draw(grant_of(laid.world)) for whose in ("alice", "bob", None)}
    opened = [open_up(house, laid, whose, grant, bulk="b7") for whose, grant in drawn.items()]
    client = machine(house, laid, "client")

    answer = client.feed(f"{BASE}/{laid.code}/espi/1_1/resource/Batch/Bulk/b7")

    entries = answer.entries
    assert max(Counter(each.href for each in entries).values(), default=1) == 1
    for each in opened:
        mine = [entry for entry in entries if f"/{each.usage.rpartition('/')[2]}/" in entry.href]
        below = Counter(
            {pair: n for pair, n in wanted(each.expected.resources()).items() if pair[0] in BELOW}
        )
        assert shelved(mine) == below
        assert cut(mine, laid.series) == Counter(each.expected.blocks())
    shared = set().union(*(wanted(each.expected.resources()) for each in opened))
    assert {pair for pair in shelved(entries) if pair[0] not in BELOW} == {
        pair for pair in shared if pair[0] not in BELOW
    }


BELOW = ("UsagePoint", "MeterReading", "UsageSummary", "ElectricPowerQualitySummary")


def framing(planted: Planted, chosen: set[str]) -> bool:
    """Does a resource come with the usage points chosen?"""
    shared = planted.kind == "ProgramIdMappings" and bool(chosen)
    return shared or planted.owner in chosen or planted.leant_on_by in chosen


def asking(after: int | None, before: int | None) -> str:
    """A window as query parameters."""
    given = {"published-min": after, "published-max": before}
    return "?" + "&".join(f"{name}={moment(value)}" for name, value in given.items() if value is not None)


@st.composite
def windows(draw: st.DrawFn, world: World) -> tuple[int | None, int | None]:
    """Two moments in order; either may be missing."""
    ends = st.none() | st.sampled_from(world.moments) | st.integers(PUBLISHED - DAY, PUBLISHED + DAY)
    after, before = draw(ends), draw(ends)
    return (before, after) if after is not None and before is not None and after > before else (after, before)


def machine(house: House, laid: Laid, kind: str) -> Reader:
    """A reader with a machine's token."""
    with house.database.writing() as session:
        utility = utilities.find(session, laid.code)
        application = find_or_create(session, utility, COMPANY, by="a test")
        token = tokens.issue(session, kind, utility.id, application=application, issued_by="a test")
    return Reader(house.app, token)
