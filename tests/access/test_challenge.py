"""One-time codes: bound to what they confirm, few, short-lived, and counted whatever happens at the same moment."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from espi_server import clock
from espi_server.access import challenge, contacts
from espi_server.access.challenge import Challenge, Passed, Subject
from espi_server.access.contacts import CUSTOMER, LOGIN, MAIL, TEXT
from espi_server.accounts import utilities
from espi_server.accounts.models import Login
from espi_server.db import Database
from espi_server.errors import NotFound, Problem
from tests import letterbox, make
from tests.copies import Copies
from tests.letterbox import Box
from tests.together import at_once
from tests.towns import build

COMPANY = {"company": "Sun"}
MEANS = letterbox.means()
pytestmark = pytest.mark.requirement("F-T1/T2")


@pytest.fixture
def town(towns: Database) -> Database:
    letterbox.reachable(towns, "C-1", email="ada@example.org", phone="+1 530 555 0142")
    return towns


@pytest.fixture
def one(copies: Copies, tmp_path: Path) -> Iterator[Database]:
    """The same on SQLite alone, for what no database decides."""
    with copies.opened("sqlite", "towns", build, tmp_path) as database:
        letterbox.reachable(database, "C-1", email="ada@example.org", phone="+1 530 555 0142")
        yield database


def subject(database: Database, content: str = "FB=4", reference: str = "request 1", **more: Any) -> Subject:
    person = contacts.person(CUSTOMER, make.customer_id(database, more.pop("customer", "C-1")))
    with database.reading() as session:
        utility = utilities.find(session, more.pop("code", "north")).id
    given = {"purpose": challenge.CONSENT, "person": person, **more}
    return Subject(utility, reference=reference, digest=hashlib.sha256(content.encode()).digest(), **given)


def begin(database: Database, subject: Subject, **more: Any) -> challenge.Sent:
    with database.writing() as session:
        return challenge.begin(session, more.pop("means", MEANS), subject, COMPANY, **more)


def again(database: Database, subject: Subject) -> challenge.Sent:
    with database.writing() as session:
        return challenge.send_again(session, MEANS, subject, COMPANY)


def enter(database: Database, subject: Subject, code: str) -> Passed:
    match = challenge.check(database, MEANS, subject, code)
    with database.writing() as session:
        return challenge.accept(session, match, subject)


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def tried(times: int, act: Callable[[int], Any]) -> Counter[str]:
    """What so many tries at the same moment came to: the problem's name, or that of what was answered."""

    def try_one(number: int) -> str:
        try:
            return type(act(number)).__name__
        except Problem as problem:
            return type(problem).__name__

    return Counter(at_once(times, try_one))


# --- what a code confirms ------------------------------------------------------------------------------


def test_a_code_confirms_once_what_it_was_sent_for(town: Database, freeze: Callable[[int], None]) -> None:
    freeze(clock.seconds())
    asked, box = subject(town), Box(town)

    sent = begin(town, asked)
    code = box.code()
    with pytest.raises(challenge.WrongCode) as wrong:
        challenge.check(town, MEANS, asked, other(code))
    passed = enter(town, asked, f"{code[:3]} {code[3:]}")

    now = clock.seconds()
    assert (sent.way, sent.masked) == (MAIL, "a***@example.org")
    assert (sent.until, sent.sends_left, sent.again_at) == (now + 600, 2, now + 60)
    assert wrong.value.more == {"tries_left": 4}
    assert (passed.way, passed.masked, passed.amr, passed.sent_at) == (
        MAIL,
        "a***@example.org",
        ("otp",),
        now,
    )
    with pytest.raises(challenge.CodeOver):
        enter(town, asked, code)


def test_neither_the_outbox_nor_a_copy_of_the_database_tells_a_code(town: Database) -> None:
    box = Box(town)
    begin(town, subject(town))
    before = letterbox.in_clear(town, "challenge", "outbox")

    code = box.code()

    after = letterbox.in_clear(town, "challenge", "outbox")
    for each in (before, after):
        assert code not in each
        assert "ada@example.org" not in each
    with town.reading() as session:
        assert session.scalars(select(Challenge.sealed)).all() == [None]


def test_an_edit_another_person_another_purpose_or_utility_makes_a_code_nothing(one: Database) -> None:
    letterbox.reachable(one, "C-2", email="bob@example.org")
    asked, box = subject(one), Box(one)
    begin(one, asked)
    code = box.code()

    for not_hers in (
        replace(asked, person=subject(one, customer="C-2").person),
        replace(asked, purpose=challenge.RATE_CHANGE),
        replace(asked, utility_id=subject(one, code="south").utility_id),
        replace(asked, reference="request 2"),
    ):
        with pytest.raises(challenge.CodeOver):
            challenge.check(one, MEANS, not_hers, code)
    match = challenge.check(one, MEANS, asked, code)
    with one.writing() as session, pytest.raises(challenge.CodeOver):
        challenge.accept(session, match, subject(one, "FB=4_5"))  # edited meanwhile
    with pytest.raises(challenge.CodeOver):
        challenge.check(one, MEANS, subject(one, "FB=4_5"), code)
    with pytest.raises(challenge.CodeOver):
        challenge.check(one, MEANS, asked, code)  # that edit has voided it
    with one.reading() as session:
        assert session.scalars(select(Challenge.ended)).all() == ["changed"]


