"""Retail customer data: the chain from Customer to Meter, as far as an authorization reaches.

A customer has at most a few hundred such resources, so they are read at once and written one by one. What an
authorization opens follows from its usage points: the service locations that list one of them, the agreements of
those locations, the accounts of those agreements. Only who may see all usage points of a customer sees what hangs
on none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Uuid, bindparam, select

from espi_server.db import Compiled, loaded, text_id
from espi_server.energy import personal
from espi_server.energy.entries import identified
from espi_server.energy.models import Kind, Resource, UsagePoint
from espi_server.energy.single import Found
from espi_server.espi import atom, paths
from espi_server.espi.atom import Link
from espi_server.espi.content import KINDS
from espi_server.espi.rights import Rights
from espi_server.keyring import Keyring

URN = "urn:uuid:"


@dataclass(frozen=True, slots=True)
class Person:
    """One customer-side resource as stored."""

    kind: int
    id: str
    up_id: str
    related: list[list[Any]]
    published: int
    updated: int
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """The resource's name in the standard."""
        return Kind(self.kind).name

    @property
    def usage_points(self) -> list[str]:
        """The ids of the usage points a ServiceLocation lists."""
        lists = self.content.get("UsagePoints", ())
        return [str(href).removeprefix(URN) for each in lists for href in each.get("UsagePoint", ())]


COLUMNS = (
    Resource.kind, Resource.id, Resource.up_id, Resource.related, Resource.published, Resource.updated,
    Resource.utility_id, Resource.customer_id, Resource.content, Resource.sealed,
)  # fmt: skip
"""What `read` reads."""


class Statements:
    """The compiled statements of this room on one engine."""

    def __init__(self, engine: Any) -> None:
        customer = bindparam("customer", type_=Uuid)
        chosen = select(*COLUMNS).where(Resource.customer_id == customer, Resource.kind >= Kind.Customer)
        self.resources = Compiled(chosen.order_by(Resource.kind, Resource.starts_at, Resource.id), engine)
        points = select(UsagePoint.id).where(UsagePoint.customer_id == customer)
        self.points = Compiled(points.order_by(UsagePoint.id), engine)


@lru_cache(maxsize=8)
def statements(engine: Any) -> Statements:
    """The statements for this engine; compiled at first use."""
    return Statements(engine)


def read(keys: Keyring, rows: Iterable[tuple[Any, ...]]) -> list[Person]:
    """Rows of `COLUMNS`, in either driver's types, as resources. CannotOpen where one was tampered with."""
    return [_person(keys, row) for row in rows]


def _person(keys: Keyring, row: tuple[Any, ...]) -> Person:
    kind, id, up, related, published, updated, utility, customer, content, sealed = row
    stored = {
        "kind": kind, "id": text_id(id), "utility_id": text_id(utility), "customer_id": text_id(customer),
        "content": loaded(content), "sealed": sealed,
    }  # fmt: skip
    return Person(
        kind,
        stored["id"],
        identified(up),
        loaded(related),
        published,
        updated,
        personal.content(keys, stored),
    )


def reached(people: Collection[Person], opened: Collection[str], *, whole: bool) -> list[Person]:
    """The resources that an authorization over these usage points opens; `whole`: it opens all the customer has."""
    if whole:
        return list(people)
    locations = {each.id for each in people if set(each.usage_points) & set(opened)}
    chain = _upwards(people, locations)
    below = {each.id for each in people if each.up_id in locations} - chain
    beside = {
        each.id
        for each in people
        if each.up_id in chain and each.kind in (Kind.ServiceSupplier, Kind.ProgramDateIdMappings)
    }
    return [each for each in people if each.id in chain | below | beside]


def _upwards(people: Collection[Person], start: Collection[str]) -> set[str]:
    parents = {each.id: each.up_id for each in people}
    chain: set[str] = set()
    for id in start:
        while id and id not in chain:
            chain.add(id)
            id = parents.get(id, "")
    return chain


class Album:
    """One customer's resources as entries, for one reader: below `customer`, with usage points below `points`."""

    def __init__(
        self, customer: str, points: str, people: Collection[Person], opened: Collection[str], rights: Rights
    ) -> None:
        self._customer = customer
        self._points = points
        self._people = {each.id: each for each in people}
        self._opened = frozenset(opened)
        self._rights = rights

    def entries(self, kind: int | None = None, above: Mapping[int, str] | None = None) -> Iterator[Found]:
        """The entries that may be seen: of one kind, and below the resources `above` (id by kind), where given."""
        for person in self.below(above or {}):
            if kind in (None, person.kind):
                yield self.entry(person)

    def below(self, above: Mapping[int, str]) -> Iterator[Person]:
        """What may be seen of the resources `above` (id by kind) and below them."""
        for person in self._people.values():
            if self._rights.sees(person.name) and above.items() <= self._ancestry(person).items():
                yield person

    def find(self, kind: int, path: Mapping[int, str]) -> Person | None:
        """The resource of this kind at the end of a path of ids by kind, if it may be seen."""
        return next((each for each in self.below(path) if each.kind == kind), None)

    def entry(self, person: Person, *, alone: bool = False) -> Found:
        """One entry, its usage points as this reader's hrefs."""
        declared = KINDS[person.name].from_json(self._content(person))
        elements = self._rights.elements(person.name)
        shown = declared if elements is None else declared.only(elements)
        links = [Link(*each) for each in self._links(person)]
        head = atom.entry_head(id=URN + person.id, title=person.name, links=links, alone=alone)
        tail = atom.entry_tail(published=person.published, updated=person.updated)
        return Found(head + shown.write() + tail, person.published, person.updated)

    def _content(self, person: Person) -> dict[str, Any]:
        if person.kind != Kind.ServiceLocation or "UsagePoints" not in person.content:
            return person.content
        hrefs = [
            paths.usage_point(self._points, each) for each in person.usage_points if each in self._opened
        ]
        shown = {key: value for key, value in person.content.items() if key != "UsagePoints"}
        return shown | ({"UsagePoints": [{"UsagePoint": hrefs}]} if hrefs else {})

    def _ancestry(self, person: Person) -> dict[int, str]:
        chain: dict[int, str] = {}
        each: Person | None = person
        while each is not None and each.kind not in chain:
            chain[each.kind] = each.id
            each = self._people.get(each.up_id)
        return chain

    def _address(self, person: Person) -> str:
        """The address a resource's collection stands on."""
        parent = self._people.get(person.up_id)
        return (
            self._customer if parent is None else paths.entry(self._address(parent), parent.name, parent.id)
        )

    def _links(self, person: Person) -> Iterator[tuple[str, str, str]]:
        yield from paths.links(self._address(person), person.name, person.id)
        here = paths.entry(self._address(person), person.name, person.id)
        for kind, target in person.related:
            name = Kind(kind).name
            if not self._rights.sees(name):
                continue
            if target is None:
                yield paths.related_collection(paths.collection(here, name), name)
            elif target in self._people:
                other = self._people[target]
                yield paths.related(paths.entry(self._address(other), other.name, other.id), other.name)


def ids(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """The first column of rows as ids."""
    return [text_id(row[0]) for row in rows]
