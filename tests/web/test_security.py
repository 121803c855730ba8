"""Changing how she signs in: she is asked once more, and told of it."""

from __future__ import annotations

import base64
import json
import re

import pyotp
import pytest

from espi_server.accounts import factors
from tests import letterbox, make, ways
from tests.ways import PASSWORD, Visitor
from tests.web.signing import FRESH, MAIL, acts, ada, app, letters, town

__all__ = ["ada", "app", "town"]

pytestmark = pytest.mark.requirement("CEC5", "F-ID")


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
