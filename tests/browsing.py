"""A real browser for the tests of pages, and the rules axe looks by; where there is none, they say so and skip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed here: run `make system`")
QUIET = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# Nothing is loaded beforehand: of our rules only one looks at what is, and it is about sounds that play by themselves.
QUICK = {"resultTypes": ["violations", "incomplete"], "selectors": False, "iframes": False, "preload": False}
# What a page holds is the same in every scheme: only its colours are looked at again.
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
SCHEMES = {"dark": {"color_scheme": "dark"}, "forced colours": {"forced_colors": "active"}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET, chromium_sandbox=False)
        yield found
        found.close()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for all that a module looks at: opening one costs several times what looking at a page does."""
    page = browser.new_context().new_page()
    yield page
    page.context.close()


# What axe is not sure of counts as well; but of contrast it never is where something lies behind letters.
_FAULTS = """async (asked) => {
  const {violations, incomplete} = await axe.run(asked);
  return [...violations, ...incomplete.filter((each) => each.id !== "color-contrast")].map(
    (each) => [each.id, each.nodes.map((node) => node.html.slice(0, 160))]);
}"""
# Of rows that look alike the first three show all there is to find, and axe is slow over the others.
_FEWER = "document.querySelectorAll('tr ~ tr ~ tr ~ tr').forEach((each) => each.remove())"


def faults(page: Page, *, in_colours: bool = True) -> list[tuple[str, Any]]:
    """What axe finds on a page in light, and (`in_colours`) what of it differs in dark and in forced colours."""
    page.evaluate(_FEWER)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    asked: Mapping[str, Any] = {"light": (RULES, {})}
    if in_colours:
        asked = {**asked, **{name: (COLOURS, scheme) for name, scheme in SCHEMES.items()}}
    found = []
    for name, (rules, scheme) in asked.items():
        page.emulate_media(**{"color_scheme": "light", "forced_colors": "none", **scheme})
        found += [(name, each) for each in page.evaluate(_FAULTS, {**rules, **QUICK})]
    page.emulate_media(color_scheme="light", forced_colors="none")
    return found
