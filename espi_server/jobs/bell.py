"""The bell of a process: who leaves work for later rings it, so that idle workers need not look every moment.

What other processes leave is seen by the one look a second of `worker.Crew`.
"""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session


class Bell:
    """Wakes everybody who waits for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it rang so far; who asks before looking for work misses no ring while looking."""
        return self._rings

    def ring(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, heard: int, seconds: float) -> None:
        """Until it rang more than `heard` times, at most so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings > heard, seconds)

    def after(self, session: Session) -> None:
        """Ring once this session's work is committed, however often it is asked."""
        if _WAITING not in session.info:
            session.info[_WAITING] = True
            event.listen(session, "after_commit", self._committed)

    def _committed(self, session: Any) -> None:
        self.ring()


_WAITING = "bell"
BELL = Bell()
"""The one of this process."""
