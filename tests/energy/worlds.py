"""Invented utilities: customers, usage points, readings of many kinds, bills, with every element planted.

A world is made of its seed alone, so that a failing one can be made again. What it holds is known here without
any code of the server's: `points`, `series` and `planted` are what the tests compare with.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from espi_server.espi import atom, codes, customer, paths, usage
from espi_server.espi.atom import Link
from espi_server.espi.content import Content
from tests.energy.planted import Planter

ZONE = ZoneInfo("America/Los_Angeles")
BASE = "https://data.planted.example/espi/1_1/resource"
PUBLISHED = 1_767_000_000  # 29 December 2025
HOUR, DAY = 3_600, 86_400
DELTA, CUMULATIVE = 4, 3
POINTS = {"alice": ("p1", "p2"), "bob": ("p3",), "": ("p4",)}
"""Whose usage points there are; one belongs to nobody."""


@dataclass(frozen=True)
class Reading:
    """One reading as it was delivered."""

    start: int
    duration: int
    value: int
    cost: int | None = None
    qualities: tuple[int, ...] = ()
    tou: int | None = None
    extension: str | None = None

    @property
    def xml(self) -> str:
        """The element, in the schema's order."""
        extension = f"<extension>{self.extension}</extension>" if self.extension else ""
        cost = "" if self.cost is None else f"<cost>{self.cost}</cost>"
        qualities = "".join(
            f"<ReadingQuality><quality>{each}</quality></ReadingQuality>" for each in self.qualities
        )
        tou = "" if self.tou is None else f"<tou>{self.tou}</tou>"
        return (
            f"<IntervalReading>{extension}{cost}{qualities}<timePeriod><duration>{self.duration}</duration>"
            f"<start>{self.start}</start></timePeriod><value>{self.value}</value>{tou}</IntervalReading>"
        )


@dataclass(frozen=True)
class Series:
    """A meter reading: its number (the `tou` of its ReadingType), its usage point, and its readings in order."""

    number: int
    point: str
    is_delta: bool
    step: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Planted:
    """A resource as it was delivered: its kind, whose it is, its content, and where its period starts.

    `leant_on_by` is the usage point that relates to a resource of the whole utility, directly or not.
    """

    kind: str
    owner: str
    content: Content
    starts_at: int | None = None
    leant_on_by: str = ""


