"""A file as utilities deliver it: one meter's 396 days of quarter-hours with cost and quality, indented, 8.4 MB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.in_process import ATOM, ESPI, STAMP, ZONE, quarter_hours
from espi_server.espi.readings import Readings, cut

READINGS = 38_016
_BASE = "https://data.example/espi/1_1/resource"
_POINT = f"{_BASE}/Subscription/7c9e/UsagePoint/41d2"
_READING = (
    "<IntervalReading>\n <cost>%d</cost>\n <ReadingQuality>\n  <quality>%d</quality>\n </ReadingQuality>\n"
    " <timePeriod>\n  <duration>%d</duration>\n  <start>%d</start>\n </timePeriod>\n <value>%d</value>\n"
    "</IntervalReading>\n"
)
_TIME = (
    "<dstEndRule>B40E2000</dstEndRule><dstOffset>3600</dstOffset><dstStartRule>360E2000</dstStartRule>"
    "<tzOffset>-28800</tzOffset>"
)
_TYPE = (
    "<accumulationBehaviour>4</accumulationBehaviour><commodity>1</commodity><currency>840</currency>"
    "<dataQualifier>12</dataQualifier><flowDirection>1</flowDirection><intervalLength>900</intervalLength>"
    "<kind>12</kind><phase>769</phase><powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom>"
)


def write(path: Path) -> Path:
    """The file, always the same."""
    path.write_text("".join(_feed()))
    return path


def _feed() -> Iterator[str]:
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="{ATOM}">\n<id>urn:uuid:0f7b</id>\n'
    yield f"<title>Feed</title>\n<updated>{STAMP}</updated>\n"
    yield _entry("LocalTimeParameters", _BASE, "t1", _TIME)
    point = "<ServiceCategory><kind>0</kind></ServiceCategory><status>1</status>"
    related = (f"{_POINT}/MeterReading", f"{_BASE}/LocalTimeParameters/t1")
    yield _entry("UsagePoint", f"{_BASE}/Subscription/7c9e", "41d2", point, related)
    yield _entry("ReadingType", _BASE, "r1", _TYPE)
    meter_reading = f"{_POINT}/MeterReading/m1"
    yield _entry(
        "MeterReading", _POINT, "m1", "", (f"{meter_reading}/IntervalBlock", f"{_BASE}/ReadingType/r1")
    )
    readings = quarter_hours(full=True)
    for number, (_, rows) in enumerate(cut(readings, ZONE, "month")):
        yield _entry("IntervalBlock", meter_reading, str(number), _block(readings[rows]))
    yield "</feed>\n"


def _block(readings: Readings) -> str:
    start, duration = readings.interval
    columns = (readings.cells(name).tolist() for name in ("cost", "quality", "duration", "start", "value"))
    return f"<interval>\n <duration>{duration}</duration>\n <start>{start}</start>\n</interval>\n" + "".join(
        _READING % cells for cells in zip(*columns, strict=True)
    )


def _entry(kind: str, at: str, id: str, inside: str, related: Iterable[str] = ()) -> str:
    links = [("self", f"{at}/{kind}/{id}"), ("up", f"{at}/{kind}"), *(("related", href) for href in related)]
    shown = "".join(f'<link rel="{rel}" href="{href}"/>\n' for rel, href in links)
    return (
        f"<entry>\n<id>urn:uuid:{kind}-{id}</id>\n{shown}<title/>\n<content>\n"
        f'<{kind} xmlns="{ESPI}">\n{inside}</{kind}>\n</content>\n'
        f"<published>{STAMP}</published>\n<updated>{STAMP}</updated>\n</entry>\n"
    )
