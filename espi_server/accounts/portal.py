"""How a utility's pages for its customers look and behave: its telephone, its colours, its choices.

Kept as JSON with the utility (`Utility.portal`), where absent means the default. Colours are looked at before they are
taken: writing on a button and links on the page stand out by 4.5 to 1 at least (WCAG 1.4.3), in light and in dark.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlsplit

from espi_server.accounts import onboarding
from espi_server.accounts.models import Utility
from espi_server.errors import Usage

UDC, BOTH = "udc", "both"
LEAST_CONTRAST: Final = 4.5
LIGHT: Final = ("#fbfaf5", "#ffffff")  # what stands behind links in light: the page, a card
DARK: Final = ("#121714", "#1a211d")
_COLOUR = re.compile("#[0-9a-f]{6}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{2,24}")


class BadPortal(Usage):
    """A utility's pages cannot be like this."""


def _choice(default: Any, help: str, *accepted: str) -> Any:
    return field(default=default, metadata={"help": help, "accepted": accepted})


@dataclass(frozen=True)
class Portal:
    """What a utility chose; each field tells what it is."""

    phone: str = _choice("", "the number customers call")
    hours: str = _choice("", "when somebody answers there, such as Mon-Fri 7 a.m.-7 p.m.")
    accent: str = _choice("#1d6a4b", "the colour of links and buttons, as #rrggbb")
    accent_dark: str = _choice("#86d6ae", "the same where the screen is dark")
    privacy: str = _choice("", "the web address of its privacy policy")
    terms: str = _choice("", "the web address of the terms that bind customers who share")
    terms_version: str = _choice("", "which version of them, such as 2026-01")
    second_factor: bool = _choice(True, "whether customers show a second factor when they sign in")
    mail_for_statewide: bool = _choice(
        False, "whether a code by mail counts as a second factor for what the statewide tool shares"
    )
    neutral: bool = _choice(True, "whether it may say that it is not paid and does not check companies")
    unbundled: str = _choice(
        UDC,
        "whether a customer who buys energy elsewhere is led on to the seller's own pages too (both), or not (udc)",
        UDC,
        BOTH,
    )
    rows: str = _choice(
        "", "the rows of Table 15 that companies may come by, such as 1 2 9 10; empty for all there are"
    )
    without_accounts: str = _choice(
        "", "the code of the utility whose customers' accounts these are, where it has none of its own"
    )
    forward: bool = _choice(
        False, "whether requests go on to that utility, or back to the company with an error"
    )
    unused_days: int = _choice(30, "days until a consent given ahead lapses if the company never uses it")

    @classmethod
    def of(cls, utility: Utility) -> Portal:
        """A utility's choices; what other rooms keep beside them (`others`) is not looked at."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in (utility.portal or {}).items() if name in known})

    def checked(self) -> Portal:
        """These choices, or `BadPortal` naming the one that cannot be and what can."""
        for name in ("accent", "accent_dark"):
            if not _COLOUR.fullmatch(getattr(self, name)):
                raise BadPortal(f"The {name} {getattr(self, name)!r} is no colour such as #1d6a4b.")
        _check_contrast("accent", self.accent, LIGHT)
        _check_contrast("accent_dark", self.accent_dark, DARK)
        for name in ("privacy", "terms"):
            _check_address(name, getattr(self, name))
        if self.phone and not _PHONE.fullmatch(self.phone):
            raise BadPortal(f"The phone {self.phone!r} is no number such as 1-800-555-0100.")
        if self.unused_days < 1:
            raise BadPortal("The unused_days are at least 1.")
        try:
            onboarding.chosen(self.rows)
        except onboarding.NoSuchRow as error:
            raise BadPortal(str(error)) from error
        for each in fields(self):
            accepted = each.metadata["accepted"]
            if accepted and getattr(self, each.name) not in accepted:
                raise BadPortal(f"The {each.name} is one of {', '.join(accepted)}.")
        return self

    def offers(self, mode: int, *, by_message: bool, pkce: bool | None = None) -> bool:
        """May a company come this way (`onboarding`)?"""
        return onboarding.offers(onboarding.chosen(self.rows), mode, by_message=by_message, pkce=pkce)

    @property
    def row(self) -> dict[str, Any]:
        """As it is kept: what is not the default."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != each.default
        }


def change(utility: Utility, **chosen: Any) -> Portal:
    """Take over what was chosen anew; `BadPortal` where it cannot be."""
    now = Portal.of(utility)
    fresh = Portal(**{**{each.name: getattr(now, each.name) for each in fields(now)}, **chosen}).checked()
    names = {each.name for each in fields(Portal)}
    others = {name: value for name, value in (utility.portal or {}).items() if name not in names}
    utility.portal = {**others, **fresh.row}
    return fresh


def contrast(one: str, other: str) -> float:
    """How far two colours are apart, 1 to 21 (WCAG 2.2, contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _check_contrast(name: str, colour: str, grounds: tuple[str, ...]) -> None:
    least = min(contrast(colour, each) for each in grounds)
    if least < LEAST_CONTRAST:
        raise BadPortal(
            f"The {name} {colour} stands out from the page by {least:.1f} to 1 only; choose one with at least"
            f" {LEAST_CONTRAST} to 1 against {' and '.join(grounds)}."
        )


def _check_address(name: str, address: str) -> None:
    parts: Mapping[str, Any] = urlsplit(address)._asdict()
    if address and (parts["scheme"] != "https" or not parts["netloc"]):
        raise BadPortal(f"The {name} {address!r} is no web address such as https://utility.example/privacy.")
