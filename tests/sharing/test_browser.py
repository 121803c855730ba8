"""Consent in a real browser: without scripts, under the policy, across to the company, and axe over every state."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, Route
from sqlalchemy import select
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from espi_server.access import grants
from espi_server.access.models import Authorization, ConsentRecord
from espi_server.accounts import portal as portals
from espi_server.accounts import sessions, utilities
from espi_server.accounts.models import Login
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET
from espi_server.web import sharing_words
from tests import make, oauth, portal
from tests.browsing import browser, faults, needs_chromium
from tests.copies import Copies
from tests.oauth import Company
from tests.sharing import walking
from tests.towns import build
from tests.web.reading import grade, words_of

__all__ = ["browser"]

pytestmark = needs_chromium

NAMES = ("SunWise Home", "GridPeople", "Valley Electric", "Automation Service Providers", "Larkspur Lane")
COLOURED = {"choose, nothing chosen", "check, changed", "companies", "receipt, waits"}
LESS = "FB=4_5_15;IntervalDuration=3600;HistoryLength=86400"
USE = "We run your battery and your car charger when prices are low."


@dataclass
class House:
    """A server with pages, the company's own at another origin, and what they know of each other."""

    url: str
    back: str
    database: Database
    came: list[str]
    companies: dict[str, Company]
    logins: dict[str, uuid.UUID]

    def asks(self, name: str, scope: str = walking.EVERYTHING) -> str:
        """Where a company sends a browser."""
        company = self.companies[name]
        said = {
            "response_type": "code", "client_id": company.client_id, "redirect_uri": self.back, "scope": scope,
            "state": "s-1", "nonce": "n-1", **company.pkce[1],
        }  # fmt: skip
        return f"{self.url}/north/oauth/authorize?{urlencode(said)}"

    def page(self, browser: Browser, who: str, **how: object) -> Page:
        """A browser in which somebody is signed in with two factors."""
        with self.database.writing() as session:
            secret = sessions.begin(
                session, session.get_one(Login, self.logins[who]), amr=walking.LONG, lifetime=3600
            )
        context = browser.new_context(java_script_enabled=bool(how.pop("scripts", False)), **how)
        context.add_cookies([{"name": "sid-north", "value": secret, "url": self.url}])
        return context.new_page()


