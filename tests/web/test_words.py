"""Every sentence of the customer's pages is there in Spanish, with the same places to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

import espi_server.web
from espi_server.web import words
from tests import make

WEB = Path(espi_server.web.__file__).parent
# Pages for engineers and operators speak English; customers never see them.
FOR_ENGINEERS = {"public", "tools", "oauth"}
PLACES = re.compile(r"%\((\w+)\)s")


def said() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Every sentence that can be translated, and where it stands."""
    for path in sorted((WEB / "templates").rglob("*.html")):
        if path.relative_to(WEB / "templates").parts[0] not in FOR_ENGINEERS:
            for _, message, *_ in extract_from_file(
                "jinja2.ext:babel_extract", path, options={"trimmed": "true", "silent": "false"}
            ):
                yield path.name, message
    for path in sorted(WEB.glob("*.py")):
        for _, message, *_ in extract_from_file("python", path, keywords={"_": None, "ngettext": (1, 2)}):
            yield path.name, message


def translated(code: str) -> dict[str | tuple[str, ...], str | tuple[str, ...]]:
    found: dict[str | tuple[str, ...], str | tuple[str, ...]] = {}
    for path in sorted((WEB / "words" / code).glob("*.po")):
        for message in read_po(BytesIO(path.read_bytes()), locale=code):
            if message.id:
                assert not message.fuzzy, f"{path.name}: {message.id}"
                found[message.id if isinstance(message.id, str) else tuple(message.id)] = message.string
    return found


def flat(message: str | tuple[str, ...]) -> str:
    return message if isinstance(message, str) else " ".join(message)


@pytest.mark.parametrize("code", [each for each in words.LANGUAGES if each != words.DEFAULT])
def test_every_sentence_is_translated(code):
    known = translated(code)

    missing = sorted({f"{where}: {message}" for where, message in said() if message not in known})
    empty = [message for message, string in known.items() if not flat(string).strip()]

    assert missing == []
    assert empty == []


@pytest.mark.parametrize("code", [each for each in words.LANGUAGES if each != words.DEFAULT])
def test_a_translation_has_the_same_places_to_fill_in(code):
    wrong = [
        message
        for message, string in translated(code).items()
        if set(PLACES.findall(flat(message))) != set(PLACES.findall(flat(string)))
    ]

    assert wrong == []


def test_no_spanish_sentence_ends_in_two_points():
    """There a time of day ends in one of its own: 2:25 a.m."""
    wrong = [
        string for string in translated("es").values() if re.search(r"%\((moment|time)\)s\.", flat(string))
    ]

    assert wrong == []


@pytest.mark.parametrize("code", [each for each in words.LANGUAGES if each != words.DEFAULT])
def test_no_translation_is_left_over(code):
    wanted = {message for _, message in said()}

    assert sorted(flat(each) for each in translated(code) if each not in wanted) == []


def test_the_language_is_the_page_s_then_the_browser_s(database):
    make.utility(database)
    client = make.app(database).test_client()

    def spoken(path: str, **headers: str) -> str:
        return client.get(path, headers=headers).headers["Content-Language"]

    here = "/north/account/accessibility"
    assert spoken(here) == "en"
    assert spoken(here, **{"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}) == "es"
    assert spoken(here, **{"Accept-Language": "de"}) == "en"
    assert spoken(f"{here}?lang=es", **{"Accept-Language": "en"}) == "es"
    assert spoken(f"{here}?lang=nonsense") == "en"


def test_numbers_look_alike_in_every_language(database):
    make.utility(database)
    app = make.app(database)

    with app.test_request_context("/?lang=es"):
        assert words.money(1234) == "<bdi>$1,234.00</bdi>"
        assert words.money(-5) == "<bdi>-$5.00</bdi>"
        assert words.energy(12345.6) == "<bdi>12,345.6 kWh</bdi>"
        assert words.language() == "es"
