"""Broken files as they come from the field: each gets the sentence that helps, and nothing that is not so."""

from __future__ import annotations

import io
import re

import pytest

from espi_server.espi.check import check
from tests.espi.laboratory.feed import DAY, MIDNIGHT, good

GOOD = good()
ATOM, ESPI = 'xmlns="http://www.w3.org/2005/Atom"', 'xmlns="http://naesb.org/espi"'


def content_as_text(text):
    return re.sub(
        "<content>(.*?)</content>",
        lambda found: f'<content type="text">{found[1].replace("<", "&lt;")}</content>',
        text,
        flags=re.DOTALL,
    )


def judged(text):
    data = text if isinstance(text, bytes) else text.encode()
    return check(io.BytesIO(data), now=MIDNIGHT + 10 * DAY)


FOUND = {
    "a bare ampersand": (GOOD.replace("City tax", "City & tax"), "DOC-01", "bare &"),
    "an ampersand without its semicolon": (GOOD.replace("City tax", "City &amp tax"), "DOC-01", "write &amp;"),
    "a section nobody closed": (GOOD.replace("City tax", "<![CDATA[City tax"), "DOC-01", "never closed"),
    "two feeds in one file": (GOOD + GOOD[GOOD.index("<feed") :], "DOC-01", "follows something else"),
    "a download that broke off": (GOOD[: GOOD.index('href="') + 9], "DOC-01", "ends in the middle"),
    "accents of Windows under UTF-8": (GOOD.replace("City", "Cité").encode("cp1252"), "DOC-01", "send UTF-8"),
    "a page that says the session is over":
        ('<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "DOC-01", "sign-in page"),
    "XML as text": (content_as_text(GOOD), "ATOM-04", "perhaps escaped XML"),
    "no namespace": (GOOD.replace(f" {ESPI}", "").replace(f" {ATOM}", ""), "DOC-02", "in no namespace"),
    "a namespace inherited from Atom": (GOOD.replace(f" {ESPI}", ""), "DOC-03", "in the namespace 'http://www.w3"),
    "entries that lost Atom's namespace":
        (GOOD.replace("feed", "a:feed").replace(f"<a:feed {ATOM}>", f'<a:feed {ATOM.replace("=", ":a=")}>'),
         "DOC-07", "the entry around it is in no namespace"),
    "empty values": (GOOD.replace("<value>388</value>", "<value/>"), "XSD-07", "whole number"),
    "kilowatt-hours with a point": (GOOD.replace("<value>388<", "<value>0.388<"), "XSD-07", "whole number"),
    "addresses without a host":
        (GOOD.replace("https://dc.example.com/DataCustodian/espi/1_1/resource/", ""), "LINK-09", "absolute https"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_a_broken_file_gets_the_sentence_that_helps(name):
    text, rule, words = FOUND[name]

    told = [finding for finding in judged(text).findings if finding.rule == rule]

    assert words in told[0].message


FINE = {
    "Windows' line ends and a byte order mark": b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
    "comments and instructions in between": GOOD.replace("<entry>", "<!-- x --><?y z?><entry>"),
    "everything on one line": GOOD.replace("\n", ""),
    "one entry alone": GOOD[GOOD.index("<entry>") : GOOD.index("</entry>")].replace(
        "<entry>", f"<entry {ATOM}>"
    )
    + "</entry>",
}


@pytest.mark.parametrize("name", FINE)
def test_nothing_is_said_of_what_is_merely_unusual(name):
    assert judged(FINE[name]).findings == []


def test_an_unreadable_value_is_not_called_missing():
    for text in (GOOD.replace("<uom>72</uom>", "<uom>Wh</uom>"), GOOD.replace("<value>388<", "<value>x<")):
        assert {finding.rule for finding in judged(text).findings} == {"XSD-07"}


def test_blocks_of_two_unknown_meters_are_not_held_to_overlap():
    """Two meters' blocks of one day, in a document that says nothing of either meter."""
    entries = re.findall("<entry>.*?</entry>", GOOD, flags=re.DOTALL)
    blocks = [each for each in entries if "<IntervalBlock " in each]
    alone = f"<feed {ATOM}>" + "".join(blocks) + "</feed>"

    assert not {rule for rule in judged(alone).counts if rule.startswith("READ")}


def test_blocks_of_one_unknown_meter_are():
    entries = re.findall("<entry>.*?</entry>", GOOD, flags=re.DOTALL)
    block = next(each for each in entries if "<IntervalBlock " in each)
    twice = f"<feed {ATOM}>{block}{block.replace('/d0', '/d9')}</feed>"

    assert "READ-11" in judged(twice).counts
