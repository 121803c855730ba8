"""The words of letters that hold a secret: short, plain, in both languages, and about what is to be confirmed."""

from __future__ import annotations

import re
import uuid
from datetime import date
from typing import Any

import pytest

from espi_server.access import asking, sealed_letters
from espi_server.espi.tables import DataClass
from espi_server.notify import letters
from espi_server.notify.letters import Note
from tests import make
from tests.notify.test_letters import grade

KINDS = sorted({**sealed_letters.composers(), **asking.composers(make.settings())})
SECRET = "gbq_" + "x" * 43
VALUES: dict[str, Any] = {
    "company": "Sun & <Sons>", "utility": "Valley Electric", "code": "123456", "minutes": 10, "account": "...4711",
    "rate": "TOU-D-4", "starts": date(2027, 3, 1), "shared": [each.term for each in DataClass], "word": "W4-SCT",
    "link": f"https://d.example/north/ask?request={SECRET}",
}  # fmt: skip


def said(kind: str, language: str, **values: Any) -> Any:
    note = Note("Valley Electric", "ada@example.org", None, language, VALUES | values)
    return letters.written(uuid.uuid4(), uuid.uuid4(), kind, note, "ada@example.org")


@pytest.mark.parametrize("kind", KINDS)
def test_they_say_what_they_are_for_in_every_language(kind: str) -> None:
    for language in letters.LANGUAGES:
        letter = said(kind, language)
        secret = SECRET if kind == asking.KIND else "123456"

        assert letter.language == language
        assert all(secret in each for each in (letter.text, letter.html, letter.short))
        assert secret not in letter.subject
        assert 0 < len(letter.short) <= 160
        assert "{" not in letter.text + letter.short
        assert "\n\n\n" not in letter.text
        if kind not in ("code.staff", "code.sign-in"):
            assert all("Sun & <Sons>" in each for each in (letter.text, letter.short))


@pytest.mark.parametrize("kind", KINDS)
def test_their_words_are_those_of_the_sixth_grade(kind: str) -> None:
    text = said(kind, "en", company="Sun", shared=["Usage"]).text

    assert grade(re.sub(r"https?://\S+", "", text)) <= 6


def test_a_rate_change_is_told_with_all_that_is_confirmed() -> None:
    letter = said("code.rate-change", "es")

    for told in ("TOU-D-4", "...4711", "1 de marzo de 2027"):
        assert told in letter.text
        assert told in letter.short
