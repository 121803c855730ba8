"""A company registers its application itself, and manages what it registered (RFC 7591, RFC 7592; FB_36)."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from authlib.oauth2 import OAuth2Error
from click.testing import CliRunner
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.access import admission, applications
from espi_server.access.admission import Admitted, Invitation
from espi_server.access.models import Application, Asp, Authorization
from espi_server.access.oauth import client_metadata
from espi_server.access.opening import PRODUCTION
from espi_server.accounts import utilities
from espi_server.adapters.reach import Reach
from espi_server.cli import main
from espi_server.db import Database
from espi_server.settings import BadSetting
from tests import make, oauth
from tests.copies import KINDS, Copies
from tests.oauth import BACK, Company
from tests.towns import build

AUTHORITY = "https://authority.example.gov"
NORTH = "https://data.example.org/north"
KEY = ECKey.generate_key("P-256")
OWN = ECKey.generate_key("P-256")
NOTIFY = "https://sun.example.com/espi"
_NUMBERS = iter(range(1, 10_000))
STATED: dict[str, Any] = {"client_name": "Sun", "redirect_uris": [BACK]}

pytestmark = pytest.mark.requirement("FB_36", "FB_41")


@dataclass
class House:
    """An installation that believes the authority, with a database for the whole module."""

    database: Database
    app: Flask
    names: Iterator[str] = field(default_factory=lambda: (f"Sun {number}" for number in range(10_000)))

    def invite(self, company: str = "Sun", code: str = "north", **more: Any) -> str:
        with self.database.writing() as session:
            return admission.invite(session, utilities.find(session, code), company, by="a test", **more)

    def sends(
        self, given: Any, token: str | None = None, method: str = "POST", path: str = "/north/oauth/register"
    ) -> TestResponse:
        # Each from an address of its own, so that what one test fails holds no other up.
        here = {"REMOTE_ADDR": f"2001:db8:{next(_NUMBERS):x}::1"}
        return self.app.test_client().open(
            path, method=method, json=given, headers=bearer(token), environ_base=here
        )

    def registers(self, token: str | None = None, **given: Any) -> TestResponse:
        said = {**STATED, "client_name": next(self.names), **given}
        return self.sends({name: value for name, value in said.items() if value is not None}, token)

    def registered(self, **given: Any) -> Registered:
        answer = self.registers(self.invite(), **given)
        assert answer.status_code == 201, answer.data
        return Registered(self, answer.json)

    def count(self, row: Any) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(row)) or 0


@dataclass
class Registered:
    """What was told at registration; `token` is the one it is managed with now."""

    house: House
    said: dict[str, Any]

    @property
    def token(self) -> str:
        return str(self.said["registration_access_token"])

    @property
    def path(self) -> str:
        return urlsplit(self.said["registration_client_uri"]).path

    def looks(self, token: str | None = None) -> TestResponse:
        return self.house.sends(None, token or self.token, "GET", self.path)

    def restates(self, token: str | None = None, **changed: Any) -> TestResponse:
        said = {name: self.said[name] for name in (*STATED, "client_id")} | changed
        given = {name: value for name, value in said.items() if value is not None}
        answer = self.house.sends(given, token or self.token, "PUT", self.path)
        if answer.status_code == 200:
            self.said |= answer.json
        return answer

    @property
    def company(self) -> Company:
        with self.house.database.reading() as session:
            row = session.scalars(select(Application).filter_by(client_id=self.said["client_id"])).one()
            return Company(
                self.house.database,
                self.house.app,
                "north",
                row.id,
                row.client_id,
                self.said["client_secret"],
            )

    def qualify(self) -> Company:
        company = self.company
        with self.house.database.writing() as session:
            applications.set_status(session, session.get_one(Application, company.id), PRODUCTION)
        return company

    @property
    def status(self) -> int:
        return int(self.looks().json["dataCustodianApplicationStatus"])


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@pytest.fixture(scope="module", params=KINDS)
def house(
    request: pytest.FixtureRequest, copies: Copies, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("registering")
    keys = folder / "authority.json"
    keys.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    with copies.of(request.param, "towns", build, folder) as url:
        database = Database(url)
        app = oauth.app(
            database, authority_keys=str(keys), authority_issuer=AUTHORITY, proxies=1,
            certificate_header="X-Client-Certificate",
        )  # fmt: skip
        yield House(database, app)
        database.close()


# --- by invitation ----------------------------------------------------------------------------------------


def test_an_invited_company_registers_and_works_once_it_is_qualified(house: House) -> None:
    registered = house.registered(
        thirdPartyNotifyUri=NOTIFY, contacts=["ops@sun.example.com"], software_id="sun", software_version="2",
        client_uri="https://sun.example.com/", scope="FB=4_5_15;HistoryLength=34128000",
    )  # fmt: skip
    said = registered.said

    assert said["redirect_uris"] == [BACK]
    assert said["token_endpoint_auth_method"] == "client_secret_basic"
    assert (said["response_types"], said["id_token_signed_response_alg"]) == (["code"], "ES256")
    assert (said["contacts"], said["software_id"], said[client_metadata.NOTIFY]) == (
        ["ops@sun.example.com"], "sun", NOTIFY,
    )  # fmt: skip
    assert said["client_secret"].startswith("gbs_")
    assert (said["client_secret_expires_at"], said["dataCustodianApplicationStatus"]) == (0, 1)
    assert registered.company.token(grant_type="client_credentials").status_code == 401
    assert registered.company.asks().status_code == 401

    company = registered.qualify()

    assert company.token(grant_type="client_credentials").status_code == 200
    assert registered.status == 2


def test_the_same_stands_in_the_standard_s_own_resource_without_secrets(house: House) -> None:
    registered = house.registered(tos_uri="https://sun.example.com/terms")

    answer = house.app.test_client().get(
        urlsplit(registered.said["applicationInformationURI"]).path, headers=bearer(registered.token)
    )

    assert answer.status_code == 200
    assert registered.said["client_id"].encode() in answer.data
    assert b"/north/oauth/register</authorizationServerRegistrationEndpoint>" in answer.data
    assert b"https://sun.example.com/terms" in answer.data
    assert registered.said["client_secret"].encode() not in answer.data
    assert registered.token.encode() not in answer.data


def test_the_metadata_of_the_server_names_the_endpoint(house: House) -> None:
    found = house.app.test_client().get("/north/.well-known/openid-configuration").json

    assert found["registration_endpoint"] == f"{NORTH}/oauth/register"


@pytest.mark.parametrize("token", [None, "gbi_nobody", "gba_x", "é"])
def test_nobody_registers_uninvited(house: House, token: str | None) -> None:
    before = house.count(Application)

    answer = house.registers(token)

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert house.count(Application) == before


def test_an_invitation_is_for_one_utility_and_for_a_time(house: House, freeze: Callable[[int], None]) -> None:
    token, now = house.invite(lifetime=100), clock.seconds()

    assert house.sends(STATED, token, path="/south/oauth/register").status_code == 401
    freeze(now + 101)
    assert house.registers(token).status_code == 401
    freeze(now)
    assert house.registers(token).status_code == 201


def test_a_registration_that_is_refused_costs_no_invitation(house: House) -> None:
    token = house.invite()

    assert house.registers(token, redirect_uris=["http://sun.example.com"]).status_code == 400
    assert house.registers(token).status_code == 201
    assert house.registers(token).status_code == 401


def test_of_many_at_once_as_many_register_as_the_invitation_has_uses(house: House) -> None:
    token, before = house.invite("Racers", uses=3), house.count(Application)

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(each.status_code for each in pool.map(lambda _: house.registers(token), range(12)))

    assert statuses == [201] * 3 + [401] * 9
    assert house.count(Application) == before + 3


def test_the_invitation_says_whose_application_it_is_whatever_it_calls_itself(house: House) -> None:
    answer = house.registers(house.invite("Helios LLC"), client_name="Valley Electric")

    with house.database.reading() as session:
        row = session.scalars(select(Application).filter_by(client_id=answer.json["client_id"])).one()
        assert session.get_one(Asp, row.asp_id).name == "Helios LLC"
        assert (row.name, row.created_by) == ("Valley Electric", "invitation:Helios LLC")


def test_a_name_that_is_taken_is_refused(house: House) -> None:
    token = house.invite(uses=2)
    house.registers(token, client_name="Taken")

    answer = house.registers(token, client_name="Taken")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata")


def test_the_operator_invites_and_takes_back(house: House) -> None:
    environment = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": house.database.engine.url.render_as_string(False),
    }

    def run(*words: str) -> str:
        done = CliRunner().invoke(
            main, ["asp", "invite", "Luna", "--utility", "north", *words], env=environment
        )
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    first, second = run("--uses", "2", "--policy", "strict", "--scope", "FB=4"), run()

    assert first.startswith("gbi_")
    assert run("--withdraw") == "2 invitations of Luna withdrawn."
    assert {house.registers(each).status_code for each in (first, second)} == {401}


def test_an_invitation_lies_in_the_database_as_a_digest(house: House) -> None:
    token = house.invite("Digest")

    with house.database.reading() as session:
        row = session.scalars(select(Invitation).filter_by(company="Digest")).one()

    assert token.encode() not in bytes(row.digest)
    assert len(row.digest) == 32


def test_trap_18_secrets_stand_in_the_first_answer_and_nowhere_else(
    house: House, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Trap 18: Authlib's endpoint prints what goes wrong, and tells the secret back."""
    caplog.set_level("DEBUG")
    registered = house.registered()
    secret, first = registered.said["client_secret"], registered.token

    answers = [
        registered.looks(),
        registered.restates(client_secret=secret, contacts=["x"]),
        registered.restates(client_secret="wrong"),
        registered.restates(token=first),
        registered.looks(),
    ]

    assert [each.status_code for each in answers] == [200, 200, 400, 401, 200]
    assert not any(secret.encode() in each.data for each in answers)
    assert first.encode() not in b"".join(each.data for each in answers[1:])
    assert all(each.headers["Cache-Control"] == "no-store" for each in answers)
    written = (
        "".join(capfd.readouterr()) + caplog.text + "".join(str(each.__dict__) for each in caplog.records)
    )
    assert not any(each in written for each in (secret, first, registered.token))
    assert "".join(capfd.readouterr()) == ""


