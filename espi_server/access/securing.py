"""Changing how somebody signs in: passwords and second factors. Each change is an act, and she is told by letter."""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, contacts, sealing
from espi_server.accounts import factors, passkeys, passwords, provider, sessions, signin
from espi_server.accounts.models import Login, Utility
from espi_server.accounts.passkeys import Place
from espi_server.accounts.signin import LoginLink
from espi_server.db import Database
from espi_server.errors import BadRequest, Internal, NotFound
from espi_server.jobs import later
from espi_server.jobs.models import Job
from espi_server.jobs.worker import Task, Work
from espi_server.notify import outbox

FORGOTTEN: Final = "login.forgotten"
CHANGED: Final = "login.password"
FACTOR: Final = "login.factor"
LINKS_A_DAY: Final = 5  # that are asked for in browsers of hers
LINKS_OF_STRANGERS: Final = 10  # a day, in others
LINKS_A_PLACE: Final = 3  # of these, from one place
_DAY: Final = 86_400


class LinkOver(NotFound):
    """This link is over: it was used, a newer one was sent, or its time has passed. Ask for a new one."""


class NoSecondStep(BadRequest):
    """The password is too short to stand alone. Choose one of 15 characters or more first."""


def record(session: Session, login: Login, act: str, *, actor: str | None = None, **detail: Any) -> None:
    """Write down an act about a login, by the person herself unless told."""
    if login.utility_id is None:
        raise Internal("A login of no utility has no audit.")
    me = contacts.person(contacts.LOGIN, login.id)
    audit.record(session, login.utility_id, act, actor=actor or me, subject=me, **detail)


def end_session(session: Session, login: Login, name: str) -> None:
    """Sign one of her browsers out, by what her page calls it."""
    if sessions.end_one(session, login.id, name):
        record(session, login, "session.ended", reason="by-herself")


# --- links ----------------------------------------------------------------------------------------------


def invite(
    session: Session, login: Login, purpose: str, *, by: str, mail: bool, is_known: bool = True
) -> str:
    """A link by which she chooses her password, sent by mail or (`mail` false) for the caller to hand over."""
    secret = signin.link(session, login, purpose, is_known=is_known)
    path = f"/account/password/new?link={secret}"
    record(session, login, "login.link", actor=by, purpose=purpose)
    if mail:
        key = {"digest": sessions.digest(secret)}
        row = session.get_one(LoginLink, key["digest"])
        row.sealed = sealing.seal(session, LoginLink, key, {"link": path})
        tell(session, login, f"login.{purpose}", {"link": key["digest"].hex()}, urgent=True)
    return path


def ask_for_link(session: Session, utility: Utility, name: str, *, is_known: bool) -> None:
    """Somebody forgot a password. Whether there is such a login is found out by a worker: nobody here sees it.

    `is_known`: in a browser that name was let in with.
    """
    given = {"name": signin.named(name)[:254], "is_known": is_known}
    later.ask(session, utility.id, FORGOTTEN, given, access=FORGOTTEN, actor=audit.SERVER)


def work() -> Work:
    """How a worker sends links to those who forgot their password."""

    def run(task: Task) -> dict[str, Any]:
        values = task.lease.values
        given = values["payload"]
        send_link(
            task.lease.database, values["utility_id"], given["name"], is_known=given.get("is_known", False)
        )
        return {"finished_at": clock.seconds(), "payload": {}}

    return Work(
        FORGOTTEN,
        Job,
        run,
        Job.kind == FORGOTTEN,
        parked=lambda _: {"finished_at": clock.seconds(), "payload": {}},
    )


def send_link(database: Database, utility_id: uuid.UUID, name: str, *, is_known: bool) -> None:
    """Send it, if there is such a login, it is open and got few today, in browsers of hers or by strangers."""
    with database.writing() as session:
        login = signin.by_name(session, utility_id, name)
        if login is None or not signin.is_open(login) or login.email is None:
            return
        if provider.is_only(session, utility_id):
            return
        today = (LoginLink.login_id == login.id, LoginLink.created_at > clock.seconds() - _DAY)
        alike = (LoginLink.purpose == signin.RESET, LoginLink.is_known == is_known)
        most = LINKS_A_DAY if is_known else LINKS_OF_STRANGERS
        if (session.scalar(select(func.count()).where(*today, *alike)) or 0) < most:
            invite(session, login, signin.RESET, by=audit.SERVER, mail=True, is_known=is_known)


def check_link(session: Session, utility: Utility, secret: str) -> Login:
    """Whose link this is; `LinkOver` where it is nobody's."""
    found = signin.linked(session, utility.id, secret) if secret else None
    if found is None or provider.is_only(session, utility.id):
        raise LinkOver()
    return found[1]


