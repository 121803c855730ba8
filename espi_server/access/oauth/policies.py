"""Security policies: what a company's application must do, by how far the field has come.

`legacy` keeps Green Button third parties of the first decade working, `standard` is for everybody new, `strict` is
what class 2 (rate change) asks for. An application's row names its policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from espi_server.errors import Usage

BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
SIGNED: Final = "private_key_jwt"
CERTIFICATE: Final = "self_signed_tls_client_auth"  # RFC 8705 2.2: the certificates themselves are registered
WAYS: Final = (BASIC, POST, SIGNED, CERTIFICATE)
SECRETS: Final = (BASIC, POST)

LONGEST_WINDOW: Final = 60  # seconds a legacy client may repeat a refresh whose answer it lost


class NoSuchPolicy(Usage):
    """The policy is one of legacy, standard, strict."""


@dataclass(frozen=True)
class Policy:
    """What an application must do and how long what it gets lives, in seconds."""

    name: str
    ways: frozenset[str]  # of showing who it is
    needs_pkce: bool
    needs_nonce: bool  # of OpenID requests
    code: int
    access: int
    client: int
    may_change_rates: bool = False
    may_retry: bool = False
    may_message: bool = False  # ask customers by message, and poll for the answer
    may_hint: bool = False  # say without a signature whom it means then


POLICIES: Final[Mapping[str, Policy]] = {
    policy.name: policy
    for policy in (
        Policy(
            "legacy",
            frozenset(WAYS),
            needs_pkce=False,
            needs_nonce=True,
            code=300,  # the certification tests present one six minutes old, and expect a refusal
            access=3600,
            client=3600,
            may_retry=True,
        ),
        Policy(
            "standard",
            frozenset({BASIC, SIGNED, CERTIFICATE}),
            needs_pkce=True,
            needs_nonce=False,
            code=60,
            access=3600,
            client=3600,
            may_message=True,
            may_hint=True,
        ),
        Policy(
            "strict",
            frozenset({SIGNED, CERTIFICATE}),
            needs_pkce=True,
            needs_nonce=True,
            code=60,
            access=600,
            client=900,
            may_change_rates=True,
            may_message=True,
        ),
    )
}


def named(name: str) -> Policy:
    """The policy of this name; a name nobody knows is an error, never a milder policy."""
    if name not in POLICIES:
        raise NoSuchPolicy()
    return POLICIES[name]
