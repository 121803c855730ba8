"""Letters about signing in: the link to choose a password, and what was changed about a way in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import contacts, email_changing, people, sealed_letters, securing
from espi_server.access.addresses import public_base
from espi_server.access.contacts import Contact
from espi_server.access.sealed_letters import Told
from espi_server.accounts import email_changes, signin
from espi_server.accounts.email_changes import CONFIRM, EmailChange, EmailLink
from espi_server.accounts.models import Login, Utility
from espi_server.accounts.portal import Portal
from espi_server.accounts.signin import LoginLink
from espi_server.jobs.worker import GivesUp
from espi_server.notify.letters import Compose, Note
from espi_server.notify.sending import Message, Moot


def composers(installation: str) -> Mapping[str, Compose]:
    """Every kind of them, and who knows what it says."""
    links = {f"login.{purpose}": partial(link, installation) for purpose in signin.LIVES}
    emails = {kind: partial(email, installation, purpose) for purpose, kind in email_changing.KINDS.items()}
    return {**links, **emails, securing.CHANGED: changed, securing.FACTOR: changed}


def link(installation: str, session: Session, message: Message) -> Note:
    """The link by which a password is chosen, while it is one."""
    digest = bytes.fromhex(message.payload["link"])
    row = session.get(LoginLink, digest)
    if row is None or row.sealed is None or row.used_at is not None or row.expires_at <= clock.seconds():
        raise Moot("The link is over.")
    held = sealed_letters.opened(session, LoginLink, {"digest": digest}, row.sealed)
    login, utility = session.get_one(Login, row.login_id), session.get_one(Utility, row.utility_id)
    if login.email is None:
        raise GivesUp("This login has no mail address.")
    told = Told(
        contacts.person(contacts.LOGIN, login.id), contacts.MAIL, login.email, partial(_told, digest=digest)
    )
    base = public_base(utility.base_url, utility.code, installation)
    left = row.expires_at - clock.seconds()
    values = {"link": base + held["link"], "minutes": -(-left // 60), "days": -(-left // 86_400)}
    return sealed_letters.note(session, utility, told, values)


def email(installation: str, purpose: str, session: Session, message: Message) -> Note:
    """One of the two letters about another address: to that one, unless it is somebody's, and to the old one."""
    digest = bytes.fromhex(message.payload["link"])
    row = session.get(EmailLink, digest)
    change = session.get(EmailChange, row.change_id) if row is not None else None
    if row is None or row.sealed is None or change is None or change.ended_at is not None:
        raise Moot("The change is over.")
    if purpose == CONFIRM and signin.by_name(session, change.utility_id, change.email) is not None:
        raise Moot("Somebody signs in with this address.")
    held = sealed_letters.opened(session, EmailLink, {"digest": digest}, row.sealed)
    utility = session.get_one(Utility, change.utility_id)
    to = change.email if purpose == CONFIRM else change.before
    told = Told(
        contacts.person(contacts.LOGIN, change.login_id),
        contacts.MAIL,
        to,
        partial(_told_email, digest=digest),
    )
    values = {
        "link": public_base(utility.base_url, utility.code, installation) + held["link"],
        "address": Contact(contacts.MAIL, change.email, 0).masked,
        "days": email_changes.REGRET // 86_400, "phone": Portal.of(utility).phone,
    }  # fmt: skip
    return sealed_letters.note(session, utility, told, values)


def changed(session: Session, message: Message) -> Note:
    """What was changed, and when; by mail, else by a text message."""
    login = session.get(Login, uuid.UUID(message.payload["login"]))
    if login is None or login.utility_id is None:
        raise GivesUp("The login is gone.")
    utility = session.get_one(Utility, login.utility_id)
    record = people.record(session, login.customer_id) if login.customer_id else people.Record({}, 0)
    at = datetime.fromtimestamp(message.payload["at"], UTC).astimezone(ZoneInfo(utility.timezone))
    return Note(
        sender=utility.name,
        email=login.email or record.email,
        phone=record.phone,
        language=login.language or record.language,
        values={
            "utility": utility.name, "what": message.payload["what"], "at": at, "phone": Portal.of(utility).phone,
        },
    )  # fmt: skip


def _told_email(session: Session, digest: bytes) -> None:
    session.execute(update(EmailLink).where(EmailLink.digest == digest).values(sealed=None))


def _told(session: Session, digest: bytes) -> None:
    """It has left: only she knows the link now."""
    session.execute(update(LoginLink).where(LoginLink.digest == digest).values(sealed=None))
