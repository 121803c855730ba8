"""Pass two, customer side: one customer's data from one delivery, in or out as a whole."""

from __future__ import annotations

import uuid
from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.accounts.models import ServiceAgreement
from espi_server.energy import agreements, identity, records, store
from espi_server.energy.agreement_rows import URN, AgreementRow, Node
from espi_server.energy.house import House
from espi_server.energy.joining import PARENTS, Join, Stored
from espi_server.energy.models import Kind
from espi_server.energy.records import BadContent, checked
from espi_server.energy.report import Report
from espi_server.energy.spool import Spool, unit_of
from espi_server.energy.store import Item, Related, Shelf
from espi_server.espi import customer
from espi_server.espi.errors import EspiError

_Tree = dict[uuid.UUID, dict[Kind, set[uuid.UUID]]]
_MOST_DEVICES = 16  # named one by one at an agreement
_TABLE_WINS = ("validityInterval",)
CHAIN = (Kind.Customer, *PARENTS)
_BELOW = {
    kind: [child for child, parent in PARENTS.items() if parent == kind] for kind in (Kind.Customer, *PARENTS)
}


class CustomerUnit:
    """Stores what a delivery has for one customer, inside the caller's transaction."""

    def __init__(
        self,
        session: Session,
        spool: Spool,
        house: House,
        report: Report,
        join: Join,
        stored: Stored,
        *,
        unit: str,
        reference: str,
    ) -> None:
        self._session = session
        self._spool = spool
        self._house = house
        self._report = report
        self._join = join
        self._lookup = stored
        self._unit = unit
        self._id = uuid.UUID(unit.partition(":")[2])
        self._reference = reference
        self._nodes: dict[uuid.UUID, Node] = {}
        self._source_ids: dict[uuid.UUID, str] = {}
        self._rows: list[AgreementRow] = []
        self._news = False
        self._tree: _Tree | None = None

    def store(self) -> list[agreements.Changed]:
        """Write everything, and count the customer's version if it was news; which agreements changed."""
        store.ensure_customer(self._session, self._house.utility_id, self._id, self._reference)
        store.locked_customer(self._session, self._id)
        self._shelf = Shelf(self._session, self._house.utility_id, customer_id=self._id)
        self._stored_ids = {id for _, id in self._shelf.stored}
        self._gather()
        self._make_ancestors()
        before = self._terms()
        for node in self._in_order():
            self._attempt(node)
        self._join_rows()
        for row in self._rows:
            self._news |= row.store(self._session, self._nodes)
        self._relate_stored()
        if self._news or self._report.created or self._report.changed:
            store.count_customer_version(self._session, self._id)
        return agreements.changed(before, self._terms())

    def _terms(self) -> dict[uuid.UUID, agreements.Terms]:
        """What the customer's agreements say; nothing where none of them comes in."""
        if all(node.kind != Kind.CustomerAgreement for node in self._nodes.values()):
            return {}
        return agreements.terms(self._session, self._id)

    # What there is

    def _gather(self) -> None:
        for entry in self._spool.of_unit(self._unit):
            id = uuid.UUID(entry.id)
            up_id = uuid.UUID(entry.reference) if entry.reference else None
            # What was read here comes under our ids; its source's own words stay.
            stored = self._shelf.stored.get((entry.kind, id)) if entry.last == entry.id else None
            source_self = stored.source_self if stored is not None else entry.source_self or None
            self._nodes[id] = Node(
                entry.kind, id, up_id, dict(entry.content),
                entry.last if stored is None else records.last_of(source_self), entry, source_self, entry.aside,
                entry.published, (self._spool.file_name(entry.file), entry.line),
            )  # fmt: skip
        self._rows = [
            AgreementRow(self._house, self._id, cells, (self._spool.file_name(file), line))
            for file, line, cells in self._spool.rows_of(self._unit)
        ]
        self._span_agreements()
        for row in self._rows:
            self._lay(row)

    def _span_agreements(self) -> None:
        """What the rows of an agreement cover together, with what is stored; the latest row speaks for it."""
        together: dict[uuid.UUID, list[AgreementRow]] = defaultdict(list)
        for row in self._rows:
            together[row.agreement_id].append(row)
        for id, rows in together.items():
            known = self._session.scalar(select(ServiceAgreement.starts_at).where(ServiceAgreement.id == id))
            starts = [each for each in (known, *(row.cells["start"] for row in rows)) if each is not None]
            latest = max(rows, key=lambda row: row.cells["start"] or 0)
            for row in rows:
                row.span = (min(starts, default=None), latest.cells["end"])
                row.is_latest = row is latest

    def _lay(self, row: AgreementRow) -> None:
        """Put the resources a table's row tells of into the tree; what other sources said of them stays."""
        for node in row.nodes(self._only_location(row.agreement_id)):
            if node.kind == Kind.ServiceLocation:
                row.location_id = node.id
            known = self._nodes.get(node.id)
            stored = self._shelf.stored.get((node.kind, node.id))
            before = known.content if known else dict(stored.content) if stored else {}
            always = {name: node.content[name] for name in _TABLE_WINS if name in node.content}
            node.content = {**node.content, **before, **always}
            if node.kind == Kind.ServiceLocation and row.usage_point:
                node.content["UsagePoints"] = _with(node.content.get("UsagePoints", []), row.usage_point_id)
                self._source_ids[row.usage_point_id] = row.usage_point
            if known:
                known.content = node.content
            else:
                if stored:
                    node.source_self, node.aside = stored.source_self, stored.aside
                self._nodes[node.id] = node

    def _only_location(self, agreement_id: uuid.UUID) -> tuple[uuid.UUID, str] | None:
        """The one place an agreement has already: a table gives places no id, so its row means that one."""
        places = {
            node.id: node.last
            for node in self._nodes.values()
            if node.kind == Kind.ServiceLocation and node.up_id == agreement_id
        }
        for (kind, id), row in self._shelf.stored.items():
            if kind == Kind.ServiceLocation and row.up_id == agreement_id:
                places.setdefault(id, records.last_of(row.source_self))
        return next(iter(places.items())) if len(places) == 1 else None

    def _make_ancestors(self) -> None:
        """Parents that only a path names: empty resources hold their place, so that the tree hangs together."""
        for node in list(self._nodes.values()):
            if node.entry is None or node.kind not in PARENTS:
                continue
            up_id = None
            for kind, last, id in self._join.chain(node.entry, PARENTS[node.kind]):
                if id not in self._nodes and (kind, id) not in self._shelf.stored:
                    self._nodes[id] = Node(kind, id, up_id, {}, last, place=node.place)
                    self._report.supply(
                        *self._place(node), f"{kind.name} {last} was missing, its path names it"
                    )
                up_id = id

    def _in_order(self) -> list[Node]:
        return sorted(
            self._nodes.values(), key=lambda node: (CHAIN.index(node.kind), node.last, str(node.id))
        )

    # Resources

    def _attempt(self, node: Node) -> None:
        try:
            self._put(node)
        except EspiError as error:
            del self._nodes[node.id]
            self._tree = None
            file, line = self._place(node)
            self._report.error(file, line, f"{node.kind.name}: {error}")

    def _put(self, node: Node) -> None:
        if node.up_id and node.up_id not in self._nodes and not self._is_stored(node.up_id):
            raise BadContent(f"Its {PARENTS[node.kind].name} could not be taken in.")
        if node.kind == Kind.ServiceLocation:
            self._join_usage_points(node)
        cls = getattr(customer, node.kind.name)
        node.content, xml = checked(cls, node.content)
        item = Item(
            node.kind, node.id, node.content, xml, self._published(node),
            related=self._related(node.kind, node.id, node.up_id), up_id=node.up_id,
            source_self=node.source_self, aside=node.aside,
        )  # fmt: skip
        outcome = self._shelf.put(item)
        setattr(self._report, outcome, getattr(self._report, outcome) + 1)
        self._report.came(outcome, node.kind, node.id, self._place(node)[1])

    def _is_stored(self, id: uuid.UUID) -> bool:
        return id in self._stored_ids

    def _related(self, kind: Kind, id: uuid.UUID, up_id: uuid.UUID | None) -> tuple[Related, ...]:
        """Up to the parent, down to the collections there are; an agreement names its meters and devices too."""
        children = self._children()[id]
        related: list[Related] = [(PARENTS[kind], up_id)] if kind in PARENTS else []
        related += [(child, None) for child in _BELOW[kind] if child in children]
        if kind == Kind.CustomerAgreement:
            related += self._devices(children.get(Kind.ServiceLocation, set()))
        return tuple(related)

    def _devices(self, locations: set[uuid.UUID]) -> list[Related]:
        """The meters and devices at some locations; where they are many, the locations' collections tell them."""
        found = [
            (kind, id)
            for location in sorted(locations, key=str)
            for kind in (Kind.Meter, Kind.EndDevice)
            for id in sorted(self._children()[location].get(kind, ()), key=str)
        ]
        return [*found] if len(found) <= _MOST_DEVICES else []

    def _children(self) -> _Tree:
        """The children of every resource by kind, those stored and those that come in now."""
        if self._tree is None:
            self._tree = self._grown()
        return self._tree

    def _grown(self) -> _Tree:
        tree: _Tree = defaultdict(lambda: defaultdict(set))
        for (kind, id), row in self._shelf.stored.items():
            if row.up_id:
                tree[uuid.UUID(str(row.up_id))][kind].add(id)
        for node in self._nodes.values():
            if node.up_id:
                tree[node.up_id][node.kind].add(node.id)
        return tree

    def _relate_stored(self) -> None:
        """Stored parents of what is new now relate to it."""
        for (kind, id), row in list(self._shelf.stored.items()):
            if id in self._nodes or kind not in CHAIN:
                continue
            related = self._related(kind, id, row.up_id)
            if row.related != store.written(related):
                content, xml = checked(getattr(customer, kind.name), row.content)
                item = Item(
                    kind, id, content, xml, self._house.started_at, related=related, up_id=row.up_id,
                    source_self=row.source_self, aside=row.aside,
                )  # fmt: skip
                self._shelf.put(item)
                self._report.changed += 1

    # Usage points

    def _join_usage_points(self, node: Node) -> None:
        """The hrefs of a ServiceLocation become our ids; a feed turns them into hrefs again."""
        lists = node.content.get("UsagePoints")
        if not lists:
            return
        ids = [self._usage_point(node, href) for each in lists for href in each.get("UsagePoint", ())]
        known = sorted({id for id in ids if id}, key=str)
        node.content["UsagePoints"] = [{"UsagePoint": [URN + str(id) for id in known]}]

    def _usage_point(self, node: Node, href: str) -> uuid.UUID | None:
        if href.startswith(URN):
            return uuid.UUID(href.removeprefix(URN))
        path = records.parsed(href)
        last = path.ids.get("UsagePoint") if path else None
        file = node.entry.file if node.entry else 0
        found = self._spool.at(records.canonical(href), Kind.UsagePoint, file)
        if found:
            return uuid.UUID(found[0].unit.partition(":")[2])
        ours = self._lookup.ours(Kind.UsagePoint, last) if last else None
        if ours:
            return ours
        if last and self._house.profile == "self":
            id = identity.usage_point(self._house.namespace, last)
            self._source_ids[id] = last
            return id
        stored = self._lookup.usage_point_at(last) if last else None
        if stored is None:
            self._report.repair(
                *self._place(node),
                f"ServiceLocation: the usage point {href} is unknown here and was left out",
            )
        return stored

    # Typed rows

    def _join_rows(self) -> None:
        """The rows that consent and rates join by, and whose usage points these are."""
        self._lock_usage_points()
        for node in self._in_order():
            if node.kind == Kind.CustomerAccount:
                reference = node.content.get("accountId") or node.last
                self._news |= agreements.account(self._session, self._house, self._id, node.id, reference)
            elif node.kind == Kind.CustomerAgreement and node.up_id:
                reference = node.content.get("agreementId") or node.last
                self._news |= agreements.agreement(
                    self._session,
                    self._house,
                    self._id,
                    node.up_id,
                    node.id,
                    reference,
                    _validity(node.content),
                )
        self._own_usage_points()

    def _places(self) -> dict[uuid.UUID, Node]:
        """The location of each usage point that a location lists."""
        return {
            uuid.UUID(href.removeprefix(URN)): node
            for node in self._in_order()
            if node.kind == Kind.ServiceLocation
            for each in node.content.get("UsagePoints", ())
            for href in each.get("UsagePoint", ())
        }

    def _lock_usage_points(self) -> None:
        """All at once and in order of their ids, so that two imports never wait for each other in a ring."""
        self._source_ids |= {row.usage_point_id: row.usage_point for row in self._rows if row.usage_point}
        for id in sorted({*self._places(), *self._source_ids}, key=str):
            _, created = store.locked_usage_point(
                self._session, self._house.utility_id, id, self._source_ids.get(id) or self._key_of(id)
            )
            self._news |= created

    def _key_of(self, id: uuid.UUID) -> str:
        """What the files call a usage point."""
        delivered = self._spool.of_unit(unit_of("usage", id))
        return next((entry.id for entry in delivered if entry.kind == Kind.UsagePoint), str(id))

    def _own_usage_points(self) -> None:
        # What a table's row says of a usage point it says with dates, see AgreementRow.
        told = {row.usage_point_id for row in self._rows if row.usage_point}
        for id, node in self._places().items():
            if id not in told:
                self._own(id, node)

    def _own(self, id: uuid.UUID, node: Node) -> None:
        point, _ = store.locked_usage_point(self._session, self._house.utility_id, id, "")
        place, news = agreements.location(self._session, self._house, node.last, {})
        news |= agreements.link(self._session, self._house, id, "location", target_id=place)
        news |= agreements.link(self._session, self._house, id, "agreement", target_id=node.up_id)
        if point.customer_id is None or not self._has_ended(node.up_id):
            news |= store.belongs(self._session, id, customer_id=self._id, agreement_id=node.up_id)
        if news:
            store.count_version(self._session, id)
            self._news = True

    def _has_ended(self, agreement_id: uuid.UUID | None) -> bool:
        query = select(ServiceAgreement.ends_at).where(ServiceAgreement.id == agreement_id)
        end = self._session.scalar(query)
        return end is not None and end <= clock.seconds()

    # Words

    def _published(self, node: Node) -> int:
        return node.published if node.published is not None else self._house.started_at

    def _place(self, node: Node) -> tuple[str, int | None]:
        return node.place


def _with(lists: list[dict[str, Any]], usage_point_id: uuid.UUID) -> list[dict[str, Any]]:
    """UsagePoints with one more."""
    hrefs = [href for each in lists for href in each.get("UsagePoint", ())]
    href = URN + str(usage_point_id)
    return [{"UsagePoint": hrefs if href in hrefs else [*hrefs, href]}]


def _validity(content: dict[str, Any]) -> dict[str, Any]:
    """From when to when an agreement holds, as far as it says."""
    interval = content.get("validityInterval", {})
    if "start" not in interval:
        return {}
    end = interval["start"] + interval["duration"] if "duration" in interval else None
    return {"starts_at": interval["start"], "ends_at": end}
