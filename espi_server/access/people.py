"""A customer as the utility's records have her: how to reach her, and in which language."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import at_rest
from espi_server.energy import people
from espi_server.energy.models import Kind, Resource


@dataclass(frozen=True)
class Record:
    """Her Customer resource. `since` is when it changed last, in epoch seconds of our clock."""

    content: Mapping[str, Any]
    since: int

    @property
    def email(self) -> str | None:
        """Her address for mail."""
        return _deep(self.content, "Organisation", "electronicAddress", "email1")

    @property
    def phone(self) -> str | None:
        """Her telephone number, as one string."""
        named = [_deep(self.content, "Organisation", "phone1", each) for each in _PARTS]
        return named[0] or "".join(filter(None, named[1:])) or None

    @property
    def language(self) -> str:
        """The first part of her locale, English where there is none."""
        return str(self.content.get("locale") or "en")[:2].lower()


_PARTS = ("ituPhone", "countryCode", "areaCode", "localNumber")


def record(session: Session, customer_id: uuid.UUID) -> Record:
    """The Customer resource that changed last; an empty one where there is none."""
    mine = (Resource.customer_id == customer_id, Resource.kind == Kind.Customer)
    newest = select(*people.COLUMNS).where(*mine).order_by(Resource.updated.desc()).limit(1)
    rows = (tuple(row) for row in session.execute(newest))
    found = next(iter(people.read(at_rest.keyring(session), rows)), None)
    return Record(found.content, found.updated) if found else Record({}, 0)


def _deep(content: Any, *names: str) -> str | None:
    for name in names:
        content = content.get(name) if isinstance(content, Mapping) else None
    return content if isinstance(content, str) and content else None
