"""Problems with a company that a customer reports to her utility: each is a case with a number (UC1.4).

She tells it in her own words and may add to them, the utility answers in its own, and all of it stays together in its
order, closed at rest. A number is short enough to say on the telephone and too long to guess; still it opens nothing:
only she and the utility see a case. It ends with an outcome, and outcomes are all that other customers are told,
counted by company; that somebody complained is nobody's to know.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.access import audit
from espi_server.accounts.models import Customer, Utility
from espi_server.at_rest import PersonalJson
from espi_server.db import PII, Base, Code, Id, Seconds, add_if_new
from espi_server.errors import BadRequest, Conflict, NotFound, TooManyRequests
from espi_server.notify import outbox

OPEN: Final = "open"
ANSWERED: Final = "answered"
CLOSED: Final = "closed"
STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    OPEN: (OPEN, ANSWERED, CLOSED),
    ANSWERED: (OPEN, ANSWERED, CLOSED),
    CLOSED: (),
}
"""What she adds opens it again, so that it stands among those somebody has to answer."""
TOPICS: Final = ("stranger", "more", "still", "untrue", "other")
"""What it is about: a company she does not know, one that takes more than she said, goes on after she stopped it, told
her what is not true, or anything else."""

UPHELD, NOT_UPHELD, UNCLEAR, WITHDRAWN = "upheld", "not-upheld", "unclear", "withdrawn"
OUTCOMES: Final = (UPHELD, NOT_UPHELD, UNCLEAR, WITHDRAWN)
"""What came of it: the company did wrong, it did not, nobody can tell, or she took it back."""
FOUND: Final = (
    UPHELD,
    NOT_UPHELD,
    UNCLEAR,
)  # what the utility found out; of these others are told the number

CUSTOMER: Final = "customer"
UTILITY: Final = "utility"
FORWARDED: Final = "forwarded"
LETTERS: Final = ("case.opened", "case.answered", "case.forwarded", "case.closed")
LONGEST: Final = 4_000  # characters of what is said at once
A_DAY: Final = 10  # cases of one customer, and what she adds to one of them
PUBLISHED: Final = 730 * 86_400  # seconds for which an outcome is told to other customers
_DAY = 86_400
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is read as another
_NUMBER = re.compile("C-[0-9A-Z]{4}-[0-9A-Z]{4}")
_TRIES = 20


class Case(Base):
    """A reported problem. `said` lists who said what and when, `language` is the one she wrote in.

    A line of `said` may have a `step` beside its words: what the utility did then, such as `forwarded` or `closed`.
    """

    __tablename__ = "problem_case"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    customer_id: Mapped[Id] = mapped_column(ForeignKey("customer.id"))
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id"))
    number: Mapped[Code]
    topic: Mapped[Code]
    state: Mapped[Code]
    language: Mapped[Code]
    said: Mapped[Any] = mapped_column(PersonalJson("problem_case.said"), info=PII)
    opened_at: Mapped[Seconds]
    updated_at: Mapped[Seconds]
    closed_at: Mapped[Seconds | None]
    outcome: Mapped[Code | None]

    __table_args__ = (
        UniqueConstraint("utility_id", "number"),
        Index(None, "utility_id", "closed_at"),
        Index(None, "utility_id", "state", "opened_at"),
        Index(None, "customer_id", "opened_at"),
    )


class BadWords(BadRequest):
    """Say in 1 to 4,000 characters what happened."""


class TooMany(TooManyRequests):
    """Ten problems were reported for this customer within a day. Call us about the next one."""


class TooMuch(TooManyRequests):
    """You have added to this case ten times today. Add more tomorrow, or call us."""


class IsClosed(Conflict):
    """This case is closed. What comes up anew is another case."""


@dataclass(frozen=True)
class Outcomes:
    """How many cases about a company were closed with something found out, and in how many it had done wrong."""

    closed: int = 0
    upheld: int = 0


NO_OUTCOMES: Final = Outcomes()


def report(
    session: Session,
    utility_id: uuid.UUID,
    customer_id: uuid.UUID,
    application_id: uuid.UUID,
    *,
    topic: str,
    text: str,
    language: str,
) -> Case:
    """A new case of this customer about this company; she gets a letter with its number."""
    words = checked(text)
    if topic not in TOPICS:
        raise BadRequest(f"The topic is one of {', '.join(TOPICS)}.")
    _check_flood(session, customer_id)
    now = clock.seconds()
    values = {
        "utility_id": utility_id, "customer_id": customer_id, "application_id": application_id, "topic": topic,
        "state": OPEN, "language": language, "said": [line(CUSTOMER, words)], "opened_at": now, "updated_at": now,
    }  # fmt: skip
    case = _numbered(session, values)
    actor = f"customer:{customer_id}"
    detail = {"application": application_id, "customer": customer_id, "topic": topic}
    told(session, case, "case.opened", actor, **detail)
    return case


def add(session: Session, case: Case, text: str) -> None:
    """She says more. The same words twice in a row are one press of a button too many, and are kept once."""
    words = checked(text)
    hold(session, case)
    last = case.said[-1]
    if case.state != CLOSED and (last["by"], last["text"]) == (CUSTOMER, words):
        return
    today = [each for each in case.said[1:] if each["by"] == CUSTOMER and each["at"] > clock.seconds() - _DAY]
    if len(today) >= A_DAY:
        raise TooMuch()
    step(session, case, OPEN, line(CUSTOMER, words))
    _record(session, case, "case.added", f"customer:{case.customer_id}")


def answer(session: Session, case: Case, text: str, *, by: str) -> None:
    """The utility says something; she is told that it did. `IsClosed` where it is over."""
    hold(session, case)
    step(session, case, ANSWERED, line(UTILITY, checked(text)))
    told(session, case, "case.answered", by)


def close(session: Session, case: Case, text: str = "", *, outcome: str, by: str) -> None:
    """It is over, with or without a last word, and this came of it."""
    if outcome not in OUTCOMES:
        raise BadRequest(f"The outcome is one of {', '.join(OUTCOMES)}.")
    hold(session, case)
    step(session, case, CLOSED, line(UTILITY, checked(text) if text else "", CLOSED))
    case.closed_at, case.outcome = clock.seconds(), outcome
    told(session, case, "case.closed", by, outcome=outcome)


def outcomes(session: Session, utility_id: uuid.UUID) -> dict[uuid.UUID, Outcomes]:
    """What came of the cases that were closed in the last two years, by application."""
    lately = (Case.utility_id == utility_id, Case.closed_at > clock.seconds() - PUBLISHED)
    upheld = func.count().filter(Case.outcome == UPHELD)
    counted = (
        select(Case.application_id, func.count(), upheld)
        .where(*lately, Case.outcome.in_(FOUND))
        .group_by(Case.application_id)
    )
    return {id: Outcomes(closed, wrong) for id, closed, wrong in session.execute(counted)}


def of_customer(session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID) -> list[Case]:
    """Her cases, the newest first."""
    mine = (Case.utility_id == utility_id, Case.customer_id == customer_id)
    return list(session.scalars(select(Case).where(*mine).order_by(Case.opened_at.desc(), Case.id)))


def of_utility(session: Session, utility: Utility, state: str | None = None) -> list[Case]:
    """A utility's cases, the oldest first; those in one state where given."""
    chosen = select(Case).where(Case.utility_id == utility.id)
    if state is not None:
        chosen = chosen.where(Case.state == state)
    return list(session.scalars(chosen.order_by(Case.opened_at, Case.id)))


