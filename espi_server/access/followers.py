"""The customers who share with a company, and what they hear of it: that it is on hold, or speaks otherwise of itself.

What a company says is what its customers decided by. Where it changes, they are told as soon as the company is in
service with its new words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit
from espi_server.access.models import Application, Authorization
from espi_server.notify import outbox

PAUSED: Final = "company.paused"
RESUMED: Final = "company.resumed"
DESCRIBED: Final = "company.described"
WORDS: Final = ("use_statement", "use_statement#es", "description", "tos_uri", "tos_version", "policy_uri")
"""What of an application's information its customers decided by, and what binds them."""
QUALIFIED: Final = "qualified_at"
"""Of what is known of an application: when it was put into production for the first time."""
_UNTOLD: Final = "untold"  # of what is known of it: its words changed, and nobody was told yet


def words(application: Application) -> tuple[Any, ...]:
    """What it says of itself now."""
    return tuple(application.information.get(name) or "" for name in WORDS)


def note_words(application: Application, before: tuple[Any, ...]) -> bool:
    """Are its words others than `before`? Then its customers hear of it once it is in service (again)."""
    if words(application) == before:
        return False
    if QUALIFIED not in application.information:
        return True
    application.information = {**application.information, _UNTOLD: True}
    return True


def tell_words(session: Session, application: Application, *, by: str) -> None:
    """Tell its customers what it says of itself by now, if they were not told."""
    if application.information.get(_UNTOLD):
        application.information = _without(application.information, _UNTOLD)
        tell(session, application, DESCRIBED, by=by)


def tell(session: Session, application: Application, kind: str, *, by: str) -> None:
    """A letter of this kind to every customer who shares with it now, or has said yes ahead; that is an act."""
    live = select(Authorization).where(
        Authorization.utility_id == application.utility_id,
        Authorization.application_id == application.id,
        Authorization.customer_id.is_not(None),
        Authorization.ended_at.is_(None),
        Authorization.ends_at > clock.seconds(),
    )
    rows = session.scalars(live.order_by(Authorization.id)).all()
    for row in rows:
        outbox.put(
            session,
            row.utility_id,
            kind,
            recipient=f"customer:{row.customer_id}",
            payload={"authorization": str(row.id)},
        )
    if rows:
        audit.record(
            session, application.utility_id, "customers.told", actor=by, subject=f"application:{application.id}",
            kind=kind, customers=len(rows),
        )  # fmt: skip


def _without(information: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in information.items() if key != name}
