"""What somebody filled in before she had to sign in again: kept for a while, given back once, to her alone.

A form is kept closed, under the digest of what the browser's cookie holds, for the login that was signed in there. A
login has one at most: what it filled in last.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import at_rest, clock
from espi_server.accounts.sessions import digest
from espi_server.at_rest import Sealed
from espi_server.db import PII, Base, Digest, Id, Seconds

LIFETIME: Final = 3600  # seconds to sign in again, with a password that was forgotten, too
LONGEST: Final = 262_144  # bytes: several thousand places, ticked
NEVER: Final = frozenset({"csrf_token", "password", "password2", "code", "answer", "link"})


class KeptForm(Base):
    """A form that waits for its owner; `sealed` says what is in it and which page it belongs to."""

    __tablename__ = "kept_form"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    sealed: Mapped[bytes] = mapped_column(Sealed("digest"), info=PII)
    expires_at: Mapped[Seconds] = mapped_column(index=True)


@dataclass(frozen=True)
class Form:
    """What was filled in: on which page, sent to which address of ours, and its fields. No secret is among them."""

    page: str
    action: str
    fields: list[tuple[str, str]]


def keep(
    session: Session, utility_id: uuid.UUID, login_id: uuid.UUID, page: str, action: str,
    fields: list[tuple[str, str]],
) -> str | None:  # fmt: skip
    """Keep a form of this login: what the browser's cookie holds, or None for one that is too long."""
    plain = [each for each in fields if each[0] not in NEVER]
    record = json.dumps([page, action, plain]).encode()
    if len(record) > LONGEST:
        return None
    secret = secrets.token_urlsafe(32)
    key = {"digest": digest(secret)}
    session.execute(delete(KeptForm).where(KeptForm.login_id == login_id))
    session.add(
        KeptForm(
            **key, login_id=login_id, utility_id=utility_id, expires_at=clock.seconds() + LIFETIME,
            sealed=at_rest.seal(at_rest.keyring(session), KeptForm.__table__.c.sealed, key, record),
        )
    )  # fmt: skip
    session.flush()
    return secret


def find(session: Session, utility_id: uuid.UUID, login_id: uuid.UUID, secret: str) -> Form | None:
    """The form that waits for this login behind this cookie, if one does."""
    row = session.scalar(
        select(KeptForm).where(
            KeptForm.digest == digest(secret),
            KeptForm.utility_id == utility_id,
            KeptForm.login_id == login_id,
            KeptForm.expires_at > clock.seconds(),
        )
    )
    if row is None:
        return None
    column = KeptForm.__table__.c.sealed
    record = at_rest.opened(at_rest.keyring(session), column, {"digest": row.digest}, row.sealed)
    page, action, fields = json.loads(record)
    return Form(page, action, [(name, value) for name, value in fields])


def drop(session: Session, utility_id: uuid.UUID, secret: str) -> bool:
    """It waits no longer; of many at once, one is told so."""
    mine = (KeptForm.digest == digest(secret), KeptForm.utility_id == utility_id)
    return session.execute(delete(KeptForm).where(*mine).returning(KeptForm.digest)).first() is not None
