"""Finding the one customer a company's profile means, by the fields her utility agreed to (F-ID, bilateral).

Candidates are those to whom an account number, a mail address of a sign-in or a street address leads; then every agreed
field is compared with what the utility knows of each (`profiles`). All that is required has to fit, and as many fields
as the threshold says, for exactly one customer who can sign in; else nobody is meant. The same statements run whether
anybody is found, nobody fits, or nobody is there, and nothing of a profile is written down anywhere.

A company that misses too often in a day, or misses one customer again and again, finds nobody until the next.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ForeignKey, delete, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import at_rest, clock
from espi_server.access import profiles
from espi_server.access.identification import Profile
from espi_server.access.models import Application
from espi_server.access.profiles import Known, given
from espi_server.accounts.matching import Matching
from espi_server.accounts.models import Account, Customer, Login, Premise, ServiceLocation, Utility
from espi_server.db import NIL, Base, Database, Id, Seconds
from espi_server.energy import people
from espi_server.energy.models import Kind, Resource, UsagePoint, UsagePointLink
from espi_server.energy.places import Address

MOST: Final = 20  # candidates that are looked at; who shares something with more is nobody in particular
MISSES_OF_ONE: Final = 5  # a day, by one company, of profiles that led to one customer and did not fit
_DAY: Final = 86_400
_KEPT: Final = 2  # days
_INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class ProfileTry(Base):
    """How often a company's profiles found nobody in a day, and (not NIL) how often they led to this customer."""

    __tablename__ = "profile_try"

    application_id: Mapped[Id] = mapped_column(
        ForeignKey("application.id", ondelete="CASCADE"), primary_key=True
    )
    customer_id: Mapped[Id] = mapped_column(primary_key=True)
    day: Mapped[Seconds] = mapped_column(primary_key=True, autoincrement=False)
    times: Mapped[int]


class ByProfile:
    """The server's own identification: each utility by the fields it agreed to; nobody where it agreed to none."""

    def find(
        self, session: Session, utility: Utility, profile: Profile, application_id: uuid.UUID
    ) -> uuid.UUID | None:
        """The one customer of this utility whom the profile means; None for nobody, or for more than one."""
        agreed = Matching.of(utility)
        if agreed is None:
            return None
        # One profile of a company after the other: its misses are counted before it may guess again.
        mine = select(Application.id).where(Application.id == application_id)
        session.execute(mine.with_for_update(key_share=True))
        candidates = _candidates(session, utility, profile)
        known = _known(session, utility, candidates)
        missed = _missed(session, application_id, candidates)
        fitting = [each for each in candidates if _fits(agreed, profile, known[each])]
        may = missed.get(NIL, 0) < agreed.tries
        found = (
            fitting[0] if may and len(fitting) == 1 and missed.get(fitting[0], 0) < MISSES_OF_ONE else None
        )
        _count(session, application_id, candidates, found)
        return found

    def serves(self, utility: Utility) -> bool:
        """Has it agreed to any fields?"""
        return Matching.of(utility) is not None


def forget_old(database: Database) -> None:
    """Delete the counts of days that are over."""
    with database.writing() as session:
        session.execute(delete(ProfileTry).where(ProfileTry.day < _today() - _KEPT))


def _fits(agreed: Matching, profile: Profile, known: Known) -> bool:
    found = profiles.fits(profile, agreed.fields, known)
    return set(agreed.required) <= found and len(found) >= agreed.threshold


# --- whom it may be -------------------------------------------------------------------------------------


