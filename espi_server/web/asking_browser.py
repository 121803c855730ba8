"""The cookie by which a browser shows that a company's question came to it, and not to somebody who sent on a link."""

from __future__ import annotations

import re
import secrets
from typing import Final

from flask import Response, request

from espi_server.web.portal import cookie, keep

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def name() -> str:
    """The cookie's name; one for all questions of a browser, so that two can be open at once."""
    return cookie("ask")


def shown() -> str:
    """What this browser shows; empty for one that was asked nothing."""
    return request.cookies.get(name(), "")


def shown_or_new() -> str:
    """The same, or something fresh to give it."""
    return shown() if _WELL_FORMED.fullmatch(shown()) else secrets.token_urlsafe(32)


def give(response: Response, value: str) -> None:
    """Let the browser show this from now on, until it is closed."""
    keep(response, name(), value, None)
