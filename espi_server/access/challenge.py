"""One-time codes: six digits on another way, by which a person confirms exactly what she was shown.

A code is bound to the digest of the request it confirms, to the utility, the person and the purpose; an edit voids it.
It lives ten minutes, is tried five times, sent three times a minute apart, and begun ten times a person and day. Every
try is counted and committed before anybody looks whether it is right, so neither a race nor an error gives one back.

sent = challenge.begin(session, means, subject, {"company": "Sun"})
match = challenge.check(database, means, subject, typed)          # has a transaction of its own
passed = challenge.accept(session, match, subject)                # in the transaction of what it confirms

What is kept is a slow hash under a key of the installation; the code itself waits sealed until the message has left.
"""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ForeignKey, Index, and_, delete, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.access import audit, contacts, sealing
from espi_server.access.contacts import CUSTOMER, TEXT, Contact, Means
from espi_server.accounts import hashing
from espi_server.accounts.models import Customer, Login
from espi_server.at_rest import Personal, Sealed
from espi_server.db import PII, RESTRICTED, Base, Code, Database, Digest, Id, Name, Seconds
from espi_server.errors import BadRequest, NotFound, TooManyRequests
from espi_server.notify import outbox

CONSENT: Final = "consent"
RATE_CHANGE: Final = "rate-change"
STAFF: Final = "staff"
SIGN_IN: Final = "sign-in"

LIFETIME: Final = 600  # seconds
TRIES: Final = 5
SENDS: Final = 3
PAUSE: Final = 60  # seconds between two sends
A_DAY: Final = 10
_DAY: Final = 86_400
_KEPT: Final = 7 * _DAY  # rows are counted for a day, and looked at for a week
_PEPPER: Final = b"espi_server: one-time codes, 1"
_DIGITS = re.compile("[0-9]{6}")


class Challenge(Base):
    """A code that was sent: what it confirms and whose it is, how often it was sent and tried, and how it ended.

    `reference` names the request, `digest` is that of its content, `person` is `customer:{id}` or `login:{id}`.
    `sealed` holds the code and where it goes until the message has left; `hash` is what stays of it. `ended` is
    passed, replaced, changed, or whatever ended the request.
    """

    __tablename__ = "challenge"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    purpose: Mapped[Code]
    person: Mapped[Name]
    reference: Mapped[Name]
    digest: Mapped[Digest]
    hash: Mapped[str] = mapped_column(info=RESTRICTED)
    sealed: Mapped[bytes | None] = mapped_column(Sealed("id"), info=PII)
    way: Mapped[Code]
    masked: Mapped[str] = mapped_column(Personal("challenge.masked"), info=PII)
    sends: Mapped[int]
    tries: Mapped[int]
    created_at: Mapped[Seconds]
    sent_at: Mapped[Seconds]
    expires_at: Mapped[Seconds] = mapped_column(index=True)
    ended_at: Mapped[Seconds | None]
    ended: Mapped[Code | None]

    __table_args__ = (
        Index(
            "uq_challenge_live",
            "utility_id",
            "purpose",
            "person",
            "reference",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "person", "created_at"),
    )


class NotSixDigits(BadRequest):
    """The code has six digits, as the message shows it."""


class WrongCode(BadRequest):
    """This is not the code that was sent."""


class CodeOver(NotFound):
    """There is no code to enter: its ten minutes passed, it was used, a newer one was sent, or the request changed."""


class TooManyTries(TooManyRequests):
    """Five wrong codes were entered, so this one is dead. Ask for a new one."""


class TooSoon(TooManyRequests):
    """A code was sent less than a minute ago. Wait for it, or ask again in a minute."""


class SentEnough(TooManyRequests):
    """This code was sent three times. Begin again."""


class EnoughForToday(TooManyRequests):
    """Ten codes were sent today. Tomorrow there can be more."""


@dataclass(frozen=True)
class Subject:
    """What a code confirms, and who: `reference` names the request, `digest` is the SHA-256 of what she was shown."""

    utility_id: uuid.UUID
    purpose: str
    person: str  # contacts.person(...)
    reference: str
    digest: bytes


@dataclass(frozen=True)
class Sent:
    """What a page may show of a code on its way."""

    way: str
    masked: str
    until: int
    sends_left: int
    again_at: int  # when another may be asked for


@dataclass(frozen=True)
class Match:
    """The right code was entered. It confirms nothing before it is accepted."""

    id: uuid.UUID
    number: int


@dataclass(frozen=True)
class Passed:
    """What is true about a confirmation, for the record of it. A code by mail or text message is no strong factor."""

    id: uuid.UUID
    way: str
    masked: str
    sent_at: int
    passed_at: int

    @property
    def amr(self) -> tuple[str, ...]:
        """RFC 8176."""
        return ("otp", "sms") if self.way == TEXT else ("otp",)


