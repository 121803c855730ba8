"""Which fields of a profile find a customer, utility by utility: what was agreed with the companies that send them.

A company that asks by message names the customer it means by OpenID claims. Kept as JSON with the utility
(`Utility.portal`, `matching`); a utility that chose nothing finds nobody. What finds somebody holds at least two
fields: one that leads to a customer (account number, mail address, street address with postal code), and one that
tells her from those who share it (a name, an account number). So no shared mailbox and no address finds anybody alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.accounts.models import Account, Customer, Utility
from espi_server.errors import Usage

KEY: Final = "matching"
FIELDS: Final[Mapping[str, str]] = {
    "name": "the whole name, in any order",
    "given_name": "a first name",
    "family_name": "a last name",
    "email": "a mail address she signs in with, or the one in the utility's records",
    "phone_number": "the telephone number in the utility's records",
    "address.street_address": "number, street and unit of a place she has service at, or of her mail",
    "address.locality": "the town of it",
    "address.region": "the state of it",
    "address.postal_code": "the postal code of it",
    "account_number": "the number of one of her accounts",
}
"""The claims that can be compared, and with what."""

LEADING: Final = (("account_number",), ("email",), ("address.street_address", "address.postal_code"))
TELLING: Final = ("name", "family_name", "account_number")
MOST_TRIES: Final = 1_000
DEFAULT_TRIES: Final = 50


class BadMatching(Usage):
    """Profiles cannot be compared like this."""


@dataclass(frozen=True)
class Matching:
    """What a utility agreed to: `fields` are compared, `required` must all fit, `threshold` of all fields too.

    `tries` are profiles one company may send in a day without finding anybody.
    """

    fields: tuple[str, ...]
    required: tuple[str, ...]
    threshold: int
    tries: int = DEFAULT_TRIES

    @classmethod
    def of(cls, utility: Utility) -> Matching | None:
        """What the utility agreed to; None where it compares no profiles."""
        kept = (utility.portal or {}).get(KEY)
        if not kept:
            return None
        return cls(tuple(kept["fields"]), tuple(kept["required"]), kept["threshold"], kept["tries"])

    def checked(self) -> Matching:
        """The same, or `BadMatching` naming what cannot be and what can."""
        for each in (*self.fields, *self.required):
            if each not in FIELDS:
                raise BadMatching(f"The field {each!r} is not one of {', '.join(FIELDS)}.")
        beyond = [each for each in self.required if each not in self.fields]
        if beyond:
            raise BadMatching(f"What is required is compared too: add {', '.join(beyond)} to the fields.")
        if not any(set(each) <= set(self.required) for each in LEADING):
            raise BadMatching(
                "Something required has to lead to a customer: account_number, email, or address.street_address with"
                " address.postal_code."
            )
        if len(self.required) < 2 or not set(TELLING) & set(self.required):
            raise BadMatching(
                "A mailbox or an address may be shared. Require at least two fields, one of them name, family_name or"
                " account_number."
            )
        if not len(self.required) <= self.threshold <= len(self.fields):
            raise BadMatching(
                f"The threshold is a number of fields, here {len(self.required)} to {len(self.fields)}."
            )
        if not 1 <= self.tries <= MOST_TRIES:
            raise BadMatching(f"The tries are 1 to {MOST_TRIES} a day.")
        return self


def agree(
    utility: Utility, fields: Sequence[str], required: Sequence[str], threshold: int | None, tries: int
) -> Matching:
    """Compare profiles like this from now on; without a threshold, all that is required is enough."""
    every = tuple(dict.fromkeys((*required, *fields)))
    needed = tuple(dict.fromkeys(required))
    chosen = Matching(every, needed, len(needed) if threshold is None else threshold, tries).checked()
    utility.portal = {**(utility.portal or {}), KEY: _row(chosen)}
    return chosen


def check_numbers(session: Session, utility: Utility, chosen: Matching) -> None:
    """`BadMatching` where account numbers are compared that several customers of this utility have.

    Such a number stands beside its customer's own reference (`energy.agreements.free_reference`), so it leads to one of
    those who have it and not to the others.
    """
    if "account_number" not in chosen.fields:
        return
    rows = select(Account.reference, Customer.reference).join(Customer, Customer.id == Account.customer_id)
    for account, customer in session.execute(rows.where(Account.utility_id == utility.id)):
        if account.startswith(f"{customer}/"):
            raise BadMatching(
                f"Several customers of {utility.name} have an account of the same number, so account_number tells"
                " nobody. Compare email or an address instead."
            )


def stop(utility: Utility) -> None:
    """Compare no profiles any more: nobody is found."""
    utility.portal = {name: value for name, value in (utility.portal or {}).items() if name != KEY}


def _row(chosen: Matching) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(chosen).items()
    }
