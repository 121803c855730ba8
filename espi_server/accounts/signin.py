"""Ways in and what leads to them: logins and how they are found, sign-ins half done, links by mail, known browsers.

Whoever brings a secret here (a cookie, a link) is found by its digest, so a copy of the database opens nothing.
"""

from __future__ import annotations

import json
import secrets
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Boolean, ForeignKey, delete, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from espi_server import at_rest, clock
from espi_server.accounts.kept_forms import KeptForm
from espi_server.accounts.models import Customer, Login, LoginSession, Utility
from espi_server.accounts.sessions import ACTIVE, digest
from espi_server.at_rest import Sealed
from espi_server.db import PII, Base, Code, Database, Digest, Id, Seconds
from espi_server.errors import Conflict, NotFound, Usage

CUSTOMER: Final = "customer"
CLOSED: Final = "closed"
STEP: Final = 600  # seconds between a password and what comes after it
TRIES: Final = 5  # at the second step; then the password is asked for again
FIRST: Final = "first"
RESET: Final = "reset"
LIVES: Final[Mapping[str, int]] = {FIRST: 7 * 86_400, RESET: 1800}  # seconds
DEVICE: Final = 30 * 86_400
_KEPT: Final = 7 * 86_400


class SigningIn(Base):
    """A sign-in whose password was right and whose second step is still to come. `sealed` says what it is for."""

    __tablename__ = "signing_in"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"))
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    sealed: Mapped[bytes] = mapped_column(Sealed("digest"), info=PII)
    tries: Mapped[int]
    expires_at: Mapped[Seconds] = mapped_column(index=True)
    used_at: Mapped[Seconds | None]


class LoginLink(Base):
    """A link by which somebody chooses a password, once. `sealed` holds it until its letter has left."""

    __tablename__ = "login_link"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    purpose: Mapped[Code]
    is_known: Mapped[bool] = mapped_column(Boolean, default=False)  # asked for in a browser of hers
    sealed: Mapped[bytes | None] = mapped_column(Sealed("digest"), info=PII)
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds] = mapped_column(index=True)
    used_at: Mapped[Seconds | None]


class KnownDevice(Base):
    """A browser in which a login's second factor was shown; for a month, simple visits do not ask for it again."""

    __tablename__ = "known_device"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    created_at: Mapped[Seconds]
    ends_at: Mapped[Seconds] = mapped_column(index=True)


class BadLogin(Usage):
    """A login cannot be opened like this."""


class LoginTaken(Conflict):
    """A login with this address is here already. `espi-server login list` shows them."""


class NoSuchLogin(NotFound):
    """There is no login with this address at this utility."""


# --- logins ---------------------------------------------------------------------------------------------


def named(text: str) -> str:
    """The one way to write what somebody signs in with."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def is_address(name: str) -> bool:
    """Can letters go there, as far as can be seen?"""
    is_plain = not any(each.isspace() or not each.isprintable() for each in name)
    return 3 <= len(name) <= 254 and name.count("@") == 1 and all(name.partition("@")) and is_plain


def add(
    session: Session, utility: Utility, reference: str, email: str, *, language: str | None = None
) -> Login:
    """A way in for a customer of this utility. She chooses a password by a link; until then it opens nothing."""
    name = named(email)
    if not is_address(name):
        raise BadLogin(f"{email!r} is no e-mail address such as ada@example.org.")
    wanted = select(Customer.id).where(Customer.utility_id == utility.id, Customer.reference == reference)
    customer_id = session.scalar(wanted)
    if customer_id is None:
        raise NotFound(f"{utility.name} has no customer {reference!r}. Import its customers first.")
    if by_name(session, utility.id, email) is not None:
        raise LoginTaken()
    row = Login(
        id=uuid.uuid4(), kind=CUSTOMER, utility_id=utility.id, customer_id=customer_id, name=name, email=name,
        language=language, created_at=clock.seconds(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def by_name(session: Session, utility_id: uuid.UUID, name: str) -> Login | None:
    """The customer's login with this name at this utility, open or not."""
    wanted = (Login.kind == CUSTOMER, Login.utility_id == utility_id, Login.name == named(name))
    return session.scalar(select(Login).where(*wanted))


def find(session: Session, utility_id: uuid.UUID, name: str) -> Login:
    """The same, or `NoSuchLogin`."""
    found = by_name(session, utility_id, name)
    if found is None:
        raise NoSuchLogin()
    return found


