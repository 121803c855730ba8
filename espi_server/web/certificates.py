"""The TLS certificate a client has shown to the proxy in front, in the header the settings name."""

from __future__ import annotations

from flask import request

from espi_server.access.oauth.certificates import NoCertificate, thumbprint
from espi_server.web.house import house


def presented() -> bytes | None:
    """The SHA-256 of this request's client certificate; None where there is none, or nobody to vouch for it."""
    name = house().settings.certificate_header
    text = request.headers.get(name) if name else None
    try:
        return thumbprint(text) if text else None
    except NoCertificate:
        return None
