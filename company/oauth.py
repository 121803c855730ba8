"""From "connect" to tokens, and new tokens in time: OAuth 2.0 with PKCE, by Authlib."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from .scope import ASKED
from .utilities import PATIENCE, NotNow, Utility

Found = TypeVar("Found")


class Ended(Exception):
    """The utility takes our tokens no more: the customer stopped, it ran out, or another took its place."""


class Begun(NamedTuple):
    """A request on its way: where the browser goes, and what has to be remembered of it."""

    address: str
    state: str
    verifier: str


def begin(utility: Utility, callback: str) -> Begun:
    """Ask for an authorization. `state` ties the answer to this browser, the verifier ties the code to us."""
    verifier = generate_token(64)
    session = _session(utility, code_challenge_method="S256")
    address, state = session.create_authorization_url(
        utility.server["authorization_endpoint"],
        redirect_uri=callback,
        scope=ASKED,
        state=generate_token(32),
        code_verifier=verifier,
    )
    return Begun(address, state, verifier)


def redeem(utility: Utility, code: str, verifier: str, callback: str) -> dict[str, Any]:
    """Tokens for a code. It works once, and for a minute: do this before anything else."""
    return _asked(
        lambda: _session(utility).fetch_token(
            utility.server["token_endpoint"],
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=callback,
        )
    )


def refresh(utility: Utility, refresh_token: str) -> dict[str, Any]:
    """The next tokens. The old refresh token is used up: keep the new one before you use anything."""
    return _asked(
        lambda: _session(utility).refresh_token(utility.server["token_endpoint"], refresh_token=refresh_token)
    )


def own(utility: Utility) -> dict[str, Any]:
    """Our own token, for what concerns us and not one customer: our authorizations, bulk feeds."""
    return _asked(
        lambda: _session(utility).fetch_token(
            utility.server["token_endpoint"], grant_type="client_credentials"
        )
    )


def give_back(utility: Utility, refresh_token: str) -> None:
    """End an authorization from our side (RFC 7009); the utility tells the customer."""
    _asked(lambda: _revoked(utility, refresh_token).raise_for_status())


def _revoked(utility: Utility, refresh_token: str) -> requests.Response:
    found: requests.Response = _session(utility).revoke_token(
        utility.server["revocation_endpoint"], token=refresh_token
    )
    return found


def _session(utility: Utility, **more: Any) -> OAuth2Session:
    """With a secret Authlib shows who we are by HTTP Basic."""
    return OAuth2Session(
        utility.client_id,
        utility.client_secret,
        default_timeout=PATIENCE,
        **more,
    )


def _asked(ask: Callable[[], Found]) -> Found:
    try:
        return ask()
    except OAuthError as error:
        if error.error == "invalid_grant":
            raise Ended(error.description or "The utility takes our token no more.") from error
        raise NotNow(f"The utility answered {error.error}: {error.description}") from error
    except (requests.RequestException, ValueError) as error:
        raise NotNow(f"The utility did not answer: {error}") from error
