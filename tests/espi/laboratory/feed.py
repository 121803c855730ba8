"""A feed as a certification engineer would write it by hand: an electric and a gas meter around the end of summer time.

Made anew and apart from the rules' own good files, so that both can be wrong only together with the standard.
"""

from __future__ import annotations

import uuid

HOST = "https://dc.example.com/DataCustodian/espi/1_1/resource"
SUBSCRIPTION = f"{HOST}/Subscription/5f1c"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "dc.example.com")
MIDNIGHT = 1_793_430_000  # 31 October 2026 in California, still daylight saving time
HOUR, DAY = 3_600, 86_400
PUBLISHED = "2026-11-04T09:00:00Z"


def link(rel: str, kind: str, href: str) -> str:
    return f'<link rel="{rel}" type="espi-{kind}" href="{href}"/>'


def entry(kind: str, collection: str, id: str, content: str, *related: str) -> str:
    links = [
        link("self", f"entry/{kind}", f"{collection}/{id}"),
        link("up", f"feed/{kind}", collection),
        *related,
    ]
    return "\n".join([
        "<entry>",
        f"<id>urn:uuid:{uuid.uuid5(NAMESPACE, collection + id)}</id>",
        *links,
        f"<title>{kind} {id}</title>",
        f'<content><{kind} xmlns="http://naesb.org/espi">',
        *content.split("|"),
        f"</{kind}></content>",
        f"<published>{PUBLISHED}</published>",
        f"<updated>{PUBLISHED}</updated>",
        "</entry>",
    ])  # fmt: skip


def reading(start: int, length: int, value: int) -> str:
    return (
        "<IntervalReading>|<ReadingQuality><quality>17</quality></ReadingQuality>|"
        f"<timePeriod><duration>{length}</duration><start>{start}</start></timePeriod>|<value>{value}</value>|"
        "</IntervalReading>"
    )


def block(start: int, steps: int, length: int, values: list[int]) -> str:
    readings = [reading(start + n * length, length, values[n % len(values)]) for n in range(steps)]
    interval = f"<interval><duration>{steps * length}</duration><start>{start}</start></interval>"
    return "|".join([interval, *readings])


def point(name: str, service: int) -> str:
    at = f"{SUBSCRIPTION}/UsagePoint"
    return entry(
        "UsagePoint", at, name,
        f"<ServiceCategory><kind>{service}</kind></ServiceCategory>|<status>1</status>",
        link("related", "feed/MeterReading", f"{at}/{name}/MeterReading"),
        link("related", "feed/UsageSummary", f"{at}/{name}/UsageSummary"),
        link("related", "entry/LocalTimeParameters", f"{HOST}/LocalTimeParameters/pacific"),
    )  # fmt: skip


def meter(name: str, type_: str) -> str:
    at = f"{SUBSCRIPTION}/UsagePoint/{name}/MeterReading"
    return entry(
        "MeterReading", at, "1", "",
        link("related", "feed/IntervalBlock", f"{at}/1/IntervalBlock"),
        link("related", "entry/ReadingType", f"{HOST}/ReadingType/{type_}"),
    )  # fmt: skip


def reading_type(name: str, commodity: int, length: int, uom: int, power: int) -> str:
    return entry(
        "ReadingType", f"{HOST}/ReadingType", name,
        f"<accumulationBehaviour>4</accumulationBehaviour>|<commodity>{commodity}</commodity>|<currency>840</currency>|"
        f"<dataQualifier>12</dataQualifier>|<flowDirection>1</flowDirection>|<intervalLength>{length}</intervalLength>|"
        f"<kind>12</kind>|<phase>0</phase>|<powerOfTenMultiplier>{power}</powerOfTenMultiplier>|"
        f"<timeAttribute>0</timeAttribute>|<uom>{uom}</uom>",
    )  # fmt: skip


