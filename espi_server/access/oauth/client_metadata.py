"""What a company says of its application, as JSON (RFC 7591 2): read, checked, and brought to what we register.

Members nobody here knows are ignored, as the standard wants it. What would weaken or change how we answer is not: an
algorithm of its own (Authlib takes `none`), a grant or a way of showing who it is that we do not offer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from espi_server.access import applications, describing, keys
from espi_server.access.admission import Admitted
from espi_server.access.applications import BadApplication, Registration
from espi_server.access.oauth import assertions, policies
from espi_server.access.oauth.clients import CODE, GRANTS, HYBRID, Wanted
from espi_server.access.oauth.errors import BadMetadata, BadRedirect
from espi_server.access.oauth.policies import BASIC, CERTIFICATE, SIGNED
from espi_server.errors import Problem
from espi_server.espi.scope import EVERYTHING, Scope, ScopeError
from espi_server.espi.tables import DataClass

METHOD: Final = "token_endpoint_auth_method"
TEXTS: Final = {"software_id": 256, "software_version": 32}
DESCRIPTION: Final = "thirdPartyApplicationDescription"  # ESPI's names, where OAuth has none
NOTIFY: Final = "thirdPartyNotifyUri"
LARGEST: Final = 64 * 1024  # bytes of a body
MOST: Final = 20  # addresses, contacts, keys

_ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "id_token_signed_response_alg": (keys.ALGORITHM,),
    "token_endpoint_auth_signing_alg": assertions.ALGORITHMS,
}
_ONLY: Final[Mapping[str, tuple[str, ...]]] = {"subject_type": ("pairwise",), "application_type": ("web",)}
_RESPONSES: Final = (CODE, HYBRID)


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; each member once."""
    if len(body) > LARGEST:
        raise BadMetadata(f"The body is longer than {LARGEST} bytes.")
    try:
        found = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadMetadata(
            "The body is no JSON object that can be read; each member stands there once."
        ) from error
    if not isinstance(found, dict):
        raise BadMetadata("The body is a JSON object of client metadata (RFC 7591 2).")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found


def read(given: Mapping[str, Any], admitted: Admitted, reachable: Callable[[str], object]) -> Registration:
    """What will be registered; `BadRedirect` or `BadMetadata` names what cannot be."""
    policy = policies.named(admitted.policy)
    _check_algorithms(given)
    _words(given, "grant_types", GRANTS)
    method = _method(given, policy)
    certificates = _certificates(given) if method == CERTIFICATE else []
    return Registration(
        name=_name(given),
        policy=policy.name,
        redirect_uris=_redirects(given),
        notify_uri=_notify(given, reachable),
        scope=_scope(given, policy, admitted.scope),
        jwks=_keys(given) if method == SIGNED else {},
        certificates=certificates,
        company=admitted.company,
        information={**_information(given), METHOD: method},
    )


def _name(given: Mapping[str, Any]) -> str:
    name = _text(given, "client_name", applications.LONGEST)
    if not name or not name.strip():
        raise BadMetadata("The member client_name is missing; customers are shown it.")
    return name


def _redirects(given: Mapping[str, Any]) -> list[str]:
    """RFC 9700 2.1: https, and exactly what will be asked for; every client here is one that redirects."""
    found = given.get("redirect_uris")
    if (
        not isinstance(found, list)
        or not 0 < len(found) <= MOST
        or not all(isinstance(each, str) for each in found)
    ):
        raise BadRedirect(f"The member redirect_uris is a list of 1 to {MOST} addresses.")
    for each in found:
        try:
            applications.check_redirect(each)
        except BadApplication as error:
            raise BadRedirect(error.detail) from error
        if not each.startswith("https://"):
            raise BadRedirect(f"The address {each[:200]} cannot be registered: it begins with https://.")
    return list(dict.fromkeys(found))


def _notify(given: Mapping[str, Any], reachable: Callable[[str], object]) -> str | None:
    address = _text(given, NOTIFY, 512)
    if not address:
        return None
    try:
        applications.check_address(address)
        reachable(address)
    except Problem as error:
        raise BadMetadata(f"The member {NOTIFY} cannot be registered: {error.detail}") from error
    return address


