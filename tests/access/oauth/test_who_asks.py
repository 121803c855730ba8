"""How a client shows who it is: one way at a time, one answer to everything that is wrong."""

from __future__ import annotations

import base64
import io
import time
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from espi_server import clock
from espi_server.access import applications
from espi_server.db import Database
from tests import make, oauth
from tests.oauth import Company, basic
from tests.towns import on_one

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ISSUER = "https://data.example.org/north"
CLIENT = {"grant_type": "client_credentials"}

pytestmark = pytest.mark.requirement("FB_31", "FB_13")


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


def unknown(answer: Any) -> None:
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client"), answer.data
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="oauth"'
    assert answer.json["error_description"].startswith("This client is not known here")


# --- Basic ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", [str, quote, quote_plus, lambda text: text.replace("_", "%5F").replace("-", "%2d")]
)
def test_basic_is_taken_raw_or_encoded(sun: Company, written: Any) -> None:
    headers = basic(written(sun.client_id), written(sun.secret))

    assert sun.token(headers, **CLIENT).status_code == 200


def _encoded(raw: bytes) -> str:
    return "Basic " + base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "header",
    [
        "Basic", "Basic ", "Basic !!!", "Basic YQ", _encoded(b"no-colon"), _encoded(b"\xff\xfe:\xff"),
        _encoded("nobody:s€cret".encode()), _encoded(b"a\x00b:c"), _encoded(b":"), "Bearer gba_x", "Digest x", "é",
        "Basic " + "A" * 8000,
    ],
)  # fmt: skip
@on_one
def test_trap_10_strange_bytes_are_an_unknown_client(sun: Company, header: str) -> None:
    unknown(sun.token({"Authorization": header.encode("utf-8").decode("latin-1")}, **CLIENT))


def test_trap_10_a_secret_beyond_ascii_is_a_wrong_one(sun: Company) -> None:
    unknown(sun.token({"Authorization": _encoded(f"{sun.client_id}:gehéim\U0001f600".encode())}, **CLIENT))
    unknown(sun.token({"Authorization": _encoded(f"{sun.client_id}:%ED%A0%80".encode())}, **CLIENT))


def test_trap_11_unknown_client_and_wrong_secret_hear_the_same(sun: Company) -> None:
    one = sun.token(basic("nobody", "x"), **CLIENT)
    other = sun.token(basic(sun.client_id, "x"), **CLIENT)

    assert one.data == other.data
    assert {name: one.headers.get(name) for name in ("WWW-Authenticate", "Cache-Control")} == {
        name: other.headers.get(name) for name in ("WWW-Authenticate", "Cache-Control")
    }


def test_trap_11_unknown_client_and_wrong_secret_cost_the_same_statements(sun: Company) -> None:
    from sqlalchemy import event

    counts = []
    for client_id in ("nobody", sun.client_id):
        seen: list[str] = []

        def note(*arguments: Any, seen: list[str] = seen) -> None:
            seen.append(arguments[2])

        event.listen(sun.database.engine, "before_cursor_execute", note)
        sun.token(basic(client_id, "x"), **CLIENT)
        event.remove(sun.database.engine, "before_cursor_execute", note)
        counts.append(seen)

    assert counts[0] == counts[1]


def test_without_any_way_a_client_is_unknown(sun: Company) -> None:
    unknown(sun.token({}, **CLIENT))
    unknown(sun.token({}, **CLIENT, client_id=sun.client_id))


@pytest.mark.parametrize("status", [1, 3, 4])
def test_a_client_that_is_not_in_production_is_unknown(sun: Company, status: int) -> None:
    make.hold(sun.database, sun.id, status)

    unknown(sun.token(**CLIENT))


def test_a_client_is_unknown_at_another_utility(towns: Database, sun: Company) -> None:
    there = oauth.company(towns, code="south", app=sun.app)

    unknown(there.token(sun.basic, **CLIENT))


# --- two ways at once, and what is said twice -----------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [{"client_id": "x"}, {"client_secret": "x"}, {"client_assertion": "x", "client_assertion_type": TYPE}],
)
def test_trap_12_two_ways_at_once_are_refused(sun: Company, more: dict[str, str]) -> None:
    answer = sun.token(**CLIENT, **more)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_the_own_name_in_the_body_beside_basic_is_refused_too(sun: Company) -> None:
    assert sun.token(**CLIENT, client_id=sun.client_id).status_code == 400


def test_trap_12_parameters_in_the_address_are_refused(sun: Company) -> None:
    for address in ("token?grant_type=client_credentials", "token?x=1"):
        answer = sun.posts(address, CLIENT)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("more", ["grant_type=client_credentials", "x=1&x=2"])
