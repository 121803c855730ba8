"""Customers who sign in by the pages themselves, as a browser does.

ada = ways.person(database, "C-1", password="…")          # a login with a password
visitor = ways.Visitor(app)                               # somebody with a browser
page = visitor.sign_in("c-1@mail.example", ways.PASSWORD) # the page she ends on
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import pyotp
from flask import Flask
from lxml import html
from sqlalchemy import select
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.accounts import factors, passwords, portal, utilities
from espi_server.accounts.models import Login
from espi_server.db import Database
from tests import portal as pages

PASSWORD = "kettle orchard violin 7"
_DIGESTS: dict[str, str] = {}


def person(
    database: Database,
    customer: str = "C-1",
    code: str = "north",
    *,
    email: str | None = None,
    password: str | None = PASSWORD,
    language: str | None = None,
) -> uuid.UUID:
    """A login of this customer, with a password."""
    email = email or f"{customer.lower()}@mail.example"
    id = pages.login(database, customer, code, email=email, language=language)
    if password is not None:
        with database.writing() as session:
            row = session.get_one(Login, id)
            row.password_digest = _DIGESTS.get(password) or passwords.digest(password)
            row.password_alone, row.password_at = passwords.is_long(password), clock.seconds()
            _DIGESTS[password] = row.password_digest
    return id


def rule(database: Database, *, second_factor: bool, code: str = "north") -> None:
    """Whether the utility asks everybody for a second factor."""
    with database.writing() as session:
        portal.change(utilities.find(session, code), second_factor=second_factor)


def app_of(database: Database, login: uuid.UUID) -> pyotp.TOTP:
    """An authenticator app that is set up for this login, its last code a minute old."""
    with database.writing() as session:
        secret = factors.propose(session, login)
        app = pyotp.TOTP(secret)
        assert factors.settle(session, login, app.at(clock.seconds()))
        row = session.get_one(factors.Authenticator, login)
        row.last_step -= 2
    return app


def code_of(app: pyotp.TOTP) -> str:
    """What it shows now."""
    return app.at(clock.seconds())


def login_of(database: Database, id: uuid.UUID) -> Login:
    """The row as it stands."""
    with database.reading() as session:
        return session.scalars(select(Login).where(Login.id == id)).one()


class Visitor:
    """A browser at a utility's pages."""

    def __init__(
        self, app: Flask, code: str = "north", address: str = "192.0.2.7", host: str = "data.example.org"
    ):
        self.code = code
        self._ask = app.test_client()
        self._ask.environ_base.update({"REMOTE_ADDR": address, "HTTP_USER_AGENT": "Firefox Linux"})
        self._base = {"base_url": f"https://{host}"}

    def get(self, path: str, *, check: int | None = None, **more: Any) -> TestResponse:
        """A page, by its path below the utility's account pages or as a link says."""
        found = self._ask.get(self._path(path), **self._base, **more)
        assert check in (None, found.status_code), (path, found.status_code, found.text[:2000])
        return found

    def send(
        self, page: TestResponse, action: str, *, check: int | None = 303, **fields: str
    ) -> TestResponse:
        """A form of a page, filled in and sent."""
        forms = [
            each
            for each in html.fromstring(page.data).forms
            if urlsplit(each.action or "").path.endswith(action)
        ]
        assert forms, (action, page.text[:3000])
        found = self._ask.post(forms[0].action, data={**pages.fields(forms[0]), **fields}, **self._base)
        assert check in (None, found.status_code), (action, found.status_code, found.text[:3000])
        return found

    def post(self, path: str, page: TestResponse, **fields: str) -> TestResponse:
        """The same to where a page has no form for."""
        return self.bare(path, {**pages.hidden(page), **fields})

    def bare(self, path: str, data: dict[str, str], **headers: str) -> TestResponse:
        """A POST of what no page gave."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask.post(self._path(path), data=data, headers=given, **self._base)

    def sign_in(
        self, email: str, password: str = PASSWORD, *, asked: str = "", check: int | None = 303
    ) -> TestResponse:
        """Email and password typed into the first page: the answer to that."""
        return self.send(self.get(f"sign-in{asked}"), "/sign-in", check=check, email=email, password=password)

    def follow(self, sent: TestResponse, *, check: int | None = 200) -> TestResponse:
        """Where it leads."""
        return self.get(sent.headers["Location"], check=check)

    def cookie(self, name: str) -> str | None:
        """A cookie of this utility."""
        found = self._ask.get_cookie(f"__Host-{name}-{self.code}", domain="data.example.org")
        return found.value if found else None

    def keep(self, name: str, value: str) -> None:
        """Plant one."""
        self._ask.set_cookie(f"__Host-{name}-{self.code}", value, domain="data.example.org", secure=True)

    @property
    def is_in(self) -> bool:
        """Is she signed in?"""
        return self.get("security").status_code == 200

    def _path(self, path: str) -> str:
        return path if path.startswith("/") else f"/{self.code}/account/{path}"
