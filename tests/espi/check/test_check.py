"""What the answer holds besides findings: editions, blocks, a summary; and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import random
from copy import deepcopy

import pytest
from lxml import etree

from espi_server.espi import editions, xsd
from espi_server.espi.atom import ATOM
from espi_server.espi.check import check
from espi_server.espi.checks.rule import RULES, Profile
from espi_server.espi.verdict import Summary
from tests.espi.check.mutations import FILES, MUTATIONS, NOW

USAGE = (FILES / "usage.xml").read_text("utf-8")
CUSTOMER = (FILES / "customer.xml").read_text("utf-8")
XSI = "http://www.w3.org/2001/XMLSchema-instance"
DERIVED = f'xmlns:xsi="{XSI}" xsi:schemaLocation="http://naesb.org/espi espiDerived.xsd"'
ODD = ("", "x", "0", "-1", "9" * 19, "-" + "9" * 17, "1793430000000", "FFFFFFFF", "0000-00-00T00:00:00Z",
       "9999-12-31T23:59:59-12:00", "urn:uuid:", "https://[::1", "a b", "253402300799", "140737488355328")  # fmt: skip
SCHEMA = {f"XSD-{number:02}" for number in range(1, 14)} | {"DOC-03"}


def judged(text, *arguments, **how):
    return check(io.BytesIO(text if isinstance(text, bytes) else text.encode()), *arguments, now=NOW, **how)


# What was read


def test_the_summary_says_what_was_read():
    summary = judged(USAGE).summary

    assert (summary.usage_points, summary.readings, summary.summaries) == (1, 53, 2)
    assert (summary.start, summary.end) == (1_793_430_000, 1_793_606_400)
    assert summary.kwh == pytest.approx(19.599)
    assert sum(value for _, value in summary.series()) == pytest.approx(19.599)


def test_what_flows_back_is_told_apart():
    assert judged(USAGE).summary.totals == {(72, 1): 19_599.0, (72, 19): 10_100.0}


def test_a_long_history_is_a_chart_of_at_most_four_hundred_bars():
    summary = Summary(days_a_bar=1)
    summary.bars.update(dict.fromkeys(range(1000), 1.0))
    summary.fold()

    assert len(summary.series()) <= 400
    assert sum(value for _, value in summary.series()) == 1_000


def test_the_function_blocks_a_document_shows_are_named():
    assert judged(USAGE).blocks == (4, 5, 8, 9, 12, 15, 16, 17, 26, 27, 28)
    assert judged(CUSTOMER).blocks == (54, 56, 57, 58, 59, 60, 61, 62, 71)


def test_a_scope_inside_a_document_claims_blocks_for_its_data():
    consent = (FILES / "consent.xml").read_text("utf-8")
    data = USAGE[USAGE.index("  <entry>") :]
    with_gas = consent.replace("FB=1_3_4_5_15", "FB=1_3_4_5_10_15").replace("</feed>\n", data)

    assert judged(consent.replace("FB=1_3_4_5_15", "FB=1_3_10")).is_conformant
    assert "FB-10" in judged(with_gas).counts


# Editions and profiles


@pytest.mark.parametrize(("name", "wrong"), [("4.0", False), ("3.3", True), ("0.7", True), ("sst", False)])
def test_a_statement_came_with_edition_4(name, wrong):
    verdict = judged(CUSTOMER, "sst" if name == "sst" else "certification", name)

    assert ("XSD-01" in verdict.counts) == wrong


def test_the_derived_edition_is_recognised_and_asks_no_types_of_links():
    old = USAGE.replace("<feed ", f"<feed {DERIVED} ").replace(' type="espi-', ' class="espi-')

    verdict = judged(old)

    assert verdict.edition is editions.DERIVED
    assert verdict.is_detected
    assert "LINK-03" not in verdict.counts
    assert "LINK-03" in judged(old, edition="4.0").counts


def test_the_derived_edition_asks_for_both_scope_selection_screens():
    consent = (FILES / "consent.xml").read_text("utf-8")

    verdict = judged(consent, edition="0.7")

    assert verdict.counts["XSD-06"] == 2


def test_elements_that_came_later_are_not_in_the_derived_edition():
    verdict = judged(CUSTOMER, edition="0.7")

    assert verdict.counts["XSD-02"] == 3  # customerName, accountId, agreementId


def test_a_rin_is_an_error_to_the_standard_and_none_to_the_tool():
    statewide = (FILES / "statewide.xml").read_text("utf-8")

    assert judged(statewide).counts == {"SST-01": 2}
    assert judged(statewide, "sst").is_conformant


def test_the_lenient_are_never_stricter():
    order = ["error", "warning", "advice"]

    assert all(
        order.index(rule.severity_in(Profile.LENIENT)) >= order.index(rule.severity)
        for rule in RULES.values()
    )


@pytest.mark.parametrize("id", sorted(MUTATIONS))
def test_the_schema_rules_agree_with_the_compiled_schema(id):
    """Both ways: what the schema refuses has a finding, and what has one the schema refuses."""
    mutation = MUTATIONS[id]
    if id in ("DOC-01", "DOC-02"):
        return
    tree = etree.fromstring(mutation.bad.encode())
    refused = any(
        not xsd.validator().validate(item) for holder in tree.iter(f"{{{ATOM}}}content") for item in holder
    )

    verdict = judged(mutation.bad, mutation.profile, mutation.edition)

    assert bool(SCHEMA & verdict.counts.keys()) == refused


# What is refused


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b'{"feed": []}', "JSON"),
        (b"PK\x03\x04....", "zip"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b'<!DOCTYPE feed [<!ENTITY a "b">]><feed>&a;</feed>', "DOCTYPE"),
        (USAGE[: USAGE.index("</content>")].encode(), "ends in the middle"),
        (gzip.compress(USAGE.encode(), mtime=0)[:2_000], "cut off"),
        (b'<?xml version="1.0" encoding="UTF-7"?><feed/>', "UTF-7"),
        (USAGE.replace("<title></title>", "<a>" * 200 + "</a>" * 200, 1).encode(), "deep"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_a_sentence(data, words):
    verdict = judged(data)

    assert words in verdict.refused
    assert verdict.exit_code == 3
    assert "DOC-01" in verdict.counts
    assert not verdict.is_conformant


def test_what_stood_before_a_break_is_still_judged():
    broken = USAGE.replace("-28800", "-8").replace("</feed>", "")

    verdict = judged(broken)

    assert {"DOC-01", "TIME-08"} <= verdict.counts.keys()


def test_gzip_and_utf_16_are_read():
    assert judged(gzip.compress(USAGE.encode())).is_conformant
    assert judged(USAGE.replace("UTF-8", "UTF-16").encode("utf-16")).counts == {"DOC-05": 1}


def test_other_xml_is_no_green_button_file():
    verdict = judged('<note xmlns="urn:x"><to>you</to></note>')

    assert verdict.counts.keys() == {"DOC-02"}


def test_a_resource_alone_is_judged_by_what_it_holds():
    alone = '<espi:ServiceStatus xmlns:espi="http://naesb.org/espi"><espi:currentStatus>up</espi:currentStatus></espi:ServiceStatus>'

    verdict = judged(alone)

    assert verdict.counts.keys() == {"XSD-07"}


def without_entries(kind, href=""):
    entries = USAGE.split("  <entry>")
    return "  <entry>".join(
        each for each in entries if f"<espi:{kind}" not in each or "<feed" in each
    ).replace("Batch/Subscription/s7", f"Batch/Subscription/s7{href}")


@pytest.mark.requirement("FB_04")
@pytest.mark.parametrize(
    ("parent", "child"), [("MeterReading", "IntervalBlock"), ("UsagePoint", "MeterReading")]
)
@pytest.mark.parametrize("query", ["", "?published-min=2026-10-01T00:00:00Z"])
def test_children_of_whom_no_parent_is_there_are_told_once(parent, child, query):
    orphans = [each for each in judged(without_entries(parent, query)).findings if each.rule == "GRAPH-02"]

    assert f"The document has {child} entries, and no {parent}" in orphans[0].message
    assert len({each.message for each in orphans}) == len(orphans)


@pytest.mark.parametrize("query", ["?updated-min=2026-11-01T00:00:00Z", "?max-results=5&amp;start-index=9"])
def test_a_part_of_a_feed_need_not_hold_the_parents(query):
    assert "GRAPH-02" not in judged(without_entries("MeterReading", query)).counts


def test_findings_of_one_rule_are_kept_a_hundred_and_counted_all():
    text = USAGE.replace("</feed>", "<espi:BatchList/>" * 300 + "</feed>")

    verdict = judged(text)

    assert verdict.counts["DOC-07"] == 300
    assert len(verdict.findings) == 100


@pytest.mark.parametrize("field", ["value", "start", "duration", "cost", "quality", "tou"])
@pytest.mark.parametrize("text", ["", "x", "1e5", "99999999999999999999", "-99999999999999", "<b/>"])
def test_no_number_of_a_reading_makes_the_judge_stumble(field, text):
    bad = USAGE.replace(f"<espi:{field}>", f"<espi:{field}>{text}")

    verdict = judged(bad)

    assert not verdict.is_conformant or verdict.findings == []


# Three forms


def test_json_has_stable_keys():
    verdict = judged(MUTATIONS["LINK-06"].bad)

    told = json.loads(json.dumps(verdict.to_json()))

    assert told["schema_version"] == 1
    assert told["conformant"] is False
    assert told["counts"] == {"error": 1, "warning": 0, "advice": 0, "passed": verdict.passed}
    assert told["findings"] == [
        {
            "rule": "LINK-06",
            "severity": "error",
            "line": MUTATIONS["LINK-06"].line,
            "path": "MeterReading",
            "message": "The up link ends in a slash.",
        }
    ]
    assert told["summary"]["readings"] == 53


def test_junit_has_a_case_for_each_rule_that_looked():
    verdict = judged(MUTATIONS["LINK-06"].bad)

    suite = etree.fromstring(verdict.to_junit())

    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == verdict.passed + 1
    assert [case.get("name")[:7] for case in cases if case.find("failure") is not None] == ["LINK-06"]


def test_junit_carries_what_xml_cannot():
    bad = USAGE.replace("urn:uuid:0e2149ba", "urn:&#x9;uuid:&lt;]]&gt;&amp;")

    assert etree.fromstring(judged(bad).to_junit()) is not None


def test_text_names_the_line_and_the_rule():
    lines = judged(MUTATIONS["LINK-06"].bad, name="bad.xml").to_text()

    assert lines[0].startswith("bad.xml: not conformant")
    where = f"line {MUTATIONS['LINK-06'].line}  MeterReading: The up link ends in a slash."
    assert lines[1] == f"  error    LINK-06   {where}"


def test_a_claim_that_no_rule_tests_is_not_passed_over_in_silence():
    lines = judged(USAGE, claims=(4, 1, 99)).to_text()

    assert lines[-1] == "  function blocks claimed that no rule tests: 1, 99"
    assert "no rule tests" not in "".join(judged(USAGE, claims=(4,)).to_text())


def test_what_stands_twice_is_told_twice_each_on_its_line():
    text = USAGE.replace(
        "<espi:status>1</espi:status>", "<espi:node/>\n<espi:status>1</espi:status>\n<espi:node/>"
    )

    found = [finding for finding in judged(text).findings if finding.rule == "XSD-02"]

    first = next(n for n, line in enumerate(text.splitlines(), 1) if "<espi:node/>" in line)
    assert [finding.line for finding in found] == [first, first + 2]


def test_of_a_block_of_bad_readings_the_first_thousand_are_looked_at():
    reading = "<espi:IntervalReading><espi:value>x</espi:value></espi:IntervalReading>"
    text = USAGE.replace("<espi:IntervalReading>", reading * 1_500 + "<espi:IntervalReading>", 1)

    assert judged(text).counts["XSD-07"] == 1_000


@pytest.mark.parametrize("seed", range(40))
def test_nothing_in_a_document_makes_the_judge_stumble(seed):
    """Elements taken out, put elsewhere, renamed and filled with odd values: a verdict, never an exception."""
    data = spoiled(random.Random(seed))

    verdict = judged(data, "sst" if seed % 2 else "lenient", claims=range(72))

    lines = data.count(b"\n") + 1
    assert all(1 <= finding.line <= lines for finding in verdict.findings)
    assert etree.fromstring(verdict.to_junit()).get("tests")
    assert json.dumps(verdict.to_json())


def spoiled(chance):
    root = etree.fromstring((FILES / chance.choice(list(FILES.iterdir())).name).read_bytes())
    for _ in range(chance.choice((1, 3, 20))):
        elements = list(root.iter())
        element, other = chance.choice(elements[1:]), chance.choice(elements[1:])
        match chance.randrange(6):
            case 0:
                element.getparent().remove(element)
            case 1:
                element.text = chance.choice(ODD)
            case 2:
                element.tag = other.tag
            case 3:
                element.append(deepcopy(other))
            case 4:
                element.tail = chance.choice(ODD)
            case 5:
                element.attrib.update({name: chance.choice(ODD) for name in element.attrib})
    return etree.tostring(root)
