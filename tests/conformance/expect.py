"""What we serve of small files of our own, to be laid beside `expected/`.

python -m tests.conformance.expect     # write the expected files anew; read the difference before you commit it
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from lxml import etree

from espi_server import clock, migrate
from espi_server.accounts.models import Customer
from espi_server.db import Database
from espi_server.energy.models import Kind
from tests.conformance.town import ALL_BLOCKS, Town
from tests.energy import stored

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "samples" / "greenbutton"
INPUTS = [*sorted((HERE / "inputs").glob("*.xml")), *sorted(SAMPLES.glob("*.xml"))]
EXPECTED = HERE / "expected"
NOW = 1_795_000_000  # 18 November 2026
STANDS_FOR = b"5b5c0de0-0000-4000-8000-000000000000"
SCOPES = {
    "daily": ALL_BLOCKS,
    "monthly": f"{ALL_BLOCKS};BlockDuration=monthly",
    "usage": "FB=4_5_6_7_8_9_10_11_15_17;HistoryLength=1700000",
    "summed": "FB=4_5_10;IntervalDuration=7200;BlockDuration=monthly",
    "rin": "AdditionalScope=RIN",
}

_FEED_ID = re.compile(rb"(<feed [^>]*><id>urn:uuid:)[0-9a-f-]{36}")


def served(database: Database, source: Path) -> Iterator[tuple[str, bytes]]:
    """Every feed of one input: a name, and the document with the subscription's random id replaced."""
    with mock.patch.object(clock, "seconds", return_value=NOW):
        stored.utility(database, "north")
        report = stored.take(database, source)
        assert not report.errors
        town = Town(database)
        # Of the samples one form is enough: what is odd about them has been put right by then.
        scopes = ["monthly"] if source.parent == SAMPLES else list(SCOPES)
        yield from _usage(town, source.stem, scopes)
        yield from _people(town, source.stem)


def _usage(town: Town, stem: str, names: list[str]) -> Iterator[tuple[str, bytes]]:
    if not stored.resources(town.database, Kind.UsagePoint):
        return
    for name in names:
        opened = town.open("north", None, SCOPES[name])
        subscription = opened.usage.rpartition("/")[2]
        document = opened.reader.feed(opened.usage).data.replace(subscription.encode(), STANDS_FOR)
        # The feed's own id follows from its address, in which the subscription's stands.
        yield f"{stem}.{name}.xml", _FEED_ID.sub(rb"\g<1>" + STANDS_FOR, document, count=1)


def _people(town: Town, stem: str) -> Iterator[tuple[str, bytes]]:
    custodian = town.machine("north", "custodian")
    for row in stored.every(town.database, Customer):
        href = f"http://localhost/north/espi/1_1/resource/Batch/RetailCustomer/{row['id']}"
        yield f"{stem}.customer.xml", custodian.feed(href).data


def laid_out(document: bytes) -> bytes:
    """The document with a line for each element, so that a difference can be read."""
    root = etree.fromstring(document, etree.XMLParser(remove_blank_text=True))
    etree.indent(root)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8")) + b"\n"


def main() -> None:
    for old in EXPECTED.glob("*.xml"):
        old.unlink()
    for source in INPUTS:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/expect.sqlite"
            migrate.upgrade(url)
            database = Database(url)
            for name, document in served(database, source):
                (EXPECTED / name).write_bytes(laid_out(document))
            database.close()


if __name__ == "__main__":
    main()
