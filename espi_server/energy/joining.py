"""Between the passes: which usage point, or which customer, every spooled entry belongs to.

A parent is looked for in this order: an entry with a related link that names the `up` (or the self) of the child;
the parent named in the child's own path, in the files or stored; the entry of that kind before it in the file; else
a parent made from the path. What needed more than its links is told as a repair; a child without a parent is an
error of its own, and the rest goes on.

The entry before it is taken only where it cannot be somebody else's: where the path names no parent at all, or where
the file has just one usage point. In a bulk file in any order, what stands before some readings means nothing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Protocol

from espi_server.energy import identity
from espi_server.energy.models import Kind
from espi_server.energy.records import LONGEST_KEY, Record, parsed
from espi_server.energy.report import Report
from espi_server.energy.spool import Series, Spool, Spooled, unit_of

OURS = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
"""An id as we make them."""
BELOW_A_USAGE_POINT = (Kind.MeterReading, Kind.UsageSummary, Kind.ElectricPowerQualitySummary)
PARENTS = {
    Kind.CustomerAccount: Kind.Customer,
    Kind.CustomerAgreement: Kind.CustomerAccount,
    Kind.ServiceLocation: Kind.CustomerAgreement,
    Kind.ServiceSupplier: Kind.CustomerAgreement,
    Kind.ProgramDateIdMappings: Kind.CustomerAgreement,
    Kind.Meter: Kind.ServiceLocation,
    Kind.EndDevice: Kind.ServiceLocation,
    Kind.Statement: Kind.Customer,
}
"""The parent of each customer kind, in the order of the chain."""

_ADVICE = "Deliver it in the same import, or before"


class Stored(Protocol):
    """What the joining asks the store."""

    def has_usage_point(self, id: uuid.UUID) -> bool:
        """Is there such a usage point?"""

    def usage_point_at(self, last: str) -> uuid.UUID | None:
        """The usage point whose source's self link ends so."""

    def shared_at(self, kind: Kind, href: str) -> uuid.UUID | None:
        """The one utility-wide resource of a kind with this self link."""

    def ours(self, kind: Kind, text: str) -> uuid.UUID | None:
        """The stored resource whose own id this is."""

    def owner(self, kind: Kind, text: str) -> uuid.UUID | None:
        """The customer of the stored resource whose own id this is."""

    def reference_of(self, customer: uuid.UUID) -> str:
        """What the utility calls a customer."""


