"""A customer who buys her energy elsewhere: where she says yes to the same company at the seller too (F-ROUTE c).

A yes is for what the utility knows that asked for it, and no utility says yes for another. Where the seller is here
too and the company may ask there, the customer is led on to the seller's own pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server.access.models import Application
from espi_server.access.opening import PRODUCTION
from espi_server.access.sharing_places import Place
from espi_server.accounts import onboarding
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import BOTH, Portal


@dataclass(frozen=True)
class Seller:
    """A seller with pages of its own, and the company's application there; None where it has several."""

    utility: Utility
    application_id: uuid.UUID | None


def codes(utility: Utility, places: Iterable[Place]) -> list[str]:
    """Who sells the energy of these places, where the utility only delivers it."""
    found = {each.lse for each in places if each.is_unbundled and each.lse and not each.refusal}
    return sorted(found - {utility.code})


def reachable(
    session: Session, utility: Utility, application: Application, places: Iterable[Place]
) -> list[Seller]:
    """Where this company's customer is led on to; nowhere unless the utility chose to."""
    wanted = codes(utility, places) if Portal.of(utility).unbundled == BOTH else []
    if not wanted or application.asp_id is None:
        return []
    rows = session.scalars(select(Utility).where(Utility.code.in_(wanted)).order_by(Utility.name))
    found = ((each, _same_company(session, each, application.asp_id)) for each in rows if _asks(each))
    return [Seller(each, ids[0] if len(ids) == 1 else None) for each, ids in found if ids]


def _asks(utility: Utility) -> bool:
    """Has it customers with accounts, who may begin by themselves?"""
    chosen = Portal.of(utility)
    return not chosen.without_accounts and any(
        chosen.offers(onboarding.AHEAD, by_message=each) for each in (False, True)
    )


def _same_company(session: Session, utility: Utility, asp_id: uuid.UUID) -> list[uuid.UUID]:
    theirs = (Application.utility_id == utility.id, Application.asp_id == asp_id)
    rows = session.scalars(select(Application).where(*theirs, Application.status == PRODUCTION))
    return [each.id for each in rows if each.redirect_uris]
