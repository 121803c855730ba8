"""Asking a customer by message while she stays with the company: CIBA in poll mode, from the request to the reading."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import asking, consent, people
from espi_server.access.identification import Profile
from espi_server.access.models import Authorization, AuthorizationCode, AuthorizationRequest
from espi_server.access.oauth import backchannel
from espi_server.accounts.models import Customer, Login, Utility
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import letterbox, make, oauth
from tests.copies import Copies
from tests.letterbox import Box
from tests.oauth import SCOPE, Company
from tests.together import statuses
from tests.towns import build

ISSUER = "https://data.example.org/north"
ADA = "ada@example.org"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = ECKey.generate_key("P-256")
KEYS = {"keys": [KEY.as_dict(private=False)]}

pytestmark = pytest.mark.requirement("F-T1/T2")


class ByMail:
    """Finds customers by the mail address in the utility's own records, which must be that of one alone."""

    def serves(self, utility: Utility) -> bool:
        return True

    def find(
        self, session: Session, utility: Utility, profile: Profile, application_id: uuid.UUID
    ) -> uuid.UUID | None:
        wanted = str(profile.get("email") or profile.get("login_hint") or "").strip().lower()
        everybody = session.scalars(select(Customer.id).where(Customer.utility_id == utility.id)).all()
        found = [each for each in everybody if wanted and people.record(session, each).email == wanted]
        return found[0] if len(found) == 1 else None


@pytest.fixture
def sun(towns: Database) -> Company:
    letterbox.reachable(towns, "C-1", email=ADA)
    return oauth.company(towns)


@pytest.fixture
def one(copies: Copies, tmp_path: Path) -> Iterator[Company]:
    """The same on SQLite alone, for what no database decides."""
    with copies.of("sqlite", "towns", build, tmp_path) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        letterbox.reachable(database, "C-1", email=ADA)
        yield oauth.company(database)
        database.close()


def asks(company: Company, headers: dict[str, str] | None = None, **form: str | None) -> Any:
    given = {"scope": SCOPE, "login_hint": ADA, "binding_message": "W4-SCT", **form}
    said = {name: value for name, value in given.items() if value is not None}
    return company.posts("bc-authorize", said, headers)


def polls(company: Company, handle: str, **more: str) -> Any:
    return company.token(grant_type=backchannel.GRANT, auth_req_id=handle, **more)


def error(answer: Any, status: int = 400) -> str:
    assert answer.status_code == status, (answer.status_code, answer.data)
    return str(answer.json["error"])


def handle(company: Company, **form: str | None) -> str:
    answer = asks(company, **form)
    assert answer.status_code == 200, answer.data
    return str(answer.json["auth_req_id"])


def link(company: Company) -> str:
    """The secret in the only letter that leaves."""
    [letter] = Box(company.database, ByMail()).empty()
    [secret] = re.findall(rf"^{ISSUER}/ask\?request=(\S+)$", letter.text, re.MULTILINE)
    assert letter.to == ADA
    return str(secret)


# --- the way of a request ------------------------------------------------------------------------------


def test_a_company_gets_what_a_customer_agreed_to_by_message(sun: Company) -> None:
    box = Box(sun.database, ByMail())
    answer = asks(sun, scope=f"openid {SCOPE}")
    handle = answer.json["auth_req_id"]
    pending = polls(sun, handle)
    [letter] = box.empty()
    [secret] = re.findall(r"request=(\S+)", letter.text)
    with sun.database.reading() as session:
        waiting = consent.waiting(oauth.server(session), secret)
    ended = oauth.agree(sun.database, secret)
    tokens = polls(sun, handle)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert {name: answer.json[name] for name in ("expires_in", "interval")} == {
        "expires_in": 600,
        "interval": 5,
    }
    assert re.fullmatch(r"gbm_[A-Za-z0-9_-]{43}", handle)
    assert error(pending) == "authorization_pending"
    assert "Sun" in letter.subject
    assert "W4-SCT" in letter.text
    assert (waiting.by_message, waiting.binding_message, str(waiting.scope)) == (True, "W4-SCT", SCOPE)
    assert waiting.customer_id == make.customer_id(sun.database, "C-1")
    assert ended is None  # no browser goes anywhere; the company hears at its next poll
    said = tokens.json
    assert (tokens.status_code, said["scope"]) == (200, f"openid {SCOPE}")
    assert "id_token" in said
    assert sun.reads(said["resourceURI"], said["access_token"]) == 200
    assert error(polls(sun, handle)) == "invalid_grant"
    assert sun.reads(said["resourceURI"], said["access_token"]) == 200  # a poll too many ends nothing
    with pytest.raises(consent.NotWaiting):
        oauth.agree(sun.database, secret)
    assert box.empty() == []


