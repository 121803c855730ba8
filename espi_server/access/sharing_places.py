"""What a customer can share: her service agreements with their usage points, and why some of them cannot be shared.

A usage point without an agreement stands for itself. Places have the key they are chosen by: the id of the agreement,
or of the usage point.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import at_rest, clock
from espi_server.access import features
from espi_server.accounts.models import NEVER_SHAREABLE, Premise, ServiceAgreement, ServiceLocation
from espi_server.energy import people
from espi_server.energy.models import Kind, Resource, UsagePoint

_COMMODITIES = {0: "electricity", 1: "gas", 2: "water"}  # ESPI ServiceKind
WHOLESALE, CLOSED, MOVED, EMPTY = "wholesale", "closed", "moved", "empty"
"""Why an agreement cannot be shared: its class, its end, somebody else lives there now, no data are here yet."""


@dataclass(frozen=True)
class Place:
    """One agreement (or usage point) of a customer; `refusal` says why it cannot be shared, where it cannot."""

    key: str
    usage_points: tuple[uuid.UUID, ...]
    commodity: str
    ending: str
    address: str = ""
    refusal: str = ""
    ended_at: int | None = None
    udc: str | None = None
    lse: str | None = None
    customer_class: str = features.EVERYBODY

    @property
    def is_unbundled(self) -> bool:
        """Does one company deliver and another sell the energy?"""
        return bool(self.udc and self.lse and self.udc != self.lse)


def of_customer(session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID) -> list[Place]:
    """All of a customer's places, those at one address together; what cannot be shared stands last."""
    mine = (UsagePoint.utility_id == utility_id, UsagePoint.customer_id == customer_id)
    points = list(session.scalars(select(UsagePoint).where(*mine).order_by(UsagePoint.id)))
    agreements = session.scalars(
        select(ServiceAgreement)
        .where(ServiceAgreement.utility_id == utility_id, ServiceAgreement.customer_id == customer_id)
        .order_by(ServiceAgreement.id)
    ).all()
    addresses = _Addresses(session, customer_id)
    held: dict[uuid.UUID | None, list[UsagePoint]] = defaultdict(list)
    own = {each.id for each in agreements}
    for point in points:
        held[point.agreement_id if point.agreement_id in own else None].append(point)
    passed = _passed(session, utility_id, customer_id, own)
    found = [_agreed(each, held[each.id], addresses, each.id in passed) for each in agreements]
    found += _bare(session, held[None], addresses)
    return sorted(found, key=lambda each: (bool(each.refusal), each.address, each.commodity, each.ending))


def ids(places: Iterable[Place], keys: Iterable[str]) -> list[uuid.UUID]:
    """The usage points of the places chosen, as far as they can be shared."""
    wanted = set(keys)
    return [id for each in places if each.key in wanted and not each.refusal for id in each.usage_points]


def of_points(places: Iterable[Place], opened: Iterable[uuid.UUID]) -> list[Place]:
    """The places that these usage points belong to."""
    wanted = set(opened)
    return [each for each in places if wanted & set(each.usage_points)]


def _agreed(row: ServiceAgreement, points: list[UsagePoint], addresses: _Addresses, is_passed: bool) -> Place:
    return Place(
        key=str(row.id),
        usage_points=tuple(each.id for each in points),
        commodity=row.commodity,
        ending=row.reference[-4:],
        address=addresses.of(row.service_location_id, points),
        refusal=_refusal(row, points, is_passed),
        ended_at=row.ends_at,
        udc=row.udc,
        lse=row.lse,
        customer_class=row.customer_class,
    )


def _refusal(row: ServiceAgreement, points: list[UsagePoint], is_passed: bool) -> str:
    if row.customer_class == NEVER_SHAREABLE:
        return WHOLESALE
    if row.closed_at is not None or (row.ends_at is not None and row.ends_at <= clock.seconds()):
        return CLOSED
    if points:
        return ""
    return MOVED if is_passed else EMPTY


def _passed(
    session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID, agreements: set[uuid.UUID]
) -> set[uuid.UUID]:
    """Those of her agreements whose usage points are another customer's now."""
    others = select(UsagePoint.agreement_id).where(
        UsagePoint.utility_id == utility_id,
        UsagePoint.agreement_id.in_(agreements),
        UsagePoint.customer_id != customer_id,
    )
    return {id for id in session.scalars(others) if id}


def _bare(session: Session, points: list[UsagePoint], addresses: _Addresses) -> Iterator[Place]:
    chosen = select(Resource.id, Resource.content).where(
        Resource.usage_point_id.in_([each.id for each in points]), Resource.kind == Kind.UsagePoint
    )
    contents: dict[uuid.UUID, Any] = dict(tuple(row) for row in session.execute(chosen))
    for each in points:
        service = (contents.get(each.id) or {}).get("ServiceCategory") or {}
        commodity = _COMMODITIES.get(service.get("kind", 0), "other")
        yield Place(str(each.id), (each.id,), commodity, each.source_id[-4:], addresses.of(None, [each]))


class _Addresses:
    """Where things are: as the customer's own records say, else as the premise they were matched to."""

    def __init__(self, session: Session, customer_id: uuid.UUID) -> None:
        self._session = session
        rows = session.execute(
            select(*people.COLUMNS).where(
                Resource.customer_id == customer_id, Resource.kind == Kind.ServiceLocation
            )
        )
        known = people.read(at_rest.keyring(session), (tuple(row) for row in rows))
        self._by_point = {point: _line(each.content) for each in known for point in each.usage_points}

    def of(self, location: uuid.UUID | None, points: Iterable[UsagePoint]) -> str:
        """One line, empty where nobody knows."""
        told = [self._by_point.get(str(each.id), "") for each in points]
        return next(filter(None, told), "") or self._premise(location)

    def _premise(self, location: uuid.UUID | None) -> str:
        if location is None:
            return ""
        found = self._session.scalar(
            select(Premise)
            .join(ServiceLocation, ServiceLocation.premise_id == Premise.id)
            .where(ServiceLocation.id == location)
        )
        if found is None:
            return ""
        # Kept as number|street|unit in capitals, as the postal service writes it.
        street = " ".join(part for part in found.address.split("|") if part)
        return ", ".join(filter(None, (street, found.town)))


def _line(content: Mapping[str, Any]) -> str:
    address = content.get("mainAddress") or {}
    street, town = address.get("streetDetail") or {}, address.get("townDetail") or {}
    parts = (street.get(name) for name in ("number", "prefix", "name", "type", "suffix"))
    line = " ".join(filter(None, parts)) or str(street.get("addressGeneral") or "")
    unit = street.get("suiteNumber")
    return ", ".join(filter(None, (f"{line} {unit}".strip() if unit else line, town.get("name"))))
