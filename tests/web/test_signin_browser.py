"""Signing in with a real browser: axe over every page in every state, narrow, without JavaScript, and passkeys.

All of it is looked at in one tab: a new one for each state costs more than everything that is done in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page
from werkzeug.serving import make_server

from espi_server.access import throttle
from espi_server.access.throttle import Tried
from espi_server.accounts import (
    email_changes,
    factors,
    passkeys,
    provider,
    sessions,
    signin,
    utilities,
)
from espi_server.accounts.models import Login
from espi_server.accounts.passkeys import Place
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET
from tests import letterbox, make, ways
from tests.browsing import browser, faults, needs_chromium, tab
from tests.copies import Copies
from tests.towns import build
from tests.web.reading import grade, words_of

__all__ = ["browser", "tab"]

pytestmark = [
    needs_chromium,
    pytest.mark.requirement("CEC5"),
]


@dataclass
class House:
    """A server over one town, and people in it: each with something else to show."""

    url: str
    database: Database
    logins: dict[str, Any]
    apps: dict[str, Any]

    def path(self, rest: str) -> str:
        return f"{self.url}/north/account/{rest}"

    def link(self, who: str) -> str:
        with self.database.writing() as session:
            return signin.link(session, session.get_one(Login, self.logins[who]), signin.RESET)

    def mail(self, who: str) -> str:
        return ways.login_of(self.database, self.logins[who]).email or "" if who in self.logins else who


PEOPLE = ("plain", "app", "text", "bare", "full", "keys", "second", "other", "mover")


@pytest.fixture(scope="module")
def house(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("signing")
    with copies.of("sqlite", "towns", build, folder) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        letterbox.reachable(database, "C-2", phone="+1 530 555 0142")
        logins = {
            who: ways.person(database, "C-2" if who == "text" else "C-1", email=f"{who}@mail.example") for who in PEOPLE
        }  # fmt: skip
        ways.rule(database, second_factor=False)
        apps = {who: ways.app_of(database, logins[who]) for who in ("app", "full", "second")}
        make.change(database, Login, Login.id == logins["bare"], password_alone=False, email_since=None)
        make.change(database, Login, Login.id == logins["text"], password_alone=False)
        hashes = factors.hashes(factors.invent())
        with database.writing() as session:
            south, login = utilities.find(session, "south"), "https://login.example"
            provider.configure(session, south, issuer=login, client_id="us", secret="a secret")
            factors.keep(session, logins["full"], hashes)
        server = make_server("127.0.0.1", 0, lambda *_: None, threaded=True)
        address = f"http://localhost:{server.server_port}"
        server.app = create_app(make.settings(base_url=address, contact_after=0), database)
        running = threading.Thread(target=server.serve_forever, daemon=True)
        running.start()
        yield House(address, database, logins, apps)
        server.shutdown()
        running.join()
        server.server_close()
        database.close()


# --- how each page is reached ---------------------------------------------------------------------------


def typed(page: Page, house: House, who: str, password: str = ways.PASSWORD) -> None:
    page.goto(house.path("sign-in?next=/north/account/security"))
    page.fill("#email", house.mail(who))
    page.fill("#password", password)
    page.click("main form:not([data-passkey]) button")
    page.wait_for_load_state()


def entered(page: Page, house: House, who: str) -> None:
    """In by the app; its code is another each time a test asks."""
    typed(page, house, who)
    make.change(
        house.database,
        factors.Authenticator,
        factors.Authenticator.login_id == house.logins[who],
        last_step=0,
    )
    page.fill("#code", ways.code_of(house.apps[who]))
    page.click("form[action$='second-factor'] button")
    page.wait_for_load_state()


def goes(path: str, who: str = "") -> Callable[[Page, House], None]:
    """To a page, by somebody who is signed in already."""

    def reach(page: Page, house: House) -> None:
        if who:
            with house.database.writing() as session:
                login = session.get_one(Login, house.logins[who])
                secret = sessions.begin(session, login, amr=("pwd", "otp", "mfa"), lifetime=3600)
            page.context.add_cookies([{"name": "sid-north", "value": secret, "url": house.url}])
        page.goto(house.path(path))

    return reach


def wrong_password(page: Page, house: House) -> None:
    typed(page, house, "plain", "not the right one")


def second(who: str, then: Callable[[Page, House], None] | None = None) -> Callable[[Page, House], None]:
    def reach(page: Page, house: House) -> None:
        typed(page, house, who)
        if then is not None:
            then(page, house)

    return reach


def sends(page: Page, house: House) -> None:
    page.click("form[action$='/send'] button")
    page.wait_for_load_state()


def wrong_code(page: Page, house: House) -> None:
    page.fill("#code", "nonsense")
    page.click("form:has(#code) button")
    page.wait_for_load_state()


def by_link(page: Page, house: House) -> None:
    page.goto(house.path(f"password/new?link={house.link('other')}"))


def short(page: Page, house: House) -> None:
    by_link(page, house)
    page.fill("#password", "short")
    page.fill("#password2", "short")
    page.click("main button")
    page.wait_for_load_state()


def codes_made(page: Page, house: House) -> None:
    goes("security/codes", "full")(page, house)
    page.click("main form button")
    page.wait_for_load_state()


def strangers(page: Page, house: House) -> None:
    """A crowd guessed the password of somebody nobody here is."""
    name = "crowd@mail.example"
    with house.database.writing() as session:
        for at in range(100):
            throttle.failed(session, Tried("sign-in", f"north {name}", f"203.0.113.{at}", guessed=True))
    typed(page, house, name)


def changing(purpose: str) -> Callable[[Page, House], None]:
    def reach(page: Page, house: House) -> None:
        with house.database.writing() as session:
            change = email_changes.begin(
                session, session.get_one(Login, house.logins["mover"]), "n@mail.example"
            )
            secret, _ = email_changes.link(session, change, purpose)
        if purpose == email_changes.CONFIRM:
            goes("security", "mover")(page, house)
        page.goto(house.path(f"email/{'new' if purpose == email_changes.CONFIRM else 'keep'}?link={secret}"))

    return reach


STATES: dict[str, Callable[[Page, House], None]] = {
    "sign in": goes("sign-in"),
    "signed out": goes("sign-in?said=out"),
    "elsewhere": lambda page, house: page.goto(f"{house.url}/south/account/sign-in?said=unknown"),
    "wrong password": wrong_password,
    "again": goes("sign-in?again=1", "plain"),
    "which way": second("text"),
    "code sent": second("text", sends),
    "app": second("app"),
    "wrong code": second("full", wrong_code),
    "set up": second("bare"),
    "forgotten": goes("password/forgotten"),
    "link sent": goes("password/sent"),
    "link over": goes("password/new?link=nix"),
    "new password": by_link,
    "too short": short,
    "strangers": strangers,
    "another address": goes("security/email", "plain"),
    "an app first": goes("security/email", "bare"),
    "confirm an address": changing(email_changes.CONFIRM),
    "keep an address": changing(email_changes.OBJECT),
    "change over": goes("email/new?link=nix"),
    "stay": goes("stay", "plain"),
    "security": goes("security", "plain"),
    "security, full": goes("security", "full"),
    "password": goes("security/password", "plain"),
    "an app": goes("security/app", "plain"),
    "remove": goes("security/remove/app", "app"),
    "passkey": goes("security/passkey", "plain"),
    "no codes yet": goes("security/codes", "plain"),
    "codes": codes_made,
}


# What makes up a page is the same everywhere: these have all of it in every colour.
COLOURED = ("wrong password", "code sent", "wrong code", "set up", "security, full", "codes")


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """The one tab, as it was when it was new."""
    tab.context.clear_cookies()
    yield tab
    tab.set_extra_http_headers({})
    tab.emulate_media(color_scheme="light", forced_colors="none")


def reached(page: Page, house: House, state: str, language: str = "en") -> Page:
    """The page of a state, seen by a stranger on a narrow screen."""
    page.context.clear_cookies()
    page.set_extra_http_headers({"Accept-Language": language})
    STATES[state](page, house)
    return page


def test_axe_finds_nothing_and_the_words_are_easy(page, house):
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.set_viewport_size({"width": 320, "height": 640})
    found: dict[str, Any] = {}

    for state in STATES:
        reached(page, house, state)
        width = page.evaluate("document.documentElement.scrollWidth")
        text = words_of(page.content().encode())
        found[state] = faults(page, in_colours=state in COLOURED)
        assert page.get_attribute("html", "lang") == "en"
        assert (width, grade(text) <= 6) == (320, True), (state, text)

    assert {state: each for state, each in found.items() if each} == {}
    assert [each for each in said if "status of 4" not in each] == []


def test_no_page_is_wider_than_a_narrow_screen_in_spanish(page, house):
    page.set_viewport_size({"width": 320, "height": 640})
    for state in COLOURED:
        reached(page, house, state, "es")

        assert page.get_attribute("html", "lang") == "es"
        assert page.evaluate("document.documentElement.scrollWidth") == 320, state


# --- passkeys -------------------------------------------------------------------------------------------


@pytest.fixture
def device(page: Page) -> Iterator[Page]:
    """A browser on a device that can make passkeys, and whose lock its owner opens."""
    tool = page.context.new_cdp_session(page)
    tool.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    tool.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield page
    tool.send("WebAuthn.disable")
    tool.detach()


def make_passkey(page: Page, house: House, who: str) -> None:
    goes("security/passkey", who)(page, house)
    page.fill("#name", "  my   phone ")
    page.click("form[data-passkey] button")
    page.wait_for_url("**/account/security")


def sign_out(page: Page) -> None:
    page.click("form[action$='/sign-out'] button")
    page.wait_for_url("**/sign-in**")


def use(page: Page, house: House, then: str) -> None:
    page.click("form[data-passkey] button")
    # Where it leads stands in the address of the sign-in page, too.
    page.wait_for_url(lambda address: urlsplit(address).path.endswith(f"/{then}"))


def test_a_passkey_is_made_and_lets_in_without_a_password(device, house):
    page = device
    make_passkey(page, house, "keys")
    assert "my phone" in page.inner_text("main")
    sign_out(page)

    page.goto(house.path("sign-in?next=/north/account/security"))
    use(page, house, "account/security")

    with house.database.reading() as session:
        [found] = signin.open_sessions(session, house.logins["keys"], idle=900)
        [key] = passkeys.of(session, house.logins["keys"])
    assert found.amr == ["hwk", "user", "mfa"]
    assert (key.sign_count > 0, key.used_at is not None, key.name) == (True, True, "my phone")
    # One device makes one passkey for a login, and another's login asks for its own.
    goes("security/passkey")(page, house)
    page.click("form[data-passkey] button")
    page.wait_for_selector("form[data-passkey] [role=status]:not(:empty)")
    assert "not made" in page.inner_text("form[data-passkey] [role=status]")


def test_a_passkey_is_a_second_step_and_its_answer_is_taken_once(device, house):
    page = device
    make_passkey(page, house, "other")
    sign_out(page)
    typed(page, house, "other")
    assert page.url.endswith("/second-factor")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))

    use(page, house, "account/security")

    [answer] = [each for each in sent if "answer=" in each]
    body = dict(parse_qsl(answer))
    with house.database.reading() as session:
        found = signin.open_sessions(session, house.logins["other"], idle=900)
        place = Place.of(utilities.find(session, "north"), f"{house.url}/north")
        elsewhere = Place.of(utilities.find(session, "south"), f"{house.url}/south")
    assert {tuple(each.amr) for each in found} == {("pwd", "hwk", "user", "mfa")}
    for where, whose in ((place, house.logins["other"]), (place, None), (elsewhere, None)):
        with pytest.raises(passkeys.NoPasskey), house.database.writing() as session:
            passkeys.answered(session, where, body["answer"], whose)


def test_without_a_passkey_there_is_another_way(page, house):
    page.goto(house.path("sign-in?next=/north/account/security"))
    assert page.is_visible("form[data-passkey]")

    entered(page, house, "second")

    assert page.inner_text("h1") == "Signing in"


def test_without_scripts_there_is_another_way(browser, house):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(house.path("sign-in?next=/north/account/security"))
    assert not page.is_visible("form[data-passkey]")

    entered(page, house, "second")

    assert page.inner_text("h1") == "Signing in"
    page.context.close()


def test_the_first_page_is_walked_by_keyboard_in_the_order_it_is_read(page, house):
    reached(page, house, "wrong password")
    order = []
    for _ in range(10):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    wanted = ["email", "password", "Sign in", "Use a passkey", "I forgot my password"]
    assert [each for each in order if each in wanted] == wanted