def every(session: Session, utility_id: uuid.UUID) -> Sequence[Login]:
    """The customers' logins of a utility, the oldest first."""
    mine = (Login.kind == CUSTOMER, Login.utility_id == utility_id)
    return session.scalars(select(Login).where(*mine).order_by(Login.created_at, Login.id)).all()


def is_open(login: Login | None) -> bool:
    """May anybody come in by it?"""
    return login is not None and login.status == ACTIVE and login.kind == CUSTOMER


# --- between two steps ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Half:
    """A sign-in that waits for its second step: whose, what was shown so far, and when."""

    digest: bytes
    login_id: uuid.UUID
    amr: tuple[str, ...]
    acr: str | None
    at: int
    next: str
    must: bool  # the factor itself is wanted, not a browser that is known
    strong: bool = False  # and not a code by mail


def begin(session: Session, login: Login, half: Mapping[str, Any]) -> str:
    """Wait for the second step: what the browser's cookie holds."""
    secret = secrets.token_urlsafe(32)
    key = digest(secret)
    sealed = at_rest.seal(
        at_rest.keyring(session),
        SigningIn.__table__.c.sealed,
        {"digest": key},
        json.dumps(dict(half)).encode(),
    )
    session.add(
        SigningIn(
            digest=key, login_id=login.id, utility_id=login.utility_id, sealed=sealed, tries=0,
            expires_at=clock.seconds() + STEP,
        )
    )  # fmt: skip
    session.flush()
    return secret


def half(session: Session, utility_id: uuid.UUID, secret: str) -> Half | None:
    """What waits behind this cookie, at this utility, if it still does."""
    row = session.scalar(select(SigningIn).where(*_waits(utility_id, digest(secret))))
    if row is None:
        return None
    given = _said(session, row)
    return Half(
        row.digest, row.login_id, tuple(given["amr"]), given["acr"], given["at"], given["next"], given["must"],
        given.get("strong", False),
    )  # fmt: skip


def wanted(session: Session, utility_id: uuid.UUID, secret: str) -> dict[str, Any]:
    """Where a sign-in that came to nothing was going, as the first page is asked for it."""
    mine = (
        SigningIn.digest == digest(secret),
        SigningIn.utility_id == utility_id,
        SigningIn.used_at.is_(None),
    )
    row = session.scalar(select(SigningIn).where(*mine)) if secret else None
    if row is None:
        return {}
    given = _said(session, row)
    second = "strong" if given.get("strong") else 1 if given["must"] else None
    asked = {"next": given["next"], "second": second}
    return {name: value for name, value in asked.items() if value}


def _said(session: Session, row: SigningIn) -> dict[str, Any]:
    column = SigningIn.__table__.c.sealed
    clear = at_rest.opened(at_rest.keyring(session), column, {"digest": row.digest}, row.sealed)
    found: dict[str, Any] = json.loads(clear)
    return found


def count_try(session: Session, utility_id: uuid.UUID, key: bytes) -> bool:
    """One more try at it; False where there were enough, or it is over."""
    more = update(SigningIn).where(*_waits(utility_id, key)).values(tries=SigningIn.tries + 1)
    return session.execute(more.returning(SigningIn.tries)).first() is not None


def finish(session: Session, utility_id: uuid.UUID, key: bytes) -> bool:
    """It is done; of many at once, one is told so."""
    # Without a look at the tries: the right code may have been the last of them.
    done = update(SigningIn).where(*_live(utility_id, key)).values(used_at=clock.seconds())
    return session.execute(done.returning(SigningIn.digest)).first() is not None


def drop_halves(session: Session, login_id: uuid.UUID) -> None:
    """Whatever sign-in of this login is half done begins anew."""
    session.execute(delete(SigningIn).where(SigningIn.login_id == login_id))


def _waits(utility_id: uuid.UUID, key: bytes) -> tuple[Any, ...]:
    return (*_live(utility_id, key), SigningIn.tries < TRIES)


def _live(utility_id: uuid.UUID, key: bytes) -> tuple[Any, ...]:
    return (
        SigningIn.digest == key,
        SigningIn.utility_id == utility_id,
        SigningIn.used_at.is_(None),
        SigningIn.expires_at > clock.seconds(),
    )


# --- links by mail --------------------------------------------------------------------------------------


