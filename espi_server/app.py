"""Wiring, and nothing else: settings → database → guard → blueprints → error pages."""

from __future__ import annotations

import logging

from flask import Blueprint, Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from espi_server.access.consent import Consent
from espi_server.access.disclosures import Disclosures
from espi_server.access.guard import Guard
from espi_server.access.identification import Identification
from espi_server.access.matching import ByProfile
from espi_server.access.oauth.statements import Authority
from espi_server.access.throttle import Throttle
from espi_server.db import Database
from espi_server.settings import Settings
from espi_server.web import (
    access_pages,
    answers,
    cases_pages,
    deliveries,
    managing,
    oauth,
    openapi,
    pages,
    portal,
    portal_pages,
    registering,
    requests,
    resources,
    sharing,
    signin,
    status,
    tools,
    tools_pages,
    uploads,
)
from espi_server.web.house import EXTENSION, House
from espi_server.web.limits import Allowance, Turnstile
from espi_server.web.routes import Route

UPLOAD_LIMIT = 1024 * 1024  # bytes of a request body; large deliveries have their own way in


def create_app(
    settings: Settings | None = None,
    database: Database | None = None,
    consent: Consent | None = None,
    identification: Identification | None = None,
) -> Flask:
    """The WSGI application of one installation; `consent` is how it asks its customers, `identification` finds them."""
    settings = settings or Settings.load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    database = database or Database(
        settings.database_url,
        pool_size=settings.threads + 8,
        secret=settings.secret_key,
        older=settings.older_secrets,
    )
    app = Flask("espi_server", template_folder="web/templates", static_folder="web/static")
    app.config.update(SECRET_KEY=settings.secret_key, MAX_CONTENT_LENGTH=UPLOAD_LIMIT)
    app.config.update(PROVIDE_AUTOMATIC_OPTIONS=False)  # OPTIONS is a method like others: not offered
    app.url_rule_class = Route
    app.url_map.strict_slashes = False  # a trailing slash is accepted, without a redirect
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = House(
        settings=settings,
        database=database,
        guard=Guard(database),
        throttle=Throttle(database),
        disclosures=Disclosures(database),
        turnstile=Turnstile(total=settings.feeds, each=settings.feeds_per_application),
        deliveries=Turnstile(
            total=settings.uploads, each=max(1, settings.uploads - 1), words=deliveries.BUSY
        ),
        checks=Turnstile(total=settings.checks, each=max(1, settings.checks - 1), words=uploads.BUSY),
        checkers=Allowance(settings.checks_per_hour, uploads.ENOUGH),
        consent=consent or sharing.OurPages(),
        identification=identification or ByProfile(),
        authority=Authority.of(settings),
    )
    requests.number(app)
    answers.answer_problems(app)
    portal.prepare(app)
    for blueprint in _blueprints():
        app.register_blueprint(blueprint)
    if settings.proxies:
        hops = settings.proxies
        # Flask's own way to wrap it, an assignment to a method, in words a type checker accepts.
        vars(app)["wsgi_app"] = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)
    return app


def _blueprints() -> list[Blueprint]:
    """Every way in, pages for people last."""
    plain = (status, openapi, oauth, registering, tools, tools_pages, pages)
    return [
        *(each.blueprint for each in plain),
        resources.blueprint(),
        deliveries.blueprint(),
        managing.blueprint(),
        portal_pages.rooms,
        signin.rooms,
        sharing.rooms,
        access_pages.rooms,
        cases_pages.rooms,
    ]
