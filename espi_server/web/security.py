"""How somebody signs in, for herself to see and change: password, app, passkeys, spare codes, browsers.

Whoever changes any of it has shown who she is a moment ago, with the second factor where there is one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy.orm import Session

from espi_server.access import securing
from espi_server.accounts import email_changes, factors, passkeys, passwords, sessions, signin
from espi_server.accounts.factors import Kinds
from espi_server.accounts.models import Login
from espi_server.accounts.passkeys import EnoughPasskeys, NoPasskey
from espi_server.accounts.portal import Portal
from espi_server.errors import NotFound
from espi_server.web import portal
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.signin_links import password_error
from espi_server.web.signin_room import FRESH, place_of, rooms, script
from espi_server.web.signin_second import app_shown, code_error
from espi_server.web.words import _

_LONGEST_NAME: Final = 40


@dataclass(frozen=True)
class Mine:
    """Somebody at her own way in."""

    visit: Visit
    login: Login
    kinds: Kinds

    @property
    def beside(self) -> bool:
        """Is a second factor asked of everybody here?"""
        return Portal.of(self.visit.utility).second_factor


@rooms.get("/security")
def security(code: str) -> Response:
    """All of it."""
    with house().database.reading() as session:
        mine = _mine(session, code)
        here, login = mine.visit.customer, mine.login
        open_ones = signin.open_sessions(session, login.id, idle=house().settings.session_idle)
        known = signin.devices(session, login.id)
        keys = passkeys.of(session, login.id)
        changing = email_changes.waiting(session, login.id)
    said = {
        "email": _("Your new email address is set. From now on you sign in with it."),
        "kept": _("Your old email address stays. The link to the new one does not work any more."),
    }.get(request.args.get("said", ""), "")
    return portal.page(
        "signin/security.html", mine.visit, said=said, login=login, changing=changing, kinds=mine.kinds,
        beside=mine.beside, keys=keys, sessions=open_ones, devices=known, this=here.digest, at=_clock(mine.visit),
        name_of=sessions.name_of,
    )  # fmt: skip


@rooms.post("/security/sign-out-everywhere")
def sign_out_everywhere(code: str) -> Response:
    """Every other browser is signed out and forgotten."""
    portal.posted()
    with house().database.writing() as session:
        mine = _mine(session, code)
        sessions.end_all(session, mine.login.id, mine.visit.customer.digest)
        signin.forget_devices(session, mine.login.id)
        securing.record(session, mine.login, "session.ended", reason="everywhere")
    return _back(mine)


@rooms.post("/security/sign-out/<which>")
def sign_out_one(code: str, which: str) -> Response:
    """One browser is signed out; one of somebody else's is none, and one that is out already is out."""
    portal.posted()
    with house().database.writing() as session:
        mine = _mine(session, code)
        securing.end_session(session, mine.login, which)
    return _back(mine)


# --- password -------------------------------------------------------------------------------------------


@rooms.get("/security/password")
def password(code: str) -> Response:
    """Choose another."""
    with house().database.reading() as session:
        mine = safe(session, code)
    return _password(mine)


@rooms.post("/security/password")
def password_posted(code: str) -> Response:
    """Take it."""
    form = portal.posted()
    with house().database.reading() as session:
        mine = safe(session, code)
    chosen = form.get("password", "")
    if mine.login.password_digest is None:
        raise NotFound()
    if chosen != form.get("password2", ""):
        return _password(mine, _("The two passwords are not the same."))
    try:
        securing.change_password(
            house().database, mine.visit.utility, mine.login.id, chosen, beside=mine.beside,
            but=mine.visit.customer.digest,
        )  # fmt: skip
    except (passwords.TooShort, passwords.TooLong, passwords.TooCommon) as error:
        return _password(mine, password_error(error))
    return _back(mine)


def _password(mine: Mine, wrong: str = "") -> Response:
    least = passwords.BESIDE if mine.beside or mine.kinds.any else passwords.ALONE
    status = 400 if wrong else 200
    return portal.page(
        "signin/password.html", mine.visit, status=status, wrong=wrong, least=least, name=mine.login.name
    )


# --- the app --------------------------------------------------------------------------------------------


@rooms.get("/security/app")
def app(code: str) -> Response:
    """Set one up: scan the code, or type the key."""
    with house().database.writing() as session:
        mine = safe(session, code)
        secret = factors.proposed(session, mine.login.id) or factors.propose(session, mine.login.id)
    return _app(mine, secret)


@rooms.post("/security/app")
def app_posted(code: str) -> Response:
    """Its first code."""
    form = portal.posted()
    with house().database.writing() as session:
        mine = safe(session, code)
        secret = factors.proposed(session, mine.login.id)
        try:
            is_right = securing.settle_app(session, mine.login, form.get("code", ""))
        except factors.NotACode as error:
            return _app(mine, secret, code_error(error))
    if secret is None:
        return portal.go(portal.href(mine.visit.utility, "signin.app"))
    if not is_right:
        return _app(mine, secret, _("That code is not right, or it was used before. Wait for the next one."))
    return _back(mine)


