"""Is it up, and is it ready? For those who operate the server."""

from __future__ import annotations

from flask import Blueprint

from espi_server import migrate
from espi_server.errors import Unavailable
from espi_server.web.house import house

blueprint = Blueprint("status", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "up"}


@blueprint.get("/readyz")
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
