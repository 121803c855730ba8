"""The tools in a real browser: axe over every page in every state, the policy, no JavaScript, narrow, by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browsing import RULES, browser, faults, needs_chromium
from tests.espi.check.mutations import FILES
from tests.serving import serve

__all__ = ["browser"]

pytestmark = needs_chromium

GOOD = (FILES / "usage.xml").read_bytes()
BAD = (
    GOOD.replace(b"<id>urn:uuid:", b"<id>")
    .replace(b"-28800", b"-8")
    .replace(b"<title>Pacific time</title>", b"")
)
HOSTILE = b"<!DOCTYPE a><feed/>"
# Of the rules of a subject, three look like all: so many make axe slow.
FEWER = "document.querySelectorAll('.rule ~ .rule ~ .rule ~ .rule').forEach((each) => each.remove())"
PLAIN = {
    "start": "/",
    "tools": "/tools/",
    "errors": "/tools/problems",
    "form": "/tools/validate",
    "rules": "/tools/rules",
    "schemas": "/tools/schemas",
    "a type": "/tools/schemas/explain/UsageSummary",
    "an element": "/tools/schemas/explain/ReadingType/uom",
    "no element": "/tools/schemas/explain/Nix",
    "gone": "/tools/validate/1",
}
SENT = {"findings": BAD, "conformant": GOOD, "refused": HOSTILE, "problem": b""}
STATES = (*PLAIN, *SENT)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_file) -> Iterator[str]:
    path = shutil.copy(migrated_file, tmp_path_factory.mktemp("browser") / "espi.sqlite")
    with serve(f"sqlite:///{path}", checks_per_hour=1_000) as running:
        yield running.url


def opened(
    browser: Browser,
    server: str,
    state: str,
    said: list[str] | None = None,
    asked: list[str] | None = None,
    **how,
) -> Page:
    """The page of a state, reached as a person reaches it; what its console said and what it asked for."""
    page = browser.new_context(**how).new_page()
    page.on("console", lambda message: said is None or said.append(message.text))
    page.on("request", lambda request: asked is None or asked.append(request.url))
    if state in PLAIN:
        page.goto(server + PLAIN[state])
        return page
    page.goto(f"{server}/tools/validate")
    page.set_input_files("#file", {"name": "usage.xml", "mimeType": "application/xml", "buffer": SENT[state]})
    page.click("button")
    page.wait_for_load_state()
    return page


@pytest.mark.soak
def test_axe_finds_nothing_among_all_rules(browser, server):
    page = opened(browser, server, "rules")

    found = Axe().run(page, options=RULES).response

    page.context.close()
    assert found["violations"] == []


@pytest.mark.parametrize("state", STATES)
def test_every_page_is_for_everybody_and_keeps_to_its_policy(browser, server, state):
    """Axe finds nothing in any scheme, a small telephone is wide enough, and nothing is asked for elsewhere."""
    said, asked = [], []
    page = opened(browser, server, state, said, asked)
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    page.set_viewport_size({"width": 320, "height": 640})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.evaluate(FEWER)

    found = faults(page)

    page.context.close()
    assert found == []
    assert width <= 320
    # A page that answers 4xx is named on the console; that is no breach of the policy.
    assert [text for text in said if "status of 4" not in text] == []
    assert {url for url in asked if not url.startswith((server, "data:"))} == set()


def test_a_file_is_judged_without_javascript(browser, server):
    page = opened(browser, server, "findings", java_script_enabled=False)

    assert page.locator("h1").inner_text() == "Not conformant"
    assert "/tools/validate/" in page.url
    page.reload()
    assert page.locator("article.finding").count() == 4
    page.context.close()


def test_the_form_is_walked_by_keyboard_in_the_order_it_is_read(browser, server):
    page = opened(browser, server, "form")
    order = []
    for _ in range(12):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    assert order[0] == "Skip to the content"
    assert [each for each in order if each in ("file", "profile-certification", "edition", "claims")] == [
        "file", "profile-certification", "edition", "claims"
    ]  # fmt: skip
    assert "Check the file" in order
    page.context.close()


def test_a_problem_leads_to_its_field(browser, server):
    page = opened(browser, server, "problem")

    page.click("[role=alert] a")

    assert page.evaluate("document.activeElement.id || location.hash") in ("file", "#file")
    page.context.close()
