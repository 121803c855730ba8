"""What a month comes to is what the rows of the company's own table come to, however its readings are written."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from espi_server.access.seen import Series, added_up
from espi_server.espi.atom import ATOM, read_feed
from espi_server.espi.codes import FlowDirectionKind, QualityOfReading, UnitSymbolKind
from espi_server.espi.content import ESPI
from espi_server.espi.rows import ReadingRows
from espi_server.espi.usage import ReadingType

ZONE = ZoneInfo("America/Los_Angeles")
BASE = "https://dc.example.org/espi/1_1/resource"
GUESSED = "<ReadingQuality><quality>8</quality></ReadingQuality>"
PRICED = f"<cost>12</cost>{GUESSED}"
NOVEMBER = int(datetime(2026, 11, 1, tzinfo=ZONE).timestamp())  # its first day has 25 hours


def reading(start: int, value: int, before: str = "", after: str = "") -> str:
    period = f"<timePeriod><duration>3600</duration><start>{start}</start></timePeriod>"
    return f"<IntervalReading>{before}{period}<value>{value}</value>{after}</IntervalReading>"


def untimed(start: int, value: int) -> str:
    return f"<IntervalReading><value>{value}</value></IntervalReading>"


def entry(href: str, content: str, related: str = "") -> bytes:
    link = f'<link rel="related" href="{related}"/>' if related else ""
    return f'<entry><link rel="self" href="{href}"/>{link}<content>{content}</content></entry>'.encode()


def feed(*days: list[str], uom: int = 72, power: int = -1) -> list[bytes]:
    """A series with a block for each of these days."""
    kind = ReadingType(
        uom=UnitSymbolKind(uom), flow_direction=FlowDirectionKind.FORWARD, interval_length=3600,
        power_of_ten_multiplier=power, default_quality=QualityOfReading(17),
    )  # fmt: skip
    here = f"{BASE}/Subscription/s/UsagePoint/u/MeterReading/m"
    told = [
        entry(f"{BASE}/ReadingType/r", kind.write().decode()),
        entry(here, f'<MeterReading xmlns="{ESPI}"/>', f"{BASE}/ReadingType/r"),
    ]
    for number, readings in enumerate(days):
        begin = f"<interval><duration>86400</duration><start>{NOVEMBER + number * 86_400}</start></interval>"
        block = f'<IntervalBlock xmlns="{ESPI}">{begin}{"".join(readings)}</IntervalBlock>'
        told.append(entry(f"{here}/IntervalBlock/b{number}", block))
    return told


def by_rows(documents: list[bytes], month: str) -> Series:
    """The same from the rows, one after another."""
    table, found = ReadingRows(ZONE), Series("u", "delivered", "")
    for each in read_feed(
        etree.fromstring(f'<feed xmlns="{ATOM}">{b"".join(documents).decode()}</feed>')
    ).entries:
        for row in table.rows(each) or ():
            said = dict(zip(table.columns, row, strict=True))
            if said["local_start"].startswith(month):
                day = said["local_start"][:10]
                found.readings += 1
                found.days[day] = found.days.get(day, Decimal()) + Decimal(said["value"] or 0) / 1000
                found.cost = (found.cost or Decimal()) + Decimal(said["cost"]) if said["cost"] else found.cost
                if "estimated" in said["quality"]:
                    found.guessed.add(day)
    return found


def hours(day: int, **more: str) -> list[str]:
    return [reading(NOVEMBER + day * 86_400 + hour * 3600, 7 * hour - 30, **more) for hour in range(24)]


@pytest.mark.requirement("UC2.2", "F-DATA")
@pytest.mark.parametrize(
    "days",
    [
        pytest.param([hours(-1), hours(0), hours(1), hours(2)], id="alike, from the month before"),
        pytest.param([hours(0, before=PRICED), hours(1, before=PRICED)], id="costs"),
        pytest.param([hours(0), hours(1, before=GUESSED), hours(2)], id="one day guessed"),
        pytest.param([hours(0), [*hours(1), reading(NOVEMBER, 5)]], id="a start that comes twice"),
        pytest.param([hours(0), [untimed(0, 3), untimed(0, 4)]], id="one without times"),
        pytest.param([[reading(NOVEMBER, 2**47)] , hours(1, after="<tou>2</tou>")], id="large, and with a time of use"),
        pytest.param([[], hours(1)], id="an empty block"),
    ],
)  # fmt: skip
def test_a_month_comes_to_what_its_rows_come_to(days: list[list[str]]) -> None:
    documents = feed(*days)

    [found] = added_up(documents, ZONE, "2026-11")

    expected = by_rows(documents, "2026-11")
    assert found == Series(
        "u", "delivered", "kWh", expected.days, expected.guessed, expected.readings, expected.cost
    )
    assert list(found.days) == sorted(found.days)


def test_a_mean_power_is_counted_and_not_added_up() -> None:
    [found] = added_up(feed(hours(0), uom=38), ZONE, "2026-11")

    assert (found.unit, found.days, found.readings) == ("W", {}, 24)
