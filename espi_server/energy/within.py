"""What a delivery may touch: the kinds its path takes, and the usage points or the customer it names.

An import from the command line may touch everything of its utility. What comes over HTTP comes to an address, and
what belongs elsewhere is refused entry by entry, before anything of it is stored.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from espi_server.energy.joining import OURS, PARENTS, Stored
from espi_server.energy.models import Kind
from espi_server.energy.records import Record
from espi_server.energy.report import Report
from espi_server.energy.spool import Spool, unit_of

_FRAME = frozenset({Kind.LocalTimeParameters, Kind.ReadingType, Kind.ProgramIdMappings})
_BELOW_A_POINT = frozenset(
    {
        Kind.MeterReading,
        Kind.IntervalBlock,
        Kind.UsageSummary,
        Kind.ElectricPowerQualitySummary,
    }
)


@dataclass(frozen=True)
class Within:
    """The bounds of one delivery. `usage_points` and `customer` are ours; None is any of the utility's."""

    path: str
    kinds: frozenset[Kind]
    usage_points: frozenset[uuid.UUID] | None = None
    customer: uuid.UUID | None = None
    meter_reading: uuid.UUID | None = None

    def settle(self, spool: Spool) -> None:
        """What says nothing of its parent belongs where it was sent to."""
        spool.place(self.path)

    def refuse_kinds(self, spool: Spool, report: Report) -> None:
        """Tell of every entry that has no place at this path, and let go of it."""
        for kind in Kind:
            if kind in self.kinds:
                continue
            gone: list[Any] = list(spool.drop(kind))
            if kind == Kind.IntervalBlock:
                gone += spool.drop_series()
            for each in gone:
                report.error("", each.line, f"{kind.name}: {self.path} does not take this kind.")

    def refuse_units(self, spool: Spool, report: Report, stored: Stored) -> None:
        """Tell of everything that belongs to a usage point or a customer beyond this path, and let go of it."""
        for unit in spool.units():
            entries = spool.of_unit(unit)
            blocks = [
                Record(each.file, each.line, Kind.IntervalBlock, self=each.self, up=each.up)
                for each in spool.series_of(unit)
            ]
            stranger = next(
                filter(None, (self._stranger(each, stored) for each in [*entries, *blocks])), None
            )
            if self._takes(unit) and not stranger:
                continue
            owner = stranger or ("another usage point" if unit.startswith("usage") else "another customer")
            for entry in entries:
                report.error("", entry.line, f"{entry.kind.name}: it belongs to {owner}, not to {self.path}.")
            for chunk in spool.drop_series(unit):
                report.error("", chunk.line, f"IntervalBlock: it belongs to {owner}, not to {self.path}.")
            spool.drop_unit(unit)

    def _stranger(self, entry: Record, stored: Stored) -> str | None:
        """The path of an entry may name our own id of somebody else; a source's own words for people do not count."""
        reading = entry.named("MeterReading")
        if self.meter_reading and OURS.fullmatch(reading) and reading != str(self.meter_reading):
            return "another meter reading"
        if self.customer is None:
            return None
        named = entry.named("RetailCustomer")
        if OURS.fullmatch(named) and named != str(self.customer):
            return "another customer"
        owner = stored.owner(Kind.Customer, entry.named("Customer"))
        return "another customer" if owner not in (None, self.customer) else None

    def _takes(self, unit: str) -> bool:
        sort, _, id = unit.partition(":")
        if sort == "usage":
            return self.usage_points is None or uuid.UUID(id) in self.usage_points
        return self.customer is None or unit == unit_of("customer", self.customer)


def kinds_at(kind: str) -> frozenset[Kind]:
    """What a collection of a kind takes: entries of that kind, what stands below them, and what frames readings."""
    if kind == "UsagePoint":
        return frozenset({Kind.UsagePoint}) | _BELOW_A_POINT | _FRAME
    if kind == "MeterReading":
        return frozenset({Kind.MeterReading, Kind.IntervalBlock}) | _FRAME
    if kind == "IntervalBlock":
        return frozenset({Kind.IntervalBlock}) | _FRAME
    taken = {Kind[kind]}  # shared kinds stand alone
    for child, parent in PARENTS.items():  # in the order of the chain
        if parent in taken:
            taken.add(child)
    return frozenset(taken)
