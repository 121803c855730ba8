"""How many feeds may be open at once: slow readers hold a thread each, and small requests need some left."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from espi_server.errors import TooManyRequests

PAUSE = 2  # seconds a client is asked to wait


class Turnstile:
    """Lets `total` feeds in at once, and `each` of one application."""

    def __init__(self, *, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._inside: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def enter(self, application: Hashable) -> None:
        """Take a place; `TooManyRequests` with Retry-After where none is free."""
        with self._lock:
            if self._inside.total() >= self._total or self._inside[application] >= self._each:
                raise TooManyRequests(headers={"Retry-After": str(PAUSE)})
            self._inside[application] += 1

    def leave(self, application: Hashable) -> None:
        """Give the place back."""
        with self._lock:
            self._inside[application] -= 1
            if not self._inside[application]:
                del self._inside[application]

    @contextmanager
    def inside_for(self, application: Hashable) -> Iterator[None]:
        """A place for as long as the block takes."""
        self.enter(application)
        try:
            yield
        finally:
            self.leave(application)

    @property
    def inside(self) -> int:
        """How many feeds are open now."""
        with self._lock:
            return self._inside.total()
