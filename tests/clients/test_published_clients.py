"""Clients published by others read what we serve: as many readings, the same values, the same starts.

What a client refuses although it is legal is named here and in docs/clients.md; the data are never bent.
"""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from espi_server.db import Database
from espi_server.demo.households import Household
from tests.clients import install
from tests.conformance.expect import INPUTS, served
from tests.conformance.town import ALL_BLOCKS, PLACES, Town, named
from tests.conformance.tree import Tree, number, readings
from tests.copies import Copies, migrated
from tests.energy import stored
from tests.energy.reader import Answer, E

Row = tuple[int, int, int, int | None, int]
Series = dict[str, list[Row]]

REFUSED_BY_GREENBUTTON_OBJECTS = {
    "electricity-forward-reverse-net": "4 is not a valid FlowDirectionType",
    "gas-water-temperature": "46 is not a valid KindType",
    "sce-usage-summary-and-intervals": "19 is not a valid QualityOfReading",
    "pge-bulk-hourly-2days-dst-end": "19 is not a valid QualityOfReading",
}
"""Feeds with codes of ESPI 4.0 that this client's enumerations leave out."""


def sent(document: bytes) -> Series:
    """What we sent, by meter reading: start, duration, value, cost and unit of every reading."""
    tree = Tree(Answer(document, {}))
    return {
        reading.href: sorted(
            _row(each, number(reading_type.content, "uom")) for block in blocks for each in readings(block)
        )
        for reading, reading_type, blocks in tree.chains()
        if blocks
    }


def _row(reading: etree._Element, unit: int) -> Row:
    cost = reading.findtext(f"{E}cost")
    start, duration = (number(reading, f"timePeriod/{name}") for name in ("start", "duration"))
    return start, duration, number(reading, "value"), None if cost is None else int(cost), unit


def with_greenbutton_objects(path: Path) -> Series:
    """What greenbutton-objects finds in a feed."""
    parse = pytest.importorskip("greenbutton_objects.parse", reason="greenbutton-objects is not installed")
    return {
        reading.link_self: sorted(_their_row(each, reading.readingType) for each in reading.intervalReadings)
        for point in parse.parse_feed(str(path))
        for reading in point.meterReadings
        if reading.intervalBlocks
    }


def _their_row(reading: Any, reading_type: Any) -> Row:
    period, power = reading.timePeriod, reading_type.powerOfTenMultiplier
    cost = reading.cost
    return (
        int(period.start.timestamp()),
        int(period.duration.total_seconds()),
        round(reading.value / 10**power),
        None if cost is None else round(cost * 100_000),
        reading_type.uom.value,
    )


