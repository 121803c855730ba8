"""What customers are told: that a company may now see their data, and that it no longer may."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import at_rest
from espi_server.access.models import Application, Authorization
from espi_server.accounts.models import Login, Utility
from espi_server.energy import people
from espi_server.energy.models import Kind, Resource
from espi_server.espi.scope import Scope
from espi_server.espi.tables import DataClass
from espi_server.jobs.worker import GivesUp
from espi_server.notify.letters import Compose, Note
from espi_server.notify.sending import Message


def composers() -> Mapping[str, Compose]:
    """Every kind of message to customers, and who knows what it says."""
    return {"authorization.granted": consent, "authorization.ended": consent}


def consent(session: Session, message: Message) -> Note:
    """What an authorization opens, to whom, until when, and when and why it ended."""
    row = session.get(Authorization, uuid.UUID(message.payload["authorization"]))
    if row is None or row.customer_id is None:
        raise GivesUp("The authorization is gone, or it is no customer's.")
    utility = session.get_one(Utility, row.utility_id)
    application = session.get_one(Application, row.application_id)
    person = _customer(session, row.customer_id)
    classes = Scope.parse(row.scope).classes
    zone = ZoneInfo(utility.timezone)
    return Note(
        sender=utility.name,
        email=_login(session, row.customer_id)
        or _deep(person, "Organisation", "electronicAddress", "email1"),
        phone=_phone(person),
        language=str(person.get("locale") or "en")[:2].lower(),
        values={
            "company": application.name,
            "utility": utility.name,
            "shared": [each.term for each in DataClass if each in classes],
            "given": _day(row.starts_at, zone),
            "until": _day(row.ends_at, zone),
            "ended": _day(row.ended_at or row.ends_at, zone),
            "reason": row.ended_reason or "",
        },
    )


def _login(session: Session, customer_id: uuid.UUID) -> str | None:
    """The address she signs in with; it was verified."""
    alive = (Login.customer_id == customer_id, Login.status == "active", Login.email.is_not(None))
    return session.scalar(select(Login.email).where(*alive).order_by(Login.created_at).limit(1))


def _customer(session: Session, customer_id: uuid.UUID) -> dict[str, Any]:
    """The content of her Customer resource, the one that changed last."""
    mine = (Resource.customer_id == customer_id, Resource.kind == Kind.Customer)
    latest = select(*people.COLUMNS).where(*mine).order_by(Resource.updated.desc()).limit(1)
    known = people.read(at_rest.keyring(session), (tuple(row) for row in session.execute(latest)))
    return known[0].content if known else {}


def _phone(person: dict[str, Any]) -> str | None:
    whole = _deep(person, "Organisation", "phone1", "ituPhone")
    if whole:
        return whole
    parts = [
        _deep(person, "Organisation", "phone1", each) for each in ("countryCode", "areaCode", "localNumber")
    ]
    return "".join(filter(None, parts)) or None


def _deep(content: Any, *names: str) -> str | None:
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, str) and content else None


def _day(moment: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone)
