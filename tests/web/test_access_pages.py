"""Who has access: the customer's own view of her sharing, how she stops it, and that nobody else's can be reached."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from lxml import html
from sqlalchemy import select
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.access import cases, overview
from espi_server.access.cases import Case
from espi_server.access.models import (
    Application,
    AuditEvent,
    Authorization,
    AuthorizationRequest,
    ConsentRecord,
    Disclosure,
)
from espi_server.accounts import utilities
from espi_server.db import Database
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from espi_server.web import access_pages
from tests import make, portal
from tests.copies import KINDS, Copies
from tests.energy import feeds
from tests.towns import build
from tests.web import reading

HERE = "/north/account"
HIDDEN = "FB=4_5_15"  # usage alone

pytestmark = pytest.mark.requirement("UC1.3")


class Home:
    """C-1 of the first utility, signed in; she shares with Sun (everything), Moon (usage), and did with Old."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.app = make.app(database, log_level="ERROR")
        self.api = make.Client(self.app)
        self.sun = make.access(database, customer="C-1", application="Sun")
        self.moon = make.access(database, customer="C-1", application="Moon", scope=HIDDEN)
        length = clock.seconds() - feeds.local("2026-01-31T12:00")
        self.coarse = make.access(
            database, customer="C-1", application="Coarse",
            scope=f"FB=4_5_15;IntervalDuration=3600;HistoryLength={length}",
        )  # fmt: skip
        self.old = make.access(database, customer="C-1", application="Old")
        make.end(database, self.old.id, "expired")
        self.other = make.access(database, customer="C-2", application="Sun")
        self.south = make.access(database, "south", customer="C-1", application="Sun")
        self.browser = self.signed_in("C-1")

    def signed_in(self, customer: str, code: str = "north", language: str | None = None) -> FlaskClient:
        login = portal.login(self.database, customer, code, language=language)
        return portal.browser(self.app, self.database, login, code=code)


