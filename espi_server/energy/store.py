"""The writing side of the store: the only code that writes Resource and UsagePoint rows (`intervals` writes blocks).

A `Shelf` holds the resources of one usage point, of one customer, or of the utility as a whole, inside the
caller's transaction. Putting what is there already changes no byte: `published` is kept for good, `updated` and
the version counters move only with a change.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from espi_server import at_rest, clock
from espi_server.accounts.models import Customer
from espi_server.db import NIL, add_if_new
from espi_server.energy import changes, personal
from espi_server.energy.entries import names
from espi_server.energy.models import Kind, Resource, UsagePoint

Outcome = Literal["created", "changed", "unchanged"]
Related = tuple[Kind, uuid.UUID | None]

_COMPARED = (
    "up_id", "reference_id", "related", "starts_at", "duration", "content", "aside", "customer_id",
)  # fmt: skip


class Known(NamedTuple):
    """A resource as it stands in the store, its content in clear."""

    kind: int
    id: uuid.UUID
    utility_id: uuid.UUID
    source_self: str | None
    shape: str
    up_id: uuid.UUID | None
    reference_id: uuid.UUID | None
    related: list[list[Any]]
    starts_at: int
    duration: int
    content: dict[str, Any]
    aside: Any
    customer_id: uuid.UUID | None


_READ = (*(getattr(Resource, name) for name in Known._fields), Resource.sealed)


@dataclass(frozen=True)
class Item:
    """One resource as it is to stand in the store."""

    kind: Kind
    id: uuid.UUID
    content: Mapping[str, Any]
    xml: bytes
    published: int
    related: tuple[Related, ...] = ()
    up_id: uuid.UUID | None = None
    reference_id: uuid.UUID | None = None
    starts_at: int = 0
    duration: int = 0
    source_self: str | None = None
    aside: Any = None


class Shelf:
    """The resources of one usage point, of one customer, or (neither given) of the whole utility.

    `stored` are those on it now. Give `ids` where only a few of many will be touched.
    """

    def __init__(
        self,
        session: Session,
        utility_id: uuid.UUID,
        *,
        usage_point_id: uuid.UUID = NIL,
        customer_id: uuid.UUID | None = None,
        ids: Collection[uuid.UUID] | None = None,
    ) -> None:
        self._session = session
        self._keyring = at_rest.keyring(session)
        self._keys = {
            "utility_id": utility_id, "usage_point_id": usage_point_id, "customer_id": customer_id,
        }  # fmt: skip
        self.stored: dict[tuple[Kind, uuid.UUID], Known] = {}
        self._put: set[tuple[Kind, uuid.UUID]] = set()
        self._load(ids)

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds there are on the shelf, those put now included."""
        return frozenset(kind for kind, _ in (*self.stored, *self._put))

    def put(self, item: Item) -> Outcome:
        """Take the item in: a new row, a changed one, or nothing where all is as it was."""
        key = (item.kind, item.id)
        self._put.add(key)
        values = self._values(item)
        row = self.stored.get(key)
        if row is None:
            return self._create(item, values)
        if all(getattr(row, name) == values[name] for name in _COMPARED):
            return "unchanged"
        return self._change(item, values)

    def of_kind(self, kind: Kind) -> list[Known]:
        """The stored rows of a kind."""
        return [row for (each, _), row in self.stored.items() if each == kind]

    def _load(self, ids: Collection[uuid.UUID] | None) -> None:
        query = self._rows()
        if ids is None:
            self._add(query)
            return
        wanted = sorted(ids)
        for first in range(0, len(wanted), 500):
            self._add(query.where(Resource.id.in_(wanted[first : first + 500])))

    def _rows(self) -> Select[Any]:
        query = select(*_READ).where(
            Resource.utility_id == self._keys["utility_id"],
            Resource.usage_point_id == self._keys["usage_point_id"],
        )
        if self._keys["customer_id"]:
            query = query.where(Resource.customer_id == self._keys["customer_id"])
        return query

    def _add(self, query: Select[Any]) -> None:
        for *columns, sealed in self._session.execute(query):
            row = Known(*columns)
            if sealed is not None:
                row = row._replace(
                    content=personal.content(self._keyring, {**row._asdict(), "sealed": sealed})
                )
            self.stored[Kind(row.kind), row.id] = row

    def _values(self, item: Item) -> dict[str, Any]:
        return {
            "related": written(item.related),
            "shape": shape(item.related),
            "names": " ".join(names(item.content)),
            "up_id": item.up_id, "reference_id": item.reference_id, "starts_at": item.starts_at,
            "duration": item.duration, "content": dict(item.content), "aside": item.aside, "xml": item.xml,
            "source_self": item.source_self, "customer_id": self._keys["customer_id"],
        }  # fmt: skip

    def _create(self, item: Item, values: dict[str, Any]) -> Outcome:
        row = self._stored(item, {**values, "published": item.published, "updated": clock.seconds()})
        # Two imports may meet the same reading type at once; its id says that its content is the same.
        add_if_new(self._session, Resource, row)
        self._note(item, "created")
        return "created"

    def _change(self, item: Item, values: dict[str, Any]) -> Outcome:
        where = (
            Resource.usage_point_id == self._keys["usage_point_id"],
            Resource.kind == int(item.kind),
            Resource.id == item.id,
        )
        row = self._stored(item, {**values, "updated": clock.seconds()})
        self._session.execute(update(Resource).where(*where).values(row))
        self._note(item, "changed")
        return "changed"

    def _stored(self, item: Item, values: dict[str, Any]) -> dict[str, Any]:
        return personal.stored(self._keyring, {**self._keys, "kind": int(item.kind), "id": item.id, **values})

    def _note(self, item: Item, verb: str) -> None:
        changes.note(
            self._session, _utility(self._keys), item.kind.name, item.id, verb,
            usage_point_id=self._keys["usage_point_id"] or NIL,
        )  # fmt: skip


