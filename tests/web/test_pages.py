import gzip
import re
import uuid
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from lxml import html

from espi_server.accounts import utilities
from espi_server.accounts.models import Customer
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.demo import demo
from espi_server.demo.households import COMPANIES, every, named
from espi_server.demo.portraits import every_portrait
from espi_server.settings import Settings
from espi_server.web.pages import invite
from tests.conftest import ROOT
from tests.demo.prepared import DAYS, prepared

__all__ = ["prepared"]

STYLESHEET = ROOT / "espi_server" / "web" / "static" / "portal.css"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DARK = "@media (prefers-color-scheme: dark)"


@pytest.fixture(scope="module")
def guests(prepared):
    """A browser at the demo."""
    app = create_app(demo.settings(prepared))
    invite(app, every_portrait, "espi-server demo --prepare --port 8123")
    return app.test_client()


@pytest.fixture
def client(sqlite_url):
    """A browser at an installation in production, with one utility and one customer."""
    database = Database(sqlite_url)
    with database.writing() as session:
        utility = utilities.add(session, "north", name="North <Electric>", timezone="America/New_York")
        session.add(Customer(id=uuid.uuid4(), utility_id=utility.id, reference="C-1001", created_at=0))
    settings = Settings(database_url=sqlite_url, secret_key="s" * 32, base_url="https://data.example.org")
    yield create_app(settings, database).test_client()
    database.close()


def page(client, path, status=200):
    response = client.get(path)
    assert response.status_code == status
    return html.document_fromstring(response.get_data(as_text=True))


def classed(element, name):
    return element.xpath(f".//*[contains(concat(' ', @class, ' '), ' {name} ')]")


def words(document):
    return " ".join(document.text_content().split())


# What is shown


def test_the_start_page_of_the_demo_shows_every_household(guests):
    document = page(guests, "/")

    assert [card.get("id") for card in classed(document, "card")] == [each.name for each in every()]
    for household in every():
        assert household.person in words(document)
        assert household.story in words(document)


def test_names_are_escaped(guests, client):
    assert b"Fern &amp; Finch" in guests.get("/").data
    assert b"North &lt;Electric&gt;" in client.get("/").data


def test_a_card_tells_what_is_there(guests):
    (card,) = page(guests, "/").xpath("//*[@id='business']")

    numbers = dict(zip(card.xpath(".//dt/text()"), card.xpath(".//dd/text()"), strict=True))
    assert numbers["meters"] == "60"
    assert int(numbers["readings"].replace(",", "")) > 60 * DAYS
    assert len(card.xpath(".//svg")) == 1


def test_a_card_tells_the_command_that_prints_its_token(guests):
    (card,) = page(guests, "/").xpath("//*[@id='car']")

    assert card.findtext(".//code") == "espi-server demo --prepare --port 8123 --household car"


def test_the_sun_is_drawn_below_the_line(guests):
    (card,) = page(guests, "/").xpath("//*[@id='solar']")

    assert classed(card, "given")
    assert "gives" in card.text_content()


def test_a_utility_s_page_shows_its_own_households_and_addresses_only(guests):
    document = page(guests, "/harbor")

    assert [card.get("id") for card in classed(document, "card")] == ["gas-and-electricity"]
    addresses = [code.text for code in document.iter("code") if code.text.startswith("http")]
    assert addresses
    assert all(urlsplit(address).path.startswith("/harbor/espi/") for address in addresses)


def test_in_production_no_customer_is_shown(client):
    document = page(client, "/")

    assert "North <Electric>" in words(document)
    assert not classed(document, "card")
    assert not classed(document, "banner")
    assert "C-1001" not in words(document)
    assert "demo" not in words(document)


def test_in_production_a_utility_s_page_tells_its_address(client):
    document = page(client, "/north")

    assert "https://data.example.org/north/espi/1_1/resource" in words(document)


def test_development_alone_shows_no_customer_either(prepared):
    document = page(create_app(demo.settings(prepared)).test_client(), "/")

    assert not classed(document, "card")


def test_an_unknown_utility_is_not_found(client):
    response = client.get("/castle")

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


