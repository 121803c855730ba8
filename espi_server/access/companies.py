"""What customers are told about a company: by itself, in its own words, and by the utility that let it in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access import applications
from espi_server.access.describing import TEXTS, USE, USE_ES
from espi_server.access.models import Application
from espi_server.access.opening import PRODUCTION
from espi_server.access.sharing import essential, registered
from espi_server.accounts.models import Utility
from espi_server.espi.tables import DataClass


@dataclass(frozen=True)
class Company:
    """A company as its customers see it. Everything a stranger wrote is plain text; addresses are https."""

    id: uuid.UUID
    name: str
    use: str
    use_language: str
    site: str
    site_host: str
    policy: str
    terms: str
    terms_version: str
    privacy_email: str
    since: datetime | None
    classes: tuple[DataClass, ...]
    essential: frozenset[DataClass]

    @property
    def may_change_rates(self) -> bool:
        """May it ask to change a customer's rate?"""
        return DataClass.RATE_CHANGE in self.classes


def told(utility: Utility, application: Application, language: str) -> Company:
    """A company's facts in a language; its own words in English where it gave no others."""
    about: dict[str, Any] = application.information
    words = {"en": about.get(USE) or about.get("description") or "", "es": about.get(USE_ES) or ""}
    spoken = language if words.get(language) else "en"
    site = _address(about.get("client_uri"))
    since = about.get(applications.QUALIFIED)
    return Company(
        id=application.id,
        name=application.name,
        use=words[spoken][: TEXTS[USE]],
        use_language=spoken,
        site=site,
        site_host=urlsplit(site).hostname or "",
        policy=_address(about.get("policy_uri")),
        terms=_address(about.get("tos_uri")),
        terms_version=str(about.get("tos_version") or ""),
        privacy_email=str(about.get("privacy_email") or ""),
        since=datetime.fromtimestamp(since, ZoneInfo(utility.timezone)) if since else None,
        classes=tuple(cls for cls in DataClass if cls in registered(application).classes),
        essential=essential(application),
    )


def listed(session: Session, utility: Utility, wanted: str, language: str) -> list[Company]:
    """The companies a customer can share with, by name; those in whose name or words `wanted` stands."""
    rows = session.scalars(
        select(Application).where(
            Application.utility_id == utility.id,
            Application.status == PRODUCTION,
        )
    )
    found = [told(utility, each, language) for each in rows if each.redirect_uris]
    word = wanted.casefold().strip()
    matching = [each for each in found if word in f"{each.name} {each.use} {each.site_host}".casefold()]
    return sorted(matching, key=lambda each: (each.name.casefold(), each.id))


def _address(value: Any) -> str:
    """A web address a link may lead to; nothing else becomes one."""
    text = str(value or "")
    parts = urlsplit(text)
    is_here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    return text if parts.hostname and (parts.scheme == "https" or is_here) else ""
