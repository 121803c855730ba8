"""What has to wait in the database for a moment, closed for its very row: a code or a link on its way to a customer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from espi_server import at_rest
from espi_server.access.keys import NoSecret


def seal(session: Session, table: Any, row: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    """The values as the column `sealed` of this table keeps them; `row` is the row's key."""
    column = table.__table__.c.sealed
    return at_rest.seal(at_rest.keyring(session), column, row, json.dumps(values).encode())


def unseal(session: Session, table: Any, row: Mapping[str, Any], sealed: bytes) -> dict[str, Any]:
    """The values again; `CannotOpen` where they were closed for another row, or under an unknown secret."""
    column = table.__table__.c.sealed
    found: dict[str, Any] = json.loads(at_rest.opened(at_rest.keyring(session), column, row, sealed))
    return found


def derived(secret: str, purpose: bytes) -> bytes:
    """A key of 32 bytes for one purpose, made from the installation's secret."""
    if not secret:
        raise NoSecret()
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())
