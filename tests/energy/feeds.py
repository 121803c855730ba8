"""Generated Green Button files: as many usage points, days and oddities as a test wants, nothing random.

household = Household("101", days=3, interval=900)
household.write(path)                          # one feed
feed(household.entries() + other.entries())    # its entries among others, in any order
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Los_Angeles")
BASE = "https://dc.example.org/espi/1_1/resource"
PUBLISHED = "2026-03-01T08:00:00Z"


def local(text: str, zone: ZoneInfo = ZONE) -> int:
    """Epoch seconds of a local date or time: `local("2026-01-31")`, `local("2026-01-31 06:00")`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


@dataclass(frozen=True)
class Household:
    """One usage point with one meter reading: `days` local days from `first`, a reading every `interval` seconds.

    `block` says how its blocks are cut (`day` or `month`); `changed` replaces values by start.
    """

    id: str = "101"
    days: int = 2
    interval: int = 3600
    first: str = "2026-01-30"
    block: str = "day"
    service: int = 0
    uom: int = 72
    commodity: int = 1
    flow: int = 1
    cost: bool = False
    quality: int | None = None
    published: str = PUBLISHED
    subscription: str = "S1"
    zone: ZoneInfo = ZONE
    changed: dict[int, int] = field(default_factory=dict)
    parts: Sequence[str] = ("time", "point", "type", "reading", "blocks", "summary")

    @property
    def here(self) -> str:
        return f"{BASE}/Subscription/{self.subscription}/UsagePoint/{self.id}"

    @property
    def reading_type(self) -> str:
        return f"{BASE}/ReadingType/{self.interval}-{self.uom}-{self.flow}"

    def midnights(self) -> list[int]:
        """The start of every local day, and the end of the last."""
        first = datetime.fromisoformat(self.first)
        days = [first + timedelta(days=number) for number in range(self.days + 1)]
        return [int(day.replace(tzinfo=self.zone).timestamp()) for day in days]

    def starts(self) -> list[int]:
        """The start of every reading."""
        bounds = self.midnights()
        return list(range(bounds[0], bounds[-1], self.interval))

    def value(self, start: int) -> int:
        """What was used in the reading that starts then."""
        return self.changed.get(start, 100 + (start // 60 * 7 + int(self.id) * 13) % 397)

    def entries(self) -> list[str]:
        """Every entry as text, in the usual order."""
        made = {
            "time": [self._time()], "point": [self._point()], "type": [self._type()],
            "reading": [self._reading()], "blocks": self.blocks(), "summary": [self.summary()],
        }  # fmt: skip
        return [entry for part in self.parts for entry in made[part]]

    def blocks(self) -> list[str]:
        """The IntervalBlock entries."""
        return [
            entry(
                "IntervalBlock",
                f"{self.here}/MeterReading/m1",
                str(starts[0]),
                self._block(starts),
                self.published,
            )
            for starts in self._cuts()
        ]

    def block_of_day(self, number: int) -> str:
        """The entry of one day alone."""
        bounds = self.midnights()[number : number + 2]
        starts = list(range(*bounds, self.interval))
        return entry(
            "IntervalBlock",
            f"{self.here}/MeterReading/m1",
            str(starts[0]),
            self._block(starts),
            self.published,
        )

    def _cuts(self) -> list[list[int]]:
        cuts: dict[object, list[int]] = {}
        for start in self.starts():
            day = datetime.fromtimestamp(start, self.zone).date()
            cuts.setdefault(day if self.block == "day" else (day.year, day.month), []).append(start)
        return list(cuts.values())

    def _block(self, starts: list[int]) -> str:
        duration = starts[-1] + self.interval - starts[0]
        inside = "".join(self._interval_reading(start) for start in starts)
        return f"<e:interval><e:duration>{duration}</e:duration><e:start>{starts[0]}</e:start></e:interval>{inside}"

    def _interval_reading(self, start: int) -> str:
        cost = f"<e:cost>{self.value(start) * 21}</e:cost>" if self.cost else ""
        quality = f"<e:ReadingQuality><e:quality>{self.quality}</e:quality></e:ReadingQuality>"
        period = (
            f"<e:timePeriod><e:duration>{self.interval}</e:duration><e:start>{start}</e:start></e:timePeriod>"
        )
        return (
            f"<e:IntervalReading>{cost}{quality if self.quality is not None else ''}{period}"
            f"<e:value>{self.value(start)}</e:value></e:IntervalReading>"
        )

    def _time(self) -> str:
        inside = (
            "<e:dstEndRule>B40E2000</e:dstEndRule><e:dstOffset>3600</e:dstOffset>"
            "<e:dstStartRule>360E2000</e:dstStartRule><e:tzOffset>-28800</e:tzOffset>"
        )
        return entry("LocalTimeParameters", BASE, "t1", inside, self.published)

    def _point(self) -> str:
        inside = (
            f"<e:ServiceCategory><e:kind>{self.service}</e:kind></e:ServiceCategory><e:status>1</e:status>"
        )
        related = (f"{self.here}/MeterReading", f"{self.here}/UsageSummary", f"{BASE}/LocalTimeParameters/t1")
        at = self.here.rpartition("/UsagePoint/")[0]
        return entry("UsagePoint", at, self.id, inside, self.published, related)

    def _type(self) -> str:
        inside = (
            f"<e:accumulationBehaviour>4</e:accumulationBehaviour><e:commodity>{self.commodity}</e:commodity>"
            "<e:currency>840</e:currency><e:dataQualifier>12</e:dataQualifier>"
            f"<e:flowDirection>{self.flow}</e:flowDirection><e:intervalLength>{self.interval}</e:intervalLength>"
            "<e:kind>12</e:kind><e:phase>769</e:phase><e:powerOfTenMultiplier>0</e:powerOfTenMultiplier>"
            f"<e:timeAttribute>0</e:timeAttribute><e:uom>{self.uom}</e:uom>"
        )
        return entry("ReadingType", BASE, self.reading_type.rpartition("/")[2], inside, self.published)

    def _reading(self) -> str:
        related = (f"{self.here}/MeterReading/m1/IntervalBlock", self.reading_type)
        return entry("MeterReading", self.here, "m1", "", self.published, related)

    def summary(self, id: str = "z1", bill: int = 8_325_000) -> str:
        """One UsageSummary over all the days."""
        bounds = self.midnights()
        inside = (
            f"<e:billingPeriod><e:duration>{bounds[-1] - bounds[0]}</e:duration><e:start>{bounds[0]}</e:start>"
            f"</e:billingPeriod><e:billLastPeriod>{bill}</e:billLastPeriod><e:currency>840</e:currency>"
            f"<e:statusTimeStamp>{bounds[-1]}</e:statusTimeStamp><e:commodity>{self.commodity}</e:commodity>"
        )
        return entry("UsageSummary", self.here, id, inside, self.published, (self.here,))

    def write(self, path: Path, **form: Any) -> Path:
        """The feed of all entries as a file."""
        return write(path, self.entries(), **form)

    def but(self, **changes: Any) -> Household:
        """The same household, other in this."""
        return replace(self, **changes)


def entry(
    kind: str,
    at: str,
    id: str,
    inside: str,
    published: str = PUBLISHED,
    related: Iterable[str] = (),
    *,
    root: str | None = None,
) -> str:
    """One entry below `at`, in prefixes `a` (Atom) and `e` (ESPI)."""
    own = f"{at}/{kind}/{id}"
    links = [("self", own), ("up", f"{at}/{kind}"), *(("related", href) for href in related)]
    shown = "".join(f'<a:link rel="{rel}" href="{href}"/>' for rel, href in links)
    name = root or kind
    return (
        f"<a:entry><a:id>urn:uuid:{id}-{kind}</a:id>{shown}<a:title/><a:content><e:{name}>{inside}</e:{name}>"
        f"</a:content><a:published>{published}</a:published><a:updated>{published}</a:updated></a:entry>"
    )


def feed(
    entries: Iterable[str],
    *,
    prefix: str = "e",
    indent: bool = False,
    comments: bool = False,
    namespace: str = "espi",
) -> bytes:
    """A feed of entries; `prefix` is the one ESPI elements get, `""` for none."""
    body = "".join(entries)
    spaces = {"espi": "http://naesb.org/espi", "customer": "http://naesb.org/espi/customer"}
    if indent:
        body = body.replace("><", ">\n  <")
    if comments:
        body = body.replace("<e:value>", "<!-- a comment --><e:value>").replace(
            "</e:start>", "<!-- UTC --></e:start>"
        )
    head = f'<a:feed xmlns:a="http://www.w3.org/2005/Atom" xmlns:e="{spaces[namespace]}">'
    text = f"{head}<a:id>urn:uuid:feed</a:id><a:title>Usage</a:title><a:updated>{PUBLISHED}</a:updated>{body}</a:feed>"
    if prefix != "e":
        mark = f"{prefix}:" if prefix else ""
        text = text.replace("<e:", f"<{mark}").replace("</e:", f"</{mark}")
        text = text.replace("xmlns:e=", f"xmlns:{prefix}=" if prefix else "xmlns=")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def write(path: Path, entries: Iterable[str], *, zipped: bool = False, **form: Any) -> Path:
    """A feed of entries as a file, gzipped or not."""
    data = feed(entries, **form)
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path
