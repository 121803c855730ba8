"""What the authorization server says to the person in front of the browser, where it can send nobody on."""

from __future__ import annotations

from typing import Any

from flask import Response

from espi_server.access.oauth.server import UnknownAddress, UnknownApplication
from espi_server.errors import Problem
from espi_server.web import looks


def refused(problem: Problem) -> Response:
    """A request that names nobody we know, or an address nobody registered, goes nowhere (RFC 6749 4.1.2.1)."""
    is_the_company = isinstance(problem, UnknownApplication | UnknownAddress)
    response = _page("oauth/refused.html", problem.status, problem=problem, is_the_company=is_the_company)
    response.headers.update(problem.headers)
    return response


def _page(template: str, status: int, **values: Any) -> Response:
    response = looks.page(template, status=status, **values)
    response.headers["Cache-Control"] = "no-store"
    return response
