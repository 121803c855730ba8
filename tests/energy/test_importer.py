"""Files in: what is created, what a second delivery changes, and what it leaves alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espi_server.db import Database
from espi_server.energy import identity
from espi_server.energy.models import Change, IntervalBlock, IntervalCorrection, Kind, UsagePoint
from tests.energy import feeds, stored
from tests.energy.feeds import Household, local

T1, T2 = 1_790_000_000, 1_790_500_000


@pytest.fixture
def north(database: Database, freeze: Callable[[int], None]) -> Database:
    stored.utility(database)
    freeze(T1)
    return database


def test_a_feed_becomes_resources_and_readings(north: Database, tmp_path: Path) -> None:
    household = Household(days=3, cost=True, quality=17)

    report = stored.take(north, household.write(tmp_path / "a.xml"))

    kinds = [Kind(row["kind"]).name for row in stored.resources(north)]
    assert sorted(kinds) == [
        "LocalTimeParameters",
        "MeterReading",
        "ReadingType",
        "UsagePoint",
        "UsageSummary",
    ]
    found = stored.readings(north)
    assert found.start.tolist() == household.starts()
    assert found.value is not None
    assert found.value.tolist() == [household.value(start) for start in household.starts()]
    assert report.counts() == {
        "files": 1, "entries": 8, "readings": 72, "created": 8, "changed": 0, "unchanged": 0, "ignored": 0,
        "repaired": 0, "unknown": 0,
    }  # fmt: skip


def test_ids_follow_from_the_utility_and_the_key_alone(north: Database, tmp_path: Path) -> None:
    namespace = uuid.UUID("7d1f4a60-11aa-4b1c-9d6e-6f3c1b1d0e55")

    stored.take(north, Household(id="101").write(tmp_path / "a.xml"))

    [point] = stored.every(north, UsagePoint)
    [reading] = stored.resources(north, Kind.MeterReading)
    [kind] = stored.resources(north, Kind.ReadingType)
    assert point["id"] == uuid.uuid5(namespace, "UsagePoint:101")
    assert point["source_id"] == "101"
    assert reading["id"] == uuid.uuid5(namespace, f"MeterReading:{point['id']}:{kind['id']}")


def test_links_are_those_clients_join_the_tree_by(north: Database, tmp_path: Path) -> None:
    stored.take(north, Household().write(tmp_path / "a.xml"))

    shapes = {Kind(row["kind"]).name: row["shape"] for row in stored.resources(north)}
    assert shapes == {
        "LocalTimeParameters": "", "ReadingType": "", "UsagePoint": "110* 130* 10", "MeterReading": "120* 20",
        "UsageSummary": "100",
    }  # fmt: skip
    [point] = stored.resources(north, Kind.UsagePoint)
    [time] = stored.resources(north, Kind.LocalTimeParameters)
    assert point["related"][-1] == [10, str(time["id"])]
    assert point["reference_id"] == time["id"]


def test_importing_again_changes_no_byte(
    north: Database, tmp_path: Path, freeze: Callable[[int], None]
) -> None:
    path = Household(days=40).write(tmp_path / "a.xml")
    stored.take(north, path)
    before = stored.state(north)
    freeze(T2)

    report = stored.take(north, path)

    assert (report.created, report.changed, report.unchanged) == (0, 0, 45)
    assert stored.state(north) == before


def test_a_correction_touches_just_the_day_it_corrects(
    north: Database, tmp_path: Path, freeze: Callable[[int], None]
) -> None:
    household = Household(first="2026-01-10", days=40)
    stored.take(north, household.write(tmp_path / "a.xml"))
    before = stored.every(north, IntervalBlock)
    wrong = local("2026-02-03 06:00")
    freeze(T2)

    report = stored.take(
        north, household.but(changed={wrong: 999}, parts=("reading", "blocks")).write(tmp_path / "b.xml")
    )

    january, february = stored.every(north, IntervalBlock)
    assert january == before[0]
    assert (report.created, report.changed, report.unchanged) == (0, 1, 40)
    stamps = [int.from_bytes(february["stamps"][at + 4 : at + 8], "little") for at in range(0, 8 * 18, 8)]
    assert [place for place, updated in enumerate(stamps) if updated == T2] == [2]
    assert february["updated"] == T2
    assert february["published"] == before[1]["published"]
    [correction] = stored.every(north, IntervalCorrection)
    assert correction["starts_at"] == wrong
    [change] = [row for row in stored.every(north, Change) if row["at"] == T2]
    assert (change["entity"], change["starts_at"], change["ends_at"]) == (
        "IntervalBlock",
        wrong,
        wrong + 3600,
    )
    [point] = stored.every(north, UsagePoint)
    assert point["version"] == 2


def test_the_later_file_wins_per_reading(north: Database, tmp_path: Path) -> None:
    household = Household(days=1)
    start = household.starts()[5]
    first = household.write(tmp_path / "a.xml")
    later = household.but(changed={start: 12345}).write(tmp_path / "b.xml")

    stored.take(north, first, later)

    found = stored.readings(north)
    assert found.value is not None
    assert found.value.tolist()[5] == 12345
    assert len(found) == 24


@pytest.mark.parametrize(
    "form",
    [
        {"prefix": "espi"}, {"prefix": ""}, {"prefix": "ns0"}, {"indent": True}, {"comments": True},
        {"zipped": True}, {"indent": True, "comments": True, "prefix": "x"},
    ],
)  # fmt: skip
def test_prefix_indentation_comments_and_gzip_make_no_difference(
    north: Database, tmp_path: Path, form: dict[str, object]
) -> None:
    household = Household(days=2, quality=17)
    stored.take(north, household.write(tmp_path / "a.xml"))
    expected = stored.state(north)
    stored.wipe(north)

    stored.take(north, household.write(tmp_path / "b.xml", **form))

    assert stored.state(north) == expected


@pytest.mark.parametrize(("first", "hours"), [("2026-03-07", [24, 23, 24]), ("2026-10-31", [24, 25, 24])])
def test_days_of_23_and_25_hours_are_cut_at_local_midnight(
    north: Database, tmp_path: Path, first: str, hours: list[int], freeze: Callable[[int], None]
) -> None:
    household = Household(first=first, days=3, interval=900)

    stored.take(north, household.write(tmp_path / "a.xml"))

    found = stored.readings(north)
    bounds = household.midnights()
    counts = [int(((found.start >= a) & (found.start < b)).sum()) for a, b in pairwise(bounds)]
    assert counts == [4 * count for count in hours]
    rows = stored.every(north, IntervalBlock)
    assert sum(row["cuts"] for row in rows) == 3


def test_digits_tell_the_length_of_the_intervals_served(north: Database, tmp_path: Path) -> None:
    household = Household(first="2026-01-30", days=4)

    stored.take(north, household.write(tmp_path / "a.xml"))

    bounds = household.midnights()
    january, february = stored.every(north, IntervalBlock)
    days = sum(len(str(b - a)) + len(str(a)) for a, b in pairwise(bounds))
    assert january["day_digits"] + february["day_digits"] == days
    assert january["month_digits"] == len(str(bounds[2] - bounds[0])) + len(str(bounds[0]))
    assert (january["cuts"], january["months"], january["count"], january["finest"]) == (2, 1, 48, 3600)


def test_daily_readings_share_a_row_per_year(north: Database, tmp_path: Path) -> None:
    household = Household(first="2025-12-30", days=40, interval=86_400, block="month")

    stored.take(north, household.write(tmp_path / "a.xml"))

    rows = stored.every(north, IntervalBlock)
    assert [(row["coarse"], row["count"], row["months"]) for row in rows] == [(True, 2, 1), (True, 38, 2)]
    assert [row["starts_at"] for row in rows] == [local("2025-01-01"), local("2026-01-01")]


def test_many_blocks_in_one_entry_and_blocks_that_cross_midnight_are_taken_apart(
    north: Database, tmp_path: Path
) -> None:
    household = Household(days=3, block="month")
    entries = household.entries()
    joined = entries[4].replace(
        "</e:IntervalBlock>", "</e:IntervalBlock>" + "<e:IntervalBlock></e:IntervalBlock>"
    )

    report = stored.take(north, feeds.write(tmp_path / "a.xml", [*entries[:4], joined, *entries[5:]]))

    assert report.errors == []
    assert stored.readings(north).start.tolist() == household.starts()


def test_readings_without_their_own_time_follow_each_other_by_the_interval_length(
    north: Database, tmp_path: Path
) -> None:
    household = Household(days=1)
    period = "<e:timePeriod>"
    entries = [
        part if "IntervalReading" not in part else _without(part, period, "</e:timePeriod>")
        for part in household.entries()
    ]
    # The reading type stands after the blocks, so that only pass two can know it.
    entries = [*entries[:2], *entries[3:], entries[2]]

    report = stored.take(north, feeds.write(tmp_path / "a.xml", entries))

    assert stored.readings(north).start.tolist() == household.starts()
    assert report.repaired == 1


def _without(text: str, opening: str, closing: str) -> str:
    while opening in text:
        before, _, rest = text.partition(opening)
        text = before + rest.partition(closing)[2]
    return text


def test_milliseconds_are_recognised_corrected_and_reported(north: Database, tmp_path: Path) -> None:
    household = Household(days=1)
    text = feeds.feed(household.entries()).decode()
    for start in household.starts():
        text = text.replace(
            f"<e:duration>3600</e:duration><e:start>{start}<",
            f"<e:duration>3600000</e:duration><e:start>{start}000<",
        )
    stamp = household.midnights()[-1]
    text = text.replace(f"<e:statusTimeStamp>{stamp}<", f"<e:statusTimeStamp>{stamp}123<")
    (tmp_path / "a.xml").write_text(text)

    report = stored.take(north, tmp_path / "a.xml")

    found = stored.readings(north)
    assert found.start.tolist() == household.starts()
    assert set(found.duration.tolist()) == {3600}
    [summary] = stored.resources(north, Kind.UsageSummary)
    assert summary["content"]["statusTimeStamp"] == stamp
    assert any("milliseconds" in remark.message for remark in report.repairs)


def test_the_old_name_of_a_summary_is_understood(north: Database, tmp_path: Path) -> None:
    entries = [each.replace("UsageSummary", "ElectricPowerUsageSummary") for each in Household().entries()]

    report = stored.take(north, feeds.write(tmp_path / "a.xml", entries))

    [summary] = stored.resources(north, Kind.UsageSummary)
    assert summary["xml"].startswith(b'<UsageSummary xmlns="http://naesb.org/espi">')
    assert [remark.message for remark in report.repairs] == ["ElectricPowerUsageSummary became UsageSummary"]


def test_what_a_source_leaves_out_is_supplied_from_the_utility(north: Database, tmp_path: Path) -> None:
    household = Household(parts=("type", "reading", "blocks"))
    entries = [
        each.replace("<e:currency>840</e:currency>", "").replace("<e:commodity>1</e:commodity>", "")
        for each in household.entries()
    ]

    report = stored.take(north, feeds.write(tmp_path / "a.xml", entries))

    [point] = stored.resources(north, Kind.UsagePoint)
    [time] = stored.resources(north, Kind.LocalTimeParameters)
    [kind] = stored.resources(north, Kind.ReadingType)
    assert point["content"] == {"ServiceCategory": {"kind": 0}}
    assert time["content"]["tzOffset"] == -28800
    assert time["content"]["dstStartRule"] == "360E2000"
    assert (kind["content"]["currency"], kind["content"]["commodity"]) == (840, 1)
    assert {remark.message for remark in report.supplies} == {
        "ReadingType/commodity was missing", "ReadingType/currency was missing",
        "UsagePoint/ServiceCategory was missing", "LocalTimeParameters was missing",
    }  # fmt: skip


def test_blocks_alone_find_their_stored_meter_reading(north: Database, tmp_path: Path) -> None:
    household = Household(days=2)
    stored.take(north, household.write(tmp_path / "a.xml"))
    later = household.but(first="2026-02-01", days=3, parts=("blocks",), subscription="S9")

    report = stored.take(north, later.write(tmp_path / "b.xml"))

    assert (report.errors, report.created) == ([], 3)
    assert len(stored.resources(north, Kind.MeterReading)) == 1
    assert len(stored.readings(north)) == 5 * 24


def test_a_second_meter_reading_of_the_same_pair_stays_apart(north: Database, tmp_path: Path) -> None:
    household = Household(days=1)
    second = [
        each.replace("MeterReading/m1", "MeterReading/m2").replace(">m1<", ">m2<")
        for each in household.entries()
    ]
    entries = household.entries() + [each for each in second if "m2" in each]
    entries = [each.replace('MeterReading/m1"', 'MeterReading/m1"') for each in entries]

    stored.take(north, feeds.write(tmp_path / "a.xml", entries))

    rows = stored.resources(north, Kind.MeterReading)
    assert len(rows) == 2
    assert len({row["reference_id"] for row in rows}) == 1


def test_equal_reading_types_are_one_resource(north: Database, tmp_path: Path) -> None:
    one, two = Household(id="101"), Household(id="102")

    stored.take(north, feeds.write(tmp_path / "a.xml", one.entries() + two.entries()))

    assert len(stored.resources(north, Kind.ReadingType)) == 1
    assert len(stored.resources(north, Kind.LocalTimeParameters)) == 1
    assert len(stored.every(north, UsagePoint)) == 2


def test_two_utilities_with_the_same_source_ids_share_nothing(north: Database, tmp_path: Path) -> None:
    stored.utility(north, "south", namespace=uuid.uuid4())
    path = Household().write(tmp_path / "a.xml")

    stored.take(north, path)
    stored.take(north, path, code="south")

    points = stored.every(north, UsagePoint)
    assert len({row["id"] for row in points}) == len({row["utility_id"] for row in points}) == 2
    assert len(stored.resources(north, Kind.ReadingType)) == 2


def test_published_is_the_sources_own_if_sane_and_never_changes(
    north: Database, tmp_path: Path, freeze: Callable[[int], None]
) -> None:
    household = Household(published="2026-03-01T08:00:00Z")
    stored.take(north, household.write(tmp_path / "a.xml"))
    freeze(T2)
    later = household.but(published="2026-04-01T08:00:00Z", service=1)

    stored.take(north, later.write(tmp_path / "b.xml"))
    insane = Household(id="9", published="1970-01-01T00:00:00Z", first="2026-05-01")
    stored.take(north, insane.write(tmp_path / "c.xml"))

    points = {row["source_self"][-2:]: row for row in stored.resources(north, Kind.UsagePoint)}
    assert points["01"]["published"] == local("2026-03-01 00:00")
    assert points["01"]["updated"] == T2
    assert points["/9"]["published"] == T2


@pytest.mark.requirement("FB_04")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_and_any_split_of_the_entries_gives_the_same_store(
    north: Database, tmp_path: Path, data: st.DataObject
) -> None:
    household = Household(id="101", days=3, first="2026-01-30")
    entries = household.entries() + household.but(id="102", interval=900, flow=19).entries()
    stored.wipe(north)
    stored.take(north, feeds.write(tmp_path / "whole.xml", entries))
    expected = stored.state(north)

    shuffled = data.draw(st.permutations(entries))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(entries) - 1), max_size=4)))
    pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(entries)], strict=True)]
    paths = [feeds.write(tmp_path / f"{place}.xml", piece) for place, piece in enumerate(pieces)]
    stored.wipe(north)
    report = stored.take(north, *paths)

    assert report.errors == []
    assert _but_selves(stored.state(north)) == _but_selves(expected)


def _but_selves(state: dict[str, Any]) -> dict[str, Any]:
    """The time parameters are shared, and their first source is whichever came first."""
    for row in state["resource"]:
        if row["kind"] in (Kind.LocalTimeParameters, Kind.ReadingType):
            row["source_self"] = None
    return state


def test_a_block_id_is_a_version_5_uuid_that_anybody_can_compute_again() -> None:
    meter_reading = uuid.uuid4()

    text = identity.block_id(meter_reading, identity.DAY, 1_572_678_000)

    assert text == str(uuid.uuid5(meter_reading, "IntervalBlock:day:1572678000"))
    assert uuid.UUID(text).version == 5
