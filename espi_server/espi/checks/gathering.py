"""Putting a document together once it has been read: whose block is it, and what does a usage point add up to?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from espi_server.espi.verdict import Summary

from .local_time import LocalTime
from .rule import Place
from .spool import KeptBlock, Row, Spool
from .subjects import Context, Head
from .whole import FORWARD, REVERSE, Block, Document, Evidence, Point, Series

_SUMMARIES = ("UsageSummary", "ElectricPowerUsageSummary")
_OWN = "e.kind = ? AND e.n IN (SELECT n FROM owned WHERE parent IS ?)"
Judge = Callable[[object], None]


def gathered(head: Head, spool: Spool, context: Context, judge: Judge, summary: Summary) -> Document:
    """Judge blocks, meter readings and usage points one after the other; the document as a whole is the answer."""
    spool.complete()
    spool.find_owners()
    document = Document(head, spool, context)
    document.evidence.kinds.update(head.kinds)
    gathering = _Gathering(document, judge, summary)
    gathering.points()
    gathering.rest()
    gathering.summaries()
    return document


class _Gathering:
    def __init__(self, document: Document, judge: Judge, summary: Summary) -> None:
        self._document, self._judge, self._summary = document, judge, summary
        self._spool, self._context = document.spool, document.context
        self._evidence: Evidence = document.evidence
        self._names = _names(document.spool)

    def points(self) -> None:
        """Every usage point with its meter readings and summaries."""
        for row in self._spool.entries("e.kind = 'UsagePoint'"):
            self._summary.usage_points += 1
            for kept in self._spool.contents("c.n = ? AND c.kind = 'UsagePoint'", row.n):
                self._point(row, kept.instance)

    def _point(self, row: Row, instance: Any) -> None:
        point = Point(row, instance, self._context, self._spool, time=self._time_of(row.n))
        for reading in self._spool.entries(_OWN, "MeterReading", row.n):
            point.series.append(self._series(reading, point.time))
        for kind in _SUMMARIES:
            point.summaries += self._spool.contents(_OWN, kind, row.n)
        flows = {series.type.flow_direction for series in point.series if series.type is not None}
        self._evidence.both_ways += {FORWARD, REVERSE} <= flows
        self._judge(point)

    def rest(self) -> None:
        """Meter readings of no usage point, and blocks of no meter reading."""
        for row in self._spool.entries(_OWN, "MeterReading", None):
            self._series(row, None)
        alone = Series(Row(0, "MeterReading", Place(1), "", "", "", "", ""), self._context)
        for collection in self._spool.collections():
            for block in self._blocks(self._spool.blocks_in(collection), None, None):
                # Without a collection they may be of any meter: nothing comes before anything.
                self._judge(block if collection else replace(block, before=None))
                alone.add(block)
        self._count(alone)

    def _series(self, row: Row, time: LocalTime | None) -> Series:
        series = Series(row, self._context, self._type_of(row.n))
        for block in self._blocks(self._spool.blocks(row.n), series.type, time):
            self._judge(block)
            series.add(block)
            self._summary.chart(series.type, block.columns)
        self._judge(series)
        self._evidence.note(series)
        self._count(series)
        return series

    def _blocks(self, kept: Iterator[KeptBlock], type: Any, time: LocalTime | None) -> Iterator[Block]:
        before: int | None = None
        for each in kept:
            columns = each.columns.placed(each.start, getattr(type, "interval_length", None))
            block = Block(
                each.place, each.start, each.duration, columns, self._context, type, time, before, self._names
            )  # fmt: skip
            yield block
            if block.order is not None:
                ends = int(columns.end.max())
                before = ends if before is None else max(before, ends)

    def _count(self, series: Series) -> None:
        self._summary.count(series.type, series.readings, series.total, series.first, series.last)

    def _type_of(self, n: int) -> Any:
        where = "c.kind = 'ReadingType' AND e.self_key IN (SELECT key FROM link WHERE n = ?)"
        return next((kept.instance for kept in self._spool.contents(where, n)), None)

    def _time_of(self, n: int) -> LocalTime | None:
        where = "c.kind = 'LocalTimeParameters' AND e.self_key IN (SELECT key FROM link WHERE n = ?)"
        return next((LocalTime.of(kept.instance) for kept in self._spool.contents(where, n)), None)

    def summaries(self) -> None:
        """What the bills say, and what they do not."""
        for kept in self._spool.contents("c.kind IN ('UsageSummary', 'ElectricPowerUsageSummary')"):
            self._evidence.summaries += 1
            self._summary.summaries += 1
            for field in kept.instance.fields:
                self._evidence.lacking[field.name] += getattr(kept.instance, field.attribute) in (None, [])


def _names(spool: Spool) -> frozenset[tuple[str, int]] | None:
    """Which numbers ProgramIdMappings name, by what they are numbers of; None where there are no mappings."""
    found = set()
    for kept in spool.contents("c.kind = 'ProgramIdMappings'"):
        for mapping in kept.instance.program_id_mapping:
            sort, code = mapping.tou_cpp_or_consumption_tier, str(mapping.code or "").strip()
            if sort is not None and code.isdecimal():
                found.add((str(getattr(sort, "value", sort)).lower(), int(code)))
    return frozenset(found) or None
