"""Telling applications what changed: the log of changes becomes BatchLists in the outbox.

A cursor remembers how far the log was told, and moves in the transaction of the messages, so a worker killed in
between loses nothing and doubles nothing. What an application is told follows from what it may read: the same
selectable that opens its feeds decides whose changes it hears of, its rights which kinds, its consented history how
far back. Changes wait a moment, so that those close together become one message.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from espi_server import at_rest, clock
from espi_server.access import grants, opening
from espi_server.access.addresses import resource_base
from espi_server.access.models import Application, Authorization
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.db import NIL, Database, add_if_new
from espi_server.energy import people
from espi_server.energy.find import WITH_HISTORY
from espi_server.energy.models import Change, Kind, Resource, UsagePoint
from espi_server.espi import paths
from espi_server.espi.query import Query
from espi_server.espi.rights import Rights
from espi_server.espi.scope import Scope
from espi_server.notify import outbox
from espi_server.notify.models import Cursor
from espi_server.notify.webhooks import Destination

PURPOSE = "notify"
CHANGES = 10_000  # of the log, in one transaction
ADDRESSES = 1_000  # in one message
WINDOWS = 8  # of one feed; what would be more is joined where the gaps are smallest
_AT_ONCE = 500

Window = tuple[int, int]
_FRAME = ("UsagePoint", "MeterReading")


class _Feed(NamedTuple):
    """A feed an application reads, by the address it stands at."""

    application: uuid.UUID
    address: str


def destination(session: Session, application_id: uuid.UUID) -> Destination | None:
    """Where an application is told things."""
    row = session.get(Application, application_id)
    return None if row is None else Destination(row.notify_uri, row.information.get("event_uri"))


def put(
    session: Session,
    application: Application,
    type: str,
    addresses: Sequence[str],
    data: Mapping[str, Any],
    **more: Any,
) -> None:
    """Tell an application of these addresses in the ways it wants: a BatchList, and an event of this `type`."""
    if application.notify_uri:
        recipient, payload = f"{outbox.APPLICATION}:{application.id}", {"resources": addresses, **more}
        outbox.put(session, application.utility_id, "batch_list", recipient=recipient, payload=payload)
    if application.information.get("event_uri"):
        event = {"at": clock.seconds(), "data": {**data, "links": addresses}, **more}
        recipient = f"{outbox.EVENTS}:{application.id}"
        outbox.put(session, application.utility_id, type, recipient=recipient, payload=event)


def expire(database: Database) -> None:
    """End what has run out, so that the customer and the company are told of it as of any other end."""
    for column, reason in ((Authorization.waits_until, "lapsed"), (Authorization.ends_at, "expired")):
        ended = _AT_ONCE
        while ended == _AT_ONCE:
            with database.writing() as session:
                over = (Authorization.ended_at.is_(None), column <= clock.seconds())
                some = select(Authorization).where(*over).limit(_AT_ONCE).with_for_update()
                rows = session.scalars(some).all()
                for row in rows:
                    grants.end(session, row, reason)
                ended = len(rows)


def announce(database: Database, installation: str, wait: int) -> None:
    """Put into the outbox what changed, utility by utility; changes younger than `wait` seconds wait on."""
    before = clock.seconds() - wait
    with database.reading() as session:
        codes = session.scalars(_waiting(before)).all()
    for code in codes:
        more = True
        while more:
            with database.writing() as session:
                utility = utilities.find(session, code)
                more = _announce_some(session, utility, installation, before)


def _waiting(before: int) -> Any:
    """The codes of utilities in whose log something waits to be told: one question while nothing does."""
    told = select(Cursor.sequence).where(Cursor.utility_id == Utility.id, Cursor.purpose == PURPOSE)
    news = select(Change.id).where(
        Change.utility_id == Utility.id,
        Change.sequence > func.coalesce(told.scalar_subquery(), 0),
        Change.at <= before,
    )
    return select(Utility.code).where(news.exists()).order_by(Utility.code)


def _announce_some(session: Session, utility: Utility, installation: str, before: int) -> bool:
    """The next stretch of the log, whole or not at all; whether there was one."""
    cursor = _locked(session, utility.id)
    waiting = (Change.utility_id == utility.id, Change.sequence > cursor.sequence)
    oldest = session.scalar(select(Change.at).where(*waiting).order_by(Change.sequence).limit(1))
    if oldest is None or oldest > before:
        return False
    stretch = select(Change.sequence).where(*waiting).order_by(Change.sequence).limit(CHANGES).subquery()
    last = session.scalar(select(func.max(stretch.c.sequence))) or cursor.sequence
    base = resource_base(utility.base_url, utility.code, installation)
    round = _Round(session, utility.id, base, (*waiting, Change.sequence <= last))
    round.tell()
    cursor.sequence, cursor.moved_at = last, clock.seconds()
    return True


def _locked(session: Session, utility_id: uuid.UUID) -> Cursor:
    """The cursor, held until the commit: of two workers one tells."""
    values = {"utility_id": utility_id, "purpose": PURPOSE, "sequence": 0, "moved_at": 0}
    key = (Cursor.utility_id == utility_id, Cursor.purpose == PURPOSE)
    if session.scalar(select(Cursor.sequence).where(*key)) is None:
        add_if_new(session, Cursor, values)
    return session.scalars(select(Cursor).where(*key).with_for_update()).one()


class _Round:
    """One stretch of a utility's log, and what of it each application is told."""

    def __init__(self, session: Session, utility_id: uuid.UUID, base: str, changed: Sequence[Any]) -> None:
        self._session = session
        self._utility_id = utility_id
        self._base = base
        self._changed = changed
        self._now = clock.seconds()

    def tell(self) -> None:
        """Put the messages into the outbox."""
        found: dict[uuid.UUID, list[str]] = defaultdict(list)
        for feed, windows in [*self._usage().items(), *self._customers().items()]:
            found[feed.application] += [_address(feed.address, each) for each in _joined(windows)]
        told = self._applications(found)
        for id, addresses in found.items():
            self._put(told[id], "data.available", addresses, {})
        for application, verb, row in self._authorizations():
            address = paths.authorization(self._base, str(row))
            self._put(application, f"authorization.{verb}", [address], {"authorization": str(row)})
        for application in self._statuses():
            address = paths.application_information(self._base, str(application.id))
            self._put(application, "application.changed", [address], {"application": str(application.id)})

    def _applications(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Application]:
        rows = self._session.scalars(select(Application).where(Application.id.in_(list(ids))))
        return {each.id: each for each in rows}

    def _put(self, application: Application, type: str, addresses: list[str], data: dict[str, Any]) -> None:
        for first in range(0, len(addresses), ADDRESSES):
            put(self._session, application, type, addresses[first : first + ADDRESSES], data)

    # --- what was used ---------------------------------------------------------------------------------

    def _usage(self) -> dict[_Feed, list[Window]]:
        """The windows of what changed below usage points, by the feed that shows it."""
        told: dict[_Feed, list[Window]] = defaultdict(list)
        frames: dict[_Feed, list[Window]] = defaultdict(list)
        for row in self._usage_rows():
            rights = _rights(row.scope)
            if not rights.sees(row.entity):
                continue
            window = _reading_window(row) if row.entity == "IntervalBlock" else _entry_window(row)
            if window is not None:
                feed = _Feed(row.application_id, self._usage_address(row))
                (frames if row.entity in _FRAME else told)[feed].append(window)
        # A usage point comes with whatever is selected below it; by itself it is told where nothing else is.
        return frames | told

    def _usage_rows(self) -> Iterator[Any]:
        open = opening.authorized().subquery("open").c
        here = and_(Resource.usage_point_id == Change.usage_point_id, Resource.id == Change.entity_id)
        query = (
            select(
                Authorization.application_id, Authorization.id, Authorization.bulk_id, open.scope, open.history_from,
                Change.entity, Change.starts_at, Change.ends_at, Resource.published, Resource.starts_at.label("begins"),
            )
            .join(Authorization, Authorization.id == open.subscription)
            .join(Application, Application.id == Authorization.application_id)
            .join(Change, Change.usage_point_id == open.usage_point_id)
            .outerjoin(Resource, here)
            .where(*self._changed, Application.status == opening.PRODUCTION)
            .order_by(Change.sequence)
        )  # fmt: skip
        yield from self._session.execute(query, {"now": self._now, "utility": self._utility_id})

    def _usage_address(self, row: Any) -> str:
        if row.bulk_id:
            return paths.batch_bulk(self._base, row.bulk_id)
        return paths.batch_subscription(self._base, str(row.id))

    # --- who they are ----------------------------------------------------------------------------------

    def _customers(self) -> dict[_Feed, list[Window]]:
        """The windows of what changed about customers, as far as each authorization reaches."""
        told: dict[_Feed, list[Window]] = defaultdict(list)
        reach: dict[uuid.UUID, frozenset[str]] = {}
        for row in self._customer_rows():
            if not _rights(row.scope).sees(row.entity):
                continue
            if row.id not in reach:
                reach[row.id] = self._reached(row.id, row.customer_id)
            if str(row.entity_id) in reach[row.id]:
                feed = _Feed(row.application_id, self._customer_address(row))
                told[feed].append((row.published, row.published))
        return told

    def _customer_rows(self) -> Iterator[Any]:
        here = and_(Resource.usage_point_id == NIL, Resource.id == Change.entity_id)
        live = (
            Authorization.ended_at.is_(None), Authorization.starts_at <= self._now, Authorization.ends_at > self._now,
            Authorization.waits_until.is_(None),
        )  # fmt: skip
        query = (
            select(
                Authorization.application_id, Authorization.id, Authorization.bulk_id, Authorization.scope,
                Authorization.customer_id, Change.entity, Change.entity_id, Resource.published,
            )
            .join(Resource, here)
            .join(Authorization, Authorization.customer_id == Resource.customer_id)
            .join(Application, Application.id == Authorization.application_id)
            .where(*self._changed, *live, Change.usage_point_id == NIL, Resource.kind >= Kind.Customer)
            .where(Application.status == opening.PRODUCTION, Authorization.utility_id == self._utility_id)
            .order_by(Change.sequence)
        )  # fmt: skip
        yield from self._session.execute(query)

    def _reached(self, authorization_id: uuid.UUID, customer_id: uuid.UUID) -> frozenset[str]:
        """The customer's resources that an authorization opens."""
        open = opening.authorized().subquery("open").c
        opened = self._session.scalars(
            select(open.usage_point_id).where(open.subscription == authorization_id),
            {"now": self._now, "utility": self._utility_id},
        ).all()
        every = self._session.scalars(
            select(UsagePoint.id).where(UsagePoint.customer_id == customer_id)
        ).all()
        chosen = select(*people.COLUMNS).where(
            Resource.customer_id == customer_id, Resource.kind >= Kind.Customer
        )
        rows = (tuple(row) for row in self._session.execute(chosen))
        known = people.read(at_rest.keyring(self._session), rows)
        ids = [str(each) for each in opened]
        whole = set(opened) == set(every)
        return frozenset(each.id for each in people.reached(known, ids, whole=whole))

    def _customer_address(self, row: Any) -> str:
        if row.bulk_id:
            return paths.batch_bulk_retail_customers(self._base, row.bulk_id)
        return paths.batch_retail_customer(self._base, str(row.customer_id))

    # --- consents and registrations --------------------------------------------------------------------

    def _authorizations(self) -> list[tuple[Application, str, uuid.UUID]]:
        """Authorizations that began, changed or ended, each with the last that happened to it."""
        query = (
            select(Application, Change.verb, Authorization.id)
            .join(Authorization, Authorization.id == Change.entity_id)
            .join(Application, Application.id == Authorization.application_id)
            .where(*self._changed, Change.entity == "Authorization")
            .order_by(Change.sequence)
        )
        rows = self._session.execute(query, {"utility": self._utility_id})
        return list({id: (application, verb, id) for application, verb, id in rows}.values())

    def _statuses(self) -> list[Application]:
        """Applications whose registration or status changed."""
        changed = select(Change.entity_id).where(*self._changed, Change.entity == "ApplicationInformation")
        mine = (Application.utility_id == self._utility_id, Application.id.in_(changed))
        return list(self._session.scalars(select(Application).where(*mine)))


def _rights(scope: str) -> Rights:
    return Rights.of(Scope.parse(scope))


def _reading_window(row: Any) -> Window | None:
    """The readings that changed, from the consented history on."""
    start = row.starts_at if row.history_from is None else max(row.starts_at, row.history_from)
    return (start, row.ends_at) if start < row.ends_at else None


def _entry_window(row: Any) -> Window | None:
    """When the entry was published, if it may be seen."""
    if row.published is None:
        return None
    hidden = row.history_from is not None and (row.begins is None or row.begins < row.history_from)
    if hidden and row.entity in {kind.name for kind in WITH_HISTORY}:
        return None
    return row.published, row.published


def _joined(windows: Iterable[Window]) -> list[Window]:
    """The same moments in windows apart from each other, at most WINDOWS."""
    joined: list[Window] = []
    for start, end in sorted(windows):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    while len(joined) > WINDOWS:
        gaps = [later[0] - earlier[1] for earlier, later in pairwise(joined)]
        place = gaps.index(min(gaps))
        joined[place : place + 2] = [(joined[place][0], joined[place + 1][1])]
    return joined


def _address(feed: str, window: Window) -> str:
    return f"{feed}?{Query(published_min=window[0], published_max=window[1])}"
