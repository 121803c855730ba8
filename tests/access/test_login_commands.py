"""`espi-server login`: ways in opened, closed and opened again; the link that chooses a password; the provider."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from espi_server.access.models import AuditEvent
from espi_server.accounts import provider, utilities
from espi_server.cli import main
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET
from espi_server.shell import operator
from tests import letterbox, make, ways
from tests.copies import Copies
from tests.towns import build
from tests.ways import Visitor

pytestmark = pytest.mark.requirement("F-ID")
ADA = ["--utility", "north", "--email", "ada@mail.example"]


@pytest.fixture
def town(copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with copies.of("sqlite", "towns", build, tmp_path) as url:
        given = {"MODE": "development", "DATABASE_URL": url, "BASE_URL": make.INSTALLATION}
        for name, value in {**given, "SECRET_KEY": DEVELOPMENT_SECRET}.items():
            monkeypatch.setenv(f"ESPI_{name}", value)
        database = Database(url, secret=DEVELOPMENT_SECRET)
        yield database
        database.close()


def run(*words: str, code: int = 0, typed: str = "") -> str:
    result: Result = CliRunner().invoke(main, ["login", *words], input=typed)
    assert result.exit_code == code, result.output
    return str(result.output)


def acts(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [
            (each.act, each.actor) for each in session.scalars(select(AuditEvent).order_by(AuditEvent.number))
        ]


def test_a_login_is_opened_and_its_link_chooses_the_password(town):
    link = run("add", *ADA, "--customer", "C-1", "--language", "es").strip()
    listed = json.loads(run("list", "--utility", "north", "--json"))["logins"]
    visitor = Visitor(make.app(town))
    path = link.removeprefix(make.INSTALLATION)

    page = visitor.get(path, check=200)
    visitor.send(page, "/password/new", password=ways.PASSWORD, password2=ways.PASSWORD)

    assert listed == [
        {
            "email": "ada@mail.example",
            "customer": "C-1",
            "status": "active",
            "language": "es",
            "has_password": False,
        }
    ]
    assert "has a password" in run("list", "--utility", "north")
    sent = visitor.sign_in("ada@mail.example")
    assert sent.headers["Location"].endswith(
        "/second-factor"
    )  # her address is a minute old: an app is set up
    assert "/set-up" in visitor.follow(sent).text
    assert acts(town)[:3] == [
        ("login.opened", operator()), ("login.link", operator()), ("login.password", acts(town)[2][1]),
    ]  # fmt: skip


def test_a_link_goes_by_mail_in_her_language(town):
    run("add", *ADA, "--customer", "C-1", "--language", "es", "--mail")
    box = letterbox.Box(town)

    [letter] = box.empty()
    run("link", *ADA, "--mail")
    [second] = box.empty()

    assert (letter.to, letter.language) == ("ada@mail.example", "es")
    assert "durante 7 días" in letter.text
    links = [re.findall(r"https://\S+link=\S+", each.text)[0] for each in (letter, second)]
    visitor = Visitor(make.app(town))
    assert [visitor.get(each.removeprefix(make.INSTALLATION)).status_code for each in links] == [404, 200]


def test_a_closed_login_is_nothing_until_it_is_opened_again(town):
    link = run("add", *ADA, "--customer", "C-1").strip().removeprefix(make.INSTALLATION)

    run("close", *ADA)
    visitor = Visitor(make.app(town))
    gone = visitor.get(link).status_code
    run("open", *ADA)

    assert gone == 404
    assert visitor.get(link).status_code == 404  # its links are over for good
    assert [act for act, _ in acts(town)] == ["login.opened", "login.link", "login.closed", "login.reopened"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--customer", "C-99", "--email", "a@b.example"], 3, "no customer 'C-99'"),
        (["--customer", "C-1", "--email", "no address"], 2, "no e-mail address"),
        (["--customer", "C-1", "--email", "ADA@mail.example"], 1, "here already"),
    ],
)
def test_what_cannot_be_is_said(town, words, code, said):
    run("add", *ADA, "--customer", "C-1")

    assert said in run("add", "--utility", "north", *words, code=code)
    assert "no login" in run("link", "--utility", "south", "--email", "ada@mail.example", code=3)


def test_a_provider_is_set_shown_and_removed_and_its_secret_stays_closed(town):
    before = run("provider", "--utility", "north")
    words = ["--issuer", "https://login.north.example", "--client-id", "gb", "--claim", "customer_number"]

    shown = run("provider", "--utility", "north", *words, "--secret", typed="a very secret secret\n")

    assert "Customers sign in here" in before
    assert "https://data.example.org/north/account/sign-in/back" in shown
    assert "very secret" not in shown + letterbox.in_clear(town, "login_provider", "audit_event")
    with town.reading() as session:
        found: Any = provider.of(session, utilities.find(session, "north").id)
    assert (found.secret, found.claim, found.only) == ("a very secret secret", "customer_number", False)
    assert "is no address" in run(
        "provider", "--utility", "north", "--issuer", "nix", "--client-id", "a", code=2
    )
    assert "Customers sign in here" in run("provider", "--utility", "north", "--remove")
    assert [act for act, _ in acts(town)] == ["login.provider"] * 2