@pytest.fixture(scope="module", params=KINDS)
def home(
    request: pytest.FixtureRequest, copies: Copies, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:
    with copies.of(request.param, "towns", build, tmp_path_factory.mktemp("access")) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        yield Home(database)
        database.close()


@pytest.fixture
def fresh(copies: Copies, tmp_path: Path) -> Iterator[Home]:
    """The same for one test that changes it."""
    with copies.of("sqlite", "towns", build, tmp_path) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        yield Home(database)
        database.close()


def said(browser: FlaskClient, path: str, status: int = 200) -> str:
    page = browser.get(f"{HERE}{path}")
    assert page.status_code == status, (path, page.status_code, page.data[:800])
    return reading.words_of(page.data)


def test_the_first_page_tells_who_has_what_until_when_and_since_when(home: Home) -> None:
    home.api.get(home.sun.resource, home.sun, check=200)

    text = said(home.browser, "/access")

    moon = text.index("Moon")
    assert "Basic Information · Billing Information" in text
    assert "Usage Information" in text[moon:]
    assert text.count("2 places") == 3
    assert re.search(r"until \w+ \d+, 20\d\d", text)
    assert "Not yet" in text  # Moon
    assert "Old" in text
    assert "The time you agreed to was over." in text
    assert "Stop all sharing" in text


def test_every_act_is_one_click_away_and_none_needs_javascript(home: Home) -> None:
    page = html.fromstring(home.browser.get(f"{HERE}/access").data)

    links = {each.get("href") for each in page.iter("a")}
    for path in ("", "/seen", "/stop"):
        assert f"{HERE}/access/{home.sun.id}{path}" in links
    assert f"{HERE}/cases/new?company={home.sun.application}" in links
    assert not page.findall(".//script")


def test_what_a_company_read_in_a_bulk_batch_counts_as_hers_too(fresh: Home) -> None:
    bulk = make.access(fresh.database, customer="C-1", application="Bulk", scope="FB=4_5_15_35;BR=9")
    token = make.token(fresh.database, "client", application="Bulk")
    fresh.api.get(f"{make.base()}/Batch/Bulk/9", token, check=200)

    text = said(fresh.browser, f"/access/{bulk.id}/history")

    assert "in one file with data of others" in text
    assert "Not yet" not in said(fresh.browser, f"/access/{bulk.id}")


# --- stopping -------------------------------------------------------------------------------------------


@pytest.mark.requirement("F-OFF", "F-NOTE")
def test_two_clicks_stop_it_at_once_without_a_reason(fresh: Home) -> None:
    fresh.api.get(fresh.sun.resource, fresh.sun, check=200)

    asked = fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/stop")
    done = fresh.browser.post(f"{HERE}/access/{fresh.sun.id}/stop", data=portal.form_to(asked, "/stop"))

    assert done.status_code == 303
    fresh.api.get(fresh.sun.resource, fresh.sun, check=401)
    fresh.api.get(fresh.moon.resource, fresh.moon, check=200)
    with fresh.database.reading() as session:
        row = session.get_one(Authorization, fresh.sun.id)
        acts = session.scalars(select(AuditEvent).where(AuditEvent.act == "authorization.ended")).all()
        letters = session.scalars(select(Outbox).where(Outbox.kind == "authorization.ended")).all()
    assert row.ended_reason == "cancelled"
    assert [(each.actor, each.subject) for each in acts][-1] == (
        f"customer:{fresh.sun.customer}", f"authorization:{fresh.sun.id}",
    )  # fmt: skip
    assert str(fresh.sun.id) in {each.payload["authorization"] for each in letters}
    after = fresh.browser.get(done.headers["Location"])
    assert "Sun gets no new data from now on." in reading.words_of(after.data)
    # Again is no harm, and whoever comes late sees how it stands.
    again = fresh.browser.post(f"{HERE}/access/{fresh.sun.id}/stop", data=portal.form_to(asked, "/stop"))
    assert again.status_code == 303
    assert fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/stop").status_code == 303


def test_the_two_buttons_of_stopping_are_alike(home: Home) -> None:
    for path in (f"/access/{home.sun.id}/stop", "/access/stop-all"):
        page = html.fromstring(home.browser.get(f"{HERE}{path}").data)
        [row] = page.find_class("buttons")
        buttons = list(row)
        assert [each.get("class") for each in buttons] == ["button", "button"]
        assert not page.xpath("//main//textarea | //main//select | //main//input[@type!='hidden']")


@pytest.mark.requirement("F-OFF")
def test_everything_stops_together(fresh: Home) -> None:
    make.change(
        fresh.database, Authorization, Authorization.id == fresh.moon.id, waits_until=clock.seconds() + 3600
    )
    page = fresh.browser.get(f"{HERE}/access/stop-all")
    assert {"Sun", "Moon"} <= set(reading.words_of(page.data).split("\n"))

    done = fresh.browser.post(f"{HERE}/access/stop-all", data=portal.form_to(page, "/stop-all"))

    after = reading.words_of(fresh.browser.get(done.headers["Location"]).data)
    assert "Nobody gets new data from now on." in after
    assert "You share with nobody now." in after
    fresh.api.get(fresh.sun.resource, fresh.sun, check=401)
    fresh.api.get(fresh.other.resource, fresh.other, check=200)
    fresh.api.get(fresh.south.resource, fresh.south, check=200)
    assert fresh.browser.get(f"{HERE}/access/stop-all").status_code == 303


def test_a_form_that_does_not_come_from_our_page_stops_nothing(home: Home) -> None:
    path = f"{HERE}/access/{home.sun.id}/stop"
    good = portal.form_to(home.browser.get(path), "/stop")

    for data, headers in (
        ({}, {}),
        ({"csrf_token": "x"}, {}),
        (good, {"Sec-Fetch-Site": "cross-site"}),
        (good, {"Origin": "https://evil.example"}),
    ):
        assert home.browser.post(path, data=data, headers=headers).status_code in (400, 403)

    home.api.get(home.sun.resource, home.sun, check=200)


# --- whose it is ----------------------------------------------------------------------------------------

PATHS = (
    "",
    "/stop",
    "/history",
    "/history.csv",
    "/seen",
    "/seen.xml",
    "/seen.csv",
    "/bills.csv",
    "/record.xml",
)


@pytest.mark.requirement("UC1.1", "UC2.2")
def test_somebody_elses_sharing_is_no_page_like_one_that_never_was(home: Home) -> None:
    unknown = uuid.uuid4()

    def answer(id: object, path: str) -> tuple[int, str]:
        page = home.browser.get(f"{HERE}/access/{id}{path}")
        return page.status_code, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|value=\"[^\"]*\"", "", page.text)

    for path in PATHS:
        never = answer(unknown, path)
        assert never[0] == 404
        for id in (home.other.id, home.south.id):
            assert answer(id, path) == never
        assert answer("nonsense", path)[0] == 404
    good = portal.form_to(home.browser.get(f"{HERE}/access/{home.sun.id}/stop"), "/stop")
    for id in (unknown, home.other.id, home.south.id):
        assert home.browser.post(f"{HERE}/access/{id}/stop", data=good).status_code == 404
    home.api.get(home.other.resource, home.other, check=200)


