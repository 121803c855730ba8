"""What a company sees of one customer, shown to her: made of the very entries of the feeds the company gets.

Nothing here reads a table by itself: the usage feed, its bills, and the customer's record are written as they are for
the company (`exporting`, `albums`), and what those entries say is put together. So whatever is withheld from the
company is in no sum here, and what it gets is.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from lxml import etree
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from espi_server.access import albums, exporting
from espi_server.access.addresses import resource_base
from espi_server.access.models import Authorization, AuthorizationUsagePoint
from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.energy import identity
from espi_server.energy.asking import Asking
from espi_server.energy.feed import Feed
from espi_server.energy.models import IntervalBlock, Kind
from espi_server.energy.people import Album
from espi_server.espi import atom, paths
from espi_server.espi.atom import Entry
from espi_server.espi.content import KINDS
from espi_server.espi.query import Query
from espi_server.espi.raw import parser
from espi_server.espi.rights import Rights
from espi_server.espi.rows import BillRows, ReadingRows
from espi_server.espi.scope import Scope

_SUMMED: Final = {
    "Wh": ("kWh", 1000), "varh": ("kvarh", 1000), "VAh": ("kVAh", 1000), "therm": ("therm", 1), "Btu": ("Btu", 1),
    "ft3": ("ft3", 1), "m3": ("m3", 1), "gal": ("gal", 1), "l": ("l", 1),
}  # fmt: skip
"""What can be added up, and in which unit it is told."""

_ESTIMATED: Final = ("estimated", "forecast", "projected")


@dataclass(frozen=True)
class View:
    """One authorization to look through: whose, which, and where its company finds its data."""

    database: Database
    utility: Utility
    row: Authorization
    installation: str

    @property
    def base(self) -> str:
        """The resource base."""
        return resource_base(self.utility.base_url, self.utility.code, self.installation)

    @property
    def rights(self) -> Rights:
        """What the company may see."""
        return Rights.of(Scope.parse(self.row.scope), self.row.history_from)

    @property
    def zone(self) -> ZoneInfo:
        """Whose days they are."""
        return ZoneInfo(self.utility.timezone)

    def asking(
        self,
        session: Session,
        query: Query,
        kinds: frozenset[int] | None = None,
        point: uuid.UUID | None = None,
    ) -> Asking:
        """The request the company makes, for one usage point where given."""
        asked = exporting.asking(session, self.utility, self.row.id, query, self.installation)
        return replace(asked, kinds=kinds, usage_point=point)


@dataclass
class Series:
    """What one meter measured of one thing, day by day (local days, in order); `unit` is that of every sum."""

    usage_point: str
    flow: str
    unit: str
    days: dict[str, Decimal] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)
    readings: int = 0
    cost: Decimal | None = None

    @property
    def total(self) -> Decimal:
        """All of it together."""
        return sum(self.days.values(), Decimal())

    @property
    def highest(self) -> tuple[str, Decimal]:
        """The day with the most, and how much that was."""
        return max(self.days.items(), key=lambda each: each[1])


@dataclass(frozen=True)
class Month:
    """A month of usage: its first local day, what was measured in it, and its neighbours, where there are any."""

    first: datetime
    series: Sequence[Series]
    earlier: str | None
    later: str | None

    @property
    def name(self) -> str:
        """As it stands in an address: 2026-06."""
        return f"{self.first:%Y-%m}"


def extent(session: Session, view: View) -> tuple[datetime, datetime] | None:
    """The first and the last moment the company sees readings of, local; None where it sees none."""
    if not view.rights.sees("IntervalBlock"):
        return None
    points = select(AuthorizationUsagePoint.usage_point_id).where(
        AuthorizationUsagePoint.authorization_id == view.row.id
    )
    span = select(func.min(IntervalBlock.first_at), func.max(IntervalBlock.ends_at))
    first, last = session.execute(span.where(IntervalBlock.usage_point_id.in_(points))).one()
    if first is None:
        return None
    start = max(first, view.row.history_from or first)
    if start >= last:
        return None
    return datetime.fromtimestamp(start, view.zone), datetime.fromtimestamp(last - 1, view.zone)


def month(session: Session, view: View, name: str, point: uuid.UUID | None = None) -> Month | None:
    """The usage of a month (2026-06), the latest where it has none; None where the company sees no readings."""
    whole = extent(session, view)
    if whole is None:
        return None
    first, last = (_first_of(each) for each in whole)
    shown = min(max(_named(name, view.zone) or last, first), last)
    start, end = int(shown.timestamp()), int(_after(shown).timestamp())
    query = Query(published_min=start, published_max=end - 1)
    table = ReadingRows(view.zone)
    found: dict[tuple[str, str, str], Series] = {}
    for entry in _entries(Feed(view.database, view.asking(session, query, point=point))):
        for row in table.rows(entry) or ():
            _add(found, dict(zip(table.columns, row, strict=True)), f"{shown:%Y-%m}")
    return Month(
        first=shown,
        series=[found[key] for key in sorted(found)],
        earlier=f"{_before(shown):%Y-%m}" if shown > first else None,
        later=f"{_after(shown):%Y-%m}" if shown < last else None,
    )


def bills(session: Session, view: View, point: uuid.UUID | None = None) -> list[dict[str, str]]:
    """The bills as a table has them, the newest first: every column the company gets, and no other has a value."""
    if not view.rights.sees("UsageSummary"):
        return []
    kinds = frozenset({int(Kind.UsageSummary)})
    table = BillRows(view.zone)
    rows = [
        dict(zip(table.columns, row, strict=True))
        for entry in _entries(Feed(view.database, view.asking(session, Query(), kinds, point)))
        for row in table.rows(entry) or ()
    ]
    return sorted(rows, key=lambda each: each["start"], reverse=True)


def album(view: View) -> Album | None:
    """The customer's own record as the company gets it; None where it gets none."""
    return albums.authorized(view.database, view.base, view.row) if view.rights.sees_customer else None


