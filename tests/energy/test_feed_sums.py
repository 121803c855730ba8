"""What a promise of coarser readings makes of fine ones, in whole feeds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from espi_server.db import Database
from tests.conformance.town import Town
from tests.energy import stored
from tests.energy.feeds import Household, local
from tests.energy.reader import E, Served

HOUSE = Household("101", days=420, interval=43_200, first="2024-11-20")
JANUARY = [local(f"{year}-01-01") for year in (2024, 2025, 2026, 2027)]


def _readings(entries: list[Served]) -> list[tuple[int, int, int | None]]:
    """Start, duration and value of every reading, in order."""
    found = []
    for entry in entries:
        for reading in entry.content.iterfind(f"{E}IntervalReading"):
            start, duration = (
                int(str(reading.findtext(f"{E}timePeriod/{E}{name}"))) for name in ("start", "duration")
            )
            value = reading.findtext(f"{E}value")
            found.append((start, duration, None if value is None else int(value)))
    return sorted(found)


@pytest.fixture
def town(database: Database, tmp_path: Path) -> Town:
    stored.utility(database)
    stored.take(database, HOUSE.write(tmp_path / "house.xml"))
    return Town(database)


@pytest.mark.parametrize("cut", ["daily", "monthly"])
@pytest.mark.parametrize(
    "window", ["", "?published-min=2025-07-01T00:00:00Z&published-max=2025-07-02T00:00:00Z"]
)
@pytest.mark.requirement("FB_04", "F-DATA")
def test_a_promise_beyond_a_month_is_one_sum_for_each_local_year(town: Town, cut: str, window: str) -> None:
    opened = town.open("north", None, f"FB=4_5;IntervalDuration=7776000;BlockDuration={cut}")

    found = _readings(opened.reader.feed(opened.usage + window).entries)

    years = [
        (begin, end - begin, sum(HOUSE.value(start) for start in HOUSE.starts() if begin <= start < end))
        for begin, end in pairwise(JANUARY)
    ]
    assert found == (years[1:2] if window else years)


@pytest.mark.requirement("FB_37")
def test_every_block_of_years_can_be_had_alone(town: Town) -> None:
    opened = town.open("north", None, "FB=4_5;IntervalDuration=7776000")
    blocks = [each for each in opened.reader.get(opened.usage).entries if each.kind == "IntervalBlock"]

    for block in blocks:
        (alone,) = opened.reader.feed(block.href).entries
        assert _readings([alone]) == _readings([block])


def test_a_sum_that_no_element_can_hold_is_left_out(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    stored.utility(database)
    vast = Household("102", days=2, changed=dict.fromkeys(Household("102", days=1).starts(), 2**47))
    stored.take(database, vast.write(tmp_path / "vast.xml"))
    opened = Town(database).open("north", None, "FB=4_5;IntervalDuration=86400")

    first, second = _readings(opened.reader.feed(opened.usage).entries)

    assert first[2] is None
    assert second[2] == sum(vast.value(start) for start in vast.starts()[24:])
    database.close()
