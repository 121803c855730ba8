"""PKCE (RFC 7636): S256 and nothing else, asked for by policy, checked whenever it was begun."""

from __future__ import annotations

import hmac
import re
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7636.challenge import create_s256_code_challenge

from espi_server.access.oauth.errors import Wrong

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class S256(CodeChallenge):
    """Authlib's extension, without `plain`, without its default, and with the policy's word."""

    DEFAULT_CODE_CHALLENGE_METHOD = None
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """At the authorization request, before anybody is asked to sign in."""
        data = grant.request.payload.data
        challenge, method = data.get("code_challenge"), data.get("code_challenge_method")
        if challenge is None and method is None:
            if grant.request.client.policy.needs_pkce:
                raise Wrong("This client sends a code_challenge, with code_challenge_method=S256 (RFC 7636).")
            return
        if method != "S256":
            raise Wrong("The code_challenge_method is S256; plain protects nothing.")
        if challenge is None or not _CHALLENGE.fullmatch(challenge):
            raise Wrong("The code_challenge is a SHA-256 in base64url without padding: 43 characters.")

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        """At redemption."""
        verifier = grant.request.form.get("code_verifier")
        challenge = grant.request.authorization_code.challenge
        if challenge is None and verifier is None:
            return
        if challenge is None:  # RFC 9700 4.8.2: somebody took the challenge away
            raise Wrong("The authorization request had no code_challenge, so there is no code_verifier.")
        if verifier is None:
            raise Wrong("The authorization request had a code_challenge: send its code_verifier.")
        if not _VERIFIER.fullmatch(verifier):
            raise Wrong("The code_verifier is 43 to 128 letters, digits or - . _ ~.")
        if not hmac.compare_digest(create_s256_code_challenge(verifier), challenge):
            raise InvalidGrantError(description="The code_verifier is not the one of the code_challenge.")
