"""What people are told: customers of their authorizations, a company's people of a server that does not answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import cases, closing, companies, expiring, followers, grants
from espi_server.access.announcing import destination
from espi_server.access.models import Application, Authorization, ConsentRecord
from espi_server.access.opening import PRODUCTION
from espi_server.access.people import record
from espi_server.accounts.models import Login, ServiceAgreement, Utility
from espi_server.espi.scope import Scope
from espi_server.espi.tables import DataClass
from espi_server.jobs.worker import GivesUp
from espi_server.notify import outbox, warning
from espi_server.notify.letters import LANGUAGES, Compose, Note
from espi_server.notify.models import Endpoint
from espi_server.notify.sending import Message, Moot


def composers() -> Mapping[str, Compose]:
    """Every kind of message to people, and who knows what it says."""
    return {
        "authorization.granted": consent,
        "authorization.waiting": consent,
        "authorization.changed": consent,
        "authorization.shortened": consent,
        expiring.GOES_ON: consent,
        "authorization.ended": consent,
        closing.NARROWED: agreements,
        closing.MOVED: agreements,
        **dict.fromkeys((followers.PAUSED, followers.RESUMED), standing),
        followers.DESCRIBED: described,
        **dict.fromkeys(cases.LETTERS, case),
        expiring.KIND: ahead,
        expiring.LAPSING: ahead,
        warning.FAILING: unanswered,
        warning.PARKED: unanswered,
    }


def consent(session: Session, message: Message) -> Note:
    """What an authorization opens, to whom, until when, and when and why it ended."""
    row = session.get(Authorization, uuid.UUID(message.payload["authorization"]))
    if row is None or row.customer_id is None:
        raise GivesUp("The authorization is gone, or it is no customer's.")
    utility = session.get_one(Utility, row.utility_id)
    application = session.get_one(Application, row.application_id)
    person = record(session, row.customer_id)
    classes = Scope.parse(row.scope).classes
    kept = session.get(ConsentRecord, row.consent_record_id) if row.consent_record_id else None
    zone = ZoneInfo(utility.timezone)
    return Note(
        sender=utility.name,
        email=_login(session, row.customer_id) or person.email,
        phone=person.phone,
        # The receipt is in the language of the page she said yes on.
        language=kept.language if kept else _language(session, row.customer_id) or person.language,
        values={
            "company": application.name,
            "utility": utility.name,
            "record": kept.shown.splitlines() if kept else [],
            "waits": _day(expiring.over_at(row) if row.waits_until else row.starts_at, zone),
            "shared": [each.term for each in DataClass if each in classes],
            "given": _day(row.starts_at, zone),
            "until": _day(row.ends_at, zone) if row.ends_at < grants.OPEN_END else None,
            "ended": _day(row.ended_at or row.ends_at, zone),
            "reason": row.ended_reason or "",
            "still": session.scalar(_beside(row)) is not None,
        },
    )


def _beside(row: Authorization) -> Any:
    """What else of hers the company gets now."""
    same = (Authorization.customer_id == row.customer_id, Authorization.application_id == row.application_id)
    live = (Authorization.ended_at.is_(None), Authorization.ends_at > clock.seconds())
    begun = (Authorization.utility_id == row.utility_id, Authorization.waits_until.is_(None))
    return select(Authorization.id).where(*begun, *same, *live, Authorization.id != row.id).limit(1)


def agreements(session: Session, message: Message) -> Note:
    """The same, which of the agreements in it closed or changed, and who sells the energy now."""
    note = consent(session, message)
    ids = [uuid.UUID(each) for each in message.payload["agreements"]]
    of = select(ServiceAgreement.reference).where(ServiceAgreement.id.in_(ids)).order_by(ServiceAgreement.id)
    endings = sorted(each[-4:] for each in session.scalars(of))
    return replace(note, values={**note.values, "endings": endings, "lse": _seller(session, message)})


def _seller(session: Session, message: Message) -> str:
    """Who sells the energy now, by name where that company is here."""
    code = str(message.payload.get("lse", ""))
    return session.scalar(select(Utility.name).where(Utility.code == code)) or code


def standing(session: Session, message: Message) -> Note:
    """That her company is on hold, or is not any more, if that is still so."""
    _, application = _live(session, message)
    if (application.status == PRODUCTION) != (message.kind == followers.RESUMED):
        raise Moot("The company stands otherwise by now.")
    return consent(session, message)


def described(session: Session, message: Message) -> Note:
    """What her company says of itself by now, in her language where it does."""
    row, application = _live(session, message)
    if application.status != PRODUCTION:
        raise Moot("The company is out of service.")
    note = consent(session, message)
    told = companies.told(session.get_one(Utility, row.utility_id), application, note.language)
    now = {
        "use": told.use, "terms": told.terms, "terms_version": told.terms_version, "policy": told.policy,
    }  # fmt: skip
    return replace(note, values={**note.values, **now})


def _live(session: Session, message: Message) -> tuple[Authorization, Application]:
    row = session.get(Authorization, uuid.UUID(message.payload["authorization"]))
    if row is None or row.ended_at is not None:
        raise Moot("The authorization ended first.")
    return row, session.get_one(Application, row.application_id)


def case(session: Session, message: Message) -> Note:
    """Which case about which company was opened, answered or closed; what was said is on its page alone."""
    row = session.get_one(cases.Case, uuid.UUID(message.payload["case"]))
    utility = session.get_one(Utility, row.utility_id)
    person = record(session, row.customer_id)
    return Note(
        sender=utility.name,
        email=_login(session, row.customer_id) or person.email,
        phone=person.phone,
        language=row.language,
        values={
            "number": row.number,
            "company": session.get_one(Application, row.application_id).name,
            "utility": utility.name,
        },
    )


def ahead(session: Session, message: Message) -> Note:
    """The same before it runs out, if it still will then."""
    row = session.get(Authorization, uuid.UUID(message.payload["authorization"]))
    if row is None or not expiring.is_ahead(row, message.payload["ends_at"]):
        raise Moot("It ended before, or another day was agreed to.")
    return consent(session, message)


def unanswered(session: Session, message: Message) -> Note:
    """Which server of a company does not take messages, since when, and what was said last."""
    way, since = message.payload["way"], message.payload["since"]
    application = session.get_one(Application, uuid.UUID(message.payload["application"]))
    utility = session.get_one(Utility, message.utility_id)
    endpoint = session.get_one(Endpoint, outbox.endpoint_id(utility.id, f"{way}:{application.id}"))
    if message.kind == warning.FAILING and endpoint.failing_since != since:
        raise Moot("It answers again.")
    known = destination(session, application.id)
    address = (known.event_uri if way == outbox.EVENTS else known.notify_uri) if known else None
    people = _people(session, application)
    if not people:
        raise GivesUp("No mail address of this company's people is known. Tell them by other means.")
    return Note(
        sender=utility.name,
        email=people[0],
        others=people[1:],
        phone=None,
        language=LANGUAGES[0],
        values={
            "company": application.name,
            "utility": utility.name,
            "server": urlsplit(address or "").hostname or "",
            "since": _day(since, ZoneInfo(utility.timezone)),
            "reason": (endpoint.last_error or "").partition("\n")[0],
        },
    )


def _people(session: Session, application: Application) -> list[str]:
    """The mail addresses the company named at its registration, then those of its people's logins."""
    named = [each for each in application.information.get("contacts", []) if "@" in each]
    if application.asp_id is None:
        return named
    theirs = (Login.asp_id == application.asp_id, Login.status == "active", Login.email.is_not(None))
    logins = session.scalars(select(Login.email).where(*theirs).order_by(Login.created_at)).all()
    return list(dict.fromkeys([*named, *filter(None, logins)]))


def _login(session: Session, customer_id: uuid.UUID) -> str | None:
    """The address she signs in with; it was verified."""
    alive = (Login.customer_id == customer_id, Login.status == "active", Login.email.is_not(None))
    return session.scalar(select(Login.email).where(*alive).order_by(Login.created_at).limit(1))


def _language(session: Session, customer_id: uuid.UUID) -> str | None:
    """The language she chose for her pages."""
    alive = (Login.customer_id == customer_id, Login.status == "active", Login.language.is_not(None))
    return session.scalar(select(Login.language).where(*alive).order_by(Login.created_at).limit(1))


def _day(moment: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone)
