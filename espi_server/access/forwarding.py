"""Cases the central authority should know of: what it is told, when, and that the customer hears of it (UC1.4).

The authority qualifies companies for the whole state, so it has to know which company did what; who complained is not
its business. So a report holds the company, the topic, the dates, how the case stands and a summary the utility's
people write; the customer's name, her words and her service stay here. It leaves by mail through the outbox, and the
same report can be exported as a file. What was sent is kept, and the same report leaves once.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.access import cases
from espi_server.access.cases import FORWARDED, UTILITY, Case
from espi_server.access.models import Application, Asp
from espi_server.accounts.models import Utility
from espi_server.at_rest import PersonalJson
from espi_server.db import PII, Base, Digest, Id, Name, Seconds, ordered_id
from espi_server.errors import Usage
from espi_server.jobs.worker import GivesUp
from espi_server.notify import outbox
from espi_server.notify.letters import Compose, Note
from espi_server.notify.sending import Message

KIND: Final = "authority.case"
AUTHORITY: Final = "authority"


class NobodyThere(Usage):
    """No address of the central authority is known: set ESPI_AUTHORITY_MAIL, or hand on what `case export` prints."""


class CaseForwarding(Base):
    """A report of a case as the central authority was sent it."""

    __tablename__ = "case_forwarding"

    id: Mapped[Id] = mapped_column(primary_key=True, default=ordered_id)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    case_id: Mapped[Id] = mapped_column(ForeignKey("problem_case.id"))
    report: Mapped[Any] = mapped_column(PersonalJson("case_forwarding.report"), info=PII)
    digest: Mapped[Digest]
    sent_at: Mapped[Seconds]
    sent_by: Mapped[Name]

    __table_args__ = (UniqueConstraint("case_id", "digest"),)


def report(session: Session, utility: Utility, case: Case, summary: str) -> dict[str, Any]:
    """What the authority is told of a case: nothing that says who the customer is."""
    application = session.get_one(Application, case.application_id)
    asp = session.get(Asp, application.asp_id) if application.asp_id else None
    found = {
        "schema_version": 1,
        "utility": {"code": utility.code, "name": utility.name},
        "case": case.number,
        "company": {
            "name": asp.name if asp else application.name, "application": application.name,
            "client_id": application.client_id,
        },
        "topic": case.topic,
        "state": case.state,
        "outcome": case.outcome,
        "opened": clock.written(case.opened_at),
        "closed": clock.written(case.closed_at) if case.closed_at else None,
        "summary": cases.checked(summary),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def forward(session: Session, utility: Utility, case: Case, summary: str, *, authority: str, by: str) -> bool:
    """Send the authority a report and tell the customer that it was; False where that very report was sent before.

    A closed case can be forwarded too. `NobodyThere` without an address of the `authority`.
    """
    if not authority:
        raise NobodyThere()
    cases.hold(session, case)
    told = report(session, utility, case, summary)
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()
    same = (CaseForwarding.case_id == case.id, CaseForwarding.digest == digest)
    if session.scalar(select(CaseForwarding.id).where(*same)) is not None:
        return False
    row = CaseForwarding(
        id=ordered_id(), utility_id=utility.id, case_id=case.id, report=told, digest=digest,
        sent_at=clock.seconds(), sent_by=by,
    )  # fmt: skip
    session.add(row)
    case.said = [*case.said, cases.line(UTILITY, "", FORWARDED)]
    case.updated_at = row.sent_at
    outbox.put(session, utility.id, KIND, recipient=AUTHORITY, payload={"forwarding": str(row.id)})
    cases.told(session, case, "case.forwarded", by, digest=digest.hex())
    return True


def of_case(session: Session, case: Case) -> list[CaseForwarding]:
    """What the authority was sent of a case, the oldest first."""
    mine = select(CaseForwarding).where(CaseForwarding.case_id == case.id)
    return list(session.scalars(mine.order_by(CaseForwarding.id)))


def composers(authority: str) -> Mapping[str, Compose]:
    """Who knows what a report says. `authority` is where they go."""
    return {KIND: partial(_reported, authority=authority)}


def _reported(session: Session, message: Message, *, authority: str) -> Note:
    if not authority:
        raise GivesUp(
            "The address of the central authority is gone: set ESPI_AUTHORITY_MAIL, then send this again."
        )
    row = session.get_one(CaseForwarding, uuid.UUID(message.payload["forwarding"]))
    told = row.report
    return Note(
        sender=told["utility"]["name"],
        email=authority,
        phone=None,
        language="en",
        values={
            "utility": told["utility"]["name"],
            "number": told["case"],
            "company": told["company"]["name"],
            "report": told,
            "summary": told["summary"].splitlines(),
        },
    )
