"""Who may look at a question, who may answer it, and what comes of presses, links and ids that are not theirs."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import html
from sqlalchemy import func, select

from espi_server import clock
from espi_server.access.models import (
    Application,
    AuditEvent,
    Authorization,
    AuthorizationCode,
    ConsentRecord,
)
from espi_server.access.oauth import requests
from espi_server.accounts import portal as portals
from espi_server.accounts import utilities
from espi_server.energy.models import UsagePoint
from tests import make, oauth, portal
from tests.sharing import walking
from tests.sharing.walking import EVERYTHING, HOME, text

pytestmark = pytest.mark.requirement("F-M2", "CEC5", "NFR23")


@pytest.fixture(scope="module")
def sun(shared_towns):
    return walking.company(shared_towns, "Sun", policy="strict", jwks=walking.KEYS, scope=EVERYTHING)


@pytest.fixture
def ada(shared_towns, sun):
    return walking.customer(shared_towns, sun.app)


def asked(walker, sun, **more):
    return walker.arrives(sun, nonce="n-1", **more)


def codes(database, sun) -> int:
    with database.reading() as session:
        mine = AuthorizationCode.application_id == sun.id
        return session.scalar(select(func.count()).select_from(AuthorizationCode).where(mine)) or 0


def test_a_question_is_answered_only_in_the_browser_that_brought_it(shared_towns, sun, ada):
    other = walking.customer(shared_towns, sun.app)
    link = ada.asks(sun, nonce="n").headers["Location"]

    sent_on = other.get(walking.local(link), 403)
    own = ada.get(walking.local(link), 303)

    assert "another browser" in text(sent_on)
    assert own.headers["Location"].startswith(f"{HOME}/share/")


def test_a_draft_is_nothing_to_another_customer_or_to_somebody_who_is_not_signed_in(shared_towns, sun, ada):
    page = asked(ada, sun)
    path = walking.main_form(page).action
    bob = walking.customer(shared_towns, sun.app, "C-2")
    nobody = sun.app.test_client()
    before = codes(shared_towns, sun)

    assert bob.get(path, 404)
    assert bob.get(f"{path}/check", 404)
    assert nobody.get(path).headers["Location"].startswith(f"{HOME}/sign-in")
    token = portal.fields(walking.main_form(asked(bob, sun)))
    for where in (path, f"{path}/check"):
        answer = bob.client.post(where, data={**token, "act": "share", "places": walking.open_places(page)})
        assert answer.status_code == 404
    assert codes(shared_towns, sun) == before


def test_another_session_of_hers_takes_over_and_the_one_before_cannot_answer(shared_towns, sun, ada):
    second = ada.checks(asked(ada, sun))
    path = walking.main_form(second).action.removesuffix("/check")
    again = portal.browser(sun.app, shared_towns, ada.login, amr=walking.LONG)
    again.set_cookie("__Host-ask", ada.client.get_cookie("__Host-ask").value)

    taken = again.get(path)
    late = ada.agrees(second)

    assert taken.status_code == 200
    assert "checked" in taken.get_data(as_text=True)  # what she chose survives a new sign-in
    assert late.headers["Location"] == path


def test_a_post_without_a_page_is_refused(sun, ada):
    page = asked(ada, sun)
    path = walking.main_form(page).action

    bare = ada.client.post(path, data={"act": "continue"})
    foreign = ada.client.post(
        path, data=portal.fields(walking.main_form(page)), headers={"Sec-Fetch-Site": "cross-site"}
    )
    early = ada.client.post(f"{path}/check", data={**portal.fields(walking.main_form(page)), "act": "share"})

    assert (bare.status_code, foreign.status_code) == (403, 403)
    assert early.status_code == 303
    assert early.headers["Location"] == path


def test_places_that_are_not_hers_are_not_taken_from_the_form(shared_towns, sun, ada):
    before = codes(shared_towns, sun)
    others = [
        str(make.point_id(shared_towns, "103")),
        str(make.point_id(shared_towns, "101", "south")),
        "nonsense",
    ]
    closed = str(walking.agreement(shared_towns, f"W-{uuid.uuid4().hex[:4]}", customer_class="wholesale"))

    for forged in (*others, closed):
        page = asked(ada, sun)
        back = ada.chooses(page, places=[forged])
        shown = ada.follows(back)
        assert "Choose at least one place to share." in text(shown)
        assert ada.get(f"{walking.main_form(page).action}/check", 303)
    mixed = ada.follows(ada.chooses(asked(ada, sun), places=[*walking.open_places(page), *others]))
    assert "Check before you share" in text(mixed)
    assert "103" not in text(mixed)
    assert codes(shared_towns, sun) == before


def test_a_button_that_is_not_on_the_page_ticks_nothing(ada, sun):
    page = asked(ada, sun)

    for forged in ("site-\N{SUPERSCRIPT TWO}", f"site-{'9' * 5000}", "site--1", "site-", "\0", "x" * 9000):
        shown = ada.follows(ada.chooses(page, places=[], act=forged))
        assert shown.get_data(as_text=True).count("checked") == 3  # her data, history and end; no place


def test_the_second_press_gets_no_second_code(shared_towns, sun, ada):
    second = ada.checks(asked(ada, sun))
    before = codes(shared_towns, sun)

    first = ada.agrees(second)
    again = ada.posts(second, 404, act="share")
    no = ada.posts(second, 404, act="decline")

    assert oauth.in_address(first.headers["Location"])["code"]
    assert "answered before" in text(again)
    assert "answered before" in text(no)
    assert codes(shared_towns, sun) == before + 1


def test_of_two_presses_at_once_one_gets_a_code(shared_towns, sun, ada):
    second = ada.checks(asked(ada, sun))
    form = walking.main_form(second)
    data = {**portal.fields(form), "act": "share"}
    before = codes(shared_towns, sun)
    cookies = {
        name: ada.client.get_cookie(name).value for name in ("__Host-ask", "__Host-sid-north", "__Host-form")
    }

    def press(_: int) -> int:
        client = sun.app.test_client()
        for name, value in cookies.items():
            client.set_cookie(name, value)
        return client.post(form.action, data=data).status_code

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(press, range(4)))

    assert found == [303, 404, 404, 404]
    assert codes(shared_towns, sun) == before + 1


def test_what_was_shown_is_what_is_agreed_to(shared_towns, sun, ada):
    second = ada.checks(asked(ada, sun))
    form = walking.main_form(second)
    before = codes(shared_towns, sun)

    forged = ada.client.post(form.action, data={**portal.fields(form), "shown": "0" * 64, "act": "share"})
    with shared_towns.writing() as session:
        session.get_one(Application, sun.id).information = {
            "tos_version": "8",
            "tos_uri": "https://sun.example/t",
        }
    stale = ada.agrees(second)
    again = ada.follows(stale)
    back = ada.agrees(again)

    assert forged.headers["Location"].endswith("/check?changed=1")
    assert stale.headers["Location"].endswith("/check?changed=1")
    assert "Look again" in text(again)
    assert "(version 8)" in text(again)
    assert oauth.in_address(back.headers["Location"])["code"]
    assert codes(shared_towns, sun) == before + 1
    with shared_towns.writing() as session:
        session.get_one(Application, sun.id).information = {}


def test_a_usage_point_that_left_her_between_the_pages_is_not_shared(shared_towns, sun, ada):
    agreement = walking.agreement(shared_towns, f"L-{uuid.uuid4().hex[:4]}")
    second = ada.checks(asked(ada, sun), places=[str(agreement)])
    before = codes(shared_towns, sun)

    other = make.customer_id(shared_towns, "C-2")
    make.change(shared_towns, UsagePoint, UsagePoint.agreement_id == agreement, customer_id=other)
    back = ada.follows(ada.agrees(second))

    assert "There is a problem" in text(back)
    assert "Somebody else has this meter now." in text(back)
    assert codes(shared_towns, sun) == before


def test_a_company_that_is_blocked_between_the_pages_gets_nothing(shared_towns, ada):
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:4]}", app=ada.app)
    second = ada.checks(ada.arrives(moon))

    make.hold(shared_towns, moon.id)
    late = ada.posts(second, 403, act="share")

    assert "cannot ask for data now" in text(late)
    assert codes(shared_towns, moon) == 0


def test_a_registration_that_became_narrower_goes_back_as_an_error(shared_towns, ada):
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:4]}", app=ada.app)
    second = ada.checks(ada.arrives(moon))

    oauth.change(moon, scope="FB=15")
    back = ada.agrees(second)

    assert oauth.in_address(back.headers["Location"])["error"] == "invalid_scope"
    assert codes(shared_towns, moon) == 0


def test_a_question_waits_half_an_hour_from_step_to_step_and_an_hour_in_all(shared_towns, sun, ada, freeze):
    began = clock.seconds()
    freeze(began)
    page, left = asked(ada, sun), walking.main_form(asked(ada, sun, state="s-2")).action
    path = walking.main_form(page).action
    for at in (800, 1600):
        freeze(began + at)
        ada.get(f"{HOME}/companies")  # she does something, so that she stays signed in

    freeze(began + 1700)
    ada.chooses(page)
    freeze(began + 1900)
    over = ada.get(left, 404)
    freeze(began + 2600)
    still = ada.get(f"{path}/check")
    freeze(began + 3400)
    ada.get(f"{HOME}/companies")
    freeze(began + 3700)
    late = ada.get(f"{path}/check", 404)

    assert "Check before you share" in text(still)
    assert "its time is over" in text(over)
    assert "its time is over" in text(late)


def test_pages_cannot_be_framed_kept_or_sent_on_elsewhere(sun, ada):
    page = asked(ada, sun)
    second = ada.checks(page)
    ours = ada.get(f"{HOME}/companies")

    for each in (page, second, ours):
        policy = each.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert each.headers["Cache-Control"] == "no-store"
        assert each.headers["Referrer-Policy"] == "no-referrer"
    assert "form-action 'self' https://sun.example.com;" in second.headers["Content-Security-Policy"]
    assert "form-action 'self';" in ours.headers["Content-Security-Policy"]


def test_classes_of_the_statewide_tool_need_two_factors_before_the_flow_and_nothing_in_it(shared_towns, sun):
    weak = walking.customer(shared_towns, sun.app, amr=("pwd",))

    plain = weak.arrives(sun, nonce="n")
    first = weak.asks(sun, nonce="n", scope="AdditionalScope=RIN;IntervalDuration=900;HistoryLength=0")
    sent = weak.client.get(walking.local(first.headers["Location"]))
    ahead = weak.client.get(f"{HOME}/share/with/{sun.id}")

    assert "Choose what to share" in text(plain)
    assert "/sign-in?next=" in sent.headers["Location"]
    assert "second=strong" in sent.headers["Location"]
    assert "second=strong" in ahead.headers["Location"]


def test_a_sign_in_that_is_too_old_is_asked_for_again(shared_towns, sun, freeze):
    old = walking.customer(shared_towns, sun.app)
    old.client = portal.browser(sun.app, shared_towns, old.login, amr=walking.LONG, at=clock.seconds() - 500)

    fresh = old.arrives(sun, nonce="n", max_age="1000")
    late = [
        old.client.get(walking.local(old.asks(sun, nonce="n", **each).headers["Location"]))
        for each in ({"max_age": "100"}, {"prompt": "login"})
    ]

    assert "Choose what to share" in text(fresh)
    assert all("again=1" in each.headers["Location"] for each in late)


def test_saying_no_is_told_to_the_company_and_written_down(shared_towns, sun, ada):
    first = ada.declines(asked(ada, sun))
    second = ada.declines(ada.checks(asked(ada, sun)))

    for each in (first, second):
        assert oauth.in_address(each.headers["Location"])["error"] == "access_denied"
        assert oauth.in_address(each.headers["Location"])["state"] == "s-1"
    with shared_towns.reading() as session:
        acts = session.scalars(select(AuditEvent).where(AuditEvent.act == "consent.declined")).all()
    mine = [each for each in acts if each.detail["application"] == str(sun.id)]
    assert {each.detail["reason"] for each in mine} == {"declined"}
    assert len(mine) >= 2
    assert all(each.actor.startswith("customer:") for each in mine)


def test_what_was_asked_by_message_only_its_customer_answers(shared_towns, sun, ada):
    secret = "gbq_" + uuid.uuid4().hex
    with shared_towns.writing() as session:
        place = session.get_one(Application, sun.id).utility_id
        requests.keep(
            session, requests.PENDING, place, sun.id,
            {"scope": "FB=4_5_15", "client_id": sun.client_id, "binding_message": "W4-SCT"},
            secret=secret, lifetime=600, poll_digest=uuid.uuid4().bytes * 2,
            customer_id=make.customer_id(shared_towns, "C-1"),
        )  # fmt: skip
    bob = walking.customer(shared_towns, sun.app, "C-2")

    other = bob.get(f"{HOME}/share?request={secret}", 403)
    form = portal.form_to(bob.get(f"{HOME}/access"), "/sign-out")
    path = f"{HOME}/share/given?request={secret}"
    no = bob.client.post(path, data={**form, "act": "decline"})
    page = ada.follows(ada.get(f"{HOME}/share?request={secret}", 303))
    done = ada.follows(ada.agrees(ada.checks(page)))

    assert "sent to somebody else" in text(other)
    assert no.status_code == 403
    assert "W4-SCT" in text(page)
    assert "You said yes to Sun" in text(done)
    with shared_towns.reading() as session:
        row = requests.find(session, requests.PENDING, place, secret)
        mine = AuthorizationCode.application_id == sun.id
        code = session.scalars(select(AuthorizationCode).where(mine)).all()[-1]
    assert row is None
    # What it rests on: what the company said of her, and how she then signed in.
    assert (code.identified["found"], code.identified["method"]) == ("profile", "sign-in")
    assert code.identified["amr"] == list(walking.LONG)


def test_somebody_who_is_no_customer_here_goes_back_with_the_way_to_hers(shared_towns, sun):
    visitor = walking.Walker(shared_towns, sun.app, sun.app.test_client(), uuid.uuid4(), "")
    secret = oauth.in_address(visitor.asks(sun, nonce="n").headers["Location"])["request"]

    signs_in = visitor.follows(visitor.client.get(f"{HOME}/share?request={secret}"))
    assert f'href="{HOME}/share/elsewhere?request={secret}"' in signs_in.get_data(as_text=True)
    assert "I am not a customer of" not in text(visitor.get(f"{HOME}/sign-in?next={HOME}/security"))

    page = visitor.get(f"{HOME}/share/elsewhere?request={secret}")
    back = visitor.posts(page, serves="south")
    told = oauth.in_address(back.headers["Location"])

    assert told["error"] == "access_denied"
    assert "https://data.example.org/south" in told["error_description"]
    assert told["error_uri"] == "https://data.example.org/north/account/share/utilities"
    assert visitor.get(f"{HOME}/share/utilities").status_code == 200


def test_nobody_else_sees_a_receipt(shared_towns, ada):
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:4]}", app=ada.app)
    ada.shares(moon)
    with shared_towns.reading() as session:
        row = session.scalars(select(Authorization).where(Authorization.application_id == moon.id)).one()
        record = session.get_one(ConsentRecord, row.consent_record_id)
    bob = walking.customer(shared_towns, ada.app, "C-2")

    own = ada.get(f"{HOME}/share/receipt/{row.id}")

    assert all(line in text(own) for line in record.shown.splitlines())
    assert record.digest.hex() in text(own)
    assert html.fromstring(own.data).xpath("string(//p[@class='head'][2])") == "Places"
    assert bob.get(f"{HOME}/share/receipt/{row.id}", 404)
    assert bob.get(f"{HOME}/share/change/{row.id}", 404)


@pytest.mark.requirement("F-ROUTE")
def test_a_utility_without_accounts_forwards_or_says_who_has_them(shared_towns):
    served = walking.app(shared_towns)
    north = oauth.company(shared_towns, "Wind", app=served)
    south = oauth.company(shared_towns, "Wind", "south", app=served)
    visitor = served.test_client()

    def asks():
        given = {
            "response_type": "code", "client_id": south.client_id, "redirect_uri": oauth.BACK, "scope": oauth.SCOPE,
            "state": "s-1", **south.pkce[1],
        }  # fmt: skip
        answer = visitor.get("/south/oauth/authorize", query_string=given)
        assert answer.status_code == 302
        return answer.headers["Location"]

    def chooses(**chosen):
        with shared_towns.writing() as session:
            portals.change(utilities.find(session, "south"), **chosen)

    chooses(without_accounts="north", forward=False)
    refused = oauth.in_address(asks())
    chooses(forward=True)
    there = asks()
    kept = visitor.get(walking.local(there))
    oauth.change(north, redirect_uris=["https://elsewhere.example/back"])
    no_company = oauth.in_address(asks())
    chooses(without_accounts="", forward=False)

    assert refused["error"] == no_company["error"] == "access_denied"
    assert "https://data.example.org/north" in refused["error_description"]
    assert refused["error_uri"].startswith("https://data.example.org/south/account/")
    assert there.startswith("https://data.example.org/north/oauth/authorize?")
    said = oauth.in_address(there)
    assert (said["client_id"], said["state"], said["code_challenge"]) == (
        north.client_id, "s-1", south.pkce[1]["code_challenge"],
    )  # fmt: skip
    assert kept.headers["Location"].startswith("https://data.example.org/north/account/share?request=")


def test_a_cookie_somebody_planted_is_replaced_unless_it_looks_like_ours(sun):
    client = sun.app.test_client()
    given = {}
    for planted in ("x", "A" * 43):
        client.set_cookie("__Host-ask", planted)
        walking.Walker(sun.database, sun.app, client, uuid.uuid4(), "").asks(sun, nonce="n")
        given[planted] = client.get_cookie("__Host-ask").value

    assert len(given["x"]) == 43
    assert given["A" * 43] == "A" * 43  # several questions of one browser are open at once


def test_the_company_may_ask_for_a_language_where_the_reader_chose_none(shared_towns, sun):
    ada, bob = (walking.customer(shared_towns, sun.app) for _ in range(2))
    bob.client.set_cookie("lang", "en")

    asked_for = ada.arrives(sun, nonce="n", ui_locales="fr es-MX")
    chosen = bob.arrives(sun, nonce="n", ui_locales="es")
    eve = walking.customer(shared_towns, sun.app)
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:4]}", app=sun.app)
    given = {
        "response_type": "code", "redirect_uri": oauth.BACK, "scope": oauth.SCOPE, "state": "s", "nonce": "n",
        "ui_locales": "fr es", **moon.pkce[1],
    }  # fmt: skip
    handle = moon.posts("par", given).json["request_uri"]
    # What was pushed is what counts (RFC 9126 4), the browser's own parameters do not.
    named = {"client_id": moon.client_id, "request_uri": handle, "ui_locales": "en"}
    pushed = eve.follows(eve.client.get("/north/oauth/authorize", query_string=named))

    assert pushed.headers["Content-Language"] == "es"
    assert asked_for.headers["Content-Language"] == "es"
    assert "Elija qué compartir" in text(asked_for)
    assert chosen.headers["Content-Language"] == "en"
