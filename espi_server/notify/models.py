"""The outbox: what must leave the house, written in the same transaction as the fact it tells; and where it goes."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import PersonalJson
from espi_server.db import PII, Base, Code, Id, Name, Seconds
from espi_server.jobs.leases import Leased


class Endpoint(Leased, Base):
    """Where messages go: an application's address, or the door to people. One message at a time is on its way to it.

    Never done, only due again: `next_attempt_at` is when it may next be spoken to. `failures` counts what failed
    since the last success; `slow` ones are served by workers of their own. `warned_at` and `parked_told_at` are when
    its people were last told that it does not answer, and that messages to it were given up.
    """

    __tablename__ = "endpoint"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    name: Mapped[Name]  # `application:…`, `events:…`, `people`, or `urgent` (people too)
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[Seconds | None]
    slow: Mapped[bool] = mapped_column(Boolean, default=False)
    warned_at: Mapped[Seconds | None]
    parked_told_at: Mapped[Seconds | None]

    __table_args__ = (Index(None, "state", "next_attempt_at"),)


class Outbox(Leased, Base):
    """A message waiting to leave, with its state, its tries and its lease.

    `queued_at` is when it was put or last resent, `failing_since` its first failure since then: three days later it
    is given up. `pause` is how long it last waited after a failure; the next pause is longer.
    """

    __tablename__ = "outbox"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    endpoint_id: Mapped[Id] = mapped_column(ForeignKey("endpoint.id"))
    kind: Mapped[Code]
    recipient: Mapped[Name]  # a kind and an id, such as `customer:…`; never an address
    payload: Mapped[Any] = mapped_column(PersonalJson("outbox.payload"), info=PII)
    created_at: Mapped[Seconds]
    queued_at: Mapped[Seconds]
    failing_since: Mapped[Seconds | None]
    pause: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[Seconds | None]

    __table_args__ = (
        Index(None, "state", "next_attempt_at"),
        Index(None, "endpoint_id", "state", "next_attempt_at"),
        Index(None, "state", "finished_at"),
    )


class Cursor(Base):
    """How far a purpose has read a utility's log of changes; moved in the transaction of what came of them."""

    __tablename__ = "change_cursor"

    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), primary_key=True)
    purpose: Mapped[Code] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    moved_at: Mapped[Seconds]


class WebhookSecret(Base):
    """What a shared secret is made of; the secret itself also takes the installation's key, and is kept nowhere.

    Two are live while one is being replaced: `expires_at` is when the older ends.
    """

    __tablename__ = "webhook_secret"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id", ondelete="CASCADE"), index=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds | None]
