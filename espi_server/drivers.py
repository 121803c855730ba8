"""The driver's own connections for the hot path, on which each statement is a transaction by itself.

What an engine does around a connection (a question whether it lives, BEGIN, ROLLBACK, bookkeeping) costs a feed of
one day more than its statements: on PostgreSQL three round trips for each one that is meant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from sqlalchemy import Engine

TRUSTED = 5.0  # seconds for which an idle connection is believed to live


class Drivers:
    """The idle connections of one engine, the one used last on top."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._failure: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._idle: deque[tuple[Any, float]] = deque()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection for the time of a block. One on which something failed is not used again."""
        driver = self._take()
        try:
            yield driver
        except self._failure:
            driver.close()
            driver = None
            raise
        finally:
            if driver is not None:
                self._idle.append((driver, monotonic()))

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> Any:
        while True:
            try:
                driver, since = self._idle.pop()
            except IndexError:
                return self._open()
            if monotonic() - since < TRUSTED or self._lives(driver):
                return driver
            driver.close()

    def _open(self) -> Any:
        connection = self._engine.raw_connection()
        driver: Any = connection.driver_connection
        connection.detach()  # else the pool would take it back
        if self._engine.dialect.name == "postgresql":
            driver.rollback()
            driver.autocommit = True
        return driver

    def _lives(self, driver: Any) -> bool:
        """Has a connection that was idle survived the night?"""
        try:
            driver.execute("SELECT 1").fetchall()
        except self._failure:
            return False
        return True
