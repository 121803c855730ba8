"""The writing side of interval blocks: readings merged into one packed, rendered row per local month.

Only months that change are written, and in them only the days that change get a new `updated`. What a later
delivery replaced goes to the correction history.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import insert, null, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.energy import changes
from espi_server.energy.models import IntervalBlock, IntervalCorrection
from espi_server.energy.served import RENDER
from espi_server.espi.blocks import Body
from espi_server.espi.codes import AccumulationKind
from espi_server.espi.readings import (
    By,
    Column,
    Cut,
    Merged,
    Readings,
    cut,
    intervals,
    joined,
    merge,
    pack,
    unpack,
)

SHORTEST_DAY = 82_800
"""Readings this long or longer are daily ones: the day that daylight time starts has 23 hours."""

_DELTA = int(AccumulationKind.DELTA_DATA)
_STAMPS = np.dtype([("published", "<u4"), ("updated", "<u4")])
_TABLE: Any = IntervalBlock.__table__
_ROW = (
    IntervalBlock.starts_at, IntervalBlock.coarse, IntervalBlock.encoding, IntervalBlock.packed,
    IntervalBlock.extra, IntervalBlock.stamps, IntervalBlock.published,
)  # fmt: skip


class Part(NamedTuple):
    """Readings as they were delivered together, and when their source published them."""

    readings: Readings
    published: int


@dataclass
class Outcome:
    """What a delivery did to a meter reading. The first three count local days; `windows` are what was touched."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    readings: int = 0
    windows: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Writer:
    """Writes the readings of meter readings of one usage point, in the caller's transaction."""

    def __init__(
        self,
        session: Session,
        *,
        utility_id: uuid.UUID,
        usage_point_id: uuid.UUID,
        zone: tzinfo,
        run_id: uuid.UUID | None = None,
    ) -> None:
        self._session = session
        self._utility_id = utility_id
        self._usage_point_id = usage_point_id
        self._zone = zone
        self._run_id = run_id

    def write(
        self, meter_reading_id: uuid.UUID, parts: Sequence[Part], reading_type: Mapping[str, Any]
    ) -> Outcome:
        """Merge a delivery into what is stored; of two parts with a reading for one start the later wins.

        `reading_type` is the content of the series' ReadingType.
        """
        outcome = Outcome(readings=sum(len(part.readings) for part in parts))
        delivered = joined([part.readings for part in parts], outcome.notes)
        if not len(delivered):
            return outcome
        published = _published(parts, delivered)
        coarse = self._is_coarse(meter_reading_id, reading_type.get("intervalLength"), delivered)
        is_delta = reading_type.get("accumulationBehaviour", _DELTA) == _DELTA
        by: By = "year" if coarse else "month"
        rows = cut(delivered, self._zone, by)
        stored = self._stored(meter_reading_id, [start for start, _ in rows])
        fresh: list[dict[str, Any]] = []
        for start, place in rows:
            month = _Month(meter_reading_id, start, coarse, self._zone, stored.get(start))
            month.merge(delivered[place], published[place], outcome)
            self._keep(month, is_delta, fresh)
        self._add(fresh)
        outcome.windows = _together(outcome.windows)
        self._note(meter_reading_id, outcome)
        return outcome

    def _is_coarse(
        self, meter_reading_id: uuid.UUID, interval_length: int | None, delivered: Readings
    ) -> bool:
        """Years or months: what is stored decides, then the reading type, then the readings themselves."""
        query = select(IntervalBlock.coarse).where(*self._where(meter_reading_id)).limit(1)
        stored = self._session.scalar(query)
        if stored is not None:
            return bool(stored)
        return (interval_length or int(delivered.duration.min())) >= SHORTEST_DAY

    def _where(self, meter_reading_id: uuid.UUID) -> tuple[Any, Any]:
        return (
            IntervalBlock.usage_point_id == self._usage_point_id,
            IntervalBlock.meter_reading_id == meter_reading_id,
        )

    def _stored(self, meter_reading_id: uuid.UUID, starts: list[int]) -> dict[int, Any]:
        span = IntervalBlock.starts_at.between(starts[0], starts[-1])
        rows = self._session.execute(select(*_ROW).where(*self._where(meter_reading_id), span))
        return {row.starts_at: row for row in rows}

    def _keep(self, month: _Month, is_delta: bool, fresh: list[dict[str, Any]]) -> None:
        """Write a month that changed; the row of a new one waits in `fresh`."""
        if not month.touched:
            return
        values = {**month.values(), "is_delta": is_delta}
        if month.is_new:
            keys = {
                "utility_id": self._utility_id, "usage_point_id": self._usage_point_id,
                "meter_reading_id": month.meter_reading_id, "starts_at": month.start,
            }  # fmt: skip
            fresh.append({**keys, **values})
        else:
            values["extra"] = null() if values["extra"] is None else values["extra"]
            where = (*self._where(month.meter_reading_id), IntervalBlock.starts_at == month.start)
            self._session.execute(update(IntervalBlock).where(*where).values(**values))
        if len(month.replaced):
            self._correct(month)

    def _add(self, rows: Sequence[dict[str, Any]]) -> None:
        """All new rows by one statement (two where some have what fits no column): compiled once, sent together."""
        # None for a JSON column would be JSON's null; left out, it is the database's.
        plain = [{**row} for row in rows if row["extra"] is None]
        for row in plain:
            del row["extra"]
        for several in (plain, [row for row in rows if row["extra"] is not None]):
            if several:
                self._session.execute(insert(_TABLE), several)

    def _correct(self, month: _Month) -> None:
        encoding, packed, extra = pack(month.replaced)
        self._session.execute(
            insert(IntervalCorrection).values(
                usage_point_id=self._usage_point_id, meter_reading_id=month.meter_reading_id,
                starts_at=int(month.replaced.start[0]), replaced_at=clock.seconds(), import_run_id=self._run_id,
                encoding=encoding, packed=packed, extra=null() if extra is None else extra,
            )
        )  # fmt: skip

    def _note(self, meter_reading_id: uuid.UUID, outcome: Outcome) -> None:
        verb = "changed" if outcome.changed else "created"
        for window in outcome.windows:
            changes.note(
                self._session, self._utility_id, "IntervalBlock", meter_reading_id, verb,
                usage_point_id=self._usage_point_id, window=window,
            )  # fmt: skip


