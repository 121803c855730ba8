"""What views reach for: the one House of this process."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from espi_server.access.consent import Consent
from espi_server.access.disclosures import Disclosures
from espi_server.access.guard import Guard
from espi_server.access.identification import Identification
from espi_server.access.oauth.statements import Authority
from espi_server.access.throttle import Throttle
from espi_server.db import Database
from espi_server.settings import Settings
from espi_server.web.limits import Allowance, Turnstile

EXTENSION = "espi_server"


@dataclass(frozen=True)
class House:
    """Everything `create_app()` built once and handed in."""

    settings: Settings
    database: Database
    guard: Guard
    throttle: Throttle
    disclosures: Disclosures
    turnstile: Turnstile
    deliveries: Turnstile
    checks: Turnstile
    checkers: Allowance
    consent: Consent
    identification: Identification
    authority: Authority | None


def house() -> House:
    """The house of the application that serves this request."""
    found: House = current_app.extensions[EXTENSION]
    return found
