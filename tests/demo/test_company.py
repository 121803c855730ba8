"""A person, a company and her utility: all of it in a real browser without JavaScript, with the real demo."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from company import scope
from espi_server.demo import company, demo
from espi_server.demo.households import named
from espi_server.demo.logins import PASSWORD
from tests.browsing import RULES, browser, needs_chromium
from tests.demo.prepared import served

__all__ = ["browser"]

pytestmark = needs_chromium

SHE = named("single")
NAME = company.NAME
CONNECT = "Connect Alder Valley Electric"
SECONDS = 60


class Walk:
    """One browser without JavaScript; the company and the utility it goes between."""

    def __init__(self, context: BrowserContext, port: int) -> None:
        self.utility = f"http://localhost:{port}/alder/account"
        self.company = company.address(port + 1)
        self._context = context
        self.page = context.new_page()
        self.console: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))

    def goes(self, address: str) -> Page:
        self.page.goto(address)
        return self.page

    def presses(self, *names: str) -> None:
        for name in names:
            self.page.get_by_role("button", name=name, exact=True).first.click()

    def signs_in(self) -> None:
        self.page.get_by_label("Email address").fill(SHE.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.presses("Sign in")

    def shares(self, *classes: str) -> None:
        """Her one place, these classes, all the history, until she stops it."""
        self.page.locator("input[name=places]").first.check()
        for each in classes:
            self.page.locator(f"input[name=classes][value={each}]").check()
        self.page.locator("input[name=history][value=all]").check()
        self.page.locator("input[name=lasting][value=stopped]").check()
        self.presses("Continue", "Share my data")

    def at_home(self) -> str:
        """At the company's page of her home; what it shows."""
        self.page.wait_for_url(f"{self.company}/homes/*")
        return self.page.locator("main").inner_text()

    def is_readable(self) -> None:
        """axe has nothing to say; it needs JavaScript, so it looks from another tab."""
        context = self._context.browser.new_context(storage_state=self._context.storage_state())
        page = context.new_page()
        page.goto(self.page.url)
        found = Axe().run(page, options=RULES).response["violations"]
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        context.close()
        assert [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found] == []


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("walk") / "demo"
    demo.prepare(folder, days=12)  # up to yesterday: nobody may share what is years old
    with served(folder, company=True) as running:
        yield Walk(browser.new_context(java_script_enabled=False), running.port)


@pytest.mark.requirement("F-M1", "UC3.9")
def test_a_person_shares_with_a_company_and_stops_and_shares_again_from_her_utility(walk: Walk) -> None:
    # She begins at the company (Mode 2), and does not want to after all.
    walk.goes(walk.company)
    walk.is_readable()
    walk.presses(CONNECT)
    walk.signs_in()
    walk.presses("Do not share")
    assert "Nothing was shared" in walk.page.locator("h1").inner_text()
    walk.is_readable()

    # She does, but not her bills.
    walk.goes(walk.company)
    walk.presses(CONNECT)
    walk.shares("Usage", "Basic")
    seen = walk.at_home()
    home = walk.page.url
    assert SHE.person in seen
    assert int(walk.page.locator(".count").inner_text().replace(",", "")) == 12 * 96
    assert walk.page.locator("svg rect").count() >= 12
    assert f"Not shared: {scope.CLASSES['Billing']}" in seen
    assert "Your bills" not in seen
    walk.is_readable()

    # She sees who has access, and stops it in two clicks.
    walk.goes(f"{walk.utility}/access")
    assert NAME in walk.page.locator("main").inner_text()
    walk.page.get_by_role("link", name=re.compile(f"Stop sharing.*{NAME}")).click()
    walk.presses("Stop sharing")

    # The company's next call fails, and its page says so.
    walk.goes(home)
    if walk.page.get_by_role("button", name="Look for new readings").count():
        walk.presses("Look for new readings")
    assert "Access ended" in walk.at_home()
    walk.is_readable()

    # She begins at her utility (Mode 1): chooses there, continues at the company, and chooses nothing twice.
    walk.goes(f"{walk.utility}/companies")
    walk.page.get_by_role("link", name=f"Choose what to share - {NAME}").click()
    walk.shares("Usage", "Basic", "Billing")
    walk.page.get_by_role("link", name=f"Continue at {NAME}").click()
    assert "One step is left" in walk.page.locator("h1").inner_text()
    walk.is_readable()
    walk.presses(CONNECT)
    seen = walk.at_home()
    assert "Not shared" not in seen
    assert walk.page.url != home

    # What the utility told the company meanwhile has arrived and was believed.
    told = walk.goes(f"{walk.company}/notices").locator("main")
    for _ in range(SECONDS):
        if "This access has ended." in told.inner_text():
            break
        walk.page.wait_for_timeout(1000)
        walk.page.reload()
    assert "This access has ended." in told.inner_text()
    walk.is_readable()
    walk.page.get_by_role("link", name="What we may read at Alder Valley Electric").click()
    assert "Stands" in walk.page.locator("main").inner_text()
    walk.is_readable()
    assert [text for text in walk.console if "status of 4" not in text] == []
