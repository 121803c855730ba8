"""Taking in what a utility delivers: any number of files, in any order, as often as they come.

Pass one reads every file once and spools its entries in their stored form. Then the entries are joined to their
usage points and customers, across all files of the import. Pass two stores unit by unit: all that came for one
usage point (or one customer) is in or out as a whole, in one short transaction. An import that is interrupted at
any moment leaves whole units behind and is finished by running it again; what is there already changes no byte.

A file that is broken anywhere is left out as a whole, and the others go on.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.accounts import utilities
from espi_server.accounts.models import PROFILES, Customer, Utility
from espi_server.db import NIL, Database
from espi_server.energy import agreements, identity, records, store
from espi_server.energy.customer_units import CustomerUnit
from espi_server.energy.house import House
from espi_server.energy.joining import OURS, Join
from espi_server.energy.layout import Layout, named
from espi_server.energy.models import ImportRun, Kind, Resource, UsagePoint
from espi_server.energy.records import checked
from espi_server.energy.repair import Supplies
from espi_server.energy.report import Report
from espi_server.energy.spool import Spool
from espi_server.energy.store import Item, Shelf
from espi_server.energy.table_source import TableSource, is_table
from espi_server.energy.usage_units import UsageUnit
from espi_server.energy.within import Within
from espi_server.energy.xml_source import SHARED, XmlSource
from espi_server.errors import Usage
from espi_server.espi import safe, usage
from espi_server.espi.errors import EspiError

UTILITY_WIDE = (*SHARED, Kind.ProgramIdMappings)


class Progress(NamedTuple):
    """How far an import is: `reading` counts bytes of the files, `storing` counts usage points and customers."""

    phase: str
    done: int
    total: int
    file: str = ""


Arrived = Callable[[Session, House, uuid.UUID, Sequence[tuple[int, int]]], None]
"""Called in the transaction of a usage point that an import changed: its id, and the [start, end) of the readings that
are other ones now."""

Agreed = Callable[[Session, uuid.UUID, Sequence[agreements.Changed]], None]
"""Called in the transaction of a customer whose agreements an import made or changed: the utility's id, and those."""


class Tables(NamedTuple):
    """How tables are understood: local times, the layouts of other custodians, whose readings they hold."""

    local: bool = False
    layouts: tuple[Layout, ...] = ()
    usage_point: str | None = None


class UnknownProfile(Usage):
    """There is no such profile. Give self, atom-id or meter."""


def import_files(
    database: Database,
    utility_code: str,
    paths: Iterable[str | PathLike[str]],
    *,
    customer: str | None = None,
    profile: str | None = None,
    local: bool = False,
    layouts: Sequence[str] = (),
    usage_point: str | None = None,
    actor: str,
    progress: Callable[[Progress], None] | None = None,
    limits: safe.Limits | None = None,
    arrived: Arrived | None = None,
    agreed: Agreed | None = None,
    within: Within | None = None,
) -> Report:
    """Take files in; the report tells what came of it and what was wrong with it.

    `customer` names the customer whose data these are; `profile` which key names a usage point (default: the
    utility's); `local` lets tables give local times without an offset. `layouts` name how other custodians' tables
    are laid out (default: those that come with the server), and `usage_point` whose readings such a table holds
    where it does not say. `limits` bounds what is read, as for an upload; `within` says what the files may touch.
    `arrived` hears of every usage point that changed, `agreed` of every agreement. Raises UnknownUtility,
    UnknownProfile or BadLayout; everything about the files themselves is in the report.
    """
    files = [Path(path) for path in paths]
    with database.reading() as session:
        utility = utilities.find(session, utility_code)
    house = _house(utility, profile)
    tables = Tables(local, tuple(named(each) for each in layouts), usage_point)
    run = _Run(
        database, house, customer=customer, tables=tables, limits=limits, progress=progress, arrived=arrived,
        agreed=agreed, within=within,
    )  # fmt: skip
    _begin(database, house, actor)
    report = run.take(files)
    _end(database, house, report)
    return report


def _house(utility: Utility, profile: str | None) -> House:
    profile = profile or utility.profile
    if profile not in PROFILES:
        raise UnknownProfile(f"The profile {profile!r} is not one of {', '.join(PROFILES)}.")
    return House(
        utility_id=utility.id, namespace=utility.namespace, timezone=utility.timezone,
        zone=ZoneInfo(utility.timezone), profile=profile,
        supplies=Supplies(list(utility.commodities), utility.currency),
        qualities={str(word): int(code) for word, code in utility.qualities.items()},
        run_id=uuid.uuid4(), started_at=clock.seconds(),
    )  # fmt: skip


