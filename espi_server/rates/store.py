"""Keeping tariff records and cells in the database."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

import numpy as np
from sqlalchemy import CursorResult, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.rates import tariff
from espi_server.rates.calendar import Calendar, Cycle
from espi_server.rates.cells import Cells
from espi_server.rates.errors import DoesNotFit, Doubtful, RatesError
from espi_server.rates.findings import Finding
from espi_server.rates.models import TariffRecord, UsageCells
from espi_server.rates.sidecar import NO_SIDECAR, Sidecar
from espi_server.rates.tariff import Metering, Tariff
from espi_server.rates.usage import Usage

WAITING, USABLE = "waiting", "usable"


class NoLabel(RatesError):
    """A record without label cannot be kept: the label is what later versions and customers refer to."""


def keep(
    session: Session,
    utility_id: uuid.UUID,
    record: Mapping[str, Any],
    sidecar: Mapping[str, Any],
    found: Sequence[Finding],
    *,
    accepted: Iterable[str] = (),
    by: str = "",
) -> TariffRecord:
    """Keep a record that can be priced; it waits while a finding that changes money is not accepted.

    The same label again is the same record: what was accepted stays accepted as long as it is found in the same
    content. A record it supersedes ends where it starts.
    """
    read = tariff.read(record, Sidecar.parse(sidecar) if sidecar else NO_SIDECAR)
    if not read.label:
        raise NoLabel(f"The record {read.name!r} has no label; give it one that no other record has.")
    row = _row(session, utility_id, read.label)
    content = json.loads(json.dumps({"record": record, "sidecar": sidecar}, default=float))
    if row.record != content["record"]:
        row.accepted = {}
    row.record, row.sidecar = content["record"], content["sidecar"]
    row.name, row.starts_at, row.ends_at = read.name, read.start, read.end
    row.supersedes = read.supersedes or None
    row.findings = [finding.to_json() for finding in found]
    row.changed_at = clock.seconds()
    session.add(row)
    accept(row, accepted, by)
    _end_predecessor(session, row)
    session.flush()
    return row


def _row(session: Session, utility_id: uuid.UUID, label: str) -> TariffRecord:
    found = session.scalar(
        select(TariffRecord).where(TariffRecord.utility_id == utility_id, TariffRecord.label == label)
    )
    now = clock.seconds()
    return found or TariffRecord(
        utility_id=utility_id, label=label, accepted={}, created_at=now, changed_at=now
    )


def accept(row: TariffRecord, codes: Iterable[str], by: str) -> None:
    """Say of findings that they are all right; the record is usable once every one that changes money is."""
    there = {finding["code"] for finding in row.findings}
    fresh = {code: {"by": by, "at": clock.seconds()} for code in codes if code in there}
    row.accepted = {**fresh, **row.accepted}
    row.status = WAITING if waits_for(row) else USABLE


def waits_for(row: TariffRecord) -> list[str]:
    """The codes of findings that change money and are not accepted."""
    return sorted(
        {
            finding["code"]
            for finding in row.findings
            if finding["weight"] != "note" and finding["code"] not in row.accepted
        }
    )


def _end_predecessor(session: Session, row: TariffRecord) -> None:
    if row.supersedes is None or row.starts_at is None:
        return
    before = session.scalar(
        select(TariffRecord).where(
            TariffRecord.utility_id == row.utility_id, TariffRecord.label == row.supersedes
        )
    )
    if before is not None and (before.ends_at is None or before.ends_at > row.starts_at):
        before.ends_at = row.starts_at


def tariffs(session: Session, utility_id: uuid.UUID, on: int | None = None) -> list[TariffRecord]:
    """The utility's records by name and start; with `on` (UTC seconds) those valid then."""
    rows = session.scalars(
        select(TariffRecord)
        .where(TariffRecord.utility_id == utility_id)
        .order_by(TariffRecord.name, TariffRecord.starts_at)
    ).all()
    return [
        row
        for row in rows
        if on is None or ((row.starts_at or 0) <= on and (row.ends_at is None or on < row.ends_at))
    ]


def find(session: Session, utility_id: uuid.UUID, wanted: str) -> TariffRecord | None:
    """The record of that label, or the newest of that name."""
    rows = [row for row in tariffs(session, utility_id) if wanted in (row.label, row.name)]
    return rows[-1] if rows else None


def usable(row: TariffRecord) -> Tariff:
    """The tariff of a kept record. Raises Doubtful while it waits."""
    if row.status != USABLE:
        raise Doubtful(f"The record {row.name!r} waits until someone accepts: {', '.join(waits_for(row))}.")
    return tariff.read(row.record, Sidecar.parse(row.sidecar) if row.sidecar else NO_SIDECAR)


@dataclass(frozen=True, slots=True)
class Layout:
    """How cells are cut besides the cycles: columns a day, and how exports are netted."""

    slots: int = 24
    metering: Metering | None = None

    def key(self, calendar: Calendar, cycle: int) -> str:
        """The name of this cut in one cycle; another zone or holiday makes another name."""
        first, last = calendar.first_day(cycle), calendar.last_day(cycle)
        holidays = sorted(day.isoformat() for day in calendar.holidays if first <= day <= last)
        netting = (
            self.metering.value
            if self.metering in (Metering.NET_BILLING_HOURLY, Metering.BUY_ALL_SELL_ALL)
            else "interval"
        )
        text = json.dumps([calendar.zone.key, self.slots, netting, holidays])
        return sha256(text.encode()).hexdigest()[:32]


