"""Whoever fails to show who they are waits, longer each time. Counted in the database, for all workers together.

A failure counts twice: for the name at the place it was tried from, and for the place, whatever the name. Whoever
succeeded at a place lately does not wait there for what others fail.

Nothing counts for a name at every place, else anybody could keep a company out by failing in its name; but where people
choose passwords (`guessed`), a crowd of places shall not guess for ever, either: from a hundred failures on, strangers
wait together (NIST SP 800-63B-4, 3.2.2). Who is at a place where the name succeeded lately is no stranger, and callers
give other signs of it a place of their own.

Who has to wait is told so before anything is looked at, so a right secret is no answer either, and a name nobody has
waits like any other. Where the counts cannot be read or written, nobody gets in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.db import Base, Compiled, Database, Digest, Seconds
from espi_server.errors import TooManyRequests

HOUR: Final = 3600
DAY: Final = 24 * HOUR
KNOWN: Final = 30 * DAY  # how long a success at a place is remembered

_INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Attempts(Base):
    """Failures in a row of one name at one place, or of a place; `digest` is that of both, or of the place."""

    __tablename__ = "attempts"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[Seconds]
    succeeded_at: Mapped[Seconds]


class Waits(TooManyRequests):
    """Too many attempts failed. Wait as long as Retry-After says; until then nothing is looked at."""


class StrangersWait(Waits):
    """Too many attempts failed in this name at many places. Until Retry-After nobody is let in where it never was."""


@dataclass(frozen=True)
class Limit:
    """From the failure number `free` on, the wait doubles from a second to `longest`; `memory` seconds forget all."""

    free: int
    longest: int
    memory: int

    def wait(self, failures: int) -> int:
        """Seconds to wait after so many failures in a row."""
        return min(self.longest, 1 << min(failures - self.free, 30)) if failures >= self.free else 0


OWN: Final = Limit(free=5, longest=300, memory=DAY)
PLACE: Final = Limit(free=50, longest=300, memory=HOUR)
STRANGERS: Final = Limit(free=100, longest=HOUR, memory=DAY)


@dataclass(frozen=True)
class Tried:
    """Somebody says to be `name` for some purpose, from a place: an address, of IPv6 its network.

    `guessed`: it is a secret people think of, so that strangers' failures count together.
    """

    purpose: str
    name: str
    place: str
    guessed: bool = False

    @cached_property
    def own(self) -> bytes:
        """What this name at this place is counted by."""
        return _digest(self.purpose, self.place, self.name)

    @cached_property
    def anywhere(self) -> bytes:
        """What the place is counted by, whatever the name."""
        return _digest(self.purpose, self.place)

    @cached_property
    def strangers(self) -> bytes:
        """What the name is counted by at all places together."""
        return _digest(f"{self.purpose}, everywhere", self.name)


@dataclass(frozen=True)
class Standing:
    """What is known of a name at a place: failures in a row, and when it last succeeded (0: never)."""

    failures: int = 0
    succeeded_at: int = 0


class Throttle:
    """The counts of one installation."""

    def __init__(self, database: Database) -> None:
        chosen = select(Attempts.digest, Attempts.failures, Attempts.failed_at, Attempts.succeeded_at)
        wanted = Attempts.digest.in_([bindparam(each) for each in ("own", "anywhere", "strangers")])
        self._database = database
        self._look_up = Compiled(chosen.where(wanted), database.engine)

    def check(self, tried: Tried) -> Standing:
        """Where this name stands; `Waits` says for how long it may not even try. One statement by primary key."""
        now = clock.seconds()
        with self._database.driver() as driver:
            keys = {"own": tried.own, "anywhere": tried.anywhere, "strangers": tried.strangers}
            rows = self._look_up.rows(driver, **keys)
        found = {bytes(digest): (int(failures), int(at), int(well)) for digest, failures, at, well in rows}
        failures, failed_at, succeeded_at = found.get(tried.own, (0, 0, 0))
        left = _left(OWN, failures, failed_at, now)
        is_stranger = succeeded_at <= now - KNOWN
        if not left and is_stranger:
            left = _left(PLACE, *found.get(tried.anywhere, (0, 0))[:2], now)
        if left:
            raise Waits(headers={"Retry-After": str(left)})
        together = _left(STRANGERS, *found.get(tried.strangers, (0, 0))[:2], now) if tried.guessed else 0
        if together and is_stranger:
            raise StrangersWait(headers={"Retry-After": str(together)})
        return Standing(failures if failed_at > now - OWN.memory else 0, succeeded_at)


def failed(session: Session, tried: Tried) -> None:
    """Count a failure, in the transaction that answers it."""
    # The place last: it is what transactions of several names have in common, so none waits holding it.
    _count(session, tried.own, OWN)
    if tried.guessed:
        _count(session, tried.strangers, STRANGERS)
    _count(session, tried.anywhere, PLACE)


def succeeded(session: Session, tried: Tried, standing: Standing) -> None:
    """Forget the name's failures at this place. Without any, that it succeeded is written down once a day."""
    now = clock.seconds()
    if standing.failures or standing.succeeded_at <= now - DAY:
        _put(
            session,
            {"digest": tried.own, "failures": 0, "failed_at": 0, "succeeded_at": now},
            {"failures": 0, "succeeded_at": now},
        )
    if tried.guessed and standing.succeeded_at <= now - KNOWN:
        mine = (Attempts.digest == tried.strangers, Attempts.failures > 0)
        session.execute(update(Attempts).where(*mine).values(failures=0))


def forget_old(database: Database) -> None:
    """Delete counts that mean nothing any more."""
    now = clock.seconds()
    with database.writing() as session:
        session.execute(
            delete(Attempts).where(Attempts.failed_at < now - DAY, Attempts.succeeded_at < now - KNOWN)
        )


def _count(session: Session, digest: bytes, limit: Limit) -> None:
    now = clock.seconds()
    is_over = Attempts.failed_at <= now - limit.memory
    _put(
        session,
        {"digest": digest, "failures": 1, "failed_at": now, "succeeded_at": 0},
        {"failures": case((is_over, 1), else_=Attempts.failures + 1), "failed_at": now},
    )


def _put(session: Session, row: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
    """Insert the row, or change the one that is there: one statement, however many do so at once."""
    insert = _INSERT[session.get_bind().dialect.name](Attempts).values(**row)
    session.execute(insert.on_conflict_do_update(index_elements=[Attempts.digest], set_=dict(changed)))


def _left(limit: Limit, failures: int, failed_at: int, now: int) -> int:
    """Seconds that are left of a wait; a clock that was set back makes it no longer than it is."""
    if failed_at <= now - limit.memory:
        return 0
    wait = limit.wait(failures)
    return max(0, min(failed_at + wait - now, wait))


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
