"""The rows of passkeys, apart from what is done with them: loading WebAuthn takes longer than most commands."""

from __future__ import annotations

import uuid

from sqlalchemy import Boolean, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import Personal
from espi_server.db import PII, Base, Digest, Id, Json, Seconds


class Passkey(Base):
    """A passkey of a login. `sign_count` grows with each use where the device counts; `is_synced`: in a cloud, too."""

    __tablename__ = "passkey"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    digest: Mapped[Digest] = mapped_column(unique=True)
    credential: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int]
    transports: Mapped[Json] = mapped_column(default=list)
    is_synced: Mapped[bool] = mapped_column(Boolean)
    name: Mapped[str] = mapped_column(Personal("passkey.name"), info=PII)
    created_at: Mapped[Seconds]
    used_at: Mapped[Seconds | None]


class SpentChallenge(Base):
    """The challenge of a ceremony that was answered; it is not taken again."""

    __tablename__ = "spent_challenge"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    ends_at: Mapped[Seconds] = mapped_column(index=True)
