"""From the first redirect to the first reading, and what a company hears on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from espi_server import clock
from espi_server.access import consent
from espi_server.access.models import Authorization, AuthorizationUsagePoint
from espi_server.db import Database
from espi_server.notify.models import Outbox
from tests import make, oauth
from tests.oauth import BACK, SCOPE, Company, in_address
from tests.towns import on_one


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


@pytest.mark.requirement("FB_03", "FB_14", "FB_31")
def test_a_company_gets_what_a_customer_agreed_to(sun: Company) -> None:
    secret = sun.secret_of_request()
    address = oauth.agree(sun.database, secret)
    back = in_address(address)
    answer = sun.redeem(back["code"])

    assert address.startswith(f"{BACK}?")
    assert (back["state"], back["iss"]) == ("s-1", "https://data.example.org/north")
    assert answer.status_code == 200
    said = answer.json
    assert said["token_type"] == "Bearer"
    assert said["expires_in"] == 3600
    assert said["scope"] == SCOPE
    assert answer.headers["Cache-Control"] == "no-store"
    assert sun.reads(said["resourceURI"], said["access_token"]) == 200
    assert said["customerResourceURI"] == ""
    assert "client_access_token" not in said


def test_the_authorization_keeps_what_was_agreed(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)

    sun.redeem(
        sun.code(yes={"points": ("101",), "scope": "FB=4_5;IntervalDuration=3600;HistoryLength=86400"})
    )

    with sun.database.reading() as session:
        kept = session.scalars(select(Authorization)).one()
        points = session.scalars(select(AuthorizationUsagePoint.usage_point_id)).all()
    assert kept.scope == "FB=4_5;IntervalDuration=3600;HistoryLength=86400"
    assert kept.history_from == make.NOW - 86_400
    assert kept.ends_at == make.NOW + oauth.YEAR
    assert kept.identified == {"when": make.NOW - 60, "method": "password", "amr": ["pwd", "otp"]}
    assert points == [make.point_id(sun.database, "101")]


def test_a_narrowed_scope_is_echoed_as_granted(sun: Company) -> None:
    answer = sun.redeem(sun.code(yes={"scope": "FB=4;IntervalDuration=900;HistoryLength=34128000"}))

    assert answer.json["scope"] == "FB=4;IntervalDuration=900;HistoryLength=34128000"


def test_a_scope_is_echoed_as_it_was_written(sun: Company) -> None:
    written = "HistoryLength=34128000;FB=15_5_4;"

    assert sun.tokens(scope=written)["scope"] == written


def test_the_customer_s_data_have_an_address_where_they_are_granted(sun: Company) -> None:
    said = sun.tokens(scope="FB=4_5_54_55")

    assert sun.reads(said["customerResourceURI"], said["access_token"]) == 200


def test_a_post_is_kept_like_a_get(sun: Company) -> None:
    answer = sun.asks("POST")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("https://data.example.org/north/ask?request=gbq_")


def test_declining_says_so(sun: Company) -> None:
    back = in_address(oauth.decline(sun.database, sun.secret_of_request()))

    assert (back["error"], back["state"], back["iss"]) == (
        "access_denied", "s-1", "https://data.example.org/north",
    )  # fmt: skip


def test_a_request_is_answered_once(sun: Company) -> None:
    secret = sun.secret_of_request()
    oauth.decline(sun.database, secret)

    with pytest.raises(consent.NotWaiting):
        oauth.agree(sun.database, secret)


def test_a_request_waits_ten_minutes(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    secret = sun.secret_of_request()

    freeze(make.NOW + 600)

    with pytest.raises(consent.NotWaiting):
        oauth.agree(sun.database, secret)


def test_a_request_is_nothing_at_another_utility(sun: Company) -> None:
    secret = sun.secret_of_request()

    with pytest.raises(consent.NotWaiting):
        oauth.agree(sun.database, secret, code="south")


@pytest.mark.parametrize(
    "yes",
    [
        {"scope": "FB=4_5_15_16;IntervalDuration=900;HistoryLength=34128000"},
        {"scope": "FB=4_5_15;HistoryLength=34128000"},
        {"points": ("103",)},
        {"points": ("101", "103")},
        {"points": ()},
        {"until": make.NOW},
    ],
    ids=["more data", "finer data", "a neighbour's", "hers and a neighbour's", "nothing", "over"],
)
@on_one
def test_an_answer_cannot_go_beyond_the_question(
    sun: Company, freeze: Callable[[int], None], yes: dict[str, object]
) -> None:
    freeze(make.NOW)
    secret = sun.secret_of_request()

    with pytest.raises(consent.CannotAgree):
        oauth.agree(sun.database, secret, **yes)  # the request stays and can be answered well
    assert "code" in in_address(oauth.agree(sun.database, secret))


def test_max_age_asks_for_a_sign_in_that_is_fresh(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    secret = sun.secret_of_request(max_age="30")

    with pytest.raises(consent.CannotAgree, match="30 seconds"):
        oauth.agree(sun.database, secret, at=make.NOW - 31)
    assert "code" in in_address(oauth.agree(sun.database, secret, at=make.NOW - 30))


def test_a_blocked_company_gets_no_code(sun: Company) -> None:
    secret = sun.secret_of_request()
    make.hold(sun.database, sun.id)

    with pytest.raises(consent.CannotAgree, match="cannot ask"):
        oauth.agree(sun.database, secret)


def test_authorizing_again_replaces_the_earlier_authorization_when_the_code_is_redeemed(sun: Company) -> None:
    first = sun.tokens()
    code = sun.code(scope="FB=4_5")
    assert sun.reads(first["resourceURI"], first["access_token"]) == 200

    second = sun.redeem(code).json

    assert sun.reads(first["resourceURI"], first["access_token"]) == 401
    assert sun.reads(second["resourceURI"], second["access_token"]) == 200
    with sun.database.reading() as session:
        ended = session.execute(select(Authorization.ended_reason).order_by(Authorization.ended_at)).scalars()
        assert sorted(filter(None, ended)) == ["replaced"]
        told = session.scalars(select(Outbox.kind)).all()
    assert sorted(told) == ["authorization.ended", "authorization.granted", "authorization.granted"]


def test_what_passed_to_another_customer_meanwhile_is_not_shared(sun: Company) -> None:
    from espi_server.energy.models import UsagePoint

    code = sun.code(yes={"points": ("101",)})
    other = make.customer_id(sun.database, "C-2")
    make.change(
        sun.database, UsagePoint, UsagePoint.id == make.point_id(sun.database, "101"), customer_id=other
    )

    answer = sun.redeem(code)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    with sun.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Authorization)) == 0


def test_an_end_that_comes_soon_shortens_the_tokens(sun: Company) -> None:
    said = sun.redeem(sun.code(yes={"until": clock.seconds() + 120})).json

    assert 100 <= said["expires_in"] <= 120


def test_by_itself_an_installation_asks_on_its_own_pages(towns: Database) -> None:
    company = oauth.company(towns, app=make.app(towns))

    kept = company.asks()

    assert kept.headers["Location"].startswith("https://data.example.org/north/account/share?request=gbq_")
    assert "__Host-ask=" in kept.headers["Set-Cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(kept.headers["Set-Cookie"].split("; "))
