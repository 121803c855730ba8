"""How much at once, and how much an hour: slow readers hold a thread each, and small requests need some left."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from espi_server.errors import TooManyRequests

PAUSE = 2  # seconds a client is asked to wait


class Turnstile:
    """Lets `total` feeds in at once, and `each` of one application; `words` are told to those who must wait."""

    def __init__(self, *, total: int, each: int, words: str | None = None) -> None:
        self._total = total
        self._each = each
        self._words = words
        self._inside: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def enter(self, application: Hashable) -> None:
        """Take a place; `TooManyRequests` with Retry-After where none is free."""
        with self._lock:
            if self._inside.total() >= self._total or self._inside[application] >= self._each:
                raise TooManyRequests(self._words, headers={"Retry-After": str(PAUSE)})
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


class Allowance:
    """Lets each address come `each` times an hour, by the watch of this process; `words` are told to the others.

    A bucket for each address fills by the hour. Of the addresses the latest ten thousand are remembered: who wants to
    be forgotten sooner needs more addresses than that.
    """

    def __init__(self, each: int, words: str, watch: Callable[[], float] = time.monotonic) -> None:
        self._each, self._words, self._watch = each, words, watch
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str) -> None:
        """Take one of what is left to this address; `TooManyRequests` with Retry-After where nothing is."""
        name, now = neighbourhood(address), self._watch()
        with self._lock:
            left, before = self._left.pop(name, (float(self._each), now))
            left = min(self._each, left + (now - before) * self._each / _HOUR)
            if left >= 1:
                self._remember(name, left - 1, now)
                return
            self._remember(name, left, now)
        wait = math.ceil((1 - left) * _HOUR / self._each)
        raise TooManyRequests(self._words, headers={"Retry-After": str(wait)})

    def _remember(self, name: str, left: float, now: float) -> None:
        self._left[name] = left, now
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)


_HOUR = 3_600
_REMEMBERED = 10_000


def neighbourhood(address: str) -> str:
    """The address itself, of IPv6 the /64: whoever has one has all of it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
