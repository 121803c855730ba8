"""Of many at once one gets in, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from flask import Flask

from espi_server.access import email_changing, securing
from espi_server.accounts import email_changes, factors, signin, utilities
from espi_server.accounts.models import Login
from espi_server.db import Database
from tests import make, ways
from tests.together import at_once
from tests.ways import Visitor
from tests.web.signing import FRESH, MAIL, acts, ada, app, inside, town

__all__ = ["ada", "app", "town"]

pytestmark = pytest.mark.requirement("CEC5", "F-ID")


@pytest.fixture
def racing(towns: Database) -> tuple[Database, Flask, Any]:
    ways.rule(towns, second_factor=False)
    return towns, make.app(towns), ways.person(towns)


def test_of_many_posts_with_one_code_of_an_app_one_gets_in(racing, freeze: Callable[[int], None]):
    database, app, ada = racing
    freeze(make.NOW)
    code = ways.code_of(ways.app_of(database, ada))
    visitors = [Visitor(app) for _ in range(4)]
    pages = []
    for each in visitors:
        each.sign_in(MAIL)
        pages.append(each.get("second-factor"))

    found = at_once(
        4, lambda n: visitors[n].send(pages[n], "/second-factor", check=None, code=code).status_code
    )

    assert sorted(found) == [303, 400, 400, 400]
    assert len(inside(database, ada)) == 1


def test_of_many_posts_of_one_step_one_gets_in(racing, freeze: Callable[[int], None]):
    database, app, ada = racing
    freeze(make.NOW)
    totp = ways.app_of(database, ada)
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    page = visitor.get("second-factor")
    codes = [totp.at(make.NOW + 30 * each) for each in (-1, 0, 1)]

    at_once(3, lambda n: visitor.send(page, "/second-factor", check=None, code=codes[n]))

    assert len(inside(database, ada)) == 1


def test_of_many_posts_with_one_spare_code_one_gets_in(racing):
    database, app, ada = racing
    ways.app_of(database, ada)
    made = factors.invent()
    with database.writing() as session:
        factors.keep(session, ada, factors.hashes(made[:1]))
    visitors = [Visitor(app) for _ in range(3)]
    pages = []
    for each in visitors:
        each.sign_in(MAIL)
        pages.append(each.get("second-factor"))

    found = at_once(
        3, lambda n: visitors[n].send(pages[n], "/second-factor", check=None, code=made[0]).status_code
    )

    assert sorted(found) == [303, 400, 400]
    assert len(inside(database, ada)) == 1


def test_of_many_posts_with_one_link_one_chooses(racing):
    database, app, ada = racing
    with database.writing() as session:
        secret = signin.link(session, session.get_one(Login, ada), signin.RESET)
    visitors = [Visitor(app) for _ in range(3)]
    pages = [each.get(f"password/new?link={secret}", check=200) for each in visitors]
    fresh = [f"{FRESH} {each}" for each in range(3)]

    found = at_once(
        3,
        lambda n: (
            visitors[n]
            .send(pages[n], "/password/new", check=None, password=fresh[n], password2=fresh[n])
            .status_code
        ),
    )

    assert sorted(found) == [303, 404, 404]
    assert [act for act, _ in acts(database)].count("login.password") == 1


def test_of_many_presses_of_one_new_address_one_changes_it(racing):
    towns, _, ada = racing
    with towns.writing() as session:
        change = email_changes.begin(session, session.get_one(Login, ada), "new@mail.example")
        secret, _ = email_changes.link(session, change, email_changes.CONFIRM)

    def confirm(_: int) -> str:
        try:
            with towns.writing() as session:
                email_changing.confirm(session, utilities.find(session, "north"), secret)
        except securing.LinkOver:
            return "over"
        return "done"

    assert sorted(at_once(6, confirm)) == ["done", *["over"] * 5]
    assert ways.login_of(towns, ada).name == "new@mail.example"


def test_an_undoing_that_waits_for_a_confirmation_undoes_it(racing):
    towns, _, ada = racing
    with towns.writing() as session:
        change = email_changes.begin(session, session.get_one(Login, ada), "thief@mail.example")
        [(new, _), (old, _)] = [email_changes.link(session, change, each) for each in email_changing.KINDS]

    def undo() -> bool:
        with towns.writing() as session:
            return email_changing.undo(session, utilities.find(session, "north"), old)

    with ThreadPoolExecutor(1) as other:
        with towns.writing() as session:
            email_changing.confirm(session, utilities.find(session, "north"), new)
            undoing = other.submit(undo)
            wait([undoing], timeout=0.2)

        assert undoing.result()
    assert ways.login_of(towns, ada).email == MAIL
