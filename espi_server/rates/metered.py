"""What a usage point's meter counted, in kWh per interval, out of its stored readings.

Energy delivered counts as use and energy received as export, netted in each interval. A meter reading counts if its
ReadingType says watt hours per interval of electricity, the whole of it: no register of one time of use or tier.
Estimated readings count as they are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from espi_server.db import NIL
from espi_server.energy.models import IntervalBlock, Kind, Resource
from espi_server.espi.codes import (
    AccumulationKind,
    CommodityKind,
    DataQualifierKind,
    FlowDirectionKind,
    MeasurementKind,
    PhaseCodeKind,
    UnitSymbolKind,
)
from espi_server.espi.readings import MISSING, Readings, unpack
from espi_server.rates.calendar import DAY, Ints, midnights_between
from espi_server.rates.usage import Floats, Usage

HOUR = 3600
SHORTEST_DAY, LONGEST_DAY = 23 * HOUR, 25 * HOUR
ELECTRICITY = (CommodityKind.ELECTRICITY_SECONDARY_METERED, CommodityKind.ELECTRICITY_PRIMARY_METERED)
COUNTS = {
    "uom": (UnitSymbolKind.WATT_HOUR,),
    "commodity": (None, CommodityKind.NONE, *ELECTRICITY),
    "kind": (None, MeasurementKind.NONE, MeasurementKind.ENERGY),
    "accumulationBehaviour": (None, AccumulationKind.NONE, AccumulationKind.DELTA_DATA),
    "dataQualifier": (None, DataQualifierKind.NONE, DataQualifierKind.NORMAL),
    "tou": (None, 0),
    "consumptionTier": (None, 0),
    "cpp": (None, 0),
}
ONE_WIRE = {PhaseCodeKind[name] for name in ("A", "AN", "B", "BN", "C", "CN", "S1", "S1N", "S2", "S2N")}
FLOWS = {
    None: "used",
    FlowDirectionKind.NONE: "used",
    FlowDirectionKind.FORWARD: "used",
    FlowDirectionKind.REVERSE: "sent",
    FlowDirectionKind.NET: "net",
}


# Built once: they run for every usage point of an import, and building costs more than running.
_BLOCK, _READING, _TYPE = IntervalBlock.__table__.c, Resource.__table__, Resource.__table__.alias("type")
_OF_METER = (
    _BLOCK.usage_point_id == bindparam("usage_point"),
    _BLOCK.meter_reading_id.in_(bindparam("ids", expanding=True)),
)
_SPAN = select(func.min(_BLOCK.first_at), func.max(_BLOCK.ends_at)).where(*_OF_METER)
_BLOCKS = (
    select(_BLOCK.meter_reading_id, _BLOCK.encoding, _BLOCK.packed, _BLOCK.extra)
    .where(*_OF_METER, _BLOCK.first_at < bindparam("end"), _BLOCK.ends_at > bindparam("start"))
    .order_by(_BLOCK.meter_reading_id, _BLOCK.starts_at)
)
_SERIES = (
    select(_READING.c.id, _TYPE.c.content)
    .join_from(
        _READING,
        _TYPE,
        (_TYPE.c.id == _READING.c.reference_id) & (_TYPE.c.utility_id == _READING.c.utility_id),
    )
    .where(_READING.c.usage_point_id == bindparam("usage_point"), _READING.c.kind == int(Kind.MeterReading))
    .where(_TYPE.c.usage_point_id == NIL, _TYPE.c.kind == int(Kind.ReadingType))
    .order_by(_READING.c.id)
)


@dataclass(frozen=True)
class Series:
    """A meter reading that counts: which way energy goes, and what one unit of its values is in kWh."""

    id: uuid.UUID
    way: str
    unit: float
    wire: bool  # of one conductor among several

    @classmethod
    def of(cls, id: uuid.UUID, reading_type: Mapping[str, Any]) -> Series | None:
        """The series of a ReadingType's content; None where it does not count."""
        way = FLOWS.get(reading_type.get("flowDirection"))
        if way is None or any(reading_type.get(name) not in accepted for name, accepted in COUNTS.items()):
            return None
        unit = 10.0 ** (int(reading_type.get("powerOfTenMultiplier") or 0) - 3)
        return cls(id, way, unit, reading_type.get("phase") in ONE_WIRE)


