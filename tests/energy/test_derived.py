"""`espi-server render`: what the store derives agrees with the truth beside it, or is made anew from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from espi_server.accounts import utilities
from espi_server.app import create_app
from espi_server.cli import main
from espi_server.db import Database
from espi_server.energy.models import IntervalBlock, Kind, Resource, UsagePoint
from espi_server.espi.blocks import Body
from espi_server.espi.deflate import PLAIN
from espi_server.espi.readings import cut, unpack
from espi_server.settings import DEVELOPMENT_SECRET, Settings
from tests import make
from tests.copies import KINDS, Copies
from tests.energy import stored
from tests.energy.test_our_samples import SAMPLES


def fill(url: str, folder: Path) -> None:
    """Every sample, in a utility beside another one that holds the same."""
    database = Database(url)
    for number, code in enumerate(("north", "south")):
        stored.utility(database, code, namespace=UUID(int=number + 1))
        assert not stored.take(database, *sorted(SAMPLES.iterdir()), code=code).errors
    database.close()


@pytest.fixture(scope="module", params=KINDS)
def database_url(
    request: pytest.FixtureRequest, copies: Copies, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """One for all: whatever a test spoils is made anew before it ends."""
    with copies.of(request.param, "samples", fill, tmp_path_factory.mktemp("derived")) as url:
        yield url


@pytest.fixture
def world(database: Database) -> Database:
    return database


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["render", *arguments], env={"ESPI_DATABASE_URL": url, "ESPI_MODE": "development"}
    )


def spoil(database: Database, table: Any, where: Any, **values: Any) -> None:
    with database.writing() as session:
        assert session.execute(update(table).where(where).values(**values)).rowcount


def a_block(database: Database) -> IntervalBlock:
    """The first block row of the first utility."""
    with database.reading() as session:
        utility = utilities.find(session, "north").id
        return session.scalars(
            select(IntervalBlock).where(IntervalBlock.utility_id == utility)
            .order_by(IntervalBlock.usage_point_id, IntervalBlock.meter_reading_id, IntervalBlock.starts_at)
        ).first()  # fmt: skip


def this(block: IntervalBlock) -> Any:
    return (
        (IntervalBlock.usage_point_id == block.usage_point_id)
        & (IntervalBlock.meter_reading_id == block.meter_reading_id)
        & (IntervalBlock.starts_at == block.starts_at)
    )


def flipped(body: bytes) -> bytes:
    return body[:20] + bytes([body[20] ^ 1]) + body[21:]


def versions(database: Database) -> dict[Any, int]:
    with database.reading() as session:
        return {row.id: row.version for row in session.execute(select(UsagePoint.id, UsagePoint.version))}


def test_what_an_import_left_agrees(world: Database, database_url: str) -> None:
    before = stored.every(world, IntervalBlock), stored.resources(world), versions(world)

    checked, made = run(database_url, "--check"), run(database_url)

    assert (checked.exit_code, made.exit_code) == (0, 0), checked.stdout
    assert [line.partition(":")[0] for line in checked.stdout.splitlines()] == ["north", "south"]
    assert checked.stdout.count(", 0 not as they should be") == 2
    assert (stored.every(world, IntervalBlock), stored.resources(world), versions(world)) == before


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("body", lambda block: flipped(block.body)),
        ("body", lambda block: block.body[:-5]),
        ("day_index", lambda block: block.day_index[:-1]),
        ("size", lambda block: block.size + 1),
        ("length", lambda block: block.length - 1),
        ("cuts", lambda block: block.cuts + 1),
        ("day_digits", lambda block: block.day_digits + 1),
        ("has_cost", lambda block: not block.has_cost),
        ("finest", lambda block: block.finest - 1),
        ("render", lambda block: block.render - 1),
        ("ends_at", lambda block: block.ends_at + 900),
    ],
)
def test_a_block_that_disagrees_is_named_and_made_anew(
    world: Database, database_url: str, column: str, wrong: Callable[[IntervalBlock], Any]
) -> None:
    block, counted = a_block(world), versions(world)
    before = stored.every(world, IntervalBlock)
    spoil(world, IntervalBlock, this(block), **{column: wrong(block)})
    spoiled = stored.every(world, IntervalBlock)

    checked = run(database_url, "--check", "--json", "--utility", "north")
    assert stored.every(world, IntervalBlock) == spoiled
    made = run(database_url)
    again = run(database_url, "--check")

    [told] = json.loads(checked.stdout)["differences"]
    assert checked.exit_code == 1
    assert (told["id"], told["usage_point"]) == (str(block.meter_reading_id), str(block.usage_point_id))
    assert column in told["columns"]
    assert (made.exit_code, again.exit_code) == (0, 0)
    assert stored.every(world, IntervalBlock) == before
    assert versions(world) == {**counted, block.usage_point_id: counted[block.usage_point_id] + 1}


@pytest.mark.parametrize("column", ["xml", "names", "shape"])
def test_resources_that_disagree_are_made_anew(world: Database, database_url: str, column: str) -> None:
    kinds = [Kind.UsagePoint, Kind.ReadingType, Kind.UsageSummary, Kind.Customer, Kind.Meter]
    before = stored.resources(world)
    wrong = b"<Other/>" if column == "xml" else "other"
    spoil(world, Resource, Resource.kind.in_(map(int, kinds)), **{column: wrong})

    checked, made, again = run(database_url, "--check"), run(database_url), run(database_url, "--check")

    assert (checked.exit_code, made.exit_code, again.exit_code) == (1, 0, 0)
    assert [kind.name for kind in kinds if f"{kind.name} " not in checked.stdout] == []
    assert in_no_order(stored.resources(world)) == in_no_order(before)


def in_no_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Element names as a set: PostgreSQL keeps the names of JSON in no order."""
    return [{**row, "names": set(row["names"].split())} for row in rows]


def test_bytes_of_another_library_agree(world: Database, database_url: str) -> None:
    block = a_block(world)
    readings = unpack(block.encoding, block.packed, block.extra)
    zone = ZoneInfo("America/Los_Angeles")
    other = Body.of(readings, cut(readings, zone, "day"), PLAIN)
    assert other.data != block.body
    spoil(world, IntervalBlock, this(block), body=other.data, day_index=other.index, size=len(other.data))

    assert run(database_url, "--check").exit_code == 0


def test_a_feed_is_whole_again_and_its_tag_a_new_one(world: Database, database_url: str) -> None:
    opened = make.access(world, customer=None, scope="FB=4_5")
    client = make.Client(create_app(Settings(mode="development", secret_key=DEVELOPMENT_SECRET), world))
    whole = client.get(opened.resource, opened, check=200)
    block = a_block(world)
    spoil(world, IntervalBlock, this(block), body=flipped(block.body))

    run(database_url)

    again = client.get(opened.resource, opened, check=200)
    assert again.data == whole.data
    assert again.headers["ETag"] != whole.headers["ETag"]


def test_an_unknown_utility_is_named(database_url: str) -> None:
    result = run(database_url, "--utility", "nowhere")

    assert result.exit_code == 3
    assert "utility list" in result.stderr
