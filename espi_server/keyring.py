"""The keys under which personal fields are kept: made from the installation's secret, one for each purpose.

What is closed begins with a byte that names this form and five that name its key. So a secret can be replaced: the
new one closes, the older ones still open, until `espi-server keys reencrypt` has closed everything anew.
"""

from __future__ import annotations

import logging
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from espi_server.errors import Internal
from espi_server.settings import DEVELOPMENT_SECRET, Settings

_log = logging.getLogger("espi_server.keyring")
_FORM: Final = b"\x01"
_NAME = 5  # bytes of a key's name: with the form's byte, eight letters of base64
_HEAD = len(_FORM) + _NAME
_NONCE = 12


class CannotOpen(Internal):
    """A part of these data cannot be opened here. The request id and the log help the operator find out why."""

    def __init__(self, place: str, why: str) -> None:
        _log.error("%s cannot be opened: %s", place, why)
        super().__init__()


class _Key:
    """One secret's keys: what closes records, what closes values that are looked for, and the name of both."""

    def __init__(self, secret: str) -> None:
        self.name = _FORM + _made(secret, "the name of its keys", _NAME)
        self.records = AESGCM(_made(secret, "personal records", 32))
        self.values = AESSIV(_made(secret, "personal values", 64))


class Keyring:
    """What closes now, and what opens whatever was closed before.

    `place` says where a field stands. What was closed for one place does not open at another.
    """

    def __init__(self, secret: str, *older: str) -> None:
        self.secrets = (secret, *older)
        self._keys = [_Key(each) for each in self.secrets]
        self._by_name = {key.name: key for key in self._keys}

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        """The keyring of an installation. Production never starts without a secret; a laptop may."""
        return cls(settings.secret_key or DEVELOPMENT_SECRET, *settings.older_secrets)

    def seal(self, record: bytes, place: str) -> bytes:
        """Close a record: AES-256-GCM with a random nonce, so equal records do not look alike."""
        key, nonce = self._keys[0], secrets.token_bytes(_NONCE)
        return key.name + nonce + key.records.encrypt(nonce, record, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed for this place; CannotOpen for anything else."""
        key = self._named(sealed, place)
        nonce, body = sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        try:
            return key.records.decrypt(nonce, body, place.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen(place, "it is not what was written there") from error

    def cover(self, value: str, place: str, age: int = 0) -> str:
        """Close a value that can be looked for: AES-256-SIV, the same each time, so a database can compare it.

        `age` counts back through the older secrets; beyond the last it stays at that one.
        """
        key = self._keys[min(age, len(self._keys) - 1)]
        return urlsafe_b64encode(key.name + key.values.encrypt(value.encode(), [place.encode()])).decode()

    def uncover(self, covered: str, place: str) -> str:
        """What was covered for this place; CannotOpen for anything else."""
        try:
            whole = urlsafe_b64decode(covered)
            return self._named(whole, place).values.decrypt(whole[_HEAD:], [place.encode()]).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotOpen(place, "it is not what was written there") from error

    def is_current(self, closed: bytes | str) -> bool:
        """Is this closed under the secret that closes now?"""
        name = self._keys[0].name
        if isinstance(closed, bytes):
            return closed.startswith(name)
        return closed.startswith(urlsafe_b64encode(name).decode())

    def _named(self, closed: bytes, place: str) -> _Key:
        key = self._by_name.get(closed[:_HEAD])
        if key is None:
            raise CannotOpen(place, "no secret this server knows has closed it")
        return key


def is_sealed(value: bytes) -> bool:
    """Has this the form of something closed?"""
    return value[:1] == _FORM and len(value) > _HEAD + _NONCE


def _made(secret: str, purpose: str, length: int) -> bytes:
    info = f"espi_server: {purpose}, 1".encode()
    return HKDF(SHA256(), length, salt=None, info=info).derive(secret.encode())


DEVELOPMENT = Keyring(DEVELOPMENT_SECRET)
"""For a laptop and for tests; every entry point hands in its installation's own."""
