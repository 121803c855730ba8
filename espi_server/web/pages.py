"""The start pages: what this server is, and in the demo who lives here and how to get their data.

Every page works without JavaScript and is answered with a policy that allows none. No page ever shows a token: only
their digests are kept, and pages are saved, printed and photographed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from sqlalchemy.orm import Session

from espi_server.access.addresses import public_base, resource_base
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.espi import paths
from espi_server.web import charts
from espi_server.web.house import house

blueprint = Blueprint("pages", __name__)

_STYLESHEET = Path(__file__).parent / "static" / "portal.css"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_YEAR = 365 * 86_400
_GUESTS = "espi_server.guests"
_COMMAND = "espi_server.command"

Guests = Callable[[Session, str | None], Sequence[Any]]
"""Who is shown on the page of a utility, or on the start page (None): the demo's portraits of its households."""


@dataclass(frozen=True)
class Door:
    """A utility on a page: where it is reached, and where its resources stand."""

    utility: Utility
    address: str
    base: str

    @property
    def what(self) -> str:
        """What it does, in words."""
        kinds = {"cca": "Community choice aggregator", "gas": "Gas utility", "pou": "Publicly owned utility"}
        commodity = " and ".join(self.utility.commodities)
        return kinds.get(self.utility.kind, f"{commodity.capitalize()} utility")


def invite(app: Flask, guests: Guests, command: str) -> None:
    """Let the pages of `app` show households, and the command that prints a token for one.

    Only the demo does: elsewhere customers are real.
    """
    app.extensions[_GUESTS] = guests
    app.extensions[_COMMAND] = command


@blueprint.get("/")
def start() -> Response:
    """What this server is; in the demo, everybody who lives in it."""
    with house().database.reading() as session:
        doors = [_door(each) for each in utilities.every(session)]
        portraits = _portraits(session)
    return _page("public/start.html", feed=_feeds(doors), doors=doors, portraits=portraits)


@blueprint.get("/<code>")
def utility(code: str) -> Response:
    """One utility: its addresses, and in the demo its households."""
    with house().database.reading() as session:
        door = _door(utilities.find(session, code))
        portraits = _portraits(session, code)
    return _page("public/utility.html", feed=_feeds([door]), door=door, portraits=portraits)


@blueprint.record_once
def prepare(state: BlueprintSetupState) -> None:
    """Words pass through `_()` already, so that translations only have to be given."""
    environment: Any = state.app.jinja_env
    environment.add_extension("jinja2.ext.i18n")
    environment.install_null_translations(newstyle=True)
    state.app.after_request(_settle_static)


def _door(utility: Utility) -> Door:
    installation = house().settings.base_url
    names = (utility.base_url, utility.code, installation)
    return Door(utility, public_base(*names), resource_base(*names))


def _portraits(session: Session, code: str | None = None) -> Sequence[Any]:
    guests: Guests = current_app.extensions.get(_GUESTS, lambda session, code: ())
    return guests(session, code)


def _page(template: str, **values: Any) -> Response:
    settings = house().settings
    response = Response(
        render_template(
            template,
            stylesheet=url_for("static", filename="portal.css", v=_fingerprint()),
            is_demo=_GUESTS in current_app.extensions,
            command=current_app.extensions.get(_COMMAND, ""),
            draw=charts.day,
            told=charts.told,
            **values,
        )
    )
    response.headers.update(_HEADERS)
    response.headers["Cache-Control"] = "no-store" if settings.mode == "development" else "no-cache"
    if settings.base_url.startswith("https:"):
        response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}; includeSubDomains"
    return response


def _feeds(doors: Sequence[Door]) -> Callable[[Any], str]:
    """Where the feed of a share stands, at these doors."""
    bases = {door.utility.code: door.base for door in doors}
    return lambda share: paths.batch_subscription(bases[share.utility], str(share.subscription))


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    return hashlib.sha256(_STYLESHEET.read_bytes()).hexdigest()[:12]


def _settle_static(response: Response) -> Response:
    """The stylesheet's address holds its fingerprint, so a browser may keep it for good."""
    if request.endpoint == "static":
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.args.get("v") == _fingerprint():
            response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    return response