def test_trap_12_what_is_there_twice_is_refused(sun: Company, more: str) -> None:
    answer = sun.posts(
        "token", f"grant_type=client_credentials&{more}", content_type="application/x-www-form-urlencoded"
    )

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_multipart_body_is_taken(sun: Company) -> None:
    assert sun.posts("token", CLIENT, content_type="multipart/form-data").status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/xml"])
def test_other_bodies_are_refused_in_the_form_of_rfc_6749(sun: Company, kind: str) -> None:
    answer = sun.posts("token", b'{"grant_type": "client_credentials"}', content_type=kind)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_body_that_is_too_large_is_refused_in_that_form_too(sun: Company) -> None:
    answer = sun.posts("token", {"grant_type": "x" * 2_000_000})

    assert (answer.status_code, answer.json["error"]) == (413, "invalid_request")
    assert "1048576 bytes" in answer.json["error_description"]


def test_a_body_of_strange_bytes_is_told_as_such_and_not_as_missing_parameters(sun: Company) -> None:
    answer = sun.posts("token", b"grant_type=\xff", content_type="application/x-www-form-urlencoded")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert "UTF-8" in answer.json["error_description"]


def test_control_characters_are_refused(sun: Company) -> None:
    for name in ("grant_type", "code", "refresh_token", "scope"):
        given = {"grant_type": "refresh_token", name: "a\x00b"}
        assert sun.posts("token", given).status_code == 400


def test_files_are_nothing(sun: Company) -> None:
    answer = sun.posts("token", {"grant_type": (io.BytesIO(b"client_credentials"), "x")})

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


# --- secrets in the body --------------------------------------------------------------------------------


def test_a_secret_in_the_body_is_for_legacy_clients(towns: Database, sun: Company) -> None:
    old = oauth.company(towns, "Old", app=sun.app, policy="legacy")

    assert old.token({}, **CLIENT, client_id=old.client_id, client_secret=old.secret).status_code == 200
    unknown(sun.token({}, **CLIENT, client_id=sun.client_id, client_secret=sun.secret))
    unknown(old.token({}, **CLIENT, client_id=old.client_id, client_secret="wrong"))


# --- two secrets ----------------------------------------------------------------------------------------


def test_two_secrets_overlap_while_one_is_replaced(sun: Company, freeze: Any) -> None:
    freeze(clock.seconds())
    now = clock.seconds()
    second = _another(sun, 3600)

    assert sun.token(basic(sun.client_id, second), **CLIENT).status_code == 200
    assert sun.token(**CLIENT).status_code == 200
    freeze(now + 3600)
    assert sun.token(basic(sun.client_id, second), **CLIENT).status_code == 200
    unknown(sun.token(**CLIENT))


def test_a_third_secret_ends_the_first(sun: Company, freeze: Any) -> None:
    now = clock.seconds()
    freeze(now)
    second = _another(sun, 3600)
    freeze(now + 1)
    third = _another(sun, 3600)

    freeze(now + 2)

    unknown(sun.token(**CLIENT))
    assert sun.token(basic(sun.client_id, second), **CLIENT).status_code == 200
    assert sun.token(basic(sun.client_id, third), **CLIENT).status_code == 200


def _another(company: Company, overlap: int) -> str:
    from espi_server.access.models import Application

    with company.database.writing() as session:
        row = session.get_one(Application, company.id)
        return applications.new_secret(session, row, overlap=overlap)


# --- signatures (trap 8) --------------------------------------------------------------------------------

EC = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
OKP = OKPKey.generate_key("Ed25519")
KEYS = {"keys": [key.as_dict(private=False) for key in (EC, RSA, OKP)]}


@pytest.fixture
def strict(towns: Database) -> Company:
    return oauth.company(towns, policy="strict", jwks=KEYS)