def link(session: Session, login: Login, purpose: str, *, is_known: bool = True) -> str:
    """The secret of a link by which this login's password is chosen; earlier ones are over.

    One that a stranger asked for (not `is_known`) leaves those alone that were not.
    """
    drop_links(session, login.id, *(() if is_known else (LoginLink.is_known.is_(False),)))
    secret, now = secrets.token_urlsafe(32), clock.seconds()
    session.add(
        LoginLink(
            digest=digest(secret), login_id=login.id, utility_id=login.utility_id, purpose=purpose,
            is_known=is_known, created_at=now, expires_at=now + LIVES[purpose],
        )
    )  # fmt: skip
    session.flush()
    return secret


def linked(session: Session, utility_id: uuid.UUID, secret: str) -> tuple[LoginLink, Login] | None:
    """Whose link this is, at this utility, if it still is one."""
    found = session.execute(
        select(LoginLink, Login)
        .join(Login, Login.id == LoginLink.login_id)
        .where(*_lives(utility_id, digest(secret)), Login.status == ACTIVE)
    ).first()
    return (found[0], found[1]) if found else None


def use_link(session: Session, utility_id: uuid.UUID, key: bytes) -> bool:
    """Use it up; of many at once, one is told so."""
    used = update(LoginLink).where(*_lives(utility_id, key)).values(used_at=clock.seconds(), sealed=None)
    return session.execute(used.returning(LoginLink.digest)).first() is not None


def drop_links(session: Session, login_id: uuid.UUID, *which: Any) -> None:
    """The links of a login that were not used are over, or these of them."""
    live = (LoginLink.login_id == login_id, LoginLink.used_at.is_(None), *which)
    session.execute(update(LoginLink).where(*live).values(used_at=clock.seconds(), sealed=None))


def _lives(utility_id: uuid.UUID, key: bytes) -> tuple[Any, ...]:
    return (
        LoginLink.digest == key,
        LoginLink.utility_id == utility_id,
        LoginLink.used_at.is_(None),
        LoginLink.expires_at > clock.seconds(),
    )


# --- known browsers and open ones -----------------------------------------------------------------------


def remember(session: Session, login: Login) -> str:
    """Know this browser for a month: what its cookie holds."""
    secret, now = secrets.token_urlsafe(32), clock.seconds()
    session.add(
        KnownDevice(
            digest=digest(secret), login_id=login.id, utility_id=login.utility_id, created_at=now,
            ends_at=now + DEVICE,
        )
    )  # fmt: skip
    session.flush()
    return secret


def is_known(session: Session, login: Login, secret: str) -> bool:
    """Is this a browser in which this very login showed its second factor?"""
    hers = (KnownDevice.login_id == login.id, KnownDevice.utility_id == login.utility_id)
    live = (KnownDevice.digest == digest(secret), KnownDevice.ends_at > clock.seconds())
    return bool(secret) and session.scalar(select(KnownDevice.digest).where(*live, *hers)) is not None


def devices(session: Session, login_id: uuid.UUID) -> Sequence[KnownDevice]:
    """The browsers that are known, the newest first."""
    live = (KnownDevice.login_id == login_id, KnownDevice.ends_at > clock.seconds())
    return session.scalars(select(KnownDevice).where(*live).order_by(KnownDevice.created_at.desc())).all()


def forget_devices(session: Session, login_id: uuid.UUID) -> int:
    """Know none of this login's browsers any more; how many there were."""
    gone: Any = session.execute(delete(KnownDevice).where(KnownDevice.login_id == login_id))
    return int(gone.rowcount)


def open_sessions(session: Session, login_id: uuid.UUID, *, idle: int) -> Sequence[LoginSession]:
    """Where this login is signed in, the one seen last first."""
    now = clock.seconds()
    live = (LoginSession.revoked_at.is_(None), LoginSession.ends_at > now, LoginSession.seen_at > now - idle)
    mine = select(LoginSession).where(LoginSession.login_id == login_id, *live)
    return session.scalars(mine.order_by(LoginSession.seen_at.desc())).all()


def forget_old(database: Database) -> None:
    """Drop what is over: sign-ins half done, forms nobody came back for, links, browsers, sessions after a week."""
    now = clock.seconds()
    dead = or_(LoginSession.ends_at <= now - _KEPT, LoginSession.revoked_at <= now - _KEPT)
    with database.writing() as session:
        session.execute(delete(SigningIn).where(SigningIn.expires_at <= now))
        session.execute(delete(KeptForm).where(KeptForm.expires_at <= now))
        session.execute(delete(LoginLink).where(LoginLink.expires_at <= now - _KEPT))
        session.execute(delete(KnownDevice).where(KnownDevice.ends_at <= now))
        session.execute(delete(LoginSession).where(dead))