def _app(mine: Mine, secret: str | None, wrong: str = "") -> Response:
    utility = mine.visit.utility
    shown = app_shown(secret or "", mine.login.email or utility.name, utility)
    status = 400 if wrong else 200
    return portal.page("signin/app.html", mine.visit, status=status, wrong=wrong, kinds=mine.kinds, **shown)


# --- taking off -----------------------------------------------------------------------------------------


@rooms.get("/security/remove/<what>")
def remove(code: str, what: str) -> Response:
    """Shall it go?"""
    with house().database.reading() as session:
        mine = safe(session, code)
        name = _named(session, mine, what)
    return portal.page("signin/remove.html", mine.visit, what=what, name=name, wrong="")


@rooms.post("/security/remove/<what>")
def remove_posted(code: str, what: str) -> Response:
    """It goes."""
    portal.posted()
    try:
        with house().database.writing() as session:
            mine = safe(session, code)
            name = _named(session, mine, what)
            if what == factors.APP:
                securing.drop_app(session, mine.login, beside=mine.beside)
            else:
                securing.drop_passkey(session, mine.login, uuid.UUID(what), beside=mine.beside)
    except securing.NoSecondStep:
        with house().database.reading() as session:
            mine = safe(session, code)
        wrong = _("Your password is too short to be used alone. First choose one of 15 characters or more.")
        return portal.page("signin/remove.html", mine.visit, status=400, what=what, name=name, wrong=wrong)
    return _back(mine)


def _named(session: Session, mine: Mine, what: str) -> str:
    """What a passkey is called, nothing for the app; `NotFound` where it is not hers."""
    if what == factors.APP and mine.kinds.app:
        return ""
    for each in passkeys.of(session, mine.login.id):
        if str(each.id) == what:
            return each.name
    raise NotFound()


# --- passkeys -------------------------------------------------------------------------------------------


@rooms.get("/security/passkey")
def passkey(code: str) -> Response:
    """Make one."""
    with house().database.reading() as session:
        return _passkey(session, safe(session, code))


@rooms.post("/security/passkey")
def passkey_posted(code: str) -> Response:
    """Take the one the browser made."""
    form = portal.posted()
    name = " ".join(form.get("name", "").split())[:_LONGEST_NAME]
    try:
        with house().database.writing() as session:
            mine = safe(session, code)
            securing.add_passkey(
                session,
                place_of(mine.visit.utility),
                mine.login,
                form.get("answer", ""),
                name or _("Passkey"),
            )
    except NoPasskey:
        with house().database.reading() as session:
            return _passkey(session, safe(session, code), _("The passkey was not made. Try again."))
    return _back(mine)


def _passkey(session: Session, mine: Mine, wrong: str = "") -> Response:
    utility, options = mine.visit.utility, ""
    try:
        options = passkeys.registration(session, place_of(utility), mine.login)
    except EnoughPasskeys:
        wrong = _("You have ten passkeys. Remove one first.")
    status = 400 if wrong else 200
    return portal.page(
        "signin/passkey.html", mine.visit, status=status, wrong=wrong, options=options, script=script(utility)
    )


# --- spare codes ----------------------------------------------------------------------------------------


@rooms.get("/security/codes")
def codes(code: str) -> Response:
    """What they are for."""
    with house().database.reading() as session:
        mine = safe(session, code)
    return portal.page("signin/codes.html", mine.visit, kinds=mine.kinds, codes=())


@rooms.post("/security/codes")
def codes_posted(code: str) -> Response:
    """Ten of them. This answer is the one place where they can be read, so it is no way on."""
    portal.posted()
    with house().database.reading() as session:
        mine = safe(session, code)
    if not mine.kinds.any:
        return portal.go(portal.href(mine.visit.utility, "signin.app"))
    made = factors.invent()
    hashes = factors.hashes(made)
    with house().database.writing() as session:
        securing.keep_codes(session, session.get_one(Login, mine.login.id), hashes)
    return portal.page("signin/codes.html", mine.visit, kinds=mine.kinds, codes=made)


# --- who is at it ---------------------------------------------------------------------------------------


def _mine(session: Session, code: str) -> Mine:
    visit = portal.customer(session, code)
    login = session.get_one(Login, visit.customer.login_id)
    return Mine(visit, login, factors.kinds(session, login.id))


def safe(session: Session, code: str) -> Mine:
    """The same, where something is to be changed."""
    mine = _mine(session, code)
    portal.customer(session, code, fresh=FRESH, second_factor=mine.beside or mine.kinds.any)
    return mine


def _back(mine: Mine) -> Response:
    return portal.go(portal.href(mine.visit.utility, "signin.security"))


def _clock(visit: Visit) -> Any:
    zone = ZoneInfo(visit.utility.timezone)
    return lambda seconds: datetime.fromtimestamp(seconds, UTC).astimezone(zone)
