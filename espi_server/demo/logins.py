"""Ways in for the demo's households: one at each company that serves them, all with the same printed password.

Nobody is asked for a second factor until something calls for one; its code then shows on the sandbox's telephone,
whether it came by text message or by mail.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import securing
from espi_server.accounts import passwords, portal, signin, utilities
from espi_server.db import Database
from espi_server.demo.households import COMPANIES, Household, every

PASSWORD: Final = "lamp on the porch"  # noqa: S105 - printed for everybody to read
ACTOR: Final = "demo"


def open_all(database: Database) -> None:
    """Give everybody a way in; whoever has one keeps it."""
    with database.reading() as session:
        if not _missing(session):
            return
    kept = passwords.digest(PASSWORD)
    with database.writing() as session:
        for company in COMPANIES:
            portal.change(
                utilities.find(session, company.code),
                second_factor=False,
                mail_for_statewide=True,
                phone=company.phone,
                terms=f"https://{company.code}.example/terms",
                terms_version="2026-01",
            )
        for household, code in _missing(session):
            _open(session, household, code, kept)


def _missing(session: Session) -> list[tuple[Household, str]]:
    pairs = [(household, code) for household in every() for code in household.companies]
    there = {code: utilities.find(session, code).id for _, code in pairs}
    return [
        (household, code)
        for household, code in pairs
        if signin.by_name(session, there[code], household.email) is None
    ]


def _open(session: Session, household: Household, code: str, kept: str) -> None:
    utility, now = utilities.find(session, code), clock.seconds()
    login = signin.add(session, utility, household.reference(code), household.email)
    login.password_digest, login.password_alone = kept, passwords.is_long(PASSWORD)
    login.password_at = login.email_since = now
    securing.record(session, login, "login.opened", actor=ACTOR, customer=login.customer_id)