def bill(name: str, commodity: int, uom: int, power: int, used: int) -> str:
    at = f"{SUBSCRIPTION}/UsagePoint/{name}"
    return entry(
        "UsageSummary", f"{at}/UsageSummary", "b1",
        f"<billingPeriod><duration>{3 * DAY + HOUR}</duration><start>{MIDNIGHT}</start></billingPeriod>|"
        "<billLastPeriod>2350000</billLastPeriod>|"
        "<costAdditionalLastPeriod>350000</costAdditionalLastPeriod>|"
        "<costAdditionalDetailLastPeriod><amount>2000000</amount><note>Energy</note><itemKind>3</itemKind>"
        "</costAdditionalDetailLastPeriod>|"
        "<costAdditionalDetailLastPeriod><amount>350000</amount><note>City tax</note><itemKind>5</itemKind>"
        "</costAdditionalDetailLastPeriod>|"
        "<currency>840</currency>|"
        f"<overallConsumptionLastPeriod><powerOfTenMultiplier>{power}</powerOfTenMultiplier><uom>{uom}</uom>"
        f"<value>{used}</value></overallConsumptionLastPeriod>|"
        f"<currentBillingPeriodOverAllConsumption><powerOfTenMultiplier>{power}</powerOfTenMultiplier><uom>{uom}</uom>"
        "<value>0</value></currentBillingPeriodOverAllConsumption>|<qualityOfReading>17</qualityOfReading>|"
        f"<statusTimeStamp>{MIDNIGHT + 4 * DAY}</statusTimeStamp>|<commodity>{commodity}</commodity>|"
        "<tariffProfile>E-1</tariffProfile>",
        link("related", "entry/UsagePoint", at),
    )  # fmt: skip


def good() -> str:
    """The whole feed, one element a line."""
    hourly, daily = [410, 388, 402, 377, 950], [11, 14, 9]
    used = sum(sum(hourly[n % 5] for n in range(steps)) for steps in (24, 25, 24))
    blocks = f"{SUBSCRIPTION}/UsagePoint/el/MeterReading/1/IntervalBlock"
    gas = f"{SUBSCRIPTION}/UsagePoint/gas/MeterReading/1/IntervalBlock"
    days = [
        entry("IntervalBlock", gas, f"d{n}",
              f"<interval><duration>{end - start}</duration><start>{start}</start></interval>|"
              + reading(start, end - start, daily[n]))
        for n, (start, end) in enumerate([(MIDNIGHT, MIDNIGHT + DAY), (MIDNIGHT + DAY, MIDNIGHT + 2 * DAY + HOUR),
                                          (MIDNIGHT + 2 * DAY + HOUR, MIDNIGHT + 3 * DAY + HOUR)])
    ]  # fmt: skip
    return "\n".join([
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<id>urn:uuid:{uuid.uuid5(NAMESPACE, 'feed')}</id>",
        "<title>Green Button</title>",
        f"<updated>{PUBLISHED}</updated>",
        link("self", "entry/Subscription", f"{HOST}/Batch/Subscription/5f1c"),
        '<link rel="related" type="text/xml" href="https://cert.example.com/dc/9"/>',
        point("el", 0), point("gas", 1),
        entry("LocalTimeParameters", f"{HOST}/LocalTimeParameters", "pacific",
              "<dstEndRule>B40E2000</dstEndRule>|<dstOffset>3600</dstOffset>|<dstStartRule>360E2000</dstStartRule>|"
              "<tzOffset>-28800</tzOffset>"),
        reading_type("el", 1, HOUR, 72, 0), reading_type("gas", 7, DAY, 169, 0),
        meter("el", "el"), meter("gas", "gas"),
        entry("IntervalBlock", blocks, "d0", block(MIDNIGHT, 24, HOUR, hourly)),
        entry("IntervalBlock", blocks, "d1", block(MIDNIGHT + DAY, 25, HOUR, hourly)),
        entry("IntervalBlock", blocks, "d2", block(MIDNIGHT + 2 * DAY + HOUR, 24, HOUR, hourly)),
        *days,
        bill("el", 1, 72, 0, used), bill("gas", 7, 169, 0, sum(daily)),
        "</feed>\n",
    ])  # fmt: skip