# --- by statement (trap 9) --------------------------------------------------------------------------------


def statement(key: Any = KEY, algorithm: str = "ES256", **changed: Any) -> str:
    now = clock.seconds()
    said = {
        "iss": AUTHORITY, "aud": NORTH, "exp": now + 3600, "iat": now, "jti": str(next(_NUMBERS)),
        "org_name": "Vouched LLC", "client_name": f"Vouched {next(_NUMBERS)}", "redirect_uris": [BACK],
    }  # fmt: skip
    claims = {name: value for name, value in {**said, **changed}.items() if value is not None}
    return jwt.encode({"alg": algorithm}, claims, key, algorithms=[algorithm])


def test_trap_9_a_statement_of_the_authority_lets_a_company_in_once(house: House) -> None:
    signed = statement(client_name="Vouched Home")
    asked = {
        "software_statement": signed,
        "redirect_uris": ["https://evil.example.com/"],
        "client_name": "Evil",
    }

    first, again = house.sends(asked), house.sends({**asked, "client_name": "Again"})

    assert first.status_code == 201, first.data
    # RFC 7591 2.3: what is signed comes before what is said.
    assert (first.json["client_name"], first.json["redirect_uris"]) == ("Vouched Home", [BACK])
    assert (first.json["software_statement"], first.json["dataCustodianApplicationStatus"]) == (signed, 1)
    assert (again.status_code, again.json["error"]) == (400, "invalid_software_statement")


