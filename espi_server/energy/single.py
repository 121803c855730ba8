"""Single entries, and the utility-wide resources that a grant leans on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.types import SmallInteger, Uuid

from espi_server.db import NIL, Compiled, kept, loaded, text_id
from espi_server.energy import find
from espi_server.energy.asking import Asking
from espi_server.energy.entries import Writer, block_opening, block_tail, visible
from espi_server.energy.measure import Content, rights_allow
from espi_server.energy.models import IntervalBlock, Kind, Resource
from espi_server.energy.served import Block, Cutter, Row
from espi_server.espi.query import Query
from espi_server.espi.rights import Rights
from espi_server.espi.stream import identity


class Found(NamedTuple):
    """An entry, when it was published, and when it last changed."""

    body: bytes
    published: int
    updated: int


class _Statements:
    def __init__(self, members: Select[Any], engine: Any) -> None:
        self.resource = Compiled(_resource(members), engine)
        self.shared = Compiled(_shared(members), engine)
        self.rows = Compiled(_rows(members), engine)


@kept
def _statements(members: Callable[[], Select[Any]], engine: Any) -> _Statements:
    return _Statements(members(), engine)


class Finder:
    """Finds single entries for one request. Everything starts from what the request's opening reaches."""

    def __init__(self, engine: Any, asking: Asking) -> None:
        self._asking = asking
        self._writer = Writer(asking.base, alone=True)
        self._inside = Writer(asking.base)
        self._members = find.statements(asking.opening.members, engine).members
        self._statements = _statements(asking.opening.members, engine)

    def opens(self, driver: Any, point: uuid.UUID) -> bool:
        """Is this usage point among those the request may read?"""
        return bool(self._members.rows(driver, only=point, **self._asking.who))

    def has(self, driver: Any, point: uuid.UUID | None, kind: Kind, id: uuid.UUID) -> bool:
        """Is there such a resource below a usage point the request may read?"""
        return bool(self._resources(driver, kind, id, point))

    def entry(
        self, driver: Any, kind: Kind, id: uuid.UUID, point: uuid.UUID | None, reading: uuid.UUID | None
    ) -> Found | None:
        """The entry as a document, or None where the request reaches none."""
        if kind < Kind.UsagePoint:
            return next((each for each in self._all_shared(driver, kind, id, self._writer)), None)
        if kind == Kind.IntervalBlock:
            return self._block(driver, id, point, reading)
        for subscription, scope, history_from, content in self._resources(driver, kind, id, point):
            rights = self._asking.rights(scope, history_from)
            at = self._asking.at(text_id(subscription))
            return Found(self._written(self._writer, at, content, rights), content.published, content.updated)
        return None

    def shared(self, driver: Any, kind: Kind) -> list[Found]:
        """All utility-wide resources of a kind that the request's usage points lean on."""
        return list(self._all_shared(driver, kind, None, self._inside))

    def _resources(
        self, driver: Any, kind: Kind, id: uuid.UUID, point: uuid.UUID | None
    ) -> list[tuple[Any, str | None, int | None, Content]]:
        rows = self._statements.resource.rows(driver, kind=int(kind), id=id, only=point, **self._asking.who)
        return [(row[0], row[1], row[2], Content(*row[3:])) for row in rows]

    def _all_shared(self, driver: Any, kind: Kind, id: uuid.UUID | None, writer: Writer) -> Iterator[Found]:
        for row in self._statements.shared.rows(driver, kind=int(kind), id=id, **self._asking.who):
            content = Content(*row)
            rights = self._asking.rights(None, None)
            yield Found(self._written(writer, "", content, rights), content.published, content.updated)

    def _written(self, writer: Writer, at: str, row: Content, rights: Rights) -> bytes:
        xml = visible(row.kind, row.content, row.xml, rights)
        times = (row.published, row.updated)
        return writer.entry(
            at, row.kind, text_id(row.id), text_id(row.usage_point), loaded(row.related), xml, times, rights
        )

    # --- interval blocks are a cut of the readings: an id is found by making the ids of that cut --------

    def _block(
        self, driver: Any, id: uuid.UUID, point: uuid.UUID | None, reading: uuid.UUID | None
    ) -> Found | None:
        wanted = str(id)
        rows = self._statements.rows.rows(driver, only=point, reading=reading, **self._asking.who)
        for (subscription, usage_point, scope, history_from), group in groupby(
            rows, key=itemgetter(0, 1, 2, 3)
        ):
            rights = self._asking.rights(scope, history_from)
            for block, meter_reading in self._blocks(rights, [row[4:] for row in group]):
                if block.id == wanted:
                    at = self._asking.at(text_id(subscription))
                    return self._block_document(block, at, text_id(usage_point), str(meter_reading))
        return None

    def _blocks(self, rights: Rights, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Block, uuid.UUID]]:
        """All blocks of one usage point's rows, each with its meter reading."""
        allowed = all(rights_allow(rights, has_cost, finest) for has_cost, finest, *_ in rows)
        # What a query selects of a collection does not make one of its entries come and go.
        cutter = Cutter(rights, Query(), self._asking.zone, not allowed)
        made = (Row(uuid.UUID(text_id(meter_reading)), *rest) for _, _, meter_reading, *rest in rows)
        for together in cutter.together(made):
            for block in cutter.blocks(*together):
                yield block, together[0].meter_reading

    def _block_document(self, block: Block, at: str, point: str, reading: str) -> Found:
        head = block.id.encode().join(self._writer.block_heads(at, point, reading))
        opening = block_opening(block.start, block.duration)
        readings = b"".join(identity(block.segments))
        body = head + opening + readings + block_tail(block.published, block.updated)
        return Found(body, block.published, block.updated)