def begin(
    session: Session, means: Means, subject: Subject, values: Mapping[str, Any], *, way: str | None = None
) -> Sent:
    """Send a new code; an earlier one for the same request is dead. `values` are what the message tells beside it."""
    _alone(session, subject)
    now = clock.seconds()
    earlier = _live(session, subject)
    if earlier is not None and earlier.digest == subject.digest and now < earlier.sent_at + PAUSE:
        raise TooSoon(headers=_wait(earlier.sent_at + PAUSE - now))
    _check_day(session, subject, now)
    contact = contacts.chosen(session, means, subject.person, way)
    if earlier is not None:
        _end(earlier, "replaced")
        session.flush()
    row = Challenge(
        id=uuid.uuid4(), utility_id=subject.utility_id, purpose=subject.purpose, person=subject.person,
        reference=subject.reference, digest=subject.digest, way=contact.way, sends=0, tries=0, created_at=now,
    )  # fmt: skip
    return _send(session, means, row, contact, values)


def send_again(session: Session, means: Means, subject: Subject, values: Mapping[str, Any]) -> Sent:
    """Send another code the same way; the one before is dead. The tries that were made stay made."""
    _alone(session, subject)
    now = clock.seconds()
    row = _live(session, subject)
    if row is None or row.expires_at <= now or row.digest != subject.digest:
        raise CodeOver()
    if row.tries >= TRIES:
        raise TooManyTries()
    if row.sends >= SENDS:
        raise SentEnough()
    if now < row.sent_at + PAUSE:
        raise TooSoon(headers=_wait(row.sent_at + PAUSE - now))
    contact = contacts.chosen(session, means, subject.person, row.way)
    return _send(session, means, row, contact, values)


def on_its_way(session: Session, subject: Subject) -> Sent | None:
    """The code that was sent for this and can still be entered."""
    row = _live(session, subject)
    if row is None or row.expires_at <= clock.seconds() or row.tries >= TRIES or row.digest != subject.digest:
        return None
    return Sent(row.way, row.masked, row.expires_at, SENDS - row.sends, row.sent_at + PAUSE)


def check(database: Database, means: Means, subject: Subject, code: str) -> Match:
    """Is this the code? The try is counted and committed first, whatever comes after it."""
    typed = re.sub(r"[\s-]", "", code)
    if not _DIGITS.fullmatch(typed):
        raise NotSixDigits()
    with database.writing() as session:
        row = _counted(session, subject)
    if row is None:
        raise CodeOver()
    if row.tries > TRIES:
        raise TooManyTries()
    if not hashing.matches(row.hash, _peppered(means, row.id, subject.digest, typed)):
        if row.tries < TRIES:
            raise WrongCode(tries_left=TRIES - row.tries)
        with database.writing() as session:
            _record(session, subject, row.id, "failed", tries=TRIES)
        raise TooManyTries()
    return Match(row.id, row.sends)


def accept(session: Session, match: Match, subject: Subject) -> Passed:
    """The confirmation, once, in the transaction of what it confirms; `CodeOver` if anything changed meanwhile."""
    now = clock.seconds()
    fitting = (Challenge.id == match.id, Challenge.sends == match.number, Challenge.digest == subject.digest)
    done = session.execute(
        update(Challenge)
        .where(*_of(subject), *fitting, Challenge.expires_at > now)
        .values(ended_at=now, ended="passed", sealed=None)
        .returning(Challenge.way, Challenge.masked, Challenge.sent_at)
    ).first()
    if done is None:
        raise CodeOver()
    _record(session, subject, match.id, "passed", way=done.way)
    return Passed(match.id, done.way, done.masked, done.sent_at, now)


def end(session: Session, utility_id: uuid.UUID, purpose: str, reference: str, reason: str) -> None:
    """The request is over, so its code is."""
    live = (
        Challenge.utility_id == utility_id,
        Challenge.purpose == purpose,
        Challenge.reference == reference,
    )
    session.execute(
        update(Challenge)
        .where(*live, Challenge.ended_at.is_(None))
        .values(ended_at=clock.seconds(), ended=reason, sealed=None)
    )


def end_of(session: Session, persons: Sequence[str], reason: str) -> None:
    """All codes of these persons are over, whatever they were for."""
    session.execute(
        update(Challenge)
        .where(Challenge.person.in_(persons), Challenge.ended_at.is_(None))
        .values(ended_at=clock.seconds(), ended=reason, sealed=None)
    )


