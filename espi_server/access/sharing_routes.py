"""Customers who came to the wrong utility: what their company is told, and where it finds the right one (F-ROUTE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access.addresses import public_base
from espi_server.access.models import Application
from espi_server.access.oauth.errors import Denied, sayable
from espi_server.access.opening import PRODUCTION
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import Portal

OTHERS: Final = "/account/share/utilities"
"""The page for people that says which utilities are here, below a utility's public address."""


@dataclass(frozen=True)
class Signpost:
    """The utility a customer came to, where its pages stand, and who she says serves her (None: nobody said)."""

    utility: Utility
    issuer: str
    serving: Utility | None
    serving_issuer: str

    @property
    def denied(self) -> Denied:
        """What goes back to the company."""
        said = f"The customer is not a customer of {self.utility.name}."
        if self.serving is not None:
            said += f" She says {self.serving.name} serves her: {self.serving_issuer}"
        return Denied(description=sayable(said), uri=self.issuer + OTHERS)


def signpost(session: Session, utility: Utility, code: str, installation: str) -> Signpost:
    """The way to the utility with this code, if there is another one here that has it."""
    issuer = public_base(utility.base_url, utility.code, installation)
    found = next((each for each in others(session, utility) if each.code == code), None)
    there = public_base(found.base_url, found.code, installation) if found else ""
    return Signpost(utility, issuer, found, there)


def others(session: Session, utility: Utility) -> list[Utility]:
    """The other utilities that have customers with accounts here, by name."""
    rows = session.scalars(select(Utility).where(Utility.id != utility.id, Utility.kind != "source"))
    return sorted((each for each in rows if not Portal.of(each).without_accounts), key=lambda each: each.name)


def forwarded(
    session: Session, utility: Utility, given: Mapping[str, str], installation: str
) -> str | Denied | None:
    """Where a request goes that came to a utility without accounts of its own; None where it has some.

    The address of the utility that has them, if the same company may ask there and wants the answer at the same
    address; else the error that names it.
    """
    chosen = Portal.of(utility)
    if not chosen.without_accounts:
        return None
    post = signpost(session, utility, chosen.without_accounts, installation)
    there = _same_company(session, utility, post.serving, given) if chosen.forward else None
    if there is not None:
        said = {**given, "client_id": there.client_id}
        return f"{post.serving_issuer}/oauth/authorize?{urlencode(said)}"
    said_by_us = f"{utility.name} has no accounts of its own."
    if post.serving is not None:
        said_by_us += f" Ask {post.serving.name}: {post.serving_issuer}"
    return Denied(description=sayable(said_by_us), uri=post.issuer + OTHERS)


def _same_company(
    session: Session, utility: Utility, serving: Utility | None, given: Mapping[str, str]
) -> Application | None:
    """The company's one application at that utility with the same address for answers."""
    here = session.scalar(
        select(Application).where(
            Application.utility_id == utility.id, Application.client_id == given.get("client_id", "")
        )
    )
    if here is None or here.asp_id is None or serving is None:
        return None
    there = session.scalars(
        select(Application).where(
            Application.utility_id == serving.id,
            Application.asp_id == here.asp_id,
            Application.status == PRODUCTION,
        )
    )
    address = given.get("redirect_uri") or next(iter(here.redirect_uris), "")
    fitting = [each for each in there if address in each.redirect_uris]
    return fitting[0] if len(fitting) == 1 else None
