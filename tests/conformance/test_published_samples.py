"""The published samples go in with one call and come back valid, with every reading; what differs is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from lxml import etree

from espi_server.accounts.models import Customer
from espi_server.db import Database
from espi_server.energy.report import Remark, Report
from tests.conformance.judges import Judge
from tests.conformance.town import ALL_BLOCKS, Town
from tests.energy import stored
from tests.energy.reader import Served

NAMESPACES = {"e": "http://naesb.org/espi"}
RESOURCES = "http://localhost/north/espi/1_1/resource"

REPAIRED = {
    ("gb-electric-daily-45days-cost.xml", "ElectricPowerUsageSummary became UsageSummary"): 1,
    ("gb-electric-hourly-9days-cost.xml", "ElectricPowerUsageSummary became UsageSummary"): 1,
    ("gb-electric-three-measurements.xml", "ElectricPowerUsageSummary became UsageSummary"): 1,
    ("gb-gas-monthly-13months.xml", "ElectricPowerUsageSummary became UsageSummary"): 1,
    ("gb-water-monthly.xml", "ElectricPowerUsageSummary became UsageSummary"): 1,
    ("gba-customer-feed.xml", "status was plain text and became its value"): 1,
    ("gba-usage-feed.xml", "MeterReading: the ReadingType inside it was taken as the one it relates to"): 1,
    (
        "pge-usage-summaries-feed.xml",
        "UsageSummary/statusTimeStamp was in milliseconds and was divided by 1000",
    ): 3,
    (
        "gb-electric-three-measurements.xml",
        "MeterReading: 2 different ReadingType entries have the self link ReadingType/2; each was given to one entry,"
        " in order",
    ): 2,
    (
        "gb-electric-three-measurements.xml",
        "UsageSummary: its path names the unknown usage point '3'; the only one of the file was taken",
    ): 1,
    (
        "sce-usage-summary-and-intervals.xml",
        "MeterReading: 2 different ReadingType entries have the self link ReadingType/1101NB6WRU; the first was taken",
    ): 2,
    (
        "sce-usage-summary-and-intervals.xml",
        "UsageSummary: another one before it has the same period; the later was taken",
    ): 1,
}
SUPPLIED = {
    ("ameren-electric-15min-1day.xml", "ReadingType/currency was missing"): 4,
    ("gba-usage-feed.xml", "ReadingType/currency was missing"): 1,
    ("pge-bulk-hourly-2days-dst-end.xml", "ReadingType/currency was missing"): 1,
    ("pge-usage-summaries-feed.xml", "UsageSummary/currency was missing"): 3,
    ("sce-usage-summary-and-intervals.xml", "UsageSummary/commodity was missing"): 7,
    ("gb-electric-three-measurements.xml", "UsageSummary/commodity was missing"): 1,
    ("gb-electric-hourly-9days-cost.xml", "UsageSummary/commodity was missing"): 1,
    ("gb-electric-daily-45days-cost.xml", "UsageSummary/commodity was missing"): 1,
    ("gb-gas-monthly-13months.xml", "UsageSummary/commodity was missing"): 1,
    ("gb-water-monthly.xml", "UsageSummary/commodity was missing"): 1,
}
UNKNOWN = {
    ("gb-electric-hourly-9days-cost.xml", "UsagePoint/ServiceDeliveryPoint"): 1,
    ("gba-usage-feed.xml", "MeterReading/ReadingType"): 1,
    ("sce-usage-summary-and-intervals.xml", "UsagePoint/ServiceDeliveryPoint"): 1,
    ("sce-usage-summary-and-intervals.xml", "UsagePoint/pricingNode"): 1,
    ("sce-usage-summary-and-intervals.xml", "UsagePoint/loadAggregationPoint"): 1,
}


@pytest.fixture
def samples(espi_reference: Path) -> list[Path]:
    return sorted((espi_reference / "samples").glob("*.xml"))


@pytest.fixture
def served(database: Database, samples: list[Path]) -> tuple[Town, Report]:
    """All samples imported with one call, and what the importer says."""
    stored.utility(database, timezone="America/New_York")
    report = stored.take(database, *samples)
    return Town(database), report


def readings_of(documents: Iterable[etree._Element]) -> Counter[tuple[str | None, ...]]:
    """Every reading by XPath alone: start, duration, value, cost, and its qualities."""
    found: Counter[tuple[str | None, ...]] = Counter()
    for document in documents:
        for reading in document.xpath("//e:IntervalReading", namespaces=NAMESPACES):
            texts = (
                reading.xpath(f"string(e:{path})", namespaces=NAMESPACES)
                for path in ("timePeriod/e:start", "timePeriod/e:duration", "value", "cost")
            )
            qualities = reading.xpath("e:ReadingQuality/e:quality/text()", namespaces=NAMESPACES)
            found[(*texts, " ".join(qualities))] += 1
    return found


def total(readings: Counter[tuple[str | None, ...]], place: int) -> int:
    """The sum of a column."""
    return sum(int(each[place] or 0) * times for each, times in readings.items())


def told(remarks: Iterable[Remark]) -> dict[tuple[str, str], int]:
    """Remarks by the name of their file."""
    return {(Path(each.file).name, each.message): each.count for each in remarks}


@pytest.mark.parametrize("cut", ["daily", "monthly"])
@pytest.mark.requirement("FB_04", "FB_05", "FB_10", "FB_11", "FB_12")
def test_every_reading_of_every_sample_comes_back(
    served: tuple[Town, Report], samples: list[Path], cut: str
) -> None:
    town, _ = served

    opened = town.open("north", None, f"{ALL_BLOCKS};BlockDuration={cut}")

    sent = readings_of(etree.parse(path) for path in samples)
    received = readings_of([etree.fromstring(opened.reader.feed(opened.usage).data)])
    assert received == sent
    assert received.total() == 473
    assert [total(received, place) for place in (2, 3)] == [total(sent, place) for place in (2, 3)]


@pytest.mark.requirement("FB_01", "FB_04", "FB_15", "FB_16")
def test_what_comes_back_of_the_samples_is_valid(
    served: tuple[Town, Report], ours: Judge, published: Judge
) -> None:
    town, _ = served
    for scope in (
        ALL_BLOCKS,
        f"{ALL_BLOCKS};BlockDuration=monthly",
        "FB=4_5",
        "FB=15_16",
        "FB=4;IntervalDuration=86400",
    ):
        opened = town.open("north", None, scope)

        document = opened.reader.feed(opened.usage).data

        assert ours.faults(document) == []
        assert published.faults(document) == []


@pytest.mark.requirement("FB_51", "FB_54", "FB_57", "FB_58", "FB_60")
def test_the_customers_of_the_samples_come_back_valid(
    served: tuple[Town, Report], ours: Judge, published: Judge
) -> None:
    town, _ = served
    custodian = town.machine("north", "custodian")
    kinds: Counter[str] = Counter()

    for row in stored.every(town.database, Customer):
        answer = custodian.feed(f"{RESOURCES}/Batch/RetailCustomer/{row['id']}")
        kinds.update(each.kind for each in answer.entries)

        assert ours.faults(answer.data) == []
        assert published.faults(answer.data) == []

    assert kinds == {
        "Customer": 2,
        "CustomerAccount": 1,
        "CustomerAgreement": 1,
        "ServiceLocation": 1,
        "Meter": 1,
    }


@pytest.mark.requirement("FB_01")
def test_the_importer_tells_every_difference_and_no_other(served: tuple[Town, Report]) -> None:
    _, report = served

    assert report.errors == []
    assert told(report.repairs) == REPAIRED
    assert told(report.supplies) == SUPPLIED
    assert told(report.unknowns) == UNKNOWN
    assert {Path(each.file).name for each in report.refusals} == {
        "gba-application-information-entry.xml", "gba-authorization-entry.xml", "pge-authorization-entry.xml",
    }  # fmt: skip


@pytest.mark.requirement("FB_15", "FB_16", "FB_26")
def test_every_bill_of_the_samples_comes_back_with_its_amounts(
    served: tuple[Town, Report], samples: list[Path]
) -> None:
    town, _ = served
    opened = town.open("north", None, ALL_BLOCKS)

    entries = opened.reader.get(opened.usage).entries

    sent = [bill for path in samples for bill in _summaries(etree.parse(path).getroot())]
    received = [
        bill for entry in entries if entry.kind == "UsageSummary" for bill in _summaries(entry.element)
    ]
    # One of SCE's seven bills is a second one of the same period; the later was taken.
    assert Counter(received) < Counter(sent)
    assert len(received) == len(sent) - 1
    assert _statuses_are_seconds(entries)


def _summaries(root: etree._Element) -> list[tuple[str, ...]]:
    found = root.xpath(".//e:UsageSummary | .//e:ElectricPowerUsageSummary", namespaces=NAMESPACES)
    names = (
        "billingPeriod/e:start",
        "billingPeriod/e:duration",
        "billLastPeriod",
        "costAdditionalLastPeriod",
    )
    names += ("overallConsumptionLastPeriod/e:value", "tariffProfile", "readCycle")
    return [
        (
            *(each.xpath(f"string(e:{name})", namespaces=NAMESPACES) for name in names),
            " ".join(each.xpath("e:costAdditionalDetailLastPeriod/e:amount/text()", namespaces=NAMESPACES)),
        )
        for each in found
    ]


def _statuses_are_seconds(entries: list[Served]) -> bool:
    stamps = [
        int(each.content.findtext("{*}statusTimeStamp")) for each in entries if each.kind == "UsageSummary"
    ]
    return all(stamp < 10**10 for stamp in stamps)