INTERVAL = Layout()

# Built once: an import asks them of every usage point, and building costs more than running.
_CELLS = UsageCells.__table__.c
_KEPT = select(_CELLS.layout, _CELLS.starts_at, _CELLS.ends_at).where(
    _CELLS.usage_point_id == bindparam("usage_point")
)
_ROWS = select(*_CELLS).where(
    _CELLS.usage_point_id == bindparam("usage_point"),
    _CELLS.starts_at.between(bindparam("first"), bindparam("last")),
    _CELLS.layout.in_(bindparam("layouts", expanding=True)),
)


def add_readings(
    session: Session, usage_point_id: uuid.UUID, usage: Usage, calendar: Calendar, layout: Layout = INTERVAL
) -> None:
    """Add readings to the stored cells of every cycle they fall into; no older reading is read again.

    Raises DoesNotFit where they do not begin where the stored ones end: what arrives twice or corrected needs
    `forget` first.
    """
    fresh = Cells.of(usage, calendar, slots=layout.slots, metering=layout.metering)
    stored, added = _rows(session, usage_point_id, calendar, layout), []
    for number, cycle in enumerate(calendar.cycles):
        if usage.end <= cycle.start or usage.start >= cycle.end:
            continue
        row, new = stored[number], fresh.part_of(_parts(calendar, number))
        _check_follows(row, usage, cycle)
        if row is not None:
            new = _unpacked(row, len(_parts(calendar, number))) + new
        values = {
            "ends_at": cycle.end,
            "until": min(usage.end, cycle.end),
            "step": usage.step,
            **_packed(new),
        }
        key = {
            "usage_point_id": usage_point_id,
            "layout": layout.key(calendar, number),
            "starts_at": cycle.start,
        }
        if row is None:
            added.append(key | values)
        else:
            session.execute(update(UsageCells).filter_by(**key).values(**values))
    if added:
        session.execute(insert(UsageCells), added)


def _check_follows(row: Any | None, usage: Usage, cycle: Cycle) -> None:
    if row is not None and row.until != max(usage.start, cycle.start):
        raise DoesNotFit(
            f"The stored cells reach {_utc(row.until)}; these readings start at "
            f"{_utc(usage.start)}. Give what follows, or forget the cells of this cycle first."
        )
    if row is None and usage.start > cycle.start:
        raise DoesNotFit(
            f"No cells are stored from {_utc(cycle.start)} on; these readings start later, at "
            f"{_utc(usage.start)}. Give the cycle's first readings too."
        )


def cells(
    session: Session, usage_point_id: uuid.UUID, calendar: Calendar, layout: Layout = INTERVAL
) -> Cells | None:
    """The stored cells of all cycles of a calendar; None where one is not there or not full yet."""
    rows = _rows(session, usage_point_id, calendar, layout)
    if any(
        row is None or row.ends_at != cycle.end or row.until < cycle.end
        for row, cycle in zip(rows, calendar.cycles, strict=True)
    ):
        return None
    return Cells.joined([_unpacked(row, len(_parts(calendar, number))) for number, row in enumerate(rows)])


def _rows(session: Session, usage_point_id: uuid.UUID, calendar: Calendar, layout: Layout) -> list[Any]:
    """The stored row of each cycle, None where there is none."""
    keys = [(layout.key(calendar, number), cycle.start) for number, cycle in enumerate(calendar.cycles)]
    asked = {
        "usage_point": usage_point_id,
        "layouts": [key for key, _ in keys],
        "first": calendar.cycles[0].start,
        "last": calendar.cycles[-1].start,
    }
    found = {(row.layout, row.starts_at): row for row in session.execute(_ROWS, asked)}
    return [found.get(key) for key in keys]


def kept(session: Session, usage_point_id: uuid.UUID) -> dict[tuple[str, int], int]:
    """Where each stored cycle ends, by the name of its cut and its start; no cell is read."""
    rows = session.execute(_KEPT, {"usage_point": usage_point_id})
    return {(layout, start): end for layout, start, end in rows}


def forget(session: Session, usage_point_id: uuid.UUID, since: int = 0, until: int | None = None) -> int:
    """Drop the cells that hold anything read after `since` in cycles that start before `until`; how many rows."""
    gone = delete(UsageCells).where(UsageCells.usage_point_id == usage_point_id, UsageCells.until > since)
    if until is not None:
        gone = gone.where(UsageCells.starts_at < until)
    return int(cast("CursorResult[Any]", session.execute(gone)).rowcount)


def _parts(calendar: Calendar, cycle: int) -> list[int]:
    return [n for n, part in enumerate(calendar.parts) if part.cycle == cycle]


def _packed(one: Cells) -> dict[str, bytes | None]:
    return {
        name: None if array is None else array.astype(array.dtype.newbyteorder("<")).tobytes()
        for name, array in (
            ("imports", one.imports),
            ("exports", one.exports),
            ("peaks", one.peaks),
            ("missing", one.missing),
            ("expected", one.expected),
        )
    }


def _unpacked(row: Any, parts: int) -> Cells:
    def array(raw: bytes | None, kind: str) -> Any:
        return None if raw is None else np.frombuffer(raw, kind).reshape(parts, -1)

    return Cells(
        array(row.imports, "<f8"),
        array(row.exports, "<f8"),
        array(row.peaks, "<f8"),
        array(row.missing, "<i8"),
        array(row.expected, "<i8"),
        row.step,
    )


def _utc(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
