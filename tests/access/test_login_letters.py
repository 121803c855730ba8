"""What is written about ways in: in both languages, in easy words, short enough for a text message."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

import pytest

from espi_server.access.login_letters import composers
from espi_server.notify import letters
from espi_server.notify.letters import Note
from tests import make
from tests.notify.test_letters import grade

LINK = "https://data.example.org/alder/account/password/new?link=" + "x" * 43
WHAT = {
    "login.factor": [f"{kind} {change}" for kind in ("app", "passkey") for change in ("added", "removed")]
    + ["recovery added", "recovery used"],
    "login.password": ["changed", "reset"],
}  # fmt: skip
KINDS = [*sorted(composers(make.INSTALLATION)), "code.sign-in"]


def said(kind: str, language: str, **values: Any) -> Any:
    given = {
        "utility": "Valley Electric", "link": LINK, "minutes": 30, "days": 7, "code": "123456", "what": "",
        "address": "b***@mail.example",
        "at": date(2026, 11, 22), "phone": "1-800-555-0100", **values,
    }  # fmt: skip
    note = Note("Valley Electric", "ada@example.org", None, language, given)
    return letters.written(uuid.uuid4(), uuid.uuid4(), kind, note, "ada@example.org")


@pytest.mark.parametrize("language", letters.LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_there_are_words_for_all_of_it(kind: str, language: str) -> None:
    for what in WHAT.get(kind, [""]):
        letter = said(kind, language, what=what)

        assert letter.language == language
        assert len(letter.short) <= 160
        assert "{" not in letter.text + letter.short
        assert "\n\n\n" not in letter.text
        if language == "en":
            assert grade(letter.text.replace(LINK, "")) <= 6


def test_each_change_is_told_by_its_own_name() -> None:
    for kind, changes in WHAT.items():
        assert len({said(kind, "en", what=what).text for what in changes}) == len(changes)
        assert len({said(kind, "es", what=what).text for what in changes}) == len(changes)
