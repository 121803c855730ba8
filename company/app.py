"""The application put together: what it knows, its pages, and headers that let nothing in from elsewhere."""

from __future__ import annotations

import secrets

from flask import Flask, Response, abort, request

from . import notices, pages, utilities
from .pages import Here
from .settings import Settings
from .store import Store


def create_app(settings: Settings) -> Flask:
    """The application; whoever serves it starts its worker (`__main__`)."""
    app = Flask(__name__)
    store, registered = Store(settings.database), utilities.read(settings.utilities)
    here = Here(settings, store, registered, notices.Worker(store, registered))
    app.extensions[pages.HERE] = here
    app.config.update(
        SECRET_KEY=_secret(store),
        SESSION_COOKIE_NAME="sunwise",
        SESSION_COOKIE_SAMESITE="Lax",  # utilities send browsers back to us: "Strict" would forget who they are
        MAX_CONTENT_LENGTH=notices.LARGEST,
    )
    app.register_blueprint(pages.blueprint)
    app.before_request(_from_our_own_pages)
    # Browsers hold a redirect after a form to this policy, and our "Connect" leads to the utility.
    leads_to = " ".join(["'self'", *sorted({each.origin for each in registered.values()})])
    policy = (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {leads_to}"
    )

    @app.after_request
    def close(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    return app


def _from_our_own_pages() -> None:
    """A form on somebody else's page cannot act for our visitor. Utilities are no browsers, and sign (`pages.hear`)."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if request.method == "POST" and request.endpoint != "pages.hear" and site != "same-origin":
        abort(403)


def _secret(store: Store) -> str:
    """What cookies are signed with: made once."""
    store.do("INSERT OR IGNORE INTO ours VALUES ('secret', ?)", secrets.token_urlsafe(32))
    [row] = store.all("SELECT value FROM ours WHERE name = 'secret'")
    return str(row["value"])
