"""How the feed writer compares with a tree, in one process: `python bench/in_process.py [--json FILE]`.

The data are 396 days of quarter-hours with gamma-distributed values (mean 360 Wh), drawn anew but always the same.
Every way is checked to give the same bytes before it is timed; figures are medians of interleaved repetitions, and
only their ratios say anything, since absolute times follow the machine.
"""

import argparse
import gzip as stdlib_gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from zoneinfo import ZoneInfo

import numpy as np
from lxml import etree

from espi_server.espi import crc, stream
from espi_server.espi.blocks import Body
from espi_server.espi.deflate import FAST, PLAIN
from espi_server.espi.readings import Readings, cut, pack, read, render, unpack

ZONE = ZoneInfo("America/Los_Angeles")
DAYS, FIRST = 396, 1_672_560_000  # 2023-01-01 00:00 in Los Angeles
ATOM, ESPI = "http://www.w3.org/2005/Atom", "http://naesb.org/espi"
HREF = (
    "https://data.example/espi/1_1/resource/Subscription/7c9e/UsagePoint/41d2/MeterReading/9b1f/IntervalBlock"
)
HEAD = f'<feed xmlns="{ATOM}"><id>urn:uuid:0f7b</id><title>Feed</title>'.encode()
TAIL = b"</feed>"
STAMP = "2024-02-01T08:00:00Z"
AFTER = f"</IntervalBlock></content><published>{STAMP}</published><updated>{STAMP}</updated></entry>".encode()
GATES = {
    "identity, 13 months": 50,
    "identity, 396 days": 50,
    "gzip, 13 months": 400,
    "gzip, 396 days": None,
    "render": 10,
    "render with cost and quality": 10,
}


def quarter_hours(full: bool = False) -> Readings:
    """396 days of readings; `full` ones carry cost and quality."""
    values = np.random.default_rng(1).gamma(1.5, 240, DAYS * 96).astype(np.int64)
    more = {"cost": values * 21, "quality": np.full(len(values), 17)} if full else {}
    return Readings.of(FIRST + 900 * np.arange(len(values)), 900, value=values, **more)


def before(number: int, interval: tuple[int, int]) -> bytes:
    """What stands before the readings of an entry: Atom in the small, as a feed writer makes it for each request."""
    start, duration = interval
    return (
        f"<entry><id>urn:uuid:{number:08x}-4c1e-5b7a-9d20-3f5e6a7b8c9d</id>"
        f'<link rel="self" href="{HREF}/{number}" type="espi-entry/IntervalBlock"/>'
        f'<link rel="up" href="{HREF}" type="espi-feed/IntervalBlock"/><title>IntervalBlock</title>'
        f'<content type="application/xml"><IntervalBlock xmlns="{ESPI}">'
        f"<interval><duration>{duration}</duration><start>{start}</start></interval>"
    ).encode()


def monthly(bodies: list[tuple[Body, tuple[int, int]]]) -> Iterator[stream.Piece]:
    """The pieces of a feed with one entry a month."""
    yield HEAD
    for number, (body, interval) in enumerate(bodies):
        yield before(number, interval)
        yield body.whole()
        yield AFTER
    yield TAIL


def daily(bodies: list[tuple[Body, tuple[int, int]]]) -> Iterator[stream.Piece]:
    """The pieces of a feed with one entry a day, out of the same stored months."""
    yield HEAD
    number = 0
    for stored, _ in bodies:
        body = Body(stored.data, stored.index)
        for position, day in enumerate(body.days):
            yield before(number, (day.start, day.duration))
            yield body.part(position)
            yield AFTER
            number += 1
    yield TAIL


