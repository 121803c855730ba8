"""The queries behind every feed: what there is, how long it will be, and the rows of one page.

Each is a Core statement compiled once and run on the driver's connection (`db.Compiled`). A feed is read in
keyset pages, each a short read of its own; what may be read is joined in front of every page, so that an
authorization that ends in mid-download, or a usage point that an import changes, is noticed at the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Select, and_, bindparam, case, func, null, or_, select, tuple_
from sqlalchemy.types import Text, Uuid

from espi_server.db import NIL, Compiled, among, kept
from espi_server.energy.models import IntervalBlock, Kind, Resource, UsagePoint

CHUNK = 500  # usage points measured by one statement
PAGE = 32  # interval block rows read by one statement
WHOLE = 64  # interval block rows of a feed that is read at once
SMALL = 1024  # small resources of one
FIRST = -(2**62)  # before any start of a block

WITH_HISTORY = (Kind.UsageSummary, Kind.ElectricPowerQualitySummary)


@dataclass(frozen=True)
class Opening:
    """Which usage points a request may read.

    `members` makes a selectable of (subscription, scope, history_from, usage_point_id); the room that knows about
    consent provides it, always the same function for the same form, so that statements are compiled once.
    `parameters` fill it; `many` says that it will hardly ever fit one page.
    """

    members: Callable[[], Select[Any]]
    parameters: dict[str, Any] = field(default_factory=dict)
    many: bool = False


class Statements:
    """The compiled statements for one form of opening on one engine."""

    def __init__(self, members: Select[Any], engine: Any) -> None:
        self.members = Compiled(_count(members), engine)
        self.frames = Compiled(_frames(members), engine)
        self.blocks = Compiled(_blocks(members), engine)
        self.contents = Compiled(_contents(engine), engine)
        self.small = Compiled(_small(members), engine)
        self.page_resources = Compiled(_page_resources(members, engine), engine)
        self.page_blocks = Compiled(_page_blocks(members, engine), engine)


@kept
def statements(members: Callable[[], Select[Any]], engine: Any) -> Statements:
    """The statements for openings of this form; compiled at first use."""
    return Statements(members(), engine)


def _number(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


def _unless(name: str, condition: Any) -> Any:
    """`condition`, or anything at all where the parameter has no value."""
    return or_(_number(name).is_(None), condition)


def _within(row: Any) -> Any:
    """An entry's own times lie inside what the query asks for; both ends belong to a range."""
    return and_(
        _unless("published_min", row.published >= _number("published_min")),
        _unless("published_max", row.published <= _number("published_max")),
        _unless("updated_min", row.updated >= _number("updated_min")),
        _unless("updated_max", row.updated <= _number("updated_max")),
    )


def consented(row: Any, member: Any) -> Any:
    """A summary may be seen if its period begins inside the consented history."""
    return or_(
        and_(*(row.kind != kind for kind in WITH_HISTORY)),
        member.history_from.is_(None),
        row.starts_at >= member.history_from,
    )


def _framing() -> Any:
    """A usage point and its meter readings frame what is selected below them, unless `:strict` asks for them alone."""
    return and_(Resource.kind < Kind.IntervalBlock, _number("strict").is_(None))


def _selected(member: Any) -> Any:
    return or_(_framing(), and_(_within(Resource), consented(Resource, member)))


def _chunk(members: Select[Any]) -> Any:
    """The next `:most` members after `:after_subscription, :after_usage_point`, in feed order."""
    every = members.subquery("every")
    after = tuple_(bindparam("after_subscription", type_=Uuid), bindparam("after_usage_point", type_=Uuid))
    return (
        select(every)
        .where(
            # Said twice: only a plain comparison lets a database begin to read where the last chunk ended.
            every.c.subscription >= bindparam("after_subscription", type_=Uuid),
            tuple_(every.c.subscription, every.c.usage_point_id) > after,
            or_(
                bindparam("only", type_=Uuid).is_(None),
                every.c.usage_point_id == bindparam("only", type_=Uuid),
            ),
        )
        .order_by(every.c.subscription, every.c.usage_point_id)
        .limit(_number("most"))
        .subquery("member")
    )


def _count(members: Select[Any]) -> Select[Any]:
    """How many usage points of each subscription are open now."""
    every = members.subquery("every").c
    only = bindparam("only", type_=Uuid)
    chosen = select(every.subscription, func.count()).where(or_(only.is_(None), every.usage_point_id == only))
    return chosen.group_by(every.subscription)


