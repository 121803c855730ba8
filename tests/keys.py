"""A device that makes passkeys and uses them, in software: its answers are genuine.

device = keys.Device("https://data.example.org", "data.example.org")
made = device.makes(options)      # what a browser answers to `passkeys.registration`
shown = device.uses(options)      # and to `passkeys.question`
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

HERE, VERIFIED, HOLDS_KEY = 0x01, 0x04, 0x40


@dataclass
class Device:
    """One passkey of one host."""

    origin: str
    host: str
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    count: int = 0

    def makes(self, options: str) -> dict[str, Any]:
        """The answer to being asked for a new passkey."""
        client = self._client("webauthn.create", options)
        point = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})
        held = bytes(16) + len(self.id).to_bytes(2) + self.id + public
        data = self._data(HERE | VERIFIED | HOLDS_KEY) + held
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": _text(client), "attestationObject": _text(made), "transports": ["internal"],
        }  # fmt: skip
        return self._answer(response)

    def uses(self, options: str) -> dict[str, Any]:
        """The answer to being asked for it."""
        client = self._client("webauthn.get", options)
        self.count += 1
        data = self._data(HERE | VERIFIED)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": _text(client), "authenticatorData": _text(data), "signature": _text(signed),
            "userHandle": None,
        }  # fmt: skip
        return self._answer(response)

    def _answer(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": _text(self.id), "rawId": _text(self.id), "response": response, "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
        }  # fmt: skip

    def _client(self, kind: str, options: str) -> bytes:
        asked = json.loads(options)["challenge"]
        return json.dumps({"type": kind, "challenge": asked, "origin": self.origin}).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