NOW = clock.seconds()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"iss": "https://evil.example.com"}, "unapproved_software_statement"),
        ({"iss": None}, "unapproved_software_statement"),
        *(
            (each, "invalid_software_statement")
            for each in (
                {"exp": NOW - 1}, {"exp": None}, {"exp": "soon"}, {"exp": NOW + 90 * 86_400}, {"exp": True},
                {"exp": 1e400}, {"nbf": NOW + 9_000}, {"iat": NOW + 9_000}, {"iat": "x"}, {"jti": None}, {"jti": 7},
                {"jti": ""}, {"aud": "https://data.example.org/south"}, {"aud": [NORTH, "https://x.example"]},
                {"aud": None}, {"aud": {}}, {"org_name": None}, {"org_name": "a\nb"},
            )
        ),
        ({"redirect_uris": ["http://x"]}, "invalid_redirect_uri"),
    ],
)  # fmt: skip
def test_trap_9_a_statement_that_says_something_else_is_refused(
    house: House, changed: dict[str, Any], error: str
) -> None:
    answer = house.sends({**STATED, "software_statement": statement(**changed)})

    assert (answer.status_code, answer.json["error"]) == (400, error)


def test_trap_9_whoever_else_signs_is_not_believed(house: House) -> None:
    hmac = OctKey.import_key(base64.urlsafe_b64encode(KEY.as_pem(private=False)).decode())
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
        for each in ({"alg": "none"}, {"iss": AUTHORITY})
    )
    for signed in (
        statement(ECKey.generate_key("P-256")), statement(hmac, "HS256"), f"{unsigned}.", "x", "a.b.c", "", 7, None, {},
    ):  # fmt: skip
        answer = house.sends({**STATED, "software_statement": signed})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_software_statement")


