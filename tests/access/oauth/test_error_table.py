"""What certification tests send wrong, row by row, and what real clients send right, against the running application.

The rows are those of the standard's test plans (FB_31, FB_14): a request, its defect, the answer they look for.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.db import Database
from tests import oauth
from tests.oauth import BACK, SCOPE, Company, in_address

pytestmark = pytest.mark.requirement("FB_14", "FB_31")


@pytest.fixture(scope="module")
def sun(shared_towns: Database) -> Company:
    """A third party of the first decade, as certification's are: without PKCE."""
    company = oauth.company(shared_towns, policy="legacy")
    company.pkce = ("", {})
    return company


# --- authorize --------------------------------------------------------------------------------------------

BACK_WITH_AN_ERROR = {
    "response_type missing": ({"response_type": None}, "invalid_request"),
    "response_type empty": ({"response_type": ""}, "invalid_request"),
    "response_type token": ({"response_type": "token"}, "unsupported_response_type"),
    "response_type of several": ({"response_type": "code token"}, "unsupported_response_type"),
    "response_type unknown": ({"response_type": "nonsense"}, "unsupported_response_type"),
    "scope missing": ({"scope": None}, "invalid_scope"),
    "scope empty": ({"scope": ""}, "invalid_scope"),
    "scope unreadable": ({"scope": "nonsense"}, "invalid_scope"),
    "scope of a block that is not there": ({"scope": "FB=4_5_999"}, "invalid_scope"),
    "scope that opens nothing": ({"scope": "HistoryLength=3600"}, "invalid_scope"),
}


@pytest.mark.parametrize("row", BACK_WITH_AN_ERROR)
def test_authorize_sends_the_browser_back_with_an_error(sun: Company, row: str) -> None:
    defect, error = BACK_WITH_AN_ERROR[row]

    answer = sun.asks(**defect)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(BACK + "?")
    told = in_address(answer.headers["Location"])
    assert (told["error"], told["state"]) == (error, "s-1")


STAYS_HERE = {
    "client_id missing": ({"client_id": None}, {401}),
    "client_id empty": ({"client_id": ""}, {401}),
    "client_id unknown": ({"client_id": "nobody"}, {401}),
    "redirect_uri not registered": ({"redirect_uri": "https://elsewhere.example.com/back"}, {400, 403}),
    "redirect_uri longer than registered": ({"redirect_uri": f"{BACK}/more"}, {400, 403}),
    "redirect_uri with another query": ({"redirect_uri": f"{BACK}?a=b"}, {400, 403}),
    "redirect_uri empty": ({"redirect_uri": ""}, {400, 403}),
}


@pytest.mark.parametrize("row", STAYS_HERE)
def test_authorize_keeps_the_browser_where_nobody_is_known(sun: Company, row: str) -> None:
    defect, expected = STAYS_HERE[row]

    answer = sun.asks(**defect)

    assert answer.status_code in expected
    assert "Location" not in answer.headers
    assert answer.mimetype == "text/html"


def test_authorize_tells_that_the_customer_declines(sun: Company) -> None:
    told = in_address(oauth.decline(sun.database, sun.secret_of_request()))

    assert (told["error"], told["state"]) == ("access_denied", "s-1")


# --- token: who asks --------------------------------------------------------------------------------------


