"""Certificates of clients: known by the SHA-256 of what stands in them (RFC 8705 3.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from urllib.parse import unquote

from espi_server.errors import Unreadable

_BEGIN = "-----BEGIN CERTIFICATE-----"


class NoCertificate(Unreadable):
    """This is no certificate: PEM, or base64 of DER, is."""


def thumbprint(text: str) -> bytes:
    """The SHA-256 of a certificate: PEM (nginx percent-encodes it) or base64 of DER (HAProxy; RFC 9440 in colons)."""
    text = unquote(text).strip()
    if text.startswith(":") and text.endswith(":"):
        text = text[1:-1]
    try:
        der = _of_pem(text) if text.startswith(_BEGIN) else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoCertificate() from error
    if not der:
        raise NoCertificate()
    return hashlib.sha256(der).digest()


def _of_pem(text: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(text)
