"""Pass two, usage side: one usage point's data from one delivery, in or out as a whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.db import NIL
from espi_server.energy import identity, intervals, records, store
from espi_server.energy.block_xml import readings_of, taken_up
from espi_server.energy.house import House
from espi_server.energy.intervals import Part
from espi_server.energy.models import Kind, Resource
from espi_server.energy.records import BadContent, checked
from espi_server.energy.repair import status_time
from espi_server.energy.report import Report
from espi_server.energy.spool import Chunk, Series, Spool, Spooled
from espi_server.energy.store import Item, Shelf
from espi_server.espi import usage
from espi_server.espi.errors import EspiError


@dataclass
class _Series:
    """A meter reading while its unit is open."""

    id: uuid.UUID
    reading_type: uuid.UUID
    entry: Spooled | None = None


class UsageUnit:
    """Stores the entries of one usage point inside the caller's transaction; `report` hears of this unit alone.

    `windows` are the [start, end) of the readings that are other ones since.
    """

    def __init__(
        self,
        session: Session,
        spool: Spool,
        house: House,
        report: Report,
        *,
        unit: str,
        source_id: str,
        customer_id: uuid.UUID | None,
    ) -> None:
        self._session = session
        self._spool = spool
        self._house = house
        self._report = report
        self._unit = unit
        self.id = uuid.UUID(unit.partition(":")[2])
        self.windows: list[tuple[int, int]] = []
        self._source_id = source_id
        self._customer_id = customer_id
        self._entries = spool.of_unit(unit)
        self._meter_readings: dict[str, _Series] = {}
        self._by_entry: dict[int, _Series] = {}
        self._lines: dict[uuid.UUID, int | None] = {}
        self._reading_type = lru_cache(maxsize=64)(self._load_reading_type)

    def store(self) -> bool:
        """Write everything this delivery has for the usage point, and count its version if that was news; whether."""
        point, created = store.locked_usage_point(
            self._session, self._house.utility_id, self.id, self._source_id
        )
        if self._customer_id and point.customer_id not in (None, self._customer_id):
            self._refuse()
            return False
        shelf = Shelf(self._session, self._house.utility_id, usage_point_id=self.id)
        if self._customer_id:
            created |= store.belongs(self._session, self.id, customer_id=self._customer_id)
        before = self._report.created + self._report.changed
        self._put_meter_readings(shelf)
        self._put_readings(shelf)
        service = self._service(shelf)
        summaries: dict[uuid.UUID, Item] = {}
        for entry in self._of(Kind.UsageSummary, Kind.ElectricPowerQualitySummary):
            self._attempt(entry, partial(self._summarise, summaries, entry, service))
        for item in summaries.values():
            self._put(shelf, item)
        self._put_usage_point(shelf)
        news = created or self._report.created + self._report.changed > before
        if news:
            store.count_version(self._session, self.id)
        return news

    def _refuse(self) -> None:
        """Nobody's readings go to a neighbour: two sources may use the same id for two meters."""
        file, line = self._place(None)
        self._report.error(
            file,
            line,
            f"The usage point {self._source_id!r} belongs to another customer; nothing of it was taken in. If it "
            "passed to this customer, an agreement table says so with its dates; if two sources use the same id for "
            "two meters, choose another --profile.",
        )

    def _of(self, *kinds: Kind) -> list[Spooled]:
        return [entry for entry in self._entries if entry.kind in kinds]

    # Meter readings

    def _put_meter_readings(self, shelf: Shelf) -> None:
        """Give each MeterReading its id: the stored one's of the same self link, else its pair's."""
        self._stored = {
            records.canonical(row.source_self or ""): row for row in shelf.of_kind(Kind.MeterReading)
        }
        holders = {row.id: records.last_of(row.source_self) for row in self._stored.values()}
        # In order of their links, so that the order of entries in a file does not choose ids.
        for entry in sorted(self._of(Kind.MeterReading), key=lambda entry: (entry.self, entry.seq)):
            self._attempt(entry, partial(self._put_meter_reading, shelf, entry, holders))

    def _put_meter_reading(self, shelf: Shelf, entry: Spooled, holders: dict[uuid.UUID, str]) -> None:
        known = self._meter_readings.get(entry.self) if entry.self else None
        stored = (self._stored.get(entry.self) or self._ours(entry.last)) if entry.self else None
        reading_type = known.reading_type if known else self._reading_type_of(entry, stored)
        if known:
            id = known.id
        elif stored is not None:
            id = stored.id
        else:
            id = self._new_id(entry, reading_type, holders)
        content, xml = checked(usage.MeterReading, entry.content)
        self._by_entry[entry.seq] = _Series(id, reading_type, entry)
        self._meter_readings.setdefault(entry.self or str(id), self._by_entry[entry.seq])
        if known is None:
            self._lines[id] = entry.line
            self._put(shelf, self._meter_reading(id, reading_type, content, xml, entry, stored))

    def _meter_reading(
        self,
        id: uuid.UUID,
        reading_type: uuid.UUID,
        content: dict[str, Any],
        xml: bytes,
        entry: Spooled | None,
        stored: Any | None = None,
    ) -> Item:
        return Item(
            Kind.MeterReading, id, content, xml, self._published(entry.published if entry else None),
            related=((Kind.IntervalBlock, None), (Kind.ReadingType, reading_type)), reference_id=reading_type,
            source_self=stored.source_self if stored is not None and entry and entry.last == str(id)
            else entry.source_self if entry else None,
            aside=entry.aside if entry else None,
        )  # fmt: skip

    def _reading_type_of(self, entry: Spooled, stored: Any | None) -> uuid.UUID:
        if entry.reference:
            return uuid.UUID(entry.reference)
        if stored is not None and stored.reference_id:
            return uuid.UUID(str(stored.reference_id))
        raise BadContent(
            "Its ReadingType is neither in these files nor stored, and without it nobody knows the unit of its "
            "readings. Deliver it in the same import, or before."
        )

    def _new_id(self, entry: Spooled, reading_type: uuid.UUID, holders: dict[uuid.UUID, str]) -> uuid.UUID:
        """The pair's own id; a second meter reading of the same pair adds the last part of its self link."""
        last = records.last_of(entry.source_self)
        id = identity.meter_reading(self._house.namespace, self.id, reading_type)
        if holders.get(id, last) != last:
            id = identity.meter_reading(self._house.namespace, self.id, reading_type, last)
        holders[id] = last
        return id

    # Readings

    def _put_readings(self, shelf: Shelf) -> None:
        """Write the readings of each meter reading, all its blocks together."""
        gathered: dict[uuid.UUID, tuple[_Series, list[Series]]] = {}
        for series in self._spool.series_of(self._unit):
            above = self._meter_reading_above(shelf, series)
            if above is not None:
                gathered.setdefault(above.id, (above, []))[1].append(series)
        for above, several in gathered.values():
            self._write(above, several)

    def _meter_reading_above(self, shelf: Shelf, series: Series) -> _Series | None:
        if series.entry is not None:
            found = self._by_entry.get(series.entry)
            if found is None:
                self._fail_blocks(series, "Its MeterReading could not be taken in")
            return found
        above = series.up.rpartition("/")[0]
        found = self._meter_readings.get(above) or self._from_store(above) or self._only(series)
        if found is None:
            found = self._made(shelf, series)
        if found is None:
            self._fail_blocks(
                series, f"Its MeterReading ({above or 'no link'}) is neither in these files nor stored"
            )
        return found

    def _ours(self, id: str) -> Any | None:
        """The stored meter reading of our own id: what a client sends that read it here."""
        return next((row for row in self._stored.values() if str(row.id) == id), None)

    def _from_store(self, href: str) -> _Series | None:
        row = self._stored.get(href) or self._ours(records.last_of(href))
        if row is None:
            same = [
                row for self_, row in self._stored.items() if records.last_of(self_) == records.last_of(href)
            ]
            row = same[0] if len(same) == 1 else None
        return None if row is None else _Series(row.id, uuid.UUID(str(row.reference_id)))

    def _only(self, series: Series) -> _Series | None:
        """The usage point's one meter reading, where it has just one."""
        known = {each.id: each for each in self._meter_readings.values()}
        for row in self._stored.values():
            known.setdefault(row.id, _Series(row.id, uuid.UUID(str(row.reference_id))))
        if len(known) != 1:
            return None
        self._say(series, "its meter reading is the only one of its usage point")
        return next(iter(known.values()))

    def _made(self, shelf: Shelf, series: Series) -> _Series | None:
        """A meter reading made from the blocks' path and the one ReadingType of their file."""
        only = self._spool.only(Kind.ReadingType, series.file)
        if only is None:
            return None
        reading_type = uuid.UUID(only.id)
        id = identity.meter_reading(self._house.namespace, self.id, reading_type)
        content, xml = checked(usage.MeterReading, {})
        self._put(shelf, self._meter_reading(id, reading_type, content, xml, None))
        self._say(series, "its meter reading was made from its path and the one ReadingType of the file")
        made = _Series(id, reading_type)
        self._meter_readings[series.up.rpartition("/")[0]] = made
        return made

    def _write(self, above: _Series, several: list[Series]) -> None:
        reading_type = self._reading_type(above.reading_type)
        files = {series.id: self._spool.file_name(series.file) for series in several}
        parts = list(self._parts(several, files, reading_type))
        writer = intervals.Writer(
            self._session, utility_id=self._house.utility_id, usage_point_id=self.id, zone=self._house.zone,
            run_id=self._house.run_id,
        )  # fmt: skip
        outcome = writer.write(above.id, parts, reading_type)
        self.windows += outcome.windows
        self._report.readings += outcome.readings
        self._report.created += outcome.created
        self._report.changed += outcome.changed
        self._report.unchanged += outcome.unchanged
        for word in ("created", "changed", "unchanged"):
            if days := getattr(outcome, word):
                self._report.came(
                    word, Kind.IntervalBlock, above.id, several[0].line, usage_point_id=self.id, days=days
                )
        for words in outcome.notes:
            self._report.repair(files[several[0].id], several[0].line, f"IntervalBlock: {words}")

    def _parts(
        self, several: list[Series], files: dict[int, str], reading_type: dict[str, Any]
    ) -> Iterable[Part]:
        for chunk in self._spool.chunks(series.id for series in several):
            readings = chunk.readings
            if readings is None:
                readings = self._late(chunk, files[chunk.series], reading_type.get("intervalLength"))
            if readings is not None and len(readings):
                yield Part(readings, self._published(chunk.published))

    def _late(self, chunk: Chunk, file: str, length: int | None) -> Any:
        """Readings without times of their own: the ReadingType, known by now, says how long they are."""
        notes: list[str] = []
        try:
            readings = readings_of(
                taken_up(chunk.raw or b""),
                notes=notes,
                qualities=self._house.qualities,
                interval_length=length,
            )
        except EspiError as error:
            self._report.error(file, chunk.line, f"IntervalBlock: {error}")
            return None
        for words in notes:
            self._report.repair(file, chunk.line, f"IntervalBlock: {words}")
        return readings

    def _load_reading_type(self, id: uuid.UUID) -> dict[str, Any]:
        spooled = self._spool.with_id(str(id))
        if spooled:
            return spooled.content
        query = select(Resource.content).where(
            Resource.usage_point_id == NIL, Resource.kind == int(Kind.ReadingType), Resource.id == id
        )
        return self._session.scalar(query) or {}

    # Summaries

    def _summarise(self, summaries: dict[uuid.UUID, Item], entry: Spooled, service: int | None) -> None:
        """Add a summary; of two for one period the later wins."""
        content = dict(entry.content)
        if entry.kind == Kind.UsageSummary:
            for words in status_time(content, entry.published):
                self._say(entry, words)
            for words in self._house.supplies.usage_summary(content, service):
                self._report.supply(self._spool.file_name(entry.file), entry.line, words)
        cls = getattr(usage, entry.kind.name)
        content, xml = checked(cls, content)
        period = content.get("billingPeriod") or content.get("summaryInterval")
        when = (period["start"], period["duration"]) if period else int(content["statusTimeStamp"])
        start, duration = when if isinstance(when, tuple) else (when, 0)
        id = identity.in_period(self._house.namespace, entry.kind.name, self.id, when)
        if id in summaries and summaries[id].content != content:
            self._say(entry, "another one before it has the same period; the later was taken")
        published = self._published(entry.published)
        self._lines[id] = entry.line
        summaries[id] = Item(
            entry.kind, id, content, xml, min(published, summaries[id].published) if id in summaries else published,
            related=((Kind.UsagePoint, self.id),), starts_at=start, duration=duration,
            source_self=entry.source_self or None, aside=entry.aside,
        )  # fmt: skip

    # The usage point itself

    def _service(self, shelf: Shelf) -> int | None:
        """The ServiceKind of this usage point, delivered or stored."""
        contents = [entry.content for entry in self._of(Kind.UsagePoint)[-1:]]
        contents += [row.content for row in shelf.of_kind(Kind.UsagePoint)]
        kinds = [content["ServiceCategory"]["kind"] for content in contents if "ServiceCategory" in content]
        return kinds[0] if kinds else self._service_of_readings()

    def _service_of_readings(self) -> int | None:
        content: dict[str, Any] = {}
        commodity = self._commodity()
        if commodity is None:
            return None
        self._house.supplies.usage_point(content, commodity)
        return int(content["ServiceCategory"]["kind"])

    def _commodity(self) -> int | None:
        """What the reading types of this delivery measure."""
        for each in self._meter_readings.values():
            commodity = self._reading_type(each.reading_type).get("commodity")
            if commodity:
                return int(commodity)
        return None

    def _put_usage_point(self, shelf: Shelf) -> None:
        delivered = self._of(Kind.UsagePoint)
        entry = delivered[-1] if delivered else None
        stored = next(iter(shelf.of_kind(Kind.UsagePoint)), None)
        content = dict(entry.content if entry else stored.content if stored else {})
        for words in self._house.supplies.usage_point(content, self._commodity()):
            self._report.supply(*self._place(entry), words)
        if entry and stored is not None:
            self._compare_service(entry, stored.content, content)
        content, xml = checked(usage.UsagePoint, content)
        parameters = self._local_time(entry, stored)
        kinds = (Kind.MeterReading, Kind.UsageSummary, Kind.ElectricPowerQualitySummary)
        related = [(kind, None) for kind in kinds if kind in shelf.kinds]
        self._lines[self.id] = entry.line if entry else None
        is_ours = stored is not None and entry is not None and entry.last == str(self.id)
        self._put(
            shelf,
            Item(
                Kind.UsagePoint, self.id, content, xml, self._published(entry.published if entry else None),
                related=(*related, (Kind.LocalTimeParameters, parameters)), reference_id=parameters,
                source_self=entry.source_self if entry and not is_ours else stored.source_self if stored else None,
                aside=entry.aside if entry else stored.aside if stored else None,
            ),
            counted=bool(entry) or stored is None,
        )  # fmt: skip

    def _compare_service(self, entry: Spooled, before: dict[str, Any], now: dict[str, Any]) -> None:
        old, new = (content.get("ServiceCategory", {}).get("kind") for content in (before, now))
        if old is not None and old != new:
            self._say(
                entry,
                f"its service was {old} and is {new} now. If two sources name different usage points "
                f"{self._source_id!r}, import one of them with another --profile",
            )

    def _local_time(self, entry: Spooled | None, stored: Any | None) -> uuid.UUID:
        if entry and entry.reference:
            return uuid.UUID(entry.reference)
        if stored is not None and stored.reference_id:
            return uuid.UUID(str(stored.reference_id))
        item = self._house.zone_parameters()
        shared = Shelf(self._session, self._house.utility_id, ids=[item.id])
        if shared.put(item) == "created":
            self._report.created += 1
        self._report.supply(*self._place(entry), "LocalTimeParameters was missing")
        return item.id

    # Words and counts

    def _put(self, shelf: Shelf, item: Item, *, counted: bool = True) -> None:
        outcome = shelf.put(item)
        if counted or outcome != "unchanged":
            setattr(self._report, outcome, getattr(self._report, outcome) + 1)
            line = self._lines.get(item.id)
            self._report.came(outcome, item.kind, item.id, line, usage_point_id=self.id)

    def _attempt(self, entry: Spooled, step: Callable[[], None]) -> None:
        """A bad value is an error of its entry; the others of the unit go on."""
        try:
            step()
        except EspiError as error:
            self._report.error(self._spool.file_name(entry.file), entry.line, f"{entry.kind.name}: {error}")

    def _published(self, published: int | None) -> int:
        return published if published is not None else self._house.started_at

    def _place(self, entry: Spooled | None) -> tuple[str, int | None]:
        """File and line of the entry, or of the first thing that made this unit."""
        if entry:
            return self._spool.file_name(entry.file), entry.line
        everything: list[Spooled | Series] = [*self._entries, *self._spool.series_of(self._unit)]
        first = next(iter(everything), None)
        return (self._spool.file_name(first.file), first.line) if first else ("", None)

    def _say(self, entry: Spooled | Series, words: str) -> None:
        kind = entry.kind.name if isinstance(entry, Spooled) else Kind.IntervalBlock.name
        self._report.repair(self._spool.file_name(entry.file), entry.line, f"{kind}: {words}")

    def _fail_blocks(self, series: Series, words: str) -> None:
        for chunk in self._spool.chunks([series.id]):
            self._report.error(self._spool.file_name(series.file), chunk.line, f"IntervalBlock: {words}.")
