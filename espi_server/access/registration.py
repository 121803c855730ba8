"""A company registers its application itself, and manages what it registered (RFC 7591, RFC 7592; FB_36).

What comes of it is an application like any other (`applications`): in review until the operator has looked at it.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import admission, applications, describing, features, followers, keys, tokens
from espi_server.access.addresses import public_base, resource_base
from espi_server.access.admission import Admitted, NotInvited
from espi_server.access.applications import Registration
from espi_server.access.guard import closed
from espi_server.access.models import Application, ApplicationSecret, Token
from espi_server.access.oauth import client_metadata, policies
from espi_server.access.oauth.client_metadata import DESCRIPTION, METHOD, NOTIFY, TEXTS
from espi_server.access.oauth.clients import CODE, GRANTS
from espi_server.access.oauth.errors import BadMetadata, BadStatement
from espi_server.access.oauth.statements import Authority
from espi_server.access.opening import PRODUCTION
from espi_server.accounts.models import Utility
from espi_server.errors import Conflict, Unauthorized
from espi_server.espi import paths

STATEMENT: Final = "software_statement"
# RFC 7592 2.2: what an update may not hold.
_OURS: Final = (
    "registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at",
)  # fmt: skip
_TAKEN: Final = "Another application has this client_name here."
_ABOUT: Final = (*TEXTS, *describing.NAMES, *applications.PAGES, "contacts", "response_types")


@dataclass(frozen=True)
class Place:
    """What the installation lends: its public address, whom it believes, and what may be spoken to from here."""

    installation: str
    authority: Authority | None
    reachable: Callable[[str], object]


# --- RFC 7591 -------------------------------------------------------------------------------------------


def register(
    session: Session, utility: Utility, given: Mapping[str, Any], invitation: str | None, place: Place
) -> dict[str, Any]:
    """A new application, and all that is told of it once: its secret and the token it is managed with."""
    admitted, said = _admitted(session, utility, given, invitation, place)
    wanted = _offered(session, utility, client_metadata.read(said, admitted, place.reachable))
    by = f"{admitted.by}:{admitted.company}"[:256]
    try:
        made = applications.register(session, utility, wanted, by=by, reachable=place.reachable)
    except Conflict as error:
        raise BadMetadata(error.detail) from error
    except IntegrityError as error:  # two of one name at the same moment
        raise BadMetadata(_TAKEN) from error
    answer = document(made, utility, place) | _token(session, utility, made)
    if made.information[METHOD] in policies.SECRETS:
        answer |= {
            "client_secret": applications.new_secret(session, made, by=by),
            "client_secret_expires_at": 0,
        }
    return answer | ({STATEMENT: given[STATEMENT]} if STATEMENT in given else {})


def _admitted(
    session: Session, utility: Utility, given: Mapping[str, Any], invitation: str | None, place: Place
) -> tuple[Admitted, Mapping[str, Any]]:
    """Who is let in, and what is said of the application: what the authority signed comes before the company's word."""
    invited = admission.by_invitation(session, utility.id, invitation) if invitation else None
    if STATEMENT not in given:
        if invited is None:
            raise NotInvited("Registration needs an invitation of the utility as Bearer token.")
        return invited, given
    issuer = public_base(utility.base_url, utility.code, place.installation)
    vouched, signed = admission.by_statement(session, utility.id, place.authority, given[STATEMENT], issuer)
    if invited is not None and invited.company != vouched.company:
        raise BadStatement(
            f"The invitation is for {invited.company}, the software statement for another company."
        )
    return invited or vouched, {**given, **signed}


def _offered(session: Session, utility: Utility, wanted: Registration) -> Registration:
    """The same, if the utility offers or plans all the classes it names."""
    try:
        applications.check_offered(session, utility, wanted.scope)
    except features.NotOffered as error:
        raise BadMetadata(error.detail) from error
    return wanted


def _token(session: Session, utility: Utility, application: Application) -> dict[str, str]:
    issued = tokens.issue(
        session,
        "registration",
        utility.id,
        application=application,
        issued_by=f"client:{application.client_id}",
    )
    return {"registration_access_token": issued}


# --- RFC 7592 -------------------------------------------------------------------------------------------


def find(session: Session, application_id: uuid.UUID | None, client_id: str) -> Application:
    """The application a registration token manages, if it is the one that is named."""
    found = session.get(Application, application_id) if application_id else None
    if found is None or found.client_id != client_id:
        raise closed()
    return found


def restate(
    session: Session, application: Application, given: Mapping[str, Any], digest: bytes, place: Place
) -> dict[str, Any]:
    """Register the application anew with all that is said now, by another token than the one (`digest`) it came with.

    Where customers are sent, what they are shown or how the company shows who it is changes, the application goes
    back into review.
    """
    _retire(session, digest)
    _check_update(session, application, given)
    utility = session.get_one(Utility, application.utility_id)
    admitted = Admitted(application.name, application.policy, application.scope, "itself")
    wanted = _offered(session, utility, client_metadata.read(given, admitted, place.reachable))
    if wanted.name != application.name and applications.is_taken(session, utility, wanted.name):
        raise BadMetadata(_TAKEN)
    before, said = _looked_at(application), applications.stated(application)
    spoken = followers.words(application)
    _take(application, wanted)
    _flush(session)
    applications.record_change(session, application, _itself(application), said)
    followers.note_words(application, spoken)
    if _looked_at(application) != before and application.status == PRODUCTION:
        applications.set_status(session, application, applications.REVIEW, by=_itself(application))
    else:
        applications.note_change(session, application)
    answer = document(application, utility, place) | _token(session, utility, application)
    return answer | _secret(session, application)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise BadMetadata(_TAKEN) from error


