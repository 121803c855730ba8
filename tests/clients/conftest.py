"""The demo's households, for published clients to read."""

from __future__ import annotations

from tests.conformance.conftest import town
from tests.demo.prepared import prepared

__all__ = ["prepared", "town"]
