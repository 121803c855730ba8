"""What the authorization endpoint refuses, and where it says so: to the company, or to the person at the browser."""

from __future__ import annotations

import pytest

from espi_server.db import Database
from tests import make, oauth
from tests.oauth import BACK, SCOPE, Company, in_address
from tests.towns import on_one

ISSUER = "https://data.example.org/north"

pytestmark = pytest.mark.requirement("FB_31")


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


def refused(company: Company, **parameters: str | None) -> dict[str, str]:
    """The error that went back to the company, with its state and who we are."""
    answer = company.asks(**parameters)
    assert answer.status_code == 302, (answer.status_code, answer.data)
    assert answer.headers["Location"].startswith(BACK)
    back = in_address(answer.headers["Location"])
    assert back["iss"] == ISSUER  # RFC 9207, also where Authlib forgets it
    assert "code" not in back
    return back


# --- the person at the browser --------------------------------------------------------------------------


@pytest.mark.parametrize("client_id", [None, "", "nobody", "a\x00b", "é"])
@on_one
def test_an_unknown_client_is_a_page_and_no_redirect(sun: Company, client_id: str | None) -> None:
    answer = sun.asks(client_id=client_id)

    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert "Location" not in answer.headers


def test_another_utility_s_client_is_unknown(towns: Database, sun: Company) -> None:
    south = oauth.company(towns, code="south", app=sun.app)

    assert sun.asks(client_id=south.client_id).status_code == 401


@pytest.mark.parametrize("status", [1, 3, 4])
def test_a_client_that_is_not_in_production_is_unknown(sun: Company, status: int) -> None:
    make.hold(sun.database, sun.id, status)

    assert sun.asks().status_code == 401


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/back", f"{BACK}/", f"{BACK}?x=1", f"{BACK}#", BACK.upper(), f"{BACK}%2F",
        "https://sun.example.com/back/../back", "https://sun.example.com:443/back", "", "a\x00b", "javascript:alert(1)",
    ],
)  # fmt: skip
@on_one
def test_an_address_that_is_not_registered_is_a_page_and_no_redirect(sun: Company, address: str) -> None:
    answer = sun.asks(redirect_uri=address)

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "Location" not in answer.headers


def test_two_clients_or_two_addresses_are_a_page(sun: Company) -> None:
    where = f"/north/oauth/authorize?response_type=code&client_id={sun.client_id}&redirect_uri={BACK}&scope={SCOPE}"
    browser = sun.app.test_client()

    assert browser.get(f"{where}&client_id={sun.client_id}").status_code == 401
    assert browser.get(f"{where}&redirect_uri=https://evil.example.com/").status_code == 400


def test_an_unknown_utility_has_no_endpoint(sun: Company) -> None:
    assert sun.app.test_client().get("/nowhere/oauth/authorize").status_code == 404


def test_without_an_address_the_only_registered_one_is_meant(sun: Company) -> None:
    code = sun.code(redirect_uri=None)

    assert sun.redeem(code, redirect_uri=None).status_code == 200


def test_trap_16_without_an_address_nobody_guesses_among_several(sun: Company) -> None:
    oauth.change(sun, redirect_uris=[BACK, "https://sun.example.com/other"])

    assert sun.asks(redirect_uri=None).status_code == 400


def test_trap_16_openid_always_names_its_address(sun: Company) -> None:
    assert sun.asks(redirect_uri=None, scope=f"openid {SCOPE}").status_code == 400


# --- the company ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response_type", "error"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("token", "unsupported_response_type"),
        ("id_token", "unsupported_response_type"),
        ("code token", "unsupported_response_type"),
        ("code id_token token", "unsupported_response_type"),
        ('"\\é', "unsupported_response_type"),
        ("code id_token", "invalid_scope"),  # without openid
    ],
)
@on_one
def test_a_response_type_that_is_not_offered_goes_back(
    sun: Company, response_type: str | None, error: str
) -> None:
    back = refused(sun, response_type=response_type)

    assert (back["error"], back["state"]) == (error, "s-1")


@pytest.mark.parametrize(
    "scope",
    [None, "", "energy", "FB=999", "FB=4_999", "FB=4_5 FB=15", "openid", "openid openid FB=4", "profile FB=4",
     "FB=1_3", "FB=4;FB=5", "FB=x", 'FB="4"', "AdditionalScope=RIN_BillComparison_RateChange;FB=4"],
)  # fmt: skip
@on_one
def test_trap_6_a_scope_that_is_not_on_offer_is_refused_as_a_whole(sun: Company, scope: str | None) -> None:
    assert refused(sun, scope=scope)["error"] == "invalid_scope"


