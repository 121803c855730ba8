"""The rows of Table 15 that are about consent, by configuration: who begins, where she is asked, with PKCE or not."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from espi_server.access import applications
from espi_server.access import tokens as secrets
from espi_server.access.models import Application, AuditEvent, Authorization
from espi_server.access.oauth import backchannel, requests
from espi_server.accounts import onboarding, utilities
from espi_server.accounts import portal as portals
from espi_server.accounts.portal import BadPortal
from tests import letterbox, make, oauth, portal
from tests.sharing import walking
from tests.sharing.test_ahead import PLAIN, address, rows, says_yes
from tests.sharing.walking import HOME, text

pytestmark = pytest.mark.parametrize("shared_towns", ["sqlite"], indirect=True, scope="module")

LESS = "FB=4_5;IntervalDuration=3600;HistoryLength=86400"
MORE = "FB=4_5_57;IntervalDuration=900;HistoryLength=86400;AdditionalScope=Usage_Account"
NO_PKCE = {"code_challenge": None, "code_challenge_method": None}


@pytest.fixture
def sun(shared_towns):
    return walking.company(shared_towns, f"Sun {uuid.uuid4().hex[:6]}", scope=PLAIN)


@pytest.fixture
def ada(shared_towns, sun):
    return walking.customer(shared_towns, sun.app)


@pytest.fixture
def offered(shared_towns):
    """Lets the utility name rows, for one test."""

    def choose(text):
        with shared_towns.writing() as session:
            portals.change(utilities.find(session, "north"), rows=text)

    yield choose
    choose("")


def asked(database, company, scope=LESS, customer="C-1", **more):
    """What a worker leaves of a request by message that found her: her link, and what the company polls with."""
    link, handle = secrets.chance(requests.PENDING), secrets.chance("message")
    with database.writing() as session:
        requests.keep(
            session, requests.PENDING, session.get_one(Application, company.id).utility_id, company.id,
            {"scope": scope, "client_id": company.client_id, "binding_message": "W4-SCT"}, secret=link, lifetime=600,
            poll_digest=secrets.digest(handle), pause=0, customer_id=make.customer_id(database, customer), **more,
        )  # fmt: skip
    return f"{HOME}/share?request={link}", handle


def polls(company, handle):
    return company.token(grant_type=backchannel.GRANT, auth_req_id=handle)


def error(answer):
    assert answer.status_code == 400, answer.data
    return answer.json["error"]


# --- a yes given ahead, and the company that comes by message ---------------------------------------------


class Ada:
    """Finds her by her mail address."""

    def serves(self, utility):
        return True

    def find(self, session, utility, profile, application_id):
        return self.id if profile.get("login_hint") == "ada@example.org" else None

    def __init__(self, id):
        self.id = id


@pytest.mark.requirement("T15-5", "T15-6", "F-M1", "F-ID")
def test_what_she_agreed_to_ahead_is_what_a_company_gets_that_comes_by_message(shared_towns, sun, ada):
    letterbox.reachable(shared_towns, "C-1", email="ada@example.org")
    box = letterbox.Box(shared_towns, Ada(make.customer_id(shared_towns, "C-1")))
    says_yes(ada, sun, classes=["Usage", "Billing"])
    [before] = rows(shared_towns, sun)
    hints = ("ada@example.org", "nobody@example.org")

    found, lost = (
        sun.posts("bc-authorize", {"scope": LESS, "login_hint": each, "binding_message": "W4-SCT"})
        for each in hints
    )
    [letter] = box.empty()
    waits = [error(polls(sun, each.json["auth_req_id"])) for each in (found, lost)]
    page = ada.follows(ada.get(re.findall(r"https://\S+request=\S+", letter.text)[0], 303))
    still = [error(polls(sun, each.json["auth_req_id"])) for each in (found, lost)]
    done = ada.follows(ada.posts(page, given=str(before.id), act="continue"))
    answer = polls(sun, found.json["auth_req_id"])

    assert (len(found.data), sorted(found.json)) == (len(lost.data), sorted(lost.json))
    assert waits == ["authorization_pending"] * 2
    assert still == ["slow_down"] * 2  # to look at the page tells the company nothing
    assert "Their page shows this word: W4-SCT" in text(page)
    assert "checked" not in page.get_data(as_text=True)
    assert "You said yes to Sun" in text(done)
    [row] = rows(shared_towns, sun)
    assert (
        answer.json["scope"] == before.scope == row.scope
    )  # she agreed to more than it asks, and that stands
    assert answer.json["resourceURI"].endswith(str(before.id))
    assert (row.consent_record_id, row.history_from) == (before.consent_record_id, before.history_from)
    assert row.identified["found"] == "profile"
    assert row.identified["agreed"] == before.identified
    assert sun.reads(answer.json["resourceURI"], answer.json["access_token"]) == 200
    assert error(polls(sun, found.json["auth_req_id"])) == "invalid_grant"


@pytest.mark.requirement("T15-5", "T15-6")
def test_by_message_too_more_is_shown_as_the_difference(shared_towns, sun, ada):
    says_yes(ada, sun)
    [before] = rows(shared_towns, sun)

    left, kept = asked(shared_towns, sun, MORE)
    page = ada.follows(ada.get(left, 303))
    ada.posts(page, act="continue")
    as_it_was = polls(sun, kept).json

    assert "asks for more" in text(page)
    assert "W4-SCT" in text(page)
    assert as_it_was["scope"] == before.scope

    says_yes(ada, sun)
    link, handle = asked(shared_towns, sun, MORE)
    page = ada.follows(ada.get(link, 303))
    done = ada.follows(ada.agrees(ada.follows(ada.posts(page, classes=["Account"], act="continue"))))
    assert "You said yes to Sun" in text(done)
    assert "Account" in polls(sun, handle).json["scope"]


@pytest.mark.requirement("T15-5", "T15-6")
def test_saying_no_by_message_leaves_what_waits(shared_towns, sun, ada):
    says_yes(ada, sun)
    link, handle = asked(shared_towns, sun)

    done = ada.follows(ada.posts(ada.follows(ada.get(link, 303)), act="decline"))

    assert "You did not share" in text(done)
    assert error(polls(sun, handle)) == "access_denied"
    [row] = rows(shared_towns, sun)
    assert (row.ended_at, bool(row.waits_until)) == (None, True)


@pytest.mark.requirement("T15-5", "T15-6", "UC1.1")
def test_a_yes_ahead_is_nothing_to_others_and_is_used_once(shared_towns, sun, ada):
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:6]}", app=sun.app, scope=PLAIN)
    bob = walking.customer(shared_towns, sun.app, "C-2")
    says_yes(ada, sun)
    [mine] = rows(shared_towns, sun)
    link, handle = asked(shared_towns, sun)
    (theirs, _), (his, _) = asked(shared_towns, moon), asked(shared_towns, sun, customer="C-2")
    page = ada.follows(ada.get(link, 303))
    form = {**portal.fields(walking.main_form(page)), "given": str(mine.id), "act": "continue"}
    path = link.replace("/share?", "/share/given?")

    stolen = bob.client.post(path, data={**portal.form_to(bob.get(f"{HOME}/access"), "/sign-out"), **form})
    others = [text(each.follows(each.get(at, 303))) for each, at in ((ada, theirs), (bob, his))]
    forged = ada.client.post(theirs.replace("/share?", "/share/given?"), data=form)
    pressed = []
    cookies = {name: ada.client.get_cookie(name).value for name in ("__Host-sid-north", "__Host-form")}

    def press(_):
        client = sun.app.test_client()
        for name, value in cookies.items():
            client.set_cookie(name, value)
        return client.post(path, data=form).status_code

    with ThreadPoolExecutor(4) as pool:
        pressed = sorted(pool.map(press, range(4)))

    assert stolen.status_code in (403, 404)
    assert all("Choose what to share" in each for each in others)
    assert forged.headers["Location"].startswith(f"{HOME}/share")
    assert rows(shared_towns, moon) == []
    assert pressed == [303, 404, 404, 404]
    assert ada.get(link, 404)
    first, second = (polls(sun, handle) for _ in range(2))
    assert (first.status_code, error(second)) == (200, "invalid_grant")


@pytest.mark.requirement("T15-5", "T15-6")
def test_a_yes_that_is_stopped_before_the_poll_opens_nothing(shared_towns, sun, ada):
    says_yes(ada, sun)
    [row] = rows(shared_towns, sun)
    link, handle = asked(shared_towns, sun)
    ada.posts(ada.follows(ada.get(link, 303)), given=str(row.id), act="continue")

    make.end(shared_towns, row.id)

    assert error(polls(sun, handle)) == "invalid_grant"


# --- the rows as a setting ------------------------------------------------------------------------------


@pytest.mark.requirement("T15-1", "T15-2")
def test_rows_1_and_2_alone_let_a_company_come_only_for_what_she_chose_before(
    shared_towns, sun, ada, offered
):
    old = walking.company(
        shared_towns, f"Old {uuid.uuid4().hex[:6]}", policy="legacy", app=sun.app, scope=PLAIN
    )
    for row, company, parameters in (("1", sun, {}), ("2", old, NO_PKCE)):
        offered(row)
        refused = ada.arrives(company, scope=LESS, **parameters)
        assert "Choose this company first" in text(refused)
        [back] = [
            each
            for each in re.findall(r'href="([^"]+)"', refused.get_data(as_text=True))
            if oauth.BACK in each
        ]
        said = oauth.in_address(back.replace("&amp;", "&"))
        assert said["error"] == "access_denied"
        assert said["error_uri"] == "https://data.example.org/north/account/companies"

        says_yes(ada, company)
        code = oauth.in_address(address(ada.arrives(company, scope=LESS, **parameters)))["code"]
        redeemed = company.redeem(code, **({} if row == "1" else {"code_verifier": None}))
        assert redeemed.status_code == 200, redeemed.data
        other = NO_PKCE if row == "1" else {}
        assert oauth.in_address(ada.asks(company, **other).headers["Location"])["error"] == "invalid_request"


@pytest.mark.requirement("T15-9", "T15-10")
def test_rows_9_and_10_alone_begin_at_the_company(shared_towns, sun, ada, offered):
    old = walking.company(
        shared_towns, f"Old {uuid.uuid4().hex[:6]}", policy="legacy", app=sun.app, scope=PLAIN
    )
    for row, company, parameters, more in (("9", sun, {}, {}), ("10", old, NO_PKCE, {"code_verifier": None})):
        offered(row)
        second = ada.checks(ada.arrives(company, scope=LESS, **parameters), history="all")
        assert (
            company.redeem(
                oauth.in_address(ada.agrees(second).headers["Location"])["code"], **more
            ).status_code
            == 200
        )
        over = ada.get(f"{HOME}/share/with/{sun.id}", 403)
        assert "Here you cannot begin by yourself." in text(over)
        assert f"/share/with/{sun.id}" not in ada.get(f"{HOME}/companies").get_data(as_text=True)
        assert error(sun.posts("bc-authorize", {"scope": LESS, "login_hint": "a"})) == "unauthorized_client"


@pytest.mark.requirement("T15-13", "T15-14")
def test_rows_13_and_14_alone_are_by_message_and_either_will_do(shared_towns, sun, ada, offered):
    for row in ("13", "14"):
        offered(row)
        link, handle = asked(shared_towns, sun)
        ada.follows(ada.agrees(ada.checks(ada.follows(ada.get(link, 303)), history="all")))
        assert polls(sun, handle).status_code == 200
        assert oauth.in_address(ada.asks(sun).headers["Location"])["error"] == "unauthorized_client"


@pytest.mark.requirement("T15-5", "T15-6")
def test_rows_5_and_6_alone_are_by_message_and_only_for_what_she_chose_before(
    shared_towns, sun, ada, offered
):
    offered("5 6")
    link, handle = asked(shared_towns, sun)
    refused = ada.get(link)
    said = error(polls(sun, handle))
    says_yes(ada, sun)
    [row] = rows(shared_towns, sun)
    link, handle = asked(shared_towns, sun)
    page = ada.follows(ada.get(link, 303))
    ada.posts(page, given=str(row.id), act="continue")

    assert "Choose this company first" in text(refused)
    assert said == "access_denied"
    assert "None of these" not in text(page)
    assert polls(sun, handle).status_code == 200


def test_nothing_but_rows_of_the_table_can_be_offered(shared_towns):
    with shared_towns.writing() as session:
        north = utilities.find(session, "north")
        for wrong in ("3", "17", "0", "one", "1 16", "-1", "1;9", "\N{SUPERSCRIPT TWO}"):
            with pytest.raises(BadPortal, match="Table 15"):
                portals.change(north, rows=wrong)
    assert onboarding.chosen("") == onboarding.HERE == {1, 2, 5, 6, 9, 10, 13, 14}
    assert onboarding.chosen("1, 2 9") == {1, 2, 9}
    numbers = [
        (row.mode, row.cls, row.by_message, row.bilateral, row.pkce) for row in onboarding.TABLE.values()
    ]
    assert len(set(numbers)) == 16


# --- a hold is one thing ----------------------------------------------------------------------------------


@pytest.mark.requirement("UC2.2", "NFR18")
def test_a_hold_joins_what_it_brings_about_in_the_audit(shared_towns, sun, ada):
    ada.shares(sun, LESS, history="all")
    ada.arrives(sun, scope=LESS)
    asked(shared_towns, sun)
    ada.agrees(ada.checks(ada.arrives(sun, scope=LESS), history="all"))  # a code that nobody redeemed

    with shared_towns.writing() as session:
        applications.set_status(
            session, session.get_one(Application, sun.id), applications.ON_HOLD, by="an operator"
        )

    with shared_towns.reading() as session:
        acts = session.scalars(select(AuditEvent).order_by(AuditEvent.number.desc()).limit(20)).all()
        live = session.scalars(select(Authorization).where(Authorization.application_id == sun.id)).all()
    since = max(each.number for each in acts if each.act == "application.status")
    mine = [
        each for each in acts if each.number >= since and str(sun.id) in (each.subject + str(each.detail))
    ]
    [group] = {each.detail["group"] for each in mine}
    assert {each.act for each in mine} == {
        "application.status", "consent.declined", "code.withdrawn", "customers.told",
    }  # fmt: skip
    [told] = [each.detail for each in mine if each.act == "customers.told"]
    assert told == {"kind": "company.paused", "customers": 1, "group": group}
    assert [each.ended_at for each in live] == [None]
