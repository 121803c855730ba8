"""The second factor: an authenticator app (TOTP, RFC 6238), whose codes are taken once, and recovery codes on paper.

The app's secret stands sealed in the database. Of a code the step of time it belongs to is kept, and no code of that
step or an earlier one is taken again, by whomever and however often at the same moment.
"""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Final

import pyotp
from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import at_rest, clock
from espi_server.accounts import hashing
from espi_server.accounts.passkey_models import Passkey
from espi_server.at_rest import Sealed
from espi_server.db import PII, RESTRICTED, Base, Id, Seconds
from espi_server.errors import BadRequest

APP: Final = "app"
PASSKEY: Final = "passkey"
RECOVERY: Final = "recovery"
STEP: Final = 30  # seconds
DRIFT: Final = 1  # steps a telephone's clock may be off
CODES: Final = 10
_LETTERS: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that looks like another
_LENGTH: Final = 11  # of them, after the number: 54 bits
_DIGITS = re.compile("[0-9]{6}")


class Authenticator(Base):
    """A login's authenticator app. `pending` is the secret of one being set up, `last_step` that of the last code."""

    __tablename__ = "authenticator"

    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes | None] = mapped_column(Sealed("login_id"), info=PII)
    pending: Mapped[bytes | None] = mapped_column(Sealed("login_id"), info=PII)
    last_step: Mapped[int] = mapped_column(default=0)
    since: Mapped[Seconds | None]


class RecoveryCode(Base):
    """One of the codes for the day the telephone is gone. Its number, the first character, tells which it is."""

    __tablename__ = "recovery_code"

    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(info=RESTRICTED)
    used_at: Mapped[Seconds | None]


class NotACode(BadRequest):
    """The code of an app has six digits; a recovery code has twelve letters and digits."""


@dataclass(frozen=True)
class Kinds:
    """What a login can show besides its password."""

    app: bool = False
    passkeys: int = 0
    recovery: int = 0  # recovery codes that are left

    @property
    def any(self) -> bool:
        """Is there a factor at all? Recovery codes alone are none: they stand in for one."""
        return self.app or self.passkeys > 0


def kinds(session: Session, login_id: uuid.UUID) -> Kinds:
    """What is set up."""
    app = select(func.count()).where(Authenticator.login_id == login_id, Authenticator.sealed.is_not(None))
    keys = select(func.count()).where(Passkey.login_id == login_id)
    left = select(func.count()).where(RecoveryCode.login_id == login_id, RecoveryCode.used_at.is_(None))
    found = session.execute(
        select(app.scalar_subquery(), keys.scalar_subquery(), left.scalar_subquery())
    ).one()
    return Kinds(bool(found[0]), found[1], found[2])


# --- the app --------------------------------------------------------------------------------------------


def propose(session: Session, login_id: uuid.UUID) -> str:
    """The secret to be typed into an app, or shown as a QR code. It is nothing before a code of it comes back."""
    row = session.get(Authenticator, login_id)
    if row is None:
        row = Authenticator(login_id=login_id)
        session.add(row)
    secret = pyotp.random_base32()
    row.pending = _closed(session, Authenticator.__table__.c.pending, login_id, secret)
    session.flush()
    return secret


def proposed(session: Session, login_id: uuid.UUID) -> str | None:
    """The secret that waits for its first code."""
    row = session.get(Authenticator, login_id)
    return _opened(session, Authenticator.__table__.c.pending, login_id, row.pending if row else None)


def settle(session: Session, login_id: uuid.UUID, code: str) -> bool:
    """Take the app that was proposed, if this is a code of it; an earlier one is over."""
    row = session.get(Authenticator, login_id, with_for_update=True)
    secret = _opened(session, Authenticator.__table__.c.pending, login_id, row.pending if row else None)
    step = _step(secret, code) if secret else None
    if row is None or secret is None or step is None:
        return False
    row.sealed = _closed(session, Authenticator.__table__.c.sealed, login_id, secret)
    row.pending, row.last_step, row.since = None, step, clock.seconds()
    return True


