"""What customers read: in their language, in both forms, in words that anybody understands."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from espi_server import work
from espi_server.access.letters import composers
from espi_server.accounts.models import Login
from espi_server.adapters.post import Letter, Undelivered
from espi_server.adapters.sandbox import received
from espi_server.db import Database
from espi_server.energy.importer import import_files
from espi_server.espi.tables import DataClass
from espi_server.jobs.worker import Worker
from espi_server.notify import letters
from espi_server.notify.letters import Note, People
from espi_server.notify.models import Outbox
from espi_server.notify.sending import Sender
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.copies import KINDS, Copies
from tests.energy import feeds

EVERY_CLASS = [each.term for each in DataClass]
VALUES: dict[str, Any] = {
    "company": "Sun & <Sons>", "utility": "Valley Electric", "shared": EVERY_CLASS, "given": date(2026, 3, 1),
    "until": date(2027, 3, 1), "ended": date(2026, 9, 5), "reason": "expired", "since": date(2026, 9, 4),
    "record": ["Check before you share", "Places"], "waits": date(2026, 4, 1), "server": "sun.example.org",
    "endings": ["4471", "8830"], "lse": "East Power", "number": "C-7F3K-9QXM",
    "use": "We help.", "terms": "https://sun.example/terms", "terms_version": "7", "policy": "https://sun.example/p",
    "still": False,
}  # fmt: skip


def letter(kind: str, language: str, **values: Any) -> Letter:
    note = Note("Valley Electric", "ada@example.org", None, language, VALUES | values)
    return letters.written(uuid.uuid4(), uuid.uuid4(), kind, note, "ada@example.org")


@pytest.mark.parametrize("language", letters.LANGUAGES)
@pytest.mark.parametrize("kind", sorted(composers()))
def test_every_message_has_words_in_every_language(kind: str, language: str) -> None:
    said = letter(kind, language)

    assert said.language == language
    assert "Sun & <Sons>" in said.subject
    assert "\n" not in said.subject
    assert 0 < len(said.short) <= 160
    assert "{" not in said.text + said.short
    assert "\n\n\n" not in said.text


@pytest.mark.parametrize("language", letters.LANGUAGES)
def test_both_forms_say_the_same(language: str) -> None:
    said = letter("authorization.granted", language)

    words = re.sub(
        r"<style.*?</style>|<title>.*?</title>|<h1.*?</h1>|<[^>]+>", " ", said.html, flags=re.DOTALL
    )
    words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert words.split() == said.text.replace("\n- ", "\n").split()
    assert "<Sons>" not in said.html
    assert f'lang="{language}"' in said.html


def test_what_is_shared_is_told_class_by_class() -> None:
    few, all = (
        letter("authorization.granted", "en", shared=each, record=[]) for each in (["Usage"], EVERY_CLASS)
    )

    assert (few.text.count("\n- "), all.text.count("\n- ")) == (1, len(EVERY_CLASS))
    assert "March 1, 2027" in few.text
    assert "1 de marzo de 2027" in letter("authorization.granted", "es").text


@pytest.mark.parametrize("language", letters.LANGUAGES)
def test_what_has_no_end_is_told_so_in_every_letter(language: str) -> None:
    forever = {"en": "you stop it", "es": "usted lo termine"}[language]
    bare = {"until": None, "record": [], "use": "", "terms": "", "terms_version": "", "policy": ""}
    # These tell of an end that there is.
    for kind in sorted({*composers()} - {"authorization.expiring", "authorization.shortened"}):
        ends = letter(kind, language).text + letter(kind, language).short
        said = letter(kind, language, **bare).text + letter(kind, language, **bare).short

        assert "None" not in said
        assert (forever in said) == ("2027" in ends), kind


def test_why_a_sharing_ended_is_told() -> None:
    reasons = ("expired", "replaced", "lapsed", "closed", "cancelled", "replayed", "given back", "offboarded")
    for language in letters.LANGUAGES:
        said = {letter("authorization.ended", language, reason=each).text for each in reasons}
        by_utility = letter("authorization.ended", language, reason="cancelled by utility").text

        assert len({*said, by_utility}) == len(reasons) + 1
        beside = letter("authorization.ended", language, reason="replaced", still=True)
        assert not re.search(
            "no longer|no more|ya no|may still have", f"{beside.subject} {beside.text} {beside.short}"
        )
        assert re.search("They still get|sigue recibiendo", beside.text)
        assert (len(beside.short) <= 160, "\n\n\n" in beside.text) == (True, False)


def test_a_language_without_words_is_said_in_english() -> None:
    assert letter("authorization.ended", "tl").language == "en"


@pytest.mark.parametrize("kind", sorted(composers()))
def test_the_words_are_those_of_the_sixth_grade(kind: str) -> None:
    text = letter(kind, "en", company="Sun", shared=["Usage", "Billing"]).text

    assert grade(text) <= 6


def grade(text: str) -> float:
    """Flesch-Kincaid, syllables counted as groups of vowels."""
    sentences = [each for each in re.split(r"[.!?:]\s|\n\n|\n- ", text) if each.strip()]
    words = re.findall(r"[A-Za-z']+", text)
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e\b", "", word.lower())))) for word in words)
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


# --- from the outbox -----------------------------------------------------------------------------------


class Door:
    """Takes letters, or refuses them."""

    def __init__(self, refuses: Undelivered | None = None) -> None:
        self.taken: list[Letter] = []
        self.refuses = refuses

    def mail(self, letter: Letter) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.taken.append(letter)

    text = mail


def build(url: str, folder: Path) -> None:
    """C-1 has an address and a telephone and reads Spanish; C-2 has neither."""
    database = Database(url, secret=DEVELOPMENT_SECRET)
    make.utility(database)
    make.town(database, folder)
    reached = (
        "<e:phone1><e:ituPhone>+1 530 555 0142</e:ituPhone></e:phone1><e:electronicAddress>"
        "<e:email1>ada@example.org</e:email1></e:electronicAddress><e:organisationName>"
    )
    entries = "".join(make.person("C-1", {"G-1": "101", "G-2": "102"}, "north"))
    entries = entries.replace("<e:organisationName>", reached)
    entries = entries.replace("<e:customerName>", "<e:locale>es-US</e:locale><e:customerName>")
    file = folder / "reached.xml"
    file.write_bytes(feeds.feed([entries], namespace="customer"))
    assert not import_files(database, "north", [file], actor="a test").errors
    database.close()


@pytest.fixture(params=KINDS)
def town(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[Database]:
    with copies.opened(request.param, "reached", build, tmp_path) as database:
        yield database


def deliver(database: Database, mail: Door | None, text: Door | None) -> list[Outbox]:
    people = People(database, composers(), mail, text)
    Worker(database, Sender(database, {"people": people}).works(slow=True)).sweep()
    with database.reading() as session:
        return list(session.scalars(select(Outbox).order_by(Outbox.id)))


@pytest.mark.requirement("F-NOTE")
def test_a_customer_is_told_when_a_company_may_see_her_data_and_when_it_no_longer_may(town: Database) -> None:
    sun = make.access(town, application="Sun", customer="C-1", scope=make.USAGE)
    make.end(town, sun.id)
    mail, text = Door(), Door()

    rows = deliver(town, mail, text)

    assert [row.state for row in rows] == ["done", "done"]
    assert [each.subject for each in mail.taken] == [
        "Sun ya puede ver sus datos de energía", "Sun ya no puede ver sus datos de energía"
    ]  # fmt: skip
    assert {(each.to, each.language, each.sender) for each in mail.taken} == {
        ("ada@example.org", "es", "Valley Electric")
    }
    assert text.taken == []


def test_without_mail_she_gets_a_text_message(town: Database) -> None:
    make.access(town, application="Sun", customer="C-1", scope=make.USAGE)

    deliver(town, None, text := Door())

    assert [each.to for each in text.taken] == ["+1 530 555 0142"]


def test_the_address_she_signs_in_with_comes_first(town: Database) -> None:
    with town.writing() as session:
        id = make.customer_id(town, "C-1")
        session.add(Login(kind="customer", customer_id=id, name="ada", email="own@example.org", created_at=1))
    make.access(town, application="Sun", customer="C-1", scope=make.USAGE)

    deliver(town, mail := Door(), None)

    assert [each.to for each in mail.taken] == ["own@example.org"]


@pytest.mark.parametrize(
    ("customer", "mail", "words"),
    [
        ("C-2", Door(), "write a letter"),
        ("C-1", None, "ESPI_MAIL_URL"),
        ("C-1", Door(Undelivered("550 no such user", final=True)), "550"),
    ],
)
def test_who_cannot_be_reached_is_shown_to_a_person(
    town: Database, customer: str, mail: Door | None, words: str
) -> None:
    make.access(town, application="Sun", customer=customer, scope=make.USAGE)

    [row] = deliver(town, mail, None)

    assert row.state == "parked"
    assert words in (row.last_error or "")


def test_a_relay_that_is_away_is_tried_again(town: Database) -> None:
    make.access(town, application="Sun", customer="C-1", scope=make.USAGE)

    [row] = deliver(town, Door(Undelivered("away")), None)

    assert (row.state, row.last_error) == ("due", "away")


def test_in_development_the_whole_worker_tells_the_sandboxs_telephone(
    town: Database, freeze: Callable[[int], None]
) -> None:
    make.access(town, application="Sun", customer="C-1", scope=make.USAGE)

    work.worker(town, make.settings(senders=2)).sweep()

    with town.reading() as session:
        assert [each.subject for each in received(session)] == ["Sun ya puede ver sus datos de energía"]
