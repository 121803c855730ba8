"""The typed rows beside a customer's resources: the keys that consent, rates and places join by.

Every function answers whether its row is new or other than it was.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from espi_server.accounts.models import Account, Customer, ServiceAgreement, ServiceLocation
from espi_server.db import add_if_new
from espi_server.energy import identity
from espi_server.energy.house import House
from espi_server.energy.models import UsagePointLink


class Terms(NamedTuple):
    """What an agreement says of itself that others lean on: whether it holds, who delivers, and who sells."""

    status: str
    ends_at: int | None
    udc: str | None
    lse: str | None


class Changed(NamedTuple):
    """An agreement that is new (`before` is None) or other than it was."""

    id: uuid.UUID
    before: Terms | None
    after: Terms


def terms(session: Session, customer_id: uuid.UUID) -> dict[uuid.UUID, Terms]:
    """The terms of all agreements of a customer."""
    columns = (getattr(ServiceAgreement, name) for name in ("id", *Terms._fields))
    rows = session.execute(select(*columns).where(ServiceAgreement.customer_id == customer_id))
    return {id: Terms(*rest) for id, *rest in rows}


def changed(before: Mapping[uuid.UUID, Terms], after: Mapping[uuid.UUID, Terms]) -> list[Changed]:
    """Which of them are new or other than they were."""
    return [Changed(id, before.get(id), each) for id, each in after.items() if before.get(id) != each]


def keep(
    session: Session, table: Any, id: uuid.UUID, values: Mapping[str, Any], fixed: Mapping[str, Any]
) -> bool:
    """Make the row, or change what differs in `values`; `fixed` is written only when it is made."""
    if add_if_new(session, table, {**fixed, **values, "id": id}):
        return True
    if not values:
        return False
    columns = [getattr(table, name) for name in values]
    row = session.execute(select(*columns).where(table.id == id)).one()
    if tuple(row) == tuple(values.values()):
        return False
    session.execute(update(table).where(table.id == id).values(**values))
    return True


def free_reference(
    session: Session, table: Any, utility_id: uuid.UUID, id: uuid.UUID, reference: str, owner: str
) -> str:
    """The reference, or one with its owner's in front where another row of the utility has it already.

    Some sources number accounts within a customer, and a reference is unique within a utility.
    """
    query = select(table.id).where(table.utility_id == utility_id, table.reference == reference)
    holder = session.scalar(query)
    return reference if holder in (None, id) else f"{owner}/{reference}"[:256]


def account(session: Session, house: House, customer_id: uuid.UUID, id: uuid.UUID, reference: str) -> bool:
    """A billing account; its id is that of its CustomerAccount."""
    owner = _reference_of(session, customer_id)
    reference = free_reference(session, Account, house.utility_id, id, reference, owner)
    fixed = {"utility_id": house.utility_id, "customer_id": customer_id}
    return keep(session, Account, id, {"reference": reference}, fixed)


def agreement(
    session: Session,
    house: House,
    customer_id: uuid.UUID,
    account_id: uuid.UUID,
    id: uuid.UUID,
    reference: str,
    values: Mapping[str, Any],
) -> bool:
    """A service agreement; its id is that of its CustomerAgreement, `values` what the source says of it."""
    owner = _reference_of(session, customer_id)
    reference = free_reference(session, ServiceAgreement, house.utility_id, id, reference, owner)
    fixed = {
        "utility_id": house.utility_id, "customer_id": customer_id, "account_id": account_id,
        "commodity": "electricity", "customer_class": "residential", "status": "active",
    }  # fmt: skip
    return keep(session, ServiceAgreement, id, {"reference": reference, **values}, fixed)


def location(
    session: Session, house: House, source_premise: str, values: Mapping[str, Any]
) -> tuple[uuid.UUID, bool]:
    """A service location by the source's premise id; its id, and whether anything is new."""
    id = identity.made(house.namespace, "ServiceLocation", source_premise)
    fixed = {"utility_id": house.utility_id, "source_premise": source_premise[:256]}
    return id, keep(session, ServiceLocation, id, values, fixed)


def link(
    session: Session,
    house: House,
    usage_point_id: uuid.UUID,
    kind: str,
    *,
    target_id: uuid.UUID | None = None,
    reference: str | None = None,
    starts_at: int | None = None,
    ends_at: int | None = None,
) -> bool:
    """Join a usage point to a location, an agreement, a meter or a place in the grid, from when to when."""
    id = identity.made(
        house.namespace, "UsagePointLink", usage_point_id, kind, target_id or reference, starts_at
    )
    fixed = {
        "usage_point_id": usage_point_id, "kind": kind, "target_id": target_id, "reference": reference,
        "starts_at": starts_at,
    }  # fmt: skip
    return keep(session, UsagePointLink, id, {"ends_at": ends_at}, fixed)


def _reference_of(session: Session, customer_id: uuid.UUID) -> str:
    return str(session.scalar(select(Customer.reference).where(Customer.id == customer_id)))
