"""Which token opens what, row by row as the standard's tests have it (FB_03): right, of another kind, none, expired."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from tests.web.world import BULK, World

# Row → (path, the letter that is right, letters that are wrong). A for access, C for client, R for registration.
ROWS = {
    "ApplicationInformation/{id}": ("ApplicationInformation/{app}", "R", "AC"),
    "Authorization": ("Authorization", "C", "AR"),
    "Authorization/{id}": ("Authorization/{auth}", "C", "AR"),
    "Batch/Subscription/{s}": ("Batch/Subscription/{auth}", "A", "CR"),
    "ReadServiceStatus": ("ReadServiceStatus", "C", "AR"),
    "Batch/Bulk/{id}": ("Batch/Bulk/{bulk}", "C", "AR"),
}
NOT_OFFERED = {
    **dict.fromkeys(ROWS, ("PUT", "POST", "DELETE")),
    "ApplicationInformation/{id}": ("POST",),
    "Authorization/{id}": ("POST",),
}

pytestmark = pytest.mark.requirement("FB_03", "FB_13")


def asks(world: World, row: str, token: str | None, method: str = "GET", code: str = "north") -> TestResponse:
    path = ROWS[row][0].format(app=world.sun[code].application, auth=world.sun[code].id, bulk=BULK)
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return world.client.app.test_client().open(
        f"/{code}/espi/1_1/resource/{path}", method=method, headers=headers
    )


def token(world: World, letter: str, code: str = "north") -> str:
    if letter == "A":
        return world.sun[code].token
    return world.machines[code, {"C": "client of Sun", "R": "registration of Sun"}[letter]]


@pytest.mark.parametrize("row", ROWS)
def test_the_right_token_opens_it(world: World, row: str) -> None:
    answer = asks(world, row, token(world, ROWS[row][1]))

    assert answer.status_code == 200
    kind = "application/xml" if row == "ReadServiceStatus" else "application/atom+xml"
    assert answer.mimetype == kind


@pytest.mark.parametrize("row", ROWS)
def test_a_token_of_another_kind_is_forbidden(world: World, row: str) -> None:
    for letter in ROWS[row][2]:
        answer = asks(world, row, token(world, letter))
        assert (answer.status_code, letter) == (403, letter)
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("row", ROWS)
def test_without_a_token_or_with_a_dead_one_nobody_is_known(world: World, row: str) -> None:
    for name, dead in world.dead_ones("north").items():
        answer = asks(world, row, dead)
        assert (answer.status_code, name) == (401, name)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("row", ROWS)
def test_methods_that_are_not_offered_are_refused_after_the_token_is_looked_at(
    world: World, row: str
) -> None:
    for method in NOT_OFFERED[row]:
        for letter in "ACR":
            answer = asks(world, row, token(world, letter), method)
            assert answer.status_code in (403, 405), (method, letter)
        assert asks(world, row, None, method).status_code == 401
        assert asks(world, row, "gba_dead", method).status_code == 401
