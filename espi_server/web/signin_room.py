"""What the pages of signing in have in common: who lets people in, what a browser brings along, where it goes then."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request

from espi_server.access import been_here
from espi_server.access.addresses import public_base
from espi_server.access.signing_in import Browser, Halfway, Inside, Reception, Wish
from espi_server.accounts import signin
from espi_server.accounts.models import Utility
from espi_server.accounts.passkeys import Place
from espi_server.web import looks, portal
from espi_server.web.house import house
from espi_server.web.limits import neighbourhood
from espi_server.web.portal import Visit

rooms = portal.blueprint("signin")

FRESH: Final = 600  # seconds since she showed who she is, where something is changed
MONTH: Final = 30 * 86_400
STEP, DEVICE, BEEN = "step", "device", "been"


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
        device=request.cookies.get(named(DEVICE, visit.utility.code), ""),
        been=request.cookies.get(named(BEEN, visit.utility.code), ""),
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


def visit_of(code: str) -> Visit:
    """Who is on one of these pages."""
    with house().database.reading() as session:
        return portal.visit(session, code)


def wish_of(visit: Visit) -> Wish:
    """Where she wants to go, and what is wanted there."""
    wanted = portal.Here(visit.utility).local(request.args.get("next", ""))
    second = request.args.get("second")
    return Wish(wanted or "", bool(second), second == "strong")


def asked() -> dict[str, Any]:
    """What this page was asked for, to ask for it again."""
    return {name: request.args[name] for name in ("next", "again", "second") if request.args.get(name)}


def next_of(visit: Visit, wanted: str) -> str:
    """Where she goes then."""
    return wanted or portal.href(visit.utility, "portal.home")


def let_in(visit: Visit, came: Inside | Halfway) -> Response:
    """In, or to the second step, with the cookies that go with it."""
    code = visit.utility.code
    if isinstance(came, Halfway):
        response = portal.go(portal.href(visit.utility, "signin.second_factor"))
        portal.keep(response, named(STEP, code), came.cookie, signin.STEP)
        return response
    response = portal.go(next_of(visit, came.next))
    portal.sign_in(response, code, came.cookie)
    portal.keep(response, named(STEP, code), "", 0)
    if came.device is not None:
        portal.keep(response, named(DEVICE, code), came.device, MONTH)
    greet(response, code, came.been)
    return response


def greet(response: Response, code: str, been: str) -> None:
    """Let her browser be no stranger any more."""
    if been:
        portal.keep(response, named(BEEN, code), been, been_here.LIFETIME)


def step(code: str) -> str:
    """What this browser holds of a sign-in that is half done."""
    return request.cookies.get(named(STEP, code), "")


def named(kind: str, code: str) -> str:
    """What a cookie of this room is called at a utility."""
    return portal.cookie(f"{kind}-{code}")
