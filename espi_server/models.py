"""All rows of the house under one name, for migrations and for the linter over the metadata."""

from espi_server.access import admission, cases, challenge, forwarding, matching, sharing_drafts, throttle
from espi_server.access import models as access
from espi_server.accounts import email_changes, factors, kept_forms, passkey_models, provider_models, signin
from espi_server.accounts import models as accounts
from espi_server.adapters import sandbox as adapters
from espi_server.db import Base
from espi_server.energy import models as energy
from espi_server.jobs import models as jobs
from espi_server.notify import models as notify
from espi_server.rates import models as rates
from espi_server.tools import models as tools

metadata = Base.metadata

__all__ = [
    "access",
    "accounts",
    "adapters",
    "admission",
    "cases",
    "challenge",
    "email_changes",
    "energy",
    "factors",
    "forwarding",
    "jobs",
    "kept_forms",
    "matching",
    "metadata",
    "notify",
    "passkey_models",
    "provider_models",
    "rates",
    "sharing_drafts",
    "signin",
    "throttle",
    "tools",
]
