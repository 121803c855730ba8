"""Browsers somebody signed in with before: the one cookie by which she is no stranger to her own name.

It holds which name it is for, closed by the installation's key, and opens nothing: who brings it is counted by
herself when a password is wrong, and a crowd that guesses elsewhere does not make her wait.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from espi_server import clock
from espi_server.accounts.signin import named
from espi_server.keyring import CannotOpen, Keyring

LIFETIME: Final = 180 * 86_400  # seconds


def cookie(keys: Keyring, utility_id: uuid.UUID, name: str) -> str:
    """What a browser is given that has signed in by this name."""
    said = [_digest(name), secrets.token_hex(16), clock.seconds() + LIFETIME]
    return urlsafe_b64encode(keys.seal(json.dumps(said).encode(), _place(utility_id))).decode()


def of(keys: Keyring, utility_id: uuid.UUID, name: str, given: str) -> str:
    """What such a browser is counted by, if this cookie is one of this name; else empty."""
    try:
        digest, browser, ends = json.loads(keys.open(urlsafe_b64decode(given), _place(utility_id)))
    except (CannotOpen, ValueError):
        return ""
    return str(browser) if digest == _digest(name) and ends > clock.seconds() else ""


def _digest(name: str) -> str:
    return hashlib.sha256(named(name).encode("utf-8", "surrogatepass")).hexdigest()


def _place(utility_id: uuid.UUID) -> str:
    return f"been here:{utility_id}"
