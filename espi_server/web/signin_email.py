"""Another address to sign in with: asked for here, taken and undone by links in letters."""

from __future__ import annotations

from flask import Response, request

from espi_server.access import email_changing
from espi_server.access.contacts import Contact, Means
from espi_server.access.email_changing import EnoughChanges, NoAddress, NoOtherWay
from espi_server.access.securing import LinkOver
from espi_server.accounts.email_changes import CONFIRM, OBJECT
from espi_server.accounts.models import Login
from espi_server.errors import NotFound, Problem
from espi_server.web import portal
from espi_server.web.house import house
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
    visit, secret = visit_of(code), request.args.get("link", "")
    with house().database.reading() as session:
        try:
            change = email_changing.found(session, visit.utility, secret, purpose)
        except LinkOver:
            return portal.page("signin/email_over.html", visit, status=404)
    masked = Contact("mail", change.email, 0).masked
    is_done = change.done_at is not None
    return portal.page(f"signin/email_{purpose}.html", visit, link=secret, masked=masked, is_done=is_done)


def _done(code: str, purpose: str) -> Response:
    form = portal.posted()
    visit = visit_of(code)
    try:
        with house().database.writing() as session:
            if purpose == CONFIRM:
                email_changing.confirm(session, visit.utility, form.get("link", ""))
                said = "email"
            else:
                said = (
                    "undone" if email_changing.undo(session, visit.utility, form.get("link", "")) else "kept"
                )
    except LinkOver:
        return portal.page("signin/email_over.html", visit, status=404)
    if visit.signed_in is not None and said != "undone":
        return portal.go(portal.href(visit.utility, "signin.security"))
    return portal.go(portal.href(visit.utility, "signin.sign_in", said=said))
