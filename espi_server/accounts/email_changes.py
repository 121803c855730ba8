"""Changing the address of a login: what is asked for, the two links about it, and what stood there before.

One link goes to the new address and makes it hers; one goes to the old address and undoes it, before that and for a
week. Nothing about the login changes before the first of them is used.
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Final

from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.accounts.models import Login
from espi_server.accounts.sessions import ACTIVE, digest
from espi_server.at_rest import Personal, Sealed
from espi_server.db import PII, Base, Code, Database, Digest, Id, Seconds

CONFIRM: Final = "confirm"
OBJECT: Final = "object"
LIFETIME: Final = 86_400  # seconds in which the new address is confirmed
REGRET: Final = 7 * 86_400  # seconds in which the old address may undo it
A_DAY: Final = 3  # changes of a login that may be asked for


class EmailChange(Base):
    """A change of a login's address: to which one and from which, whether it was done, whether it came to nothing."""

    __tablename__ = "email_change"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    email: Mapped[str] = mapped_column(Personal("email_change.email"), info=PII)
    before: Mapped[str] = mapped_column(Personal("email_change.before"), info=PII)
    before_since: Mapped[Seconds | None]
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds] = mapped_column(index=True)
    done_at: Mapped[Seconds | None]
    ended_at: Mapped[Seconds | None]


class EmailLink(Base):
    """One of its two links, by what the letter holds; `sealed` keeps it until that letter has left."""

    __tablename__ = "email_link"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    change_id: Mapped[Id] = mapped_column(ForeignKey("email_change.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[Code]
    sealed: Mapped[bytes | None] = mapped_column(Sealed("digest"), info=PII)


def begin(session: Session, login: Login, email: str) -> EmailChange:
    """A change that waits for its new address; one that waited before is over. No two are of the same second."""
    last = select(func.max(EmailChange.created_at)).where(EmailChange.login_id == login.id)
    now = max(clock.seconds(), (session.scalar(last) or 0) + 1)  # which one came after which is told by it
    end_waiting(session, login.id)
    row = EmailChange(
        id=uuid.uuid4(), login_id=login.id, utility_id=login.utility_id, email=email, before=login.email or "",
        before_since=login.email_since, created_at=now, expires_at=now + LIFETIME,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def link(session: Session, change: EmailChange, purpose: str) -> tuple[str, EmailLink]:
    """A link about it: its secret, and its row."""
    secret = secrets.token_urlsafe(32)
    row = EmailLink(digest=digest(secret), change_id=change.id, purpose=purpose)
    session.add(row)
    session.flush()
    return secret, row


def found(session: Session, utility_id: uuid.UUID, secret: str, purpose: str) -> EmailChange | None:
    """The change this link is about, at this utility, while the link is good for anything."""
    now = clock.seconds()
    row = session.scalar(
        select(EmailChange)
        .join(EmailLink, EmailLink.change_id == EmailChange.id)
        .join(Login, Login.id == EmailChange.login_id)
        .where(EmailLink.digest == digest(secret), EmailLink.purpose == purpose)
        .where(EmailChange.utility_id == utility_id, EmailChange.ended_at.is_(None), Login.status == ACTIVE)
    )
    if row is None:
        return None
    if purpose == CONFIRM:
        return row if row.done_at is None and row.expires_at > now else None
    return row if (row.done_at or row.created_at) > now - REGRET else None


def waiting(session: Session, login_id: uuid.UUID) -> EmailChange | None:
    """The change of this login that waits for its new address."""
    return session.scalar(select(EmailChange).where(*_waits(login_id)))


def settle(session: Session, change: EmailChange) -> bool:
    """It is done; of many at once, one is told so."""
    done = update(EmailChange).where(EmailChange.id == change.id, *_waits(change.login_id))
    return session.execute(done.values(done_at=clock.seconds()).returning(EmailChange.id)).first() is not None


def end(session: Session, change: EmailChange) -> bool:
    """It came to nothing; of many at once, one is told so."""
    live = update(EmailChange).where(EmailChange.id == change.id, EmailChange.ended_at.is_(None))
    return (
        session.execute(live.values(ended_at=clock.seconds()).returning(EmailChange.id)).first() is not None
    )


def end_after(session: Session, change: EmailChange) -> None:
    """What was changed after it came to nothing, too."""
    later = (EmailChange.login_id == change.login_id, EmailChange.created_at >= change.created_at)
    live = update(EmailChange).where(*later, EmailChange.ended_at.is_(None))
    session.execute(live.values(ended_at=clock.seconds()))


def end_waiting(session: Session, login_id: uuid.UUID) -> None:
    """Whatever waits for a new address of this login is over."""
    session.execute(update(EmailChange).where(*_waits(login_id)).values(ended_at=clock.seconds()))


def today(session: Session, login_id: uuid.UUID) -> int:
    """How many were asked for in a day."""
    lately = (EmailChange.login_id == login_id, EmailChange.created_at > clock.seconds() - 86_400)
    return session.scalar(select(func.count()).where(*lately)) or 0


def forget_old(database: Database) -> None:
    """Drop those nobody can confirm or undo any more."""
    now = clock.seconds()
    with database.writing() as session:
        session.execute(delete(EmailChange).where(EmailChange.expires_at <= now - REGRET))


def _waits(login_id: uuid.UUID) -> tuple[Any, ...]:
    return (
        EmailChange.login_id == login_id,
        EmailChange.done_at.is_(None),
        EmailChange.ended_at.is_(None),
        EmailChange.expires_at > clock.seconds(),
    )
