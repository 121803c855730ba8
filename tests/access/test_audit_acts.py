"""Every act that counts is in the audit, with who did it, and nothing in it is secret or personal."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from espi_server.access import (
    admission,
    alarms,
    announcing,
    applications,
    audit,
    challenge,
    managing,
    verifying,
)
from espi_server.access.challenge import Subject
from espi_server.access.models import Application, AuditEvent, Authorization, ClientRefusal
from espi_server.access.oauth import refusals
from espi_server.access.opening import PRODUCTION
from espi_server.access.tokens import digest
from espi_server.accounts import utilities
from espi_server.cli import main
from espi_server.db import Database
from espi_server.errors import Conflict
from espi_server.espi import authorization as espi
from espi_server.notify import letters
from espi_server.notify.letters import Note
from espi_server.notify.models import Outbox
from espi_server.notify.sending import Message
from espi_server.settings import DEVELOPMENT_SECRET, BadSetting, Settings
from espi_server.shell import operator
from tests import letterbox, make, oauth
from tests.letterbox import Box
from tests.oauth import Company
from tests.together import statuses

pytestmark = pytest.mark.requirement("F-REC", "F-NOTE")


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


def acts(database: Database, code: str = "north") -> list[AuditEvent]:
    """The acts of a utility, after a look whether they are as they were written."""
    with database.reading() as session:
        utility = utilities.find(session, code)
        assert verifying.verify(session, utility, [DEVELOPMENT_SECRET]).findings == []
        mine = select(AuditEvent).where(AuditEvent.utility_id == utility.id)
        return list(session.scalars(mine.order_by(AuditEvent.number)))


def names(database: Database) -> list[str]:
    return [each.act for each in acts(database)]


def test_the_way_of_an_authorization_is_written_down_without_a_secret(sun: Company) -> None:
    code = sun.code()
    first = sun.redeem(code).json
    second = sun.refresh(first["refresh_token"]).json
    sun.posts("revoke", {"token": second["access_token"]})
    sun.posts("revoke", {"token": second["refresh_token"]})

    found = acts(sun.database)
    customer = str(make.customer_id(sun.database, "C-1"))
    authorization = first["authorizationURI"].rpartition("/")[2]
    client, row = f"client:{sun.client_id}", f"authorization:{authorization}"
    assert [(each.act, each.actor) for each in found] == [
        ("application.added", "a test"),
        ("application.secret", audit.SERVER),
        ("application.status", audit.SERVER),
        ("code.issued", f"customer:{customer}"),
        ("authorization.granted", client),
        ("token.issued", client),
        ("token.issued", client),
        ("token.issued", client),
        ("token.issued", client),
        ("token.revoked", client),
        ("authorization.ended", client),
    ]
    assert found[3].subject == f"code:{digest(code).hex()}"
    assert (found[4].subject, found[4].detail["customer"]) == (row, customer)
    assert found[4].detail["application"] == str(sun.id)
    assert found[8].subject == f"token:{digest(second['refresh_token']).hex()}"
    assert (found[10].subject, found[10].detail["reason"]) == (row, "given back")
    written = json.dumps([[each.subject, each.actor, each.detail] for each in found])
    secret = [code, sun.secret, sun.pkce[0], "C-1"]
    secret += [each[kind] for each in (first, second) for kind in ("access_token", "refresh_token")]
    assert [each for each in secret if each in written] == []


def test_of_fifty_refreshes_at_once_the_replay_is_one_act_and_one_alarm(sun: Company) -> None:
    oauth.change(
        sun, information={"contacts": ["ops@sun.example"], "event_uri": "https://sun.example/events"}
    )
    token = sun.tokens()["refresh_token"]

    assert statuses(50, lambda _: sun.refresh(token)) == [200] + [400] * 49

    found = names(sun.database)
    assert (found.count("token.replayed"), found.count("token.issued")) == (1, 4)
    with sun.database.reading() as session:
        alarmed = select(Outbox.recipient).where(Outbox.kind == alarms.REPLAYED)
        assert sorted(session.scalars(alarmed)) == [f"company:{sun.id}", f"events:{sun.id}", "utility"]
        message = session.scalars(select(Outbox).where(Outbox.recipient == "utility")).one()
        compose = alarms.composers("alarm@north.example")[alarms.REPLAYED]
        for recipient, address in (
            (f"company:{sun.id}", "ops@sun.example"),
            ("utility", "alarm@north.example"),
        ):
            note = compose(
                session, Message(message.id, message.utility_id, message.kind, recipient, message.payload)
            )
            assert note.email == address


def test_refreshes_of_many_families_side_by_side_do_not_wait_for_each_other_for_ever(towns: Database) -> None:
    companies = [oauth.company(towns, "Sun")]
    companies += [
        oauth.company(towns, name, app=companies[0].app) for name in ("Moon", "Mars", "Earth", "Io")
    ]
    kept = [each.tokens()["refresh_token"] for each in companies]

    # Ten at once in each of five families: the first wins, the others end it.
    found = statuses(50, lambda place: companies[place % 5].refresh(kept[place % 5]))

    assert found == [200] * 5 + [400] * 45
    assert names(towns).count("token.replayed") == 5


def test_a_code_presented_again_ends_the_authorization_and_alarms(sun: Company) -> None:
    code = sun.code()
    sun.redeem(code)

    for _ in range(3):
        sun.redeem(code)

    found = names(sun.database)
    assert (found.count("code.replayed"), found.count("authorization.ended")) == (1, 1)
    with sun.database.reading() as session:
        kinds = [each.kind for each in session.scalars(select(Outbox))]
    assert kinds.count(alarms.REPLAYED) == 2
    assert kinds.count("authorization.ended") == 1


def test_who_changes_or_ends_an_authorization_is_named(sun: Company, freeze: Callable[[int], None]) -> None:
    freeze(make.NOW)
    sun.tokens()
    with sun.database.writing() as session:
        row = session.scalars(select(Authorization)).one()
        managing._end_sooner(session, row, make.NOW + 1000, "client")
    freeze(make.NOW + 1000)
    announcing.expire(sun.database)
    sun.tokens()
    sun.tokens()  # a second yes takes the place of the first
    with sun.database.writing() as session:
        row = session.scalars(select(Authorization).where(Authorization.ended_at.is_(None))).one()
        managing.give_back(session, row, by="custodian")

    said = [
        (each.act, each.actor, each.detail.get("reason"))
        for each in acts(sun.database)
        if each.act in ("authorization.changed", "authorization.ended")
    ]
    client = f"client:{sun.client_id}"
    assert said == [
        ("authorization.changed", client, None),
        ("authorization.ended", audit.SERVER, "expired"),
        ("authorization.ended", client, "replaced"),
        ("authorization.ended", "custodian", "cancelled by utility"),
    ]


def test_changes_of_a_registration_name_the_fields_and_who(sun: Company) -> None:
    sun.tokens()
    own = make.token(sun.database, "registration", application="Sun")
    theirs = make.token(sun.database, "custodian")
    address = f"/north/espi/1_1/resource/ApplicationInformation/{sun.id}"
    client = sun.app.test_client()

    def send(method: str, token: str, body: bytes = b"") -> bytes:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/atom+xml"}
        answer = client.open(address, method=method, headers=headers, data=body)
        assert answer.status_code in (200, 204), answer.data
        return answer.data

    stated = send("PUT", own, send("GET", own))
    send("PUT", own, stated.replace(b"<software_version>1<", b"<software_version>Ada's<"))
    send("DELETE", theirs)

    by = f"client:{sun.client_id}"
    found = acts(sun.database)[-3:]
    [group] = {each.detail["group"] for each in found[1:]}  # going and what it ends are one
    assert [(each.act, each.actor, each.detail) for each in found] == [
        ("application.changed", by, {"fields": ["software_version"]}),
        ("application.status", "custodian", {"before": 2, "after": 4, "group": group}),
        (
            "authorization.ended",
            "custodian",
            {"application": str(sun.id), "reason": "offboarded", "group": group},
        ),
    ]


def test_a_status_that_stays_is_no_act_and_what_was_revoked_stays_so(sun: Company) -> None:
    def put(status: int) -> None:
        with sun.database.writing() as session:
            row = session.get_one(Application, sun.id)
            applications.set_status(session, row, status, by="a test")

    put(PRODUCTION)
    put(applications.REVOKED)
    put(applications.REVOKED)

    with pytest.raises(Conflict, match="revoked for good"):
        put(PRODUCTION)
    told = [each.detail for each in acts(sun.database) if each.act == "application.status"]
    assert [(each["before"], each["after"]) for each in told] == [(1, 2), (2, 4)]
    assert len({each["group"] for each in told}) == 2


def test_a_utility_that_revokes_an_application_over_http_ends_what_customers_gave_it(sun: Company) -> None:
    sun.tokens()
    with sun.database.writing() as session:
        row = session.get_one(Application, sun.id)
        stated = espi.ApplicationInformation()
        stated.data_custodian_application_status = applications.REVOKED
        stated.redirect_uri = list(row.redirect_uris)
        managing.register_anew(session, row, stated, by="custodian", reachable=str)

    with sun.database.reading() as session:
        assert session.scalars(select(Authorization.ended_reason)).all() == ["offboarded"]
    assert names(sun.database)[-2:] == ["application.status", "authorization.ended"]


def test_codes_that_are_sent_pass_or_fail_are_acts_without_the_code(towns: Database) -> None:
    letterbox.reachable(towns, "C-1", email="ada@example.org")
    box, person = Box(towns), f"customer:{make.customer_id(towns, 'C-1')}"
    with towns.reading() as session:
        utility = utilities.find(session, "north").id
    means = letterbox.means()
    one, other = (Subject(utility, challenge.CONSENT, person, f"request {each}", bytes(32)) for each in "12")
    for each in (one, other):
        with towns.writing() as session:
            challenge.begin(session, means, each, {"company": "Sun"})
    first, second = (re.findall(r"\b[0-9]{6}\b", each.text)[0] for each in box.empty())

    match = challenge.check(towns, means, one, first)
    with towns.writing() as session:
        challenge.accept(session, match, one)
    wrong = f"{(int(second) + 1) % 10**6:06d}"
    for problem in [challenge.WrongCode] * 4 + [challenge.TooManyTries] * 2:
        with pytest.raises(problem):
            challenge.check(towns, means, other, wrong)

    found = [(each.act, each.actor, each.detail) for each in acts(towns)]
    sent = {"purpose": "consent", "way": "mail"}
    assert found == [
        ("challenge.sent", audit.SERVER, sent | {"reference": "request 1"}),
        ("challenge.sent", audit.SERVER, sent | {"reference": "request 2"}),
        ("challenge.passed", person, sent),
        ("challenge.failed", person, {"purpose": "consent", "tries": 5}),
    ]
    assert not {first, second} & set(re.findall("[0-9]+", json.dumps(found)))


class Found:
    """Finds the same customer whoever is meant."""

    def __init__(self, customer: uuid.UUID) -> None:
        self._customer = customer

    def serves(self, *_asked: Any) -> bool:
        return True

    def find(self, *_asked: Any) -> uuid.UUID:
        return self._customer


def test_that_a_company_asked_by_message_is_an_act_and_that_the_link_left_another(sun: Company) -> None:
    letterbox.reachable(sun.database, "C-1", email="ada@example.org")
    customer = make.customer_id(sun.database, "C-1")

    asked = sun.posts("bc-authorize", {"scope": oauth.SCOPE, "login_hint": "ada@example.org"})
    [letter] = Box(sun.database, Found(customer)).empty()

    first, second = [each for each in acts(sun.database) if each.act.startswith("consent.")]
    [secret] = re.findall(r"request=(\S+)", letter.text)
    assert asked.status_code == 200, asked.data
    assert (first.act, first.actor, first.detail["scope"]) == (
        "consent.asked",
        f"client:{sun.client_id}",
        oauth.SCOPE,
    )
    assert first.subject == second.subject == f"request:{digest(secret).hex()}"
    assert (second.act, second.actor, second.detail) == (
        "consent.sent",
        audit.SERVER,
        {"application": str(sun.id), "customer": str(customer)},
    )
    assert "ada@" not in json.dumps(first.detail)


def test_a_batch_that_is_asked_for_is_one_act_however_often(sun: Company) -> None:
    told = sun.tokens()
    with sun.database.writing() as session:
        utilities.find(session, "north").prepare_from = 0

    for _ in range(3):
        assert sun.reads(told["resourceURI"], told["access_token"]) == 202

    [found] = [each for each in acts(sun.database) if each.act == "batch.asked"]
    assert (found.actor, found.detail["form"]) == (f"client:{sun.client_id}", "xml")
    assert found.detail["authorization"] == told["authorizationURI"].rpartition("/")[2]


def test_an_invitation_and_its_end_are_acts(sqlite_url: str) -> None:
    database = Database(sqlite_url, secret=DEVELOPMENT_SECRET)
    north = make.utility(database)
    with database.writing() as session:
        token = admission.invite(session, north, "Sunwise", uses=3, by="operator:ada")
    with database.writing() as session:
        admission.withdraw(session, north, "Sunwise", by="operator:ada")
        admission.withdraw(session, north, "Sunwise", by="operator:ada")

    made, gone = acts(database)
    database.close()

    assert (made.act, made.actor, made.subject) == (
        "invitation.made",
        "operator:ada",
        f"invitation:{digest(token).hex()}",
    )
    assert (made.detail["uses"], gone.act, gone.detail) == (3, "invitation.withdrawn", {"times": 1})


def test_failures_to_show_who_one_is_are_counted_by_the_hour(
    sun: Company, freeze: Callable[[int], None]
) -> None:
    freeze(make.NOW)
    for client_id in (sun.client_id, sun.client_id, "nobody"):
        sun.token(oauth.basic(client_id, "wrong"), grant_type="client_credentials")
    before = len(acts(sun.database))

    refusals.write_down(sun.database)
    assert len(acts(sun.database)) == before
    freeze(make.NOW + 3600)
    refusals.write_down(sun.database)

    found = {
        each.subject: (each.detail["hour"], each.detail["times"]) for each in acts(sun.database)[before:]
    }
    hour = make.NOW - make.NOW % 3600
    assert found == {f"application:{sun.id}": (hour, 2), "application:unknown": (hour, 1)}
    with sun.database.reading() as session:
        assert session.scalars(select(ClientRefusal)).all() == []


def test_what_operators_do_at_the_command_line_is_written_down(
    towns: Database, towns_url: str, tmp_path: Any
) -> None:
    settings = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": towns_url,
        "ESPI_SECRET_KEY": DEVELOPMENT_SECRET,
    }

    def run(*words: str) -> str:
        done = CliRunner().invoke(main, words, env=settings, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    there = ("--utility", "north")
    secret = json.loads(run("asp", "add", "Sun", *there, "--redirect-uri", oauth.BACK, "--json"))[
        "client_secret"
    ]
    run("asp", "qualify", "Sun", *there)
    newer = run("asp", "secret", "Sun", *there).strip()
    whsec = run("asp", "notify", "Sun", *there, "--uri", "http://localhost:9/espi", "--secret").strip()
    machine = json.loads(run("token", "add", *there, "--kind", "custodian", "--json"))["access_token"]
    told = json.loads(
        run("authorize", *there, "--application", "Sun", "--scope", "FB=4_5", "--customer", "C-1", "--json")
    )
    subscription = told["resourceURI"].rpartition("/")[2]
    run("export", *there, "--subscription", subscription, str(tmp_path / "feed.xml"))
    run("keys", "rotate", *there)
    run("asp", "block", "Sun", *there, "--for-good")

    found = acts(towns)
    assert [each.act for each in found if each.actor == operator()] == [
        "application.added", "application.secret", "application.status", "application.secret", "application.changed",
        "application.secret", "token.issued", "authorization.granted", "token.issued", "token.issued",
        "data.exported", "key.rotated", "application.status", "authorization.ended",
    ]  # fmt: skip
    written = json.dumps([[each.subject, each.actor, each.detail] for each in found])
    for each in (secret, newer, whsec, machine, told["access_token"], told["refresh_token"], "C-1"):
        assert each not in written


def test_an_alarm_without_an_address_waits_for_one() -> None:
    row = Application(id=uuid.uuid4(), name="Sun", information={})

    for recipient, words in (
        (f"company:{row.id}", "has named no mail address"),
        ("utility", "ESPI_ALARM_MAIL"),
    ):
        with pytest.raises(alarms.GivesUp, match=words):
            alarms._address(recipient, row, "")


@pytest.mark.parametrize("language", letters.LANGUAGES)
def test_an_alarm_has_words_in_every_language(language: str) -> None:
    values = {
        "company": "Sun & <Sons>",
        "utility": "Valley",
        "ended": date(2026, 9, 5),
        "authorization": "a-1",
    }
    note = Note("Valley", "a@example.org", None, language, values)

    said = letters.written(uuid.uuid4(), uuid.uuid4(), alarms.REPLAYED, note, "a@example.org")

    assert (said.language, "Sun & <Sons>" in said.subject, "a-1" in said.text) == (language, True, True)
    assert len(said.short) <= 160
    assert "{" not in said.text + said.short


def test_where_alarms_go_is_a_mail_address() -> None:
    with pytest.raises(BadSetting, match="ESPI_ALARM_MAIL"):
        Settings.load({"ESPI_MODE": "development", "ESPI_ALARM_MAIL": "the duty officer"})