def _candidates(session: Session, utility: Utility, profile: Profile) -> list[uuid.UUID]:
    """Customers of this utility who can sign in and to whom the profile leads; none where they are many."""
    mail, number = given(profile, "email"), given(profile, "account_number")
    by_mail = select(Login.customer_id).where(
        Login.utility_id == utility.id,
        Login.email.in_(sorted({mail, mail.lower(), profiles.mail(mail)})),
        Login.email_since.is_not(None),  # an address nobody has shown to be hers leads to nobody
    )
    by_account = select(Account.customer_id).where(
        Account.utility_id == utility.id, Account.reference.in_(list(profiles.accounts_like(number)))
    )
    led = union_all(by_mail, by_account, _by_address(utility, profile)).subquery("led").c
    can_sign_in = select(Login.id).where(
        Login.customer_id == Customer.id, Login.utility_id == utility.id, Login.status == "active"
    )
    chosen = (
        select(Customer.id)
        .where(
            Customer.utility_id == utility.id, Customer.id.in_(select(led.customer_id)), can_sign_in.exists()
        )
        .order_by(Customer.id)
        .limit(MOST + 1)
    )
    found = list(session.scalars(chosen))
    return found if len(found) <= MOST else []


def _by_address(utility: Utility, profile: Profile) -> Any:
    """Who has service at the premise of this address now."""
    line, zip = (
        given(profile, "address.street_address"),
        profiles.zip_of(given(profile, "address.postal_code")),
    )
    spellings = _spellings(line)
    here = (
        select(ServiceLocation.id)
        .join(Premise, Premise.id == ServiceLocation.premise_id)
        .where(ServiceLocation.utility_id == utility.id, Premise.zip == zip, Premise.address.in_(spellings))
    )
    return (
        select(UsagePoint.customer_id)
        .join(UsagePointLink, UsagePointLink.usage_point_id == UsagePoint.id)
        .where(UsagePoint.utility_id == utility.id, UsagePointLink.kind == "location")
        .where(UsagePointLink.target_id.in_(here), UsagePoint.customer_id.is_not(None))
    )


def _spellings(line: str) -> list[str]:
    """The ways the premise of an address line may be kept: as it was read, and as it is compared."""
    read = Address.of(line, "", "", "").normal()
    number, street, unit = profiles.street(line)
    plain = Address(number, street, unit, "", "", "").normal()
    return sorted({f"{each.number}|{each.street}|{each.unit}" for each in (read, plain)})


# --- what the utility knows -----------------------------------------------------------------------------


def _known(session: Session, utility: Utility, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Known]:
    """What there is about each candidate; the same four statements for none of them as for many."""
    asked = list(ids) or [NIL]
    contents = _contents(session, asked)
    emails = _grouped(
        session,
        select(Login.customer_id, Login.email).where(
            Login.customer_id.in_(asked),
            Login.utility_id == utility.id,
            Login.status == "active",
            Login.email_since.is_not(None),
        ),
    )
    accounts = _grouped(
        session, select(Account.customer_id, Account.reference).where(Account.customer_id.in_(asked))
    )
    places = _places(session, asked)
    return {
        each: Known(
            names=_texts(contents, each, ("customerName",), ("Organisation", "organisationName")),
            emails=[*emails.get(each, ()), *_texts(contents, each, *_MAIL)],
            phones=_phones(contents.get(each, ())),
            accounts=accounts.get(each, ()),
            addresses=[*places.get(each, ()), *_addresses(contents.get(each, ()))],
        )
        for each in ids
    }


_MAIL = (("Organisation", "electronicAddress", "email1"), ("Organisation", "electronicAddress", "email2"))
_PHONE_PARTS = ("countryCode", "areaCode", "cityCode", "localNumber")


def _contents(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Mapping[str, Any]]]:
    """Her Customer resources and the places of her service, opened."""
    kinds = (int(Kind.Customer), int(Kind.ServiceLocation))
    query = select(*people.COLUMNS).where(Resource.customer_id.in_(ids), Resource.kind.in_(kinds))
    rows = [tuple(row) for row in session.execute(query)]
    owner = people.COLUMNS.index(Resource.customer_id)
    found: dict[uuid.UUID, list[Mapping[str, Any]]] = {}
    for row, person in zip(rows, people.read(at_rest.keyring(session), rows), strict=True):
        customer_id: Any = row[owner]
        found.setdefault(customer_id, []).append(person.content)
    return found


def _grouped(session: Session, query: Any) -> dict[uuid.UUID, list[str]]:
    found: dict[uuid.UUID, list[str]] = {}
    for customer_id, text in session.execute(query):
        if text:
            found.setdefault(customer_id, []).append(text)
    return found


