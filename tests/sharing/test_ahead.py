"""She says yes before the company asks, it comes for it, asks for more, or never comes; and she changes what it has."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import html
from sqlalchemy import select

from espi_server import clock
from espi_server.access import announcing, applications, cases, expiring, grants
from espi_server.access.models import Application, AuditEvent, Authorization, ConsentRecord, Token
from espi_server.accounts import portal as portals
from espi_server.accounts import utilities
from espi_server.energy.models import Change
from espi_server.notify.models import Outbox
from tests import make, oauth, portal
from tests.sharing import walking
from tests.sharing.walking import HOME, text, values

pytestmark = pytest.mark.requirement("F-M1", "UC1.3", "UC3.9")

PLAIN = "FB=4_5_15_16_54_57;IntervalDuration=900;HistoryLength=63072000;AdditionalScope=Usage_Billing_Account"
DAY = 86_400


@pytest.fixture
def sun(shared_towns):
    """A company of its own for each test."""
    return walking.company(shared_towns, f"Sun {uuid.uuid4().hex[:6]}", scope=PLAIN)


@pytest.fixture
def ada(shared_towns, sun):
    return walking.customer(shared_towns, sun.app)


def says_yes(ada, sun, **chosen):
    """She goes to the company in the list and says yes to it: the receipt."""
    page = ada.follows(ada.get(f"{HOME}/share/with/{sun.id}", 303))
    return ada.follows(ada.agrees(ada.checks(page, **{"history": "all", **chosen})))


def rows(database, sun):
    with database.reading() as session:
        mine = select(Authorization).where(Authorization.application_id == sun.id)
        return session.scalars(mine.order_by(Authorization.created_at, Authorization.id)).all()


def told(database, row):
    with database.reading() as session:
        kinds = session.scalars(select(Outbox)).all()
    return sorted(each.kind for each in kinds if each.payload.get("authorization") == str(row.id))


def address(answer) -> str:
    """Where the page that goes on by itself goes on to."""
    [found] = html.fromstring(answer.data).xpath("//meta[@http-equiv='refresh']/@content")
    return found.partition("url=")[2]


def test_the_list_says_who_may_ask_for_what_in_her_language(shared_towns, sun, ada):
    walking.describe(
        sun, use_statement="We watch the sun.", client_uri="http://localhost:8001/welcome",
        **{"use_statement#es": "Miramos el sol."},
    )  # fmt: skip
    hidden = walking.company(shared_towns, f"Blocked {uuid.uuid4().hex[:6]}", app=sun.app)
    make.hold(shared_towns, hidden.id)

    every = text(ada.get(f"{HOME}/companies"))
    found = text(ada.get(f"{HOME}/companies?q=WATCH THE"))
    spanish = text(ada.get(f"{HOME}/companies?lang=es&q=Sun"))

    assert "We watch the sun." in every
    assert "localhost:8001" in every
    assert "Qualified with Valley Electric since" in every
    assert "Blocked" not in every
    assert "1 company" in found
    assert "Miramos el sol." in spanish
    assert ada.get(f"{HOME}/share/with/{hidden.id}", 404)


def names(page) -> list[str]:
    """The companies of the list, in its order."""
    return [each.text_content() for each in html.fromstring(page.data).xpath("//section/h2")]


def options(page, name: str) -> list[str]:
    """What a filter offers beside anything."""
    return [str(each) for each in html.fromstring(page.data).xpath(f"//select[@id='{name}']/option/@value")][
        1:
    ]


def test_the_list_is_narrowed_by_what_companies_do_their_languages_and_where(shared_towns):
    with shared_towns.writing() as session:
        for each in session.scalars(select(Application).where(Application.redirect_uris != [])):
            each.status = applications.ON_HOLD
    home = walking.app(shared_towns)
    ada = walking.customer(shared_towns, home)
    nobody = ada.get(f"{HOME}/companies")
    bat = walking.company(shared_towns, "zebra batteries", app=home)
    all_in = walking.company(shared_towns, "All in", app=home)
    walking.company(shared_towns, "Says nothing", app=home)
    walking.describe(
        bat,
        use_statement="Hi",
        services=["solar", "battery"],
        languages=["es", "zh-Hant"],
        areas=["Fresno <i>"],
    )
    walking.describe(all_in, use_statement="Hi", services=["car", "battery"], **{"use_statement#es": "Hola"})

    page = ada.get(f"{HOME}/companies")
    found = {
        query: names(ada.get(f"{HOME}/companies?{query}"))
        for query in (
            "service=solar", "service=battery", "language=es", "language=zh-Hant", "area=Fresno+%3Ci%3E", "q=fresno",
            "service=car&area=Fresno+%3Ci%3E",
            "service=battery&language=es&q=zeb", "service=nonsense&q=", "service=solar&q=all",
        )
    }  # fmt: skip
    none = ada.get(f"{HOME}/companies?service=solar&q=all")
    spanish = ada.get(f"{HOME}/companies?lang=es&service=solar")

    assert "No company may ask for data here yet." in text(nobody)
    assert "<select" not in nobody.get_data(as_text=True)
    assert names(page) == ["All in", "Says nothing", "zebra batteries"]
    assert options(page, "service") == ["battery", "car", "solar"]
    assert sorted(options(page, "language")) == ["en", "es", "zh-Hant"]
    assert options(page, "area") == ["Fresno <i>"]
    assert "<i>" not in page.get_data(as_text=True)
    assert list(found.values()) == [
        ["zebra batteries"], ["All in", "zebra batteries"], ["All in", "zebra batteries"], ["zebra batteries"],
        ["All in", "Says nothing", "zebra batteries"], ["zebra batteries"], ["All in"], ["zebra batteries"],
        ["All in", "Says nothing", "zebra batteries"], [],
    ]  # fmt: skip
    assert "No company fits." in text(none)
    assert html.fromstring(none.data).xpath(f"//a[@href='{HOME}/companies']")
    assert html.fromstring(none.data).xpath("//option[@value='solar'][@selected]")
    assert "Energía solar" in text(spanish)
    assert "chino tradicional" in text(spanish)


@pytest.mark.requirement("UC1.4", "UC2.2")
def test_of_complaints_others_read_what_came_of_them_and_nothing_else(shared_towns, sun, ada):
    who = make.customer_id(shared_towns, "C-2")
    about = {"topic": "more", "text": "They sell it.", "language": "en"}

    name: list[str] = []

    def seen() -> str:
        [card] = html.fromstring(ada.get(f"{HOME}/companies?q={name[0]}").data).xpath("//section")
        return " ".join(card.text_content().split())

    with shared_towns.writing() as session:
        north = session.get_one(Application, sun.id)
        name.append(north.name)
        made = [cases.report(session, north.utility_id, who, sun.id, **about).id for _ in range(3)]
    open_ = seen()
    with shared_towns.writing() as session:
        for id, outcome in zip(made, ("upheld", "not-upheld", "withdrawn"), strict=True):
            cases.close(
                session, session.get_one(cases.Case, id), "We looked.", outcome=outcome, by="operator:x"
            )
    closed = seen()

    assert "problem" not in open_
    assert "We looked into 2 problems with them in the last two years. They did wrong in 1." in closed
    assert not [each for each in ("They sell it.", "We looked.") if each in closed]


def test_a_yes_ahead_waits_opens_nothing_and_is_told_to_both(shared_towns, sun, ada):
    receipt = says_yes(ada, sun)

    [row] = rows(shared_towns, sun)
    assert row.waits_until == pytest.approx(clock.seconds() + 30 * DAY, abs=60)
    assert "can come for it until" in text(receipt)
    assert told(shared_towns, row) == ["authorization.waiting"]
    with shared_towns.reading() as session:
        notes = session.scalars(select(Change.verb).where(Change.entity_id == row.id)).all()
        assert session.scalars(select(Token).where(Token.authorization_id == row.id)).all() == []
    assert notes == ["waiting"]
    own = sun.token(grant_type="client_credentials").json["access_token"]
    entry = make.client(shared_towns).feed(f"{make.base()}/Authorization/{row.id}", own).entries[0]
    assert (entry.text("status"), entry.text("resourceURI")) == ("1", "")
    assert entry.text("expires_at") == str(row.waits_until)


def test_the_company_that_asks_no_more_gets_that_very_consent_after_sign_in_alone(shared_towns, sun, ada):
    says_yes(ada, sun)
    [before] = rows(shared_towns, sun)

    page = ada.arrives(sun, scope="FB=4_5;IntervalDuration=3600;HistoryLength=86400")
    answer = sun.redeem(oauth.in_address(address(page))["code"]).json

    [row] = rows(shared_towns, sun)
    assert answer["resourceURI"].endswith(str(before.id))
    assert answer["scope"] == before.scope == row.scope  # neither wider nor narrower than she agreed
    assert (row.waits_until, row.consent_record_id) == (None, before.consent_record_id)
    assert row.identified["agreed"]["method"] == "sign-in"
    assert sun.reads(answer["resourceURI"], answer["access_token"]) == 200
    assert told(shared_towns, row) == ["authorization.granted", "authorization.waiting"]
    with shared_towns.reading() as session:
        acts = session.scalars(
            select(AuditEvent.act)
            .where(AuditEvent.subject == f"authorization:{row.id}")
            .order_by(AuditEvent.number)
        ).all()
    assert acts == ["authorization.granted", "authorization.begun"]


def test_a_yes_that_needed_two_factors_does_not_begin_with_one(shared_towns):
    sun = walking.company(
        shared_towns,
        f"Sun {uuid.uuid4().hex[:6]}",
        policy="strict",
        jwks=walking.KEYS,
        scope=walking.EVERYTHING,
    )
    ada = walking.customer(shared_towns, sun.app)
    scopes = {
        "same": "FB=4_5;IntervalDuration=3600;HistoryLength=86400",
        "more": "FB=4_5_15;IntervalDuration=900;HistoryLength=86400",
    }
    page = ada.follows(ada.get(f"{HOME}/share/with/{sun.id}", 303))
    ada.follows(ada.agrees(ada.checks(page, classes=["Usage", "RIN"])))
    weak = walking.Walker(
        shared_towns, sun.app, portal.browser(sun.app, shared_towns, ada.login), ada.login, "C-1"
    )
    asked = {name: weak.asks(sun, nonce="n", scope=scope) for name, scope in scopes.items()}
    arrived = {name: weak.client.get(walking.local(each.location)) for name, each in asked.items()}
    given = weak.client.get(walking.local(asked["same"].location).replace("/share?", "/share/given?"))

    for each in (*arrived.values(), given):
        assert "/sign-in?next=" in each.headers["Location"]
        assert "second=strong" in each.headers["Location"]
    [row] = rows(shared_towns, sun)
    assert row.waits_until is not None


def test_the_company_that_asks_more_is_shown_as_the_difference_and_she_may_leave_it(shared_towns, sun, ada):
    says_yes(ada, sun, classes=["Usage"], history="365")
    [before] = rows(shared_towns, sun)

    page = ada.arrives(sun, scope=PLAIN)
    nothing = ada.posts(page, act="continue")
    kept = sun.redeem(oauth.in_address(nothing.headers["Location"])["code"]).json

    assert values(page, "classes") == ["Billing", "Account"]
    assert values(page, "history") == ["kept", "all"]
    assert "checked" not in page.get_data(as_text=True)
    assert kept["scope"] == before.scope
    assert kept["resourceURI"].endswith(str(before.id))


def test_what_she_adds_is_a_new_consent_of_the_same_authorization(shared_towns, sun, ada, freeze):
    freeze(clock.seconds())
    says_yes(ada, sun, classes=["Usage"], history="365")
    [before] = rows(shared_towns, sun)
    freeze(before.created_at + 500)

    second = ada.follows(ada.posts(ada.arrives(sun, scope=PLAIN), act="continue", classes=["Billing"]))
    back = ada.agrees(second)
    answer = sun.redeem(oauth.in_address(back.headers["Location"])["code"]).json

    [row] = rows(shared_towns, sun)
    assert row.id == before.id
    assert "Usage" in text(second)
    assert answer["scope"] == row.scope != before.scope
    assert row.consent_record_id != before.consent_record_id
    with shared_towns.reading() as session:
        record = session.get_one(ConsentRecord, row.consent_record_id)
    assert "Billing Information · Usage Information" in record.shown
    assert "HistoryLength=31536000" in row.scope
    assert row.history_from == before.history_from  # as it was: nothing of it is lost by coming late


def test_of_several_she_chooses(shared_towns, sun, ada):
    says_yes(ada, sun, classes=["Usage"])
    says_yes(ada, sun, classes=["Billing"])
    first, second = rows(shared_towns, sun)

    page = ada.arrives(sun, scope="FB=16;IntervalDuration=900;HistoryLength=86400")
    none = ada.follows(ada.posts(page, act="continue"))
    chosen = first if "Billing" in first.scope else second
    back = ada.posts(page, given=str(chosen.id), act="continue")
    answer = sun.redeem(oauth.in_address(back.headers["Location"])["code"]).json

    assert sorted(values(page, "given")) == sorted([str(first.id), str(second.id), "none"])
    assert "Choose one of these." in text(none)
    assert answer["resourceURI"].endswith(str(chosen.id))


def test_what_she_shares_already_ends_only_when_the_code_is_redeemed(shared_towns, sun, ada):
    live = ada.shares(sun)
    says_yes(ada, sun)
    page = ada.arrives(sun, scope="FB=4_5;IntervalDuration=3600;HistoryLength=86400")

    before = sun.reads(live["resourceURI"], live["access_token"])
    answer = sun.redeem(oauth.in_address(address(page))["code"]).json
    after = sun.reads(live["resourceURI"], live["access_token"])

    assert (before, after) == (200, 401)
    assert sun.reads(answer["resourceURI"], answer["access_token"]) == 200


def test_a_yes_nobody_came_for_lapses(shared_towns, sun, ada, freeze):
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), unused_days=3)
    says_yes(ada, sun)
    [row] = rows(shared_towns, sun)

    freeze(row.waits_until + 1)
    announcing.expire(shared_towns)

    [over] = rows(shared_towns, sun)
    assert row.waits_until == pytest.approx(row.created_at + 3 * DAY, abs=5)
    assert (over.ended_reason, over.ended_at) == ("lapsed", row.waits_until + 1)
    assert told(shared_towns, row) == ["authorization.ended", "authorization.waiting"]


def test_a_code_for_a_consent_that_lapsed_or_was_ended_is_worth_nothing(shared_towns, sun, ada):
    says_yes(ada, sun)
    [row] = rows(shared_towns, sun)
    page = ada.arrives(sun, scope="FB=4_5;IntervalDuration=3600;HistoryLength=86400")
    make.end(shared_towns, row.id)

    refused = sun.redeem(oauth.in_address(address(page))["code"])

    assert refused.status_code == 400
    assert refused.json["error"] == "invalid_grant"


def test_one_time_begins_when_the_company_comes(shared_towns, sun, ada):
    says_yes(ada, sun, lasting="once")
    page = ada.arrives(sun, scope="FB=4_5;IntervalDuration=3600;HistoryLength=86400")

    answer = sun.redeem(oauth.in_address(address(page))["code"])

    [row] = rows(shared_towns, sun)
    assert answer.status_code == 200
    assert row.lasting == "once"
    assert row.ends_at == pytest.approx(clock.seconds() + DAY, abs=30)


def test_a_change_narrows_or_lengthens_what_the_company_has(shared_towns, sun, ada):
    tokens = ada.shares(
        sun, PLAIN, classes=["Usage", "Billing"], lasting="until", month="12", day="31", year="2030"
    )
    [before] = rows(shared_towns, sun)

    page = ada.follows(ada.get(f"{HOME}/share/change/{before.id}", 303))
    receipt = ada.follows(ada.agrees(ada.checks(page, history="kept", lasting="stopped")))

    [row] = rows(shared_towns, sun)
    assert "What they can see now" in text(page)
    assert "checked" not in page.get_data(as_text=True)
    assert "Check before you change this" in text(receipt)
    assert (row.id, row.history_from, row.ends_at) == (before.id, before.history_from, grants.OPEN_END)
    assert "Billing" not in row.scope
    assert row.version > before.version
    with shared_towns.reading() as session:
        scopes = session.scalars(select(Token.scope).where(Token.authorization_id == row.id)).all()
    assert set(scopes) == {row.scope}
    assert sun.reads(tokens["resourceURI"], tokens["access_token"]) == 200
    assert sun.refresh(tokens["refresh_token"]).json["scope"] == row.scope
    assert told(shared_towns, row) == ["authorization.changed", "authorization.granted"]


def test_a_change_never_goes_beyond_the_registration(shared_towns, sun, ada):
    ada.shares(sun, "FB=4_5;IntervalDuration=900;HistoryLength=31536000", history="all")
    [before] = rows(shared_towns, sun)

    page = ada.follows(ada.get(f"{HOME}/share/change/{before.id}", 303))
    forged = ada.follows(ada.chooses(page, classes=["Usage", "RIN"], history="all"))

    assert values(page, "classes") == ["Billing", "Account", "Usage"]
    assert "is not asked for" in text(forged)


def test_leaving_a_change_leaves_everything(shared_towns, sun, ada):
    ada.shares(sun)
    [before] = rows(shared_towns, sun)

    left = ada.follows(ada.declines(ada.follows(ada.get(f"{HOME}/share/change/{before.id}", 303))))

    [row] = rows(shared_towns, sun)
    assert "Nothing was changed" in text(left)
    assert (row.version, row.scope) == (before.version, before.scope)


def test_what_lasts_until_she_stops_it_is_told_of_once_a_year(shared_towns, sun, ada, freeze):
    ada.shares(sun)
    [row] = rows(shared_towns, sun)

    for moment in (row.starts_at + 364 * DAY, row.starts_at + 365 * DAY, row.starts_at + 366 * DAY):
        freeze(moment)
        expiring.remind_yearly(shared_towns)

    assert told(shared_towns, row) == ["authorization.goes-on", "authorization.granted"]


def test_of_two_codes_for_one_yes_the_first_gets_it(shared_towns, sun, ada):
    says_yes(ada, sun)
    less = "FB=4_5;IntervalDuration=3600;HistoryLength=86400"

    found = [oauth.in_address(address(ada.arrives(sun, scope=less)))["code"] for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        answers = sorted(each.status_code for each in pool.map(sun.redeem, found))

    assert answers == [200, 400]
    assert [each.waits_until for each in rows(shared_towns, sun)] == [None]


def test_one_that_waits_can_be_changed_and_still_waits(shared_towns, sun, ada):
    says_yes(ada, sun)
    [before] = rows(shared_towns, sun)

    page = ada.follows(ada.get(f"{HOME}/share/change/{before.id}", 303))
    ada.agrees(ada.checks(page, lasting="once"))

    [row] = rows(shared_towns, sun)
    assert (row.id, row.waits_until) == (before.id, before.waits_until)
    assert row.ends_at == before.waits_until + DAY
