"""The demo shows what its customers would have been sent; no other installation does."""

from __future__ import annotations

import uuid
from dataclasses import replace

from espi_server.adapters.post import Letter
from espi_server.adapters.sandbox import Telephone
from espi_server.db import Database
from espi_server.web.pages import invite
from tests import make

LETTER = Letter(
    id=uuid.UUID(int=7), utility_id=uuid.UUID(int=1), sender="Valley Electric", to="ada@example.org", language="es",
    subject="<b>Sun</b> ya puede ver sus datos", text="Hola:\n\n- cuánta energía\n", html="", short="Sun",
)  # fmt: skip


def test_the_demo_shows_the_messages_of_its_customers(database: Database) -> None:
    letter = replace(LETTER, utility_id=make.utility(database).id)
    app = make.app(database)
    invite(app, lambda session, code: (), "espi-server demo")
    browser = app.test_client()
    empty = browser.get("/tools/phone")
    Telephone(database, make.settings()).mail(letter)

    page = browser.get("/tools/phone")

    assert "Nothing yet" in empty.text
    assert "cuánta energía" in page.text
    assert "ada@example.org" in page.text
    assert '<article lang="es"' in page.text
    assert "<b>Sun" not in page.text
    assert 'href="/tools/phone"' in browser.get("/").text


def test_nobody_else_does(database: Database) -> None:
    browser = make.app(database).test_client()

    assert browser.get("/tools/phone").status_code == 404
    assert "/tools/phone" not in browser.get("/").text
