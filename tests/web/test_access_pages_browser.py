"""Who has access, in a real browser: axe over every state in every scheme, narrow, and stopping without scripts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from espi_server import clock
from espi_server.access import cases
from espi_server.access.models import Authorization, AuthorizationRequest, ConsentRecord
from espi_server.accounts import sessions, utilities
from espi_server.accounts.models import Login
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make, portal
from tests.browsing import browser, faults, needs_chromium
from tests.copies import Copies
from tests.serving import serve_here
from tests.towns import build

__all__ = ["browser"]

pytestmark = needs_chromium

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft & Söhne"


@dataclass(frozen=True)
class Place:
    """A running server, the pages of its states, and the cookies of whoever looks."""

    url: str
    states: dict[str, str]
    cookies: dict[str, str]


@pytest.fixture(scope="module")
def place(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("access_browser")
    with copies.of("sqlite", "towns", build, folder) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        with serve_here(database) as (address, app):
            states = fill(database, make.Client(app))
            yield Place(address, states, {name: cookie(database, name) for name in ("C-1", "C-2")})
        database.close()


def cookie(database: Database, customer: str) -> str:
    login = portal.login(database, customer)
    with database.writing() as session:
        return sessions.begin(session, session.get_one(Login, login), amr=("pwd",), lifetime=portal.HOUR)


def fill(database: Database, api: make.Client) -> dict[str, str]:
    """C-1 has everything there can be, C-2 nothing."""
    now = clock.seconds()
    sun = make.access(database, customer="C-1", application="SunWise Home")
    usage = make.access(database, customer="C-1", application=LONG, scope="FB=4_5_15")
    waiting = make.access(database, customer="C-1", application="GridPeople")
    old = make.access(database, customer="C-1", application="Old Friends")
    make.end(database, old.id)
    make.change(database, Authorization, Authorization.id == waiting.id, waits_until=now + 86_400)
    for _ in range(51):  # one more than a page holds
        api.get(f"{make.base()}/Subscription/{sun.id}/UsagePoint", sun, check=200)
    make.hold(database, usage.application)
    with database.writing() as session:
        utility = utilities.find(session, "north").id
        record = ConsentRecord(
            id=uuid.uuid4(), utility_id=utility, shown="You are letting SunWise Home see:\nUsage\nBills", language="en",
            version="1", digest=bytes(range(32)), shown_at=now,
        )  # fmt: skip
        session.add(record)
        session.add(
            AuthorizationRequest(
                digest=bytes(32), stage="pending", utility_id=utility, application_id=waiting.application,
                customer_id=sun.customer, parameters={"scope": "FB=4_5_15", "binding_message": "W4-SCT"},
                created_at=now, expires_at=now + 3600, poll_digest=bytes(31) + b"1",
            )
        )  # fmt: skip
        session.flush()
        session.get_one(Authorization, sun.id).consent_record_id = record.id
        assert sun.customer is not None
        case = cases.report(
            session,
            utility,
            sun.customer,
            sun.application,
            topic="untrue",
            text="They said it is free.",
            language="en",
        )
        cases.answer(session, case, "We asked them to stop.\n\nThey did.", by="operator:x")
        over = cases.report(
            session, utility, sun.customer, sun.application, topic="more", text="They call.", language="en"
        )
        cases.close(session, over, outcome="upheld", by="operator:x")
    return {
        "who has access": "/access",
        "after stopping": f"/access?stopped={old.id}",
        "one": f"/access/{sun.id}",
        "one that ended": f"/access/{old.id}",
        "one with a long name": f"/access/{usage.id}",
        "stop": f"/access/{usage.id}/stop",
        "stop all": "/access/stop-all",
        "history": "/access/history",
        "seen": f"/access/{sun.id}/seen",
        "seen less": f"/access/{usage.id}/seen?month=2026-01",
        "cases": "/cases",
        "case": f"/cases/{case.number}?added=1",
        "case that is closed": f"/cases/{over.number}",
        "report": f"/cases/new?company={sun.application}",
        "not here": f"/access/{uuid.uuid4()}",
    }


# How wide the page is, what it speaks, and how many of its tables hide a part of themselves.
SEEN = """[document.documentElement.scrollWidth, document.documentElement.lang,
    [...document.querySelectorAll(".wide")].filter((each) => each.scrollWidth > each.clientWidth).length]"""
EMPTY = {"nothing shared": "/access", "nothing left": "/access/history", "no cases": "/cases"}


def pages(browser: Browser, place: Place, language: str) -> Iterator[tuple[str, Page]]:
    """Every state on a small telephone, with all that can be opened open."""
    for customer, states in (("C-1", place.states), ("C-2", EMPTY)):
        context = browser.new_context(locale=language, viewport={"width": 320, "height": 640})
        context.add_cookies([{"name": "sid-north", "value": place.cookies[customer], "url": place.url}])
        page = context.new_page()
        for name, path in states.items():
            page.goto(f"{place.url}/north/account{path}")
            page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            yield name, page
        if customer == "C-1":
            page.goto(f"{place.url}/north/account/cases/new")
            page.locator("main button").click()
            page.wait_for_load_state()
            yield "report with mistakes", page
        context.close()


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_is_for_everybody(browser: Browser, place: Place, language: str) -> None:
    """No page is wider than a small telephone, and axe finds nothing; its marks and colours know no language."""
    for name, page in pages(browser, place, language):
        width, spoken, hidden = page.evaluate(SEEN)
        wrong = faults(page) if language == "en" else []

        assert (name, width, spoken, hidden) == (name, 320, language, 0)
        assert (name, bool(page.title()), wrong) == (name, True, [])


def test_stopping_takes_two_clicks_without_scripts_and_breaks_no_policy(
    browser: Browser, place: Place
) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "sid-north", "value": place.cookies["C-1"], "url": place.url}])
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{place.url}/north/account/access")

    page.get_by_role("link", name="Stop sharing - SunWise Home").click()
    page.get_by_role("button", name="Stop sharing").click()
    page.wait_for_load_state()

    assert page.get_by_role("status").inner_text().startswith("Stopped")
    assert "SunWise Home gets no new data from now on." in page.get_by_role("status").inner_text()
    assert page.url.startswith(f"{place.url}/north/account/access")
    assert said == []
    context.close()