def _places(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Address]]:
    query = (
        select(UsagePoint.customer_id, Premise.address, Premise.town, Premise.state, Premise.zip)
        .join(UsagePointLink, UsagePointLink.usage_point_id == UsagePoint.id)
        .join(ServiceLocation, ServiceLocation.id == UsagePointLink.target_id)
        .join(Premise, Premise.id == ServiceLocation.premise_id)
        .where(UsagePoint.customer_id.in_(ids), UsagePointLink.kind == "location")
    )
    found: dict[uuid.UUID, list[Address]] = {}
    for customer_id, address, town, state, zip in session.execute(query):
        number, street, unit = (*address.split("|"), "", "")[:3]
        if customer_id is not None:
            place = Address(number, street, unit, town or "", state or "", zip or "")
            found.setdefault(customer_id, []).append(place)
    return found


def _texts(
    contents: Mapping[uuid.UUID, Sequence[Mapping[str, Any]]], customer: uuid.UUID, *paths: Sequence[str]
) -> list[str]:
    return [
        text for content in contents.get(customer, ()) for path in paths if (text := _deep(content, *path))
    ]


def _phones(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for content in contents:
        for name in ("phone1", "phone2"):
            whole = _deep(content, "Organisation", name, "ituPhone")
            parts = [_deep(content, "Organisation", name, each) for each in _PHONE_PARTS]
            found.append(whole or "".join(parts))
    return [each for each in found if each]


def _addresses(contents: Sequence[Mapping[str, Any]]) -> list[Address]:
    paths = (("Organisation", "streetAddress"), ("Organisation", "postalAddress"), ("mainAddress",))
    return [_address(content, path) for content in contents for path in paths if _nested(content, *path)]


def _address(content: Mapping[str, Any], path: Sequence[str]) -> Address:
    def part(*names: str) -> str:
        return _deep(content, *path, *names)

    number, street = part("streetDetail", "number"), part("streetDetail", "name")
    line = " ".join(filter(None, (number, street, part("streetDetail", "suffix"))))
    read = Address.of(line or part("streetDetail", "addressGeneral"), "", "", "")
    return Address(
        read.number or number, read.street, read.unit or part("streetDetail", "suiteNumber"),
        part("townDetail", "name"), part("townDetail", "stateOrProvince"),
        part("postalCode") or part("townDetail", "code"),
    )  # fmt: skip


def _nested(content: Any, *names: str) -> Any:
    for name in names:
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def _deep(content: Any, *names: str) -> str:
    found = _nested(content, *names)
    return found if isinstance(found, str) else ""


# --- how often ------------------------------------------------------------------------------------------


def _today() -> int:
    return clock.seconds() // _DAY


def _missed(
    session: Session, application_id: uuid.UUID, candidates: Sequence[uuid.UUID]
) -> dict[uuid.UUID, int]:
    """How often this company missed today: anybody (NIL), and each of these."""
    counted = select(ProfileTry.customer_id, ProfileTry.times).where(
        ProfileTry.application_id == application_id,
        ProfileTry.day == _today(),
        ProfileTry.customer_id.in_([NIL, *candidates]),
    )
    return {row.customer_id: row.times for row in session.execute(counted)}


def _count(
    session: Session, application_id: uuid.UUID, candidates: Sequence[uuid.UUID], found: uuid.UUID | None
) -> None:
    """Count a miss, for the company and for whom it led to; one statement, whatever came of it."""
    step = 1 if found is None else 0
    rows = [
        {"application_id": application_id, "customer_id": each, "day": _today(), "times": step}
        for each in (NIL, *candidates)
    ]
    insert = _INSERT[session.get_bind().dialect.name](ProfileTry).values(rows)
    keys = [ProfileTry.application_id, ProfileTry.customer_id, ProfileTry.day]
    session.execute(
        insert.on_conflict_do_update(
            index_elements=keys, set_={"times": ProfileTry.times + insert.excluded.times}
        )
    )
