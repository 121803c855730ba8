"""What a company says of itself to customers: why it asks, where its terms stand, what it cannot do without.

It stands on the pages where customers choose, so it is short and plain text; addresses are linked and never fetched.
What it does, in which languages and where is what customers look for in the list of companies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from babel import Locale
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import applications, followers
from espi_server.access.applications import BadApplication
from espi_server.access.models import Application
from espi_server.access.opening import PRODUCTION
from espi_server.espi.tables import DataClass

USE: Final = "use_statement"
USE_ES: Final = "use_statement#es"  # as RFC 7591 2.2 names a member in another language
TEXTS: Final[Mapping[str, int]] = {
    USE: 300,
    USE_ES: 300,
    "tos_version": 32,
}  # with the most characters of each
ADDRESSES: Final = ("client_uri", "policy_uri", "tos_uri")
MAIL: Final = "privacy_email"
ESSENTIAL: Final = "essential"
SERVICES: Final = "services"
LANGUAGES: Final = "languages"
AREAS: Final = "areas"
LISTS: Final = (ESSENTIAL, SERVICES, LANGUAGES, AREAS)
NAMES: Final = (*TEXTS, MAIL, *LISTS)
"""What a registration has beside the members of RFC 7591."""

KINDS: Final = (
    "battery", "car", "solar", "devices", "demand-response", "efficiency", "rates", "tracking", "research",
)  # fmt: skip
"""What companies do for customers, as `services` names it: homes' batteries, charging cars, solar, devices that follow
prices, programs for busy times, saving energy, choosing rates, keeping track of use and bills, research."""
MOST: Final = 20  # of a list
LONGEST_AREA: Final = 60
_MAILBOX = re.compile(r"[^@\s<>\"']{1,64}@[A-Za-z0-9.-]{1,190}")
_TERMS = {each.term.lower(): each.term for each in DataClass}


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of `given` a company may say of itself; `BadApplication` names what it may not."""
    found: dict[str, Any] = {}
    for name, longest in TEXTS.items():
        found[name] = _text(name, given.get(name), longest)
    mail = _text(MAIL, given.get(MAIL), 254)
    if mail and not _MAILBOX.fullmatch(mail):
        raise BadApplication(f"The {MAIL} {mail[:80]!r} is no mail address such as privacy@company.example.")
    found[MAIL] = mail
    found[ESSENTIAL] = _classes(_list(ESSENTIAL, given.get(ESSENTIAL)))
    found[SERVICES] = _services(_list(SERVICES, given.get(SERVICES)))
    found[LANGUAGES] = [_language(each) for each in _list(LANGUAGES, given.get(LANGUAGES))]
    found[AREAS] = [_text(AREAS, each, LONGEST_AREA) for each in _list(AREAS, given.get(AREAS))]
    return {name: value for name, value in found.items() if value}


def describe(session: Session, application: Application, given: Mapping[str, Any], *, by: str) -> None:
    """Take over what the utility writes down for a company; an empty text takes a field away."""
    before, said = applications.stated(application), followers.words(application)
    for name in ADDRESSES:
        if given.get(name):
            applications.check_address(str(given[name]))
    fresh = checked(given) | {name: given[name] for name in ADDRESSES if given.get(name)}
    kept = {name: value for name, value in application.information.items() if name not in given}
    application.information = {**kept, **fresh}
    application.updated_at = clock.seconds()
    applications.record_change(session, application, by, before)
    applications.note_change(session, application)
    if followers.note_words(application, said) and application.status == PRODUCTION:
        followers.tell_words(session, application, by=by)


def _text(name: str, value: Any, longest: int) -> str:
    text = "" if value is None else value
    if not isinstance(text, str) or len(text) > longest or not text.isprintable():
        raise BadApplication(f"The {name} is a printable text of up to {longest} characters.")
    return text.strip()


def _list(name: str, value: Any) -> list[Any]:
    """Each of a list once; nothing, or one empty text, is an empty list."""
    words: Sequence[Any] = value if isinstance(value, list | tuple) else [] if not value else [value]
    if len(words) > MOST:
        raise BadApplication(f"The {name} has at most {MOST} entries.")
    return [each for place, each in enumerate(words) if each != "" and each not in words[:place]]


def _classes(words: Sequence[Any]) -> list[str]:
    """The classes a company cannot do without, as AdditionalScope spells them."""
    known = [_TERMS.get(each.lower()) if isinstance(each, str) else None for each in words]
    if None in known:
        raise BadApplication(f"The {ESSENTIAL} is a list of {', '.join(_TERMS.values())}.")
    return [each.term for each in DataClass if each.term in known]


def _services(words: Sequence[Any]) -> list[str]:
    """What it does, in the order of the vocabulary."""
    if not all(each in KINDS for each in words):
        raise BadApplication(f"The {SERVICES} is a list of {', '.join(KINDS)}.")
    return [each for each in KINDS if each in words]


def _language(word: Any) -> str:
    """A language by its code (BCP 47), if it has a name."""
    if not isinstance(word, str) or word.replace("-", "_") not in Locale("en").languages:
        raise BadApplication(f"The {LANGUAGES} is a list of language codes such as en, es or zh-Hant.")
    return word
