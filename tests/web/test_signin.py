"""Signing in by the pages: what lets somebody in, what does not, and what cannot be told from the answers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyotp
import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select

from espi_server import clock
from espi_server.access import securing, verifying
from espi_server.access.models import AuditEvent
from espi_server.accounts import factors, hashing, passwords, signin, utilities
from espi_server.accounts.models import Login, LoginSession
from espi_server.accounts.signin import KnownDevice, LoginLink
from espi_server.db import Database
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import letterbox, make, ways
from tests.copies import Copies
from tests.together import at_once
from tests.towns import build
from tests.ways import PASSWORD, Visitor

pytestmark = pytest.mark.requirement("CEC5", "F-ID")
MAIL = "c-1@mail.example"
NEXT = "/north/account/security"
ASKED = f"?next={NEXT}"
FRESH = "nine purple tractors 4"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost little: what they cost is looked at in tests/accounts."""
    monkeypatch.setattr(hashing, "_HASHER", PasswordHasher(1, 1024, 1))


@pytest.fixture
def town(copies: Copies, tmp_path: Path) -> Iterator[Database]:
    """Two towns on SQLite, for what no database decides; north asks for no second factor."""
    with copies.of("sqlite", "towns", build, tmp_path) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        ways.rule(database, second_factor=False)
        yield database
        database.close()


@pytest.fixture
def app(town: Database) -> Flask:
    return make.app(town)


@pytest.fixture
def ada(town: Database) -> Any:
    """The login of C-1, with a password that stands alone."""
    return ways.person(town)