def find(session: Session, utility: Utility, number: str, customer_id: uuid.UUID | None = None) -> Case:
    """The case with this number, of this customer where given; `NotFound` for any other."""
    wanted = number.strip().upper()
    chosen = select(Case).where(Case.utility_id == utility.id, Case.number == wanted)
    if customer_id is not None:
        chosen = chosen.where(Case.customer_id == customer_id)
    found = session.scalar(chosen) if _NUMBER.fullmatch(wanted) else None
    if found is None:
        raise NotFound(f"{utility.name} has no case {number!r}. Numbers look like C-7F3K-9QXM.")
    return found


def _check_flood(session: Session, customer_id: uuid.UUID) -> None:
    session.execute(select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True))
    lately = (Case.customer_id == customer_id, Case.opened_at > clock.seconds() - _DAY)
    if (session.scalar(select(func.count()).select_from(Case).where(*lately)) or 0) >= A_DAY:
        raise TooMany()


def _numbered(session: Session, values: Mapping[str, Any]) -> Case:
    """The case under a number that nobody has."""
    for _ in range(_TRIES):
        id, letters = uuid.uuid4(), [secrets.choice(_LETTERS) for _ in range(8)]
        number = f"C-{''.join(letters[:4])}-{''.join(letters[4:])}"
        if add_if_new(session, Case, {**values, "id": id, "number": number}):
            return session.get_one(Case, id)
    raise TooMany()


def hold(session: Session, case: Case) -> None:
    """The case as it is now, for this transaction alone: of two who write at once both are heard, in an order."""
    session.flush()  # a refresh forgets what was changed and not written
    session.refresh(case, with_for_update={"key_share": True})


def step(session: Session, case: Case, state: str, *lines: Mapping[str, Any]) -> None:
    """What happens next in a case that is held; `IsClosed` where it is over."""
    if state not in STEPS[case.state]:
        raise IsClosed()
    case.state, case.updated_at = state, clock.seconds()
    case.said = [*case.said, *lines]


def checked(text: str) -> str:
    """What was said, without what a database cannot hold."""
    words = text.replace("\0", "").replace("\r\n", "\n").strip()
    if not 0 < len(words) <= LONGEST:
        raise BadWords()
    return words.encode("utf-8", "replace").decode()


def line(who: str, text: str, did: str = "") -> dict[str, Any]:
    """Who said what just now, and what was done with the case then."""
    return {"at": clock.seconds(), "by": who, "text": text} | ({"step": did} if did else {})


def told(session: Session, case: Case, act: str, actor: str, **detail: Any) -> None:
    """Write it down, and tell her; what was said stands in neither."""
    _record(session, case, act, actor, **detail)
    recipient = f"customer:{case.customer_id}"
    outbox.put(session, case.utility_id, act, recipient=recipient, payload={"case": str(case.id)})


def _record(session: Session, case: Case, act: str, actor: str, **detail: Any) -> None:
    audit.record(
        session, case.utility_id, act, actor=actor, subject=f"case:{case.id}", number=case.number, **detail
    )
