"""What a company says of itself to customers: why it asks, where its terms stand, what it cannot do without.

It stands on the page where customers choose, so it is short and plain text; addresses are linked and never fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import applications
from espi_server.access.applications import BadApplication
from espi_server.access.models import Application
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
NAMES: Final = (*TEXTS, MAIL, ESSENTIAL)
"""What a registration has beside the members of RFC 7591."""
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
    found[ESSENTIAL] = _classes(given.get(ESSENTIAL))
    return {name: value for name, value in found.items() if value}


def describe(session: Session, application: Application, given: Mapping[str, Any], *, by: str) -> None:
    """Take over what the utility writes down for a company; an empty text takes a field away."""
    before = applications.stated(application)
    for name in ADDRESSES:
        if given.get(name):
            applications.check_address(str(given[name]))
    fresh = checked(given) | {name: given[name] for name in ADDRESSES if given.get(name)}
    kept = {name: value for name, value in application.information.items() if name not in given}
    application.information = {**kept, **fresh}
    application.updated_at = clock.seconds()
    applications.record_change(session, application, by, before)
    applications.note_change(session, application)


def _text(name: str, value: Any, longest: int) -> str:
    text = "" if value is None else value
    if not isinstance(text, str) or len(text) > longest or not text.isprintable():
        raise BadApplication(f"The {name} is a printable text of up to {longest} characters.")
    return text.strip()


def _classes(value: Any) -> list[str]:
    """The classes a company cannot do without, as AdditionalScope spells them."""
    words: Sequence[Any] = value if isinstance(value, list | tuple) else [] if not value else [value]
    known = [_TERMS.get(each.lower()) if isinstance(each, str) else None for each in words]
    if None in known:
        raise BadApplication(f"The {ESSENTIAL} is a list of {', '.join(_TERMS.values())}.")
    return [each.term for each in DataClass if each.term in known]
