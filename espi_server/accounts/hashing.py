"""Slow hashes for what is short enough to be guessed: passwords, and codes of six digits (Argon2id).

One takes 64 MiB and up to a tenth of a second of several cores, so only a few are made at once in a process; who has
to wait too long is sent away, and nothing is taken for right meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from espi_server.errors import TooManyRequests

AT_ONCE: Final = 2
PATIENCE: Final = 5.0  # seconds somebody waits for a turn

_HASHER = PasswordHasher()  # RFC 9106, the second choice of its section 4: t=3, 64 MiB, p=4
_TURNS = threading.BoundedSemaphore(AT_ONCE)


def hashed(secret: bytes) -> str:
    """What is kept of a secret: it tells its own salt and costs."""
    with _turn():
        return _HASHER.hash(secret)


def matches(kept: str, secret: bytes) -> bool:
    """Is this the secret? What cannot be read as a hash matches nothing."""
    with _turn():
        try:
            return _HASHER.verify(kept, secret)
        except (VerificationError, InvalidHashError):
            return False


def is_stale(kept: str) -> bool:
    """Was it made at other costs than today's?"""
    try:
        return _HASHER.check_needs_rehash(kept)
    except InvalidHashError:
        return True


@contextmanager
def _turn() -> Iterator[None]:
    if not _TURNS.acquire(timeout=PATIENCE):
        raise TooManyRequests(headers={"Retry-After": "5"})
    try:
        yield
    finally:
        _TURNS.release()
