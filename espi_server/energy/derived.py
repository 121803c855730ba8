"""What the store derives, beside the truth it is derived from: do they agree, and making it anew.

A feed sends stored bytes, so those must be what the packed readings and the contents say, rendered by the code that
serves now. One usage point, or the utility-wide resources, is one short transaction; what was made anew counts as a
change, so that every ETag over it differs.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from espi_server import at_rest
from espi_server.accounts.models import Utility
from espi_server.db import NIL, Database
from espi_server.energy import intervals, personal
from espi_server.energy.entries import names
from espi_server.energy.models import IntervalBlock, Kind, Resource, UsagePoint
from espi_server.energy.store import count_customer_version, count_version, shape
from espi_server.espi.blocks import Body, DamagedIndex
from espi_server.espi.content import KINDS
from espi_server.espi.readings import cut, unpack
from espi_server.espi.stream import DamagedSegment, identity

AT_ONCE = 500  # ids read by one statement
_BYTES = frozenset({"body", "day_index", "size"})
"""Columns that may differ and yet say the same: another library compresses into other bytes."""

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Difference:
    """One row whose derived columns are not what its truth says."""

    usage_point: str
    kind: str
    id: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        where = "utility-wide" if self.usage_point == str(NIL) else f"usage point {self.usage_point}"
        return f"{self.kind} {self.id} ({where}): {', '.join(self.columns)}"


@dataclass
class Report:
    """How many rows were looked at, and which were not as they should be; `made` says they are now."""

    made: bool
    rows: int = 0
    differences: list[Difference] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {"schema_version": 1, **asdict(self)}


def render(database: Database, utility: Utility, *, check: bool, tell: Tell = lambda rows: None) -> Report:
    """Look at every row of a utility; unless `check`, make anew what disagrees. `tell` hears the rows so far."""
    report = Report(made=not check)
    zone = ZoneInfo(utility.timezone)
    for point in _places(database, utility.id):
        with database.reading() if check else database.writing() as session:
            _place(session, utility.id, point, zone, report)
        tell(report.rows)
    return report


def _places(database: Database, utility_id: uuid.UUID) -> Iterator[uuid.UUID]:
    """The usage points of a utility, after the place of what belongs to none."""
    last = NIL
    yield NIL
    while True:
        with database.reading() as session:
            chosen = select(UsagePoint.id).where(UsagePoint.utility_id == utility_id, UsagePoint.id > last)
            found = session.scalars(chosen.order_by(UsagePoint.id).limit(AT_ONCE)).all()
        yield from found
        if len(found) < AT_ONCE:
            return
        last = found[-1]


def _place(session: Session, utility_id: uuid.UUID, point: uuid.UUID, zone: ZoneInfo, report: Report) -> None:
    """Everything of one usage point, or (NIL) of the utility as a whole and its customers."""
    before = len(report.differences)
    if report.made and point != NIL:
        session.execute(select(UsagePoint.id).where(UsagePoint.id == point).with_for_update(key_share=True))
    _resources(session, utility_id, point, report)
    if point != NIL:
        _blocks(session, point, zone, report)
    if report.made and point != NIL and len(report.differences) > before:
        count_version(session, point)


def _resources(session: Session, utility_id: uuid.UUID, point: uuid.UUID, report: Report) -> None:
    table = Resource
    keys = select(table.kind, table.id, table.customer_id).where(
        table.utility_id == utility_id, table.usage_point_id == point
    )
    columns = select(
        table.kind, table.id, table.utility_id, table.customer_id, table.content, table.sealed, table.related,
        table.xml, table.names, table.shape,
    )  # fmt: skip
    keyring = at_rest.keyring(session)
    for kind, id, customer in session.execute(keys.order_by(table.kind, table.id)).all():
        here = (table.usage_point_id == point, table.kind == kind, table.id == id)
        row = session.execute(columns.where(*here)).one()
        content = personal.content(keyring, row._mapping)
        wanted = {
            "xml": b"" if row.sealed is not None else KINDS[Kind(kind).name].from_json(content).write(),
            "names": _names(row.names, content),
            "shape": shape([(Kind(each), target) for each, target in row.related]),
        }
        wrong = {name: value for name, value in wanted.items() if getattr(row, name) != value}
        _settle(session, update(table).where(*here), wrong, report, (point, Kind(kind).name, id))
        if report.made and wrong and customer is not None:
            count_customer_version(session, customer)


def _names(stored: str, content: Any) -> str:
    """The element names as stored, if they are those of the content: PostgreSQL keeps JSON's names in no order."""
    found = names(content)
    return stored if set(stored.split()) == set(found) else " ".join(found)


def _blocks(session: Session, point: uuid.UUID, zone: ZoneInfo, report: Report) -> None:
    table = IntervalBlock
    keys = select(table.meter_reading_id, table.starts_at).where(table.usage_point_id == point)
    for reading, start in session.execute(keys.order_by(table.meter_reading_id, table.starts_at)).all():
        here = (table.usage_point_id == point, table.meter_reading_id == reading, table.starts_at == start)
        row = session.execute(select(table.__table__).where(*here)).one()
        readings = unpack(row.encoding, row.packed, row.extra)
        wanted = intervals.derived(readings, zone, cut(readings, zone, "day"))
        wrong = {name: value for name, value in wanted.items() if getattr(row, name) != value}
        if wrong.keys() <= _BYTES and _says_the_same(row, wanted):
            wrong = {}
        _settle(session, update(table).where(*here), wrong, report, (point, "IntervalBlock", reading))


def _says_the_same(row: Any, wanted: dict[str, Any]) -> bool:
    """Do the stored bytes inflate, day by day, to what they should, and does the index tell where?"""
    stored, fresh = Body(row.body, row.day_index), Body(wanted["body"], wanted["day_index"])
    try:
        told = [day._replace(offset=0, size=0) for day in stored.days]
        return (
            row.size == len(row.body) == sum(day.size for day in stored.days)
            and told == [day._replace(offset=0, size=0) for day in fresh.days]
            and all(_plain(stored, number) == _plain(fresh, number) for number in range(len(told)))
            and stored.whole()[1:] == fresh.whole()[1:]
        )
    except (DamagedIndex, DamagedSegment):
        return False


def _plain(body: Body, number: int) -> bytes:
    return b"".join(identity([body.part(number)]))


def _settle(
    session: Session,
    statement: Any,
    wrong: dict[str, Any],
    report: Report,
    who: tuple[uuid.UUID, str, uuid.UUID],
) -> None:
    report.rows += 1
    if not wrong:
        return
    point, kind, id = who
    report.differences.append(Difference(str(point), kind, str(id), tuple(sorted(wrong))))
    if report.made:
        session.execute(statement.values(**wrong))
