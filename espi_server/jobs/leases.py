"""Leasing rows: who works on a row holds it for a while, and says so again while it lasts.

Works on any table that is `Leased` (jobs, the outbox, the endpoints it speaks to).
A row is taken by an UPDATE that names the attempt it saw, so of two workers one has it, on SQLite and PostgreSQL
alike. The attempt's number is also the right to finish: who lost his lease to another changes nothing any more.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import clock
from espi_server.at_rest import Personal
from espi_server.db import PII, Code, Database, Seconds

DUE: Final = "due"
RUNNING: Final = "running"
DONE: Final = "done"
PARKED: Final = "parked"
"""Given up after so many tries; a person looks at it."""

FINISHED = frozenset({DONE, PARKED})


class Leased:
    """The columns of a table whose rows workers lease: `attempts` is the number of the present or last one."""

    state: Mapped[Code] = mapped_column(default=DUE)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[Seconds]
    lease_until: Mapped[Seconds | None]
    last_error: Mapped[str | None] = mapped_column(Personal("leased.last_error"), info=PII)


_MOST_WORDS = 2_000
_CANDIDATES = 8


Also = Callable[[Session, "Lease"], None]
"""What else is written in a transaction of a lease."""


class LeaseLost(Exception):
    """Another worker has this row now; what this one was about to say of it does not count."""


@dataclass(frozen=True)
class Lease:
    """One attempt at one row. `values` are the row's columns as they were when it was taken."""

    database: Database
    table: Any
    id: uuid.UUID
    attempt: int
    seconds: int
    values: dict[str, Any]

    def extend(self, **more: Any) -> None:
        """Hold it for another while, and write `more` into its columns. Raises LeaseLost."""
        self._write(lease_until=clock.seconds() + self.seconds, **more)

    def finish(self, words: str | None = None, also: Also | None = None, **more: Any) -> None:
        """It is done; `words` where there was nothing to do, `also` in the same transaction. Raises LeaseLost."""
        self._write(also, state=DONE, lease_until=None, last_error=words, **more)

    def again(self, words: str, wait: int, **more: Any) -> None:
        """It failed and is tried once more after `wait` seconds. Raises LeaseLost."""
        due = clock.seconds() + wait
        self._write(state=DUE, lease_until=None, next_attempt_at=due, last_error=words[:_MOST_WORDS], **more)

    def park(self, words: str, **more: Any) -> None:
        """It failed for good. Raises LeaseLost."""
        self._write(state=PARKED, lease_until=None, last_error=words[:_MOST_WORDS], **more)

    def give_back(self) -> None:
        """It was interrupted, which is nobody's failure: another worker may begin at once. Raises LeaseLost."""
        self._write(state=DUE, lease_until=None, next_attempt_at=clock.seconds(), attempts=self.attempt - 1)

    def _write(self, also: Also | None = None, **values: Any) -> None:
        rows = self.table.__table__
        mine = (rows.c.id == self.id, rows.c.attempts == self.attempt, rows.c.state == RUNNING)
        with self.database.writing() as session:
            done: Any = session.execute(update(rows).where(*mine).values(**values))
            if done.rowcount != 1:
                raise LeaseLost
            if also is not None:
                also(session, self)


def take(
    database: Database, table: Any, where: Any, seconds: int, *, among: int = _CANDIDATES
) -> Lease | None:
    """Lease the row that is due longest, for `seconds`; None where there is nothing to do.

    Due is what waits for its time, and what runs although its lease is over: its worker is gone. Of so many rows
    `among` which others take theirs at the same moment, one is taken.
    """
    rows = table.__table__  # without the mapper, which costs a sender of messages a third of its time
    for row in _due(database, rows, where, among):
        with database.writing() as session:
            taken: Any = session.execute(
                update(rows)
                .where(rows.c.id == row["id"], rows.c.attempts == row["attempts"], is_due(rows.c))
                .values(state=RUNNING, attempts=rows.c.attempts + 1, lease_until=clock.seconds() + seconds)
            )
        if taken.rowcount == 1:
            return Lease(database, table, row["id"], row["attempts"] + 1, seconds, row)
    return None


def _due(database: Database, rows: Any, where: Any, most: int) -> list[dict[str, Any]]:
    query = select(rows).where(is_due(rows.c), where).order_by(rows.c.next_attempt_at, rows.c.id)
    with database.reading() as session:
        return [dict(row._mapping) for row in session.execute(query.limit(most))]


def is_due(row: Any) -> Any:
    """True for rows that wait for a worker now; of a mapped table, or of the columns of one."""
    now = clock.seconds()
    waiting = and_(row.state == DUE, row.next_attempt_at <= now)
    abandoned = and_(row.state == RUNNING, row.lease_until <= now)
    return or_(waiting, abandoned)


def backoff(attempt: int, *, first: int = 10, longest: int = 6 * 3600) -> int:
    """Seconds to wait after a failed attempt: twice as long each time, and never for all rows the same."""
    wait = min(first << min(attempt - 1, 20), longest)
    return wait + random.randrange(wait // 4 + 1)
