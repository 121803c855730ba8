"""What a reader may see, written down a second time and the other way round: for each element, who may see it.

The server's table says what a class opens; this one says which grants show an element. Nothing of the server's
own reading of scopes, rights, cuts and sums is used here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from lxml import etree

from tests.energy.worlds import DAY, HOUR, Planted, Reading, Series, World

CLASSES = {
    "Usage": {4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 27, 29},
    "Billing": {16, 26, 28, 56, 71},
    "Basic": {54, 55, 58},
    "Account": {56, 57, 59, 60, 61},
    "ProgramEnrollment": {62},
}
INTERVALS = {4, 5, 6, 7, 8, 9, 10, 11, 12, 29}

# A grant in letters, one for each part of a class that opens something of its own:
# I intervals (FB 4-12, 29), S 15, D 27, Q 17 | B 16, 26, 28, A 56 as billing, T 71 | n 54, d 55, l 58 |
# a 56 as account, g 57, s 59, m 60, e 61 | P 62 | R the RIN term, C cost of readings
_LETTERS = {
    **{("Usage", block): "I" for block in INTERVALS},
    ("Usage", 15): "S", ("Usage", 27): "D", ("Usage", 17): "Q",
    **{("Billing", block): "B" for block in (16, 26, 28)},
    ("Billing", 56): "A", ("Billing", 71): "T",
    ("Basic", 54): "n", ("Basic", 55): "d", ("Basic", 58): "l",
    ("Account", 56): "a", ("Account", 57): "g", ("Account", 59): "s", ("Account", 60): "m", ("Account", 61): "e",
    ("ProgramEnrollment", 62): "P",
}  # fmt: skip
USAGE_SIDE, CUSTOMER_SIDE = "ISDQBR", "AndlagsmePT"

# kind → (letters that show the entry at all, letters that must all be there for extension and batchItemInfo,
#         {letters: elements}); "*" is the rest
_ANY = USAGE_SIDE
_KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "LocalTimeParameters": (_ANY, "", {}),
    "UsagePoint": (_ANY, "uB", {_ANY: "ServiceCategory status", "B": "serviceDeliveryPoint", "ISDQ": "*"}),
    "MeterReading": ("I", "", {}),
    "ReadingType": ("I", "", {}),
    "ProgramIdMappings": ("I", "", {}),
    "UsageSummary": (
        "SDBR",
        "BR",
        {
            "SDBR": "statusTimeStamp",
            "SBR": "commodity",
            "SB": "billingPeriod overallConsumptionLastPeriod currentBillingPeriodOverAllConsumption qualityOfReading",
            "DB": "currentDayLastYearNetConsumption currentDayNetConsumption currentDayOverallConsumption peakDemand"
            " previousDayLastYearOverallConsumption previousDayNetConsumption previousDayOverallConsumption"
            " ratchetDemand ratchetDemandPeriod",
            "BR": "tariffProfile billingChargeSource",
            "R": "bundledRin deliveryRin generationRin",
            "B": "billLastPeriod billToDate costAdditionalLastPeriod costAdditionalDetailLastPeriod currency"
            " readCycle tariffRiderRefs",
        },
    ),
    "ElectricPowerQualitySummary": ("Q", "", {}),
    "Customer": (
        CUSTOMER_SIDE,
        "nd",
        {
            "n": "name customerName kind pucNumber status locale Organisation.name Organisation.organisationName"
            " Organisation.phone1 Organisation.phone2 Organisation.electronicAddress",
            "d": "specialNeed vip priority Organisation.streetAddress Organisation.postalAddress",
        },
    ),
    "CustomerAccount": (
        CUSTOMER_SIDE,
        "Anda",
        {
            "A": "billingCycle budgetBill lastBillAmount",
            "n": "electronicAddress contactInfo.name contactInfo.organisationName contactInfo.phone1"
            " contactInfo.phone2 contactInfo.electronicAddress",
            "d": "contactInfo.streetAddress contactInfo.postalAddress",
            "ag": "accountId",
            "a": "*",
        },
    ),
    "CustomerAgreement": (
        CUSTOMER_SIDE,
        "AgnP",
        {
            "A": "PricingStructures", "Ag": "currency", "n": "electronicAddress", "P": "DemandResponseProgram",
            "g": "*",
        },
    ),
    "ServiceLocation": (CUSTOMER_SIDE, "l", {"l": "*"}),
    "ServiceSupplier": ("s", "", {}),
    "Meter": ("m", "", {}),
    "EndDevice": ("e", "", {}),
    "Statement": ("T", "", {}),
    "ProgramDateIdMappings": ("P", "", {}),
}  # fmt: skip
_INHERITED = ("extension", "batchItemInfo")


@dataclass(frozen=True)
class Grant:
    """A scope as drawn: blocks, terms, and the rest of what it says. `since` is the start of consented history."""

    blocks: frozenset[int]
    terms: frozenset[str]
    interval: int | None = None
    cut: str = "day"
    since: int | None = None

    @property
    def letters(self) -> str:
        """What is opened, in letters."""
        named = self.terms & CLASSES.keys() or {name for name, own in CLASSES.items() if own & self.blocks}
        opened = {(name, block) for name in named for block in (CLASSES[name] & self.blocks or CLASSES[name])}
        letters = {_LETTERS[pair] for pair in opened}
        if "Billing" in named and ("Usage", 12) in opened:
            letters.add("C")
        return "".join(sorted(letters | ({"R"} if "RIN" in self.terms else set())))

    def shows(self, kind: str) -> bool:
        """Are there entries of this kind?"""
        return bool(set(_KINDS[kind][0]) & set(self.letters))

    @property
    def shows_readings(self) -> bool:
        """Are there interval blocks?"""
        return "I" in self.letters

    def seen(self, planted: Planted) -> etree._Element | None:
        """The content as this reader gets it; None where there is no entry."""
        if not self.shows(planted.kind):
            return None
        element = etree.fromstring(planted.content.write())
        _, whole, elements = _KINDS[planted.kind]
        if elements and not self._has_all(whole):
            _prune(element, frozenset(self._names(elements, element)))
            _strip(element)
        return element

    def _has_all(self, whole: str) -> bool:
        mine = set(self.letters) | ({"u"} if set("ISDQ") & set(self.letters) else set())
        return set(whole) <= mine

    def _names(self, elements: dict[str, str], element: etree._Element) -> Iterator[str]:
        mine = set(self.letters)
        named = {name.partition(".")[0] for names in elements.values() for name in names.split()}
        for letters, names in elements.items():
            if not set(letters) & mine:
                continue
            for name in names.split():
                if name != "*":
                    yield name
                    continue
                yield from (_local(child) for child in element if _local(child) not in {*named, *_INHERITED})


def _prune(element: etree._Element, names: frozenset[str]) -> None:
    for child in list(element):
        name = _local(child)
        below = frozenset(each.partition(".")[2] for each in names if each.startswith(name + "."))
        if name in names:
            continue
        if below:
            _prune(child, below)
        if not below or not len(child):
            element.remove(child)


def _strip(element: etree._Element) -> None:
    """What a source put aside goes only with a whole resource, however deep it stands."""
    for name in _INHERITED:
        for each in list(element.iter(f"{{*}}{name}")):
            each.getparent().remove(each)


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


# Readings


@dataclass(frozen=True)
class Block:
    """An IntervalBlock a reader gets: of which series, and its readings."""

    series: int
    readings: tuple[Reading, ...]

    @property
    def start(self) -> int:
        """Its interval's start."""
        return self.readings[0].start

    @property
    def end(self) -> int:
        """Its interval's end."""
        return max(each.start + each.duration for each in self.readings)

    def overlaps(self, after: int | None, before: int | None) -> bool:
        """Does its interval meet a window? One of a single moment holds that moment."""
        before = after + 1 if after is not None and after == before else before
        return (before is None or self.start < before) and (
            after is None or max(self.end, self.start + 1) > after
        )


