"""Batches that were asked for and are prepared: finding, asking, and serving them, and letting them go.

What is served is decided when it is fetched. The request passes the guard and is measured like any other; bytes that
were prepared go out if they are what would be written now. They lie in the database, where every server and worker
of an installation reaches them, sealed under the installation's secret and as gzip.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit
from espi_server.access.keys import NoSecret
from espi_server.access.models import Application, Authorization, PreparedBatch, PreparedPart
from espi_server.db import Database, add_if_new
from espi_server.energy.feed import Feed, FeedChanged
from espi_server.errors import TooManyRequests
from espi_server.espi.atom import Link
from espi_server.espi.stream import promised
from espi_server.jobs.bell import BELL
from espi_server.jobs.leases import DONE, DUE, FINISHED

PART: Final = 512 * 1024
WAITING: Final = 200  # batches one application may wait for at once
PAUSE: Final = 5  # seconds until it is worth asking again
_PURPOSE = b"espi_server: prepared batches, 1"
_NONCE = 12
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Wanted:
    """A batch as a company asks for it; `form` is xml, json or csv."""

    utility_id: uuid.UUID
    application_id: uuid.UUID
    authorization_id: uuid.UUID | None
    bulk_id: str | None
    path: str
    query: str
    form: str

    def fingerprint(self, key: bytes) -> bytes:
        """The same for the same request, whichever token makes it; another secret finds nothing of the former."""
        said = "\n".join(map(str, vars(self).values()))
        return hmac.digest(key, said.encode(), "sha256")


def key_of(secret: str) -> bytes:
    """The key that seals prepared batches, made from the installation's secret."""
    if not secret:
        raise NoSecret()
    return HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(secret.encode())


def find(session: Session, wanted: Wanted, key: bytes) -> PreparedBatch | None:
    """The batch, if it was asked for."""
    return session.scalar(select(PreparedBatch).where(PreparedBatch.fingerprint == wanted.fingerprint(key)))


def ask(session: Session, wanted: Wanted, key: bytes, *, instead_of: PreparedBatch | None = None) -> None:
    """Have it prepared, once however many ask; `instead_of` is what is not right any more."""
    if instead_of is not None:
        session.execute(delete(PreparedBatch).where(PreparedBatch.id == instead_of.id))
    _check_room(session, wanted)
    now = clock.seconds()
    values = {
        **vars(wanted), "id": uuid.uuid4(), "fingerprint": wanted.fingerprint(key), "asked_at": now, "measured_at": 0,
        "tag": "", "opened": "", "updated": 0, "entries": 0, "plain_size": 0, "gzip_size": 0, "state": DUE,
        "attempts": 0, "next_attempt_at": now,
    }  # fmt: skip
    if add_if_new(session, PreparedBatch, values):
        _record(session, wanted, values["id"])
    BELL.after(session)


def _record(session: Session, wanted: Wanted, id: Any) -> None:
    application = session.get_one(Application, wanted.application_id)
    audit.record(
        session, wanted.utility_id, "batch.asked", actor=f"client:{application.client_id}", subject=f"batch:{id}",
        application=application.id, authorization=wanted.authorization_id, bulk=wanted.bulk_id, path=wanted.path,
        query=wanted.query, form=wanted.form,
    )  # fmt: skip


def _check_room(session: Session, wanted: Wanted) -> None:
    mine = (PreparedBatch.application_id == wanted.application_id, PreparedBatch.state.not_in(FINISHED))
    if (session.scalar(select(func.count()).select_from(PreparedBatch).where(*mine)) or 0) >= WAITING:
        raise TooManyRequests(
            f"{WAITING} batches are being prepared for this application. Fetch those before you ask for more.",
            headers={"Retry-After": str(PAUSE)},
        )


def is_right(row: PreparedBatch, feed: Feed, tag: str, untold: int) -> bool:
    """May these bytes answer a request that measures `feed`, whose state in this form is `tag`, now?

    They may if they are what would be written now. They also may if the same is open to the same extent and they
    show how it was less than `untold` seconds ago: of what changed since, nobody can have been told yet, so it will
    be told after this answer. Else who imports all the time would have everybody wait for ever.
    """
    if row.state != DONE:
        return False
    is_recent = clock.seconds() < row.measured_at + untold
    return row.tag == tag or (is_recent and row.opened == opened_by(feed))


def opened_by(feed: Feed) -> str:
    """A digest of whose data a feed shows and to what extent, whatever they are."""
    points = (f"{each.subscription} {each.id} {each.rights.digest}\n" for each in feed.measured.points)
    return hashlib.sha256("".join(points).encode()).hexdigest()


def forget(session: Session, authorization: Authorization) -> None:
    """Let go of everything that was prepared with data of this authorization, at once."""
    of_bulk = and_(
        PreparedBatch.application_id == authorization.application_id,
        PreparedBatch.bulk_id == authorization.bulk_id,
    )
    holds = or_(PreparedBatch.authorization_id == authorization.id, of_bulk)
    session.execute(delete(PreparedBatch).where(holds).execution_options(synchronize_session=False))


def forget_old(database: Database, kept: int) -> None:
    """Let go of what was finished so many seconds ago."""
    with database.writing() as session:
        session.execute(delete(PreparedBatch).where(PreparedBatch.finished_at <= clock.seconds() - kept))


def seal(key: bytes, batch: uuid.UUID, attempt: int, number: int, body: bytes) -> PreparedPart:
    """A part as it is kept; it opens at this very place only."""
    nonce = secrets.token_bytes(_NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, body, _place(batch, attempt, number))
    return PreparedPart(batch_id=batch, attempt=attempt, number=number, body=sealed)


def _place(batch: uuid.UUID, attempt: int, number: int) -> bytes:
    return b"%s %d %d" % (batch.bytes, attempt, number)


class Prepared:
    """What was prepared, for whoever sends it: the counterpart of the feed that was measured to see that it is right.

    An authorization that ends in mid-download, or a batch that is let go, breaks it off before its length.
    """

    links: tuple[Link, ...] = ()

    def __init__(self, database: Database, key: bytes, row: PreparedBatch, feed: Feed) -> None:
        self._database, self._key, self._row, self._feed = database, key, row, feed
        self.state, self.updated, self.entries = row.tag, row.updated, row.entries

    def length(self, encoding: str) -> int:
        """The exact length in bytes, as `gzip` or `identity`."""
        return self._row.gzip_size if encoding == "gzip" else self._row.plain_size

    def body(self, encoding: str) -> tuple[int, Generator[bytes, None, None]]:
        """The same, and the bytes."""
        parts = self._parts() if encoding == "gzip" else _plain(self._parts())
        length = self.length(encoding)
        return length, promised(parts, length)

    def _parts(self) -> Iterator[bytes]:
        row, left, number = self._row, self._row.gzip_size, 0
        while left > 0:
            if number:
                self._feed.check_still_open()
            part = self._part(row.id, row.attempts, number)
            yield part
            left -= len(part)
            number += 1

    def _part(self, batch: uuid.UUID, attempt: int, number: int) -> bytes:
        with self._database.reading() as session:
            found = session.get(PreparedPart, (batch, attempt, number))
        if found is None:
            raise FeedChanged()
        nonce, sealed = found.body[:_NONCE], found.body[_NONCE:]
        return AESGCM(self._key).decrypt(nonce, sealed, _place(batch, attempt, number))


def _plain(parts: Iterator[bytes]) -> Iterator[bytes]:
    by = zlib.decompressobj(31)
    for part in parts:
        while part:
            yield by.decompress(part, _CHUNK)
            part = by.unconsumed_tail
    yield by.flush()
