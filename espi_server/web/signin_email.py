"""Another address to sign in with: asked for here, taken and undone by links in letters."""

from __future__ import annotations

from flask import Response, request
from sqlalchemy.orm import Session

from espi_server.access import email_changing
from espi_server.access.contacts import Contact, Means
from espi_server.access.email_changing import EnoughChanges, NoAddress, NoOtherWay
from espi_server.access.securing import LinkOver
from espi_server.accounts.email_changes import CONFIRM, OBJECT, EmailChange
from espi_server.accounts.models import Login
from espi_server.errors import NotFound, Problem
from espi_server.web import portal
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.security import Mine, safe
from espi_server.web.signin_room import rooms, visit_of
from espi_server.web.words import _


@rooms.get("/security/email")
def email(code: str) -> Response:
    """Which one?"""
    with house().database.reading() as session:
        mine = safe(session, code)
        if mine.login.password_digest is None:
            raise NotFound()  # the utility's own sign-in says what her address is
        try:
            email_changing.check_other_way(
                session, Means.of(house().settings), mine.login, beside=mine.beside
            )
        except NoOtherWay:
            return portal.page("signin/email_first.html", mine.visit)
    return _email(mine)


@rooms.post("/security/email")
def email_posted(code: str) -> Response:
    """Letters go to both."""
    form = portal.posted()
    given = form.get("email", "")
    try:
        with house().database.writing() as session:
            mine = safe(session, code)
            if mine.login.password_digest is None:
                raise NotFound()
            email_changing.check_other_way(
                session, Means.of(house().settings), mine.login, beside=mine.beside
            )
            email_changing.ask(session, session.get_one(Login, mine.login.id, with_for_update=True), given)
    except (NoAddress, EnoughChanges, NoOtherWay) as error:
        return _wrong(code, given, error)
    return portal.go(portal.href(mine.visit.utility, "signin.security"))


def _wrong(code: str, given: str, error: Problem) -> Response:
    with house().database.reading() as session:
        mine = safe(session, code)
    if isinstance(error, NoOtherWay):
        return portal.go(portal.href(mine.visit.utility, "signin.email"))
    said = {
        NoAddress: _("Enter another email address, such as ada@example.org."),
        EnoughChanges: _("You asked three times today. Try again tomorrow."),
    }
    return _email(mine, given, said[type(error)], status=error.status)


def _email(mine: Mine, given: str = "", wrong: str = "", *, status: int = 200) -> Response:
    return portal.page(
        "signin/email.html", mine.visit, status=status, given=given, wrong=wrong, login=mine.login
    )


@rooms.get("/email/new")
def new_email(code: str) -> Response:
    """Is it yours? The link is not used up by looking."""
    return _shown(code, CONFIRM)


@rooms.post("/email/new")
def new_email_posted(code: str) -> Response:
    """From now on she signs in with it."""
    return _done(code, CONFIRM)


@rooms.get("/email/keep")
def keep_email(code: str) -> Response:
    """Shall the old one stay?"""
    return _shown(code, OBJECT)


@rooms.post("/email/keep")
def keep_email_posted(code: str) -> Response:
    """It stays."""
    return _done(code, OBJECT)


def _shown(code: str, purpose: str) -> Response:
    secret = request.args.get("link", "")
    with house().database.reading() as session:
        try:
            visit, change = _asked(session, code, secret, purpose)
        except LinkOver:
            return _over(code)
        except NotHers:
            return _over(code, is_hers=False)
    masked = Contact("mail", change.email, 0).masked
    is_done = change.done_at is not None
    return portal.page(f"signin/email_{purpose}.html", visit, link=secret, masked=masked, is_done=is_done)


def _done(code: str, purpose: str) -> Response:
    secret = (portal.posted() | request.args).get("link", "")
    said = "email"
    try:
        with house().database.writing() as session:
            visit, _ = _asked(session, code, secret, purpose)
            if purpose == CONFIRM:
                email_changing.confirm(session, visit.utility, secret)
            else:
                said = "undone" if email_changing.undo(session, visit.utility, secret) else "kept"
    except LinkOver:
        return _over(code)
    except NotHers:
        return _over(code, is_hers=False)
    if visit.signed_in is not None and said != "undone":
        return portal.go(portal.href(visit.utility, "signin.security", said=said))
    return portal.go(portal.href(visit.utility, "signin.sign_in", said=said))


class NotHers(Problem):
    """Somebody else is signed in in the browser in which a link was opened."""


def _asked(session: Session, code: str, secret: str, purpose: str) -> tuple[Visit, EmailChange]:
    """Who came with a link, and the change it is about.

    The link in the new mailbox needs her sign-in: a mistyped address may be a stranger's, who would otherwise choose a
    new password next. The one in the old mailbox does not: she may have lost her login to somebody.
    """
    visit = portal.visit(session, code)
    change = email_changing.found(session, visit.utility, secret, purpose)
    if purpose == CONFIRM:
        visit = portal.customer(session, code)
        if visit.customer.login_id != change.login_id:
            raise NotHers()
    return visit, change


def _over(code: str, *, is_hers: bool = True) -> Response:
    status = 404 if is_hers else 403
    return portal.page("signin/email_over.html", visit_of(code), status=status, is_hers=is_hers)
