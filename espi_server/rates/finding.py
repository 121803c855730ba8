"""One thing found in a tariff record: a code, words, a place, and how much it matters.

An ERROR cannot be priced; MONEY may make bills wrong, so an imported record is not used until someone accepts that
finding by its code; a NOTE is only told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

Plain = Mapping[str, Any]
NO_LIMIT = Decimal("1e30")  # URDB and SAM write 1e38 for "no end"


class Weight(Enum):
    """How much a finding matters."""

    ERROR = "error"
    MONEY = "money"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a record. `where` is a path such as `energyratestructure[4][1].rate`."""

    code: str
    weight: Weight
    where: str
    words: str

    @property
    def is_error(self) -> bool:
        """The record cannot be priced."""
        return self.weight is Weight.ERROR

    @property
    def changes_money(self) -> bool:
        """Bills may be wrong: the record waits until this code is accepted."""
        return self.weight is not Weight.NOTE

    def __str__(self) -> str:
        return f"{self.code} at {self.where}: {self.words}"

    def to_json(self) -> dict[str, str]:
        """The finding for machines."""
        return {"code": self.code, "weight": self.weight.value, "where": self.where, "words": self.words}


def error(code: str, where: str, words: str) -> Finding:
    """A finding that keeps the record from being priced."""
    return Finding(code, Weight.ERROR, where, words)


def money(code: str, where: str, words: str) -> Finding:
    """A finding that may make bills wrong."""
    return Finding(code, Weight.MONEY, where, words)


def note(code: str, where: str, words: str) -> Finding:
    """A finding that is only told."""
    return Finding(code, Weight.NOTE, where, words)


def number(value: Any) -> Decimal | None:
    """The value as a finite decimal; None where it is not a number (a boolean is none)."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def whole(value: Any) -> int | None:
    """The value as an integer; None where it is not a whole number."""
    read = number(value)
    return int(read) if read is not None and read == int(read) else None