def test_of_fifty_polls_at_once_one_gets_tokens(sun: Company) -> None:
    waited = handle(sun)
    oauth.agree(sun.database, link(sun))

    found = statuses(50, lambda _: polls(sun, waited))

    assert found == [200] + [400] * 49
    with sun.database.reading() as session:
        assert session.scalars(select(Authorization.ended_reason)).all() == [None]


def test_of_a_yes_and_a_no_at_once_one_counts(sun: Company) -> None:
    waited = handle(sun)
    secret, answered = link(sun), []

    def answer(act: Callable[[], Any]) -> None:
        try:
            act()
        except consent.NotWaiting:
            return
        answered.append(act)

    acts = [lambda: oauth.agree(sun.database, secret), lambda: oauth.decline(sun.database, secret)] * 4
    threads = [threading.Thread(target=answer, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answered) == 1
    said_yes = answered[0] in acts[::2]
    assert polls(sun, waited).status_code == (200 if said_yes else 400)


def test_whether_anybody_is_found_shows_neither_in_the_answer_nor_in_what_it_costs(sun: Company) -> None:
    seen: list[list[str]] = []
    answers = []
    polls(sun, "unknown")  # that an application came from here is written down once
    for hint in (ADA, "nobody@example.org"):
        statements: list[str] = []

        def note(*arguments: Any, statements: list[str] = statements) -> None:
            statements.append(arguments[2])

        event.listen(sun.database.engine, "before_cursor_execute", note)
        answers.append(asks(sun, login_hint=hint))
        pending = polls(sun, answers[-1].json["auth_req_id"])
        event.remove(sun.database.engine, "before_cursor_execute", note)
        seen.append(statements)
        assert error(pending) == "authorization_pending"

    letters = Box(sun.database, ByMail()).empty()

    assert seen[0] == seen[1]
    assert [sorted(each.json) for each in answers] == [["auth_req_id", "expires_in", "interval"]] * 2
    assert len({len(each.data) for each in answers}) == 1
    assert [each.to for each in letters] == [ADA]
    for each in answers:  # and after the matching, too
        assert error(polls(sun, each.json["auth_req_id"])) in ("authorization_pending", "slow_down")


def test_what_nobody_answers_waits_until_its_time_is_over(
    one: Company, freeze: Callable[[int], None]
) -> None:
    now = clock.seconds()
    freeze(now)
    lost, late = handle(one, login_hint="nobody@example.org"), handle(one)
    secret = link(one)

    freeze(now + 599)
    assert error(polls(one, lost)) == "authorization_pending"
    oauth.agree(one.database, secret)
    freeze(now + 600)

    assert error(polls(one, lost)) == "expired_token"
    assert error(polls(one, late)) == "expired_token"  # her yes was in time, the poll was not
    with one.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Authorization)) == 0


def test_a_no_is_told(one: Company) -> None:
    waited = handle(one)

    assert oauth.decline(one.database, link(one)) is None

    assert error(polls(one, waited)) == "access_denied"
    assert error(polls(one, waited)) == "access_denied"


def test_who_polls_too_often_waits_longer_each_time(one: Company, freeze: Callable[[int], None]) -> None:
    now = clock.seconds()
    waited, heard = handle(one), []

    for seconds in (0, 5, 9, 19, 28, 43):  # 5 apart is in time, 4 is not; then 10, and after the next one 15
        freeze(now + seconds)
        heard.append(error(polls(one, waited)))

    pending, slow = "authorization_pending", "slow_down"
    assert heard == [pending, pending, slow, pending, slow, pending]


def test_a_request_lives_as_long_as_asked_within_limits(one: Company) -> None:
    for asked, given in (("1", 60), ("300", 300), ("999999", 3600)):
        assert asks(one, requested_expiry=asked).json["expires_in"] == given


# --- whose it is ---------------------------------------------------------------------------------------


