"""Who may end or restate a consent and a registration, and what comes of it (FB_44, FB_41)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from espi_server.access import applications
from espi_server.access.models import Application, Authorization
from espi_server.db import Database
from espi_server.notify.models import Outbox
from tests import make, oauth
from tests.oauth import BACK, Company
from tests.towns import on_one
from tests.web.world import LETTERS, World, unknown

ATOM = "application/atom+xml"


def ask(
    world: World, method: str, path: str, token: str | None, code: str = "north", **more: Any
) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return world.client.app.test_client().open(
        f"/{code}/espi/1_1/resource/{path}", method=method, headers=headers, **more
    )


# --- the wrong-token table of the standard's tests, for every method --------------------------------------

TABLE = {
    "ApplicationInformation/{app}": "DR",
    "Authorization/{auth}": "DC",
    "Authorization": "DC",
    "Batch/Subscription/{s}": "DA",
    "ReadServiceStatus": "DCU",
    "Batch/Bulk/{bulk}": "DC",
}
MANAGED = ("ApplicationInformation/{app}", "Authorization/{auth}")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("path", TABLE)
@pytest.mark.parametrize("kind", [*LETTERS, "none", "garbage"])
@pytest.mark.requirement("FB_03", "FB_41", "FB_44")
def test_the_wrong_kind_of_token_is_refused_whatever_the_method(
    world: World, path: str, kind: str, method: str
) -> None:
    sun = world.sun["north"]
    living = dict(world.living("north").values())
    letter = LETTERS.get(kind, "")
    token = living.get(letter, None if kind == "none" else "gba_garbage")
    where = path.format(app=sun.application, auth=sun.id, s=sun.id, bulk="7")
    is_offered = method == "GET" or (path in MANAGED and method in ("PUT", "DELETE"))

    if letter in TABLE[path] and is_offered:
        return  # below
    answer = ask(world, method, where, token)

    if not letter:
        assert answer.status_code == 401
    elif is_offered:
        assert answer.status_code == 403
    else:
        assert answer.status_code in (403, 405)


def test_somebody_else_s_and_nobody_s_are_closed_alike(world: World) -> None:
    token = world.machines["north", "client of Moon"]
    for method in ("PUT", "DELETE"):
        answers = [
            ask(world, method, f"Authorization/{id}", token, data=b"<x/>", content_type=ATOM)
            for id in (world.sun["north"].id, world.sun["south"].id, unknown())
        ]
        assert {each.status_code for each in answers} == {403}
        assert len({re.sub(b'"instance": *"[^"]*"', b"", each.data) for each in answers}) == 1


def test_a_registration_token_reaches_its_own_registration_only(world: World) -> None:
    token = world.machines["north", "registration of Moon"]

    assert (
        ask(world, "DELETE", f"ApplicationInformation/{world.sun['north'].application}", token).status_code
        == 403
    )


# --- what changes ----------------------------------------------------------------------------------------


@pytest.fixture
def sun(towns: Database) -> Company:
    return oauth.company(towns)


def machine(company: Company, kind: str) -> str:
    return make.token(company.database, kind, application="Sun")


def send(company: Company, method: str, path: str, token: str, body: bytes = b"") -> TestResponse:
    return company.app.test_client().open(
        f"/north/espi/1_1/resource/{path}", method=method, data=body, content_type=ATOM,
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip


def entry(company: Company, path: str, token: str) -> bytes:
    answer = send(company, "GET", path, token)
    assert answer.status_code == 200
    return answer.data


def consent(company: Company) -> tuple[str, dict[str, Any]]:
    said = company.tokens()
    return "Authorization/" + said["authorizationURI"].rpartition("/")[2], said


@pytest.mark.parametrize("kind", ["client", "custodian"])
@pytest.mark.requirement("FB_44")
def test_deleting_an_authorization_ends_it_and_its_tokens(sun: Company, kind: str) -> None:
    path, said = consent(sun)
    token = machine(sun, kind)

    first, again = send(sun, "DELETE", path, token), send(sun, "DELETE", path, token)

    assert (first.status_code, first.data, again.status_code) == (204, b"", 204)
    assert sun.reads(said["resourceURI"], said["access_token"]) == 401
    assert sun.refresh(said["refresh_token"]).status_code == 400
    assert b"<status>0</status>" in entry(sun, path, token)


@pytest.mark.requirement("FB_44")
def test_putting_an_authorization_with_status_0_ends_it(sun: Company) -> None:
    path, said = consent(sun)
    token = machine(sun, "client")
    body = entry(sun, path, token).replace(b"<status>1</status>", b"<status>0</status>")

    answer = send(sun, "PUT", path, token, body)

    assert (answer.status_code, b"<status>0</status>" in answer.data) == (200, True)
    assert sun.reads(said["resourceURI"], said["access_token"]) == 401
    back = body.replace(b"<status>0</status>", b"<status>1</status>")
    assert send(sun, "PUT", path, token, back).status_code == 409


@pytest.mark.requirement("FB_44")
def test_putting_an_authorization_as_it_is_changes_nothing(sun: Company) -> None:
    path, said = consent(sun)
    token = machine(sun, "client")
    body = entry(sun, path, token)

    assert send(sun, "PUT", path, token, body).data == body
    assert sun.reads(said["resourceURI"], said["access_token"]) == 200


@pytest.mark.requirement("FB_44")
def test_an_authorization_may_end_sooner_and_never_later_or_wider(sun: Company) -> None:
    path, _ = consent(sun)
    token = machine(sun, "client")
    body = entry(sun, path, token)
    [ends] = map(int, re.findall(rb"<expires_at>(\d+)<", body))

    def stating(at: int) -> TestResponse:
        return send(
            sun,
            "PUT",
            path,
            token,
            body.replace(f"<expires_at>{ends}<".encode(), f"<expires_at>{at}<".encode()),
        )

    assert stating(ends + 1).status_code == 409
    assert stating(1).status_code == 400
    assert send(sun, "PUT", path, token, body.replace(b"FB=4_5_15", b"FB=4_5_15_16")).status_code == 409
    assert f"<expires_at>{ends - 86_400}<".encode() in stating(ends - 86_400).data
    with sun.database.reading() as session:
        row = session.query(Authorization).one()
        letters = session.scalars(
            select(Outbox.kind).where(Outbox.recipient == f"customer:{row.customer_id}")
        )
        assert row.ends_at == ends - 86_400
        assert list(letters).count("authorization.shortened") == 1  # a change of hers that she did not make


def registration(company: Company) -> str:
    return f"ApplicationInformation/{company.id}"


@pytest.mark.requirement("FB_41")
def test_a_company_restates_what_it_says_of_itself(sun: Company) -> None:
    token = machine(sun, "registration")
    body = entry(sun, registration(sun), token).replace(b"<software_version>1<", b"<software_version>2.5<")

    answer = send(sun, "PUT", registration(sun), token, body)

    assert (answer.status_code, b"<software_version>2.5<" in answer.data) == (200, True)
    assert sun.token(grant_type="client_credentials").status_code == 200


@pytest.mark.requirement("FB_41")
def test_a_new_address_goes_into_review_before_it_is_used(sun: Company) -> None:
    token = machine(sun, "registration")
    body = entry(sun, registration(sun), token).replace(BACK.encode(), b"https://elsewhere.example.com/back")

    answer = send(sun, "PUT", registration(sun), token, body)

    assert answer.status_code == 200
    assert b"<dataCustodianApplicationStatus>1<" in answer.data
    assert sun.asks(redirect_uri="https://elsewhere.example.com/back").status_code == 401
    assert sun.token(grant_type="client_credentials").status_code == 401
    # What it registered it may still see and set right.
    assert send(sun, "GET", registration(sun), token).status_code == 200


@pytest.mark.requirement("FB_41")
@on_one
def test_other_words_for_customers_are_looked_at_first_and_told(sun: Company) -> None:
    consent(sun)
    token = machine(sun, "registration")
    plain = entry(sun, registration(sun), token)
    after = b"<thirdPartyApplicationStatus>"
    words = b"<thirdPartyApplicationDescription>Other words.</thirdPartyApplicationDescription>"
    described = plain.replace(after, words + after)

    answer = send(sun, "PUT", registration(sun), token, described)

    assert b"<dataCustodianApplicationStatus>1<" in answer.data

    def told() -> list[str]:
        with sun.database.reading() as session:
            return [each for each in session.scalars(select(Outbox.kind)) if each.startswith("company.")]

    assert told() == []
    with sun.database.writing() as session:
        row = session.get_one(Application, sun.id)
        applications.set_status(session, row, 2)
        applications.set_status(session, row, applications.ON_HOLD)
        applications.set_status(session, row, 2)
    assert told() == ["company.described", "company.paused", "company.resumed"]


@pytest.mark.parametrize(
    "address",
    [
        b"http://sun.example.com/back",
        b"https://sun.example.com/#x",
        b"https://a@b.example/",
        b"back",
        b"javascript:x",
    ],
)
@pytest.mark.requirement("FB_41")
@on_one
def test_an_address_that_may_not_be_registered_is_refused(sun: Company, address: bytes) -> None:
    token = machine(sun, "registration")
    body = entry(sun, registration(sun), token).replace(BACK.encode(), address)

    assert send(sun, "PUT", registration(sun), token, body).status_code == 400


@pytest.mark.requirement("FB_41")
def test_the_utility_changes_the_status_and_the_company_cannot(sun: Company) -> None:
    custodian, own = machine(sun, "custodian"), machine(sun, "registration")
    body = entry(sun, registration(sun), custodian).replace(
        b"<dataCustodianApplicationStatus>2<", b"<dataCustodianApplicationStatus>3<"
    )

    send(sun, "PUT", registration(sun), own, body)
    assert send(sun, "GET", registration(sun), own).status_code == 200

    send(sun, "PUT", registration(sun), custodian, body)
    assert send(sun, "GET", registration(sun), own).status_code == 401


@pytest.mark.requirement("FB_41")
def test_deleting_a_registration_ends_everything_it_was_given(sun: Company) -> None:
    _, said = consent(sun)

    answer = send(sun, "DELETE", registration(sun), machine(sun, "registration"))

    assert answer.status_code == 204
    assert sun.reads(said["resourceURI"], said["access_token"]) == 401
    assert sun.token(grant_type="client_credentials").status_code == 401
    with sun.database.reading() as session:
        assert session.get_one(Application, sun.id).status == 4
        assert session.query(Authorization).one().ended_reason == "offboarded"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"<a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<entry xmlns='http://www.w3.org/2005/Atom'/>",
    ],
)
@on_one
def test_a_body_that_cannot_be_read_is_told(sun: Company, body: bytes) -> None:
    path, _ = consent(sun)

    assert send(sun, "PUT", path, machine(sun, "client"), body).status_code == 400
    assert send(sun, "PUT", registration(sun), machine(sun, "registration"), body).status_code == 400


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<status>1<", b"<status>x<"),
        (b"<status>1<", b"<status>9<"),
        (b"<expires_at>", b"<expires_at>soon"),
        (b"<expires_at>", b"<expires_at>9999999999999999999999"),
        (b"<scope>", b"<scope>nonsense "),
    ],
)
@on_one
def test_an_authorization_s_values_that_mean_nothing_are_told(
    sun: Company, before: bytes, after: bytes
) -> None:
    path, _ = consent(sun)
    token = machine(sun, "client")

    answer = send(sun, "PUT", path, token, entry(sun, path, token).replace(before, after))

    assert answer.status_code in (400, 409)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<dataCustodianApplicationStatus>2<", b"<dataCustodianApplicationStatus>9<"),
        (b"<dataCustodianApplicationStatus>2<", b"<dataCustodianApplicationStatus>x<"),
        (b"<software_version>1<", b"<software_version>" + b"1" * 300 + b"<"),
        (b"<client_id>", b"<client_id>x"),
    ],
)
@on_one
def test_a_registration_s_values_that_mean_nothing_are_told(
    sun: Company, before: bytes, after: bytes
) -> None:
    token = machine(sun, "custodian")

    answer = send(
        sun, "PUT", registration(sun), token, entry(sun, registration(sun), token).replace(before, after)
    )

    assert answer.status_code in (400, 409)
