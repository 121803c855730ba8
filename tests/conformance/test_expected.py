"""A small file goes in, feeds are asked for, and each is the expected file: function block by function block."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from espi_server.db import Database
from tests.conformance.expect import EXPECTED, INPUTS, laid_out, served
from tests.conformance.judges import Judge

PROVES = {
    "electricity-forward-reverse-net": ("FB_04", "FB_05", "FB_07", "FB_08", "FB_12"),
    "demand-and-register": ("FB_06", "FB_09"),
    "gas-water-temperature": ("FB_10", "FB_11", "FB_18", "FB_29"),
    "bill": ("FB_15", "FB_16", "FB_17", "FB_26", "FB_27", "FB_28", "UC3.1"),
    "customer-with-plain-status": ("FB_51", "FB_54", "FB_57", "FB_58"),
}
inputs = [
    pytest.param(source, id=source.stem, marks=pytest.mark.requirement(*PROVES.get(source.stem, ("FB_04",))))
    for source in INPUTS
]


def _canonical(document: bytes) -> bytes:
    root = etree.fromstring(document, etree.XMLParser(remove_blank_text=True))
    return bytes(etree.tostring(root, method="c14n"))


@pytest.mark.parametrize("source", inputs)
def test_feeds_are_the_expected_ones(database: Database, source: Path, ours: Judge) -> None:
    for name, document in served(database, source):
        assert ours.faults(document) == []
        assert laid_out(document).decode() == (EXPECTED / name).read_text("utf-8"), name
        assert _canonical(document) == _canonical((EXPECTED / name).read_bytes())


def test_every_expected_file_is_served(sqlite_url: str) -> None:
    named = {path.name.partition(".")[0] for path in EXPECTED.glob("*.xml")}

    assert named == {source.stem for source in INPUTS} - {"authorization-that-grants-nothing"}
