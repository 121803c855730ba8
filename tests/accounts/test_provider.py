"""Signing in at the utility's own OpenID provider: what of its answer is believed, and a published one, unmodified."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey

from espi_server import clock
from espi_server.access.models import AuditEvent
from espi_server.access.signing_in import Browser, Halfway
from espi_server.accounts import provider, signin, utilities
from espi_server.accounts.models import Login
from espi_server.accounts.provider import (
    BadProvider,
    Begun,
    Declined,
    NotBelieved,
    Provider,
    ProviderAway,
    Providers,
    Told,
)
from espi_server.accounts.provider_models import LoginProvider
from espi_server.adapters.http import Answer, Client, NoAnswer, Reach
from espi_server.db import Database
from espi_server.web import signin_room as pages
from tests import letterbox, make, ways
from tests.clients import install
from tests.copies import Copies
from tests.towns import build
from tests.ways import Visitor

pytestmark = pytest.mark.requirement("F-ID", "CEC5")
ISSUER = "https://login.utility.example"
KEY = ECKey.generate_key("P-256", parameters={"kid": "one", "alg": "ES256", "use": "sig"})
OTHER = ECKey.generate_key("P-256", parameters={"kid": "one", "alg": "ES256", "use": "sig"})
LATER = ECKey.generate_key("P-256", parameters={"kid": "two", "alg": "ES256", "use": "sig"})
BACK = "https://data.example.org/north/account/sign-in/back"
NORTH = Provider(ISSUER, "green button", "s&cret", "openid email", "customer_number", "urn:two", False)


class Far(Client):
    """The provider's server, as the test has it."""

    def __init__(self) -> None:
        super().__init__(Reach(anywhere=True))
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "pages", {})

    def get(self, address: str, headers: Any) -> Answer:
        return self._answered(address, b"", headers)

    def post(self, address: str, body: bytes, headers: Any) -> Answer:
        return self._answered(address, body, headers)

    def _answered(self, address: str, body: bytes, headers: Any) -> Answer:
        vars(self)["asked"].append((address, dict(parse_qsl(body.decode())), headers))
        found = vars(self)["pages"].get(urlsplit(address).path)
        if found is None:
            raise NoAnswer("nobody there")
        status, page = found if isinstance(found, tuple) else (200, found)
        return Answer(status, {}, page if isinstance(page, bytes) else json.dumps(page).encode(), True, 0.0)


@pytest.fixture
def far() -> Any:
    """A provider of good manners."""
    found: Any = Far()
    found.pages.update(
        {
            "/.well-known/openid-configuration": {
                "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/auth?tenant=1", "jwks_uri": f"{ISSUER}/jwks",
                "token_endpoint": f"{ISSUER}/token", "userinfo_endpoint": f"{ISSUER}/me",
            },
            "/jwks": {"keys": [KEY.as_dict(private=False)]},
            "/me": {"sub": "u-1", "customer_number": "C-1", "email": "evil@mail.example"},
        }
    )  # fmt: skip
    return found


def begun(far: Any, **asked: Any) -> tuple[dict[str, str], Begun]:
    given = {"next": "", "again": False, "second": False, "max_age": None, **asked}
    where, kept = provider.begin(Providers(far), NORTH, BACK, **given)
    return dict(parse_qsl(urlsplit(where).query)), kept


