"""A password by a link: for whoever forgot hers, and for whoever never had one."""

from __future__ import annotations

from flask import Response, request

from espi_server.access import securing
from espi_server.accounts import passwords, signin
from espi_server.accounts.portal import Portal
from espi_server.errors import Problem
from espi_server.web import portal
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.signin_room import browser, greet, reception, rooms, visit_of
from espi_server.web.words import _


@rooms.get("/password/forgotten")
def forgotten(code: str) -> Response:
    """Where shall we send a link?"""
    return portal.page("signin/forgotten.html", visit_of(code), wrong="")


@rooms.post("/password/forgotten")
def forgotten_posted(code: str) -> Response:
    """The same for whoever is here and whoever is not: a worker finds out, and nobody sees it."""
    form = portal.posted()
    visit = visit_of(code)
    name = form.get("email", "").strip()
    if not name:
        return portal.page("signin/forgotten.html", visit, status=400, wrong=_("Enter your email address."))
    reception().ask_for_link(visit.utility, name, browser(visit))
    return portal.go(portal.href(visit.utility, "signin.link_sent"))


@rooms.get("/password/sent")
def link_sent(code: str) -> Response:
    """Look into your mail."""
    return portal.page("signin/link_sent.html", visit_of(code), minutes=signin.LIVES[signin.RESET] // 60)


@rooms.get("/password/new")
def new_password(code: str) -> Response:
    """Choose one; the link is not used up by looking."""
    visit = visit_of(code)
    with house().database.reading() as session:
        try:
            login = securing.check_link(session, visit.utility, request.args.get("link", ""))
        except securing.LinkOver:
            return portal.page("signin/link_over.html", visit, status=404)
    return _new(visit, request.args["link"], login.name)


@rooms.post("/password/new")
def new_password_posted(code: str) -> Response:
    """Take it, once."""
    form = portal.posted()
    visit = visit_of(code)
    link, password, name = form.get("link", ""), form.get("password", ""), ""
    try:
        with house().database.reading() as session:
            name = securing.check_link(session, visit.utility, link).name
        if password != form.get("password2", ""):
            return _new(visit, link, name, wrong=_("The two passwords are not the same."))
        beside = Portal.of(visit.utility).second_factor
        login = securing.by_link(house().database, visit.utility, link, password, beside=beside)
    except securing.LinkOver:
        return portal.page("signin/link_over.html", visit, status=404)
    except (passwords.TooShort, passwords.TooLong, passwords.TooCommon) as error:
        return _new(visit, link, name, wrong=password_error(error))
    response = portal.go(portal.href(visit.utility, "signin.sign_in", said="chosen"))
    greet(response, code, reception().been(login))
    return portal.sign_out(response, code)


def _new(visit: Visit, link: str, name: str, *, wrong: str = "") -> Response:
    least = passwords.BESIDE if Portal.of(visit.utility).second_factor else passwords.ALONE
    status = 400 if wrong else 200
    return portal.page(
        "signin/new_password.html", visit, status=status, link=link, name=name, wrong=wrong, least=least
    )


def password_error(error: Problem) -> str:
    """What was wrong with a password, in words for the page."""
    if isinstance(error, passwords.TooShort):
        return _("Use %(least)s characters or more.", least=error.more["least"])
    if isinstance(error, passwords.TooLong):
        return _("Use 256 characters or fewer.")
    return _("Many people use this password, or it is your name. Choose another one.")
