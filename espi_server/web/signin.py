"""Signing in and out: the page every other page sends strangers to, its second step, and the utility's own provider.

Each form is answered with a way on (303); where it is not, the page says what was wrong and keeps what may be kept.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final

import segno
from flask import Response, current_app, request
from markupsafe import Markup

from espi_server import clock
from espi_server.access import challenge, contacts, securing
from espi_server.access.addresses import public_base
from espi_server.access.signing_in import (
    Browser,
    Halfway,
    Inside,
    NotACustomer,
    Offer,
    Reception,
    StepOver,
    Wish,
    WrongCode,
    WrongPassword,
)
from espi_server.access.signing_in import sign_out as signed_out
from espi_server.accounts import factors, passkeys, passwords, provider, signin
from espi_server.accounts.models import Utility
from espi_server.accounts.passkeys import NoPasskey, Place
from espi_server.accounts.portal import Portal
from espi_server.accounts.provider import Begun, Declined, NotBelieved, ProviderAway, Providers
from espi_server.adapters.http import Client, Reach
from espi_server.errors import Problem
from espi_server.keyring import CannotOpen
from espi_server.web import looks, portal, words
from espi_server.web.house import house
from espi_server.web.limits import neighbourhood
from espi_server.web.portal import Visit
from espi_server.web.words import _

rooms = portal.blueprint("signin")

_MONTH: Final = 30 * 86_400
_STEP, _DEVICE, _AWAY = "step", "device", "away"


# --- the first step -------------------------------------------------------------------------------------


@rooms.get("/sign-in")
def sign_in(code: str) -> Response:
    """Who are you?"""
    with house().database.reading() as session:
        visit = portal.visit(session, code)
        elsewhere = provider.of(session, visit.utility.id)
    wish, again = _wish(visit), bool(request.args.get("again"))
    here = visit.signed_in
    if here is not None and not again:
        if not wish.second or here.has_second_factor:
            return portal.go(_next(visit, wish.next))
        half = reception().step_up(visit.utility, here, wish)
        return _on(visit, half)
    is_plain = not request.args.get("said") and not _came_with_a_request(visit, wish)
    if elsewhere is not None and elsewhere.only and is_plain:
        return portal.go(portal.href(visit.utility, "signin.away", **_asked()))
    return _page(visit, said=_said(visit, request.args.get("said", "")))


@rooms.post("/sign-in")
def sign_in_posted(code: str) -> Response:
    """With a password."""
    form = portal.posted()
    visit = _visit(code)
    name, password = form.get("email", ""), form.get("password", "")
    if not name.strip() or not password:
        return _page(visit, name=name, wrong=_("Enter your email address and your password."), status=400)
    try:
        came = reception().by_password(visit.utility, name, password, _wish(visit), browser(visit))
    except WrongPassword:
        wrong = _("The email address or the password is not right.")
        return _page(visit, name=name, wrong=wrong, status=400)
    return _on(visit, came)


@rooms.post("/sign-in/passkey")
def sign_in_by_passkey(code: str) -> Response:
    """With a passkey."""
    form = portal.posted()
    visit = _visit(code)
    try:
        place = place_of(visit.utility)
        came = reception().by_passkey(place, form.get("answer", ""), _wish(visit), browser(visit))
    except NoPasskey:
        wrong = _("The passkey was not taken. Try again, or use your password.")
        return _page(visit, wrong=wrong, status=400)
    return _on(visit, came)


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
        elsewhere=elsewhere, asked=_asked(), again=bool(request.args.get("again")) and visit.signed_in is not None,
        script=script(visit.utility),
    )  # fmt: skip


# --- the second step ------------------------------------------------------------------------------------


@rooms.get("/second-factor")
def second_factor(code: str) -> Response:
    """What else can you show?"""
    visit = _visit(code)
    try:
        return _second(visit)
    except StepOver:
        return _start_over(visit)


@rooms.post("/second-factor")
def second_factor_posted(code: str) -> Response:
    """A code: of an app, of a message, or a spare one."""
    form = portal.posted()
    visit = _visit(code)
    remember = form.get("remember") == "yes"
    try:
        came = reception().by_code(
            visit.utility, _step(code), form.get("code", ""), browser(visit), remember=remember
        )
    except StepOver:
        return _start_over(visit)
    except (WrongCode, challenge.WrongCode, challenge.CodeOver, challenge.TooManyTries) as error:
        return _again(visit, code_error(error))
    except (factors.NotACode, challenge.NotSixDigits) as error:
        return _again(visit, code_error(error))
    return _on(visit, came)


@rooms.post("/second-factor/send")
def second_factor_send(code: str) -> Response:
    """Send a code by a text message or by mail."""
    form = portal.posted()
    visit = _visit(code)
    try:
        reception().send(visit.utility, _step(code), form.get("way"))
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
    visit = _visit(code)
    try:
        came = reception().by_second_passkey(
            place_of(visit.utility), _step(code), form.get("answer", ""), browser(visit),
            remember=form.get("remember") == "yes",
        )  # fmt: skip
    except StepOver:
        return _start_over(visit)
    except NoPasskey:
        return _again(visit, _("The passkey was not taken. Try again, or use another way."))
    return _on(visit, came)


@rooms.post("/second-factor/set-up")
def second_factor_set_up(code: str) -> Response:
    """The first code of an app, of somebody who had nothing else to show."""
    form = portal.posted()
    visit = _visit(code)
    try:
        came = reception().by_setting_up(visit.utility, _step(code), form.get("code", ""), browser(visit))
    except StepOver:
        return _start_over(visit)
    except (WrongCode, factors.NotACode) as error:
        return _again(visit, code_error(error))
    return _on(visit, came)


def _second(visit: Visit, *, wrong: str = "", status: int = 200) -> Response:
    utility, cookie = visit.utility, _step(visit.utility.code)
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
        wanted = signin.wanted(session, visit.utility.id, _step(visit.utility.code))
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


# --- the utility's own provider -------------------------------------------------------------------------


@rooms.get("/sign-in/away")
def away(code: str) -> Response:
    """To the utility's own sign-in."""
    visit = _visit(code)
    with house().database.reading() as session:
        elsewhere = provider.of(session, visit.utility.id)
    if elsewhere is None:
        return portal.go(portal.href(visit.utility, "signin.sign_in", **_asked()))
    wish, again = _wish(visit), bool(request.args.get("again"))
    try:
        where, begun = provider.begin(
            providers(), elsewhere, _back(visit.utility), next=wish.next, again=again, second=wish.second, max_age=None
        )  # fmt: skip
    except (ProviderAway, NotBelieved):
        return portal.go(portal.href(visit.utility, "signin.sign_in", said="away", **_asked()))
    response = portal.go(where)
    kept = house().database.keyring.seal(json.dumps(asdict(begun)).encode(), _place(visit))
    portal.keep(response, _name(_AWAY, code), urlsafe_b64encode(kept).decode(), signin.STEP)
    return response