def _begin(database: Database, house: House, actor: str) -> None:
    with database.writing() as session:
        session.add(
            ImportRun(
                id=house.run_id, utility_id=house.utility_id, started_at=house.started_at,
                profile=house.profile, actor=actor[:256],
            )
        )  # fmt: skip


def _end(database: Database, house: House, report: Report) -> None:
    with database.writing() as session:
        row = update(ImportRun).where(ImportRun.id == house.run_id)
        session.execute(row.values(finished_at=clock.seconds(), report=report.to_json()))


class _Run:
    """One import from its files to its report."""

    def __init__(
        self,
        database: Database,
        house: House,
        *,
        customer: str | None,
        tables: Tables,
        limits: safe.Limits | None,
        progress: Callable[[Progress], None] | None,
        arrived: Arrived | None,
        agreed: Agreed | None,
        within: Within | None,
    ) -> None:
        self._within = within
        self._database = database
        self._house = house
        self._customer = customer
        self._tables = tables
        self._limits = limits
        self._progress = progress or (lambda _: None)
        self._arrived = arrived or (lambda *_: None)
        self._agreed = agreed or (lambda *_: None)
        self._report = Report()

    def take(self, files: Sequence[Path]) -> Report:
        """Both passes."""
        with Spool() as spool:
            self._read(spool, files)
            spool.finish()
            if self._within:
                self._within.settle(spool)
                self._within.refuse_kinds(spool, self._report)
            stored = _Stored(self._database, self._house)
            join = Join(
                spool, stored, self._report, namespace=self._house.namespace, profile=self._house.profile,
                customer=self._customer,
            )  # fmt: skip
            join.run()
            if self._within:
                self._within.refuse_units(spool, self._report, stored)
            self._store_shared(spool)
            self._store_units(spool, join, stored)
        return self._report

    # Pass one

    def _read(self, spool: Spool, files: Sequence[Path]) -> None:
        sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
        behind = 0
        for file, size in zip(files, sizes, strict=True):
            self._read_file(spool, file, partial(self._tell_reading, behind, size, sum(sizes)))
            behind += size
            self._tell_reading(behind, 0, sum(sizes), 0)

    def _tell_reading(self, behind: int, size: int, total: int, done: int) -> None:
        # An unpacked file is longer than it was on disk.
        self._progress(Progress("reading", behind + min(done, size), total))

    def _read_file(self, spool: Spool, file: Path, progress: Callable[[int], None]) -> None:
        try:
            self._report.absorb(self._source(spool, file).read(file, str(file), progress))
        except safe.DocumentError as error:
            words = str(error).removeprefix(f"Line {error.line}: ")
            self._report.error(str(file), error.line, f"{words} Nothing of this file was taken in.")
        except EspiError as error:
            self._report.error(str(file), None, f"{error} Nothing of this file was taken in.")
        except OSError as error:
            self._report.error(str(file), None, f"The file cannot be read: {error.strerror or error}.")

    def _source(self, spool: Spool, file: Path) -> XmlSource | TableSource:
        if is_table(file, self._limits):
            return TableSource(
                spool, self._house, **self._tables._asdict(), customer=self._customer, limits=self._limits
            )
        return XmlSource(spool, self._house, limits=self._limits)

    # Pass two

    def _store_shared(self, spool: Spool) -> None:
        """The utility-wide resources, before any usage point relates to them; in order of their ids."""
        items: dict[uuid.UUID, Item] = {}
        lines: dict[uuid.UUID, int | None] = {}
        for entry in spool.of_kind(*UTILITY_WIDE):
            content, xml = checked(getattr(usage, entry.kind.name), entry.content)
            id = uuid.UUID(entry.id)
            lines[id] = entry.line
            published = entry.published if entry.published is not None else self._house.started_at
            if id in items and entry.kind in SHARED:
                published = min(published, items[id].published)
            items[id] = Item(
                entry.kind,
                id,
                content,
                xml,
                published,
                source_self=entry.source_self or None,
                aside=entry.aside,
            )
        if not items:
            return
        with self._database.writing() as session:
            shelf = Shelf(session, self._house.utility_id, ids=items)
            outcomes = [(shelf.put(items[id]), items[id]) for id in sorted(items, key=str)]
        for outcome, item in outcomes:
            self._report.came(outcome, item.kind, item.id, lines[item.id])
            setattr(self._report, outcome, getattr(self._report, outcome) + 1)

    def _store_units(self, spool: Spool, join: Join, stored: _Stored) -> None:
        owner = self._owner()
        units = spool.units()
        for done, unit in enumerate(units):
            self._progress(Progress("storing", done, len(units)))
            report = Report()
            with self._database.writing() as session:
                self._store_unit(session, spool, join, stored, report, unit, owner)
            self._report.absorb(report)
        self._progress(Progress("storing", len(units), len(units)))

    def _store_unit(
        self,
        session: Session,
        spool: Spool,
        join: Join,
        stored: _Stored,
        report: Report,
        unit: str,
        owner: uuid.UUID | None,
    ) -> None:
        sort, _, id = unit.partition(":")
        if sort == "usage":
            point = UsageUnit(
                session,
                spool,
                self._house,
                report,
                unit=unit,
                source_id=spool.key_of(unit),
                customer_id=owner,
            )
            if point.store():
                self._arrived(session, self._house, point.id, point.windows)
        else:
            reference = join.customers.get(uuid.UUID(id)) or spool.customer_of(unit)
            person = CustomerUnit(
                session, spool, self._house, report, join, stored, unit=unit, reference=reference
            )
            if changed := person.store():
                self._agreed(session, self._house.utility_id, changed)

    def _owner(self) -> uuid.UUID | None:
        """The customer these data are said to belong to; a row of its own, before any usage point needs it."""
        if not self._customer:
            return None
        id = identity.made(self._house.namespace, "RetailCustomer", self._customer)
        with self._database.writing() as session:
            store.ensure_customer(session, self._house.utility_id, id, self._customer)
        return id


