"""Atom unless something else is named: what `Accept` and `?format=` ask for."""

from __future__ import annotations

import pytest

from espi_server.espi.paths import PATTERNS, SST_KINDS
from espi_server.espi.query import BadParameter
from espi_server.web.negotiation import Representation, chosen, offered, preferred

ATOM, JSON, CSV = Representation.ATOM, Representation.JSON, Representation.CSV
OURS = "application/vnd.espi+json"
FEED = next(each for each in PATTERNS if each.name == "batch_subscription_feed")
PLAIN = next(each for each in PATTERNS if each.name == "authorization_entry")


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/xml",
        "text/xml",
        "application/atom+xml",
        "application/json",
        "application/json, text/plain, */*",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "application/pdf",
        "application/*",
        "text/*",
        "nonsense",
        ",;q=,,",
        f"application/atom+xml, {OURS}",
        f"{OURS};q=0",
        f"{OURS};q=0.4, application/atom+xml;q=0.5",
        f"{OURS};q=0.4, */*",
        "text/csv;q=0",
    ],
)
def test_atom_is_what_comes(accept: str) -> None:
    assert chosen(FEED, "", accept) is ATOM


@pytest.mark.parametrize(
    "accept",
    [
        OURS,
        OURS.upper(),
        f"{OURS};version=1",
        f"{OURS}, */*",
        f"{OURS}, application/atom+xml",
        f"application/atom+xml;q=0.5, {OURS};q=0.6",
        f"application/xml;q=0, {OURS};q=0.1",
        f"text/html, {OURS};q=0.5",
        f"text/csv;q=0.8, {OURS};q=0.9, */*;q=0.1",
    ],
)
def test_json_comes_to_who_names_it(accept: str) -> None:
    assert chosen(FEED, "", accept) is JSON
    assert chosen(PLAIN, "", accept) is JSON


@pytest.mark.parametrize(
    "accept", ["text/csv", "text/csv; header=present", f"text/csv, {OURS}", "text/csv, */*"]
)
def test_a_table_comes_to_who_names_it_where_there_is_one(accept: str) -> None:
    assert chosen(FEED, "", accept) is CSV
    assert chosen(PLAIN, "", accept) is not CSV


def test_a_format_goes_before_accept() -> None:
    assert chosen(FEED, "json", "text/csv") is JSON
    assert chosen(FEED, "csv", OURS) is CSV
    assert chosen(FEED, "xml", OURS) is chosen(FEED, "atom", OURS) is ATOM


def test_a_table_that_is_not_offered_is_refused_by_name() -> None:
    with pytest.raises(BadParameter, match=r"format.*'csv'.*xml, atom or json"):
        chosen(PLAIN, "csv", "")


def test_tables_are_offered_of_readings_and_bills() -> None:
    with_table = {each.kind for each in PATTERNS if CSV in offered(each)}

    assert with_table == {
        "Subscription",
        "Bulk",
        "UsagePoint",
        "MeterReading",
        "IntervalBlock",
        "UsageSummary",
    }
    assert all({ATOM, JSON} <= offered(each) for each in PATTERNS if each.kind not in SST_KINDS)


def test_a_header_is_read_once() -> None:
    preferred.cache_clear()
    for _ in range(5):
        preferred("text/csv, */*;q=0.1")

    assert preferred.cache_info().misses == 1