@dataclass
class World:
    """Everything one utility delivers."""

    planter: Planter
    series: list[Series] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    usage: list[bytes] = field(default_factory=list)
    people: dict[str, list[bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, seed: int) -> World:
        """The world of this seed."""
        chance = random.Random(seed)
        world = cls(Planter(chance))
        for owner, points in POINTS.items():
            for point in points:
                _make_point(world, chance, point)
            if owner:
                _make_customer(world, owner, points)
        _shared(world, usage.ProgramIdMappings, "")
        return world

    def write(self, folder: Path) -> list[Path]:
        """The files the utility delivers."""
        made = {"usage": self.usage, **self.people}
        for name, entries in made.items():
            (folder / f"{name}.xml").write_bytes(_feed(entries))
        return [folder / f"{name}.xml" for name in made]

    @property
    def moments(self) -> list[int]:
        """Starts worth cutting a history or a window at: of readings, around midnights, of bills."""
        starts = [each.start for series in self.series for each in series.readings]
        bills = [each.starts_at for each in self.planted if each.starts_at is not None]
        return sorted({*starts[::7], *(each + 1 for each in starts[::11]), *bills})


# Usage


def _make_point(world: World, chance: random.Random, point: str) -> None:
    at = paths.subscription(BASE, "s1")
    here = paths.usage_point(at, point)
    times = _shared(world, usage.LocalTimeParameters, point)
    content = world.planter.any(
        usage.UsagePoint, status=1, service_category=usage.ServiceCategory(kind=codes.ServiceKind(0))
    )
    related = [
        paths.related_collection(f"{here}/MeterReading", "MeterReading"),
        paths.related_collection(f"{here}/UsageSummary", "UsageSummary"),
        paths.related(times, "LocalTimeParameters"),
    ]
    _add(world, point, content, [*paths.links(at, "UsagePoint", point), *related])
    for _ in range(chance.randint(1, 2)):
        _make_series(world, chance, at, point)
    for number in range(chance.randint(0, 3)):
        _make_summary(world, at, point, number)


def _make_series(world: World, chance: random.Random, at: str, point: str) -> None:
    number = len(world.series) + 1
    step, is_delta, readings = chance.choice(_SHAPES)(chance)
    series = Series(number, point, is_delta, step, tuple(_dressed(chance, number, readings)))
    world.series.append(series)
    reading_type = _shared(
        world, usage.ReadingType, point, tou=number, interval_length=step, currency=codes.Currency.USD,
        commodity=codes.CommodityKind(1), power_of_ten_multiplier=codes.UnitMultiplierKind(0),
        accumulation_behaviour=codes.AccumulationKind(DELTA if is_delta else CUMULATIVE),
    )  # fmt: skip
    links = paths.meter_reading_links(at, point, f"m{number}", reading_type)
    _add(world, point, world.planter.resource(usage.MeterReading), links)
    rows = list(series.readings)
    while rows:
        size = chance.choice((1, 24, 100))
        block, rows = rows[:size], rows[size:]
        _add_block(world, paths.interval_block_links(at, point, f"m{number}", str(block[0].start)), block)


def _dressed(chance: random.Random, number: int, readings: Iterable[tuple[int, int]]) -> Iterator[Reading]:
    """The readings with what else they carry; every value and every cost is there once in the world."""
    costs, qualities, tou = (chance.random() < 0.5 for _ in range(3))
    for place, (start, duration) in enumerate(readings):
        own = 100_000_000 + number * 1_000_000 + place * 7
        rare = chance.random() < 0.02
        yield Reading(
            start, duration, own,
            cost=own * 3 + 1 if costs and not rare else None,
            qualities=(17, 8) if qualities and rare else (17,) if qualities else (),
            tou=place % 3 if tou else None,
            extension=world_extension(number, place) if rare else None,
        )  # fmt: skip


def world_extension(number: int, place: int) -> str:
    """What a reading's extension says."""
    return f"X{number:03}-{place:06}X"


def _add_block(world: World, links: Iterable[tuple[str, str, str]], block: list[Reading]) -> None:
    start = block[0].start
    duration = max(each.start + each.duration for each in block) - start
    inside = "".join(each.xml for each in block)
    xml = (
        f'<IntervalBlock xmlns="http://naesb.org/espi"><interval><duration>{duration}</duration>'
        f"<start>{start}</start></interval>{inside}</IntervalBlock>"
    )
    world.usage.append(_entry(links, xml.encode()))


def _make_summary(world: World, at: str, point: str, number: int) -> None:
    start = _midnight(date(2025, 3, 3) + timedelta(days=61 * number)) + int(point[1:])
    period = usage.DateTimeInterval(duration=30 * DAY, start=start)
    items = [
        world.planter.resource(usage.LineItem) for _ in range(90 if point == "p1" and number == 1 else 2)
    ]
    summary = world.planter.any(
        usage.UsageSummary, billing_period=period, cost_additional_detail_last_period=items,
        currency=codes.Currency.USD, commodity=codes.CommodityKind(1),
    )  # fmt: skip
    _add(world, point, summary, paths.usage_summary_links(at, point, f"z{number}"), start)
    quality = world.planter.any(usage.ElectricPowerQualitySummary, summary_interval=period)
    _add(world, point, quality, paths.quality_summary_links(at, point, f"q{number}"), start)


def _shared(world: World, cls: type[Content], point: str, **given: Any) -> str:
    """A resource of the whole utility that `point` leans on; its address."""
    links = paths.links(BASE, cls.name, f"{cls.name}{len(world.planted)}")
    content = world.planter.any(cls, **given)
    world.planted.append(Planted(content.name, "", content, leant_on_by=point))
    world.usage.append(_entry(links, content.write()))
    return links[0][1]


# Readings: step, whether they are amounts, and their starts and durations


def _quarters(chance: random.Random) -> tuple[int, bool, list[tuple[int, int]]]:
    """Quarter-hours around a change of the clock, a month's end, or a year's."""
    first = _midnight(chance.choice((date(2025, 3, 8), date(2025, 11, 1), date(2025, 12, 31))))
    return 900, True, _gaps(chance, [(first + 900 * each, 900) for each in range(96 * 2 + 30)])


def _hours(chance: random.Random) -> tuple[int, bool, list[tuple[int, int]]]:
    first = _midnight(date(2025, 10, 20) + timedelta(days=chance.randint(0, 9)))
    return (
        HOUR,
        True,
        _gaps(chance, [(first + HOUR * each, HOUR) for each in range(24 * chance.randint(5, 20))]),
    )


def _half_days(chance: random.Random) -> tuple[int, bool, list[tuple[int, int]]]:
    """From one year into the next, in steps that know no daylight time."""
    first = _midnight(date(2024, 11, 1) + timedelta(days=chance.randint(0, 60)))
    return 12 * HOUR, True, _gaps(chance, [(first + 12 * HOUR * each, 12 * HOUR) for each in range(500)])


def _days(chance: random.Random) -> tuple[int, bool, list[tuple[int, int]]]:
    first = date(2025, 1, 20) + timedelta(days=chance.randint(0, 60))
    bounds = [_midnight(first + timedelta(days=each)) for each in range(chance.randint(40, 340))]
    return DAY, True, _gaps(chance, _between(bounds))


def _months(chance: random.Random) -> tuple[int, bool, list[tuple[int, int]]]:
    months = [date(2024 + each // 12, each % 12 + 1, 1) for each in range(chance.randint(5, 23))]
    return 30 * DAY, True, _between([_midnight(each) for each in months])


def _register(chance: random.Random) -> tuple[int, bool, list[tuple[int, int]]]:
    """What a meter's dial shows, at moments; not to be added up."""
    first = _midnight(date(2025, 2, 1) + timedelta(days=chance.randint(0, 9)))
    step = chance.choice((HOUR, 6 * HOUR, DAY))
    return step, False, _gaps(chance, [(first + step * each, 0) for each in range(200)])


_SHAPES = (_quarters, _hours, _half_days, _days, _months, _register)


def _gaps(chance: random.Random, readings: list[tuple[int, int]]) -> list[tuple[int, int]]:
    missing = chance.choice((0, 0, 0.03))
    return [each for each in readings if chance.random() >= missing]


def _between(bounds: list[int]) -> list[tuple[int, int]]:
    return [(start, end - start) for start, end in pairwise(bounds)]


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp())


# People


def _make_customer(world: World, owner: str, points: Iterable[str]) -> None:
    at = paths.retail_customer(BASE, owner)
    here = paths.customer(at, owner)
    plant = world.planter.any
    _add(world, owner, plant(customer.Customer), paths.links(at, "Customer", owner))
    _add(world, owner, plant(customer.Statement), paths.links(here, "Statement", "st"))
    _add(world, owner, plant(customer.CustomerAccount), paths.links(here, "CustomerAccount", "a"))
    account = f"{here}/CustomerAccount/a"
    for point in points:
        _make_agreement(world, owner, account, point)


def _make_agreement(world: World, owner: str, account: str, point: str) -> None:
    plant = world.planter.any
    agreement, location = f"{account}/CustomerAgreement/g{point}", f"l{point}"
    href = paths.usage_point(paths.subscription(BASE, "s1"), point)
    content = plant(customer.ServiceLocation, usage_points=[customer.UsagePoints(usage_point=[href])])
    _add(
        world,
        owner,
        plant(customer.CustomerAgreement),
        paths.links(account, "CustomerAgreement", f"g{point}"),
    )
    _add(world, owner, content, paths.links(agreement, "ServiceLocation", location))
    for cls in (customer.ServiceSupplier, customer.ProgramDateIdMappings):
        _add(world, owner, plant(cls), paths.links(agreement, cls.name, f"x{point}"))
    for cls in (customer.Meter, customer.EndDevice):
        _add(
            world,
            owner,
            plant(cls),
            paths.links(f"{agreement}/ServiceLocation/{location}", cls.name, f"d{point}"),
        )


# Entries


def _add(
    world: World,
    owner: str,
    content: Content,
    links: Iterable[tuple[str, str, str]],
    starts_at: int | None = None,
) -> None:
    world.planted.append(Planted(content.name, owner, content, starts_at))
    entries = world.people.setdefault(owner, []) if owner in POINTS else world.usage
    entries.append(_entry(links, content.write()))


def _entry(links: Iterable[tuple[str, str, str]], content: bytes) -> bytes:
    rows = [Link(*each) for each in links]
    head = atom.entry_head(
        id=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, rows[0].href)}", title="", links=rows
    )
    return head + content + atom.entry_tail(published=PUBLISHED, updated=PUBLISHED)


def _feed(entries: Iterable[bytes]) -> bytes:
    head = atom.feed_head(
        id="urn:uuid:0", title="", updated=PUBLISHED, href=BASE, type="espi-feed/UsagePoint"
    )
    return b"".join((head, *entries, atom.FEED_TAIL))
