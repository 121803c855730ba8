"""For whoever came to the wrong utility: back to the company, which is told where to go."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, request

from espi_server.access import companies as known
from espi_server.access import (
    consent,
    sharing_flow,
    sharing_routes,
)
from espi_server.access.sharing_flow import (
    OtherCustomer,
)
from espi_server.accounts.models import Utility
from espi_server.web import asking_browser, oauth, portal, words
from espi_server.web.house import house
from espi_server.web.sharing_room import (
    PATH,
    origin_of,
    rooms,
)


@rooms.get("/share/elsewhere")
def elsewhere(code: str) -> Response:
    """She is no customer here."""
    with house().database.reading() as session:
        server = oauth.server_at(session, code)
        secret = request.args.get("request", "")
        arrived = sharing_flow.arrive(server, secret, asking_browser.shown())
        visit = portal.visit(session, code)
        others = [(each.code, each.name) for each in sharing_routes.others(session, visit.utility)]
    if arrived.asked.by_message:
        raise OtherCustomer()
    return portal.page(
        "sharing/elsewhere.html", visit, company=known.told(visit.utility, arrived.asked.application, words.language()),
        utilities=others, secret=secret, form_to=origin_of(arrived.asked.redirect_uri),
    )  # fmt: skip


@rooms.post("/share/elsewhere")
def elsewhere_posted(code: str) -> Response:
    """Back to the company, which is told who serves her if she knows."""
    form = portal.posted()
    with house().database.writing() as session:
        server = oauth.server_at(session, code)
        arrived = sharing_flow.arrive(server, request.args.get("request", ""), asking_browser.shown())
        if arrived.asked.by_message:
            raise OtherCustomer()
        post = sharing_routes.signpost(
            session, server.utility, form.get("serves", ""), house().settings.base_url
        )
        location = consent.decline(server, arrived.row.digest, denied=post.denied, reason="not a customer")
    return portal.go(str(location))


@rooms.get("/share/utilities")
def utilities(code: str) -> Response:
    """Which utilities are here, for whoever was sent to the wrong one."""
    with house().database.reading() as session:
        visit = portal.visit(session, code)
        every = [visit.utility, *sharing_routes.others(session, visit.utility)]
    shown = [(each.name, portal.address(each, "sharing.companies")) for each in every]
    return portal.page("sharing/utilities.html", visit, utilities=sorted(shown))


@rooms.app_template_global("not_a_customer")
def not_a_customer(utility: Utility, path: str) -> str:
    """Where somebody goes who came with a company's request and is no customer here; empty without such a request."""
    parts = urlsplit(path or "")
    secret = dict(pair.partition("=")[::2] for pair in parts.query.split("&")).get("request", "")
    if not parts.path.endswith(PATH) or not secret:
        return ""
    return portal.href(utility, "sharing.elsewhere", request=secret)
