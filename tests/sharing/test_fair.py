"""What the pages of consent say is true, whole and fair: classes, terms, sellers, what is closed, and no tricks."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po
from jinja2 import Environment, meta
from lxml import html
from sqlalchemy import select

from espi_server import clock
from espi_server.access import grants, terms
from espi_server.access.letters import composers
from espi_server.access.models import Authorization, ConsentRecord
from espi_server.accounts import portal as portals
from espi_server.accounts import utilities
from espi_server.energy.models import UsagePoint
from espi_server.espi.tables import OPENS, DataClass
from espi_server.notify.letters import written
from espi_server.notify.models import Outbox
from espi_server.notify.sending import Message
from espi_server.web import sharing_words
from tests import make, oauth
from tests.sharing import walking
from tests.sharing.walking import HOME, text, values
from tests.web import reading

pytestmark = [
    pytest.mark.requirement("F-SEL", "F-REC", "NFR28"),
    pytest.mark.parametrize("shared_towns", ["sqlite"], indirect=True, scope="module"),
]

TERMS = {"terms": "https://valley.example/terms", "terms_version": "2026-01"}
THEIRS = {
    "use_statement": "We watch the sun.", "use_statement#es": "Miramos el sol.", "client_uri": "https://sun.example",
    "policy_uri": "https://sun.example/privacy", "tos_uri": "https://sun.example/terms", "tos_version": "7",
    "privacy_email": "privacy@sun.example", "essential": ["Usage", "RIN"],
}  # fmt: skip


# Other words of the terms are another version; what was agreed to stays what it was.
WORDS_OF_TERMS = {"2026-11": {"en": "6408e33f5e619de0", "es": "b85f91b5222773c4"}}


@pytest.fixture(scope="module")
def sun(shared_towns):
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), **TERMS)
    found = walking.company(shared_towns, "Sun", policy="strict", jwks=walking.KEYS, scope=walking.EVERYTHING)
    walking.describe(found, **THEIRS)
    return found


@pytest.fixture(scope="module")
def moon(shared_towns, sun):
    """A company that asks for little, with a secret."""
    found = walking.company(shared_towns, "Moon", app=sun.app, scope=oauth.SCOPE)
    walking.describe(found, **THEIRS)
    return found


@pytest.fixture
def ada(shared_towns, sun):
    return walking.customer(shared_towns, sun.app)


def asked(walker, company, **more):
    return walker.arrives(company, nonce="n-1", scope=walking.EVERYTHING, **more)


def buttons(page):
    [row] = html.fromstring(page.data).get_element_by_id("main").find_class("buttons")
    return [(each.tag, each.get("class"), " ".join(each.text_content().split())) for each in row]


# --- what each class opens ------------------------------------------------------------------------------

# The elements a class opens that tell something of a person, and the words that say so on the page.
TOLD = {
    DataClass.BASIC: {
        r"name|customerName|organisationName": ("name", "nombre"), r"phone[12]": ("phone", "teléfono"),
        r"electronicAddress": ("email", "correo"), r"streetAddress|postalAddress": ("mailing address", "postal"),
        r"specialNeed": ("Special needs", "necesidades especiales"),
    },
    DataClass.BILLING: {
        r"bill\w+|cost\w+|lastBillAmount|budgetBill|Statement": ("bills", "facturas"),
        r"\w*[cC]onsumption\w*": ("what you used", "lo que usó"),
        r"tariffProfile|PricingStructures": ("rate", "tarifa"),
        r"billingCycle|readCycle": ("When we bill you", "Cuándo le facturamos"),
        r"serviceDeliveryPoint": ("voltage class", "clase de voltaje"),
    },
    DataClass.ACCOUNT: {
        r"accountId": ("account number", "número de su cuenta"), r"agreementId": ("agreement number", "contrato"),
        r"Meter|EndDevice": ("meter number", "medidor"), r"signDate|validityInterval": ("service began", "empezó"),
        r"ServiceSupplier": ("Who supplies you", "Quién le suministra"), r"isPrePay": ("pay ahead", "por adelantado"),
        r"shutOffDateTime": ("shut-off", "corte"),
    },
    DataClass.USAGE: {
        r"\w*value|IntervalBlock": ("How much energy you use", "Cuánta energía usa"),
        r"ElectricPowerQualitySummary": ("How steady your power is", "estable es su corriente"),
    },
    DataClass.PROGRAM_ENROLLMENT: {r"DemandResponseProgram": ("programs", "programas")},
    DataClass.RIN: {r"\w+Rin|EligibleRate": ("ID codes of your rate", "tarifa")},
    DataClass.BILL_COMPARISON: {r"annualTotal|monthlyAverage": ("what your bills would be", "facturas")},
}  # fmt: skip
# Those that a page for people need not name, by class: what every document has, and the utility's own marks.
PLAIN = {
    DataClass.BASIC: r"kind|pucNumber|status|locale|vip|priority|ServiceLocation|CustomerA\w+|Customer",
    DataClass.ACCOUNT: r"name|type|\w+Name|\w+DateTime|revisionNumber|subject|title|docStatus|status|comment"
    r"|notifications|loadMgmt|currency|futureStatus|CustomerA\w+",
}


def opened(cls):
    """The names of everything that tells something and that a class opens: kinds opened whole, else their elements."""
    for (each, _), kinds in OPENS.items():
        for kind, elements in kinds.items() if each == cls else ():
            yield from [kind] if elements is None else (name.rpartition(".")[2] for name in elements)


@pytest.mark.requirement("F-DATA")
@pytest.mark.parametrize("cls", TOLD)
def test_the_page_says_what_a_class_opens(sun, cls):
    said = {}
    for language in ("en", "es"):
        with sun.app.test_request_context(f"/?lang={language}"):
            shown = sharing_words.classes()[cls]
            said[language] = shown.about.casefold()

    names = set(opened(cls))
    for pattern, words in TOLD[cls].items():
        assert any(re.fullmatch(pattern, name) for name in names), pattern
        for language, word in zip(("en", "es"), words, strict=True):
            assert word.casefold() in said[language], (pattern, word)
    if cls in PLAIN:
        known = "|".join([*TOLD[cls], PLAIN[cls]])
        assert [name for name in sorted(names) if not re.fullmatch(known, name)] == []


# --- the record -----------------------------------------------------------------------------------------


def last(database, company):
    # Two of one second: the later took the place of the earlier.
    newest = (Authorization.created_at.desc(), Authorization.ended_at.is_not(None))
    with database.reading() as session:
        mine = select(Authorization).where(Authorization.application_id == company.id)
        row = session.scalars(mine.order_by(*newest)).first()
        return row, session.get_one(ConsentRecord, row.consent_record_id)


def letter(database, row, kind):
    """What she is mailed of it."""
    with database.reading() as session:
        found = next(
            each
            for each in session.scalars(select(Outbox).where(Outbox.kind == kind).order_by(Outbox.id.desc()))
            if each.payload["authorization"] == str(row.id)
        )
        message = Message(found.id, found.utility_id, found.kind, found.recipient, found.payload)
        note = composers()[kind](session, message)
    return written(found.id, found.utility_id, kind, note, "ada@mail.example")


def test_the_version_of_a_record_is_that_of_every_word_in_it(shared_towns):
    web = Path(sharing_words.__file__).parent
    consent = (web / "templates/sharing/_consent.html").read_text("utf-8")
    parts = meta.find_referenced_templates(
        Environment(autoescape=True, extensions=["jinja2.ext.i18n"]).parse(consent)
    )
    sources = {web / name for name in sharing_words.SOURCES}
    catalog = read_po(BytesIO((web / "words/es/sharing.po").read_bytes()), locale="es")
    said = [
        message
        for path in sources
        for _, message, *_ in extract_from_file(
            "jinja2.ext:babel_extract" if path.suffix == ".html" else "python", path, keywords={"_": None}
        )
    ]

    assert {web / "templates" / str(each) for each in parts} <= sources
    assert len(said) > 60
    assert [each for each in said if each not in catalog] == []


@pytest.mark.requirement("F-NOTE")
@pytest.mark.parametrize("language", ["en", "es"])
def test_page_record_receipt_and_letter_are_one_text_with_the_terms_of_both(shared_towns, language):
    moon = walking.company(shared_towns, f"Moon {language}", scope=oauth.SCOPE)
    walking.describe(moon, **THEIRS)
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), **TERMS)
    ada = walking.customer(shared_towns, moon.app, email=f"ada.{language}@mail.example", language=language)

    second = ada.checks(ada.arrives(moon))
    shown = html.fromstring(second.data).get_element_by_id("consent")
    links = {str(each.get("href")) for each in shown.iter("a")}
    for each in shown.find_class("control"):
        each.drop_tree()
    moon.redeem(oauth.in_address(ada.agrees(second).headers["Location"])["code"])

    row, record = last(shared_towns, moon)
    receipt = html.fromstring(ada.get(f"{HOME}/share/receipt/{row.id}").data).get_element_by_id("receipt")
    mailed = letter(shared_towns, row, "authorization.granted")
    lines = record.shown.splitlines()
    assert hashlib.sha256(record.shown.encode()).digest() == record.digest
    assert (record.language, receipt.get("lang"), mailed.language) == (language, language, language)
    assert " ".join(lines).split() == " ".join(shown.itertext()).split()
    assert [" ".join(each.text_content().split()) for each in receipt.iter("p")] == lines
    assert [each for each in lines if f"- {each}\n" not in mailed.text] == []
    assert {TERMS["terms"], THEIRS["tos_uri"], THEIRS["policy_uri"]} <= links
    for what in (TERMS["terms"], TERMS["terms_version"], THEIRS["tos_uri"], "7)", THEIRS["policy_uri"]):
        assert what in record.shown
    assert row.identified["method"] == "sign-in"
    assert {"when", "amr"} <= set(row.identified)


def test_an_end_stands_on_every_page_and_what_she_has_is_replaced_knowingly(shared_towns, moon, ada):
    chosen = {"lasting": "until", "month": "6", "day": "30", "year": "2031"}
    second = ada.checks(ada.arrives(moon), **chosen)
    code = oauth.in_address(ada.agrees(second).headers["Location"])["code"]
    assert moon.redeem(code).status_code == 200
    row, _ = last(shared_towns, moon)

    again = ada.arrives(moon)

    assert "June 30, 2031. We will remind you 30 days before." in text(second)
    assert "days before" not in text(ada.checks(ada.arrives(moon), **chosen | soon()))
    for page in (
        second,
        ada.get(f"{HOME}/share/receipt/{row.id}"),
        ada.get(f"{HOME}/access"),
        ada.get(f"{HOME}/access/{row.id}"),
    ):
        assert "June 30, 2031" in text(page)
    assert "the new choice takes the place of the old one" in text(again)
    assert "This takes the place of it." in text(ada.checks(again))


def soon():
    """The day after tomorrow: too near for any letter ahead."""
    day = datetime.fromtimestamp(clock.seconds(), UTC) + timedelta(days=2)
    return {"month": str(day.month), "day": str(day.day), "year": str(day.year)}


@pytest.mark.parametrize("language", ["en", "es"])
def test_where_nobody_set_terms_those_of_the_server_bind_by_version(shared_towns, moon, language):
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), terms="", terms_version="")
    bare = walking.company(shared_towns, f"Bare {language}", app=moon.app, scope=oauth.SCOPE)
    ada = walking.customer(shared_towns, moon.app, language=language)

    second = ada.checks(ada.arrives(bare))
    page = ada.app.test_client().get(f"{HOME}/terms?lang={language}")
    bare.redeem(oauth.in_address(ada.agrees(second).headers["Location"])["code"])
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), **TERMS)
    theirs = text(ada.get(f"{HOME}/terms"))
    told = ada.app.test_client().get("/north/.well-known/oauth-authorization-server").json

    _, record = last(shared_towns, bare)
    where = "https://data.example.org/north/account/terms"
    assert f"{where} ({'version' if language == 'en' else 'versión'} {terms.VERSION})" in record.shown
    assert (
        f"Bare {language} {'gave us no terms' if language == 'en' else 'no nos dio condiciones'}"
        in record.shown
    )
    assert terms.VERSION in text(page)
    assert hashlib.sha256(text(page).encode()).hexdigest()[:16] == WORDS_OF_TERMS[terms.VERSION][language]
    assert (
        language == "es" or reading.grade(reading.words_of(page.data).replace("Valley Electric", "Sun")) <= 6
    )
    assert TERMS["terms"] in theirs
    assert terms.VERSION not in theirs
    assert told["op_tos_uri"] == TERMS["terms"]


# --- places ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("UC1.2")
def test_what_cannot_be_shared_is_shown_with_its_reason_and_cannot_be_ticked(shared_towns, sun, ada):
    shut = {
        "This service closed on May 1, 2024.": {"ends_at": 1_714_600_000},
        "This is a wholesale agreement, and those are never shared.": {"customer_class": "wholesale"},
        "We have no data of this meter.": {"points": 0},
        "Somebody else has this meter now.": {},
    }
    made = {
        walking.agreement(shared_towns, f"F-{number}", **more): why
        for number, (why, more) in enumerate(shut.items(), 5001)
    }
    moved = list(made)[-1]
    other = make.customer_id(shared_towns, "C-2")
    make.change(shared_towns, UsagePoint, UsagePoint.agreement_id == moved, customer_id=other)

    page = asked(ada, sun)

    told = [" ".join(each.text_content().split()) for each in html.fromstring(page.data).find_class("shut")]
    for number, why in enumerate(shut, 5001):
        [line] = [each for each in told if f"agreement ending {number}" in each]
        assert why in line
        assert "Why? " in line
    assert not {str(each) for each in made} & set(walking.open_places(page))


@pytest.mark.requirement("F-ROUTE", "UC3.2")
def test_a_yes_is_never_for_the_seller_of_her_energy_who_asks_on_pages_of_its_own(shared_towns, moon, ada):
    place = walking.agreement(shared_towns, "U-1", udc="north", lse="south")
    plain = walking.agreement(shared_towns, "B-1", udc="north", lse="north")
    with shared_towns.reading() as session:
        seller = utilities.find(session, "south").name
    only = f"Valley Electric delivers your energy and {seller} sells it. This yes is only for what Valley Electric"
    onward = f"For what {seller} knows, choose on the pages of {seller}."

    def walk(setting):
        with shared_towns.writing() as session:
            portals.change(utilities.find(session, "north"), unbundled=setting)
        first = ada.arrives(moon)
        bundled = ada.checks(first, places=[str(plain)])
        second = ada.checks(ada.arrives(moon), places=[str(place)])
        moon.redeem(oauth.in_address(ada.agrees(second).headers["Location"])["code"])
        [row] = [each for each in rows_of(shared_towns, moon) if each.ended_at is None]
        with shared_towns.reading() as session:
            record = session.get_one(ConsentRecord, row.consent_record_id)
        assert "is only for what Valley Electric knows" in text(first)
        assert only in record.shown
        assert "sells it" not in text(bundled)
        assert row.identified["lse"] == "south"
        after = [
            ada.get(f"{HOME}{each}") for each in (f"/share/receipt/{row.id}", "/access", f"/access/{row.id}")
        ]
        told = {onward in text(first), onward in record.shown}
        links = [
            html.fromstring(page.data).xpath("//a[contains(@href, '/south/account/')]/@href")
            for page in after
        ]
        return told, {str(one) for each in links for one in each}, all(links)

    apart = walk("udc")
    nobody = walk("both")  # the company may not ask there
    there = walking.company(shared_towns, "Moon", code="south", app=moon.app, scope=oauth.SCOPE)
    led = walk("both")

    with_hers = walking.customer(shared_towns, moon.app, code="south")
    assert apart == nobody == ({False}, set(), False)
    assert led == ({True}, {f"https://data.example.org/south/account/share/with/{there.id}"}, True)
    page = with_hers.follows(with_hers.get(led[1].pop(), 303))
    assert "Choose what to share with Moon" in text(page)
    assert rows_of(shared_towns, there) == []  # nothing began at the seller by her yes here
    with_hers.agrees(with_hers.checks(page))
    [begun] = rows_of(shared_towns, there)
    assert begun.waits_until is not None
    make.hold(shared_towns, there.id)
    assert "/south/account/share" not in ada.get(f"{HOME}/access").get_data(as_text=True)
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), unbundled="udc")


def rows_of(database, company):
    with database.reading() as session:
        mine = select(Authorization).where(Authorization.application_id == company.id)
        return session.scalars(mine).all()


# --- no tricks (11 CCR 7004) ----------------------------------------------------------------------------

PRESSURE = re.compile(
    r"hurry|last chance|only today|are you sure|miss out|later|limited|recommend|sorry|regret|unfortunately|better"
    r"|apúrese|última oportunidad|solo hoy|está seguro|se pierde|más tarde|recomend|lástima|lamentamos",
    re.IGNORECASE,
)


def test_a_button_that_ticks_everything_leaves_the_rate_question_alone(sun, ada):
    page = asked(ada, sun)

    for act in ("asked", "all"):
        page = ada.follows(ada.posts(page, act=act, places=[], classes=[]))
        ticked = html.fromstring(page.data).xpath("//input[@checked]/@name")
        assert "rate" not in ticked
    assert "classes" in html.fromstring(page.data).xpath("//input[@checked]/@name") or values(page, "classes")
    left = ada.checks(page, classes=["RIN", "BillComparison"])
    assert "They cannot ask to change your rate" in text(left)


def test_yes_and_no_are_alike_and_nobody_is_pressed_or_thanked(sun, ada):
    for language in ("en", "es"):
        ada.client.set_cookie("lang", language)
        first = asked(ada, sun)
        second = ada.checks(first)
        assert [(tag, look) for tag, look, _ in buttons(first)] == [("button", "button")] * 2
        assert [(tag, look) for tag, look, _ in buttons(second)] == [("button", "button")] * 2
        assert buttons(first)[1] == buttons(second)[1]  # the same plain no on both
        declined = ada.declines(second)
        assert oauth.in_address(declined.headers["Location"])["error"] == "access_denied"
        for page in (first, second):
            assert PRESSURE.findall(text(page)) == []
            assert not html.fromstring(page.data).xpath(
                "//main//meta | //script | //main//img | //main//video"
            )


def test_no_company_is_spoken_of_otherwise_than_another(shared_towns, sun, ada):
    said = []

    for name in ("Alpha", "Omega"):
        company = walking.company(shared_towns, name, app=sun.app, scope=oauth.SCOPE)
        walking.describe(company, **THEIRS)
        page = ada.arrives(company)
        said.append([text(each).replace(name, "X") for each in (page, ada.checks(page))])

    assert said[0] == said[1]


def test_what_the_utility_may_not_say_is_not_said_and_what_is_essential_blocks_nothing(
    shared_towns, sun, ada
):
    with_it = text(asked(ada, sun))
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), neutral=False)
    without = text(asked(ada, sun))
    with shared_towns.writing() as session:
        portals.change(utilities.find(session, "north"), neutral=True)
    second = ada.checks(asked(ada, sun), classes=["Usage"])

    assert "is not paid for this and does not check how Sun uses your data" in with_it
    assert "is not paid for this" not in without
    assert "Sun says it cannot work without Release RIN data. You can still share the rest." in text(second)
    assert oauth.in_address(ada.agrees(second).headers["Location"])["code"]


# --- every page -----------------------------------------------------------------------------------------


def pages(ada, sun):
    """Pages of consent and of what comes after it, by what they are."""
    choose = asked(ada, sun)
    yield "choose", choose
    yield "choose, wrong", ada.follows(ada.posts(choose, act="continue"))
    yield "check", ada.checks(choose, classes=["Usage", "RIN"])
    receipt = ada.follows(ada.agrees(ada.checks(ada.follows(ada.get(f"{HOME}/share/with/{sun.id}", 303)))))
    yield "receipt", receipt
    row, _ = last(ada.database, sun)
    yield "more", ada.arrives(sun, nonce="n", scope=walking.EVERYTHING)
    change = ada.follows(ada.get(f"{HOME}/share/change/{row.id}", 303))
    yield "change", change
    yield "check of a change", ada.checks(change, lasting="until", month="6", day="30", year="2031")
    yield (
        "nothing changed",
        ada.follows(ada.declines(ada.follows(ada.get(f"{HOME}/share/change/{row.id}", 303)))),
    )
    with ada.database.writing() as session:
        grants.end(session, session.get_one(Authorization, row.id), "cancelled")
    yield "receipt, ended", ada.get(f"{HOME}/share/receipt/{row.id}")
    for name, path, status in (
        ("companies", "/companies", 200), ("utilities", "/share/utilities", 200), ("over", f"/share/{sun.id}", 404),
        ("who has access", "/access", 200), ("one that ended", f"/access/{row.id}", 200),
        ("history", "/access/history", 200), ("cases", "/cases", 200), ("report", "/cases/new", 200),
        ("security", "/security", 200), ("accessibility", "/accessibility", 200), ("terms", "/terms", 200),
        ("nothing here", f"/access/{sun.id}", 404),
    ):  # fmt: skip
        yield name, ada.get(f"{HOME}{path}", status)


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_has_a_title_of_its_own_its_language_its_policy_and_easy_words(
    shared_towns, sun, language
):
    ada = walking.customer(shared_towns, sun.app, language=language)
    titles = {}

    for name, page in pages(ada, sun):
        root = html.fromstring(page.data)
        policy = page.headers["Content-Security-Policy"]
        assert (root.get("lang"), page.headers["Content-Language"]) == (language, language), name
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert root.findall(".//script") == [], name
        assert root.xpath("//*[@style]") == [], name
        assert len(root.xpath("//h1")) == 1, name
        plain = reading.words_of(page.data).replace("Valley Electric", "Sun")
        assert language == "es" or reading.grade(plain) <= 6, (name, reading.grade(plain))
        titles.setdefault(root.findtext(".//title"), []).append(name)

    same = [names for names in titles.values() if len(names) > 1]
    assert same == [["choose", "choose, wrong"], ["receipt", "receipt, ended"]]
