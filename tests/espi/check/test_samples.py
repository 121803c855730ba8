"""The published samples: told apart, good from bad, for the reasons the page gives."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from espi_server.espi import xsd
from espi_server.espi.atom import ATOM
from espi_server.espi.check import check
from espi_server.espi.checks.rule import Severity
from espi_server.espi.checks.table import PAGE
from espi_server.espi.raw import parser
from tests.espi.check.mutations import NOW

ROW = re.compile(r"^\| `([\w-]+\.xml)` \| (conformant|(\d+) errors?) \|", re.MULTILINE)
ON_THE_PAGE = {name: int(errors or 0) for name, _, errors in ROW.findall(PAGE.read_text("utf-8"))}
# The faults a utility's engineer would name first.
REASONS = {
    "gb-electric-hourly-9days-cost.xml": {"ID-02", "XSD-03", "LINK-15"},
    "gb-electric-daily-45days-cost.xml": {"ID-02", "ATOM-05", "LINK-05", "LINK-09"},
    "gb-electric-three-measurements.xml": {"GRAPH-01", "GRAPH-02", "READ-06", "READ-13", "READ-17"},
    "gba-customer-feed.xml": {"XSD-11", "ID-02"},
    "gba-usage-feed.xml": {"XSD-13", "LINK-13", "LINK-14"},
    "gba-authorization-entry.xml": {"ID-02", "AUTH-04"},
    "gba-application-information-entry.xml": {"ID-02", "AUTH-06"},
    "pge-authorization-entry.xml": {"ID-01", "LINK-03", "TIME-01", "XSD-07"},
    "pge-usage-summaries-feed.xml": {"ID-01", "LINK-03", "LINK-15", "SUM-01", "TIME-01", "LINK-17"},
    "pge-bulk-hourly-2days-dst-end.xml": {"ID-01", "ID-02", "LINK-03"},
    "sce-usage-summary-and-intervals.xml": {
        "TIME-05",
        "ATOM-07",
        "XSD-02",
        "XSD-03",
        "LINK-01",
        "GRAPH-01",
        "CODE-02",
    },
}
SCHEMA = re.compile("XSD-(0[1-9]|1[0-3])")


def judged(folder, name, profile="certification"):
    return check(folder / "samples" / name, profile, now=NOW)


def test_the_page_speaks_of_every_sample(espi_reference):
    assert {path.name for path in (espi_reference / "samples").iterdir()} == ON_THE_PAGE.keys()


@pytest.mark.parametrize("name", ON_THE_PAGE)
def test_a_sample_gets_what_the_page_says(name, espi_reference):
    assert judged(espi_reference, name).number(Severity.ERROR) == ON_THE_PAGE[name]


@pytest.mark.parametrize("name", REASONS)
def test_a_sample_is_refused_for_its_own_reasons(name, espi_reference):
    assert judged(espi_reference, name).counts.keys() >= REASONS[name]


def test_the_one_good_sample_has_no_error(espi_reference):
    verdict = judged(espi_reference, "ameren-electric-15min-1day.xml")

    assert verdict.is_conformant
    assert verdict.counts == {"LINK-16": 1, "GRAPH-08": 3}
    assert (verdict.summary.readings, verdict.summary.kwh) == (96, 57.893)


def test_nothing_is_said_of_the_25_hours_of_the_day_summer_time_ends(espi_reference):
    verdict = judged(espi_reference, "pge-bulk-hourly-2days-dst-end.xml")

    assert not [id for id in verdict.counts if id.startswith("READ")]


def test_a_patient_reader_takes_all_but_three(espi_reference):
    refused = {name for name in ON_THE_PAGE if not judged(espi_reference, name, "lenient").is_conformant}

    assert refused == {
        "gba-usage-feed.xml",
        "pge-authorization-entry.xml",
        "sce-usage-summary-and-intervals.xml",
    }


@pytest.mark.parametrize("name", ON_THE_PAGE)
def test_the_schema_rules_agree_with_the_compiled_schema_on_samples(name, espi_reference):
    tree = etree.parse(espi_reference / "samples" / name, parser())
    refused = any(
        not xsd.validator().validate(item)
        for holder in tree.iter(f"{{{ATOM}}}content")
        for item in holder.iterchildren("*")
    )

    found = judged(espi_reference, name).counts

    assert any(SCHEMA.fullmatch(id) for id in found) == refused