def test_what_is_no_code_is_told_so_and_costs_no_try(one: Database) -> None:
    asked, box = subject(one), Box(one)
    begin(one, asked)
    code = box.code()

    for typed in ("", "12345", "1234567", "12345a", "１２３４５６", "12 34 5"):
        with pytest.raises(challenge.NotSixDigits):
            challenge.check(one, MEANS, asked, typed)

    assert enter(one, asked, code)


def test_a_request_that_ended_takes_its_code_with_it(one: Database) -> None:
    asked, box = subject(one), Box(one)
    begin(one, asked)
    code = box.code()

    with one.writing() as session:
        challenge.end(session, asked.utility_id, asked.purpose, asked.reference, "cancelled")

    with pytest.raises(challenge.CodeOver):
        challenge.check(one, MEANS, asked, code)


# --- how often ------------------------------------------------------------------------------------------


def test_of_fifty_guesses_at_once_all_are_counted_and_five_are_looked_at(town: Database) -> None:
    asked, box = subject(town), Box(town)
    begin(town, asked)
    code = box.code()

    found = tried(50, lambda _: challenge.check(town, MEANS, asked, other(code)))

    assert found == {"WrongCode": 4, "TooManyTries": 46}  # the fifth wrong one says that it was the last
    with pytest.raises(challenge.TooManyTries):
        challenge.check(town, MEANS, asked, code)
    with pytest.raises(challenge.TooManyTries):
        again(town, asked)
    with town.reading() as session:
        assert session.scalars(select(Challenge.tries)).all() == [51]


def test_a_right_code_that_comes_fifty_times_at_once_is_accepted_once(town: Database) -> None:
    asked, box = subject(town), Box(town)
    begin(town, asked)
    code = box.code()

    found = tried(50, lambda _: enter(town, asked, code))

    assert found["Passed"] == 1
    assert set(found) <= {"Passed", "CodeOver", "TooManyTries"}
    assert found.total() == 50


def test_a_person_gets_ten_codes_a_day_however_many_are_asked_for_at_once(town: Database) -> None:
    found = tried(14, lambda number: begin(town, subject(town, reference=f"request {number}")))

    assert found == {"Sent": 10, "EnoughForToday": 4}


def test_of_codes_for_one_request_begun_at_once_one_lives(town: Database) -> None:
    found = tried(6, lambda _: begin(town, subject(town)))

    assert found == {"Sent": 1, "TooSoon": 5}
    with town.reading() as session:
        assert session.scalars(select(Challenge.ended)).all() == [None]


def test_a_code_is_sent_three_times_a_minute_apart_and_the_last_one_counts(
    one: Database, freeze: Callable[[int], None]
) -> None:
    now = clock.seconds()
    freeze(now)
    asked, box = subject(one), Box(one)
    begin(one, asked)
    first = box.code()
    with pytest.raises(challenge.WrongCode):
        challenge.check(one, MEANS, asked, other(first))

    freeze(now + 59)
    with pytest.raises(challenge.TooSoon) as soon:
        again(one, asked)
    freeze(now + 60)
    again(one, asked)
    second = box.code()
    freeze(now + 120)
    sent = again(one, asked)
    third = box.code()
    freeze(now + 180)

    assert soon.value.headers == {"Retry-After": "1"}
    assert (sent.sends_left, sent.until) == (0, now + 720)
    with pytest.raises(challenge.SentEnough):
        again(one, asked)
    for dead in {first, second} - {third}:
        with pytest.raises(challenge.WrongCode):
            challenge.check(one, MEANS, asked, dead)
    assert enter(one, asked, third)
    with one.reading() as session:
        assert session.scalars(select(Challenge.tries)).all() == [4]


def test_a_code_found_right_before_another_was_sent_confirms_nothing(
    one: Database, freeze: Callable[[int], None]
) -> None:
    now = clock.seconds()
    freeze(now)
    asked, box = subject(one), Box(one)
    begin(one, asked)
    match = challenge.check(one, MEANS, asked, box.code())

    freeze(now + 60)
    again(one, asked)

    with one.writing() as session, pytest.raises(challenge.CodeOver):
        challenge.accept(session, match, asked)


