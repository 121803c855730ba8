"""Passkeys answered by a device in software: genuine answers are taken, and none of their pieces is too odd."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import cbor2
import pytest

from espi_server.accounts import passkeys, utilities
from espi_server.accounts.models import Login
from espi_server.accounts.passkeys import NoPasskey, Place
from espi_server.db import Database
from tests import portal
from tests.copies import Copies
from tests.keys import Device
from tests.towns import build

pytestmark = pytest.mark.requirement("CEC5")
ADDRESS = "https://data.example.org"
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**400, "", "x", "é", "\ud800", "A" * 70_000, [], [[]], [{}], ["usb", {}, []],
    {}, {"a": {}},
)  # fmt: skip


@pytest.fixture(scope="module")
def town(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with copies.opened("sqlite", "towns", build, tmp_path_factory.mktemp("keys")) as database:
        yield database


class Undone(Exception):
    """What was taken is not kept, so that the next one can be tried."""


def made(
    town: Database, login: Any, change: Any = None, *, keep: bool = False, device: Device | None = None
) -> Any:
    """A new passkey, its answer changed on the way; the transaction is undone unless told."""
    device = device or Device(ADDRESS, "data.example.org")
    with town.writing() as session:
        place = Place.of(utilities.find(session, "north"), f"{ADDRESS}/north")
        row = session.get_one(Login, login)
        answer = device.makes(passkeys.registration(session, place, row))
        if change is not None:
            change(answer)
        found = passkeys.register(session, place, row, json.dumps(answer), "phone")
        if not keep:
            raise Undone(found.transports)
    return found


def places(answer: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where anything stands in an answer."""
    for name, value in answer.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from places(value, (*path, name))


def put(answer: Any, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        answer = answer[name]
    answer[path[-1]] = value


def test_a_genuine_passkey_is_made_and_used_once(town):
    login, device = portal.login(town, "C-1"), Device(ADDRESS, "data.example.org")
    key = made(town, login, keep=True, device=device)

    with town.writing() as session:
        place = Place.of(utilities.find(session, "north"), f"{ADDRESS}/north")
        answer = json.dumps(device.uses(passkeys.question(session, place)))
        found = passkeys.answered(session, place, answer)
    with pytest.raises(NoPasskey), town.writing() as session:
        passkeys.answered(session, place, answer)

    assert (found.id, found.transports) == (key.id, ["internal"])
    assert passkeys.amr(found) == ("hwk", "user", "mfa")


def test_no_piece_of_a_genuine_answer_is_too_odd(town):
    login, device = portal.login(town, "C-1"), Device(ADDRESS, "data.example.org")
    told: list[Any] = []
    genuine = device.makes(json.dumps({"challenge": "AA"}))
    for path in places(genuine):
        for odd in ODD:
            with pytest.raises((NoPasskey, Undone)) as caught:
                made(town, login, lambda answer, path=path, odd=odd: put(answer, path, odd))
            told += caught.value.args[0] if caught.type is Undone else []
    assert set(told) == {"internal", "usb"}

    made(town, login, keep=True, device=device)
    with town.reading() as session:
        place = Place.of(utilities.find(session, "north"), f"{ADDRESS}/north")
    shown = device.uses(json.dumps({"challenge": "AA"}))
    for path in places(shown):
        for odd in ODD:
            with pytest.raises((NoPasskey, Undone)), town.writing() as session:
                answer = deepcopy(device.uses(passkeys.question(session, place)))
                put(answer, path, odd)
                passkeys.answered(session, place, json.dumps(answer))
                raise Undone()


def test_nothing_inside_a_genuine_answer_is_too_odd(town):
    login, device = portal.login(town, "C-1"), Device(ADDRESS, "data.example.org")
    sealed = cbor2.loads(
        _bytes(device.makes(json.dumps({"challenge": "AA"}))["response"]["attestationObject"])
    )
    told = ("type", "origin", "crossOrigin", "topOrigin", "tokenBinding")

    def inner(answer: Any, name: str, odd: Any) -> None:
        said = json.loads(_bytes(answer["response"]["clientDataJSON"])) | {name: odd}
        put(answer, ("response", "clientDataJSON"), _text(json.dumps(said).encode()))

    def sealing(answer: Any, odd: Any) -> None:
        put(answer, ("response", "attestationObject"), _text(cbor2.dumps(odd)))

    for odd in ODD[:9] + ODD[11:]:
        for name in told:
            with pytest.raises((NoPasskey, Undone)):
                made(town, login, lambda answer, name=name, odd=odd: inner(answer, name, odd))
        for whole in (odd, *({**sealed, name: odd} for name in sealed)):
            with pytest.raises((NoPasskey, Undone)):
                made(town, login, lambda answer, whole=whole: sealing(answer, whole))
    for cut in range(0, len(sealed["authData"]), 7):
        with pytest.raises((NoPasskey, Undone)):
            made(
                town,
                login,
                lambda answer, cut=cut: sealing(answer, {**sealed, "authData": sealed["authData"][:cut]}),
            )
    for kind in ("packed", "fido-u2f", "tpm", "apple", "android-key", "android-safetynet"):
        for statement in ({}, {"sig": 1, "x5c": [[]], "alg": {}, "ver": 2, "response": 3}, [], None):
            with pytest.raises((NoPasskey, Undone)):
                made(
                    town,
                    login,
                    lambda answer, it={**sealed, "fmt": kind, "attStmt": statement}: sealing(answer, it),
                )


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