def test_who_is_not_signed_in_is_sent_to_sign_in(home: Home) -> None:
    stranger = home.app.test_client()

    for path in ("/access", f"/access/{home.sun.id}/seen", "/access/history.csv", "/cases", "/cases/new"):
        answer = stranger.get(f"https://data.example.org{HERE}{path}")
        assert answer.status_code == 303, path
        assert "/account/sign-in" in answer.headers["Location"]


def test_a_session_at_one_utility_is_nothing_at_another(home: Home) -> None:
    assert home.browser.get("/south/account/access").status_code == 303


# --- the record of what left ----------------------------------------------------------------------------


@pytest.mark.requirement("UC2.2")
def test_the_history_tells_what_left_when_to_whom_and_how_much(fresh: Home) -> None:
    make.change(fresh.database, Application, Application.id == fresh.sun.application, name="=Sun+1")
    for _ in range(3):
        fresh.api.get(fresh.sun.resource, fresh.sun, check=200)
    fresh.api.get(fresh.sun.customer_resource, fresh.sun, check=200)
    fresh.api.get(fresh.moon.resource, fresh.moon, check=200)
    fresh.api.get(fresh.other.resource, fresh.other, check=200)
    fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/seen")

    text = said(fresh.browser, "/access/history")
    table = fresh.browser.get(f"{HERE}/access/history.csv")
    one = fresh.browser.get(f"{HERE}/access/{fresh.moon.id}/history.csv")

    assert text.count("Energy use and bills") == 4
    assert text.count("Who you are") == 1
    lines = list(csv.DictReader(io.StringIO(table.text)))
    assert [each["company"] for each in lines].count("'=Sun+1") == 4
    assert [each["company"] for each in lines].count("Moon") == 1
    assert len(list(csv.DictReader(io.StringIO(one.text)))) == 1
    assert all(int(each["bytes"]) > 0 for each in lines)
    assert table.headers["Cache-Control"] == "no-store"
    assert "attachment" in table.headers["Content-Disposition"]


def test_a_long_history_comes_page_by_page_and_misses_nothing(
    fresh: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview.history, "__kwdefaults__", {"before": None, "most": 2})
    for _ in range(5):
        fresh.api.get(fresh.sun.resource, fresh.sun, check=200)

    seen, path = 0, f"{HERE}/access/{fresh.sun.id}/history"
    for _ in range(3):
        page = html.fromstring(fresh.browser.get(path).data)
        seen += len(page.xpath("//tbody/tr"))
        following = page.xpath("//a[@rel='next']/@href")
        path = following[0] if following else ""

    assert (seen, path) == (5, "")
    for before in ("x", "1.x", "9" * 40 + "." + "0" * 32, "1." + "0" * 32):
        assert fresh.browser.get(f"{HERE}/access/history?before={before}").status_code == 200


@pytest.mark.requirement("F-REC")
def test_the_receipt_is_the_text_she_agreed_to_with_its_hash(fresh: Home) -> None:
    digest = bytes(range(32))
    record = ConsentRecord(
        id=uuid.uuid4(), shown="You let Sun see:\nUsage \u202e<b>evil</b>", language="en", version="1", digest=digest,
        shown_at=clock.seconds(),
    )  # fmt: skip
    with fresh.database.writing() as session:
        record.utility_id = utilities.find(session, "north").id
        session.add(record)
    make.change(fresh.database, Authorization, Authorization.id == fresh.sun.id, consent_record_id=record.id)

    page = fresh.browser.get(f"{HERE}/access/{fresh.sun.id}")

    text = reading.words_of(page.data)
    assert "You let Sun see:" in text
    assert digest.hex() in text
    assert "<b>evil" not in page.text
    assert "\u202e" not in page.text
    assert "wrote it down for you" in said(fresh.browser, f"/access/{fresh.moon.id}")