class _Month:
    """One row: the readings it has, those that arrive, and what becomes of both."""

    def __init__(
        self, meter_reading_id: uuid.UUID, start: int, coarse: bool, zone: tzinfo, row: Any | None
    ) -> None:
        self.meter_reading_id = meter_reading_id
        self.start = start
        self.coarse = coarse
        self.is_new = row is None
        self.touched = False
        self._zone = zone
        self._old = Readings.none() if row is None else unpack(row.encoding, row.packed, row.extra)
        self._stamps = {} if row is None else self._read_stamps(row.stamps)
        self.readings = self._old
        self.replaced = Readings.none()

    def merge(self, new: Readings, published: Column, outcome: Outcome) -> None:
        """Take the new readings in and count what that means, by local day."""
        merged = merge(self._old, new)
        self.readings, self.replaced = merged.readings, merged.replaced
        days = cut(new, self._zone, "day")
        touched = self._touched(new, days, merged, outcome)
        self.touched = bool(touched) or self.is_new
        self._stamp(days, published, touched)

    def _touched(self, new: Readings, days: Sequence[Cut], merged: Merged, outcome: Outcome) -> set[int]:
        """The days whose readings are other ones now."""
        touched = set()
        are_news, end = merged.created | merged.changed, new.end
        for day, place in days:
            news = are_news[place]
            if not news.any():
                outcome.unchanged += 1
                continue
            touched.add(day)
            outcome.changed += day in self._stamps
            outcome.created += day not in self._stamps
            outcome.windows.append((int(new.start[place][news][0]), int(end[place][news].max())))
        # A longer reading takes the place of shorter ones, which may have stood on other days.
        for day, place in cut(merged.replaced, self._zone, "day"):
            if day not in touched:
                touched.add(day)
                outcome.changed += 1
                those = merged.replaced[place]
                outcome.windows.append((int(those.start[0]), int(those.end.max())))
        return touched

    def _stamp(self, days: Sequence[Cut], published: Column, touched: set[int]) -> None:
        now = clock.seconds()
        for day, place in days:
            if day in touched:
                first = self._stamps.get(day, (int(published[place].min()), 0))[0]
                self._stamps[day] = (first, now)
        for day in touched & self._stamps.keys():
            self._stamps[day] = (self._stamps[day][0], now)

    def _read_stamps(self, stamps: bytes) -> dict[int, tuple[int, int]]:
        days = [day for day, _ in cut(self._old, self._zone, "day")]
        return dict(zip(days, np.frombuffer(stamps, _STAMPS).tolist(), strict=True))

    def values(self) -> dict[str, Any]:
        """The row's columns."""
        days = cut(self.readings, self._zone, "day")
        stamps = np.array([self._stamps[day] for day, _ in days], _STAMPS)
        encoding, packed, extra = pack(self.readings)
        return {
            "coarse": self.coarse,
            "published": int(stamps["published"].min()),
            "updated": int(stamps["updated"].max()),
            "encoding": encoding,
            "packed": packed,
            "extra": extra,
            "stamps": stamps.tobytes(),
            **derived(self.readings, self._zone, days),
        }


def derived(readings: Readings, zone: tzinfo, days: Sequence[Cut]) -> dict[str, Any]:
    """The columns of a row that follow from its readings and the local days they are cut into."""
    months = cut(readings, zone, "month")
    return {
        "first_at": int(readings.start[0]),
        "ends_at": int(readings.end.max()),
        "count": len(readings),
        "cuts": len(days),
        "months": len(months),
        "day_digits": _digits(readings, days),
        "month_digits": _digits(readings, months),
        "has_cost": _may_tell_cost(readings),
        "finest": int(readings.duration.min()),
        **rendered(readings, days),
    }


def rendered(readings: Readings, days: Sequence[Cut]) -> dict[str, Any]:
    """The derived columns of a row: the day segments end to end, and where each lies."""
    body = Body.of(readings, days)
    return {
        "render": RENDER,
        "body": body.data,
        "day_index": body.index,
        "size": len(body.data),
        "length": body.whole().length,
    }


def _may_tell_cost(readings: Readings) -> bool:
    # Nobody can say what stands in an extension.
    return readings.cost is not None or any("extension" in rare for rare in readings.extra.values())


def _published(parts: Sequence[Part], delivered: Readings) -> Column:
    """When each delivered reading was published: the earliest, where several parts hold it."""
    start = np.concatenate([part.readings.start for part in parts])
    published = np.concatenate([np.full(len(part.readings), part.published) for part in parts])
    if len(start) == len(delivered) and (start[1:] > start[:-1]).all():
        return published
    order = np.lexsort((published, start))
    _, first = np.unique(start[order], return_index=True)
    earliest: Column = published[order][first]
    return earliest


def _digits(readings: Readings, cuts: Sequence[Cut]) -> int:
    """How many digits stand in the intervals of the blocks served for these cuts."""
    return sum(len(str(number)) for interval in intervals(readings, cuts) for number in interval)


def _together(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Windows that touch each other as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