def test_trap_9_a_statement_nobody_can_check_is_refused_even_with_an_invitation(towns: Database) -> None:
    plain = House(towns, oauth.app(towns))

    answer = plain.registers(plain.invite(), software_statement=statement())

    assert (answer.status_code, answer.json["error"]) == (400, "unapproved_software_statement")


def test_trap_9_of_many_with_one_statement_one_registers(house: House) -> None:
    signed = statement()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(
            each.status_code
            for each in pool.map(lambda _: house.sends({"software_statement": signed}), range(8))
        )

    assert statuses == [201] + [400] * 7


def test_a_statement_and_an_invitation_are_of_one_company(house: House) -> None:
    right, wrong = house.invite("Vouched LLC", policy="legacy"), house.invite("Other")

    assert (
        house.sends({"software_statement": statement()}, wrong).json["error"] == "invalid_software_statement"
    )
    answer = house.sends(
        {"software_statement": statement(), "token_endpoint_auth_method": "client_secret_post"}, right
    )
    assert answer.json["token_endpoint_auth_method"] == "client_secret_post"


def test_the_authority_s_keys_are_read_at_the_start(towns: Database, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="ESPI_AUTHORITY_ISSUER"):
        make.settings(authority_keys="x").checked()
    for text in ("", "{}", '{"keys": []}', json.dumps({"keys": [KEY.as_dict(private=True)]})):
        file = tmp_path / "keys.json"
        file.write_text(text)
        with pytest.raises(BadSetting, match="ESPI_AUTHORITY_KEYS"):
            oauth.app(towns, authority_keys=str(file), authority_issuer=AUTHORITY)


# --- what may be registered (pure) ------------------------------------------------------------------------

CERTIFIED: dict[str, Any] = {"jwks": {"keys": [OWN.as_dict(private=False)]}}


def read(policy: str = "standard", **given: Any) -> Any:
    said = {name: value for name, value in {**STATED, **given}.items() if value is not ...}
    return client_metadata.read(said, Admitted("Sun LLC", policy, "", "a test"), Reach().check)