def test_a_question_by_message_and_a_yes_that_waits_are_shown(fresh: Home) -> None:
    now = clock.seconds()
    with fresh.database.writing() as session:
        session.add(
            AuthorizationRequest(
                digest=bytes(32), stage="pending", utility_id=utilities.find(session, "north").id,
                application_id=fresh.moon.application, customer_id=fresh.sun.customer,
                parameters={"scope": "FB=4_5_15", "binding_message": "W4-SCT"}, created_at=now, expires_at=now + 600,
                poll_digest=bytes(31) + b"1",
            )
        )  # fmt: skip
    make.change(fresh.database, Authorization, Authorization.id == fresh.sun.id, waits_until=now + 86_400)
    make.hold(fresh.database, fresh.moon.application)

    text = said(fresh.browser, "/access")

    assert "W4-SCT" in text
    assert "You said yes, not started yet" in text
    assert "Paused by Valley Electric. They get nothing now." in text
    assert fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/seen").status_code == 404


# --- what they see --------------------------------------------------------------------------------------


def readings(feed: make.Feed, month: str) -> Decimal:
    """What the blocks of a feed add up to in a local month, kWh as the reading type says."""
    total = Decimal()
    for block in feed.of("IntervalBlock"):
        for start, value in block.readings:
            if f"{datetime.fromtimestamp(start, ZoneInfo(make.ZONE)):%Y-%m}" == month:
                total += value
    return total


@pytest.mark.requirement("UC2.2", "F-DATA")
def test_the_page_adds_up_to_what_the_company_gets(home: Home) -> None:
    sums = {}
    for access in (home.sun, home.coarse):
        feed = home.api.feed(access.resource, access)
        for month in ("2026-01", "2026-02"):
            page = home.browser.get(f"{HERE}/access/{access.id}/seen?month={month}")
            cells = html.fromstring(page.data).xpath("//section[@aria-labelledby='usage']//td/text()")
            shown = sum(map(Decimal, (each.replace(",", "") for each in cells)), Decimal())
            assert shown * 1000 == readings(feed, month), month
            sums[access.id, month] = shown
    assert (
        0 < sums[home.coarse.id, "2026-01"] < sums[home.sun.id, "2026-01"]
    )  # its history begins in that month
    feed = home.api.feed(home.sun.resource, home.sun)

    table = home.browser.get(f"{HERE}/access/{home.sun.id}/seen.csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    whole = sum(readings(feed, month) for month in ("2026-01", "2026-02", "2026-03"))
    assert sum(Decimal(each["value"]) for each in rows) == whole


@pytest.mark.requirement("UC2.2", "F-DATA")
def test_her_files_are_the_very_feeds_of_the_company(home: Home) -> None:
    for access in (home.sun, home.moon):
        theirs = home.api.feed(access.resource, access)
        hers = make.Feed(home.browser.get(f"{HERE}/access/{access.id}/seen.xml").data)
        assert hers.entries == theirs.entries
        assert hers.body == theirs.body
    theirs = home.api.feed(home.sun.customer_resource, home.sun)
    hers = make.Feed(home.browser.get(f"{HERE}/access/{home.sun.id}/record.xml").data)
    assert hers.entries == theirs.entries
    assert len(hers) > 5
    assert home.browser.get(f"{HERE}/access/{home.moon.id}/record.xml").status_code == 404


@pytest.mark.requirement("F-DATA")
def test_what_a_company_does_not_get_is_not_on_its_page(home: Home) -> None:
    everything = home.browser.get(f"{HERE}/access/{home.sun.id}/seen").text
    usage = home.browser.get(f"{HERE}/access/{home.moon.id}/seen").text
    bills = home.browser.get(f"{HERE}/access/{home.moon.id}/bills.csv").text

    for word in ("Ada Nowak", "A-1", "M-101", "north C-1"):
        assert word in everything
        assert word not in usage
    [paid] = {each["bill_last_period"] for each in csv.DictReader(io.StringIO(bills))}
    assert paid == ""
    assert "not given" in usage
    assert "They do not see it." in usage


def test_of_many_places_one_is_shown_at_a_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_pages, "AT_ONCE", 1)
    sums = []

    first = home.browser.get(f"{HERE}/access/{home.sun.id}/seen?month=2026-01")
    [link] = html.fromstring(first.data).xpath("//main//a[contains(@href, 'place=')][not(@rel)]/@href")
    for page in (first, home.browser.get(link)):
        cells = html.fromstring(page.data).xpath("//section[@aria-labelledby='usage']//td/text()")
        sums.append(sum(map(Decimal, cells), Decimal()) * 1000)

    assert sum(sums) == readings(home.api.feed(home.sun.resource, home.sun), "2026-01")
    assert all(sums)
    for place in ("x", str(uuid.uuid4()), str(make.point_id(home.database, "103"))):
        page = home.browser.get(f"{HERE}/access/{home.sun.id}/seen?month=2026-01&place={place}")
        assert page.status_code == 200
        assert "ending G-3" not in page.text


