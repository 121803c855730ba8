"""One fault for each rule: what is changed in a good file, and where the finding must stand.

bad("usage", "<espi:uom>72</espi:uom>", "<espi:uom>999</espi:uom>")     # the finding stands where it changed
bad("usage", …, at="entry r1")                                           # … at the entry …/r1
bad("usage", …, also="GRAPH-02")                                         # what necessarily follows from the fault
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILES = Path(__file__).parent / "files"
NOW = 1_795_219_200  # 21 November 2026


@dataclass(frozen=True)
class Mutation:
    """`old` becomes `new` at its nth place in a good file; `more` are further changes of the same fault."""

    file: str
    old: str
    new: str
    nth: int = 1
    more: tuple[tuple[str, str], ...] = ()
    at: str = ""
    also: str = ""
    profile: str = "certification"
    edition: str | None = None
    claims: tuple[int, ...] = ()

    @property
    def good(self) -> str:
        return (FILES / f"{self.file}.xml").read_text("utf-8")

    @property
    def bad(self) -> str:
        parts = self.good.split(self.old)
        assert len(parts) > self.nth, f"{self.old!r} stands {len(parts) - 1} times in {self.file}.xml"
        text = self.old.join(parts[: self.nth]) + self.new + self.old.join(parts[self.nth :])
        for old, new in self.more:
            assert old in text, f"{old!r} is not in {self.file}.xml"
            text = text.replace(old, new)
        return text

    @property
    def line(self) -> int:
        """Where the finding must stand."""
        lines = self.bad.splitlines()
        if self.at.startswith("entry "):
            name = self.at.removeprefix("entry ")
            found = next(
                n for n, line in enumerate(lines) if 'rel="related"' not in line and f'/{name}"' in line
            )
            return next(n for n in range(found, 0, -1) if lines[n].strip() == "<entry>") + 1
        if self.at == "entry":
            return next(n for n in range(self._changed - 1, 0, -1) if lines[n].strip() == "<entry>") + 1
        if " after " in self.at:
            text, after = self.at.split(" after ")
            found = next(n for n, line in enumerate(lines) if f'/{after}"' in line and "related" not in line)
            return next(n for n, line in enumerate(lines, 1) if n > found and text in line)
        if self.at:
            return next(n for n, line in enumerate(lines, 1) if self.at in line)
        return self._changed

    @property
    def _changed(self) -> int:
        lines = self.bad.splitlines()
        changed = zip(lines, self.good.splitlines(), strict=False)
        return next((n for n, (now, before) in enumerate(changed, 1) if now != before), len(lines))


def bad(file, old, new, **rest):
    return Mutation(file, old, new, **rest)


def without(file, text, **rest):
    return Mutation(file, text, "", **rest)


def starts(old, new, **rest):
    """A reading that starts at another time."""
    tail = "</espi:start></espi:timePeriod>"
    return Mutation("usage", f"<espi:start>{old}{tail}", f"<espi:start>{new}{tail}", **rest)


BASE = "https://dc.example.org/espi/1_1/resource"
U = f"{BASE}/Subscription/s7/UsagePoint/u1"
CUSTOMER = f"{BASE}/RetailCustomer/c7/Customer/k1"
BARE = "0e2149ba-426d-5d10-8f72-5e88b40d1b1b"
OTHER = "2d01c6fb-7f49-5a4f-8236-7e1045a95871"
HOUR = "<espi:timePeriod><espi:duration>3600</espi:duration><espi:start>1793433600</espi:start></espi:timePeriod>"
PERIOD = (
    "<espi:billingPeriod><espi:duration>176400</espi:duration>"
    + "<espi:start>1793430000</espi:start></espi:billingPeriod>"
)
SEPTEMBER = (
    "<espi:billingPeriod><espi:duration>2592000</espi:duration>"
    + "<espi:start>1790838000</espi:start></espi:billingPeriod>"
)
CURRENCY = "<espi:currency>{}</espi:currency>\n        <espi:overall"
SELF = f'<link rel="self" type="espi-entry/Subscription" href="{BASE}/Batch/Subscription/s7"/>'
MONEY = (
    "<espi:measurement><espi:powerOfTenMultiplier>0</espi:powerOfTenMultiplier><espi:uom>80</espi:uom>"
    "<espi:value>5</espi:value></espi:measurement>"
)
WATTS = (("<espi:uom>72</espi:uom>\n", "<espi:uom>38</espi:uom>\n"),)
NOTHING = (("<espi:value>7129700<", "<espi:value>0<"),)
ACCOUNTS = f'<link rel="related" type="cust-feed/CustomerAccount" href="{CUSTOMER}/CustomerAccount"/>'
INTERVAL = (
    "<espi:interval><espi:duration>86400</espi:duration><espi:start>1793430000</espi:start></espi:interval>"
)
AUTUMN = (
    "<espi:interval><espi:duration>90000</espi:duration><espi:start>1793516400</espi:start></espi:interval>"
)
SHORTER = ((INTERVAL, INTERVAL.replace("86400", "82800")),)
AGENCY = (
    "<espi:billingChargeSource><espi:agencyName>Example Electric</espi:agencyName></espi:billingChargeSource>"
)
RIN = "<espi:bundledRin>USCA-PGPG-0505-0000</espi:bundledRin>"
EMPTY = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:72934376-f0ac-54e8-93b0-b15bb3e2da2c</id><title/>'
)
BLOCKS = f'<link rel="related" type="espi-feed/IntervalBlock" href="{U}/MeterReading/m1/IntervalBlock"/>'
TYPE = f'<link rel="related" type="espi-entry/ReadingType" href="{BASE}/ReadingType/r1"/>'
TIME = f'<link rel="related" type="espi-entry/LocalTimeParameters" href="{BASE}/LocalTimeParameters/t1"/>'
UP = f'<link rel="up" type="espi-feed/MeterReading" href="{U}/MeterReading"/>'
TITLE = "<title>Pacific time</title>"
LINE = "<espi:costAdditionalDetailLastPeriod><espi:amount>500000</espi:amount><espi:note>Base service</espi:note>"


def cut(file, first, last, **rest):
    """Without everything from the first text to before the next that is the last."""
    text = (FILES / f"{file}.xml").read_text("utf-8")
    start = text.index(first)
    end = text.rindex(last) if last == "</feed>" else text.index(last, start)
    return Mutation(file, text[start:end], "", **rest)


def entry(file, name):
    """The text of one entry."""
    entries = (FILES / f"{file}.xml").read_text("utf-8").split("  <entry>")
    found = next(each for each in entries if f'/{name}"/>\n    <link rel="up"' in each)
    return "  <entry>" + found.removesuffix("</feed>\n")


def again(name, other, **rest):
    """The same entry a second time, with another id and address."""
    text = entry("usage", name).replace(f'/{name}"', f'/{other}"').replace("<id>urn:uuid:1", "<id>urn:uuid:2")
    return Mutation("usage", "</feed>", f"{text}</feed>", **rest)


def claim(number, file, **rest):
    """A file that is said to show a function block, and does not."""
    return Mutation(file, "<feed ", "<feed ", at="<feed ", claims=(number,), **rest)


def element(name, value):
    return f"<espi:{name}>{value}</espi:{name}>"


MUTATIONS = {
    "DOC-01": bad("usage", "</feed>\n", "</fe"),
    "DOC-02": bad("usage", 'xmlns="http://www.w3.org/2005/Atom"', 'xmlns="http://www.w3.org/2005/atom"'),
    "DOC-03": bad("usage", "<espi:ProgramIdMappings>", '<espi:ProgramIdMappings xmlns:espi="http://naesb.org/espi/">'),
    "DOC-04": bad("usage", "<espi:MeterReading/>", '<EndDevice xmlns="http://naesb.org/espi/customer"/>',
                  also="LINK-07 LINK-08 GRAPH-02 READ-13 GRAPH-08 SUM-11 GRAPH-03"),
    "DOC-05": bad("usage", 'encoding="UTF-8"', 'encoding="ISO-8859-1"', at="<feed"),
    "DOC-06": cut("usage", "  <entry>", "</feed>", at="<feed"),
    "DOC-07": bad("usage", "</feed>", "<espi:BatchList/></feed>"),
    # The shell
    "ATOM-01": without("usage", "<title>Usage data</title>", at="<feed"),
    "ATOM-02": without("usage", TITLE, at="entry t1"),
    "ATOM-03": without("usage", "<published>2026-11-03T08:00:00Z</published>", at="entry u1"),
    "ATOM-04": bad("usage", "<content>\n      <espi:MeterReading/>\n    </content>", "<content/>",
                   also="GRAPH-02 GRAPH-08 SUM-11"),
    "ATOM-05": bad("usage", "<espi:MeterReading/>", "<espi:MeterReading/><espi:MeterReading/>"),
    "ATOM-06": bad("usage", TITLE, TITLE * 2),
    "ATOM-07": bad("usage", "<published>2026-11-03T08:00:00Z", "<published>2026-11-03T08:00:00"),
    "ATOM-08": bad("usage", "<updated>2026-11-03T08:00:00Z", "<updated>yesterday"),
    "ATOM-09": bad("usage", "<published>2026-11-03T08:00:00Z", "<published>2026-11-04T08:00:00Z"),
    "ATOM-10": bad("usage", "<updated>2026-11-03T08:00:00Z", "<updated>2150-11-03T08:00:00Z", nth=2),
    "ATOM-11": bad("usage", TITLE, f"{TITLE}<meter>17</meter>"),
    # Ids
    "ID-01": bad("usage", f"urn:uuid:{BARE}", BARE),
    "ID-02": bad("usage", BARE, "0e2149ba-426d-4d10-8f72-5e88b40d1b1b"),
    "ID-03": bad("usage", OTHER, BARE, at="entry t1"),
    "ID-04": bad("usage", BARE, BARE.upper()),
    "ID-05": bad("usage", "<id>urn:uuid:72934376", "<id>72934376"),
    # Links
    "LINK-01": bad("usage", 'rel="self" type="espi-entry/ReadingType"', 'rel="via" type="espi-entry/ReadingType"',
                   at="entry r1", also="GRAPH-03 GRAPH-08 SUM-11 READ-13"),
    "LINK-02": bad("usage", 'rel="up" type="espi-feed/ReadingType"', 'rel="via" type="espi-feed/ReadingType"',
                   at="entry r1"),
    "LINK-03": bad("usage", 'rel="up" type="espi-feed/ReadingType"', 'rel="up"'),
    "LINK-04": bad("usage", 'rel="up" type="espi-feed/ReadingType"', 'rel="up" type="espi-entry/ReadingType"'),
    "LINK-05": bad("usage", f'{BASE}/ReadingType"/>', f'{BASE}/ReadingTypes/old/ReadingType"/>'),
    "LINK-06": bad("usage", UP, UP.replace('MeterReading"/>', 'MeterReading/"/>')),
    "LINK-07": bad("usage", f"{BASE}/ReadingType/r1", f"{BASE}/MeterReading/r1",
                   also="LINK-04 LINK-05 GRAPH-03 GRAPH-08 SUM-11 READ-13"),
    "LINK-08": bad("usage", f'"{BASE}/ProgramIdMappings/p1"', f'"{BASE}/ProgramIdMappings"', also="LINK-04 LINK-05"),
    "LINK-09": bad("usage", f"{BASE}/ProgramIdMappings", "/espi/1_1/resource/ProgramIdMappings",
                   more=((f"{BASE}/ProgramIdMappings", "/espi/1_1/resource/ProgramIdMappings"),)),
    "LINK-10": bad("usage", f"{BASE}/ProgramIdMappings/p1", f"{BASE}/ProgramIdMappings/p 1"),
    "LINK-11": bad("usage", 'rel="related" type="espi-feed/UsageSummary"', 'rel="child" type="espi-feed/UsageSummary"',
                   also="GRAPH-02"),
    "LINK-12": without("usage", TIME, at="entry u1"),
    "LINK-13": without("usage", TYPE, at="entry m1", also="GRAPH-08"),
    "LINK-14": without("usage", BLOCKS, at="entry m1"),
    "LINK-15": without("usage", f'<link rel="related" type="espi-entry/UsagePoint" href="{U}"/>', at="entry z1"),
    "LINK-16": without("usage", SELF, at="<feed"),
    "LINK-17": bad("usage", f'href="{BASE}/Batch/Subscription/s7"', f'href="{BASE}/Authorization"'),
    "LINK-18": bad("usage", 'rel="self" type="espi-entry/Subscription"', 'rel="self"'),
    "LINK-19": without("usage", '<link rel="related" type="text/xml" href="https://cert.example.org/certificate/17"/>',
                       at="<feed"),
    # Where they lead
    "GRAPH-01": bad("usage", f"{U}/UsageSummary/z2", f"{U}/UsageSummary/z1", at="entry"),
    "GRAPH-02": bad("usage", f"{U}/UsageSummary", f"{U}/UsageSummaries/UsageSummary", at="entry z1",),
    "GRAPH-03": bad("usage", f'"espi-entry/ReadingType" href="{BASE}/ReadingType/r1"/>\n    <title>',
                    f'"espi-entry/ReadingType" href="{BASE}/ReadingType/r9"/>\n    <title>', also="GRAPH-08"),
    "GRAPH-04": bad("usage", TIME, TIME.replace("/t1", "/t9")),
    "GRAPH-05": bad("usage", f'href="{U}/UsageSummary"', f'href="{U.replace("resource", "Resource")}/UsageSummary"',
                    at="entry z1"),
    "GRAPH-06": without("usage", f'<link rel="related" type="espi-feed/MeterReading" href="{U}/MeterReading"/>',
                        at="entry u1"),
    "GRAPH-07": without("usage", entry("usage", "b4"), at="entry m3"),
    "GRAPH-08": bad("usage", "ReadingType/r3", "ReadingType/r4", at="entry r4", also="GRAPH-03"),
    # The schema
    "XSD-01": bad("usage", "<espi:MeterReading/>", "<espi:MeterReadings/>", also="GRAPH-02 GRAPH-08 SUM-11"),
    "XSD-02": bad("usage", "<espi:status>1</espi:status>", "<espi:status>1</espi:status><espi:pricingNode/>"),
    "XSD-03": bad("usage", "espi:ServiceCategory>", "espi:serviceCategory>",
                  more=(("espi:ServiceCategory>", "espi:serviceCategory>"),), also="UNIT-13"),
    "XSD-04": bad("usage", "<espi:uom>38</espi:uom><espi:value>2100</espi:value>",
                  "<espi:value>2100</espi:value><espi:uom>38</espi:uom>"),
    "XSD-05": bad("usage", element("kind", 12), element("kind", 12) * 2),
    "XSD-06": without("usage", element("statusTimeStamp", 1793430000), at="<espi:UsageSummary>"),
    "XSD-07": bad("usage", "<espi:value>411</espi:value>", "<espi:value>411.5</espi:value>", also="READ-14 SUM-11"),
    "XSD-08": bad("usage", element("tariffProfile", "E-ELEC") + "\n", element("tariffProfile", "E" * 300) + "\n"),
    "XSD-09": bad("consent", element("token_type", "Bearer"), element("token_type", "bearer")),
    "XSD-10": bad("usage", "<espi:UsagePoint>", "<espi:UsagePoint>my house"),
    "XSD-11": bad("customer", "<cust:status><cust:value>active</cust:value></cust:status>",
                  "<cust:status>active</cust:status>"),
    "XSD-12": bad("usage", "<espi:value>411<", '<espi:value unit="Wh">411<'),
    "XSD-13": bad("usage", "<espi:MeterReading/>", "<espi:MeterReading><espi:ReadingType/></espi:MeterReading>"),
    # Codes
    "CODE-01": bad("usage", element("uom", 72), element("uom", 999), also="SUM-11"),
    "CODE-02": bad("usage", element("timeAttribute", 0), element("timeAttribute", 7)),
    "CODE-03": bad("customer", "<cust:kind>residential<", "<cust:kind>household<"),
    "CODE-04": bad("usage", element("currency", 840), element("currency", 1), also="SUM-12"),
    "CODE-05": bad("usage", "<espi:powerOfTenMultiplier>0</espi:powerOfTenMultiplier><espi:uom>29<",
                   "<espi:powerOfTenMultiplier>10</espi:powerOfTenMultiplier><espi:uom>29<"),
    # Times
    "TIME-01": bad("usage", element("statusTimeStamp", 1793606400), element("statusTimeStamp", 1793606400000)),
    "TIME-02": bad("usage", element("effectiveDate", 1767254400), element("effectiveDate", 1)),
    "TIME-03": bad("usage", element("statusTimeStamp", 1793606400), element("statusTimeStamp", 5693606400)),
    "TIME-04": bad("usage", PERIOD, PERIOD.replace("176400", "1764000000"), also="SUM-03"),
    "TIME-05": bad("usage", "B40E2000", "B40E"),
    "TIME-06": bad("usage", "B40E2000", "FFFFFFFF"),
    "TIME-07": bad("usage", "B40E2000", "360E2000", at="360E2000</espi:dstStartRule>", also="READ-19"),
    "TIME-08": bad("usage", "-28800", "-8", also="READ-19"),
    "TIME-09": bad("usage", element("dstOffset", 3600), element("dstOffset", 60), also="READ-19"),
    # Units
    "UNIT-01": without("usage", element("uom", 72), at="<espi:ReadingType>", also="SUM-11"),
    "UNIT-02": without("usage", element("powerOfTenMultiplier", 0) + "\n        ", at="<espi:ReadingType>"),
    "UNIT-03": without("usage", element("intervalLength", 3600), at="<espi:ReadingType>"),
    "UNIT-04": without("usage", element("commodity", 1), at="<espi:ReadingType>"),
    "UNIT-05": without("usage", element("flowDirection", 1), at="<espi:ReadingType>"),
    "UNIT-06": without("usage", element("accumulationBehaviour", 4), at="<espi:ReadingType>"),
    "UNIT-07": without("usage", element("kind", 12), at="<espi:ReadingType>"),
    "UNIT-08": bad("usage", element("uom", 72), element("uom", 119)),
    "UNIT-09": bad("usage", element("uom", 72), element("uom", 38)),
    "UNIT-10": bad("usage", element("kind", 12), element("kind", 0), more=WATTS,
                   at=element("uom", 38), also="UNIT-09"),
    "UNIT-11": bad("usage", element("measuringPeriod", 7), element("measuringPeriod", 2)),
    "UNIT-12": bad("usage", element("intervalLength", 3600), element("intervalLength", 0), also="UNIT-11"),
    "UNIT-13": without("usage", "<espi:ServiceCategory><espi:kind>0</espi:kind></espi:ServiceCategory>",
                       at="<espi:UsagePoint>"),
    "UNIT-14": bad("usage", element("commodity", 1), element("commodity", 9), at="entry m1", also="UNIT-08"),
    "UNIT-15": bad("usage", element("commodity", 1) + "\n        <espi:tariffProfile>",
                   element("commodity", 7) + "\n        <espi:tariffProfile>"),
    "UNIT-16": bad("usage", "<espi:uom>38</espi:uom><espi:value>", "<espi:value>"),
    # Readings
    "READ-01": without("usage", INTERVAL, at="<espi:IntervalBlock>"),
    "READ-02": cut("usage", "        <espi:IntervalReading>", "      </espi:IntervalBlock>", at="<espi:IntervalBlock>",
                   also="READ-05 READ-12"),
    "READ-03": bad("usage", HOUR, "", more=((element("intervalLength", 3600), ""),), at="<espi:value>337<",
                   also="UNIT-03 SUM-11"),
    "READ-04": cut("usage", "        <espi:IntervalReading><espi:cost>9000",
                   "        <espi:IntervalReading><espi:cost>10110"),
    "READ-05": bad("usage", INTERVAL, INTERVAL.replace("86400", "82800"), also=""),
    "READ-06": starts(1793430000, 1793426400, also="READ-10 SUM-11"),
    "READ-07": starts(1793433600, 1793440801, at="<espi:value>374<", also="READ-10 READ-09 READ-18 SUM-11"),
    "READ-08": starts(1793433600, 1793437200, at="<espi:value>374<", also="READ-10 SUM-11"),
    "READ-09": bad("usage", "<espi:duration>3600</espi:duration><espi:start>1793433600",
                   "<espi:duration>5400</espi:duration><espi:start>1793433600", at="<espi:value>374<", also="READ-13"),
    "READ-10": cut("usage", "        <espi:IntervalReading><espi:cost>10110",
                   "        <espi:IntervalReading><espi:cost>11220", at="<espi:cost>11220", also="SUM-11"),
    "READ-11": again("b1", "b9", at="<espi:IntervalBlock> after b9", also="SUM-11"),
    "READ-12": cut("usage", "        <espi:IntervalReading><espi:cost>9210", "      </espi:IntervalBlock>",
                   more=SHORTER, at="<espi:IntervalBlock> after b2", also="SUM-11"),
    "READ-13": bad("usage", element("intervalLength", 3600), element("intervalLength", 900), at="<espi:value>300<",
                   also="UNIT-11"),
    "READ-14": without("usage", "<espi:value>411</espi:value>", also="SUM-11"),
    "READ-15": bad("usage", "<espi:value>411</espi:value>", "<espi:value>-411</espi:value>", also="SUM-11"),
    "READ-16": bad("usage", "<espi:value>7120000<", "<espi:value>0<", more=NOTHING, at="entry m3"),
    "READ-17": bad("usage", "<espi:value>7129700<", "<espi:value>7119700<"),
    "READ-18": starts(1793433600, 1793433660, also="READ-09 READ-10 SUM-11"),
    "READ-19": bad("usage", AUTUMN, AUTUMN.replace("90000", "86400"), also="READ-05"),
    "READ-20": starts(1793602800, 2109222000, also="READ-06 READ-10 SUM-11"),
    "READ-21": starts(1793433600, 1793433600000, also="SUM-11"),
    "READ-22": bad("usage", "<espi:quality>17</espi:quality></espi:ReadingQuality>" + HOUR,
                   "<espi:quality>5</espi:quality></espi:ReadingQuality>" + HOUR),
    "READ-23": bad("usage", "<espi:value>337</espi:value><espi:tou>1<", "<espi:value>337</espi:value><espi:tou>7<"),
    "READ-24": starts(1793433600, 0, also="READ-06 READ-07 READ-10 SUM-11"),
    "READ-25": without("usage", element("currency", 840), at="<espi:cost>9000<"),
    # Bills
    "SUM-01": bad("usage", CURRENCY.format(840), "<espi:overall", at="<espi:UsageSummary>"),
    "SUM-02": without("usage", PERIOD, at="<espi:UsageSummary> after z2"),
    "SUM-03": bad("usage", PERIOD, PERIOD.replace("176400", "0"), also="SUM-07"),
    "SUM-04": bad("usage", element("statusTimeStamp", 1793606400), element("statusTimeStamp", 1793300000)),
    "SUM-05": bad("usage", element("billLastPeriod", 12860000), element("billLastPeriod", 128), also="SUM-06"),
    "SUM-06": bad("usage", "<espi:amount>605000<", "<espi:amount>705000<"),
    "SUM-07": bad("usage", "<espi:itemPeriod><espi:duration>176400</espi:duration><espi:start>1793430000",
                  "<espi:itemPeriod><espi:duration>176400</espi:duration><espi:start>1763430000"),
    "SUM-08": bad("usage", "espi:UsageSummary>", "espi:ElectricPowerUsageSummary>",
                  more=(("espi:UsageSummary>", "espi:ElectricPowerUsageSummary>"),), also="XSD-02"),
    "SUM-09": bad("usage", PERIOD, SEPTEMBER, at="<espi:UsageSummary> after z2", also="SUM-07"),
    "SUM-10": bad("usage", SEPTEMBER, SEPTEMBER.replace("2592000", "2692000"), at="<espi:billingPeriod> after z2",
                  also="SUM-11"),
    "SUM-11": bad("usage", "<espi:value>19599<", "<espi:value>195990<"),
    "SUM-12": bad("usage", CURRENCY.format(840), CURRENCY.format(124)),
    "SUM-13": bad("usage", "<espi:uom>38</espi:uom><espi:value>2100", "<espi:uom>72</espi:uom><espi:value>2100"),
    "SUM-14": bad("usage", "Base service</espi:note>", f"Base service</espi:note>{MONEY}"),
    # Claims
    **{f"FB-{number:02}": claim(number, "customer") for number in (5, 6, 7, 8, 9, 10, 11, 12, 17, 26, 28, 29)},
    **{f"FB-{number:02}": claim(number, "usage") for number in (54, 56, 57, 58, 59, 60, 61, 62, 71)},
    "FB-04": claim(4, "customer"),
    "FB-15": without("usage", element("qualityOfReading", 17), at="<feed ", claims=(15,)),
    "FB-16": without("usage", element("billLastPeriod", 12860000), at="<feed ", claims=(16,), also="SUM-06"),
    "FB-27": claim(27, "kinds"),
    # The customer side
    "CUST-01": without("customer", ACCOUNTS, at="entry k1", also="GRAPH-02"),
    "CUST-02": bad("customer", 'type="cust-feed/ServiceSupplier"', 'rel="via" type="cust-feed/ServiceSupplier"',
                   more=(('rel="related" rel="via"', 'rel="via"'),), at="entry g1"),
    "CUST-03": bad("customer", f"<cust:UsagePoint>{U}<", "<cust:UsagePoint>UsagePoint/u1<"),
    "CUST-04": without("customer", "<cust:accountId>4711-1</cust:accountId>", at="<cust:CustomerAccount>"),
    "CUST-05": bad("customer", "https://dc.example.org/bills", "bills"),
    "CUST-06": without("customer", "<cust:customerName>Robin Example</cust:customerName>", at="<cust:Customer>"),
    "CUST-07": bad("customer", "</cust:email1>", "</cust:email1><cust:password>hunter2</cust:password>"),
    # Consents
    "AUTH-01": bad("consent", "FB=1_3_4_5_15;", "FB=1,3,4,5,15 "),
    "AUTH-02": bad("consent", f"{BASE}/Batch/Subscription/s7<", f"{BASE}/Subscription/s7<"),
    "AUTH-03": bad("consent", f"{BASE}/Authorization/s7<", f"{BASE}/Authorization/s8<"),
    "AUTH-04": bad("consent", element("expires_at", 1824966000), element("expires_at", 1440670029)),
    "AUTH-05": bad("consent", "https://dc.example.org/oauth/token", "http://dc.example.org/oauth/token"),
    "AUTH-06": bad("consent", "<espi:client_secret/>", element("client_secret", "s3cr3t")),
    # The Statewide Standard Tool
    "SST-01": bad("usage", AGENCY, AGENCY + RIN),
    "SST-02": bad("statewide", RIN, element("bundledRin", "E-ELEC"), profile="sst"),
    "SST-03": bad("statewide", RIN, RIN + element("generationRin", "USCA-XXMC-0505-0000"), profile="sst"),
    "SST-04": without("statewide", AGENCY, profile="sst", at="<espi:bundledRin>"),
}  # fmt: skip
