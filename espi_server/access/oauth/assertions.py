"""private_key_jwt: a client shows who it is by a signature over a note that is good once, here, and for minutes.

RFC 7523 3, with what Authlib leaves open: which algorithms, one audience, how long, and never twice.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access.models import Application, ClientAssertion
from espi_server.access.oauth.errors import Refused
from espi_server.access.tokens import digest

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("ES256", "PS256", "RS256", "Ed25519")
LONGEST: Final = 300  # seconds from now until it ends
SKEW: Final = 30  # seconds a client's clock may be ahead


def issuer_of(assertion: str) -> str:
    """Who says to have signed it, before anything is believed."""
    try:
        claims = json.loads(jws.extract_compact(assertion.encode()).payload)
    except (JoseError, ValueError) as error:
        raise Refused() from error
    named = claims.get("iss") if isinstance(claims, dict) else None
    if not isinstance(named, str):
        raise Refused()
    return named


class Over(Refused):
    """It is right, and its time is over."""


def check(session: Session, application: Application, assertion: str, issuer: str) -> None:
    """`Refused` unless one of the application's keys signed it, for us, for now, and for the first time."""
    ours = [
        issuer,
        *(f"{issuer}/oauth/{each}" for each in ("token", "bc-authorize")),
    ]  # CIBA 7.1 has the last
    if read(session, application, assertion, ours).get("sub") != application.client_id:
        raise Refused()


def read(
    session: Session, application: Application, note: str, audiences: Collection[str]
) -> Mapping[str, Any]:
    """What an application's note says; `Refused` unless it is signed by one of its keys, for one of these, for now.

    Each is taken once, whatever it is for.
    """
    claims = _signed(application, note)
    now = clock.seconds()
    if claims.get("iss") != application.client_id or _audience(claims) not in audiences:
        raise Refused()
    ends = _time(claims.get("exp"))
    if ends <= now:
        raise Over()
    if ends > now + LONGEST + SKEW:
        raise Refused()
    if max(_time(claims.get("nbf", now)), _time(claims.get("iat", now))) > now + SKEW:
        raise Refused()
    _take(session, application, claims.get("jti"), ends)
    return claims


def _signed(application: Application, assertion: str) -> Mapping[str, Any]:
    """What one of the application's keys has signed; a note need not say which of them."""
    try:
        named = jws.extract_compact(assertion.encode()).headers().get("kid")
        for key in KeySet.import_key_set(application.jwks).keys if application.jwks else ():
            if named in (None, key.kid):
                try:
                    return dict(jwt.decode(assertion, key, algorithms=list(ALGORITHMS)).claims)
                except (JoseError, ValueError):
                    continue
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Refused() from error
    raise Refused()


def _audience(claims: Mapping[str, Any]) -> Any:
    """The one audience: a note for several readers could be used by each against the others."""
    audience = claims.get("aud")
    return audience[0] if isinstance(audience, list) and len(audience) == 1 else audience


def _time(value: Any) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 2**40:
        raise Refused()
    return int(value)


def _take(session: Session, application: Application, jti: Any, ends: int) -> None:
    if not isinstance(jti, str) or not jti:
        raise Refused()
    session.execute(delete(ClientAssertion).where(ClientAssertion.expires_at < clock.seconds() - SKEW))
    try:
        with session.begin_nested():
            session.add(ClientAssertion(application_id=application.id, digest=digest(jti), expires_at=ends))
    except IntegrityError as error:
        raise Refused() from error
