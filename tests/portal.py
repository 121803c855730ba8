"""Customers in front of the pages, without going through sign-in each time.

login = portal.login(database, "C-1")
browser = portal.browser(app, database, login)                      # a test client that is signed in
browser = portal.browser(app, database, login, amr=("pwd", "otp"))  # with a second factor
page = browser.get("/north/account/access")
browser.post("/north/account/…", data={**portal.hidden(page), "choice": "yes"})
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from sqlalchemy import select
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.accounts import sessions, utilities
from espi_server.accounts.models import Customer, Login
from espi_server.db import Database
from espi_server.web.house import EXTENSION

HOUR = 3600


def login(
    database: Database,
    customer: str,
    code: str = "north",
    *,
    email: str | None = None,
    language: str | None = None,
) -> uuid.UUID:
    """A way in for this customer, without a password; her address was shown to be hers long ago."""
    now = clock.seconds()
    with database.writing() as session:
        place = utilities.find(session, code)
        found = session.scalars(
            select(Customer.id).where(Customer.utility_id == place.id, Customer.reference == customer)
        ).one()
        row = Login(
            id=uuid.uuid4(), kind="customer", utility_id=place.id, customer_id=found,
            name=email or f"{customer.lower()}-{uuid.uuid4().hex[:6]}@mail.example",
            email=email, email_since=now - 100 * 86_400, language=language, created_at=now,
        )  # fmt: skip
        session.add(row)
    return row.id


def browser(
    app: Flask,
    database: Database,
    login: uuid.UUID,
    *,
    amr: Sequence[str] = ("pwd",),
    at: int | None = None,
    code: str = "north",
) -> FlaskClient:
    """A browser in which this login is signed in."""
    with database.writing() as session:
        row = session.get_one(Login, login)
        secret = sessions.begin(session, row, amr=amr, lifetime=12 * HOUR, at=at)
    client = app.test_client()
    is_safe = app.extensions[EXTENSION].settings.base_url.startswith("https:")
    client.set_cookie(f"__Host-sid-{code}" if is_safe else f"sid-{code}", secret)
    return client


def hidden(page: TestResponse, form: int = -1) -> dict[str, str]:
    """The hidden fields of a form of a page, its last one unless told: what a browser sends along."""
    return fields(html.fromstring(page.data).forms[form])


def form_to(page: TestResponse, action: str) -> dict[str, str]:
    """The same of the form whose action ends so."""
    [found] = [each for each in html.fromstring(page.data).forms if (each.action or "").endswith(action)]
    return fields(found)


def fields(form: html.FormElement) -> dict[str, str]:
    """Names and values of a form's hidden fields."""
    return {each.name: each.value or "" for each in form.inputs if each.get("type") == "hidden" and each.name}
