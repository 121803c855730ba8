"""Passkeys (WebAuthn level 2): made for one host, used with the device's own lock, so that one is two factors.

The challenge of a ceremony is sealed and tells by itself what it is for, whose, and until when; it is taken once.
Nothing is kept before somebody answers it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from espi_server import at_rest, clock
from espi_server.accounts.models import Login, Utility
from espi_server.accounts.passkey_models import Passkey, SpentChallenge
from espi_server.db import Database, add_if_new
from espi_server.errors import BadRequest
from espi_server.keyring import CannotOpen

LIFETIME: Final = 600  # seconds a ceremony may take
MOST: Final = 10  # passkeys of a login
_PLACE: Final = "passkey.challenge"
# The library looks at what strangers send as if it had the right shape.
ODD: Final = (WebAuthnException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


class NoPasskey(BadRequest):
    """The passkey was not taken. Try again, or sign in another way."""


class EnoughPasskeys(BadRequest):
    """There are ten passkeys already. Remove one first."""


@dataclass(frozen=True)
class Place:
    """Where passkeys are good: a host, and the origin of its pages."""

    utility: Utility
    host: str
    origin: str

    @classmethod
    def of(cls, utility: Utility, base: str) -> Place:
        """That of a utility's public address."""
        parts = urlsplit(base)
        return cls(utility, parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


def registration(session: Session, place: Place, login: Login) -> str:
    """What a browser is given to make a passkey, as JSON."""
    known = session.scalars(select(Passkey).where(Passkey.login_id == login.id)).all()
    if len(known) >= MOST:
        raise EnoughPasskeys()
    options = webauthn.generate_registration_options(
        rp_id=place.host,
        rp_name=place.utility.name,
        user_id=login.id.bytes,
        user_name=login.email or login.name,
        challenge=_challenge(session, place, "make", login.id),
        timeout=LIFETIME * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[_described(each) for each in known],
    )
    return webauthn.options_to_json(options)


def register(session: Session, place: Place, login: Login, answer: str, name: str) -> Passkey:
    """The passkey a browser made; `NoPasskey` where it cannot be taken."""
    given = _read(answer)
    challenge = _spend(session, place, given, "make", login.id)
    try:
        made = webauthn.verify_registration_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except ODD as error:
        raise NoPasskey() from error
    row = Passkey(
        login_id=login.id,
        digest=_digest(made.credential_id),
        credential=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        transports=_transports(given),
        is_synced=made.credential_backed_up,
        name=name,
        created_at=clock.seconds(),
    )
    if session.scalar(select(Passkey.id).where(Passkey.digest == row.digest)) is not None:
        raise NoPasskey("This passkey is known already.")
    session.add(row)
    session.flush()
    return row


def question(session: Session, place: Place, login_id: uuid.UUID | None = None) -> str:
    """What a browser is given to use a passkey, as JSON: one of this login's, or whichever it has for this host."""
    known = session.scalars(select(Passkey).where(Passkey.login_id == login_id)).all() if login_id else []
    options = webauthn.generate_authentication_options(
        rp_id=place.host,
        challenge=_challenge(session, place, "use", login_id),
        timeout=LIFETIME * 1000,
        allow_credentials=[_described(each) for each in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def answered(session: Session, place: Place, answer: str, login_id: uuid.UUID | None = None) -> Passkey:
    """The passkey that answered, of this login or (None) of whichever of this utility's has it; `NoPasskey` else."""
    given = _read(answer)
    challenge = _spend(session, place, given, "use", login_id)
    row = _find(session, place, given, login_id)
    try:
        found = webauthn.verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except ODD as error:
        raise NoPasskey() from error
    same = (Passkey.id == row.id, Passkey.sign_count == row.sign_count)
    counted = update(Passkey).where(*same).values(sign_count=found.new_sign_count, used_at=clock.seconds())
    if session.execute(counted.returning(Passkey.id)).first() is None:
        raise NoPasskey()
    return row


def amr(row: Passkey) -> tuple[str, ...]:
    """RFC 8176: a key in hardware or one that is synced, somebody was there, and the device asked who."""
    return ("swk" if row.is_synced else "hwk", "user", "mfa")


def of(session: Session, login_id: uuid.UUID) -> list[Passkey]:
    """A login's passkeys, the oldest first."""
    return list(
        session.scalars(select(Passkey).where(Passkey.login_id == login_id).order_by(Passkey.created_at))
    )


def drop(session: Session, login_id: uuid.UUID, id: uuid.UUID) -> bool:
    """Forget one of a login's passkeys; whether there was one."""
    gone: Any = session.execute(delete(Passkey).where(Passkey.login_id == login_id, Passkey.id == id))
    return bool(gone.rowcount)


def forget_old(database: Database) -> None:
    """Drop the spent challenges that are too old to be taken in any case."""
    with database.writing() as session:
        session.execute(delete(SpentChallenge).where(SpentChallenge.ends_at <= clock.seconds()))


def _find(session: Session, place: Place, given: dict[str, Any], login_id: uuid.UUID | None) -> Passkey:
    here = (Login.utility_id == place.utility.id, Login.status == "active")
    mine = () if login_id is None else (Login.id == login_id,)
    wanted = select(Passkey).join(Login, Login.id == Passkey.login_id)
    row = session.scalar(wanted.where(Passkey.digest == _digest(_bytes(given.get("rawId"))), *here, *mine))
    if row is None:
        raise NoPasskey()
    return row


def _described(row: Passkey) -> PublicKeyCredentialDescriptor:
    known = {each.value for each in AuthenticatorTransport}
    transports = [AuthenticatorTransport(each) for each in row.transports if each in known]
    return PublicKeyCredentialDescriptor(id=row.credential, transports=transports or None)


def _challenge(session: Session, place: Place, purpose: str, login_id: uuid.UUID | None) -> bytes:
    said = [
        purpose,
        str(place.utility.id),
        str(login_id or ""),
        clock.seconds() + LIFETIME,
        secrets.token_hex(8),
    ]
    return at_rest.keyring(session).seal(json.dumps(said).encode(), _PLACE)


def _spend(
    session: Session, place: Place, given: dict[str, Any], purpose: str, login_id: uuid.UUID | None
) -> bytes:
    """The challenge this answers, if it was ours, for this, is not over and was not answered before."""
    challenge = _challenge_of(given)
    try:
        said = json.loads(at_rest.keyring(session).open(challenge, _PLACE))
    except CannotOpen as error:
        raise NoPasskey() from error
    wanted = [purpose, str(place.utility.id), str(login_id or "")]
    if said[:3] != wanted or said[3] <= clock.seconds():
        raise NoPasskey("That took too long. Try again.")
    spent = {
        "digest": hashlib.sha256(challenge).digest(), "utility_id": place.utility.id, "ends_at": said[3],
    }  # fmt: skip
    if not add_if_new(session, SpentChallenge, spent):
        raise NoPasskey()
    return challenge


def _challenge_of(given: dict[str, Any]) -> bytes:
    response = given.get("response")
    told = response.get("clientDataJSON") if isinstance(response, dict) else None
    try:
        client = json.loads(_bytes(told))
    except (ValueError, RecursionError) as error:
        raise NoPasskey() from error
    return _bytes(client.get("challenge") if isinstance(client, dict) else None)


def _read(answer: str) -> dict[str, Any]:
    """A browser's answer as JSON; strangers send anything."""
    try:
        given = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise NoPasskey() from error
    if not isinstance(given, dict):
        raise NoPasskey()
    return given


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise NoPasskey()
    try:
        return webauthn.base64url_to_bytes(text)
    except ValueError as error:
        raise NoPasskey() from error


def _transports(given: dict[str, Any]) -> list[str]:
    known = {each.value for each in AuthenticatorTransport}
    told = given["response"].get("transports")
    return (
        sorted(known.intersection(each for each in told if isinstance(each, str)))
        if isinstance(told, list)
        else []
    )


def _digest(credential: bytes) -> bytes:
    return hashlib.sha256(credential).digest()
