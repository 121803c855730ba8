"""A customer's resources as they lie in the store: sealed, each for its own row. What energy was used is nobody's name.

Their `content` and `xml` are empty, and `sealed` holds the content; nothing of them goes out as it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from espi_server import at_rest
from espi_server.energy.models import Kind, Resource
from espi_server.espi.content import KINDS
from espi_server.keyring import Keyring

SEALED = Resource.__table__.c.sealed
_KINDS = frozenset(kind for kind in Kind if kind.name in KINDS and KINDS[kind.name].personal)


def is_personal(kind: int) -> bool:
    """Do resources of this kind tell of a person, as their declaration says?"""
    return kind in _KINDS


def stored(keys: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a resource as they go into the database; its keys are among them."""
    if not is_personal(row["kind"]):
        return {**row}
    record = json.dumps(row["content"], separators=(",", ":"), ensure_ascii=False).encode()
    return {**row, "content": {}, "xml": b"", "sealed": at_rest.seal(keys, SEALED, row, record)}


def content(keys: Keyring, row: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a stored row, which comes with its keys and `sealed`; CannotOpen where that is another row's."""
    if row["sealed"] is None:
        return dict(row["content"])
    found: dict[str, Any] = json.loads(at_rest.opened(keys, SEALED, row, row["sealed"]))
    return found
