"""Letters that hold a secret: a one-time code, or the link to a company's question. Each is forgotten as it leaves."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from espi_server.access import challenge, contacts, people, sealing
from espi_server.access.challenge import Challenge
from espi_server.accounts.models import Login, Utility
from espi_server.jobs.worker import GivesUp
from espi_server.keyring import CannotOpen
from espi_server.notify.letters import Compose, Note
from espi_server.notify.sending import Message, Moot

PURPOSES = (challenge.CONSENT, challenge.RATE_CHANGE, challenge.STAFF, challenge.SIGN_IN)


def composers() -> Mapping[str, Compose]:
    """Every kind of code, and who knows what it says."""
    return {f"code.{purpose}": code for purpose in PURPOSES}


@dataclass(frozen=True)
class Told:
    """To whom a sealed letter goes, and what is done once it has left."""

    person: str
    way: str
    address: str
    sent: Callable[[Session], None]


def code(session: Session, message: Message) -> Note:
    """A one-time code, to where it was meant when it was asked for, unless it is over."""
    id, number = uuid.UUID(message.payload["challenge"]), message.payload["number"]
    row = session.get(Challenge, id)
    if row is None or row.sealed is None or not challenge.waits(row, number):
        raise Moot("The code is over.")
    held = opened(session, Challenge, {"id": id}, row.sealed)
    told = Told(row.person, row.way, held["to"], partial(challenge.told, id=id, number=number))
    values = {**held["values"], "code": held["code"], "minutes": challenge.LIFETIME // 60}
    return note(session, session.get_one(Utility, row.utility_id), told, values)


def note(session: Session, utility: Utility, told: Told, values: Mapping[str, Any]) -> Note:
    """For one address or number, by that way alone, in the person's language."""
    kind, _, id = told.person.partition(":")
    return Note(
        sender=utility.name,
        email=told.address if told.way == contacts.MAIL else None,
        phone=told.address if told.way == contacts.TEXT else None,
        language=_language(session, kind, uuid.UUID(id)),
        values={**values, "utility": utility.name},
        sent=told.sent,
    )


def _language(session: Session, kind: str, id: uuid.UUID) -> str:
    """The language a login has chosen, else the one of the customer's record."""
    login = session.get(Login, id) if kind == contacts.LOGIN else None
    customer = id if kind == contacts.CUSTOMER else login.customer_id if login else None
    if login is not None and login.language:
        return login.language
    return people.record(session, customer).language if customer else "en"


def opened(session: Session, table: Any, row: Mapping[str, Any], sealed: bytes) -> dict[str, Any]:
    """What was sealed for this row; a person has to know where it cannot be opened."""
    try:
        return sealing.unseal(session, table, row, sealed)
    except CannotOpen as error:
        raise GivesUp("What was sealed for this letter cannot be opened; the log tells more.") from error
