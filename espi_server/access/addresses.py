"""Where a utility is reached from outside: the one public base from which every href and issuer follows."""

from __future__ import annotations

from espi_server.espi import paths


def public_base(base_url: str | None, code: str, installation: str) -> str:
    """A utility's own address, or the installation's followed by the utility's code."""
    return base_url or f"{installation}/{code}"


def resource_base(base_url: str | None, code: str, installation: str) -> str:
    """The address below which the utility's ESPI resources stand."""
    return public_base(base_url, code, installation) + paths.RESOURCE
