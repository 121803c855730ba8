"""How companies may come to a utility's customers: the rows of Table 15 of the statewide tool's concept, once.

A row is one product: who begins, what is agreed to, where the customer is asked, how she is found, and whether the
company sends a PKCE challenge. A utility offers all that there are here, or those it names; nothing else can be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

AHEAD, ASKED = 1, 2
"""Onboarding: she begins in the utility's list of companies (Mode 1), or the company asks first (Mode 2)."""


@dataclass(frozen=True)
class Row:
    """One row. Class 1 opens data for a time, Class 2 confirms one act that changes a bill."""

    number: int
    mode: int
    cls: int
    by_message: bool  # interaction Type 2: on another channel; else Type 1, the utility's page in the flow
    bilateral: bool  # found by what the company says of her; else by her own sign-in alone
    pkce: bool


_PAIRS: Final = (
    (AHEAD, 1, False, False), (AHEAD, 2, True, False), (AHEAD, 1, True, True), (AHEAD, 2, True, True),
    (ASKED, 1, False, False), (ASKED, 2, True, False), (ASKED, 1, True, True), (ASKED, 2, True, True),
)  # fmt: skip


def _table() -> Iterator[Row]:
    for place, pair in enumerate(_PAIRS):
        yield Row(2 * place + 1, *pair, pkce=True)
        yield Row(2 * place + 2, *pair, pkce=False)


TABLE: Final = {row.number: row for row in _table()}
HERE: Final = frozenset(number for number, row in TABLE.items() if row.cls == 1)
"""What can be offered by this server: consent. Class 2 belongs to rate changes."""


class NoSuchRow(ValueError):
    """This is no row that can be offered."""


def chosen(text: str) -> frozenset[int]:
    """The rows a utility names, such as 1 2 9 10; all of them for an empty text. `NoSuchRow` says what cannot be."""
    words = text.replace(",", " ").split()
    wrong = [each for each in words if not re.fullmatch("[0-9]{1,2}", each) or int(each) not in HERE]
    if wrong:
        raise NoSuchRow(
            f"The rows are numbers of Table 15 that are about consent ({', '.join(map(str, sorted(HERE)))}), such as"
            f" 1 2 9 10; {' '.join(wrong)[:80]!r} is none. No other mix can be offered."
        )
    return frozenset(map(int, words)) or HERE


def offers(rows: frozenset[int], mode: int, *, by_message: bool, pkce: bool | None = None) -> bool:
    """Is one of these rows such a way? By message no code passes through a browser, so either row of a pair will do."""
    ways = (TABLE[number] for number in rows)
    return any(
        (way.mode, way.by_message) == (mode, by_message) and (pkce is None or by_message or way.pkce == pkce)
        for way in ways
    )
