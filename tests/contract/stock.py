"""A utility with enough usage points that a feed of them takes several pages, and ways to open it.

160 households with a day of quarter-hours each: as many block rows, three pages, 3 MB of XML.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from espi_server.access import grants, tokens
from espi_server.access.models import Application, Authorization, AuthorizationAgreement, Token
from espi_server.access.tokens import digest
from espi_server.accounts import utilities
from espi_server.accounts.models import Account, Customer, ServiceAgreement, Utility
from espi_server.clock import seconds
from espi_server.db import Database
from espi_server.energy.importer import import_files
from espi_server.energy.models import IntervalBlock, UsagePoint
from espi_server.espi.codes import DataCustodianApplicationStatus
from tests.energy import feeds
from tests.energy.feeds import Household

UTILITY = "north"
HOUSEHOLDS = 160
USAGE = "FB=4_5_10_15"
DAILY = f"{USAGE};BlockDuration=daily"


@dataclass(frozen=True)
class Opened:
    """An authorization and the token that opens it; `path` is its whole tree."""

    id: uuid.UUID
    token: str
    path: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def household(number: int, **changes: Any) -> Household:
    """One of the households, as delivered at first or with other readings."""
    parts = ("time", "point", "type", "reading", "blocks", "summary")
    return Household(str(101 + number), days=1, interval=900, parts=parts).but(**changes)


def fill(database: Database, folder: Path) -> None:
    """The utility and all its households."""
    with database.writing() as session:
        utilities.add(session, UTILITY, name="North", timezone="America/Los_Angeles")
    deliver(database, folder, *(household(number) for number in range(HOUSEHOLDS)))


def deliver(database: Database, folder: Path, *households: Household) -> None:
    """An import of these households; a delivery that is not taken in whole is the test's mistake."""
    entries = [entry for each in households for entry in each.entries()]
    path = feeds.write(folder / f"{uuid.uuid4().hex}.xml", entries)
    report = import_files(database, UTILITY, [path], actor="a test")
    assert not report.errors


def changed(number: int) -> Household:
    """A household whose first reading was corrected."""
    before = household(number)
    return before.but(changed={before.starts()[0]: 7})


def in_feed_order(database: Database) -> list[int]:
    """The numbers of the households in the order feeds list them."""
    with database.reading() as session:
        ids = session.scalars(select(UsagePoint.source_id).order_by(UsagePoint.id)).all()
    return [int(id) - 101 for id in ids]


def open_all(database: Database, scope: str = DAILY, application: str = "Sun") -> Opened:
    """One authorization over every household."""
    with database.writing() as session:
        utility = utilities.find(session, UTILITY)
        return _opened(session, utility, grants.of_utility(session, utility), scope, application)


def open_of(database: Database, sources: list[str], scope: str = DAILY) -> Opened:
    """One authorization over the households of these names."""
    with database.writing() as session:
        utility = utilities.find(session, UTILITY)
        named = select(UsagePoint.id).where(UsagePoint.source_id.in_(sources))
        chosen = grants.of_usage_points(session, utility, session.scalars(named).all())
        return _opened(session, utility, chosen, scope, "Sun")


def open_bulk(database: Database, count: int, scope: str = f"{DAILY};BR=1") -> list[Opened]:
    """So many customers, the households dealt out to them, and an authorization of each for the same application."""
    with database.writing() as session:
        utility = utilities.find(session, UTILITY)
        points = session.scalars(select(UsagePoint).order_by(UsagePoint.id)).all()
        opened = []
        for number in range(count):
            customer = _customer(session, utility, f"C{number}")
            for point in points[number::count]:
                point.customer_id = customer.id
            session.flush()
            chosen = grants.of_customer(session, utility, customer.reference)
            opened.append(_opened(session, utility, chosen, scope, "Sun"))
        return opened


def bulk_token(database: Database, opened: Opened, bulk: str = "1") -> Opened:
    """The application's own token, and its bulk feed."""
    with database.writing() as session:
        application = application_of(session, opened)
        token = tokens.issue(
            session, "client", application.utility_id, application=application, issued_by="a test"
        )
    return Opened(opened.id, token, f"/{UTILITY}/espi/1_1/resource/Batch/Bulk/{bulk}")