def blocks(series: Series, grant: Grant, zone: ZoneInfo) -> list[Block]:
    """The blocks of a series that a grant gives, without a window."""
    seen = [
        _plain(each, grant) for each in series.readings if grant.since is None or each.start >= grant.since
    ]
    if grant.interval is not None:
        seen = _coarser(series, seen, grant.interval, zone)
    by_cut: dict[date, list[Reading]] = {}
    for each in seen:
        day = datetime.fromtimestamp(each.start, zone).date()
        by_cut.setdefault(day if grant.cut == "day" else day.replace(day=1), []).append(each)
    return [Block(series.number, tuple(cut)) for cut in by_cut.values()]


def _plain(reading: Reading, grant: Grant) -> Reading:
    """Without what only those see who see a reading's cost: the cost, and an extension nobody can judge."""
    return reading if "C" in grant.letters else replace(reading, cost=None, extension=None)


def _coarser(series: Series, readings: list[Reading], promise: int, zone: ZoneInfo) -> list[Reading]:
    shortest = next(
        (
            low
            for low, high in ((23 * HOUR, DAY), (28 * DAY, 31 * DAY), (365 * DAY, 366 * DAY))
            if low < promise <= high
        ),
        promise,
    )
    if not readings or min(each.duration for each in readings) >= shortest:
        return readings
    steps: dict[tuple[int, int], list[Reading]] = {}
    for each in readings:
        steps.setdefault(_step(each.start, promise, series.step if series.is_delta else 1, zone), []).append(
            each
        )
    if not series.is_delta:
        return [inside[0] for inside in steps.values()]
    return [_sum(start, end, inside) for (start, end), inside in steps.items()]


