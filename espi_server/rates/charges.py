"""Money as records write it: exact decimals, and what a charge is due for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any


class Per(Enum):
    """What a fixed or minimum charge is due for."""

    DAY = "$/day"
    MONTH = "$/month"
    YEAR = "$/year"


@dataclass(frozen=True, slots=True)
class Charge:
    """Dollars per day, month (one billing period) or year."""

    amount: Decimal
    per: Per

    def due(self, days: int) -> Decimal:
        """Dollars for one billing period of that many days; a year's charge is spread over twelve periods."""
        if self.per is Per.DAY:
            return self.amount * days
        return self.amount if self.per is Per.MONTH else self.amount / 12


def charge(amount: Any, unit: Any) -> Charge | None:
    """The charge a record writes as a number and a unit; None where there is none to pay."""
    if amount is None or not decimal(amount):
        return None
    return Charge(decimal(amount), Per(str(unit).lower() if unit is not None else Per.MONTH.value))


def decimal(value: Any) -> Decimal:
    """The number as the record writes it; a float by its shortest text, so 0.1 is 0.1."""
    return value if isinstance(value, Decimal) else Decimal(str(value))
