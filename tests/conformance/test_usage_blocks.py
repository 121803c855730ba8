"""The data tests of the certification, function block by function block, asked of our own feeds."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from espi_server.demo.households import TIMEZONE, Household, named
from espi_server.espi.atom import moment
from tests.conformance import town as places
from tests.conformance.town import ALL_BLOCKS, PLACES, Town
from tests.conformance.tree import Tree, has, number, published, readings

NOW = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
every_place = pytest.mark.parametrize("place", PLACES, ids=places.named)
WATT_HOUR, WATT, THERM = 72, 38, 169
FORWARD, REVERSE = 1, 19


@pytest.fixture
def tree(town: Town) -> Callable[..., Tree]:
    """`tree("solar")`: the usage feed of a household at its first company, or at the one named."""

    def read(name: str, scope: str = ALL_BLOCKS, code: str = "") -> Tree:
        household = named(name)
        return _whole(town, (household, code or household.companies[0]), scope)

    return read


def _whole(town: Town, place: tuple[Household, str], scope: str = ALL_BLOCKS) -> Tree:
    return Tree(town.usage(place, scope))


@every_place
@pytest.mark.requirement("FB_01", "NH-07")
def test_fb_01_every_id_is_a_name_based_uuid_and_stands_once(
    town: Town, place: tuple[Household, str]
) -> None:
    tree = _whole(town, place)

    ids = [each.id for each in tree.entries]

    assert all(each.startswith("urn:uuid:") and uuid.UUID(each[9:]).version == 5 for each in ids)
    assert len(set(ids)) == len(ids)
    assert len({each.href for each in tree.entries}) == len(ids)


@every_place
@pytest.mark.requirement("FB_01")
def test_fb_01_ids_and_bytes_are_the_same_when_sent_again(town: Town, place: tuple[Household, str]) -> None:
    household, code = place
    opened = town.open(code, household.reference(code), ALL_BLOCKS)

    first, second = opened.reader.get(opened.usage), opened.reader.get(opened.usage)

    assert first.data == second.data
    assert first.headers["ETag"] == second.headers["ETag"]


@every_place
@pytest.mark.requirement("FB_01")
def test_fb_01_ids_stay_under_another_authorization(town: Town, place: tuple[Household, str]) -> None:
    household, code = place
    opened = town.open(code, household.reference(code), ALL_BLOCKS, application="Somebody else")

    first, second = _whole(town, place), Tree(opened.reader.get(opened.usage))

    assert [each.id for each in first.entries] == [each.id for each in second.entries]
    private = [
        {each.href for each in tree.entries if "/Subscription/" in each.href} for tree in (first, second)
    ]
    assert private[0].isdisjoint(private[1])


@every_place
@pytest.mark.requirement("FB_01")
def test_fb_01_every_entry_has_one_self_one_up_a_title_times_and_one_resource(
    town: Town, place: tuple[Household, str]
) -> None:
    for entry in _whole(town, place).entries:
        assert entry.href.startswith("http://localhost/")
        assert entry.href.rpartition("/")[2] == entry.id.removeprefix("urn:uuid:")
        assert entry.hrefs("up") == [entry.href.rpartition("/")[0]]
        assert entry.element.findtext("{*}title") == entry.kind
        assert all(NOW.fullmatch(each) for each in published(entry))
        assert entry.content.attrib == {}


@every_place
@pytest.mark.requirement("FB_01", "FB_04")
def test_fb_01_link_types_name_what_is_linked(town: Town, place: tuple[Household, str]) -> None:
    for entry in _whole(town, place).entries:
        for link in entry.element.iterfind("{*}link"):
            last, before = link.get("href").rstrip("/").split("/")[-1], link.get("href").split("/")[-2]
            is_entry = re.fullmatch(r"[0-9a-f-]{36}", last) is not None
            expected = f"espi-entry/{before}" if is_entry else f"espi-feed/{last}"
            assert link.get("type") == expected


@every_place
@pytest.mark.requirement("FB_01")
def test_fb_01_every_link_inside_the_feed_leads_somewhere(town: Town, place: tuple[Household, str]) -> None:
    household, code = place
    opened = town.open(code, household.reference(code), ALL_BLOCKS)
    entries = opened.reader.get(opened.usage).entries
    first_of_each = {each.kind: each for each in entries}.values()

    for entry in first_of_each:
        for rel in ("self", "up", "related"):
            for href in entry.hrefs(rel):
                assert opened.reader.get(href).entries


@every_place
@pytest.mark.requirement("FB_04", "FB_18")
def test_fb_04_links_join_usage_points_readings_types_and_blocks(
    town: Town, place: tuple[Household, str]
) -> None:
    household, code = place
    tree = _whole(town, place)

    points = tree.of("UsagePoint")

    assert len(points) == len(household.at(code))
    for point in points:
        assert len(tree.below(point, "LocalTimeParameters")) == 1
        assert tree.below(point, "MeterReading")
    joined = [block.href for _, _, blocks in tree.chains() for block in blocks]
    assert sorted(joined) == sorted(each.href for each in tree.of("IntervalBlock"))
    assert all(blocks for _, _, blocks in tree.chains())


@every_place
@pytest.mark.requirement("FB_04")
def test_fb_04_a_reading_type_says_what_the_numbers_mean(town: Town, place: tuple[Household, str]) -> None:
    names = (
        "commodity currency flowDirection intervalLength kind powerOfTenMultiplier uom accumulationBehaviour"
    )

    for entry in _whole(town, place).of("ReadingType"):
        assert has(entry.content, *names.split())


@every_place
@pytest.mark.parametrize("cut", ["daily", "monthly"])
@pytest.mark.requirement("FB_04")
def test_fb_04_blocks_hold_their_readings_each_start_once(
    town: Town, place: tuple[Household, str], cut: str
) -> None:
    tree = _whole(town, place, f"FB=4_5_10;BlockDuration={cut}")

    for _, reading_type, blocks in tree.chains():
        starts: Counter[int] = Counter()
        for block in blocks:
            times = [
                (number(each, "timePeriod/start"), number(each, "timePeriod/duration"))
                for each in readings(block)
            ]
            assert number(block.content, "interval/start") == times[0][0]
            assert number(block.content, "interval/duration") == max(map(sum, times)) - times[0][0]
            assert times == sorted(times)
            starts.update(start for start, _ in times)
            step = number(reading_type.content, "intervalLength")
            assert all(abs(duration - step) <= 3600 for _, duration in times)
        assert max(starts.values()) == 1


@every_place
@pytest.mark.requirement("FB_04")
def test_fb_04_not_all_values_are_zero(town: Town, place: tuple[Household, str]) -> None:
    for reading, _, blocks in _whole(town, place).chains():
        values = [number(each, "value") for block in blocks for each in readings(block)]

        assert any(values), reading.href


@pytest.mark.requirement("FB_05")
def test_fb_05_electricity_is_energy_in_watt_hours(tree: Callable[..., Tree]) -> None:
    for _, reading_type, _ in tree("single").chains():
        assert number(reading_type.content, "uom") == WATT_HOUR
        assert number(reading_type.content, "kind") == 12
        assert number(reading_type.content, "accumulationBehaviour") == 4


@pytest.mark.requirement("FB_27")
def test_fb_27_peak_demand_is_in_watts(tree: Callable[..., Tree]) -> None:
    summaries = tree("business").of("UsageSummary")

    assert summaries
    assert all(number(each.content, "peakDemand/uom") == WATT for each in summaries)


@pytest.mark.requirement("FB_08")
def test_fb_08_delivered_and_received_are_two_meter_readings(tree: Callable[..., Tree]) -> None:
    flows = {number(reading_type.content, "flowDirection") for _, reading_type, _ in tree("solar").chains()}

    assert {FORWARD, REVERSE} <= flows


@pytest.mark.requirement("FB_10")
def test_fb_10_gas_is_in_therms(tree: Callable[..., Tree]) -> None:
    for _, reading_type, _ in tree("gas-and-electricity", code="harbor").chains():
        assert number(reading_type.content, "commodity") == 7
        assert number(reading_type.content, "uom") == THERM


@pytest.mark.requirement("FB_12")
def test_fb_12_readings_have_costs_where_both_blocks_are_granted(tree: Callable[..., Tree]) -> None:
    def costs(scope: str) -> int:
        return sum(
            has(each, "cost")
            for block in tree("single", scope).of("IntervalBlock")
            for each in readings(block)
        )

    assert costs("FB=4_5_12_16") > 3000
    assert costs("FB=4_5_16") == costs("FB=4_5_12") == 0


@every_place
@pytest.mark.requirement("FB_15")
def test_fb_15_a_usage_summary_belongs_to_one_usage_point_and_has_its_fields(
    town: Town, place: tuple[Household, str]
) -> None:
    tree = _whole(town, place, "FB=15")
    points = {each.href for each in tree.of("UsagePoint")}

    for entry in tree.of("UsageSummary"):
        (point,) = entry.hrefs("related")
        assert point in points
        assert has(
            entry.content,
            "billingPeriod",
            "overallConsumptionLastPeriod",
            "qualityOfReading",
            "statusTimeStamp",
        )
        assert number(entry.content, "overallConsumptionLastPeriod/uom") in (WATT_HOUR, THERM)
        assert not has(entry.content, "billLastPeriod")


@pytest.mark.requirement("FB_15", "FB_28")
def test_fb_28_the_running_period_has_its_consumption_and_its_cost(tree: Callable[..., Tree]) -> None:
    last = tree("single", "FB=4_5_15_16_28").of("UsageSummary")[-1]

    assert has(last.content, "currentBillingPeriodOverAllConsumption", "billToDate")


@every_place
@pytest.mark.requirement("FB_16", "FB_26")
def test_fb_16_a_bill_is_the_sum_of_its_lines(town: Town, place: tuple[Household, str]) -> None:
    for entry in _whole(town, place).of("UsageSummary"):
        lines = entry.content.findall("{*}costAdditionalDetailLastPeriod")

        assert has(entry.content, "billLastPeriod", "costAdditionalLastPeriod", "currency")
        assert number(entry.content, "billLastPeriod") == sum(number(each, "amount") for each in lines)
        assert all(has(each, "note", "itemKind") for each in lines)


@pytest.mark.requirement("FB_17")
def test_fb_17_power_quality_comes_with_its_interval(tree: Callable[..., Tree]) -> None:
    found = tree("solar").of("ElectricPowerQualitySummary")

    assert found
    assert all(has(each.content, "summaryInterval", "mainsVoltage") for each in found)


@pytest.mark.requirement("FB_27")
def test_fb_27_demand_and_the_previous_day_stand_in_the_summary(tree: Callable[..., Tree]) -> None:
    summaries = tree("single", "FB=4_27").of("UsageSummary")

    assert all(has(each.content, "peakDemand", "statusTimeStamp") for each in summaries)
    assert has(summaries[-1].content, "previousDayOverallConsumption")
    assert not any(has(each.content, "billingPeriod") for each in summaries)


@pytest.mark.requirement("FB_35", "FB_18")
def test_fb_35_a_bulk_feed_holds_each_subscription_s_tree(town: Town) -> None:
    opened = [
        town.open(code, household.reference(code), "FB=4_5_15;BR=b1")
        for household, code in PLACES
        if code == "alder" and not household.is_business
    ]
    client = town.machine("alder", "client")

    bulk = Tree(client.feed(f"{places.BASE}/alder/espi/1_1/resource/Batch/Bulk/b1"))

    inside = {each.href for each in bulk.entries}
    for each in opened:
        assert {entry.href for entry in each.reader.get(each.usage).entries} <= inside
    assert all(blocks for _, _, blocks in bulk.chains())


@pytest.mark.requirement("NH-07", "FB_37")
def test_nh_07_a_client_that_fetches_day_after_day_gets_every_block_once(town: Town) -> None:
    household = named("gaps")
    code = household.companies[0]
    opened = town.open(code, household.reference(code), "FB=4_5")
    whole = [each.href for each in Tree(opened.reader.get(opened.usage)).of("IntervalBlock")]

    first = datetime(2026, 10, 1, tzinfo=ZoneInfo(TIMEZONE))
    days = [moment(int((first + timedelta(days=each)).timestamp())) for each in range(60)]
    fetched = [
        each.href
        for start, end in pairwise(days)
        for each in Tree(opened.reader.get(f"{opened.usage}?published-min={start}&published-max={end}")).of(
            "IntervalBlock"
        )
    ]

    assert sorted(fetched) == sorted(whole)