@pytest.fixture(scope="module")
def house(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("sharing")
    came: list[str] = []
    with copies.of("sqlite", "towns", build, folder) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        theirs = make_server("127.0.0.1", 0, visited(came), threaded=True)
        ours = make_server("127.0.0.1", 0, lambda *_: None, threaded=True)
        address, back = f"http://localhost:{ours.server_port}", f"http://127.0.0.1:{theirs.server_port}/back"
        served = create_app(make.settings(base_url=address), database)
        ours.app = served
        running = [threading.Thread(target=each.serve_forever, daemon=True) for each in (ours, theirs)]
        for each in running:
            each.start()
        companies = {name: company(database, name, served, back) for name in ("SunWise Home", "GridPeople")}
        fill(database)
        logins = {
            who: portal.login(database, who, email=f"{who.lower()}@mail.example") for who in ("C-1", "C-2")
        }
        yield House(address, back, database, came, companies, logins)
        for server in (ours, theirs):
            server.shutdown()
            server.server_close()
        database.close()


def visited(came: list[str]) -> Callable[..., object]:
    """The company's site: it remembers who came."""

    @Request.application
    def site(request: Request) -> Response:
        if request.path == "/back":
            came.append(request.url)
        return Response("<!doctype html><title>Back</title><h1>Back</h1>", mimetype="text/html")

    return site


def company(database: Database, name: str, served: object, back: str) -> Company:
    found = oauth.company(
        database, name, app=served, redirect_uris=[back], policy="strict", jwks=walking.KEYS, scope=walking.EVERYTHING
    )  # fmt: skip
    walking.describe(
        found, use_statement=USE, client_uri="https://sunwise.example", policy_uri="https://sunwise.example/privacy",
        tos_uri="https://sunwise.example/terms", tos_version="7", privacy_email="privacy@sunwise.example",
        essential=["Usage", "RIN"], **({"use_statement#es": "Usamos su batería cuando los precios son bajos."}
                                       if name == "GridPeople" else {}),
    )  # fmt: skip
    return found


def fill(database: Database) -> None:
    """C-1 has a few places of every kind, C-2 a business with many."""
    walking.agreement(database, "A-4471", address="12|OAK ST|", udc="north", lse="south")
    walking.agreement(database, "A-4472", address="12|OAK ST|", commodity="gas")
    walking.agreement(database, "A-8830", address="40|ELM RD|", customer_class="wholesale")
    walking.agreement(database, "A-9000", address="9|PINE AVE|", ends_at=1_714_600_000)
    walking.agreement(database, "A-9001", address="10|PINE AVE|", points=0)
    for number in range(6):
        for meter in range(2):
            walking.agreement(database, f"B-{number}{meter}", "C-2", address=f"{number}|MARKET ST|")
    with database.writing() as session:
        portals.change(
            utilities.find(session, "north"), terms="https://valley.example/terms", terms_version="2026-01",
            phone="1-800-555-0100", hours="Mon-Fri 7 a.m.-7 p.m.",
        )  # fmt: skip


# --- one customer, all the way --------------------------------------------------------------------------


def choose(page: Page, *classes: str, places: int = 1, history: str = "365") -> None:
    """Answer the first page and go on."""
    for each in page.locator("input[name=places]").all()[:places]:
        each.check()
    for name in classes:
        page.check(f"#classes-{name}")
    page.check(f"#history-{history}")
    page.check("#lasting-stopped")
    page.click("main .buttons button:first-child")


@pytest.fixture(scope="module")
def plain(house: House, browser: Browser) -> Iterator[Page]:
    """A tab without scripts: opening one costs more than what is done in it."""
    page = house.page(browser, "C-1")
    yield page
    page.context.close()


@pytest.mark.requirement("F-M2", "F-T1", "NFR24")
def test_without_scripts_a_customer_shares_and_is_sent_on_to_the_company(house: House, plain: Page) -> None:
    page = plain
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto(house.asks("SunWise Home"))
    ticked = page.locator("input:checked").count()
    choose(page, "Usage", "RIN")
    heads = page.locator("#consent :is(h1, h2, dt)").all_inner_texts()
    page.eval_on_selector_all("#consent .control", "found => found.forEach(each => each.remove())")
    seen = [" ".join(line.split()) for line in page.inner_text("#consent").splitlines() if line.strip()]
    page.click("main .buttons button:first-child")
    page.wait_for_load_state()

    assert ticked == 0
    assert page.url.startswith(house.back)
    assert [text for text in said if "Content Security Policy" in text] == []
    assert "code=" in house.came[-1]
    assert "state=s-1" in house.came[-1]
    with house.database.reading() as session:
        record = session.scalars(select(ConsentRecord).order_by(ConsentRecord.shown_at.desc())).first()
    assert record is not None
    assert record.shown.splitlines() == seen
    assert set(heads) <= sharing_words.headings("en")  # so that its receipt sets them apart


def test_saying_no_takes_no_more_than_saying_yes(house: House, plain: Page) -> None:
    page = plain

    page.goto(house.asks("SunWise Home"))
    boxes = [each.bounding_box() for each in page.locator("main .buttons .button").all()]
    page.click("main .buttons button:last-child")
    page.wait_for_load_state()

    assert "error=access_denied" in house.came[-1]
    assert len(boxes) == 2
    assert len({(each["y"], each["height"], each["width"]) for each in boxes if each}) == 1


# --- every state ----------------------------------------------------------------------------------------


def ticks(page: Page, *classes: str, history: str = "365") -> None:
    """The same answers as `choose` at once, where only the page they lead to is looked at."""
    ids = [*(f"classes-{name}" for name in classes), f"history-{history}", "lasting-stopped"]
    page.evaluate(
        """ids => {
          document.querySelector("input[name=places]").checked = true;
          ids.forEach((id) => { document.getElementById(id).checked = true; });
        }""",
        ids,
    )
    page.click("main .buttons button:first-child")


def states(house: House, page: Page) -> Iterator[str]:
    """Every page in every state, one after the other, with the page on it."""
    account = f"{house.url}/north/account"
    ahead = f"{account}/share/with/{house.companies['GridPeople'].id}"
    page.goto(f"{account}/companies")
    yield "companies"
    page.goto(f"{account}/companies?q=nobody")
    yield "no company"
    page.goto(house.asks("SunWise Home"))
    yield "choose"
    page.click("main .buttons button:first-child")
    yield "choose, nothing chosen"
    ticks(page, "RIN")
    yield "check"
    page.goto(f"{page.url}?changed=1")
    yield "check, changed"
    page.click(".control >> nth=0")
    page.goto(ahead)
    ticks(page, "Usage", history="all")
    page.click("main .buttons button:first-child")
    yield "receipt, waits"
    page.goto(house.asks("GridPeople"))
    yield "more"
    page.check("#classes-RIN")
    page.click("main .buttons button:first-child")
    yield "check, more"
    page.goto(ahead)
    ticks(page, "Billing", history="0")
    page.click("main .buttons button:first-child")
    page.goto(house.asks("GridPeople"))
    yield "given, two"
    page.click("main .buttons button:first-child")
    yield "given, none chosen"
    waiting = (
        select(Authorization).where(Authorization.waits_until.is_not(None)).order_by(Authorization.created_at)
    )
    with house.database.writing() as session:
        for each in session.scalars(waiting).all()[1:]:
            grants.end(session, each, "cancelled")
    page.route("**/account/share?request=*", stays)
    # Playwright intercepts what is asked for first, not where it is redirected.
    page.goto(f"{account}/share?request={secret_in(page, house, 'GridPeople', LESS)}")
    assert page.inner_text("h1") == "Back to GridPeople"
    yield "back to the company"
    page.unroute("**/account/share?request=*")
    with house.database.writing() as session:
        for each in session.scalars(waiting).all():
            grants.end(session, each, "cancelled")
    page.goto(f"{account}/share/{uuid.uuid4()}")
    yield "over"
    page.goto(f"{account}/share/utilities")
    yield "utilities"
    page.goto(house.asks("SunWise Home"))
    page.goto(f"{account}/share/elsewhere?request={secret_in(page, house, 'SunWise Home')}")
    yield "elsewhere"


def stays(route: Route) -> None:
    """A page as it is, but for going on by itself."""
    answer = route.fetch(max_redirects=0)
    route.fulfill(response=answer, body=answer.text().replace('http-equiv="refresh"', 'name="refresh"'))


def secret_in(page: Page, house: House, name: str, scope: str = walking.EVERYTHING) -> str:
    """The secret of a new request of this browser."""
    answer = page.context.request.get(house.asks(name, scope), max_redirects=0)
    return answer.headers["location"].partition("request=")[2]


def plainly(page: Page) -> str:
    """What the page says, with one short name for everybody."""
    text = words_of(page.content().encode())
    for name in NAMES:
        text = text.replace(name, "Sun")
    return text


def test_every_page_is_for_everybody(house: House, browser: Browser) -> None:
    """Axe finds nothing, a small telephone is wide enough, and the words are those of the sixth grade."""
    page = house.page(browser, "C-1", scripts=True, viewport={"width": 320, "height": 900})

    for state in states(house, page):
        page.wait_for_load_state()
        found = {
            "wide": page.evaluate("document.documentElement.scrollWidth") > 320,
            "hard": grade(plainly(page)) > 6,
            "axe": faults(page, in_colours=state in COLOURED),
            "title": " - Valley Electric" not in page.title(),
        }
        assert (state, {name: each for name, each in found.items() if each}) == (state, {})
    page.context.close()
