"""A meter stays where it is while people move: what one customer used is nobody else's to see or to share."""

from __future__ import annotations

from pathlib import Path

import pytest

from espi_server.db import Database
from espi_server.energy.importer import import_files
from tests import make
from tests.energy import feeds
from tests.energy.feeds import Household

FLAT = Household(id="101", days=4, first="2026-01-28")
MOVED = feeds.local("2026-01-30T00:00")
HEAD = (
    "customer,account,agreement,class,rate,modifiers,rins,address,town,state,zip,circuit,meter,usage_point,"
    "udc,lse,start,end"
)
EARLIER = "C-1,1,1,residential,R,,,1 Oak St,Town,CA,95901,,M1,101,north,north,2020-01-01T08:00:00Z,2026-01-30T08:00:00Z"
LATER = "C-2,2,2,residential,R,,,1 Oak St,Town,CA,95901,,M1,101,north,north,2026-01-30T08:00:00Z,"


def _take(database: Database, folder: Path, name: str, text: str, **more: str) -> list[str]:
    file = folder / name
    file.write_text(text, "utf-8")
    return [str(error) for error in import_files(database, "north", [file], actor="a test", **more).errors]


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    """A flat whose readings came in for its first customer."""
    make.utility(database)
    feeds.write(tmp_path / "flat.xml", FLAT.entries())
    import_files(database, "north", [tmp_path / "flat.xml"], customer="C-1", actor="a test")
    return database


def _starts(feed: make.Feed) -> list[int]:
    return [
        int(start)
        for start in feed.root.xpath("//*[local-name()='timePeriod']/*[local-name()='start']/text()")
    ]


@pytest.mark.requirement("UC1.1", "F-OFF", "NFR23")
def test_a_new_customer_sees_the_meter_from_the_day_she_moved_in(house: Database, tmp_path: Path) -> None:
    errors = _take(house, tmp_path, "agreements.csv", "\n".join((HEAD, EARLIER, LATER)))

    later = make.access(house, customer="C-2")
    starts = _starts(make.client(house).feed(later.resource, later))

    assert errors == []
    assert starts
    assert min(starts) == MOVED


@pytest.mark.requirement("F-OFF")
def test_an_authorization_of_the_customer_who_left_opens_the_meter_no_more(
    house: Database, tmp_path: Path
) -> None:
    earlier = make.access(house, customer="C-1")
    client = make.client(house)
    assert _starts(client.feed(earlier.resource, earlier))

    _take(house, tmp_path, "agreements.csv", "\n".join((HEAD, EARLIER, LATER)))

    assert _starts(client.feed(earlier.resource, earlier)) == []


@pytest.mark.requirement("UC1.1")
def test_a_file_for_another_customer_does_not_take_a_neighbours_meter(
    house: Database, tmp_path: Path
) -> None:
    other = Household(id="101", days=1, first="2026-02-03")
    feeds.write(tmp_path / "other.xml", other.entries())

    report = import_files(house, "north", [tmp_path / "other.xml"], customer="C-9", actor="a test")

    assert "belongs to another customer" in str(report.errors[0])
    assert report.exit_code == 1
    owner = make.access(house, customer="C-1")
    assert max(_starts(make.client(house).feed(owner.resource, owner))) < feeds.local("2026-02-01T00:00")


@pytest.mark.requirement("UC1.2")
def test_an_agreement_that_turns_wholesale_is_shared_no_more(house: Database, tmp_path: Path) -> None:
    own = EARLIER.replace("2026-01-30T08:00:00Z", "")
    _take(house, tmp_path, "agreements.csv", "\n".join((HEAD, own)))
    sun = make.access(house, customer="C-1")
    client = make.client(house)
    assert _starts(client.feed(sun.resource, sun))

    _take(house, tmp_path, "agreements.csv", "\n".join((HEAD, own.replace("residential", "wholesale"))))

    assert _starts(client.feed(sun.resource, sun)) == []