def token(kept: Begun, key: Any = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    now = kept.since
    said = {
        "iss": ISSUER, "aud": "green button", "sub": "u-1", "nonce": kept.nonce, "iat": now, "exp": now + 300,
        "customer_number": "C-1", **claims,
    }  # fmt: skip
    said = {name: value for name, value in said.items() if value is not None}
    header = {"alg": "ES256", "kid": key.kid} | (header or {})
    return jwt.encode(header, said, key, algorithms=[header["alg"]])


def finish(far: Any, kept: Begun, said: Any, **given: str) -> Any:
    far.pages["/token"] = said if isinstance(said, dict | tuple) else {"id_token": said, "access_token": "a"}
    answer = {"code": "c", "state": kept.state, **given}
    return provider.finish(Providers(far), NORTH, BACK, kept, answer)


@pytest.fixture
def town(copies: Copies, tmp_path: Path) -> Iterator[Database]:
    """Two towns on SQLite: no database decides any of this."""
    with copies.opened("sqlite", "towns", build, tmp_path) as database:
        yield database


# --- what goes out --------------------------------------------------------------------------------------


def test_a_question_has_a_state_a_nonce_and_a_pkce_challenge_of_its_own(far):
    asked, kept = begun(far)
    other, _ = begun(far)

    assert asked["redirect_uri"] == BACK
    assert (asked["tenant"], asked["response_type"], asked["code_challenge_method"]) == ("1", "code", "S256")
    assert (asked["scope"], asked["client_id"]) == ("openid email", "green button")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"], kept.verifier}) == 4
    assert not {asked["state"], asked["nonce"], asked["code_challenge"]} & {*other.values()}
    assert not {"prompt", "max_age", "acr_values"} & asked.keys()


def test_who_shall_sign_in_anew_or_with_two_factors_is_asked_so(far):
    asked, kept = begun(far, again=True, second=True)

    assert (asked["prompt"], asked["max_age"], asked["acr_values"]) == ("login", "0", "urn:two")
    assert kept.max_age == 0


def test_the_code_is_redeemed_with_the_verifier_and_our_own_secret(far):
    _, kept = begun(far)

    told = finish(
        far, kept, token(kept, amr=["pwd", "otp", 5], acr="urn:two", auth_time=kept.since - 50, email="a@b.c")
    )

    assert (told.reference, told.subject, told.amr, told.acr) == ("C-1", "u-1", ("pwd", "otp"), "urn:two")
    assert (told.at, told.email) == (kept.since - 50, None)  # nobody verified it
    [(_, form, headers)] = [each for each in far.asked if each[0].endswith("/token")]
    assert (form["code_verifier"], form["redirect_uri"], form["code"]) == (kept.verifier, BACK, "c")
    assert headers["Authorization"] == "Basic Z3JlZW4lMjBidXR0b246cyUyNmNyZXQ="
    assert "client_secret" not in form


def test_what_the_token_does_not_say_userinfo_says_of_the_same_person(far):
    _, kept = begun(far)

    assert finish(far, kept, token(kept, customer_number=None)).reference == "C-1"
    far.pages["/me"] = {"sub": "u-2", "customer_number": "C-1"}
    with pytest.raises(NotBelieved):
        finish(far, kept, token(kept, customer_number=None))


# --- what comes back ------------------------------------------------------------------------------------

LIES: dict[str, Any] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "somebody else"},
    "several audiences, and nobody's party": {"aud": ["green button", "x"]},
    "another party": {"aud": ["green button", "x"], "azp": "x"},
    "another nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "over": {"exp": 1},
    "no end": {"exp": None},
    "an end that is none": {"exp": True},
    "made later": {"iat": 2**35},
    "made never": {"iat": None},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_is_not_for_us_and_now_is_not_believed(far, lie):
    _, kept = begun(far)

    with pytest.raises(NotBelieved):
        finish(far, kept, token(kept, **LIES[lie]))


