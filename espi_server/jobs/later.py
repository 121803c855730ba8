"""Asking for work to be done later, with its bytes, and looking how far it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from espi_server import at_rest, clock
from espi_server.db import Database
from espi_server.jobs.bell import BELL
from espi_server.jobs.leases import DONE, FINISHED
from espi_server.jobs.models import Job, JobPart

PART = 512 * 1024
"""Bytes of one part: small enough for any driver, large enough to be few."""

KEPT = 7 * 86_400  # seconds a finished job can be looked at
_BODY = JobPart.__table__.c.body


def ask(
    session: Session,
    utility_id: uuid.UUID,
    kind: str,
    payload: dict[str, Any],
    *,
    access: str,
    actor: str,
    fingerprint: str | None = None,
    parts: Iterable[bytes] = (),
) -> Job:
    """A job that is due now. The same request again, while the first is not finished, is that one."""
    if fingerprint and (same := _same(session, utility_id, kind, access, fingerprint)):
        return same
    now = clock.seconds()
    BELL.after(session)
    job = Job(
        utility_id=utility_id, kind=kind, payload=payload, access=access, actor=actor[:256], fingerprint=fingerprint,
        next_attempt_at=now, created_at=now,
    )  # fmt: skip
    session.add(job)
    session.flush()
    keys = at_rest.keyring(session)
    for number, body in enumerate(parts):
        place = {"job_id": job.id, "number": number}
        session.add(JobPart(**place, body=at_rest.seal(keys, _BODY, place, body)))
        session.flush()
        session.expunge_all()  # the bytes are not to gather in memory
    return session.get_one(Job, job.id)


def _same(session: Session, utility_id: uuid.UUID, kind: str, access: str, fingerprint: str) -> Job | None:
    waiting = select(Job).where(
        Job.utility_id == utility_id, Job.kind == kind, Job.access == access, Job.fingerprint == fingerprint,
        Job.state.not_in(FINISHED),
    )  # fmt: skip
    return session.scalars(waiting.order_by(Job.created_at).limit(1)).first()


def find(session: Session, utility_id: uuid.UUID, access: str, id: uuid.UUID) -> Job | None:
    """The job, if it was asked for by a token of this utility and letter."""
    return session.scalars(
        select(Job).where(Job.id == id, Job.utility_id == utility_id, Job.access == access)
    ).first()


def parts(database: Database, id: uuid.UUID) -> Iterator[bytes]:
    """The bytes of a job, part by part."""
    number = 0
    while True:
        with database.reading() as session:
            body = session.scalar(select(JobPart.body).where(JobPart.job_id == id, JobPart.number == number))
        if body is None:
            return
        yield at_rest.opened(database.keyring, _BODY, {"job_id": id, "number": number}, body)
        number += 1


def drop_parts(session: Session, id: uuid.UUID) -> None:
    """Its bytes are not needed any more."""
    session.execute(delete(JobPart).where(JobPart.job_id == id))


def waiting(session: Session) -> int:
    """How many jobs are not finished."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.state.not_in(FINISHED))) or 0


def forget_old(database: Database) -> None:
    """Drop jobs that were done long ago, and the bytes of all that are finished. Parked ones stay, without theirs."""
    old = clock.seconds() - KEPT
    with database.writing() as session:
        finished = select(Job.id).where(Job.state.in_(FINISHED))
        session.execute(delete(JobPart).where(JobPart.job_id.in_(finished)))
        session.execute(delete(Job).where(Job.state == DONE, Job.finished_at <= old))
