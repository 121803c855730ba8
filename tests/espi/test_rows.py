"""Rows of a table: exact numbers, times that cannot be mistaken, and no formulas."""

import csv
import io
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from espi_server.espi import rows
from espi_server.espi.atom import ATOM, read_feed
from espi_server.espi.codes import Currency, FlowDirectionKind, QualityOfReading, UnitSymbolKind
from espi_server.espi.content import ESPI
from espi_server.espi.rows import BillRows, ReadingRows
from espi_server.espi.usage import ReadingType, UsageSummary
from tests.espi.test_roundtrip import instances

ROOT = Path(__file__).resolve().parents[2]
ZONE = ZoneInfo("America/Los_Angeles")
BASE = "https://dc.example.org/espi/1_1/resource"
HERE = f"{BASE}/Subscription/s1/UsagePoint/u1"


def entry(href, content, related=""):
    link = f'<link rel="related" href="{related}"/>' if related else ""
    return f'<entry><link rel="self" href="{href}"/>{link}<content>{content}</content></entry>'


def table(made, *entries):
    """The rows as a client reads them, by column."""
    feed = read_feed(etree.fromstring(f'<feed xmlns="{ATOM}">{"".join(entries)}</feed>'))
    found = [row for each in feed.entries for row in made.rows(each) or ()]
    text = rows.lines([made.columns, *found])
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def series(reading_type, *readings):
    """A meter reading of this type with one block."""
    inside = "".join(
        f"<IntervalReading>{before}<timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"
        f"<value>{value}</value></IntervalReading>"
        for start, duration, value, before in readings
    )
    return (
        entry(f"{BASE}/ReadingType/r1", reading_type.write().decode()),
        entry(f"{HERE}/MeterReading/m1", f'<MeterReading xmlns="{ESPI}"/>', f"{BASE}/ReadingType/r1"),
        entry(
            f"{HERE}/MeterReading/m1/IntervalBlock/b1",
            f'<IntervalBlock xmlns="{ESPI}">{inside}</IntervalBlock>',
        ),
    )


def electricity(**more):
    given = {"uom": UnitSymbolKind(72), "flow_direction": FlowDirectionKind(1), "currency": Currency.USD}
    return ReadingType(**given | more)


# Cells


@pytest.mark.parametrize(
    ("value", "power", "expected"),
    [
        (1234, 0, "1234"),
        (1234, -3, "1.234"),
        (-5, -3, "-0.005"),
        (7, 3, "7000"),
        (0, -5, "0.00000"),
        (140_737_488_355_327, -12, "140.737488355327"),
        (12, 99, "12E99"),
        (12, 30_000, "12E30000"),
        (None, -3, ""),
    ],
)
def test_a_number_has_every_digit_and_no_other(value, power, expected):
    assert rows.number(value, power) == expected


@given(st.integers(-(2**47), 2**47), st.integers(-40, 40))
def test_a_number_is_exact(value, power):
    assert Decimal(rows.number(value, power)) == Decimal(value).scaleb(power)


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_is_no_formula(formula):
    summary = UsageSummary(status_time_stamp=0, tariff_profile=formula, read_cycle="E-19 = plain")

    [row] = table(BillRows(ZONE), entry(f"{HERE}/UsageSummary/z1", summary.write().decode()))

    # What the parser makes of the blanks in XML is not a matter of tables.
    assert row["tariff_profile"] == "'" + formula
    assert row["read_cycle"] == "E-19 = plain"


def test_a_negative_number_is_no_formula():
    [row] = table(ReadingRows(ZONE), *series(electricity(), (0, 900, -7, "<cost>-5</cost>")))

    assert (row["value"], row["cost"]) == ("-7", "-0.00005")


def test_a_code_without_a_word_stands_as_it_is():
    assert rows.word(QualityOfReading, 17) == "validated"
    assert rows.word(QualityOfReading, 8) == "estimated using reference day"
    assert rows.word(QualityOfReading, 77) == "77"
    assert rows.word(UnitSymbolKind, 72) == "Wh"
    assert rows.word(Currency, 840) == "USD"
    assert rows.word(Currency, None) == ""


