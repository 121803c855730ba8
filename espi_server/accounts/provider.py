"""Signing in at the utility's own OpenID provider (OpenID Connect Core 1.0, code flow with PKCE).

The operator names the provider; what it says of itself is read from its discovery document and kept for ten minutes.
An id_token counts only with the signature, issuer, audience, nonce and times it must have, and what it says about how
she signed in (`amr`, `acr`, `auth_time`) is carried over as it stands.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import at_rest, clock
from espi_server.accounts.models import Utility
from espi_server.accounts.provider_models import LoginProvider
from espi_server.adapters.http import Answer, BadAddress, Client, NoAnswer
from espi_server.errors import Problem, Unavailable, Usage

ALGORITHMS: Final = (
    "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519",
)  # fmt: skip
SKEW: Final = 120  # seconds two clocks may be apart
KEPT: Final = 600  # seconds what a provider says of itself is believed without asking
PAUSE: Final = 10  # seconds it is left alone after it did not answer
_FORM: Final = "application/x-www-form-urlencoded"


class BadProvider(Usage):
    """A provider cannot be like this."""


class ProviderAway(Unavailable):
    """The utility's sign-in does not answer just now. Nothing was changed; try again shortly."""


class NotBelieved(Problem):
    """What came back from the utility's sign-in is not what was asked for. Begin again."""


class Declined(Problem):
    """The utility's sign-in said no, or it was cancelled there."""


@dataclass(frozen=True)
class Provider:
    """A provider as it is used: with its secret in clear."""

    issuer: str
    client_id: str
    secret: str
    scopes: str
    claim: str
    second: str
    only: bool


@dataclass(frozen=True)
class Begun:
    """What this server keeps of a sign-in elsewhere until the browser is back (sealed, in a cookie)."""

    state: str
    nonce: str
    verifier: str
    since: int
    max_age: int | None
    next: str
    must: bool
    strong: bool = False


@dataclass(frozen=True)
class Told:
    """What a provider told of somebody: who, by the utility's own reference, and how and when she signed in."""

    issuer: str
    subject: str
    reference: str
    at: int
    amr: tuple[str, ...]
    acr: str | None
    email: str | None


# --- settings -------------------------------------------------------------------------------------------


def configure(
    session: Session,
    utility: Utility,
    *,
    issuer: str,
    client_id: str,
    secret: str,
    scopes: str = "openid email",
    claim: str = "sub",
    second: str = "",
    only: bool = False,
    anywhere: bool = False,
) -> None:
    """Let this utility's customers sign in there; `BadProvider` where that cannot be."""
    parts = urlsplit(issuer)
    is_safe = parts.scheme == "https" or (anywhere and parts.scheme == "http")
    if not is_safe or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise BadProvider(f"The issuer {issuer!r} is no address such as https://login.utility.example.")
    if "openid" not in scopes.split():
        raise BadProvider("The scopes have openid among them.")
    if not client_id or not claim:
        raise BadProvider("A provider has a client id, and a claim that names the customer.")
    row = session.get(LoginProvider, utility.id)
    if row is None:
        row = LoginProvider(utility_id=utility.id)
        session.add(row)
    row.issuer, row.client_id, row.scopes = issuer, client_id, " ".join(scopes.split())
    row.claim, row.second, row.only, row.changed_at = claim, second, only, clock.seconds()
    row.sealed = _closed(session, utility.id, secret) if secret else None
    session.flush()


def remove(session: Session, utility: Utility) -> bool:
    """Let nobody sign in there any more; whether somebody could."""
    row = session.get(LoginProvider, utility.id)
    if row is not None:
        session.delete(row)
        session.flush()
    return row is not None


def of(session: Session, utility_id: uuid.UUID) -> Provider | None:
    """The provider of a utility, if it has one."""
    row = session.get(LoginProvider, utility_id)
    if row is None:
        return None
    column, secret = LoginProvider.__table__.c.sealed, b""
    if row.sealed is not None:
        secret = at_rest.opened(at_rest.keyring(session), column, {"utility_id": utility_id}, row.sealed)
    return Provider(row.issuer, row.client_id, secret.decode(), row.scopes, row.claim, row.second, row.only)


