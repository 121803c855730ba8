"""Pass two for one row of an agreement table: the resources it tells of, and the rows consent and rates join by."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.accounts.models import AgreementRate, AgreementRin
from espi_server.energy import agreements, identity, store
from espi_server.energy.house import House
from espi_server.energy.models import GridAsset, Kind
from espi_server.energy.places import Address, premise
from espi_server.energy.spool import Spooled

URN = "urn:uuid:"
_KINDS = {
    "residential": "residential", "commercial": "commercialIndustrial", "industrial": "commercialIndustrial",
    "agricultural": "residentialFarmService", "wholesale": "enterprise", "lighting": "other",
}  # fmt: skip


@dataclass
class Node:
    """A resource of the customer's tree on its way into the store; `entry` where a file brought it."""

    kind: Kind
    id: uuid.UUID
    up_id: uuid.UUID | None
    content: dict[str, Any]
    last: str = ""
    entry: Spooled | None = None
    source_self: str | None = None
    aside: Any = None
    published: int | None = None
    place: tuple[str, int | None] = ("", None)


@dataclass
class AgreementRow:
    """One row: who, on which agreement and rate, where, through which meter, from when to when.

    An agreement with a history of rates has several rows: `span` is what they cover together, and the latest of
    them says what the agreement is now.
    """

    house: House
    customer_row: uuid.UUID
    cells: Mapping[str, Any]
    place: tuple[str, int | None]
    location_id: uuid.UUID | None = None
    span: tuple[int | None, int | None] = (None, None)
    is_latest: bool = True
    address: Address = field(init=False)

    def __post_init__(self) -> None:
        self.address = Address(**self.cells["address"])
        self.customer_id = self._below(Kind.Customer, self.customer_row, self.cells["customer"])
        self.account_id = self._below(Kind.CustomerAccount, self.customer_id, self.cells["account"])
        self.agreement_id = self._below(Kind.CustomerAgreement, self.account_id, self.cells["agreement"])

    @property
    def usage_point(self) -> str:
        """The source's own id of the usage point; empty where the row names none."""
        return str(self.cells["usage_point"])

    @property
    def usage_point_id(self) -> uuid.UUID:
        """Our id of it."""
        return identity.usage_point(self.house.namespace, self.usage_point)

    def nodes(self, place: tuple[uuid.UUID, str] | None) -> Iterator[Node]:
        """The resources of the row, parents first; `place` is the one the agreement has already."""
        cells, address = self.cells, self.address
        yield self._node(
            Kind.Customer, self.customer_id, None, {"kind": _KINDS[cells["class"]]}, cells["customer"]
        )
        content: dict[str, Any] = {"accountId": cells["account"]}
        yield self._node(Kind.CustomerAccount, self.account_id, self.customer_id, content, cells["account"])
        content = {**self._validity(), "agreementId": cells["agreement"]}
        yield self._node(
            Kind.CustomerAgreement, self.agreement_id, self.account_id, content, cells["agreement"]
        )
        last = self._place_name()
        if place is None and last:
            place = self._below(Kind.ServiceLocation, self.agreement_id, last), last
        if place:
            content = {"mainAddress": _written(address)} if address.key else {}
            yield self._node(Kind.ServiceLocation, place[0], self.agreement_id, content, place[1])
            yield from self._meter(place[0])
        yield from self._suppliers()

    def store(self, session: Session, nodes: Mapping[uuid.UUID, Node]) -> bool:
        """Write the row's keys; whether any is new. Its resources stand already, unless they were refused."""
        if self.agreement_id not in nodes:
            return False
        news = self._agreement(session) if self.is_latest else False
        place, other = agreements.location(session, self.house, *self._source_premise(session, nodes))
        news |= other | self._rate(session) | self._rins(session)
        if self.usage_point:
            news |= self._usage_point(session, place)
        return news

    def _place_name(self) -> str:
        """What tells this place from others, since a table gives places no id."""
        return self.address.key or self.usage_point or str(self.cells["meter"])

    def _below(self, kind: Kind, parent: uuid.UUID, last: str) -> uuid.UUID:
        return identity.below(self.house.namespace, kind.name, parent, last)

    def _node(
        self, kind: Kind, id: uuid.UUID, up_id: uuid.UUID | None, content: dict[str, Any], last: str
    ) -> Node:
        return Node(kind, id, up_id, content, last, place=self.place)

    def _meter(self, place: uuid.UUID) -> Iterator[Node]:
        serial = self.cells["meter"]
        if serial:
            id = self._below(Kind.Meter, place, serial)
            yield self._node(Kind.Meter, id, place, {"serialNumber": serial}, serial)

    def _suppliers(self) -> Iterator[Node]:
        """Who delivers and who sells: one resource where it is the same company."""
        for name, kind in {self.cells["lse"]: "lse", self.cells["udc"]: "utility"}.items():
            if name:
                id = self._below(Kind.ServiceSupplier, self.agreement_id, name)
                content = {"Organisation": {"organisationName": name}, "kind": kind}
                yield self._node(Kind.ServiceSupplier, id, self.agreement_id, content, name)

    def _validity(self) -> dict[str, Any]:
        start, end = self.span
        if start is None:
            return {}
        return {"validityInterval": {**({} if end is None else {"duration": end - start}), "start": start}}

    # Typed rows

    def _agreement(self, session: Session) -> bool:
        cells = self.cells
        values = {
            "customer_class": cells["class"], "source_class": cells["source_class"], "udc": cells["udc"] or None,
            "lse": cells["lse"] or None, "starts_at": self.span[0], "ends_at": self.span[1],
            "commodity": self.house.supplies.commodity,
        }  # fmt: skip
        return agreements.agreement(
            session,
            self.house,
            self.customer_row,
            self.account_id,
            self.agreement_id,
            cells["agreement"],
            values,
        )

    def _source_premise(
        self, session: Session, nodes: Mapping[uuid.UUID, Node]
    ) -> tuple[str, dict[str, Any]]:
        """The place as its source calls it, and the premise its address means."""
        node = nodes.get(self.location_id) if self.location_id else None
        name = (node.last if node else "") or self._place_name() or self.cells["agreement"]
        if not self.address.key:
            return name, {}
        found = premise(session, self.address)
        return name, {"premise_id": found, "match_method": "address", "match_confidence": 1.0}

    def _rate(self, session: Session) -> bool:
        """The rate in its history: a rate without an end ended when the next one began."""
        if not self.cells["rate"]:
            return False
        start = self.cells["start"]
        id = identity.made(self.house.namespace, "AgreementRate", self.agreement_id, start)
        values = {"rate_code": self.cells["rate"], "modifiers": self.cells["modifiers"]}
        fixed = {"agreement_id": self.agreement_id, "starts_at": start, "ends_at": self.cells["end"]}
        news = agreements.keep(session, AgreementRate, id, values, fixed)
        return news | self._close_rates(session)

    def _close_rates(self, session: Session) -> bool:
        columns = (AgreementRate.id, AgreementRate.starts_at, AgreementRate.ends_at)
        mine = AgreementRate.agreement_id == self.agreement_id
        rows = sorted(session.execute(select(*columns).where(mine)), key=lambda row: row.starts_at or 0)
        news = False
        for row, later in zip(rows, [*rows[1:], None], strict=True):
            told = self.cells["end"] if row.starts_at == self.cells["start"] else row.ends_at
            end = told if told is not None or later is None else later.starts_at
            if row.ends_at != end:
                session.execute(update(AgreementRate).where(AgreementRate.id == row.id).values(ends_at=end))
                news = True
        return news

    def _rins(self, session: Session) -> bool:
        """The RINs in their roles and their history, which follows that of the rates."""
        news = False
        for role, rin in self.cells["rins"]:
            id = identity.made(
                self.house.namespace, "AgreementRin", self.agreement_id, role, rin, self.cells["start"]
            )
            fixed = {
                "agreement_id": self.agreement_id, "rin": rin, "role": role, "starts_at": self.cells["start"],
                "ends_at": self.cells["end"],
            }  # fmt: skip
            news |= agreements.keep(session, AgreementRin, id, {}, fixed)
        return news | self._close_rins(session)

    def _close_rins(self, session: Session) -> bool:
        """A RIN without an end ended when the next row began, or when this row names others in its place.

        So a bundled RIN is over once another company sells the energy, and delivery and generation take its place.
        """
        columns = (
            AgreementRin.id,
            AgreementRin.role,
            AgreementRin.rin,
            AgreementRin.starts_at,
            AgreementRin.ends_at,
        )
        rows = session.execute(select(*columns).where(AgreementRin.agreement_id == self.agreement_id)).all()
        starts = sorted({row.starts_at or 0 for row in rows} | self._starts(session))
        news = False
        for row in rows:
            end = self._rin_end(row, next((each for each in starts if each > (row.starts_at or 0)), None))
            if row.ends_at != end:
                session.execute(update(AgreementRin).where(AgreementRin.id == row.id).values(ends_at=end))
                news = True
        return news

    def _starts(self, session: Session) -> set[int]:
        """When the rows of this agreement began, as far as its rates tell."""
        rates = session.scalars(
            select(AgreementRate.starts_at).where(AgreementRate.agreement_id == self.agreement_id)
        )
        return {each or 0 for each in (*rates, self.cells["start"])}

    def _rin_end(self, row: Any, later: int | None) -> int | None:
        named = self.cells["rins"]
        if row.starts_at != self.cells["start"] or (not named and not self._contradicts(row.role)):
            return later if row.ends_at is None else row.ends_at
        if not self._contradicts(row.role) and [row.role, row.rin] in [list(each) for each in named]:
            return later if self.cells["end"] is None else self.cells["end"]
        return self.house.started_at if row.ends_at is None else row.ends_at

    def _contradicts(self, role: str) -> bool:
        """Is it a role that an agreement with these companies has not?"""
        udc, lse = self.cells["udc"], self.cells["lse"]
        return bool(udc and lse) and (role == "bundled") != (udc == lse)

    def _usage_point(self, session: Session, place: uuid.UUID) -> bool:
        """Dated links of the usage point; it belongs to whoever has it now, else to the first who had."""
        up, cells = self.usage_point_id, self.cells
        point, news = store.locked_usage_point(session, self.house.utility_id, up, self.usage_point)
        span = {"starts_at": cells["start"], "ends_at": cells["end"]}
        news |= agreements.link(session, self.house, up, "location", target_id=place, **span)
        news |= agreements.link(session, self.house, up, "agreement", target_id=self.agreement_id, **span)
        if cells["meter"]:
            news |= agreements.link(session, self.house, up, "meter", reference=cells["meter"], **span)
        if cells["circuit"]:
            self._circuit(session)
            news |= agreements.link(session, self.house, up, "circuit", reference=cells["circuit"], **span)
        if cells["end"] is None or cells["end"] > clock.seconds() or point.customer_id is None:
            owners = {"customer_id": self.customer_row, "agreement_id": self.agreement_id}
            news |= store.belongs(session, up, since=cells["start"], **owners)
        if news:
            store.count_version(session, up)
        return news

    def _circuit(self, session: Session) -> None:
        id = identity.made(self.house.namespace, "GridAsset", "circuit", self.cells["circuit"])
        fixed = {"utility_id": self.house.utility_id, "kind": "circuit", "reference": self.cells["circuit"]}
        agreements.keep(session, GridAsset, id, {}, fixed)


def _written(address: Address) -> dict[str, Any]:
    """A postal address as ESPI structures it; only what is known."""
    street = {"number": address.number, "name": address.street, "suiteNumber": address.unit}
    town = {"name": address.town, "stateOrProvince": address.state}
    parts = {"streetDetail": _known(street), "townDetail": _known(town), "postalCode": address.zip}
    return _known(parts)


def _known(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value}