@pytest.mark.parametrize("seconds", [2**62, -(2**62), 10**15])
def test_a_time_beyond_all_calendars_stays_a_number(seconds):
    assert rows.utc(seconds) == rows.local(seconds, ZONE) == str(seconds)


# Readings


def test_a_row_says_all_there_is_about_a_reading():
    before = "<cost>4200</cost><ReadingQuality><quality>8</quality></ReadingQuality>"
    reading_type = electricity(power_of_ten_multiplier=-3)

    [row] = table(ReadingRows(ZONE), *series(reading_type, (1_793_516_400, 900, 1500, before)))

    assert row == {
        "usage_point": "u1",
        "start": "2026-11-01T07:00:00Z",
        "local_start": "2026-11-01T00:00:00-07:00",
        "duration": "900",
        "value": "1.500",
        "unit": "Wh",
        "flow": "delivered",
        "commodity": "",
        "quality": "estimated using reference day",
        "cost": "0.04200",
        "currency": "USD",
        "tou": "",
        "consumption_tier": "",
        "cpp": "",
        "meter_reading": "m1",
        "subscription": "s1",
    }


def test_the_doubled_hour_is_two_hours():
    first = int(datetime(2026, 11, 1, 1, tzinfo=ZONE).timestamp())

    found = table(
        ReadingRows(ZONE), *series(electricity(), (first, 3600, 1, ""), (first + 3600, 3600, 2, ""))
    )

    assert [row["local_start"] for row in found] == ["2026-11-01T01:00:00-07:00", "2026-11-01T01:00:00-08:00"]


def test_no_currency_stands_where_no_cost_does():
    found = table(ReadingRows(ZONE), *series(electricity(), (0, 900, 1, ""), (900, 900, 1, "<cost>0</cost>")))

    assert [(row["cost"], row["currency"]) for row in found] == [("", ""), ("0.00000", "USD")]


def test_a_reading_without_quality_has_that_of_its_type_and_one_with_several_all():
    both = "".join(f"<ReadingQuality><quality>{code}</quality></ReadingQuality>" for code in (17, 7))
    reading_type = electricity(default_quality=QualityOfReading.RAW)

    found = table(ReadingRows(ZONE), *series(reading_type, (0, 900, 1, ""), (900, 900, 1, both)))

    assert [row["quality"] for row in found] == ["raw", "validated; manually edited"]


def test_samples_add_up_to_what_their_elements_say():
    for path in sorted((ROOT / "samples" / "households").rglob("*.xml")):
        root = etree.parse(path).getroot()
        made = ReadingRows(ZONE)

        found = [row for each in read_feed(root).entries for row in made.rows(each) or ()]

        values = [
            int(each.text) for each in root.iter(f"{{{ESPI}}}value") if "Reading" in each.getparent().tag
        ]
        powers = {int(each.text) for each in root.iter(f"{{{ESPI}}}powerOfTenMultiplier")}
        if len(powers) == 1:
            total = sum(Decimal(row[made.columns.index("value")]) for row in found)
            assert total == Decimal(sum(values)).scaleb(powers.pop()), path.name


# Bills


@given(data=st.data())
def test_every_element_of_a_bill_but_its_lists_is_in_its_row(data):
    summary = data.draw(instances(UsageSummary))

    [row] = table(BillRows(ZONE), entry(f"{HERE}/UsageSummary/z1", summary.write().decode()))

    told = {
        field.attribute
        for field in UsageSummary.fields
        if getattr(summary, field.attribute) not in (None, [])
    }
    told -= {"extension", "batch_item_info", "cost_additional_detail_last_period", "tariff_rider_refs"}
    for attribute in told - {"billing_period", "ratchet_demand_period", "billing_charge_source"}:
        value = getattr(summary, attribute)
        if hasattr(value, "uom"):
            assert (row[attribute] == "") == (value.value is None)
        else:
            assert row[attribute] or value == ""
    assert (row["usage_point"], row["usage_summary"], row["subscription"]) == ("u1", "z1", "s1")
    if summary.billing_period:
        assert row["duration"] == str(summary.billing_period.duration)
    if summary.bill_last_period is not None:
        assert Decimal(row["bill_last_period"]) == Decimal(summary.bill_last_period).scaleb(-5)
