"""Sixty single faults, as a certification engineer would plant them: each is found, where it stands, in plain words.

None of this knows the rules by their ids: a fault is found when what is said names what is wrong, on a line they
would look at, as heavy as a laboratory takes it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import pytest
from lxml import etree

from espi_server.espi.check import check
from espi_server.espi.xsd import validator
from tests.espi.laboratory.feed import DAY, HOST, HOUR, MIDNIGHT, SUBSCRIPTION, good, reading

pytestmark = pytest.mark.requirement("FB_01", "FB_04", "FB_15", "FB_16")

GOOD = good()
NOW = MIDNIGHT + 10 * DAY
EL, GAS = f"{SUBSCRIPTION}/UsagePoint/el", f"{SUBSCRIPTION}/UsagePoint/gas"
METER = f"{EL}/MeterReading"
SECOND = MIDNIGHT + HOUR
FEED_ID, ID, OTHER, *_ = re.findall("<id>.*</id>", GOOD)


@dataclass(frozen=True)
class Fault:
    """What is put in place of what (at its nth place), what must be said, and how heavy."""

    old: str
    new: str
    said: str
    weight: str = "error"
    nth: int = 1
    claims: tuple[int, ...] = ()
    also: int = 0  # findings that follow from this very fault

    @property
    def text(self) -> str:
        parts = GOOD.split(self.old)
        assert len(parts) > self.nth, f"{self.old!r} is not in the good file"
        return self.old.join(parts[: self.nth]) + self.new + self.old.join(parts[self.nth :])


def lines(*parts):
    return "\n".join(parts)


def entry(name):
    """The text of the entry whose self link ends so."""
    return next(
        f"<entry>{each}".partition("</entry>")[0] + "</entry>\n"
        for each in GOOD.split("<entry>")[1:]
        if f'{name}"/>\n<link rel="up"' in each
    )


def one(start, value):
    return reading(start, HOUR, value).replace("|", "\n") + "\n"


def shifted(start):
    return f"<timePeriod><duration>3600</duration><start>{start}</start></timePeriod>"


TYPE_LINK = f'<link rel="related" type="espi-entry/ReadingType" href="{HOST}/ReadingType/el"/>'
BLOCKS_LINK = f'<link rel="related" type="espi-feed/IntervalBlock" href="{METER}/1/IntervalBlock"/>'
POINT_LINK = f'<link rel="related" type="espi-entry/UsagePoint" href="{EL}"/>'
TIME_LINK = (
    f'<link rel="related" type="espi-entry/LocalTimeParameters" href="{HOST}/LocalTimeParameters/pacific"/>'
)
UP = f'<link rel="up" type="espi-feed/MeterReading" href="{METER}"/>'
SELF = f'<link rel="self" type="espi-entry/MeterReading" href="{METER}/1"/>'
B0 = f"{METER}/1/IntervalBlock/d0"
FIRST_DAY = f"<interval><duration>{DAY}</duration><start>{MIDNIGHT}</start></interval>"
LONG_DAY = f"<interval><duration>{DAY + HOUR}</duration><start>{MIDNIGHT + DAY}</start></interval>"
KIND = "<kind>12</kind>"
STAMP = f"<statusTimeStamp>{MIDNIGHT + 4 * DAY}</statusTimeStamp>"
PERIOD = f"<billingPeriod><duration>{3 * DAY + HOUR}</duration><start>{MIDNIGHT}</start></billingPeriod>"
VALUES = re.compile(r"(<value>)\d+(</value>\n</IntervalReading>)")

FAULTS = {
    # Links
    "no link to the reading type": Fault(f"{TYPE_LINK}\n", "", "no related link to its ReadingType"),
    "no link to the blocks": Fault(f"{BLOCKS_LINK}\n", "", "no related link to its IntervalBlocks"),
    "a bill that names no usage point": Fault(f"{POINT_LINK}\n", "", "no related link to its UsagePoint"),
    "a usage point without local time": Fault(f"{TIME_LINK}\n", "", "LocalTimeParameters"),
    "a slash at the end of up": Fault(UP, UP.replace('MeterReading"/>', 'MeterReading/"/>'), "up link ends in a slash"),
    "no self": Fault(f"{SELF}\n", "", "self link"),
    "no up": Fault(f"{UP}\n", "", "up link"),
    "two self links": Fault(SELF, f"{SELF}\n{SELF}", "self link"),
    "an entry's type on a link to a collection":
        Fault(UP, UP.replace("espi-feed", "espi-entry"), "type is espi-entry/MeterReading; it must be espi-feed"),
    "a link without type": Fault(UP, UP.replace(' type="espi-feed/MeterReading"', ""), "up link has no type"),
    "http in the clear": Fault(f'href="{METER}/1"', f'href="{METER.replace("https", "http")}/1"',
                               "not an absolute https address", "warning"),
    "an orphan": Fault(f'<link rel="up" type="espi-feed/IntervalBlock" href="{METER}/1/IntervalBlock"/>',
                       f'<link rel="up" type="espi-feed/IntervalBlock" href="{METER}/7/IntervalBlock"/>',
                       "No MeterReading of the document relates to"),
    "a type that is not there": Fault(TYPE_LINK, TYPE_LINK.replace("/el", "/water"), "is not in the document"),
    "one address for two": Fault(B0, f"{METER}/1/IntervalBlock/d1", "another entry has the self link"),
    "an address with a blank": Fault(f'href="{METER}/1"', f'href="{METER}/meter 1"', "characters no address has"),
    # Ids
    "an id of chance": Fault(ID, re.sub(r"(?<=-)5(?=\w{3}-\w{4}-)", "4", ID), "UUID of version 4; it must be 3 or 5"),
    "one id for two": Fault(OTHER, ID, "was that of a"),
    "a feed's id that is a number": Fault(FEED_ID, "<id>12</id>", "feed's id is '12'", "warning"),
    "a bare UUID": Fault("<id>urn:uuid:", "<id>", "urn:uuid:", nth=3),
    # The shell
    "local time in Atom": Fault("<updated>2026-11-04T09:00:00Z", "<updated>2026-11-04T09:00:00",
                                "updated is .*must look like", nth=4),
    "no published": Fault("<published>2026-11-04T09:00:00Z</published>\n", "", "no published"),
    "no title": Fault("<title>UsagePoint el</title>\n", "", "no title"),
    "an empty content": Fault(entry("MeterReading/1").partition("<content>")[2].partition("</content>")[0], "",
                              "content holds no element"),
    "two contents": Fault("</content>", '</content>\n<content><MeterReading xmlns="http://naesb.org/espi"/></content>',
                          "content stands a second time", nth=6),
    "two resources in one content": Fault("</MeterReading></content>",
                                          '</MeterReading><MeterReading xmlns="http://naesb.org/espi"/></content>',
                                          "holds 2 resources", "warning"),
    "a feed without updated": Fault("<updated>2026-11-04T09:00:00Z</updated>\n", "", "feed has no updated"),
    # The schema
    "the namespace of another": Fault('<UsagePoint xmlns="http://naesb.org/espi">',
                                      '<UsagePoint xmlns="http://naesb.org/espi/">', "namespace"),
    "elements in the wrong order": Fault(lines("<commodity>1</commodity>", "<currency>840</currency>"),
                                         lines("<currency>840</currency>", "<commodity>1</commodity>"),
                                         "after an element it must precede"),
    "an attribute on an element of ESPI": Fault("<uom>72</uom>", '<uom unit="Wh">72</uom>', "attribute"),
    "an element nobody knows": Fault("<status>1</status>", "<status>1</status>\n<meterNumber>7</meterNumber>",
                                     "meterNumber"),
    "a word for a number": Fault("<uom>72</uom>", "<uom>Wh</uom>", "uom"),
    "a value with a point": Fault("<value>388</value>", "<value>388.0</value>", "whole number"),
    "a value beyond 48 bits": Fault("<value>388</value>", "<value>388000000000000000</value>", "value"),
    "no statusTimeStamp": Fault(f"{STAMP}\n", "", "statusTimeStamp"),
    "no note on a line": Fault("<note>City tax</note>", "", "note"),
    "a second currency": Fault("<currency>840</currency>", "<currency>840</currency>\n<currency>840</currency>",
                               "currency"),
    # Codes
    "a unit nobody knows": Fault("<uom>72</uom>", "<uom>720</uom>", "uom is 720"),
    "a kind out of the list": Fault(KIND, "<kind>999</kind>", "kind is 999"),
    "a currency of letters": Fault("<currency>840</currency>", "<currency>USD</currency>", "currency"),
    "a currency that is none": Fault("<currency>840</currency>", "<currency>841</currency>",
                                     "841 is no number of ISO 4217"),
    "a power of ten nobody knows": Fault("<powerOfTenMultiplier>0</powerOfTenMultiplier>",
                                         "<powerOfTenMultiplier>7</powerOfTenMultiplier>", "powerOfTenMultiplier"),
    "a quality out of the list": Fault("<quality>17</quality>", "<quality>4</quality>", "quality", "warning"),
    "a commodity that is another's": Fault("<commodity>1</commodity>", "<commodity>7</commodity>",
                                           "The service is electricity .*natural gas|natural gas .*is measured in"),
    "watts for energy": Fault("<uom>72</uom>", "<uom>38</uom>", "energy .*is measured in w"),
    # What a reading type says
    "no power of ten": Fault("<powerOfTenMultiplier>0</powerOfTenMultiplier>\n", "", "no powerOfTenMultiplier"),
    "no unit": Fault("<uom>72</uom>\n", "", "no uom"),
    "no interval length": Fault("<intervalLength>3600</intervalLength>\n", "", "no intervalLength"),
    # Times
    "milliseconds": Fault(f"<start>{SECOND}</start>", f"<start>{SECOND}000</start>", "milliseconds"),
    "a bill in milliseconds": Fault(STAMP, STAMP.replace("</", "000</"), "milliseconds"),
    "a start that is a date": Fault(f"<start>{SECOND}</start>", "<start>2026-10-31T08:00:00Z</start>", "start"),
    "a DST rule cut short": Fault("B40E2000", "B40E", "eight hexadecimal digits"),
    "a zone in hours": Fault("-28800", "-8", "tzOffset is -8"),
    "a clock that does not change": Fault(LONG_DAY, LONG_DAY.replace(str(DAY + HOUR), str(DAY)),
                                          f"{DAY} s|{DAY + HOUR} s"),
    # Readings
    "readings that overlap": Fault(f"<duration>3600</duration><start>{SECOND}",
                                   f"<duration>5400</duration><start>{SECOND}",
                                   "before the one before it ends"),
    "a gap": Fault(one(SECOND, 388), "", "3600 s are missing", "warning"),
    "a first hour that is missing": Fault(one(MIDNIGHT, 410), "", "first reading starts"),
    "a duration that is not the sum": Fault(FIRST_DAY, FIRST_DAY.replace(str(DAY), str(DAY - HOUR)),
                                            f"interval/duration is {DAY - HOUR} s, and the readings add up to {DAY} s"),
    "readings out of order": Fault(one(SECOND, 388) + one(SECOND + HOUR, 402),
                                   one(SECOND + HOUR, 402) + one(SECOND, 388),
                                   "before the one that stands before"),
    "a reading twice": Fault(one(SECOND, 388), one(SECOND, 388) * 2, "was there before"),
    "a reading outside its block": Fault(shifted(SECOND), shifted(SECOND - DAY), "outside"),
    "a day twice": Fault("</feed>", entry("el/MeterReading/1/IntervalBlock/d0").replace("/d0", "/d9") + "</feed>",
                         "the block before it ends"),
    "quarter-hours of an hourly type": Fault("<intervalLength>3600</intervalLength>",
                                             "<intervalLength>900</intervalLength>", "intervalLength is 900 s"),
    "a negative amount that flows forward": Fault("<value>388</value>", "<value>-388</value>", "negative", "warning"),
    "no value": Fault("<value>388</value>\n", "", "without a value", "warning"),
    # Bills
    "a bill without a currency": Fault(lines("<currency>840</currency>", "<overall"), "<overall", "no currency"),
    "lines that do not add up": Fault("<amount>2000000</amount>", "<amount>2900000</amount>", "add up", "advice"),
    "a period of no length": Fault(PERIOD, PERIOD.replace(str(3 * DAY + HOUR), "0"), "period lasts 0 s", "warning"),
    # Claims
    "a claim of water": Fault("<status>1", "<status>1", "FB_11 .*is claimed", claims=(11,)),
    "a claim of cost by the hour": Fault("<status>1", "<status>1", "FB_12 .*is claimed", claims=(12,)),
    "a claim of people": Fault("<status>1", "<status>1", "FB_54 .*is claimed", claims=(54,)),
}  # fmt: skip


def judged(text, claims=()):
    return check(io.BytesIO(text.encode()), claims=claims, now=NOW)


def test_nothing_is_said_of_the_good_file_whose_blocks_are_all_claimed():
    verdict = judged(GOOD, claims=(1, 4, 5, 10, 15, 16))

    assert verdict.findings == []
    assert verdict.exit_code == 0
    assert {4, 5, 10, 15, 16} <= set(verdict.blocks)


def test_the_good_file_is_valid():
    assert validator().validate(etree.fromstring(GOOD.encode()))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_stands(name):
    fault = FAULTS[name]

    verdict = judged(fault.text, fault.claims)

    told = [each for each in verdict.findings if re.search(fault.said, each.message, re.IGNORECASE)]
    assert told, verdict.findings
    assert fault.weight in {each.severity for each in told}


def test_a_meter_that_reads_zero_only_is_found():
    verdict = judged(VALUES.sub(r"\g<1>0\2", GOOD))

    assert [f.message for f in verdict.findings if "values are zero" in f.message] == [
        "All 73 values are zero.", "All 3 values are zero."
    ]  # fmt: skip


def test_usage_that_is_not_the_readings_sum_is_found():
    used = re.search(r"<overallConsumptionLastPeriod>.*?<value>(\d+)", GOOD)[1]

    verdict = judged(GOOD.replace(f"<value>{used}</value>", f"<value>{int(used) * 2}</value>"))

    assert [finding.severity for finding in verdict.findings] == ["warning"]
    assert str(used) in verdict.findings[0].message
