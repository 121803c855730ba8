"""The sandbox's telephone: what customers would have been sent. Only the demo shows it: elsewhere they are real."""

from __future__ import annotations

from flask import Blueprint, Response

from espi_server import clock
from espi_server.adapters import sandbox
from espi_server.web import looks
from espi_server.web.house import house

blueprint = Blueprint("phone", __name__)


@blueprint.get("/tools/phone")
def phone() -> Response:
    """The messages, the newest first."""
    with house().database.reading() as session:
        messages = sandbox.received(session)
    return looks.page("public/phone.html", messages=messages, written=clock.written)
