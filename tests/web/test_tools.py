"""The tools as a browser and a program see them: a file goes in, a verdict comes out, an hour later it is gone."""

from __future__ import annotations

import gzip
import io
import json
import re
import uuid
from itertools import pairwise

import pytest
from lxml import etree, html
from sqlalchemy import func, select

from espi_server.app import create_app
from espi_server.db import Database
from espi_server.espi.checks.rule import RULES
from espi_server.settings import DEVELOPMENT_SECRET, Settings
from espi_server.tools import keeping, schemas
from espi_server.tools.models import KeptVerdict
from espi_server.web import looks
from tests import make
from tests.espi.check.mutations import FILES, MUTATIONS
from tests.web.test_pages import POLICY, contrast, palette

GOOD = (FILES / "usage.xml").read_bytes()
BAD = MUTATIONS["LINK-06"].bad.encode()
PAGES = ("/tools/", "/tools/validate", "/tools/rules", "/tools/schemas", "/tools/schemas/explain/UsageSummary",
         "/tools/schemas/explain/ReadingType/uom")  # fmt: skip


@pytest.fixture
def visitor(sqlite_url):
    """Makes browsers at installations with other settings."""
    yield from visitors(sqlite_url)


@pytest.fixture
def browser(visitor):
    return visitor()


@pytest.fixture
def either(database_url):
    """A browser at an installation on each kind of database."""
    for visit in visitors(database_url):
        yield visit()


def visitors(database_url):
    opened = []

    def visit(**chosen):
        database = Database(database_url)
        opened.append(database)
        settings = Settings(
            mode="development", database_url=database_url, secret_key=DEVELOPMENT_SECRET, **chosen
        )
        return create_app(settings.checked(), database).test_client()

    yield visit
    for database in opened:
        database.close()


def send(browser, data=GOOD, name="usage.xml", accept="text/html", headers=(), **fields):
    body = b"".join(
        b'--xx\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (field.encode(), value.encode())
        for field, value in fields.items()
    )
    body += b'--xx\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n' % name.encode()
    body += b"Content-Type: application/xml\r\n\r\n" + data + b"\r\n--xx--\r\n"
    how = {"Accept": accept, "Content-Type": "multipart/form-data; boundary=xx", **dict(headers)}
    return browser.post("/tools/validate", data=body, headers=how)


def shown(browser, data=GOOD, **fields):
    """The page a browser ends on."""
    answer = send(browser, data, **fields)
    assert answer.status_code == 303
    response = browser.get(answer.location)
    assert response.status_code == 200
    return html.document_fromstring(response.get_data(as_text=True))


def words(document):
    return " ".join(document.text_content().split())


# A file goes in


def test_a_good_file_is_conformant_and_what_was_read_is_told(browser):
    document = shown(browser)

    assert document.findtext(".//h1") == "Conformant"
    assert "Nothing to complain about." in words(document)
    facts = dict(zip(document.xpath("//dt/text()"), document.xpath("//dd/text()"), strict=True))
    assert facts["Usage points"] == "1"
    assert facts["Readings"] == "53"
    assert facts["In all"] == "19,599 Wh delivered, 10,100 Wh received"
    assert "31 October 2026, 07:00 to 2 November 2026, 08:00 UTC" in facts["Readings from"]
    assert len(document.xpath("//svg//rect")) == 3


def test_a_bad_file_tells_rule_reason_line_and_quotes_it(browser):
    document = shown(browser, BAD, name="bad.xml")

    (article,) = document.xpath("//article[@class='finding']")
    assert document.findtext(".//h1") == "Not conformant"
    assert article.xpath(".//a/@href") == ["/tools/rules#LINK-06"]
    assert f"line {MUTATIONS['LINK-06'].line}" in words(article)
    assert "The up link ends in a slash." in words(article)
    assert 'MeterReading/"/>' in article.findtext(".//pre/code")


def test_the_rule_a_finding_links_to_is_on_the_page_of_rules(browser):
    document = html.document_fromstring(browser.get("/tools/rules").get_data(as_text=True))

    assert RULES.keys() <= set(document.xpath("//@id"))
    for rule in RULES.values():
        assert rule.title in words(document)


