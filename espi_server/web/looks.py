"""What every page has in common: its frame, its stylesheets, and headers that allow nothing from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, render_template, request, url_for

from espi_server.web import words
from espi_server.web.house import house

_STATIC = Path(__file__).parent / "static"
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
SANDBOX = "espi_server.sandbox"


def prepare(app: Flask) -> None:
    """Let `app` show pages. Words pass through `_()` already, so that translations only have to be given."""
    environment: Any = app.jinja_env
    environment.filters["visible"] = visible
    words.prepare(app)
    app.after_request(_settle_static)


def page(
    template: str,
    *,
    status: int = 200,
    styles: Sequence[str] = (),
    sheets: Sequence[str] = (),
    **values: Any,
) -> Response:
    """A template as an answer; `styles` are the stylesheets it needs besides portal.css, or `sheets` the addresses of
    all it needs."""
    settings = house().settings
    sheets = sheets or [
        url_for("static", filename=name, v=fingerprint(name)) for name in ("portal.css", *styles)
    ]
    body = render_template(
        template, stylesheets=sheets, is_demo=current_app.extensions.get(SANDBOX, False), **values
    )
    response = Response(body, status=status)
    response.headers.update(_HEADERS)
    response.headers["Cache-Control"] = "no-store" if settings.mode == "development" else "no-cache"
    if settings.base_url.startswith("https:"):
        response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}; includeSubDomains"
    return response


def visible(text: object) -> str:
    """What strangers wrote, with nothing in it that hides or turns around what stands beside it."""
    return "".join(
        each if each.isprintable() else " " if each in "\t\r\n" else "\N{REPLACEMENT CHARACTER}"
        for each in str(text)
    )


@lru_cache(maxsize=64)
def fingerprint(name: str) -> str:
    """What tells one state of a static file from another."""
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]


def _settle_static(response: Response) -> Response:
    """A stylesheet's address holds its fingerprint, so a browser may keep it for good."""
    if request.endpoint in ("static", "portal.static"):
        response.headers["X-Content-Type-Options"] = "nosniff"
        name = (request.view_args or {}).get("filename", "")
        if response.status_code == 200 and request.args.get("v") == fingerprint(name):
            response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    return response
