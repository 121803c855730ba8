"""Clients that failed to show who they are: counted by the hour, so that a flood of them is one act of the audit."""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit
from espi_server.access.models import Application, ClientRefusal
from espi_server.access.oauth.request import is_plain
from espi_server.db import NIL, Database, add_if_new

HOUR: Final = 3600


def count(session: Session, utility_id: uuid.UUID, client_id: str) -> None:
    """Count a refusal of somebody who said to be this client; whether it is here or not costs the same statements."""
    found = None
    if is_plain(client_id):
        named = (Application.utility_id == utility_id, Application.client_id == client_id)
        found = session.scalar(select(Application.id).where(*named))
    now = clock.seconds()
    key = {"utility_id": utility_id, "application_id": found or NIL, "hour": now - now % HOUR}
    add_if_new(session, ClientRefusal, {**key, "times": 0})
    session.execute(update(ClientRefusal).filter_by(**key).values(times=ClientRefusal.times + 1))


def write_down(database: Database) -> None:
    """Move the counts of hours that are over into the audit."""
    over = ClientRefusal.hour <= clock.seconds() - HOUR
    with database.reading() as session:
        if session.scalar(select(ClientRefusal.hour).where(over).limit(1)) is None:
            return
    with database.writing() as session:
        for row in session.scalars(select(ClientRefusal).where(over).with_for_update()).all():
            audit.record(
                session,
                row.utility_id,
                "client.refused",
                actor=audit.SERVER,
                subject="application:unknown"
                if row.application_id == NIL
                else f"application:{row.application_id}",
                hour=row.hour,
                times=row.times,
            )
            session.delete(row)
