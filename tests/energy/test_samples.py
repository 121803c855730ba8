"""The published sample files: all of them come in with every reading, and what is stored of them is valid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from espi_server.db import Database
from espi_server.energy.models import IntervalBlock, Kind
from espi_server.espi.readings import MISSING, unpack
from tests.energy import stored

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
NAMES = (
    "ameren-electric-15min-1day", "gb-electric-daily-45days-cost", "gb-electric-hourly-9days-cost",
    "gb-electric-three-measurements", "gb-gas-monthly-13months", "gb-water-monthly",
    "gba-application-information-entry", "gba-authorization-entry", "gba-customer-feed", "gba-usage-feed",
    "pge-authorization-entry", "pge-bulk-hourly-2days-dst-end", "pge-retail-customer-feed",
    "pge-usage-summaries-feed", "sce-usage-summary-and-intervals",
)  # fmt: skip


def _readings_in(path: Path) -> Counter[tuple[int, ...]]:
    """Start, duration, value and cost of every reading of a file, read with XPath alone."""
    found: Counter[tuple[int, ...]] = Counter()
    for reading in etree.parse(path).iterfind(".//{http://naesb.org/espi}IntervalReading"):
        texts = [
            reading.findtext(f"{{*}}{name}")
            for name in ("timePeriod/{*}start", "timePeriod/{*}duration", "value", "cost")
        ]
        found[tuple(MISSING if text is None else int(text) for text in texts)] += 1
    return found


def _readings_stored(database: Database) -> Counter[tuple[int, ...]]:
    found: Counter[tuple[int, ...]] = Counter()
    for row in stored.every(database, IntervalBlock):
        readings = unpack(row["encoding"], row["packed"], row["extra"])
        columns = (readings.cells(name).tolist() for name in ("start", "duration", "value", "cost"))
        found.update(zip(*columns, strict=True))
    return found


@pytest.fixture
def samples(espi_reference: Path) -> Path:
    return espi_reference / "samples"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.requirement("FB_04")
def test_every_reading_of_a_published_sample_arrives(database: Database, samples: Path, name: str) -> None:
    stored.utility(database, timezone="America/New_York")
    path = samples / f"{name}.xml"

    report = stored.take(database, path)

    assert report.errors == []
    assert report.exit_code == 0
    assert _readings_stored(database) == _readings_in(path)
    assert report.readings == _readings_in(path).total()
    assert report.entries == max(1, len(etree.parse(path).findall("{http://www.w3.org/2005/Atom}entry")))


def test_all_published_samples_arrive_with_one_command(database: Database, samples: Path) -> None:
    stored.utility(database, timezone="America/New_York")
    paths = sorted(samples.glob("*.xml"))

    report = stored.take(database, *paths)

    expected = sum((_readings_in(path) for path in paths), Counter())
    assert report.errors == []
    assert report.files == 15
    assert report.ignored == 3
    assert _readings_stored(database) == expected


def test_importing_all_samples_again_changes_no_byte(database: Database, samples: Path) -> None:
    stored.utility(database)
    paths = sorted(samples.glob("*.xml"))
    stored.take(database, *paths)
    before = stored.state(database)

    report = stored.take(database, *paths)

    assert (report.created, report.changed) == (0, 0)
    assert stored.state(database) == before


def _schemas() -> Iterator[tuple[str, etree.XMLSchema]]:
    for name in ("espi", "customer"):
        yield name, etree.XMLSchema(etree.parse(SCHEMAS / f"{name}.xsd"))


def test_what_is_stored_of_the_samples_is_valid(sqlite_url: str, samples: Path) -> None:
    database = Database(sqlite_url)
    stored.utility(database)
    stored.take(database, *sorted(samples.glob("*.xml")))
    schemas = dict(_schemas())

    found = stored.resources(database)

    for row in found:
        schema = schemas["customer" if row["kind"] >= Kind.Customer else "espi"]
        assert schema.validate(etree.fromstring(row["xml"])), (row["xml"], schema.error_log)
    assert len(found) == 60
    database.close()


def test_what_the_schema_does_not_know_is_kept_aside_and_counted(sqlite_url: str, samples: Path) -> None:
    database = Database(sqlite_url)
    stored.utility(database)

    report = stored.take(database, samples / "sce-usage-summary-and-intervals.xml")

    [point] = stored.resources(database, Kind.UsagePoint)
    assert report.unknown == 3
    assert b"pricingNode" not in point["xml"]
    assert "GOLETA_6_N200" in point["aside"]["xml"]
    database.close()


def test_reading_types_that_share_a_self_link_go_to_their_meter_readings_in_pairs(
    sqlite_url: str, samples: Path
) -> None:
    database = Database(sqlite_url)
    stored.utility(database)

    stored.take(database, samples / "gb-electric-three-measurements.xml")

    types = {row["id"]: row["content"] for row in stored.resources(database, Kind.ReadingType)}
    units = {
        row["source_self"].rpartition("/")[2]: types[row["reference_id"]]["uom"]
        for row in stored.resources(database, Kind.MeterReading)
    }
    assert units == {"1": 72, "2": 72, "3": 38}
    database.close()
