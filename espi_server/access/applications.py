"""Applications: the OAuth clients of third parties at one utility."""

from __future__ import annotations

import secrets
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, features, followers, pending, tokens
from espi_server.access.models import Application, ApplicationSecret, Asp
from espi_server.access.oauth import policies
from espi_server.access.oauth.policies import LONGEST_WINDOW
from espi_server.access.opening import PRODUCTION
from espi_server.accounts.models import Utility
from espi_server.energy import changes
from espi_server.errors import Conflict, NotFound, Usage
from espi_server.espi.scope import Scope

REVIEW, ON_HOLD, REVOKED = 1, 3, 4  # DataCustodianApplicationStatus, beside PRODUCTION
LONGEST = 256  # characters of a client_name
QUALIFIED = followers.QUALIFIED
PAGES = (
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
)  # of a company, for people; never fetched from here
SHORTEST_RSA = 2048
_KEY = ("kty", "kid", "use", "alg", "crv", "x", "y", "n", "e")
_LONGEST_PART = 2048
_LONGEST_ADDRESS = 512
_STRANGE = frozenset({*map(chr, range(33)), *'"<>\\^`{|}#*', "\x7f"})
# RFC 6749 4.1.2, RFC 9207, OpenID: what an answer says.
_ANSWERS = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "id_token", "access_token"}
)
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class BadApplication(Usage):
    """This application cannot be registered so."""


class BadName(Usage):
    """The name of an application has 1 to 256 printable characters."""


def find(session: Session, utility: Utility, name: str) -> Application:
    """The application of this name at a utility, or `NotFound`."""
    found = _named(session, utility, checked(name))
    if found is None:
        raise NotFound(f"{utility.name} has no application {name!r}; `espi-server authorize` creates one.")
    return found


def find_or_create(session: Session, utility: Utility, name: str, *, by: str) -> Application:
    """The application of this name; a new one, in production, is recorded as created by `by`."""
    found = _named(session, utility, checked(name))
    if found is None:
        found = _create(session, utility, name, by)
        _record_new(session, found, by)
    return found


@dataclass(frozen=True)
class Registration:
    """What a company states about its application, and what it is held to."""

    name: str
    policy: str = "standard"
    redirect_uris: Sequence[str] = ()
    notify_uri: str | None = None
    scope: str = ""  # "": everything the policy allows
    jwks: Mapping[str, Any] = field(default_factory=dict)
    certificates: Sequence[str] = ()  # SHA-256 thumbprints in hex
    retry_window: int = 0
    kind: str = "data-only"
    company: str = ""  # "": of the application's own name
    information: Mapping[str, Any] = field(default_factory=dict)


def register(
    session: Session, utility: Utility, stated: Registration, *, by: str, reachable: Callable[[str], object]
) -> Application:
    """A company's new application, in review: it can do nothing before it is qualified.

    `reachable` raises for an address that may not be spoken to in this installation (`notify.webhooks.reach`).
    """
    if _named(session, utility, checked(stated.name)) is not None:
        raise Conflict(f"{utility.name} has an application {stated.name!r} already.")
    policy = policies.named(stated.policy)
    check_offered(session, utility, stated.scope)
    for uri in stated.redirect_uris:
        check_redirect(uri)
    if stated.notify_uri:
        check_address(stated.notify_uri)
        reachable(stated.notify_uri)
    if stated.retry_window and not (policy.may_retry and 0 < stated.retry_window <= LONGEST_WINDOW):
        raise BadApplication(f"A retry window is 1 to {LONGEST_WINDOW} seconds, and for legacy clients only.")
    if policies.BASIC not in policy.ways and not (stated.jwks or stated.certificates):
        raise BadApplication(
            f"An application of the {policy.name} policy needs public keys (--jwks) or a certificate."
        )
    application = _create(session, utility, stated.name, by)
    application.asp_id = _company(session, stated).id
    application.status, application.policy = REVIEW, policy.name
    application.redirect_uris, application.notify_uri = list(stated.redirect_uris), stated.notify_uri
    application.scope, application.jwks = stated.scope, public_keys(stated.jwks)
    application.certificates, application.retry_window = list(stated.certificates), stated.retry_window
    application.information = dict(stated.information)
    session.flush()
    _record_new(session, application, by)
    return application