def _frames(members: Select[Any]) -> Select[Any]:
    """Per usage point, kind and shape of links: how many entries, and how many bytes of content."""
    member = _chunk(members).c
    size = func.length(Resource.xml)
    hit = case((_within(Resource), 1), else_=0)
    chosen = and_(Resource.usage_point_id == UsagePoint.id, _selected(member))
    keys = (
        member.subscription,
        member.usage_point_id,
        member.scope,
        member.history_from,
        UsagePoint.version,
        Resource.kind,
        Resource.shape,
        Resource.names,
        Resource.reference_id,
    )
    return (
        select(
            *keys,
            func.count(Resource.id),
            func.coalesce(func.sum(size), 0).cast(BigInteger),
            func.coalesce(func.max(size), 0),
            func.coalesce(func.sum(hit), 0).cast(BigInteger),
            func.max(Resource.updated),
        )
        .select_from(member.subscription.table)
        .join(UsagePoint, UsagePoint.id == member.usage_point_id)
        .outerjoin(Resource, chosen)
        .group_by(*keys)
        .order_by(member.subscription, member.usage_point_id, Resource.kind)
    )


def _promises(member: Any) -> Any:
    """Does the member's scope promise that readings are no finer than so many seconds?"""
    return member.scope.contains("IntervalDuration=")


def _asked_for(member: Any) -> Any:
    """Rows with at least one reading inside the window and the consented history, as far as a row can tell."""
    inside = and_(
        _unless("after", IntervalBlock.ends_at >= _number("after")),
        _unless("before", IntervalBlock.first_at < _number("before")),
        _unless("updated_min", IntervalBlock.updated >= _number("updated_min")),
    )
    # Sums need all of their readings, and they may be those of a local year.
    around = and_(
        _promises(member),
        _unless("year_of_after", IntervalBlock.starts_at >= _number("year_of_after")),
        _unless("year_after_before", IntervalBlock.starts_at < _number("year_after_before")),
    )
    return and_(
        or_(inside, around),
        or_(member.history_from.is_(None), IntervalBlock.ends_at >= member.history_from),
        or_(
            bindparam("meter_reading", type_=Uuid).is_(None),
            IntervalBlock.meter_reading_id == bindparam("meter_reading", type_=Uuid),
        ),
    )


def _blocks(members: Select[Any]) -> Select[Any]:
    """What each block row will contribute; with its index where only a part of it is asked for."""
    member = _chunk(members).c
    clipped = IntervalBlock.first_at < member.history_from
    is_selective = or_(
        *(_number(name).is_not(None) for name in ("after", "before", "updated_min", "updated_max"))
    )
    summed = and_(_promises(member), is_selective)
    edge = or_(
        clipped,
        summed,
        IntervalBlock.first_at < _number("after"),
        IntervalBlock.ends_at > _number("before"),
        _number("updated_min").is_not(None),
        _number("updated_max").is_not(None),
    )
    to_render = or_(clipped, summed)
    return (
        select(
            member.subscription,
            member.usage_point_id,
            IntervalBlock.meter_reading_id,
            IntervalBlock.starts_at,
            IntervalBlock.first_at,
            IntervalBlock.ends_at,
            IntervalBlock.cuts,
            IntervalBlock.months,
            IntervalBlock.day_digits,
            IntervalBlock.month_digits,
            IntervalBlock.size,
            IntervalBlock.length,
            IntervalBlock.published,
            IntervalBlock.updated,
            IntervalBlock.has_cost,
            IntervalBlock.finest,
            IntervalBlock.coarse,
            IntervalBlock.is_delta,
            case((edge, IntervalBlock.day_index), else_=null()),
            case((edge, IntervalBlock.stamps), else_=null()),
            case((edge, IntervalBlock.body), else_=null()),
            case((to_render, IntervalBlock.encoding), else_=null()),
            case((to_render, IntervalBlock.packed), else_=null()),
            case((to_render, IntervalBlock.extra), else_=null()),
        )
        .select_from(member.subscription.table)
        .join(IntervalBlock, IntervalBlock.usage_point_id == member.usage_point_id)
        .where(_asked_for(member))
        .order_by(
            member.subscription,
            member.usage_point_id,
            IntervalBlock.meter_reading_id,
            IntervalBlock.starts_at,
        )
    )


def _contents(engine: Any) -> Any:
    """Whole rows: the utility-wide ones named by `:ids` or shared by all, and every one below `:usage_points`."""
    columns = resource_columns()
    shared = select(*columns).where(
        Resource.usage_point_id == NIL,
        Resource.utility_id == bindparam("utility", type_=Uuid),
        or_(
            and_(Resource.kind < Kind.UsagePoint, among(Resource.id, "ids", engine)),
            # What programme codes mean is the utility's own affair: no usage point links to it, and all share it.
            and_(Resource.kind == Kind.ProgramIdMappings, _number("with_mappings") == 1),
        ),
    )
    below = select(*columns).where(
        among(Resource.usage_point_id, "usage_points", engine),
        or_(_framing(), _within(Resource)),
    )
    return shared.union_all(below)