@rooms.get("/sign-in/back")
def back(code: str) -> Response:
    """Back from there."""
    visit = _visit(code)
    with house().database.reading() as session:
        elsewhere = provider.of(session, visit.utility.id)
    begun = _begun(visit)
    if elsewhere is None or begun is None:
        return _not_back(visit, "over")
    given = {name: request.args[name] for name in ("code", "state", "iss", "error") if name in request.args}
    try:
        told = provider.finish(providers(), elsewhere, _back(visit.utility), begun, given)
        came = reception().by_provider(visit.utility, elsewhere, told, begun, browser(visit))
    except NotACustomer:
        return _not_back(visit, "unknown", begun)
    except Declined:
        return _not_back(visit, "declined", begun)
    except ProviderAway:
        return _not_back(visit, "away", begun)
    except NotBelieved:
        return _not_back(visit, "over", begun)
    response = _on(visit, came)
    portal.keep(response, _name(_AWAY, code), "", 0)
    return response


def _not_back(visit: Visit, said: str, begun: Begun | None = None) -> Response:
    asked: dict[str, Any] = {"next": begun.next} if begun and begun.next else {}
    asked |= {"second": 1} if begun and begun.must else {}
    response = portal.go(portal.href(visit.utility, "signin.sign_in", said=said, **asked))
    portal.keep(response, _name(_AWAY, visit.utility.code), "", 0)
    return response


def _begun(visit: Visit) -> Begun | None:
    """What was kept in the browser on its way out; None where it is not ours, or too old."""
    try:
        sealed = urlsafe_b64decode(request.cookies.get(_name(_AWAY, visit.utility.code), ""))
        kept = Begun(**json.loads(house().database.keyring.open(sealed, _place(visit))))
    except (CannotOpen, ValueError, TypeError):
        return None
    return kept if kept.since > clock.seconds() - signin.STEP else None


def _place(visit: Visit) -> str:
    return f"sign-in away:{visit.utility.id}"


def _back(utility: Utility) -> str:
    return portal.address(utility, "signin.back")


@lru_cache(maxsize=4)
def _providers(is_laptop: bool, proxy: str) -> Providers:
    # The operator names the provider, wherever it stands.
    return Providers(Client(Reach(anywhere=True), proxy=proxy), anywhere=is_laptop)


def providers() -> Providers:
    """What this process knows of providers."""
    settings = house().settings
    return _providers(settings.mode == "development", settings.egress_proxy)


# --- a password by a link -------------------------------------------------------------------------------


@rooms.get("/password/forgotten")
def forgotten(code: str) -> Response:
    """Where shall we send a link?"""
    return portal.page("signin/forgotten.html", _visit(code), wrong="")


