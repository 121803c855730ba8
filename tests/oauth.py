"""A company that asks customers for data, and customers who answer without pages, by the seam.

company = oauth.company(towns)                   # registered and in production at north
code = company.code()                            # asked, and C-1 said yes
answer = company.redeem(code)                    # 200 and tokens
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.access import applications, consent
from espi_server.access.applications import Registration
from espi_server.access.consent import Agreed, Identified
from espi_server.access.models import Application
from espi_server.access.oauth.server import Place, Server
from espi_server.access.opening import PRODUCTION
from espi_server.accounts import utilities
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.espi.scope import Scope
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make

BACK = "https://sun.example.com/back"
SCOPE = "FB=4_5_15;IntervalDuration=900;HistoryLength=34128000"
YEAR = 365 * 86_400


class Door:
    """Pages of a test: the secret stands in the address, and nobody shows anything."""

    def page(self, secret: str) -> str:
        return f"/ask?request={secret}"


def app(database: Database, **settings: Any) -> Flask:
    """An installation that asks its customers behind `Door`."""
    return create_app(make.settings(**settings), database, Door())


def server(session: Any, code: str = "north", installation: str = make.INSTALLATION) -> Server:
    """A utility's authorization server in a transaction, as pages have it."""
    place = Place(installation, DEVELOPMENT_SECRET)
    return Server(session, utilities.find(session, code), place)


def verifier() -> tuple[str, dict[str, str]]:
    """A PKCE verifier, and what is sent of it first."""
    chosen = secrets.token_urlsafe(32)
    digest = hashlib.sha256(chosen.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return chosen, {"code_challenge": challenge, "code_challenge_method": "S256"}


def in_address(address: str) -> dict[str, str]:
    """The parameters of an address, of its query or of what stands behind `#`."""
    parts = urlsplit(address)
    found = parse_qs(parts.fragment or parts.query, strict_parsing=bool(parts.fragment or parts.query))
    assert all(len(values) == 1 for values in found.values()), address
    return {name: values[0] for name, values in found.items()}


def agree(
    database: Database,
    secret: str,
    *,
    code: str = "north",
    customer: str = "C-1",
    points: tuple[str, ...] = ("101", "102"),
    scope: str | None = None,
    until: int | None = None,
    at: int | None = None,
    installation: str = make.INSTALLATION,
) -> str:
    """The customer's yes: where her browser goes."""
    now = clock.seconds()
    who = make.customer_id(database, customer, code)
    chosen = [make.point_id(database, each, code) for each in points]
    with database.writing() as session:
        asking = server(session, code, installation)
        asked = consent.waiting(asking, secret)
        agreed = Agreed(
            customer_id=who,
            usage_points=chosen,
            scope=Scope.parse(scope) if scope else asked.scope,
            until=now + YEAR if until is None else until,
            identified=Identified(at=now - 60 if at is None else at, method="password", amr=("pwd", "otp")),
        )
        return consent.agree(asking, secret, agreed)


def decline(database: Database, secret: str, code: str = "north") -> str:
    """The customer's no: where her browser goes."""
    with database.writing() as session:
        return consent.decline(server(session, code), secret)


@dataclass
class Company:
    """A third party with an application at one utility."""

    database: Database
    app: Flask
    code_: str
    id: uuid.UUID
    client_id: str
    secret: str
    pkce: tuple[str, dict[str, str]] = field(default_factory=verifier)

    @property
    def basic(self) -> dict[str, str]:
        """Its Basic header."""
        return basic(self.client_id, self.secret)

    def asks(self, method: str = "GET", **parameters: str | None) -> TestResponse:
        """The browser comes with its request; None leaves a parameter out."""
        given = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": BACK, "scope": SCOPE,
            "state": "s-1", **self.pkce[1], **parameters,
        }  # fmt: skip
        said = {name: value for name, value in given.items() if value is not None}
        where = f"/{self.code_}/oauth/authorize"
        client = self.app.test_client()
        return client.post(where, data=said) if method == "POST" else client.get(where, query_string=said)

    def secret_of_request(self, **parameters: str | None) -> str:
        """A request is kept: what its browser carries on."""
        answer = self.asks(**parameters)
        assert answer.status_code == 303, answer.data
        return in_address(answer.headers["Location"])["request"]

    def code(self, *, yes: dict[str, Any] | None = None, **parameters: str | None) -> str:
        """The code of a customer's yes."""
        secret = self.secret_of_request(**parameters)
        return in_address(agree(self.database, secret, code=self.code_, **(yes or {})))["code"]

    def posts(
        self, endpoint: str, data: Any, headers: dict[str, str] | None = None, **more: Any
    ) -> TestResponse:
        """A request of the company itself."""
        return self.app.test_client().post(
            f"/{self.code_}/oauth/{endpoint}", data=data, headers=self.basic if headers is None else headers, **more
        )  # fmt: skip

    def token(self, headers: dict[str, str] | None = None, **form: str | None) -> TestResponse:
        """What the token endpoint answers; None leaves a parameter out."""
        return self.posts(
            "token", {name: value for name, value in form.items() if value is not None}, headers
        )

    def redeem(self, code: str, headers: dict[str, str] | None = None, **more: str | None) -> TestResponse:
        """What the token endpoint answers to a code."""
        given: dict[str, str | None] = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": self.pkce[0],
        }  # fmt: skip
        return self.token(headers, **(given | more))

    def tokens(self, **parameters: str | None) -> dict[str, Any]:
        """The tokens of a customer's yes."""
        answer = self.redeem(self.code(**parameters))
        assert answer.status_code == 200, answer.data
        found: dict[str, Any] = answer.json
        return found

    def refresh(self, token: str, headers: dict[str, str] | None = None, **more: str) -> TestResponse:
        """What the token endpoint answers to a refresh token."""
        return self.token(headers, grant_type="refresh_token", refresh_token=token, **more)

    def reads(self, address: str, token: str, **headers: str) -> int:
        """The status of a GET with a token."""
        answer = self.app.test_client().get(
            urlsplit(address).path, headers={"Authorization": f"Bearer {token}", **headers}, buffered=True
        )
        return answer.status_code


def basic(client_id: str, secret: str) -> dict[str, str]:
    """A Basic header."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def company(
    database: Database,
    name: str = "Sun",
    code: str = "north",
    *,
    app: Flask | None = None,
    **stated: Any,
) -> Company:
    """A company with an application in production."""
    given = {"redirect_uris": [BACK], **stated}
    with database.writing() as session:
        place = utilities.find(session, code)
        made = applications.register(session, place, Registration(name, **given), by="a test", reachable=str)
        has_keys = bool(given.get("jwks") or given.get("certificates"))
        secret = "" if has_keys else applications.new_secret(session, made)
        applications.set_status(session, made, PRODUCTION)
        id, client_id = made.id, made.client_id
    return Company(database, app or globals()["app"](database), code, id, client_id, secret)


def change(company: Company, **values: Any) -> None:
    """Set columns of the company's application."""
    make.change(company.database, Application, Application.id == company.id, **values)


def served() -> Flask:
    """The same for a real server: its settings come from the environment."""
    return create_app(consent=Door())
