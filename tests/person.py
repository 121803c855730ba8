"""A person at a browser of her own, as plain as a browser can be: pages, cookies, forms, and buttons by their names.

she = Person()
she.opens("http://localhost:8000/alder/account/access")
she.signs_in("amina@home.example", "lamp on the porch")
she.presses("Stop sharing")
she.address                                   # where she is now; a company's address is not opened, only come to
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests
from lxml import html

SECONDS = 30


class Person:
    """She stays at the host she began at: an address elsewhere ends her way."""

    def __init__(self) -> None:
        self._cookies = requests.Session()
        self.address = ""
        self.page = html.Element("html")

    def opens(self, address: str) -> None:
        """Go there, and wherever that sends her."""
        self._goes("GET", address, {})

    def signs_in(self, email: str, password: str) -> None:
        """On the sign-in page."""
        self.presses("Sign in", email=email, password=password)

    def follows(self, *said: str) -> None:
        """The first link that says all of this."""
        [found, *_] = [each for each in self.page.iter("a") if all(word in _words(each) for word in said)]
        self.opens(urljoin(self.address, found.get("href")))

    def ticks(self, name: str) -> None:
        """Every box of this name."""
        for each in self.page.iter("input"):
            if each.get("name") == name:
                each.set("checked", "checked")

    def presses(self, name: str, **filled: str | list[str]) -> None:
        """The first button of this name, once the fields of its form are filled in or ticked."""
        names = [_words(each) for each in self.page.iter("button")]
        assert name in names, f"{self.address} has no button {name!r} but {names}: {_words(self.page)}"
        button = list(self.page.iter("button"))[names.index(name)]
        form = next(each for each in button.iterancestors("form"))
        given = {**_filled(form), **filled}
        if button.get("name"):
            given[button.get("name")] = button.get("value", "")
        self._goes("POST", urljoin(self.address, form.get("action", "")), given)

    def _goes(self, method: str, address: str, given: dict[str, str | list[str]]) -> None:
        here = urlsplit(self.address or address).netloc
        headers = {"Origin": f"http://{here}", "Sec-Fetch-Site": "same-origin"} if method == "POST" else {}
        answer = self._cookies.request(
            method, address, data=given, headers=headers, allow_redirects=False, timeout=SECONDS
        )
        self.address = address
        if answer.is_redirect:
            there = urljoin(address, answer.headers["Location"])
            self.address = there
            if urlsplit(there).netloc == here:
                self._goes("GET", there, {})
            return
        assert answer.ok, f"{method} {address} answered {answer.status_code}: {answer.text}"
        self.page = html.fromstring(answer.text)


def _filled(form: html.HtmlElement) -> dict[str, str | list[str]]:
    """What stands in a form already."""
    found: dict[str, list[str]] = {}
    for name, value in form.form_values():
        found.setdefault(name, []).append(value)
    return dict(found)


def _words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())