def test_profile_edition_and_claims_are_those_chosen(browser):
    document = shown(browser, BAD, profile="lenient", edition="3.3", claims="FB=4_54")

    assert "ESPI 3.3 (3.3.20200320), as you chose; profile lenient" in words(document)
    assert "Retail" in words(document) or "FB-54" in words(document)


def test_gzip_is_read(browser):
    assert shown(browser, gzip.compress(GOOD), name="usage.xml.gz").findtext(".//h1") == "Conformant"


def test_names_and_lines_of_strangers_are_shown_escaped(browser):
    evil = GOOD.replace(b"<title>Pacific time</title>", "<title/><x>&lt;script&gt;\u202e</x>".encode())

    answer = send(browser, evil, name="<img src=x onerror=alert(1)>.xml")
    page = browser.get(answer.location).get_data(as_text=True)

    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page


def test_many_findings_are_folded_and_all_are_counted(browser):
    document = shown(browser, GOOD.replace(b"<id>urn:uuid:", b"<id>"))

    assert "Not so in 16 places." in words(document)
    assert len(document.xpath("//article//details//li")) == 11


# What cannot be read


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'<!DOCTYPE feed [<!ENTITY a "b">]><feed>&a;</feed>', "DOCTYPE"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no"),
        (b"PK\x03\x04....", "zip"),
        (b"Name,Address,kWh\n1,2,3\n", "begins with text"),
        (b"<!doctype html><html></html>", "web page"),
        (gzip.compress(b"\0" * 40_000_000), "times its size"),
        (b"<feed>" + b"<a>" * 100_000, "deep"),
        (GOOD[:5_000], "ends in the middle"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_a_kind_sentence(browser, data, told):
    document = shown(browser, data)

    assert document.findtext(".//h1") in ("Cannot be read", "Not read to its end")
    assert told in words(document.xpath("//*[@class='problem']")[0])


def test_a_small_file_that_asks_for_much_is_left_with_a_clear_word(visitor):
    entries = b"<entry/>" * 800_000
    feed = b'<feed xmlns="http://www.w3.org/2005/Atom">' + entries + b"</feed>"

    document = shown(visitor(check_seconds=1), feed)

    assert document.findtext(".//h1") == "Not read to its end"
    assert "Too much work: judging this file takes more than 1 seconds" in words(document)


def problem_on(browser, status, **how):
    answer = send(browser, **how)
    assert answer.status_code == status
    document = html.document_fromstring(answer.get_data(as_text=True))
    assert document.xpath("//*[@role='alert']")
    return document


@pytest.mark.parametrize(
    ("how", "field", "told"),
    [
        ({"name": ""}, "file", "Choose a file"),
        ({"data": b""}, "file", "empty"),
        ({"profile": "kind"}, "profile", "certification, lenient, sst"),
        ({"edition": "5"}, "edition", "auto, 4.0, 3.3, 0.7, sst"),
        ({"claims": "four"}, "claims", "4 5 15"),
        ({"claims": "4 999"}, "claims", "4 5 15"),
    ],
)
def test_what_is_wrong_with_the_form_is_told_at_the_field(browser, how, field, told):
    document = problem_on(browser, 400, **how)

    (alert,) = document.xpath("//*[@role='alert']")
    assert told in words(alert)
    assert alert.xpath(".//a/@href") == [f"#{field}"]
    (input_,) = document.xpath(f"//*[@id='{field}']")
    assert f"{field}-wrong" in input_.get("aria-describedby")
    assert told in words(document.xpath(f"//*[@id='{field}-wrong']")[0])


def test_a_file_that_is_too_large_is_told_so_at_the_form(visitor):
    for data in (b"x" * 20_000, b"x" * 2_000_000):
        document = problem_on(visitor(check_bytes=10_000), 413, data=data)

        assert "espi-server validate FILE" in words(document)


def test_a_file_larger_than_other_bodies_may_be_is_taken(browser):
    padded = GOOD.replace(b"</feed>", b"<!--" + b" " * 900_000 + b"-->" * 1 + b"</feed>")
    padded = padded.replace(b"<entry>", b"<!--" + b" " * 900_000 + b"--><entry>", 1)

    assert shown(browser, padded).findtext(".//h1") == "Conformant"


def test_two_files_a_wrong_field_and_a_thousand_parts_are_refused(browser):
    two = {"file": [(io.BytesIO(GOOD), "a.xml"), (io.BytesIO(GOOD), "b.xml")]}
    other = {"upload": (io.BytesIO(GOOD), "a.xml")}
    many = {f"f{number}": "x" for number in range(1000)}
    answers = [
        browser.post("/tools/validate", data=data, content_type="multipart/form-data")
        for data in (two, other, many)
    ]
    answers.append(send(browser, profile="x" * 500_000))

    assert [answer.status_code for answer in answers] == [400, 400, 413, 413]
    assert b"one file at a time" in answers[0].data
    assert b"What came is called `upload`" in answers[1].data


@pytest.mark.parametrize("step", [1, 7, 40, 100, 70_000])
def test_a_file_of_many_lines_comes_through_the_form_wherever_its_lines_end(browser, step):
    lines = (b" " * (step - 1) + b"\n") * (400_000 // step)

    answer = send(browser, data=GOOD.replace(b"</feed>", lines + b"</feed>"), accept="application/json")

    assert answer.status_code == 201
    assert answer.json["refused"] is None


@pytest.mark.parametrize("body", [b"", b"--x\r\nnonsense", b"a=b"])
@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded"]
)
def test_a_form_that_is_none_is_told_so(browser, body, kind):
    answer = browser.post("/tools/validate", data=body, content_type=kind)

    assert answer.status_code == 400
    assert b"Choose a file" in answer.data or b"cannot be read" in answer.data


# How many


def test_one_address_may_send_so_many_an_hour(visitor):
    browser = visitor(checks_per_hour=2)
    assert [send(browser).status_code for _ in range(2)] == [303, 303]

    answer = send(browser)

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) == 1_800
    assert "as many files as one may send" in answer.get_data(as_text=True)