class _Stored:
    """What the joining asks the store, each thing asked once."""

    def __init__(self, database: Database, house: House) -> None:
        self._database = database
        self._house = house
        self._known: dict[uuid.UUID, bool] = {}
        self._there: dict[tuple[Kind, uuid.UUID], tuple[uuid.UUID | None] | None] = {}
        self._by_last: dict[str, uuid.UUID] | None = None
        self._shared: dict[tuple[Kind, str], set[uuid.UUID]] | None = None

    def has_usage_point(self, id: uuid.UUID) -> bool:
        """Is there such a usage point?"""
        if id not in self._known:
            query = select(UsagePoint.id).where(
                UsagePoint.utility_id == self._house.utility_id, UsagePoint.id == id
            )
            with self._database.reading() as session:
                self._known[id] = session.scalar(query) is not None
        return self._known[id]

    def usage_point_at(self, last: str) -> uuid.UUID | None:
        """The usage point whose source's self link ends so."""
        if self._by_last is None:
            self._by_last = {}
            for id, href in self._selves(Kind.UsagePoint, Resource.usage_point_id == Resource.id):
                path = records.parsed(href)
                if path:
                    self._by_last[path.last] = id
        return self._by_last.get(last)

    def shared_at(self, kind: Kind, href: str) -> uuid.UUID | None:
        """The one utility-wide resource of a kind with this self link."""
        if self._shared is None:
            self._shared = {}
            for each in SHARED:
                for id, self_ in self._selves(each, Resource.usage_point_id == NIL):
                    self._shared.setdefault((each, records.canonical(self_)), set()).add(id)
        found = self._shared.get((kind, href), set())
        return next(iter(found)) if len(found) == 1 else None

    def ours(self, kind: Kind, text: str) -> uuid.UUID | None:
        """The stored resource of a kind whose own id this is; ids are spelled in one way only."""
        if not OURS.fullmatch(text):
            return None
        id = uuid.UUID(text)
        if kind == Kind.UsagePoint:
            return id if self.has_usage_point(id) else None
        return id if self._row(kind, id) else None

    def owner(self, kind: Kind, text: str) -> uuid.UUID | None:
        """The customer of the stored resource whose own id this is."""
        row = self._row(kind, uuid.UUID(text)) if OURS.fullmatch(text) else None
        return row[0] if row else None

    def reference_of(self, customer: uuid.UUID) -> str:
        """What the utility calls a customer."""
        with self._database.reading() as session:
            return session.scalars(select(Customer.reference).where(Customer.id == customer)).one()

    def _row(self, kind: Kind, id: uuid.UUID) -> tuple[uuid.UUID | None] | None:
        if (kind, id) not in self._there:
            query = select(Resource.customer_id).where(
                Resource.utility_id == self._house.utility_id, Resource.kind == int(kind), Resource.id == id
            )
            with self._database.reading() as session:
                found = session.execute(query).first()
            self._there[kind, id] = None if found is None else (found[0],)
        return self._there[kind, id]

    def _selves(self, kind: Kind, where: Any) -> list[tuple[uuid.UUID, str]]:
        query = select(Resource.id, Resource.source_self).where(
            Resource.utility_id == self._house.utility_id, Resource.kind == int(kind), where
        )
        with self._database.reading() as session:
            return [(id, href) for id, href in session.execute(query) if href]
