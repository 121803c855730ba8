"""A delivery over HTTP: a body that came to an address, taken in by the importer, at once or by a worker."""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espi_server import clock
from espi_server.db import NIL, Database
from espi_server.energy.importer import Agreed, Arrived, Progress, import_files
from espi_server.energy.models import Kind
from espi_server.energy.report import Report
from espi_server.energy.table_source import is_table
from espi_server.energy.within import Within, kinds_at
from espi_server.espi import safe
from espi_server.jobs import later
from espi_server.jobs.leases import Lease
from espi_server.jobs.models import Job
from espi_server.jobs.worker import GivesUp, Task, Work

JOB = "delivery"
_NAME = "body"  # what the body is called in a report

Result = dict[str, Any]
"""What came of a delivery: counts, `results` resource by resource, and `refused` entry by entry."""


class Unreadable(GivesUp):
    """Nothing of this body can be taken."""


@dataclass(frozen=True)
class Delivery:
    """Whose data came, to which path, and whom that path names."""

    utility: str
    path: str
    kind: str
    actor: str
    customer: str | None = None
    customer_id: str | None = None
    usage_points: tuple[str, ...] | None = None
    meter_reading: str | None = None

    def within(self) -> Within:
        """What it may touch."""
        points = self.usage_points
        return Within(
            self.path,
            kinds_at(self.kind),
            None if points is None else frozenset(map(uuid.UUID, points)),
            uuid.UUID(self.customer_id) if self.customer_id else None,
            uuid.UUID(self.meter_reading) if self.meter_reading else None,
        )

    def fingerprint(self, digest: str) -> str:
        """The same bytes for the same place are the same request."""
        place = json.dumps([self.path, self.kind, self.customer_id, self.usage_points])
        return hashlib.sha256(f"{place}\n{digest}".encode()).hexdigest()


def take_in(
    database: Database,
    delivery: Delivery,
    file: Path,
    *,
    limits: safe.Limits,
    arrived: Arrived | None = None,
    agreed: Agreed | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Import a body; what came of it. Raises Unreadable where nothing of it can be taken."""
    if is_table(file, limits):
        raise Unreadable(
            "This is no XML. Send an Atom feed or entry; tables are for the command `espi-server import`."
        )
    report = import_files(
        database, delivery.utility, [file], customer=delivery.customer, actor=delivery.actor, limits=limits,
        arrived=arrived, agreed=agreed, progress=progress, within=delivery.within(),
    )  # fmt: skip
    if not report.files and report.errors:
        error = report.errors[0]
        place = f"Line {error.line}: " if error.line else ""
        raise Unreadable(place + error.message.replace("this file", "this body"))
    return _result(report)


def _result(report: Report) -> Result:
    return {
        "counts": {**report.counts(), "refused": report.failed + report.ignored},
        "results": [
            {
                "line": each.line, "kind": each.kind.name, "id": str(each.id), "usage_point": str(each.usage_point_id),
                "outcome": each.outcome, **({} if each.days is None else {"days": each.days}),
            }
            for each in report.outcomes
        ],
        "refused": [
            *({"line": each.line, "reason": each.message} for each in report.errors),
            *({"line": each.line, "reason": each.message, "count": each.count} for each in report.refusals),
        ],
        "repaired": [
            {"line": each.line, "what": each.message, "count": each.count}
            for each in (*report.repairs, *report.supplies, *report.unknowns)
        ],
    }  # fmt: skip


def created(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one resource a delivery of a single entry created, if that is what happened."""
    if result["counts"]["entries"] != 1 or result["refused"]:
        return None
    new = [each for each in result["results"] if each["outcome"] == "created" and each["line"] is not None]
    return new[0] if len(new) == 1 else None


# --- by a worker --------------------------------------------------------------------------------------


def work(arrived: Arrived, agreed: Agreed, limits: safe.Limits) -> Work:
    """How a worker takes in what came."""

    def run(task: Task) -> dict[str, Any]:
        return _run(task, arrived, agreed, limits)

    return Work(JOB, Job, run, Job.kind == JOB, parked=_parked, ended=_ended)


def _run(task: Task, arrived: Arrived, agreed: Agreed, limits: safe.Limits) -> dict[str, Any]:
    values, database = task.lease.values, task.lease.database
    payload = dict(values["payload"])
    if payload["usage_points"] is not None:
        payload["usage_points"] = tuple(payload["usage_points"])
    with tempfile.TemporaryDirectory(prefix="espi_delivery_") as folder:
        file = Path(folder) / _NAME
        _write(file, later.parts(database, values["id"]))
        result = take_in(
            database, Delivery(**payload), file, limits=limits, arrived=arrived, agreed=agreed,
            progress=lambda at: task.alive(progress={"phase": at.phase, "done": at.done, "total": at.total}),
        )  # fmt: skip
    return {"result": result, "progress": {}, "finished_at": clock.seconds()}


def _parked(_: Lease) -> dict[str, Any]:
    return {"finished_at": clock.seconds()}


def _ended(lease: Lease) -> None:
    with lease.database.writing() as session:
        later.drop_parts(session, lease.id)


def _write(file: Path, parts: Iterable[bytes]) -> None:
    with file.open("wb") as target:
        for part in parts:
            target.write(part)


def pieces(file: Path) -> Iterator[bytes]:
    """A body in parts as they are kept."""
    with file.open("rb") as source:
        while part := source.read(later.PART):
            yield part


def owner(each: Mapping[str, Any]) -> str | None:
    """The usage point a result belongs to, if to any."""
    point: str = each["usage_point"]
    return None if point == str(NIL) else point


def is_readings(each: Mapping[str, Any]) -> bool:
    """Does it tell of a meter reading's readings, rather than of one resource?"""
    return bool(each["kind"] == Kind.IntervalBlock.name)
