"""OAuth clients published by others, unmodified, ask our customers: discovery, the code, a refresh, their own token."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from joserfc.jwk import ECKey

from espi_server.access import admission
from espi_server.access.models import Application
from espi_server.accounts import utilities
from espi_server.db import Database
from tests import oauth
from tests.clients import install
from tests.oauth import BACK, SCOPE, Company, in_address
from tests.serving import serve

KEY = ECKey.generate_key("P-256", parameters={"kid": "k-1"})


@pytest.fixture(scope="module")
def served(shared_towns: Database) -> Iterator[str]:
    """The address of a server over both towns; each test brings a company of its own."""
    url = shared_towns.engine.url.render_as_string(hide_password=False)
    with serve(url, application="tests.oauth:served()") as server:
        yield server.url


def company_of(database: Database, **stated: Any) -> Company:
    """A company that no other test asks as."""
    return oauth.company(database, f"Sun {uuid.uuid4().hex}", **stated)


def answered(database: Database, url: str, there: str) -> str:
    """The browser goes there, the customer says yes: where it comes back to."""
    kept = httpx.get(there)
    assert kept.status_code == 303, kept.text
    return oauth.agree(database, in_address(kept.headers["Location"])["request"], installation=url)


def by_node(name: str, company: Company, url: str, **more: Any) -> dict[str, Any]:
    """What a client of npm got."""
    if not install.is_installed() and (problem := install.install()):
        pytest.skip(f"The npm clients are not here ({problem}); {install.ADVICE}")
    settings = {
        "issuer": f"{url}/north", "client_id": company.client_id, "client_secret": company.secret,
        "redirect_uri": BACK, "scope": SCOPE, **more,
    }  # fmt: skip
    program, _ = install.node()
    with subprocess.Popen(
        [program, install.HERE / "ask.mjs", name, json.dumps(settings)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        there = running.stdout.readline() if running.stdout else ""
        back = answered(company.database, url, there.strip()) if there else ""
        said, problem = running.communicate(f"{back}\n", timeout=60)
    assert running.returncode == 0, problem
    found: dict[str, Any] = json.loads(said)
    return found


def told_by_node(name: str, **settings: str) -> dict[str, Any]:
    """What a client of npm was told, where no browser goes anywhere."""
    if not install.is_installed() and (problem := install.install()):
        pytest.skip(f"The npm clients are not here ({problem}); {install.ADVICE}")
    program, _ = install.node()
    done = subprocess.run(
        [program, install.HERE / "ask.mjs", name, json.dumps(settings)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(found: dict[str, Any], company: Company) -> None:
    """Tokens that read the customer's data, and the application's own that reads its authorizations."""
    first, second, own = found["first"], found["second"], found["own"]
    assert second["refresh_token"] != first["refresh_token"]
    for said in (first, second):
        assert httpx.get(said["resourceURI"], headers=bearer(said)).status_code == 200
    assert httpx.get(own["authorizationURI"], headers=bearer(own)).status_code == 200
    assert found["same"]
    assert found["active"]


def bearer(said: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {said['access_token']}"}


@pytest.mark.requirement("FB_14", "FB_31")
def test_oauth4webapi_pushes_its_request_and_reads_the_id_token(shared_towns: Database, served: str) -> None:
    company = company_of(shared_towns)

    check(by_node("oauth4webapi", company, served), company)


@pytest.mark.requirement("FB_13", "FB_31")
def test_oauth4webapi_signs_what_it_says_at_the_strict_policy(shared_towns: Database, served: str) -> None:
    company = company_of(shared_towns, policy="strict", jwks={"keys": [KEY.as_dict(private=False)]})

    found = by_node("oauth4webapi", company, served, key=KEY.as_dict(private=True))

    check(found, company)
    assert found["first"]["expires_in"] == 600


@pytest.mark.requirement("FB_14", "FB_31")
def test_openid_client_discovers_us_and_checks_our_signature(shared_towns: Database, served: str) -> None:
    company = company_of(shared_towns)

    check(by_node("openid-client", company, served), company)


@pytest.mark.requirement("FB_36")
def test_openid_client_registers_its_application_itself(shared_towns: Database, served: str) -> None:
    with shared_towns.writing() as session:
        invitation = admission.invite(session, utilities.find(session, "north"), "Diary", by="a test")

    said = told_by_node(
        "openid-client registers", issuer=f"{served}/north", redirect_uri=BACK, invitation=invitation
    )

    oauth.make.change(shared_towns, Application, Application.client_id == said["client_id"], status=2)
    answer = httpx.post(
        f"{served}/north/oauth/token", data={"grant_type": "client_credentials"},
        auth=(said["client_id"], said["client_secret"]),
    )  # fmt: skip
    assert answer.status_code == 200
    assert said["redirect_uris"] == [BACK]


@pytest.mark.requirement("FB_14", "FB_31")
def test_simple_oauth2_knows_no_pkce_and_gets_along_at_the_legacy_policy(
    shared_towns: Database, served: str
) -> None:
    company = company_of(shared_towns, policy="legacy")

    check(by_node("simple-oauth2", company, served), company)


@pytest.mark.requirement("FB_14", "FB_31")
def test_requests_oauthlib_proves_its_key(
    shared_towns: Database, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = pytest.importorskip(
        "requests_oauthlib", reason="requests-oauthlib is not installed"
    ).OAuth2Session
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    company = company_of(shared_towns)
    basic = requests.auth.HTTPBasicAuth(company.client_id, company.secret)
    with session(company.client_id, redirect_uri=BACK, scope=[SCOPE], pkce="S256") as client:
        there, _state = client.authorization_url(f"{served}/north/oauth/authorize")
        back = answered(shared_towns, served, there)
        first = dict(
            client.fetch_token(f"{served}/north/oauth/token", authorization_response=back, auth=basic)
        )
        second = dict(client.refresh_token(f"{served}/north/oauth/token", auth=basic))

    own = company.token(grant_type="client_credentials").json | {
        "authorizationURI": f"{served}/north/espi/1_1/resource/Authorization"
    }
    check({"first": first, "second": second, "own": own, "same": True, "active": True}, company)


@pytest.mark.requirement("FB_14", "FB_31")
def test_a_third_party_of_the_first_decade_needs_nothing_but_basic(
    shared_towns: Database, served: str
) -> None:
    company = company_of(shared_towns, policy="legacy")
    there = httpx.URL(
        f"{served}/north/oauth/authorize",
        params={
            "response_type": "code",
            "client_id": company.client_id,
            "redirect_uri": BACK,
            "scope": SCOPE,
        },
    )
    post = _poster(f"{served}/north/oauth/token", company)

    code = in_address(answered(shared_towns, served, str(there)))["code"]
    first = post(grant_type="authorization_code", code=code, redirect_uri=BACK)
    second = post(grant_type="refresh_token", refresh_token=first["refresh_token"])
    own = post(grant_type="client_credentials")

    assert own["client_access_token"] == own["access_token"]
    check({"first": first, "second": second, "own": own, "same": True, "active": True}, company)


def _poster(address: str, company: Company) -> Callable[..., dict[str, Any]]:
    def post(**form: str) -> dict[str, Any]:
        answer = requests.post(address, data=form, auth=(company.client_id, company.secret), timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return post


def test_what_asks_is_the_clients_own_code() -> None:
    script = (Path(install.HERE) / "ask.mjs").read_text()

    assert "fetch(" not in script
