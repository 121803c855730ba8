"""Cases: what customers report about companies, from the first word to the last, for the utility's people too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from espi_server.access import cases
from espi_server.access.cases import Case
from espi_server.access.models import AuditEvent
from espi_server.accounts import utilities
from espi_server.cli import main
from espi_server.db import Database
from espi_server.errors import NotFound
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import letterbox, make
from tests.copies import KINDS, Copies
from tests.towns import build

pytestmark = pytest.mark.requirement("UC1.4")

WORDS = "They call me every day.\x07 ¡Basta!"


@pytest.fixture(params=KINDS)
def town(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[tuple[Database, str]]:
    with copies.of(request.param, "towns", build, tmp_path) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        yield database, url
        database.close()


def reported(database: Database, text: str = WORDS, language: str = "es") -> Case:
    sun = make.access(database, customer="C-1")
    assert sun.customer is not None
    with database.writing() as session:
        north = utilities.find(session, "north")
        return cases.report(
            session, north.id, sun.customer, sun.application, topic="untrue", text=text, language=language
        )


def said(url: str, *words: str, given: str | None = None) -> Result:
    environment = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": url,
        "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
    }
    return CliRunner().invoke(main, ["case", *words], env=environment, input=given)


def test_a_case_goes_from_report_to_answer_to_its_end_and_each_step_is_told_and_written_down(
    town: tuple[Database, str],
) -> None:
    database, url = town
    case = reported(database)
    here = ("--utility", "north")

    listed = said(url, "list", *here, "--state", "open")
    shown = said(url, "show", *here, case.number.lower())
    answered = said(url, "answer", *here, case.number, "-", given="We asked them to stop.\n")
    closed = said(url, "close", *here, case.number)
    again = said(url, "answer", *here, case.number, "More")

    assert case.number in listed.output
    assert "call me" not in listed.output
    assert "¡Basta!" in shown.output
    assert "\x07" not in shown.output
    assert (answered.exit_code, closed.exit_code, again.exit_code) == (0, 0, 1)
    document = json.loads(said(url, "show", *here, "--json", case.number).output)
    assert [each["by"] for each in document["said"]] == ["customer", "utility"]
    assert document["state"] == "closed"
    assert said(url, "list", *here, "--state", "open", "--json").output.count("number") == 0
    with database.reading() as session:
        letters = [each.kind for each in session.scalars(select(Outbox).order_by(Outbox.id))]
        acts = session.scalars(select(AuditEvent).where(AuditEvent.subject == f"case:{case.id}")).all()
    assert [each for each in letters if each.startswith("case.")] == list(cases.LETTERS)
    assert sorted(each.act for each in acts) == sorted(cases.LETTERS)
    assert "call me" not in str([each.detail for each in acts])


def test_a_case_is_found_by_its_own_utility_and_its_own_customer_alone(town: tuple[Database, str]) -> None:
    database, url = town
    case = reported(database)

    assert said(url, "show", "--utility", "south", case.number).exit_code == 3
    assert said(url, "show", "--utility", "north", "C-0000-0000").exit_code == 3
    with database.reading() as session:
        north = utilities.find(session, "north")
        with pytest.raises(NotFound):
            cases.find(session, north, case.number, make.customer_id(database, "C-2"))
        assert cases.of_customer(session, north.id, make.customer_id(database, "C-2")) == []
        assert len(cases.of_customer(session, north.id, case.customer_id)) == 1


def test_what_was_said_stands_closed_in_the_database(town: tuple[Database, str]) -> None:
    database, _ = town
    reported(database)

    stored = letterbox.in_clear(database, "problem_case", "outbox", "audit_event")

    assert "Basta" not in stored
    assert "every day" not in stored


def test_ten_cases_a_day_are_enough_and_words_have_a_length(town: tuple[Database, str]) -> None:
    database, _ = town
    for _ in range(cases.A_DAY):
        reported(database)

    with pytest.raises(cases.TooMany):
        reported(database)
    for text in ("", " \n", "x" * (cases.LONGEST + 1), "\0"):
        with pytest.raises(cases.BadWords):
            reported(database, text)


def test_numbers_are_many_and_easy_to_read_aloud(town: tuple[Database, str]) -> None:
    database, _ = town

    numbers = {reported(database).number for _ in range(5)}

    assert len(numbers) == 5
    assert all(len(each) == 11 and not set(each[2:]) & set("01IOL") for each in numbers)
