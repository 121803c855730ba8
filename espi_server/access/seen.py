"""What a company sees of one customer, shown to her: made of the very entries of the feeds the company gets.

Nothing here reads a table by itself: the usage feed, its bills, and the customer's record are written as they are for
the company (`exporting`, `albums`), and what those entries say is put together. So whatever is withheld from the
company is in no sum here, and what it gets is.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
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
from espi_server.espi import atom, paths, rows
from espi_server.espi.atom import Entry
from espi_server.espi.codes import FlowDirectionKind, UnitSymbolKind
from espi_server.espi.content import KINDS
from espi_server.espi.query import Query
from espi_server.espi.raw import parser
from espi_server.espi.readings import cut
from espi_server.espi.readings.alike import alike, of_columns
from espi_server.espi.rights import Rights
from espi_server.espi.rows import BillRows, Blocks
from espi_server.espi.scope import Scope

_SUMMED: Final = {
    "Wh": ("kWh", 1000), "varh": ("kvarh", 1000), "VAh": ("kVAh", 1000), "therm": ("therm", 1), "Btu": ("Btu", 1),
    "ft3": ("ft3", 1), "m3": ("m3", 1), "gal": ("gal", 1), "l": ("l", 1),
}  # fmt: skip
"""What can be added up, and in which unit it is told."""

_OPEN, _CLOSE = b"<IntervalReading>", b"</IntervalReading>"
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
    feed = Feed(view.database, view.asking(session, query, point=point))
    return Month(
        first=shown,
        series=added_up(feed.documents(slice(0, None)), view.zone, f"{shown:%Y-%m}"),
        earlier=f"{_before(shown):%Y-%m}" if shown > first else None,
        later=f"{_after(shown):%Y-%m}" if shown < last else None,
    )


def added_up(documents: Iterable[bytes], zone: ZoneInfo, month: str) -> list[Series]:
    """What the entries of a feed come to in a month (2026-06), series by series."""
    found: dict[tuple[str, str, str], Series] = {}
    for told in _told(documents):
        _add(found, told, zone, month)
    return [found[key] for key in sorted(found)]


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


def _told(documents: Iterable[bytes]) -> Iterator[rows.Told]:
    """What the blocks say. Readings of a series that differ in numbers alone are read together, as one block.

    A month is thirty small blocks: to make a tree of each would be half the time of the page.
    """
    blocks = Blocks()
    series: dict[tuple[str, ...], list[tuple[rows.Told, bytes, bytes]]] = defaultdict(list)
    for document in documents:
        begin, end = document.find(_OPEN), document.rfind(_CLOSE) + len(_CLOSE)
        is_block = begin >= 0
        told = blocks.told(_entry(document[:begin] + document[end:] if is_block else document))
        if told and is_block:
            place = tuple(told.ids.get(kind, "") for kind in ("UsagePoint", "MeterReading"))
            series[place].append((told, document[begin:end], document))
    for each in series.values():
        yield from _together(each) or filter(None, (blocks.told(_entry(document)) for *_, document in each))


def _together(series: Sequence[tuple[rows.Told, bytes, bytes]]) -> list[rows.Told]:
    """All readings of a series as one block; nothing where one is unlike the others, or comes twice."""
    notes: list[str] = []
    columns = alike(b"".join(readings for _, readings, _ in series), b"")
    if columns is None:
        return []
    readings = of_columns(columns, notes)
    return [] if notes else [series[0][0]._replace(readings=readings)]


def _add(found: dict[tuple[str, str, str], Series], told: rows.Told, zone: ZoneInfo, month: str) -> None:
    """A block's readings of the month, by local day: the sums of the rows a table would have, without the rows.

    What is no amount, a mean power for instance, is counted and not added up.
    """
    word = rows.word(UnitSymbolKind, told.type.uom)
    unit, divisor = _SUMMED.get(word, (word, 0))
    key = (told.ids.get("UsagePoint", ""), rows.word(FlowDirectionKind, told.type.flow_direction), unit)
    qualities = list(rows.quality_words(told.readings, told.type.default_quality))
    for begin, part in cut(told.readings, zone, "day"):
        day = f"{datetime.fromtimestamp(begin, zone):%Y-%m-%d}"
        if not day.startswith(month):
            continue
        series = found.setdefault(key, Series(*key))
        totals = told.readings[part].totals()
        series.readings += totals.readings
        if totals.cost is not None:
            series.cost = (series.cost or Decimal()) + Decimal(rows.number(totals.cost, rows.MONEY))
        if divisor and totals.value is not None:
            value = Decimal(rows.number(totals.value, told.power)) / divisor
            series.days[day] = series.days.get(day, Decimal()) + value
        if any(map(_is_guess, qualities[part])):
            series.guessed.add(day)


@cache
def _is_guess(quality: str) -> bool:
    return any(word in quality for word in _ESTIMATED)


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
