"""Our own sample files carry the oddities of real ones, and come in on every clone."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from espi_server.db import Database
from espi_server.energy.models import IntervalBlock, Kind
from tests.energy import stored

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "greenbutton"

EXPECTED = {
    # readings, errors, ignored, unknown, a word of what was told
    "hourly-25-hour-day.xml": (49, 0, 0, 0, "currency was missing"),
    "daily-many-blocks-in-one-entry.xml": (45, 0, 0, 0, "ElectricPowerUsageSummary became UsageSummary"),
    "bills-in-milliseconds.xml": (0, 0, 0, 0, "milliseconds"),
    "elements-nobody-knows.xml": (3, 0, 0, 2, "different ReadingType entries have the self link"),
    "nested-reading-type-and-gaps.xml": (5, 0, 0, 1, "the ReadingType inside it was taken"),
    "customer-with-plain-status.xml": (0, 0, 0, 0, "was plain text"),
    "authorization-that-grants-nothing.xml": (0, 0, 1, 0, "a file grants nothing"),
    "readings.csv": (48, 0, 0, 0, "ServiceCategory was missing"),
    "agreements.csv": (0, 0, 0, 0, ""),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_comes_in_and_says_what_was_odd(database: Database, name: str) -> None:
    stored.utility(database)
    readings, errors, ignored, unknown, words = EXPECTED[name]

    report = stored.take(database, SAMPLES / name)

    assert (report.readings, report.failed, report.ignored, report.unknown) == (
        readings,
        errors,
        ignored,
        unknown,
    )
    assert words in str(report)


def test_all_samples_together_are_stored_valid_and_with_every_reading(database: Database) -> None:
    stored.utility(database)
    schemas = {
        name: etree.XMLSchema(etree.parse(ROOT / "schemas" / f"{name}.xsd")) for name in ("espi", "customer")
    }

    report = stored.take(database, *sorted(SAMPLES.iterdir()))
    again = stored.take(database, *sorted(SAMPLES.iterdir()))

    assert report.errors == []
    assert sum(row["count"] for row in stored.every(database, IntervalBlock)) == 49 + 45 + 3 + 5 + 48
    for row in stored.resources(database):
        schema = schemas["customer" if row["kind"] >= Kind.Customer else "espi"]
        assert schema.validate(etree.fromstring(row["xml"])), schema.error_log
    assert (again.created, again.changed) == (0, 0)


def test_every_sample_is_expected() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == EXPECTED.keys()