@pytest.mark.parametrize(
    "address",
    [
        "http://sun.example.com/back", "http://localhost/back", "https://sun.example.com/#", "https://a@sun.example.com/",
        "https://sun.example.com@evil.example/", "https://sun.example.com/a/..;/b", "https://sun.example.com/../b",
        "https://sun.example.com/%2e%2e/b", "https://sun.example.com/..%2fb", "https://*.example.com/",
        "https://sun.example.com/*", "https:///back", "https:", "back", "", "javascript:alert(1)", "sun://back",
        "https://sun.example.com/?code=1", "https://sun.example.com/?a=1&state=x", "https://sun.example.com/?iss",
        "https://sun.example.com\\@evil.example/", "https://[::1", "https://sun.example.com:99999/", "https://sün.example/",
        "https://sun.example.com/\n", " https://sun.example.com/", "https://sun.example.com/" + "x" * 600, 7, None, {},
    ],
)  # fmt: skip
def test_an_address_for_answers_that_hides_something_is_refused(address: Any) -> None:
    with pytest.raises(OAuth2Error) as refused:
        read(redirect_uris=[BACK, address])

    assert refused.value.error == "invalid_redirect_uri"


@pytest.mark.parametrize("addresses", [..., None, [], BACK, {}, [BACK] * 21])
def test_every_client_says_where_answers_go(addresses: Any) -> None:
    with pytest.raises(OAuth2Error) as refused:
        read(redirect_uris=addresses)

    assert refused.value.error == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "given",
    [
        {"token_endpoint_auth_method": "none"},  # public clients
        {"token_endpoint_auth_method": "client_secret_post"},  # legacy alone
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": ["client_secret_basic"]},
        {"token_endpoint_auth_method": "private_key_jwt"},  # without keys
        {"grant_types": ["implicit"]},
        {"grant_types": ["authorization_code", "password"]},
        {"grant_types": "authorization_code"},
        {"grant_types": [["authorization_code"]]},
        {"response_types": ["token"]},
        {"response_types": ["code", "id_token token"]},
        {"client_name": ...},
        {"client_name": " "},
        {"client_name": "a\x00b"},
        {"client_name": "\ud800"},
        {"client_name": "x" * 257},
        {"client_name": 7},
        {"client_uri": "http://sun.example.com/"},
        {"logo_uri": "javascript:alert(1)"},
        {"tos_uri": 7},
        {"contacts": "ops"},
        {"contacts": [7]},
        {"contacts": ["x"] * 21},
        {"software_version": "1" * 33},
        {"scope": "FB=999"},
        {"scope": "profile"},
        {"scope": "FB=4_5_15;AdditionalScope=RIN_BillComparison_RateChange"},  # strict alone
        {"application_type": "native"},
        {"subject_type": "public"},
        {"thirdPartyNotifyUri": "http://sun.example.com/"},
        {"thirdPartyNotifyUri": "https://127.0.0.1/"},
        {"thirdPartyNotifyUri": "https://169.254.169.254/latest"},
        {"thirdPartyNotifyUri": "https://sun.example.com:8443/"},
        {"thirdPartyNotifyUri": "https://localhost/"},
        {"thirdPartyNotifyUri": ["https://sun.example.com/"]},
    ],
)
def test_what_cannot_be_registered_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(OAuth2Error) as refused:
        read(**given)

    assert refused.value.error == "invalid_client_metadata"
    assert any(word in refused.value.description for word in (*given, "key set", "jwks"))


@pytest.mark.parametrize(
    "given",
    [
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "RS256"},
        {"id_token_signed_response_alg": ["ES256"]},
        {"id_token_encrypted_response_alg": "RSA-OAEP"},
        {"id_token_encrypted_response_enc": "A128GCM"},
        {"userinfo_signed_response_alg": "none"},
        {"request_object_signing_alg": "none"},
        {"token_endpoint_auth_signing_alg": "HS256"},
    ],
)
def test_trap_15_a_client_chooses_no_algorithm_of_its_own(given: dict[str, Any]) -> None:
    with pytest.raises(OAuth2Error) as refused:
        read(**given)

    assert refused.value.error == "invalid_client_metadata"


