"""What a customer has chosen so far, on her way through the pages of consent: kept here, never in the pages.

A draft belongs to one customer and to the session that looked at it last: only that one may answer, and once. It is
about a company's request, about a company she went to by herself, or about an authorization she wants to change.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import ForeignKey, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.access import standing
from espi_server.access.models import AuthorizationRequest
from espi_server.accounts.sessions import SignedIn
from espi_server.at_rest import PersonalJson
from espi_server.db import PII, Base, Digest, Id, Seconds
from espi_server.errors import NotFound

LIFETIME: Final = 3600  # seconds, where no request of a company sets the time
PAUSE: Final = (
    1800  # seconds she may take between two steps of a company's request, an hour in all: more than it
)
# takes to be signed out for doing nothing and to sign in again
_KEPT: Final = 86_400


class NotYours(NotFound):
    """This page belongs to somebody else, or its time is over. Begin again where you came from."""


class SharingDraft(Base):
    """One answer in the making; `request_digest` or `authorization_id` tell what it is about, or neither."""

    __tablename__ = "sharing_draft"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id", ondelete="CASCADE"))
    customer_id: Mapped[Id] = mapped_column(ForeignKey("customer.id"), index=True)
    session: Mapped[Digest]
    request_digest: Mapped[Digest | None] = mapped_column(
        ForeignKey("authorization_request.digest", ondelete="CASCADE"), index=True
    )
    authorization_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("authorization.id", ondelete="CASCADE")
    )
    choices: Mapped[Any] = mapped_column(PersonalJson("sharing_draft.choices"), info=PII)
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds] = mapped_column(index=True)
    used_at: Mapped[Seconds | None]


def begin(
    session: Session,
    here: SignedIn,
    application_id: uuid.UUID,
    *,
    request: AuthorizationRequest | None = None,
    authorization_id: uuid.UUID | None = None,
    choices: dict[str, Any] | None = None,
) -> SharingDraft:
    """Her draft about this; the one she has already, so that what she chose survives a new sign-in."""
    now = clock.seconds()
    session.execute(delete(SharingDraft).where(SharingDraft.expires_at < now - _KEPT))
    digest = request.digest if request is not None else None
    about: tuple[Any, ...] = (
        SharingDraft.application_id == application_id,
        SharingDraft.request_digest.is_(None) if digest is None else SharingDraft.request_digest == digest,
        SharingDraft.authorization_id.is_(None)
        if authorization_id is None
        else SharingDraft.authorization_id == authorization_id,
    )
    kept = session.scalar(
        select(SharingDraft)
        .where(
            SharingDraft.utility_id == here.utility_id, SharingDraft.customer_id == here.customer_id, *about
        )
        .where(SharingDraft.used_at.is_(None), SharingDraft.expires_at > now)
        .order_by(SharingDraft.created_at.desc())
        .limit(1)
    )
    if kept is None:
        kept = SharingDraft(
            id=uuid.uuid4(), utility_id=here.utility_id, application_id=application_id,
            customer_id=here.customer_id, request_digest=digest, authorization_id=authorization_id,
            choices=choices or {}, created_at=now, expires_at=now,
        )  # fmt: skip
        session.add(kept)
    kept.session = here.digest
    _renew(kept, request)
    session.flush()
    return kept


def find(session: Session, here: SignedIn, id: uuid.UUID) -> SharingDraft:
    """Her draft, answered or not; `NotYours` where it is none of hers, or too old."""
    row = session.get(SharingDraft, id)
    if row is None or row.utility_id != here.utility_id or row.customer_id != here.customer_id:
        raise NotYours()
    if row.used_at is None and row.expires_at <= clock.seconds():
        raise NotYours()
    return row


def is_of(row: SharingDraft, here: SignedIn) -> bool:
    """May this very session answer?"""
    return row.session == here.digest


def look_at(session: Session, row: SharingDraft, here: SignedIn) -> None:
    """From now on this session of hers may answer, and the one before may not."""
    mine = (SharingDraft.id == row.id, SharingDraft.customer_id == here.customer_id)
    session.execute(
        update(SharingDraft).where(*mine, SharingDraft.used_at.is_(None)).values(session=here.digest)
    )


def save(
    session: Session, row: SharingDraft, choices: dict[str, Any], request: AuthorizationRequest | None
) -> None:
    """Keep what she chose, and give her time for the next step."""
    row.choices = choices
    _renew(row, request)
    session.flush()


def take(session: Session, row: SharingDraft, choices: dict[str, Any]) -> bool:
    """Answer it; False if it was answered meanwhile, perhaps by a second press of the button.

    The company is held first, so that a block and an answer see each other (`access.pending`).
    """
    standing.may_begin(session, row.application_id)
    done: Any = session.execute(
        update(SharingDraft)
        .where(SharingDraft.id == row.id, SharingDraft.used_at.is_(None))
        .values(used_at=clock.seconds(), choices=choices)
    )
    return bool(done.rowcount)


def _renew(row: SharingDraft, request: AuthorizationRequest | None) -> None:
    now = clock.seconds()
    if request is None:
        row.expires_at = now + LIFETIME
        return
    # A company that polls was told how long its request waits; a browser's waits for whoever goes on.
    if request.poll_digest is None:
        latest = request.created_at + LIFETIME
        request.expires_at = max(request.expires_at, min(now + PAUSE, latest))
    row.expires_at = request.expires_at