def last_in_feed(opened: list[Opened]) -> Opened:
    """The authorization whose usage points stand at the end of a bulk feed."""
    return max(opened, key=lambda each: each.id)


def replace(database: Database, opened: Opened, scope: str = "FB=4_5;BlockDuration=daily;BR=1") -> None:
    """The customer agrees to less, with the same company: the earlier authorization ends, as many stay open."""
    with database.writing() as session:
        before = session.get_one(Authorization, opened.id)
        utility = session.get_one(Utility, before.utility_id)
        customer = session.get_one(Customer, before.customer_id)
        chosen = grants.of_customer(session, utility, customer.reference)
        _opened(session, utility, chosen, scope, "Sun")


def _customer(session: Any, utility: Utility, reference: str) -> Customer:
    customer = Customer(id=uuid.uuid4(), utility_id=utility.id, reference=reference, created_at=seconds())
    session.add(customer)
    session.flush()
    return customer


def _opened(session: Any, utility: Utility, chosen: grants.Chosen, scope: str, application: str) -> Opened:
    granted = grants.authorize(session, utility, chosen, application=application, scope=scope, by="a test")
    answer = grants.token_answer(session, utility, granted, installation="http://localhost", by="a test")
    path = f"/{UTILITY}/espi/1_1/resource/Batch/Subscription/{granted.id}"
    return Opened(granted.id, answer["access_token"], path)


# --- what may happen while a feed is on its way ---------------------------------------------------------


def end(database: Database, opened: Opened) -> None:
    """The customer takes her authorization back."""
    with database.writing() as session:
        grants.end(session, session.get_one(Authorization, opened.id), "the customer asked for it")


def revoke_token(database: Database, opened: Opened) -> None:
    """The token is revoked; the authorization lives on."""
    with database.writing() as session:
        session.get_one(Token, digest(opened.token)).revoked_at = seconds()


def hold(database: Database, opened: Opened) -> None:
    """The application is put on hold."""
    with database.writing() as session:
        application_of(session, opened).status = DataCustodianApplicationStatus.ON_HOLD


def agree(database: Database, opened: Opened, number: int) -> str:
    """Give a household a service agreement that the authorization holds; what the utility calls it."""
    with database.writing() as session:
        utility = utilities.find(session, UTILITY)
        customer = _customer(session, utility, f"C-{number}")
        account = Account(
            id=uuid.uuid4(), utility_id=utility.id, customer_id=customer.id, reference=f"A-{number}"
        )
        session.add(account)
        session.flush()
        agreement = ServiceAgreement(
            id=uuid.uuid4(), utility_id=utility.id, customer_id=customer.id, account_id=account.id,
            reference=f"G-{number}",
        )  # fmt: skip
        session.add(agreement)
        session.flush()
        session.add(AuthorizationAgreement(authorization_id=opened.id, agreement_id=agreement.id))
        point = select(UsagePoint).where(UsagePoint.source_id == household(number).id)
        session.scalars(point).one().agreement_id = agreement.id
        return agreement.reference


def damage(database: Database, number: int, how: str) -> None:
    """Something is wrong with the stored readings of a household."""
    with database.writing() as session:
        row = session.scalars(
            select(IntervalBlock)
            .join(UsagePoint, UsagePoint.id == IntervalBlock.usage_point_id)
            .where(UsagePoint.source_id == household(number).id)
        ).one()
        half = len(row.body) // 2
        if how == "a flipped bit":
            row.body = row.body[:half] + bytes([row.body[half] ^ 1]) + row.body[half + 1 :]
        elif how == "half missing":
            row.body = row.body[:half]
        else:
            row.day_index = row.day_index[:-1]


def application_of(session: Any, opened: Opened) -> Application:
    """The application an authorization was given to."""
    return session.get_one(Application, session.get_one(Authorization, opened.id).application_id)


@contextmanager
def opened_database(url: str) -> Iterator[Database]:
    """A database for the time of a block."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