def check_offered(session: Session, utility: Utility, scope: str) -> None:
    """`features.NotOffered` where a scope to register names classes the utility neither offers nor plans."""
    if scope:
        features.check_registration(session, utility, Scope.parse(scope).classes)


def new_secret(
    session: Session, application: Application, *, overlap: int = 0, by: str = audit.SERVER
) -> str:
    """A new client secret, in clear and once; older ones work for `overlap` seconds more, the newest of them only."""
    if policies.BASIC not in policies.named(application.policy).ways:
        raise BadApplication(f"An application of the {application.policy} policy has keys, no secret.")
    now = clock.seconds()
    live = select(ApplicationSecret).where(
        ApplicationSecret.application_id == application.id, ApplicationSecret.revoked_at.is_(None)
    )
    # Of two made in one second the one that has no end yet is the newer.
    newest = sorted(
        session.scalars(live), key=lambda row: (row.created_at, row.expires_at is None), reverse=True
    )
    for place, row in enumerate(newest):
        ends = now + overlap if place == 0 else now
        row.expires_at = ends if row.expires_at is None else min(ends, row.expires_at)
    secret = tokens.chance("secret")
    session.add(
        ApplicationSecret(digest=tokens.digest(secret), application_id=application.id, created_at=now)
    )
    record(session, application, "application.secret", by, purpose="client", overlap=overlap)
    return secret


def set_status(session: Session, application: Application, status: int, *, by: str = audit.SERVER) -> None:
    """Put an application into production (2), on hold (3) or back into review (1); its tokens follow at once.

    What it has asked and has not begun ends with production. Where it stands there already nothing happens. `Conflict`
    for one that was revoked (4): that is for good. In the audit all that this brings about is one group.
    """
    if status == application.status:
        return
    if application.status == REVOKED:
        raise Conflict(f"{application.name} was revoked for good. Register another application.")
    with audit.together(session):
        _stand(session, application, status, by)


def _stand(session: Session, application: Application, status: int, by: str) -> None:
    record(session, application, "application.status", by, before=application.status, after=status)
    if (application.status, status) == (ON_HOLD, PRODUCTION):
        followers.tell(session, application, followers.RESUMED, by=by)
    application.status, application.updated_at = status, clock.seconds()
    if status != PRODUCTION:
        pending.block(session, application, by=by)
    company = session.get(Asp, application.asp_id) if application.asp_id else None
    if status == ON_HOLD:
        followers.tell(session, application, followers.PAUSED, by=by)
    if status == PRODUCTION:
        application.information = {QUALIFIED: clock.seconds(), **application.information}
        followers.tell_words(session, application, by=by)
    if company is not None and status == PRODUCTION:
        company.status = "qualified"
    note_change(session, application)


def note_change(session: Session, application: Application) -> None:
    """Write down that the company has to be told of a change of its registration."""
    changes.note(session, application.utility_id, "ApplicationInformation", application.id, "changed")


def record(session: Session, application: Application, act: str, by: str, **detail: Any) -> None:
    """Write down in the audit what was done to an application, and by whom."""
    subject = f"application:{application.id}"
    audit.record(session, application.utility_id, act, actor=by, subject=subject, **detail)


def stated(application: Application) -> dict[str, Any]:
    """What a company says of its application and may change, by name."""
    columns = ("name", "scope", "redirect_uris", "notify_uri", "jwks", "certificates")
    return {**application.information, **{name: getattr(application, name) for name in columns}}


def record_change(session: Session, application: Application, by: str, before: Mapping[str, Any]) -> None:
    """Write down which fields differ from `before`; not what they say, that may be somebody's name."""
    now = stated(application)
    changed = sorted(name for name in {*before, *now} if now.get(name) != before.get(name))
    record(session, application, "application.changed", by, fields=changed)


