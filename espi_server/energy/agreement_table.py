"""Agreements and premises from a table, as a utility's customer system exports them.

`customer, account, agreement, class, rate, modifiers, rins, address, town, state, zip, circuit, meter, usage point,
udc, lse, start, end`: a row joins one usage point (or none) to one agreement on one rate, from when to when.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from espi_server.energy import identity
from espi_server.energy.house import House
from espi_server.energy.meter_table import BadRow
from espi_server.energy.moments import BadMoment, day_or_moment
from espi_server.energy.places import Address
from espi_server.energy.spool import Spool, unit_of

REQUIRED = ("customer", "account", "agreement")
COLUMNS = (
    "customer", "account", "agreement", "class", "rate", "modifiers", "rins", "address", "town", "state", "zip",
    "circuit", "meter", "usage_point", "udc", "lse", "start", "end",
)  # fmt: skip

CLASSES: Mapping[str, str] = {
    "residential": "residential", "domestic": "residential", "commercial": "commercial",
    "small commercial": "commercial", "medium commercial": "commercial", "large commercial": "commercial",
    "business": "commercial", "industrial": "industrial", "agricultural": "agricultural", "farm": "agricultural",
    "lighting": "lighting", "street lighting": "lighting", "wholesale": "wholesale",
}  # fmt: skip
ROLES = ("bundled", "delivery", "generation")
_SEPARATOR = re.compile(r"[;,\s]+")
_LONGEST = {**dict.fromkeys(COLUMNS, 256), "state": 8, "zip": 32}


class AgreementTable:
    """Takes the rows of one file of agreements into the spool, each to its customer."""

    def __init__(self, spool: Spool, house: House, file: int, *, customer: str | None) -> None:
        self._spool = spool
        self._house = house
        self._file = file
        self._customer = customer

    def row(self, line: int, cells: Mapping[str, str]) -> None:
        """One agreement. Raises BadRow with what is accepted."""
        reference = self._customer or cells["customer"]
        for name in ("account", "agreement"):
            if not cells[name] or not reference:
                raise BadRow("customer, account and agreement must not be empty")
        too_long = [name for name, most in _LONGEST.items() if len(cells[name]) > most]
        if too_long:
            raise BadRow(f"{too_long[0]} is longer than {_LONGEST[too_long[0]]} characters")
        id = identity.made(self._house.namespace, "RetailCustomer", reference)
        self._spool.add_row(
            self._file, line, unit_of("customer", id), {**self._row(cells), "customer": reference}
        )

    def finish(self) -> None:
        """Nothing waits."""

    def _row(self, cells: Mapping[str, str]) -> dict[str, Any]:
        starts_at, ends_at = self._moment(cells, "start"), self._moment(cells, "end")
        if starts_at is not None and ends_at is not None and ends_at < starts_at:
            raise BadRow(f"end {cells['end']} lies before start {cells['start']}")
        address = Address.of(cells["address"], cells["town"], cells["state"], cells["zip"])
        return {
            **cells,
            "class": _class(cells["class"]),
            "source_class": cells["class"] or None,
            "modifiers": _listed(cells["modifiers"]),
            "rins": _rins(cells["rins"], bundled=cells["udc"] == cells["lse"]),
            "address": vars(address),
            "start": starts_at,
            "end": ends_at,
        }

    def _moment(self, cells: Mapping[str, str], name: str) -> int | None:
        try:
            return day_or_moment(cells[name], self._house.zone)
        except BadMoment as error:
            raise BadRow(f"{name} {error}") from None


def _class(text: str) -> str:
    known = CLASSES.get(text.lower() or "residential")
    if known is None:
        raise BadRow(f"class {text!r} is not one of {', '.join(CLASSES)}")
    return known


def _listed(text: str) -> list[str]:
    return [each for each in _SEPARATOR.split(text) if each]


def _rins(text: str, *, bundled: bool) -> list[list[str]]:
    """(role, RIN) pairs: `role:RIN` as told; else one is bundled (or delivery), two are delivery and generation."""
    found = []
    given = _listed(text)
    untold = ROLES[1:] if len(given) > 1 or not bundled else ROLES[:1]
    for place, each in enumerate(given):
        role, colon, rin = each.rpartition(":")
        if not colon:
            role = untold[min(place, len(untold) - 1)]
        if role not in ROLES or not 0 < len(rin) <= 32:
            raise BadRow(
                f"rins {each!r} is not a RIN, nor one with its role ({', '.join(ROLES)}) and a colon before"
            )
        found.append([role, rin])
    return found