def by_link(database: Database, utility: Utility, secret: str, password: str, *, beside: bool) -> Login:
    """Choose a password by a link, once. The second factor stays, whoever was signed in is not any more."""
    with database.reading() as session:
        login = check_link(session, utility, secret)
        chosen = _checked(session, utility, login, password, beside)
    kept = passwords.digest(chosen)
    with database.writing() as session:
        login, purpose = _used(session, utility, secret)
        if login.email_since is None:
            login.email_since = clock.seconds()  # whoever opened the link reads what goes to this address
        _take(session, login, kept, chosen, reason=purpose)
        sessions.end_all(session, login.id)
        signin.forget_devices(session, login.id)
    return login


def _used(session: Session, utility: Utility, secret: str) -> tuple[Login, str]:
    found = signin.linked(session, utility.id, secret)
    if found is None or not signin.use_link(session, utility.id, found[0].digest):
        raise LinkOver()
    return session.get_one(Login, found[1].id, with_for_update=True), found[0].purpose


# --- passwords ------------------------------------------------------------------------------------------


def change_password(
    database: Database, utility: Utility, login_id: uuid.UUID, password: str, *, beside: bool, but: bytes
) -> None:
    """Choose another password; every other browser is signed out, this one (`but`) is not."""
    with database.reading() as session:
        chosen = _checked(session, utility, session.get_one(Login, login_id), password, beside)
    kept = passwords.digest(chosen)
    with database.writing() as session:
        login = session.get_one(Login, login_id, with_for_update=True)
        _take(session, login, kept, chosen, reason="changed")
        signin.drop_links(session, login_id)
        sessions.end_all(session, login_id, but)
        signin.forget_devices(session, login_id)


def _checked(session: Session, utility: Utility, login: Login, password: str, beside: bool) -> str:
    """`beside`: a second factor is asked of everybody here."""
    alone = not beside and not factors.kinds(session, login.id).any
    return passwords.checked(password, alone=alone, about=(login.name, utility.name, utility.code))


def _take(session: Session, login: Login, kept: str, chosen: str, *, reason: str) -> None:
    login.password_digest, login.password_at = kept, clock.seconds()
    login.password_alone = passwords.is_long(chosen)
    record(session, login, "login.password", reason=reason)
    if reason != signin.FIRST:
        tell(session, login, CHANGED, {"what": reason})


# --- second factors -------------------------------------------------------------------------------------


def settle_app(session: Session, login: Login, code: str) -> bool:
    """Take the app that was proposed, if this is its code."""
    if not factors.settle(session, login.id, factors.typed(code)):
        return False
    signin.forget_devices(session, login.id)
    tell_factor(session, login, "app", "added")
    return True


def drop_app(session: Session, login: Login, *, beside: bool) -> None:
    """Do without the app."""
    if factors.drop_app(session, login.id):
        _dropped(session, login, beside)
        tell_factor(session, login, "app", "removed")


def add_passkey(session: Session, place: Place, login: Login, answer: str, name: str) -> None:
    """Take the passkey a browser made."""
    passkeys.register(session, place, login, answer, name)
    tell_factor(session, login, "passkey", "added")


def drop_passkey(session: Session, login: Login, id: uuid.UUID, *, beside: bool) -> None:
    """Do without a passkey."""
    if passkeys.drop(session, login.id, id):
        _dropped(session, login, beside)
        tell_factor(session, login, "passkey", "removed")


def keep_codes(session: Session, login: Login, hashes: list[str]) -> None:
    """New recovery codes; the ones before are over."""
    factors.keep(session, login.id, hashes)
    tell_factor(session, login, "recovery", "added")


def _dropped(session: Session, login: Login, beside: bool) -> None:
    """A password that was only good beside a second factor does not become the whole way in."""
    if not factors.kinds(session, login.id).any:
        factors.drop_codes(session, login.id)
        if login.password_digest and not login.password_alone and not beside:
            raise NoSecondStep()
    signin.forget_devices(session, login.id)


def tell_factor(session: Session, login: Login, kind: str, change: str) -> None:
    """Write it down, and write to her."""
    record(session, login, "login.factor", kind=kind, change=change)
    tell(session, login, FACTOR, {"what": f"{kind} {change}"})


def tell(session: Session, login: Login, kind: str, payload: dict[str, Any], *, urgent: bool = False) -> None:
    """Write to her."""
    if login.utility_id is not None:
        me = contacts.person(contacts.LOGIN, login.id)
        given = {"login": str(login.id), "at": clock.seconds(), **payload}
        outbox.put(session, login.utility_id, kind, recipient=me, payload=given, urgent=urgent)