def claims(company: Company, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    given = {
        "iss": company.client_id, "sub": company.client_id, "aud": ISSUER, "exp": now + 60, "iat": now,
        "jti": str(time.perf_counter_ns()),
    }  # fmt: skip
    return {name: value for name, value in {**given, **changed}.items() if value is not None}


def signed(said: dict[str, Any], key: Any = EC, algorithm: str = "ES256") -> dict[str, str]:
    assertion = jwt.encode({"alg": algorithm}, said, key, algorithms=[algorithm])
    return {"client_assertion_type": TYPE, "client_assertion": assertion}


@pytest.mark.parametrize(
    ("key", "algorithm"), [(EC, "ES256"), (RSA, "PS256"), (RSA, "RS256"), (OKP, "Ed25519")]
)
def test_trap_8_a_signature_shows_who_asks(strict: Company, key: Any, algorithm: str) -> None:
    answer = strict.token({}, **CLIENT, **signed(claims(strict), key, algorithm))

    assert (answer.status_code, answer.json["expires_in"]) == (200, 900)


def test_trap_8_the_token_endpoint_is_us_too_and_the_own_name_may_stand_in_the_body(strict: Company) -> None:
    note = signed(claims(strict, aud=[f"{ISSUER}/oauth/token"]))

    assert strict.token({}, **CLIENT, **note, client_id=strict.client_id).status_code == 200


NOW = int(time.time())


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://data.example.org/south"},
        {"aud": [ISSUER, "https://evil.example.com"]},
        {"aud": []},
        {"aud": None},
        {"aud": {"a": 1}},
        {"exp": NOW - 1},
        {"exp": NOW + 86_400},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e400},
        {"nbf": NOW + 3600},
        {"iat": NOW + 3600},
        {"iat": "now"},
        {"jti": None},
        {"jti": 7},
        {"jti": ""},
        {"iss": "somebody"},
        {"iss": None},
        {"iss": ["a"]},
        {"sub": "somebody"},
        {"sub": None},
    ],
)
@on_one
def test_trap_8_a_note_that_says_something_else_is_refused(strict: Company, changed: dict[str, Any]) -> None:
    unknown(strict.token({}, **CLIENT, **signed(claims(strict, **changed))))


def test_trap_8_a_note_is_taken_once(strict: Company) -> None:
    note = signed(claims(strict))

    assert strict.token({}, **CLIENT, **note).status_code == 200
    unknown(strict.token({}, **CLIENT, **note))


def test_trap_8_a_key_that_is_not_registered_signs_nothing(strict: Company) -> None:
    unknown(strict.token({}, **CLIENT, **signed(claims(strict), ECKey.generate_key("P-256"))))


def test_trap_8_algorithms_are_ours_to_choose(strict: Company) -> None:
    secret = OctKey.import_key(base64.urlsafe_b64encode(EC.as_pem(private=False)).decode())
    said = claims(strict)
    for note in (
        signed(said, secret, "HS256"),
        {"client_assertion_type": TYPE, "client_assertion": _none(said)},
    ):
        unknown(strict.token({}, **CLIENT, **note))


def _none(said: dict[str, Any]) -> str:
    import json

    parts = [json.dumps({"alg": "none"}), json.dumps(said)]
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("assertion", ["", "x", "a.b.c", "é.é.é", "eyJhbGciOiJFUzI1NiJ9.W10.x"])
def test_trap_8_what_is_no_note_is_an_unknown_client(strict: Company, assertion: str) -> None:
    unknown(strict.token({}, **CLIENT, client_assertion_type=TYPE, client_assertion=assertion))


def test_a_note_of_another_type_is_refused(strict: Company) -> None:
    note = signed(claims(strict)) | {"client_assertion_type": "urn:x"}

    unknown(strict.token({}, **CLIENT, **note))


def test_a_strict_client_has_no_secret(strict: Company) -> None:
    from espi_server.access.models import Application

    with (
        strict.database.writing() as session,
        pytest.raises(applications.BadApplication, match="has keys, no secret"),
    ):
        applications.new_secret(session, session.get_one(Application, strict.id))


def test_a_strict_client_gets_short_tokens(strict: Company) -> None:
    code = strict.code()

    answer = strict.redeem(code, {}, **signed(claims(strict)))

    assert (answer.status_code, answer.json["expires_in"]) == (200, 600)


def test_a_strict_client_may_ask_for_rate_change(strict: Company) -> None:
    assert strict.asks(scope="FB=4;AdditionalScope=RIN_BillComparison_RateChange").status_code == 303


def test_a_standard_client_with_keys_may_sign(towns: Database) -> None:
    company = oauth.company(towns, jwks=KEYS)

    assert company.token({}, **CLIENT, **signed(claims(company))).status_code == 200


def test_parts_without_a_name_say_nothing(sun: Company) -> None:
    part = b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n"
    named = b'--b\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nclient_credentials\r\n'

    answer = sun.posts(
        "token", part + part + named + b"--b--", content_type="multipart/form-data; boundary=b"
    )

    assert answer.status_code == 200
    posted = sun.app.test_client().post(
        "/north/oauth/authorize", data=part + b"--b--", content_type="multipart/form-data; boundary=b"
    )
    assert posted.status_code == 401
