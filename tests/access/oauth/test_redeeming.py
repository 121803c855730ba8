"""The token endpoint: codes and refresh tokens work once, whoever tries how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from espi_server.access.models import Authorization, Token
from espi_server.access.tokens import digest
from espi_server.db import Database
from espi_server.notify.models import Outbox
from tests import make, oauth
from tests.oauth import BACK, SCOPE, Company
from tests.together import statuses
from tests.towns import on_one

pytestmark = pytest.mark.requirement("FB_31")


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


def error(answer: Any, status: int = 400) -> str:
    assert answer.status_code == status, (answer.status_code, answer.data)
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.json["error"])


def reasons(database: Database) -> list[str | None]:
    with database.reading() as session:
        return list(session.scalars(select(Authorization.ended_reason)))


# --- codes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": '"'}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"code": "gbx_nothing"}, "invalid_grant"),
        ({"code": ""}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"redirect_uri": f"{BACK}/"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "A" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
    ],
)
@on_one
def test_what_does_not_fit_is_refused_and_the_code_still_works(
    sun: Company, changed: dict[str, str | None], expected: str
) -> None:
    code = sun.code()

    assert error(sun.redeem(**({"code": code} | changed))) == expected
    assert sun.redeem(code).status_code == 200


def test_trap_2_a_verifier_with_a_line_break_is_none(sun: Company) -> None:
    assert error(sun.redeem(sun.code(), code_verifier=sun.pkce[0] + "\n")) == "invalid_request"


def test_a_verifier_without_a_challenge_is_refused(towns: Database) -> None:
    old = oauth.company(towns, policy="legacy")
    code = old.code(code_challenge=None, code_challenge_method=None)

    assert error(old.redeem(code)) == "invalid_request"  # RFC 9700 4.8.2


@pytest.mark.parametrize(("policy", "seconds"), [("standard", 60), ("legacy", 300)])
def test_a_code_lives_as_long_as_the_policy_says(
    towns: Database, freeze: Callable[[int], None], policy: str, seconds: int
) -> None:
    company = oauth.company(towns, policy=policy)
    freeze(make.NOW)
    early, late = company.code(), company.code()

    freeze(make.NOW + seconds - 1)
    assert company.redeem(early).status_code == 200
    freeze(make.NOW + seconds)
    assert error(company.redeem(late)) == "invalid_grant"


def test_trap_3_a_replay_by_its_owner_ends_what_came_of_the_code(sun: Company) -> None:
    code = sun.code()
    said = sun.redeem(code).json

    assert error(sun.redeem(code)) == "invalid_grant"
    assert sun.reads(said["resourceURI"], said["access_token"]) == 401
    assert error(sun.refresh(said["refresh_token"])) == "invalid_grant"
    assert reasons(sun.database) == ["replayed"]


def test_trap_3_somebody_else_cannot_end_a_grant_with_a_code(towns: Database, sun: Company) -> None:
    moon = oauth.company(towns, "Moon", app=sun.app)
    code = sun.code()
    said = sun.redeem(code).json

    assert error(moon.redeem(code)) == "invalid_grant"
    assert sun.reads(said["resourceURI"], said["access_token"]) == 200


def test_a_code_of_another_company_or_utility_is_none(towns: Database, sun: Company) -> None:
    moon = oauth.company(towns, "Moon", app=sun.app)
    south = oauth.company(towns, code="south", app=sun.app)
    code = sun.code()

    assert error(moon.redeem(code)) == "invalid_grant"
    assert error(south.redeem(code)) == "invalid_grant"
    assert sun.redeem(code).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_token_of_one_kind_is_none_of_another(sun: Company, kind: str) -> None:
    said = sun.tokens()

    assert error(sun.redeem(said[kind])) == "invalid_grant"
    assert sun.reads(said["resourceURI"], said["refresh_token"]) == 401
    assert error(sun.refresh(said["access_token"])) == "invalid_grant"


def test_trap_3_of_fifty_redemptions_at_once_one_succeeds_and_the_replay_is_noticed(sun: Company) -> None:
    code = sun.code()

    found = statuses(50, lambda _: sun.redeem(code))

    assert found == [200] + [400] * 49
    assert reasons(sun.database) == ["replayed"]
    with sun.database.reading() as session:
        assert sorted(session.scalars(select(Outbox.kind))) == [
            "authorization.ended",
            "authorization.granted",
            "token.replayed",
            "token.replayed",
        ]


def test_trap_4_of_fifty_refreshes_at_once_one_succeeds(sun: Company) -> None:
    token = sun.tokens()["refresh_token"]

    found = statuses(50, lambda _: sun.refresh(token))

    assert found == [200] + [400] * 49


def test_two_codes_of_one_customer_redeemed_at_once_leave_one_authorization(sun: Company) -> None:
    codes = [sun.code() for _ in range(8)]

    found = statuses(8, lambda _: sun.redeem(codes.pop()))

    assert found == [200] * 8
    assert sorted(map(str, reasons(sun.database))) == ["None"] + ["replaced"] * 7


# --- refreshing -----------------------------------------------------------------------------------------


def test_a_refresh_token_is_replaced(sun: Company) -> None:
    first = sun.tokens()

    second = sun.refresh(first["refresh_token"]).json
    third = sun.refresh(second["refresh_token"]).json

    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert sun.reads(third["resourceURI"], third["access_token"]) == 200
    assert third["resourceURI"] == first["resourceURI"]
    assert third["scope"] == SCOPE


def test_trap_4_a_replay_kills_the_whole_family(sun: Company) -> None:
    first = sun.tokens()
    second = sun.refresh(first["refresh_token"]).json

    assert error(sun.refresh(first["refresh_token"])) == "invalid_grant"
    assert error(sun.refresh(second["refresh_token"])) == "invalid_grant"
    for each in (first, second):
        assert sun.reads(each["resourceURI"], each["access_token"]) == 401


def test_somebody_else_cannot_kill_a_family(towns: Database, sun: Company) -> None:
    moon = oauth.company(towns, "Moon", app=sun.app)
    first = sun.tokens()
    second = sun.refresh(first["refresh_token"]).json

    assert error(moon.refresh(first["refresh_token"])) == "invalid_grant"
    assert error(moon.refresh(second["refresh_token"])) == "invalid_grant"
    assert sun.refresh(second["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    "scope", [SCOPE, f"{SCOPE};", "HistoryLength=34128000;IntervalDuration=900;FB=15_5_4"]
)
def test_a_refresh_takes_the_granted_scope_however_it_is_written(sun: Company, scope: str) -> None:
    assert sun.refresh(sun.tokens()["refresh_token"], scope=scope).status_code == 200


@pytest.mark.parametrize("scope", ["FB=4_5", "FB=4_5_15", f"openid {SCOPE}", "energy", "FB=4 FB=5", '"'])
@on_one
def test_trap_5_a_refresh_with_another_scope_is_refused_and_costs_nothing(sun: Company, scope: str) -> None:
    token = sun.tokens()["refresh_token"]

    assert error(sun.refresh(token, scope=scope)) == "invalid_scope"
    assert sun.refresh(token).json["scope"] == SCOPE


def test_a_refresh_token_ends_with_the_authorization(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    said = sun.redeem(sun.code(yes={"until": make.NOW + 1000})).json

    freeze(make.NOW + 1000)

    assert error(sun.refresh(said["refresh_token"])) == "invalid_grant"


@pytest.mark.parametrize("token", [None, "", "gbr_nothing"])
def test_no_refresh_token_gives_no_tokens(sun: Company, token: str | None) -> None:
    assert error(sun.token(grant_type="refresh_token", refresh_token=token)) in (
        "invalid_request",
        "invalid_grant",
    )


# --- the retry window of legacy clients -----------------------------------------------------------------


@pytest.fixture
def old(towns: Database) -> Company:
    return oauth.company(towns, policy="legacy", retry_window=30)


def test_a_lost_answer_may_be_asked_for_again(old: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    first = old.tokens()
    lost = old.refresh(first["refresh_token"]).json

    freeze(make.NOW + 29)
    again = old.refresh(first["refresh_token"]).json

    assert old.refresh(again["refresh_token"]).status_code == 200
    assert error(old.refresh(lost["refresh_token"])) == "invalid_grant"


def test_not_after_the_window(old: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    first = old.tokens()
    second = old.refresh(first["refresh_token"]).json

    freeze(make.NOW + 30)

    assert error(old.refresh(first["refresh_token"])) == "invalid_grant"
    assert error(old.refresh(second["refresh_token"])) == "invalid_grant"


def test_not_once_the_successor_was_used_and_never_an_ancestor(old: Company) -> None:
    first = old.tokens()
    second = old.refresh(first["refresh_token"]).json
    third = old.refresh(second["refresh_token"]).json

    assert error(old.refresh(first["refresh_token"])) == "invalid_grant"
    assert error(old.refresh(third["refresh_token"])) == "invalid_grant"


def test_a_window_is_for_legacy_clients_whatever_the_row_says(towns: Database) -> None:
    new = oauth.company(towns)
    oauth.change(new, retry_window=60)
    first = new.tokens()
    new.refresh(first["refresh_token"])

    assert error(new.refresh(first["refresh_token"])) == "invalid_grant"


# --- clients themselves ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [None, "FB=34_35", "FB=3_44;BR=7"])
def test_a_client_gets_a_token_for_itself_under_both_names(sun: Company, scope: str | None) -> None:
    answer = sun.token(grant_type="client_credentials", scope=scope)

    said = answer.json
    assert answer.status_code == 200
    assert said["client_access_token"] == said["access_token"]
    assert said["expires_in"] == 3600
    assert "refresh_token" not in said
    assert sun.reads(said["authorizationURI"], said["access_token"]) == 200


@pytest.mark.parametrize("scope", ["energy", "FB=999", "openid FB=4"])
def test_trap_6_a_client_cannot_ask_for_what_is_not_there(sun: Company, scope: str) -> None:
    assert error(sun.token(grant_type="client_credentials", scope=scope)) == "invalid_scope"


# --- how tokens lie in the database ---------------------------------------------------------------------


def test_trap_13_refresh_tokens_know_their_predecessor_by_its_digest_only(sun: Company) -> None:
    first = sun.tokens()
    second = sun.refresh(first["refresh_token"]).json

    with sun.database.reading() as session:
        row = session.get_one(Token, digest(second["refresh_token"]))
    assert row.predecessor == digest(first["refresh_token"])


def test_errors_of_the_token_endpoint_say_what_would_be_right(sun: Company) -> None:
    code = sun.code()
    answers = {
        "urn:openid:params:grant-type:ciba": sun.token(grant_type="implicit"),
        "letter by letter": sun.redeem(code, redirect_uri="https://sun.example.com/other"),
        "The parameter code is missing.": sun.token(grant_type="authorization_code"),
        "not one of this client's": sun.refresh("gbr_nobodys"),
        "redeemed before": (sun.redeem(code), sun.redeem(code))[1],
    }

    for words, answer in answers.items():
        assert answer.status_code == 400
        assert words in answer.json["error_description"]