class Join:
    """Gives every entry of a spool its unit, and the utility-wide resource it refers to."""

    def __init__(
        self,
        spool: Spool,
        stored: Stored,
        report: Report,
        *,
        namespace: uuid.UUID,
        profile: str,
        customer: str | None,
    ) -> None:
        self._spool = spool
        self._stored = stored
        self._report = report
        self._namespace = namespace
        self._profile = profile
        self._customer = customer
        self.customers: dict[uuid.UUID, str] = {}
        """The customers met, and the reference of each."""

    def run(self) -> None:
        """Join everything, top down."""
        for entry in self._spool.of_kind(Kind.ProgramIdMappings):
            if self._stored.ours(entry.kind, entry.last):
                self._spool.assign(entry.seq, id=entry.last)
        for entry in self._spool.of_kind(Kind.UsagePoint):
            self._own(entry)
            self._refer(entry, Kind.LocalTimeParameters)
        for entry in self._spool.of_kind(*BELOW_A_USAGE_POINT):
            self._below_usage_point(entry)
        for series in self._spool.series():
            if series.entry is None:
                self._blocks(series)
        for entry in self._spool.of_kind(Kind.Customer):
            self._root(entry)
        for kind in PARENTS:
            for entry in self._spool.of_kind(kind):
                self._below_customer(entry, PARENTS[kind])

    # Usage side

    def _own(self, entry: Spooled) -> None:
        """A usage point that a client read here, and sends under the id we gave it, is that one."""
        ours = self._stored.ours(Kind.UsagePoint, entry.id)
        if ours:
            self._spool.assign(entry.seq, unit=unit_of("usage", ours))

    def _below_usage_point(self, entry: Spooled) -> None:
        if not entry.unit:
            entry.unit = self._usage_point_of(entry) or ""
            if not entry.unit:
                self._fail(entry, f"Its usage point ({entry.up or 'no link'}) is unknown. {_ADVICE}")
                return
            self._spool.assign(entry.seq, unit=entry.unit)
        if entry.kind == Kind.MeterReading and not entry.reference:
            self._refer(entry, Kind.ReadingType)

    def _usage_point_of(self, entry: Spooled) -> str | None:
        """The unit of the usage point above an entry."""
        parent = self._spool.relating_to((entry.up, entry.self), Kind.UsagePoint, entry.file)
        if parent:
            return parent.unit
        named = entry.named("UsagePoint")
        if named:
            return self._usage_point_named(entry, named)
        before = self._spool.before(entry.seq, Kind.UsagePoint, entry.file)
        if before:
            self._repair(entry, "its usage point is the one before it in the file, no link names one")
            return before.unit
        return None

    def _usage_point_named(self, entry: Record, named: str) -> str | None:
        """The unit of the usage point a path names: an entry of these files, a stored one, or one made from it."""
        for href in (entry.up, entry.self):
            found = self._spool.at(upto(href, "UsagePoint"), Kind.UsagePoint, entry.file)
            if found:
                return found[0].unit
        stored = self._stored_usage_point(named)
        if stored:
            return unit_of("usage", stored)
        only = self._spool.only(Kind.UsagePoint, entry.file)
        if only:
            self._repair(
                entry, f"its path names the unknown usage point {named!r}; the only one of the file was taken"
            )
            return only.unit
        if self._profile != "self":
            return None
        self._repair(
            entry, f"its usage point {named!r} is made from its path, no UsagePoint entry describes it"
        )
        return unit_of("usage", identity.usage_point(self._namespace, named))

    def _stored_usage_point(self, named: str) -> uuid.UUID | None:
        """The usage point of these files or of the store that a path's last part names."""
        ours = self._stored.ours(Kind.UsagePoint, named)
        if ours or self._profile != "self":
            return ours or self._stored.usage_point_at(named)
        id = identity.usage_point(self._namespace, named)
        here = self._spool.has_unit(unit_of("usage", id), Kind.UsagePoint)
        return id if here or self._stored.has_usage_point(id) else None

    def _refer(self, entry: Spooled, kind: Kind) -> None:
        """Find the one ReadingType or LocalTimeParameters an entry relates to; '' leaves it to the store."""
        reference = self._related(entry, kind)
        if reference is None:
            only = self._spool.only(kind, entry.file)
            if only:
                self._repair(entry, f"its {kind.name} is the only one in the file, no link names it")
                reference = only.id
        if reference:
            self._spool.assign(entry.seq, reference=reference)

    def _related(self, entry: Spooled, kind: Kind) -> str | None:
        """The id of what an entry's link names: '' where nobody knows it, None where there is no such link."""
        known = None
        for href in entry.related:
            path = parsed(href)
            if path and path.kind == kind.name:
                found = self._spool.at(href, kind, entry.file)
                if found:
                    return self._of_several(entry, href, kind, found)
                stored = self._stored.ours(kind, path.last) or self._stored.shared_at(kind, href)
                if stored:
                    return str(stored)
                known = ""
        return known

    def _of_several(self, entry: Spooled, href: str, kind: Kind, found: list[Spooled]) -> str:
        """One self link on several different resources: as many children relate to it, they go in pairs."""
        ids = list(dict.fromkeys(each.id for each in found))
        if len(ids) == 1:
            return ids[0]
        children = self._spool.relaters(href, entry.kind, entry.file)
        paired = len(children) == len(ids)
        self._repair(
            entry,
            f"{len(ids)} different {kind.name} entries have the self link {href}; "
            + ("each was given to one entry, in order" if paired else "the first was taken"),
        )
        places = [child.self for child in children]
        return ids[places.index(entry.self)] if paired and entry.self in places else ids[0]

    def _blocks(self, series: Series) -> None:
        """Whose readings these are. The meter reading itself is found in pass two, where the store is open."""
        here = _record(series)
        above = series.up.rpartition("/")[0]
        parent = self._spool.relating_to((series.up, series.self), Kind.MeterReading, series.file)
        if parent is None:
            parent = next(iter(self._spool.at(above, Kind.MeterReading, series.file)), None)
        if parent is None and not (here.named("MeterReading") or here.named("UsagePoint")) and series.before:
            parent = self._spool.entry(series.before)
            self._repair(here, "its meter reading is the one before it in the file, no link names one")
        if parent:
            if parent.unit:
                self._spool.assign_series(series.id, unit=parent.unit, entry=parent.seq)
            else:
                self._fail_blocks(series, "Its MeterReading could not be taken in")
            return
        named = here.named("UsagePoint")
        unit = self._usage_point_named(here, named) if named else None
        if unit:
            self._spool.assign_series(series.id, unit=unit, entry=None)
        else:
            self._fail_blocks(series, f"Its MeterReading ({series.up or 'no link'}) is unknown. {_ADVICE}")

    # Customer side

    def _root(self, entry: Spooled) -> None:
        reference = self._customer or self._called(entry.named("Customer") or entry.last)
        if not reference or len(reference) > LONGEST_KEY:
            self._fail(entry, "It says nowhere whose it is. Name the customer with --customer")
            return
        unit, root = self._customer_unit(reference)
        id = self._id_below(Kind.Customer, root, entry.last or reference, root)
        self._spool.assign(entry.seq, unit=unit, id=str(id))

    def _customer_unit(self, reference: str) -> tuple[str, uuid.UUID]:
        id = identity.made(self._namespace, "RetailCustomer", reference)
        self.customers[id] = reference
        return unit_of("customer", id), id

    def _below_customer(self, entry: Spooled, parent_kind: Kind) -> None:
        found = self._customer_parent(entry, parent_kind)
        if found is None:
            self._fail(entry, f"Its {parent_kind.name} ({entry.up or 'no link'}) is unknown. {_ADVICE}")
            return
        unit, parent = found
        id = self._id_below(entry.kind, parent, entry.last, uuid.UUID(unit.partition(":")[2]))
        self._spool.assign(entry.seq, unit=unit, id=str(id), reference=str(parent))

    def _customer_parent(self, entry: Spooled, kind: Kind) -> tuple[str, uuid.UUID] | None:
        parent = self._spool.relating_to((entry.up, entry.self), kind, entry.file)
        chain = list(self.chain(entry, kind))
        if parent is None and chain:
            return self._customer_unit(self._customer or self._called(chain[0][1]))[0], chain[-1][2]
        if parent is None and not entry.named(kind.name):
            parent = self._spool.before(entry.seq, kind, entry.file)
            if parent:
                self._repair(entry, f"its {kind.name} is the one before it in the file, no link names one")
        return (parent.unit, uuid.UUID(parent.id)) if parent and parent.unit else None

    def chain(self, entry: Record, kind: Kind) -> Iterator[tuple[Kind, str, uuid.UUID]]:
        """Kind, path part and id of everything from the Customer down to `kind`, if the entry's path names all."""
        kinds = [kind]
        while kinds[0] in PARENTS:
            kinds.insert(0, PARENTS[kinds[0]])
        names = [entry.named(each.name) for each in kinds]
        if not all(names):
            return
        root = identity.made(self._namespace, "RetailCustomer", self._customer or self._called(names[0]))
        parent = root
        for each, name in zip(kinds, names, strict=True):
            parent = self._id_below(each, parent, name, root)
            yield each, name, parent

    def _called(self, named: str) -> str:
        """The utility's reference of a customer, also where a path names our own id of its Customer."""
        owner = self._stored.owner(Kind.Customer, named)
        return self._stored.reference_of(owner) if owner else named

    def _id_below(self, kind: Kind, parent: uuid.UUID, last: str, root: uuid.UUID) -> uuid.UUID:
        """The id of a customer's resource: the one it has here already, where a client sends what it read here."""
        if self._stored.owner(kind, last) == root:
            return uuid.UUID(last)
        return identity.below(self._namespace, kind.name, parent, last)

    # Words

    def _repair(self, entry: Record, words: str) -> None:
        kind = entry.kind.name
        self._report.repair(self._spool.file_name(entry.file), entry.line, f"{kind}: {words}")

    def _fail(self, entry: Record, words: str) -> None:
        self._report.error(self._spool.file_name(entry.file), entry.line, f"{entry.kind.name}: {words}.")

    def _fail_blocks(self, series: Series, words: str) -> None:
        for chunk in self._spool.chunks([series.id]):
            self._report.error(self._spool.file_name(series.file), chunk.line, f"IntervalBlock: {words}.")


def upto(href: str, kind: str) -> str:
    """The part of a canonical path down to the entry of a kind; empty where there is none."""
    path = parsed(href)
    if path is None or kind not in path.ids:
        return ""
    kinds = list(path.ids)
    return "/".join(f"{each}/{path.ids[each]}" for each in kinds[: kinds.index(kind) + 1])


def _record(series: Series) -> Record:
    return Record(series.file, series.line, Kind.IntervalBlock, self=series.self, up=series.up)
