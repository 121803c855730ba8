"""The second step: codes of apps, of messages and of paper, known browsers, and what is set up on the way."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pyotp
import pytest

from espi_server import clock
from espi_server.accounts import factors, sessions, signin
from espi_server.accounts.models import Login
from tests import letterbox, make, ways
from tests.ways import Visitor
from tests.web.signing import ASKED, MAIL, NEXT, acts, ada, app, inside, letters, town

__all__ = ["ada", "app", "town"]

pytestmark = pytest.mark.requirement("CEC5", "F-ID")


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


def test_a_code_by_mail_is_no_factor_for_the_statewide_tool_unless_the_utility_says_so(
    town, app, ada, freeze
):
    freeze(make.NOW)
    wanted = f"{ASKED}&second=strong"
    box, visitor = letterbox.Box(town), Visitor(app)
    first = visitor.follow(visitor.sign_in(MAIL, asked=wanted))
    visitor.send(first, "/send", way="mail")
    code = box.code()

    weak = visitor.send(visitor.get("second-factor"), "/second-factor", code=code)
    stepped = visitor.follow(visitor.get(f"sign-in{wanted}", check=303))
    late = Visitor(app)
    late.keep("sid", str(visitor.cookie("sid")))
    freeze(make.NOW + 700)
    old = late.get(f"sign-in{wanted}", check=303)
    freeze(make.NOW + 30)
    totp = pyotp.TOTP("".join(re.findall(r'class="key">([A-Z2-7 ]+)<', stepped.text)[0].split()))
    through = visitor.send(stepped, "/set-up", code=ways.code_of(totp))

    assert [each.amr for each in inside(town, ada)] == [["pwd", "otp", "otp", "mfa"]]
    assert weak.headers["Location"] == through.headers["Location"] == NEXT
    assert "a code by email is not enough" in stepped.text
    assert "again=1" in old.headers["Location"]  # a factor is never added in somebody's old session
    assert visitor.get(f"sign-in{wanted}").headers["Location"] == NEXT


@pytest.mark.parametrize(
    ("amr", "two", "strong"),
    [
        (["pwd"], False, False), (["pwd", "otp"], True, False), (["pwd", "otp", "sms"], True, True),
        (["pwd", "otp", "mfa"], True, True), (["hwk", "user", "mfa"], True, True), (["pwd", "fed"], False, False),
        (["pwd", "otp", "fed"], True, True), (["pwd", "fed", "otp"], True, False), (["mfa", "fed"], True, True),
        (["pwd", "fed", "otp", "sms"], True, True), (["sms", "fed", "otp"], True, False), ([], False, False),
    ],
)  # fmt: skip
def test_which_factors_are_two_and_which_are_more_than_a_code_by_mail(amr, two, strong):
    assert (sessions.are_two(amr), sessions.are_strong(amr)) == (two, strong)
