"""What was asked or agreed to and has not begun: drafts of an answer, requests, codes. Here it is made void.

Whoever stops sharing stops this too, and so does a utility that blocks a company: nothing older may become an
authorization. It is done to the rows themselves, in the transaction of the stop, and not by comparing times: a yes of
the same second may come before or after.

Rows are held in the order in which an answer and a redemption hold them (application, draft, request, code, customer,
authorization), so that whoever was first is waited for, and seen by whatever comes after this.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit
from espi_server.access.models import Application, AuthorizationCode, AuthorizationRequest
from espi_server.access.sharing_drafts import SharingDraft

STOPPED: Final = "stopped"  # the customer stopped sharing before it began
BLOCKED: Final = "blocked"  # the company may not ask any more

_WAITS: Final = (AuthorizationRequest.used_at.is_(None),)
_UNUSED: Final = (AuthorizationCode.used_at.is_(None),)


def stop(
    session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID, application_id: uuid.UUID | None = None
) -> None:
    """Nothing a customer was asked, or agreed to, can begin any more: with one company, or with any."""

    def hers(table: Any) -> list[Any]:
        mine = [table.utility_id == utility_id, table.customer_id == customer_id]
        return mine if application_id is None else [*mine, table.application_id == application_id]

    by = f"customer:{customer_id}"
    drafts = _end_drafts(session, hers(SharingDraft))
    asked = [each for each in drafts if each is not None]
    _end_requests(session, hers(AuthorizationRequest), by, STOPPED, customer_id)
    _end_requests(session, [AuthorizationRequest.digest.in_(asked)], by, STOPPED, customer_id)
    _end_codes(session, hers(AuthorizationCode), by, STOPPED)


def block(session: Session, application: Application, *, by: str) -> None:
    """Nothing that a company has asked, or was given a code for, can begin any more; it may not ask from now on.

    Whoever answers or redeems at this moment holds the application before anything else (`standing.may_begin`): what
    they did is seen here, or they see its status.
    """
    session.flush()
    _end_drafts(session, [SharingDraft.application_id == application.id])
    _end_requests(session, [AuthorizationRequest.application_id == application.id], by, BLOCKED, None)
    _end_codes(session, [AuthorizationCode.application_id == application.id], by, BLOCKED)


def companies(session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID) -> list[str]:
    """The names of the companies that could still begin with what this customer was asked by message or agreed to."""
    now = clock.seconds()
    found: set[str] = set()
    for table, open in ((AuthorizationRequest, _WAITS), (AuthorizationCode, _UNUSED)):
        hers = (table.utility_id == utility_id, table.customer_id == customer_id, table.expires_at > now)
        names = select(Application.name).join(table, table.application_id == Application.id)
        found.update(session.scalars(names.where(*hers, *open).distinct()))
    return sorted(found, key=str.casefold)


def _end_drafts(session: Session, which: Iterable[Any]) -> list[bytes | None]:
    """Answers that were not given yet; the digests of the requests they were to."""
    mine = select(SharingDraft.id, SharingDraft.request_digest).where(
        *which, SharingDraft.used_at.is_(None), SharingDraft.expires_at > clock.seconds()
    )
    held = session.execute(mine.order_by(SharingDraft.id).with_for_update(key_share=True)).all()
    if held:
        over = {"used_at": clock.seconds(), "choices": {"outcome": STOPPED}}
        chosen = update(SharingDraft).where(SharingDraft.id.in_([id for id, _ in held]))
        session.execute(chosen.values(over).execution_options(synchronize_session="fetch"))
    return [digest for _, digest in held]


def _end_requests(
    session: Session, which: Iterable[Any], by: str, reason: str, customer_id: uuid.UUID | None
) -> None:
    """Requests that wait, pushed or asked; who polls hears that it was declined."""
    columns = (
        AuthorizationRequest.digest, AuthorizationRequest.utility_id, AuthorizationRequest.application_id,
        AuthorizationRequest.customer_id,
    )  # fmt: skip
    mine = select(*columns).where(*which, *_WAITS, AuthorizationRequest.expires_at > clock.seconds())
    held = session.execute(mine.order_by(AuthorizationRequest.digest).with_for_update(key_share=True)).all()
    if not held:
        return
    chosen = update(AuthorizationRequest).where(AuthorizationRequest.digest.in_([row.digest for row in held]))
    over = {"used_at": clock.seconds(), "sealed": None}
    session.execute(chosen.values(over).execution_options(synchronize_session="fetch"))
    for row in held:
        audit.record(
            session, row.utility_id, "consent.declined", actor=by, subject=f"application:{row.application_id}",
            application=row.application_id, customer=row.customer_id or customer_id, reason=reason,
        )  # fmt: skip


def _end_codes(session: Session, which: Iterable[Any], by: str, reason: str) -> None:
    """Codes nobody has redeemed; who polls for one hears that it was declined."""
    columns = (
        AuthorizationCode.digest, AuthorizationCode.utility_id, AuthorizationCode.application_id,
        AuthorizationCode.customer_id,
    )  # fmt: skip
    mine = select(*columns).where(*which, *_UNUSED, AuthorizationCode.expires_at > clock.seconds())
    held = session.execute(mine.order_by(AuthorizationCode.digest).with_for_update(key_share=True)).all()
    if not held:
        return
    digests = [row.digest for row in held]
    polled = update(AuthorizationRequest).where(AuthorizationRequest.code_digest.in_(digests))
    session.execute(polled.values(code_digest=None).execution_options(synchronize_session="fetch"))
    # Not `now`: whoever waits for the row may have asked the clock a second earlier.
    chosen = update(AuthorizationCode).where(AuthorizationCode.digest.in_(digests))
    session.execute(chosen.values(expires_at=0).execution_options(synchronize_session="fetch"))
    for row in held:
        audit.record(
            session, row.utility_id, "code.withdrawn", actor=by, subject=f"code:{row.digest.hex()}",
            application=row.application_id, customer=row.customer_id, reason=reason,
        )  # fmt: skip
