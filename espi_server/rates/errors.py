"""What can go wrong between a tariff, a year of readings and a bill, in words a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from espi_server.rates.finding import Finding


class RatesError(ValueError):
    """This bill cannot be computed; the message says what to mend."""


class Unreadable(RatesError):
    """The file could not be read as what it should be; the message names the file, the line and the accepted form."""


class UnusableTariff(RatesError):
    """The record cannot be priced as it stands; `findings` says where and why."""

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        self.name, self.findings = name, tuple(findings)
        words = "\n".join(f"  {finding}" for finding in self.findings)
        super().__init__(f"The tariff record {name!r} cannot be priced:\n{words}")


class Doubtful(RatesError):
    """The record has findings that change money, and nobody has accepted them."""


class UnknownZone(RatesError):
    """The time zone is not in the tz database."""


class DoesNotFit(RatesError):
    """Readings, billing cycles and tariff do not belong together; the message says which end is too short."""