def test_an_installation_without_utilities_says_how_to_add_one(sqlite_url):
    settings = Settings(mode="development", database_url=sqlite_url)

    document = page(create_app(settings).test_client(), "/")

    assert "espi-server utility add" in words(document)


# What is not


def test_no_page_shows_a_token(guests, prepared):
    demo.tickets(demo.settings(prepared), named("single"))

    for path in ("/", *(f"/{company.code}" for company in COMPANIES)):
        assert not re.search(rb"gb[a-z]_[\w-]{8}", guests.get(path).data)


@pytest.mark.parametrize("path", ["/", "/alder"])
def test_pages_have_no_script_no_style_and_nothing_from_elsewhere(guests, path):
    document = page(guests, path)

    assert not list(document.iter("script", "style", "iframe", "object", "embed"))
    assert not document.xpath("//@style | //@*[starts-with(name(), 'on')]")
    for address in document.xpath("//@src | //link/@href"):
        assert address.startswith(("/static/", "data:"))


@pytest.mark.parametrize("path", ["/", "/alder"])
def test_pages_carry_the_strict_headers(guests, path):
    headers = guests.get(path).headers

    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_https_is_asked_for_where_it_is_served(client, guests):
    assert "max-age=31536000" in client.get("/").headers["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in guests.get("/").headers


# For everybody


@pytest.mark.parametrize("path", ["/", "/alder"])
def test_the_page_has_a_sound_outline(guests, path):
    document = page(guests, path)

    levels = [int(heading.tag[1]) for heading in document.iter("h1", "h2", "h3")]
    ids = document.xpath("//@id")
    assert document.get("lang") == "en"
    assert document.findtext(".//title").strip()
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert len(document.xpath("//main[@id='main']")) == 1
    assert document.xpath("//body/a/@href") == ["#main"]
    assert len(set(ids)) == len(ids)
    assert set(document.xpath("//@aria-labelledby")) <= set(ids)
    assert {href[1:] for href in document.xpath("//a/@href") if href.startswith("#")} <= set(ids)
    assert all(link.text_content().strip() for link in document.iter("a"))


def test_links_lead_somewhere(guests):
    for path in ("/", "/alder"):
        for href in page(guests, path).xpath("//a/@href"):
            if not href.startswith("#"):
                assert guests.get(href).status_code == 200, href


def test_the_page_is_small(guests):
    sheet = STYLESHEET.read_bytes()

    assert len(sheet) < 12_000
    assert len(gzip.compress(guests.get("/").data)) + len(gzip.compress(sheet)) < 30_000


def test_the_stylesheet_is_kept_for_good_under_its_fingerprint_only(guests):
    (address,) = page(guests, "/").xpath("//link[@rel='stylesheet']/@href")

    with guests.get(address) as kept, guests.get("/static/portal.css?v=old") as outdated:
        assert "immutable" in kept.headers["Cache-Control"]
        assert kept.headers["X-Content-Type-Options"] == "nosniff"
        assert "immutable" not in outdated.headers.get("Cache-Control", "")


@pytest.mark.parametrize(
    ("ink", "ground"),
    [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("accent", "paper"), ("accent", "card"),
     ("ink", "code"), ("banner-ink", "banner")],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(scheme, ink, ground):
    colours = palette(scheme)

    assert contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_line_of_a_chart_stands_out_from_its_card_and_its_shade(scheme):
    colours = palette(scheme)

    for ground in ("card", "shade", "sun"):
        assert contrast(colours["accent"], colours[ground]) >= 3


def test_paper_and_forced_colours_are_provided_for():
    sheet = STYLESHEET.read_text("utf-8")

    assert "@media print" in sheet
    assert "@media (forced-colors: active)" in sheet
    assert not re.search(r"\b(margin|padding|border)-(left|right|top|bottom)\b", sheet)


def palette(scheme):
    light, dark = STYLESHEET.read_text("utf-8").split(DARK)[:2]
    return dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark.split("\n}\n")[0] if scheme == "dark" else light)
    )


def contrast(one, other):
    """WCAG 2.2, 1.4.3: the ratio of two colours' relative luminances."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
