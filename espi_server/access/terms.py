"""The terms that bind a customer, her utility and the company she shares with: the utility's own, else the server's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from espi_server.access.addresses import public_base
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import Portal

PAGE: Final = "/account/terms"
"""The page of the server's own terms, below a utility's public address."""
VERSION: Final = "2026-11"
"""Which version of the server's own terms that page holds; other words are another version."""


@dataclass(frozen=True)
class Terms:
    """Where they stand, and which version of them is in force; empty where the utility named none of its own."""

    address: str
    version: str


def of(utility: Utility, installation: str) -> Terms:
    """The terms of this utility."""
    chosen = Portal.of(utility)
    if chosen.terms:
        return Terms(chosen.terms, chosen.terms_version)
    return Terms(public_base(utility.base_url, utility.code, installation) + PAGE, VERSION)