def enter(session: Session, login_id: uuid.UUID, code: str) -> bool:
    """Is this a code of her app that was not used? Then it is used now: of many at once, one is told so."""
    row = session.execute(select(Authenticator.sealed).where(Authenticator.login_id == login_id)).first()
    secret = _opened(session, Authenticator.__table__.c.sealed, login_id, row.sealed if row else None)
    step = _step(secret, code) if secret else None
    if step is None:
        return False
    unused = (Authenticator.login_id == login_id, Authenticator.last_step < step)
    done = session.execute(
        update(Authenticator).where(*unused).values(last_step=step).returning(Authenticator.login_id)
    )
    return done.first() is not None


def drop_app(session: Session, login_id: uuid.UUID) -> bool:
    """Forget the app; whether there was one."""
    gone: Any = session.execute(delete(Authenticator).where(Authenticator.login_id == login_id))
    return bool(gone.rowcount)


def address(secret: str, *, name: str, utility: str) -> str:
    """What the QR code of an app says (otpauth://)."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=utility)


def typed(code: str) -> str:
    """Six digits as a person types them; `NotACode` else."""
    plain = re.sub(r"[\s-]", "", code)
    if not _DIGITS.fullmatch(plain):
        raise NotACode()
    return plain


def _step(secret: str, code: str) -> int | None:
    """The step of time this is the code of, around now."""
    totp, now = pyotp.TOTP(secret, interval=STEP), clock.seconds() // STEP
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found


# --- recovery codes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recovery:
    """A recovery code as it was typed: which of them, and the whole of it."""

    number: int
    code: str

    @classmethod
    def read(cls, code: str) -> Recovery | None:
        """None where it has not the form of one."""
        plain = re.sub(r"[\s-]", "", code).upper()
        if len(plain) != _LENGTH + 1 or plain[0] not in "0123456789" or set(plain[1:]) - set(_LETTERS):
            return None
        return cls(int(plain[0]), plain)


def invent() -> list[str]:
    """Ten recovery codes as they are shown, once: `3ABC-DEFG-HJKM`."""
    made = [f"{number}{''.join(secrets.choice(_LETTERS) for _ in range(_LENGTH))}" for number in range(CODES)]
    return ["-".join(each[at : at + 4] for at in (0, 4, 8)) for each in made]


def hashes(codes: list[str]) -> list[str]:
    """What is kept of them; slow on purpose, so not within a transaction."""
    return [hashing.hashed(each.replace("-", "").encode()) for each in codes]


def keep(session: Session, login_id: uuid.UUID, hashes: list[str]) -> None:
    """These are her recovery codes now, and no others."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.login_id == login_id))
    session.add_all(
        RecoveryCode(login_id=login_id, number=number, hash=each) for number, each in enumerate(hashes)
    )
    session.flush()


def kept(session: Session, login_id: uuid.UUID, given: Recovery) -> str | None:
    """The hash this one has to match, if it is not used."""
    mine = (RecoveryCode.login_id == login_id, RecoveryCode.number == given.number)
    return session.scalar(select(RecoveryCode.hash).where(*mine, RecoveryCode.used_at.is_(None)))


def matches(kept: str | None, given: Recovery) -> bool:
    """Is it that one? Slow on purpose."""
    return hashing.matches(kept or "", given.code.encode()) and kept is not None


def use(session: Session, login_id: uuid.UUID, given: Recovery, kept: str) -> bool:
    """Use it up, if it still is the one that matched; of many at once, one is told so."""
    mine = (RecoveryCode.login_id == login_id, RecoveryCode.number == given.number, RecoveryCode.hash == kept)
    done = session.execute(
        update(RecoveryCode)
        .where(*mine, RecoveryCode.used_at.is_(None))
        .values(used_at=clock.seconds())
        .returning(RecoveryCode.number)
    )
    return done.first() is not None


def drop_codes(session: Session, login_id: uuid.UUID) -> None:
    """They are worth nothing any more."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.login_id == login_id))


def _closed(session: Session, column: Any, login_id: uuid.UUID, secret: str) -> bytes:
    return at_rest.seal(at_rest.keyring(session), column, {"login_id": login_id}, secret.encode())


def _opened(session: Session, column: Any, login_id: uuid.UUID, sealed: bytes | None) -> str | None:
    if sealed is None:
        return None
    return at_rest.opened(at_rest.keyring(session), column, {"login_id": login_id}, sealed).decode()
