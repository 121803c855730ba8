"""A download driven by hand, in process: chunk by chunk through the whole application, with nothing in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from espi_server.app import create_app
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET, Settings
from tests.contract.stock import Opened


@dataclass
class Download:
    """An answer of which as much has been taken as the test asked for."""

    status: int
    length: int
    parts: Iterator[bytes]
    taken: list[bytes] = field(default_factory=list)
    _answer: Any = None

    @property
    def size(self) -> int:
        return sum(map(len, self.taken))

    def take(self, chunks: int) -> None:
        """So many more chunks, as a socket would ask for them."""
        for _ in range(chunks):
            self.taken.append(next(self.parts))

    def finish(self) -> bytes:
        """All the rest; the whole body."""
        self.taken.extend(self.parts)
        return b"".join(self.taken)

    def close(self) -> None:
        """What the server does when a download ends, however it ends."""
        self._answer.close()


def application(database: Database, **settings: Any) -> Flask:
    """The application over this database."""
    url = database.engine.url.render_as_string(hide_password=False)
    given = {
        "mode": "development",
        "database_url": url,
        "secret_key": DEVELOPMENT_SECRET,
        "log_level": "ERROR",
    }
    return create_app(Settings(**{**given, **settings}), database)


def start(app: Flask, opened: Opened, path: str | None = None, *, encoding: str = "identity") -> Download:
    """The download of a feed, begun."""
    answer = app.test_client().get(
        opened.path if path is None else path,
        headers={**opened.headers, "Accept-Encoding": encoding},
        buffered=False,
    )
    length = answer.content_length or 0
    return Download(answer.status_code, length, iter(answer.response), _answer=answer)
