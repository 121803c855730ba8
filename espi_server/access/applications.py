"""Applications: the OAuth clients of third parties at one utility."""

from __future__ import annotations

import secrets
import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access.models import Application
from espi_server.accounts.models import Utility
from espi_server.errors import NotFound, Usage

LONGEST = 256  # characters of a client_name


class BadName(Usage):
    """The name of an application has 1 to 256 printable characters."""


def find(session: Session, utility: Utility, name: str) -> Application:
    """The application of this name at a utility, or `NotFound`."""
    found = _named(session, utility, _checked(name))
    if found is None:
        raise NotFound(f"{utility.name} has no application {name!r}; `espi-server authorize` creates one.")
    return found


def find_or_create(session: Session, utility: Utility, name: str, *, by: str) -> Application:
    """The application of this name; a new one, in production, is recorded as created by `by`."""
    return _named(session, utility, _checked(name)) or _create(session, utility, name, by)


def _checked(name: str) -> str:
    # It is the client_name of ApplicationInformation, a String256 that must be able to stand in XML.
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise BadName()
    return name


def _named(session: Session, utility: Utility, name: str) -> Application | None:
    return session.scalar(
        select(Application).where(Application.utility_id == utility.id, Application.name == name)
    )


def _create(session: Session, utility: Utility, name: str, by: str) -> Application:
    now = clock.seconds()
    application = Application(
        id=uuid.uuid4(),
        utility_id=utility.id,
        client_id=secrets.token_urlsafe(16),
        name=name,
        created_by=by,
        created_at=now,
        updated_at=now,
    )
    session.add(application)
    session.flush()
    return application
