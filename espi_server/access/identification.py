"""Who is meant? A company tells what it knows of a customer, and the utility finds her among its own, or does not.

The company never hears which: its request waits until she answers or its time is over.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy.orm import Session

from espi_server.accounts.models import Utility

Profile = Mapping[str, Any]
"""What a company knows: OpenID claim names (`address` holds such names again), or `login_hint` alone."""


class Identification(Protocol):
    """How an installation finds a customer by what a company knows of her."""

    def find(
        self, session: Session, utility: Utility, profile: Profile, application_id: uuid.UUID
    ) -> uuid.UUID | None:
        """The one customer of this utility whom this application's profile means; None for nobody, or for several."""
        ...

    def serves(self, utility: Utility) -> bool:
        """Can anybody be found at this utility at all?"""
        ...


class NobodyIsFound:
    """An installation that compares no profiles."""

    def find(
        self, session: Session, utility: Utility, profile: Profile, application_id: uuid.UUID
    ) -> uuid.UUID | None:
        """Nobody."""
        return None

    def serves(self, utility: Utility) -> bool:
        """No."""
        return False
