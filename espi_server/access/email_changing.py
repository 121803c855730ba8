"""Changing the address of a login: asked for by its owner, done from the new address, undone from the old one.

Nothing changes before the link in the new mailbox was used. The old mailbox is told at once, and for a week a link
there puts everything back and signs everybody out: whoever took over an open browser does not get rid of its owner.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import challenge, contacts, sealing, securing
from espi_server.access.contacts import Means
from espi_server.access.securing import LinkOver
from espi_server.accounts import email_changes, factors, provider, sessions, signin
from espi_server.accounts.email_changes import CONFIRM, OBJECT, EmailChange, EmailLink
from espi_server.accounts.models import Login, Utility
from espi_server.errors import BadRequest, Forbidden, TooManyRequests

KINDS: Final = {CONFIRM: "login.email.confirm", OBJECT: "login.email.object"}
PATHS: Final = {CONFIRM: "/account/email/new", OBJECT: "/account/email/keep"}


class NoAddress(BadRequest):
    """This is no e-mail address such as ada@example.org, or it is the one that is used already."""


class EnoughChanges(TooManyRequests):
    """Three changes of an address were asked for today. Tomorrow there can be more."""


class NoOtherWay(Forbidden):
    """Codes by mail are the only second step here, and none goes to a new address. Set up an app for codes first."""


def check_other_way(session: Session, means: Means, login: Login, *, beside: bool) -> None:
    """Has she a second step that outlives the old address, or needs she none? `NoOtherWay` else.

    No code goes to an address that is new (`ESPI_CONTACT_AFTER`), and a password alone must not set up an app then.
    """
    person = contacts.person(contacts.LOGIN, login.id)
    others = [each for each in contacts.usable(session, means, person) if each.address != login.email]
    needs_one = beside or not login.password_alone
    if needs_one and not factors.kinds(session, login.id).any and not others:
        raise NoOtherWay()


def ask(session: Session, login: Login, email: str) -> EmailChange:
    """Ask for another address. Whether it is somebody else's is not told: then nobody gets a link."""
    name = signin.named(email)
    if not signin.is_address(name) or name == login.name:
        raise NoAddress()
    if email_changes.today(session, login.id) >= email_changes.A_DAY:
        raise EnoughChanges(headers={"Retry-After": "86400"})
    change = email_changes.begin(session, login, name)
    for purpose, kind in KINDS.items():
        secret, row = email_changes.link(session, change, purpose)
        key = {"digest": row.digest}
        row.sealed = sealing.seal(session, EmailLink, key, {"link": f"{PATHS[purpose]}?link={secret}"})
        securing.tell(session, login, kind, {"link": row.digest.hex()}, urgent=True)
    securing.record(session, login, "login.email", change="asked")
    return change


def found(session: Session, utility: Utility, secret: str, purpose: str) -> EmailChange:
    """The change a link is about; `LinkOver` where it is good for nothing."""
    change = email_changes.found(session, utility.id, secret, purpose) if secret else None
    if change is None or provider.is_only(session, utility.id):
        raise LinkOver()
    return change


def confirm(session: Session, utility: Utility, secret: str) -> Login:
    """The new address is hers from now on. What was sent to the old one opens nothing any more."""
    change = found(session, utility, secret, CONFIRM)
    login = session.get_one(Login, change.login_id, with_for_update=True)
    if login.email != change.before or not email_changes.settle(session, change):
        raise LinkOver()
    _rename(session, utility, login, change.email, clock.seconds())
    _end_letters(session, login)
    securing.record(session, login, "login.email", change="done")
    return login


def undo(session: Session, utility: Utility, secret: str) -> bool:
    """The old address stays, or is hers again, and then everybody is signed out; whether it had been changed."""
    change = found(session, utility, secret, OBJECT)
    login = session.get_one(Login, change.login_id, with_for_update=True)
    session.refresh(change)  # whoever held the login until now may have confirmed it
    if not email_changes.end(session, change):
        raise LinkOver()
    was_done = change.done_at is not None
    if was_done:
        _rename(session, utility, login, change.before, change.before_since)
        email_changes.end_after(session, change)
        _end_letters(session, login)
        sessions.end_all(session, login.id)
        signin.forget_devices(session, login.id)
    securing.record(session, login, "login.email", change="undone" if was_done else "stopped")
    return was_done


def _rename(session: Session, utility: Utility, login: Login, email: str, since: int | None) -> None:
    other = signin.by_name(session, utility.id, email)
    if other is not None and other.id != login.id:
        raise LinkOver()
    login.name = login.email = email
    login.email_since = since
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError as error:  # somebody else's, since a moment ago
        raise LinkOver() from error


def _end_letters(session: Session, login: Login) -> None:
    """Links and codes that are on their way to the address that was."""
    signin.drop_links(session, login.id)
    signin.drop_halves(session, login.id)
    persons = [contacts.person(contacts.LOGIN, login.id)]
    if login.customer_id is not None:
        persons.append(contacts.person(contacts.CUSTOMER, login.customer_id))
    challenge.end_of(session, persons, "changed")
