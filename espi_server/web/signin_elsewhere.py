"""Signing in at the utility's own provider: there, and back."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any, Final

from flask import Response, request

from espi_server import clock
from espi_server.access.signing_in import NotACustomer
from espi_server.accounts import provider, signin
from espi_server.accounts.models import Utility
from espi_server.accounts.provider import Begun, Declined, NotBelieved, ProviderAway, Providers
from espi_server.adapters.http import Client, Reach
from espi_server.keyring import CannotOpen
from espi_server.web import portal
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.signin_room import asked, browser, let_in, named, reception, rooms, visit_of, wish_of

AWAY: Final = "away"


@rooms.get("/sign-in/away")
def away(code: str) -> Response:
    """To the utility's own sign-in."""
    visit = visit_of(code)
    with house().database.reading() as session:
        elsewhere = provider.of(session, visit.utility.id)
    if elsewhere is None:
        return portal.go(portal.href(visit.utility, "signin.sign_in", **asked()))
    wish, again = wish_of(visit), bool(request.args.get("again"))
    try:
        where, begun = provider.begin(
            providers(), elsewhere, _back(visit.utility), next=wish.next, again=again, second=wish.second, max_age=None
        )  # fmt: skip
    except (ProviderAway, NotBelieved):
        return portal.go(portal.href(visit.utility, "signin.sign_in", said="away", **asked()))
    response = portal.go(where)
    begun = replace(begun, strong=wish.strong)
    kept = house().database.keyring.seal(json.dumps(asdict(begun)).encode(), _place(visit))
    portal.keep(response, named(AWAY, code), urlsafe_b64encode(kept).decode(), signin.STEP)
    return response


@rooms.get("/sign-in/back")
def back(code: str) -> Response:
    """Back from there."""
    visit = visit_of(code)
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
    response = let_in(visit, came)
    portal.keep(response, named(AWAY, code), "", 0)
    return response


def _not_back(visit: Visit, said: str, begun: Begun | None = None) -> Response:
    wanted: dict[str, Any] = {"next": begun.next} if begun and begun.next else {}
    wanted |= {"second": "strong" if begun.strong else 1} if begun and begun.must else {}
    response = portal.go(portal.href(visit.utility, "signin.sign_in", said=said, **wanted))
    portal.keep(response, named(AWAY, visit.utility.code), "", 0)
    return response


def _begun(visit: Visit) -> Begun | None:
    """What was kept in the browser on its way out; None where it is not ours, or too old."""
    try:
        sealed = urlsafe_b64decode(request.cookies.get(named(AWAY, visit.utility.code), ""))
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