def test_what_is_offered_may_be_named_and_what_is_unknown_is_ignored() -> None:
    found = read(
        id_token_signed_response_alg="ES256", token_endpoint_auth_signing_alg="PS256", subject_type="pairwise",
        grant_types=["authorization_code", "refresh_token"], response_types=["code", "code id_token"],
        nonsense={"a": 1}, **{"client_name#fr": "Soleil"}, thirdPartyNotifyUri=NOTIFY, scope="openid FB=4_5_15",
    )  # fmt: skip

    assert (found.name, found.company, found.notify_uri, found.scope) == (
        "Sun",
        "Sun LLC",
        NOTIFY,
        "FB=4_5_15",
    )
    assert found.information == {
        "response_types": ["code", "code id_token"], "token_endpoint_auth_method": "client_secret_basic",
    }  # fmt: skip


@pytest.mark.parametrize(
    "jwks",
    [
        ..., None, [], {}, {"keys": []}, {"keys": {}}, {"keys": [7]}, {"keys": [{"kty": "EC"}]},
        {"keys": [OWN.as_dict(private=True)]}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
        {"keys": [OWN.as_dict(private=False)] * 21}, {"keys": [OWN.as_dict(private=False) | {"kid": "a\x00"}]},
        {"keys": [OWN.as_dict(private=False) | {"kid": "x" * 3000}]},
    ],
)  # fmt: skip
def test_keys_are_public_strong_and_few(jwks: Any) -> None:
    with pytest.raises(OAuth2Error) as refused:
        read(token_endpoint_auth_method="private_key_jwt", jwks=jwks)

    assert refused.value.error == "invalid_client_metadata"


def test_keys_come_with_the_registration_and_are_not_fetched() -> None:
    with pytest.raises(OAuth2Error, match="not fetched"):
        read(
            token_endpoint_auth_method="private_key_jwt", jwks_uri="https://sun.example.com/jwks", **CERTIFIED
        )


def test_a_certificate_stands_in_the_key_set_and_is_known_by_its_thumbprint() -> None:
    chained = {"keys": [OWN.as_dict(private=False) | {"x5c": [base64.b64encode(b"der").decode(), "more"]}]}

    found = read(token_endpoint_auth_method="self_signed_tls_client_auth", jwks=chained)

    assert found.certificates == [hashlib.sha256(b"der").hexdigest()]
    for wrong in (
        CERTIFIED["jwks"],
        {"keys": [{"x5c": []}]},
        {"keys": [{"x5c": ["é"]}]},
        {"keys": [{"x5c": [7]}]},
    ):
        with pytest.raises(OAuth2Error, match="x5c"):
            read(token_endpoint_auth_method="self_signed_tls_client_auth", jwks=wrong)


