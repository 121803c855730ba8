"""The rows of work: what is to be done, how far it is, and the bytes it needs."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import PersonalJson, Sealed
from espi_server.db import PII, Base, Code, Id, Json, Name, Seconds
from espi_server.jobs.leases import Leased


class Job(Leased, Base):
    """Something a worker does for a utility, with its state, its tries, its lease and its result.

    `access` is the standard's letter of the token that asked for it, and only tokens of that letter may look;
    `fingerprint` tells the same request again. `payload` is what its kind needs, `result` what came of it.
    """

    __tablename__ = "job"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    kind: Mapped[Code]
    access: Mapped[Code] = mapped_column(default="")
    actor: Mapped[Name] = mapped_column(default="")
    fingerprint: Mapped[Name | None]
    payload: Mapped[Any] = mapped_column(PersonalJson("job.payload"), default=dict, info=PII)
    result: Mapped[Any] = mapped_column(PersonalJson("job.result"), nullable=True, info=PII)
    progress: Mapped[Json] = mapped_column(default=dict)
    created_at: Mapped[Seconds]
    finished_at: Mapped[Seconds | None]

    __table_args__ = (
        Index(None, "state", "next_attempt_at"),
        Index(None, "utility_id", "fingerprint"),
        Index(None, "finished_at"),
    )


class JobPart(Base):
    """A piece of the bytes a job works on: in the database, where every worker can read them; gone when it is done."""

    __tablename__ = "job_part"

    job_id: Mapped[Id] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(Sealed("job_id", "number"), info=PII)