def test_what_is_polled_with_is_nothing_to_others(one: Company) -> None:
    moon = oauth.company(one.database, "Moon", app=one.app)
    south = oauth.company(one.database, code="south", app=one.app)
    waited = handle(one)
    oauth.agree(one.database, link(one))

    for other in (moon, south):
        assert error(polls(other, waited)) == "invalid_grant"
    assert error(polls(one, "gbm_nothing")) == "invalid_grant"
    assert error(one.token(grant_type=backchannel.GRANT)) == "invalid_request"
    assert error(one.redeem(waited)) == "invalid_grant"
    assert polls(one, waited).status_code == 200


def test_only_the_customer_who_was_found_can_answer(one: Company) -> None:
    waited = handle(one)
    secret = link(one)

    with pytest.raises(consent.CannotAgree, match="another customer"):
        oauth.agree(one.database, secret, customer="C-2", points=("103",))
    with pytest.raises(consent.NotWaiting):
        oauth.agree(one.database, secret, code="south", points=("101",))
    assert error(polls(one, waited)) == "authorization_pending"


def test_clients_of_the_first_decade_do_not_ask_by_message(one: Company) -> None:
    old = oauth.company(one.database, "Old", app=one.app, policy="legacy")

    assert error(asks(old)) == "unauthorized_client"
    assert error(polls(old, "gbm_x")) == "unauthorized_client"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}])
def test_it_asks_who_it_is_like_the_token_endpoint(one: Company, headers: dict[str, str]) -> None:
    assert error(asks(one, headers), 401) == "invalid_client"


# --- what changed between her yes and the poll ----------------------------------------------------------


def agreed(company: Company) -> str:
    waited = handle(company)
    oauth.agree(company.database, link(company))
    return waited


def locked(company: Company, status: str = "locked") -> None:
    with company.database.writing() as session:
        id = make.customer_id(company.database, "C-1")
        session.add(Login(kind="customer", customer_id=id, name="ada", status=status, created_at=1))


def test_a_customer_who_was_locked_out_meanwhile_shares_nothing(one: Company) -> None:
    waited = agreed(one)
    locked(one)

    assert error(polls(one, waited)) == "invalid_grant"
    assert error(polls(one, waited)) == "invalid_grant"
    with one.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Authorization)) == 0


def test_who_is_locked_out_is_not_asked_and_cannot_agree(one: Company) -> None:
    waited, secret = handle(one), link(one)
    locked(one)

    with pytest.raises(consent.CannotAgree, match="closed"):
        oauth.agree(one.database, secret)
    again = handle(one)

    assert Box(one.database, ByMail()).empty() == []
    for each in (waited, again):
        assert error(polls(one, each)) == "authorization_pending"


def test_a_company_that_was_blocked_meanwhile_gets_nothing(one: Company) -> None:
    waited = agreed(one)
    make.hold(one.database, one.id)
    assert error(polls(one, waited), 401) == "invalid_client"

    make.hold(one.database, one.id, 2)
    oauth.change(one, scope="FB=4_5;IntervalDuration=3600")  # it may have less than she agreed to
    assert error(polls(one, waited)) == "invalid_grant"


def test_what_passed_to_another_customer_meanwhile_is_not_shared(one: Company) -> None:
    from espi_server.energy.models import UsagePoint

    waited = agreed(one)
    other = make.customer_id(one.database, "C-2")
    make.change(one.database, UsagePoint, UsagePoint.source_id.in_(("101", "102")), customer_id=other)

    assert error(polls(one, waited)) == "invalid_grant"


# --- what cannot be taken ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"scope": None}, "invalid_scope"),
        ({"scope": "energy"}, "invalid_scope"),
        ({"scope": "FB=4;AdditionalScope=RIN_BillComparison_RateChange"}, "invalid_scope"),
        ({"login_hint": None}, "invalid_request"),
        ({"login_hint": "x" * 257}, "invalid_request"),
        ({"login_hint": "a\x00b"}, "invalid_request"),
        ({"login_hint_token": "x"}, "invalid_request"),  # two at once
        ({"login_hint": None, "login_hint_token": "x"}, "invalid_request"),
        ({"login_hint": None, "id_token_hint": "x"}, "invalid_request"),
        ({"binding_message": "see https://evil.example"}, "invalid_binding_message"),
        ({"binding_message": "x" * 33}, "invalid_binding_message"),
        ({"binding_message": ""}, "invalid_binding_message"),
        ({"requested_expiry": "soon"}, "invalid_request"),
        ({"requested_expiry": "0"}, "invalid_request"),
        ({"request": "x"}, "invalid_request"),  # beside parameters that stand outside it
        ({"client_id": "x"}, "invalid_request"),
    ],
)
def test_what_is_refused(one: Company, form: dict[str, str | None], expected: str) -> None:
    assert error(asks(one, **form)) == expected