def _utility(keys: Mapping[str, uuid.UUID | None]) -> uuid.UUID:
    id = keys["utility_id"]
    assert id is not None  # noqa: S101 - a shelf always has a utility
    return id


def written(related: Collection[Related]) -> list[list[Any]]:
    """The links as they are stored: [kind, id or null for a collection]."""
    return [[int(kind), None if id is None else str(id)] for kind, id in related]


def shape(related: Collection[Related]) -> str:
    """The links without their ids: `110* 130* 10`, a star for a collection."""
    return " ".join(f"{int(kind)}{'*' if id is None else ''}" for kind, id in related)


def locked_usage_point(
    session: Session, utility_id: uuid.UUID, id: uuid.UUID, source_id: str
) -> tuple[Any, bool]:
    """The usage point's row, made where it is new, locked for this transaction; and whether it is new.

    SQLite's writing door is a lock already. On PostgreSQL the lock leaves room for foreign keys that point here.
    """
    values = {
        "id": id, "utility_id": utility_id, "source_id": source_id, "kind": "utility", "version": 0,
        "created_at": clock.seconds(),
    }  # fmt: skip
    created = add_if_new(session, UsagePoint, values)
    columns = (UsagePoint.id, UsagePoint.customer_id, UsagePoint.agreement_id, UsagePoint.version)
    query = select(*columns).where(UsagePoint.id == id).with_for_update(key_share=True)
    return session.execute(query).one(), created


def belongs(
    session: Session, usage_point_id: uuid.UUID, *, since: int | None = None, **owners: uuid.UUID | None
) -> bool:
    """Write down whose usage point it is (`customer_id`, `agreement_id`); whether that is news.

    Where it passes to another customer, that one's readings begin at `since`, else now: nobody sees what an earlier
    customer used.
    """
    wanted: dict[str, Any] = {name: id for name, id in owners.items() if id is not None}
    if not wanted:
        return False
    row = session.execute(
        select(UsagePoint.customer_id, UsagePoint.agreement_id).where(UsagePoint.id == usage_point_id)
    ).one()
    if all(getattr(row, name) == id for name, id in wanted.items()):
        return False
    if row.customer_id is not None and wanted.get("customer_id", row.customer_id) != row.customer_id:
        wanted["customer_since"] = clock.seconds() if since is None else since
    session.execute(update(UsagePoint).where(UsagePoint.id == usage_point_id).values(**wanted))
    return True


def count_version(session: Session, usage_point_id: uuid.UUID) -> None:
    """One more import changed something at or below this usage point."""
    session.execute(
        update(UsagePoint).where(UsagePoint.id == usage_point_id).values(version=UsagePoint.version + 1)
    )


def count_customer_version(session: Session, customer_id: uuid.UUID) -> None:
    """One more import changed something of this customer."""
    session.execute(update(Customer).where(Customer.id == customer_id).values(version=Customer.version + 1))


def ensure_customer(session: Session, utility_id: uuid.UUID, id: uuid.UUID, reference: str) -> None:
    """The customer's row, made where it is new."""
    values = {
        "id": id, "utility_id": utility_id, "reference": reference, "version": 0, "created_at": clock.seconds(),
    }  # fmt: skip
    add_if_new(session, Customer, values)


def locked_customer(session: Session, id: uuid.UUID) -> None:
    """Lock a customer's row for this transaction."""
    session.execute(select(Customer.id).where(Customer.id == id).with_for_update(key_share=True)).one()