def acts(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """The acts at north, after a look whether they are as they were written."""
    with database.reading() as session:
        utility = utilities.find(session, "north")
        assert verifying.verify(session, utility, [DEVELOPMENT_SECRET]).findings == []
        mine = select(AuditEvent).where(AuditEvent.utility_id == utility.id).order_by(AuditEvent.number)
        return [(each.act, each.detail) for each in session.scalars(mine)]


def letters(database: Database) -> list[str]:
    """What people are about to be told, oldest first."""
    with database.reading() as session:
        rows = session.scalars(select(Outbox).order_by(Outbox.created_at, Outbox.id))
        return [" ".join(filter(None, (each.kind, each.payload.get("what")))) for each in rows]


def inside(database: Database, login: Any) -> list[LoginSession]:
    """The open sessions of a login."""
    with database.reading() as session:
        return list(signin.open_sessions(session, login, idle=900))


# --- the first step -------------------------------------------------------------------------------------


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


# --- the second step ------------------------------------------------------------------------------------


def test_who_has_an_app_shows_its_code_once(town, app, ada, freeze):
    freeze(make.NOW)
    totp = ways.app_of(town, ada)
    visitor, thief = Visitor(app), Visitor(app)
    for each in (visitor, thief):
        assert each.sign_in(MAIL, asked=ASKED).headers["Location"] == "/north/account/second-factor"
        assert not each.is_in
    code = ways.code_of(totp)

    sent = visitor.send(visitor.get("second-factor"), "/second-factor", code=f" {code[:3]} {code[3:]} ")
    again = thief.send(thief.get("second-factor"), "/second-factor", check=400, code=code)

    assert sent.headers["Location"] == NEXT
    assert "used before" in again.text
    assert [each.amr for each in inside(town, ada)] == [["pwd", "otp", "mfa"]]
    freeze(make.NOW + 30)
    assert thief.send(again, "/second-factor", check=400, code=code)  # an older step is over, too
    assert thief.send(again, "/second-factor", code=ways.code_of(totp))


def test_five_wrong_codes_send_back_to_the_password(town, app, ada, freeze):
    freeze(make.NOW)
    ways.app_of(town, ada)
    visitor = Visitor(app)
    visitor.sign_in(MAIL, asked=ASKED)
    page = visitor.get("second-factor")
    for _ in range(4):
        page = visitor.send(page, "/second-factor", check=400, code="000000")

    over = visitor.send(page, "/second-factor", code="000000")

    assert "said=over&next=/north/account/security" in unquote(over.headers["Location"])
    assert "said=over" in visitor.get("second-factor", check=303).headers["Location"]
    visitor.sign_in(MAIL)
    page = visitor.get("second-factor")
    assert visitor.send(page, "/second-factor", check=429, code="000000").headers["Retry-After"]


def test_what_is_no_code_costs_no_try(town, app, ada):
    totp = ways.app_of(town, ada)
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    page = visitor.get("second-factor")
    for nonsense in ("", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12 34 5x", "\x00" * 6) * 2:
        page = visitor.send(page, "/second-factor", check=400, code=nonsense)

    assert visitor.send(page, "/second-factor", code=ways.code_of(totp))


def test_a_spare_code_lets_in_once_and_she_is_told(town, app, ada):
    ways.app_of(town, ada)
    made = factors.invent()
    with town.writing() as session:
        factors.keep(session, ada, factors.hashes(made[:2]))

    def enter(code: str, check: int = 303) -> Any:
        visitor = Visitor(app)
        visitor.sign_in(MAIL)
        return visitor.send(visitor.get("second-factor"), "/second-factor", check=check, code=code)

    enter(made[1].lower().replace("-", " "))
    enter(made[1], 400)
    enter(made[0][:-1] + "AB"[made[0].endswith("A")], 400)
    enter(made[3], 400)

    assert letters(town) == ["login.factor recovery used"]
    assert ("login.factor", {"kind": "recovery", "change": "used"}) in acts(town)
    with town.reading() as session:
        assert factors.kinds(session, ada).recovery == 1


def test_a_utility_that_asks_everybody_sends_a_code_to_who_has_no_app(town, app, ada):
    letterbox.reachable(town, "C-1", phone="+1 530 555 0142")
    ways.rule(town, second_factor=True)
    box, visitor = letterbox.Box(town), Visitor(app)
    visitor.sign_in(MAIL, asked=ASKED)
    page = visitor.get("second-factor")
    assert [each in page.text for each in ("c***@mail.example", "***42", "c-1@mail.example")] == [
        True,
        True,
        False,
    ]

    page = visitor.follow(visitor.send(page, "/second-factor/send", way="text"))
    soon = visitor.send(page, "/second-factor/send", check=429, way="text")
    [(way, letter)] = box.ways()
    code = letter.short[:6]
    wrong = visitor.send(page, "/second-factor", check=400, code=f"{(int(code) + 1) % 10**6:06d}")
    sent = visitor.send(page, "/second-factor", code=code)

    assert (way, letter.to) == ("text", "+1 530 555 0142")
    assert "Wait a minute" in soon.text
    assert "4 tries left" in wrong.text
    assert sent.headers["Location"] == NEXT
    assert [each.amr for each in inside(town, ada)] == [["pwd", "otp", "sms"]]


def test_a_code_by_mail_is_told_for_what_it_is_and_good_for_this_sign_in_alone(town, app, ada):
    ways.rule(town, second_factor=True)
    box, visitor, other = letterbox.Box(town), Visitor(app), Visitor(app)
    for each in (visitor, other):
        each.sign_in(MAIL)
    page = visitor.follow(visitor.send(visitor.get("second-factor"), "/second-factor/send", way="mail"))
    code = box.code()
    there = other.follow(other.send(other.get("second-factor"), "/second-factor/send", way="mail"))

    refused = other.send(there, "/second-factor", check=400, code=code)
    visitor.send(page, "/second-factor", code=code)

    assert "not right" in refused.text
    assert [each.amr for each in inside(town, ada)] == [["pwd", "otp"]]
    assert "sent" not in other.post("second-factor/send", there, way="pigeon").headers.get("Location", "")


def test_who_cannot_be_reached_and_has_no_app_sets_one_up_on_the_way_in(town, app):
    bob = ways.person(town, "C-2", email="bob@mail.example")
    make.change(town, Login, Login.id == bob, email_since=None)
    ways.rule(town, second_factor=True)
    visitor = Visitor(app)
    visitor.sign_in("bob@mail.example", asked=ASKED)

    page = visitor.get("second-factor")
    key = "".join(re.findall(r'class="key">([A-Z2-7 ]+)<', page.text)[0].split())
    wrong = visitor.send(page, "/set-up", check=400, code="000000")
    sent = visitor.send(wrong, "/set-up", code=pyotp.TOTP(key).at(clock.seconds()))

    assert "<svg" in page.text
    assert key == "".join(re.findall(r'class="key">([A-Z2-7 ]+)<', wrong.text)[0].split())
    assert sent.headers["Location"] == NEXT
    assert letters(town) == ["login.factor app added"]
    assert [each.amr for each in inside(town, bob)] == [["pwd", "otp", "mfa"]]
    again = Visitor(app)
    again.sign_in("bob@mail.example")
    later = again.get("second-factor")
    assert "/set-up" not in later.text  # never a second time
    assert again.post("second-factor/set-up", later, code="000000").status_code == 303


def test_a_short_password_is_never_all_there_is(town, app):
    bob = ways.person(town, "C-2", password="violin88")
    ways.app_of(town, bob)
    visitor = Visitor(app)

    assert visitor.sign_in("c-2@mail.example", "violin88").headers["Location"].endswith("/second-factor")
    with town.writing() as session:
        factors.drop_app(session, bob)
    assert visitor.sign_in("c-2@mail.example", "violin88").headers["Location"].endswith("/second-factor")


def test_a_known_browser_skips_the_factor_for_a_month_but_never_says_it_was_shown(town, app, ada, freeze):
    freeze(make.NOW)
    totp = ways.app_of(town, ada)
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    sent = visitor.send(
        visitor.get("second-factor"), "/second-factor", code=ways.code_of(totp), remember="yes"
    )
    assert visitor.cookie("device")
    visitor.send(visitor.get("security"), "/sign-out")

    assert visitor.sign_in(MAIL).headers["Location"] == "/north/account/"

    assert [each.amr for each in inside(town, ada)] == [["pwd"]]
    careful = visitor.get("sign-in?second=1&next=/north/account/security", check=303)
    assert careful.headers["Location"].endswith("/second-factor")  # the factor itself, and it alone
    freeze(make.NOW + 60)
    visitor.send(visitor.get("second-factor"), "/second-factor", code=ways.code_of(totp))
    assert [each.amr for each in inside(town, ada)] == [["pwd", "otp", "mfa"]]
    assert sent.status_code == 303
    stranger = Visitor(app)
    stranger.keep("device", "guessed")
    assert stranger.sign_in(MAIL).headers["Location"].endswith("/second-factor")
    freeze(make.NOW + 30 * 86_400 + 1)
    assert visitor.sign_in(MAIL).headers["Location"].endswith("/second-factor")


def test_another_s_known_browser_is_not_mine(town, app, ada):
    bob = ways.person(town, "C-2")
    ways.app_of(town, ada)
    ways.app_of(town, bob)
    with town.writing() as session:
        secret = signin.remember(session, session.get_one(Login, bob))
    visitor = Visitor(app)
    visitor.keep("device", secret)

    assert visitor.sign_in(MAIL).headers["Location"].endswith("/second-factor")


def test_a_step_at_one_utility_is_nothing_at_another(town, app, ada):
    ways.app_of(town, ada)
    visitor, elsewhere = Visitor(app), Visitor(app, code="south")
    visitor.sign_in(MAIL)

    elsewhere.keep("step", str(visitor.cookie("step")))

    assert "said=over" in elsewhere.get("second-factor", check=303).headers["Location"]


# --- a forgotten password -------------------------------------------------------------------------------


def forgot(database: Database, app: Flask, email: str = MAIL) -> list[Any]:
    """She asks for a link; the letters that leave."""
    visitor = Visitor(app)
    visitor.send(visitor.get("password/forgotten"), "/forgotten", email=email)
    return letterbox.Box(database).empty()


def link_in(letter: Any) -> str:
    [found] = re.findall(r"https://data.example.org(/north/account/password/new\?link=\S+)", letter.text)
    return str(found)


def choose(app: Flask, link: str, password: str = FRESH, check: int = 303) -> Any:
    visitor = Visitor(app)
    page = visitor.get(link, check=200)
    return visitor.send(page, "/password/new", check=check, password=password, password2=password)


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


def test_five_links_a_day_are_enough_and_a_closed_login_gets_none(town, app, ada):
    assert [len(forgot(town, make.app(town))) for _ in range(4)] == [1] * 4
    with town.writing() as session:
        signin.link(session, session.get_one(Login, ada), signin.RESET)
    assert securing.send_link(town, ways.login_of(town, ada).utility_id, MAIL) is None
    assert letterbox.Box(town).empty() == []
    make.change(town, LoginLink, LoginLink.login_id == ada, created_at=0)
    make.change(town, Login, Login.id == ada, status="closed")

    securing.send_link(town, ways.login_of(town, ada).utility_id, MAIL)

    assert letterbox.Box(town).empty() == []


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


# --- changing it ----------------------------------------------------------------------------------------


def test_changing_anything_asks_who_she_is_once_more(town, app, ada, freeze):
    freeze(make.NOW)
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    freeze(make.NOW + 601)

    for path in ("password", "app", "passkey", "codes"):
        sent = visitor.get(f"security/{path}", check=303)
        assert sent.headers["Location"].endswith(f"security%2F{path}&again=1")
    assert visitor.is_in


def test_a_changed_password_signs_the_others_out_and_she_is_told(town, app, ada):
    visitor, other = Visitor(app), Visitor(app)
    for each in (visitor, other):
        each.sign_in(MAIL)
    page = visitor.get("security/password", check=200)

    differ = visitor.send(page, "/password", check=400, password=FRESH, password2=PASSWORD)
    visitor.send(page, "/password", password=FRESH, password2=FRESH)

    assert "not the same" in differ.text
    assert (visitor.is_in, other.is_in) == (True, False)
    assert letters(town) == ["login.password changed"]
    assert ("login.password", {"reason": "changed"}) in acts(town)
    assert Visitor(app).sign_in(MAIL, FRESH)


def test_an_app_is_set_up_and_taken_off_and_she_is_told_each_time(town, app, ada, freeze):
    freeze(make.NOW)
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    page = visitor.get("security/app", check=200)
    key = "".join(re.findall(r'class="key">([A-Z2-7 ]+)<', page.text)[0].split())
    wrong = visitor.send(page, "/security/app", check=400, code="000000")
    visitor.send(wrong, "/security/app", code=pyotp.TOTP(key).at(make.NOW))

    # From now on nothing is changed without it.
    asked = visitor.get("security/remove/app", check=303)
    assert asked.headers["Location"].endswith("&second=1")
    visitor.follow(asked, check=303)
    freeze(make.NOW + 60)
    sent = visitor.send(
        visitor.get("second-factor"), "/second-factor", code=pyotp.TOTP(key).at(make.NOW + 60)
    )
    visitor.send(visitor.follow(sent), "/remove/app")

    assert letters(town) == ["login.factor app added", "login.factor app removed"]
    with town.reading() as session:
        assert not factors.kinds(session, ada).any
    assert visitor.get("security/remove/app").status_code == 404
    assert key not in letterbox.in_clear(town, "authenticator", "outbox", "audit_event")


def test_spare_codes_are_shown_once_and_kept_as_slow_hashes(town, app, ada):
    totp = ways.app_of(town, ada)
    visitor = Visitor(app)
    visitor.sign_in(MAIL)
    visitor.send(visitor.get("second-factor"), "/second-factor", code=ways.code_of(totp))

    page = visitor.send(visitor.get("security/codes"), "/security/codes", check=200)

    codes = re.findall(r"<code>(\w{4}-\w{4}-\w{4})</code>", page.text)
    assert [each[0] for each in codes] == list("0123456789")
    assert page.headers["Cache-Control"] == "no-store"
    assert codes[0] not in visitor.get("security/codes").text
    assert "10 codes are left" in visitor.get("security").text
    assert codes[0].replace("-", "") not in letterbox.in_clear(town, "recovery_code", "outbox", "audit_event")
    assert letters(town) == ["login.factor recovery added"]


def test_the_last_factor_stays_beside_a_password_that_cannot_stand_alone(town, app):
    bob = ways.person(town, "C-2", password="violin88")
    totp = ways.app_of(town, bob)
    visitor = Visitor(app)
    visitor.sign_in("c-2@mail.example", "violin88")
    visitor.send(visitor.get("second-factor"), "/second-factor", code=ways.code_of(totp))

    kept = visitor.send(visitor.get("security/remove/app"), "/remove/app", check=400)

    assert "too short" in kept.text
    with town.reading() as session:
        assert factors.kinds(session, bob).app


@pytest.mark.parametrize(
    "told", ["[" * 100_000, "\xff", "1", "{}", '{"challenge": "é"}', '{"challenge": {}}']
)
def test_nonsense_is_no_passkey(app, told):
    visitor = Visitor(app)
    client = base64.urlsafe_b64encode(told.encode("latin-1")).decode()
    answer = json.dumps({"rawId": "AA", "response": {"clientDataJSON": client, "transports": [[]]}})

    sent = visitor.post("sign-in/passkey", visitor.get("sign-in"), answer=answer)

    assert sent.status_code == 400
    assert "The passkey was not taken." in sent.text


def test_another_s_passkey_or_nonsense_is_not_taken_off(town, app, ada):
    visitor = Visitor(app)
    visitor.sign_in(MAIL)

    for what in ("app", "00000000-0000-0000-0000-000000000000", "x", "%00"):
        assert visitor.get(f"security/remove/{what}").status_code == 404


# --- races, on both databases ---------------------------------------------------------------------------


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