def is_only(session: Session, utility_id: uuid.UUID) -> bool:
    """Do all customers of this utility sign in there, and nobody here?"""
    return session.scalar(select(LoginProvider.only).where(LoginProvider.utility_id == utility_id)) or False


def _closed(session: Session, utility_id: uuid.UUID, secret: str) -> bytes:
    column = LoginProvider.__table__.c.sealed
    return at_rest.seal(at_rest.keyring(session), column, {"utility_id": utility_id}, secret.encode())


# --- what providers say of themselves -------------------------------------------------------------------


@dataclass
class Providers:
    """What this process knows of providers. `anywhere` lets them be spoken to without TLS: on a laptop."""

    client: Client
    anywhere: bool = False
    _known: dict[str, tuple[int, Mapping[str, Any] | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def metadata(self, provider: Provider) -> Mapping[str, Any]:
        """Its discovery document (OpenID Connect Discovery 1.0, 4)."""
        address = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = self._get(address)
        if found.get("issuer") != provider.issuer:
            raise NotBelieved(f"The discovery document of {provider.issuer} names another issuer.")
        return found

    def keys(self, metadata: Mapping[str, Any], *, anew: bool = False) -> Any:
        """Its public keys; `anew` where one is missing, which is asked once a minute at most."""
        return self._get(_address(metadata, "jwks_uri"), oldest=60 if anew else KEPT)

    def post(self, address: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, Any]:
        """A form posted to it, and what it answers."""
        given = {"Content-Type": _FORM, "Accept": "application/json", **headers}
        return self._read(lambda: self.client.post(self._safe(address), urlencode(form).encode(), given))

    def look(self, address: str, token: str) -> Mapping[str, Any]:
        """What a token opens there."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return self._read(lambda: self.client.get(self._safe(address), headers))

    def _get(self, address: str, oldest: int = KEPT) -> Mapping[str, Any]:
        now = clock.seconds()
        with self._lock:
            known = self._known.get(address)
        if known is not None and now - (oldest if known[1] is not None else PAUSE) < known[0] <= now:
            if known[1] is None:
                raise ProviderAway()
            return known[1]
        try:
            found = self._read(lambda: self.client.get(self._safe(address), {"Accept": "application/json"}))
        except ProviderAway:
            self._keep(address, now, None)
            raise
        self._keep(address, now, found)
        return found

    def _keep(self, address: str, now: int, found: Mapping[str, Any] | None) -> None:
        with self._lock:
            self._known[address] = now, found

    def _safe(self, address: str) -> str:
        if urlsplit(address).scheme != "https" and not self.anywhere:
            raise NotBelieved("A provider is spoken to over https alone.")
        return address

    def _read(self, ask: Any) -> Mapping[str, Any]:
        try:
            answer: Answer = ask()
        except (NoAnswer, BadAddress) as error:
            raise ProviderAway() from error
        if answer.status >= 500:
            raise ProviderAway()
        try:
            found = json.loads(answer.body) if answer.is_success and answer.whole else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise NotBelieved()
        return found


def _address(metadata: Mapping[str, Any], name: str) -> str:
    found = metadata.get(name)
    if not isinstance(found, str):
        raise NotBelieved(f"The provider names no {name}.")
    return found


# --- there and back -------------------------------------------------------------------------------------


def begin(
    providers: Providers,
    provider: Provider,
    back: str,
    *,
    next: str,
    again: bool,
    second: bool,
    max_age: int | None,
) -> tuple[str, Begun]:
    """Where the browser goes, and what has to be kept until it is back. `again`: she signs in anew in any case."""
    metadata = providers.metadata(provider)
    begun = Begun(
        state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48),
        since=clock.seconds(), max_age=0 if again else max_age, next=next, must=second,
    )  # fmt: skip
    asked = {
        "response_type": "code", "client_id": provider.client_id, "redirect_uri": back, "scope": provider.scopes,
        "state": begun.state, "nonce": begun.nonce, "code_challenge_method": "S256",
        "code_challenge": _s256(begun.verifier),
    }  # fmt: skip
    if again:
        asked |= {"prompt": "login", "max_age": "0"}
    if second and provider.second:
        asked["acr_values"] = provider.second
    address = _address(metadata, "authorization_endpoint")
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}", begun


def finish(
    providers: Providers, provider: Provider, back: str, begun: Begun, given: Mapping[str, str]
) -> Told:
    """Who came back; `Declined`, `NotBelieved` or `ProviderAway` where nobody did."""
    # RFC 9207: where it says who it is, it is who was asked.
    if given.get("iss", provider.issuer) != provider.issuer or given.get("state") != begun.state:
        raise NotBelieved()
    if "error" in given:
        raise Declined()
    metadata = providers.metadata(provider)
    form = {
        "grant_type": "authorization_code", "code": given.get("code", ""), "redirect_uri": back,
        "code_verifier": begun.verifier,
    }  # fmt: skip
    headers = _authentication(metadata, provider, form)
    tokens = providers.post(_address(metadata, "token_endpoint"), form, headers)
    claims = _claims(providers, provider, metadata, tokens.get("id_token"), begun)
    return _told(provider, claims | _more(providers, provider, metadata, tokens, claims))


def _authentication(
    metadata: Mapping[str, Any], provider: Provider, form: dict[str, str]
) -> Mapping[str, str]:
    """How we show who we are: by Basic unless the provider takes the form only (RFC 6749 2.3.1)."""
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if provider.secret and "client_secret_basic" in methods:
        pair = f"{quote(provider.client_id, safe='')}:{quote(provider.secret, safe='')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    form["client_id"] = provider.client_id
    if provider.secret:
        form["client_secret"] = provider.secret
    return {}


def _claims(
    providers: Providers, provider: Provider, metadata: Mapping[str, Any], token: Any, begun: Begun
) -> dict[str, Any]:
    """The claims of an id_token (OpenID Connect Core 1.0, 3.1.3.7)."""
    claims = _signed(providers, metadata, token)
    now, audience = clock.seconds(), claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    is_ours = provider.client_id in named and claims.get("azp", provider.client_id) == provider.client_id
    if claims.get("iss") != provider.issuer or not is_ours or (len(named) > 1 and "azp" not in claims):
        raise NotBelieved()
    if claims.get("nonce") != begun.nonce or not _is_text(claims.get("sub")):
        raise NotBelieved()
    ends, made = _seconds(claims, "exp"), _seconds(claims, "iat")
    if ends is None or made is None or ends <= now - SKEW or made > now + SKEW:
        raise NotBelieved()
    if (
        begun.max_age is not None
        and (_seconds(claims, "auth_time") or 0) < begun.since - begun.max_age - SKEW
    ):
        raise NotBelieved()
    return claims


def _signed(providers: Providers, metadata: Mapping[str, Any], token: Any) -> dict[str, Any]:
    if not isinstance(token, str):
        raise NotBelieved()
    for anew in (False, True):
        try:
            keys = KeySet.import_key_set(providers.keys(metadata, anew=anew))
            return dict(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            failed = error
    raise NotBelieved() from failed


def _more(
    providers: Providers,
    provider: Provider,
    metadata: Mapping[str, Any],
    tokens: Mapping[str, Any],
    claims: Mapping[str, Any],
) -> dict[str, Any]:
    """What userinfo says of the same person, where the id_token does not name the customer (5.3.2)."""
    token = tokens.get("access_token")
    if provider.claim in claims or not isinstance(token, str) or "userinfo_endpoint" not in metadata:
        return {}
    found = providers.look(_address(metadata, "userinfo_endpoint"), token)
    if found.get("sub") != claims["sub"]:
        raise NotBelieved()
    return {name: value for name, value in found.items() if name not in claims}


def _told(provider: Provider, claims: Mapping[str, Any]) -> Told:
    reference = claims.get(provider.claim)
    amr = claims.get("amr")
    mail = claims.get("email") if claims.get("email_verified") is True else None
    return Told(
        issuer=provider.issuer,
        subject=claims["sub"],
        reference=str(reference) if isinstance(reference, str | int) else "",
        at=min(_seconds(claims, "auth_time") or _seconds(claims, "iat") or 0, clock.seconds()),
        amr=tuple(each for each in amr if _is_text(each)) if isinstance(amr, list) else (),
        acr=claims["acr"] if _is_text(claims.get("acr")) else None,
        email=mail if _is_text(mail) else None,
    )


def _seconds(claims: Mapping[str, Any], name: str) -> int | None:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < 2**40:
        return None
    return int(found)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 256


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
