"""Addresses as utilities write them, and the premise of the whole installation that each means."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from espi_server.accounts.models import Premise

_NUMBER = re.compile(r"\s*([0-9]+[A-Za-z]?(?:[-/][0-9A-Za-z]+)?)\s+(.+)")
_UNIT = re.compile(
    r"(.*?)[\s,]+(?:#|(?:apt|apartment|unit|suite|ste)\b\.?\s*#?)\s*([0-9A-Za-z-]+)\s*", re.IGNORECASE
)
_WORDS = {
    "STREET": "ST", "AVENUE": "AVE", "ROAD": "RD", "DRIVE": "DR", "LANE": "LN", "COURT": "CT", "PLACE": "PL",
    "BOULEVARD": "BLVD", "HIGHWAY": "HWY", "TERRACE": "TER", "CIRCLE": "CIR", "NORTH": "N", "SOUTH": "S",
    "EAST": "E", "WEST": "W",
}  # fmt: skip
_LOCK = 0x50524D53  # "PRMS": two imports must not make the same premise twice


@dataclass(frozen=True)
class Address:
    """An address in its parts, spelled as the source does."""

    number: str
    street: str
    unit: str
    town: str
    state: str
    zip: str

    @classmethod
    def of(cls, line: str, town: str, state: str, zip: str) -> Address:
        """From an address line such as `12 Oak St Apt 4`."""
        rest, unit = line.strip(), ""
        if found := _UNIT.fullmatch(rest):
            rest, unit = found[1], found[2]
        found = _NUMBER.fullmatch(rest)
        number, street = (found[1], found[2]) if found else ("", rest)
        return cls(number, street.strip(), unit, town.strip(), state.strip().upper(), zip.strip())

    def normal(self) -> Address:
        """The one spelling that equal addresses share: capitals, postal abbreviations, five digits of the zip."""
        words = re.sub(r"[.,]", " ", self.street.upper()).split()
        street = " ".join(_WORDS.get(word, word) for word in words)
        town = " ".join(self.town.upper().split())
        return Address(self.number.upper(), street, self.unit.upper(), town, self.state, self.zip[:5])

    @property
    def key(self) -> str:
        """The normal address in one line: what names a place whose source gives no id."""
        each = self.normal()
        parts = (each.number, each.street, each.unit, each.town, each.state, each.zip)
        return "|".join(parts) if any(parts) else ""


def premise(session: Session, address: Address) -> uuid.UUID:
    """The premise at an address, made where it is new. Utilities that serve one place meet in it."""
    each = address.normal()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    here = {
        "address": f"{each.number}|{each.street}|{each.unit}", "town": each.town, "state": each.state, "zip": each.zip,
    }  # fmt: skip
    found = session.scalar(select(Premise.id).where(*(getattr(Premise, name) == here[name] for name in here)))
    if found:
        return found
    made = Premise(**here)
    session.add(made)
    session.flush()
    return made.id
