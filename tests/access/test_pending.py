"""After a stop nothing older begins: no code, no request, no answer in the making, no consent that waits."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from espi_server.access import applications, letters, overview, pending, tokens
from espi_server.access.models import Application, AuditEvent, Authorization
from espi_server.access.oauth import backchannel, requests
from espi_server.accounts.models import Utility
from espi_server.notify.models import Outbox
from tests import make, oauth
from tests.oauth import Company
from tests.sharing import walking
from tests.sharing.walking import HOME, Walker, text
from tests.together import at_once

pytestmark = pytest.mark.requirement("UC1.3", "F-OFF")


@pytest.fixture(scope="module")
def home(shared_towns):
    return walking.app(shared_towns)


@pytest.fixture
def sun(shared_towns, home) -> Company:
    """A company of its own for each test."""
    return walking.company(shared_towns, f"Sun {uuid.uuid4().hex[:6]}", app=home)


@pytest.fixture
def ada(shared_towns, home) -> Walker:
    return walking.customer(shared_towns, home)


def stop_all(ada: Walker) -> None:
    """As a page of hers would."""
    with ada.database.writing() as session:
        north = session.scalars(select(Utility).where(Utility.code == ada.code)).one()
        overview.stop_all(session, north, make.customer_id(ada.database, ada.reference))


def hold(sun: Company, status: int = applications.ON_HOLD) -> None:
    with sun.database.writing() as session:
        applications.set_status(session, session.get_one(Application, sun.id), status, by="operator:x")


def by_message(sun: Company, customer: str = "C-1") -> tuple[str, str]:
    """A request that was sent to her: what she has, and what the company polls with."""
    secret, handle = (f"{kind}_{uuid.uuid4().hex}" for kind in ("gbq", "gbm"))
    with sun.database.writing() as session:
        place = session.get_one(Application, sun.id).utility_id
        requests.keep(
            session, requests.PENDING, place, sun.id, {"scope": oauth.SCOPE, "client_id": sun.client_id},
            secret=secret, lifetime=600, poll_digest=tokens.digest(handle), pause=0,
            customer_id=make.customer_id(sun.database, customer),
        )  # fmt: skip
    return secret, handle


def polls(sun: Company, handle: str) -> str:
    return str(sun.token(grant_type=backchannel.GRANT, auth_req_id=handle).json.get("error"))


def redeems(sun: Company, code: str) -> str:
    return str(sun.redeem(code).json.get("error"))


def live(sun: Company) -> int:
    """How much of hers the company has, or could still come for."""
    with sun.database.reading() as session:
        mine = (Authorization.application_id == sun.id, Authorization.ended_at.is_(None))
        return session.scalar(select(func.count()).select_from(Authorization).where(*mine)) or 0


def says_yes_ahead(ada: Walker, sun: Company) -> None:
    page = ada.follows(ada.get(f"{HOME}/share/with/{sun.id}", 303))
    ada.follows(ada.agrees(ada.checks(page)))


def comes_for_it(ada: Walker, sun: Company) -> str:
    """The company asks for no more than she said yes to: the code it gets."""
    page = ada.arrives(sun, scope="FB=4_5;IntervalDuration=3600;HistoryLength=86400").get_data(as_text=True)
    return page.partition("code=")[2].partition("&")[0]


def test_nothing_older_begins_after_she_stopped_all_and_a_newer_yes_does(shared_towns, home, sun, ada):
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:6]}", app=home)
    neighbours = moon.code(yes={"customer": "C-2", "points": ("103",)})
    code, (secret, handle), (_, waiting) = sun.code(), by_message(sun), by_message(sun)
    oauth.agree(shared_towns, secret)
    says_yes_ahead(ada, moon)
    came = comes_for_it(ada, moon)
    first, second = ada.arrives(sun), ada.checks(ada.arrives(sun))
    with shared_towns.reading() as session:
        north = session.get_one(Application, sun.id).utility_id
        told = pending.companies(session, north, make.customer_id(shared_towns, "C-1"))
    page = text(ada.get(f"{HOME}/access/stop-all"))

    stop_all(ada)

    assert {each[:4] for each in told} == {"Sun ", "Moon"}
    assert "Sun " in page  # which has nothing of hers yet
    assert "Moon" in page
    assert (redeems(sun, code), redeems(moon, came)) == ("invalid_grant", "invalid_grant")
    assert (polls(sun, handle), polls(sun, waiting)) == ("access_denied", "access_denied")
    assert "answered before" in text(ada.posts(first, 404, act="continue"))
    assert "answered before" in text(ada.posts(second, 404, act="share"))
    assert ada.get(f"{HOME}/share?request={secret}", 404)
    assert (live(sun), live(moon)) == (0, 0)
    assert redeems(moon, neighbours) == "None"  # somebody else's is hers
    assert ada.shares(sun)["access_token"]
    with shared_towns.reading() as session:
        acts = session.scalars(
            select(AuditEvent).where(AuditEvent.act.in_(("code.withdrawn", "consent.declined")))
        )
        reasons = [
            (each.act, each.detail["reason"]) for each in acts if each.detail["application"] == str(sun.id)
        ]
    assert reasons.count(("code.withdrawn", "stopped")) == 2
    assert ("consent.declined", "stopped") in reasons


def test_stopping_one_company_leaves_the_others_what_they_wait_for(shared_towns, home, sun, ada):
    moon = walking.company(shared_towns, f"Moon {uuid.uuid4().hex[:6]}", app=home)
    ada.shares(sun)
    says_yes_ahead(ada, sun)
    mine, theirs, (_, handle) = sun.code(), moon.code(), by_message(moon)
    with shared_towns.reading() as session:
        has_begun = (Authorization.application_id == sun.id, Authorization.waits_until.is_(None))
        [row] = session.scalars(select(Authorization).where(*has_begun))
    page = ada.get(f"{HOME}/access/{row.id}/stop")

    ada.posts(page)

    assert redeems(sun, mine) == "invalid_grant"
    assert live(sun) == 0
    assert polls(moon, handle) == "authorization_pending"
    assert redeems(moon, theirs) == "None"


def test_one_that_waits_is_stopped_without_what_has_begun(shared_towns, sun, ada):
    ada.shares(sun)
    says_yes_ahead(ada, sun)
    with shared_towns.reading() as session:
        waits = (Authorization.application_id == sun.id, Authorization.waits_until.is_not(None))
        [row] = session.scalars(select(Authorization).where(*waits))

    page = ada.get(f"{HOME}/access/{row.id}/stop")
    done = ada.follows(ada.posts(page))

    assert live(sun) == 1
    with shared_towns.reading() as session:
        ended = select(Outbox).where(Outbox.kind == "authorization.ended")
        [letter] = [each for each in session.scalars(ended) if each.payload["authorization"] == str(row.id)]
        assert letters.consent(session, letter).values["still"]
    assert "They still get what you share with them now." in text(page)
    assert "nothing new from now on" not in text(page)
    assert "still gets what you share with them below" in text(done)
    assert "no new data from now on" not in text(done)
    stop_all(ada)
    with shared_towns.reading() as session:
        assert not letters.consent(session, letter).values["still"]
    assert "Nobody gets new data from now on. We sent" in text(ada.get(f"{HOME}/access?stopped=all"))
    assert "We sent" not in text(ada.get(f"{HOME}/access?stopped=asked"))


def test_a_page_about_what_a_newer_code_replaced_stops_what_took_its_place(shared_towns, sun, ada):
    ada.shares(sun)
    with shared_towns.reading() as session:
        [row] = session.scalars(select(Authorization).where(Authorization.application_id == sun.id))
    page, code = ada.get(f"{HOME}/access/{row.id}/stop"), sun.code()
    sun.redeem(code)

    ada.posts(page)

    assert live(sun) == 0


@pytest.mark.requirement("NFR18")
@pytest.mark.parametrize("status", [applications.ON_HOLD, applications.REVIEW])
def test_nothing_older_begins_when_a_blocked_company_is_let_in_again(shared_towns, sun, ada, status):
    code, (secret, handle), (_, waiting) = sun.code(), by_message(sun), by_message(sun)
    oauth.agree(shared_towns, secret)
    asked = {
        "client_id": sun.client_id,
        "response_type": "code",
        "redirect_uri": oauth.BACK,
        "scope": oauth.SCOPE,
    }
    pushed = sun.posts("par", {**asked, "state": "s", **sun.pkce[1]}).json["request_uri"]
    second = ada.checks(ada.arrives(sun))

    hold(sun, status)
    hold(sun, applications.PRODUCTION)

    assert redeems(sun, code) == "invalid_grant"
    assert (polls(sun, handle), polls(sun, waiting)) == ("access_denied", "access_denied")
    said = {"client_id": sun.client_id, "request_uri": pushed}
    assert ada.client.get("/north/oauth/authorize", query_string=said).status_code == 400
    assert "answered before" in text(ada.posts(second, 404, act="share"))
    assert live(sun) == 0
    assert ada.shares(sun)["access_token"]


# --- at the same moment ---------------------------------------------------------------------------------


def test_a_code_that_is_redeemed_while_she_stops_opens_nothing(sun, ada):
    for _ in range(4):
        code = sun.code()
        acts: list[Callable[[], object]] = [lambda code=code: sun.redeem(code), lambda: stop_all(ada)]
        at_once(2, lambda number, acts=acts: acts[number]())

        assert live(sun) == 0


def test_a_yes_that_is_given_while_she_stops_opens_nothing(sun, ada):
    for _ in range(3):
        second = ada.checks(ada.arrives(sun))
        form = walking.main_form(second)
        data = {**walking.portal.fields(form), "act": "share"}
        acts: list[Callable[[], object]] = [
            lambda form=form, data=data: ada.client.post(form.action, data=data), lambda: stop_all(ada),
        ]  # fmt: skip
        pressed = at_once(2, lambda number, acts=acts: acts[number]())[0]

        found = pressed.headers.get("Location", "")
        assert "code=" not in found or redeems(sun, oauth.in_address(found)["code"]) == "invalid_grant"
        assert live(sun) == 0


def test_a_code_that_is_redeemed_while_its_company_is_blocked_begins_before_it_or_never(shared_towns, sun):
    for _ in range(3):
        code = sun.code()
        acts: list[Callable[[], object]] = [lambda code=code: sun.redeem(code), lambda: hold(sun)]
        first = at_once(2, lambda number, acts=acts: acts[number]())[0]
        began = first.status_code == 200
        hold(sun, applications.PRODUCTION)

        assert redeems(sun, code) == "invalid_grant"
        assert began or first.status_code in (400, 401)