def encoded(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


NOBODY: dict[str, Callable[[Company], dict[str, str]]] = {
    "no Authorization": lambda _: {},
    "Authorization empty": lambda _: {"Authorization": ""},
    "of another scheme": lambda sun: {"Authorization": f"Bearer {sun.secret}"},
    "not base64": lambda _: {"Authorization": "Basic ???"},
    "without a colon": lambda sun: {"Authorization": encoded(sun.client_id)},
    "with another secret": lambda sun: oauth.basic(sun.client_id, "wrong"),
    "with another client": lambda sun: oauth.basic("nobody", sun.secret),
    "without a secret": lambda sun: oauth.basic(sun.client_id, ""),
}


@pytest.mark.parametrize("row", NOBODY)
def test_token_knows_nobody_without_the_right_header(sun: Company, row: str) -> None:
    answer = sun.redeem("gbx_any", NOBODY[row](sun), code_verifier=None)

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_token_takes_one_way_of_showing_who_asks(sun: Company) -> None:
    for more in ({"client_id": sun.client_id}, {"client_id": sun.client_id, "client_secret": sun.secret}):
        answer = sun.token(grant_type="client_credentials", **more)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_token_is_posted(sun: Company, method: str) -> None:
    answer = sun.app.test_client().open("/north/oauth/token", method=method, headers=sun.basic)

    assert answer.status_code == 405


# --- token: what is asked ---------------------------------------------------------------------------------

OF_A_CODE: dict[str, tuple[dict[str, str | None], str]] = {
    "grant_type missing": ({"grant_type": None}, "invalid_request"),
    "grant_type empty": ({"grant_type": ""}, "invalid_request"),
    "grant_type unknown": ({"grant_type": "nonsense"}, "unsupported_grant_type"),
    "grant_type password": ({"grant_type": "password"}, "unsupported_grant_type"),
    "grant_type implicit": ({"grant_type": "implicit"}, "unsupported_grant_type"),
    "grant_type of another case": ({"grant_type": "Authorization_Code"}, "unsupported_grant_type"),
    "code missing": ({"code": None}, "invalid_request"),
    "code empty": ({"code": ""}, "invalid_grant"),
    "code unknown": ({"code": "gbx_nobodys"}, "invalid_grant"),
    "redirect_uri missing": ({"redirect_uri": None}, "invalid_grant"),
    "redirect_uri empty": ({"redirect_uri": ""}, "invalid_grant"),
    "redirect_uri different": ({"redirect_uri": "https://elsewhere.example.com/"}, "invalid_grant"),
    "redirect_uri with a slash more": ({"redirect_uri": f"{BACK}/"}, "invalid_grant"),
}


@pytest.fixture(scope="module")
def code(sun: Company) -> str:
    """A code that no defect uses up."""
    return sun.code()


@pytest.mark.parametrize("row", OF_A_CODE)
def test_token_refuses_a_code_that_comes_with_a_defect(sun: Company, code: str, row: str) -> None:
    defect, error = OF_A_CODE[row]

    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **defect}
    answer = sun.token(**given)

    assert (answer.status_code, answer.json["error"]) == (400, error), answer.data
    assert answer.headers["Cache-Control"] == "no-store"


def test_token_takes_a_code_once(sun: Company) -> None:
    code = sun.code()

    first, again = (sun.redeem(code, code_verifier=None) for _ in range(2))

    assert (first.status_code, again.status_code, again.json["error"]) == (200, 400, "invalid_grant")


def test_token_refuses_a_code_that_is_six_minutes_old(sun: Company, freeze: Callable[[int], None]) -> None:
    code, now = sun.code(), clock.seconds()

    freeze(now + 360)
    answer = sun.redeem(code, code_verifier=None)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


OF_A_REFRESH: dict[str, tuple[dict[str, str | None], str]] = {
    "refresh_token missing": ({"refresh_token": None}, "invalid_request"),
    "refresh_token empty": ({"refresh_token": ""}, "invalid_grant"),
    "refresh_token wrong": ({"refresh_token": "gbr_nobodys"}, "invalid_grant"),
    "scope narrower": ({"scope": "FB=4_5"}, "invalid_scope"),
    "scope wider": ({"scope": "FB=4_5_15_16"}, "invalid_scope"),
    "scope unreadable": ({"scope": "nonsense"}, "invalid_scope"),
}


@pytest.fixture(scope="module")
def granted(shared_towns: Database, sun: Company) -> dict[str, Any]:
    """Tokens of another customer's yes."""
    answer = sun.redeem(sun.code(yes={"customer": "C-2", "points": ("103",)}), code_verifier=None)
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize("row", OF_A_REFRESH)
def test_token_refuses_a_refresh_with_a_defect(sun: Company, granted: dict[str, Any], row: str) -> None:
    defect, error = OF_A_REFRESH[row]
    given = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"], **defect}

    answer = sun.token(**given)

    assert (answer.status_code, answer.json["error"]) == (400, error), answer.data


# --- what real clients send, and must get -----------------------------------------------------------------


def of_a_client(sun: Company, headers: dict[str, str], **more: Any) -> TestResponse:
    return sun.posts("token", {"grant_type": "client_credentials"}, headers, **more)