def test_her_own_look_is_on_the_record_and_is_no_disclosure_to_the_company(fresh: Home) -> None:
    fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/seen")
    fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/seen.csv")
    fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/record.xml")

    with fresh.database.reading() as session:
        rows = session.scalars(select(Disclosure)).all()
    assert {each.token_kind for each in rows} == {overview.OWN}
    assert {each.application_id for each in rows} == {None}
    assert {each.authorization_id for each in rows} == {fresh.sun.id}
    assert len(rows) == 3
    assert "No data was sent to anybody." in said(fresh.browser, "/access/history")
    assert "Not yet" in said(fresh.browser, f"/access/{fresh.sun.id}")


@pytest.mark.parametrize("month", ["2026-02", "2019-01", "2099-12", "", "x", "2026-13", "../../etc"])
def test_any_month_is_answered(fresh: Home, month: str) -> None:
    page = fresh.browser.get(f"{HERE}/access/{fresh.sun.id}/seen", query_string={"month": month})

    assert page.status_code == 200
    assert "February 2026" in page.text or "January 2026" in page.text or "March 2026" in page.text


# --- words ----------------------------------------------------------------------------------------------


def plain(page: bytes) -> str:
    """What a page says in words of ours: without the standard's own names of what a company gets."""
    whole = html.fromstring(page)
    for each in whole.xpath("//details//div[@lang='en']"):
        each.getparent().remove(each)
    return reading.words_of(html.tostring(whole))


def test_the_pages_are_for_everybody_to_read_in_both_languages(home: Home) -> None:
    spanish = home.signed_in("C-1", language="es")
    paths = (
        "/access", f"/access/{home.sun.id}", f"/access/{home.sun.id}/stop", "/access/stop-all", "/access/history",
        f"/access/{home.sun.id}/seen", "/cases", "/cases/new",
    )  # fmt: skip
    for path in paths:
        text = plain(home.browser.get(f"{HERE}{path}").data)
        assert reading.grade(text) <= 6, (path, reading.grade(text))
        page = spanish.get(f"{HERE}{path}")
        assert page.headers["Content-Language"] == "es"
        assert not {"Stop sharing", "Who has access", "Report a problem"} & set(
            reading.words_of(page.data).split("\n")
        )


# --- cases ----------------------------------------------------------------------------------------------


def report(home: Home, **given: str) -> TestResponse:
    page = home.browser.get(f"{HERE}/cases/new?company={home.sun.application}")
    return home.browser.post(f"{HERE}/cases/new", data={**portal.form_to(page, "/cases/new"), **given})


