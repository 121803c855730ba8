"""A customer who walks through the pages of consent, as her browser does, and the company that sent her.

sun = walking.company(towns)
ada = walking.customer(towns, sun.app, "C-1")
page = ada.arrives(sun)                      # the first page of a request, signed in
ada.chooses(page, classes=["Usage"])         # a 303 to the second
code = ada.agrees(…)
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from lxml import html
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.access import describing
from espi_server.access.models import Application
from espi_server.accounts import utilities
from espi_server.accounts.models import Account, Premise, ServiceAgreement, ServiceLocation
from espi_server.db import Database
from espi_server.energy.models import UsagePoint
from tests import make, oauth, portal
from tests.oauth import BACK, Company

HOME = "/north/account"
LONG = ("pwd", "otp", "mfa")


def app(database: Database, **settings: Any) -> Flask:
    """An installation that asks its customers on its own pages."""
    return make.app(database, **settings)


def company(database: Database, name: str = "Sun", **stated: Any) -> Company:
    """A company of an installation with pages."""
    served = stated.pop("app", None) or app(database)
    return oauth.company(database, name, app=served, **stated)


@dataclass
class Walker:
    """A customer in front of a browser."""

    database: Database
    app: Flask
    client: FlaskClient
    login: uuid.UUID
    reference: str
    code: str = "north"
    pages: list[str] = field(default_factory=list)

    def get(self, path: str, check: int = 200) -> TestResponse:
        """A page, by path or by whole address."""
        answer = self.client.get(local(path))
        assert answer.status_code == check, (path, answer.status_code, answer.data[:400])
        return answer

    def follows(self, answer: TestResponse, check: int = 200) -> TestResponse:
        """Where a page sends her, as long as it is one of ours."""
        while answer.status_code == 303 and BACK not in answer.headers["Location"]:
            answer = self.client.get(local(answer.headers["Location"]))
        assert answer.status_code == check, (answer.status_code, answer.data[:2000])
        return answer

    def asks(self, company: Company, **parameters: str | None) -> TestResponse:
        """Her browser comes from the company with its request; what the authorization server answers."""
        given = {
            "response_type": "code", "client_id": company.client_id, "redirect_uri": BACK, "scope": oauth.SCOPE,
            "state": "s-1", **company.pkce[1], **parameters,
        }  # fmt: skip
        said = {name: value for name, value in given.items() if value is not None}
        return self.client.get(f"/{self.code}/oauth/authorize", query_string=said)

    def arrives(self, company: Company, **parameters: str | None) -> TestResponse:
        """The first page she sees of the company's request."""
        return self.follows(self.asks(company, **parameters))

    def posts(self, page: TestResponse, check: int = 303, **data: Any) -> TestResponse:
        """The form of a page, with what she fills in."""
        form = main_form(page)
        answer = self.client.post(form.action, data={**portal.fields(form), **data})
        assert answer.status_code == check, (form.action, answer.status_code, answer.data[:1000])
        return answer

    def chooses(self, page: TestResponse, **changed: Any) -> TestResponse:
        """Everything the first page asks, unless told otherwise: all places, Usage, a year, until stopped."""
        given = {
            "places": open_places(page), "classes": ["Usage"], "history": "365", "lasting": "stopped",
            "act": "continue", **changed,
        }  # fmt: skip
        return self.posts(page, **given)

    def checks(self, page: TestResponse, **changed: Any) -> TestResponse:
        """The second page, after the first."""
        return self.follows(self.chooses(page, **changed))

    def agrees(self, page: TestResponse, check: int = 303) -> TestResponse:
        """Her yes on the second page."""
        return self.posts(page, check, act="share")

    def declines(self, page: TestResponse) -> TestResponse:
        """Her no, on whichever page."""
        return self.posts(page, act="decline")

    def shares(self, company: Company, scope: str | None = None, **chosen: Any) -> dict[str, Any]:
        """All of it: the token answer."""
        parameters = {"scope": scope} if scope else {}
        back = self.agrees(self.checks(self.arrives(company, **parameters), **chosen))
        code = oauth.in_address(back.headers["Location"])["code"]
        answer = company.redeem(code)
        assert answer.status_code == 200, answer.data
        found: dict[str, Any] = answer.json
        return found


def customer(
    database: Database,
    served: Flask,
    reference: str = "C-1",
    *,
    amr: Sequence[str] = LONG,
    code: str = "north",
    **more: Any,
) -> Walker:
    """A customer who is signed in."""
    login = portal.login(database, reference, code, **more)
    return Walker(
        database, served, portal.browser(served, database, login, amr=amr, code=code), login, reference, code
    )


def local(address: str) -> str:
    """An address without its host."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def main_form(page: TestResponse) -> html.FormElement:
    """The form in the main part of a page."""
    main = html.fromstring(page.data).get_element_by_id("main")
    return next(each for each in main.iter("form") if each.get("method") == "post")


def open_places(page: TestResponse) -> list[str]:
    """The places that can be ticked on the first page."""
    return [str(each.get("value")) for each in main_form(page).iter("input") if each.get("name") == "places"]


def values(page: TestResponse, name: str) -> list[str]:
    """The values of all inputs of this name."""
    return [str(each.get("value")) for each in main_form(page).iter("input") if each.get("name") == name]


def text(page: TestResponse) -> str:
    """What the main part of a page says."""
    main = html.fromstring(page.data).get_element_by_id("main")
    return " ".join(main.text_content().split())


# --- rows ---------------------------------------------------------------------------------------------


def agreement(
    database: Database,
    reference: str,
    customer: str = "C-1",
    *,
    code: str = "north",
    address: str = "",
    town: str = "Oakland",
    points: int = 1,
    **more: Any,
) -> uuid.UUID:
    """A service agreement of a customer with so many usage points, at an address in capitals if one is given."""
    who = make.customer_id(database, customer, code)
    with database.writing() as session:
        place = utilities.find(session, code)
        account = session.scalars(select(Account.id).where(Account.customer_id == who).limit(1)).one()
        location = _location(session, place.id, reference, address, town) if address else None
        row = ServiceAgreement(
            id=uuid.uuid4(), utility_id=place.id, customer_id=who, account_id=account, reference=reference,
            service_location_id=location, **more,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.add_all(
            UsagePoint(
                id=uuid.uuid4(), utility_id=place.id, source_id=f"{reference}-{number}", customer_id=who,
                agreement_id=row.id, created_at=clock.seconds(),
            )
            for number in range(points)
        )  # fmt: skip
    return row.id


def _location(session: Session, utility: uuid.UUID, reference: str, address: str, town: str) -> uuid.UUID:
    premise = Premise(id=uuid.uuid4(), address=address, town=town)
    session.add(premise)
    session.flush()
    row = ServiceLocation(
        id=uuid.uuid4(), utility_id=utility, source_premise=f"at {reference}", premise_id=premise.id
    )
    session.add(row)
    session.flush()
    return row.id


def describe(company: Company, **told: Any) -> None:
    """What customers are told about a company."""
    with company.database.writing() as session:
        describing.describe(session, session.get_one(Application, company.id), told, by="a test")


KEYS = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}
"""Public keys, for companies that are held to the strict policy."""
EVERYTHING = (
    "FB=4_5_15_16_54_55_56_57_58_62;IntervalDuration=900;HistoryLength=63072000;"
    "AdditionalScope=Usage_Billing_Basic_Account_ProgramEnrollment_RIN_BillComparison_RateChange"
)
