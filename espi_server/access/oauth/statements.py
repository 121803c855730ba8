"""Software statements (RFC 7591 2.3): what the central authority has signed about a company's application.

Authlib checks the signature and no claim, and drops a statement silently where it knows no algorithm. Here who says
it, to whom, until when and that it is said once are checked as well, and a statement nobody here can check is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from espi_server import clock
from espi_server.access import applications
from espi_server.access.applications import BadApplication
from espi_server.access.oauth.assertions import ALGORITHMS, SKEW
from espi_server.access.oauth.errors import BadStatement, NobodysStatement
from espi_server.settings import BadSetting, Settings

LONGEST: Final = 31 * 86_400  # seconds from now until it ends
_OWN: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "org_name"})


@dataclass(frozen=True)
class Authority:
    """The central authority whose statements are believed: its name as issuer, and its public keys."""

    issuer: str
    keys: Any  # a JWK Set

    @staticmethod
    def of(settings: Settings) -> Authority | None:
        """The one the settings name, if they name one."""
        if not settings.authority_keys:
            return None
        try:
            jwks = json.loads(Path(settings.authority_keys).read_text("utf-8"))
            keys = applications.public_keys(jwks)
        except (OSError, ValueError, BadApplication) as error:
            raise BadSetting(
                f"ESPI_AUTHORITY_KEYS: {settings.authority_keys} is no JWKS of public keys: {error}"
            ) from error
        if not keys.get("keys"):
            raise BadSetting(f"ESPI_AUTHORITY_KEYS: {settings.authority_keys} holds no key.")
        return Authority(settings.authority_issuer, keys)


@dataclass(frozen=True)
class Statement:
    """A statement that was checked: of which company's application, what it says of it, and until when it holds."""

    company: str
    metadata: Mapping[str, Any]
    jti: str
    ends: int


def read(authority: Authority | None, statement: Any, issuer: str) -> Statement:
    """The statement, if the authority signed it for this issuer and for now."""
    if authority is None:
        raise NobodysStatement("No software statements are taken here; ask the utility for an invitation.")
    if not isinstance(statement, str):
        raise BadStatement("A software statement is a signed JWT.")
    claims = _signed(authority, statement)
    if claims.get("iss") != authority.issuer:
        raise NobodysStatement("This software statement is by somebody else than the central authority.")
    audience = claims.get("aud")
    if (audience[0] if isinstance(audience, list) and len(audience) == 1 else audience) != issuer:
        raise BadStatement(f"The aud of this software statement is not {issuer} alone.")
    ends = _check_times(claims)
    return Statement(
        company=_text(claims, "org_name"),
        metadata={name: value for name, value in claims.items() if name not in _OWN},
        jti=_text(claims, "jti"),
        ends=ends,
    )


def _signed(authority: Authority, statement: str) -> Mapping[str, Any]:
    try:
        named = jws.extract_compact(statement.encode()).headers().get("kid")
        for key in KeySet.import_key_set(authority.keys).keys:
            if named in (None, key.kid):
                try:
                    return dict(jwt.decode(statement, key, algorithms=list(ALGORITHMS)).claims)
                except (JoseError, ValueError):
                    continue
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise BadStatement("This software statement is no signed JWT.") from error
    raise BadStatement("No key of the central authority signed this software statement.")


def _check_times(claims: Mapping[str, Any]) -> int:
    now = clock.seconds()
    times = {name: claims.get(name, now) for name in ("nbf", "iat")} | {"exp": claims.get("exp")}
    for name, value in times.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 2**40:
            raise BadStatement(f"The {name} of this software statement is a number of seconds since 1970.")
    if not now < times["exp"] <= now + LONGEST:
        raise BadStatement(
            f"The exp of this software statement lies within the next {LONGEST // 86_400} days."
        )
    if max(times["nbf"], times["iat"]) > now + SKEW:
        raise BadStatement("This software statement holds later than now.")
    return int(times["exp"])


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > 256 or not value.isprintable():
        raise BadStatement(f"The {name} of this software statement is a text of up to 256 characters.")
    return value