def test_only_the_provider_s_own_keys_sign(far):
    _, kept = begun(far)
    head, body, _ = token(kept).split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    mac = hmac.digest(KEY.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    hashed = f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    unsigned = "eyJhbGciOiJub25lIn0." + token(kept).split(".")[1] + "."
    for forged in (
        token(kept, OTHER),
        unsigned,
        hashed,
        token(kept)[:-4] + "AAAA",
        "nonsense",
        None,
        5,
    ):
        with pytest.raises(NotBelieved):
            finish(far, kept, {"id_token": forged})


def test_a_new_key_is_looked_for_once_a_minute(far, freeze):
    freeze(make.NOW)
    providers = Providers(far)
    where, kept = provider.begin(providers, NORTH, BACK, next="", again=False, second=False, max_age=None)
    far.pages["/token"] = {"id_token": token(kept)}
    given = {"code": "c", "state": kept.state}
    provider.finish(providers, NORTH, BACK, kept, given)

    far.pages["/jwks"] = {"keys": [LATER.as_dict(private=False)]}
    far.pages["/token"] = {"id_token": token(kept, LATER)}
    freeze(make.NOW + 59)
    with pytest.raises(NotBelieved):
        provider.finish(providers, NORTH, BACK, kept, given)
    freeze(make.NOW + 60)
    assert provider.finish(providers, NORTH, BACK, kept, given).reference == "C-1"
    assert where.startswith(f"{ISSUER}/auth?tenant=1&")


def test_who_does_not_answer_is_left_alone_for_a_while(far, freeze):
    freeze(make.NOW)
    providers, page = Providers(far), far.pages.pop("/.well-known/openid-configuration")
    given: dict[str, Any] = {"next": "", "again": False, "second": False, "max_age": None}
    for _ in range(3):
        with pytest.raises(ProviderAway):
            provider.begin(providers, NORTH, BACK, **given)

    assert len(far.asked) == 1
    far.pages["/.well-known/openid-configuration"] = page
    freeze(make.NOW + 10)
    assert provider.begin(providers, NORTH, BACK, **given)


def test_who_was_to_sign_in_anew_did(far):
    _, kept = begun(far, again=True)

    for stale in (kept.since - 3600, None):
        with pytest.raises(NotBelieved):
            finish(far, kept, token(kept, auth_time=stale))
    assert finish(far, kept, token(kept, auth_time=kept.since)).at == kept.since


def test_an_answer_to_another_question_or_from_elsewhere_is_not_taken(far):
    _, kept = begun(far)

    for given in ({"state": "x"}, {"iss": "https://evil.example"}):
        with pytest.raises(NotBelieved):
            finish(far, kept, token(kept), **given)
    with pytest.raises(Declined):
        finish(far, kept, token(kept), error="access_denied")
    assert [address for address, _, _ in far.asked if address.endswith("/token")] == []


@pytest.mark.parametrize(
    ("path", "page", "error"),
    [
        ("/token", None, ProviderAway),
        ("/token", (503, {}), ProviderAway),
        ("/token", (400, {"error": "invalid_grant"}), NotBelieved),
        ("/token", b"<html>", NotBelieved),
        ("/token", b"[" * 50_000, NotBelieved),
        ("/token", [], NotBelieved),
        ("/jwks", {"keys": [{"kty": "nix"}]}, NotBelieved),
        ("/jwks", {"keys": 5}, NotBelieved),
        ("/.well-known/openid-configuration", {"issuer": "https://evil.example"}, NotBelieved),
        ("/.well-known/openid-configuration", {"issuer": ISSUER, "token_endpoint": "http://x/token"}, NotBelieved),
        ("/.well-known/openid-configuration", {"issuer": ISSUER, "token_endpoint": 5}, NotBelieved),
    ],
)  # fmt: skip
def test_a_provider_that_misbehaves_lets_nobody_in(far, path, page, error):
    _, kept = begun(far)
    far.pages["/token"] = {"id_token": token(kept)}
    far.pages[path] = page

    with pytest.raises(error):
        provider.finish(Providers(far), NORTH, BACK, kept, {"code": "c", "state": kept.state})


def test_a_provider_that_cannot_be_is_not_set(town):
    for wrong in (
        {"issuer": "http://login.example"}, {"issuer": "https://"}, {"issuer": "https://u:p@x.example"},
        {"issuer": "https://x.example/?a"}, {"scopes": "email"}, {"client_id": ""}, {"claim": ""},
    ):  # fmt: skip
        given: dict[str, Any] = {"issuer": ISSUER, "client_id": "a", "secret": "b", **wrong}
        with pytest.raises(BadProvider), town.writing() as session:
            provider.configure(session, utilities.find(session, "north"), **given)


@pytest.mark.requirement("CEC5")
@pytest.mark.parametrize("amr", [(), ("pwd",), ("otp", "sms"), ("fed", "otp"), ("pwd", "fed", "kba")])
def test_one_factor_there_is_one_factor_here_whatever_it_is_called(town, amr):
    app = make.app(town)
    with town.reading() as session:
        north = utilities.find(session, "north")
    told = Told(ISSUER, "u-1", "C-1", clock.seconds(), amr, None, None)
    kept = Begun("s", "n", "v", clock.seconds(), None, "", True)

    with app.test_request_context("/north/account/sign-in/back"):
        came = pages.reception().by_provider(north, NORTH, told, kept, Browser("here"))

    assert isinstance(came, Halfway)


# --- a published provider, unmodified -------------------------------------------------------------------


@pytest.fixture(scope="module")
def published() -> Iterator[str]:
    """Its issuer."""
    if not install.is_installed() and (problem := install.install()):
        pytest.skip(f"The npm provider is not here ({problem}); {install.ADVICE}")
    program, _ = install.node()
    settings = {"client_id": "green button", "client_secret": "a secret of ours", "redirect_uri": BACK}
    with subprocess.Popen(
        [program, install.HERE / "provider.mjs", json.dumps(settings)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def north(town: Database, published: str) -> Flask:
    """North's customers sign in there."""
    ways.rule(town, second_factor=False)
    with town.writing() as session:
        provider.configure(
            session, utilities.find(session, "north"), issuer=published, client_id="green button",
            secret="a secret of ours", scopes="openid email customer", claim="customer_number", second="urn:two",
            anywhere=True,
        )  # fmt: skip
    return make.app(town)


def there(visitor: Visitor, issuer: str, asked: str = "", **who: Any) -> Any:
    """She goes to the provider, is who the test says, and comes back: our answer."""
    person = {
        "accountId": "u-1", "amr": ["pwd"],
        "claims": {"customer_number": "C-1", "email": "ada@mail.example", "email_verified": True}, **who,
    }  # fmt: skip
    where = visitor.get(f"sign-in/away{asked}", check=303).headers["Location"]
    with httpx.Client() as browser:
        browser.post(f"{issuer}/next", json=person)
        for _ in range(9):
            answer = browser.get(where)
            assert answer.status_code in (302, 303), answer.text
            where = str(answer.url.join(answer.headers["Location"]))
            if where.startswith(BACK):
                break
    parts = urlsplit(where)
    return visitor.get(f"{parts.path}?{parts.query}")


def test_a_published_provider_names_a_customer_and_its_words_are_kept(town, north, published):
    visitor = Visitor(north)
    page = visitor.get("sign-in?next=/north/account/security", check=200)
    assert "Sign in with Valley Electric" in page.text

    sent = there(visitor, published, "?next=/north/account/security")

    assert sent.headers["Location"] == "/north/account/security"
    assert "not with a password here" in visitor.follow(sent).text
    with town.reading() as session:
        [login] = signin.every(session, utilities.find(session, "north").id)
        [row] = signin.open_sessions(session, login.id, idle=900)
    assert login.customer_id == make.customer_id(town, "C-1")
    assert (login.email, login.password_digest) == ("ada@mail.example", None)
    assert row.amr == ["pwd", "fed"]
    # The second time it is the same way in.
    there(Visitor(north), published)
    with town.reading() as session:
        assert len(signin.every(session, utilities.find(session, "north").id)) == 1
        acts = [each.act for each in session.query(AuditEvent).order_by(AuditEvent.number)]
    assert acts == ["login.opened", "session.begun", "session.begun"]


def test_two_factors_there_are_two_factors_here(town, north, published):
    visitor = Visitor(north)

    sent = there(
        visitor, published, "?second=1&next=/north/account/security", acr="urn:two", amr=["pwd", "otp"]
    )

    assert sent.headers["Location"] == "/north/account/security"
    assert (
        visitor.get("sign-in?second=1&next=/north/account/security").headers["Location"].endswith("/security")
    )


def test_one_factor_there_is_asked_for_another_here(town, north, published):
    letterbox.reachable(town, "C-1", phone="+1 530 555 0142")
    box, visitor = letterbox.Box(town), Visitor(north)

    sent = there(visitor, published, "?second=1&next=/north/account/security", amr=[])
    page = visitor.follow(sent)
    visitor.send(page, "/second-factor/send", way="text")
    [(_, letter)] = box.ways()
    visitor.send(visitor.get("second-factor"), "/second-factor", code=letter.short[:6])

    assert sent.headers["Location"].endswith("/second-factor")
    assert (
        visitor.get("sign-in?second=1&next=/north/account/security").headers["Location"].endswith("/security")
    )


def test_who_is_no_customer_is_told_so_and_so_is_who_was_locked_out(town, north, published):
    claims = {"customer_number": "C-99"}
    unknown = there(Visitor(north), published, accountId="u-9", claims=claims)
    nameless = there(Visitor(north), published, accountId="u-8", claims={})
    there(Visitor(north), published)
    make.change(town, Login, Login.kind == "customer", status="closed")
    closed = there(Visitor(north), published)

    for answer in (unknown, nameless, closed):
        assert answer.headers["Location"] == "/north/account/sign-in?said=unknown"
    assert "no customer account of yours" in Visitor(north).follow(unknown).text


def test_saying_no_there_leads_back_to_the_first_page(town, north, published):
    visitor = Visitor(north)

    sent = there(visitor, published, refuses=True)

    assert "You did not sign in" in visitor.follow(sent).text
    assert not visitor.is_in


def test_an_answer_is_for_the_browser_that_asked_and_for_this_utility(town, north, published):
    asker, other, elsewhere = Visitor(north), Visitor(north), Visitor(north, code="south")
    where = asker.get("sign-in/away").headers["Location"]
    state = dict(parse_qsl(urlsplit(where).query))["state"]
    elsewhere.keep("away", str(asker.cookie("away")))

    for visitor in (other, elsewhere):
        sent = visitor.get(f"sign-in/back?code=x&state={state}", check=303)
        assert "said=over" in sent.headers["Location"]
    asker.keep("away", str(asker.cookie("away"))[:-6] + "AAAAAA")
    assert "said=over" in asker.get(f"sign-in/back?code=x&state={state}").headers["Location"]


def test_where_there_is_only_the_provider_nobody_comes_in_another_way(town, north, published):
    ways.person(town)
    with town.writing() as session:
        login = signin.find(session, utilities.find(session, "north").id, "c-1@mail.example")
        link = signin.link(session, login, signin.RESET)
    with town.writing() as session:
        row = session.get_one(LoginProvider, utilities.find(session, "north").id)
        row.only = True
    visitor = Visitor(north)

    sent = visitor.get("sign-in?next=/north/account/security&second=1", check=303)

    assert sent.headers["Location"].startswith("/north/account/sign-in/away?")
    assert dict(parse_qsl(urlsplit(sent.headers["Location"]).query))["second"] == "1"
    assert "password" not in visitor.get("sign-in?said=declined", check=200).text.lower()
    assert visitor.get(f"password/new?link={link}").status_code == 404
    stranger = Visitor(north)
    page = stranger.get("sign-in?said=out")
    typed = stranger.post("sign-in", page, email="c-1@mail.example", password=ways.PASSWORD)
    assert (typed.status_code, "not right" in typed.text) == (400, True)
    stranger.post("password/forgotten", page, email="c-1@mail.example")
    assert letterbox.Box(town).empty() == []