@lru_cache(maxsize=100_000)
def _step(start: int, promise: int, finest: int, zone: ZoneInfo) -> tuple[int, int]:
    """The step of local time a reading falls into."""
    day = datetime.fromtimestamp(start, zone).date()
    if promise > 31 * DAY:
        return _at(date(day.year, 1, 1), zone), _at(date(day.year + 1, 1, 1), zone)
    if promise > DAY:
        first = day.replace(day=1)
        return _at(first, zone), _at((first + timedelta(days=32)).replace(day=1), zone)
    begin, end = _at(day, zone), _at(day + timedelta(days=1), zone)
    seconds = next(each for each in range(promise, DAY + 1) if DAY % each == 0 and each % finest == 0)
    last = (end - begin) // seconds - 1 if end - begin >= seconds else 0
    number = min((start - begin) // seconds, last)
    return begin + number * seconds, end if number == last else begin + (number + 1) * seconds


def _at(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _sum(start: int, end: int, inside: Sequence[Reading]) -> Reading:
    end = max(end, *(each.start + each.duration for each in inside), end)
    qualities = {
        each.qualities and (each.qualities[0] if len(each.qualities) == 1 else 13) for each in inside
    }
    filled = sum(each.duration for each in inside) >= end - start
    agreed = next(iter(qualities)) if len(qualities) == 1 else 13
    quality = agreed if filled else 10
    tous = {each.tou for each in inside}
    return Reading(
        start,
        end - start,
        sum(each.value for each in inside),
        cost=sum(each.cost or 0 for each in inside)
        if all(each.cost is not None for each in inside)
        else None,
        qualities=(quality,) if quality else (),
        tou=tous.pop() if len(tous) == 1 else None,
    )


# A whole feed


@dataclass(frozen=True)
class Expected:
    """What one grant over some usage points gets to see of a world."""

    world: World
    grant: Grant
    points: tuple[str, ...]
    zone: ZoneInfo

    def resources(self) -> Iterator[tuple[Planted, etree._Element]]:
        """The small resources of a whole usage feed, each once, those the utility shares included."""
        for planted in self.world.planted:
            if planted.owner not in self.points and not self._is_shared(planted):
                continue
            since = self.grant.since
            if since is not None and planted.starts_at is not None and planted.starts_at < since:
                continue
            seen = self.grant.seen(planted)
            if seen is not None:
                yield planted, seen

    def _is_shared(self, planted: Planted) -> bool:
        """Does one of these usage points lean on this resource of the whole utility?"""
        return planted.owner == "" and (
            planted.kind == "ProgramIdMappings" or planted.leant_on_by in self.points
        )

    def blocks(self, after: int | None = None, before: int | None = None) -> list[Block]:
        """The interval blocks inside a window."""
        if not self.grant.shows_readings:
            return []
        mine = [series for series in self.world.series if series.point in self.points]
        found = (block for series in mine for block in blocks(series, self.grant, self.zone))
        return [block for block in found if block.overlaps(after, before)]

    def people(self, owner: str, hrefs: dict[str, str]) -> Iterator[tuple[Planted, etree._Element]]:
        """The customer-side resources, where all usage points of the customer are open."""
        for planted in self.world.planted:
            if planted.owner != owner:
                continue
            seen = self.grant.seen(planted)
            if seen is not None:
                yield planted, _addressed(seen, hrefs)


def _addressed(element: etree._Element, hrefs: dict[str, str]) -> etree._Element:
    """The usage points of a service location under the server's own addresses."""
    found = copy.deepcopy(element)
    for each in found.iter("{*}UsagePoint"):
        each.text = hrefs[str(each.text).rpartition("/")[2]]
    return found
