"""A feed that fits one page: its rows are read once, and what was read is counted instead of measured.

Most third parties ask for one customer at a time. Measuring such a feed before reading it would cost as much again
as reading it, so two statements fetch the small resources and the interval blocks, and the length, the state and
the number of entries follow from them. What turns out larger than a page is measured and streamed instead.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from espi_server.db import NIL, text_id
from espi_server.energy.asking import Asking
from espi_server.energy.find import FIRST, SMALL, WHOLE, Statements
from espi_server.energy.measure import Content, Point, State, is_seen, rights_allow
from espi_server.energy.models import Kind
from espi_server.energy.served import Row
from espi_server.energy.writing import Entry, Writing
from espi_server.espi.stream import Length, Segment

POINTS = 64  # usage points that may share a page

_MEMBER = 5  # columns about the usage point, before those of a resource
_PLACE = itemgetter(0, 1)


class OnePage:
    """All entries of a small feed, in memory as they are stored; the counterpart of `measure.Measure`."""

    rendered = outsized = False
    shared: Sequence[Content] = ()

    def __init__(
        self, asking: Asking, points: Sequence[Point], entries: Sequence[Entry], updated: int, state: str
    ) -> None:
        self.points = points
        self.all = entries
        self.chosen = entries[asking.query.part]
        self.updated = updated
        self.state = state

    @property
    def entries(self) -> int:
        """How many entries there are, before paging."""
        return len(self.all)

    def size(self, encoding: str, around: Iterable[bytes]) -> int:
        """The bytes of the entries asked for in an encoding, with these literals around them."""
        length = Length()
        for piece in chain(around, *self.chosen):
            if isinstance(piece, Segment):
                length.segments(len(piece.data), piece.length)
            else:
                length.literal(len(piece))
        return length.identity if encoding == "identity" else length.gzip


def read(asking: Asking, statements: Statements, driver: Any) -> OnePage | None:
    """The feed, if it fits one page and may go out as it is stored; else None."""
    if asking.opening.many:
        return None
    rows = statements.small.rows(
        driver, **asking.who, **asking.times, after_subscription=NIL, after_usage_point=NIL, most=POINTS + 1,
        only=asking.usage_point,
    )  # fmt: skip
    if len(rows) > SMALL:
        return None
    own = sorted((row for row in rows if row[0] is not None), key=_in_order)
    members = {place: list(group) for place, group in groupby(own, key=_PLACE)}
    if len(members) > POINTS:
        return None
    points = [_point(asking, group[0]) for group in members.values()]
    blocks = _blocks(asking, statements, driver, points)
    if blocks is None:
        return None
    shared = [Content(*row[_MEMBER + 1 :]) for row in rows if row[0] is None]
    return _Maker(asking, points).made(list(members.values()), blocks, shared)


def _in_order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Feed order: usage point, kind, start; a usage point without resources has one row of nothing."""
    content = row[_MEMBER + 1 :]
    return row[0], row[1], content[1] or 0, content[4] or 0, "" if content[2] is None else text_id(content[2])


def _point(asking: Asking, row: tuple[Any, ...]) -> Point:
    subscription, usage_point, scope, history_from, version = row[:_MEMBER]
    rights = asking.rights(scope, history_from)
    return Point(text_id(subscription), text_id(usage_point), version, rights, history_from)


def _blocks(
    asking: Asking, statements: Statements, driver: Any, points: Sequence[Point]
) -> dict[tuple[str, str], list[Row]] | None:
    """The block rows by usage point; None if they are more than a page, changed meanwhile, or must be rendered."""
    found: dict[tuple[str, str], list[Row]] = {point.key: [] for point in points}
    seeing = {point.key: point for point in points if point.rights.sees("IntervalBlock")}
    if not asking.wants_blocks or not seeing:
        return found
    rows = statements.page_blocks.rows(
        driver, subscriptions=[uuid.UUID(each) for each in sorted({point.subscription for point in points})],
        usage_points=[uuid.UUID(point.id) for point in seeing.values()],
        meter_reading_after=NIL, starts_after=FIRST, rendered=0, most=WHOLE, **asking.who, **asking.window,
    )  # fmt: skip
    if len(rows) >= WHOLE:
        return None
    for subscription, version, usage_point, has_cost, finest, meter_reading, *rest in rows:
        point = seeing.get((text_id(subscription), text_id(usage_point)))
        if point is None:
            continue
        if point.version != version or not rights_allow(point.rights, has_cost, finest):
            return None
        found[point.key].append(Row(uuid.UUID(text_id(meter_reading)), *rest))
    return found


class _Maker:
    """Makes the entries of a page in feed order, and keeps what a measure would have told."""

    def __init__(self, asking: Asking, points: Sequence[Point]) -> None:
        self._asking = asking
        self._points = points
        self._writing = Writing(asking)
        self._state = State(asking)
        self._references: set[Any] = set()
        self._updated = 0

    def made(
        self,
        members: Sequence[list[tuple[Any, ...]]],
        blocks: dict[tuple[str, str], list[Row]],
        shared: Sequence[Content],
    ) -> OnePage:
        entries: list[Entry] = []
        for point, rows in zip(self._points, members, strict=True):
            self._state.point(point)
            entries += self._entries(point, rows, blocks[point.key])
        return OnePage(
            self._asking, self._points, [*self._shared(shared), *entries], self._updated, self._state.digest
        )

    def _entries(self, point: Point, rows: Sequence[tuple[Any, ...]], blocks: Sequence[Row]) -> list[Entry]:
        """Everything of a usage point; nothing where nothing of it is asked for."""
        wanted = [
            (row[_MEMBER], content)
            for row in rows
            if (content := Content(*row[_MEMBER + 1 :])).kind is not None
            and self._asking.wants(content.kind, point.rights)
        ]
        cut = list(self._writing.blocks(point, blocks))
        self._updated = max([self._updated, *(row.updated for row in blocks)])
        point.chosen = bool(cut) or self._is_chosen([content for _, content in wanted])
        if not point.chosen:
            return []
        self._references |= {reference for reference, _ in wanted if reference is not None}
        self._updated = max([self._updated, *(content.updated for _, content in wanted)])
        before = (content for _, content in wanted if content.kind < Kind.IntervalBlock)
        after = (content for _, content in wanted if content.kind > Kind.IntervalBlock)
        return [*self._writing.small(point, before), *cut, *self._writing.small(point, after)]

    def _is_chosen(self, wanted: Sequence[Content]) -> bool:
        # The frame of a usage point comes with whatever is selected below it; alone only by its own times.
        if not self._asking.is_selective:
            return bool(wanted)
        query = self._asking.query
        return any(
            row.kind > Kind.IntervalBlock or query.selects(row.published, row.updated) for row in wanted
        )

    def _shared(self, rows: Sequence[Content]) -> list[Entry]:
        """The utility-wide resources the page leans on, each once."""
        if self._asking.kinds is not None or not self._references:
            return []
        leaned = sorted(
            (row for row in rows if row.id in self._references or row.kind == Kind.ProgramIdMappings),
            key=lambda row: (row.kind, text_id(row.id)),
        )
        entries = []
        for row in leaned:
            if row.kind < Kind.UsagePoint and is_seen(self._points, Kind(row.kind)):
                self._updated = max(self._updated, row.updated)
                self._state.shared(row)
                entries.append(self._writing.shared(row, self._points[0].rights))
        return entries
