"""Measuring a feed before its first byte: how many entries, how many bytes, and what state of the data it shows.

Stored bytes go out as they are, and the length of everything around them follows from its shape; so two
aggregate statements per few hundred usage points measure a feed of any size.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from espi_server.db import NIL, loaded, text_id
from espi_server.energy.asking import Asking
from espi_server.energy.entries import Writer, names, shape_of, shown_whole, visible
from espi_server.energy.find import CHUNK, WITH_HISTORY, Statements
from espi_server.energy.models import Kind
from espi_server.energy.served import RENDER, Cutter, Row
from espi_server.espi.rights import Rights
from espi_server.espi.stream import Length, stored_size

_LARGEST_LITERAL = 65_535  # bytes of one stored deflate block


class Frame(NamedTuple):
    """One row of `find.frames`: entries of one usage point that share kind, links and element names."""

    subscription: Any
    usage_point: Any
    scope: str | None
    history_from: int | None
    version: int
    kind: int | None
    shape: str
    names: str
    reference: Any
    entries: int
    size: int
    biggest: int
    hits: int
    updated: int | None


class Stored(NamedTuple):
    """One row of `find.blocks`: what a block row will contribute; its index only where a part of it is wanted."""

    subscription: Any
    usage_point: Any
    meter_reading: Any
    starts_at: int
    first_at: int
    ends_at: int
    cuts: int
    months: int
    day_digits: int
    month_digits: int
    size: int
    length: int
    published: int
    updated: int
    has_cost: bool
    finest: int
    coarse: bool
    is_delta: bool
    day_index: bytes | None
    stamps: bytes | None
    body: bytes | None
    encoding: int | None
    packed: bytes | None
    extra: Any


class Content(NamedTuple):
    """One row of `find.contents`: a whole small resource."""

    usage_point: Any
    kind: int
    id: Any
    related: Any
    starts_at: int
    published: int
    updated: int
    content: Any
    xml: bytes


@dataclass(slots=True)
class Point:
    """One usage point of the feed as it was measured."""

    subscription: str
    id: str
    version: int
    rights: Rights
    history_from: int | None
    rows: int = 0  # of interval blocks to be read
    resources: int = 0  # small ones to be read, written or not
    chosen: bool = False  # anything of it is in the feed

    @property
    def key(self) -> tuple[str, str]:
        """What tells the usage points of a feed apart."""
        return self.subscription, self.id


class State:
    """A digest of everything the bytes of a feed follow from."""

    def __init__(self, asking: Asking) -> None:
        self._hash = hashlib.sha256(f"{RENDER} {asking.href} {asking.query}".encode())

    def point(self, point: Point) -> None:
        """A usage point, whose version counts the imports that changed anything below it."""
        told = f"{point.subscription} {point.id} {point.version} {point.rights.digest}\n"
        self._hash.update(told.encode())

    def shared(self, row: Content) -> None:
        """A utility-wide resource, which has no version."""
        self._hash.update(b"%s %d" % (text_id(row.id).encode(), zlib.crc32(row.xml)))

    @property
    def digest(self) -> str:
        """As it stands now."""
        return self._hash.hexdigest()


class Measure:
    """What a feed holds: its usage points in order, the resources they share, entries, bytes, and their state.

    `rendered`: this reader may not have the stored readings as they are; `outsized`: a resource is larger than a
    literal. Either way `length` says nothing, and the feed is written to a file first.
    """

    def __init__(self, asking: Asking, statements: Statements, driver: Any) -> None:
        self.points: list[Point] = []
        self.shared: list[Content] = []
        self.length = Length()
        self.entries = 0
        self.updated = 0
        self.rendered = False
        self.outsized = False
        self._asking = asking
        self._statements = statements
        self._driver = driver
        self._writer = Writer(asking.base)
        self._references: dict[str, uuid.UUID] = {}
        self._state = State(asking)
        self._measure_all()

    @property
    def state(self) -> str:
        """A digest that differs wherever a byte of the feed could."""
        return self._state.digest

    def size(self, encoding: str, around: Sequence[bytes]) -> int:
        """The bytes of the whole feed in an encoding, with these literals around its entries."""
        if encoding == "identity":
            return self.length.identity + sum(map(len, around))
        return self.length.gzip + sum(stored_size(len(each)) for each in around)

    def _measure_all(self) -> None:
        last, more = (NIL, NIL), True
        while more:
            place = {
                "after_subscription": last[0], "after_usage_point": last[1], "most": CHUNK,
                "only": self._asking.usage_point,
            }  # fmt: skip
            found, filtered = self._measure_chunk(place)
            self.points += found
            more = len(found) == CHUNK
            if more:
                last = (uuid.UUID(found[-1].subscription), uuid.UUID(found[-1].id))
            # The last look for what must be filtered fetches what all usage points share as well.
            rows = self._contents([] if more else list(self._references.values()), filtered)
            self._measure_filtered(filtered, rows)
            self._measure_shared(rows)

    def _measure_chunk(self, place: dict[str, Any]) -> tuple[list[Point], list[Point]]:
        """The next usage points, measured; and those of them that must be filtered to be measured in full."""
        asking = self._asking
        frames = [
            Frame(*row)
            for row in self._statements.frames.rows(self._driver, **asking.who, **asking.times, **place)
        ]
        blocks: dict[tuple[str, str], list[Stored]] = defaultdict(list)
        if frames and asking.wants_blocks:
            for row in self._statements.blocks.rows(self._driver, **asking.who, **asking.window, **place):
                stored = Stored(*row)
                blocks[text_id(stored.subscription), text_id(stored.usage_point)].append(stored)
        points, partial = [], []
        for _, group in groupby(frames, key=lambda frame: (frame.subscription, frame.usage_point)):
            rows = list(group)
            point = self._point(rows[0])
            points.append(point)
            if self._measure_point(point, rows, blocks.get(point.key, [])):
                partial.append(point)
        return points, partial

    def _point(self, frame: Frame) -> Point:
        rights = self._asking.rights(frame.scope, frame.history_from)
        point = Point(
            text_id(frame.subscription), text_id(frame.usage_point), frame.version, rights, frame.history_from
        )
        self._state.point(point)
        return point

    def _measure_point(self, point: Point, frames: Sequence[Frame], stored: Sequence[Stored]) -> bool:
        """Count a usage point in; whether some of its resources must be filtered to be measured."""
        asking, rights = self._asking, point.rights
        wanted = [frame for frame in frames if frame.kind is not None and asking.wants(frame.kind, rights)]
        point.resources = sum(frame.entries for frame in frames)
        blocks = self._measure_blocks(point, stored) if rights.sees("IntervalBlock") else 0
        point.chosen = bool(blocks) or self._is_chosen(wanted)
        if not point.chosen:
            return False
        self.entries += blocks
        filtered = False
        for frame in wanted:
            self.entries += frame.entries
            self.updated = max(self.updated, frame.updated or 0)
            filtered |= self._measure_frame(point, frame)
        return filtered

    def _is_chosen(self, wanted: Sequence[Frame]) -> bool:
        # The frame of a usage point (itself, its meter readings) comes with whatever is selected below it; alone
        # only where its own times are asked for.
        if not self._asking.is_selective:
            return bool(wanted)
        return any(frame.hits or (frame.kind or 0) > Kind.IntervalBlock for frame in wanted)

    def _measure_frame(self, point: Point, frame: Frame) -> bool:
        kind = frame.kind or 0
        if self._asking.kinds is None and frame.reference is not None:
            self._references[text_id(frame.reference)] = frame.reference
        if not shown_whole(point.rights.elements(Kind(kind).name), frame.names.split()):
            return True
        at = self._asking.at(point.subscription)
        overhead = self._writer.overhead(at, kind, shape_of(frame.shape), point.rights)
        _add(self.length, frame.entries, frame.size + frame.entries * overhead)
        self.outsized |= frame.biggest + overhead > _LARGEST_LITERAL
        return False

    def _measure_filtered(self, points: Sequence[Point], rows: Sequence[Content]) -> None:
        """Measure by rendering: the resources of these usage points that must leave elements out."""
        by_point: dict[str, list[Content]] = defaultdict(list)
        for row in rows:
            by_point[text_id(row.usage_point)].append(row)
        for point in points:
            at = self._asking.at(point.subscription)
            for row in by_point[point.id]:
                if not self._is_filtered(point, row):
                    continue
                shape = tuple((kind, id is None) for kind, id in loaded(row.related))
                xml = visible(row.kind, row.content, row.xml, point.rights)
                overhead = self._writer.overhead(at, row.kind, shape, point.rights)
                _add(self.length, 1, overhead + len(xml))
                self.outsized |= overhead + len(xml) > _LARGEST_LITERAL

    def _is_filtered(self, point: Point, row: Content) -> bool:
        if not self._asking.wants(row.kind, point.rights) or not self.consented(
            point, row.kind, row.starts_at
        ):
            return False
        return not shown_whole(point.rights.elements(Kind(row.kind).name), names(loaded(row.content)))

    @staticmethod
    def consented(point: Point, kind: int, starts_at: int) -> bool:
        """Does a summary's period begin inside the consented history?"""
        return kind not in WITH_HISTORY or point.history_from is None or starts_at >= point.history_from

    def _measure_blocks(self, point: Point, stored: Sequence[Stored]) -> int:
        """The number of blocks; their bytes join the length."""
        point.rows = len(stored)
        if not stored:
            return 0
        rights = point.rights
        if not all(rights_allow(rights, row.has_cost, row.finest) for row in stored):
            self.rendered = True
            return self._count_rendered(point, stored)
        head, tail = self._writer.block_overhead(self._asking.at(point.subscription))
        cutter = Cutter(rights, self._asking.query, self._asking.zone)
        blocks = 0
        for row in stored:
            self.updated = max(self.updated, row.updated)
            if row.day_index is None:
                count, digits = (
                    (row.cuts, row.day_digits) if rights.cut == "day" else (row.months, row.month_digits)
                )
                _add(self.length, 2 * count, count * (head + tail) + digits)
                self.length.segments(row.size, row.length)
                blocks += count
                continue
            for block in cutter.blocks(_edge(row)):
                digits = len(str(block.start)) + len(str(block.duration))
                _add(self.length, 2, head + tail + digits)
                for segment in block.segments:
                    self.length.segments(len(segment.data), segment.length)
                blocks += 1
        return blocks

    def _count_rendered(self, point: Point, stored: Sequence[Stored]) -> int:
        """The number of blocks that will be rendered; what a row has in full counts as it is stored."""
        self.updated = max(self.updated, *(row.updated for row in stored))
        rights, asking = point.rights, self._asking
        cuts = (row.cuts if rights.cut == "day" else row.months for row in stored if row.day_index is None)
        # Only a promise makes other blocks than those stored, and its rows come with all that summing needs.
        cutter = Cutter(rights, asking.query, asking.zone, rendering=rights.interval is not None)
        edges = (_edge(row) for row in stored if row.day_index is not None)
        return sum(cuts) + sum(cutter.count(*rows) for rows in cutter.together(edges))

    def _measure_shared(self, rows: Sequence[Content]) -> None:
        """The utility-wide resources the feed leans on, each once, whatever their own times."""
        for row in rows:
            if row.kind >= Kind.UsagePoint or not is_seen(self.points, Kind(row.kind)):
                continue
            self.shared.append(row)
            self.updated = max(self.updated, row.updated)
            self._state.shared(row)
            overhead = self._writer.overhead("", row.kind, (), self.points[0].rights)
            _add(self.length, 1, overhead + len(row.xml))
            self.entries += 1

    def _contents(self, ids: Sequence[Any], points: Sequence[Point]) -> list[Content]:
        """Utility-wide resources by their ids, the code mappings beside them, and all below these usage points."""
        if not ids and not points:
            return []
        wanted = [each if isinstance(each, uuid.UUID) else uuid.UUID(each) for each in ids]
        below = [uuid.UUID(point.id) for point in points]
        rows = self._statements.contents.rows(
            self._driver, ids=wanted, usage_points=below, with_mappings=1 if ids else 0,
            utility=self._asking.who["utility"], **self._asking.times,
        )  # fmt: skip
        return sorted((Content(*row) for row in rows), key=lambda row: (row.kind, text_id(row.id)))


def is_seen(points: Sequence[Point], kind: Kind) -> bool:
    """Does any usage point in the feed open a utility-wide kind?"""
    return any(point.chosen and point.rights.sees(kind.name) for point in points)


def _add(length: Length, count: int, size: int) -> None:
    """Counts `count` literals of `size` bytes in all, each small enough for one stored block."""
    length.identity += size
    length.gzip += size + (stored_size(1) - 1) * count


def rights_allow(rights: Rights, has_cost: bool, finest: int) -> bool:
    """May this reader have the stored bytes of a block row?"""
    return (rights.reading_cost or not has_cost) and (rights.interval is None or finest >= rights.interval)


def _edge(row: Stored) -> Row:
    """What the cutter needs to tell which blocks a row at the edge of the selection serves."""
    return Row(
        uuid.UUID(text_id(row.meter_reading)), row.starts_at, row.first_at, row.ends_at, row.coarse, row.is_delta,
        row.published, row.updated, row.stamps or b"", row.day_index or b"", row.body, row.encoding, row.packed,
        row.extra,
    )  # fmt: skip