def resource_columns() -> tuple[Any, ...]:
    """A small resource as `measure.Content` names it."""
    return (
        Resource.usage_point_id,
        Resource.kind,
        Resource.id,
        Resource.related,
        Resource.starts_at,
        Resource.published,
        Resource.updated,
        Resource.content.cast(Text),  # most entries go out as they are stored, and nobody reads it
        Resource.xml,
    )


def _small(members: Select[Any]) -> Any:
    """The first members with all their small resources, and (without a member) the utility-wide ones they lean on."""
    member = select(_chunk(members)).cte("member")
    chosen = and_(Resource.usage_point_id == UsagePoint.id, _selected(member.c))
    own = (
        select(
            member.c.subscription, member.c.usage_point_id, member.c.scope, member.c.history_from, UsagePoint.version,
            Resource.reference_id, *resource_columns(),
        )
        .join(UsagePoint, UsagePoint.id == member.c.usage_point_id)
        .outerjoin(Resource, chosen)
    )  # fmt: skip
    nobody = (null(), null(), null(), null(), null(), null())
    named = (
        select(Resource.reference_id)
        .join(member, member.c.usage_point_id == Resource.usage_point_id)
        .where(Resource.reference_id.is_not(None))
    )
    leaned = select(*nobody, *resource_columns()).where(
        Resource.usage_point_id == NIL,
        or_(Resource.kind == Kind.LocalTimeParameters, Resource.kind == Kind.ReadingType),
        Resource.id.in_(named),
    )
    mappings = select(*nobody, *resource_columns()).where(
        Resource.usage_point_id == NIL,
        Resource.utility_id == bindparam("utility", type_=Uuid),
        Resource.kind == Kind.ProgramIdMappings,
    )
    return own.union_all(leaned, mappings).limit(SMALL + 1)


def _group(members: Select[Any], engine: Any) -> Any:
    """The members among `:usage_points` of `:subscriptions` that are still live.

    Both are named, or a database would look through every subscription of a bulk feed for each page of it.
    """
    every = members.subquery("every")
    named = select(every).where(
        among(every.c.subscription, "subscriptions", engine),
        among(every.c.usage_point_id, "usage_points", engine),
    )
    return named.subquery("member")


def _page_resources(members: Select[Any], engine: Any) -> Select[Any]:
    """The small resources of a group of usage points, each row with its usage point's version now."""
    member = _group(members, engine).c
    return (
        select(member.subscription, UsagePoint.version, *resource_columns())
        .select_from(member.subscription.table)
        .join(UsagePoint, UsagePoint.id == member.usage_point_id)
        .join(Resource, Resource.usage_point_id == UsagePoint.id)
        .where(_selected(member))
        .order_by(member.subscription, member.usage_point_id, Resource.kind, Resource.starts_at, Resource.id)
    )


def _page_blocks(members: Select[Any], engine: Any) -> Select[Any]:
    """The next `:most` block rows of a group after `:meter_reading_after, :starts_after`, with what rendering needs."""
    member = _group(members, engine).c
    rendered = or_(_number("rendered") == 1, IntervalBlock.first_at < member.history_from)
    after = tuple_(bindparam("meter_reading_after", type_=Uuid), _number("starts_after"))
    return (
        select(
            member.subscription,
            UsagePoint.version,
            member.usage_point_id,
            IntervalBlock.has_cost,
            IntervalBlock.finest,
            IntervalBlock.meter_reading_id,
            IntervalBlock.starts_at,
            IntervalBlock.first_at,
            IntervalBlock.ends_at,
            IntervalBlock.coarse,
            IntervalBlock.is_delta,
            IntervalBlock.published,
            IntervalBlock.updated,
            IntervalBlock.stamps,
            IntervalBlock.day_index,
            case((_number("rendered") == 1, null()), else_=IntervalBlock.body),
            case((rendered, IntervalBlock.encoding), else_=null()),
            case((rendered, IntervalBlock.packed), else_=null()),
            case((rendered, IntervalBlock.extra), else_=null()),
        )
        .select_from(member.subscription.table)
        .join(UsagePoint, UsagePoint.id == member.usage_point_id)
        .join(IntervalBlock, IntervalBlock.usage_point_id == UsagePoint.id)
        .where(tuple_(IntervalBlock.meter_reading_id, IntervalBlock.starts_at) > after, _asked_for(member))
        .order_by(
            member.subscription,
            member.usage_point_id,
            IntervalBlock.meter_reading_id,
            IntervalBlock.starts_at,
        )
        .limit(_number("most"))
    )
