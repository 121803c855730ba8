"""What stands below every utility's pages for customers: its colours, its languages, where one begins."""

from __future__ import annotations

from flask import Response, current_app

from espi_server.access import terms
from espi_server.accounts import utilities
from espi_server.accounts.models import Login
from espi_server.accounts.portal import Portal
from espi_server.web import portal, words
from espi_server.web.house import house
from espi_server.web.portal import NoSuchPage

rooms = portal.blueprint("portal")


@rooms.get("/theme.css")
def theme(code: str) -> Response:
    """The utility's colours. Its address holds their fingerprint, so a browser may keep it for good."""
    with house().database.reading() as session:
        chosen = Portal.of(utilities.find(session, code))
    response = Response(portal.colours(chosen), content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@rooms.get("/static/<path:filename>")
def static(code: str, filename: str) -> Response:
    """What every page needs, below the utility's own address."""
    return current_app.send_static_file(filename)


@rooms.post("/language")
def speak(code: str) -> Response:
    """Remember a language for this browser, and for whoever is signed in, and go back to the page."""
    form = portal.posted()
    chosen = words.known(form.get("lang"))
    with house().database.writing() as session:
        found = portal.visit(session, code)
        if chosen and found.signed_in:
            session.get_one(Login, found.signed_in.login_id).language = chosen
    here = portal.Here(found.utility)
    response = portal.go(here.local(form.get("next", "")) or here.href("portal.home"))
    if chosen:
        portal.keep(response, words.COOKIE, chosen, 365 * portal.A_DAY)
    return response


@rooms.get("/stay")
def stay(code: str) -> Response:
    """More time: looking at this page counts, as every page does, and the one she was on stays as it is."""
    with house().database.reading() as session:
        found = portal.customer(session, code)
    return portal.page("portal/stay.html", found, is_last=portal.is_last(found))


@rooms.get("/accessibility")
def accessibility(code: str) -> Response:
    """How these pages are made for everybody."""
    with house().database.reading() as session:
        found = portal.visit(session, code)
    return portal.page("portal/accessibility.html", found)


@rooms.get("/terms")
def sharing_terms(code: str) -> Response:
    """The terms that bind whoever shares here: these words, or where the utility's own stand."""
    with house().database.reading() as session:
        found = portal.visit(session, code)
    own = found.portal.terms
    return portal.page(
        "portal/terms.html", found, own=own, version=found.portal.terms_version or terms.VERSION
    )


@rooms.get("/<path:rest>")
def nowhere(code: str, rest: str) -> Response:
    """What is not here is told by a page: only a person comes this way, by an old link or a slip of the pen."""
    raise NoSuchPage()


@rooms.get("/")
def home(code: str) -> Response:
    """Where a customer begins: who has access."""
    with house().database.reading() as session:
        found = portal.visit(session, code)
    return portal.go(portal.Here(found.utility).href("access.index"))