def test_nothing_stands_in_the_address_or_twice(one: Company) -> None:
    assert error(one.posts(f"bc-authorize?login_hint={ADA}", {"scope": SCOPE})) == "invalid_request"
    twice = f"scope={SCOPE}&login_hint=a&login_hint=b"
    sent = one.posts("bc-authorize", twice, content_type="application/x-www-form-urlencoded")
    assert error(sent) == "invalid_request"


# --- signed --------------------------------------------------------------------------------------------


@pytest.fixture
def strict(one: Company) -> Company:
    return oauth.company(one.database, "Strict", app=one.app, policy="strict", jwks=KEYS)


def note(company: Company, key: Any = KEY, **claims: Any) -> str:
    now = int(time.time())
    given = {
        "iss": company.client_id,
        "aud": ISSUER,
        "exp": now + 60,
        "iat": now,
        "jti": uuid.uuid4().hex,
        **claims,
    }
    said = {name: value for name, value in given.items() if value is not None}
    return jwt.encode({"alg": "ES256"}, said, key, algorithms=["ES256"])


def signed(company: Company, **form: str | None) -> Any:
    shown = note(company, sub=company.client_id, aud=f"{ISSUER}/oauth/bc-authorize")
    given = {"client_assertion_type": TYPE, "client_assertion": shown, "login_hint": None, **form}
    return asks(company, {}, **given)


def test_a_signed_profile_names_the_customer(strict: Company) -> None:
    profile = {"email": ADA, "name": "Ada", "address": {"postal_code": "95814"}}

    answer = signed(strict, login_hint_token=note(strict, **profile))

    assert answer.status_code == 200, answer.data
    assert link(strict)


def test_a_whole_request_may_be_signed(strict: Company) -> None:
    whole = note(strict, scope=SCOPE, login_hint=ADA, binding_message="W4-SCT", requested_expiry=120)

    answer = signed(strict, request=whole, scope=None, binding_message=None)

    assert (answer.status_code, answer.json["expires_in"]) == (200, 120)
    assert link(strict)


def test_a_strict_client_names_nobody_without_a_signature(strict: Company) -> None:
    answer = signed(strict, login_hint=ADA)

    assert "signs" in answer.json["error_description"]
    assert error(answer) == "invalid_request"


def test_a_note_is_taken_once_from_its_client_for_us_and_now(strict: Company) -> None:
    once = note(strict, email=ADA)
    assert signed(strict, login_hint_token=once).status_code == 200

    for bad in (
        once,
        note(strict, ECKey.generate_key("P-256"), email=ADA),
        note(strict, email=ADA, aud="https://data.example.org/south"),
        note(strict, email=ADA, iss="somebody"),
        note(strict, email=ADA, exp=int(time.time()) + 86_400),
        note(strict, email=ADA, jti=None),
        note(strict, email=ADA, sub=strict.client_id),  # that would be a client's assertion
        note(strict),
        note(strict, email=7),
        note(strict, address=["x"]),
        note(strict, **{f"claim{number}": "x" for number in range(21)}),
        "eyJhbGciOiJub25lIn0.e30.",
    ):
        assert error(signed(strict, login_hint_token=bad)) == "invalid_request"
    over = note(strict, email=ADA, exp=int(time.time()) - 1)
    assert error(signed(strict, login_hint_token=over)) == "expired_login_hint_token"
    for bad in (
        note(strict, scope=SCOPE, login_hint=ADA, sub=strict.client_id),
        note(strict, scope=["x"], login_hint=ADA),
        note(strict, login_hint=ADA, exp=int(time.time()) - 1),
    ):
        assert error(signed(strict, request=bad, scope=None, binding_message=None)) == "invalid_request"


# --- floods --------------------------------------------------------------------------------------------


def test_an_application_asks_so_often_an_hour_however_many_at_once(
    sun: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backchannel, "AN_HOUR", 5)

    found = statuses(12, lambda _: asks(sun))
    refused = asks(sun)

    assert found == [200] * 5 + [429] * 7
    assert (refused.status_code, refused.json["error"]) == (429, "temporarily_unavailable")
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600