def _method(given: Mapping[str, Any], policy: policies.Policy) -> str:
    """How it shows who it is. Without any way a client is public, and gets nobody's energy data."""
    offered = [each for each in policies.WAYS if each in policy.ways]
    method = given.get(METHOD, BASIC)
    if method not in offered:
        raise BadMetadata(f"The member {METHOD} is one of {', '.join(offered)}.")
    return str(method)


def _keys(given: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _jwks(given)
    try:
        return applications.public_keys(found)
    except BadApplication as error:
        raise BadMetadata(error.detail) from error


def _certificates(given: Mapping[str, Any]) -> list[str]:
    """RFC 8705 2.2: the certificates stand in the key set, base64 of DER, the first of each x5c."""
    try:
        chains = [each["x5c"][0] for each in _jwks(given)["keys"]]
        return [hashlib.sha256(base64.b64decode(each, validate=True)).hexdigest() for each in chains]
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error) as error:
        raise BadMetadata("Each key of the member jwks has its certificate in x5c (RFC 8705 2.2).") from error


def _jwks(given: Mapping[str, Any]) -> Mapping[str, Any]:
    if "jwks_uri" in given:
        raise BadMetadata("Send the keys themselves as jwks; a jwks_uri is not fetched.")
    found = given.get("jwks")
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(keys, list) or not 0 < len(keys) <= MOST:
        raise BadMetadata(f"The member jwks is a JWK Set of 1 to {MOST} public keys (RFC 7517 5).")
    return found


def _scope(given: Mapping[str, Any], policy: policies.Policy, most: str) -> str:
    """The most it will ask for, within what it was invited to; all of that where it does not say."""
    text = _text(given, "scope", 1024)
    if not text:
        return most
    try:
        wanted = Wanted.read(text)
        wanted.scope.check(Scope.parse(most) if most else EVERYTHING)
    except ScopeError as error:
        raise BadMetadata(f"The member scope cannot be registered: {error}") from error
    if DataClass.RATE_CHANGE in wanted.scope.terms and not policy.may_change_rates:
        raise BadMetadata("The member scope names RateChange, which needs the strict policy.")
    return wanted.text


def _information(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a company says of itself, by the names it is kept under."""
    found: dict[str, Any] = {name: _text(given, name, longest) for name, longest in TEXTS.items()}
    found["description"] = _text(given, DESCRIPTION, 256)
    for name in applications.PAGES:
        found[name] = address = _text(given, name, 512)
        try:
            if address:
                applications.check_address(address)
        except BadApplication as error:
            raise BadMetadata(f"The member {name} cannot be registered: {error.detail}") from error
    responses = _words(given, "response_types", _RESPONSES) or [CODE]
    try:
        found |= describing.checked(given)
    except BadApplication as error:
        raise BadMetadata(f"A member cannot be registered: {error.detail}") from error
    kept = {**found, "contacts": _contacts(given), "response_types": responses}
    return {name: value for name, value in kept.items() if value}


def _contacts(given: Mapping[str, Any]) -> list[str]:
    found = given.get("contacts", [])
    if not isinstance(found, list) or len(found) > MOST:
        raise BadMetadata(f"The member contacts is a list of up to {MOST} texts.")
    return [_checked("contacts", each, 256) for each in found]


def _words(given: Mapping[str, Any], name: str, offered: tuple[str, ...]) -> list[str]:
    found = given.get(name, [])
    if not isinstance(found, list) or not all(each in offered for each in found):
        raise BadMetadata(f"The member {name} is a list of {', '.join(offered)}; nothing else is on offer.")
    return list(dict.fromkeys(found))


def _check_algorithms(given: Mapping[str, Any]) -> None:
    """Ours are ours to choose: what we sign is never unsigned because a client says so."""
    for name, value in given.items():
        if name.endswith(("_alg", "_enc")) or name in _ONLY:
            taken = {**_ALGORITHMS, **_ONLY}.get(name, ())
            if value not in taken:
                offered = f"is one of {', '.join(taken)}" if taken else "is not on offer"
                raise BadMetadata(f"The member {name[:80]} {offered}; leave it out.")


def _text(given: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = given.get(name)
    return None if value is None or value == "" else _checked(name, value, longest)


def _checked(name: str, value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise BadMetadata(f"The member {name} is a printable text of up to {longest} characters.")
    return value
