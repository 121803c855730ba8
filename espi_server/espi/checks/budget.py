"""How much work a document may make. A small file can ask for much: a million empty entries are eight megabytes."""

from __future__ import annotations

import time

from espi_server.espi.incoming import DocumentError


class TooMuchWork(DocumentError):
    """Judging this document takes too long."""


class Budget:
    """Seconds of this thread's own processor time, from now on; None is without end.

    Not the clock on the wall: what other threads do must not decide what is said of a file.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._end = None if seconds is None else time.thread_time() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self._end is not None and time.thread_time() > self._end

    def check(self) -> None:
        """Raise `TooMuchWork` where nothing is left."""
        if self.is_spent:
            raise TooMuchWork(
                f"Too much work: judging this file takes more than {self._seconds:g} seconds, so it was left there. "
                "Send it in parts, or judge it on your own machine with `espi-server validate`."
            )