@dataclass(frozen=True)
class Meter:
    """The series of a usage point that count, and when the last of their readings ends."""

    usage_point_id: uuid.UUID
    series: tuple[Series, ...]
    first: int
    last: int

    @classmethod
    def of(cls, session: Session, usage_point_id: uuid.UUID) -> Meter | None:
        """The meter of a usage point; None where it has no readings that count."""
        series = tuple(_series(session, usage_point_id))
        if not series:
            return None
        ids = [one.id for one in series]
        first, last = session.execute(_SPAN, {"usage_point": usage_point_id, "ids": ids}).one()
        return None if first is None else cls(usage_point_id, series, first, last)

    def readings(self, session: Session, start: int, end: int) -> dict[uuid.UUID, Readings]:
        """The stored readings of every series that begin between two UTC seconds."""
        ids = [one.id for one in self.series]
        asked = {"usage_point": self.usage_point_id, "ids": ids, "start": start, "end": end}
        parts: dict[uuid.UUID, list[Readings]] = {}
        for id, encoding, packed, extra in session.execute(_BLOCKS, asked):
            parts.setdefault(id, []).append(unpack(encoding, packed, extra))
        return {id: _between(_one(each), start, end) for id, each in parts.items()}

    def usage(
        self, readings: Mapping[uuid.UUID, Readings], start: int, end: int, zone: ZoneInfo
    ) -> Usage | None:
        """kWh from `start` up to `end`, what is not there as missing.

        Of several series for one way the one with most readings counts, and a net one only where nothing else tells
        of use. None where there is no reading, or where they make up no regular intervals.
        """
        used, sent, net = (self._best(way, readings, start, end) for way in ("used", "sent", "net"))
        if used is None and net is not None:
            used, sent = net, None
        there = [(sign, one) for sign, one in ((1, used), (-1, sent)) if one is not None]
        step = _step([cut for _, (_, cut) in there]) if there else None
        if step is None:
            return None
        edges = midnights_between(zone, start, end) if step == DAY else np.arange(start, end + 1, step)
        columns = [
            (sign, column) for sign, (one, cut) in there if (column := _column(one, cut, edges)) is not None
        ]
        if len(columns) < len(there) or edges[-1] != end:
            return None
        return Usage(start, step, _netted(columns), one_way=sent is None and net is None)

    def _best(
        self, way: str, readings: Mapping[uuid.UUID, Readings], start: int, end: int
    ) -> tuple[Series, Readings] | None:
        """The series of one way with most readings, and these."""
        there = [
            (one, _between(readings[one.id], start, end))
            for one in self.series
            if one.way == way and one.id in readings
        ]
        there = [(one, cut) for one, cut in there if len(cut)]
        if sum(one.wire for one, _ in there) > 1:
            there = [(one, cut) for one, cut in there if not one.wire]
        return max(there, key=lambda pair: (len(pair[1]), str(pair[0].id)), default=None)


def _series(session: Session, usage_point_id: uuid.UUID) -> Iterator[Series]:
    for id, content in session.execute(_SERIES, {"usage_point": usage_point_id}):
        series = Series.of(id, content)
        if series is not None:
            yield series


def _one(months: Sequence[Readings]) -> Readings:
    """Successive months as one, times and values alone."""
    start, duration, value = (
        np.concatenate([each.cells(name) for each in months]) for name in ("start", "duration", "value")
    )
    return Readings(start, duration, value)


def _between(readings: Readings, start: int, end: int) -> Readings:
    first, last = np.searchsorted(readings.start, [start, end])
    return readings[slice(int(first), int(last))]


def _step(several: Sequence[Readings]) -> int | None:
    """The longest of their durations, if it is a part of an hour, or the day; None otherwise."""
    longest = max(int(each.duration.max()) for each in several)
    shortest = min(int(each.duration.min()) for each in several)
    if shortest >= SHORTEST_DAY and longest <= LONGEST_DAY:
        return DAY
    return longest if 0 < longest <= HOUR and not HOUR % longest else None


def _column(one: Series, readings: Readings, edges: Ints) -> Floats | None:
    """kWh between each edge and the next, NaN where a part of it is not there; None where readings cross an edge."""
    at = np.searchsorted(edges, readings.start, side="right") - 1
    if (readings.end > edges[at + 1]).any():
        return None
    value = np.full(len(readings), MISSING) if readings.value is None else readings.value
    there = value != MISSING
    covered = np.bincount(at[there], weights=readings.duration[there], minlength=len(edges) - 1)
    lengths = np.diff(edges)
    if (covered > lengths).any():
        return None
    kwh = np.bincount(at[there], weights=value[there], minlength=len(edges) - 1) * one.unit
    return np.where(covered == lengths, kwh, np.nan)


def _netted(columns: Sequence[tuple[int, Floats]]) -> Floats:
    """Delivered less received; an interval is missing where neither was counted, since many leave zeros out."""
    if len(columns) == 1:
        ((sign, column),) = columns
        return sign * column
    (_, used), (_, sent) = columns
    netted: Floats = np.nan_to_num(used) - np.nan_to_num(sent)
    return np.where(np.isnan(used) & np.isnan(sent), np.nan, netted)
