"""The start pages: what this server is, and in the demo who lives here and how to get their data.

Every page works without JavaScript and is answered with a policy that allows none. No page ever shows a token: only
their digests are kept, and pages are saved, printed and photographed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, current_app
from flask.blueprints import BlueprintSetupState
from sqlalchemy.orm import Session

from espi_server.access.addresses import public_base, resource_base
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.espi import paths
from espi_server.web import charts, looks, phone
from espi_server.web.house import house

blueprint = Blueprint("pages", __name__)

_GUESTS = "espi_server.guests"
_COMMAND = "espi_server.command"
_COMPANY = "espi_server.company"

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


def invite(app: Flask, guests: Guests, command: str, company: str = "") -> None:
    """Let the pages of `app` show households, the command that prints a token for one, and a company to share with.

    Only the demo does: elsewhere customers are real.
    """
    app.extensions[looks.SANDBOX] = True
    app.extensions[_GUESTS] = guests
    app.extensions[_COMMAND] = command
    app.extensions[_COMPANY] = company
    app.register_blueprint(phone.blueprint)


@blueprint.get("/")
def start() -> Response:
    """What this server is; in the demo, everybody who lives in it."""
    with house().database.reading() as session:
        doors = [_door(each) for each in utilities.every(session)]
        portraits = _portraits(session)
    company = current_app.extensions.get(_COMPANY, "")
    return _page("public/start.html", feed=_feeds(doors), doors=doors, portraits=portraits, company=company)


@blueprint.get("/<code>")
def utility(code: str) -> Response:
    """One utility: its addresses, and in the demo its households."""
    with house().database.reading() as session:
        door = _door(utilities.find(session, code))
        portraits = _portraits(session, code)
    return _page("public/utility.html", feed=_feeds([door]), door=door, portraits=portraits)


@blueprint.record_once
def prepare(state: BlueprintSetupState) -> None:
    """The application shows pages from now on."""
    app: Any = state.app
    looks.prepare(app)


def _door(utility: Utility) -> Door:
    installation = house().settings.base_url
    names = (utility.base_url, utility.code, installation)
    return Door(utility, public_base(*names), resource_base(*names))


def _portraits(session: Session, code: str | None = None) -> Sequence[Any]:
    guests: Guests = current_app.extensions.get(_GUESTS, lambda session, code: ())
    return guests(session, code)


def _page(template: str, **values: Any) -> Response:
    command = current_app.extensions.get(_COMMAND, "")
    return looks.page(template, command=command, draw=charts.day, told=charts.told, **values)


def _feeds(doors: Sequence[Door]) -> Callable[[Any], str]:
    """Where the feed of a share stands, at these doors."""
    bases = {door.utility.code: door.base for door in doors}
    return lambda share: paths.batch_subscription(bases[share.utility], str(share.subscription))
