"""Adding utilities and finding them."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.accounts.models import PROFILES, UTILITY_KINDS, Utility
from espi_server.errors import Conflict, NotFound, Usage

CODE = r"[a-z][a-z0-9]{1,15}"
RESERVED = frozenset(
    [
        "sst",
        "statewide",
        "registry",
        "datasets",
        "oauth",
        "account",
        "asp",
        "operator",
        "tools",
        "static",
        "espi",
        "healthz",
        "readyz",
        "metrics",
        "openapi",
    ]
)
COMMODITIES = ("electricity", "gas", "water", "steam", "heat")
CURRENCIES = ("USD", "CAD", "EUR", "GBP", "AUD", "CHF", "CNY", "DKK", "JPY", "NOK", "RUB", "SEK", "INR")


class UnknownUtility(NotFound):
    """There is no utility with this code. `espi-server utility list` shows those there are."""


class BadUtility(Usage):
    """A utility cannot be described like this."""


def add(
    session: Session,
    code: str,
    *,
    name: str,
    timezone: str,
    kind: str = "iou",
    roles: tuple[str, ...] = ("udc", "lse"),
    states: tuple[str, ...] = (),
    commodities: tuple[str, ...] = ("electricity",),
    currency: str = "USD",
    base_url: str | None = None,
    profile: str = "self",
) -> Utility:
    """A new utility with a random id namespace of its own; `BadUtility` or `Conflict` says what is wrong."""
    _check(code, timezone, kind, roles, commodities, currency, profile)
    if session.scalar(select(Utility.id).where(Utility.code == code)):
        raise Conflict(f"A utility with the code {code} is here already.")
    utility = Utility(
        code=code,
        name=name,
        kind=kind,
        is_udc="udc" in roles,
        is_lse="lse" in roles,
        states=list(states),
        commodities=list(commodities),
        timezone=timezone,
        currency=currency,
        base_url=base_url.rstrip("/") if base_url else None,
        profile=profile,
        created_at=clock.seconds(),
    )
    session.add(utility)
    session.flush()
    return utility


def find(session: Session, code: str) -> Utility:
    """The utility with this code, or `UnknownUtility`."""
    utility = session.scalar(select(Utility).where(Utility.code == code))
    if utility is None:
        raise UnknownUtility(
            f"There is no utility with the code {code!r}; `espi-server utility list` shows them."
        )
    return utility


def every(session: Session) -> list[Utility]:
    """All utilities by code."""
    return list(session.scalars(select(Utility).order_by(Utility.code)))


def _check(
    code: str,
    timezone: str,
    kind: str,
    roles: tuple[str, ...],
    commodities: tuple[str, ...],
    currency: str,
    profile: str,
) -> None:
    if not re.fullmatch(CODE, code) or code in RESERVED:
        raise BadUtility(
            f"The code {code!r} cannot be used: 2 to 16 lower-case letters and digits, a letter first, "
            f"and none of {', '.join(sorted(RESERVED))}."
        )
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadUtility(
            f"The time zone {timezone!r} is unknown; give an IANA name such as America/Los_Angeles."
        ) from error
    _one_of("kind", kind, UTILITY_KINDS)
    _one_of("profile", profile, PROFILES)
    _one_of("currency", currency, CURRENCIES)
    for commodity in commodities:
        _one_of("commodity", commodity, COMMODITIES)
    for role in roles or ("",):
        _one_of("role", role, ("udc", "lse"))


def _one_of(what: str, given: str, accepted: tuple[str, ...]) -> None:
    if given not in accepted:
        raise BadUtility(f"The {what} {given!r} is not one of {', '.join(accepted)}.")