@pytest.mark.requirement("UC1.4")
def test_a_problem_becomes_a_case_with_a_number_that_only_she_sees(fresh: Home) -> None:
    words = "They call me \u202eevery day.\n=1+1 <script>alert(1)</script>"

    done = report(fresh, company=str(fresh.sun.application), topic="untrue", text=words)

    assert done.status_code == 303
    page = fresh.browser.get(done.headers["Location"])
    text = reading.words_of(page.data)
    [number] = set(re.findall(r"C-[2-9A-Z]{4}-[2-9A-Z]{4}", text))
    assert "They told me something that is not true" in text
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    assert number in said(fresh.browser, "/cases")
    for nonsense in ("%00", "C-0000-0000", "x" * 3000, "%F0%9F%92%A9", "..%2f"):
        assert fresh.browser.get(f"{HERE}/cases/{nonsense}").status_code == 404
    neighbour = fresh.signed_in("C-2")
    assert neighbour.get(f"{HERE}/cases/{number}").status_code == 404
    assert number not in neighbour.get(f"{HERE}/cases").text
    assert fresh.signed_in("C-1", "south").get(f"/south/account/cases/{number}").status_code == 404
    with fresh.database.reading() as session:
        [case] = session.scalars(select(Case)).all()
        [letter] = session.scalars(select(Outbox).where(Outbox.kind == "case.opened")).all()
    assert case.said[0]["text"].startswith("They call me")
    assert "call me" not in str(letter.payload)


@pytest.mark.requirement("UC1.4")
def test_a_problem_too_many_for_today_leaves_her_words_on_the_page(fresh: Home) -> None:
    about = {"company": str(fresh.sun.application), "topic": "more"}
    for number in range(cases.A_DAY):
        assert report(fresh, **about, text=f"{number}").status_code == 303

    late = report(fresh, **about, text="Still the same.")

    text = reading.words_of(late.data)
    assert late.status_code == 429
    assert "You reported ten problems today. Report more tomorrow, or call us." in text
    assert "Still the same." in late.text


@pytest.mark.requirement("UC1.4")
def test_she_adds_to_her_case_reads_all_of_it_in_order_and_loses_no_word_when_it_closes(fresh: Home) -> None:
    path = report(fresh, company=str(fresh.sun.application), topic="more", text="First.").headers["Location"]
    page = fresh.browser.get(path)
    form = portal.form_to(page, path)

    empty = fresh.browser.post(path, data={**form, "text": " "})
    added = fresh.browser.post(path, data={**form, "text": "Second \u202e<b>word</b>."})
    bare = fresh.browser.post(path, data={"text": "Third."})
    neighbour = fresh.signed_in("C-2")
    stranger = neighbour.post(
        path, data={**portal.form_to(neighbour.get(f"{HERE}/access"), "/sign-out"), "text": "Mine now."}
    )
    with fresh.database.writing() as session:
        case = session.scalars(select(Case)).one()
        cases.answer(session, case, "We asked them.", by="operator:x")
        cases.close(session, case, "They stopped.", outcome="upheld", by="operator:x")
    late = fresh.browser.post(path, data={**form, "text": "Too late?"})

    assert [each.status_code for each in (empty, added, bare, stranger, late)] == [400, 303, 403, 404, 409]
    shown = fresh.browser.get(added.headers["Location"])
    text = reading.words_of(shown.data)
    places = [
        text.find(each)
        for each in ("First.", "Second", "We asked them.", "They stopped.", "We closed the case.")
    ]
    assert -1 not in places
    assert places == sorted(places)
    assert "You were right. The company did wrong." in text
    assert "Mine now." not in text
    assert "\u202e" not in shown.text
    assert "<b>word" not in shown.text
    assert "<textarea" not in shown.text
    assert "Too late?" in reading.words_of(late.data)
    assert f"/cases/new?company={fresh.sun.application}" in late.text


@pytest.mark.requirement("UC1.4")
def test_what_is_missing_in_a_report_is_said_beside_its_field_and_nothing_written_is_lost(home: Home) -> None:
    answer = report(home, company=str(home.south.application), text="Only this.")

    assert answer.status_code == 400
    page = html.fromstring(answer.data)
    links = page.xpath("//div[@role='alert']//a/@href")
    assert links == ["#company", "#topic-stranger"]
    assert all(page.get_element_by_id(each[1:]) is not None for each in links)
    assert page.get_element_by_id("text").text == "Only this."
    assert not page.xpath("//input[@checked]")
    for text in ("", "x" * 4001):
        wrong = report(home, company=str(home.sun.application), topic="more", text=text)
        assert wrong.status_code == 400