def test_a_scope_that_is_too_long_is_told_so(sun: Company) -> None:
    scope = "FB=4;" + ";".join(f"Term{number}={'x' * 20}" for number in range(10))

    back = refused(sun, scope=scope)

    assert back["error"] == "invalid_scope"
    assert "256" in back["error_description"]


def test_more_than_the_application_registered_is_refused(sun: Company) -> None:
    oauth.change(sun, scope="FB=4_5;IntervalDuration=3600")

    assert refused(sun, scope="FB=4_5_15;IntervalDuration=3600")["error"] == "invalid_scope"
    assert refused(sun, scope="FB=4_5;IntervalDuration=900")["error"] == "invalid_scope"
    assert sun.asks(scope="FB=4;IntervalDuration=3600").status_code == 303


@pytest.mark.parametrize(
    "name", ["response_type", "scope", "state", "code_challenge", "nonce", "code_challenge_method"]
)
@on_one
def test_trap_12_a_parameter_that_is_there_twice_is_refused(sun: Company, name: str) -> None:
    given = {
        "response_type": "code", "client_id": sun.client_id, "redirect_uri": BACK, "scope": SCOPE, "state": "s-1",
        "nonce": "n", **sun.pkce[1],
    }  # fmt: skip

    answer = sun.app.test_client().get(
        "/north/oauth/authorize", query_string=[*given.items(), (name, given[name])]
    )

    assert in_address(answer.headers["Location"])["error"] == "invalid_request"


def test_trap_1_without_a_challenge_a_standard_client_is_refused_before_anybody_signs_in(
    sun: Company,
) -> None:
    back = refused(sun, code_challenge=None, code_challenge_method=None)

    assert (back["error"], "code_challenge" in back["error_description"]) == ("invalid_request", True)


@pytest.mark.parametrize(
    ("challenge", "method"),
    [
        ("A" * 43, "plain"), ("A" * 43, None), (None, "S256"), ("A" * 43 + "\n", "S256"), ("A" * 42, "S256"),
        ("é" * 43, "S256"),
    ],
)  # fmt: skip
@on_one
def test_trap_2_only_s256_and_only_whole_challenges(
    sun: Company, challenge: str | None, method: str | None
) -> None:
    back = refused(sun, code_challenge=challenge, code_challenge_method=method)

    assert back["error"] == "invalid_request"


def test_trap_1_a_legacy_client_needs_none_but_what_it_began_is_enforced(towns: Database) -> None:
    old = oauth.company(towns, policy="legacy")

    without = old.code(code_challenge=None, code_challenge_method=None, state=None)
    begun = old.code()

    assert old.redeem(without, code_verifier=None).status_code == 200
    assert old.redeem(begun, code_verifier=None).status_code == 400
    assert refused(old, code_challenge="A" * 43, code_challenge_method="plain")["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://sun.example.com/request"}, "request_uri_not_supported"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "9" * 5000}, "invalid_request"),
        ({"nonce": "n" * 257}, "invalid_request"),
        ({"state": "a\x00b"}, "invalid_request"),
        ({"state": "s" * 9000}, "invalid_request"),
    ],
)
@on_one
def test_what_is_not_understood_goes_back(sun: Company, parameters: dict[str, str], error: str) -> None:
    assert refused(sun, **parameters)["error"] == error


def test_trap_7_an_error_after_a_post_carries_state_and_issuer_too(sun: Company) -> None:
    answer = sun.asks("POST", scope="energy")

    back = in_address(answer.headers["Location"])
    assert answer.status_code == 303  # so that no browser posts it on
    assert (back["error"], back["state"], back["iss"]) == ("invalid_scope", "s-1", ISSUER)


def test_what_an_address_holds_already_stays(sun: Company) -> None:
    address = "https://sun.example.com/back?tenant=a%20b"
    oauth.change(sun, redirect_uris=[address])

    answer = sun.asks(redirect_uri=address, scope="energy")

    assert answer.headers["Location"].startswith(f"{address}&error=")


def test_unknown_parameters_mean_nothing(sun: Company) -> None:
    assert sun.asks(audience="me", claims="{}", DataCustodianID="north").status_code == 303


@pytest.mark.parametrize("policy", ["legacy", "standard"])
def test_rate_change_is_for_strict_clients(towns: Database, policy: str) -> None:
    company = oauth.company(towns, policy=policy)

    back = refused(company, scope="FB=4;AdditionalScope=RIN_BillComparison_RateChange")

    assert back["error"] == "invalid_scope"
