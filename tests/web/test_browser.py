"""The tools in a real browser: axe over every page in every state, the policy, no JavaScript, narrow, by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browsing import COLOURS, RULES, SCHEMES, browser, needs_chromium
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


def opened(browser: Browser, server: str, state: str, **how) -> Page:
    """The page of a state, reached as a person reaches it."""
    page = browser.new_context(**how).new_page()
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
def test_axe_finds_nothing(browser, server, state):
    page = opened(browser, server, state)
    page.evaluate(FEWER)
    for summary in page.locator("summary").all():
        summary.click()

    found = {"light": Axe().run(page, options=RULES).response}
    for name, scheme in SCHEMES.items():
        page.emulate_media(**scheme)
        found[name] = Axe().run(page, options=COLOURS).response

    page.context.close()
    assert [
        (name, each["id"], [node["html"][:120] for node in each["nodes"]])
        for name, response in found.items()
        for each in response["violations"]
    ] == []
    assert all(response["passes"] for response in found.values())
    unsure = {each["id"] for response in found.values() for each in response["incomplete"]}
    assert unsure <= {"color-contrast"}, unsure


@pytest.mark.parametrize("state", STATES)
def test_no_page_breaks_its_own_policy_or_asks_elsewhere(browser, server, state):
    said, asked = [], []
    page = browser.new_context().new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server}/tools/validate")
    if state in PLAIN:
        page.goto(server + PLAIN[state])
    else:
        page.set_input_files("#file", {"name": "a.xml", "mimeType": "application/xml", "buffer": SENT[state]})
        page.click("button")
        page.wait_for_load_state()

    page.context.close()
    # A page that answers 4xx is named on the console; that is no breach of the policy.
    assert [text for text in said if "status of 4" not in text] == []
    assert {url for url in asked if not url.startswith((server, "data:"))} == set()


@pytest.mark.parametrize("state", STATES)
def test_no_page_is_wider_than_a_narrow_screen(browser, server, state):
    page = opened(browser, server, state, viewport={"width": 320, "height": 640})
    for summary in page.locator("summary").all():
        summary.click()

    width = page.evaluate("document.documentElement.scrollWidth")

    page.context.close()
    assert width <= 320


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
