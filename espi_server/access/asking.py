"""What a worker does with a company's request by message: find whom it means, and send her the link.

Nobody outside sees what comes of it. Whoever cannot be found, reached or asked again today hears nothing, and the
request waits until its time is over.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, contacts, sealed_letters, sealing, standing
from espi_server.access.addresses import public_base
from espi_server.access.contacts import CUSTOMER, Means
from espi_server.access.identification import Identification
from espi_server.access.models import Application, AuthorizationRequest
from espi_server.access.oauth.backchannel import JOB
from espi_server.access.oauth.clients import Wanted
from espi_server.access.sealed_letters import Told
from espi_server.accounts.models import Customer, Utility
from espi_server.db import Database
from espi_server.espi.tables import DataClass
from espi_server.jobs.models import Job
from espi_server.jobs.worker import Task, Work
from espi_server.notify import outbox
from espi_server.notify.letters import Compose, Note
from espi_server.notify.sending import Message, Moot
from espi_server.settings import Settings

KIND: Final = "consent.asked"
A_DAY: Final = 5  # links one customer gets in a day
BY_ONE: Final = 3  # of these, by the same application
_CLAIMS: Final = 20  # named in the audit
_DAY: Final = 86_400
_log = logging.getLogger("espi_server.access")


def work(settings: Settings, identification: Identification) -> Work:
    """How a worker does it."""
    means = Means.of(settings)

    def run(task: Task) -> dict[str, Any]:
        digest = bytes.fromhex(task.lease.values["payload"]["request"])
        ask(task.lease.database, means, identification, digest)
        return {"finished_at": clock.seconds()}

    return Work(JOB, Job, run, Job.kind == JOB, parked=lambda _: {"finished_at": clock.seconds()})


def composers(settings: Settings) -> Mapping[str, Compose]:
    """The letter with the link."""
    return {KIND: partial(letter, settings.base_url)}


def ask(database: Database, means: Means, identification: Identification, digest: bytes) -> None:
    """Find the customer of the request with this digest, and put a letter for her into the outbox."""
    with database.writing() as session:
        row = session.get(AuthorizationRequest, digest, with_for_update=True)
        if row is None or not _waits(row) or row.customer_id is not None or row.sealed is None:
            return
        held = sealed_letters.opened(session, AuthorizationRequest, {"digest": digest}, row.sealed)
        utility = session.get_one(Utility, row.utility_id)
        customer_id = identification.find(session, utility, held["profile"], row.application_id)
        _note(session, row, held["profile"], found=customer_id is not None)
        row.sealed = None  # the profile was of use
        if customer_id is not None and _may_ask(session, row, customer_id):
            _send(session, means, row, customer_id, held["link"])


def _note(session: Session, row: AuthorizationRequest, profile: Mapping[str, Any], *, found: bool) -> None:
    """That somebody was looked for, by which claims, and whether one was found: no values, and not who."""
    inner = profile.get("address")
    parts = [f"address.{each}" for each in inner] if isinstance(inner, Mapping) else []
    claims = sorted([*(each for each in profile if each != "address"), *parts])
    audit.record(
        session, row.utility_id, "customer.sought", actor=f"application:{row.application_id}", subject="profile",
        application=row.application_id, claims=[each[:64] for each in claims[:_CLAIMS]], found=found,
    )  # fmt: skip


def letter(installation: str, session: Session, message: Message) -> Note:
    """Which company asks for what, and where she says yes or no."""
    digest = bytes.fromhex(message.payload["request"])
    row = session.get(AuthorizationRequest, digest)
    if row is None or row.sealed is None or row.customer_id is None or not _waits(row):
        raise Moot("The request is over.")
    held = sealed_letters.opened(session, AuthorizationRequest, {"digest": digest}, row.sealed)
    utility, wanted = session.get_one(Utility, row.utility_id), Wanted.read(row.parameters["scope"])
    told = Told(
        contacts.person(CUSTOMER, row.customer_id), held["way"], held["to"], partial(_told, digest=digest)
    )
    values = {
        "company": session.get_one(Application, row.application_id).name,
        "shared": [each.term for each in DataClass if each in wanted.scope.classes],
        "word": row.parameters.get("binding_message", ""),
        "link": public_base(utility.base_url, utility.code, installation) + held["link"],
        "minutes": max(1, (row.expires_at - clock.seconds()) // 60),
    }
    return sealed_letters.note(session, utility, told, values)


def forget_old(database: Database) -> None:
    """Wipe the profiles and links of requests whose time is over."""
    over = (AuthorizationRequest.expires_at <= clock.seconds(), AuthorizationRequest.sealed.is_not(None))
    with database.reading() as session:
        if session.scalar(select(AuthorizationRequest.digest).where(*over).limit(1)) is None:
            return
    with database.writing() as session:
        session.execute(update(AuthorizationRequest).where(*over).values(sealed=None))


def _waits(row: AuthorizationRequest) -> bool:
    return row.used_at is None and row.expires_at > clock.seconds()


def _may_ask(session: Session, row: AuthorizationRequest, customer_id: uuid.UUID) -> bool:
    """Is she a customer here, with a way in that is open, and not asked too often today?"""
    mine = select(Customer.id).where(Customer.id == customer_id, Customer.utility_id == row.utility_id)
    if session.scalar(mine.with_for_update(key_share=True)) is None:
        return False
    if standing.is_locked(session, customer_id):
        return False
    today = (
        AuthorizationRequest.customer_id == customer_id,
        AuthorizationRequest.created_at > clock.seconds() - _DAY,
    )
    by_one = AuthorizationRequest.application_id == row.application_id
    asked = select(func.count(), func.count().filter(by_one)).where(*today)
    all_of_them, of_this_one = session.execute(asked).one()
    return bool(all_of_them < A_DAY and of_this_one < BY_ONE)


def _send(
    session: Session, means: Means, row: AuthorizationRequest, customer_id: uuid.UUID, link: str
) -> None:
    person = contacts.person(CUSTOMER, customer_id)
    usable = contacts.usable(session, means, person)
    if not usable:
        _log.warning("a customer was asked for data by message and cannot be reached")
        return
    held = {"link": link, "way": usable[0].way, "to": usable[0].address}
    row.customer_id = customer_id
    row.sealed = sealing.seal(session, AuthorizationRequest, {"digest": row.digest}, held)
    outbox.put(
        session, row.utility_id, KIND, recipient=person, payload={"request": row.digest.hex()}, urgent=True
    )  # fmt: skip
    audit.record(
        session, row.utility_id, "consent.sent", actor=audit.SERVER, subject=f"request:{row.digest.hex()}",
        application=row.application_id, customer=customer_id,
    )  # fmt: skip


def _told(session: Session, digest: bytes) -> None:
    """It has left: only she knows the link now."""
    mine = AuthorizationRequest.digest == digest
    session.execute(update(AuthorizationRequest).where(mine).values(sealed=None))