def waits(row: Challenge | None, number: int) -> bool:
    """Has this code still to be told?"""
    return (
        row is not None
        and row.ended_at is None
        and row.sealed is not None
        and row.sends == number
        and row.expires_at > clock.seconds()
    )


def told(session: Session, id: uuid.UUID, number: int) -> None:
    """It has left: nothing here can tell it any more."""
    session.execute(
        update(Challenge).where(Challenge.id == id, Challenge.sends == number).values(sealed=None)
    )


def forget_old(database: Database) -> None:
    """Wipe the codes that never left in time, and drop rows nobody counts any more."""
    now = clock.seconds()
    over = (Challenge.expires_at <= now, Challenge.sealed.is_not(None))
    uncounted = Challenge.expires_at <= now - _KEPT
    with database.reading() as session:
        if session.scalar(select(Challenge.id).where(and_(*over) | uncounted).limit(1)) is None:
            return
    with database.writing() as session:
        session.execute(update(Challenge).where(*over).values(sealed=None))
        session.execute(delete(Challenge).where(uncounted))


def _alone(session: Session, subject: Subject) -> None:
    """One at a time for a person: what is counted below stays counted. Another utility's customer is nobody."""
    kind, _, id = subject.person.partition(":")
    row: Any = Customer if kind == CUSTOMER else Login
    mine = row.utility_id == subject.utility_id
    if row is Login:
        mine = mine | Login.utility_id.is_(None)
    found = select(row.id).where(row.id == uuid.UUID(id), mine).with_for_update(key_share=True)
    if session.scalar(found) is None:
        raise NotFound(f"There is no such {kind} here.")


def _of(subject: Subject) -> tuple[Any, ...]:
    return (
        Challenge.utility_id == subject.utility_id,
        Challenge.purpose == subject.purpose,
        Challenge.person == subject.person,
        Challenge.reference == subject.reference,
        Challenge.ended_at.is_(None),
    )


def _live(session: Session, subject: Subject) -> Challenge | None:
    return session.scalar(select(Challenge).where(*_of(subject)))


def _check_day(session: Session, subject: Subject, now: int) -> None:
    today = (Challenge.person == subject.person, Challenge.created_at > now - _DAY)
    begun, first = session.execute(select(func.count(), func.min(Challenge.created_at)).where(*today)).one()
    if begun >= A_DAY:
        raise EnoughForToday(headers=_wait(first + _DAY - now))


def _send(
    session: Session, means: Means, row: Challenge, contact: Contact, values: Mapping[str, Any]
) -> Sent:
    code, now = f"{secrets.randbelow(10**6):06d}", clock.seconds()
    row.hash = hashing.hashed(_peppered(means, row.id, row.digest, code))
    held = {"code": code, "to": contact.address, "values": dict(values)}
    row.sealed = sealing.seal(session, Challenge, {"id": row.id}, held)
    row.masked, row.sends = contact.masked, row.sends + 1
    row.sent_at, row.expires_at = now, now + LIFETIME
    session.add(row)
    session.flush()
    outbox.put(
        session, row.utility_id, f"code.{row.purpose}", recipient=row.person,
        payload={"challenge": str(row.id), "number": row.sends}, urgent=True,
    )  # fmt: skip
    _record(session, row, row.id, "sent", way=row.way, reference=row.reference)
    return Sent(row.way, row.masked, row.expires_at, SENDS - row.sends, now + PAUSE)


def _record(session: Session, of: Subject | Challenge, id: uuid.UUID, what: str, **detail: Any) -> None:
    audit.record(
        session, of.utility_id, f"challenge.{what}", actor=audit.SERVER if what == "sent" else of.person,
        subject=f"challenge:{id}", purpose=of.purpose, **detail,
    )  # fmt: skip


def _counted(session: Session, subject: Subject) -> Any:
    """One more try at the live code, in one statement; a request that changed has none."""
    changed = (*_of(subject), Challenge.digest != subject.digest)
    session.execute(
        update(Challenge).where(*changed).values(ended_at=clock.seconds(), ended="changed", sealed=None)
    )
    return session.execute(
        update(Challenge)
        .where(*_of(subject), Challenge.expires_at > clock.seconds())
        .values(tries=Challenge.tries + 1)
        .returning(Challenge.id, Challenge.hash, Challenge.tries, Challenge.sends)
    ).first()


def _end(row: Challenge, reason: str) -> None:
    row.ended_at, row.ended, row.sealed = clock.seconds(), reason, None


def _peppered(means: Means, id: uuid.UUID, digest: bytes, code: str) -> bytes:
    key = sealing.derived(means.secret, _PEPPER)
    return hmac.digest(key, id.bytes + digest + code.encode(), "sha256")


def _wait(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(max(1, seconds))}
