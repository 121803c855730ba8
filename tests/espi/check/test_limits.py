"""How much a stranger's document may cost: what is found until then stands, and the verdict says where it was left."""

from __future__ import annotations

import io

import pytest

from espi_server.espi.check import Limits, check
from tests.espi.check.mutations import FILES, NOW

USAGE = (FILES / "usage.xml").read_text("utf-8")
FEED = '<feed xmlns="http://www.w3.org/2005/Atom">{}</feed>'
SUMMARY = '<entry><content><UsageSummary xmlns="http://naesb.org/espi">{}</UsageSummary></content></entry>'
BLOCK = '<entry><content><IntervalBlock xmlns="http://naesb.org/espi">{}</IntervalBlock></content></entry>'


def judged(text, **limits):
    return check(io.BytesIO(text.encode()), now=NOW, limits=Limits(**limits))


def test_a_good_file_is_within_narrow_limits():
    verdict = judged(USAGE, size=100_000, entry=50_000, tags=5_000, elements=500, findings=5, work=60)

    assert verdict.findings == []


def test_too_much_work_is_left_with_what_was_found_until_then():
    verdict = judged(FEED.format("<entry/>" * 100_000), work=0.2)

    assert verdict.refused.startswith("Too much work: judging this file takes more than 0.2 seconds")
    assert verdict.exit_code == 3
    assert verdict.counts["LINK-01"] > 10


def test_no_time_at_all_is_too_much_work_too():
    assert "Too much work" in judged(USAGE, work=0).refused


@pytest.mark.parametrize("frame", [SUMMARY, BLOCK])
def test_a_resource_of_too_many_elements_is_refused(frame):
    verdict = judged(FEED.format(frame.format("<a/>" * 600)), elements=500)

    assert "has more than 500 elements" in verdict.refused


def test_the_readings_of_a_block_are_no_junk():
    reading = "<IntervalReading><value>1</value></IntervalReading>"

    assert not judged(FEED.format(BLOCK.format(reading * 600)), elements=500).refused


def test_an_entry_of_too_many_tags_is_refused():
    assert "has more than 100 tags" in judged(FEED.format("<x/>" * 200), tags=100).refused


def test_of_a_rule_only_so_many_findings_are_kept():
    verdict = judged(USAGE.replace("<id>urn:uuid:", "<id>"), findings=3)

    assert len([each for each in verdict.findings if each.rule == "ID-01"]) == 3
    assert verdict.counts["ID-01"] == 16


def test_a_message_does_not_repeat_a_megabyte():
    verdict = judged(USAGE.replace("<id>urn:uuid:0e", f"<id>{'x' * 900_000}"))

    assert max(len(each.message) for each in verdict.findings) <= 501


@pytest.mark.parametrize("text", [USAGE, USAGE.replace("\n", ""), USAGE.replace("\n", "\r\n")])
def test_lines_with_findings_are_quoted_and_cut(text):
    bad = text.replace("-28800", "-8")

    verdict = judged(bad, quoted=40)

    line = verdict.findings[0].line
    assert verdict.quotes == {line: verdict.quotes[line]}
    assert len(verdict.quotes[line]) <= 41
    assert verdict.quotes[line].rstrip("…") in bad


def test_nothing_is_quoted_unless_asked_for():
    assert judged(USAGE.replace("-28800", "-8")).quotes == {}