@rooms.post("/password/forgotten")
def forgotten_posted(code: str) -> Response:
    """The same for whoever is here and whoever is not: a worker finds out, and nobody sees it."""
    form = portal.posted()
    visit = _visit(code)
    name = form.get("email", "").strip()
    if not name:
        return portal.page("signin/forgotten.html", visit, status=400, wrong=_("Enter your email address."))
    reception().ask_for_link(visit.utility, name, browser(visit))
    return portal.go(portal.href(visit.utility, "signin.link_sent"))


@rooms.get("/password/sent")
def link_sent(code: str) -> Response:
    """Look into your mail."""
    return portal.page("signin/link_sent.html", _visit(code), minutes=signin.LIVES[signin.RESET] // 60)


@rooms.get("/password/new")
def new_password(code: str) -> Response:
    """Choose one; the link is not used up by looking."""
    visit = _visit(code)
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
    visit = _visit(code)
    link, password, name = form.get("link", ""), form.get("password", ""), ""
    try:
        with house().database.reading() as session:
            name = securing.check_link(session, visit.utility, link).name
        if password != form.get("password2", ""):
            return _new(visit, link, name, wrong=_("The two passwords are not the same."))
        beside = Portal.of(visit.utility).second_factor
        securing.by_link(house().database, visit.utility, link, password, beside=beside)
    except securing.LinkOver:
        return portal.page("signin/link_over.html", visit, status=404)
    except (passwords.TooShort, passwords.TooLong, passwords.TooCommon) as error:
        return _new(visit, link, name, wrong=password_error(error))
    response = portal.go(portal.href(visit.utility, "signin.sign_in", said="chosen"))
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


# --- what all of them need ------------------------------------------------------------------------------


def reception() -> Reception:
    """Who lets people in."""
    return Reception(house().database, house().throttle, house().settings)


def browser(visit: Visit) -> Browser:
    """What this browser brings along."""
    here = visit.signed_in
    return Browser(
        place=neighbourhood(request.remote_addr or ""),
        agent=agent(request.headers.get("User-Agent", "")),
        session=here.digest if here else None,
        device=request.cookies.get(_name(_DEVICE, visit.utility.code), ""),
    )


def agent(told: str) -> str:
    """Which browser on which system it says it is, in two names people know; nothing else of it is kept."""
    names = {"Edg": "Edge", "Firefox": "Firefox", "OPR": "Opera", "Chrome": "Chrome", "Safari": "Safari"}
    systems = {
        "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "Mac OS": "Mac",
        "Linux": "Linux",
    }  # fmt: skip
    found = [next((name for mark, name in known.items() if mark in told), "") for known in (names, systems)]
    return ", ".join(filter(None, found))


def place_of(utility: Utility) -> Place:
    """Where passkeys of this utility are good."""
    return Place.of(utility, public_base(utility.base_url, utility.code, house().settings.base_url))


def script(utility: Utility) -> str:
    """Where the one script stands."""
    return portal.href(utility, "portal.static", filename="passkey.js", v=looks.fingerprint("passkey.js"))


def _visit(code: str) -> Visit:
    with house().database.reading() as session:
        return portal.visit(session, code)


def _wish(visit: Visit) -> Wish:
    wanted = portal.Here(visit.utility).local(request.args.get("next", ""))
    return Wish(wanted or "", bool(request.args.get("second")))


def _asked() -> dict[str, Any]:
    """What this page was asked for, to ask for it again."""
    return {name: request.args[name] for name in ("next", "again", "second") if request.args.get(name)}


def _next(visit: Visit, wanted: str) -> str:
    return wanted or portal.href(visit.utility, "portal.home")


def _on(visit: Visit, came: Inside | Halfway) -> Response:
    """In, or to the second step, with the cookies that go with it."""
    code = visit.utility.code
    if isinstance(came, Halfway):
        response = portal.go(portal.href(visit.utility, "signin.second_factor"))
        portal.keep(response, _name(_STEP, code), came.cookie, signin.STEP)
        return response
    response = portal.go(_next(visit, came.next))
    portal.sign_in(response, code, came.cookie)
    portal.keep(response, _name(_STEP, code), "", 0)
    if came.device is not None:
        portal.keep(response, _name(_DEVICE, code), came.device, _MONTH)
    return response


def _step(code: str) -> str:
    return request.cookies.get(_name(_STEP, code), "")


def _name(kind: str, code: str) -> str:
    return portal.cookie(f"{kind}-{code}")


def _said(visit: Visit, what: str) -> str:
    """What happened before this page, if it is one of the things that do."""
    said = {
        "out": _("You are signed out."),
        "over": _("That sign-in took too long, or there were too many tries. Sign in again."),
        "chosen": _("Your new password is set. Sign in with it now."),
        "away": _(
            "The sign-in of %(utility)s does not answer just now. Try again soon.", utility=visit.utility.name
        ),
        "declined": _("You did not sign in."),
        "unknown": _(
            "You signed in, but we found no customer account of yours here. Call us if this is wrong."
        ),
    }
    return said.get(what, "")
