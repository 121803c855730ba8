"""Giving back, asking about, pushing, and what the server says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from espi_server.access.models import Authorization
from espi_server.db import Database
from tests import make, oauth
from tests.oauth import BACK, SCOPE, Company, in_address
from tests.towns import on_one

ISSUER = "https://data.example.org/north"


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


@pytest.fixture
def moon(towns: Database, sun: Company) -> Company:
    return oauth.company(towns, "Moon", app=sun.app)


# --- giving back (RFC 7009) -----------------------------------------------------------------------------


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "id_token"])
def test_giving_a_refresh_token_back_ends_the_authorization(sun: Company, hint: str | None) -> None:
    said = sun.tokens()

    answer = sun.posts(
        "revoke", {"token": said["refresh_token"], **({"token_type_hint": hint} if hint else {})}
    )

    assert answer.status_code == 200
    assert sun.reads(said["resourceURI"], said["access_token"]) == 401
    with sun.database.reading() as session:
        assert session.query(Authorization).one().ended_reason == "given back"


def test_giving_an_access_token_back_ends_it_alone(sun: Company) -> None:
    said = sun.tokens()

    assert sun.posts("revoke", {"token": said["access_token"]}).status_code == 200

    assert sun.reads(said["resourceURI"], said["access_token"]) == 401
    assert sun.refresh(said["refresh_token"]).status_code == 200


def test_a_client_token_can_be_given_back(sun: Company) -> None:
    said = sun.token(grant_type="client_credentials").json

    sun.posts("revoke", {"token": said["access_token"]})

    assert sun.reads(said["authorizationURI"], said["access_token"]) == 401


def test_nobody_gives_back_what_is_another_s(sun: Company, moon: Company) -> None:
    said = sun.tokens()

    answer = moon.posts("revoke", {"token": said["refresh_token"]})

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert sun.reads(said["resourceURI"], said["access_token"]) == 200


def test_what_is_no_token_is_given_back_already(sun: Company) -> None:
    assert sun.posts("revoke", {"token": "gba_nothing"}).status_code == 200
    assert sun.posts("revoke", {}).json["error"] == "invalid_request"


@pytest.mark.parametrize("endpoint", ["revoke", "introspect", "par"])
def test_trap_12_and_13_every_endpoint_for_machines_asks_who_it_is_and_once(
    sun: Company, endpoint: str
) -> None:
    assert sun.posts(endpoint, {"token": "x"}, {}).status_code == 401
    assert sun.posts(endpoint, {"token": "x", "client_secret": "x"}).status_code == 400
    assert sun.posts(f"{endpoint}?token=x", {"token": "x"}).status_code == 400
    assert (
        sun.posts(endpoint, "token=x&token=y", content_type="application/x-www-form-urlencoded").status_code
        == 400
    )


# --- asking about (RFC 7662) ----------------------------------------------------------------------------


def test_a_client_learns_of_its_own_tokens(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    said = sun.tokens()

    access = sun.posts("introspect", {"token": said["access_token"]}).json
    refresh = sun.posts("introspect", {"token": said["refresh_token"]}).json

    assert access == {
        "active": True, "client_id": sun.client_id, "token_type": "Bearer", "scope": SCOPE, "iss": ISSUER,
        "iat": make.NOW, "exp": make.NOW + 3600,
    }  # fmt: skip
    assert refresh["active"] is True


def test_another_s_token_is_as_unknown_as_any(sun: Company, moon: Company) -> None:
    token = sun.tokens()["access_token"]

    assert moon.posts("introspect", {"token": token}).json == {"active": False}
    assert moon.posts("introspect", {"token": "gba_x"}).json == {"active": False}


def test_what_the_guard_refuses_is_not_active(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    used, ended, late = sun.tokens()["refresh_token"], sun.tokens(), sun.tokens()
    refreshed = sun.refresh(late["refresh_token"]).json

    freeze(make.NOW + 3600)

    for token in (used, ended["access_token"], late["access_token"], late["refresh_token"]):
        assert sun.posts("introspect", {"token": token}).json == {"active": False}
    assert sun.posts("introspect", {"token": refreshed["refresh_token"]}).json["active"] is True


# --- pushing (RFC 9126) ---------------------------------------------------------------------------------


def pushed(company: Company, **more: str) -> Any:
    given = {
        "response_type": "code", "redirect_uri": BACK, "scope": SCOPE, "state": "s-9", **company.pkce[1], **more,
    }  # fmt: skip
    return company.posts("par", given)


def test_a_pushed_request_is_named_by_the_browser_once(sun: Company) -> None:
    answer = pushed(sun, client_id=sun.client_id)
    handle = answer.json["request_uri"]
    where = {"client_id": sun.client_id, "request_uri": handle}

    first = sun.app.test_client().get("/north/oauth/authorize", query_string=where | {"scope": "FB=1"})
    second = sun.app.test_client().get("/north/oauth/authorize", query_string=where)

    assert (answer.status_code, answer.json["expires_in"]) == (201, 60)
    assert first.status_code == 303
    assert second.status_code == 400
    back = in_address(oauth.agree(sun.database, in_address(first.headers["Location"])["request"]))
    assert back["state"] == "s-9"
    assert sun.redeem(back["code"]).json["scope"] == SCOPE


def test_a_pushed_request_is_good_for_a_minute_and_for_its_company(
    sun: Company, moon: Company, freeze: Callable[[int], None]
) -> None:
    freeze(make.NOW)
    handle = pushed(sun).json["request_uri"]
    browser = sun.app.test_client()

    other = browser.get(
        "/north/oauth/authorize", query_string={"client_id": moon.client_id, "request_uri": handle}
    )
    freeze(make.NOW + 60)
    late = browser.get(
        "/north/oauth/authorize", query_string={"client_id": sun.client_id, "request_uri": handle}
    )

    assert (other.status_code, late.status_code) == (400, 400)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"scope": "energy"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"redirect_uri": "https://evil.example.com/"}, "invalid_request"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
@on_one
def test_a_pushed_request_that_cannot_be_taken_is_told_at_once(
    sun: Company, more: dict[str, str], error: str
) -> None:
    answer = pushed(sun, **more)

    assert (answer.status_code, answer.json["error"]) == (400, error)


def test_a_company_pushes_in_its_own_name(sun: Company, moon: Company) -> None:
    assert pushed(sun, client_id=moon.client_id).status_code == 401


# --- what the server says of itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server/north", "/north/.well-known/oauth-authorization-server",
        "/north/.well-known/openid-configuration",
    ],
)  # fmt: skip
def test_what_is_said_is_what_is_there(sun: Company, path: str) -> None:
    answer = sun.app.test_client().get(path)

    said = answer.json
    assert said["issuer"] == ISSUER
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    routes = sun.app.url_map.bind("data.example.org")
    for name in said:
        if name.endswith("_endpoint") or name == "jwks_uri":
            method = "GET" if name in ("authorization_endpoint", "jwks_uri", "userinfo_endpoint") else "POST"
            assert routes.match(said[name].removeprefix("https://data.example.org"), method=method)
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert "self_signed_tls_client_auth" not in said["token_endpoint_auth_methods_supported"]
    assert "none" not in str(said)


def test_it_follows_the_settings_and_the_utility_s_own_address(towns: Database) -> None:
    from espi_server.accounts.models import Utility

    make.change(towns, Utility, Utility.code == "north", base_url="https://data.north.example")
    app = oauth.app(towns, proxies=1, certificate_header="X-Client-Certificate")

    said = app.test_client().get("/north/.well-known/oauth-authorization-server").json

    assert said["issuer"] == "https://data.north.example"
    assert "self_signed_tls_client_auth" in said["token_endpoint_auth_methods_supported"]
    assert said["tls_client_certificate_bound_access_tokens"] is True


def test_an_unknown_utility_says_nothing(sun: Company) -> None:
    for path in ("/.well-known/oauth-authorization-server/nowhere", "/nowhere/oauth/jwks"):
        answer = sun.app.test_client().get(path)
        assert (answer.status_code, answer.json["error"]) == (404, "invalid_request")