def document(application: Application, utility: Utility, place: Place) -> dict[str, Any]:
    """What is registered (RFC 7591 3.2.1), with ESPI's own address of it. No secret stands here, nor a token."""
    about = application.information
    issuer = public_base(utility.base_url, utility.code, place.installation)
    resources = resource_base(utility.base_url, utility.code, place.installation)
    found = {
        "client_id": application.client_id,
        "client_id_issued_at": application.created_at,
        "client_name": application.name,
        "redirect_uris": application.redirect_uris,
        METHOD: method_of(application),
        "grant_types": list(GRANTS),
        "response_types": [CODE],
        "scope": application.scope,
        "jwks": application.jwks,
        "id_token_signed_response_alg": keys.ALGORITHM,
        "subject_type": "pairwise",
        NOTIFY: application.notify_uri,
        DESCRIPTION: about.get("description"),
        **{name: about[name] for name in _ABOUT if name in about},
        "registration_client_uri": f"{issuer}/oauth/register/{application.client_id}",
        "dataCustodianApplicationStatus": application.status,
        "applicationInformationURI": paths.application_information(resources, str(application.id)),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def method_of(application: Application) -> str:
    """How it shows who it is: as it registered, or as the operator registered it."""
    if METHOD in application.information:
        return str(application.information[METHOD])
    if application.jwks:
        return policies.SIGNED
    return policies.CERTIFICATE if application.certificates else policies.BASIC


def _retire(session: Session, digest: bytes) -> None:
    """The token works for one update, however many try with it at once."""
    done: Any = session.execute(
        update(Token)
        .where(Token.digest == digest, Token.revoked_at.is_(None))
        .values(revoked_at=clock.seconds(), revoked_reason="rotated")
    )
    if not done.rowcount:
        raise Unauthorized("This registration token was replaced meanwhile.")


def _check_update(session: Session, application: Application, given: Mapping[str, Any]) -> None:
    if given.get("client_id") != application.client_id:
        raise BadMetadata("The member client_id is the one of this registration.")
    for name in _OURS:
        if name in given:
            raise BadMetadata(f"An update does not hold {name} (RFC 7592 2.2).")
    if STATEMENT in given:
        raise BadMetadata("An update takes no software statement; register another application with it.")
    if "client_secret" in given and not _is_secret(session, application, given["client_secret"]):
        raise BadMetadata("The member client_secret is not the one of this registration.")


def _is_secret(session: Session, application: Application, secret: Any) -> bool:
    if not isinstance(secret, str):
        return False
    kept = select(ApplicationSecret.digest).where(
        ApplicationSecret.application_id == application.id, ApplicationSecret.revoked_at.is_(None)
    )
    given = tokens.digest(secret)
    return any(hmac.compare_digest(given, bytes(each)) for each in session.scalars(kept))


def _looked_at(application: Application) -> tuple[Any, ...]:
    """What the operator looked at when he qualified it. New keys are not among it: they have to be renewed in time."""
    told = tuple(application.information.get(name) for name in describing.NAMES)
    here = (application.name, application.redirect_uris, application.notify_uri, method_of(application))
    return (*here, told, followers.words(application), application.information.get("client_uri"))


def _itself(application: Application) -> str:
    """A company that acts for itself, as the records name it."""
    return f"client:{application.client_id}"


def _take(application: Application, wanted: Registration) -> None:
    application.name, application.redirect_uris = wanted.name, list(wanted.redirect_uris)
    application.notify_uri, application.scope = wanted.notify_uri, wanted.scope
    application.jwks, application.certificates = dict(wanted.jwks), list(wanted.certificates)
    kept = {
        name: value for name, value in application.information.items() if name not in {*_ABOUT, "description"}
    }
    application.information = {**kept, **wanted.information}
    application.updated_at = clock.seconds()


def _secret(session: Session, application: Application) -> dict[str, Any]:
    """Whoever shows a secret from now on gets one; whoever shows keys has none any more."""
    has_one = session.scalar(
        select(ApplicationSecret.digest)
        .where(ApplicationSecret.application_id == application.id, ApplicationSecret.revoked_at.is_(None))
        .limit(1)
    )
    needs_one = method_of(application) in policies.SECRETS
    if needs_one and has_one is None:
        secret = applications.new_secret(session, application, by=_itself(application))
        return {"client_secret": secret, "client_secret_expires_at": 0}
    if has_one is not None and not needs_one:
        session.execute(
            update(ApplicationSecret)
            .where(ApplicationSecret.application_id == application.id, ApplicationSecret.revoked_at.is_(None))
            .values(revoked_at=clock.seconds())
        )
    return {}
