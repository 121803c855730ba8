"""What a machine is told about the token it gets for itself."""

from __future__ import annotations

from typing import Any

from espi_server.access import tokens
from espi_server.access.addresses import resource_base
from espi_server.accounts.models import Utility
from espi_server.espi import paths


def answer(
    utility: Utility, kind: str, issued: str, scope: str, *, lifetime: int | None, installation: str
) -> dict[str, Any]:
    """The token answer of a machine (RFC 6749 5.1) with ESPI's addresses."""
    base = resource_base(utility.base_url, utility.code, installation)
    answer: dict[str, Any] = {
        "access_token": issued,
        "token_type": "Bearer",
        "expires_in": lifetime or tokens.LIFETIMES[kind],
    }
    if kind == "client":
        # PG&E's name for it, which its clients look for.
        answer |= {"client_access_token": issued, "authorizationURI": paths.authorizations(base)}
    return answer | {"scope": scope, "resourceURI": base}
