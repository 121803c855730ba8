"""Signing in by the pages: what lets somebody in, what does not, and what cannot be told from the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher

from espi_server.access import throttle
from espi_server.access.throttle import Tried
from espi_server.accounts import hashing, passwords, signin
from espi_server.accounts.models import Login
from tests import make, ways
from tests.ways import PASSWORD, Visitor
from tests.web.signing import ASKED, FRESH, MAIL, NEXT, acts, ada, app, inside, town

__all__ = ["ada", "app", "town"]

pytestmark = pytest.mark.requirement("CEC5", "F-ID")


def test_a_password_lets_in_and_leads_where_she_was_going(town, app, ada):
    visitor = Visitor(app)

    sent = visitor.sign_in(" C-1@Mail.example ", asked=ASKED)

    assert sent.headers["Location"] == NEXT
    assert "Where you are signed in" in visitor.follow(sent).text
    assert "Firefox, Linux" in visitor.follow(sent).text
    [cookie] = [each for each in sent.headers.getlist("Set-Cookie") if each.startswith("__Host-sid-north=")]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Max-Age" not in cookie
    [row] = inside(town, ada)
    assert row.amr == ["pwd"]
    assert acts(town)[-1] == (
        "session.begun",
        {"customer": str(make.customer_id(town, "C-1")), "amr": ["pwd"]},
    )


def test_whoever_cannot_show_the_password_is_told_the_same_whether_the_name_is_here(
    town, app, ada, monkeypatch
):
    made: list[str] = []
    matches = hashing.matches
    monkeypatch.setattr(hashing, "matches", lambda kept, secret: made.append(kept) or matches(kept, secret))
    ways.person(town, "C-2", password=None)
    closed = ways.person(town, "C-2", email="gone@mail.example")
    make.change(town, Login, Login.id == closed, status="closed")

    answers = {}
    for name in (MAIL, "c-2@mail.example", "gone@mail.example", "nobody@mail.example", "x" * 5000):
        visitor = Visitor(app, address=f"192.0.2.{len(answers)}")
        sent = visitor.sign_in(name, "not the right password", check=400)
        plain = re.sub(r'value="[^"]*"|data-options="[^"]*"', "", sent.text)
        answers[name] = (plain, sorted(sent.headers.keys()))

    assert len({each for each, _ in answers.values()}) == 1
    assert len({tuple(headers) for _, headers in answers.values()}) == 1
    assert len(made) == 5  # a slow hash each time
    assert made[1:4] == [passwords.NOBODYS] * 3
    assert inside(town, ada) == []


def test_wrong_passwords_make_wait_longer_and_longer_at_that_place_and_nowhere_else(town, app, ada, freeze):
    freeze(make.NOW)
    visitor = Visitor(app)
    for _ in range(5):
        visitor.sign_in(MAIL, "wrong", check=400)

    sent = visitor.sign_in(MAIL, PASSWORD, check=429)

    assert sent.headers["Retry-After"] == "1"
    assert "Too many tries" in sent.text
    assert Visitor(app, address="198.51.100.9").sign_in(MAIL, PASSWORD, check=303)
    for name in ("nobody@mail.example", "x" * 5000):
        for _ in range(5):
            visitor.sign_in(name, "wrong", check=400)
        visitor.sign_in(name, "wrong", check=429)  # a name nobody has waits like any other
    freeze(make.NOW + 1)
    assert visitor.sign_in(MAIL, PASSWORD)


def test_a_crowd_of_strangers_cannot_guess_for_ever_and_keeps_nobody_out(town, app, ada, freeze):
    freeze(make.NOW)
    at_home, traveller = Visitor(app, address="192.0.2.1"), Visitor(app, address="192.0.2.2")
    for visitor in (at_home, traveller):
        visitor.sign_in(MAIL)
    with town.writing() as session:
        for at in range(100):
            throttle.failed(session, Tried("sign-in", f"north {MAIL}", f"203.0.113.{at}", guessed=True))

    stranger = Visitor(app, address="198.51.100.1")
    held = stranger.sign_in(MAIL, PASSWORD, check=429)
    nobody = stranger.sign_in("nobody@mail.example", "wrong", check=400)
    abroad = Visitor(app, address="198.51.100.2")
    abroad.keep("been", str(traveller.cookie("been")))
    for _ in range(5):
        abroad.sign_in(MAIL, "wrong", check=400)
    own = abroad.sign_in(MAIL, PASSWORD, check=429)
    freeze(make.NOW + 1)
    again = [abroad.sign_in(MAIL), Visitor(app, address="192.0.2.1").sign_in(MAIL)]
    other = Visitor(app, address="198.51.100.3")
    other.keep("been", str(traveller.cookie("been")))
    with town.writing() as session:
        secret = signin.link(session, session.get_one(Login, ada), signin.RESET)
        for at in range(12):
            throttle.failed(session, Tried("sign-in", f"north {MAIL}", f"203.0.113.{at}", guessed=True))
    assert int(stranger.sign_in(MAIL, PASSWORD, check=429).headers["Retry-After"]) == 3600
    page = stranger.get(f"password/new?link={secret}")
    stranger.send(page, "/password/new", password=FRESH, password2=FRESH)

    assert held.headers["Retry-After"] == "1"
    assert "Use a browser you used before" in held.text
    assert "not right" in nobody.text
    assert "Too many tries" in own.text  # who is known is counted by herself
    assert [each.status_code for each in again] == [303, 303]
    assert stranger.sign_in(MAIL, FRESH)
    assert other.sign_in("c-2@mail.example", "wrong", check=400)  # it is a cookie of one name


def test_where_the_counts_cannot_be_read_nobody_gets_in(town, app, ada):
    visitor = Visitor(app)
    page = visitor.get("sign-in")
    with town.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE attempts")

    visitor.send(page, "/sign-in", check=503, email=MAIL, password=PASSWORD)

    assert inside(town, ada) == []


def test_a_cookie_that_was_planted_is_worth_nothing(town, app, ada):
    thief, victim = Visitor(app), Visitor(app)
    for visitor in (thief, victim):
        visitor.keep("sid", "planted-by-a-thief")

    victim.sign_in(MAIL, asked=ASKED)

    assert victim.cookie("sid") not in (None, "planted-by-a-thief")
    assert victim.is_in
    assert not thief.is_in


def test_signing_in_again_ends_the_session_before(town, app, ada):
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    before = visitor.cookie("sid")

    page = visitor.get("sign-in?again=1&next=/north/account/security", check=200)
    visitor.send(page, "/sign-in", email=MAIL, password=PASSWORD)

    assert "once more" in page.text
    assert visitor.cookie("sid") != before
    assert len(inside(town, ada)) == 1
    old = Visitor(app)
    old.keep("sid", str(before))
    assert not old.is_in


def test_a_session_of_one_utility_is_nothing_at_another(town, app, ada):
    ways.person(town, code="south", email=MAIL, password=FRESH)
    visitor, elsewhere = Visitor(app), Visitor(app, code="south")
    visitor.sign_in(MAIL)

    elsewhere.keep("sid", str(visitor.cookie("sid")))
    wrong = elsewhere.sign_in(MAIL, PASSWORD, check=400)  # the same address, another password there

    assert not elsewhere.is_in
    assert "not right" in wrong.text


@pytest.mark.parametrize(
    "next",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "/south/account/security", "/", "javascript:x",
        "/north/account/../../evil", "/north/account/\r\nX: y", "/north/accounts",
    ],
)  # fmt: skip
def test_nobody_is_led_elsewhere(town, app, ada, next):
    visitor = Visitor(app)
    page = visitor.get("sign-in", query_string={"next": next})

    sent = visitor.send(page, "/sign-in", email=MAIL, password=PASSWORD)

    assert sent.headers["Location"] == "/north/account/"
    assert "evil" not in str(sent.headers)


def test_a_form_that_is_not_ours_is_not_taken(town, app, ada):
    visitor = Visitor(app)
    page = visitor.get("sign-in")

    typed = {"email": MAIL, "password": PASSWORD}
    naked = visitor.bare("sign-in", typed)
    cross = visitor.bare("sign-in", dict(_fields(page)) | typed, Sec_Fetch_Site="cross-site")
    other = Visitor(app).post("sign-in", page, email=MAIL, password=PASSWORD)  # another browser's token
    out = visitor.bare("sign-out", {})

    assert [each.status_code for each in (naked, cross, other, out)] == [403] * 4
    assert inside(town, ada) == []


def _fields(page: Any) -> Iterator[tuple[str, str]]:
    yield from re.findall(r'name="(csrf_token)" value="([^"]+)"', page.text)[:1]


def test_signing_out_ends_it_here_and_signing_out_everywhere_the_others(town, app, ada):
    first, second, third = (Visitor(app) for _ in range(3))
    for visitor in (first, second, third):
        visitor.sign_in(MAIL)
    kept = str(first.cookie("sid"))

    out = first.send(first.get("security"), "/sign-out")
    second.send(second.get("security"), "/sign-out-everywhere")

    assert "signed out" in first.follow(out).text
    assert (first.is_in, second.is_in, third.is_in) == (False, True, False)
    first.keep("sid", kept)
    assert not first.is_in
    assert [act for act, _ in acts(town)][-2:] == ["session.ended", "session.ended"]


def test_one_browser_is_signed_out_from_another_and_nobody_else_s(town, app, ada):
    bob = ways.person(town, "C-2")
    first, second, other = (Visitor(app) for _ in range(3))
    for visitor, mail in ((first, MAIL), (second, MAIL), (other, "c-2@mail.example")):
        visitor.sign_in(mail)
    page, theirs = first.get("security"), other.get("security")
    [name] = set(re.findall(r"sign-out/(\w{24})", page.text))
    assert page.text.count("This one") == 1
    assert re.findall(r"sign-out/(\w{24})", theirs.text) == []

    other.post(f"security/sign-out/{name}", theirs)
    still = second.is_in
    first.post(f"security/sign-out/{name}", page)
    first.post(f"security/sign-out/{name}", page)

    assert still
    assert (first.is_in, second.is_in, other.is_in) == (True, False, True)
    assert (len(inside(town, ada)), len(inside(town, bob))) == (1, 1)
    assert [each for each in acts(town) if each[0] == "session.ended"] == [
        ("session.ended", {"reason": "by-herself"})
    ]


def test_sessions_end_by_themselves_and_a_closed_login_at_once(town, app, ada, freeze):
    freeze(make.NOW)
    idle, busy = Visitor(app), Visitor(app)
    for visitor in (idle, busy):
        visitor.sign_in(MAIL)

    for later in range(800, 43_200, 800):
        freeze(make.NOW + later)
        assert busy.is_in
    assert not idle.is_in
    freeze(make.NOW + 43_200)
    assert not busy.is_in
    busy.sign_in(MAIL)
    make.change(town, Login, Login.id == ada, status="closed")
    assert not busy.is_in


def test_a_password_kept_at_older_costs_is_kept_anew(town, app, ada):
    make.change(town, Login, Login.id == ada, password_digest=PasswordHasher(1, 512, 1).hash(PASSWORD))

    Visitor(app).sign_in(MAIL)

    assert not hashing.is_stale(str(ways.login_of(town, ada).password_digest))