def _record_new(session: Session, application: Application, by: str) -> None:
    given = {name: getattr(application, name) for name in ("client_id", "policy", "status")}
    record(session, application, "application.added", by, **given)


def every(session: Session, utility: Utility) -> list[Application]:
    """A utility's applications by name."""
    chosen = select(Application).where(Application.utility_id == utility.id)
    return list(session.scalars(chosen.order_by(Application.name)))


def is_taken(session: Session, utility: Utility, name: str) -> bool:
    """Has the utility an application of this name?"""
    return _named(session, utility, name) is not None


def check_address(address: str) -> None:
    """`BadApplication` unless it may be registered: https (http for this machine only), nothing hidden in it."""
    if not _is_plain(address):
        raise BadApplication(
            f"The address {address[:200]!r} cannot be registered; accepted is an absolute https address without user, "
            "fragment, wildcard and dots that lead up."
        )


def check_redirect(address: str) -> None:
    """The same for an address that answers go to: what an answer consists of does not stand there before."""
    check_address(address)
    taken = sorted(_ANSWERS & parse_qs(urlsplit(address).query, keep_blank_values=True).keys())
    if taken:
        raise BadApplication(
            f"The address {address[:200]!r} cannot be registered: {taken[0]} is ours to say."
        )


def _is_plain(address: str) -> bool:
    # Also what a parser may read otherwise than its neighbour: `@`, a backslash, `..;`, an escaped dot (RFC 9700 4.1).
    if len(address) > _LONGEST_ADDRESS or not address.isascii() or _STRANGE & {*address}:
        return False
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
    steps = {each.partition(";")[0] for each in unquote(parts.path).split("/")}
    return is_safe and bool(parts.hostname) and "@" not in parts.netloc and not steps & {".", ".."}


def public_keys(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """A key set of public keys that are strong enough; `BadApplication` tells what is not."""
    if not jwks:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # what is weak is refused below
            found = KeySet.import_key_set({"keys": [dict(each) for each in jwks["keys"]]})
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise BadApplication(f"The key set cannot be read as a JWKS (RFC 7517): {error}") from error
    for key in found.keys:
        if not isinstance(key, RSAKey | ECKey | OKPKey) or key.is_private:
            raise BadApplication(
                "A key set holds public keys only: RSA, EC or OKP, without the private part."
            )
        if isinstance(key, RSAKey) and key.public_key.key_size < SHORTEST_RSA:
            raise BadApplication(f"RSA keys have at least {SHORTEST_RSA} bits.")
    return {"keys": [_plain_key(key.as_dict(private=False)) for key in found.keys]}


def _plain_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the key, and what it is called and for; what else stood beside it is not ours to keep."""
    found = {name: str(key[name]) for name in _KEY if name in key}
    if any(len(value) > _LONGEST_PART or not value.isprintable() for value in found.values()):
        raise BadApplication(f"The parts of a key are printable texts of up to {_LONGEST_PART} characters.")
    return found


def _company(session: Session, stated: Registration) -> Asp:
    """The company of this name, the same at every utility."""
    name = stated.company or stated.name
    found = session.scalar(select(Asp).where(Asp.name == name))
    if found is None:
        found = Asp(id=uuid.uuid4(), name=name, kind=stated.kind, created_at=clock.seconds())
        session.add(found)
        session.flush()
    return found


def checked(name: str) -> str:
    """The name, or `BadName`."""
    # It is the client_name of ApplicationInformation, a String256 that must be able to stand in XML.
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise BadName()
    return name


def _named(session: Session, utility: Utility, name: str) -> Application | None:
    return session.scalar(
        select(Application).where(Application.utility_id == utility.id, Application.name == name)
    )


def _create(session: Session, utility: Utility, name: str, by: str) -> Application:
    now = clock.seconds()
    application = Application(
        id=uuid.uuid4(),
        utility_id=utility.id,
        client_id=secrets.token_urlsafe(16),
        name=name,
        created_by=by,
        created_at=now,
        updated_at=now,
    )
    session.add(application)
    session.flush()
    return application
