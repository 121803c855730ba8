"""Cases: what customers report about companies, from the first word to the last, for the utility's people too."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from espi_server import clock
from espi_server.access import applications, cases, forwarding
from espi_server.access.cases import Case
from espi_server.access.models import AuditEvent
from espi_server.accounts import utilities
from espi_server.accounts.models import Customer
from espi_server.cli import main
from espi_server.db import Database
from espi_server.errors import BadRequest, NotFound
from espi_server.jobs.worker import GivesUp
from espi_server.notify.letters import written
from espi_server.notify.models import Outbox
from espi_server.notify.sending import Message
from espi_server.settings import DEVELOPMENT_SECRET
from tests import letterbox, make

pytestmark = pytest.mark.requirement("UC1.4")

on_sqlite = pytest.mark.parametrize("shared_towns", ["sqlite"], indirect=True)
"""For what the command says: each call opens the database anew."""

WORDS = "They call me every day.\x07 ¡Basta!"


@pytest.fixture(scope="module")
def town(shared_towns: Database) -> tuple[Database, str]:
    """Both towns for all tests here; each reports its own cases."""
    return shared_towns, shared_towns.engine.url.render_as_string(hide_password=False)


def reported(database: Database, text: str = WORDS, application: str = "Sun") -> Case:
    """A case of a customer who has none yet, so that nobody reports too many."""
    with database.writing() as session:
        north = utilities.find(session, "north")
        sun = applications.find_or_create(session, north, application, by="a test")
        who = Customer(id=uuid.uuid4(), utility_id=north.id, reference=uuid.uuid4().hex, created_at=0)
        session.add(who)
        session.flush()
        return cases.report(session, north.id, who.id, sun.id, topic="untrue", text=text, language="es")


def said(url: str, *words: str, given: str | None = None, **settings: str) -> Result:
    environment = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": url,
        "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
        **settings,
    }
    return CliRunner().invoke(main, ["case", *words], env=environment, input=given)


def letters_of(database: Database, case: Case) -> list[str]:
    with database.reading() as session:
        return [
            each.kind
            for each in session.scalars(select(Outbox).order_by(Outbox.id))
            if each.recipient == f"customer:{case.customer_id}"
        ]


@on_sqlite
def test_a_case_goes_from_report_to_answer_to_its_end_and_each_step_is_told_and_written_down(
    town: tuple[Database, str],
) -> None:
    database, url = town
    case = reported(database)
    here = ("--utility", "north")

    listed = said(url, "list", *here, "--state", "open")
    shown = said(url, "show", *here, case.number.lower())
    answered = said(url, "answer", *here, case.number, "-", given="We asked them to stop.\n")
    with database.writing() as session:
        for text in ("They did not.", " They did not. "):  # the button, pressed twice
            cases.add(session, session.get_one(Case, case.id), text)
    waiting = case.number in said(url, "list", *here, "--state", "open").output
    forwarded = said(url, "forward", *here, case.number, "It goes on.", ESPI_AUTHORITY_MAIL="a@state.example")
    closed = said(url, "close", *here, "--outcome", "upheld", case.number)
    again = said(url, "answer", *here, case.number, "More")

    assert case.number in listed.output
    assert "call me" not in listed.output
    assert "¡Basta!" in shown.output
    assert "\x07" not in shown.output
    assert waiting
    assert [each.exit_code for each in (answered, forwarded, closed, again)] == [0, 0, 0, 1]
    document = json.loads(said(url, "show", *here, "--json", case.number).output)
    assert [(each["by"], each.get("step")) for each in document["said"]] == [
        ("customer", None), ("utility", None), ("customer", None), ("utility", "forwarded"), ("utility", "closed"),
    ]  # fmt: skip
    assert (document["state"], document["outcome"]) == ("closed", "upheld")
    assert case.number not in said(url, "list", *here, "--state", "open").output
    with pytest.raises(cases.IsClosed), database.writing() as session:
        cases.add(session, session.get_one(Case, case.id), "They did not.")
    with database.reading() as session:
        acts = session.scalars(select(AuditEvent).where(AuditEvent.subject == f"case:{case.id}")).all()
    assert letters_of(database, case) == list(cases.LETTERS)
    assert sorted(each.act for each in acts) == sorted([*cases.LETTERS, "case.added"])
    assert "call me" not in str([each.detail for each in acts])


@on_sqlite
@pytest.mark.requirement("NFR22")
def test_the_central_authority_hears_of_the_company_and_nothing_of_the_customer(
    town: tuple[Database, str],
) -> None:
    database, url = town
    case = reported(database)
    given, there = ("--utility", "north", case.number), {"ESPI_AUTHORITY_MAIL": "cases@state.example"}

    nobody = said(url, "forward", *given, "It sells data.")
    exported = json.loads(said(url, "export", *given, "It sells data.").output)
    first = said(url, "forward", *given, "It sells data.", **there)
    again = said(url, "forward", *given, "-", given="It sells data.\n", **there)
    more = said(url, "forward", *given, "It sells them still.", **there)

    assert (nobody.exit_code, first.exit_code, again.exit_code, more.exit_code) == (2, 0, 0, 0)
    assert "ESPI_AUTHORITY_MAIL" in nobody.output
    assert "went there before" in again.output
    with database.reading() as session:
        kept = forwarding.of_case(session, session.get_one(Case, case.id))
        mails = [
            each
            for each in session.scalars(select(Outbox).where(Outbox.kind == forwarding.KIND))
            if each.payload["forwarding"] in {str(row.id) for row in kept}
        ]
        message = Message(
            mails[0].id, mails[0].utility_id, forwarding.KIND, forwarding.AUTHORITY, mails[0].payload
        )
        note = forwarding.composers("cases@state.example")[forwarding.KIND](session, message)
        with pytest.raises(GivesUp):
            forwarding.composers("")[forwarding.KIND](session, message)
        reference = session.get_one(Customer, case.customer_id).reference
    letter = written(uuid.uuid4(), case.utility_id, forwarding.KIND, note, note.email or "")
    assert [each.report["summary"] for each in kept] == ["It sells data.", "It sells them still."]
    assert kept[0].report == exported
    assert len(mails) == 2
    assert letters_of(database, case).count("case.forwarded") == 2
    assert (letter.to, case.number in letter.text, "It sells data." in letter.text) == (
        "cases@state.example",
        True,
        True,
    )
    for told in (letter.text, json.dumps(exported)):
        assert not [each for each in (reference, str(case.customer_id), "Basta", "every day") if each in told]


def test_only_what_was_found_out_is_told_to_others_and_for_two_years(
    town: tuple[Database, str], freeze: Callable[[int], None]
) -> None:
    database, _ = town
    for outcome in (*cases.OUTCOMES, "upheld"):
        case = reported(database, application="Moon")
        with database.writing() as session:
            cases.close(session, session.get_one(Case, case.id), outcome=outcome, by="operator:x")
    reported(database, application="Moon")

    with database.reading() as session:
        now = cases.outcomes(session, case.utility_id)[case.application_id]
        freeze(clock.seconds() + cases.PUBLISHED + 1)
        later = cases.outcomes(session, case.utility_id)

    assert (now.closed, now.upheld) == (4, 2)
    assert case.application_id not in later
    with pytest.raises(BadRequest), database.writing() as session:
        cases.close(session, session.get_one(Case, case.id), outcome="perhaps", by="operator:x")


def test_of_those_who_write_at_once_everybody_is_heard_and_nobody_after_the_end(
    town: tuple[Database, str],
) -> None:
    database, _ = town
    case = reported(database)

    def act(number: int) -> bool:
        try:
            with database.writing() as session:
                row = session.get_one(Case, case.id)
                if number == 3:
                    cases.close(session, row, "The end", outcome="unclear", by="operator:x")
                elif number % 2:
                    cases.answer(session, row, f"Answer {number}", by="operator:x")
                else:
                    cases.add(session, row, f"Words {number}")
        except cases.IsClosed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(act, range(8)))

    with database.reading() as session:
        row = session.get_one(Case, case.id)
        lines = [each["text"] for each in row.said]
    assert done[3]
    assert row.state == "closed"
    assert lines[-1] == "The end"
    assert len(lines) == 1 + sum(done)


def test_a_case_is_found_by_its_own_utility_and_its_own_customer_alone(town: tuple[Database, str]) -> None:
    database, _ = town
    case = reported(database)

    with database.reading() as session:
        south = utilities.find(session, "south")
        for utility, number in ((south, case.number), (utilities.find(session, "north"), "C-0000-0000")):
            with pytest.raises(NotFound):
                cases.find(session, utility, number)
        north = utilities.find(session, "north")
        with pytest.raises(NotFound):
            cases.find(session, north, case.number, make.customer_id(database, "C-2"))
        assert cases.of_customer(session, north.id, make.customer_id(database, "C-2")) == []
        assert len(cases.of_customer(session, north.id, case.customer_id)) == 1


def test_what_was_said_stands_closed_in_the_database(town: tuple[Database, str]) -> None:
    database, _ = town
    reported(database)

    stored = letterbox.in_clear(database, "problem_case", "case_forwarding", "outbox", "audit_event")

    assert "Basta" not in stored
    assert "every day" not in stored


def test_ten_cases_a_day_are_enough_and_words_have_a_length(town: tuple[Database, str]) -> None:
    database, _ = town
    case = reported(database)
    about = {"topic": "untrue", "language": "es"}
    with database.writing() as session:
        for _ in range(cases.A_DAY - 1):
            cases.report(
                session, case.utility_id, case.customer_id, case.application_id, text="More", **about
            )
        row = session.get_one(Case, case.id)
        for number in range(cases.A_DAY):
            cases.add(session, row, f"And {number}")
        with pytest.raises(cases.TooMuch):
            cases.add(session, row, "Still")

        with pytest.raises(cases.TooMany):
            cases.report(
                session, case.utility_id, case.customer_id, case.application_id, text="More", **about
            )
    for text in ("", " \n", "x" * (cases.LONGEST + 1), "\0"):
        with pytest.raises(cases.BadWords):
            reported(database, text)


def test_numbers_are_many_and_easy_to_read_aloud(town: tuple[Database, str]) -> None:
    database, _ = town

    numbers = {reported(database).number for _ in range(5)}

    assert len(numbers) == 5
    assert all(len(each) == 11 and not set(each[2:]) & set("01IOL") for each in numbers)
