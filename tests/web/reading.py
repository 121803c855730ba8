"""How hard a text is to read: the Flesch-Kincaid grade, counted roughly but always the same way."""

from __future__ import annotations

import re

from lxml import html

_SENTENCE = re.compile(r"[.!?:]+(?:\s|$)|\n+")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")
_VOWELS = re.compile(r"[aeiouy]+")
_BLOCKS = (
    "p", "li", "h1", "h2", "h3", "legend", "label", "dt", "dd", "summary", "button", "th", "td", "figcaption",
    "caption", "div",
)  # fmt: skip


def grade(text: str) -> float:
    """The school grade in which a text is understood; names of people and companies are best left out."""
    sentences = [found for each in _SENTENCE.split(text) if (found := _WORD.findall(each))]
    words = [word for each in sentences for word in each]
    if not words:
        return 0.0
    sounds = sum(map(syllables, words))
    return 0.39 * len(words) / len(sentences) + 11.8 * sounds / len(words) - 15.59


def syllables(word: str) -> int:
    """How many syllables a word has, by its groups of vowels; a silent e is none."""
    plain = re.sub(r"[^a-z]", "", word.lower())
    count = len(_VOWELS.findall(plain))
    if plain.endswith("e") and not plain.endswith(("le", "ee")) and count > 1:
        count -= 1
    if plain.endswith("ed") and not plain.endswith(("ted", "ded")) and count > 1:
        count -= 1
    return max(1, count)


def words_of(page: bytes) -> str:
    """What a page says in its main part, one block a line."""
    main = html.fromstring(page).get_element_by_id("main")
    lines = []
    for each in main.iter(*_BLOCKS):
        if not any(child.tag in _BLOCKS for child in each.iterdescendants()):
            lines.append(" ".join(each.text_content().split()))
    return "\n".join(filter(None, lines))