def test_a_code_lives_ten_minutes_and_a_day_later_there_can_be_more(
    one: Database, freeze: Callable[[int], None]
) -> None:
    now = clock.seconds()
    freeze(now)
    asked, box = subject(one), Box(one)
    begin(one, asked)
    code = box.code()
    match = challenge.check(one, MEANS, asked, code)

    freeze(now + 600)

    for attempt in (lambda: challenge.check(one, MEANS, asked, code), lambda: again(one, asked)):
        with pytest.raises(challenge.CodeOver):
            attempt()
    with one.writing() as session, pytest.raises(challenge.CodeOver):
        challenge.accept(session, match, asked)
    for number in range(9):
        begin(one, subject(one, f"edit {number}"))  # another content need not wait a minute
    with pytest.raises(challenge.EnoughForToday) as enough:
        begin(one, subject(one, "edit 10"))
    assert enough.value.headers == {"Retry-After": str(86_400 - 600)}
    freeze(now + 86_400)
    assert begin(one, subject(one, "edit 11"))


def test_a_code_that_is_over_is_not_sent_any_more_and_soon_wiped(
    one: Database, freeze: Callable[[int], None]
) -> None:
    now = clock.seconds()
    freeze(now)
    box = Box(one)
    begin(one, subject(one))
    begin(one, subject(one, "edited"))  # the first is dead before it left
    begin(one, subject(one, reference="too late"))

    challenge.forget_old(one)
    assert len(box.empty()) == 2
    begin(one, subject(one, reference="much too late"))
    freeze(now + 600)
    challenge.forget_old(one)

    assert box.empty() == []
    with one.reading() as session:
        assert set(session.scalars(select(Challenge.sealed))) == {None}
    freeze(now + 8 * 86_400)
    challenge.forget_old(one)
    with one.reading() as session:
        assert session.scalars(select(Challenge.id)).all() == []


# --- where it goes --------------------------------------------------------------------------------------


def test_a_contact_that_is_younger_than_two_days_gets_no_code(one: Database) -> None:
    hour = 3600
    letterbox.reachable(one, "C-1", email="mallory@example.org", since=clock.seconds() - 47 * hour)
    with pytest.raises(contacts.CannotBeReached):
        begin(one, subject(one))

    begin(one, subject(one), means=letterbox.means(contact_after=46 * hour))
    [letter] = Box(one).empty()

    assert letter.to == "mallory@example.org"


def test_the_way_is_the_customers_choice_among_those_that_are_set_up(one: Database) -> None:
    box = Box(one)
    by_mail = letterbox.means(
        mode="production", mail_url="smtps://mail.example", base_url="https://a.example"
    )

    sent = begin(one, subject(one), way=TEXT)
    [(way, letter)] = box.ways()
    with pytest.raises(contacts.CannotBeReached):
        begin(one, subject(one, "other"), way=TEXT, means=by_mail)

    assert (way, letter.to, sent.way, sent.masked) == (TEXT, "+1 530 555 0142", TEXT, "***42")
    with one.reading() as session:
        person = subject(one).person
        assert [each.way for each in contacts.usable(session, MEANS, person)] == [MAIL, TEXT]
        assert [each.way for each in contacts.usable(session, by_mail, person)] == [MAIL]


def test_a_text_message_says_so_in_the_evidence(one: Database) -> None:
    box, asked = Box(one), subject(one)
    begin(one, asked, way=TEXT)

    passed = enter(one, asked, box.code())

    assert (passed.way, passed.amr) == (TEXT, ("otp", "sms"))


def test_a_verified_address_of_a_sign_in_comes_first_and_an_unverified_one_never(one: Database) -> None:
    id, long_ago = make.customer_id(one, "C-1"), clock.seconds() - letterbox.WEEK
    with one.writing() as session:
        for name, since in (("new", None), ("own", long_ago)):
            login = Login(
                kind="customer", customer_id=id, name=name, email=f"{name}@example.org", created_at=1
            )
            login.email_since = since
            session.add(login)

    begin(one, subject(one))

    assert [each.to for each in Box(one).empty()] == ["own@example.org"]


def test_staff_confirm_by_the_address_of_their_login(one: Database) -> None:
    with one.writing() as session:
        utility = utilities.find(session, "north")
        login = Login(kind="operator", utility_id=utility.id, name="op", email="op@example.org", created_at=1)
        login.email_since = 1
        session.add(login)
        session.flush()
        person = contacts.person(LOGIN, login.id)
    asked = subject(one, purpose=challenge.STAFF, person=person)
    begin(one, asked)

    code = Box(one).code()

    assert enter(one, asked, code).masked == "o***@example.org"


def test_another_utilitys_customer_is_nobody(one: Database) -> None:
    here = subject(one)
    elsewhere = replace(here, utility_id=subject(one, code="south").utility_id)

    with pytest.raises(NotFound):
        begin(one, elsewhere)
