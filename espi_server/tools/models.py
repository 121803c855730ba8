"""The one row of tools: what a check of a stranger's file found, kept for an hour and for nobody in particular."""

from __future__ import annotations

import uuid

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import Sealed
from espi_server.db import PII, Base, Id, Seconds


class KeptVerdict(Base):
    """A verdict behind an unguessable id, until `expires_at`. The file itself is not kept.

    `body` is compressed JSON: the verdict, and the clipped lines its findings point at. It belongs to no utility:
    whoever holds the address may read it.
    """

    __tablename__ = "kept_verdict"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    body: Mapped[bytes] = mapped_column(Sealed("id"), info=PII)
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds]

    __table_args__ = (Index(None, "expires_at"),)