def test_addresses_are_told_apart_by_what_trusted_proxies_say_only(visitor):
    behind, bare = visitor(checks_per_hour=1, proxies=1), visitor(checks_per_hour=1)
    for at, browser in enumerate((behind, bare)):
        said = [send(browser, headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code for n in range(2)]
        assert said == [[303, 303], [303, 429]][at]


def test_where_all_places_are_taken_one_is_asked_to_wait(browser):
    with browser.application.extensions["espi_server"].checks.inside_for("127.0.0.1"):
        answer = send(browser)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "2"
    assert send(browser).status_code == 303


# A program


def test_a_program_gets_the_verdict_at_once(browser):
    answer = send(browser, BAD, accept="application/json")

    assert answer.status_code == 201
    assert answer.json["conformant"] is False
    assert answer.json["findings"][0]["rule"] == "LINK-06"
    again = browser.get(answer.location, headers={"Accept": "application/json"})
    assert again.json == answer.json
    assert list(again.json)[:2] == ["schema_version", "file"]


def test_the_body_may_be_the_file_itself(browser):
    answer = browser.post(
        "/tools/validate?profile=lenient&name=mine.xml", data=GOOD, content_type="application/xml"
    )

    assert answer.status_code == 201
    assert (answer.json["file"], answer.json["profile"]) == ("mine.xml", "lenient")


def test_a_program_is_told_of_problems_as_programs_are(browser):
    answer = browser.post("/tools/validate?profile=kind", data=GOOD, content_type="application/xml")

    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert answer.json["parameter"] == "profile"


def test_json_and_junit_can_be_kept_as_files(browser):
    place = send(browser, BAD).location

    verdict, junit = browser.get(f"{place}/verdict.json"), browser.get(f"{place}/junit.xml")

    assert json.loads(verdict.data)["counts"]["error"] == 1
    assert verdict.headers["Content-Disposition"] == 'attachment; filename="verdict.json"'
    assert etree.fromstring(junit.data).xpath("count(//failure)") == 1


# An hour later


def test_a_verdict_is_gone_after_its_hour_and_swept_by_the_next(either, freeze):
    freeze(1_795_219_200)
    place = send(either).location
    freeze(1_795_219_200 + keeping.LASTS - 1)
    assert either.get(place).status_code == 200

    freeze(1_795_219_200 + keeping.LASTS)
    answer, as_json = either.get(place), either.get(f"{place}/verdict.json")
    send(either)

    assert answer.status_code == as_json.status_code == 404
    assert "not kept here" in answer.get_data(as_text=True)
    assert as_json.json["code"] == "not_kept"
    with either.application.extensions["espi_server"].database.reading() as session:
        assert session.scalar(select(func.count()).select_from(KeptVerdict)) == 1


@pytest.mark.parametrize("id", ["1", "x" * 500, str(uuid.UUID(int=0)), "%00", "..%2f..", "é"])
def test_an_id_nobody_was_given_leads_nowhere(either, id):
    for path in ("", "/verdict.json", "/junit.xml"):
        assert either.get(f"/tools/validate/{id}{path}").status_code == 404


def test_nothing_of_the_file_is_kept_but_the_lines_with_findings(either):
    secret = GOOD.replace(b"<title>Usage data</title>", b"<title>Robin Example, 5 Main Street</title>")
    secret = secret.replace(b"-28800", b"-8")
    id = uuid.UUID(send(either, secret).location.rpartition("/")[2])

    with either.application.extensions["espi_server"].database.reading() as session:
        kept, judgement = keeping.find(session, str(id))

    assert judgement.quotes
    assert all("-8" in quote for quote in judgement.quotes.values())
    assert "Robin" not in repr(judgement)
    assert kept.expires_at == kept.created_at + 3_600


def test_of_too_many_the_oldest_go(either, freeze, monkeypatch):
    monkeypatch.setattr(keeping, "MOST", 3)
    places = []
    for second in range(6):
        freeze(1_795_219_200 + second)
        places.append(send(either).location)

    kept = [either.get(place).status_code for place in places]

    assert kept[-1] == 200
    assert kept.count(200) <= 3


# For everybody


def test_a_form_on_another_site_is_refused(browser):
    answer = send(browser, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert send(browser, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_no_cookie_is_set_or_asked_for(browser):
    answer = send(browser)

    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in browser.get(answer.location).headers.get("Vary", "")


@pytest.fixture
def every_page(browser):
    """Every page in every state."""
    places = [send(browser, data).location for data in (GOOD, BAD, b"<!DOCTYPE a><a/>")]
    pages = [browser.get(place) for place in (*PAGES, *places)]
    pages += [
        send(browser, profile="kind"),
        browser.get("/tools/validate/1"),
        browser.get("/tools/schemas/explain/Nix"),
    ]
    return [(page, html.document_fromstring(page.get_data(as_text=True))) for page in pages]


def test_every_page_has_a_sound_outline(every_page):
    for _, document in every_page:
        levels = [int(heading.tag[1]) for heading in document.iter("h1", "h2", "h3")]
        ids = document.xpath("//@id")
        named = {
            id for each in document.xpath("//@aria-labelledby | //@aria-describedby") for id in each.split()
        }
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
        assert len(set(ids)) == len(ids)
        assert named <= set(ids)
        assert {href[1:] for href in document.xpath("//a/@href") if href.startswith("#")} <= set(ids)
        labelled = set(document.xpath("//label/@for"))
        assert set(document.xpath("//input/@id | //select/@id")) <= labelled
        assert all(cell.get("scope") for cell in document.iter("th"))
        assert all(table.find("caption") is not None for table in document.iter("table"))
        assert document.findtext(".//title").strip()


def test_every_page_has_no_script_no_style_and_the_strict_headers(every_page):
    for response, document in every_page:
        assert not list(document.iter("script", "style", "iframe", "object", "embed"))
        assert not document.xpath("//@style | //@*[starts-with(name(), 'on')]")
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["Cache-Control"] == "no-store"
        assert all(
            address.startswith(("/static/", "data:")) for address in document.xpath("//@src | //link/@href")
        )


def test_links_of_every_page_lead_somewhere(browser, every_page):
    addresses = {href for _, document in every_page for href in document.xpath("//a/@href")}

    assert [href for href in addresses if href[0] != "#" and browser.get(href).status_code != 200] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tools_own_colours_stand_out(scheme):
    own = _tools_palette(scheme)

    for name in ("error", "warning", "advice", "good"):
        for ground in ("paper", "card"):
            assert contrast(own[name], palette(scheme)[ground]) >= 4.5
    assert contrast(own["field"], palette(scheme)["card"]) >= 3


def _tools_palette(scheme):
    light, dark = (
        (looks._STATIC / "tools.css").read_text("utf-8").split("@media (prefers-color-scheme: dark)")[:2]
    )
    return dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark.split("\n}\n")[0] if scheme == "dark" else light)
    )


# Schemas


@pytest.mark.parametrize("key", schemas.every())
def test_a_schema_comes_with_its_type_and_digest(browser, key):
    edition, name = key

    answer = browser.get(f"/tools/schemas/{edition}/{name}.xsd")

    assert answer.mimetype == "application/xml"
    assert answer.headers["ETag"] == f'"{schemas.every()[key].digest}"'
    again = browser.get(
        f"/tools/schemas/{edition}/{name}.xsd", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    assert etree.fromstring(answer.data).tag == "{http://www.w3.org/2001/XMLSchema}schema"


def test_the_json_schema_comes_too(browser):
    answer = browser.get("/tools/schemas/espi.schema.json")

    assert answer.mimetype == "application/schema+json"
    assert answer.json["$schema"].startswith("https://json-schema.org/draft/2020-12")
    again = browser.get("/tools/schemas/espi.schema.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("edition", ["4.0", "3.3", "0.7", "sst"])
def test_the_schemas_of_an_edition_compile_together(edition, tmp_path):
    for (of, name), file in schemas.every().items():
        if of == edition:
            (tmp_path / f"{name}.xsd").write_bytes(file.body)

    for path in tmp_path.glob("*.xsd"):
        assert etree.XMLSchema(file=str(path))


def test_links_need_a_type_in_all_but_the_derived_edition():
    asked = {edition: b'name="type" type="xs:string" use="required"' in file.body
             for (edition, name), file in schemas.every().items() if name == "atom"}  # fmt: skip

    assert asked == {"4.0": True, "3.3": True, "0.7": False, "sst": True}


@pytest.mark.parametrize("path", ["4.0/sst.xsd", "5/espi.xsd", "4.0/..%2f..%2fsetup.xsd", "4.0/espi.json"])
def test_other_schemas_are_not_there(browser, path):
    assert browser.get(f"/tools/schemas/{path}").status_code == 404


def test_an_element_is_explained(browser):
    asked = browser.get("/tools/schemas/explain?element=UsageSummary/tariffProfile")
    document = html.document_fromstring(asked.get_data(as_text=True))

    facts = dict(zip(document.xpath("//dt/text()"), document.xpath("//dd/text()"), strict=True))
    assert facts["Cardinality"] == "0..1"
    assert facts["Type"].startswith("String256")
    assert facts["Place"].startswith("23 of 26")


def test_an_element_that_is_not_there_is_told_with_what_is_near(browser):
    answer = browser.get("/tools/schemas/explain/UsageSummary/tarifProfile")

    assert answer.status_code == 404
    assert b"Perhaps tariffProfile" in answer.data


def test_every_error_leads_to_where_it_is_explained(sqlite_url):
    database = Database(sqlite_url, secret=DEVELOPMENT_SECRET)
    make.utility(database)
    asked = make.app(database).test_client()
    page = html.document_fromstring(asked.get("/tools/problems").get_data(as_text=True))
    explained = {f"{make.INSTALLATION}/tools/problems#{each}" for each in page.xpath("//code/@id")}

    wrong = asked.post("/north/oauth/token", data={"grant_type": "authorization_code"}).json
    unknown = asked.get("/north/espi/1_1/resource/Authorization").json
    metadata = asked.get("/.well-known/oauth-authorization-server/north").json

    assert wrong["error_uri"].endswith(f"#{wrong['error']}")
    assert unknown["help"].endswith("#unauthorized")
    assert {wrong["error_uri"], unknown["help"]} <= explained
    assert metadata["service_documentation"] == f"{make.INSTALLATION}/tools/problems"
    database.close()
