"""Is it up, and is it ready? For those who operate the server."""

from __future__ import annotations

from flask import Blueprint

from espi_server import migrate
from espi_server.errors import Unavailable
from espi_server.web.described import Answer, Schema, describes
from espi_server.web.house import house

blueprint = Blueprint("status", __name__)


def _told(*names: str) -> Answer:
    told: Schema = {
        "type": "object",
        "required": names,
        "properties": {name: {"type": "string"} for name in names},
    }
    return Answer("It is.", {"application/json": told})


@blueprint.get("/healthz")
@describes("Is the process up?", tag="operations", answers={200: _told("status")})
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "up"}


@blueprint.get("/readyz")
@describes(
    "Is it ready to serve?", tag="operations", answers={200: _told("status", "migration")}, problems=(503,)
)
def readyz() -> dict[str, str]:
    """The database answers and stands at the newest migration; 503 with Retry-After otherwise."""
    revision = migrate.current(house().database.engine)
    if revision != migrate.newest():
        raise Unavailable(
            f"The database stands at migration {revision or 'none'}, this code needs {migrate.newest()}. "
            "Run `espi-server migrate`.",
            headers={"Retry-After": "5"},
        )
    return {"status": "ready", "migration": revision or ""}
