"""The outbox: what must leave the house, written in the same transaction as the fact it tells."""

from __future__ import annotations

import uuid

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.db import PII, Base, Code, Id, Json, Name, Seconds


class Outbox(Base):
    """A message waiting to leave, with its state, its tries and its lease."""

    __tablename__ = "outbox"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    kind: Mapped[Code]
    recipient: Mapped[Name] = mapped_column(info=PII)
    payload: Mapped[Json] = mapped_column(info=PII)
    state: Mapped[Code] = mapped_column(default="due")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[Seconds]
    lease_until: Mapped[Seconds | None]
    last_error: Mapped[str | None]
    created_at: Mapped[Seconds]

    __table_args__ = (Index(None, "state", "next_attempt_at"),)
