"""What goes wrong between machines, in the form of RFC 6749 5.2."""

from __future__ import annotations

import re
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc7591.errors import (
    InvalidClientMetadataError,
    InvalidRedirectURIError,
    InvalidSoftwareStatementError,
    UnapprovedSoftwareStatementError,
)

EXPLAINED = "/tools/problems"  # the page of this installation that says what each error means and what to do
UNKNOWN = "This client is not known here, or did not show who it is in a way its registration allows."


class Refused(InvalidClientError):
    """Whatever is wrong with a client's way of showing who it is, the answer is the same."""

    def __init__(self) -> None:
        super().__init__(description=UNKNOWN, status_code=401)

    def get_headers(self) -> list[tuple[str, str]]:
        """Those of every error, and how to do better."""
        plain = [each for each in super().get_headers() if each[0] != "WWW-Authenticate"]
        return [*plain, ("WWW-Authenticate", 'Basic realm="oauth"')]


class Wrong(InvalidRequestError):
    """A request that cannot be taken, in words that may hold what was sent."""

    def __init__(self, words: str, **more: Any) -> None:
        super().__init__(sayable(words), **more)


class Denied(OAuth2Error):
    """The customer said no."""

    error = "access_denied"
    description = "The customer declined."


def explained(installation: str, error: str) -> str:
    """Where an error is explained (`error_uri`)."""
    return f"{installation}{EXPLAINED}#{error}"


def sayable(words: str) -> str:
    """The words in the characters an error_description may have (RFC 6749 5.2)."""
    return "".join(each if " " <= each <= "~" and each not in '"\\' else "?" for each in words)


_MISSING = re.compile(r"Missing '(\w+)' in request\.")
_PLAINER = {
    "unsupported_grant_type": "The grant_type is authorization_code, refresh_token, client_credentials or, to poll, "
    "urn:openid:params:grant-type:ciba.",
    "invalid_grant": "This refresh token is not one of this client's, or its time is over, or it was revoked.",
    "Invalid 'code' in request.": "This code is not one of this client's, or was redeemed before, which ends what came"
    " of it, or its time is over.",
    "Invalid 'redirect_uri' in request.": "The redirect_uri is the one of the authorization request, letter by letter.",
}
"""What our own checks say instead where Authlib says nothing, or not what to do."""


def plainer(error: OAuth2Error) -> OAuth2Error:
    """The same error, saying what is wrong."""
    said = "" if error.error == "unsupported_grant_type" else error.get_error_description()
    missing = _MISSING.fullmatch(said)
    plain = f"The parameter {missing[1]} is missing." if missing else said
    error.description = _PLAINER.get(said or str(error.error), plain)
    return error


class BadRedirect(InvalidRedirectURIError):
    """An address for answers that cannot be registered (RFC 7591 3.2.2, like the next three)."""

    def __init__(self, words: str) -> None:
        super().__init__(sayable(words))


class BadMetadata(InvalidClientMetadataError):
    """Something a company says of its application that cannot be registered."""

    def __init__(self, words: str) -> None:
        super().__init__(sayable(words))


class BadStatement(InvalidSoftwareStatementError):
    """A software statement that cannot be believed."""

    def __init__(self, words: str) -> None:
        super().__init__(sayable(words))


class NobodysStatement(UnapprovedSoftwareStatementError):
    """A software statement nobody here vouches for."""

    def __init__(self, words: str) -> None:
        super().__init__(sayable(words))
