"""The second step of a sign-in: a code, a passkey, or an app that is set up on the way."""

from __future__ import annotations

from typing import Any

import segno
from flask import Response
from markupsafe import Markup

from espi_server.access import challenge, contacts
from espi_server.access.signing_in import Offer, StepOver, WrongCode
from espi_server.accounts import factors, passkeys, signin
from espi_server.accounts.models import Utility
from espi_server.accounts.passkeys import NoPasskey
from espi_server.errors import Problem
from espi_server.web import portal, words
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.signin_room import browser, let_in, place_of, reception, rooms, script, step, visit_of
from espi_server.web.words import _


@rooms.get("/second-factor")
def second_factor(code: str) -> Response:
    """What else can you show?"""
    visit = visit_of(code)
    try:
        return _second(visit)
    except StepOver:
        return _start_over(visit)


@rooms.post("/second-factor")
def second_factor_posted(code: str) -> Response:
    """A code: of an app, of a message, or a spare one."""
    form = portal.posted()
    visit = visit_of(code)
    remember = form.get("remember") == "yes"
    try:
        came = reception().by_code(
            visit.utility, step(code), form.get("code", ""), browser(visit), remember=remember
        )
    except StepOver:
        return _start_over(visit)
    except (WrongCode, challenge.WrongCode, challenge.CodeOver, challenge.TooManyTries) as error:
        return _again(visit, code_error(error))
    except (factors.NotACode, challenge.NotSixDigits) as error:
        return _again(visit, code_error(error))
    return let_in(visit, came)


@rooms.post("/second-factor/send")
def second_factor_send(code: str) -> Response:
    """Send a code by a text message or by mail."""
    form = portal.posted()
    visit = visit_of(code)
    try:
        reception().send(visit.utility, step(code), form.get("way"))
    except StepOver:
        return _start_over(visit)
    except (challenge.TooSoon, challenge.SentEnough, challenge.EnoughForToday) as error:
        return _again(visit, code_error(error), status=429)
    except contacts.CannotBeReached as error:
        return _again(visit, code_error(error))
    return portal.go(portal.href(visit.utility, "signin.second_factor"))


@rooms.post("/second-factor/passkey")
def second_factor_passkey(code: str) -> Response:
    """A passkey beside the password."""
    form = portal.posted()
    visit = visit_of(code)
    try:
        came = reception().by_second_passkey(
            place_of(visit.utility), step(code), form.get("answer", ""), browser(visit),
            remember=form.get("remember") == "yes",
        )  # fmt: skip
    except StepOver:
        return _start_over(visit)
    except NoPasskey:
        return _again(visit, _("The passkey was not taken. Try again, or use another way."))
    return let_in(visit, came)


@rooms.post("/second-factor/set-up")
def second_factor_set_up(code: str) -> Response:
    """The first code of an app, of somebody who had nothing else to show."""
    form = portal.posted()
    visit = visit_of(code)
    try:
        came = reception().by_setting_up(visit.utility, step(code), form.get("code", ""), browser(visit))
    except StepOver:
        return _start_over(visit)
    except (WrongCode, factors.NotACode) as error:
        return _again(visit, code_error(error))
    return let_in(visit, came)


def _second(visit: Visit, *, wrong: str = "", status: int = 200) -> Response:
    utility, cookie = visit.utility, step(visit.utility.code)
    with house().database.reading() as session:
        offer = reception().offer(session, utility, cookie)
        keys = offer.kinds.passkeys
        options = passkeys.question(session, place_of(utility), offer.login.id) if keys else ""
    more: dict[str, Any] = {"offer": offer, "wrong": wrong, "script": script(utility), "options": options}
    if offer.must_set_up:
        secret = reception().proposal(utility, cookie)
        return portal.page(
            "signin/set_up.html", visit, status=status, **more, **app_of(offer, utility, secret)
        )
    return portal.page("signin/second_factor.html", visit, status=status, **more)


def _again(visit: Visit, wrong: str, *, status: int = 400) -> Response:
    try:
        return _second(visit, wrong=wrong, status=status)
    except StepOver:
        return _start_over(visit)


def _start_over(visit: Visit) -> Response:
    """To the password again, and from there to where she wanted to go."""
    with house().database.reading() as session:
        wanted = signin.wanted(session, visit.utility.id, step(visit.utility.code))
    return portal.go(portal.href(visit.utility, "signin.sign_in", said="over", **wanted))


def app_of(offer: Offer, utility: Utility, secret: str) -> dict[str, Any]:
    """What a page shows of an app that is being set up."""
    return app_shown(secret, offer.login.email or utility.name, utility)


def app_shown(secret: str, name: str, utility: Utility) -> dict[str, Any]:
    """The QR code as a drawing, and the key to be typed."""
    made = segno.make(factors.address(secret, name=name, utility=utility.name), error="m")
    drawn = made.svg_inline(
        scale=5, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    return {"drawing": Markup(drawn), "key": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))}  # noqa: S704


def code_error(error: Problem) -> str:
    """What was wrong with a code, in words for the page."""
    left = error.more.get("tries_left")
    if isinstance(error, challenge.WrongCode) and isinstance(left, int):
        return words.ngettext(
            "That code is not right. You have %(num)s try left.",
            "That code is not right. You have %(num)s tries left.",
            left,
        )
    said = {
        challenge.CodeOver: _("That code is too old. Ask for a new one."),
        challenge.TooManyTries: _("Too many wrong codes. Ask for a new one."),
        challenge.TooSoon: _("We just sent a code. Wait a minute, then ask again."),
        challenge.SentEnough: _("We sent three codes. Sign in again to get another."),
        challenge.EnoughForToday: _("We sent ten codes today. Try again tomorrow, or call us."),
        contacts.CannotBeReached: _("We cannot send a code that way. Choose another way, or call us."),
        WrongCode: _("That code is not right, or it was used before. Wait for the next one."),
    }
    return said.get(type(error), _("Enter the six numbers of the code."))
