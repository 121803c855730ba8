"""What a company says of itself: what is taken, what is shown of it, and who looks at it first."""

from __future__ import annotations

import pytest

from espi_server.access import applications, companies, describing
from espi_server.access.applications import BadApplication
from espi_server.access.models import Application
from espi_server.accounts.models import Utility
from espi_server.web import sharing_words
from tests import make, oauth
from tests.sharing import walking

NORTH = Utility(code="north", name="Valley", timezone="America/Los_Angeles", portal={})


def told(language: str = "en", **information):
    return companies.told(
        NORTH, Application(name="Sun", policy="standard", scope="", information=information), language
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"use_statement": "x" * 301},
        {"use_statement": "a\nb"},
        {"use_statement#es": 7},
        {"privacy_email": "nobody"},
        {"privacy_email": "a@b.example\r\nBcc: c@d.example"},
        {"tos_version": "x" * 33},
        {"essential": ["Everything"]},
        {"essential": [7]},
        {"services": ["magic"]},
        {"services": [["battery"]]},
        {"languages": ["klingon"]},
        {"languages": [7]},
        {"languages": ["es"] * 2 + [f"x{each}" for each in range(30)]},
        {"areas": ["a\nb"]},
        {"areas": ["x" * 61]},
    ],
)
def test_what_cannot_be_shown_is_not_taken(wrong):
    with pytest.raises(BadApplication, match=next(iter(wrong)).partition("#")[0]):
        describing.checked(wrong)


def test_what_is_taken_is_plain_and_short():
    taken = describing.checked(
        {"use_statement": " We help. ", "essential": ["rin", "Usage"], "more": "ignored"}
    )

    assert taken == {"use_statement": "We help.", "essential": ["Usage", "RIN"]}
    assert describing.checked({"services": "car", "languages": ["es", "es", ""], "areas": [""]}) == {
        "services": ["car"], "languages": ["es"],
    }  # fmt: skip


def test_every_kind_of_company_has_a_name_for_customers(shared_towns):
    with walking.app(shared_towns).test_request_context():
        assert tuple(sharing_words.services()) == describing.KINDS


def test_its_words_are_shown_in_the_readers_language_or_said_to_be_english():
    both = {"use_statement": "We help.", "use_statement#es": "Ayudamos."}

    assert (told("es", **both).use, told("es", **both).use_language) == ("Ayudamos.", "es")
    assert told("es", use_statement="We help.").use_language == "en"
    assert told("en", description="Old words.").use == "Old words."


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://sun.example", "//sun.example", "data:text/html,x", 7]
)
def test_only_web_addresses_become_links(address):
    found = told(client_uri=address, policy_uri=address, tos_uri=address)

    assert (found.site, found.policy, found.terms, found.site_host) == ("", "", "", "")


def test_strange_letters_in_a_name_or_a_use_statement_turn_nothing_around(shared_towns):
    sun = walking.company(shared_towns, "Sun \N{SNOWMAN}", scope=oauth.SCOPE)
    make.change(
        shared_towns, Application, Application.id == sun.id,
        information={"use_statement": "\N{RIGHT-TO-LEFT OVERRIDE}<b>evil</b>", "client_uri": "https://sun.example"},
    )  # fmt: skip
    ada = walking.customer(shared_towns, sun.app)

    page = ada.arrives(sun).get_data(as_text=True)

    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page
    assert "&lt;b&gt;evil&lt;/b&gt;" in page


def test_since_when_a_company_is_qualified_is_kept_through_a_pause(shared_towns, freeze):
    sun = walking.company(shared_towns, "Qualified")
    with shared_towns.writing() as session:
        row = session.get_one(Application, sun.id)
        since = row.information["qualified_at"]
        freeze(since + 1000)
        applications.set_status(session, row, applications.ON_HOLD)
        applications.set_status(session, row, 2)

        assert row.information["qualified_at"] == since
        describing.describe(
            session, row, {"use_statement": "We help.", "policy_uri": "https://a.example/p"}, by="x"
        )
        describing.describe(session, row, {"use_statement": ""}, by="x")
        assert row.information == {"qualified_at": since, "policy_uri": "https://a.example/p"}