def test_a_customer_is_asked_so_often_a_day_and_nobody_hears_that_it_was_too_often(
    sun: Company, freeze: Callable[[int], None]
) -> None:
    now = clock.seconds()
    freeze(now)
    moon = oauth.company(sun.database, "Moon", app=sun.app)
    waited = [handle(company) for company in (sun, moon) for _ in range(4)]
    workers = [Box(sun.database, ByMail()) for _ in range(4)]
    threads = [threading.Thread(target=box.sweep) for box in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for box in workers:
        box.sweep()

    letters = [letter for box in workers for letter in box.empty()]
    from_sun = [each for each in letters if "Sun" in each.subject]
    assert (len(letters), len(from_sun)) == (asking.A_DAY, min(asking.BY_ONE, len(from_sun)))
    for company, each in zip([sun] * 4 + [moon] * 4, waited, strict=True):
        assert error(polls(company, each)) == "authorization_pending"


# --- what is kept --------------------------------------------------------------------------------------


def test_neither_the_profile_nor_the_link_lies_open_and_neither_lies_long(one: Company) -> None:
    box = Box(one.database, ByMail())
    waited = handle(one)
    handle(one, login_hint="nobody@example.org")
    tables = ("authorization_request", "job", "outbox")
    before = letterbox.in_clear(one.database, *tables)

    [letter] = box.empty()

    [secret] = re.findall(r"request=(\S+)", letter.text)
    for copy in (before, letterbox.in_clear(one.database, *tables)):
        for each in (ADA, "nobody@", secret, waited):
            assert each not in copy
    with one.database.reading() as session:
        assert set(session.scalars(select(AuthorizationRequest.sealed))) == {None}


def test_what_nobody_looked_at_in_time_is_wiped(one: Company, freeze: Callable[[int], None]) -> None:
    now = clock.seconds()
    freeze(now)
    handle(one)
    asking.forget_old(one.database)
    with one.database.reading() as session:
        assert session.scalars(select(AuthorizationRequest.sealed)).one()

    freeze(now + 600)
    asking.forget_old(one.database)

    with one.database.reading() as session:
        assert session.scalars(select(AuthorizationRequest.sealed)).all() == [None]
    assert Box(one.database, ByMail()).empty() == []


def test_a_customer_whose_address_is_new_is_not_written_to(one: Company) -> None:
    letterbox.reachable(one.database, "C-1", email=ADA, since=clock.seconds() - 60)

    waited = handle(one)

    assert Box(one.database, ByMail()).empty() == []
    assert error(polls(one, waited)) == "authorization_pending"


def test_nobody_knows_the_code_behind_a_yes(one: Company) -> None:
    agreed(one)

    with one.database.reading() as session:
        asked = session.scalars(select(AuthorizationRequest)).one()
        code = session.scalars(select(AuthorizationCode)).one()
        told = session.scalars(select(Outbox.payload)).all()
    assert asked.code_digest == code.digest
    assert code.expires_at == asked.expires_at
    assert [set(each) for each in told] == [{"request"}]


# --- what the server says of itself ---------------------------------------------------------------------


def test_it_is_told_where_the_installation_finds_customers_and_can_write_to_them(one: Company) -> None:
    path = "/north/.well-known/openid-configuration"

    def said(identification: ByMail | None, **settings: Any) -> dict[str, Any]:
        app = create_app(make.settings(**settings), one.database, oauth.Door(), identification)
        found: dict[str, Any] = app.test_client().get(path).json
        return found

    offered, nobody_found = said(ByMail()), said(None)
    mute = said(ByMail(), mode="production", secret_key="x" * 40)

    assert offered["backchannel_authentication_endpoint"] == f"{ISSUER}/oauth/bc-authorize"
    assert offered["backchannel_token_delivery_modes_supported"] == ["poll"]
    assert "ES256" in offered["backchannel_authentication_request_signing_alg_values_supported"]
    assert offered["backchannel_user_code_parameter_supported"] is False
    assert backchannel.GRANT in offered["grant_types_supported"]
    for each in (mute, nobody_found):
        assert "backchannel" not in str(each)
        assert backchannel.GRANT not in each["grant_types_supported"]