def tree_feed(blocks: list[Readings]) -> bytes:
    """The same feed the usual way: a tree, then its serialisation."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    add(feed, ATOM, "id", "urn:uuid:0f7b")
    add(feed, ATOM, "title", "Feed")
    for number, block in enumerate(blocks):
        add_entry(feed, number, block)
    return etree.tostring(feed)


def add_entry(feed: etree._Element, number: int, block: Readings) -> None:
    """One entry with its block, element by element."""
    entry = add(feed, ATOM, "entry")
    add(entry, ATOM, "id", f"urn:uuid:{number:08x}-4c1e-5b7a-9d20-3f5e6a7b8c9d")
    for rel, href, kind in (("self", f"{HREF}/{number}", "entry"), ("up", HREF, "feed")):
        link = add(entry, ATOM, "link")
        for name, text in (("rel", rel), ("href", href), ("type", f"espi-{kind}/IntervalBlock")):
            link.set(name, text)
    add(entry, ATOM, "title", "IntervalBlock")
    content = add(entry, ATOM, "content")
    content.set("type", "application/xml")
    tree_block(content, block)
    add(entry, ATOM, "published", STAMP)
    add(entry, ATOM, "updated", STAMP)


def tree_block(content: etree._Element, block: Readings) -> None:
    """The IntervalBlock of these readings as a subtree."""
    root = etree.SubElement(content, f"{{{ESPI}}}IntervalBlock", nsmap={None: ESPI})
    start, duration = block.interval
    interval = add(root, ESPI, "interval")
    add(interval, ESPI, "duration", str(duration))
    add(interval, ESPI, "start", str(start))
    tree_readings(root, block)


def tree_readings(root: etree._Element, block: Readings) -> None:
    """IntervalReading elements, as many as there are readings."""
    columns = [block.cells(name).tolist() for name in ("cost", "quality", "duration", "start", "value")]
    priced, qualified = block.cost is not None, block.quality is not None
    for cost, quality, duration, start, value in zip(*columns, strict=True):
        reading = add(root, ESPI, "IntervalReading")
        if priced:
            add(reading, ESPI, "cost", str(cost))
        if qualified:
            add(add(reading, ESPI, "ReadingQuality"), ESPI, "quality", str(quality))
        period = add(reading, ESPI, "timePeriod")
        add(period, ESPI, "duration", str(duration))
        add(period, ESPI, "start", str(start))
        add(reading, ESPI, "value", str(value))


def add(parent: etree._Element, namespace: str, name: str, text: str | None = None) -> etree._Element:
    """A child element with its text."""
    child = etree.SubElement(parent, f"{{{namespace}}}{name}")
    child.text = text
    return child


def tree_render(readings: Readings) -> bytes:
    """The readings as a tree of one block, serialised."""
    root = etree.Element(f"{{{ESPI}}}IntervalBlock", nsmap={None: ESPI})
    tree_readings(root, readings)
    return etree.tostring(root)


def drain(chunks: Iterator[bytes]) -> None:
    """Takes every chunk and keeps none, as a socket would."""
    for _ in chunks:
        pass


def interleaved(ways: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Milliseconds of each way: medians over repetitions in which all take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, way in ways.items():
            times[name].append(turn(way))
    return {name: median(taken) for name, taken in times.items()}


def turn(way: Callable[[], object]) -> float:
    """Milliseconds of one run, averaged over 30 ms of runs, so that a short way is not timed on cold caches alone."""
    runs, spent, began = 0, 0.0, perf_counter()
    while spent < 0.03:
        way()
        runs, spent = runs + 1, perf_counter() - began
    return spent * 1000 / runs


def feeds(repetitions: int) -> dict[str, float]:
    """Milliseconds for whole feeds of monthly and of daily entries."""
    readings = quarter_hours()
    months = [readings[rows] for _, rows in cut(readings, ZONE, "month")]
    days = [readings[rows] for _, rows in cut(readings, ZONE, "day")]
    bodies = [(Body.of(month, cut(month, ZONE, "day")), month.interval) for month in months]
    for pieces, blocks in ((monthly, months), (daily, days)):
        expected = tree_feed(blocks)
        for by in filter(None, (FAST, PLAIN)):
            same(b"".join(stream.identity(pieces(bodies), by=by)), expected)
            same(stdlib_gzip.decompress(b"".join(stream.gzip(pieces(bodies), by=by))), expected)
    ways: dict[str, Callable[[], object]] = {
        "tree, 13 months": lambda: tree_feed(months),
        "tree, 396 days": lambda: tree_feed(days),
    }
    for label, by in (("", FAST or PLAIN), (" (zlib only)", PLAIN)):
        ways |= {
            f"identity, 13 months{label}": lambda by=by: drain(stream.identity(monthly(bodies), by=by)),
            f"identity, 396 days{label}": lambda by=by: drain(stream.identity(daily(bodies), by=by)),
            f"gzip, 13 months{label}": lambda by=by: drain(stream.gzip(monthly(bodies), by=by)),
            f"gzip, 396 days{label}": lambda by=by: drain(stream.gzip(daily(bodies), by=by)),
        }
    return interleaved(ways, repetitions)


def renderers(repetitions: int) -> dict[str, float]:
    """Milliseconds to render all readings, without and with cost and quality; and to read them back."""
    plain, full = quarter_hours(), quarter_hours(full=True)
    block = tree_render(full)
    for readings in (plain, full):
        same(
            f'<IntervalBlock xmlns="{ESPI}">'.encode() + render(readings) + b"</IntervalBlock>",
            tree_render(readings),
        )
    return interleaved(
        {
            "tree render": lambda: tree_render(plain),
            "tree render with cost and quality": lambda: tree_render(full),
            "render": lambda: render(plain),
            "render with cost and quality": lambda: render(full),
            "parse alone": lambda: etree.fromstring(block),
            "parse and read": lambda: read(etree.fromstring(block)),
        },
        repetitions,
    )


def packing(repetitions: int) -> dict[str, float]:
    """Milliseconds and bytes of the packed form, month by month."""
    results: dict[str, float] = {}
    for name, readings in (("", quarter_hours()), (" with cost and quality", quarter_hours(full=True))):
        months = [readings[rows] for _, rows in cut(readings, ZONE, "month")]
        packed = [pack(month) for month in months]
        same(b"".join(map(render, (unpack(*one) for one in packed))), render(readings))
        bodies = [Body.of(month, cut(month, ZONE, "day")) for month in months]
        results |= interleaved(
            {
                f"pack{name}": lambda months=months: [pack(month) for month in months],
                f"unpack{name}": lambda packed=packed: [unpack(*one) for one in packed],
                f"body{name}": lambda months=months: [
                    Body.of(month, cut(month, ZONE, "day")) for month in months
                ],
            },
            repetitions,
        )
        results[f"packed bytes a reading{name}"] = sum(len(one[1]) for one in packed) / len(readings)
        stored = sum(len(body.data) + len(body.index) for body in bodies)
        results[f"body bytes a reading{name}"] = stored / len(readings)
    return results


def joins() -> dict[str, float]:
    """Microseconds to join two CRCs."""
    operator = crc.operator(365_000)
    ways = {"join, plain Python (µs)": PLAIN} | ({"join, isal (µs)": FAST} if FAST else {})
    calls = {
        name: lambda by=by: [by.join(0x1234_5678, 0x9ABC_DEF0, 365_000, operator) for _ in range(1000)]
        for name, by in ways.items()
    }
    return interleaved(calls, 5)


def same(given: bytes, expected: bytes) -> None:
    """Ends the run if two ways disagree: times of different things cannot be compared."""
    if given != expected:
        sys.exit("The ways compared here do not give the same bytes; nothing was measured.")


def compared(ms: dict[str, float]) -> dict[str, float]:
    """How many times faster each way is than its tree."""
    ratios = {}
    for name, taken in ms.items():
        tree = ms.get(f"tree, {name.partition(', ')[2].partition(' (')[0]}") or ms.get(f"tree {name}")
        if tree and not name.startswith("tree"):
            ratios[name] = tree / taken
    return ratios


def main() -> int:
    """Prints the table; exit code 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--repetitions", type=int, default=7, help="turns of each way (default 7)")
    chosen = parser.parse_args()
    times = feeds(chosen.repetitions) | renderers(chosen.repetitions) | packing(chosen.repetitions) | joins()
    ratios = compared(times)
    missed = [name for name, gate in GATES.items() if gate and ratios[name] < gate]
    print(f"{'way':44}{'ms':>10}{'x tree':>10}{'gate':>8}")
    for name, taken in times.items():
        ratio = f"{ratios[name]:10.1f}" if name in ratios else " " * 10
        print(f"{name:44}{taken:10.3f}{ratio}{GATES.get(name) or '':>8}")
    report = {"figures": times, "ratios": ratios, "gates": GATES, "missed": missed, "isal": FAST is not None}
    print(json.dumps(report, ensure_ascii=False))
    if chosen.json:
        chosen.json.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