def test_the_invitation_bounds_policy_and_scope() -> None:
    assert read().scope == ""
    assert client_metadata.read(STATED, Admitted("Sun", "standard", "FB=4_5", "x"), str).scope == "FB=4_5"
    with pytest.raises(OAuth2Error, match="scope"):
        client_metadata.read(
            {**STATED, "scope": "FB=4_5_15_16"}, Admitted("Sun", "standard", "FB=4_5", "x"), str
        )
    with pytest.raises(OAuth2Error, match="private_key_jwt, self_signed"):
        read(policy="strict")
    assert read(policy="strict", token_endpoint_auth_method="private_key_jwt", **CERTIFIED).policy == "strict"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", b"[]", b"7", b"null", b'"x"', b"{", b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 2}}', b"\xff",
        b"[" * 60_000, b'{"a": ' + b"9" * 5000 + b"}", b"{}" + b" " * 70_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_plain_object_is_refused(body: bytes) -> None:
    with pytest.raises(OAuth2Error) as refused:
        client_metadata.parsed(body)

    assert refused.value.error == "invalid_client_metadata"


def test_another_kind_of_body_is_refused_in_the_form_of_rfc_7591(house: House) -> None:
    client, headers = house.app.test_client(), bearer(house.invite())

    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/xml"):
        answer = client.post("/north/oauth/register", data=b"{}", content_type=kind, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata")
    answer = client.post("/north/oauth/register", data=b"x" * 2_000_000, headers=headers)
    assert answer.status_code in (400, 413)
    assert client.post("/nowhere/oauth/register", json=STATED, headers=headers).status_code == 404


# --- RFC 7592 ---------------------------------------------------------------------------------------------


def test_what_is_registered_can_be_looked_at(house: House) -> None:
    registered = house.registered(contacts=["a@sun.example.com"])

    answer = registered.looks()

    secret = {"client_secret", "client_secret_expires_at"}
    assert answer.status_code == 200
    assert answer.json == {name: value for name, value in registered.said.items() if name not in secret}


def test_only_its_own_token_manages_a_registration(house: House) -> None:
    one, other = house.registered(), house.registered()
    company = one.qualify()
    machine = company.token(grant_type="client_credentials").json["access_token"]

    for token, status in (
        (other.token, 403),
        (machine, 403),
        (one.said["client_secret"], 401),
        ("gbg_x", 401),
    ):
        for method in ("GET", "PUT", "DELETE"):
            answer = house.sends({**STATED, "client_id": company.client_id}, token, method, one.path)
            assert (answer.status_code, token, method) == (status, token, method)
    nobody = house.sends(None, other.token, "GET", "/north/oauth/register/nobody")
    foreign = house.sends(None, other.token, "GET", one.path)
    assert (nobody.status_code, nobody.data) == (foreign.status_code, foreign.data)
    assert house.sends(None, one.token, "GET", one.path.replace("north", "south")).status_code == 401
    assert house.app.test_client().post(one.path).status_code == 405


def test_an_update_replaces_all_that_was_said_and_the_token(house: House) -> None:
    registered = house.registered(contacts=["a"], software_id="x", thirdPartyNotifyUri=NOTIFY)
    first = registered.token

    answer = registered.restates(software_version="3", thirdPartyNotifyUri=NOTIFY)

    assert answer.status_code == 200
    assert (answer.json["software_version"], "contacts" in answer.json, "software_id" in answer.json) == (
        "3", False, False,
    )  # fmt: skip
    assert answer.json["registration_access_token"] != first
    assert registered.looks(first).status_code == 401
    assert registered.looks().status_code == 200


def test_of_many_updates_with_one_token_one_succeeds(house: House) -> None:
    registered = house.registered()
    token = registered.token

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(
            each.status_code
            for each in pool.map(lambda number: registered.restates(token, contacts=[str(number)]), range(8))
        )

    assert statuses == [200] + [401] * 7


def test_an_update_that_is_refused_leaves_everything_as_it_was(house: House) -> None:
    registered = house.registered()
    before = registered.looks().json

    for changed in (
        {"client_id": "other"}, {"client_id": None}, {"redirect_uris": ["http://x"]}, {"client_secret": "x"},
        {"client_secret": 7}, {"registration_access_token": registered.token}, {"client_id_issued_at": 1},
        {"registration_client_uri": "x"}, {"client_secret_expires_at": 0}, {"software_statement": statement()},
        {"token_endpoint_auth_method": "none"}, {"scope": "x"}, {"id_token_signed_response_alg": "none"},
    ):  # fmt: skip
        answer = registered.restates(**changed)
        assert (answer.status_code, changed) == (400, changed)
        assert answer.json["error"] in ("invalid_client_metadata", "invalid_redirect_uri")

    assert registered.looks().json == before


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"contacts": ["new"]}, 2),
        ({"redirect_uris": [BACK, "https://sun.example.com/other"]}, 1),
        ({"thirdPartyNotifyUri": NOTIFY}, 1),
        ({"client_name": "Valley Electric itself"}, 1),
        ({"use_statement": "We help you save."}, 1),
        ({"use_statement#es": "Le ayudamos a ahorrar."}, 1),
        ({"tos_uri": "https://sun.example.com/other-terms"}, 1),
    ],
)
def test_what_the_operator_looked_at_goes_back_into_review(
    house: House, changed: dict[str, Any], status: int
) -> None:
    registered = house.registered()
    company = registered.qualify()
    machine = company.token(grant_type="client_credentials").json["access_token"]

    registered.restates(**changed)

    assert registered.status == status
    listed = company.reads(f"{NORTH}/espi/1_1/resource/Authorization", machine)
    assert listed == (200 if status == 2 else 401)


