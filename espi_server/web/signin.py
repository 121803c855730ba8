"""Signing in and out: the page every other page sends strangers to. Its further steps stand beside it.

Each form is answered with a way on (303); where it is not, the page says what was wrong and keeps what may be kept.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request

from espi_server import clock
from espi_server.access.signing_in import Wish, WrongPassword
from espi_server.access.signing_in import sign_out as signed_out
from espi_server.access.throttle import StrangersWait
from espi_server.accounts import passkeys, provider
from espi_server.accounts.passkeys import NoPasskey
from espi_server.web import portal, security, signin_elsewhere, signin_email, signin_links, signin_second
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.signin_room import (
    FRESH,
    asked,
    browser,
    let_in,
    next_of,
    place_of,
    reception,
    rooms,
    script,
    visit_of,
    wish_of,
)
from espi_server.web.words import _

STEPS = (signin_second, signin_elsewhere, signin_links, security, signin_email)
"""The other pages of the room; that they are named here is why their addresses are known."""


@rooms.get("/sign-in")
def sign_in(code: str) -> Response:
    """Who are you?"""
    with house().database.reading() as session:
        visit = portal.visit(session, code)
        elsewhere = provider.of(session, visit.utility.id)
    wish, again = wish_of(visit), bool(request.args.get("again"))
    here = visit.signed_in
    if here is not None and not again:
        is_enough = here.has_strong_factor if wish.strong else here.has_second_factor or not wish.second
        if is_enough:
            return portal.go(next_of(visit, wish.next))
        if here.has_second_factor and here.at < clock.seconds() - FRESH:
            # What comes next may be a new factor, and that is never set up in somebody's old session.
            return portal.go(portal.href(visit.utility, "signin.sign_in", **asked(), again=1))
        half = reception().step_up(visit.utility, here, wish)
        return let_in(visit, half)
    is_plain = not request.args.get("said") and not _came_with_a_request(visit, wish)
    if elsewhere is not None and elsewhere.only and is_plain:
        return portal.go(portal.href(visit.utility, "signin.away", **asked()))
    return _page(visit, said=said_before(visit, request.args.get("said", "")))


@rooms.post("/sign-in")
def sign_in_posted(code: str) -> Response:
    """With a password."""
    form = portal.posted()
    visit = visit_of(code)
    name, password = form.get("email", ""), form.get("password", "")
    if not name.strip() or not password:
        return _page(visit, name=name, wrong=_("Enter your email address and your password."), status=400)
    try:
        came = reception().by_password(visit.utility, name, password, wish_of(visit), browser(visit))
    except WrongPassword:
        wrong = _("The email address or the password is not right.")
        return _page(visit, name=name, wrong=wrong, status=400)
    except StrangersWait as error:
        wrong = _(
            "Others tried wrong passwords for this address. Use a browser you used before, or a passkey."
            " Or choose a new password: press I forgot my password."
        )
        response = _page(visit, name=name, wrong=wrong, status=429)
        response.headers.update(error.headers)
        return response
    return let_in(visit, came)


@rooms.post("/sign-in/passkey")
def sign_in_by_passkey(code: str) -> Response:
    """With a passkey."""
    form = portal.posted()
    visit = visit_of(code)
    try:
        place = place_of(visit.utility)
        came = reception().by_passkey(place, form.get("answer", ""), wish_of(visit), browser(visit))
    except NoPasskey:
        wrong = _("The passkey was not taken. Try again, or use your password.")
        return _page(visit, wrong=wrong, status=400)
    return let_in(visit, came)


@rooms.post("/sign-out")
def sign_out(code: str) -> Response:
    """Out."""
    portal.posted()
    with house().database.writing() as session:
        visit = portal.visit(session, code)
        if visit.signed_in is not None:
            signed_out(session, visit.signed_in)
    response = portal.go(portal.href(visit.utility, "signin.sign_in", said="out"))
    return portal.sign_out(response, code)


def _came_with_a_request(visit: Visit, wish: Wish) -> bool:
    """Did a company send her? Then she may want to say that she is no customer here."""
    asks: Any = current_app.jinja_env.globals["not_a_customer"]
    return bool(asks(visit.utility, wish.next))


def _page(visit: Visit, *, name: str = "", wrong: str = "", said: str = "", status: int = 200) -> Response:
    with house().database.reading() as session:
        elsewhere = provider.of(session, visit.utility.id)
        options = passkeys.question(session, place_of(visit.utility))
    return portal.page(
        "signin/sign_in.html", visit, status=status, name=name, wrong=wrong, said=said, options=options,
        elsewhere=elsewhere, asked=asked(), again=bool(request.args.get("again")) and visit.signed_in is not None,
        script=script(visit.utility),
    )  # fmt: skip


def said_before(visit: Visit, what: str) -> str:
    """What happened before this page, if it is one of the things that do."""
    said = {
        "out": _("You are signed out."),
        "over": _("That sign-in took too long, or there were too many tries. Sign in again."),
        "chosen": _("Your new password is set. Sign in with it now."),
        "kept": _("Your old email address stays. The link to the new one does not work any more."),
        "undone": _(
            "Your old email address is back. All devices are signed out."
            " Now choose a new password: press I forgot my password."
            " Then remove each passkey or app you do not know."
        ),
        "away": _(
            "The sign-in of %(utility)s does not answer just now. Try again soon.", utility=visit.utility.name
        ),
        "declined": _("You did not sign in."),
        "unknown": _(
            "You signed in, but we found no customer account of yours here. Call us if this is wrong."
        ),
    }
    kept = _("Sign in and go on. What you filled in is kept.") if portal.keeps_form(visit) else ""
    return said.get(what, kept)
