"""The frame of the customer's pages: who is there, what a form must bring, where a page may lead, in which colours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from flask import Flask, Response
from flask.testing import FlaskClient

from espi_server.accounts import portal as look
from espi_server.accounts import sessions, utilities
from espi_server.accounts.models import Login
from espi_server.accounts.portal import BadPortal, Portal, contrast
from espi_server.cli import main
from espi_server.db import Database
from espi_server.web import portal as pages
from espi_server.web import words
from espi_server.web.house import house
from tests import make, portal

HERE = "https://data.example.org"
room = pages.blueprint("room")


@room.get("/seen")
def seen(code: str) -> Response:
    with house().database.reading() as session:
        visit = pages.customer(session, code)
    return pages.page("portal/accessibility.html", visit, form_to="https://sun.example")


@room.get("/careful")
def careful(code: str) -> Response:
    with house().database.reading() as session:
        visit = pages.customer(session, code, fresh=300, second_factor=True)
    return pages.page("portal/accessibility.html", visit)


@room.post("/changed")
def changed(code: str) -> Response:
    pages.posted()
    return pages.go("/done")


@pytest.fixture
def app(shared_towns: Database) -> Flask:
    app = make.app(shared_towns)
    app.register_blueprint(room)
    return app


@pytest.fixture
def visitor(app: Flask, shared_towns: Database) -> FlaskClient:
    """A browser in which the customer C-1 of north is signed in."""
    return portal.browser(app, shared_towns, portal.login(shared_towns, "C-1"))


@pytest.fixture
def stranger(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


# --- who is there ---------------------------------------------------------------------------------------


def test_a_page_is_for_whoever_is_signed_in_at_this_utility(visitor, stranger):
    assert visitor.get("/north/account/seen").status_code == 200

    for browser, path in ((stranger, "/north/account/seen"), (visitor, "/south/account/seen")):
        sent = browser.get(path)
        assert sent.status_code == 303
        assert (
            sent.headers["Location"] == f"{path.rpartition('/')[0]}/sign-in?next={path.replace('/', '%2F')}"
        )


def test_another_utility_s_cookie_is_nothing_even_by_its_name(app, shared_towns):
    browser = portal.browser(app, shared_towns, portal.login(shared_towns, "C-1", "south"), code="north")

    assert browser.get("/north/account/seen").status_code == 303


def test_a_session_ends_by_itself_and_by_hand(app, shared_towns, freeze):
    freeze(make.NOW)
    login = portal.login(shared_towns, "C-1")
    idle, long, closed = (portal.browser(app, shared_towns, login) for _ in range(3))

    freeze(make.NOW + 800)
    assert long.get("/north/account/seen").status_code == 200  # seen now
    freeze(make.NOW + 901)
    assert idle.get("/north/account/seen").status_code == 303
    assert long.get("/north/account/seen").status_code == 200
    with shared_towns.writing() as session:
        sessions.end_all(session, login)
    assert {each.get("/north/account/seen").status_code for each in (idle, long, closed)} == {303}


def test_a_closed_login_is_signed_out(app, shared_towns):
    login = portal.login(shared_towns, "C-1")
    browser = portal.browser(app, shared_towns, login)

    make.change(shared_towns, Login, Login.id == login, status="closed")

    assert browser.get("/north/account/seen").status_code == 303


def test_a_careful_page_asks_for_a_fresh_sign_in_with_two_factors(app, shared_towns, freeze):
    freeze(make.NOW)
    login = portal.login(shared_towns, "C-1")

    def asked(amr: tuple[str, ...], at: int) -> str:
        browser = portal.browser(app, shared_towns, login, amr=amr, at=at)
        return browser.get("/north/account/careful").headers.get("Location", "").partition("careful")[2]

    assert asked(("pwd", "otp"), make.NOW) == ""
    assert asked(("pwd",), make.NOW) == "&second=1"
    assert asked(("pwd", "otp"), make.NOW - 301) == "&again=1&second=1"
    assert asked(("pwd",), make.NOW - 301) == "&again=1&second=1"


@pytest.mark.parametrize(
    ("amr", "two"),
    [
        (["pwd"], False), (["pwd", "kba"], False), (["pwd", "otp"], True), (["hwk", "pin"], True), (["mfa"], True),
        (["fed"], False), (["pwd", "fed"], False), (["otp", "fed"], False), (["pwd", "otp", "fed"], True),
        (["fed", "otp"], True), (["otp", "fed", "otp"], True),
    ],
)  # fmt: skip
def test_two_proofs_of_one_kind_are_one_factor(shared_towns, amr, two):
    login = portal.login(shared_towns, "C-1")
    with shared_towns.writing() as session:
        place = utilities.find(session, "north")
        secret = sessions.begin(session, session.get_one(Login, login), amr=amr, lifetime=60)
        found = sessions.find(session, place.id, secret, idle=60)

    assert found is not None
    assert found.has_second_factor is two


# --- forms ----------------------------------------------------------------------------------------------


def test_a_form_comes_from_a_page_of_ours(visitor):
    token = portal.hidden(visitor.get("/north/account/seen"))
    path = "/north/account/changed"

    def sent(data: dict[str, str], **headers: str) -> int:
        return visitor.post(path, data=data, headers=headers).status_code

    assert sent(token) == 303
    assert sent(token, **{"Sec-Fetch-Site": "same-origin"}) == 303
    assert sent(token, Origin=HERE) == 303
    assert sent({}) == 403
    assert sent({"csrf_token": "x"}) == 403
    assert sent(token, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert sent(token, **{"Sec-Fetch-Site": "same-site"}) == 403
    assert sent(token, Origin="https://evil.example") == 403


def test_another_browser_s_token_is_none(visitor, stranger):
    token = portal.hidden(visitor.get("/north/account/seen"))

    refused = stranger.post("/north/account/changed", data=token)

    assert refused.status_code == 403
    assert refused.mimetype == "text/html"
    assert "Nothing was changed" in refused.get_data(as_text=True)


# --- pages ----------------------------------------------------------------------------------------------


def test_a_page_is_nobody_else_s_and_in_nobody_s_frame(visitor):
    page = visitor.get("/north/account/seen")

    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self' https://sun.example;" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Strict-Transport-Security"]


def test_only_the_page_that_says_so_may_lead_away(stranger):
    page = stranger.get("/north/account/accessibility")

    assert "form-action 'self';" in page.headers["Content-Security-Policy"]


def test_cookies_are_ours_alone(stranger):
    kept = stranger.get("/north/account/accessibility").headers.getlist("Set-Cookie")

    assert [each.partition("=")[0] for each in kept] == ["__Host-form"]
    for words_of_it in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert words_of_it in kept[0]


def test_what_goes_wrong_is_a_page_too(visitor, stranger):
    for path, status in (("/north/account/nothing", 404), ("/nowhere/account/accessibility", 404)):
        page = stranger.get(path)
        assert page.status_code == status
        assert page.mimetype == "text/html"
    foreign = stranger.get("/nowhere/account/accessibility", headers={"Accept-Language": "es"})
    assert '<html lang="es">' in foreign.text
    assert "/tools/" not in foreign.text  # what is for engineers
    wrong = visitor.get("/north/account/changed")
    assert wrong.status_code in (404, 405)


def test_every_page_of_an_account_asks_for_its_customer(app, stranger):
    """Those that anybody may see are told here; all others send a stranger to sign in, or know nothing."""
    open_to_all = {
        "portal.theme", "portal.static", "portal.home", "portal.accessibility", "portal.sharing_terms",
        "signin.sign_in", "sharing.utilities",
    }  # fmt: skip
    id = "5f0c7a52-9d3b-4a55-8f3c-2f1f3d2c1b0a"
    told = {}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/<code>/account/") and "GET" in (rule.methods or ()):
            if rule.endpoint in open_to_all or rule.endpoint.startswith(("signin.", "room.")):
                continue
            values = {each: id for each in rule.arguments if each != "code"}
            with app.test_request_context():
                path = app.url_map.bind("x").build(rule.endpoint, {"code": "north", **values})
            answer = stranger.get(path)
            is_sent = answer.status_code == 303 and "/account/sign-in" in answer.headers["Location"]
            told[rule.rule] = is_sent or answer.status_code == 404

    assert [rule for rule, is_closed in told.items() if not is_closed] == []


# --- where to -------------------------------------------------------------------------------------------


def test_only_pages_of_this_utility_are_gone_to(app, shared_towns):
    with shared_towns.reading() as session:
        north = utilities.find(session, "north")
    with app.test_request_context():
        here = pages.Here(north)

        assert here.local("/north/account/access?page=2") == "/north/account/access?page=2"
        for wrong in (
            "", "//evil.example/north/account/", "https://evil.example/north/account/x", "/south/account/access",
            "/north/account/../../south/account/", "/north/oauth/authorize", "/north/account/\\evil", "javascript:x",
            "/north/account/a\r\nSet-Cookie: x", "/north/account/\u2028", "/north/account/%2E%2e/%2e./oauth/authorize",
        ):  # fmt: skip
            assert here.local(wrong) is None, wrong


def test_a_utility_with_an_address_of_its_own_has_its_pages_there(shared_towns):
    database = shared_towns
    with database.writing() as session:
        if "owner" not in {each.code for each in utilities.every(session)}:
            utilities.add(
                session, "owner", name="Owner", timezone=make.ZONE, base_url="https://own.example/green"
            )
    app = make.app(database)
    with app.test_request_context("/owner/account/accessibility?lang=es"), database.reading() as session:
        owner = utilities.find(session, "owner")

        assert pages.href(owner, "portal.accessibility") == "/green/account/accessibility"
        assert (
            pages.address(owner, "portal.accessibility") == "https://own.example/green/account/accessibility"
        )
        assert pages.Here(owner).now == "/green/account/accessibility?lang=es"


# --- language -------------------------------------------------------------------------------------------


def test_a_language_is_kept_for_the_browser_and_for_the_account(visitor, stranger, shared_towns):
    for browser, path in ((visitor, "/north/account/seen"), (stranger, "/north/account/accessibility")):
        form = portal.form_to(browser.get(path), "/language")
        back = browser.post("/north/account/language", data={**form, "lang": "es"})
        assert back.headers["Location"] == path
        page = browser.get(path)
        assert page.headers["Content-Language"] == "es"
        assert 'lang="es"' in page.get_data(as_text=True)
    wrong = stranger.post("/north/account/sign-in/passkey", data={**form, "answer": "none"})
    assert (wrong.status_code, portal.form_to(wrong, "/language")["next"]) == (400, "/north/account/sign-in")
    visitor.delete_cookie(words.COOKIE)
    assert visitor.get("/north/account/seen").headers["Content-Language"] == "es"


# --- colours --------------------------------------------------------------------------------------------


def test_a_utility_s_colours_are_taken_where_they_can_be_read(shared_towns):
    with shared_towns.writing() as session:
        south = utilities.find(session, "south")
        south.portal = {"matching": {"fields": ["name"]}}
        look.change(south, accent="#0b5394", phone="1-800-555-0100")
    app = make.app(shared_towns)

    page = app.test_client().get("/south/account/accessibility").get_data(as_text=True)
    sheet = app.test_client().get("/south/account/theme.css").get_data(as_text=True)

    assert "tel:1-800-555-0100" in page
    assert "--accent:#0b5394;--on-accent:#ffffff" in sheet
    with shared_towns.reading() as session:
        kept = utilities.find(session, "south").portal
    assert kept == {"matching": {"fields": ["name"]}, "accent": "#0b5394", "phone": "1-800-555-0100"}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("accent", "#ffcc00", "1.4 to 1"),
        ("accent_dark", "#222222", "4.5 to 1"),
        ("accent", "red", "such as #1d6a4b"),
        ("phone", "call us", "such as 1-800-555-0100"),
        ("privacy", "http://x.example", "such as https://"),
        ("unbundled", "all", "udc, both"),
        ("unused_days", 0, "at least 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_could(name, value, told):
    with pytest.raises(BadPortal, match=told):
        Portal(**{name: value}).checked()


def test_contrast_is_as_the_guideline_counts_it():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#1d6a4b", "#1d6a4b") == 1


def test_the_command_shows_and_changes_them(sqlite_url):
    make.utility(Database(sqlite_url))

    def typed(*options: str) -> Result:
        environment = {"ESPI_DATABASE_URL": sqlite_url, "ESPI_MODE": "development"}
        return CliRunner().invoke(main, ["utility", "portal", "north", *options], env=environment)

    shown = typed("--phone", "1-800-555-0100", "--no-second-factor")
    refused = typed("--accent", "#ffffff")

    assert shown.exit_code == 0
    assert "1-800-555-0100" in shown.output
    assert "second_factor      False" in shown.output
    assert refused.exit_code == 2
    assert "1.0 to 1" in refused.output
