"""Passwords by a link: once, for a while, and nobody learns who is here."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from espi_server.access import securing
from espi_server.accounts import signin
from espi_server.accounts.models import Login
from espi_server.accounts.signin import KnownDevice, LoginLink
from tests import letterbox, make, ways
from tests.ways import PASSWORD, Visitor
from tests.web.signing import FRESH, MAIL, acts, ada, app, choose, forgot, letters, link_in, town

__all__ = ["ada", "app", "town"]

pytestmark = pytest.mark.requirement("CEC5", "F-ID")


def test_a_link_by_mail_chooses_a_new_password_once_and_keeps_the_second_factor(town, app, ada):
    totp = ways.app_of(town, ada)
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    visitor.send(visitor.get("second-factor"), "/second-factor", code=ways.code_of(totp), remember="yes")

    [letter] = forgot(town, app)
    link = link_in(letter)
    chosen = choose(app, link)

    assert letter.to == MAIL
    assert "password is set" in visitor.follow(chosen).text
    assert not visitor.is_in
    assert visitor.sign_in(MAIL, PASSWORD, check=400)
    assert visitor.sign_in(MAIL, FRESH).headers["Location"].endswith("/second-factor")
    assert "is over" in visitor.get(link, check=404).text
    assert letters(town)[-1] == "login.password reset"
    assert {"login.link", "login.password"} <= {act for act, _ in acts(town)}
    with town.reading() as session:
        assert session.scalars(select(KnownDevice)).all() == []


def test_what_is_asked_of_whom_nobody_knows_is_answered_and_worked_at_alike(town, app, ada):
    answers = []
    for name in (MAIL, "nobody@mail.example"):
        visitor = Visitor(app)
        sent = visitor.send(visitor.get("password/forgotten"), "/forgotten", email=name)
        answers.append((sent.status_code, sent.data, visitor.follow(sent).text))

    with town.reading() as session:
        assert session.scalars(select(LoginLink)).all() == []  # nothing is done before the answer
    assert answers[0][:2] == answers[1][:2]
    plain = [re.sub(r'value="[^"]*"', "", each[2]) for each in answers]
    assert plain[0] == plain[1]
    assert [each.to for each in letterbox.Box(town).empty()] == [MAIL]


def test_a_link_ends_after_half_an_hour_or_by_a_newer_one_and_is_kept_as_a_digest(town, app, ada, freeze):
    freeze(make.NOW)
    [first] = forgot(town, app)
    [second] = forgot(town, app)
    freeze(make.NOW + 1799)
    visitor = Visitor(app)
    assert visitor.get(link_in(first)).status_code == 404
    page = visitor.get(link_in(second), check=200)

    freeze(make.NOW + 1800)
    late = visitor.send(page, "/password/new", check=404, password=FRESH, password2=FRESH)

    assert "is over" in late.text
    assert link_in(second).partition("link=")[2] not in letterbox.in_clear(
        town, "login_link", "outbox", "job"
    )
    assert "no-referrer" in page.headers["Referrer-Policy"]


def test_strangers_do_not_use_up_the_links_of_a_day(town, app, ada):
    her, box = Visitor(app), letterbox.Box(town)
    her.sign_in(MAIL)
    her.send(her.get("security"), "/sign-out")

    def asks(visitor: Visitor, times: int) -> list[int]:
        """How many letters come of each time somebody asks."""
        found = []
        for _ in range(times):
            visitor.send(visitor.get("password/forgotten"), "/forgotten", email=MAIL)
            found.append(len(box.empty()))
        return found

    assert [sum(asks(Visitor(app, address=f"198.51.100.{at}"), 5)) for at in range(5)] == [3, 3, 3, 1, 0]
    assert asks(her, 1) == [1]
    with town.reading() as session:
        hers = session.scalars(select(LoginLink).where(LoginLink.is_known)).one()
    make.change(town, LoginLink, LoginLink.is_known.is_(False), created_at=0)
    assert sum(asks(Visitor(app, address="203.0.113.9"), 1)) == 1
    with town.reading() as session:
        assert session.get_one(LoginLink, hers.digest).used_at is None  # a stranger's does not end hers
    assert asks(her, 4) == [1] * 4
    securing.send_link(town, ways.login_of(town, ada).utility_id, MAIL, is_known=True)
    assert box.empty() == []
    make.change(town, LoginLink, LoginLink.login_id == ada, created_at=0)
    make.change(town, Login, Login.id == ada, status="closed")
    securing.send_link(town, ways.login_of(town, ada).utility_id, MAIL, is_known=True)
    assert box.empty() == []


def test_a_link_of_one_utility_is_nothing_at_another(town, app, ada):
    [letter] = forgot(town, app)

    assert Visitor(app).get(link_in(letter).replace("/north/", "/south/")).status_code == 404


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "15 characters or more"), ("x" * 257, "256 characters"), ("passwordpassword", "Many people"),
        ("c-1@mail.example", "Many people"), ("Valley Electric 26", "Many people"), ("abababababababab", "Many people"),
    ],
)  # fmt: skip
def test_a_password_that_is_guessed_first_is_not_taken(town, app, ada, password, said):
    with town.writing() as session:
        secret = signin.link(session, session.get_one(Login, ada), signin.RESET)

    assert said in choose(app, f"password/new?link={secret}", password, 400).text
    assert choose(app, f"password/new?link={secret}")  # the link still is one
