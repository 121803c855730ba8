"""The worker's side of batches that are asked for now and fetched later."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from sqlalchemy import delete
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import announcing, exporting, opening, prepared
from espi_server.access.addresses import resource_base
from espi_server.access.models import Application, PreparedBatch, PreparedPart
from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.energy import identity
from espi_server.energy.asking import Asking
from espi_server.energy.feed import Feed
from espi_server.espi import paths
from espi_server.espi.query import Query
from espi_server.espi.rights import Rights
from espi_server.espi.scope import Scope
from espi_server.jobs.leases import Lease
from espi_server.jobs.worker import GivesUp, Task, Work

KIND = "batch.prepared"


def work(secret: str, installation: str, most: int) -> Work:
    """How a worker prepares batches of at most so many bytes as gzip; the application is told when one is there."""

    def run(task: Task) -> dict[str, Any]:
        return _prepare(task, prepared.key_of(secret), installation, most)

    def tell(session: Session, lease: Lease) -> None:
        row = session.get_one(PreparedBatch, lease.id)
        application = session.get_one(Application, row.application_id)
        announcing.put(session, application, KIND, [_href(session, row, installation)], {})

    return Work("batch", PreparedBatch, run, also=tell, parked=_gave_up)


def _prepare(task: Task, key: bytes, installation: str, most: int) -> dict[str, Any]:
    id, database = task.lease.id, task.lease.database
    with database.writing() as session:
        row = session.get_one(PreparedBatch, id)
        _drop_parts(session, id)  # of an attempt whose worker is gone
        asking = _asking(session, row, installation)
    feed = Feed(database, asking)
    made = exporting.written_as(row.form, feed)
    inflating, plain, packed = zlib.decompressobj(31), 0, 0
    for number, part in enumerate(_evenly(_alive(task, made.parts("gzip")))):
        plain += _length(inflating, part)
        packed += len(part)
        if packed > most:
            raise GivesUp(f"It would be larger than {most} bytes (ESPI_PREPARED_BYTES).")
        _keep(database, key, task.lease, number, part)
    return {
        "measured_at": asking.now, "finished_at": clock.seconds(), "tag": made.state,
        "opened": prepared.opened_by(feed), "updated": made.updated, "entries": made.entries, "plain_size": plain,
        "gzip_size": packed,
    }  # fmt: skip


def _asking(session: Session, row: PreparedBatch, installation: str) -> Asking:
    """The request as it was made, for the rights its authorizations have now."""
    utility = session.get_one(Utility, row.utility_id)
    base = resource_base(utility.base_url, utility.code, installation)
    path = paths.parse(row.path)
    kind, ids = (path.kind, path.ids) if path else ("", {})
    return Asking(
        opening=_opening(row),
        base=base,
        href=_href(session, row, installation),
        link_type=paths.entry_type(kind),
        title=kind,
        id=identity.made(utility.namespace, "Feed", row.path),
        at=lambda each: paths.subscription(base, each),
        rights=lambda scope, history_from: Rights.of(Scope.parse(scope or ""), history_from),
        zone=ZoneInfo(utility.timezone),
        digest=b"",
        now=clock.seconds(),
        query=Query.parse(parse_qs(row.query)),
        usage_point=uuid.UUID(ids["UsagePoint"]) if "UsagePoint" in ids else None,
    )


def _opening(row: PreparedBatch) -> Any:
    if row.authorization_id is not None:
        return opening.exported(row.utility_id, row.authorization_id)
    return opening.exported_bulk(row.utility_id, row.application_id, row.bulk_id or "")


def _href(session: Session, row: PreparedBatch, installation: str) -> str:
    utility = session.get_one(Utility, row.utility_id)
    base = resource_base(utility.base_url, utility.code, installation)
    return f"{base}/{row.path}" + (f"?{row.query}" if row.query else "")


def _alive(task: Task, parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same, for as long as the lease is ours and nobody says to stop."""
    for part in parts:
        task.alive()
        yield part


def _evenly(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts as they are kept."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= prepared.PART:
            yield bytes(held[: prepared.PART])
            del held[: prepared.PART]
    if held:
        yield bytes(held)


def _length(by: Any, part: bytes) -> int:
    """How many plain bytes come with these, without holding them all."""
    length = 0
    while part:
        length += len(by.decompress(part, 1 << 20))
        part = by.unconsumed_tail
    return length


def _keep(database: Database, key: bytes, lease: Lease, number: int, part: bytes) -> None:
    with database.writing() as session:
        session.add(prepared.seal(key, lease.id, lease.attempt, number, part))


def _gave_up(lease: Lease) -> dict[str, Any]:
    with lease.database.writing() as session:
        _drop_parts(session, lease.id)
    return {"finished_at": clock.seconds()}


def _drop_parts(session: Session, id: uuid.UUID) -> None:
    session.execute(delete(PreparedPart).where(PreparedPart.batch_id == id))
