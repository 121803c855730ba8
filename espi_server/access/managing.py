"""What a company (or the utility) may change of a consent and of a registration: FB_44 and FB_41.

A consent can be given back or end sooner, never grow: that needs the customer. A registration holds what the company
states about itself; a new address of its own is looked at before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from lxml import etree
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import applications, audit, followers, grants
from espi_server.access.models import Application, Authorization
from espi_server.access.opening import PRODUCTION
from espi_server.access.resources import authorizations
from espi_server.energy import changes
from espi_server.errors import BadRequest, Conflict
from espi_server.espi import atom, safe
from espi_server.espi import authorization as espi
from espi_server.espi.codes import AuthorizationStatus
from espi_server.espi.content import Content
from espi_server.espi.errors import EspiError
from espi_server.espi.scope import Scope, ScopeError
from espi_server.notify import outbox

Stated = TypeVar("Stated", bound=Content)

LIMITS = safe.Limits()


class BadEntry(BadRequest):
    """The body is not an entry of this kind."""


def read(body: bytes, kind: type[Stated]) -> Stated:
    """The one resource in a body: an Atom entry, or the bare element."""
    try:
        root = safe.parse(body, LIMITS)
        element = root if root.tag == f"{{{kind.namespace}}}{kind.name}" else _inside(root)
        if element.tag != f"{{{kind.namespace}}}{kind.name}":
            raise BadEntry(f"The entry holds {etree.QName(element).localname!r}; {kind.name} is expected.")
        stated = kind.read(element)
    except EspiError as error:
        raise BadEntry(f"The body cannot be read: {error}") from error
    problems = stated.problems()
    if problems:
        path, message = problems[0][:2]
        raise BadEntry(f"The element {path} cannot be taken: {message}")
    return stated


def _inside(root: etree._Element) -> etree._Element:
    contents = [each for entry in atom.read_feed(root).entries for each in entry.contents]
    if len(contents) != 1:
        raise BadEntry(f"The body is an Atom entry with one resource; it holds {len(contents)}.")
    return contents[0]


# --- a consent (FB_44) ----------------------------------------------------------------------------------


def give_back(session: Session, authorization: Authorization, *, by: str) -> None:
    """End it; who has it already ended hears the same."""
    application = session.get_one(Application, authorization.application_id)
    reason = "cancelled by utility" if by == "custodian" else "given back"
    grants.end(session, authorization, reason, by=_actor(application, by))


def _actor(application: Application, by: str) -> str:
    """Who holds a token of this kind, as the records name them."""
    return by if by == "custodian" else f"client:{application.client_id}"


def restate(session: Session, authorization: Authorization, stated: espi.Authorization, *, by: str) -> None:
    """What a PUT says: status 0 gives it back, an earlier end is taken, anything wider is refused."""
    if not _is_same(getattr(stated, "scope", None), authorization.scope):
        raise Conflict("Another scope needs another consent: send the customer through /oauth/authorize.")
    if getattr(stated, "status", None) == AuthorizationStatus.REVOKED:
        give_back(session, authorization, by=by)
        return
    if authorization.ended_at is not None:
        raise Conflict("This authorization has ended; only its customer can give another.")
    _end_sooner(session, authorization, getattr(stated, "expires_at", None), by)


def _is_same(wanted: str | None, granted: str) -> bool:
    """Does a scope that is stated mean the granted one? None stated is none changed."""
    try:
        return not wanted or Scope.parse(wanted) == Scope.parse(granted)
    except ScopeError as error:
        raise BadEntry(f"The scope cannot be read: {error}") from error


def _end_sooner(session: Session, authorization: Authorization, ends: int | None, by: str) -> None:
    if ends is None or ends == authorization.ends_at:
        return
    if ends > authorization.ends_at:
        raise Conflict("An authorization ends when its customer said, or sooner.")
    now = clock.seconds()
    if ends <= now:
        raise BadEntry("The parameter expires_at lies in the past; status 0 gives the authorization back.")
    authorization.ends_at, authorization.updated_at = ends, now
    authorization.version += 1
    application = session.get_one(Application, authorization.application_id)
    audit.record(
        session,
        authorization.utility_id,
        "authorization.changed",
        actor=_actor(application, by),
        subject=f"authorization:{authorization.id}",
        application=application.id,
        until=ends,
    )
    changes.note(session, authorization.utility_id, "Authorization", authorization.id, "changed")
    if authorization.customer_id is not None:
        recipient, payload = f"customer:{authorization.customer_id}", {"authorization": str(authorization.id)}
        kind = "authorization.shortened"
        outbox.put(session, authorization.utility_id, kind, recipient=recipient, payload=payload)


# --- a registration (FB_41) -----------------------------------------------------------------------------


def withdraw(session: Session, application: Application, *, by: str) -> None:
    """The application is gone for good, and with it what customers gave it; its row stays for the record."""
    if application.status == applications.REVOKED:
        return
    actor = _actor(application, by)
    with audit.together(session):
        applications.set_status(session, application, applications.REVOKED, by=actor)
        for each in authorizations(session, application.utility_id, application.id):
            grants.end(session, each, "offboarded", by=actor)


def register_anew(
    session: Session,
    application: Application,
    stated: espi.ApplicationInformation,
    *,
    by: str,
    reachable: Callable[[str], object],
) -> None:
    """What a PUT says of the company's own fields; the utility's are the utility's.

    Where answers or notifications go to a new address, or customers read other words of it, the application goes back
    into review. `reachable` raises for
    an address that may not be spoken to in this installation.
    """
    if getattr(stated, "client_id", None) not in (None, application.client_id):
        raise Conflict("The client_id is given once and stays.")
    addresses = [str(each) for each in getattr(stated, "redirect_uri", None) or [] if each]
    notify = str(getattr(stated, "third_party_notify_uri", None) or "") or None
    for each in addresses:
        applications.check_redirect(each)
    if notify and notify != application.notify_uri:
        applications.check_address(notify)
        reachable(notify)
    is_moved = (addresses or application.redirect_uris, notify) != (
        application.redirect_uris, application.notify_uri,
    )  # fmt: skip
    before, said = applications.stated(application), followers.words(application)
    application.redirect_uris = addresses or application.redirect_uris
    application.notify_uri = notify
    application.information = {**application.information, **dict(_spoken(stated))}
    application.updated_at = clock.seconds()
    actor = _actor(application, by)
    applications.record_change(session, application, actor, before)
    is_other = followers.note_words(application, said) or is_moved
    status = _status(application, stated, is_other, by)
    if status == application.status:
        applications.note_change(session, application)
        if status == PRODUCTION:
            followers.tell_words(session, application, by=actor)
    elif status == applications.REVOKED:
        withdraw(session, application, by=by)
    else:
        applications.set_status(session, application, status, by=actor)


def _status(application: Application, stated: espi.ApplicationInformation, is_other: bool, by: str) -> int:
    """Where the application stands after this: where the utility says, or in review where it changed by itself."""
    if by != "custodian":
        return applications.REVIEW if is_other else application.status
    status = getattr(stated, "data_custodian_application_status", None)
    return application.status if status is None else int(status)


def _spoken(stated: espi.ApplicationInformation) -> Iterator[tuple[str, Any]]:
    description = getattr(stated, "third_party_application_description", None)
    contacts = [str(each) for each in getattr(stated, "contacts", None) or []]
    found = {
        "description": description,
        "software_id": getattr(stated, "software_id", None),
        "software_version": getattr(stated, "software_version", None),
        "contacts": contacts,
        **{name: str(getattr(stated, name, None) or "") for name in applications.PAGES},
    }
    for name in applications.PAGES:
        if found[name]:
            applications.check_address(str(found[name]))
    return ((name, value) for name, value in found.items() if value)