@dataclass(frozen=True)
class Told:
    """One resource of the record: its kind, and what it says: the standard's names joined by /, each with its value."""

    kind: str
    facts: Sequence[tuple[str, str]]


def record(found: Album) -> list[Told]:
    """Everything the record says, entry by entry, in the order of the feed."""
    told = []
    for each in found.entries():
        for content in _entry(each.body).contents:
            name = etree.QName(content).localname
            told.append(Told(name, list(_facts(KINDS[name].read(content).to_json()))))
    return told


def record_feed(view: View, found: Album) -> tuple[bytes, int]:
    """The record as the Atom feed the company gets, and how many entries it has."""
    entries = list(found.entries())
    customer = str(view.row.customer_id)
    path = paths.batch_retail_customer("", customer).removeprefix("/")
    head = atom.feed_head(
        id=f"urn:uuid:{identity.made(view.utility.namespace, 'Feed', path)}",
        title="RetailCustomer",
        updated=max((each.updated for each in entries), default=0),
        href=paths.batch_retail_customer(view.base, customer),
        type=paths.entry_type("RetailCustomer"),
    )
    return b"".join((head, *(each.body for each in entries), atom.FEED_TAIL)), len(entries)


# --- reading entries ------------------------------------------------------------------------------------


def _entries(feed: Feed) -> Iterator[Entry]:
    for document in feed.documents(slice(0, None)):
        yield _entry(document)


def _entry(document: bytes) -> Entry:
    wrapped = b"".join((b'<feed xmlns="', atom.ATOM.encode(), b'">', document, b"</feed>"))
    return atom.read_entry(etree.fromstring(wrapped, parser())[0])


def _add(found: dict[tuple[str, str, str], Series], row: dict[str, str], month: str) -> None:
    """One reading of the month; what is no amount, a mean power for instance, is counted and not added up."""
    day = row["local_start"][:10]
    if not day.startswith(month):
        return
    unit, divisor = _SUMMED.get(row["unit"], (row["unit"], 0))
    key = (row["usage_point"], row["flow"], unit)
    series = found.setdefault(key, Series(*key))
    series.readings += 1
    if row["cost"]:
        series.cost = (series.cost or Decimal()) + Decimal(row["cost"])
    if divisor and row["value"]:
        series.days[day] = series.days.get(day, Decimal()) + Decimal(row["value"]) / divisor
    if any(word in row["quality"] for word in _ESTIMATED):
        series.guessed.add(day)


def _facts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _facts(each, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for each in value:
            yield from _facts(each, path)
    elif value is not None and value != "":
        yield path, str(value)


# --- months ---------------------------------------------------------------------------------------------


def _named(name: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.strptime(name, "%Y-%m").replace(tzinfo=zone)
    except ValueError:
        return None


def _first_of(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _after(first: datetime) -> datetime:
    return _first_of(first + timedelta(days=32))


def _before(first: datetime) -> datetime:
    return _first_of(first - timedelta(days=1))