def _member(members: Select[Any]) -> Any:
    every = members.subquery("every")
    only = bindparam("only", type_=Uuid)
    return select(every).where(or_(only.is_(None), every.c.usage_point_id == only)).subquery("member").c


def _resource(members: Select[Any]) -> Select[Any]:
    """The resource `:kind, :id` below a usage point that is open, if its period lies in the consented history."""
    member = _member(members)
    return (
        select(member.subscription, member.scope, member.history_from, *find.resource_columns())
        .select_from(member.subscription.table)
        .join(Resource, Resource.usage_point_id == member.usage_point_id)
        .where(
            Resource.kind == bindparam("kind", type_=SmallInteger),
            Resource.id == bindparam("id", type_=Uuid),
            find.consented(Resource, member),
        )
    )


def _shared(members: Select[Any]) -> Select[Any]:
    """The utility-wide resources of `:kind` that usage points that are open lean on; all, or the one with `:id`.

    What programme codes mean is the utility's own affair: no usage point links to it, and all share it.
    """
    every = members.subquery("member").c
    leaning = (
        select(Resource.reference_id)
        .join(every.subscription.table, every.usage_point_id == Resource.usage_point_id)
        .where(Resource.reference_id.is_not(None))
    )
    id = bindparam("id", type_=Uuid)
    return (
        select(*find.resource_columns())
        .where(
            Resource.usage_point_id == NIL,
            Resource.kind == bindparam("kind", type_=SmallInteger),
            Resource.utility_id == bindparam("utility", type_=Uuid),
            or_(Resource.id.in_(leaning), Resource.kind == Kind.ProgramIdMappings),
            or_(id.is_(None), Resource.id == id),
        )
        .order_by(Resource.id)
    )


def _rows(members: Select[Any]) -> Select[Any]:
    """Block rows of a meter reading, or of every one that is open."""
    member = _member(members)
    reading = bindparam("reading", type_=Uuid)
    return (
        select(
            member.subscription, member.usage_point_id, member.scope, member.history_from,
            IntervalBlock.has_cost, IntervalBlock.finest, IntervalBlock.meter_reading_id, IntervalBlock.starts_at,
            IntervalBlock.first_at, IntervalBlock.ends_at, IntervalBlock.coarse, IntervalBlock.is_delta,
            IntervalBlock.published, IntervalBlock.updated, IntervalBlock.stamps, IntervalBlock.day_index,
            IntervalBlock.body, IntervalBlock.encoding, IntervalBlock.packed, IntervalBlock.extra,
        )
        .select_from(member.subscription.table)
        .join(IntervalBlock, IntervalBlock.usage_point_id == member.usage_point_id)
        .where(or_(reading.is_(None), IntervalBlock.meter_reading_id == reading))
        .order_by(member.usage_point_id, IntervalBlock.meter_reading_id, IntervalBlock.starts_at)
    )  # fmt: skip