def with_green_button_parser(*paths: Path) -> dict[Path, Series]:
    """What @cityssm/green-button-parser finds in feeds, read by the wheel's Node."""
    if not install.is_installed() and (problem := install.install()):
        pytest.skip(f"The npm clients are not here ({problem}); {install.ADVICE}")
    program, _ = install.node()
    done = subprocess.run(
        [program, install.HERE / "read.mjs", *paths], capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(done.stdout)
    return {
        path: {
            href: sorted(tuple(row) for row in rows) for href, rows in found[str(path)]["readings"].items()
        }
        for path in paths
    }


@pytest.fixture(scope="module")
def households(town: Town, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The feed of every household by day and by month, as files."""
    folder, files = tmp_path_factory.mktemp("feeds"), {}
    for place in PLACES:
        household, code = place
        for cut in ("daily", "monthly"):
            opened = town.open(code, household.reference(code), f"{ALL_BLOCKS};BlockDuration={cut}")
            path = folder / f"{named(place)}-{cut}.xml"
            path.write_bytes(opened.reader.get(opened.usage).data)
            files[path.stem] = path
    return files


@pytest.fixture
def samples(copies: Copies, espi_reference: Path, tmp_path: Path) -> Iterator[list[Path]]:
    """Each published usage sample imported by a utility of its own and served again, as files of the same names."""
    # That both kinds of database serve the same bytes is shown elsewhere.
    with copies.of("sqlite", "migrated", migrated, tmp_path) as url:
        database = Database(url)
        yield _served_again(database, espi_reference, tmp_path)
        database.close()


def _served_again(database: Database, espi_reference: Path, folder: Path) -> list[Path]:
    town, files = Town(database), []
    for place, source in enumerate(sorted((espi_reference / "samples").glob("*.xml"))):
        code = f"sample{place}"
        stored.utility(
            database, code, timezone="America/New_York", namespace=uuid.uuid5(uuid.NAMESPACE_URL, code)
        )
        if stored.take(database, source, code=code).readings:
            files.append(folder / source.name)
            opened = town.open(code, None, ALL_BLOCKS)
            files[-1].write_bytes(opened.reader.get(opened.usage).data)
    return files


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path) -> Callable[[Path], Iterator[Path]]:
    """Feeds of a small input of our own, as files."""

    def write(source: Path) -> Iterator[Path]:
        database = Database(sqlite_url)
        for name, document in served(database, source):
            (tmp_path / name).write_bytes(document)
            yield tmp_path / name
        database.close()

    return write


# greenbutton-objects


@pytest.mark.parametrize("place", PLACES, ids=named)
@pytest.mark.parametrize("cut", ["daily", "monthly"])
@pytest.mark.requirement("FB_04", "NH-07")
def test_greenbutton_objects_reads_every_reading_of_a_household(
    households: dict[str, Path], place: tuple[Household, str], cut: str
) -> None:
    path = households[f"{named(place)}-{cut}"]

    found = with_greenbutton_objects(path)

    assert found == sent(path.read_bytes())
    assert sum(map(len, found.values())) > 0


@pytest.mark.requirement("FB_04", "NH-07")
def test_greenbutton_objects_reads_every_reading_of_the_samples(samples: list[Path]) -> None:
    for path in samples:
        _read_or_refused(path, path.stem)


@pytest.mark.parametrize("source", INPUTS, ids=lambda source: source.stem)
@pytest.mark.requirement("FB_04")
def test_greenbutton_objects_reads_our_small_inputs_but_for_the_codes_it_does_not_know(
    small: Callable[[Path], Iterator[Path]], source: Path
) -> None:
    for path in small(source):
        _read_or_refused(path, source.stem)


def _read_or_refused(path: Path, source: str) -> None:
    series, refused = sent(path.read_bytes()), REFUSED_BY_GREENBUTTON_OBJECTS.get(source)
    if refused and series:
        with pytest.raises(ValueError, match=re.escape(refused)):
            with_greenbutton_objects(path)
    else:
        assert with_greenbutton_objects(path) == series, path.name


# @cityssm/green-button-parser


@pytest.mark.requirement("FB_04", "NH-07")
def test_green_button_parser_reads_every_reading_of_every_household(households: dict[str, Path]) -> None:
    found = with_green_button_parser(*households.values())

    for name, path in households.items():
        assert found[path] == sent(path.read_bytes()), name


@pytest.mark.requirement("FB_04", "NH-07")
def test_green_button_parser_reads_every_reading_of_the_samples(samples: list[Path]) -> None:
    found = with_green_button_parser(*samples)

    for path in samples:
        assert found[path] == sent(path.read_bytes()), path.name
    assert sum(len(rows) for series in found.values() for rows in series.values()) == 473


@pytest.mark.parametrize("source", INPUTS, ids=lambda source: source.stem)
@pytest.mark.requirement("FB_04")
def test_green_button_parser_reads_our_small_inputs_whatever_their_codes(
    small: Callable[[Path], Iterator[Path]], source: Path
) -> None:
    paths = list(small(source))

    for path, found in with_green_button_parser(*paths).items():
        assert found == sent(path.read_bytes()), path.name


# What travels with the project


def test_the_lock_names_no_registry() -> None:
    lock = (install.HERE / "package-lock.json").read_text()

    assert "://" not in lock
    assert "resolved" not in lock


def test_installing_again_is_quick_and_changes_nothing() -> None:
    if not install.is_installed():
        pytest.skip(f"The npm clients are not here; {install.ADVICE}")
    before = install.STAMP.stat().st_mtime_ns

    install.main()

    assert install.STAMP.stat().st_mtime_ns == before
