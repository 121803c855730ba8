"""Nothing secret lies in the database, stands in the log, or comes back in an error."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import event, inspect, text

from espi_server.db import Database
from tests import oauth
from tests.oauth import SCOPE, Company, in_address

PREFIXES = ("gba_", "gbr_", "gbc_", "gbg_", "gbx_", "gbq_", "gbp_", "gbs_", "gbi_")


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


def everything(company: Company) -> list[str]:
    """One of every secret there is, after it was used in every way."""
    waiting = company.secret_of_request(scope=f"openid {SCOPE}")
    pushed = company.posts(
        "par", {"response_type": "code", "redirect_uri": oauth.BACK, "scope": SCOPE, **company.pkce[1]}
    ).json["request_uri"]
    secret = company.secret_of_request(scope=f"openid {SCOPE}", nonce="n")
    code = in_address(oauth.agree(company.database, secret))["code"]
    first = company.redeem(code).json
    second = company.refresh(first["refresh_token"]).json
    machine = company.token(grant_type="client_credentials").json
    company.token(oauth.basic(company.client_id, "gbs_wrong"), grant_type="client_credentials")
    company.posts("introspect", {"token": second["access_token"]})
    company.refresh(first["refresh_token"])
    company.redeem(code)
    company.posts("revoke", {"token": second["refresh_token"]})
    return [
        company.secret, waiting, pushed.rpartition(":")[2], secret, code, company.pkce[0], machine["access_token"],
        first["id_token"], *(each[name] for each in (first, second) for name in ("access_token", "refresh_token")),
    ]  # fmt: skip


def dumped(database: Database) -> Iterator[str]:
    """Every cell of every table, as text."""
    with database.engine.connect() as connection:
        for table in inspect(database.engine).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                for cell in row:
                    if isinstance(cell, bytes | memoryview):
                        yield bytes(cell).decode("latin-1")
                    else:
                        yield json.dumps(cell, default=str)


def test_trap_13_no_secret_lies_in_the_database_in_clear(sun: Company) -> None:
    secrets = everything(sun)

    cells = list(dumped(sun.database))

    assert len(cells) > 1000
    for cell in cells:
        assert not any(secret in cell for secret in secrets)
        assert not cell.strip('"').startswith(PREFIXES)


def test_no_secret_stands_in_the_log_however_much_is_logged(
    sun: Company, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    secrets = everything(sun)

    written = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "POST /north/oauth/token 200" in written
    assert "presented a code again" in written
    for secret in secrets:
        assert secret not in written


def test_no_error_tells_back_what_was_secret(sun: Company) -> None:
    for form in (
        {"grant_type": "authorization_code", "code": "gbx_mine"},
        {"grant_type": "refresh_token", "refresh_token": "gbx_mine"},
        {"grant_type": "client_credentials", "client_secret": "gbx_mine"},
    ):
        assert b"gbx_mine" not in sun.posts("token", form).data


def test_a_digest_is_no_token(sun: Company) -> None:
    from sqlalchemy import select

    from espi_server.access.models import Token

    said = sun.tokens()
    with sun.database.reading() as session:
        digests = list(session.scalars(select(Token.digest)))

    for digest in digests:
        for written in (
            digest.hex(),
            base64.b64encode(digest).decode(),
            base64.urlsafe_b64encode(digest).decode(),
        ):
            assert sun.reads(said["resourceURI"], written) == 401


# --- certificates ---------------------------------------------------------------------------------------

HEADER = "X-Client-Certificate"


def certificate() -> tuple[str, str]:
    """A self-signed certificate (PEM), and its thumbprint."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sun.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    from cryptography.hazmat.primitives.serialization import Encoding

    return made.public_bytes(Encoding.PEM).decode(), made.fingerprint(hashes.SHA256()).hex()


def behind_a_proxy(database: Database, name: str, thumbprint: str, **more: Any) -> Company:
    app = oauth.app(database, proxies=1, certificate_header=HEADER)
    return oauth.company(database, name, app=app, certificates=[thumbprint], **more)


def test_a_certificate_shows_who_asks_and_its_tokens_are_bound_to_it(towns: Database) -> None:
    from urllib.parse import quote

    pem, thumbprint = certificate()
    company = behind_a_proxy(towns, "Sun", thumbprint, policy="strict")
    shown = {HEADER: quote(pem)}

    code = company.code()
    said = company.redeem(code, shown, client_id=company.client_id).json

    assert company.reads(said["resourceURI"], said["access_token"], **shown) == 200
    assert company.reads(said["resourceURI"], said["access_token"]) == 401
    assert (
        company.reads(said["resourceURI"], said["access_token"], **{HEADER: quote(certificate()[0])}) == 401
    )
    assert company.refresh(said["refresh_token"], shown, client_id=company.client_id).status_code == 200


def test_another_certificate_or_none_is_an_unknown_client(towns: Database) -> None:
    from urllib.parse import quote

    pem, thumbprint = certificate()
    company = behind_a_proxy(towns, "Sun", thumbprint, policy="strict")

    for headers in (
        {},
        {HEADER: quote(certificate()[0])},
        {HEADER: "%00"},
        {HEADER: thumbprint},
    ):
        answer = company.token(headers, grant_type="client_credentials", client_id=company.client_id)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    der = base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()
    for shown in (quote(pem), der, f":{der}:"):  # nginx, HAProxy, RFC 9440
        answer = company.token({HEADER: shown}, grant_type="client_credentials", client_id=company.client_id)
        assert answer.json["access_token"]


def test_trap_17_without_a_proxy_nobody_believes_the_header(towns: Database) -> None:
    pem, thumbprint = certificate()
    company = oauth.company(towns, policy="strict", certificates=[thumbprint])

    answer = company.token(
        {HEADER: pem.replace("\n", "%0A")}, grant_type="client_credentials", client_id=company.client_id
    )

    assert answer.status_code == 401


def test_trap_17_the_settings_refuse_a_header_that_anybody_could_write() -> None:
    from espi_server.settings import BadSetting
    from tests import make

    with pytest.raises(BadSetting, match="ESPI_PROXIES"):
        make.settings(certificate_header=HEADER).checked()


def test_the_issuer_is_the_settings_never_the_request_s(sun: Company) -> None:
    answer = sun.app.test_client().get(
        "/north/.well-known/openid-configuration",
        headers={"Host": "evil.example.com", "X-Forwarded-Host": "evil.example.com"},
    )

    assert "evil" not in answer.text


def test_a_signed_note_is_kept_by_its_digest_only(towns: Database) -> None:
    key = ECKey.generate_key("P-256")
    company = oauth.company(towns, jwks={"keys": [key.as_dict(private=False)]})
    now = int(time.time())
    said = {
        "iss": company.client_id, "sub": company.client_id, "aud": "https://data.example.org/north", "exp": now + 60,
        "jti": "one-of-a-kind",
    }  # fmt: skip
    note = jwt.encode({"alg": "ES256"}, said, key, algorithms=["ES256"])

    answer = company.token(
        {}, grant_type="client_credentials", client_assertion=note,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )  # fmt: skip

    assert answer.status_code == 200
    assert not any("one-of-a-kind" in cell or note in cell for cell in dumped(towns))


def test_a_token_request_needs_a_bounded_number_of_statements(sun: Company) -> None:
    token, seen = sun.tokens()["refresh_token"], []
    event.listen(sun.database.engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))

    sun.refresh(token)

    assert len(seen) < 25
