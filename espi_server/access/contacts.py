"""Where codes and links may go: what the utility's records or a sign-in name, and have named for long enough.

Who takes over a customer's records for a moment and writes his own number there gets nothing for two days
(`ESPI_CONTACT_AFTER`), and she reads of the change meanwhile.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import people
from espi_server.accounts.models import Login
from espi_server.errors import Conflict
from espi_server.settings import Settings

MAIL: Final = "mail"
TEXT: Final = "text"
CUSTOMER: Final = "customer"
LOGIN: Final = "login"


class CannotBeReached(Conflict):
    """No address or number of this person is known that can be written to and has been there for long enough."""


@dataclass(frozen=True)
class Means:
    """What the installation lends: its secret, the ways its messages can leave by, and how old a contact must be."""

    secret: str
    ways: Collection[str]
    after: int  # seconds

    @classmethod
    def of(cls, settings: Settings) -> Means:
        """Those of an installation."""
        return cls(settings.secret_key, settings.ways, settings.contact_after)


@dataclass(frozen=True)
class Contact:
    """One way to reach somebody: `mail` or `text`, the address or number, and since when it is hers (epoch seconds)."""

    way: str
    address: str
    since: int

    @property
    def masked(self) -> str:
        """As much of it as tells her which one is meant, and nobody else what it is."""
        if self.way == TEXT:
            return "***" + re.sub(r"\D", "", self.address)[-2:]
        name, _, host = self.address.rpartition("@")
        return f"{name[:1]}***@{host}"


def person(kind: str, id: uuid.UUID) -> str:
    """How a customer or a login is named where either may stand."""
    return f"{kind}:{id}"


def usable(session: Session, means: Means, person: str) -> list[Contact]:
    """Where codes and links for this person may go, the best first, at most one for each way."""
    oldest = clock.seconds() - means.after
    found: dict[str, Contact] = {}
    for each in _known(session, person):
        if each.way in means.ways and each.since <= oldest:
            found.setdefault(each.way, each)
    return list(found.values())


def chosen(session: Session, means: Means, person: str, way: str | None) -> Contact:
    """The one of them that goes this way, or (None) the best; `CannotBeReached` where there is none."""
    for each in usable(session, means, person):
        if way in (None, each.way):
            return each
    raise CannotBeReached()


def _known(session: Session, person: str) -> Iterator[Contact]:
    kind, _, id = person.partition(":")
    column = Login.customer_id if kind == CUSTOMER else Login.id
    hers = (column == uuid.UUID(id), Login.status == "active")
    customer = uuid.UUID(id) if kind == CUSTOMER else None
    logins = (
        select(Login.email, Login.email_since, Login.customer_id)
        .where(*hers)
        .order_by(Login.created_at, Login.id)
    )
    for email, since, whose in session.execute(logins):
        customer = customer or whose
        if email is not None and since is not None:  # an address nobody has verified has no `email_since`
            yield Contact(MAIL, email, since)
    if customer is not None:
        yield from _in_the_records(session, customer)


def _in_the_records(session: Session, customer_id: uuid.UUID) -> Iterator[Contact]:
    """What the utility delivered; it has been so at least since that record changed last."""
    record = people.record(session, customer_id)
    if record.email:
        yield Contact(MAIL, record.email, record.since)
    if record.phone:
        yield Contact(TEXT, record.phone, record.since)