BODIES = {
    "urlencoded": "application/x-www-form-urlencoded",
    "urlencoded with a charset": "application/x-www-form-urlencoded; charset=UTF-8",
    "multipart": "multipart/form-data",
}


@pytest.mark.parametrize("row", BODIES)
def test_bodies_come_in_either_form(sun: Company, row: str) -> None:
    assert of_a_client(sun, sun.basic, content_type=BODIES[row]).status_code == 200


CREDENTIALS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "URL-encoded": quote_plus,
    "every letter encoded": lambda text: "".join(f"%{ord(each):02X}" for each in text),
    "encoded as a path": lambda text: quote(text, safe=""),
}


@pytest.mark.parametrize("row", CREDENTIALS)
@pytest.mark.parametrize("scheme", ["Basic", "basic"])
def test_credentials_come_raw_or_encoded(sun: Company, row: str, scheme: str) -> None:
    write = CREDENTIALS[row]
    header = oauth.basic(write(sun.client_id), write(sun.secret))["Authorization"].replace("Basic", scheme)

    assert of_a_client(sun, {"Authorization": header}).status_code == 200


def test_a_refresh_comes_with_the_scope_or_without_and_answers_all_that_espi_wants(sun: Company) -> None:
    said = sun.redeem(sun.code(), code_verifier=None).json

    for more in ({}, {"scope": SCOPE}, {"scope": said["scope"]}):
        answer = sun.refresh(said["refresh_token"], **more)
        assert answer.status_code == 200, answer.data
        assert answer.json["refresh_token"] != said["refresh_token"]
        said = answer.json
        assert (said["token_type"], type(said["expires_in"])) == ("Bearer", int)
        assert said["resourceURI"].startswith(
            "https://data.example.org/north/espi/1_1/resource/Batch/Subscription/"
        )
        assert "/Authorization/" in said["authorizationURI"]
        assert said["customerResourceURI"] == ""


def test_a_new_token_before_every_call_is_given(sun: Company) -> None:
    found = [of_a_client(sun, sun.basic).json for _ in range(20)]

    assert len({each["access_token"] for each in found}) == 20
    for each in found:
        assert each["client_access_token"] == each["access_token"]
        assert sun.reads(each["authorizationURI"], each["access_token"]) == 200


WINDOWS = {
    "Z": "2026-03-01T00:00:00Z",
    "an offset": "2026-03-01T00:00:00-08:00",
    "fractions": "2026-03-01T00:00:00.000Z",
    "fractions and an offset": "2026-03-01T00:00:00.5+00:00",
    "a blank where a plus was not encoded": "2026-03-01T00:00:00 00:00",
    "a moment to come": "2099-01-01T00:00:00Z",
}


@pytest.mark.parametrize("row", WINDOWS)
@pytest.mark.parametrize("name", ["published-max", "updated-max"])
def test_dates_come_as_clients_write_them(sun: Company, granted: dict[str, Any], row: str, name: str) -> None:
    answer = sun.app.test_client().get(
        granted["resourceURI"], query_string={name: WINDOWS[row]}, buffered=True,
        headers={"Authorization": f"Bearer {granted['access_token']}"},
    )  # fmt: skip

    assert answer.status_code == 200, answer.data


@pytest.mark.parametrize("kind", ["UsageSummary", "ElectricPowerUsageSummary"])
def test_summaries_answer_to_both_names(sun: Company, granted: dict[str, Any], kind: str) -> None:
    point = oauth.make.point_id(sun.database, "103")
    subscription = granted["resourceURI"].replace("/Batch/Subscription/", "/Subscription/")

    assert sun.reads(f"{subscription}/UsagePoint/{point}/{kind}", granted["access_token"]) == 200


def test_the_collection_of_usage_points_and_an_empty_selection_answer(
    sun: Company, granted: dict[str, Any]
) -> None:
    subscription = granted["resourceURI"].replace("/Batch/Subscription/", "/Subscription/")
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    client = sun.app.test_client()

    listed = client.get(f"{subscription}/UsagePoint", headers=headers, buffered=True)
    empty = client.get(
        granted["resourceURI"],
        headers=headers,
        buffered=True,
        query_string={"published-max": "1990-01-01T00:00:00Z"},
    )

    assert (listed.status_code, listed.data.count(b"<entry")) == (200, 1)
    assert (empty.status_code, empty.data.count(b"<entry")) == (200, 0)