def test_a_blocked_company_manages_nothing(house: House) -> None:
    registered = house.registered()
    make.hold(house.database, registered.company.id)

    assert registered.looks().status_code == 401
    assert registered.restates().status_code == 401


def test_a_scope_once_narrowed_is_not_widened_by_the_company_itself(house: House) -> None:
    registered = house.registered(scope="FB=4_5_15_16")

    assert registered.restates(scope="FB=4_5_15").status_code == 200
    assert registered.restates(scope="FB=4_5_15_16").status_code == 400
    assert registered.restates().json["scope"] == "FB=4_5_15"


def test_a_company_changes_from_a_secret_to_keys_and_back(house: House) -> None:
    registered = house.registered()
    old = registered.said["client_secret"]

    keys = registered.restates(token_endpoint_auth_method="private_key_jwt", **CERTIFIED)
    assert (keys.status_code, "client_secret" in keys.json) == (200, False)
    assert keys.json["jwks"]["keys"][0]["x"] == OWN.as_dict()["x"]
    company = registered.qualify()
    assert (
        company.token(oauth.basic(company.client_id, old), grant_type="client_credentials").status_code == 401
    )

    back = registered.restates(token_endpoint_auth_method="client_secret_basic")
    assert (back.json["client_secret"] != old, "jwks" in back.json, registered.status) == (True, False, 1)
    assert registered.qualify().token(grant_type="client_credentials").status_code == 200


def test_new_keys_need_no_review(house: House) -> None:
    registered = house.registered(token_endpoint_auth_method="private_key_jwt", **CERTIFIED)
    registered.said.setdefault("client_secret", "")
    registered.qualify()

    renewed = ECKey.generate_key("P-256").as_dict(private=False)
    registered.restates(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [renewed]})

    assert registered.status == 2


def test_withdrawing_ends_everything_it_was_given(house: House) -> None:
    registered = house.registered(scope=oauth.SCOPE)
    company = registered.qualify()
    said = company.tokens()

    answer = house.sends(None, registered.token, "DELETE", registered.path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert company.reads(said["resourceURI"], said["access_token"]) == 401
    assert registered.looks().status_code == 401
    with house.database.reading() as session:
        ended = session.scalars(select(Authorization).filter_by(application_id=company.id)).one()
        assert ended.ended_reason == "offboarded"


def test_a_certificate_registered_so_shows_who_asks(house: House) -> None:
    der = _certificate()
    key = OWN.as_dict(private=False) | {"x5c": [base64.b64encode(der).decode()]}
    registered = house.registered(
        token_endpoint_auth_method="self_signed_tls_client_auth", jwks={"keys": [key]}
    )
    registered.said.setdefault("client_secret", "")
    company = registered.qualify()

    shown = {"X-Client-Certificate": base64.b64encode(der).decode()}
    answer = company.token(shown, grant_type="client_credentials", client_id=company.client_id)

    assert answer.status_code == 200
    assert registered.said["token_endpoint_auth_method"] == "self_signed_tls_client_auth"


def _certificate() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(Encoding.DER)


# --- the operator's and the standard's ways have the same rules --------------------------------------------


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1/", "https://sun.example.com:8443/", "https://sun.example.com/..;/"]
)
def test_an_address_to_notify_is_checked_however_it_is_registered(house: House, address: str) -> None:
    from espi_server.access.applications import BadApplication
    from espi_server.adapters.reach import BadAddress

    stated = applications.Registration("Checked", redirect_uris=[BACK], notify_uri=address)
    with house.database.writing() as session, pytest.raises((BadAddress, BadApplication)):
        applications.register(
            session, utilities.find(session, "north"), stated, by="a test", reachable=Reach().check
        )
