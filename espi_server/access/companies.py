"""What customers are told about a company: by itself, in its own words, and by the utility that let it in.

The list of companies has one order, the alphabet's. Customers narrow it by what companies do, by language and by area;
of complaints it tells what came of them and never that one was made.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access import applications, cases
from espi_server.access.cases import NO_OUTCOMES, Outcomes
from espi_server.access.describing import AREAS, KINDS, LANGUAGES, SERVICES, TEXTS, USE, USE_ES
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
    services: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()  # none: wherever the utility serves
    outcomes: Outcomes = NO_OUTCOMES

    @property
    def may_change_rates(self) -> bool:
        """May it ask to change a customer's rate?"""
        return DataClass.RATE_CHANGE in self.classes


@dataclass(frozen=True)
class Wanted:
    """What a customer looks for; empty means anything."""

    text: str = ""
    service: str = ""
    language: str = ""
    area: str = ""

    def fits(self, company: Company) -> bool:
        """Is it what she looks for?"""
        said = f"{company.name} {company.use} {company.site_host} {' '.join(company.areas)}".casefold()
        return (
            self.text.casefold().strip() in said
            and self.service in ("", *company.services)
            and self.language in ("", *company.languages)
            and (self.area in ("", *company.areas) or not company.areas)
        )


@dataclass(frozen=True)
class Directory:
    """The companies she can share with, of all that are here; and what those are told apart by."""

    companies: Sequence[Company]
    every: Sequence[Company]
    wanted: Wanted

    @property
    def is_narrowed(self) -> bool:
        """Does she look for some of them only?"""
        return self.wanted != Wanted()

    @property
    def services(self) -> list[str]:
        """What some of them do, in the order of the vocabulary."""
        return [each for each in KINDS if each in _all(company.services for company in self.every)]

    @property
    def languages(self) -> list[str]:
        """The languages some of them speak."""
        return sorted(_all(company.languages for company in self.every))

    @property
    def areas(self) -> list[str]:
        """Where some of them serve and others do not."""
        return sorted(_all(company.areas for company in self.every), key=str.casefold)


def _all(lists: Any) -> set[str]:
    return {each for some in lists for each in some}


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
        site_host=_host(site),
        policy=_address(about.get("policy_uri")),
        terms=_address(about.get("tos_uri")),
        terms_version=str(about.get("tos_version") or ""),
        privacy_email=str(about.get("privacy_email") or ""),
        since=datetime.fromtimestamp(since, ZoneInfo(utility.timezone)) if since else None,
        classes=tuple(cls for cls in DataClass if cls in registered(application).classes),
        essential=essential(application),
        services=tuple(about.get(SERVICES, ())),
        languages=tuple(about.get(LANGUAGES, ())) or tuple(each for each in words if words[each]),
        areas=tuple(about.get(AREAS, ())),
    )


def listed(
    session: Session,
    utility: Utility,
    wanted: Wanted,
    language: str,
    *,
    withheld: frozenset[DataClass] = frozenset(),
) -> Directory:
    """The companies a customer can share with, by name: those she looks for, of all of them.

    `withheld` are the classes of data that are not on offer to her.
    """
    rows = session.scalars(
        select(Application).where(
            Application.utility_id == utility.id,
            Application.status == PRODUCTION,
        )
    )
    outcomes = cases.outcomes(session, utility.id)
    found = [
        replace(
            company,
            classes=tuple(cls for cls in company.classes if cls not in withheld),
            outcomes=outcomes.get(company.id, NO_OUTCOMES),
        )
        for company in (told(utility, each, language) for each in rows if each.redirect_uris)
    ]
    every = sorted(found, key=lambda each: (each.name.casefold(), each.id))
    known = Directory(every, every, wanted)
    # What nobody here does or speaks is no filter, so that an old link does not end at an empty list.
    looked_for = replace(
        wanted,
        service=wanted.service if wanted.service in known.services else "",
        language=wanted.language if wanted.language in known.languages else "",
        area=wanted.area if wanted.area in known.areas else "",
    )
    return Directory([each for each in every if looked_for.fits(each)], every, looked_for)


def _address(value: Any) -> str:
    """A web address a link may lead to; nothing else becomes one."""
    text = str(value or "")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return ""
    is_here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    return text if parts.hostname and (parts.scheme == "https" or is_here) else ""


def _host(address: str) -> str:
    """The host of an address as people read it, with its port where that is not the usual one."""
    parts = urlsplit(address)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    host = parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port and parts.port != usual else host
