"""Who the customer is, signed: true about when she signed in, and checkable by anybody who reads our keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from espi_server.access import keys
from espi_server.accounts import utilities
from espi_server.cli import main
from espi_server.db import Database
from espi_server.errors import Internal
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make, oauth
from tests.oauth import BACK, SCOPE, Company, in_address

ISSUER = "https://data.example.org/north"
OPENID = f"openid {SCOPE}"


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


def key_set(company: Company) -> Any:
    answer = company.app.test_client().get("/north/oauth/jwks")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return answer.json


def read(company: Company, token: str) -> dict[str, Any]:
    """What is signed, checked with what we publish."""
    keys = KeySet.import_key_set(key_set(company))
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


def test_trap_14_the_note_is_true_about_the_sign_in(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    code = sun.code(scope=OPENID, nonce="n-1", yes={"at": make.NOW - 500})
    freeze(make.NOW + 30)

    said = sun.redeem(code).json
    note = read(sun, said["id_token"])

    assert said["scope"] == OPENID
    assert (note["iss"], note["aud"], note["nonce"]) == (ISSUER, sun.client_id, "n-1")
    assert (note["auth_time"], note["amr"]) == (make.NOW - 500, ["pwd", "otp"])
    assert (note["iat"], note["exp"]) == (make.NOW + 30, make.NOW + 630)
    assert note["at_hash"]


def test_without_openid_there_is_no_note(sun: Company) -> None:
    assert "id_token" not in sun.tokens(nonce="n-1")


def test_a_customer_has_another_name_for_every_application(towns: Database, sun: Company) -> None:
    moon = oauth.company(towns, "Moon", app=sun.app)

    names = [read(each, each.tokens(scope=OPENID)["id_token"])["sub"] for each in (sun, sun, moon)]

    assert names[0] == names[1] != names[2]
    assert str(make.customer_id(towns, "C-1")) not in names


def test_trap_15_the_algorithm_is_never_the_client_s_choice(sun: Company) -> None:
    oauth.change(sun, information={"id_token_signed_response_alg": "none"})

    token = sun.tokens(scope=OPENID)["id_token"]

    assert jws.extract_compact(token.encode()).headers()["alg"] == "ES256"


def test_userinfo_tells_the_same_name(sun: Company) -> None:
    said = sun.tokens(scope=OPENID)
    client = sun.app.test_client()
    headers = {"Authorization": f"Bearer {said['access_token']}"}

    for ask in (client.get, client.post):
        answer = ask("/north/oauth/userinfo", headers=headers)
        assert answer.json == {"sub": read(sun, said["id_token"])["sub"]}
        assert answer.headers["Cache-Control"] == "no-store"


def test_userinfo_is_for_tokens_with_openid(sun: Company) -> None:
    client, plain = sun.app.test_client(), sun.tokens()["access_token"]

    closed = client.get("/north/oauth/userinfo", headers={"Authorization": f"Bearer {plain}"})
    nobody = client.get("/north/oauth/userinfo")

    assert (closed.status_code, closed.json["error"]) == (403, "insufficient_scope")
    assert (nobody.status_code, nobody.json["error"]) == (401, "invalid_token")
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_refresh_keeps_openid(sun: Company) -> None:
    said = sun.refresh(sun.tokens(scope=OPENID)["refresh_token"], scope=OPENID).json

    assert said["scope"] == OPENID
    answer = sun.app.test_client().get(
        "/north/oauth/userinfo", headers={"Authorization": f"Bearer {said['access_token']}"}
    )
    assert answer.status_code == 200


# --- code and note at once ------------------------------------------------------------------------------


def test_code_and_note_come_behind_the_hash(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    secret = sun.secret_of_request(response_type="id_token code", scope=OPENID, nonce="n-2")
    address = oauth.agree(sun.database, secret, at=make.NOW - 99)
    back = in_address(address)

    note = read(sun, back["id_token"])

    assert address.startswith(f"{BACK}#")
    assert set(back) == {"code", "id_token", "state", "iss"}
    assert (note["nonce"], note["auth_time"]) == ("n-2", make.NOW - 99)
    assert note["c_hash"]
    assert sun.redeem(back["code"]).status_code == 200


def test_code_and_note_need_a_nonce_and_say_so_behind_the_hash(sun: Company) -> None:
    answer = sun.asks(response_type="code id_token", scope=OPENID)

    location = answer.headers["Location"]
    assert location.startswith(f"{BACK}#")
    assert in_address(location)["error"] == "invalid_request"
    assert in_address(location)["iss"] == ISSUER


def test_a_no_comes_behind_the_hash_too(sun: Company) -> None:
    secret = sun.secret_of_request(response_type="code id_token", scope=OPENID, nonce="n-3")

    assert oauth.decline(sun.database, secret).startswith(f"{BACK}#error=access_denied")


@pytest.mark.parametrize("policy", ["legacy"])
def test_a_nonce_is_asked_for_by_policy(towns: Database, policy: str) -> None:
    company = oauth.company(towns, policy=policy)

    back = in_address(company.asks(scope=OPENID).headers["Location"])

    assert (back["error"], "nonce" in back["error_description"]) == ("invalid_request", True)


# --- keys -----------------------------------------------------------------------------------------------


def test_a_key_is_published_before_it_signs_and_after_it_has(sun: Company) -> None:
    before = sun.tokens(scope=OPENID)["id_token"]
    published = {each["kid"] for each in key_set(sun)["keys"]}

    _rotate(sun.database)
    after = sun.tokens(scope=OPENID)["id_token"]

    assert len(published) == 2
    assert _kid(after) in published - {_kid(before)}
    assert len(key_set(sun)["keys"]) == 3
    assert read(sun, before)["iss"] == read(sun, after)["iss"]


def test_a_retired_key_leaves_after_a_month(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    first = _kid(sun.tokens(scope=OPENID)["id_token"])
    _rotate(sun.database)

    freeze(make.NOW + keys.PUBLISHED)

    assert first not in {each["kid"] for each in key_set(sun)["keys"]}


def test_published_keys_are_public_and_one_utility_s_own(sun: Company) -> None:
    north = key_set(sun)["keys"]
    south = sun.app.test_client().get("/south/oauth/jwks").json["keys"]

    assert all(set(each) == {"kty", "crv", "x", "y", "use", "alg", "kid"} for each in north)
    assert {each["kid"] for each in north}.isdisjoint(each["kid"] for each in south)


def test_private_keys_are_wrapped_and_need_the_installation_s_secret(sun: Company) -> None:
    key_set(sun)

    with sun.database.reading() as session:
        utility = utilities.find(session, "north")
        rows = keys.every(session, utility.id)
        assert keys.active(session, utility.id, DEVELOPMENT_SECRET).is_private
        assert all(b'"d"' not in row.private for row in rows)
    other = "another secret of thirty-two letters"
    thief = Database(sun.database.engine.url.render_as_string(hide_password=False), secret=other)
    with thief.reading() as session, pytest.raises(Internal, match="ESPI_SECRET_KEY"):
        keys.active(session, utility.id, other)
    thief.close()


def test_after_a_change_of_the_secret_two_rotations_help(sun: Company) -> None:
    key_set(sun)
    new = "another secret of thirty-two letters"

    with sun.database.writing() as session:
        utility = utilities.find(session, "north")
        for _ in range(2):
            keys.rotate(session, utility.id, new)

        assert keys.active(session, utility.id, new).is_private
        assert len(keys.published(session, utility.id)) == 4


def test_without_a_secret_there_are_no_keys(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    make.utility(database, "north")

    with database.writing() as session, pytest.raises(keys.NoSecret, match="ESPI_SECRET_KEY"):
        keys.ensure(session, utilities.find(session, "north").id, "")
    database.close()


def test_the_command_rotates(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    make.utility(database, "north")
    environment = {"ESPI_MODE": "development", "ESPI_DATABASE_URL": sqlite_url, "ESPI_SECRET_KEY": "s" * 40}

    first = CliRunner().invoke(main, ["keys", "rotate", "--utility", "north"], env=environment)
    second = CliRunner().invoke(main, ["keys", "rotate", "--utility", "north"], env=environment)
    listed = CliRunner().invoke(main, ["keys", "list", "--utility", "north"], env=environment)

    assert first.output.endswith(" signs from now on.\n")
    assert first.output != second.output
    assert [line.split()[-1] for line in listed.output.splitlines()].count("active") == 1
    database.close()


def _rotate(database: Database) -> None:
    with database.writing() as session:
        keys.rotate(session, utilities.find(session, "north").id, DEVELOPMENT_SECRET)


def _kid(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])
